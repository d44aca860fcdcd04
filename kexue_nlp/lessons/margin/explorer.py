"""Move the margin, and watch loss, gradient and examples switch off (article 4293)."""

import functools
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from kexue_nlp.figures import BLUE, GREY, ORANGE, VERMILION
from kexue_nlp.language import N_, _
from kexue_nlp.widgets.base import Explorer, one_line, row
from kexue_nlp.widgets.chart import STYLE, Chart

__all__ = ["MarginExplorer", "MarginState", "Training", "render", "state"]

SCALES = (N_("probability"), N_("logit"))
_LOGIT = 6.0  # logits are drawn from −6 to 6
_BINS, _WIDTH = 20, 232  # of the histogram, and pixels of a panel (also in explorer.css)
_SHOWN, _LENGTH = 2, 280  # reviews on either side of the margin, and characters of each
# A review with one of these is not shown, for a class reads them together; nor one with broken characters or links.
_UNFIT = re.compile(
    r"\b(sex|nud[ei]|naked|porn|erotic|rap(e|ist)|orgasm|whor|slut|bitch|bastard|fuck|shit|crap|ass(es|hole)?\b|damn|hell\b|"
    r"murder|suicid|tortur|gor[ey]\b|slaughter|racis|nazi|drugs?\b|heroin|cocaine|prostitut|strip(per|tease)|breast|penis)|[\x80-\x9f]|://",
    re.IGNORECASE,
)
_chart = functools.partial(Chart, width=_WIDTH, height=210, left=36, bottom=36)

_STYLE = STYLE + Path(__file__).with_suffix(".css").read_text("utf-8")


@dataclass(frozen=True, eq=False)
class Training:
    """What is kept of one training: the state after each of E epochs."""

    predictions: np.ndarray  # float, (E, N), the probability that each of N reviews is positive
    test_accuracy: Sequence[float]  # (E,)


@dataclass(frozen=True, eq=False)
class MarginState:
    """A margin, and what it does to N reviews after some epoch of training."""

    margin: float
    epoch: int  # from 1
    labels: np.ndarray  # int, (N,)
    predictions: np.ndarray  # float, (N,), of the network trained with a margin
    active: np.ndarray  # bool, (N,), not yet right by the margin
    nearest: list[int]  # up to 4 fit for a class: the nearest to the margin, those switched off first
    texts: Sequence[str]
    accuracy: Sequence[float]  # on the test after each epoch
    baseline: Sequence[float]  # the same with cross-entropy


def state(
    texts: Sequence[str], labels: np.ndarray, cross_entropy: Training, with_margin: Training, margin: float, epoch: int
) -> MarginState:
    """Find what a margin from 1/2 to 1 would switch off in a network trained with one, after an epoch, from 1."""
    p = with_margin.predictions[epoch - 1]
    active = np.where(labels == 1, p <= margin, p >= 1 - margin)
    by_distance = np.argsort(np.abs(p - np.where(labels == 1, margin, 1 - margin)), kind="stable").tolist()
    nearest: list[int] = []
    for side in (False, True):
        nearest += islice((i for i in by_distance if active[i] == side and not _UNFIT.search(texts[i])), _SHOWN)
    accuracies = with_margin.test_accuracy, cross_entropy.test_accuracy
    return MarginState(margin, epoch, labels, p, active, nearest, texts, *accuracies)


def render(state: MarginState, scale: str = "probability") -> str:
    """Draw a state as HTML: the loss and its gradient, the predictions, accuracy per epoch, reviews (escaped)."""
    panels = (_loss(state, scale), _histogram(state, scale), _accuracy(state))
    return f'<div class="kexue-panels">{"".join(f"<div>{panel}</div>" for panel in panels)}</div>{_reviews(state)}'


def _loss(state: MarginState, scale: str) -> str:
    """Draw loss and gradient of a positive example."""
    if scale == "logit":
        x = np.linspace(-_LOGIT, _LOGIT, 61)
        p = 1 / (1 + np.exp(-x))
        slope, name, edge, last_slope = 1 - p, "z", _logit(state.margin), 1 - state.margin
        frame = _chart(-_LOGIT, _LOGIT, 0, 4.0)
    else:
        x = p = np.linspace(0.07, 0.9975, 61) ** 2  # closer where the curves are steep
        slope, name, edge, last_slope = 1 / p, "p", state.margin, 1 / state.margin
        frame = _chart(0, 1, 0, 5.0)
    on = x <= edge
    parts = [frame.shade(edge, frame.x1), *_ticks(frame, scale == "logit"), frame.x_name(f"{_(scale)} {name}")]
    last_loss = float(-np.log(state.margin))
    for values, last, colour, dash in ((-np.log(p), last_loss, BLUE, ""), (slope, last_slope, VERMILION, "6 3")):
        fits = values <= frame.y1
        parts.append(frame.line(x[fits], values[fits], GREY, width=1, dash="2 3"))
        parts.append(frame.line([*x[fits & on], edge], [*values[fits & on], last], colour, dash=dash))
        parts.append(frame.line([edge, frame.x1], [0, 0], colour, dash=dash))
    caption = _(
        "A positive review: its loss (solid) and how steeply it falls with the {scale} (dashed). "
        "Both are 0 beyond {name} = {edge:.2f}; dotted: cross-entropy.",
        **{"scale": _(scale), "name": name, "edge": edge},
    )
    return frame.figure(caption, parts)


def _histogram(state: MarginState, scale: str) -> str:
    """Draw how many reviews are predicted what: positive ones upwards, negative ones downwards."""
    values, low, high = state.predictions, 0.0, 1.0
    if scale == "logit":
        low, high = -_LOGIT, _LOGIT
        values = np.clip(_logit(np.clip(values, 1e-7, 1 - 1e-7)), low, high)
    edges = np.linspace(low, high, _BINS + 1)
    counts = {
        (label, on): np.histogram(values[(state.labels == label) & (state.active == on)], edges)[0]
        for label in (1, 0)
        for on in (True, False)
    }
    most = max(1, *(int((counts[label, True] + counts[label, False]).max()) for label in (1, 0)))
    step = max(1, round(most / 2, 1 - len(str(most // 2))))  # a round number
    frame = _chart(low, high, -most, most)
    parts = [*_ticks(frame, scale == "logit", vertical=False), frame.x_name(_("predicted {scale}", scale=_(scale)))]
    parts += [frame.y_tick(n, f"{abs(n):g}") for n in np.arange(-(most // step) * step, most + 1, step)]
    for label, sign, name, colour in ((1, 1, _("positive"), BLUE), (0, -1, _("negative"), ORANGE)):
        # What is switched off stands on what is active.
        for start, end, on, off in zip(edges, edges[1:], counts[label, True], counts[label, False], strict=False):
            words = f"{{}} {name}{_(', ')}{{}}"
            if on:
                parts.append(frame.bar(start, end, sign * on, colour, words.format(on, _("still active"))))
            if off:
                words = words.format(off, _("switched off"))
                parts.append(frame.bar(start, end, sign * (on + off), GREY, words, base=sign * on))
    parts.append(f'<path d="M{frame.left} {frame.y(0):.1f}H{frame.width - frame.right}" stroke="{GREY}"/>')
    parts.append(frame.text(low, most * 0.86, _("positive ↑"), dx=4))
    parts.append(frame.text(high, -most * 0.95, _("negative ↓"), dx=-4, anchor="end"))
    caption = _(
        "{active:.1%} of {count:,} training reviews are active after epoch {epoch}. Grey: switched off.",
        **{"active": state.active.mean(), "count": len(values), "epoch": state.epoch},
    )
    return frame.figure(caption, parts)


def _accuracy(state: MarginState) -> str:
    """Draw accuracy per epoch."""
    both = [*state.accuracy, *state.baseline]
    low, high = np.floor(min(both) * 20) / 20, np.ceil(max(both) * 20) / 20
    epochs = np.arange(1, len(state.accuracy) + 1)
    frame = _chart(1, max(2, len(epochs)), low, max(high, low + 0.05))
    parts = [frame.x_name(_("epoch")), *(frame.x_tick(epoch, str(epoch)) for epoch in epochs)]
    parts += [frame.y_tick(y, f"{y:.0%}") for y in np.arange(low, high + 0.001, 0.05)]
    here, baseline = state.accuracy[state.epoch - 1], state.baseline[state.epoch - 1]
    parts += [frame.line(epochs, state.baseline, GREY, dash="5 3"), frame.line(epochs, state.accuracy, BLUE)]
    parts.append(frame.dot(state.epoch, here, BLUE))
    caption = _(
        "Accuracy on the test after epoch {epoch}: {here:.1%} with a margin (solid), "
        "{baseline:.1%} with cross-entropy (dashed).",
        **{"epoch": state.epoch, "here": here, "baseline": baseline},
    )
    return frame.figure(caption, parts)


def _reviews(state: MarginState) -> str:
    rows = []
    for i in state.nearest:
        text = state.texts[i].replace("<br />", " ")
        end = html.escape(one_line(text if len(text) <= _LENGTH else "… " + text[-_LENGTH:].split(maxsplit=1)[-1]))
        status = _("still active") if state.active[i] else _("switched off")
        label = _("positive") if state.labels[i] else _("negative")
        cells = (status, label, f"p = {state.predictions[i]:.3f}", f'<bdi lang="en">{end}</bdi>')
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    titles = (_("now"), _("label"), _("predicted"), _("the reviews nearest to the margin (their ends)"))
    rows.insert(0, "".join(f"<th>{title}</th>" for title in titles))
    return f'<table class="kexue-reviews">{"".join(f"<tr>{row}</tr>" for row in rows)}</table>'


def _logit(p: Any) -> Any:
    return np.log(p / (1 - p))


def _ticks(frame: Chart, logit: bool, vertical: bool = True) -> list[str]:
    xs = (-6, -3, 0, 3, 6) if logit else (0, 0.2, 0.4, 0.6, 0.8, 1)
    marks = [frame.x_tick(x, f"{x:g}".replace("-", "−")) for x in xs]
    if vertical:
        marks += [frame.y_tick(y, f"{y:g}") for y in np.linspace(frame.y0, frame.y1, 5 if logit else 6)]
    return marks


def _check(texts, labels, *trainings: Training) -> None:
    """Refuse what would be drawn wrongly without a word."""
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1; among them is {labels[~np.isin(labels, (0, 1))][0]!r}")
    n, n_epochs = len(texts), len(trainings[0].test_accuracy)
    for run in trainings:
        p, accuracy = np.asarray(run.predictions), np.asarray(run.test_accuracy)
        if not p.size or not ((p >= 0) & (p <= 1)).all():  # NaN neither
            raise ValueError("predictions must be probabilities, of one review and one epoch at least")
        if not ((accuracy >= 0) & (accuracy <= 1)).all():
            raise ValueError(f"accuracies are shares from 0 to 1, not {accuracy.tolist()}")
        if labels.shape != (n,) or p.shape != (n_epochs, n) or len(accuracy) != n_epochs:
            raise ValueError(
                f"{n} texts and labels of shape {labels.shape} need predictions of shape (epochs, {n}) and one "
                f"accuracy per epoch; got predictions of shape {p.shape} and {len(accuracy)} accuracies"
            )


class MarginExplorer(Explorer):
    """Choose a margin and an epoch; see the loss, who is switched off, and what it is worth.

    It takes N training reviews, their labels, 0 or 1, one training with cross-entropy and one with the margin loss;
    ValueError if one is out of its range, or if lengths do not agree. The controls are `margin`, `epoch` and `scale`,
    and what is shown is `state`, of the one network trained with the margin loss wherever the margin is moved.
    """

    styles = _STYLE

    def __init__(
        self, texts: Sequence[str], labels: np.ndarray, cross_entropy: Training, with_margin: Training
    ) -> None:
        super().__init__()
        labels = np.asarray(labels)
        _check(texts, labels, cross_entropy, with_margin)
        self._data = texts, labels, cross_entropy, with_margin
        wide = {"width": "420px"}
        self.margin = widgets.FloatSlider(description=_("margin m"), min=0.5, max=0.99, step=0.01, layout=wide)
        self.epoch = widgets.IntSlider(description=_("epoch"), min=1, max=len(cross_entropy.test_accuracy), layout=wide)
        options = [(_(scale), scale) for scale in SCALES]
        self.scale = widgets.ToggleButtons(options=options, description=_("scale"), tooltip=_("of what is predicted"))
        self.scale.style.button_width = "auto"
        for control in (self.margin, self.epoch, self.scale):
            self.on_change(control, self._refresh)
        self.lay_out(row(self.margin, self.epoch), row(self.scale, self.reset_button()))
        self.reset()

    def reset(self) -> None:
        """Go back to the article's margin 0.6, the last epoch, and probabilities."""
        with self.filling():
            self.margin.value, self.epoch.value, self.scale.value = 0.6, self.epoch.max, "probability"
        self._refresh()

    def static_text(self) -> str:
        """Return the setting and what it switches off."""
        now = self.state
        ends = (f"{now.predictions[i]:.3f} …{one_line(now.texts[i][-60:])}" for i in now.nearest)
        return "\n".join([self._describe(), *ends])

    def static_html(self) -> str:
        """Return the setting and the picture."""
        return f"<p>{self._describe()}</p>{self.picture.value}"

    def _describe(self) -> str:
        now = {"margin": self.state.margin, "epoch": self.state.epoch, "active": self.state.active.mean()}
        return _("Margin {margin:.2f}, epoch {epoch}: {active:.1%} of the training reviews are active", **now)

    def _refresh(self) -> None:
        self.state = state(*self._data, round(self.margin.value, 2), self.epoch.value)
        self.picture.value = render(self.state, self.scale.value)
        self.say()
        if self.state.margin == 0.5:
            self.say(_("The losses want a margin above ½: at ½ whatever is right at all is switched off."))
