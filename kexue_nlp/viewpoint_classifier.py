"""Find the polarity on names by classifying each occurrence of a known name: article 4118's task without a network.

A text is read as two sequences, in which every known name is one token: its characters, and its *cues*, the words of a
few classes such as good, bad and not; 比 between two names and 不 before a good word look alike whatever the words.
Each occurrence of a name is a candidate: no entity, praised, mentioned or blamed.

1. Logistic regressions weigh n-grams of both sequences by where they stand, seen from the candidate. What they say of a
   sentence that they have not learned from is the input of 2 (stacked generalisation, Wolpert 1992).
2. Small multilayer perceptrons and boosted trees read these scores, those of the other candidates, the places of all,
   what labelled reviews say of the n-grams, and how often the name was labelled, and with what. Their answers are
   averaged.

It is trained by ``benchmarks/reproduce/train_classifier.py``; here it only answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Self

import numpy as np
from scipy.special import softmax

from kexue_nlp.lexicon import Matcher, leftmost_longest
from kexue_nlp.mentions import Mention, MentionFinder
from kexue_nlp.text import code_points, normalise, simplify
from kexue_nlp.text import fold as fold_text

__all__ = ["ViewpointClassifier"]

_POLARITIES = ("pos", "neu", "neg")
_NAME, _END, _BREAK, _FIRST = range(1, 5)  # tokens; from the last on, characters or classes of cues
_BREAKS = [ord(c) for c in ",。!?;… "]  # of a normalised text: between clauses
_BITS = 20  # of a hashed n-gram
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing
_DEPTH = 5  # of a boosted tree
_SCALE = 1024  # weights are whole numbers of 1/1024: their sums are exact, whatever else is in the batch


class _Sequence:
    """Tokens of several texts, each with an end, the n-grams that begin at each, and the regions of the candidates."""

    def __init__(self, tokens: np.ndarray, breaks: np.ndarray, places: np.ndarray, max_order: int) -> None:
        def around(marks):
            """Return where the tokens between two marks begin and end, for each candidate."""
            marks = np.concatenate([[-1], np.flatnonzero(marks), [len(tokens)]])
            return marks[np.searchsorted(marks, places) - 1] + 1, marks[np.searchsorted(marks, places, "right")]

        clause, end_of_clause = around(breaks)
        self.start, self.end = around(tokens == _END)
        before, behind = around(tokens == _NAME)
        self.texts = np.searchsorted(np.flatnonzero(tokens == _END), np.arange(len(tokens)))
        self.hashes, self.regions = [], []
        hashed = np.zeros(len(tokens), dtype=np.uint64)
        for order in range(max_order):
            hashed[: max(len(tokens) - order, 0)] ^= tokens[order:].astype(np.uint64)
            hashed *= _MULTIPLIER
            hashed ^= hashed >> np.uint64(29)
            self.hashes.append(((hashed + np.uint64(order)) * _MULTIPLIER >> np.uint64(64 - _BITS)).astype(np.intp))
            # The places where an n-gram of each region may begin: with the name in it, left and right in the clause,
            # in what is before and after the clause, up to the next name, from the one before.
            starts = [places - order, clause, places + 1, self.start, end_of_clause, places + 1, before]
            ends = [places + 1 + order, places, end_of_clause, clause, self.end, behind, places]
            starts, ends = np.maximum(starts, self.start), np.minimum(ends, self.end) - order
            self.regions.append((starts.T, np.maximum(starts, ends).T))  # (N, 7)
        starts, ends = self.regions[0]
        self.distances = (ends - starts)[:, 1:]


class _Reading:
    """What there is to know of the candidates of some texts before anything is learned."""

    def __init__(self, texts: Sequence[str], matcher: Matcher, cues: Matcher, classes: np.ndarray) -> None:
        joined = "\n".join([*texts, ""])
        stops = np.cumsum([len(text) + 1 for text in texts]) - 1
        normal = normalise(simplify(joined))
        starts, ends, names = matcher.find(joined)
        texts_of = np.searchsorted(stops, starts)
        inside = ends <= stops[texts_of]  # not a name across two texts
        order = np.lexsort((ends, starts))
        order = order[inside[order]]
        starts, ends, self.names, self.texts = (a[order] for a in (starts, ends, names, texts_of))
        self.spans = np.stack([starts, ends], axis=1) - (np.append(-1, stops)[self.texts] + 1)[:, None]
        longest = leftmost_longest(starts, ends)
        self.longest = np.isin(np.arange(len(starts)), longest)

        covered = np.zeros(len(joined) + 1, dtype=int)
        np.add.at(covered, starts[longest], 1)
        np.add.at(covered, ends[longest], -1)
        covered = covered.cumsum()[:-1] > 0
        characters = np.maximum(code_points(normal).astype(np.intp), _FIRST)  # a text may hold control characters
        characters[stops] = _END
        characters[starts[longest]] = _NAME
        breaks = np.isin(characters, [*_BREAKS, _END])
        kept = ~covered | (characters == _NAME)
        self.characters = _Sequence(characters[kept], breaks[kept], (kept.cumsum() - 1)[starts], 4)

        first, last, words = cues.find(normal)
        free = np.append(0, covered.cumsum())
        first, last, words = (a[free[last] == free[first]] for a in (first, last, words))
        words, first = (a[leftmost_longest(first, last)] for a in (words, first))
        tokens = np.where(breaks & ~covered, _BREAK, 0)
        tokens[first] = classes[words]
        tokens[stops], tokens[starts[longest]] = _END, _NAME
        kept = tokens > 0
        self.cues = _Sequence(tokens[kept], breaks[kept], (kept.cumsum() - 1)[starts], 6)


class _Layer:
    """Weights of hashed n-grams in each of the regions, for several outputs."""

    def __init__(self, buckets: np.ndarray, weights: np.ndarray) -> None:
        self.buckets, self.weights = buckets, weights  # int32 (V,), int16 (V + 1, regions, outputs), the first row 0
        self.rows = np.zeros(1 << _BITS, dtype=np.int32)
        self.rows[buckets] = np.arange(1, len(buckets) + 1)

    def __call__(self, sequence: _Sequence) -> np.ndarray:
        """Sum up the weights of each region: float64 (N, regions, outputs), divided as the features are."""
        total = 0
        starts, ends = sequence.regions[0]
        share = 1 / np.sqrt(1 + ends - starts) / _SCALE
        region = np.arange(starts.shape[1]) % self.weights.shape[1]
        for hashed, (starts, ends) in zip(sequence.hashes, sequence.regions, strict=True):
            up_to = np.zeros((len(hashed) + 1, *self.weights.shape[1:]), dtype=np.int32)
            np.cumsum(self.weights[self.rows[hashed]], axis=0, out=up_to[1:])
            total += up_to[ends, region] - up_to[starts, region]
        return total * share[:, :, None]


class ViewpointClassifier(MentionFinder):
    """Find the names in a sentence, and whether each is praised, blamed, or only mentioned.

    The pretrained one has learned from BDCI 2016, labelled reviews, and made-up sentences that leave no doubt.

    Parameters
    ----------
    gazetteer, fold : iterable of str, bool
        Known names, and whether they are found whatever their case, width and script, as in
        :class:`kexue_nlp.viewpoint_tagger.ViewpointTagger`. Both may be set later.
    cues : mapping of str to sequence of str
        Classes of words that tell praise from blame, such as ``{"good": ["好"], "not": ["不"]}``. At each place the
        longest counts; the words of the class "none" are only there to keep others from being read in them.
    threshold : float
        From which probability on a name is found: the mean of that of being an entity, and of having this polarity. May
        be set later.

    Examples
    --------
    >>> classifier = ViewpointClassifier.load()
    >>> [(mention.name, mention.polarity) for mention in classifier("丰田太差，我喜欢本田。")]
    [('丰田', 'neg'), ('本田', 'pos')]
    """

    _kind = "viewpoint classifier"
    _pretrained = ("viewpoint_classifier", "make pretrain-classifier")

    def __init__(
        self,
        gazetteer: Iterable[str],
        cues: Mapping[str, Sequence[str]],
        threshold: float = 0.38,
        fold: bool = True,
    ) -> None:
        self.cues = {name: tuple(words) for name, words in cues.items()}
        pairs = [(normalise(word), i) for i, name in enumerate(self.cues, _FIRST) for word in self.cues[name]]
        if not all(word for word, _ in pairs) or not 0 <= threshold <= 1:
            raise ValueError(f"cues must be words, none of them empty, and the threshold from 0 to 1, got {threshold}")
        nothing = _FIRST + list(self.cues).index("none") if "none" in self.cues else -1
        self._cues = Matcher(word for word, _ in pairs)
        self._classes = np.array([0 if i == nothing else i for _, i in pairs], dtype=np.intp)
        self.threshold, self.fold, self.gazetteer = threshold, fold, gazetteer
        self._layers: list[_Layer] = []  # of characters and cues; with 4 outputs: entity at all, pos, neu, neg
        self._reviews = _Layer(np.empty(0, np.int32), np.zeros((1, 1, 1), np.int16))
        self._perceptrons: dict[str, np.ndarray] = {}
        self._counts: dict[str, list[int]] = {}  # of a folded name: no entity, pos, neu, neg

    def _inputs(self, reading: _Reading) -> np.ndarray:
        """What the perceptrons read of each candidate, (N, features)."""
        sums = [layer(s) for layer, s in zip(self._layers, (reading.characters, reading.cues), strict=True)]
        scores = sums[0].sum(axis=1) + sums[1].sum(axis=1)  # (N, 4)
        used, which = np.unique(reading.names, return_inverse=True)
        counts = [self._counts.get(fold_text(self.gazetteer[i]), (0, 0, 0, 0)) for i in used.tolist()]
        counts = np.array(counts, dtype=float).reshape(-1, 4)[which]
        labelled = counts[:, 1:].sum(axis=1)
        rate = (labelled + 1) / (counts.sum(axis=1) + 2)
        lean = [(counts[:, k] + 1) / (labelled + 3) for k in (1, 3)]
        mine = np.column_stack([scores, 4 * rate, *lean])

        # The other candidates of the text: their mean, the one before, the one behind, and those that overlap.
        texts, n = reading.texts, len(reading.texts)
        begin, end = np.searchsorted(texts, texts), np.searchsorted(texts, texts, "right")
        up_to = np.concatenate([np.zeros((1, mine.shape[1])), mine.cumsum(axis=0)])
        others = (up_to[end] - up_to[begin] - mine) / np.maximum(end - begin - 1, 1)[:, None]
        neighbours = []
        for step in (-1, 1):
            near = np.clip(np.arange(n) + step, 0, n - 1)
            same = (texts[near] == texts) & (near != np.arange(n))
            (a, b), (c, d) = reading.spans.T, reading.spans[near].T
            overlap = same & (a < d) & (c < b)
            neighbours += [mine[near] * same[:, None], mine[near][:, [0, 4]] * overlap[:, None], overlap]
        up_to = np.append(0, reading.longest.cumsum())
        places = [reading.longest, up_to[:-1] - up_to[begin], up_to[end] - up_to[begin], end - begin]
        numbers = [counts.sum(axis=1), labelled, *places, np.diff(reading.spans), reading.characters.distances]
        praise = self._reviews(reading.characters)[:, :, 0]
        sums = [one.reshape(n, -1) for one in sums]
        return np.column_stack([*sums, mine, others, *neighbours, praise, np.log1p(np.column_stack(numbers))])

    def probabilities(self, texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return of each text the spans of its candidates, int (N, 2), and float64 (N, 4): none, pos, neu, neg."""
        if not self._perceptrons:
            raise ValueError("this classifier has not learned anything; load one that has")
        reading, p = _Reading(texts, self.matcher, self._cues, self._classes), self._perceptrons
        if not len(reading.texts):
            return [(np.empty((0, 2), dtype=np.intp), np.empty((0, 4)))] * len(texts)
        inputs = (self._inputs(reading) - p["mean"]) / p["scale"]
        odds = np.maximum(inputs @ p["w1"] + p["b1"][:, None], 0) @ p["w2"] + p["b2"][:, None]  # (3, N, 4)
        # Trees have as much to say as the three perceptrons together.
        likely = (softmax(odds, axis=2).mean(axis=0) + softmax(_ask_trees(inputs, p), axis=1)) / 2
        bounds = np.searchsorted(reading.texts, np.arange(len(texts) + 1))
        return [(reading.spans[a:b], likely[a:b]) for a, b in pairwise(bounds)]

    def _tag(self, texts: Sequence[str]) -> list[list[Mention]]:
        return [self._choose(text, *found) for text, found in zip(texts, self.probabilities(texts), strict=True)]

    def _choose(self, text: str, spans: np.ndarray, likely: np.ndarray) -> list[Mention]:
        """Choose the most probable candidates that do not overlap."""
        mentions: list[Mention] = []
        sure = (1 - likely[:, 0] + likely[:, 1:].max(axis=1)) / 2
        for i in np.argsort(-sure, kind="stable").tolist():
            (start, end), best = spans[i].tolist(), int(likely[i, 1:].argmax())
            if sure[i] < self.threshold:
                break
            if all(end <= other.start or other.end <= start for other in mentions):
                mentions.append(
                    Mention(text[start:end], start, end, _POLARITIES[best], round(float(likely[i, 1 + best]), 6))
                )
        return sorted(mentions, key=lambda mention: mention.start)

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        meta = {"gazetteer": list(self.gazetteer), "cues": {name: list(words) for name, words in self.cues.items()}}
        known = {fold_text(name) for name in self.gazetteer}
        meta |= {"counts": {name: counts for name, counts in self._counts.items() if name in known}}
        meta |= {"threshold": self.threshold, "fold": self.fold, "layers": len(self._layers)}
        arrays = dict(self._perceptrons)
        for i, layer in enumerate([self._reviews, *self._layers]):
            arrays |= {f"buckets_{i}": layer.buckets, f"weights_{i}": layer.weights}
        return meta, arrays

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        made = cls(meta["gazetteer"], meta["cues"], meta["threshold"], meta["fold"])
        layers = [_Layer(arrays.pop(f"buckets_{i}"), arrays.pop(f"weights_{i}")) for i in range(meta["layers"] + 1)]
        made._reviews, *made._layers = layers
        made._perceptrons, made._counts = arrays, meta["counts"]
        return made


def _ask_trees(inputs: np.ndarray, trees: dict[str, np.ndarray], n_rows: int = 64) -> np.ndarray:
    """What boosted trees add up to for none, pos, neu and neg, float64 (N, 4). A few rows at a time fit the cache."""
    roots = np.arange(len(trees["value"]), dtype=np.int32)[:, None] * trees["value"].shape[1]
    feature, limit, value = (trees[name].ravel() for name in ("feature", "limit", "value"))
    left, right = ((trees[side] + roots).ravel() for side in ("left", "right"))
    sums = np.empty((len(inputs), 4))
    for first in range(0, len(inputs), n_rows):
        some = inputs[first : first + n_rows]
        rows, some, node = np.arange(len(some))[:, None] * some.shape[1], some.ravel(), roots.T
        for _ in range(_DEPTH):
            goes_left = some.take(rows + feature.take(node)) <= limit.take(node)
            node = np.where(goes_left, left.take(node), right.take(node))
        sums[first : first + n_rows] = value.take(node).reshape(len(rows), -1, 4).sum(axis=1, dtype=np.float64)
    return sums
