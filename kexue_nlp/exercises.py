"""The exercises of the lessons: :func:`check` says right or wrong and gives the next hint.

What a lesson asks stands in ``EXERCISES`` of ``kexue_nlp/lessons/<name>/exercises.py``, by name.
"""

import html
import pkgutil
import reprlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from numbers import Real
from typing import Any

import numpy as np

from kexue_nlp import lessons
from kexue_nlp.language import N_, _, language

__all__ = ["Exercise", "Result", "check"]

_NOT_BEGUN = N_("There is no answer so far: replace the dots by your own code.")

# How often each exercise was answered wrongly since it was last answered rightly: the number of the next hint.
_wrong_answers: Counter[str] = Counter()


@dataclass(frozen=True)
class Exercise:
    """A function to write: right is what returns the same as the reference in all cases."""

    reference: Callable[..., Any]
    cases: Sequence[tuple]  # arguments, the easiest first
    hints: tuple[str, ...]
    # Of (returned, expected, *case): says what is wrong if it knows more than what was expected, otherwise "".
    explain: Callable[..., str] = lambda *_: ""
    tolerance: float = 1e-5  # relative, of numbers


@dataclass(frozen=True, repr=False)
class Result:
    """What :func:`check` found; true exactly when the answer is right, and shown by Jupyter as a note."""

    name: str
    right: bool
    message: str  # what was found
    hint: str = ""  # the next one, none when the answer is right

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        verdict = f"{'✓' if self.right else '✗'} {self.name} {_('Right. ') if self.right else _('Not yet. ')}"
        return f"{verdict}{self.message}" + (f"\n{self.hint}" if self.hint else "")

    def _repr_html_(self) -> str:
        # The message quotes what the student's function returned, and that may be anything.
        lines = html.escape(repr(self)).replace("\n", "<br>")
        colour = "#2e8b57" if self.right else "#d2691e"
        look = f'lang="{language()}" style="border-left:4px solid {colour};padding:.3em .8em"'
        return f'<div role="status" {look}>{lines}</div>'


def check(name: str, answer: Any) -> Result:
    """Check the answer to an exercise, which is named by lesson and number; ValueError if there is none of that name.

    The answer is a function; it is called on several cases. A wrong answer gets a hint, the next wrong one the next
    hint; a right answer starts the hints over. One not yet begun (``None`` or ``...``) gets the first hint.

    Examples
    --------
    >>> check("03.1", ...)
    ✗ 03.1 Not yet. There is no answer so far: replace the dots by your own code.
    Hint 1 of 3: A word of one character is tagged s. What does a longer word begin and end with?
    """
    exercise = _find_exercise(name)
    fault = _find_fault(exercise, answer)
    if not fault:
        del _wrong_answers[name]
        return Result(name, True, _("Well done."))
    number = 1
    if fault != _NOT_BEGUN:
        _wrong_answers[name] += 1
        number = min(_wrong_answers[name], len(exercise.hints))
    hint = _("Hint {number} of {count}: ", number=number, count=len(exercise.hints))
    return Result(name, False, _(fault) if fault == _NOT_BEGUN else fault, f"{hint}{_(exercise.hints[number - 1])}")


def _find_exercise(name: str) -> Exercise:
    """Import the exercises of the one lesson whose number the name begins with."""
    modules = [module.name for module in pkgutil.iter_modules(lessons.__path__, f"{lessons.__name__}.")]
    by_number = {import_module(module).NUMBER: module for module in modules}
    module = by_number.get(str(name)[:2])
    exercises = import_module(f"{module}.exercises").EXERCISES if module else {}
    if name not in exercises:
        known = exercises or [f"{number}.1, …" for number in by_number]
        raise ValueError(f"no exercise is called {name!r}; there are {', '.join(sorted(known))}")
    return exercises[name]


def _find_fault(exercise: Exercise, function: Any) -> str:
    """Call the function on each case; return what is wrong in the first that shows a fault, or ""."""
    if function is None or function is ...:
        return _NOT_BEGUN
    if not callable(function):
        return _("The answer is a function, and this is {it}: give its name, no parentheses.", it=_short(function))
    for number, case in enumerate(exercise.cases):
        call = f"{getattr(function, '__name__', _('your function'))}({', '.join(map(_short, case))})"
        expected = exercise.reference(*case)
        try:
            returned = function(*deepcopy(case))  # whatever it does to its arguments, the exercise stays as it is
        except Exception as error:
            return _("{call} stopped with {error}", call=call, error=f"{type(error).__name__}: {error}")
        if returned is None or returned is ...:
            forgotten = _("{call} returned nothing. Does every way through the function end in a return?", call=call)
            return forgotten if number else _NOT_BEGUN
        if not _agree(returned, expected, exercise.tolerance):
            explanation = ""
            with suppress(Exception):  # it looks for likely mistakes, and may stumble over quite another kind of answer
                explanation = exercise.explain(returned, expected, *case)
            wanted = f": {explanation}" if explanation else _("; expected {it}.", it=_short(expected))
            return _("{call} returned {it}", call=call, it=_short(returned)) + wanted
    return ""


def _agree(returned: Any, expected: Any, tolerance: float) -> bool:
    """Compare by the kind of what is expected, down to the numbers in it."""
    if isinstance(expected, bool | np.bool_):
        return isinstance(returned, bool | np.bool_) and bool(returned == expected)
    if isinstance(expected, Real):
        slack = 1e-6 + tolerance * abs(expected)
        # Not a difference: an integer may be too large to become a float.
        return isinstance(returned, Real) and bool(expected - slack <= returned <= expected + slack)
    if isinstance(expected, str):
        return str(returned) == expected
    if isinstance(expected, dict):
        if not isinstance(returned, dict) or returned.keys() != expected.keys():
            return False
        return all(_agree(returned[key], expected[key], tolerance) for key in expected)
    if isinstance(expected, np.ndarray) and not isinstance(returned, np.ndarray):
        return False
    try:
        items = list(returned)
    except TypeError:
        return False
    return len(items) == len(expected) and all(_agree(a, b, tolerance) for a, b in zip(items, expected, strict=True))


class _Short(reprlib.Repr):
    """A ``repr`` that stays short whatever a student's function returns."""

    def repr1(self, value: Any, level: int) -> str:
        """Show numbers of NumPy as Python's, rounded, and small arrays as lists."""
        if isinstance(value, np.ndarray) and value.size > 12:
            return f"<array of shape {value.shape}>"
        if isinstance(value, np.generic | np.ndarray):
            value = value.tolist()
        return f"{round(value, 6):g}" if isinstance(value, float) else super().repr1(value, level)


_shortener = _Short()
_shortener.maxlist = _shortener.maxtuple = _shortener.maxdict = 8
_shortener.maxstring = _shortener.maxother = 60
_short = _shortener.repr
