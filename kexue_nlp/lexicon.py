"""A weighted dictionary that corrects a tagger at decoding time ("hard decoding", article 4195).

Each word carries a multiplier. Wherever the word occurs, the probabilities of the tags that would keep it whole are
multiplied: ``b`` on its first character, ``m`` inside, ``e`` on its last (``s`` for a word of one character). Above 1
the word is glued together, below 1 it is pushed apart; nothing is retrained. Only ratios count, so nothing needs to be
normalised afterwards. The article's prose says ``s`` for the first character of a longer word; with that reading its
own 微信号 example does not work, with ``b`` it does.
"""

import math
from collections.abc import Collection, ItemsView, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Self

import ahocorasick
import numpy as np

from kexue_nlp.tagging import SBME

__all__ = ["Lexicon", "Matcher", "forward_maximum_matching", "inner_positions", "leftmost_longest", "span_bonuses"]

_S, _B, _M, _E = (SBME.tags.index(tag) for tag in "sbme")


class Matcher:
    """Find every occurrence of every word of a list, in one pass however many there are (Aho–Corasick).

    The words are distinct, not empty, and literal text: ``C++`` means itself. Occurrences may overlap.

    Examples
    --------
    >>> [column.tolist() for column in Matcher(["微信", "信号"]).find("微信号")]
    [[0, 1], [2, 3], [0, 1]]
    """

    def __init__(self, words: Iterable[str]) -> None:
        words = list(words)
        self._lengths = np.array([len(word) for word in words], dtype=np.intp)
        self._automaton = ahocorasick.Automaton()
        for i, word in enumerate(words):
            self._automaton.add_word(word, i)
        if words:
            self._automaton.make_automaton()

    def find(self, text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Search one text; return starts, ends and words, ndarrays of int of shape (N,), by end, then longest first.

        ``text[start:end]`` is the word of that index. The time grows with the text and what is found, not with the
        words.
        """
        if not self._lengths.size:
            return (np.empty(0, dtype=np.intp),) * 3
        # The automaton gives pairs (last position, word).
        pairs = np.fromiter(chain.from_iterable(self._automaton.iter(text)), dtype=np.intp).reshape(-1, 2)
        ends, words = pairs[:, 0] + 1, pairs[:, 1]
        return ends - self._lengths[words], ends, words


class Lexicon:
    """Words with multipliers.

    All occurrences count, overlapping ones too (哈哈 twice in 哈哈哈), and their bonuses add up, so the order of the
    words does not matter. Matching is exact and literal: ``C++`` means itself, ``Ａ`` is not ``A``.

    Parameters
    ----------
    multipliers : mapping of str to float
        Word → multiplier, a finite number above 0; ValueError if it is not, or a word is empty.

    Examples
    --------
    >>> Lexicon({"微信号": 10.0}).matches("关注微信号。")
    [(2, 5, 10.0)]
    """

    def __init__(self, multipliers: Mapping[str, float]) -> None:
        if not isinstance(multipliers, Mapping):
            raise TypeError(f"multipliers must map words to numbers, got {type(multipliers).__name__}")
        self._multipliers = {_checked_word(word): _checked_multiplier(word, m) for word, m in multipliers.items()}
        self._matcher = Matcher(self._multipliers)
        self._values = np.array(list(self._multipliers.values()), dtype=np.float64)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read lines ``word,multiplier`` (UTF-8, with or without BOM, or GB18030).

        The last comma separates, so a word may contain commas. Blank lines are skipped, and so are spaces around the
        word and the number. A line of another form, a bad multiplier or a word given twice raises ValueError, which
        names file and line.
        """
        from kexue_nlp.datasets._files import read_lines  # which loads much that a segmenter does not need

        multipliers: dict[str, float] = {}
        for number, line in enumerate(read_lines(path), start=1):
            if not line.strip():
                continue
            word, comma, value = (part.strip() for part in line.rpartition(","))
            try:
                if not comma:
                    raise ValueError(f"expected 'word,multiplier', for instance '微信号,10', got {line.strip()!r}")
                if word in multipliers:
                    raise ValueError(f"{word!r} is already in the lexicon; keep one of the two lines")
                multipliers[_checked_word(word)] = _checked_multiplier(word, value)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
        return cls(multipliers)

    def __len__(self) -> int:
        return len(self._multipliers)

    def __contains__(self, word: object) -> bool:
        return word in self._multipliers

    def __repr__(self) -> str:
        return f"Lexicon({len(self)} words)"

    def items(self) -> ItemsView[str, float]:
        """Words and multipliers, in the order given."""
        return self._multipliers.items()

    def find(self, text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find every occurrence of every word: starts and ends of int and multipliers of float64, all of shape (N,).

        ``text[start:end]`` is a word; they come by end, then longest first.
        """
        if not isinstance(text, str):
            raise TypeError(f"a lexicon is matched against a str, got {type(text).__name__} {text!r:.60}")
        starts, ends, words = self._matcher.find(text)
        return starts, ends, self._values[words]

    def matches(self, text: str) -> list[tuple[int, int, float]]:
        """Return what :meth:`find` finds as a list of (start, end, multiplier) to look at."""
        return list(zip(*(column.tolist() for column in self.find(text)), strict=True))

    def bonuses(self, text: str) -> np.ndarray:
        """Return log-bonuses to add to a tagger's log-probabilities before Viterbi, by :func:`span_bonuses`."""
        return span_bonuses(*self.find(text), len(text))


def span_bonuses(starts: np.ndarray, ends: np.ndarray, multipliers: np.ndarray, length: int) -> np.ndarray:
    """Turn spans into log-bonuses: the log of the multiplier at each tag that keeps the span whole.

    Those of overlapping spans add up. The result is float32 of shape (T, 4), with columns s, b, m, e.

    Parameters
    ----------
    starts, ends, multipliers : ndarray, shape (N,)
        As :meth:`Lexicon.find` gives them.
    length : int
        Length T of the text.

    Examples
    --------
    >>> span_bonuses(np.array([1]), np.array([3]), np.array([math.e]), length=3)
    array([[0., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """
    bonuses = np.zeros((length, 4))
    gains = np.log(multipliers)
    # A word of one character is s.
    single = ends - starts == 1
    np.add.at(bonuses, (starts[single], _S), gains[single])
    # A longer word is b at its first character, e at its last, and m between them.
    np.add.at(bonuses, (starts[~single], _B), gains[~single])
    np.add.at(bonuses, (ends[~single] - 1, _E), gains[~single])
    positions, spans = inner_positions(starts, ends)
    np.add.at(bonuses, (positions, _M), gains[spans])
    return bonuses.astype(np.float32)


def leftmost_longest(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Choose among overlapping spans: from the left, at each place the longest that begins there.

    Starts and ends are of shape (N,); the result holds the indices of the chosen spans, shape (M,), from left to right.

    Examples
    --------
    >>> leftmost_longest(np.array([2, 0, 0, 3]), np.array([4, 2, 4, 6])).tolist()
    [2]
    """
    chosen: list[int] = []
    free = 0
    for i in np.lexsort((-ends, starts)).tolist():
        if starts[i] >= free:
            chosen.append(i)
            free = int(ends[i])
    return np.array(chosen, dtype=np.intp)


def inner_positions(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the positions inside spans without their first and last, and the index of the span that each belongs to.

    Spans ``[start, end)`` of at least one position are given as arrays of shape (N,); the results are of shape (P,).

    Examples
    --------
    >>> [array.tolist() for array in inner_positions(np.array([0, 5]), np.array([4, 7]))]
    [[1, 2], [0, 0]]
    """
    counts = np.maximum(ends - starts - 2, 0)
    spans = np.repeat(np.arange(len(starts)), counts)  # 0 0 0 1 1 …: one entry for each inner position
    before = np.cumsum(counts) - counts  # how many entries stand before those of a span
    return starts[spans] + 1 + np.arange(len(spans)) - before[spans], spans


def _checked_word(word: str) -> str:
    if not isinstance(word, str):
        raise TypeError(f"a lexicon's words are strings, got {word!r}")
    if not word:
        raise ValueError("a lexicon's words have at least one character, got an empty one")
    return word


def _checked_multiplier(word: str, value: float | str) -> float:
    try:
        multiplier = math.nan if isinstance(value, bytes) else float(value)
    except (TypeError, ValueError):
        raise ValueError(f"the multiplier of {word!r} must be a number, got {value!r}") from None
    if not (math.isfinite(multiplier) and multiplier > 0):
        raise ValueError(
            f"the multiplier of {word!r} must be a finite number above 0, got {value!r}; "
            "use a small one such as 0.01 to push a word apart"
        )
    return multiplier


def forward_maximum_matching(texts: str | Iterable[str], words: Collection[str]) -> list[str] | list[list[str]]:
    """Segment one text or many by taking the longest known word at each position, left to right.

    This is the oldest dictionary method, and the baseline that any trained segmenter has to beat. A character that
    starts no known word stands alone; joined, the words equal the text. `words` is a ``set``, ``frozenset`` or
    ``dict``.

    Examples
    --------
    >>> forward_maximum_matching("研究生命起源", {"研究", "研究生", "生命", "起源"})
    ['研究生', '命', '起源']
    """
    if isinstance(texts, str):
        return forward_maximum_matching([texts], words)[0]
    longest = max(map(len, words), default=1)
    segmented = []
    for text in texts:
        found: list[str] = []
        start = 0
        while start < len(text):
            # Try the longest piece first, and shorten it until it is known or a single character.
            end = min(len(text), start + longest)
            while end > start + 1 and text[start:end] not in words:
                end -= 1
            found.append(text[start:end])
            start = end
        segmented.append(found)
    return segmented
