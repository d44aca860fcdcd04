"""Exercises of lesson 01: the weight of an example, the lead of a class, the interval of paired runs."""

import numpy as np
from scipy import stats

from kexue_nlp.exercises import Exercise
from kexue_nlp.language import N_, _


def weight_of(y, p, m):
    """Return the article's λ."""
    theta = np.heaviside
    return 1 - theta(y - m, 0.5) * theta(p - m, 0.5) - theta(1 - m - y, 0.5) * theta(1 - m - p, 0.5)


def lead_of(probabilities, k):
    """Return by how much class k is ahead of the strongest other one."""
    return probabilities[k] - np.delete(probabilities, k).max()


def explain_lead(returned, expected, probabilities, k, m):
    """Show the sum."""
    values = {"k": k, "lead": lead_of(probabilities, k), "needed": 2 * m - 1, "expected": expected}
    return _("class {k} leads by {lead:.2f} and needs more than {needed:.2f}; expected {expected}.", **values)


def paired_interval(ours, theirs):
    """Return the 95 % interval of the mean difference."""
    difference = ours - theirs
    half = stats.t.ppf(0.975, len(ours) - 1) * difference.std(ddof=1) / np.sqrt(len(ours))
    return [difference.mean() - half, difference.mean() + half]


def explain_interval(returned, expected, ours, theirs):
    """Name the bounds in the wrong order."""
    right = np.allclose(sorted(returned), expected, rtol=1e-5, atol=1e-6)
    return _("both bounds are right, but the lower one comes first.") if right else ""


_rng = np.random.default_rng(4293)
_theirs = [_rng.normal(0.82, 0.01, n).round(4) for n in (5, 3, 10)]
_on_either_side = [(1, 0.95, 0.6), (1, 0.55, 0.6), (1, 0.02, 0.6), (0, 0.05, 0.6), (0, 0.45, 0.6), (0, 0.98, 0.6)]
_on_a_margin = [(1, 0.75, 0.75), (0, 0.25, 0.75), (1, 0.25, 0.75), (0, 0.75, 0.75), (0, 0.3, 0.9)]
_rows = [[0.7, 0.3], [0.55, 0.45], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.45, 0.15, 0.4], [0.1, 0.2, 0.6, 0.1]]
EXERCISES = {
    "01.1": Exercise(
        weight_of,
        [*_on_either_side, *_on_a_margin],
        (
            N_("There are four cases: label 1 and p on either side of m, label 0 and p on either side of 1 − m."),
            N_("Only what is right by the margin is switched off. A positive review with p = 0.02 has λ = 1."),
            N_("On the margin itself θ(0) = ½, so λ = ½: compare p with m when y is 1, with 1 − m when y is 0."),
        ),
    ),
    "01.2": Exercise(
        lambda probabilities, k, m: lead_of(probabilities, k) > 2 * m - 1,
        [(np.array(row), k, m) for row in _rows for k in range(len(row)) for m in (0.6, 0.8)],
        (
            N_("Compare the probability of class k with the largest of all the others, not with m."),
            N_("np.delete(probabilities, k).max() is the strongest rival."),
            N_("With two classes p > m means p − (1 − p) > 2m − 1: ask for that lead."),
        ),
        explain_lead,
    ),
    "01.3": Exercise(
        paired_interval,
        [((theirs + _rng.normal(0.003, 0.004, len(theirs))).round(4), theirs) for theirs in _theirs],
        (
            N_("Runs of one seed belong together: take the differences first, then forget the two lists."),
            N_("The standard error of the mean is the standard deviation of the differences (ddof=1) over √n."),
            N_("Multiply it by stats.t.ppf(0.975, n − 1); the interval is the mean difference minus and plus that."),
        ),
        explain_interval,
    ),
}
