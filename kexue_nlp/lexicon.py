"""A weighted dictionary that corrects a tagger at decoding time ("hard decoding", article 4195).

Each word carries a multiplier. Wherever the word occurs, the probabilities of the tags that would keep it whole are
multiplied: ``b`` on its first character, ``m`` inside, ``e`` on its last (``s`` for a word of one character). Above 1
the word is glued together, below 1 it is pushed apart; nothing is retrained. The article's prose says ``s`` for the
first character of a longer word; with that reading its own 微信号 example does not work, with ``b`` it does.

A multiplier promises nothing: what it takes depends on how sure the network is. ``"always"`` in its place keeps the
word whole unless another word that is always or never whole overlaps it, and so does ``"never"`` cut it somewhere.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import IO, Self

import ahocorasick
import numpy as np

from kexue_nlp.tagging import SBME
from kexue_nlp.text import fold as fold_text

__all__ = ["Lexicon", "Matcher", "forward_maximum_matching", "leftmost_longest", "span_bonuses"]

_S, _B, _M, _E = (SBME.tags.index(tag) for tag in "sbme")
_ALWAYS = 1e4  # what "always" and "never" add: a network's log-probabilities are above -100
_MOST = 5e4  # of all bonuses of a cell together; Viterbi takes up to 1e5
_SPECIAL = {"always": math.inf, "never": 0.0}

_HEADERS = ("word,multiplier", "word,weight")
_QUOTED = re.compile(r'"((?:[^"]|"")+)" *(?:[,\t] *"?([^"]*)"?)?')
# Jieba's line: a word, how often it occurs, its part of speech (v, nz, eng), alone only behind Chinese.
_SPEECH = "(?:n[a-z]{0,3}|[a-z]{1,2}|eng)"
_JIEBA = re.compile(rf"(.+?)(?: +[0-9]+(?: +{_SPEECH})?|(?<=[^\x00-\x7f]) +{_SPEECH})?")
_LIKE_A_MULTIPLIER = re.compile(r" (?:always|never|[-+.0-9]*[0-9])$")


class Matcher:
    """Find every occurrence of every word of a list, in one pass however many there are (Aho–Corasick).

    The words are not empty, and literal text: ``C++`` means itself. Occurrences may overlap. With `fold` all are
    compared as :func:`kexue_nlp.text.fold` makes them. Of words that are the same the last one is found.

    Examples
    --------
    >>> [column.tolist() for column in Matcher(["微信", "信号"]).find("微信号")]
    [[0, 1], [2, 3], [0, 1]]
    """

    def __init__(self, words: Iterable[str], fold: bool = False) -> None:
        self._fold = fold
        words = list(map(fold_text, words)) if fold else list(words)
        self._lengths = np.array([len(word) for word in words], dtype=np.intp)
        self._automaton = ahocorasick.Automaton()
        # In random order, so that what often follows comes early in its lists of followers, which it searches in turn.
        for i in np.random.default_rng(0).permutation(len(words)).tolist():
            self._automaton.add_word(words[i], i)
        if words:
            self._automaton.make_automaton()

    def find(self, text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Search one text; return starts, ends and words, ndarrays of int of shape (N,), by end, then longest first.

        ``text[start:end]`` is the word of that index. The time grows with the text and what is found, not with the
        words.
        """
        if not self._lengths.size:
            return (np.empty(0, dtype=np.intp),) * 3
        text = fold_text(text) if self._fold else text
        # The automaton gives pairs (last position, word).
        pairs = np.fromiter(chain.from_iterable(self._automaton.iter(text)), dtype=np.intp).reshape(-1, 2)
        ends, words = pairs[:, 0] + 1, pairs[:, 1]
        return ends - self._lengths[words], ends, words


class Lexicon(MutableMapping):
    """Words with multipliers: a dictionary in both senses.

    All occurrences count, overlapping ones too (哈哈 twice in 哈哈哈), and their bonuses add up. A multiplier is a
    number above 0, "always" (infinity) or "never" (0). With `fold` case, width and traditional script are ignored:
    ``V1.0`` is found in ``ｖ１.０``, and words that are then the same need one multiplier. ValueError otherwise, or if
    a word is empty. ``a | b`` has the words of both, with the multiplier of b where they differ, and folds as a does.

    Examples
    --------
    >>> lexicon = Lexicon({"微信号": 10.0}) | {"关注": 2.0}
    >>> lexicon["微信"] = "never"
    >>> lexicon.matches("关注微信号。")
    [(0, 2, 2.0), (2, 4, 0.0), (2, 5, 10.0)]
    """

    def __init__(self, multipliers: Mapping[str, float | str], fold: bool = False) -> None:
        if not isinstance(multipliers, Mapping):
            what = f"got {type(multipliers).__name__} {multipliers!r:.60}"
            raise TypeError(f"multipliers must map words to numbers, {what}; Lexicon.read reads a file")
        self._multipliers = {word: _checked(word, multiplier) for word, multiplier in multipliers.items()}
        self.fold = fold
        folded = {fold_text(word): multiplier for word, multiplier in self._multipliers.items()} if fold else {}
        if clash := [word for word in self._multipliers if fold and folded[fold_text(word)] != self._multipliers[word]]:
            raise ValueError(f"with fold=True {clash[0]!r} and another word are the same; give both one multiplier")

    @cached_property
    def _search(self) -> tuple[Matcher, np.ndarray]:
        return Matcher(self, self.fold), np.array(list(self.values()), dtype=np.float64)

    def __setitem__(self, word: str, multiplier: float | str) -> None:
        multiplier = _checked(word, multiplier)
        if self.fold:
            same = {
                other: value for other, value in self.items() if other != word and fold_text(other) == fold_text(word)
            }
            Lexicon({**same, word: multiplier}, fold=True)  # or an error
        self._multipliers[word] = multiplier
        vars(self).pop("_search", None)

    def __delitem__(self, word: str) -> None:
        del self._multipliers[word]
        vars(self).pop("_search", None)

    add = __setitem__

    def __or__(self, other: Mapping[str, float | str]) -> "Lexicon":
        return Lexicon({**self, **other}, self.fold)

    @classmethod
    def read(cls, path: str | Path | IO, default: float | str = 10.0, fold: bool = False) -> Self:
        """Read words, one a line, from a file or an open one, in UTF-8 (with or without BOM) or GB18030.

        ``微信号,10`` or, with a tab, ``微信号<TAB>always``
            Word and multiplier; the last comma separates. A first line ``word,multiplier`` or ``word,weight`` is left
            out. A word may have the quotes of CSV files: ``"a,b",5``.
        ``云计算 5 n``, ``云计算 5``, ``微信号``, ``leap motion``
            A line of jieba's dictionaries or a word alone: it gets `default`, since jieba's number is no multiplier but
            a frequency. ``iphone 7`` is such a line, too; as a word it needs a comma, a tab or quotes.
        ``# a note``, an empty line
            Left out; a word that begins with ``#`` needs quotes.

        A bad multiplier, one behind a bare space, or a word with two raises ValueError, which names file and line.
        """
        from kexue_nlp.datasets._files import read_lines  # which loads much that a segmenter does not need

        default = _checked("default", default)
        multipliers: dict[str, float] = {}
        for number, line in enumerate(map(str.strip, read_lines(path)), start=1):
            header = not multipliers and re.sub('[ "]', "", line.lower().replace("\t", ",")) in _HEADERS
            if not line or line[0] == "#" or header:
                continue
            try:
                word, value = _split_line(line)
                multiplier = _checked(word, default if value is None else value)
                if multipliers.setdefault(word, multiplier) != multiplier:
                    raise ValueError(f"{word!r} is already in the lexicon; keep one of the two lines")
            except ValueError as error:
                name, hint = getattr(path, "name", path), "; a word with a comma needs quotes" if "," in line else ""
                raise ValueError(f"{name}, line {number}: {error}{hint}") from None
        return cls(multipliers, fold)

    def write(self, path: str | Path) -> None:
        """Write a file in UTF-8 that :meth:`read` reads; a word with a line break raises ValueError."""
        if broken := [word for word in self if re.search("[\\r\\n]", word)]:
            raise ValueError(f"a file has a word a line, so {broken[0]!r} cannot be written")
        plain = re.compile(r'(?=[^"#\s])[^\t]*(?<=\S)')
        words = (word if plain.fullmatch(word) else '"' + word.replace('"', '""') + '"' for word in self)
        values = ({math.inf: "always", 0.0: "never"}.get(value, value) for value in self.values())
        lines = "".join(f"{word}\t{value}\n" for word, value in zip(words, values, strict=True))
        Path(path).write_bytes(lines.encode())

    def __len__(self) -> int:
        return len(self._multipliers)

    def __getitem__(self, word: str) -> float:
        return self._multipliers[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._multipliers)

    def __repr__(self) -> str:
        return f"Lexicon({len(self)} words)"

    def find(self, text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Do as :meth:`Matcher.find`, with multipliers, float64 (N,), in place of words."""
        if not isinstance(text, str):
            raise TypeError(f"a lexicon is matched against a str, got {type(text).__name__} {text!r:.60}")
        matcher, multipliers = self._search
        starts, ends, words = matcher.find(text)
        return starts, ends, multipliers[words]

    def matches(self, text: str) -> list[tuple[int, int, float]]:
        """Return what :meth:`find` finds as a list of (start, end, multiplier) to look at."""
        return list(zip(*(column.tolist() for column in self.find(text)), strict=True))

    def bonuses(self, text: str, log_probabilities: np.ndarray | None = None) -> np.ndarray:
        """Return log-bonuses to add to a tagger's log-probabilities before Viterbi, by :func:`span_bonuses`."""
        return span_bonuses(*self.find(text), len(text), log_probabilities)


def span_bonuses(
    starts: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    length: int,
    log_probabilities: np.ndarray | None = None,
) -> np.ndarray:
    """Turn spans into log-bonuses: the log of the multiplier at each tag that keeps the span whole.

    Starts, ends and multipliers, shape (N,), are those of :meth:`Lexicon.find`, in a text of `length` T. The result is
    float32 of shape (T, 4), with columns s, b, m, e; bonuses of overlapping spans add up, to 50,000 at most.

    "Always" (infinity) counts 10,000 in place of the log. "Never" (0) gives as much to s and b at the one place inside
    where a cut is most probable by the network's log-probabilities (T, 4), and takes it from s of a single character;
    ValueError if it needs them and they are not given.

    Examples
    --------
    >>> span_bonuses(np.array([1]), np.array([3]), np.array([math.e]), length=3)
    array([[0., 0., 0., 0.],
           [0., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """
    bonuses = np.zeros((length, 4))
    with np.errstate(divide="ignore"):  # log 0 is -inf
        gains = np.clip(np.log(multipliers), -_ALWAYS, _ALWAYS)
    # A word of one character is s.
    single = ends - starts == 1
    np.add.at(bonuses, (starts[single], _S), gains[single])
    # A word that is never whole is cut where the network likes it best, at the first such place.
    never = (multipliers == 0) & ~single
    if never.any():
        if log_probabilities is None:
            raise ValueError("a word that is never whole is cut where that is most probable; give log_probabilities")
        s, b, m, e = np.asarray(log_probabilities, dtype=np.float64).T
        likes_cut = np.logaddexp(s, b) - np.logaddexp(m, e)
        for start, end in zip(starts[never] + 1, ends[never], strict=True):
            bonuses[start + likes_cut[start:end].argmax(), [_S, _B]] += _ALWAYS
    # Any other is b at its first character, e at its last, and m between them.
    longer = ~single & ~never
    starts, ends, gains = starts[longer], ends[longer], gains[longer]
    np.add.at(bonuses, (starts, _B), gains)
    np.add.at(bonuses, (ends - 1, _E), gains)
    counts = ends - starts - 2
    spans = np.repeat(np.arange(len(starts)), counts)  # 0 0 0 1 1 …: one entry for each inner position
    before = np.cumsum(counts) - counts  # how many entries stand before those of a span
    positions = starts[spans] + 1 + np.arange(len(spans)) - before[spans]
    np.add.at(bonuses, (positions, _M), gains[spans])
    return bonuses.clip(-_MOST, _MOST).astype(np.float32)


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


def _checked(word: str, value: float | str) -> float:
    """Return the multiplier of a word as a number, if both are what they must be."""
    if not isinstance(word, str):
        raise TypeError(f"a lexicon's words are strings, got {word!r}")
    if not word:
        raise ValueError("a lexicon's words have at least one character, got an empty one")
    try:
        multiplier = math.nan if isinstance(value, bytes | bool) else float(_SPECIAL.get(value, value))
    except (TypeError, ValueError):
        raise ValueError(f"the multiplier of {word!r} must be a number, 'always' or 'never', got {value!r}") from None
    if not multiplier >= 0:
        raise ValueError(f"the multiplier of {word!r} must be above 0, 'always' or 'never', got {value!r}")
    return multiplier


def _split_line(line: str) -> tuple[str, str | None]:
    """Split one line of a file into word and multiplier, or None if it has none."""
    if quoted := line[0] == '"' and _QUOTED.fullmatch(line):
        return quoted[1].replace('""', '"'), quoted[2]
    for separator in "\t,":
        if separator in line:
            word, _, value = line.rpartition(separator)
            return word.strip(), value.strip()
    word = _JIEBA.fullmatch(line)[1]
    if " " in word and _LIKE_A_MULTIPLIER.search(word):
        raise ValueError(f"write a comma or a tab before the multiplier, or behind a word that ends so; got {line!r}")
    return word, None


def forward_maximum_matching(texts: str | Iterable[str], words: Collection[str]) -> list[str] | list[list[str]]:
    """Segment one text or many by taking the longest known word at each position, left to right.

    This is the oldest dictionary method, and the baseline that any trained segmenter has to beat. A character that
    starts no known word stands alone. `words` is a ``set``, ``frozenset`` or ``dict``.

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
