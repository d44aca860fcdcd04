"""What a segmentation network reads of a text: characters, and optionally pairs of them and known words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from kexue_nlp.lexicon import Matcher, inner_positions
from kexue_nlp.text import UNKNOWN, Vocabulary, code_points, normalise

__all__ = ["N_PATTERNS", "Features"]

N_PATTERNS = 256
"""Ids of the known-word column: one for each subset of eight statements about a position."""

# The eight: a known word of two, of three, of more characters begins here; one of each kind ends here; one of
# three, one of more goes on through here.
_BEGINS, _ENDS, _INSIDE = (1, 2, 4), (8, 16, 32), (64, 128)
_LONGEST = 8  # characters of a known word; longer ones are rare and decided long before their end


class Features:
    """Encode texts as the integers that a segmentation network reads.

    White space becomes padding (0), so the network sees the edge of a text there.

    Parameters
    ----------
    characters, pairs : Vocabulary
        Single characters and, optional, pairs of them, normalised by :func:`kexue_nlp.text.normalise`.
    words : iterable of str
        Known words, normalised, of at least two characters; only together with `pairs`. ValueError otherwise.

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
        self.words = tuple(words)
        if self.words and pairs is None:
            raise ValueError("known words are read together with pairs; give pairs, or no words")
        if short := [word for word in self.words if len(word) < 2]:
            raise ValueError(f"a known word has at least two characters, got {short[0]!r}")
        self._matcher = Matcher(self.words)
        # The vocabularies once more, as sorted numbers: whole corpora are looked up without a Python loop.
        self._character_keys = _Keys(code_points("".join(characters.tokens)).astype(np.uint64))
        if pairs is not None:
            self._pair_keys = _Keys(_pair_numbers(code_points("".join(pairs.tokens)))[::2])

    @classmethod
    def fit(cls, sentences: Sequence[Sequence[str]], min_pairs: int = 5, min_words: int = 2) -> Self:
        """Collect characters, pairs and words of a segmented text, sentences of words.

        Characters seen once share the unknown id (article 4195), and so do pairs seen less than `min_pairs` times.
        Words seen less than `min_words` times are not known. It must be above 1: if each word of the training text were
        known, the network would learn that a word which is not does not exist.
        """
        texts = [normalise("".join(words)) for words in sentences]
        counts = Counter(normalise(word) for words in sentences for word in words)
        # Digits and letters are all alike after normalising: a number is not a word one can know.
        often = [word for word, n in counts.items() if n >= min_words and 2 <= len(word) <= _LONGEST]
        known = [word for word in often if "0" not in word and "a" not in word]
        return cls(
            Vocabulary.fit(texts, min_count=2),
            Vocabulary.fit((map(str.__add__, t, t[1:]) for t in texts), min_count=min_pairs),
            sorted(known),
        )

    def __call__(self, text: str) -> np.ndarray:
        """Encode a text of length T, int32 of shape (T,) or (T, 4).

        The result holds character ids. With pairs, the columns are character, pair with the one before, pair with the
        one after (0 where there is no such neighbour), and the pattern of known words at this place.
        """
        text = normalise(text)
        points = code_points(text)
        ids = self._character_keys.ids(points.astype(np.uint64))
        ids[points == ord(" ")] = 0
        if self.pairs is None:
            return ids
        features = np.zeros((len(text), 4), dtype=np.int32)
        features[:, 0] = ids
        pairs = self._pair_keys.ids(_pair_numbers(points))
        pairs[(ids[1:] == 0) | (ids[:-1] == 0)] = 0
        features[1:, 1] = features[: len(pairs), 2] = pairs
        features[:, 3] = self._patterns(text)
        return features

    def _patterns(self, text: str) -> np.ndarray:
        patterns = np.zeros(len(text), dtype=np.int32)
        starts, ends, _ = self._matcher.find(text)
        kind = np.minimum(ends - starts, 4) - 2
        np.bitwise_or.at(patterns, starts, np.take(_BEGINS, kind))
        np.bitwise_or.at(patterns, ends - 1, np.take(_ENDS, kind))
        positions, spans = inner_positions(starts, ends)
        np.bitwise_or.at(patterns, positions, np.take(_INSIDE, kind[spans] - 1))
        return patterns


class _Keys:
    """Ids of numbers: the *i*-th of those given has id *i* + 2, any other is unknown."""

    def __init__(self, numbers: np.ndarray) -> None:
        order = np.argsort(numbers)
        self._sorted = numbers[order]
        self._ids = (order + 2).astype(np.int32)

    def ids(self, numbers: np.ndarray) -> np.ndarray:
        if not self._sorted.size:
            return np.full(len(numbers), UNKNOWN, dtype=np.int32)
        place = np.minimum(np.searchsorted(self._sorted, numbers), self._sorted.size - 1)
        return np.where(self._sorted[place] == numbers, self._ids[place], np.int32(UNKNOWN))


def _pair_numbers(points: np.ndarray) -> np.ndarray:
    """Make one number of each two neighbours; a code point has 21 bits."""
    return points[:-1].astype(np.uint64) << np.uint64(21) | points[1:].astype(np.uint64)
