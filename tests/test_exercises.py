"""Exercises: right answers pass, each likely mistake is named, and hints come one after another."""

import itertools
import math
import re

import numpy as np
import pytest
from scipy import stats

from kexue_nlp import exercises
from kexue_nlp.exercises import check
from kexue_nlp.tagging import SBME, words_to_tags
from kexue_nlp.viterbi import viterbi


@pytest.fixture(autouse=True)
def _no_answers_yet():
    exercises._wrong_answers.clear()


def tag_sentence(words):
    return "".join("s" if len(w) == 1 else "b" + "m" * (len(w) - 2) + "e" for w in words)


def legal(tags):
    return re.fullmatch("(s|bm*e)*", tags) is not None


def smallest_multiplier(log_probabilities, start, end, first=None):
    tags = words_to_tags(["x" * (end - start)])
    rewarded = tags.copy()
    rewarded[0] = tags[0] if first is None else first
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = (low + high) / 2
        scores = log_probabilities.copy()
        scores[np.arange(start, end), rewarded] += middle
        whole = np.array_equal(viterbi(scores, SBME)[start:end], tags)
        low, high = (low, middle) if whole else (middle, high)
    return math.exp(high)


def winners(activations, k):
    return sorted(sorted(range(len(activations)), key=lambda unit: -activations[unit])[:k])


def cosine_from_bits(a, b):
    return float(np.cos(np.pi * np.mean(a != b)))


def em(X, W):
    W = W / np.linalg.norm(W, axis=1, keepdims=True)
    best = (X @ W.T).argmax(axis=1)
    sums = np.stack([X[best == j].sum(axis=0) if (best == j).any() else W[j] for j in range(len(W))])
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def em_with_plain_products(X, W):
    best = (X @ W.T).argmax(axis=1)
    sums = np.stack([X[best == j].sum(axis=0) if (best == j).any() else W[j] for j in range(len(W))])
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def em_that_forgets_idle_units(X, W):
    best = (X @ (W / np.linalg.norm(W, axis=1, keepdims=True)).T).argmax(axis=1)
    sums = np.stack([X[best == j].sum(axis=0) for j in range(len(W))])
    with np.errstate(invalid="ignore"):
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def weight_of(y, p, m):
    q = p if y == 1 else 1 - p
    return 0.5 if (p == m if y == 1 else p == 1 - m) else float(q < m)


def leads(probabilities, k, m):
    return bool(probabilities[k] - np.delete(probabilities, k).max() > 2 * m - 1)


def interval(ours, theirs, ddof=1, quantile=0.975):
    d = ours - theirs
    half = stats.t.ppf(quantile, len(d) - 1) * d.std(ddof=ddof) / math.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def unpaired(ours, theirs):
    d, half = ours.mean() - theirs.mean(), 2 * math.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))
    return d - half, d + half


def windows_of(ids, n):
    padded = [0] * n + ids
    return [(padded[i : i + n], padded[i + n]) for i in range(len(ids))]


def choose(p, k):
    k = min(k, (p > 0.5).sum(), (p <= 0.5).sum())
    order = np.argsort(p)
    return {**dict.fromkeys(order[:k], 0), **dict.fromkeys(order[len(p) - k :], 1)}


def choose_without_minding_none(p, k):
    k = min(k, (p > 0.5).sum(), (p <= 0.5).sum())
    order = np.argsort(p)
    return {**dict.fromkeys(order[:k], 0), **dict.fromkeys(order[-k:], 1)}


def runs(tags):
    found, start = [], 0
    for tag, group in itertools.groupby(tags):
        end = start + len(list(group))
        found += [(start, end, tag)] * (tag != "0")
        start = end
    return found


def contest_f1(right, wrong, missed, extra):
    return 2 * right / ((right + wrong + extra) + (right + missed)) if right else 0.0


def vote(plain, forced, tie=min, drop=True):
    found = []
    for start, end, _ in runs(forced):
        counts = {tag: plain[start:end].count(tag) for tag in "123"}
        most = max(counts.values())
        if most or not drop:
            found.append((start, end, tie(tag for tag in "123" if counts[tag] == most)))
    return found


RIGHT = {
    "01.1": weight_of,
    "01.2": leads,
    "01.3": interval,
    "02.1": windows_of,
    "02.2": lambda p: math.exp(-sum(map(math.log, p)) / len(p)),
    "02.3": choose,
    "03.1": tag_sentence,
    "03.2": legal,
    "03.3": smallest_multiplier,
    "04.1": runs,
    "04.2": contest_f1,
    "04.3": vote,
    "05.1": winners,
    "05.2": cosine_from_bits,
    "05.3": em,
}
WRONG = {
    "01.1": {
        "only between 1 - m and m": lambda y, p, m: float(1 - m < p < m),
        "labels forgotten": lambda y, p, m: float(p < m),
        "no half": lambda y, p, m: float((p if y == 1 else 1 - p) <= m),
        "half on either margin": lambda y, p, m: 0.5 if p in (m, 1 - m) else weight_of(y, p, m),
        "upside down": lambda y, p, m: 1 - weight_of(y, p, m),
        "text": lambda y, p, m: "1",
    },
    "01.2": {
        "p above m": lambda q, k, m: bool(q[k] > m),
        "largest": lambda q, k, m: bool(q.argmax() == k),
        "the neighbour for a rival": lambda q, k, m: bool(q[k] - q[1 - k] > 2 * m - 1),
        "lead of m": lambda q, k, m: leads(q, k, (1 + m) / 2),
        "lead over the mean": lambda q, k, m: bool(q[k] - np.delete(q, k).mean() > 2 * m - 1),
        "a number": lambda q, k, m: float(leads(q, k, m)),
    },
    "01.3": {
        "spread of a population": lambda a, b: interval(a, b, ddof=0),
        "one-sided": lambda a, b: interval(a, b, quantile=0.95),
        "not paired": unpaired,
        "wrong way round": lambda a, b: interval(b, a),
        "mean only": lambda a, b: (a - b).mean(),
        "three numbers": lambda a, b: (*interval(a, b), 0),
    },
    "02.1": {
        "no padding": lambda ids, n: [(ids[i : i + n], ids[i + n]) for i in range(len(ids) - n)],
        "padding behind": lambda ids, n: [((ids[:i] + [0] * n)[-n:], x) for i, x in enumerate(ids)],
        "one late": lambda ids, n: [([*c[1:], t], t) for c, t in windows_of(ids, n)],
        "contexts only": lambda ids, n: [c for c, _ in windows_of(ids, n)],
        "windows of n + 1": lambda ids, n: [[*c, t] for c, t in windows_of(ids, n)],
        "a number": lambda ids, n: len(ids),
    },
    "02.2": {
        "logarithm of the mean": lambda p: 1 / np.mean(p),
        "cross-entropy": lambda p: -np.mean(np.log(p)),
        "bits and e mixed": lambda p: np.exp(-np.mean(np.log2(p))),
        "sum": lambda p: np.exp(-np.sum(np.log(p))),
        "upside down": lambda p: np.exp(np.mean(np.log(p))),
        "text": lambda p: "2",
    },
    "02.3": {
        "surest of all, whatever the label": lambda p, k: {
            i: int(p[i] > 0.5) for i in np.argsort(-np.abs(p - 0.5))[: 2 * k]
        },
        "forgets the scarcer side": lambda p, k: {
            **dict.fromkeys(np.argsort(p)[:k], 0),
            **dict.fromkeys(np.argsort(p)[-k:], 1),
        },
        "the least sure": lambda p, k: {
            **dict.fromkeys(np.flatnonzero(p <= 0.5)[np.argsort(-p[p <= 0.5])][:k], 0),
            **dict.fromkeys(np.flatnonzero(p > 0.5)[np.argsort(p[p > 0.5])][:k], 1),
        },
        "none is everything": choose_without_minding_none,
        "labels the wrong way round": lambda p, k: {i: 1 - label for i, label in choose(p, k).items()},
        "a list": lambda p, k: list(choose(p, k)),
        "not there": lambda p, k: {-1: 0, len(p): 1},
    },
    "03.1": {
        "one m too many": lambda words: "".join("b" + "m" * (len(w) - 1) + "e" for w in words),
        "no s": lambda words: "".join("b" + "m" * max(len(w) - 2, 0) + "e" for w in words),
        "a list": lambda words: list(tag_sentence(words)),
        "nothing special for no words": lambda words: tag_sentence(words) or "s",
    },
    "03.2": {
        "always true": lambda tags: True,
        "always false": lambda tags: False,
        "no start rule": lambda tags: legal("b" + tags) if tags[:1] in ("m", "e") else legal(tags),
        "no end rule": lambda tags: legal(tags) or legal(tags + "e"),
        "neighbours only": lambda tags: legal(tags.lstrip("me")) or legal(tags.rstrip("bm")),
        "empty is illegal": lambda tags: bool(tags) and legal(tags),
    },
    "04.1": {
        "the last run forgotten": lambda tags: [run for run in runs(tags) if run[1] < len(tags)],
        "runs of 0 too": lambda tags: [(i, i + 1, tag) for i, tag in enumerate(tags)],
        "end included": lambda tags: [(start, end - 1, tag) for start, end, tag in runs(tags)],
        "neighbours of two opinions merged": lambda tags: [
            (m.start(), m.end(), m.group()[0]) for m in re.finditer("[123]+", tags)
        ],
        "a number": lambda tags: 3,
    },
    "04.2": {
        "strict": lambda a, b, c, d: 2 * a / max(1, 2 * a + 2 * b + c + d),
        "arithmetic mean": lambda a, b, c, d: (a / max(1, a + b + d) + a / max(1, a + c)) / 2,
        "extra ones forgotten": lambda a, b, c, d: contest_f1(a, b, c, 0),
        "division by zero": lambda a, b, c, d: 2 / ((a + b + d) / a + (a + c) / a),
        "text": lambda a, b, c, d: "0.5",
    },
    "04.3": {
        "opinion of the forced tags": lambda plain, forced: runs(forced),
        "ties to the largest": lambda plain, forced: vote(plain, forced, tie=max),
        "nothing dropped": lambda plain, forced: vote(plain, forced, drop=False),
        "runs of the first tags": lambda plain, forced: runs(plain),
        "a number": lambda plain, forced: 3,
    },
    "05.1": {
        "not sorted": lambda a, k: sorted(range(len(a)), key=lambda unit: -a[unit])[:k],
        "ties to the last": lambda a, k: np.sort(np.argsort(a, kind="stable")[::-1][:k]).tolist(),
        "all that tie": lambda a, k: [unit for unit, x in enumerate(a) if x >= sorted(a)[-k]],
        "the smallest": lambda a, k: winners([-x for x in a], k),
        "activations": lambda a, k: sorted(a)[-k:],
        "a number": lambda a, k: 3,
    },
    "05.2": {
        "cosine of the codes": lambda a, b: float(np.mean(a * b)),
        "agreement": lambda a, b: float(np.mean(a == b)),
        "angle": lambda a, b: float(np.pi * np.mean(a != b)),
        "wrong sign": lambda a, b: -cosine_from_bits(a, b),
        "text": lambda a, b: "0.5",
    },
    "05.3": {
        "plain products": em_with_plain_products,
        "idle units become NaN": em_that_forgets_idle_units,
        "means, not directions": lambda X, W: 0.5 * em(X, W),
        "unchanged": lambda X, W: W,
        "one unit": lambda X, W: em(X, W)[:1],
    },
    "03.3": {
        "one per cent is not the tolerance": lambda p, start, end: 1.05 * smallest_multiplier(p, start, end),
        "too small": lambda p, start, end: 0.9 * smallest_multiplier(p, start, end),
        "the logarithm": lambda p, start, end: math.log(smallest_multiplier(p, start, end)),
        "never below one": lambda p, start, end: max(1.0, smallest_multiplier(p, start, end)),
        "bonus on s": lambda p, start, end: smallest_multiplier(p, start, end, first=0),
        "infinite": lambda p, start, end: math.inf,
        "not a number": lambda p, start, end: math.nan,
        "huge integer": lambda p, start, end: 10**400,
        "text": lambda p, start, end: "10",
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_is_right(name):
    result = check(name, RIGHT[name])
    assert result, result


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in WRONG for mistake in WRONG[name]])
def test_a_wrong_answer_is_wrong(name, mistake):
    assert not check(name, WRONG[name][mistake])


def test_every_exercise_is_tested_here():
    assert RIGHT.keys() == WRONG.keys() == exercises._EXERCISES.keys()


def test_the_multiplier_cases_need_both_more_and_less_than_one():
    needed = [smallest_multiplier(*case) for case in exercises._multiplier_cases()]
    assert min(needed) < 0.9
    assert max(needed) > 1.1


def test_the_message_shows_the_case_the_answer_and_what_was_expected():
    result = check("03.1", lambda words: "sbm")
    assert "(['微', '信号'])" in result.message
    assert "'sbm'" in result.message
    assert "'sbe'" in result.message


def test_a_multiplier_that_is_too_large_is_told_so():
    assert "smaller" in check("03.3", WRONG["03.3"]["one per cent is not the tolerance"]).message


def test_a_multiplier_that_is_too_small_is_told_so():
    assert "does not keep" in check("03.3", WRONG["03.3"]["too small"]).message


def test_an_exception_in_the_answer_becomes_the_message():
    result = check("03.1", lambda words: words[99])
    assert not result
    assert "IndexError: list index out of range" in result.message


def test_the_call_instead_of_the_function_is_explained():
    assert "no parentheses" in check("03.1", "sbe").message


def test_a_function_that_changes_its_argument_does_not_change_the_exercise():
    def emptying(words):
        tags = tag_sentence(words)
        words.clear()
        return tags

    assert check("03.1", emptying)
    assert check("03.1", tag_sentence)


@pytest.mark.parametrize("stub", [None, ..., lambda words: None, lambda words: ...])
def test_a_stub_gets_the_first_hint_each_time(stub):
    hints = [check("03.1", stub).hint for _ in range(3)]
    assert set(hints) == {"Hint 1 of 3: " + exercises._EXERCISES["03.1"].hints[0]}


def test_a_return_forgotten_in_one_branch_is_named():
    assert "returned nothing" in check("03.2", lambda tags: True if legal(tags) else None).message


def test_wrong_answers_get_one_hint_after_another_and_the_last_one_stays():
    numbers = [check("03.2", lambda tags: True).hint[:11] for _ in range(4)]
    assert numbers == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]


def test_each_exercise_counts_its_own_wrong_answers():
    check("03.2", lambda tags: True)
    assert check("03.1", lambda words: "").hint.startswith("Hint 1")


def test_a_right_answer_starts_the_hints_over():
    check("03.2", lambda tags: True)
    check("03.2", legal)
    assert check("03.2", lambda tags: True).hint.startswith("Hint 1")


def test_a_right_answer_needs_no_hint():
    assert check("03.2", legal).hint == ""


def test_an_unknown_exercise_is_an_error_that_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'03\.9'.*03\.1, 03\.2, 03\.3"):
        check("03.9", tag_sentence)


def test_html_is_escaped():
    result = check("03.1", lambda words: "<script>alert(1)</script>")
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()


def test_a_long_answer_is_shown_shortened():
    assert len(check("03.1", lambda words: "s" * 10_000).message) < 300


def test_the_text_says_right_or_not_yet():
    assert repr(check("03.1", tag_sentence)) == "✓ 03.1 Right. Well done."
    assert repr(check("03.1", ...)).startswith("✗ 03.1 Not yet. There is no answer so far")
