"""Sentences that the explorer begins with, and what their words mean, for readers without Chinese: examples.tsv."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["EXAMPLES", "GLOSSES", "Example"]


class Example(NamedTuple):
    """A sentence, its meaning, and words that are worth a place in the dictionary."""

    text: str
    gloss: str
    words: tuple[str, ...]


_LINES = Path(__file__).with_suffix(".tsv").read_text("utf-8").splitlines()
_ROWS = [line.split("\t") for line in _LINES if not line.startswith("#")]
EXAMPLES = tuple(Example(row[0], row[1], tuple(row[2].split())) for row in _ROWS if len(row) == 3)
GLOSSES = dict(row for row in _ROWS if len(row) == 2)
