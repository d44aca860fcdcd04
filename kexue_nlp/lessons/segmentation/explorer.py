"""Edit a dictionary and watch the best path through the tags change (article 4195, "hard decoding")."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from kexue_nlp.figures import TAG_NAMES, visible
from kexue_nlp.lexicon import Lexicon
from kexue_nlp.tagging import SBME, tags_to_words
from kexue_nlp.widgets.base import Explorer, InvalidInput, TextArea, TextBox, escape, heading, row
from kexue_nlp.widgets.tag_map import STYLE, Panel, render_panels

if TYPE_CHECKING:
    from kexue_nlp.segmenter import Segmenter

__all__ = ["SegmentationExplorer", "SegmentationState", "regions", "render", "state"]

REGION_LIMIT = 400  # words in the lists
LOWEST, HIGHEST = 0.01, 100.0  # multipliers

_WORD_STARTS = SBME.tags.index("s"), SBME.tags.index("b")
_WITHOUT, _WITH = "Without the dictionary", "With the dictionary"

_STYLE = f"""{STYLE}
.kexue-line {{ display: flex; align-items: baseline; gap: 12px; line-height: 34px; }}
.kexue-name {{ flex: 0 0 176px; font-size: 14px; }}
"""


@dataclass(frozen=True, eq=False)
class SegmentationState:
    """A text of length T segmented without and with a dictionary."""

    text: str
    lexicon: dict[str, float]
    log_probabilities: np.ndarray  # float32 (T, 4), what the network says of s, b, m, e
    bonuses: np.ndarray  # float32 (T, 4), what the dictionary adds to it
    tags_before: np.ndarray  # int8 (T,), the best legal tags without the bonuses
    tags_after: np.ndarray
    words_before: list[str]
    words_after: list[str]


def state(
    segmenter: Segmenter, text: str, lexicon: Lexicon | Mapping[str, float], log_probabilities: np.ndarray | None = None
) -> SegmentationState:
    """Segment a text of length T without and with a dictionary.

    The segmenter's own lexicon plays no part. Its log-probabilities, shape (T, 4), may be given if they are known;
    otherwise the network is run.

    Examples
    --------
    >>> from kexue_nlp.segmenter import Segmenter
    >>> state(Segmenter.load("closed"), "关注微信号。", {"微信号": 20.0}).words_after
    ['关注', '微信号', '。']
    """
    lexicon = lexicon if isinstance(lexicon, Lexicon) else Lexicon(lexicon)
    if log_probabilities is None:
        log_probabilities = segmenter.log_probabilities(text)
    before = segmenter.decode(text, log_probabilities)
    after = segmenter.decode(text, log_probabilities, lexicon)
    words_before, words_after = tags_to_words(text, before), tags_to_words(text, after)
    words, bonuses = dict(lexicon.items()), lexicon.bonuses(text)
    return SegmentationState(text, words, log_probabilities, bonuses, before, after, words_before, words_after)


def regions(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Pair up two segmentations of one text in the smallest pieces that begin and end together.

    Examples
    --------
    >>> list(regions(["关注", "微", "信号"], ["关注", "微信号"]))
    [(['关注'], ['关注']), (['微', '信号'], ['微信号'])]
    """
    i = j = 0
    while i < len(before):
        i_end, j_end = i + 1, j + 1
        lead = len(before[i]) - len(after[j])  # how far `before` is ahead
        while lead:
            if lead < 0:
                lead += len(before[i_end])
                i_end += 1
            else:
                lead -= len(after[j_end])
                j_end += 1
        yield before[i:i_end], after[j:j_end]
        i, j = i_end, j_end


def render(state: SegmentationState) -> str:
    """Draw a state as HTML, typed text escaped: the words without and with the dictionary, and both heat maps."""
    if not state.text:
        return '<p class="kexue-quiet">Type a sentence to see its words.</p>'
    return _render_words(state) + _render_map(state)


def _render_words(state: SegmentationState) -> str:
    shown = list(islice(regions(state.words_before, state.words_after), REGION_LIMIT))
    hidden = len(state.words_after) - sum(len(after) for _, after in shown)
    rest = f' <span class="kexue-quiet">and {hidden:,} more words</span>' if hidden else ""
    without = " ".join(_chips(a, a != b) for a, b in shown)
    with_it = " ".join(_chips(b, a != b) for a, b in shown)
    changes = " · ".join(f"{_chips(a, True)} → {_chips(b, True)}" for a, b in shown if a != b)
    lines = ((_WITHOUT, without + rest), (_WITH, with_it + rest), ("Changed", changes or "nothing"))
    page = (
        f'<div class="kexue-line"><span class="kexue-name">{name}: </span><span>{content}</span></div>'
        for name, content in lines
    )
    return f'<div class="kexue-fixed">{"".join(page)}</div>'


def _chips(words: list[str], changed: bool) -> str:
    css = "kexue-chip kexue-changed" if changed else "kexue-chip"
    return " ".join(f'<bdi class="{css}">{escape(word)}</bdi>' for word in words)  # bdi: no right-to-left leaks


def _render_map(state: SegmentationState) -> str:
    before = np.exp(state.log_probabilities)
    scores = state.log_probabilities + state.bonuses
    after = np.exp(scores - scores.max(axis=1, keepdims=True))  # so that no bonus is too large to multiply with
    after /= after.sum(axis=1, keepdims=True)
    caption = (
        "The bluer a cell, the more probable the tag. Letters and line: the best legal path (Viterbi). "
        "Bars: where words begin. Green frames: what the dictionary multiplies."
    )
    nothing = np.zeros_like(state.bonuses)
    panels = [
        Panel(_WITHOUT, before, state.tags_before, nothing, np.isin(state.tags_before, _WORD_STARTS)),
        Panel(_WITH, after, state.tags_after, state.bonuses, np.isin(state.tags_after, _WORD_STARTS)),
    ]
    tags = [(TAG_NAMES[tag], tag) for tag in SBME.tags]

    def in_words(bonus: float) -> str:
        return f"multiplied by {math.exp(min(bonus, 700)):.3g}"

    return render_panels(state.text, tags, panels, caption, in_words)


class SegmentationExplorer(Explorer):
    """Type a sentence, edit a dictionary, and see probabilities, path and words with and without it.

    Parameters
    ----------
    segmenters : Segmenter or mapping of str to Segmenter
        One, or several to switch between, by name. Their own lexicons play no part and are not changed.
    text, lexicon : str and mapping of str to float
        The sentence and the dictionary to begin with, word → multiplier from 0.01 to 100; ValueError otherwise.

    Attributes
    ----------
    sentence, network, rows : ipywidgets.Widget
        The controls: text area, choice of the network, and the dictionary's table.
    state : SegmentationState
        What is shown.
    """

    styles = _STYLE

    def __init__(
        self,
        segmenters: Segmenter | Mapping[str, Segmenter],
        text: str = "扫描二维码，关注微信号。",
        lexicon: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self._segmenters = dict(segmenters) if isinstance(segmenters, Mapping) else {"network": segmenters}
        if not self._segmenters:
            raise ValueError("segmenters is empty; give at least one Segmenter")
        lexicon = Lexicon({"微信号": 10.0} if lexicon is None else lexicon)
        for word, multiplier in lexicon.items():
            if not LOWEST <= multiplier <= HIGHEST:
                raise ValueError(f"the multiplier of {word!r} must be in [{LOWEST}, {HIGHEST:g}], got {multiplier}")
        self._start = text, dict(lexicon.items())
        self._asked: tuple[str, str] | None = None  # the network and the text of the last answer
        self._answer: np.ndarray | None = None
        self._filling = False

        self.network = widgets.ToggleButtons(
            options=list(self._segmenters), description="network", tooltip="which network reads the sentence"
        )
        self.network.style.button_width = "auto"  # the labels are whole phrases
        self.network.layout = {"width": "auto", "display": None if len(self._segmenters) > 1 else "none"}
        self.sentence = TextArea(description="sentence", rows=2, layout={"width": "auto"})
        self.rows = widgets.VBox()
        add = widgets.Button(description="add a word", icon="plus", tooltip="add a row to the dictionary")
        reset = widgets.Button(description="reset", icon="undo", tooltip="go back to the beginning")
        self.on_change(self.network, self._refresh)
        self.on_change(self.sentence, self._refresh)
        self.on_click(add, self.add_word)
        self.on_click(reset, self.reset)
        title = heading("Dictionary: above 1 a multiplier keeps a word whole, below 1 it breaks the word up")
        self.lay_out(self.network, self.sentence, title, self.rows, row(add, reset))
        self.reset()

    @property
    def lexicon(self) -> dict[str, float]:
        """The dictionary as it stands in the table, rows without a word left out."""
        lexicon: dict[str, float] = {}
        for entry in self.rows.children:
            word = entry.word.value.strip()
            if word in lexicon:
                raise InvalidInput(f"“{word}” is in the dictionary twice; change or remove one of the two rows.")
            if word:
                lexicon[word] = entry.multiplier.value
        return lexicon

    def reset(self) -> None:
        """Go back to the sentence, dictionary and network of the beginning."""
        text, lexicon = self._start
        self._filling = True  # one refresh at the end, not one per control
        try:
            self.sentence.value = text
            self.network.index = 0
            old, self.rows.children = self.rows.children, [self._new_row(*item) for item in lexicon.items()]
            for entry in old:
                entry.close()
        finally:
            self._filling = False
        self._refresh()

    def add_word(self, word: str = "", multiplier: float = 10.0) -> None:
        """Add a row to the dictionary's table."""
        self.rows.children = (*self.rows.children, self._new_row(word, multiplier))
        self._refresh()

    def static_text(self) -> str:
        """Return both segmentations in words."""
        both = (self.state.words_before, self.state.words_after)
        before, after = (" ".join(map(visible, words[:REGION_LIMIT])) for words in both)
        return f"{self._describe_lexicon()}\nWithout it: {before}\nWith it: {after}"

    def static_html(self) -> str:
        """Return dictionary, words and heat maps."""
        return f"<p>{html.escape(self._describe_lexicon())}</p>{self.picture.value}"

    def _describe_lexicon(self) -> str:
        words = [f"{word} × {multiplier:.3g}" for word, multiplier in self.state.lexicon.items()]
        return f"Dictionary: {', '.join(words) or 'empty'}"

    def _new_row(self, word: str, multiplier: float) -> _Row:
        entry = _Row(word, multiplier)
        self.on_change(entry.word, self._refresh)
        self.on_change(entry.multiplier, self._refresh)
        self.on_click(entry.remove, lambda: self._remove(entry))
        return entry

    def _remove(self, entry: _Row) -> None:
        self.rows.children = [other for other in self.rows.children if other is not entry]
        entry.close()
        self._refresh()

    def _refresh(self) -> None:
        if self._filling:
            return
        lexicon = self.lexicon
        name, text = self.network.value, self.sentence.value
        segmenter = self._segmenters[name]
        if self._asked != (name, text):
            with self.busy():
                self._answer = segmenter.log_probabilities(text)
            self._asked = name, text
        self.state = state(segmenter, text, lexicon, self._answer)
        self.picture.value = render(self.state)
        unnamed = any(not entry.word.value.strip() for entry in self.rows.children)
        self.say(
            *["Type the new word into its row of the dictionary."] * unnamed,
            *(f"“{word}” does not occur in the sentence." for word in lexicon if word not in text),
        )


class _Row(widgets.HBox):
    """A row of the dictionary's table."""

    def __init__(self, word: str, multiplier: float) -> None:
        self.word = TextBox(word, description="word", placeholder="微信号")
        self.multiplier = widgets.FloatLogSlider(
            multiplier,
            min=math.log10(LOWEST),
            max=math.log10(HIGHEST),
            step=0.05,
            description="multiplier",
            layout={"flex": "1 1 320px", "width": "auto"},
            tooltip="the word's tag probabilities are multiplied by this; 1 changes nothing",
        )
        self.remove = widgets.Button(description="remove", icon="trash", tooltip="remove this word")
        self.remove.layout = {"width": "100px"}
        super().__init__([self.word, self.multiplier, self.remove], layout={"flex_flow": "row wrap"})

    def close(self) -> None:
        """Give up the row and its controls: the page and the kernel would keep them otherwise."""
        for control in self.children:
            control.close()
        super().close()
