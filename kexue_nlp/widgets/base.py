"""What all explorers share: layout, messages, escaping, errors, and a picture where widgets do not run."""

import base64
import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ipywidgets as widgets
import traitlets

from kexue_nlp.figures import visible
from kexue_nlp.language import _, language
from kexue_nlp.widgets.stills import Pictured
from kexue_nlp.widgets.view import Page, View

__all__ = ["UNFIT", "Explorer", "InvalidInput", "TextArea", "TextBox", "errors", "escape", "one_line"]
__all__ += ["row", "still"]

UNFIT = re.compile(
    r"\b(sex|nud[ei]|naked|porn|erotic|rap(e|ist)|orgasm|whor|slut|bitch|bastard|fuck|shit|crap|ass(es|hole)?\b|damn|hell\b|"
    r"murder|suicid|tortur|gor[ey]\b|slaughter|racis|nazi|drugs?\b|heroin\b|cocaine|prostitut|strip(per|tease)|breast|penis|"
    r"horny|anatom|turd\b|lust(s|y|ful|ing|ed)?\b|genital|pervert|masturbat|hooker|kink|incest|orgy|molest|corpse|behead|"
    r"fag(s|got|gots)?\b|retard|negro|nigg|boob(s|age)?\b|cream my)|[\x80-\x9f]|://",
    re.IGNORECASE,
)
"""What a text that a class reads together must not hold; nor broken characters and links."""

errors: list[Exception] = []
"""Exceptions that callbacks of explorers raised, oldest first. What a user mistypes is not among them."""

_STYLE = Path(__file__).with_name("base.css").read_text("utf-8")


class InvalidInput(ValueError):
    """Something the user entered that cannot be used; the message says what, and what to do."""


def escape(text: str) -> str:
    """Make any string safe inside HTML, text or attribute, and its unseen characters visible."""
    return html.escape(visible(text))


def one_line(text: str) -> str:
    """Replace what cannot be seen or sent, but for spaces; not yet safe inside HTML."""
    return visible(text).replace("␣", " ")


class _Sendable(traitlets.HasTraits):
    """A text control that survives half a surrogate pair, which no message to the browser can carry."""

    def set_state(self, sync_data: dict) -> None:
        super().set_state({key: _whole(v) if isinstance(v, str) else v for key, v in sync_data.items()})

    @traitlets.validate("value")
    def _whole_value(self, proposal: traitlets.Bunch) -> str:
        return _whole(proposal.value)


class TextBox(_Sendable, widgets.Text):
    """A control for one line of text."""


class TextArea(_Sendable, widgets.Textarea):
    """A control for several lines of text."""


def _whole(text: str) -> str:
    """Join surrogate pairs and replace single halves by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def still(page: str) -> str:
    """Turn the drawings of a page, SVG elements with role, label, width and height, into images on white.

    JupyterLab strips SVG and styles, but not images, from what is stored in a notebook that has not been run there.
    Drawings must be XML as well as HTML: no entities but those of `html.escape`.
    """
    return re.sub(r'<svg ([^>]*role="img"[^>]*)>(.*?)</svg>', _draw_image, page, flags=re.DOTALL)


def _draw_image(drawing: re.Match) -> str:
    attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', drawing[1]))
    size = 'width="{width}" height="{height}"'.format(**attributes)
    background = f'<style>text {{ font: 12px sans-serif; }}</style><rect {size} fill="white"/>'
    source = f'<svg xmlns="http://www.w3.org/2000/svg" {drawing[1]}>{background}{drawing[2]}</svg>'
    data = base64.b64encode(source.encode()).decode()
    return f'<img {size} alt="{attributes["aria-label"]}" src="data:image/svg+xml;base64,{data}">'


def row(*children: widgets.Widget) -> widgets.HBox:
    """Put controls side by side; they wrap where the page is narrow."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})


class Explorer(Pictured, widgets.VBox):
    """Base of all explorers.

    A subclass makes its controls, wires each with :meth:`on_change` or :meth:`on_click`, calls :meth:`lay_out`, and
    writes HTML into ``picture.value``. Its callbacks raise :exc:`InvalidInput` for what a user mistyped: the message is
    shown, and the picture stays as it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self._filling = False
        self.add_class("kexue")
        self.message, self.picture = widgets.HTML(), widgets.HTML(tabbable=True)
        self.picture.add_class("kexue-picture")

    def lay_out(self, *controls: widgets.Widget) -> None:
        """Put the controls above the message, and that above the picture."""
        views = [control for control in controls if isinstance(control, View)]
        above = [control for control in controls if control not in views]
        style = widgets.HTML(f"<style>{_STYLE}{self.styles}</style>", layout={"display": "none"})
        page = Page(shows=self.model_id, layout={"display": "none"})
        self.children = (style, page, *above, self.message, *views, self.picture)

    def on_change(self, control: widgets.Widget, callback: Callable[[], None]) -> None:
        """Call back when the control's value changes, but not while controls are being set: see :meth:`filling`."""
        control.observe(lambda change: self._filling or self._run(callback), names="value")

    def on_click(self, button: widgets.Button, callback: Callable[[], None]) -> None:
        """Call back when the button is clicked."""
        button.on_click(lambda button: self._run(callback))

    def reset_button(self) -> widgets.Button:
        """Make the button that calls ``self.reset``."""
        button = widgets.Button(description=_("reset"), icon="undo", tooltip=_("go back to the beginning"))
        self.on_click(button, self.reset)
        return button

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Set several controls without a call back for each; refresh once, after all of them."""
        self._filling = True
        try:
            yield
        finally:
            self._filling = False

    def say(self, *sentences: str) -> None:
        """Show sentences of plain text above the picture; none clears them."""
        lines = "<br>".join(html.escape(_whole(sentence)) for sentence in sentences)
        self.message.value = f'<div class="kexue-message" role="alert">{lines}</div>' if lines else ""

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Look disabled meanwhile; for work that may take longer than a blink."""
        self.add_class("kexue-busy")
        try:
            yield
        finally:
            self.remove_class("kexue-busy")

    def static_html(self) -> str:
        """Return what is shown, for viewers that run no widgets."""
        return self.picture.value

    def close(self) -> None:
        """Close the explorer and everything in it."""
        widgets_inside = list(self.children)
        for widget in widgets_inside:
            widgets_inside.extend(getattr(widget, "children", ()))
            widget.close()
        super().close()

    def _run(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except InvalidInput as error:
            self.say(str(error))
        except Exception as error:
            errors.append(error)
            self.say(_("This should not have happened.") + f" {type(error).__name__}: {error}")

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        note = _("A still picture. In JupyterLab, click into this cell and press Shift+Enter.")
        body = f'{still(self.static_html())}<p class="kexue-quiet">{note}</p>'
        body = f'<div class="kexue kexue-picture" lang="{language()}">{body}</div>'
        page = f"<style>{_STYLE}{self.styles}</style>{body}"
        return super()._repr_mimebundle_(**kwargs) | {"text/html": page}
