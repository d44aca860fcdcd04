"""Watch a classifier weigh a review word by word, on the states of a language model (article 4374)."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets
from scipy.special import logit

from kexue_nlp.language import N_, _
from kexue_nlp.language_model import LanguageModel
from kexue_nlp.text import split_words
from kexue_nlp.widgets.base import Explorer, TextArea, escape, one_line, row
from kexue_nlp.widgets.view import View

__all__ = ["SentimentExplorer", "SentimentState", "leave_out", "weigh"]

WORD_LIMIT = 2500  # as many as the longest reviews of IMDB have
JUDGE_LIMIT = 300  # words that are left out, one by one, for the other judges
N_UNITS = 8  # the best, which can be looked at
BORDERS = (0.25, 0.4, 0.6, 0.75)  # probabilities between the verdicts
VERDICTS = (N_("negative"), N_("rather negative"), N_("unsure"), N_("rather positive"), N_("positive"))

_FILE = Path(__file__).with_name("explorer.js")
_WORDS = {
    "player": {
        "back": N_("one word back"), "play": N_("read word by word"), "pause": N_("pause"), "next": N_("one word on"),
        "scrub": N_("how many words are read"),
    },
    "verdict": N_("{verdict} (probability of “positive”: {p})"), "label": N_("label: {label}"),
    "none": N_("your own text: no label"), "labels": [N_("negative"), N_("positive")], "unsure": N_("unsure"),
    "word": N_("“{word}”, word {n}: {part} log-odds. The verdict moves from {before} to {after} positive."),
    "start": N_("Before the first word: {after} positive. Log-odds {part}: the bias, and the state before any word."),
    "so_far": N_("words read: {n}; {p} positive"), "states": N_("states of the language model"),
    "left_out": N_(
        "Coloured by {judge}: what its log-odds lose if the word is left out; the first {limit} are tried. Words count "
        "together: these do not add up."
    ),
    "alone": N_("“{word}”, word {n}: {part} log-odds for {judge}, which it would not have without the word."),
    "at_unit": N_("“{word}”, word {n}: unit {unit} at {share} % of its full colour."),
    "unit_mean": N_("Unit {unit} over the whole text: {share} % of its full colour on average."),
    "judged": N_("Left out, they matter most. For it: {best}. Against it: {worst}."),
    "most": N_("Before the first word {start}. Most for it: {best}. Most against it: {worst}."),
    "line": N_("The running total from the first word to the last: {before} to {after} positive."),
    "axis": N_("words read"), "unknown": N_("not in the vocabulary: read as “unknown word”"), "separator": N_(", "),
    "colours": N_(
        "Point at a word. Blue ones add to “positive”, orange ones take away; all together are "
        "the verdict. A word counts by the state after it, which remembers what came before. Dotted: not known to the "
        "model."
    ),
    "strike": N_("A click strikes a word out."), "struck": N_("“{word}” is struck out; a click brings it back."),
    "whole": N_("with all words: {p}"),
    "unit": N_(
        "Coloured by unit {unit}, one of {n} units: not the verdict. Blue: it leans to positive after the word. Its "
        "mean over a review puts a positive and a negative one in the right order in {share} of cases."
    ),
    "short": N_(
        "Words here: {n}. The classifier has learned from pieces of {length}; what is missing counts as undecided, so "
        "a few words settle little."
    ),
    "strange": N_("The model does not know {unknown} of {n} words, and reads them all alike."),
    "left": N_("Only the first {n} words are read; {left} more are not."), "empty": N_("There is no word in the text."),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SentimentState:
    """A text of T words, read and weighed."""

    words: tuple[str, ...]
    known: tuple[bool, ...]  # which are in the vocabulary
    start: float  # log-odds of "positive" before the first word
    parts: np.ndarray  # (T,), what the state after each word adds to them
    colours: np.ndarray  # int (1 + judges + units, T), per cent from -100 to 100: parts, judges, what single units say
    left: int  # words beyond the limit, which are not read
    others: Mapping[str, float] = field(default_factory=dict)  # probabilities by other judges, by their names
    judged: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))  # (judges, T): see :func:`leave_out`
    struck: tuple[int, ...] = ()  # positions of words that were not read, and count 0

    @property
    def probability(self) -> float:
        """The probability of a positive review after the last word."""
        return float(1 / (1 + np.exp(-self.start - self.parts.sum())))

    @property
    def verdict(self) -> str:
        """The verdict in words: "unsure" near one half, and where most words are unknown."""
        heard = [known for t, known in enumerate(self.known) if t not in self.struck]
        strange = heard.count(False) > len(heard) / 2
        return VERDICTS[2] if strange else _in_words(self.probability)


def weigh(classifier: Any, states: np.ndarray, length: int = 1) -> tuple[float, np.ndarray]:
    """Split the log-odds of a linear classifier for the mean of states into what each state adds.

    The states, float (T + 1, units), are those before the first word and after each. Returned are a start, which is the
    bias and the state before the first word, and T parts: all together they are the classifier's ``decision_function``
    of the mean. A text of less than `length` words is filled up with average ones, which add nothing to the bias: with
    a classifier that has learned from long texts a few words then decide little.
    """
    bias = float((classifier[-1] if hasattr(classifier, "steps") else classifier).intercept_[0])
    parts = (classifier.decision_function(states) - bias) / (max(len(states) - 1, length) + 1)
    return bias + float(parts[0]), parts[1:]


def leave_out(judge: Any, words: Sequence[str]) -> np.ndarray:
    """Say how much a classifier's log-odds, by its ``predict_proba``, lose if each of T words is left out: (T,).

    It takes time with the square of T, so only the first 300 words are tried; the others get 0.
    """
    tried = range(min(len(words), JUDGE_LIMIT))
    texts = [" ".join(words), *(" ".join([*words[:t], *words[t + 1 :]]) for t in tried)]
    odds = logit(np.clip(judge.predict_proba(texts)[:, 1], 1e-9, 1 - 1e-9))
    return np.pad(odds[0] - odds[1:], (0, len(words) - len(tried)))


class SentimentView(View):
    """The picture: the verdict, the words, and the running total."""

    _esm, _css = View.script(_FILE), View.style(_FILE.with_suffix(".css"))

    words = traitlets.Dict(_WORDS).tag(sync=True)
    texts, about = traitlets.List().tag(sync=True), traitlets.Dict().tag(sync=True)
    index, colour = (traitlets.Int(0).tag(sync=True) for _ in range(2))  # of the text; by parts, a judge, or a unit
    struck = traitlets.List().tag(sync=True)  # positions of words of the text that are struck out


class SentimentExplorer(Explorer):
    """Type a review, and see what each word adds to the verdict; or what one unit of the language model says.

    The model is one of words. The classifier is scikit-learn's ``LogisticRegression``, alone or last in a linear
    pipeline: from the mean of the states of a review, as ``model.encode`` gives it, to its label, 0 or 1. It learned
    from reviews of about `length` words; see :func:`weigh`. `separation`, float (units,), is the area under the ROC
    curve of each unit, over the means of labelled reviews. There are `reviews` to choose from, whose states give the
    colours their scale, and their `labels` where they are known. What another classifier of texts says, by its
    ``predict_proba``, is shown under its name, if `judges` maps one to it, and words can have its colours, by
    :func:`leave_out`. ValueError if these do not fit.
    """

    def __init__(
        self,
        model: LanguageModel,
        classifier: Any,
        separation: np.ndarray,
        reviews: Sequence[str],
        labels: Sequence[int] | None = None,
        length: int = 128,
        judges: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        separation = np.asarray(separation, dtype=float)
        if separation.shape != (model.units,) or not ((separation >= 0) & (separation <= 1)).all():
            found = f"{separation.shape}, from {separation.min()} to {separation.max()}"
            raise ValueError(f"separation must be {model.units} areas from 0 to 1, one per unit; got shape {found}")
        labels = [None] * len(reviews) if labels is None else list(map(int, labels))
        if not len(reviews) or len(labels) != len(reviews) or not {*labels} <= {0, 1, None}:
            raise ValueError(f"reviews must not be empty, and each needs a label, 0 or 1; got {len(reviews)}, {labels}")
        if not hasattr(classifier[-1] if hasattr(classifier, "steps") else classifier, "coef_"):
            raise ValueError(f"the classifier must be linear and fitted, like LogisticRegression, not {classifier!r}")
        self._model, self._classifier, self._length, self._judges = model, classifier, length, judges or {}
        self._texts = [*reviews, ""]  # the last one is the user's own
        seen = np.concatenate([self._read(split_words(text)[:WORD_LIMIT]) for text in reviews])
        self._best = np.argsort(-np.abs(separation - 0.5), kind="stable")[:N_UNITS]
        area = separation[self._best]
        self._mean, self._sign = seen[:, self._best].mean(axis=0), np.where(area < 0.5, -1, 1)
        self._scale = np.maximum(np.quantile(np.abs(seen[:, self._best] - self._mean), 0.98, axis=0), 1e-6)
        said = len(seen) * weigh(classifier, seen)[1]
        self._full = max(float(np.quantile(np.abs(said), 0.98)), 1e-6)  # log-odds of a state that get the full colour
        judged = [self._ask(split_words(text)[:WORD_LIMIT]) for text in reviews]  # (judges, T) each
        changes = np.abs(np.hstack([np.zeros((len(self._judges), 1)), *judged]))
        self._strong = np.maximum(np.quantile(changes, 0.98, axis=1, keepdims=True), 1e-6)  # at least, for full colour
        self._states = list(map(self._look, self._texts, [*judged, None]))

        wide = {"width": "auto", "max_width": "900px"}
        names = [f"{i}: {one_line(text[:60])}…" for i, text in enumerate(reviews, start=1)]
        self.review = widgets.Dropdown(options=[*names, _("your own text")], description=_("review"), layout=wide)
        self.text = TextArea(self._texts[0], description=_("text"), rows=4, layout=wide)
        options = [_("the verdict"), *self._judges, *(_("unit {unit}", unit=unit) for unit in self._best)]
        self.colour = widgets.SelectionSlider(options=options, description=_("colours"), layout={"width": "420px"})
        self.colour.add_class("kexue-chosen")
        reset = self.reset_button()
        for control in (self.text, reset):
            control.add_class("kexue-needs-kernel")
        units = [[int(u), float(max(a, 1 - a))] for u, a in zip(self._best, area, strict=True)]
        about = {"units": units, "n": model.units, "length": length, "unsure": list(BORDERS[1:3])}
        about |= {"judges": list(self._judges), "limit": JUDGE_LIMIT}
        self._pages = list(map(_for_page, self._states, [*labels, None]))
        self.view = SentimentView(texts=self._pages, about=about)
        self.view.observe(lambda change: self._run(self._strike), names="struck")
        # These ties hold in the page, with or without a kernel.
        ties = ((self.review, "index"), (self.colour, "colour"))
        self._ties = [widgets.jslink((control, "index"), (self.view, name)) for control, name in ties]
        self.on_change(self.review, self._choose)
        self.on_change(self.text, self._type)
        self.lay_out(self.review, self.text, row(self.colour, reset), self.view)

    @property
    def state(self) -> SentimentState:
        """The text in sight, weighed, with no word struck out."""
        return self._states[self.review.index]

    def reset(self) -> None:
        """Go back to the first review and the verdict."""
        with self.filling():
            self.review.index = self.view.index = self.colour.index = self.view.colour = 0
            self.text.value = self._texts[0]
        self.view.struck = []
        self.say()

    def static_text(self) -> str:
        """Return the verdict."""
        now = self.state
        return _(_WORDS["verdict" if now.words else "empty"], verdict=_(now.verdict), p=f"{now.probability:.0%}")

    def static_html(self) -> str:
        """Return the verdict, and the words that move it most."""
        now, rows = self.state, ""
        for name, sign in ((_("most for it"), 1), (_("most against it"), -1)):
            order = np.argsort(-sign * now.parts)[: min(8, (sign * now.parts > 0).sum())]
            words = _(", ").join(f"{escape(now.words[t])} {now.parts[t]:+.2g}" for t in order)
            rows += f'<tr><th>{name}</th><td lang="en">{words}</td></tr>'
        others = "".join(f"<p>{html.escape(': '.join(one))}</p>" for one in _other_verdicts(now))
        return f"<p><b>{self.static_text()}</b></p>{others}<table>{rows}</table>"

    def _choose(self) -> None:
        with self.filling():
            self.text.value = self._texts[self.review.index]
        self.view.struck, self.view.index = [], self.review.index

    def _type(self) -> None:
        """Read what was typed; the choice says whether it is one of the reviews."""
        text, own = self.text.value, len(self._texts) - 1
        if text not in self._texts[:own]:
            with self.busy():
                self._texts[own], self._states[own] = text, self._look(text)
            self._pages = [*self._pages[:own], _for_page(self._states[own], None)]
        self.view.struck, self.view.texts = [], self._pages
        with self.filling():
            self.review.index = self.view.index = self._texts.index(text)

    def _strike(self) -> None:
        """Read the text in sight without the words that are struck out."""
        pages, index = list(self._pages), self.view.index
        if self.view.struck:
            with self.busy():
                state = self._look(self._texts[index], struck=tuple(self.view.struck))
            whole = self._states[index]
            pages[index] = _for_page(state, pages[index]["label"])
            pages[index]["whole"] = [f"{p:.0%}" for p in (whole.probability, *whole.others.values())]
        self.view.texts = pages

    def _read(self, words: list[str]) -> np.ndarray:
        return self._model.states(self._model.vocabulary.encode(words)).astype(float)

    def _ask(self, words: list[str]) -> np.ndarray:
        changes = [leave_out(judge, words) for judge in self._judges.values()]
        return np.reshape(changes, (len(changes), len(words)))

    def _look(self, text: str, judged: np.ndarray | None = None, struck: tuple[int, ...] = ()) -> SentimentState:
        found = split_words(text)
        words = found[:WORD_LIMIT]
        struck = tuple(t for t in struck if t < len(words))
        kept = np.setdiff1d(np.arange(len(words)), struck)
        heard = [words[t] for t in kept]
        states = self._read(heard)
        start, parts = weigh(self._classifier, states, self._length)
        units = self._sign * (states[1:, self._best] - self._mean) / self._scale
        said = parts * (max(len(heard), self._length) + 1) / self._full
        judged = self._ask(heard) if judged is None else judged
        strong = np.maximum(self._strong, np.abs(judged).max(axis=1, keepdims=True, initial=0))  # few words say more
        shares = np.vstack([said, judged / strong, units.T])
        every = np.zeros((1 + len(judged) + len(shares), len(words)))  # those that are struck out count nothing
        every[:, kept] = np.vstack([parts, judged, np.rint(100 * np.clip(shares, -1, 1))])
        parts, judged, colours = np.split(every, [1, 1 + len(judged)])
        known = tuple(word in self._model.vocabulary for word in words)
        asked = " ".join(heard) if struck else text
        others = {name: float(judge.predict_proba([asked])[0, 1]) for name, judge in self._judges.items()}
        left = len(found) - len(words)
        return SentimentState(tuple(words), known, start, parts[0], colours.astype(int), left, others, judged, struck)


def _in_words(probability: float) -> str:
    return VERDICTS[np.searchsorted(BORDERS, probability)]


def _other_verdicts(state: SentimentState) -> list[list[str]]:
    """Return names of other judges and what they say."""
    said = state.others.items() if state.words else ()
    return [[name, _(_WORDS["verdict"], verdict=_(_in_words(p)), p=f"{p:.0%}")] for name, p in said]


def _for_page(state: SentimentState, label: int | None) -> dict[str, Any]:
    """Say in what JSON can hold what the page draws."""
    lists = {"known": list(state.known), "parts": state.parts.tolist(), "colours": state.colours.tolist()}
    lists["judged"] = state.judged.tolist()
    said = {"words": list(map(one_line, state.words)), "verdict": _(state.verdict), "label": label}
    said |= {"others": _other_verdicts(state), "struck": list(state.struck)}
    return {"start": state.start, "left": state.left, **lists, **said}
