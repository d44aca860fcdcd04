"""The article's window language model beside the sequence model: memory of the windows, and speed at equal size.

Windows: the article's code builds nested lists; that is done for some reviews, and what it would take for all is
extrapolated by the number of words. Ours are built for all. Training: both models have the same vocabulary, embedding
and number of units, and take turns of equal wall time; after each their perplexity on held-out reviews is measured.
Writes ``benchmarks/results/language_model_speed.json``.

Usage::

    python benchmarks/speed/language_model.py [--seconds 45] [--turns 3]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.datasets import DatasetUnavailable, load_imdb
from kexue_nlp.language_model import LanguageModel, Perplexity, WindowBatches
from kexue_nlp.models import window_language_model
from kexue_nlp.text import Vocabulary, ngram_windows, split_words

RESULT = Path(__file__).parents[1] / "results" / "language_model_speed.json"
N_TOKENS, N, UNITS, EMBEDDING = 10_000, 10, 256, 100
SLICE = 500  # reviews that are built the article's way
HELD_OUT = 200


def measured(build) -> tuple[float, float]:
    """Seconds and peak megabytes of a call, beyond what was there before."""
    gc.collect()
    tracemalloc.start()
    start = time.perf_counter()
    kept = build()
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return seconds, peak / 1e6


def nested_lists(reviews: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Build windows as the article does: a list per window, then arrays of them."""
    contexts, targets = [], []
    for review in reviews:
        for i in range(len(review)):
            before = review[max(0, i - N) : i]
            contexts.append([0] * (N - len(before)) + before)
            targets.append([review[i]])
    return np.array(contexts), np.array(targets)


def windows(reviews: list[np.ndarray]) -> dict:
    """Time and memory of both ways."""
    few = [review.tolist() for review in reviews[:SLICE]]
    share = sum(map(len, reviews)) / sum(map(len, few))
    seconds, megabytes = measured(lambda: nested_lists(few))
    ours_seconds, ours_megabytes = measured(lambda: ngram_windows(reviews, N))
    return {
        "windows": sum(map(len, reviews)),
        "article_s_extrapolated": round(seconds * share, 1),
        "article_mb_extrapolated": round(megabytes * share),
        "article_measured_on_reviews": SLICE,
        "ours_s": round(ours_seconds, 2),
        "ours_mb": round(ours_megabytes, 1),
    }


class Clock(keras.callbacks.Callback):
    """Stops training after some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.batches = seconds, 0

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.spent = time.perf_counter() - self.start
        if self.spent > self.seconds:
            self.model.stop_training = True


def training(reviews: list[np.ndarray], held_out: list[np.ndarray], seconds: float, turns: int) -> dict:
    """Words per second and perplexity of both models, in turns."""
    keras.utils.set_random_seed(0)
    batch = 1000
    window_model = window_language_model(N_TOKENS, EMBEDDING, UNITS, n=N)
    window_model.compile("adam", "sparse_categorical_crossentropy", metrics=[Perplexity()])
    batches = WindowBatches(reviews, N, batch)
    test = WindowBatches(held_out, N, batch)

    vocabulary = Vocabulary(str(i) for i in range(N_TOKENS - 2))  # ids are given
    sequence_model = LanguageModel(vocabulary, embedding=EMBEDDING, units=UNITS, n_sampled=1024)
    batch_size, steps = 64, 40
    sequence_model.trainer(batch_size, 2e-3)
    window_model.fit(batches, steps_per_epoch=2, verbose=0)  # compiles
    sequence_model.fit(reviews[:50], steps=steps, verbose=0)

    records = {"window model": [], "sequence model": []}
    for _ in range(turns):
        clock = Clock(seconds)
        window_model.fit(batches, callbacks=[clock], verbose=0)
        perplexity = window_model.evaluate(test, verbose=0)[1]
        records["window model"].append((clock.batches * batch / clock.spent, perplexity))
        clock = Clock(seconds)
        sequence_model.fit(reviews, steps=steps, verbose=0, callbacks=[clock])
        rate = clock.batches * batch_size * steps / clock.spent
        records["sequence model"].append((rate, sequence_model.perplexity(held_out)))
    return {
        name: {
            "tokens_per_s": round(float(np.median([rate for rate, _ in turns]))),
            "perplexity_after_each_turn": [round(perplexity, 1) for _, perplexity in turns],
        }
        for name, turns in records.items()
    }


def main() -> None:
    """Measure everything and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    try:
        data = load_imdb("texts")
    except DatasetUnavailable as error:
        sys.exit(str(error))
    texts = [split_words(text) for text in [*data.train, *data.test]]
    vocabulary = Vocabulary.fit(texts, max_size=N_TOKENS - 2)
    reviews = [vocabulary.encode(words) for words in texts]
    order = np.random.default_rng(0).permutation(len(reviews))
    held_out = [reviews[i] for i in order[:HELD_OUT]]
    train = [reviews[i] for i in order[HELD_OUT:]]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "make bench",
        "machine": f"{os.cpu_count()} cores, {system}, {keras.backend.backend()}",
        "windows": windows(reviews),
        "units": UNITS,
        "seconds_per_turn": args.seconds,
        "turns": args.turns,
        "training": training(train, held_out, args.seconds, args.turns),
    }
    speeds = result["training"]
    result["sequence_over_window"] = round(
        speeds["sequence model"]["tokens_per_s"] / speeds["window model"]["tokens_per_s"], 1
    )
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
