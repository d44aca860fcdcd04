"""Pictures that are drawn in the page, and move with the finger: one anywidget view per explorer."""

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from kexue_nlp.language import _
from kexue_nlp.widgets.stills import Pictured

__all__ = ["Page", "View"]

_FOLDER = Path(__file__).parent
_FONT = _FOLDER.parent / "fonts" / "KexueSansSC-Regular.otf"
_LAST = "export default { render };"


class View(Pictured, anywidget.AnyWidget):
    """Base of the views: what page.js and chart.js hold, then a lesson's own JavaScript, and the words that it writes.

    A subclass sets `_esm` to :meth:`script` of its file, whose last line is ``export default { render };``, and `_css`
    likewise to :meth:`style`. In a page without a kernel, what has the class ``kexue-needs-kernel`` is hidden.
    """

    words = traitlets.Dict().tag(sync=True)
    shows = traitlets.Unicode(help="Model id of the widget whose static picture gives way to it.").tag(sync=True)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.words = _translated(self.words)
        self.shows = self.shows or self.model_id
        self.on_msg(self._lend_font)

    @staticmethod
    def script(*paths: Path) -> str:
        """Return the source of a view: the shared part, and files of its own, the last of which draws it."""
        source = "".join(path.read_text("utf-8") for path in (_FOLDER / "page.js", _FOLDER / "chart.js", *paths))
        if not source.rstrip().endswith(_LAST):
            raise ValueError(f"the last line of {paths[-1]} must be {_LAST}")
        return source.replace(_LAST, "export default shared({ render });")

    @staticmethod
    def style(path: Path | None = None) -> str:
        """Return the CSS that all views share, and the file's own."""
        return "".join(file.read_text("utf-8") for file in (_FOLDER / "chart.css", path) if file)

    def _lend_font(self, _view: "View", content: object, _buffers: object) -> None:
        if content == {"kexue": "font"}:
            self.send(content, [_FONT.read_bytes()])


def _translated(words: Any) -> Any:
    """Put messages into the language in use, however deep they stand in dictionaries and lists."""
    if isinstance(words, dict):
        return {key: _translated(value) for key, value in words.items()}
    return _(words) if isinstance(words, str) else [_translated(value) for value in words]


class Page(View):
    """A view that draws nothing: it does for an explorer's page what every view does."""

    _esm = (_FOLDER / "page.js").read_text("utf-8") + "export default shared({});"

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        # ipykernel 7.4 has what the page asks answered where the comm was opened: behind all cells that wait to be run.
        vars(self.comm).pop("_reply_subshell_id", None)
