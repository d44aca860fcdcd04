"""Score polarities on entities by pairs of sentence and entity (article 4118, contest BDCI 2016)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ViewpointScores:
    """Counts of (sentence, name) pairs, and the scores made of them; a score of nothing is 0.0.

    Pairs are found with the `right` polarity (the contest's tp) or a `wrong` one (fp), `missed` (fn1), or `extra`,
    found where there is none (fn2). The contest's recall leaves out the wrong ones, so a strict recall stands beside
    it.
    """

    right: int
    wrong: int
    missed: int
    extra: int

    @property
    def precision(self) -> float:
        """Share of the predicted pairs that are right."""
        return _share(self.right, self.right + self.wrong + self.extra)

    @property
    def contest_recall(self) -> float:
        """The contest's recall: tp / (tp + fn1)."""
        return _share(self.right, self.right + self.missed)

    @property
    def strict_recall(self) -> float:
        """Share of the given pairs that are found with the right polarity."""
        return _share(self.right, self.right + self.wrong + self.missed)

    @property
    def contest_f1(self) -> float:
        """Harmonic mean of precision and the contest's recall."""
        return _share(2 * self.precision * self.contest_recall, self.precision + self.contest_recall)

    @property
    def strict_f1(self) -> float:
        """Harmonic mean of precision and strict recall."""
        return _share(2 * self.precision * self.strict_recall, self.precision + self.strict_recall)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def score_viewpoints(
    gold: Sequence[Iterable[tuple[str, str]]], predicted: Sequence[Iterable[tuple[str, str]]]
) -> ViewpointScores:
    """Score the pairs of name and polarity of each sentence; ValueError if not as many sentences are predicted.

    A name that is predicted several times in a sentence counts once, with its most frequent polarity (the first of
    equals); one with two polarities in `gold` is a ValueError.

    Examples
    --------
    >>> gold = [[("本田", "pos"), ("丰田", "neg")], [("大众", "neu")]]
    >>> scores = score_viewpoints(gold, [[("本田", "pos"), ("丰田", "neu")], [("奔驰", "neu")]])
    >>> (scores.right, scores.wrong, scores.missed, scores.extra), round(scores.contest_f1, 3), scores.strict_f1
    ((1, 1, 1, 1), 0.4, 0.3333333333333333)
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} sentences are given and {len(predicted)} predicted")
    right = wrong = missed = extra = 0
    for number, (given, found) in enumerate(zip(gold, predicted, strict=True)):
        given = list(given)
        truth = dict(given)
        if len(truth) < len(set(given)):
            raise ValueError(f"sentence {number} has two polarities on one name: {given}")
        # What comes last into a dict stays: the most frequent polarity of a name, and of equals the first.
        guesses = dict(pair for pair, _ in reversed(Counter(map(tuple, found)).most_common()))
        both = truth.keys() & guesses.keys()
        agreed = sum(truth[name] == guesses[name] for name in both)
        right, wrong = right + agreed, wrong + len(both) - agreed
        missed, extra = missed + len(truth) - len(both), extra + len(guesses) - len(both)
    return ViewpointScores(right, wrong, missed, extra)
