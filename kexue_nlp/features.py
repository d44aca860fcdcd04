"""What a segmentation network reads of a text: characters, and optionally pairs of them and known words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from kexue_nlp.text import PAD, UNKNOWN, Vocabulary, code_points, normalise

__all__ = ["N_PATTERNS", "Features", "normal_points"]

N_PATTERNS = 256
"""Ids of the known-word column: one for each subset of eight statements about a position."""

# The eight: a known word of two, of three, of more characters begins here; one of each kind ends here; one of
# three, one of more goes on through here.
_BEGINS, _ENDS, _INSIDE = (1, 2, 4), (8, 16, 32), (0, 64, 128)
_LONGEST = 8  # characters of a known word; longer ones are rare and decided long before their end
_BITS = np.uint64(21)  # of a code point
_END = np.array([2**21 - 1], np.uint32)  # behind a text: above all code points, so that no word goes on with it

_FEW = 200  # numbers to look up
# What `normalise` makes of each character up to the last one that it changes; it changes none between the two ranges.
_NORMAL = np.arange(0xFF5F, dtype=np.uint32)
for _range in (range(0x3001), range(0xFF01, 0xFF5F)):
    _NORMAL[_range] = code_points(normalise("".join(map(chr, _range))))


def normal_points(points: np.ndarray) -> np.ndarray:
    """Do to the code points of a text, uint32 (T,), what :func:`kexue_nlp.text.normalise` does to a text."""
    return np.where(points < len(_NORMAL), _NORMAL.take(points, mode="clip"), points)


class Features:
    """Encode texts as the integers that a segmentation network reads.

    White space becomes padding (0), so the network sees the edge of a text there. The vocabularies, and known words of
    at least two characters (an iterable, or one string of them, sorted, a line each), are normalised by
    :func:`kexue_nlp.text.normalise`. Words without pairs raise ValueError.

    Examples
    --------
    >>> Features(Vocabulary("微信号"))("微信 号").tolist()
    [2, 3, 0, 4]
    >>> Features(Vocabulary("微信号"), Vocabulary(["微信"]), ["信号"])("微信号").tolist()
    [[2, 0, 2, 0], [3, 2, 1, 1], [4, 1, 0, 8]]
    """

    def __init__(self, characters: Vocabulary, pairs: Vocabulary | None = None, words: Iterable[str] = ()) -> None:
        self.characters = characters
        self.pairs = pairs
        if not isinstance(words, str):
            words = sorted(words)
            if bad := [word for word in words if len(word) < 2 or "\n" in word]:
                raise ValueError(f"a known word has at least two characters and no line break, got {bad[0]!r}")
            words = "\n".join(words)
        self.lines = words  # one string: hundreds of thousands of them would fill the memory
        if words and pairs is None:
            raise ValueError("known words are read together with pairs; give pairs, or no words")
        self._trie = _trie(words)
        # The characters once more as a table of all code points, behind the last of them one that is not known.
        points = code_points("".join(characters.tokens))
        self._character_ids = np.full(max(points.max(initial=0), ord(" ")) + 2, UNKNOWN, dtype=np.int32)
        self._character_ids[points] = np.arange(len(points)) + 2
        self._character_ids[ord(" ")] = PAD
        if pairs is not None:
            self._pair_keys = _Keys(_pair_numbers(code_points("".join(pairs.tokens)))[::2])

    @property
    def words(self) -> tuple[str, ...]:
        """The known words, sorted."""
        return tuple(self.lines.split("\n")) if self.lines else ()

    @classmethod
    def fit(cls, sentences: Sequence[Sequence[str]], min_pairs: int = 5, min_words: int = 2) -> Self:
        """Collect characters, pairs and words of a segmented text, sentences of words.

        Characters seen once share the unknown id (article 4195), and so do pairs seen less than `min_pairs` times.
        `min_words` must be above 1: if each word of the training text were known, the network would learn that a word
        which is not does not exist.
        """
        texts = [normalise("".join(words)) for words in sentences]
        counts = Counter(normalise(word) for words in sentences for word in words)
        # Digits and letters are all alike after normalising: a number is not a word one can know.
        often = [word for word, n in counts.items() if n >= min_words and 2 <= len(word) <= _LONGEST]
        known = [word for word in often if "0" not in word and "a" not in word]
        return cls(
            Vocabulary.fit(texts, min_count=2),
            Vocabulary.fit((map(str.__add__, t, t[1:]) for t in texts), min_count=min_pairs),
            known,
        )

    def __call__(self, text: str) -> np.ndarray:
        """Encode a text of length T: ids of characters, int32 (T,), or with pairs int32 (T, 4).

        The columns are character, pair with the one before, pair with the one after (0 where there is no such
        neighbour), and the pattern of known words at this place.
        """
        return self.of_points(normal_points(code_points(text)))

    def of_points(self, points: np.ndarray) -> np.ndarray:
        """Encode a text, given as the code points of its normalised form, uint32 of shape (T,)."""
        ids = self._character_ids.take(points, mode="clip")
        if self.pairs is None:
            return ids
        features = np.zeros((4, len(points)), dtype=np.int32)  # a column is read at a time
        features[0] = ids
        numbers = _pair_numbers(points)
        pairs = np.full(len(numbers), UNKNOWN, dtype=np.int32)
        known, places = self._pair_keys.find(numbers)
        pairs[known] = places + 2
        blank = ids == PAD
        pairs[blank[1:] | blank[:-1]] = PAD
        features[1, 1:] = features[2, : len(pairs)] = pairs
        features[3] = self._patterns(points, numbers)
        return features.T

    def _patterns(self, points: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Say which of the eight statements about known words are true at each position."""
        patterns = np.zeros(len(points), dtype=np.int32)
        points = np.concatenate((points, _END))
        # All positions go down the trie at once, by one character at each level, until no word goes on from any.
        starts, places, bits = np.arange(len(numbers)), [], []
        for length, (keys, is_word) in enumerate(self._trie, start=2):
            known, nodes = keys.find(numbers)
            if not known.size:
                break
            starts = starts.take(known)
            words = starts[is_word.take(nodes)]
            if words.size:
                kind = min(length, 4) - 2
                inside = [words + inner for inner in range(1, length - 1)]
                places += [words, words + (length - 1), *inside]
                bits += [_BEGINS[kind], _ENDS[kind], *(_INSIDE[kind] for _ in inside)]
            numbers = _steps(nodes, points.take(starts + length))
        if places:
            true = np.repeat(np.array(bits, np.int32), [len(where) for where in places])
            np.bitwise_or.at(patterns, np.concatenate(places), true)
        return patterns


class _Keys:
    """A table of distinct numbers, which looks whole arrays up at once: the *i*-th number is found as *i*."""

    _EMPTY = np.uint64(2**64 - 1)

    def __init__(self, numbers: np.ndarray) -> None:
        order = numbers.argsort(kind="stable")
        self._sorted, self._order = np.append(numbers[order], self._EMPTY), np.append(order, -1).astype(np.int32)
        bits = max(4, (2 * len(numbers)).bit_length())
        self._shift, self._last = np.uint64(64 - bits), 2**bits - 1
        self._numbers = np.full(2**bits, self._EMPTY)
        self._found = np.full(2**bits, -1, dtype=np.int32)
        waiting, places = np.arange(len(numbers)), self._hash(numbers)
        while waiting.size:  # whoever finds the place taken tries the next one
            free = self._numbers[places] == self._EMPTY
            self._numbers[places[free]] = numbers[waiting[free]]
            lost = self._numbers[places] != numbers[waiting]
            self._found[places[~lost]] = waiting[~lost]
            waiting, places = waiting[lost], (places[lost] + 1) & self._last

    def _hash(self, numbers: np.ndarray) -> np.ndarray:
        return ((numbers * np.uint64(0x9E3779B97F4A7C15)) >> self._shift).astype(np.intp)

    def find(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of some numbers are among those given, and where each of these stands there."""
        if len(numbers) < _FEW:  # bisection takes fewer steps in Python, hashing fewer for each number
            places = self._sorted.searchsorted(numbers)
            known = (self._sorted.take(places) == numbers).nonzero()[0]
            return known, self._order.take(places.take(known))
        places = self._hash(numbers)
        there = self._numbers.take(places)
        elsewhere = ((there != numbers) & (there != self._EMPTY)).nonzero()[0]
        while elsewhere.size:
            places[elsewhere] = (places[elsewhere] + 1) & self._last
            there[elsewhere] = met = self._numbers[places[elsewhere]]
            elsewhere = elsewhere[(met != numbers[elsewhere]) & (met != self._EMPTY)]
        known = (there == numbers).nonzero()[0]
        return known, self._found.take(places.take(known))


def _trie(words: str) -> list[tuple[_Keys, np.ndarray]]:
    """Arrange words by prefixes of two, three … characters: the steps to each prefix, and whether it is a word."""
    points = code_points(f"\n{words}\n")
    breaks = np.flatnonzero(points == ord("\n")) if words else np.empty(0, dtype=np.intp)
    starts, lengths = breaks[:-1] + 1, np.diff(breaks) - 1
    nodes, length, levels = points[starts], 1, []
    while starts.size:
        numbers = _steps(nodes, points[starts + length])
        length += 1
        is_new = np.append(True, numbers[1:] != numbers[:-1])  # equal prefixes of sorted words are neighbours
        nodes = is_new.cumsum() - 1
        is_word = np.zeros(nodes[-1] + 1, dtype=bool)
        is_word[nodes[lengths == length]] = True
        levels.append((_Keys(numbers[is_new]), is_word))
        nodes, starts, lengths = (column[lengths > length] for column in (nodes, starts, lengths))
    return levels


def _steps(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Make one number of each node, or first character, and the code point that follows."""
    return nodes.astype(np.uint64) << _BITS | points


def _pair_numbers(points: np.ndarray) -> np.ndarray:
    return _steps(points[:-1], points[1:])
