"""Static figures of the lessons, with Chinese text on any machine.

Importing this module lets Matplotlib draw Chinese, with a font of the package's own. The functions return figures that
``pyplot`` does not know and so never displays by itself. Each has a description, ``alt``, that :func:`show` passes on.
"""

import base64
import dataclasses
import io
import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from kexue_nlp.language import N_, _
from kexue_nlp.tagging import SBME

__all__ = ["BLUE", "FAINT", "GREEN", "GREY", "ORANGE", "TAG_NAMES", "VERMILION", "dots", "emission_heatmap"]
__all__ += ["margin_diagram", "show", "use_chinese_font", "visible"]

# Okabe and Ito's colours, told apart with every kind of colour vision; the orange is darker, to be seen on white.
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#C98600", "#009E73", "#D55E00", "#767676"
FAINT = "#949494"  # of lines behind others

_DIRECTION_MARKS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
TAG_NAMES = {"s": N_("single"), "b": N_("begin"), "m": N_("middle"), "e": N_("end")}

_FONT = Path(__file__).parent / "fonts" / "KexueSansSC-Regular.otf"
_FAMILY = "Kexue Sans SC"
# Where one is installed, for what even our font lacks: Linux, macOS, Windows.
_INSTALLED = ("Noto Sans CJK SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei")


def use_chinese_font() -> None:
    """Let Matplotlib draw Chinese: Latin text keeps its font, other glyphs come from the package's.

    Importing :mod:`kexue_nlp.figures` does it; call it again after ``plt.style.use`` or ``plt.rcdefaults``. Chinese
    beside ``$…$`` in one string is not drawn: Matplotlib's mathematics has fonts of its own.
    """
    manager = font_manager.fontManager
    if not any(entry.name == _FAMILY for entry in manager.ttflist):
        manager.addfont(_FONT)
        # The one weight serves as bold too; otherwise Matplotlib logs a complaint at every bold label.
        manager.ttflist.append(dataclasses.replace(manager.ttflist[-1], weight=700))
    known, families = {entry.name for entry in manager.ttflist}, mpl.rcParams["font.family"]
    ours = [name for name in (_FAMILY, *_INSTALLED) if name in known and name not in families]
    mpl.rcParams["font.family"] = [*families, *ours]


use_chinese_font()


def visible(text: str) -> str:
    """Replace characters that cannot be seen or sent, one for one, so that positions stay.

    A space becomes ``␣``, a line feed ``↵``; other control characters, marks of writing direction and lone surrogates
    become U+FFFD.
    """

    def is_unseen(c: str) -> bool:
        return unicodedata.category(c) in ("Cc", "Cs") or unicodedata.bidirectional(c) in _DIRECTION_MARKS

    return "".join("\ufffd" if is_unseen(c) else c for c in text.replace(" ", "␣").replace("\n", "↵"))


def show(fig: Figure, alt: str | None = None) -> None:
    """Display a figure in a notebook as a small PNG, and close it.

    Its description, for readers who cannot see it, must be given, but for figures of this module; ValueError otherwise.
    """
    alt = alt or getattr(fig, "alt", "")
    if not alt.strip():
        raise ValueError("alt is empty; say in a sentence what the figure shows, for readers who cannot see it")
    from IPython.display import display  # present in notebooks, and needed nowhere else
    from matplotlib import pyplot as plt

    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
    plt.close(fig)
    png = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(128).save(png, format="png", optimize=True)
    data = {"image/png": base64.b64encode(png.getvalue()).decode("ascii"), "text/plain": alt}
    display(data, raw=True, metadata={"image/png": {"alt": alt}})


def emission_heatmap(
    text: str,
    probabilities: np.ndarray,
    tags: Sequence[str] = SBME.tags,
    path: Sequence[int] | np.ndarray | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the probability of each tag at each character, and a path through them, into new axes or those given.

    The probabilities are of shape (T, K), for T characters and K tags; of up to 16 characters the numbers are written
    into the cells. The path, shape (T,), is what :func:`kexue_nlp.viterbi.viterbi` returns.
    """
    probabilities, expected = np.asarray(probabilities), (len(text), len(tags))
    if probabilities.shape != expected:
        raise ValueError(f"expected probabilities of shape {expected} (characters, tags), got {probabilities.shape}")
    ax = ax or _axes(1.7 + 0.48 * len(text), 0.9 + 0.36 * len(tags))
    ax.pcolormesh(probabilities.T, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
    if len(text) <= 16:
        for (t, k), p in np.ndenumerate(probabilities):
            colour = "white" if p > 0.715 else "black"  # each on cells where it is legible
            ax.text(t + 0.5, k + 0.5, f"{p:.2f}", ha="center", va="center", size=8, color=colour)
    if path is not None:
        for t, k in enumerate(path):
            ax.add_patch(Rectangle((t + 0.04, k + 0.05), 0.92, 0.9, fill=False, ec=ORANGE, lw=2.2))
        ax.plot(np.arange(len(text)) + 0.5, np.add(path, 0.5), color=ORANGE, lw=4, alpha=0.45)
    ax.set_xticks(np.arange(len(text)) + 0.5, visible(text), size=13)
    ax.set_yticks(np.arange(len(tags)) + 0.5, [f"{_(TAG_NAMES.get(tag, ''))} {tag}".strip() for tag in tags])
    ax.invert_yaxis()
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    marked = "" if path is None else _("; one tag of each is marked")
    ax.figure.alt = _("Probability of each tag at each character of “{text}”{more}.", text=visible(text), more=marked)
    return ax.figure


def dots(cells: Mapping[str, str], label: str, ax: Axes | None = None) -> Figure:
    """Draw rows of a table of results as dots with their intervals, the first on top, into new axes or those given.

    A cell is a number, "88.3 ± 0.3", or "+0.7 [-1.4, +2.8]", as :func:`kexue_nlp.tables.load_table` has them. Numbers
    with a sign are differences: a line stands at 0. Of others the first row, the trivial baseline, is grey.
    """
    cells = dict(cells)  # a pandas.Series has no method `values`
    ax = ax or _axes(7.5, 0.9 + 0.42 * len(cells))
    for y, cell in enumerate(cells.values()):
        written, *more = re.findall(r"[-+]?[\d.]+", cell)
        x, more, signed = float(written), [float(number) for number in more], written[0] in "-+"
        reach = [x - more[0], more[1] - x] if "[" in cell else more[:1] * 2 or [0, 0]
        colour = GREY if not (y or signed) else BLUE
        ax.errorbar(x, y, xerr=np.reshape(reach, (2, 1)), fmt="o", ms=8, color=colour, ecolor=FAINT, capsize=3)
        ax.text(x, y - 0.2, written.replace("-", "−"), ha="center", va="bottom", size=9)
    if signed:
        ax.axvline(0, color="black", lw=0.8, zorder=0)
    ax.set_yticks(range(len(cells)), [textwrap.fill(name, 42, break_on_hyphens=False) for name in cells])
    ax.set_ylim(len(cells) - 0.5, -0.8)
    ax.set_xlabel(label)
    ax.margins(x=0.08)
    said = f"{label}: " + "; ".join(f"{name} {cell}" for name, cell in cells.items()) + "."
    ax.figure.alt = f"{getattr(ax.figure, 'alt', '')} {said}".strip()  # of all axes
    return ax.figure


def margin_diagram() -> Figure:
    """Draw the idea of article 4293: whoever passes with something to spare is left alone."""
    figure = Figure(figsize=(9.5, 2.9), layout="constrained")
    marks, curve = figure.subplots(1, 2, width_ratios=(1.25, 1))
    grades = np.array([12, 31, 44, 52, 57, 58, 63, 68, 74, 81, 90, 96])
    passed = grades > 60  # with ten to spare
    for group, colour, note in ((~passed, ORANGE, _("coached")), (passed, GREY, _("left alone"))):
        marks.scatter(grades[group], np.zeros(group.sum()), 110, colour, edgecolors="black", zorder=2)
        marks.text(grades[group].mean(), 0.42, note, ha="center", color="black", size=11)
    for mark, style, note, side in ((50, ":", _("pass mark "), "right"), (60, "--", _(" with a margin"), "left")):
        marks.axvline(mark, color="black", ls=style)
        marks.text(mark, -0.75, note, ha=side, va="top", size=9.5)
    marks.set(xlim=(0, 105), ylim=(-1, 1), yticks=[], title=_("a class and its pass mark"), xlabel=_("grade"))
    p = np.linspace(0.02, 1, 200)
    curve.plot(p, -np.log(p), color=GREY, ls=":", lw=2, label=_("cross-entropy"))
    curve.plot(p[p < 0.6], -np.log(p[p < 0.6]), color=ORANGE, lw=3, label=_("margin loss"))
    curve.plot([0.6, 1], [0, 0], color=ORANGE, lw=3)
    curve.axvspan(0.6, 1, color=GREY, alpha=0.18)
    curve.set(title=_("a positive review and its loss"), xlabel=_("predicted probability"), xlim=(0, 1), ylim=(-0.1, 4))
    curve.legend()
    figure.alt = _(
        "Left: twelve grades on a line and a pass mark; those well above it are left alone, the others coached. "
        "Right: the loss of a positive review falls with its probability and is 0 beyond 0.6."
    )
    return figure


def _axes(width: float, height: float) -> Axes:
    """Return axes in a new figure of this size in inches, outside pyplot."""
    return Figure(figsize=(width, height), layout="constrained").subplots()
