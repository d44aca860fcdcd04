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
from kexue_nlp.models import article_tagger
from kexue_nlp.viewpoint_classifier import ViewpointClassifier
from kexue_nlp.viewpoint_tagger import ViewpointTagger

RESULT = Path(__file__).parents[1] / "results" / "viewpoint_speed.json"
FEW = 200  # sentences for what is slow


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    try:
        data = load_viewpoints("full")
    except DatasetUnavailable:
        data = load_viewpoints("sample")
    texts = list(data.sentences)
    few = texts[:FEW]
    tagger = ViewpointTagger.load("pretrained")
    tagger.gazetteer = names = list(data.gazetteer)
    log_p = tagger.log_probabilities(texts)
    classifier = ViewpointClassifier.load()
    classifier.gazetteer = names
    smaller = ViewpointTagger(article_tagger(len(tagger.characters)), tagger.characters, names)  # untrained

    def decode(decoding: str, n: int) -> None:
        tagger.decoding = decoding
        for text, one in zip(texts[:n], log_p[:n], strict=True):
            tagger.mentions(text, one)
        tagger.decoding = "names"

    # The longest first, so that the expression finds what the leftmost-longest rule does.
    pattern = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
    ways: dict[str, tuple[int, Callable]] = {
        "classifier, one call": (len(texts), lambda: classifier(texts)),
        "classifier, one sentence at a time": (FEW, lambda: [classifier(text) for text in few]),
        "tagger, one call": (len(texts), lambda: tagger(texts)),
        "tagger, one sentence at a time": (FEW, lambda: [tagger(text) for text in few]),
        "its network alone": (len(texts), lambda: tagger.log_probabilities(texts)),
        "the article's network alone": (len(texts), lambda: smaller.log_probabilities(texts)),
        "decoding, names compete": (len(texts), lambda: decode("names", len(texts))),
        "decoding, forced alignment": (FEW, lambda: decode("forced", FEW)),
        "decoding, tags alone": (FEW, lambda: decode("plain", FEW)),
        "finding names, the matcher": (len(texts), lambda: [tagger.matcher.find(text) for text in texts]),
        "finding names, each in turn": (FEW, lambda: [find_in_turn(text, names) for text in few]),
        "finding names, regular expression (longest only)": (
            FEW,
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
        "command": f"python benchmarks/speed/viewpoint.py --rounds {args.rounds}",
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
