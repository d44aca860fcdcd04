"""Exercises of lesson 05: winner take all, the cosine of codes, one round of EM."""

import numpy as np

from kexue_nlp.exercises import Exercise
from kexue_nlp.hashing import em_round, winner_take_all
from kexue_nlp.language import N_, _


def explain_round(returned, expected, X, W):
    """Recognise a division by zero."""
    idle = _("a unit that won no example has a sum of length 0; it should keep its direction.")
    return idle if returned.shape == expected.shape and np.isnan(returned).any() else ""


_rng = np.random.default_rng(8159)
_ties = [([3.0, 1.0, 3.0, 3.0], 2), ([0.0, 0.0, 0.0], 2), ([1.0, 5.0, 1.0, 5.0, 1.0], 3)]
_signs = [tuple(np.where(_rng.random((2, n)) < 0.5, 1, -1)) for n in (4, 8, 32, 256)]
_same = np.ones(16, int)
EXERCISES = {
    "05.1": Exercise(
        lambda activations, k: winner_take_all(np.array([activations]), k).indices.tolist(),
        [([0.2, 0.9, 0.5], 1), ([0.2, 0.9, 0.5, 0.7], 2), ([-1.0, -3.0, -2.0], 3), *_ties],
        (
            N_("Sort the units, not the activations: sorted(range(K), key=...) puts the largest activation first."),
            N_(
                "The sort keeps the order of equals: with key=lambda unit: -activations[unit] the lower index is first."
            ),
            N_("Take the first k of that order, and sort those by index before returning them."),
        ),
    ),
    "05.2": Exercise(
        lambda a, b: float(np.cos(np.pi * np.mean(a != b))),
        [*_signs, (_same, _same), (_same, -_same)],
        (
            N_("The share of bits that agree tends to 1 − θ/π. What does that say about θ?"),
            N_("θ = π · (share of bits that differ)."),
            N_("Return np.cos of that angle."),
        ),
    ),
    "05.3": Exercise(
        lambda X, W: em_round(X, W)[0],
        [(_rng.random((n, 3)), _rng.random((k, 3)) + 0.1) for n, k in ((6, 2), (20, 4), (5, 5))]
        # Lengths differ, so that plain and normalised products choose differently; the last unit wins nothing.
        + [(np.array([[3.0, 0.1], [0.1, 2.0], [2.0, 0.3]]), np.array([[5.0, 4.0], [1, 0], [0, 1], [-1, 0]]))],
        (
            N_("First scale the rows of W to length 1. The winner of each example is the argmax of X @ W.T."),
            N_("The new unit is the sum of the examples it won, X[winner == j].sum(axis=0), scaled to length 1."),
            N_("A unit that won nothing has a sum of length 0: give it back its direction from before."),
        ),
        explain_round,
    ),
}
