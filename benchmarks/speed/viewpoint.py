"""Sentences tagged per second: in batches, one by one, and what finding names and decoding take of it.

Names are found by the matcher that all of lesson 03 and 04 share, and, for comparison, by looking for each name of the
list in turn and by one regular expression. All of it reads the contest's labelled sentences, or the made-up ones where
it is not at hand. Writes ``benchmarks/results/viewpoint_speed.json``.

Usage::

    python benchmarks/speed/viewpoint.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.datasets import DatasetUnavailable, load_viewpoints
from kexue_nlp.viewpoint_tagger import ViewpointTagger

RESULT = Path(__file__).parents[1] / "results" / "viewpoint_speed.json"
FEW = 300  # sentences for what is slow


def find_in_turn(text: str, names: list[str]) -> list[tuple[int, int]]:
    """Look for each name, as the article's code does."""
    found = []
    for name in names:
        start = text.find(name)
        while start >= 0:
            found.append((start, start + len(name)))
            start = text.find(name, start + 1)
    return found


def main() -> None:
    """Measure everything in turns and store the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    try:
        data = load_viewpoints("full")
    except DatasetUnavailable:
        data = load_viewpoints("sample")
    texts = list(data.sentences)
    few = texts[:FEW]
    tagger = ViewpointTagger.load("pretrained")
    names = list(tagger.views)
    log_p = tagger.log_probabilities(texts)

    def decode(decoding: str) -> None:
        tagger.decoding = decoding
        for text, one in zip(texts, log_p, strict=True):
            tagger.mentions(text, one)
        tagger.decoding = "names"

    # The longest first, so that the expression finds what the leftmost-longest rule does.
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    ways: dict[str, tuple[int, Callable]] = {
        "tagger, one call": (len(texts), lambda: tagger(texts)),
        "tagger, one sentence at a time": (len(few), lambda: [tagger(text) for text in few]),
        "of it: network": (len(texts), lambda: tagger.log_probabilities(texts)),
        "of it: names that compete": (len(texts), lambda: decode("names")),
        "instead: forced alignment": (len(texts), lambda: decode("forced")),
        "instead: tags alone": (len(texts), lambda: decode("plain")),
        "finding names: the matcher": (len(texts), lambda: [tagger.names.find(text) for text in texts]),
        "finding names: each in turn": (len(few), lambda: [find_in_turn(text, names) for text in few]),
        "finding names: regular expression": (
            len(few),
            lambda: [[m.span() for m in pattern.finditer(text)] for text in few],
        ),
    }
    for _, way in ways.values():
        way()  # compiles
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, (n, way) in ways.items():
            start = time.perf_counter()
            way()
            rates[name].append(n / (time.perf_counter() - start))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "make bench",
        "machine": f"{os.cpu_count()} cores, {system}, {keras.backend.backend()}",
        "data": data.source,
        "sentences": len(texts),
        "characters_per_sentence": round(float(np.mean([len(text) for text in texts])), 1),
        "names": len(names),
        "rounds": args.rounds,
        "sentences_per_s": {name: round(float(np.median(found))) for name, found in rates.items()},
    }
    RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
