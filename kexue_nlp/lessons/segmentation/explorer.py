"""Watch Viterbi cut a sentence, and overrule it: the sentence is the dictionary (article 4195, "hard decoding")."""

import html
import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets

from kexue_nlp.figures import BLUE, GREY, ORANGE, TAG_NAMES, visible
from kexue_nlp.language import N_, _, language
from kexue_nlp.lessons.segmentation.examples import EXAMPLES, GLOSSES
from kexue_nlp.lexicon import Lexicon, forward_maximum_matching
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.tagging import SBME, tags_to_words
from kexue_nlp.text import fixed_spans
from kexue_nlp.widgets.base import Explorer, TextBox, one_line, row
from kexue_nlp.widgets.view import View

__all__ = ["Reading", "SegmentationExplorer", "read", "render"]

_HERE = Path(__file__).parent
_DONE = 1_000_000  # a step beyond the last of any sentence
_NAMES = {math.inf: "always", 0.0: "never"}  # JSON has no infinity
_LIMIT = 200  # characters of a sentence: the page draws each
_OWN = "我喜欢自然语言处理"  # until one is typed

_WORDS = {
    "tags": [TAG_NAMES[tag] for tag in SBME.tags], "always": N_("always"), "never": N_("never"), "start": N_("start"),
    "player": {
        "back": N_("one step back"), "play": N_("play"), "pause": N_("pause"), "next": N_("one step forward"),
        "scrub": N_("step of the algorithm"),
    },
    "drag": N_("Drag across characters of the sentence: they become a word of your dictionary."),
    "handle": N_("Drag me up to keep {word} whole, down to cut it. Arrow keys work, too."), "rule": N_("by rule"),
    "multiplier": N_("multiplier of {word}"), "remove": N_("take {word} out of the dictionary"),
    "snaps": N_("the cut snaps at {multiplier}"), "later": N_("not yet"),
    "locale": N_("en"), "alike": N_("To the network, {one} is {ratio} times as probable as {other}."),
    "leads": N_("With your dictionary, {one} counts {ratio} times as much as {other}."), "parted": N_("a cut, always"),
    "character": N_("character {n}: {character}. Shift and arrow keys choose several, Enter makes a word of them."),
    "alone": N_("the same network, without a dictionary"),
    "node": N_("{character} as {tag}: probability {p}"), "empty": N_("Type a sentence to see its words."),
    "sees": N_("To tag {character}, the network looks at {field}: {n} characters at most."),
    "beyond": N_("To tag {character}, the network looks at {field}, and at known words that reach farther."),
    "column": [N_("{character}: each box keeps the better of the lines into it. In front so far: {best}."),
               N_("{character}: each box keeps the better line into it, and its score. In front so far: {best}.")],
    "first": N_("{character}: a sentence begins with s or b."),
    "moves": N_("{character}: after b or m comes m or e, after s or e comes s or b. Those are the lines."),
    "whole": N_("{word} {multiplier}: it is past its mark, and the cut has snapped. Now it is one word."),
    "cut": N_("{word} {multiplier}: it is not one word. The orange mark says where the cut snaps."),
    "changed": N_("{word} {multiplier}: the cut is another one now, with {changed}."),
    "holds": N_("{word} {multiplier}: one word, as without a dictionary. It holds down to {mark}."),
    "decided": N_("Your dictionary decides, whatever the network says: {one}."),
    "methods": [N_("jieba, a tool that many use"), N_("longest match: always the longest word of a list")],
    "back": N_("Walking back: {character} is {now}, and before it comes {before}."),
    "begin": N_("One column per character, one row per tag. Which path from left to right is the best?"),
    "trace": N_("All is read. The better end is {tag}: only now is it known which lines count. Follow them back."),
    "done": [N_("Pull a fader until the scales tip, or drag across characters to make a word of your own."),
             N_("Orange: the best path that makes whole words. Score: {score}. Point at a column for its sums.")],
    "impossible": N_("not here: no path leads through it"), "any": N_("any cut with {word}"),
    "endless": N_("∞: what “always” adds. The trellis leaves out what all tags of a column share."),
    "legend": [
        N_("Bluer: more probable to the network. Green rim: changed by the dictionary."),
        N_("Bluer: more probable. Green rim: changed by the dictionary. Number: score of the best way to here."),
    ],
    "dashed": N_("(dashed: differs from the path above)"), "tie": N_("{one} and {other} count the same."),
    "added": N_("{word} ×1 changes nothing yet. Pull its fader."),
    "sums": N_("the sums of one column: to add logs is to multiply probabilities"),
    "counts": [N_("{multiplier} makes up for it."),
               N_("{multiplier} makes up for it: the cuts differ in {n} of the word's tags, and {product} ≈ {ratio}."),
               N_("{multiplier} makes up for it, and for another cut that comes to the front on the way.")],
    "columns": [N_("best way to here"), N_("the network"), N_("the dictionary"), N_("score")],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Reading:
    """What is known of a text of length T before a dictionary."""

    text: str
    log_probabilities: dict[str, np.ndarray]  # by network, float32 (T, 4): s, b, m, e
    cuts: np.ndarray  # int (N,): where a word surely begins, unless one of the dictionary lies across
    others: dict[str, list[str]]  # words by other methods


def read(segmenters: Mapping[str, Segmenter], text: str, known: Set[str] = frozenset()) -> Reading:
    """Let every network, jieba and longest match, which has a list of known words, read a text."""
    import jieba

    jieba.setLogLevel("WARNING")
    logs = {name: segmenter.log_probabilities(text) for name, segmenter in segmenters.items()}
    cuts = next(iter(segmenters.values())).sure_cuts(text)
    longest = {_("longest match"): forward_maximum_matching(text, known)} if known else {}
    return Reading(text, logs, cuts, {"jieba": jieba.lcut(text)} | longest)


def render(name: str, reading: Reading, tags: np.ndarray, network: str) -> str:
    """Draw a reading, and the tags of one network under a name, as one SVG; text is escaped."""
    if not reading.text:
        return f'<p class="kexue-quiet">{_("Type a sentence to see its words.")}</p>'
    characters = [html.escape(visible(character)) for character in reading.text]
    x, y = (lambda t: 100 + 42 * t), (lambda tag: 46 + 34 * int(tag))  # pixels of columns and rows
    parts = [_text(x(t), 22, character, 22) for t, character in enumerate(characters)]
    parts += [_text(75, y(i) + 4, f"{_(TAG_NAMES[tag])} {tag}", 12, "end") for i, tag in enumerate(SBME.tags)]
    for (t, tag), p in np.ndenumerate(np.exp(reading.log_probabilities[network])):
        place = f'x="{x(t) - 19}" y="{y(tag) - 12}" width="38" height="24" rx="6"'
        parts.append(f'<rect {place} fill="{BLUE}" fill-opacity="{0.75 * p:.3f}" stroke="{GREY}"/>')
    path = "L".join(f"{x(t)} {y(tag)}" for t, tag in enumerate(tags))
    parts.append(f'<path d="M{path}" fill="none" stroke="{ORANGE}" stroke-width="4"/>')
    top = 195
    for label, words in {name: tags_to_words(reading.text, tags), **reading.others}.items():
        parts.append(_text(80, top, html.escape(one_line(label)), 12, "start"))
        start = 0
        for word in words:
            box = f'x="{x(start) - 18}" y="{top + 5}" width="{42 * len(word) - 6}" height="25" rx="8"'
            parts.append(f'<rect {box} fill="none" stroke="{ORANGE if label == name else GREY}" stroke-width="2"/>')
            parts += [_text(x(t), top + 24, characters[t], 18) for t in range(start, start + len(word))]
            start += len(word)
        top += 52
    size = f'width="{x(len(tags))}" height="{top - 10}"'
    caption = _("The bluer a cell, the more probable the tag. The orange line is the best legal path.")
    return f'<p class="kexue-quiet">{caption}</p><svg {size} role="img" aria-label="{caption}">{"".join(parts)}</svg>'


def _text(x: float, y: float, words: str, size: int, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" style="font-size: {size}px" text-anchor="{anchor}">{words}</text>'


class SegmentationView(View):
    """The picture: faders, sentence, trellis and cuts. What moves in it is computed in the page."""

    _esm = View.script(_HERE / "decode.js", _HERE / "explorer.js")
    _css = View.style(_HERE / "explorer.css")

    words = traitlets.Dict(_WORDS).tag(sync=True)
    glosses = traitlets.Dict(GLOSSES).tag(sync=True)
    sentences = traitlets.List().tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    network = traitlets.Int(0).tag(sync=True)  # its number
    lexicon = traitlets.Dict().tag(sync=True)
    step = traitlets.Int(_DONE).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)


class SegmentationExplorer(Explorer):
    """Step through Viterbi, drag words out of the sentence, and see when the cut snaps.

    Parameters
    ----------
    segmenters : Segmenter or mapping of str to Segmenter
        One, or several to switch between, by name. Their own lexicons play no part and are not changed.
    text, lexicon : str, mapping of str to float or "always" or "never"
        The sentence and the dictionary to begin with; by default words of the examples, × 1, which changes nothing.
    step, play : int, bool
        How far Viterbi has come, by default to the end; or play as soon as it is shown, where motion is welcome.
    """

    def __init__(
        self,
        segmenters: Segmenter | Mapping[str, Segmenter],
        text: str = EXAMPLES[0].text,
        lexicon: Mapping[str, float | str] | None = None,
        step: int = _DONE,
        play: bool = False,
    ) -> None:
        super().__init__()
        self._segmenters = dict(segmenters) if isinstance(segmenters, Mapping) else {_("network"): segmenters}
        if not self._segmenters:
            raise ValueError("segmenters is empty; give at least one Segmenter")
        if lexicon is None:
            lexicon = {word: 1.0 for example in EXAMPLES for word in example.words}
        words = {word: _NAMES.get(multiplier, multiplier) for word, multiplier in Lexicon(lexicon).items()}
        texts = [example.text for example in EXAMPLES]
        self._typed = "" if text in texts else text
        glosses = ["" if language() == "zh" else example.gloss for example in EXAMPLES]
        names = [f"{text}  {gloss}".rstrip() for text, gloss in zip(texts, glosses, strict=True)]
        names.append(_("your own sentence"))

        numbered = [f"{i}. {name}" for i, name in enumerate(names, start=1)]
        layout = {"flex": "1 1 300px"}
        self.example = widgets.Dropdown(options=numbered, description=_("sentence"), layout=layout)
        self.sentence = TextBox(self._typed, placeholder=_("or type your own"), layout={"flex": "1 1 200px"})
        self.network = widgets.ToggleButtons(
            options=list(self._segmenters), description=_("network"), tooltip=_("which network reads the sentence")
        )
        self.network.style.button_width = "auto"  # the labels are whole phrases
        self.network.layout = {"width": "auto", "display": None if len(self._segmenters) > 1 else "none"}
        reset = self.reset_button()
        for control in (self.sentence, reset):
            control.add_class("kexue-needs-kernel")

        lists = (segmenter.features.words for segmenter in self._segmenters.values())
        self._known = frozenset(min(filter(None, lists), key=len, default=()))
        self._readings = [read(self._segmenters, text, self._known) for text in [*texts, self._typed or _OWN]]
        index = texts.index(text) if text in texts else len(texts)
        self._start = {"lexicon": words, "network": 0, "index": index, "step": step}
        sentences = list(map(self._for_page, self._readings, [*glosses, ""]))
        of_words = {} if language() == "zh" else GLOSSES  # for readers without Chinese
        self.view = SegmentationView(glosses=of_words, sentences=sentences, playing=play, **self._start)
        self.example.index = self.view.index
        # These ties hold in the page, with or without a kernel.
        self._ties = [
            widgets.jslink((self.example, "index"), (self.view, "index")),
            widgets.jslink((self.network, "index"), (self.view, "network")),
        ]
        self.on_change(self.sentence, self._read)
        self.on_change(self.example, self._forget)
        self.lay_out(row(self.example, self.sentence, reset), self.network, self.view)

    @property
    def lexicon(self) -> Lexicon:
        """The dictionary as it stands in the page."""
        return Lexicon(self.view.lexicon)

    def reset(self) -> None:
        """Go back to the sentence, dictionary, network and step of the beginning."""
        self.sentence.value = self._typed
        self.example.index, self.network.index = self._start["index"], 0
        with self.view.hold_sync():
            for name, value in self._start.items():
                setattr(self.view, name, value)
        self.say()

    def static_text(self) -> str:
        """Return all cuts in words."""
        reading, tags = self._cut()
        cuts = {self._described(): tags_to_words(reading.text, tags), **reading.others}
        return "\n".join(_("{name}: ", name=name) + " / ".join(map(visible, cut)) for name, cut in cuts.items())

    def static_html(self) -> str:
        """Return all cuts, the probabilities of the tags and the path."""
        return render(self._described(), *self._cut(), self.network.options[self.view.network])

    def _described(self) -> str:
        text = self._readings[self.view.index].text
        words = [f"{w} × {m:.3g}" for w, m in self.lexicon.items() if m != 1 and w in text]
        dictionary = f"{_('dictionary')} {_(', ').join(words)}" if words else _("no dictionary")
        network = self.network.options[self.view.network]
        return _("{network}, {dictionary}", network=network, dictionary=dictionary)

    def _cut(self) -> tuple[Reading, np.ndarray]:
        """Cut the sentence in sight as the page does: its reading and tags."""
        reading = self._readings[self.view.index]
        name = self.network.options[self.view.network]
        return reading, self._segmenters[name].decode(reading.text, reading.log_probabilities[name], self.lexicon)

    def _forget(self) -> None:
        """Empty the box when another sentence is in sight."""
        if self.example.index < len(EXAMPLES):
            with self.filling():
                self.sentence.value = ""

    def _read(self) -> None:
        text, own = self.sentence.value, len(EXAMPLES)
        with self.busy():
            self._readings[own] = read(self._segmenters, text[:_LIMIT], self._known)
        with self.view.hold_sync():
            self.view.sentences = [*self.view.sentences[:own], self._for_page(self._readings[own])]
            self.view.index, self.view.step = own, _DONE
        self.example.index = own
        cut = _("Only the first {limit} characters of {count:,} are shown.", limit=_LIMIT, count=len(text))
        self.say(*[cut] * (len(text) > _LIMIT))

    def _for_page(self, reading: Reading, gloss: str = "") -> dict[str, Any]:
        """Say in what JSON can hold what the page must know of a text to cut it."""
        readings, spans = {}, np.transpose(fixed_spans(reading.text)).tolist()
        for name, segmenter in self._segmenters.items():
            logs, fixed = reading.log_probabilities[name].tolist(), spans if segmenter.keep_whole else []
            beyond = segmenter.features.pairs is not None  # it also reads what reaches farther than its layers
            readings[name] = {"logs": logs, "reach": segmenter.receptive_field, "fixed": fixed, "beyond": beyond}
        others = {name: list(map(len, words)) for name, words in reading.others.items()}
        cuts = reading.cuts.tolist()
        return {"text": reading.text, "gloss": gloss, "cuts": cuts, "readings": readings, "others": others}
