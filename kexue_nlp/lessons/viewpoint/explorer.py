"""Who is praised and who is blamed, by a list of names that can be edited and three ways of decoding (article 4118)."""

import copy
import html
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets
from scipy.special import logit, softmax

from kexue_nlp.entity_decoding import align_entities, entities_among, name_entities, polarity_probabilities
from kexue_nlp.figures import BLUE, GREY, ORANGE
from kexue_nlp.language import N_, _
from kexue_nlp.mentions import Mention
from kexue_nlp.tagging import POLARITY, entities_to_tags, tags_to_entities
from kexue_nlp.text import fold
from kexue_nlp.viewpoint_tagger import ViewpointTagger
from kexue_nlp.viterbi import viterbi
from kexue_nlp.widgets.base import Explorer, TextArea, one_line, row
from kexue_nlp.widgets.view import View

__all__ = ["DECODINGS", "ViewpointExplorer", "ViewpointState", "leave_out", "opinions", "state"]

DECODINGS = {N_("names compete"): "names", N_("forced alignment"): "forced", N_("tags alone"): "plain"}
BONUSES = (0, 0.5, 1, 2, 3, 5, 7, 10, 20, 50, 100)
FULL = 4  # log-odds that a character must be worth to get the full colour
UNSURE = 0.6  # the probability of a polarity below which it is only perhaps so
TEXT_LIMIT, MAP_LIMIT, LIST_LIMIT = 600, 120, 40  # characters of the sentence and of the heat maps, entities

_HERE = Path(__file__).parent
_SAID = {"pos": N_("praised"), "neu": N_("mentioned"), "neg": N_("blamed")}
_COLOURS = {"pos": BLUE, "neu": GREY, "neg": ORANGE}
_WORDS = {
    "said": _SAID, "perhaps": N_("perhaps {said}"), "sure": N_("probability {p}"), "nothing": N_("No name is found."),
    "more": N_("and {count} more"), "cut": N_("and {left} more characters"),
    "why": N_("Point at a verdict: what speaks for it takes its colour, what speaks against it turns grey."),
    "shares": N_("praised {pos}, mentioned {neu}, blamed {neg}; the rest: not a name that is judged"),
    "same": N_("The network, and after decoding, which changes nothing"),
    "first": N_("Shown: the first {n} characters."), "known": N_("known names in this sentence"),
    "none": N_("No name of the list occurs in the sentence."),
    "remove": N_("take {name} off the list"), "restore": N_("put {name} back on the list"), "add": N_("add a name"),
    "box": N_("type a name, or select it in the sentence"),
    "dropped": N_("Tagged by force, but dropped, because the network tags nothing there: {names}"),
    "network": N_("The network"), "after": N_("After decoding"), "bonus": N_("log-probability {x}"),
    "tags": [N_("none"), N_("positive"), N_("neutral"), N_("negative")],
    "map": N_("The bluer a cell, the more probable the tag. Digits, line: the best path. Bars: entities begin."),
    "frames": N_("Green frames: what the list adds to."),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ViewpointState:
    """A sentence of T characters, tagged without and with a gazetteer."""

    text: str
    names: tuple[str, ...]  # the gazetteer
    decoding: str  # "plain", "forced" or "names"
    log_probabilities: np.ndarray  # float32 (T, 4): the network's, with the weight of neutral
    bonuses: np.ndarray  # float32 (T, 4): what forced alignment adds
    tags_before: np.ndarray  # int8 (T,): best legal tags by the network alone
    tags_after: np.ndarray  # int8 (T,): the tags that the decoding leaves
    mentions: list[Mention]
    dropped: list[tuple[int, int]]  # runs that were tagged by force only, and dropped


def state(
    tagger: ViewpointTagger,
    text: str,
    decoding: str = "forced",
    inside: float = 100.0,
    outside: float = 50.0,
    neutral: float = 1.0,
    log_probabilities: np.ndarray | None = None,
) -> ViewpointState:
    """Decode a sentence of T characters with a tagger's gazetteer in one of three ways: "plain", "forced", "names".

    First the probability of "neutral" is multiplied by `neutral` at each character; `inside` and `outside` are the
    bonuses of forced alignment. The network is run, if its log-probabilities, float (T, 4), are not given.
    """
    if decoding not in DECODINGS.values():
        raise ValueError(f"decoding must be one of {', '.join(DECODINGS.values())}; got {decoding!r}")
    if log_probabilities is None:
        log_probabilities = tagger.log_probabilities([text])[0]
    log_p = np.array(log_probabilities, dtype=np.float32)
    log_p[:, POLARITY.tags.index("neu")] += np.log(neutral)
    starts, ends, _ = tagger.matcher.find(text)
    before = viterbi(log_p, POLARITY)
    bonuses = np.zeros_like(log_p)
    dropped: list[tuple[int, int]] = []
    if decoding == "forced":
        aligned = align_entities(log_p, starts, ends, inside, outside)
        entities, after = aligned.entities, aligned.forced
        bonuses = aligned.emissions - log_p
        kept = {entity[:2] for entity in entities}
        dropped = [run[:2] for run in tags_to_entities(after) if run[:2] not in kept]
    elif decoding == "names":
        entities = entities_among(log_p, starts, ends)
        after = entities_to_tags(len(text), entities)
    else:
        entities, after = tags_to_entities(before), before
    mentions = name_entities(text, log_p, entities)
    return ViewpointState(text, tagger.gazetteer, decoding, log_p, bonuses, before, after, mentions, dropped)


def opinions(judge: Any, texts: Sequence[str], spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return how probably a span of each of N texts is praised, mentioned and blamed: (N, 3).

    The judge is a tagger or a classifier. What a classifier takes for no candidate gets 0; other judges give NaN.
    """
    if not len(texts):
        return np.empty((0, 3))
    if hasattr(judge, "log_probabilities"):
        answers = zip(judge.log_probabilities(texts), spans, strict=True)
        return np.array([_polarities(log_p, span) for log_p, span in answers])
    if not hasattr(judge, "probabilities"):
        return np.full((len(texts), 3), np.nan)
    answers = zip(judge.probabilities(texts), spans, strict=True)
    return np.array([p[(found == span).all(axis=1), 1:].sum(axis=0) for (found, p), span in answers])


def leave_out(judge: Any, text: str, mention: Mention, others: Sequence[Mention] = ()) -> np.ndarray:
    """Say how much the log-odds of a mention's polarity lose if a character of T is left out: (T,), 0 in all names."""
    named = {t for one in (mention, *others) for t in range(one.start, one.end)}
    places = [t for t in range(len(text)) if t not in named]
    texts = [text, *(text[:t] + text[t + 1 :] for t in places)]
    starts = [mention.start, *(mention.start - (t < mention.start) for t in places)]
    spans = [(start, start + mention.end - mention.start) for start in starts]
    p = opinions(judge, texts, spans)[:, list(_SAID).index(mention.polarity)]
    odds, lost = logit(np.clip(p, 1e-9, 1 - 1e-9)), np.zeros(len(text))
    lost[places] = odds[0] - odds[1:]
    return lost


class ViewpointView(View):
    """The picture: verdicts, sentence, names and heat maps, and what was added to the list or taken off it."""

    _esm = View.script(_HERE / "explorer.js")
    _css = View.style(_HERE / "explorer.css")

    words = traitlets.Dict(_WORDS).tag(sync=True)
    shown = traitlets.Dict().tag(sync=True)
    added, removed = (traitlets.List(traitlets.Unicode()).tag(sync=True) for _ in range(2))
    pointed = traitlets.Int(-1).tag(sync=True)  # at which mention of all
    why = traitlets.List(traitlets.Float()).tag(sync=True)  # from -1 to 1 of each character: what speaks for it


class ViewpointExplorer(Explorer):
    """Type a sentence, and see who is praised in it and who is blamed; edit the list of names, and move the bonuses.

    Point at a verdict, and see which characters speak for it (:func:`leave_out`). The tagger, with the four tags of
    :data:`kexue_nlp.tagging.POLARITY`, is not changed. The first of the examples is shown. `names` is the list to begin
    with, by default the tagger's; names are found whatever their case, width and script. What another tool,
    ``judge(text)``, says is shown below under its name, if `judges` maps one to it; of one with a gazetteer a copy is
    asked, whose gazetteer is edited too.
    """

    def __init__(
        self,
        tagger: ViewpointTagger,
        examples: Sequence[str],
        names: Sequence[str] | None = None,
        judges: dict[str, Callable[[str], Sequence[Mention]]] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(examples, str) or not len(examples):
            raise ValueError("examples must be a list of at least one sentence")
        if tagger.scheme is not POLARITY:
            raise ValueError("the explorer shows four tags; give a tagger without begin tags")
        names = tagger.gazetteer if names is None else names
        self._tagger = ViewpointTagger(tagger.network, tagger.characters, names, fold=True)
        self._examples, self._names = list(examples), self._tagger.gazetteer
        self._judges = {name: copy.copy(judge) for name, judge in (judges or {}).items()}
        self._lists = {name: tuple(getattr(judge, "gazetteer", ())) for name, judge in self._judges.items()}
        self._asked: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None  # text, names, and names taken off

        numbered = [f"{i}: {one_line(text[:50])}" for i, text in enumerate(examples, start=1)]
        options = [(name, i) for i, name in enumerate([*numbered, _("your own")])]
        wide = {"width": "640px", "max_width": "100%"}
        self.example = widgets.Dropdown(options=options, description=_("example"), layout=wide)
        self.sentence = TextArea(description=_("sentence"), rows=2, layout={"width": "auto"})
        what = (
            _("only names of the list can be entities; those that overlap compete"),
            _("the article's: names of the list get bonuses, then Viterbi again"),
            _("Viterbi on what the network says"),
        )
        options = [(_(name), name) for name in DECODINGS]
        self.decoding = widgets.ToggleButtons(options=options, description=_("decoding"), tooltips=what)
        self.decoding.style.button_width = "auto"
        size = {"layout": {"width": "330px"}, "style": {"description_width": "100px"}}
        what = _("added to the log-probabilities of all polarities in a name of the list")
        self.inside = widgets.SelectionSlider(options=BONUSES, description=_("bonus inside"), tooltip=what, **size)
        what = _("added to that of no entity just before and behind it")
        self.outside = widgets.SelectionSlider(options=BONUSES, description=_("bonus outside"), tooltip=what, **size)
        tip = _("the probability of neutral is multiplied by this")
        self.neutral = widgets.FloatLogSlider(
            min=-4, max=4, step=0.1, readout_format=",.3r", description=_("neutral ×"), tooltip=tip, **size
        )
        for slider in (self.inside, self.outside):
            slider.add_class("kexue-chosen")
        self.view = ViewpointView()
        self.view.observe(lambda _change: self._run(self._explain), names="pointed")
        self.on_change(self.example, self._take_example)
        self.on_change(self.sentence, self._type)
        for control in (self.decoding, self.inside, self.outside, self.neutral):
            self.on_change(control, self._refresh)
        for trait, react in (("added", self._add), ("removed", self._refresh)):
            self.view.observe(lambda _change, react=react: self._filling or self._run(react), names=trait)
        sliders = row(self.neutral, self.inside, self.outside, self.reset_button())
        for part in (self.example, self.sentence, self.decoding, sliders):
            part.add_class("kexue-needs-kernel")
        self.lay_out(self.example, self.sentence, self.decoding, sliders, self.view)
        self.reset()

    def reset(self) -> None:
        """Go back to the first example, the list of the beginning, and the article's bonuses."""
        with self.filling():
            self.example.value, self.sentence.value, self.decoding.value = 0, self._examples[0], "names compete"
            self.view.added, self.view.removed = [], []
            self.inside.value, self.outside.value, self.neutral.value = 100, 50, 1.0
        self._type()

    def static_text(self) -> str:
        """Return what is found, in words."""
        found = [f"{one_line(m.name)}: {_verdict(m)} ({m.probability:.2f})" for m in self.state.mentions]
        return "\n".join([one_line(self.state.text), *(found or [_("No name is found.")])])

    def static_html(self) -> str:
        """Return the sentence, a table of what is found, and one of what each judge finds, by its name."""
        page = f'<p lang="zh">{html.escape(one_line(self.state.text))}</p>'
        for title, mentions in {"": self.state.mentions, **self._judged}.items():
            rows = "".join(
                f'<tr><th scope="row" lang="zh" style="border-left: 6px solid {_COLOURS[m.polarity]}">'
                f"{html.escape(one_line(m.name))}</th><td>{_verdict(m)}</td><td>{m.probability:.2f}</td></tr>"
                for m in mentions
            )
            page += f"{html.escape(title)}<table>{rows or _('No name is found.')}</table>"
        return page

    def _take_example(self) -> None:
        if self.example.value < len(self._examples):
            self.sentence.value = self._examples[self.example.value]

    def _type(self) -> None:
        self.say()
        self._refresh()

    def _explain(self) -> None:
        text = self.state.text
        said = [(self._tagger, self.state.mentions), *((self._judges[name], one) for name, one in self._judged.items())]
        shown = [(judge, mention, mentions) for judge, mentions in said for mention in mentions[:LIST_LIMIT]]
        if not 0 <= self.view.pointed < len(shown) or len(text) > MAP_LIMIT:
            self.view.why = []
            return
        with self.busy():
            judge, mention, others = shown[self.view.pointed]
            lost = leave_out(judge, text, mention, others)
        self.view.why = np.clip(lost / FULL, -1, 1).round(2).tolist()

    def _add(self) -> None:
        name = self.view.added[-1] if self.view.added else ""
        found = fold(name) in fold(self.sentence.value)
        self.say(*([] if found else [_("“{name}” is on the list now, but not in this sentence.", name=one_line(name))]))
        self._refresh()

    def _refresh(self) -> None:
        text, names = self.sentence.value, self._edited(self._names)
        with self.filling():
            self.example.value = ([*self._examples, text]).index(text)
        self.view.pointed = -1
        asked = text, names, tuple(self.view.removed)  # other lists have names that the tagger's has not
        if self._asked != asked:
            with self.busy():
                self._tagger.gazetteer = names
                self._answer = self._tagger.log_probabilities([text])[0]
                for name, own in self._lists.items():
                    if own:
                        self._judges[name].gazetteer = self._edited(own)
                self._judged = {name: list(judge(text)) for name, judge in self._judges.items()}
                self._opinions = {}
                for name, mentions in self._judged.items():
                    places = [(m.start, m.end) for m in mentions[:LIST_LIMIT]]
                    self._opinions[name] = opinions(self._judges[name], [text] * len(places), places)
            self._asked = asked
        decoding = DECODINGS[self.decoding.value]
        for slider in (self.inside, self.outside):
            slider.layout.display = None if decoding == "forced" else "none"
        weights = self.inside.value, self.outside.value, self.neutral.value
        self.state = state(self._tagger, text, decoding, *weights, self._answer)
        self.view.shown = self._for_page(self.state)

    def _edited(self, names: Sequence[str]) -> tuple[str, ...]:
        gone = {fold(name) for name in self.view.removed}
        return tuple(name for name in dict.fromkeys((*names, *self.view.added)) if fold(name) not in gone)

    def _for_page(self, state: ViewpointState) -> dict[str, Any]:
        """Say in what JSON can hold what the page draws."""
        before = softmax(state.log_probabilities, axis=1)
        cuts = [start for start, _end, _tag in tags_to_entities(state.tags_before)]
        maps = [(before, state.tags_before, np.zeros_like(before), cuts)]
        if state.decoding != "plain":
            after = softmax(state.log_probabilities + state.bonuses, axis=1)
            maps.append((after, state.tags_after, state.bonuses, [mention.start for mention in state.mentions]))
        starts, ends, _names = self._tagger.matcher.find(state.text)
        spans = sorted(zip(starts.tolist(), ends.tolist(), strict=True))
        found = [mention.name for mentions in self._judged.values() for mention in mentions]  # by longer lists
        known = dict.fromkeys([*(state.text[a:b] for a, b in spans), *found])
        own = [_polarities(state.log_probabilities, (m.start, m.end)) for m in state.mentions[:LIST_LIMIT]]
        verdicts = {name: _listed(mentions, self._opinions[name]) for name, mentions in self._judged.items()}
        return {
            "characters": [one_line(character) for character in state.text[:TEXT_LIMIT]],
            "left": max(0, len(state.text) - TEXT_LIMIT),
            "verdicts": {"": _listed(state.mentions, own), **verdicts},
            "known": list(known)[:LIST_LIMIT],
            "gone": [name for name in self.view.removed if fold(name) in fold(state.text)],
            "dropped": [one_line(state.text[a:b]) for a, b in state.dropped][:LIST_LIMIT],
            "maps": [
                {"p": p[:MAP_LIMIT].round(3).tolist(), "path": path[:MAP_LIMIT].tolist(),
                 "bonuses": bonuses[:MAP_LIMIT].tolist(), "cuts": cuts}
                for p, path, bonuses, cuts in maps
            ],
        }  # fmt: skip


def _verdict(mention: Mention) -> str:
    said = _(_SAID[mention.polarity])
    return said if mention.probability >= UNSURE else _("perhaps {said}", said=said)


def _polarities(log_p: np.ndarray, span: tuple[int, int]) -> np.ndarray:
    return polarity_probabilities(log_p, [(*span, said) for said in _SAID])


def _listed(mentions: Sequence[Mention], shares: Sequence[np.ndarray] | np.ndarray) -> dict[str, Any]:
    """Return the first mentions as the page reads them, with the probability of each opinion, and how many more."""
    shown = [asdict(m) | {"name": one_line(m.name), "sure": m.probability >= UNSURE} for m in mentions[:LIST_LIMIT]]
    for one, p in zip(shown, shares, strict=True):
        one["shares"] = None if np.isnan(p).any() else dict(zip(_SAID, np.round(p, 3).tolist(), strict=True))
    return {"mentions": shown, "more": len(mentions) - len(shown)}
