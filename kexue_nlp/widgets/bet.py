"""A bet: predict what will come out, then see whether you were right, and why."""

import html
from collections.abc import Sequence
from pathlib import Path

import traitlets

from kexue_nlp.language import N_
from kexue_nlp.widgets.view import View

__all__ = ["Bet"]

_FILE = Path(__file__).with_name("bet.js")
_WORDS = {
    "right": N_("Right."), "wrong": N_("Not so."), "answer": N_("The answer: “{answer}”."), "fold": N_("Answer"),
    "bet": N_("your bet"), "mark": N_("right"),
    "hint": N_("Choose before you go on: what comes out below is blurred until then."),
}  # fmt: skip


class Bet(View):
    """A question to answer before the next cell is run; whoever has answered sees which option is right, and why.

    ValueError if there are not at least two different options, or `answer` is not the index of one.

    Examples
    --------
    >>> Bet("What is 2 + 2?", ["three", "four"], answer=1, why="Count.")
    <Bet>
    """

    _esm, _css = View.script(_FILE), View.style(_FILE.with_suffix(".css"))

    question, why = traitlets.Unicode().tag(sync=True), traitlets.Unicode().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    answer = traitlets.Int().tag(sync=True)
    choice = traitlets.Int(None, allow_none=True, help="Index of the option chosen last.").tag(sync=True)

    def __init__(self, question: str, options: Sequence[str], answer: int, why: str) -> None:
        options = list(options)
        if not 1 < len(options) == len(set(options)):
            raise ValueError(f"options must be at least two different answers, got {options}")
        if isinstance(answer, bool) or answer not in range(len(options)):
            raise ValueError(f"answer must be the index of one of the {len(options)} options, got {answer!r}")
        super().__init__(question=question, options=options, answer=answer, why=why, words=_WORDS)

    def static_text(self) -> str:
        """Return question and options, without the answer."""
        return "\n- ".join([self.question, *self.options])

    def static_html(self) -> str:
        """Return question, options and, folded, the answer."""
        question, why, *options = map(html.escape, (self.question, self.why, *self.options))
        answer = self.words["answer"].format(answer=options[self.answer])
        listed = "".join(f"<li>{option}</li>" for option in options)
        folded = f"<details><summary>{self.words['fold']}</summary><p>{answer} {why}</p></details>"
        return f"<p><b>{question}</b></p><ul>{listed}</ul>{folded}"
