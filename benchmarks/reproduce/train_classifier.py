"""How the viewpoint classifier learns; kexue_nlp.viewpoint_classifier holds what it needs to answer."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier

from kexue_nlp.entity_decoding import Entity
from kexue_nlp.lexicon import Matcher
from kexue_nlp.tagging import entities_to_tags
from kexue_nlp.text import fold as fold_text
from kexue_nlp.viewpoint_classifier import (
    _DEPTH,
    _POLARITIES,
    _SCALE,
    ViewpointClassifier,
    _Layer,
    _Reading,
    _Sequence,
)


class ViewpointLearner(ViewpointClassifier):
    """A classifier that can learn; what it saves is a :class:`ViewpointClassifier`."""

    def fit_reviews(self, texts: Sequence[str], labels: Sequence[bool], min_df: int = 20) -> Self:
        """Learn which n-grams praise from whole texts, True for praise, whatever they are about; before `fit`."""
        sequence = _Reading(texts, Matcher([]), self._cues, self._classes).characters
        layer = untrained_layer(sequence, min_df)
        ends = np.flatnonzero(np.diff(sequence.texts, append=-1))
        whole = np.append(0, ends[:-1] + 1)
        sequence.regions = [(whole[:, None], np.maximum(whole, ends - i)[:, None]) for i in range(4)]
        weights = _logistic(features(layer, sequence), np.asarray(labels, bool), C=3)
        self._reviews = _Layer(layer.buckets, _whole_numbers(weights[:, None]))
        return self

    def fit(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        clear: tuple[Sequence[str], Sequence[Sequence[Entity]]] = ((), ()),
        min_df: int = 3,
        seed: int = 0,
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
        layers = [untrained_layer(sequence, min_df) for sequence in (reading.characters, reading.cues)]
        # Cues are few, and would drown in characters if they counted as much.
        halves = [features(layer, s) for layer, s in zip(layers, (reading.characters, reading.cues), strict=True)]
        read = sp.hstack([halves[0], halves[1] / 2]).tocsr()
        groups = ["".join(c for c in text if c.isalpha() and not c.isascii()) or text for text in texts]
        groups = np.unique(groups, return_inverse=True)[1][reading.texts]
        inputs = None
        for rest, held_out in GroupKFold(5, shuffle=True, random_state=seed).split(read, groups=groups):
            self._learn(read, truth, names, rest, counted, layers)
            said = self._inputs(reading)
            inputs = said if inputs is None else inputs
            inputs[held_out] = said[held_out]
        self._learn(read, truth, names, np.arange(len(truth)), counted, layers)
        # What they read has one scale, as a perceptron needs it.
        mean, scale = inputs.mean(axis=0).astype(np.float32), (inputs.std(axis=0) + 1e-6).astype(np.float32)
        inputs, size, parts = (inputs - mean) / scale, min(256, len(truth)), []
        for i in range(3):
            model = MLPClassifier(32, alpha=3, batch_size=size, learning_rate_init=2e-3, random_state=seed + i)
            for _ in range(12):
                model.partial_fit(inputs, truth, classes=np.arange(4))
            parts.append([*model.coefs_, *model.intercepts_])
        w1, w2, b1, b2 = (np.stack(part).astype(np.float32) for part in zip(*parts, strict=True))
        trees = _trees(inputs, truth, seed)
        self._perceptrons = {"mean": mean, "scale": scale, "w1": w1, "w2": w2, "b1": b1, "b2": b2} | trees
        return self

    def _learn(self, read, truth, names, chosen, counted, layers) -> None:
        """Make the layers and counts of the chosen candidates."""
        labelled = chosen[truth[chosen] > 0]
        models = [_logistic(read[chosen], truth[chosen] > 0, C=0.1)]
        models += [_logistic(read[labelled], truth[labelled] == k, C=0.3) for k in (1, 2, 3)]
        weights, begin = np.concatenate(models), 0
        self._layers = []
        for layer, share in zip(layers, (1, 0.5), strict=True):
            part = weights[:, begin : begin + 7 * len(layer.buckets)] * share
            self._layers.append(_Layer(layer.buckets, _whole_numbers(part.reshape(4, 7, -1))))
            begin += part.shape[1]
        counts = Counter((names[i], truth[i]) for i in chosen[counted[chosen]].tolist())
        self._counts = {name: [counts[name, k] for k in range(4)] for name, _ in counts}


def untrained_layer(sequence: _Sequence, min_df: int) -> _Layer:
    """Know the n-grams that occur in so many of the texts."""
    n = sequence.texts[-1] + 1
    pairs = np.unique(np.concatenate([hashed * n + sequence.texts for hashed in sequence.hashes]))
    buckets, counts = np.unique(pairs // n, return_counts=True)
    return _Layer(buckets[counts >= min_df].astype(np.int32), np.zeros((1, 1, 1), np.int16))


def features(layer: _Layer, sequence: _Sequence) -> sp.csr_matrix:
    """Count the n-grams of each region, divided by the root of its length: (N, regions * V)."""
    starts, ends = sequence.regions[0]
    n, n_regions = starts.shape
    share = 1 / np.sqrt(1 + ends - starts).ravel()
    values, columns, rows = [], [], []
    for hashed, (starts, ends) in zip(sequence.hashes, sequence.regions, strict=True):
        counts = (ends - starts).ravel()
        cells = np.repeat(np.arange(n * n_regions), counts)
        places = np.arange(counts.sum()) + np.repeat(starts.ravel() - counts.cumsum() + counts, counts)
        known = layer.rows[hashed[places]]
        cells, known = cells[known > 0], known[known > 0] - 1
        values.append(share[cells].astype(np.float32))
        columns.append(cells % n_regions * len(layer.buckets) + known)
        rows.append(cells // n_regions)
    cells = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_matrix((np.concatenate(values), cells), shape=(n, n_regions * len(layer.buckets)))


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
    """Learn boosted trees, and return their nodes, (rounds * classes, nodes); a leaf leads to itself."""
    model = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_leaf_nodes=10,
        max_depth=_DEPTH,
        min_samples_leaf=40,
        l2_regularization=5,
        early_stopping=False,
        random_state=seed,
    )
    # One tree a class in each round, as it is asked.
    trees = [tree.nodes for round_ in model.fit(inputs, labels)._predictors for tree in round_]
    made = np.zeros((len(trees), max(map(len, trees))), dtype=trees[0].dtype)
    for row, tree in zip(made, trees, strict=True):
        row[: len(tree)] = tree
    own = np.arange(made.shape[1])
    left, right = (np.where(made["is_leaf"], own, made[side]).astype(np.int16) for side in ("left", "right"))
    value = made["value"].astype(np.float32)
    value[: len(model.classes_)] += model._baseline_prediction.reshape(-1, 1)
    limit = np.nan_to_num(made["num_threshold"]).astype(np.float32)
    return {
        "feature": made["feature_idx"].astype(np.int16),
        "limit": limit,
        "left": left,
        "right": right,
        "value": value,
    }
