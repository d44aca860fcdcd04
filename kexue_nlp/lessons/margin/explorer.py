"""Move the margin, and watch a network's training reviews be let go and caught again (article 4293)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import traitlets

from kexue_nlp.language import N_, _
from kexue_nlp.widgets.base import UNFIT, Explorer, escape, one_line, row
from kexue_nlp.widgets.view import View

__all__ = ["MarginExplorer", "Training", "is_active"]

_LENGTH = 200  # characters of a review
_FILE = Path(__file__).with_name("explorer.js")
_WORDS = {
    "player": {
        "back": N_("one epoch back"), "play": N_("train"), "pause": N_("pause"), "next": N_("one epoch on"),
        "scrub": N_("epoch"),
    },
    "when": N_("epoch {epoch} of {epochs}"), "wrong": N_("wrong"),
    "head": N_(
        "{on} of {n} not yet right by {m}: {positive} positive, {negative} negative; {back} slipped back; "
        "test accuracy {accuracy}%"
    ),
    "legend": N_(
        "A dot is a training review; the farther right, the more probable a network finds its true label. Blue, "
        "orange: not yet right by the margin; grey: right by it; purple: it was, and has slipped back. Drag the line: "
        "nothing is trained again. A black triangle: the margin that a network was trained with."
    ),
    "point": N_(
        "Point at a dot: how its review ends, and how probable each network finds its label. A click keeps it, and "
        "lists reviews of that lane below."
    ),
    "found": N_("Label: {label}. Probability of it: {found}"),
    "labels": [N_("negative"), N_("positive")], "label": N_("label"),
    "on": N_("not yet right"), "off": N_("just right"),
    "p": N_("p of the label"), "ends": N_("how the reviews nearest to the line end"),
    "unfit": N_("(This review has words that are not for a class.)"),
    "loss": N_("What a review there adds to the loss. Dotted: cross-entropy; solid: margin loss."),
    "curve": N_("The margin loss falls like cross-entropy up to {m}, and is 0 beyond."),
    "axis": N_("probability of the right label"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Training:
    """What is kept of one training: the state after each of E epochs."""

    predictions: np.ndarray  # float, (E, N), the probability that each of N reviews is positive
    test_accuracy: Sequence[float]  # (E,)
    margin: float | None = None  # that it was trained with


def is_active(labels: np.ndarray, predictions: np.ndarray, margin: float) -> np.ndarray:
    """Tell which predictions, (…, N), for labels, (N,), are not yet right by the margin: bool (…, N)."""
    return np.where(labels == 1, predictions <= margin, predictions >= 1 - margin)


class MarginView(View):
    """The picture: a lane of dots for each loss, the curve of the loss on the same axis, and reviews to read."""

    _esm, _css = View.script(_FILE), View.style(_FILE.with_suffix(".css"))

    words = traitlets.Dict(_WORDS).tag(sync=True)
    labels = traitlets.Bytes().tag(sync=True)
    names, ends = (traitlets.List().tag(sync=True) for _ in range(2))
    runs = traitlets.Dict().tag(sync=True)  # of each loss its accuracies and predictions, float32 (E, N)
    margin, epoch = traitlets.Float(0.6).tag(sync=True), traitlets.Int(1).tag(sync=True)
    lane, review = traitlets.Int().tag(sync=True), traitlets.Int(-1).tag(sync=True)  # which were clicked on


class MarginExplorer(Explorer):
    """See where each loss moves the training reviews, epoch by epoch, and which a margin lets go.

    It takes N training reviews, their labels, 0 or 1, and a :class:`Training` of each loss by its name; ValueError if
    one is out of its range, or if lengths do not agree. Reviews near the margin in the lane that was clicked on, at
    first the second, can be read.
    """

    def __init__(self, texts: Sequence[str], labels: np.ndarray, trainings: Mapping[str, Training]) -> None:
        super().__init__()
        self.labels, self.trainings = np.asarray(labels), dict(trainings)
        _check(texts, self.labels, self.trainings)
        runs = {
            name: {
                "accuracy": list(map(float, run.test_accuracy)),
                "p": np.float32(run.predictions).tobytes(),
                "margin": run.margin,
            }
            for name, run in self.trainings.items()
        }
        ends = [None if UNFIT.search(end) else one_line(end) for end in map(_end, texts)]
        self.view = MarginView(labels=np.uint8(self.labels).tobytes(), names=list(runs), runs=runs, ends=ends)
        wide = {"width": "420px"}
        self.margin = widgets.FloatSlider(0.6, description=_("margin m"), min=0.51, max=0.99, step=0.01, layout=wide)
        self._tie = widgets.jslink((self.margin, "value"), (self.view, "margin"))  # with or without a kernel
        reset = self.reset_button()
        reset.add_class("kexue-needs-kernel")
        self.lay_out(row(self.margin, reset), self.view)
        self.reset()

    def reset(self) -> None:
        """Go back to the article's margin 0.6 and the last epoch."""
        self.margin.value = self.view.margin = 0.6
        self.view.epoch = len(next(iter(self.trainings.values())).test_accuracy)
        self.view.lane, self.view.review = min(1, len(self.trainings) - 1), -1

    def static_text(self) -> str:
        """Return of each loss the share that is not yet right by the margin after each epoch, and the last accuracy."""
        return "\n".join([self._title(), *(f"{name}: {', '.join(cells)}" for name, *cells in self._table())])

    def static_html(self) -> str:
        """Return the same as a table."""
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in cells) for cells in self._table())
        return f"<p>{self._title()}</p><table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"

    def _title(self) -> str:
        return _(
            "Training reviews not yet right by {margin:.2f} after each epoch; last, what is right on the test",
            margin=self.margin.value,
        )

    def _table(self) -> list[list[str]]:
        rows = []
        for name, run in self.trainings.items():
            active = is_active(self.labels, np.asarray(run.predictions), self.margin.value).mean(axis=1)
            rows.append([name, *(f"{share:.1%}" for share in (*active, run.test_accuracy[-1]))])
        return rows


def _end(text: str) -> str:
    text = text.replace("<br />", " ").strip()
    return text if len(text) <= _LENGTH else "… " + text[-_LENGTH:].split(maxsplit=1)[-1]


def _check(texts: Sequence[str], labels: np.ndarray, trainings: Mapping[str, Training]) -> None:
    """Refuse what would be drawn wrongly without a word."""
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1; among them is {labels[~np.isin(labels, (0, 1))][0]!r}")
    if not trainings:
        raise ValueError("trainings is empty; give at least one Training by its name")
    n, n_epochs = len(texts), len(next(iter(trainings.values())).test_accuracy)
    for name, run in trainings.items():
        p, accuracy = np.asarray(run.predictions), np.asarray(run.test_accuracy)
        if not p.size or not ((p >= 0) & (p <= 1)).all():  # NaN neither
            found = f"got {p.min()} to {p.max()}" if p.size else "got none"
            raise ValueError(f"predictions of {name!r} must be probabilities of one review and epoch at least; {found}")
        if not ((accuracy >= 0) & (accuracy <= 1)).all():
            raise ValueError(f"accuracies are shares from 0 to 1, not {accuracy.tolist()}")
        if labels.shape != (n,) or p.shape != (n_epochs, n) or len(accuracy) != n_epochs:
            raise ValueError(
                f"{n} texts and labels of shape {labels.shape} need predictions of shape (epochs, {n}) and one "
                f"accuracy per epoch; got predictions of shape {p.shape} and {len(accuracy)} accuracies"
            )
