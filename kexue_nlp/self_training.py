"""Learning from one's own predictions: label the unlabelled examples, train on them too, and again (article 4374)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Round", "self_train"]


@dataclass(frozen=True, eq=False)
class Round:
    """What one round of self-training left; round 0 is that of the model that saw the given labels only."""

    number: int
    model: Any
    labels: Sequence  # the model's, of each unlabelled example
    confidence: np.ndarray  # in them
    used: np.ndarray  # marks the examples that it was trained on, with the labels of the round before
    flips: int | None  # how many labels changed since then


def self_train(
    fit: Callable[[np.ndarray, list], Any],
    predict: Callable[[Any, np.ndarray], tuple[Sequence, np.ndarray]],
    labelled: Sequence[int],
    labels: Sequence,
    unlabelled: Sequence[int],
    *,
    rounds: int = 10,
    threshold: float = 0.0,
    tolerance: float = 0.0,
) -> Iterator[Round]:
    """Train on the labelled examples; then again and again on these and on the model's own predictions.

    Examples are known by number only, so they may be anything that `fit` and `predict` can look up; and a label may be
    a class, or the tags of a sentence.

    Parameters
    ----------
    fit : callable
        ``fit(examples, labels)`` trains a new model on these examples, an ndarray of int and a list of as many labels.
    predict : callable
        ``predict(model, examples)`` returns a label for each, and an array of as many confidences from 0 to 1;
        ValueError if not.
    labelled, labels, unlabelled : sequence
        Numbers of examples, their labels, and numbers of other examples. ValueError if an example occurs twice, or if
        labels are not as many as examples, or all the same.
    rounds, threshold, tolerance : int, float, float
        At most so many rounds follow the first model. A prediction is trained on from the confidence `threshold` on;
        at 0 all are, as in the article. Training ends when none is, or after a round in which no larger share of the
        predictions changed than `tolerance`.

    Notes
    -----
    Hold other examples out for a clean score: it was trained on the unlabelled ones, though not on their true labels.
    Unlike in scikit-learn's `SelfTrainingClassifier`, a label may change.

    Examples
    --------
    >>> majority = lambda examples, labels: max(labels, key=labels.count)
    >>> predict = lambda model, examples: ([model] * len(examples), [0.9] * len(examples))
    >>> [(r.number, r.labels, r.flips) for r in self_train(majority, predict, [0, 1], ["a", "b"], [2, 3, 4])]
    [(0, ['a', 'a', 'a'], None), (1, ['a', 'a', 'a'], 0)]
    """
    labelled, unlabelled, labels = np.asarray(labelled), np.asarray(unlabelled), list(labels)
    _check(labelled, labels, unlabelled)
    if rounds < 0 or not 0 <= threshold <= 1 or not 0 <= tolerance <= 1:
        got = f"{rounds}, {threshold}, {tolerance}"
        raise ValueError(f"rounds must be 0 or more, threshold and tolerance from 0 to 1; got {got}")
    return _rounds(fit, predict, labelled, labels, unlabelled, rounds, threshold, tolerance)


def _rounds(fit, predict, labelled, labels, unlabelled, rounds, threshold, tolerance) -> Iterator[Round]:
    n = len(unlabelled)
    used, predicted, flips = np.zeros(n, bool), None, None
    for number in range(rounds + 1):
        own = [predicted[i] for i in np.flatnonzero(used)]
        model = fit(np.concatenate([labelled, unlabelled[used]]), labels + own)
        before = predicted
        predicted, confidence = predict(model, unlabelled)
        confidence = np.asarray(confidence)
        if len(predicted) != n or confidence.shape != (n,):
            got = f"{len(predicted)} labels and confidences of shape {confidence.shape}"
            raise ValueError(
                f"predict must return a label and a confidence for each of {n} examples; it returned {got}"
            )
        sane = (confidence >= 0) & (confidence <= 1 + 1e-6)  # not NaN; softmax may exceed 1 by rounding
        if not sane.all():
            raise ValueError(f"predict must return confidences from 0 to 1; it returned {confidence[sane.argmin()]}")
        if before is not None:
            flips = sum(not np.array_equal(a, b) for a, b in zip(before, predicted, strict=True))
        yield Round(number, model, predicted, confidence, used, flips)
        used = confidence >= threshold
        if not used.any() or (flips is not None and flips <= tolerance * n):
            return


def _check(labelled, labels, unlabelled):
    if not len(labelled) or not len(unlabelled):
        raise ValueError(f"{len(labelled)} labelled and {len(unlabelled)} unlabelled examples; both are needed")
    if len(labels) != len(labelled):
        raise ValueError(f"{len(labelled)} labelled examples need as many labels, not {len(labels)}")
    for part in (labelled, unlabelled):
        if part.dtype.kind not in "iu":
            raise TypeError(f"examples must be numbered by integers, not {part.dtype}: {part[:3].tolist()}…")
    numbers, counts = np.unique(np.concatenate([labelled, unlabelled]), return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"example {numbers[counts > 1][0]} occurs twice among the labelled and the unlabelled ones")
    if all(np.array_equal(label, labels[0]) for label in labels):
        raise ValueError(f"all {len(labels)} labels are {labels[0]!r}; there is nothing to tell apart")
