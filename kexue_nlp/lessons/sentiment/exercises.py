"""Exercises of lesson 02: windows of a text, perplexity, the surest guesses."""

import numpy as np

from kexue_nlp.exercises import Exercise
from kexue_nlp.language import N_, _


def windows_of(ids, n):
    """Return the pairs (context, target)."""
    padded = [0] * n + ids
    return [(padded[i : i + n], padded[i + n]) for i in range(len(ids))]


def choose(p, k):
    """Return the surest k of each label, or as many as the scarcer one has."""
    k = min(k, (p > 0.5).sum(), (p <= 0.5).sum())
    order = np.argsort(p).tolist()
    return dict.fromkeys(order[:k], 0) | dict.fromkeys(order[len(p) - k :], 1)


def explain_choice(returned, expected, p, k):
    """Name the first thing that is wrong with a choice."""
    for i, label in returned.items():
        if 0 <= i < len(p) and label != (p[i] > 0.5):
            return _("example {i} with p = {p:.2f} gets the label {label}.", i=i, p=p[i], label=label)
    wanted, (negative, positive) = len(expected) // 2, ([*returned.values()].count(label) for label in (0, 1))
    if (negative, positive) != (wanted, wanted):
        values = {"negative": negative, "positive": positive, "wanted": wanted}
        return _("these are {negative} negative and {positive} positive examples; expected {wanted} of each.", **values)
    left_out = next(i for i in expected if i not in returned)
    return _("example {i} with p = {p:.2f} is left out, and a less certain one taken.", i=left_out, p=p[left_out])


_rng = np.random.default_rng(4374)
EXERCISES = {
    "02.1": Exercise(
        windows_of,
        [([5, 6, 7], 2), ([5, 6, 7], 1), ([9], 3), ([4, 4, 8, 2, 7, 3], 4), ([], 2)],
        (
            N_("Put n zeros in front of the ids; then every token has n tokens before it."),
            N_("With padded = [0] * n + ids, token i of the text stands at padded[i + n]."),
            N_("Its context is padded[i : i + n]; collect the pair for every i in range(len(ids))."),
        ),
    ),
    "02.2": Exercise(
        lambda p: float(np.exp(-np.mean(np.log(p)))),
        [([0.25, 0.25, 0.25],), ([0.5, 0.125],), ([1.0, 1.0],), ([0.9, 0.01, 0.3, 0.002],)],
        (
            N_("Cross-entropy is the mean of −log p over the tokens; perplexity is exp of it."),
            N_("Take the mean of the logarithms, not the logarithm of the mean."),
            N_("np.exp(-np.mean(np.log(p)))."),
        ),
    ),
    "02.3": Exercise(
        choose,
        [(_rng.permutation(np.linspace(0.02, 0.97, n)).round(4), k) for n, k in ((6, 2), (11, 3), (20, 7))]
        # Most are positive; there are fewer negative ones than wanted; and none at all.
        + [(np.array([0.9, 0.8, 0.95, 0.3]), 2), (np.array([0.9, 0.7]), 1)],
        (
            N_("np.argsort(p) lists the examples from the surest negative to the surest positive."),
            N_("Take as many from each end: k, or all of the scarcer label if it has fewer. p ≤ ½ counts as negative."),
            N_(
                "With n = min(k, (p > 0.5).sum(), (p <= 0.5).sum()): the first n of the order get 0, the last n get 1. "
                "Mind n = 0: order[-0:] is everything."
            ),
        ),
        explain_choice,
    ),
}
