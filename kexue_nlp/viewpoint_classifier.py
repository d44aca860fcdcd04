"""Find the polarity on names by classifying each occurrence of a known name: article 4118's task without a network.

A text is read as two sequences, in which every known name is one token: its characters, and its *cues*, the words of a
few classes such as good, bad and not; 比 between two names and 不 before a good word look alike whatever the words.
Each occurrence of a name is a candidate: no entity, praised, mentioned or blamed.

1. Logistic regressions weigh n-grams of both sequences by where they stand, seen from the candidate. What they say of a
   sentence that they have not learned from is the input of 2 (stacked generalisation, Wolpert 1992).
2. Small multilayer perceptrons, and boosted trees for whether it is an entity at all, read these scores, those of the
   other candidates, the places of all, what labelled reviews say of the n-grams, and how often the name was labelled,
   and with what.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier

from kexue_nlp.entity_decoding import Entity
from kexue_nlp.lexicon import Matcher, leftmost_longest
from kexue_nlp.mentions import Mention, MentionFinder
from kexue_nlp.tagging import entities_to_tags
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

    @classmethod
    def untrained(cls, sequence: _Sequence, min_df: int) -> Self:
        """Know the n-grams that occur in so many of the texts."""
        n = sequence.texts[-1] + 1
        pairs = np.unique(np.concatenate([hashed * n + sequence.texts for hashed in sequence.hashes]))
        buckets, counts = np.unique(pairs // n, return_counts=True)
        return cls(buckets[counts >= min_df].astype(np.int32), np.zeros((1, 1, 1), np.int16))

    def features(self, sequence: _Sequence) -> sp.csr_matrix:
        """Count the n-grams of each region, divided by the root of its length: (N, regions * V)."""
        starts, ends = sequence.regions[0]
        n, n_regions = starts.shape
        share = 1 / np.sqrt(1 + ends - starts).ravel()
        values, columns, rows = [], [], []
        for hashed, (starts, ends) in zip(sequence.hashes, sequence.regions, strict=True):
            counts = (ends - starts).ravel()
            cells = np.repeat(np.arange(n * n_regions), counts)
            places = np.arange(counts.sum()) + np.repeat(starts.ravel() - counts.cumsum() + counts, counts)
            known = self.rows[hashed[places]]
            cells, known = cells[known > 0], known[known > 0] - 1
            values.append(share[cells].astype(np.float32))
            columns.append(cells % n_regions * len(self.buckets) + known)
            rows.append(cells // n_regions)
        cells = np.concatenate(rows), np.concatenate(columns)
        return sp.csr_matrix((np.concatenate(values), cells), shape=(n, n_regions * len(self.buckets)))

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
    seed : int
        Decides how `fit` divides the sentences, and with what it begins.

    Examples
    --------
    >>> from kexue_nlp.datasets import load_viewpoints
    >>> from kexue_nlp.entity_decoding import find_entities
    >>> data = load_viewpoints()
    >>> classifier = ViewpointClassifier(data.gazetteer, {"good": ["好", "喜欢"], "not": ["不"]})
    >>> pairs = zip(data.sentences, data.labels, strict=True)
    >>> entities = [find_entities(text, labels, classifier.matcher) for text, labels in pairs]
    >>> classifier = classifier.fit(data.sentences[:300], entities[:300])
    >>> [mention.polarity for mention in classifier("我喜欢本田，我不喜欢丰田。")]
    ['pos', 'neg']
    """

    _kind = "viewpoint classifier"
    _pretrained = ("viewpoint_classifier", "make pretrain-classifier")

    def __init__(
        self,
        gazetteer: Iterable[str],
        cues: Mapping[str, Sequence[str]],
        threshold: float = 0.38,
        fold: bool = True,
        seed: int = 0,
    ) -> None:
        self.cues = {name: tuple(words) for name, words in cues.items()}
        pairs = [(normalise(word), i) for i, name in enumerate(self.cues, _FIRST) for word in self.cues[name]]
        if not all(word for word, _ in pairs) or not 0 <= threshold <= 1:
            raise ValueError(f"cues must be words, none of them empty, and the threshold from 0 to 1, got {threshold}")
        nothing = _FIRST + list(self.cues).index("none") if "none" in self.cues else -1
        self._cues = Matcher(word for word, _ in pairs)
        self._classes = np.array([0 if i == nothing else i for _, i in pairs], dtype=np.intp)
        self.threshold, self.fold, self.seed, self.gazetteer = threshold, fold, seed, gazetteer
        self._layers: list[_Layer] = []  # of characters and cues; with 4 outputs: entity at all, pos, neu, neg
        self._reviews = _Layer(np.empty(0, np.int32), np.zeros((1, 1, 1), np.int16))
        self._perceptrons: dict[str, np.ndarray] = {}
        self._counts: dict[str, list[int]] = {}  # of a folded name: no entity, pos, neu, neg

    def fit_reviews(self, texts: Sequence[str], labels: Sequence[bool], min_df: int = 20) -> Self:
        """Learn which n-grams praise from whole texts, True for praise, whatever they are about; before `fit`."""
        sequence = _Reading(texts, Matcher([]), self._cues, self._classes).characters
        layer = _Layer.untrained(sequence, min_df)
        ends = np.flatnonzero(np.diff(sequence.texts, append=-1))
        whole = np.append(0, ends[:-1] + 1)
        sequence.regions = [(whole[:, None], np.maximum(whole, ends - i)[:, None]) for i in range(4)]
        weights = _logistic(layer.features(sequence), np.asarray(labels, bool), C=3)
        self._reviews = _Layer(layer.buckets, _whole_numbers(weights[:, None]))
        return self

    def fit(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        clear: tuple[Sequence[str], Sequence[Sequence[Entity]]] = ((), ()),
        min_df: int = 3,
    ) -> Self:
        """Learn from texts and their entities, as :func:`kexue_nlp.entity_decoding.find_entities` gives them.

        An entity that is not in the gazetteer is left out. What is `clear` are further texts and entities from which
        it is learned how people speak, but not how often a name is labelled. N-grams count that occur in `min_df`
        texts. ValueError if a polarity is missing, or a name without one.
        """
        n = len(texts)
        texts, entities = [*texts, *clear[0]], [*entities, *clear[1]]
        if len(texts) != len(entities) or len(clear[0]) != len(clear[1]):
            raise ValueError(f"{len(texts)} texts have {len(entities)} lists of entities; give one for each")
        for text, one in zip(texts, entities, strict=True):
            entities_to_tags(len(text), one)  # which refuses what is no entity
        reading = _Reading(texts, self.matcher, self._cues, self._classes)
        known = {(i, a, b): 1 + _POLARITIES.index(p) for i, one in enumerate(entities) for a, b, p in one}
        spans = zip(reading.texts.tolist(), *reading.spans.T.tolist(), strict=True)
        truth = np.array([known.get(span, 0) for span in spans], dtype=np.intp)
        if len(set(truth)) < 4:
            raise ValueError("no name of the gazetteer is labelled pos, or neu, or neg, or has no label")
        folded = [fold_text(name) for name in self.gazetteer]
        names, counted = [folded[i] for i in reading.names], reading.texts < n
        layers = [_Layer.untrained(sequence, min_df) for sequence in (reading.characters, reading.cues)]
        # Cues are few, and would drown in characters if they counted as much.
        halves = [layer.features(s) for layer, s in zip(layers, (reading.characters, reading.cues), strict=True)]
        features = sp.hstack([halves[0], halves[1] / 2]).tocsr()
        groups = ["".join(c for c in text if c.isalpha() and not c.isascii()) or text for text in texts]
        groups = np.unique(groups, return_inverse=True)[1][reading.texts]
        inputs = None
        for rest, held_out in GroupKFold(5, shuffle=True, random_state=self.seed).split(features, groups=groups):
            self._learn(features, truth, names, rest, counted, layers)
            said = self._inputs(reading)
            inputs = said if inputs is None else inputs
            inputs[held_out] = said[held_out]
        self._learn(features, truth, names, np.arange(len(truth)), counted, layers)
        # What they read has one scale, as a perceptron needs it.
        mean, scale = inputs.mean(axis=0).astype(np.float32), (inputs.std(axis=0) + 1e-6).astype(np.float32)
        inputs, size, parts = (inputs - mean) / scale, min(256, len(truth)), []
        for i in range(3):
            model = MLPClassifier(32, alpha=3, batch_size=size, learning_rate_init=2e-3, random_state=self.seed + i)
            for _ in range(12):
                model.partial_fit(inputs, truth, classes=np.arange(4))
            parts.append([*model.coefs_, *model.intercepts_])
        w1, w2, b1, b2 = (np.stack(part).astype(np.float32) for part in zip(*parts, strict=True))
        trees = _trees(inputs, truth > 0, self.seed)
        self._perceptrons = {"mean": mean, "scale": scale, "w1": w1, "w2": w2, "b1": b1, "b2": b2} | trees
        return self

    def _learn(self, features, truth, names, chosen, counted, layers) -> None:
        """Make the layers and counts of the chosen candidates."""
        labelled = chosen[truth[chosen] > 0]
        models = [_logistic(features[chosen], truth[chosen] > 0, C=0.1)]
        models += [_logistic(features[labelled], truth[labelled] == k, C=0.3) for k in (1, 2, 3)]
        weights, begin = np.concatenate(models), 0
        self._layers = []
        for layer, share in zip(layers, (1, 0.5), strict=True):
            part = weights[:, begin : begin + 7 * len(layer.buckets)] * share
            self._layers.append(_Layer(layer.buckets, _whole_numbers(part.reshape(4, 7, -1))))
            begin += part.shape[1]
        counts = Counter((names[i], truth[i]) for i in chosen[counted[chosen]].tolist())
        self._counts = {name: [counts[name, k] for k in range(4)] for name, _ in counts}

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
            raise ValueError("this classifier has not learned anything; call fit, or load one")
        reading, p = _Reading(texts, self.matcher, self._cues, self._classes), self._perceptrons
        if not len(reading.texts):
            return [(np.empty((0, 2), dtype=np.intp), np.empty((0, 4)))] * len(texts)
        inputs = (self._inputs(reading) - p["mean"]) / p["scale"]
        odds = np.maximum(inputs @ p["w1"] + p["b1"][:, None], 0) @ p["w2"] + p["b2"][:, None]  # (3, N, 4)
        likely = np.exp(odds - odds.max(axis=2, keepdims=True))
        likely = (likely / likely.sum(axis=2, keepdims=True)).mean(axis=0)
        # The trees have as much to say of whether it is an entity at all.
        entity = (1 - likely[:, 0] + _ask_trees(inputs, p)) / 2
        likely[:, 1:] *= (entity / likely[:, 1:].sum(axis=1))[:, None]
        likely[:, 0] = 1 - entity
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
        meta |= {"threshold": self.threshold, "fold": self.fold, "seed": self.seed, "layers": len(self._layers)}
        arrays = dict(self._perceptrons)
        for i, layer in enumerate([self._reviews, *self._layers]):
            arrays |= {f"buckets_{i}": layer.buckets, f"weights_{i}": layer.weights}
        return meta, arrays

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        made = cls(meta["gazetteer"], meta["cues"], meta["threshold"], meta["fold"], meta["seed"])
        layers = [_Layer(arrays.pop(f"buckets_{i}"), arrays.pop(f"weights_{i}")) for i in range(meta["layers"] + 1)]
        made._reviews, *made._layers = layers
        made._perceptrons, made._counts = arrays, meta["counts"]
        return made


def _logistic(features, labels, C: float) -> np.ndarray:
    """Weights (1, features) of a logistic regression; 0 where there is but one class."""
    if labels.all() or not labels.any():
        return np.zeros((1, features.shape[1]))
    with warnings.catch_warnings():  # a weight that is nearly right is good enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=C, solver="liblinear", dual=True, tol=0.1, max_iter=40, random_state=0)
        return model.fit(features, labels).coef_


def _whole_numbers(weights: np.ndarray) -> np.ndarray:
    """Turn weights (outputs, regions, V) into int16 (V + 1, regions, outputs) with a row of 0 before them."""
    whole = np.clip(np.rint(weights.T * _SCALE), -32767, 32767).astype(np.int16)
    return np.concatenate([np.zeros_like(whole[:1]), whole])


def _trees(inputs: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Learn boosted trees, and return their nodes, (trees, nodes); a leaf leads to itself."""
    model = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_leaf_nodes=10,
        max_depth=_DEPTH,
        min_samples_leaf=40,
        l2_regularization=5,
        early_stopping=False,
        random_state=seed,
    )
    trees = [tree.nodes for (tree,) in model.fit(inputs, labels)._predictors]
    made = np.zeros((len(trees), max(map(len, trees))), dtype=trees[0].dtype)
    for row, tree in zip(made, trees, strict=True):
        row[: len(tree)] = tree
    own = np.arange(made.shape[1])
    left, right = (np.where(made["is_leaf"], own, made[side]).astype(np.int16) for side in ("left", "right"))
    value = made["value"].astype(np.float32)
    value[0] += float(model._baseline_prediction.ravel()[0])
    limit = np.nan_to_num(made["num_threshold"]).astype(np.float32)
    return {
        "feature": made["feature_idx"].astype(np.int16),
        "limit": limit,
        "left": left,
        "right": right,
        "value": value,
    }


def _ask_trees(inputs: np.ndarray, trees: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities (N,) by boosted trees."""
    rows, which = np.arange(len(inputs))[:, None], np.arange(len(trees["value"]))
    node = np.zeros((len(inputs), len(which)), dtype=np.intp)
    for _ in range(_DEPTH):
        left = inputs[rows, trees["feature"][which, node]] <= trees["limit"][which, node]
        node = np.where(left, trees["left"][which, node], trees["right"][which, node])
    return 1 / (1 + np.exp(-trees["value"][which, node].sum(axis=1, dtype=np.float64)))
