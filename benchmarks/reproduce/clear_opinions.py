"""Made-up sentences about cars that leave no doubt who is praised and who is blamed, and the words they are made of.

All of it, in ``clear_opinions.json``, is our own wording: `cues` are classes of words for
:class:`kexue_nlp.viewpoint_classifier.ViewpointClassifier`, `cars` names of cars, the rest a grammar. Of a pattern the
first number says how often it is used; {a} and {b} are names, their polarities stand behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WORDS = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
CUES = {name: words.split() for name, words in WORDS["cues"].items()}
CARS = WORDS["cars"].split()


def clear_sentences(
    n: int, names: Sequence[str], weights: np.ndarray, seed: int = 0
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """Make different sentences with their labels; of the names those with greater weights occur more often."""
    rng = np.random.default_rng([4118, seed])
    terms = {name: words.split() for name, words in WORDS["terms"].items()}
    terms |= {"g": WORDS["good"], "d": WORDS["bad"], "e": ["。", "。", "。", "！", ""]}
    often = np.array([pattern[0] for pattern in WORDS["patterns"]], float)

    def fill(text: str, pair: tuple[str, str]) -> str:
        known = dict(zip("ab", pair, strict=True))

        def choose(slot: re.Match) -> str:
            options = terms.get(slot[1], [""])
            return known.get(slot[1]) or fill(options[rng.integers(len(options))], pair)

        return re.sub(r"\{(\w+)\}", choose, text)

    made: dict[str, list[tuple[str, str]]] = {}
    while len(made) < n:
        _, pattern, *polarities = WORDS["patterns"][rng.choice(len(often), p=often / often.sum())]
        a, b = (names[i] for i in rng.choice(len(names), 2, replace=False, p=weights / weights.sum()))
        if a not in b and b not in a:
            made.setdefault(fill(pattern, (a, b)), list(zip((a, b), polarities, strict=False)))
    return list(made), list(made.values())
