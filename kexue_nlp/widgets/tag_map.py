"""Tag probabilities of a text as a heat map, with the path that Viterbi takes through it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kexue_nlp.figures import BLUE, ORANGE
from kexue_nlp.language import _
from kexue_nlp.widgets.base import escape

__all__ = ["LIMIT", "STYLE", "Panel", "render_panels"]

LIMIT = 120  # characters that are shown

STYLE = Path(__file__).with_suffix(".css").read_text("utf-8")
_LABEL, _WIDTH, _HEIGHT = 88, 34, 27  # pixels: the cells of the table, over which the path is drawn


@dataclass(frozen=True, eq=False)
class Panel:
    """One heat map of a text of T characters, with K tags."""

    title: str
    probabilities: np.ndarray  # (T, K)
    path: np.ndarray  # (T,), tags
    bonuses: np.ndarray  # (T, K), what was added to logarithms of probabilities
    cuts: np.ndarray  # (T,), whether there is a bar before the character


def render_panels(
    text: str, tags: Sequence[tuple[str, str]], panels: Sequence[Panel], caption: str, bonus_in_words: Callable
) -> str:
    """Draw heat maps of one text, one below the other, as HTML.

    Of a long text the first characters are shown, as is said behind the caption, which must be safe in HTML. Tags are
    pairs of a name and a letter. A cell's title tells a bonus in words, such as "multiplied by 10".
    """
    characters, n = [escape(character) for character in text[:LIMIT]], min(len(text), LIMIT)
    if len(text) > n:
        caption += _(" Shown: the first {n} of {count:,} characters.", n=n, count=len(text))
    head = "".join(f'<th scope="col" lang="zh"><bdi>{character}</bdi></th>' for character in characters)
    label, width = _("tag probabilities"), _LABEL + n * _WIDTH
    return (
        f'<p class="kexue-fixed kexue-quiet">{caption}</p>'
        f'<table class="kexue-map" dir="ltr" style="width:{width}px" aria-label="{label}">'
        f'<thead><tr><th class="kexue-tag"></th>{head}</tr></thead>'
        + "".join(_render_panel(characters, tags, panel, bonus_in_words) for panel in panels)
        + "</table>"
    )


def _render_panel(characters, tags, panel: Panel, bonus_in_words: Callable) -> str:
    """Table rows: the title, which holds the line of the path, then a row per tag."""
    n = len(characters)
    points = " ".join(f"{(t + 0.5) * _WIDTH},{(k + 0.5) * _HEIGHT}" for t, k in enumerate(panel.path[:n].tolist()))
    line = f'<polyline points="{points}" fill="none" stroke="{ORANGE}" stroke-width="3"/>'
    svg = f'<svg width="{n * _WIDTH}" height="{len(tags) * _HEIGHT}" aria-hidden="true">{line}</svg>'
    top = f'<th class="kexue-title" colspan="{n + 1}" scope="rowgroup"><span>{panel.title}</span>{svg}</th>'
    rows = [f"<tbody><tr>{top}</tr>"]
    for k, (name, letter) in enumerate(tags):
        cells = []
        for t, character in enumerate(characters):
            p, bonus = float(panel.probabilities[t, k]), float(panel.bonuses[t, k])
            classes = ["kexue-cut"] * bool(panel.cuts[t]) + ["kexue-bonus"] * bool(bonus)
            title = f"{character} {name} {p:.2f}" + (f", {bonus_in_words(bonus)}" if bonus else "")
            look = f'class="{" ".join(classes)}" style="background:{BLUE}{round(255 * p):02x}"'
            on_path = f"<b>{letter}</b>" if panel.path[t] == k else ""
            cells.append(f'<td {look} title="{title}">{on_path}</td>')
        rows.append(f'<tr><th class="kexue-tag" scope="row">{name} <i>{letter}</i></th>{"".join(cells)}</tr>')
    return "".join(rows) + "</tbody>"
