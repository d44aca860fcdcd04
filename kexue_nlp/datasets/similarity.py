"""Pairs of English words with what people said of their similarity: WordSim-353, SimLex-999 and MEN."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kexue_nlp.datasets._files import DATA_SETS, check_choice, read_lines

_NAMES = ("wordsim353", "simlex999", "men")


@dataclass(frozen=True, eq=False)
class WordPairs:
    """Pairs of words and how similar people found them, and where the judgements come from on what terms.

    The words, `first` and `second`, are as published: WordSim-353 writes names with capitals (Jerusalem, FBI), and has
    money–cash twice. Of the `scores`, float64 (N,), those of WordSim-353 and SimLex-999 go from 0 to 10, MEN's to 50.
    """

    name: str
    first: tuple[str, ...] = field(repr=False)
    second: tuple[str, ...] = field(repr=False)
    scores: np.ndarray = field(repr=False)
    source: str
    licence: str
    citation: str


def load_word_similarity(name: str = "wordsim353") -> WordPairs:
    """Load word pairs with human judgements of their similarity: ``"wordsim353"``, ``"simlex999"`` or ``"men"``.

    WordSim-353 (353 pairs) and SimLex-999 (999 pairs) need no network. WordSim-353 and MEN (3,000 pairs) ask how
    *related* two words are, SimLex-999 how *similar* the things: clothes and closet get 8.00 in WordSim-353 and 3.27 in
    SimLex-999. `DatasetUnavailable` says what to do where a file is neither here nor downloadable.

    Examples
    --------
    >>> pairs = load_word_similarity("wordsim353")
    >>> pairs.first[0], pairs.second[0], float(pairs.scores[0])
    ('love', 'sex', 6.77)
    """
    check_choice("name", name, _NAMES)
    data_set = DATA_SETS[name]
    return WordPairs(name, *read_word_pairs(data_set.fetch()[0]), **data_set.terms)


def read_word_pairs(path: str | Path) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Read two words and a score (float64) per line, in any of the layouts in which such sets are published.

    Columns are separated by tabs, by commas or by spaces. Blank lines and lines that start with ``#`` are skipped, and
    so is a heading whose first column starts with "word". The score is the third column, or the one that a heading
    calls SimLex999. A row that is not two words and a finite score, or a word with MEN's part-of-speech mark
    (``sun-n``), is a ValueError that names the file and the line.
    """
    rows, column = [], 2
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        separator = next((mark for mark in "\t," if mark in line), None)  # None: any white space
        fields = [part.strip() for part in line.split(separator)]
        if not rows and fields[0].lower().startswith("word") and math.isnan(_score(fields, 2)):
            column = fields.index("SimLex999") if "SimLex999" in fields else 2
            continue
        score = _score(fields, column)
        if not all(fields[:2]) or not math.isfinite(score):
            raise ValueError(f"{path}, line {number}: {line!r} is not two words and a score")
        if tagged := [word for word in fields[:2] if re.search("-[njv]$", word)]:
            problem = f"{tagged[0]!r} is a lemma with its part of speech; take the file of natural forms"
            raise ValueError(f"{path}, line {number}: {problem}")
        rows.append((*fields[:2], score))
    if not rows:
        raise ValueError(f"{path} holds no word pairs")
    first, second, scores = zip(*rows, strict=True)
    return first, second, np.array(scores)


def _score(fields: list[str], column: int) -> float:
    try:
        return float(fields[column])
    except (IndexError, ValueError):
        return math.nan
