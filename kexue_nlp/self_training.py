"""Learning from one's own predictions: label the unlabelled examples, train on them too, and again (article 4374)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Round", "self_train"]


@dataclass(frozen=True, eq=False)
class Round:
    """What one round of self-training left.

    Attributes
    ----------
    number : int
        0 for the model that saw the given labels only.
    model : object
        What `fit` returned.
    labels : sequence, length U
        Its prediction for each unlabelled example.
    confidence : ndarray of float, shape (U,)
        And how sure it is.
    used : ndarray of bool, shape (U,)
        Unlabelled examples that the model was trained on, with the labels of the round before.
    flips : int or None
        Unlabelled examples whose prediction changed since the round before; None in round 0.
    """

    number: int
    model: Any
    labels: Sequence
    confidence: np.ndarray
    used: np.ndarray
    flips: int | None


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

    Examples are known by number only, so they may be rows of a matrix, texts, or anything else that `fit` and
    `predict` can look up; and a label may be a class, or the tags of a sentence.

    Parameters
    ----------
    fit : callable
        ``fit(examples, labels)`` trains a new model on these examples, an ndarray of int and a list of as many labels.
    predict : callable
        ``predict(model, examples)`` returns a label for each, and the confidence in it, an ndarray of float.
    labelled : sequence of int, length L
    labels : sequence, length L
        Their labels.
    unlabelled : sequence of int, length U
    rounds : int
        Rounds after the first model, at most.
    threshold : float
        Confidence from which on a prediction is trained on. At 0 all are, as in the article.
    tolerance : float
        Share of the unlabelled examples: training stops after a round in which no more predictions changed.

    Yields
    ------
    Round
        Round 0 first. There are no more rounds once no prediction is confident enough.

    Raises
    ------
    ValueError
        If there is nothing to learn from, labels are not as many as examples, an example occurs twice, all labels
        are the same, or a number is out of range; or, when the round is asked for, if `predict` returns too few or
        too many labels.
    TypeError
        If examples are not numbered by integers.

    Notes
    -----
    Article 4374 (https://kexue.fm/archives/4374). What is scored afterwards on the unlabelled examples is
    *transductive*: the model was trained on them, though not on their true labels. Hold others out for a clean score.
    `sklearn.semi_supervised.SelfTrainingClassifier` differs in that a label once given stays.

    Examples
    --------
    Without a threshold the class that is in the lead takes all:

    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.array([[0.0], [1.0], [0.2], [0.8], [0.45]])
    >>> def fit(examples, labels):
    ...     return LogisticRegression().fit(X[examples], labels)
    >>> def predict(model, examples):
    ...     p = model.predict_proba(X[examples])
    ...     return p.argmax(axis=1), p.max(axis=1)
    >>> for r in self_train(fit, predict, [0, 1], [0, 1], [2, 3, 4], rounds=5):
    ...     print(r.number, r.labels.tolist(), r.used.sum(), r.flips)
    0 [0, 1, 0] 0 None
    1 [0, 0, 0] 3 1
    2 [0, 0, 0] 3 0
    """
    labelled, unlabelled, labels = _checked(labelled, labels, unlabelled)
    if rounds < 0 or not 0 <= threshold <= 1 or not 0 <= tolerance <= 1:
        raise ValueError(
            f"rounds must be 0 or more, threshold and tolerance from 0 to 1; got {rounds}, {threshold}, {tolerance}"
        )
    return _rounds(fit, predict, labelled, labels, unlabelled, rounds, threshold, tolerance)


def _rounds(fit, predict, labelled, labels, unlabelled, rounds, threshold, tolerance) -> Iterator[Round]:
    used = np.zeros(len(unlabelled), bool)
    predicted, flips = None, None
    for number in range(rounds + 1):
        chosen = np.flatnonzero(used)
        own = [predicted[i] for i in chosen]
        model = fit(np.concatenate([labelled, unlabelled[chosen]]), labels + own)
        before = predicted
        predicted, confidence = predict(model, unlabelled)
        if not len(predicted) == len(confidence) == len(unlabelled):
            raise ValueError(
                f"predict must return a label and a confidence for each of {len(unlabelled)} examples; "
                f"it returned {len(predicted)} and {len(confidence)}"
            )
        if before is not None:
            flips = sum(not np.array_equal(a, b) for a, b in zip(before, predicted, strict=True))
        yield Round(number, model, predicted, confidence, used, flips)
        used = np.asarray(confidence) >= threshold
        if not used.any() or (flips is not None and flips <= tolerance * len(unlabelled)):
            return


def _checked(labelled, labels, unlabelled) -> tuple[np.ndarray, np.ndarray, list]:
    labelled, unlabelled = np.asarray(labelled), np.asarray(unlabelled)
    labels = list(labels)
    if not len(labelled) or not len(unlabelled):
        raise ValueError(
            f"there are {len(labelled)} labelled and {len(unlabelled)} unlabelled examples; both are needed"
        )
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
    return labelled, unlabelled, labels
