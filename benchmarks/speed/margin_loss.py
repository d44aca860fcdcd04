"""What the margin loss costs in training, beside Keras's binary cross-entropy, in one run.

The article's two networks, and a small dense one in which a loss would weigh most, train on made-up examples of the
right shape. The two losses take turns, batch order and all else equal, so that a noisy machine disturbs both alike;
the median of the paired ratios is reported, and their quartiles. Writes ``benchmarks/results/margin_loss_speed.json``.

Usage::

    python benchmarks/speed/margin_loss.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras
from keras import layers

from kexue_nlp.losses import MarginBinaryCrossentropy
from kexue_nlp.models import article_cnn, article_lstm

RESULT = Path(__file__).parents[1] / "results" / "margin_loss_speed.json"
BATCH = 32


def dense() -> keras.Sequential:
    """Build a network that takes next to no time itself."""
    return keras.Sequential(
        [keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid")]
    )


def examples() -> dict:
    """Name → (builder, inputs, labels)."""
    rng = np.random.default_rng(0)
    words = {
        "article's CNN": (article_cnn, rng.zipf(1.2, (8 * BATCH, 400)).clip(0, 4_999)),
        "article's LSTM": (article_lstm, rng.zipf(1.2, (8 * BATCH, 80)).clip(0, 19_999)),
    }
    data = {name: (build, x.astype("int32")) for name, (build, x) in words.items()}
    data["dense, 20-32-1"] = dense, rng.normal(size=(100 * BATCH, 20)).astype("float32")
    return {name: (build, x, rng.integers(0, 2, len(x)).astype("float32")) for name, (build, x) in data.items()}


def compare(build, x: np.ndarray, y: np.ndarray, rounds: int) -> dict:
    """Train with both losses in turn."""
    losses = {"cross-entropy": keras.losses.BinaryCrossentropy(), "margin": MarginBinaryCrossentropy(0.6)}
    networks, seconds = {}, {name: [] for name in losses}
    for name, loss in losses.items():
        keras.utils.set_random_seed(0)
        networks[name] = build()
        networks[name].compile("adam", loss)
        networks[name].fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)  # compiles
    for turn in range(rounds):
        for name in list(losses)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            networks[name].fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
            seconds[name].append(time.perf_counter() - start)
    ratios = [ours / theirs for ours, theirs in zip(seconds["margin"], seconds["cross-entropy"], strict=True)]
    n_batches = len(x) // BATCH
    return {
        **{f"{name}_ms_per_batch": round(1000 * statistics.median(s) / n_batches, 3) for name, s in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratio_quartiles": [round(q, 3) for q in statistics.quantiles(ratios)[::2]],
    }


def main() -> None:
    """Measure everything and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "make bench",
        "machine": f"{os.cpu_count()} cores, {system}, {keras.backend.backend()}",
        "rounds": args.rounds,
        "networks": {name: compare(*example, args.rounds) for name, example in examples().items()},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
