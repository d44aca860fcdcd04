"""Static pictures: what stands in a notebook wherever its widgets do not run, and gives way to them where they do.

In IPython, what is here and every box or output with it inside is shown twice: first as HTML, which forges, nbconvert
and readers of stored notebooks see, then as a widget, which hides that HTML as soon as it lives (page.js).
"""

import html
from collections.abc import Iterator
from typing import ClassVar
from weakref import WeakKeyDictionary

from IPython import get_ipython
from IPython.display import display
from ipywidgets import Box, DOMWidget, Output
from ipywidgets.widgets.widget import _instances

__all__ = ["Pictured"]


class Pictured(DOMWidget):
    """A widget with a static picture."""

    styles: ClassVar[str] = ""  # CSS of the static picture

    def static_text(self) -> str:
        """Return what is shown, in words, for viewers that show only text."""
        return type(self).__name__

    def static_html(self) -> str:
        """Return what is shown, for viewers that run no widgets."""
        return f"<p>{html.escape(self.static_text())}</p>"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _repr_mimebundle_(self, **kwargs: object) -> dict:
        page = f"<style>{self.styles}</style>{self.static_html()}"
        return DOMWidget._repr_mimebundle_(self) | {"text/plain": self.static_text(), "text/html": page}


_held: WeakKeyDictionary[Output, list[Pictured]] = WeakKeyDictionary()  # what was displayed in an Output


def _inside(widget: DOMWidget) -> Iterator[Pictured]:
    if isinstance(widget, Pictured):
        yield widget
    else:
        for child in (*getattr(widget, "children", ()), *_held.get(widget, ())):
            yield from _inside(child)


def _present(widget: DOMWidget) -> dict:
    """Display the static pictures of all that is in a widget, and return how the widget itself is displayed."""
    pictured = [one for one in _inside(widget) if one.comm is not None]  # None: it has been closed
    for output in [one for one in _instances.values() if isinstance(one, Output) and one.msg_id]:
        _held.setdefault(output, []).extend(pictured)  # `with output:` surrounds us
    for one in pictured:
        still = {kind: data for kind, data in one._repr_mimebundle_().items() if kind.startswith("text/")}
        still["text/html"] = f'<div class="kexue-still" data-kexue-still="{one.model_id}">{still["text/html"]}</div>'
        display(still, raw=True)
    return {} if widget.comm is None else DOMWidget._repr_mimebundle_(widget)


if (_shell := get_ipython()) is not None:
    for _kind in (Pictured, Box, Output):
        _shell.display_formatter.mimebundle_formatter.for_type(_kind, _present)
