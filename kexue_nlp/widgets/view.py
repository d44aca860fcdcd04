"""Pictures that are drawn in the page, and move with the finger: one anywidget view per explorer."""

from pathlib import Path

import anywidget
import traitlets

__all__ = ["View"]

_FOLDER = Path(__file__).parent


class View(anywidget.AnyWidget):
    """Base of the views: what chart.js holds, then a lesson's own JavaScript, and the words that it writes.

    A subclass sets `_esm` to :meth:`script` of its file, whose last statement is ``export default { render }``, and
    `_css` likewise to :meth:`style`.
    """

    words = traitlets.Dict().tag(sync=True)

    @staticmethod
    def script(path: Path) -> str:
        """Return the source of a view: the shared part and the file's own."""
        return (_FOLDER / "chart.js").read_text("utf-8") + path.read_text("utf-8")

    @staticmethod
    def style(path: Path | None = None) -> str:
        """Return the CSS that all views share, and the file's own."""
        shared = (_FOLDER / "chart.css").read_text("utf-8")
        return shared if path is None else shared + path.read_text("utf-8")
