"""Watch one unit of a language model read a review, and self-training change its mind (article 4374)."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np

from kexue_nlp.figures import BLUE, GREY, ORANGE
from kexue_nlp.language import _
from kexue_nlp.language_model import LanguageModel
from kexue_nlp.text import split_words
from kexue_nlp.widgets.base import Explorer, TextArea, escape, one_line, row
from kexue_nlp.widgets.chart import STYLE, Chart

__all__ = ["RoundScore", "SentimentExplorer", "SentimentState", "render_reading", "render_rounds", "state"]

WORD_LIMIT = 400
_LEVELS = 5  # shades of each colour, which stand in explorer.css

_WIDTH, _HEIGHT = 830, 150
_PANEL = 405  # pixels of each of the two panels about rounds
_LINES = ((BLUE, "", "solid"), (ORANGE, "6 3", "dashed"), (GREY, "2 3", "dotted"))  # of up to three methods

_STYLE = STYLE + Path(__file__).with_suffix(".css").read_text("utf-8")


@dataclass(frozen=True)
class RoundScore:
    """What a round of self-training came to."""

    accuracy: float  # on the test
    flips: int | None  # predictions that changed since the round before; None in round 0
    used: int  # unlabelled reviews that the model was trained on


@dataclass(frozen=True, eq=False)
class SentimentState:
    """A review of T words as the language model reads it."""

    words: tuple[str, ...]
    known: tuple[bool, ...]  # which words are in the vocabulary
    activation: np.ndarray  # (T,), the unit after each word: 0 at its mean, 1 where it speaks for a positive review
    probability: np.ndarray  # (T + 1,), of a positive review, before the first word and after each
    unit: int
    separation: float  # the chance that the unit is higher for a positive review than for a negative one
    n_words: int  # of the whole text, of which at most 400 are read


def state(
    words, known, states, probability, unit: int, separation: float, mean: float, scale: float, n_words: int
) -> SentimentState:
    """Put a unit on a scale that can be coloured: its values `mean` and `mean` + `scale` become 0 and 1.

    The states, float (T + 1, units), are those before the first word and after each. A unit whose area under the ROC
    curve, `separation`, is below ½ gets its sign turned.
    """
    sign = 1.0 if separation >= 0.5 else -1.0
    activation = np.clip(sign * (states[1:, unit] - mean) / max(scale, 1e-6), -1, 1)
    return SentimentState(tuple(words), tuple(known), activation, probability, unit, separation, n_words)


def render_reading(state: SentimentState) -> str:
    """Draw a review as HTML: its words, escaped, coloured by the unit, and the running prediction below."""
    caption = _(
        "Blue: unit {unit} leans to positive after this word; orange: to negative. On average it is higher for "
        "the positive one of two reviews in {share:.0%} of cases{turned}. Dotted: words that the model does not know.",
        unit=state.unit,
        share=max(state.separation, 1 - state.separation),
        turned=_(" (its sign is turned here)") if state.separation < 0.5 else "",
    )
    if not state.words:
        return f'<p class="kexue-quiet">{caption}</p><p>{_("There is no word in the text.")}</p>'
    levels = np.round(state.activation * _LEVELS).astype(int).tolist()
    words = []
    for word, known, level in zip(state.words, state.known, levels, strict=True):
        shown = escape(word) if known else f"<u>{escape(word)}</u>"
        css = f' class="{"p" if level > 0 else "n"}{abs(level)}"' if level else ""
        words.append(f"<i{css}>{shown}</i>")
    left = state.n_words - len(state.words)
    rest = _(" … {left:,} more words are not read.", left=left) if left else ""
    return (
        f'<div class="kexue-fixed"><p class="kexue-quiet">{caption}</p>'
        f'<div class="kexue-words" dir="ltr"><span lang="en">{" ".join(words)}</span>{rest}</div>'
        f"{_running(state)}</div>"
    )


def _running(state: SentimentState) -> str:
    """Draw the probability before the first word and after each."""
    p = state.probability
    frame = Chart(0, max(1, len(p) - 1), 0, 1, _WIDTH, _HEIGHT)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if len(p) - 1 <= 10 * step)  # about ten ticks
    last = float(p[-1])
    colour = BLUE if last > 0.5 else ORANGE
    label = _("The prediction after each word; after the last: {last:.0%} positive.", last=last)
    parts = [
        *(frame.y_tick(y, f"{y:.0%}") for y in (0, 0.5, 1)),
        *(frame.x_tick(x, str(x)) for x in range(0, len(p), step)),
        frame.line(range(len(p)), p, colour),
        frame.dot(len(p) - 1, last, colour),
    ]
    return frame.figure(label, parts)


def render_rounds(methods: Mapping[str, Sequence[RoundScore]], n_labels: int, number: int) -> str:
    """Draw self-training as HTML: accuracy and flips per round, with round `number` pointed out.

    The rounds are those of up to three methods by name, all with `n_labels` labelled reviews.
    """
    most = max(map(len, methods.values())) - 1
    scores = [score.accuracy for rounds in methods.values() for score in rounds]
    low, high = np.floor(min(scores) * 20) / 20, np.ceil(max(scores) * 20) / 20
    flips = max([score.flips or 0 for rounds in methods.values() for score in rounds] + [1])
    left = Chart(0, max(1, most), low, max(high, low + 0.05), _PANEL, _HEIGHT)
    right = Chart(0, max(1, most), 0, flips, _PANEL, _HEIGHT)
    parts = (
        [left.y_tick(y, f"{y:.0%}") for y in np.arange(low, max(high, low + 0.05) + 0.001, 0.05)],
        [right.y_tick(y, f"{y:,.0f}") for y in (0, flips / 2, flips)],
    )
    lines = ""
    for (name, rounds), (colour, dash, style) in zip(methods.items(), _LINES, strict=False):
        here = min(number, len(rounds) - 1)
        accuracy = [score.accuracy for score in rounds]
        changed = [score.flips for score in rounds[1:]]
        parts[0].extend([left.line(range(len(rounds)), accuracy, colour, dash), left.dot(here, accuracy[here], colour)])
        parts[1].append(right.line(range(1, len(rounds)), changed, colour, dash))
        if here:
            parts[1].append(right.dot(here, changed[here - 1], colour))
        score = rounds[here]
        trained = _("trained on {count:,} labels", count=n_labels)
        trained += _(" and {count:,} predictions", count=score.used) if score.used else ""
        moved = "" if score.flips is None else _(", {count:,} predictions changed", count=score.flips)
        stopped = _(" (stopped after round {here})", here=here) if here < number else ""
        lines += f'<li><b style="border-bottom:3px {style} {colour}">{html.escape(name)}</b>'
        lines += stopped + _(": {score:.1%} on the test; ", score=score.accuracy) + f"{trained}{moved}</li>"
    labels = (_("Accuracy on the test after each round"), _("Predictions that changed in each round"))
    figures = ""
    for label, frame, panel in zip(labels, (left, right), parts, strict=True):
        panel += [frame.x_tick(x, str(x)) for x in range(most + 1)]
        figures += f"<div>{frame.figure(label, panel)}</div>"
    return f'<ul>{lines}</ul><div class="kexue-pair">{figures}</div>'


class SentimentExplorer(Explorer):
    """Type a review and choose a unit; or choose how many labels there are, and follow self-training.

    The model is one of words. The classifier has scikit-learn's ``predict_proba``, from the mean of the states of a
    review to its label, 0 or 1. `separation`, float (units,), is the area under the ROC curve of each unit, over the
    means of labelled reviews. There are `reviews` to choose from, whose states give each unit its scale; and `runs`,
    the rounds of self-training by number of labels and method, of at most three methods.
    """

    styles = _STYLE

    def __init__(
        self,
        model: LanguageModel,
        classifier: Any,
        separation: np.ndarray,
        reviews: Sequence[str],
        runs: Mapping[int, Mapping[str, Sequence[RoundScore]]],
    ) -> None:
        super().__init__()
        separation = np.asarray(separation, dtype=float)
        if separation.shape != (model.units,) or not ((separation >= 0) & (separation <= 1)).all():
            found = f"{separation.shape}, from {separation.min()} to {separation.max()}"
            raise ValueError(f"separation must be {model.units} areas from 0 to 1, one per unit; got shape {found}")
        if not len(reviews) or not runs or not all(map(len, runs.values())):
            raise ValueError("reviews and runs must not be empty")
        for n, methods in runs.items():
            rounds = {name: len(scores) for name, scores in methods.items()}
            if len(rounds) > len(_LINES) or not all(rounds.values()):
                raise ValueError(f"with {n} labels there must be 1 to 3 methods, with rounds; there are {rounds}")
        self._model, self._classifier, self._separation = model, classifier, separation
        self._order = np.argsort(-np.abs(separation - 0.5), kind="stable")
        self._runs = {n: dict(runs[n]) for n in sorted(runs)}
        self._reviews = list(reviews)
        self._asked: str | None = None  # the text of the last answer
        seen = np.concatenate([self._read(text)[2][1:] for text in self._reviews])
        self._mean = seen.mean(axis=0) if len(seen) else np.zeros(model.units)
        self._scale = np.quantile(np.abs(seen - self._mean), 0.98, axis=0) if len(seen) else np.ones(model.units)

        names = [f"{i}: {one_line(text[:60])}…" for i, text in enumerate(self._reviews, start=1)]
        options = list(zip(names, range(len(names)), strict=True))
        self.review = widgets.Dropdown(options=options, description=_("review"), layout={"width": "640px"})
        self.text = TextArea(description=_("text"), rows=4, layout={"width": "auto"})
        what, wide = _("1: the unit that separates the labels best"), {"width": "420px"}
        self.rank = widgets.IntSlider(description=_("unit, by rank"), min=1, max=model.units, layout=wide, tooltip=what)
        self.rank.style.description_width = "110px"
        options, what = list(self._runs), _("how many labelled reviews there are")
        self.n_labels = widgets.SelectionSlider(options=options, description=_("labels"), layout=wide, tooltip=what)
        most = max(len(rounds) for methods in self._runs.values() for rounds in methods.values()) - 1
        self.round = widgets.IntSlider(description=_("round"), max=most, layout=wide)
        tabs = [widgets.VBox([self.review, self.text, self.rank]), widgets.VBox([row(self.n_labels, self.round)])]
        self.tabs = widgets.Tab(tabs, titles=(_("a unit reads a review"), _("self-training")))
        self.on_change(self.review, self._take_review)
        for control in (self.text, self.rank, self.n_labels, self.round):
            self.on_change(control, self._refresh)
        self.tabs.observe(lambda change: self._filling or self._run(self._refresh), names="selected_index")
        self.lay_out(self.tabs, row(self.reset_button()))
        self.reset()

    def reset(self) -> None:
        """Go back to the first review, the best unit, and round 0 with the most labels."""
        with self.filling():
            self.tabs.selected_index = 0
            self.review.value, self.text.value, self.rank.value = 0, self._reviews[0], 1
            self.n_labels.value, self.round.value = max(self._runs), 0
        self._refresh()

    def static_text(self) -> str:
        """Return the unit, the prediction and the self-training that are shown, in words."""
        rounds = _("; ").join(
            f"{_('{name}: ', name=name)}{scores[0].accuracy:.1%}"
            + _(", after round {n} {p:.1%}", n=len(scores) - 1, p=scores[-1].accuracy)
            for name, scores in self._runs[self.n_labels.value].items()
        )
        read = _(
            "Unit {unit} reads {count} words; then the review is positive with probability {p:.2f}.",
            **{"unit": self.state.unit, "count": len(self.state.words), "p": self.state.probability[-1]},
        )
        labels = self.n_labels.value
        return f"{read}\n" + _("Self-training with {labels:,} labels: {rounds}", labels=labels, rounds=rounds)

    def static_html(self) -> str:
        """Return both tabs, one below the other."""
        return f"{render_reading(self.state)}{self._render_rounds()}"

    def _render_rounds(self) -> str:
        return render_rounds(self._runs[self.n_labels.value], self.n_labels.value, self.round.value)

    def _take_review(self) -> None:
        self.text.value = self._reviews[self.review.value]

    def _read(self, text: str) -> tuple[list[str], list[bool], np.ndarray, np.ndarray, int]:
        words = split_words(text)
        read = words[:WORD_LIMIT]
        states = self._model.states(self._model.vocabulary.encode(read))
        so_far = np.cumsum(states, axis=0) / np.arange(1, len(states) + 1)[:, None]
        probability = self._classifier.predict_proba(so_far)[:, 1]
        return read, [word in self._model.vocabulary for word in read], states, probability, len(words)

    def _refresh(self) -> None:
        if self._asked != self.text.value:
            with self.busy():
                self._answer = self._read(self.text.value)
            self._asked = self.text.value
        words, known, states, probability, n_words = self._answer
        unit = int(self._order[self.rank.value - 1])
        scale = self._separation[unit], self._mean[unit], self._scale[unit]
        self.state = state(words, known, states, probability, unit, *map(float, scale), n_words)
        reading = self.tabs.selected_index == 0
        self.picture.value = render_reading(self.state) if reading else self._render_rounds()
        unknown = reading and words and not any(known)
        message = _("The model knows none of these words; it reads each as the same unknown one.")
        self.say(*[message] if unknown else [])
