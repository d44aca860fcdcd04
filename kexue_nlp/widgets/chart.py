"""Small charts in SVG: quicker than a picture from Matplotlib, and in the colours of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from kexue_nlp.figures import GREY

__all__ = ["STYLE", "Chart"]

STYLE = """
.kexue-chart { max-width: 100%; height: auto; }
.kexue-chart text { fill: var(--jp-ui-font-color1, black); font-size: 12px; }
"""


@dataclass(frozen=True)
class Chart:
    """Axes, from data to pixels, and what is drawn on them. Words must be safe in HTML."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: int
    height: int
    left: int = 44
    right: int = 10
    top: int = 8
    bottom: int = 30

    def x(self, value: float) -> float:
        """Return the pixel of a value on the horizontal axis."""
        return self.left + (self.width - self.left - self.right) * (value - self.x0) / (self.x1 - self.x0)

    def y(self, value: float) -> float:
        """Return the pixel of a value on the vertical axis."""
        base = self.height - self.bottom
        return base - (base - self.top) * (value - self.y0) / (self.y1 - self.y0)

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, dash: str = "", width: float = 2.5) -> str:
        """Draw a line through points."""
        if not len(xs):
            return ""
        points = "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in zip(xs, ys, strict=True))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="M{points}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'

    def dot(self, x: float, y: float, colour: str) -> str:
        """Draw a round mark."""
        return f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="6" fill="{colour}" stroke="black"/>'

    def bar(self, start: float, end: float, height: float, colour: str, words: str, base: float = 0) -> str:
        """Draw a bar from a base to a height, with words that show on hovering."""
        x, width = self.x(start), max(0.5, self.x(end) - self.x(start) - 1)
        top, bottom = sorted((self.y(height), self.y(base)))
        size = f'width="{width:.1f}" height="{bottom - top:.1f}"'
        return f'<rect x="{x:.1f}" y="{top:.1f}" {size} fill="{colour}"><title>{words}</title></rect>'

    def shade(self, start: float, end: float) -> str:
        """Draw a grey ground between two values."""
        x = self.x(min(start, end))
        size = f'width="{max(0.0, self.x(end) - x):.1f}" height="{self.height - self.bottom - self.top}"'
        return f'<rect x="{x:.1f}" y="{self.top}" {size} fill="{GREY}" fill-opacity=".22"/>'

    def x_tick(self, value: float, label: str) -> str:
        """Label a value on the horizontal axis."""
        return _text(f"{self.x(value):.1f}", self.height - self.bottom + 15, label, "middle")

    def y_tick(self, value: float, label: str) -> str:
        """Label a value on the vertical axis, with a line across."""
        y, end = self.y(value), self.width - self.right
        line = f'<path d="M{self.left} {y:.1f}H{end}" stroke="{GREY}" stroke-opacity=".3"/>'
        return line + _text(self.left - 6, f"{y + 4:.1f}", label, "end")

    def x_name(self, label: str) -> str:
        """Name the horizontal axis."""
        return _text((self.left + self.width - self.right) / 2, self.height - 4, label, "middle")

    def text(self, x: float, y: float, words: str, dx: float = 0, anchor: str = "start") -> str:
        """Write words at a point."""
        return _text(f"{self.x(x) + dx:.1f}", f"{self.y(y):.1f}", words, anchor)

    def figure(self, caption: str, parts: Sequence[str]) -> str:
        """Make the picture out of its parts, under a caption that describes it."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        svg = f'<svg class="kexue-chart" {size} role="img" aria-label="{caption}">{"".join(parts)}</svg>'
        return f'<p class="kexue-quiet">{caption}</p>{svg}'


def _text(x: object, y: object, words: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'
