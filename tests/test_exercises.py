"""Exercises: right answers pass, each likely mistake is named, and hints come one after another."""

import itertools
import math
import pkgutil
import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from scipy import stats

from kexue_nlp import exercises, lessons
from kexue_nlp.exercises import check
from kexue_nlp.lessons import is_full
from kexue_nlp.lessons.sentiment.exercises import choose
from kexue_nlp.lessons.viewpoint.exercises import entities_of, vote
from kexue_nlp.tagging import SBME, words_to_tags
from kexue_nlp.viterbi import viterbi

LESSONS = [module.name for module in pkgutil.iter_modules(lessons.__path__)]
ALL = {k: v for name in LESSONS for k, v in import_module(f"kexue_nlp.lessons.{name}.exercises").EXERCISES.items()}


@pytest.fixture(autouse=True)
def _no_answers_yet():
    exercises._wrong_answers.clear()


# Answers in other words than the references, to be right and to be spoilt.
def weight_of(y, p, m):
    q = p if y == 1 else 1 - p
    return 0.5 if (p == m if y == 1 else p == 1 - m) else float(q < m)


def leads(probabilities, k, m):
    return bool(probabilities[k] - max(p for j, p in enumerate(probabilities) if j != k) > 2 * m - 1)


def interval(ours, theirs, ddof=1, quantile=0.975):
    d = ours - theirs
    half = stats.t.ppf(quantile, len(d) - 1) * d.std(ddof=ddof) / math.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def unpaired(ours, theirs):
    d, half = ours.mean() - theirs.mean(), 2 * math.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))
    return d - half, d + half


def windows_of(ids, n):
    return [(([0] * n + ids[:i])[-n:], token) for i, token in enumerate(ids)]


def ends(order, k):
    return {**dict.fromkeys(order[:k], 0), **dict.fromkeys(order[-k:], 1)}


def surest(p, k):
    return {i: int(p[i] > 0.5) for i in np.argsort(-np.abs(p - 0.5))[: 2 * k]}


def tag_sentence(words):
    return "".join("s" if len(w) == 1 else "b" + "m" * (len(w) - 2) + "e" for w in words)


def legal(tags):
    return re.fullmatch("(s|bm*e)*", tags) is not None


def multiplier(log_probabilities, start, end, first=None):
    tags = words_to_tags(["x" * (end - start)])
    rewarded = tags if first is None else np.array([first, *tags[1:]])
    low, high = -30.0, 30.0
    for _ in range(50):
        middle = (low + high) / 2
        scores = log_probabilities.copy()
        scores[np.arange(start, end), rewarded] += middle
        whole = np.array_equal(viterbi(scores, SBME)[start:end], tags)
        low, high = (low, middle) if whole else (middle, high)
    return math.exp(high)


def runs(tags):
    starts = [i for i in range(len(tags)) if i == 0 or tags[i] != tags[i - 1]]
    return [(i, j, tags[i]) for i, j in itertools.pairwise([*starts, len(tags)]) if tags[i] != "0"]


def contest_f1(right, wrong, missed, extra):
    return 2 * right / ((right + wrong + extra) + (right + missed)) if right else 0.0


def em(X, W, normalised=True, idle=True):
    W = W / np.linalg.norm(W, axis=1, keepdims=True) if normalised else W
    best = (X @ W.T).argmax(axis=1)
    sums = np.stack([X[best == j].sum(axis=0) if not idle or (best == j).any() else W[j] for j in range(len(W))])
    with np.errstate(invalid="ignore"):
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)


RIGHT = {
    "01.1": weight_of,
    "01.2": leads,
    "01.3": interval,
    "02.1": windows_of,
    "02.2": lambda p: math.exp(-sum(map(math.log, p)) / len(p)),
    "02.3": lambda p, k: {np.int64(i): np.int64(label) for i, label in reversed(choose(p, k).items())},
    "03.1": tag_sentence,
    "03.2": legal,
    "03.3": multiplier,
    "04.1": runs,
    "04.2": contest_f1,
    "04.3": lambda plain, forced: tuple([start, end, int(tag)] for start, end, tag in vote(plain, forced)),
    "05.1": lambda a, k: np.array(sorted(sorted(range(len(a)), key=lambda unit: -a[unit])[:k])),
    "05.2": lambda a, b: -np.sin(np.pi * (np.mean(a != b) - 0.5)),
    "05.3": lambda X, W: em(X.astype("float32"), W.astype("float32")),
}
WRONG = [
    ("01.1", "in the middle", lambda y, p, m: float(1 - m < p < m), "(1, 0.02, 0.6) returned 0; expected 1."),
    ("01.1", "labels forgotten", lambda y, p, m: float(p < m), "expected 0."),
    ("01.1", "no half", lambda y, p, m: float((p if y == 1 else 1 - p) <= m), "expected 0.5."),
    ("01.1", "half on either", lambda y, p, m: 0.5 if p in (m, 1 - m) else weight_of(y, p, m), "returned 0.5"),
    ("01.1", "text", lambda y, p, m: "1", "returned '1'"),
    ("01.2", "p above m", lambda q, k, m: bool(q[k] > m), "class 0 leads by 0.30 and needs more than 0.20"),
    ("01.2", "largest", lambda q, k, m: bool(q.argmax() == k), "needs more than"),
    ("01.2", "the neighbour for a rival", lambda q, k, m: bool(q[k] - q[1 - k] > 2 * m - 1), "needs more than"),
    ("01.2", "lead of m", lambda q, k, m: leads(q, k, (1 + m) / 2), "needs more than"),
    ("01.2", "a number", lambda q, k, m: float(leads(q, k, m)), "returned 1"),
    ("01.3", "spread of a population", lambda a, b: interval(a, b, ddof=0), "expected [-0.001535, 0.006095]"),
    ("01.3", "one-sided", lambda a, b: interval(a, b, quantile=0.95), "expected ["),
    ("01.3", "not paired", unpaired, "expected ["),
    ("01.3", "upper bound first", lambda a, b: interval(a, b)[::-1], "the lower one comes first"),
    ("02.1", "no padding", lambda ids, n: windows_of(ids, n)[n:], "returned [([5, 6], 7)]; expected [([0, 0], 5)"),
    ("02.1", "padding behind", lambda ids, n: [((ids[:i] + [0] * n)[-n:], x) for i, x in enumerate(ids)], "0], 7)]"),
    ("02.1", "one late", lambda ids, n: [([*c[1:], t], t) for c, t in windows_of(ids, n)], "([0, 5], 5)"),
    ("02.2", "logarithm of the mean", lambda p: 1 / np.mean(p), "returned 3.2; expected 4."),
    ("02.2", "cross-entropy", lambda p: -np.mean(np.log(p)), "expected 4."),
    ("02.3", "surest of all", surest, "1 negative and 3 positive examples; expected 1 of each"),
    ("02.3", "a side is scarce", lambda p, k: ends(np.argsort(p), k), "example 1 with p = 0.80 gets the label 0"),
    ("02.3", "least sure", lambda p, k: {0: 0, 4: 0, 2: 1, 3: 1}, "example 1 with p = 0.02 is left out"),
    ("02.3", "none is everything", lambda p, k: ends(np.argsort(p), len(choose(p, k)) // 2), "0 negative and 2"),
    ("02.3", "labels the wrong way", lambda p, k: {i: 1 - y for i, y in choose(p, k).items()}, "gets the label 1"),
    ("02.3", "a list", lambda p, k: list(choose(p, k)), "expected {0: 0"),
    ("03.1", "one m too many", lambda ws: "".join("b" + "m" * (len(w) - 1) + "e" for w in ws), "expected 'sbe'"),
    ("03.1", "no s", lambda ws: tag_sentence(w * 2 if len(w) == 1 else w for w in ws), "returned 'bebe'"),
    ("03.1", "a list", lambda words: list(tag_sentence(words)), "returned ['s', 'b', 'e']; expected 'sbe'"),
    ("03.1", "something for no words", lambda words: tag_sentence(words) or "s", "([]) returned 's'; expected ''"),
    ("03.2", "always true", lambda tags: True, "('b') returned True; expected False."),
    ("03.2", "no start rule", lambda tags: legal("b" + tags if tags[:1] in ("m", "e") else tags), "('e')"),
    ("03.2", "no end rule", lambda tags: legal(tags) or legal(tags + "e"), "('b')"),
    ("03.2", "neighbours only", lambda tags: legal(tags.lstrip("me")) or legal(tags.rstrip("bm")), "('b')"),
    ("03.2", "empty is illegal", lambda tags: bool(tags) and legal(tags), "('') returned False"),
    ("03.3", "five per cent too much", lambda *case: 1.05 * multiplier(*case), "a smaller multiplier keeps the word"),
    ("03.3", "too small", lambda *case: 0.9 * multiplier(*case), "does not keep the word at positions 0 to 1 whole"),
    ("03.3", "never below one", lambda *case: max(1.0, multiplier(*case)), "returned 1: a smaller multiplier"),
    ("03.3", "bonus on s", lambda *case: multiplier(*case, first=0), "a smaller multiplier"),
    ("03.3", "infinite", lambda *case: math.inf, "returned inf; expected 7.12922"),
    ("03.3", "not a number", lambda *case: math.nan, "returned nan"),
    ("03.3", "huge integer", lambda *case: 10**400, "expected 7.12922"),
    ("04.1", "the last run forgotten", lambda tags: [run for run in runs(tags) if run[1] < len(tags)], "returned []"),
    ("04.1", "runs of 0 too", lambda tags: [(i, i + 1, tag) for i, tag in enumerate(tags)], "expected [(1, 3, '1')"),
    ("04.1", "end included", lambda tags: [(start, end - 1, tag) for start, end, tag in runs(tags)], "expected"),
    ("04.1", "merged", lambda tags: [(*m.span(), m[0][0]) for m in re.finditer("[123]+", tags)], "(2, 4, '3')]"),
    ("04.1", "a number", lambda tags: 3, "returned 3"),
    ("04.2", "strict", lambda a, b, c, d: 2 * a / max(1, 2 * a + 2 * b + c + d), "that is strict; in the contest's"),
    ("04.2", "extra ones forgotten", lambda a, b, c, d: contest_f1(a, b, c, 0), "expected 0.6"),
    ("04.2", "division by zero", lambda a, b, c, d: 2 / ((a + b + d) / a + (a + c) / a), "ZeroDivisionError"),
    ("04.3", "polarity of the forced tags", lambda plain, forced: runs(forced), "expected [(1, 4, '1')]"),
    ("04.3", "ties to the largest", lambda *case: [(0, 4, "3")] if case[0] == "3311" else vote(*case), "'3311'"),
    ("04.3", "nothing dropped", lambda plain, forced: vote(plain, forced) or entities_of(forced), "expected []"),
    ("04.3", "runs of the first tags", lambda plain, forced: runs(plain), "returned [(2, 3, '1')]"),
    ("05.1", "not sorted", lambda a, k: sorted(range(len(a)), key=lambda unit: -a[unit])[:k], "returned [0, 2, 1]"),
    ("05.1", "ties to the last", lambda a, k: sorted(np.argsort(a, kind="stable")[-k:]), "expected [0, 2]"),
    ("05.1", "all that tie", lambda a, k: [j for j, x in enumerate(a) if x >= sorted(a)[-k]], "expected [0, 2]"),
    ("05.2", "cosine of the codes", lambda a, b: float(np.mean(a * b)), "returned 0.0625; expected 0.098017"),
    ("05.2", "wrong sign", lambda a, b: -np.cos(np.pi * np.mean(a != b)), "returned -0.098017"),
    ("05.3", "plain products", lambda X, W: em(X, W, normalised=False), "expected [[0.842709, 0.375591, 0.385712]"),
    ("05.3", "idle units are NaN", lambda X, W: em(X, W, idle=False), "it should keep its direction"),
    ("05.3", "one unit", lambda X, W: em(X, W)[:1], "expected [["),
    ("05.3", "a list", lambda X, W: em(X, W).tolist(), "expected [["),
]
NO_ANSWERS = {
    "stopped with IndexError: list index out of range": lambda words: words[99],
    "returned nothing": lambda words: tag_sentence(words) if len(words) == 2 else None,
    "this is 'sbe': give its name, no parentheses": "sbe",
    "expected 'sbe'": lambda words: "s" * 10_000,
}


@pytest.mark.parametrize("name", ALL)
def test_a_right_answer_is_right(name):
    assert repr(check(name, RIGHT[name])) == f"✓ {name} Right. Well done."
    if name == "03.1":  # a function that changes its argument does not change the exercise
        assert check(name, lambda words: "".join(tag_sentence([words.pop(0)]) for _ in range(len(words))))
        assert check(name, tag_sentence)


@pytest.mark.parametrize(("name", "answer", "said"), [pytest.param(n, *rest, id=f"{n} {i}") for n, i, *rest in WRONG])
def test_a_wrong_answer_is_told_what_is_wrong(name, answer, said):
    result = check(name, answer)
    assert not result
    assert said in result.message


def test_what_is_no_answer_at_all_is_explained_in_escaped_html():
    for said, answer in NO_ANSWERS.items():
        message = check("03.1", answer).message
        assert said in message
        assert len(message) < 300
    page = check("03.1", lambda words: "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_wrong_answers_get_one_hint_after_another_and_stubs_the_first():
    for stub in (None, ..., lambda words: None, lambda words: ...):
        result = check("03.1", stub)
        assert repr(result).startswith("✗ 03.1 Not yet. There is no answer so far")
        assert result.hint == "Hint 1 of 3: " + ALL["03.1"].hints[0]
    numbers = [check("03.2", lambda tags: True).hint[:11] for _ in range(4)]
    assert numbers == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
    assert check("03.1", lambda words: "").hint.startswith("Hint 1")  # each counts its own
    assert check("03.2", legal).hint == ""
    assert check("03.2", lambda tags: True).hint.startswith("Hint 1")


@pytest.mark.parametrize("name", ["03.9", "03", "09.1", max], ids=["03.9", "03", "09.1", "max"])
def test_an_unknown_exercise_or_profile_is_an_error_with_the_known_ones(name):
    known = "03.1, 03.2, 03.3" if str(name)[:2] == "03" else "01.1, …, 02.1, …, 03.1, …, 04.1, …, 05.1, …"
    with pytest.raises(ValueError, match=f"{re.escape(repr(name))}; there are {known}$"):
        check(name, tag_sentence)
    assert [is_full("quick"), is_full("full")] == [False, True]
    with pytest.raises(ValueError, match='"quick" or "full", not \'Full\''):
        is_full("Full")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_of_compiled_networks_is_given_back_and_they_still_run():
    """In a process of its own, whose memory nothing else moves: JAX keeps programs until it is told."""
    code = """
import pathlib, re, jax
from kexue_nlp.lessons import free_memory

def megabytes():
    return int(re.search(r"VmRSS:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1e3

program = jax.jit(lambda x: x + 1)
many = [jax.jit(lambda x, i=i: jax.numpy.tanh(x * i).sum()) for i in range(100)]
for one in [program, *many]:
    one(1.0)
before = megabytes()
free_memory()
assert program._cache_size() == 0
assert float(program(1.0)) == 2
print(before - megabytes())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 50  # megabytes; 135 were measured
