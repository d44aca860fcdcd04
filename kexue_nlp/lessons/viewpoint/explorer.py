"""Edit the list of names and the bonuses of forced alignment, and watch who is praised and who is blamed (4118)."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from scipy.special import softmax

from kexue_nlp.entity_decoding import Mention, align_entities, entities_among, name_entities
from kexue_nlp.language import N_, _
from kexue_nlp.tagging import POLARITY, entities_to_tags, tags_to_entities
from kexue_nlp.viewpoint_tagger import ViewpointTagger
from kexue_nlp.viterbi import viterbi
from kexue_nlp.widgets.base import Explorer, TextArea, heading, one_line, row
from kexue_nlp.widgets.tag_map import STYLE, Panel, render_panels

__all__ = ["DECODINGS", "ViewpointExplorer", "ViewpointState", "render", "state"]

DECODINGS = {N_("tags alone"): "plain", N_("forced alignment"): "forced", N_("names compete"): "names"}
BONUSES = (0, 0.5, 1, 2, 3, 5, 7, 10, 20, 50, 100)
TEXT_LIMIT = 600  # characters of the coloured sentence
LIST_LIMIT = 40  # entities named below it

_SEPARATORS = re.compile("[,，、;；\n]")  # of names
_TAGS = ((N_("none"), "0"), (N_("positive"), "1"), (N_("neutral"), "2"), (N_("negative"), "3"))
_WORDS = {"pos": N_("{name} is praised"), "neu": N_("{name} is mentioned"), "neg": N_("{name} is blamed")}
_SIGNS = {"pos": "+", "neu": "○", "neg": "−"}

_STYLE = STYLE + Path(__file__).with_suffix(".css").read_text("utf-8")


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


def render(state: ViewpointState) -> str:
    """Draw a state as HTML: the sentence with its entities, and the heat maps. What a user typed is escaped."""
    if not state.text:
        return f'<p class="kexue-quiet">{_("Type a sentence that names something.")}</p>'
    return f'<div class="kexue-fixed">{_sentence(state)}{_list(state)}</div>{_map(state)}'


def _sentence(state: ViewpointState) -> str:
    shown, place = "", 0
    for mention in state.mentions:
        if mention.end > TEXT_LIMIT:
            break
        sign = f"<sup>{_SIGNS[mention.polarity]} {mention.probability:.2f}</sup>"
        shown += _safe(state.text[place : mention.start])
        shown += f'<mark class="kexue-{mention.polarity}">{_safe(mention.name)}{sign}</mark>'
        place = mention.end
    shown += _safe(state.text[place:TEXT_LIMIT])
    left = len(state.text) - TEXT_LIMIT
    more = _("and {left:,} more characters", left=left)
    rest = f' <span class="kexue-quiet">{more}</span>' if left > 0 else ""
    return f'<p class="kexue-sentence"><bdi lang="zh">{shown}</bdi>{rest}</p>'


def _safe(text: str) -> str:
    return html.escape(one_line(text))


def _found(state: ViewpointState, name_of: Callable[[str], str]) -> list[str]:
    return [f"{_(_WORDS[m.polarity], name=name_of(m.name))} ({m.probability:.2f})" for m in state.mentions]


def _list(state: ViewpointState) -> str:
    found = _joined(_found(state, lambda name: f'<bdi lang="zh">{_safe(name)}</bdi>'))
    lines = f"<p>{_('{found}.', found=found or _('No entity is found'))}</p>"
    if state.dropped:
        dropped = _joined([f"<bdi>{_safe(state.text[start:end])}</bdi>" for start, end in state.dropped])
        what = _("Tagged by force, but dropped, because the network tags nothing there: ")
        lines += f"<p>{what}{dropped}</p>"
    return lines


def _joined(items: list[str]) -> str:
    rest = _("; and {count:,} more", count=len(items) - LIST_LIMIT) if len(items) > LIST_LIMIT else ""
    return _("; ").join(items[:LIST_LIMIT]) + rest


def _map(state: ViewpointState) -> str:
    caption = _("The bluer a cell, the more probable the tag. Digits, line: the best path. Bars: entities begin.")
    before = softmax(state.log_probabilities, axis=1)
    places = np.arange(len(before))
    cuts = np.isin(places, [start for start, _, _ in tags_to_entities(state.tags_before)])
    panels = [Panel(_("The network"), before, state.tags_before, np.zeros_like(before), cuts)]
    if state.decoding != "plain":
        after = softmax(state.log_probabilities + state.bonuses, axis=1)
        cuts = np.isin(places, [mention.start for mention in state.mentions])
        panels.append(Panel(_("After decoding"), after, state.tags_after, state.bonuses, cuts))
        if state.decoding == "forced":
            caption += _(" Green frames: what the list adds to.")
    tags = [(_(name), letter) for name, letter in _TAGS]
    return render_panels(state.text, tags, panels, caption, lambda bonus: _("log-probability {x:+g}", x=bonus))


class ViewpointExplorer(Explorer):
    """Type a sentence, edit the list of names, and see tags and polarities without and with it.

    The tagger, with the four tags of :data:`kexue_nlp.tagging.POLARITY`, is not changed. The first of the examples is
    shown. `names` is the gazetteer to begin with; by default those of the tagger's names that occur in the examples.
    """

    styles = _STYLE

    def __init__(self, tagger: ViewpointTagger, examples: Sequence[str], names: Sequence[str] | None = None) -> None:
        super().__init__()
        if isinstance(examples, str) or not len(examples):
            raise ValueError("examples must be a list of at least one sentence")
        if tagger.scheme is not POLARITY:
            raise ValueError("the explorer shows four tags; give a tagger without begin tags")
        if names is None:
            names = [name for name in tagger.gazetteer if any(name in text for text in examples)]
        if cut := [name for name in names if _SEPARATORS.search(name)]:
            raise ValueError(f"names may hold no comma, semicolon or line break, which separate them; {cut[0]!r} does")
        self._tagger = ViewpointTagger(tagger.network, tagger.characters, names)
        self._examples, self._start = list(examples), ", ".join(self._tagger.gazetteer)
        self._asked: tuple[str, tuple[str, ...]] | None = None  # the text and the names of the last answer

        numbered = [f"{i}: {one_line(text[:50])}" for i, text in enumerate(examples, start=1)]
        options = list(zip(numbered, range(len(numbered)), strict=True))
        self.example = widgets.Dropdown(options=options, description=_("example"), layout={"width": "640px"})
        self.sentence = TextArea(description=_("sentence"), rows=2, layout={"width": "auto"})
        self.names = TextArea(description=_("names"), rows=3, placeholder="本田, 丰田", layout={"width": "auto"})
        what = (
            _("Viterbi on what the network says"),
            _("the article's: names of the list get bonuses, then Viterbi again"),
            _("only names of the list can be entities; those that overlap compete"),
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
        self.neutral = widgets.FloatLogSlider(min=-1, max=1, step=0.05, description=_("neutral ×"), tooltip=tip, **size)
        self.on_change(self.example, self._take_example)
        for control in (self.sentence, self.names, self.decoding, self.inside, self.outside, self.neutral):
            self.on_change(control, self._refresh)
        known = heading(_("Known names, with commas, semicolons or line breaks between them"))
        sliders = row(self.inside, self.outside, self.neutral, self.reset_button())
        self.lay_out(self.example, self.sentence, known, self.names, self.decoding, sliders)
        self.reset()

    def reset(self) -> None:
        """Go back to the first example, the list of the beginning, and the article's bonuses."""
        with self.filling():
            self.example.value, self.sentence.value = 0, self._examples[0]
            self.names.value, self.decoding.value = self._start, "forced alignment"
            self.inside.value, self.outside.value, self.neutral.value = 100, 50, 1.0
        self._refresh()

    def static_text(self) -> str:
        """Return what is found, in words."""
        found = _("; ").join(_found(self.state, one_line))
        names = one_line(_(", ").join(self.state.names))
        return f"{one_line(self.state.text)}\n{_('Names: ')}{names}\n{found or _('No entity is found')}"

    def static_html(self) -> str:
        """Return sentence, entities and heat maps."""
        return f"<p>{_('Known names: ')}{_safe(_(', ').join(self.state.names))}</p>{self.picture.value}"

    def _take_example(self) -> None:
        self.sentence.value = self._examples[self.example.value]

    def _refresh(self) -> None:
        text = self.sentence.value
        names = tuple(name.strip() for name in _SEPARATORS.split(self.names.value))
        if self._asked != (text, names):
            with self.busy():
                self._tagger.gazetteer = names
                self._answer = self._tagger.log_probabilities([text])[0]
            self._asked = text, names
        decoding = DECODINGS[self.decoding.value]
        for slider in (self.inside, self.outside):
            slider.disabled = decoding != "forced"
        weights = self.inside.value, self.outside.value, self.neutral.value
        self.state = state(self._tagger, text, decoding, *weights, self._answer)
        self.picture.value = render(self.state)
        known = len(self._tagger.matcher.find(text)[0])
        self.say(*[] if known else [_("No name of the list occurs in the sentence.")])
