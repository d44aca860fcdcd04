"""The exercises of the lessons: :func:`check` says right or wrong and gives the next hint."""

from __future__ import annotations

import html
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy import stats

from kexue_nlp.hashing import em_round, winner_take_all
from kexue_nlp.scoring import ViewpointScores
from kexue_nlp.tagging import SBME, words_to_tags
from kexue_nlp.viterbi import viterbi

__all__ = ["Result", "check"]


@dataclass(frozen=True, repr=False)
class Result:
    """What :func:`check` found; true exactly when the answer is right, and shown by Jupyter as a note.

    Attributes
    ----------
    name : str
        The exercise, for instance ``"03.1"``.
    right : bool
    message : str
        What was found.
    hint : str
        The next hint; empty when the answer is right.
    """

    name: str
    right: bool
    message: str
    hint: str = ""

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        verdict = f"{'✓' if self.right else '✗'} {self.name} {'Right.' if self.right else 'Not yet.'}"
        return f"{verdict} {self.message}" + (f"\n{self.hint}" if self.hint else "")

    def _repr_html_(self) -> str:
        # The message quotes what the student's function returned, and that may be anything.
        lines = "<br>".join(html.escape(line) for line in repr(self).split("\n"))
        colour = "#2e8b57" if self.right else "#d2691e"
        return f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em">{lines}</div>'


@dataclass(frozen=True)
class _Exercise:
    """One exercise: ``find_fault`` returns what is wrong with an answer, or "" if nothing is."""

    find_fault: Callable[[Any], str]
    hints: tuple[str, ...]


# How often each exercise was answered wrongly since it was last answered rightly, in this process: the number
# of the hint that comes next. Nothing else is remembered.
_wrong_answers: Counter[str] = Counter()


def check(name: str, answer: Any) -> Result:
    """Check the answer to an exercise of a lesson.

    A wrong answer gets a hint, the next wrong one the next hint (the last hint stays); a right answer starts
    the hints over. An exercise not yet begun (``None`` or ``...``) gets the first hint and does not count.

    Parameters
    ----------
    name : str
        Lesson and number, for instance ``"03.1"``.
    answer : object
        What the exercise asks for. So far all ask for a function: hand over the function itself; it is called on
        several cases, and if it raises, the exception is part of the message.

    Returns
    -------
    Result
        True if the answer is right.

    Raises
    ------
    ValueError
        If there is no exercise of that name.

    Examples
    --------
    >>> check("03.1", ...)
    ✗ 03.1 Not yet. There is no answer so far: replace the dots by your own code.
    Hint 1 of 3: A word of one character is tagged s. What does a longer word begin and end with?
    """
    if name not in _EXERCISES:
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(_EXERCISES)}")
    exercise = _EXERCISES[name]
    try:
        if _is_unfinished(answer):
            raise _Unfinished
        fault = exercise.find_fault(answer)
    except _Unfinished:
        return Result(name, False, "There is no answer so far: replace the dots by your own code.", _hint(exercise, 0))
    if not fault:
        del _wrong_answers[name]
        return Result(name, True, "Well done.")
    hint = _hint(exercise, _wrong_answers[name])
    _wrong_answers[name] += 1
    return Result(name, False, fault, hint)


class _Unfinished(Exception):
    """The answer, or what the student's function returned, is a stub's ``None`` or ``...``."""


def _is_unfinished(value: Any) -> bool:
    return value is None or value is ...


def _hint(exercise: _Exercise, number: int) -> str:
    number = min(number, len(exercise.hints) - 1)
    return f"Hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}"


class _Short(reprlib.Repr):
    """A ``repr`` that stays short whatever a student's function returns."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist, self.maxstring, self.maxother = 8, 60, 60

    def repr_ndarray(self, array: np.ndarray, level: int) -> str:
        return f"<array of shape {array.shape}>"


_short = _Short().repr


def _on_cases(find_fault: Callable[..., str], cases: Sequence[tuple]) -> Callable[[Any], str]:
    """Make a fault finder for functions: call the answer on each case until one shows a fault.

    ``find_fault(returned, *case)`` says what is wrong with the value returned, or "".
    """

    def find(function: Any) -> str:
        if not callable(function):
            return f"The answer is a function, and this is {_short(function)}: give its name, no parentheses."
        for case in cases:
            call = f"{getattr(function, '__name__', 'your function')}({', '.join(map(_short, case))})"
            try:
                # A copy, so that a function which changes its arguments cannot change the exercise.
                returned = function(*deepcopy(case))
            except Exception as error:
                return f"{call} stopped with {type(error).__name__}: {error}"
            if _is_unfinished(returned):
                if case is cases[0]:
                    raise _Unfinished
                return f"{call} returned nothing. Does every way through the function end in a return?"
            if fault := find_fault(returned, *case):
                return f"{call} {fault}"
        return ""

    return find


def _equal_to(expected: Callable[[Any], Any], kind: type | tuple[type, ...]) -> Callable[..., str]:
    def find_fault(returned: Any, argument: Any) -> str:
        right = expected(argument)
        if isinstance(returned, kind) and returned == right:
            return ""
        return f"returned {_short(returned)}; expected {right!r}."

    return find_fault


def _names(tags: Sequence[int] | np.ndarray) -> str:
    return "".join(SBME.tags[tag] for tag in tags)


def _is_legal(tags: str) -> bool:
    return SBME.is_legal([SBME.tags.index(tag) for tag in tags])


def _find_fault_in_multiplier(returned: Any, log_probabilities: np.ndarray, start: int, end: int) -> str:
    # A multiplier m adds log m to the b, m … e (or s) of the word, so the path through all of them gains more
    # than any other path: once m is large enough the word stays whole, and there is one smallest m.
    if not isinstance(returned, Real) or not 0 < returned < 1e30:
        return f"returned {_short(returned)}; expected a positive number."
    word = words_to_tags(["字" * (end - start)])

    def is_whole(multiplier: float) -> bool:
        scores = log_probabilities.astype(np.float64)
        scores[np.arange(start, end), word] += np.log(multiplier)
        return np.array_equal(viterbi(scores, SBME)[start:end], word)

    span = f"the word at positions {start} to {end - 1}"
    if not is_whole(1.01 * float(returned)):
        return f"returned {float(returned):.4g}, but that does not keep {span} whole."
    if is_whole(0.99 * float(returned)):
        return f"returned {float(returned):.4g}, but a smaller multiplier keeps {span} whole too."
    return ""


def _multiplier_cases() -> list[tuple[np.ndarray, int, int]]:
    rng = np.random.default_rng(4195)
    spans = [(3, 0, 2), (2, 0, 2), (4, 1, 4), (6, 2, 6), (5, 2, 3), (8, 0, 1), (7, 6, 7), (9, 3, 5)]
    return [
        (np.log(rng.dirichlet(np.ones(4), size=length)).astype(np.float32), start, end) for length, start, end in spans
    ]


def _find_fault_in_weight(returned: Any, y: int, p: float, margin: float) -> str:
    def step(x: float) -> float:
        return (np.sign(x) + 1) / 2

    right = 1 - step(y - margin) * step(p - margin) - step(1 - margin - y) * step(1 - margin - p)
    if isinstance(returned, Real) and abs(returned - right) < 1e-9:
        return ""
    return f"returned {_short(returned)}; expected {right:g}."


def _find_fault_in_lead(returned: Any, probabilities: np.ndarray, k: int, margin: float) -> str:
    rest = np.delete(probabilities, k).max()
    right = bool(probabilities[k] - rest > 2 * margin - 1)
    if isinstance(returned, bool | np.bool_) and returned == right:
        return ""
    return (
        f"returned {_short(returned)}; class {k} leads by {probabilities[k] - rest:.2f} and needs more than "
        f"{2 * margin - 1:.2f}, so expected {right}."
    )


def _find_fault_in_interval(returned: Any, ours: np.ndarray, theirs: np.ndarray) -> str:
    difference = ours - theirs
    mean = float(difference.mean())
    half = float(stats.t.ppf(0.975, len(ours) - 1) * difference.std(ddof=1) / np.sqrt(len(ours)))
    right = np.array([mean - half, mean + half])
    try:
        found = np.array([float(bound) for bound in returned])
    except (TypeError, ValueError):
        return f"returned {_short(returned)}; expected two numbers, the lower and the upper bound."
    if found.shape == (2,) and np.allclose(found, right, atol=1e-6):
        return ""
    if found.shape == (2,) and np.allclose(found[::-1], right, atol=1e-6):
        return f"returned {_short(returned)}: both bounds are right, but the lower one comes first."
    if np.allclose(found.mean(), mean, atol=1e-6):
        return f"returned {_short(returned)}: the middle is right, but expected {right.round(6).tolist()}."
    return f"returned {_short(returned)}; the mean difference is {mean:.4f}, so expected {right.round(6).tolist()}."


def _lead_cases() -> list[tuple[np.ndarray, int, float]]:
    rows = [
        [0.7, 0.3],
        [0.55, 0.45],
        [0.6, 0.3, 0.1],
        [0.5, 0.4, 0.1],
        [0.45, 0.15, 0.4],
        [0.1, 0.3, 0.6],
        [0.1, 0.2, 0.6, 0.1],
    ]
    return [(np.array(row), k, margin) for row in rows for k in range(len(row)) for margin in (0.6, 0.8)]


def _interval_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(4293)
    cases = []
    for n in (5, 3, 10):
        theirs = rng.normal(0.82, 0.01, n).round(4)
        cases.append(((theirs + rng.normal(0.003, 0.004, n)).round(4), theirs))
    return cases


def _find_fault_in_contexts(returned: Any, ids: list[int], n: int) -> str:
    padded = [0] * n + list(ids)
    right = [(padded[i : i + n], padded[i + n]) for i in range(len(ids))]
    try:
        found = [([int(token) for token in context], int(target)) for context, target in returned]
    except (TypeError, ValueError):
        return f"returned {_short(returned)}; expected a list of pairs (context, target)."
    if found == right:
        return ""
    if len(found) != len(right):
        return f"returned {len(found)} windows; expected one per token, {len(right)}."
    i = next(i for i, pair in enumerate(found) if pair != right[i])
    return f"gives {found[i]} for token {i}; expected {right[i]}."


def _find_fault_in_perplexity(returned: Any, p: list[float]) -> str:
    right = float(np.exp(-np.mean(np.log(p))))
    if isinstance(returned, Real) and abs(returned - right) < 1e-6 * right:
        return ""
    return f"returned {_short(returned)}; expected {right:.4f}."


def _find_fault_in_choice(returned: Any, p: np.ndarray, k: int) -> str:
    try:
        found = {int(i): int(label) for i, label in returned.items()}
    except (AttributeError, TypeError, ValueError):
        return f"returned {_short(returned)}; expected a dictionary, example → label."
    counts = [sum(label == wanted for label in found.values()) for wanted in (0, 1)]
    if any(not 0 <= i < len(p) for i in found):
        return f"chooses an example that is not there: {_short(sorted(found))}; there are {len(p)}."
    wrong = [i for i, label in found.items() if label != int(p[i] > 0.5)]
    if wrong:
        return f"gives example {wrong[0]} with p = {p[wrong[0]]:.2f} the label {found[wrong[0]]}."
    there = [int((p <= 0.5).sum()), int((p > 0.5).sum())]
    right = min(k, *there)
    if counts != [right, right]:
        return f"chooses {counts[0]} negative and {counts[1]} positive examples; expected {right} of each."
    chosen = np.isin(np.arange(len(p)), list(found))
    sure = np.abs(p - 0.5)
    for label in (0, 1):
        side = (p > 0.5) == bool(label)
        if right and (side & ~chosen).any() and sure[side & ~chosen].max() > sure[side & chosen].min() + 1e-12:
            i = int(np.flatnonzero(side & ~chosen)[sure[side & ~chosen].argmax()])
            return f"leaves out example {i} with p = {p[i]:.2f} and takes a less certain one."
    return ""


def _choice_cases() -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(4374)
    cases = [(rng.permutation(np.linspace(0.02, 0.97, n)).round(4), k) for n, k in ((6, 2), (11, 3), (20, 7))]
    # Most are positive; there are fewer negative ones than wanted; and none at all.
    return [*cases, (np.array([0.9, 0.8, 0.95, 0.3]), 2), (np.array([0.9, 0.7]), 1)]


def _find_fault_in_winners(returned: Any, activations: list[float], k: int) -> str:
    right = winner_take_all(np.array([activations]), k).indices.tolist()
    try:
        found = np.asarray(list(returned)).tolist()
    except (TypeError, ValueError):
        return f"returned {_short(returned)}; expected a list of {k} units."
    return "" if found == right else f"returned {_short(found)}; expected {right}."


def _find_fault_in_cosine(returned: Any, a: np.ndarray, b: np.ndarray) -> str:
    right = float(np.cos(np.pi * np.mean(a != b)))
    if isinstance(returned, Real) and abs(returned - right) < 1e-6:
        return ""
    return f"returned {_short(returned)}; {np.mean(a == b):.0%} of the bits agree, so expected {right:.4f}."


def _find_fault_in_round(returned: Any, X: np.ndarray, W: np.ndarray) -> str:
    right, _, counts = em_round(X, W)
    if not isinstance(returned, np.ndarray) or returned.shape != right.shape:
        return f"returned {_short(returned)}; expected an array of shape {right.shape}."
    if np.allclose(returned, right, atol=1e-6):
        return ""
    if np.isnan(returned).any():
        return "returned NaN. A unit that won no example has a sum of length 0; it should keep its direction."
    unit = int(np.abs(returned - right).max(axis=1).argmax())
    return (
        f"gives unit {unit} the weights {np.round(returned[unit], 3).tolist()}; it won {counts[unit]} examples, "
        f"so expected {np.round(right[unit], 3).tolist()}."
    )


def _find_fault_in_runs(returned: Any, tags: str) -> str:
    right = _runs(tags)
    try:
        found = [(int(start), int(end), str(tag)) for start, end, tag in returned]
    except (TypeError, ValueError):
        return f"returned {_short(returned)}; expected a list of triples (start, end, tag)."
    return "" if found == right else f"returned {_short(found)}; expected {right}."


def _runs(tags: str) -> list[tuple[int, int, str]]:
    return [(m.start(), m.end(), m.group()[0]) for m in re.finditer(r"([1-3])\1*", tags)]


def _find_fault_in_f1(returned: Any, right: int, wrong: int, missed: int, extra: int) -> str:
    expected = ViewpointScores(right, wrong, missed, extra).contest_f1
    if isinstance(returned, Real) and abs(returned - expected) < 1e-6:
        return ""
    strict = ViewpointScores(right, wrong, missed, extra).strict_f1
    if isinstance(returned, Real) and abs(returned - strict) < 1e-6:
        return f"returned {returned:.4f}: that is strict; in the contest's recall wrong opinions do not count."
    return f"returned {_short(returned)}; expected {expected:.4f}."


def _find_fault_in_vote(returned: Any, plain: str, forced: str) -> str:
    right = []
    for start, end, _ in _runs(forced):
        votes = [plain[start:end].count(tag) for tag in "123"]
        if any(votes):
            right.append((start, end, "123"[votes.index(max(votes))]))
    try:
        found = [(int(start), int(end), str(tag)) for start, end, tag in returned]
    except (TypeError, ValueError):
        return f"returned {_short(returned)}; expected a list of triples (start, end, tag)."
    return "" if found == right else f"returned {_short(found)}; expected {right}."


def _sign_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(8159)
    cases = [np.where(rng.random((2, n)) < 0.5, 1, -1) for n in (4, 8, 32, 256)]
    same = np.ones(16, int)
    return [(a, b) for a, b in cases] + [(same, same), (same, -same)]


def _round_cases() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(8159)
    cases = [(rng.random((n, 3)), rng.random((k, 3)) + 0.1) for n, k in ((6, 2), (20, 4), (5, 5))]
    # Lengths differ, so that plain and normalised products choose differently; the last unit wins nothing.
    return [
        *cases,
        (np.array([[3.0, 0.1], [0.1, 2.0], [2.0, 0.3]]), np.array([[5.0, 4.0], [1, 0], [0, 1], [-1, 0]])),
    ]


_EXERCISES: dict[str, _Exercise] = {
    "01.1": _Exercise(
        _on_cases(
            _find_fault_in_weight,
            [
                (y, p, m)
                for y, p, m in (
                    *((1, 0.95, 0.6), (1, 0.55, 0.6), (1, 0.02, 0.6), (0, 0.05, 0.6), (0, 0.45, 0.6)),
                    *(
                        (0, 0.98, 0.6),
                        (1, 0.75, 0.75),
                        (0, 0.25, 0.75),
                        (1, 0.25, 0.75),
                        (0, 0.75, 0.75),
                        (0, 0.3, 0.9),
                    ),
                )
            ],
        ),
        (
            "There are four cases: label 1 and p on either side of m, label 0 and p on either side of 1 − m.",
            "Only what is right by the margin is switched off. A positive review with p = 0.02 has λ = 1.",
            "On the margin itself θ(0) = ½, so λ = ½: compare p with m when y is 1, with 1 − m when y is 0.",
        ),
    ),
    "01.2": _Exercise(
        _on_cases(_find_fault_in_lead, _lead_cases()),
        (
            "Compare the probability of class k with the largest of all the others, not with m.",
            "np.delete(probabilities, k).max() is the strongest rival.",
            "With two classes p > m means p − (1 − p) > 2m − 1: ask for that lead.",
        ),
    ),
    "01.3": _Exercise(
        _on_cases(_find_fault_in_interval, _interval_cases()),
        (
            "Runs of one seed belong together: take the differences first, then forget the two lists.",
            "The standard error of the mean is the standard deviation of the differences (ddof=1) over √n.",
            "Multiply it by stats.t.ppf(0.975, n − 1); the interval is the mean difference minus and plus that.",
        ),
    ),
    "02.1": _Exercise(
        _on_cases(
            _find_fault_in_contexts,
            [([5, 6, 7], 2), ([5, 6, 7], 1), ([9], 3), ([4, 4, 8, 2, 7, 3], 4), ([], 2)],
        ),
        (
            "Put n zeros in front of the ids; then every token has n tokens before it.",
            "With padded = [0] * n + ids, token i of the text stands at padded[i + n].",
            "Its context is padded[i : i + n]; collect the pair for every i in range(len(ids)).",
        ),
    ),
    "02.2": _Exercise(
        _on_cases(
            _find_fault_in_perplexity,
            [([0.25, 0.25, 0.25],), ([0.5, 0.125],), ([1.0, 1.0],), ([0.9, 0.01, 0.3, 0.002],)],
        ),
        (
            "Cross-entropy is the mean of −log p over the tokens; perplexity is exp of it.",
            "Take the mean of the logarithms, not the logarithm of the mean.",
            "np.exp(-np.mean(np.log(p))).",
        ),
    ),
    "02.3": _Exercise(
        _on_cases(_find_fault_in_choice, _choice_cases()),
        (
            "np.argsort(p) lists the examples from the surest negative to the surest positive.",
            "From one end take the surest negative ones (p ≤ ½), from the other the surest positive ones, as many "
            "of each: no more than k, and no more than there are on the scarcer side.",
            "With n = min(k, (p > 0.5).sum(), (p <= 0.5).sum()): the first n of the order get 0, the last n get 1. "
            "Mind n = 0: order[-0:] is everything.",
        ),
    ),
    "03.1": _Exercise(
        _on_cases(
            _equal_to(lambda words: _names(words_to_tags(words)), str),
            [
                (["微", "信号"],),
                (["微信号"],),
                (["关注", "微信号", "。"],),
                (["人工智能"],),
                (["扫描", "二维码", "，"],),
                (["中华人民共和国"],),
                (["字"],),
                ([],),
            ],
        ),
        (
            "A word of one character is tagged s. What does a longer word begin and end with?",
            "Between b and e a word of n characters has n − 2 times m: for two characters none at all.",
            'The tags of one longer word are "b" + "m" * (len(word) - 2) + "e"; join those of all the words.',
        ),
    ),
    "03.2": _Exercise(
        _on_cases(
            _equal_to(_is_legal, (bool, np.bool_)),
            [
                (tags,)
                for tags in (
                    *("s", "be", "sbe", "bmmes", "bebe", "ssbme", ""),
                    *("b", "m", "e", "sb", "bm", "es", "me", "bbe", "bee", "bmse", "sme", "bsbe", "sebe"),
                )
            ],
        ),
        (
            "Look at neighbours: which tags may follow s, and which may follow b?",
            "After s or e a new word begins, so s or b follows. Inside a word, after b or m, comes m or e.",
            "The ends count as well: the first tag is s or b, the last is s or e. A text without characters "
            "has no tags, and nothing is wrong with it.",
        ),
    ),
    "03.3": _Exercise(
        _on_cases(_find_fault_in_multiplier, _multiplier_cases()),
        (
            "Add log(m) to the word's tags in a copy of log_probabilities (s for a word of one character, "
            "otherwise b, m …, e), call viterbi and look whether its tags from start to end are the word's.",
            "The larger m, the more the word gains over every other path: below one value of m it is cut, "
            "above it is whole. Halve an interval of log(m) around that value again and again.",
            "Search over log(m), not m, and also below 0: a word that the network already keeps whole has a "
            "smallest multiplier less than 1. Return m itself, as a float.",
        ),
    ),
    "04.1": _Exercise(
        _on_cases(
            _find_fault_in_runs,
            [
                (tags,)
                for tags in (
                    "0110330",
                    "000",
                    "",
                    "2",
                    "1100",
                    "0022",
                    "11033",
                    "0111033300220",
                    "1133",
                    "30303",
                )
            ],
        ),
        (
            "An entity is a run of one tag other than 0. Where does a run begin, and where does it end?",
            "It begins where a tag is not 0 and differs from the one before; it ends before the next that differs.",
            'The last run may end with the text. A "0" put behind the tags ends it like any other; or use '
            "itertools.groupby, which cuts a string into runs.",
        ),
    ),
    "04.2": _Exercise(
        _on_cases(
            _find_fault_in_f1,
            [
                (6, 2, 2, 4),
                (3, 0, 0, 0),
                (5, 5, 0, 0),
                (1, 0, 9, 0),
                (2, 3, 4, 5),
                (0, 4, 1, 2),
                (0, 0, 0, 0),
                (0, 0, 3, 0),
            ],
        ),
        (
            "Precision is right / (right + wrong + extra): of all that was said, how much is right?",
            "The contest's recall is right / (right + missed): pairs with a wrong opinion are in neither.",
            "F1 = 2PR / (P + R). If nothing is right it is 0: mind the divisions by zero.",
        ),
    ),
    "04.3": _Exercise(
        _on_cases(
            _find_fault_in_vote,
            [
                ("00100", "02220"),
                ("0000", "0110"),
                ("3311", "2222"),
                ("1330", "1110"),
                ("110033", "110022"),
                ("0203", "1111"),
                ("", ""),
                ("0010", "0000"),
                ("1110300", "0110330"),
            ],
        ),
        (
            "Where the entities are, the second tags say; what is said of each, the first.",
            "For each run of the second tags count 1, 2 and 3 among the first tags of the same places.",
            "The most frequent wins, of equally frequent ones the smallest. Are all three counts 0, leave the run out.",
        ),
    ),
    "05.1": _Exercise(
        _on_cases(
            _find_fault_in_winners,
            [
                ([0.2, 0.9, 0.5], 1),
                ([0.2, 0.9, 0.5, 0.7], 2),
                ([3.0, 1.0, 3.0, 3.0], 2),
                ([0.0, 0.0, 0.0], 2),
                ([-1.0, -3.0, -2.0], 3),
                ([1.0, 5.0, 1.0, 5.0, 1.0], 3),
            ],
        ),
        (
            "Sort the units, not the activations: sorted(range(K), key=...) puts the largest activation first.",
            "Python's sort keeps the order of equals, so with key=lambda unit: -activations[unit] the lower index "
            "comes first.",
            "Take the first k of that order, and sort those by index before returning them.",
        ),
    ),
    "05.2": _Exercise(
        _on_cases(_find_fault_in_cosine, _sign_cases()),
        (
            "The share of bits that agree tends to 1 − θ/π. What does that say about θ?",
            "θ = π · (share of bits that differ).",
            "Return np.cos of that angle.",
        ),
    ),
    "05.3": _Exercise(
        _on_cases(_find_fault_in_round, _round_cases()),
        (
            "First scale the rows of W to length 1. The winner of each example is the argmax of X @ W.T.",
            "The new unit is the sum of the examples it won, X[winner == j].sum(axis=0), scaled to length 1.",
            "A unit that won nothing has a sum of length 0: give it back its direction from before.",
        ),
    ),
}
