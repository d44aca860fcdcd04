"""BioWord: binary word vectors from clusters of text windows (article 8159).

A window of text is a binary vector of 2V entries: which words occur around its centre, and which word the centre
is. BioHash on such vectors gives K units, each a cluster of windows. The code of a word says which k units it
excites most: by itself, at the centre and around it (static), or with the words around it (contextual).

No vector of 2V entries is ever formed: a window is a row of a sparse matrix with at most one entry per word.
"""

import difflib
import numbers
import os
import reprlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from kexue_nlp.hashing import check_number, winner_take_all
from kexue_nlp.saved_model import SavedModel
from kexue_nlp.text import split_words

__all__ = ["BioWord", "count_winners", "lift", "paper_weights", "unquoted_words", "window_matrix"]

_CHUNK = 4096  # windows whose activations are held at a time
_FLOOR = 1e-4  # added to word frequencies, or a few rare words would decide where a window belongs
_FORGET = 0.8  # share of what a unit has counted that is kept from one batch to the next
_BATCH = 51_200  # windows between two updates of the weights
_LEVELS = 65_535  # of a weight in a small file: enough for equal ones to be rare
_PARAMETERS = ("n_units", "n_active", "window", "vocabulary_size", "n_learning", "n_winners", "weighting")

Place = tuple[str | Sequence[str], int]  # a text or its words, and the position of one of them


def unquoted_words(text: str) -> list[str]:
    """Cut a text by :func:`kexue_nlp.text.split_words`, without quotation marks: ``'film'`` is film."""
    return [word for part in split_words(text) if (word := part.strip("'"))]


def window_matrix(ids: np.ndarray, centres: np.ndarray, half: int, n_words: int) -> sp.csr_array:
    """Describe windows of text as sparse binary vectors, float32 of shape (N, 2V + 1), V being `n_words`.

    `ids`, shape (T,), holds words as numbers below V, and at least `half` times 2V between documents and at both ends;
    `centres`, shape (N,), positions of words in it. Columns 0 to V − 1 are the `half` words on each side of the centre,
    1 however often they occur there, and columns V to 2V − 1 the centre. Column 2V takes what is no word, so that all
    rows are of one length; it must meet zeros only.
    """
    gap = 2 * n_words
    columns = [ids[centres] + n_words]
    around = [ids[centres + offset] for offset in range(-half, half + 1) if offset]
    for i, column in enumerate(around):
        repeated = np.any([column == earlier for earlier in around[:i]], axis=0)
        columns.append(np.where(repeated, gap, column))
    return _one_hot(np.stack(columns, axis=1, dtype=np.int32), gap + 1)


def _one_hot(columns: np.ndarray, width: int) -> sp.csr_array:
    """Return a sparse matrix with ones in the given columns of each row."""
    starts = np.arange(0, columns.size + 1, columns.shape[1], dtype=np.int32)
    return sp.csr_array((np.ones(columns.size, np.float32), columns.ravel(), starts), shape=(len(columns), width))


def count_winners(windows: sp.csr_array, weights: np.ndarray, n_winners: int = 1) -> sp.csr_array:
    """Give each window to the units that it excites most, and count the words of each unit, shape (2V + 1, K).

    The windows are a :func:`window_matrix`, the weights float32 of shape (2V + 1, K), with a last row of zeros.
    """
    activations = windows @ weights
    rows = np.arange(len(activations))
    best = np.empty((len(activations), n_winners), np.int32)
    for rank in range(n_winners):  # for a few winners faster than sorting
        best[:, rank] = activations.argmax(axis=1)
        activations[rows, best[:, rank]] = -np.inf
    return windows.T.tocsr() @ _one_hot(best, activations.shape[1])


def lift(counts: np.ndarray, frequencies: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Turn the counts of each unit's words into weights: how much more frequent a word is there than anywhere.

    The result is count / (windows of the unit) / (p + 0.0001), written to `out` if given; a unit without windows has
    zeros. `counts`, float32 of shape (2V + 1, K), come from :func:`count_winners`; `frequencies`, shape (V,), are the
    shares p of the words in the corpus. This keeps the units in balance: neither large ones nor rare words take all.
    """
    n_words = len(frequencies)
    n_windows = counts[n_words : 2 * n_words].sum(axis=0)  # each has one centre
    weights = _divide(counts, frequencies + _FLOOR, out)
    weights /= np.maximum(n_windows, np.finfo(np.float32).tiny)
    return weights


def paper_weights(counts: np.ndarray, frequencies: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Turn the counts of each unit's words into weights as the paper's energy −Σ ⟨W_μ, v/p⟩/‖W_μ‖ demands.

    It is least for W_μ ∝ Σ v/p over the windows of unit μ, at Euclidean length 1. A few rare words make up most
    of that length, and one unit soon wins half of all windows. Parameters and result as those of :func:`lift`.
    """
    weights = _divide(counts, frequencies, out)
    weights /= np.maximum(np.linalg.norm(weights, axis=0), np.finfo(np.float32).tiny)
    return weights


def _divide(counts: np.ndarray, frequencies: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """Divide each word's counts, around the centre and at it, by its frequency; the last row becomes zero."""
    per_word = np.append(np.tile(1 / frequencies, 2), 0).astype(np.float32)
    return np.multiply(counts, per_word[:, None], out=out)


_WEIGHTINGS = {"lift": lift, "paper": paper_weights}


class BioWord(SavedModel, BaseEstimator):
    """Binary word vectors learned by clustering windows of text.

    Each window excites K units by the inner product ⟨W, v⟩ of its binary vector v with their weights. Training
    alternates: windows go to the unit that they excite most; units become the average of their windows, with each
    word counted relative to its frequency. Liang et al., "Can a Fruit Fly Learn Word Embeddings?" (2021), arXiv
    2101.06887, learn by small steps; here whole batches are counted, as the article suggests. The pretrained vectors
    are of 20,000 words of the IMDB reviews. `random_state` seeds the order of the windows and the first units.

    Parameters
    ----------
    n_units, n_active : int
        K, length of the code, and k, its ones unless a method is told another `k`. A word that few units have seen has
        fewer ones.
    window, vocabulary_size : int
        Words of a window, an odd number, and V, the most frequent words that are kept. Others are dropped before
        windows are cut.
    n_learning, n_winners : int
        Windows, drawn at random, from which units are learned, and units for which each window counts in the end.
    weighting : {"lift", "paper"}
        How counts become weights: by :func:`lift` or :func:`paper_weights`.

    The fitted attributes are `words_` and `counts_`, the V words, most frequent first, and their occurrences, int64;
    and `weights_`, float32 (2V + 1, K): rows for words around the centre, for words at the centre, and a row of zeros.

    Examples
    --------
    >>> texts = ["the cat drinks milk", "the dog drinks water", "a cat eats fish", "a dog eats meat"] * 20
    >>> model = BioWord(n_units=4, n_active=2, window=3, random_state=0).fit(texts)
    >>> model.static("cat").sum(), model.similarity("cat", "cat")
    (np.uint64(2), 1.0)
    """

    _kind = "BioWord"
    _pretrained = ("bioword", "make pretrain-bioword")

    def __init__(
        self,
        n_units: int = 400,
        n_active: int = 16,
        window: int = 11,
        vocabulary_size: int = 20_000,
        *,
        n_learning: int = 3_000_000,
        n_winners: int = 4,
        weighting: str = "lift",
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        self.n_units, self.n_active, self.window = n_units, n_active, window
        self.vocabulary_size, self.n_learning = vocabulary_size, n_learning
        self.n_winners, self.weighting, self.random_state = n_winners, weighting, random_state

    def fit(self, documents: Iterable[str | Iterable[str]]) -> Self:
        """Learn the units from documents, which are read once and kept as one array of numbers.

        A document is a text, cut into lower-case words by :func:`unquoted_words`, or an iterable of words, as a
        language without spaces needs; anything else raises TypeError.
        """
        self._check()
        weigh, half = _WEIGHTINGS[self.weighting], self.window // 2
        words, counts, ids = _encode(documents, self.vocabulary_size, half)
        frequencies = counts / counts.sum()
        rng = np.random.default_rng(self.random_state)
        centres = np.flatnonzero(ids < 2 * len(words)).astype(np.int32)
        learning = rng.permutation(centres)[: self.n_learning].copy()  # a slice would keep all of it in memory

        # Give each unit the windows around one word; -1 stands for a word that no unit starts from.
        units = _first_units(frequencies, self.n_units, rng)[ids[learning]]
        windows = window_matrix(ids, learning[units >= 0], half, len(words))
        totals = (windows.T.tocsr() @ _one_hot(units[units >= 0, None], self.n_units)).toarray()
        weights = np.empty_like(totals)

        def count(centres: np.ndarray, n_winners: int) -> sp.csr_array:
            return count_winners(window_matrix(ids, centres, half, len(words)), weights, n_winners)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # Learn: weights from counts, then counts from weights, batch by batch. What is old is forgotten.
            for batch in _slices(learning, _BATCH):
                weigh(totals, frequencies, out=weights)
                totals *= _FORGET
                _add(totals, pool.map(count, _slices(batch, _CHUNK), repeat(1)))
            # Count all windows. Their order is free now; that of the text is fastest: neighbours share most words.
            weigh(totals, frequencies, out=weights)
            totals[:] = 0
            for batch in _slices(centres, _BATCH):
                _add(totals, pool.map(count, _slices(batch, _CHUNK), repeat(min(self.n_winners, self.n_units))))
        self._set(words, counts, weigh(totals, frequencies, out=weights))
        return self

    def __contains__(self, word: object) -> bool:
        return word in self._fitted()._ids

    def __len__(self) -> int:
        return len(getattr(self, "words_", ()))

    def __getitem__(self, word: str) -> np.ndarray:
        return self.static(word)

    def static(self, word: str, k: int | None = None) -> np.ndarray:
        """Return the code of a word alone, uint8 (K,): its weights at and around the centre are added up."""
        return self.codes([word], k).toarray()[0]

    def contextual(self, words: str | Sequence[str], i: int, k: int | None = None) -> np.ndarray:
        """Return the code of word `i` of a text or list of words, in its context: uint8 of shape (K,).

        Words outside the vocabulary are dropped, as in training; `i` counts them. A negative `i` counts from the end.
        """
        return self._resolve((words, i), self._k(k))[1]

    def codes(self, words: Iterable[str] | None = None, k: int | None = None) -> sp.csr_array:
        """Return the static codes of some words, or of the whole vocabulary: uint8, one row per word."""
        if isinstance(words, str):
            raise TypeError(f"words is one str, {words!r}; give a list of words, or call static for one")
        n_words = len(self._fitted().words_)
        ids = np.arange(n_words) if words is None else np.array([self._id(word) for word in words], np.intp)
        return _winners(self.weights_[ids] + self.weights_[n_words + ids], self._k(k))

    def nearest(self, query: str | Place, n: int = 10, k: int | None = None) -> list[tuple[str, float]]:
        """Find the `n` words whose static codes are most similar to that of a word, alone or in a context.

        The query is ``"bank"``, or ``("the bank of the river", 1)``. The answer leaves the word itself out and holds
        pairs of a word and its :meth:`similarity`, largest first; of equals the more frequent first.
        """
        k = self._k(k)
        check_number("n", n, 1)
        word, code = self._resolve(query, k)
        if (codes := self._all_codes.get(k)) is None:
            codes = self.codes(k=k)
            self._all_codes = {k: codes}  # of the last k only
        overlaps = codes.astype(np.int32) @ code.astype(np.int32)
        cosines = overlaps / np.sqrt(np.diff(codes.indptr) * code.sum(dtype=np.int64))
        cosines[self._ids[word]] = -1
        order = np.argsort(-cosines, kind="stable")[: min(n, len(cosines) - 1)]
        return [(self.words_[j], float(cosines[j])) for j in order]

    def similarity(self, a: str | Place, b: str | Place, k: int | None = None) -> float:
        """Return the cosine of the codes of two words or places, 0 to 1: the share of ones in common of k."""
        k = self._k(k)
        (_, x), (_, y) = self._resolve(a, k), self._resolve(b, k)
        return float((x & y).sum() / np.sqrt(x.sum(dtype=np.int64) * y.sum(dtype=np.int64)))

    def to_keyed_vectors(self, k: int | None = None) -> Any:
        """Return the static codes of the vocabulary and its counts as gensim's KeyedVectors, float32 zeros and ones."""
        from gensim.models import KeyedVectors

        vectors = KeyedVectors(self._fitted().weights_.shape[1])
        codes = self.codes(k=k).toarray().astype(np.float32)
        vectors.add_vectors(list(self.words_), codes)
        vectors.expandos["count"] = self.counts_
        return vectors

    def save(self, path: str | Path, n_kept: int | None = None) -> None:
        """Write the model to one file, all or nothing.

        With `n_kept` only so many weights of each row are kept, the largest, in 16 bits each; the rest become 0. With
        40 a model of 20,000 words and 400 units needs 5 MB.
        """
        self._write(path, *self._parts(n_kept))

    def _parts(self, n_kept: int | None = None) -> tuple[dict, dict[str, np.ndarray]]:
        weights, scales = self._fitted().weights_, np.ones((len(self.weights_), 1), np.float32)
        n_units = weights.shape[1]
        if n_kept is not None:
            check_number("n_kept", n_kept, 1, n_units)
            n_kept = min(n_kept, self._n_kept or n_kept)
            kept = winner_take_all(weights, n_kept).toarray()
            scales = weights.max(axis=1, keepdims=True) / _LEVELS
            levels = np.ceil(weights / np.where(scales > 0, scales, 1))  # up: what is kept does not become 0
            weights = (kept * np.minimum(levels, _LEVELS)).astype(np.uint16)
        meta = {name: getattr(self, name) for name in _PARAMETERS}
        meta |= {"words": self.words_, "n_kept": n_kept or self._n_kept, "n_units": n_units}
        return meta, {"counts": self.counts_, "weights": weights, "scales": scales}

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        model = cls(**{name: meta[name] for name in _PARAMETERS})
        model._check()
        words, counts, weights = meta["words"], arrays["counts"], arrays["weights"] * arrays["scales"]
        if weights.shape != (2 * len(words) + 1, model.n_units) or counts.shape != (len(words),):
            raise ValueError(f"{len(words)} words, counts {counts.shape}, weights {weights.shape}")
        model._set(tuple(words), counts, weights, meta["n_kept"])
        return model

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)  # all of it plain Python and NumPy, so that a copy has the random state too

    def _set(self, words: tuple[str, ...], counts: np.ndarray, weights: np.ndarray, n_kept: int | None = None) -> None:
        self.words_, self.counts_, self.weights_ = words, counts, weights
        self._n_kept = n_kept  # weights per row that a small file kept
        self._ids = {word: i for i, word in enumerate(words)}
        self._all_codes: dict[int, sp.csr_array] = {}

    def _fitted(self) -> Self:
        if not hasattr(self, "weights_"):
            raise ValueError("this BioWord has learned nothing yet; call fit, or take BioWord.load()")
        return self

    def _id(self, word: str) -> int:
        if word not in self._fitted()._ids:
            closest = difflib.get_close_matches(str(word), self.words_, n=3, cutoff=0.0)
            raise KeyError(f"{word!r} is not in the vocabulary; close to it: {', '.join(closest)}")
        return self._ids[word]

    def _k(self, k: int | None) -> int:
        k = self.n_active if k is None else k
        check_number("k", k, 1, self._fitted().weights_.shape[1])
        if self._n_kept is not None and k > self._n_kept:
            raise ValueError(f"k={k}, but the file of this model kept only {self._n_kept} weights per word")
        return int(k)

    def _resolve(self, query: str | Place, k: int) -> tuple[str, np.ndarray]:
        """Return the word asked for and its code."""
        if isinstance(query, str):
            return query, self.static(query, k)
        is_pair = isinstance(query, tuple) and len(query) == 2
        if not is_pair or not isinstance(query[1], numbers.Integral) or isinstance(query[1], bool):
            raise TypeError(f"give a word, or a text or words and an integer position; got {reprlib.repr(query)}")
        words, i = query
        words = unquoted_words(words) if isinstance(words, str) else list(words)
        if not -len(words) <= i < len(words):
            raise IndexError(f"i={i} is none of the positions of {len(words)} words")
        self._id(words[i])
        half, n_words = self.window // 2, len(self.words_)
        known = [self._ids[word] for word in words if word in self._ids]
        before = sum(word in self._ids for word in words[: i % len(words)])
        gap = [2 * n_words] * half
        ids = np.array(gap + known + gap, np.int32)
        activations = window_matrix(ids, np.array([half + before]), half, n_words) @ self.weights_
        return words[i], _winners(activations, k).toarray()[0]

    def _check(self) -> None:
        for name in ("n_units", "n_winners", "vocabulary_size", "n_learning"):
            check_number(name, getattr(self, name), 1)
        check_number("n_active", self.n_active, 1, self.n_units)
        check_number("window", self.window, 3)
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, to have a centre; got {self.window}")
        if self.weighting not in _WEIGHTINGS:
            raise ValueError(f"weighting must be 'lift' or 'paper', not {self.weighting!r}")


def _slices(positions: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (positions[start : start + size] for start in range(0, len(positions), size))


def _add(totals: np.ndarray, parts: Iterable[sp.csr_array]) -> None:
    for part in parts:
        rows = np.repeat(np.arange(len(totals)), np.diff(part.indptr))
        totals[rows, part.indices] += part.data  # no position occurs twice


def _winners(activations: np.ndarray, k: int) -> sp.csr_array:
    """Set the k largest activations to 1, but none that is 0: a unit that has never seen a word says nothing."""
    winners = winner_take_all(activations, k)
    rows = np.repeat(np.arange(len(activations)), k)
    winners.data[activations[rows, winners.indices] <= 0] = 0
    winners.eliminate_zeros()
    return winners


def _encode(
    documents: Iterable[str | Iterable[str]], vocabulary_size: int, half: int
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return the words, most frequent first, their counts, and the corpus as `window_matrix` takes it."""
    if isinstance(documents, str):
        raise TypeError("documents is one text; give an iterable of documents, such as a list")
    # Number the words as they come. Number 0 stands between documents: no word equals it.
    numbering: defaultdict[Any, int] = defaultdict()
    numbering.default_factory = numbering.__len__
    gap = [numbering[object()]] * half
    stream = array("i", gap)
    for position, document in enumerate(documents):
        try:
            words = unquoted_words(document) if isinstance(document, str) else document
            stream.extend(map(numbering.__getitem__, words))
        except TypeError as error:  # no iterable, or a list for a word
            raise TypeError(f"document {position} is neither text nor words: {error}") from error
        stream.extend(gap)
    tokens = list(numbering)[1:]
    if wrong := [token for token in tokens if not isinstance(token, str)]:
        raise TypeError(f"a document holds {wrong[0]!r}, which is not a str; words must be")
    if not tokens:
        raise ValueError("the documents hold no word")
    # Number them anew, most frequent first, and drop those outside the vocabulary.
    ids = np.frombuffer(stream, dtype=np.intc)
    counts = np.bincount(ids)[1:]
    order = np.argsort(-counts, kind="stable")[:vocabulary_size]
    renumbered = np.full(len(tokens) + 1, -1, np.int32)
    renumbered[order + 1] = np.arange(len(order))
    renumbered[0] = 2 * len(order)
    ids = renumbered[ids]
    return tuple(tokens[i] for i in order), counts[order], ids[ids >= 0]


def _first_units(frequencies: np.ndarray, n_units: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one word for each unit, neither very frequent nor rare; return the unit of each word, or -1."""
    candidates = np.flatnonzero((frequencies > 2e-5) & (frequencies < 5e-4))
    if len(candidates) < n_units:
        candidates = np.arange(len(frequencies))
    drawn = rng.choice(candidates, min(n_units, len(candidates)), replace=False)
    units = np.full(len(frequencies), -1)
    units[drawn] = np.arange(len(drawn))
    return units
