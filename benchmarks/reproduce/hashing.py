"""Retrieve MNIST digits by their hash codes: the table of the BioHash paper, over seeds.

100 queries per class, the other 69,000 pictures are the database; ranked by Hamming distance, equal distances in
random order (the score is the expectation over it). Each finished run appends one JSON line to
``benchmarks/results/hashing.jsonl``; runs already there are skipped, so an interrupted run goes on.

Usage::

    python benchmarks/reproduce/hashing.py                                  # all methods, k and seeds
    python benchmarks/reproduce/hashing.py --methods LSH FlyHash --seeds 0
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np
from runs import append_run, read_runs
from scipy.ndimage import gaussian_filter
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from tqdm import tqdm

from kexue_nlp.datasets import DatasetUnavailable, load_images, retrieval_split
from kexue_nlp.hashing import LSH, BioHash, FlyHash, winner_take_all
from kexue_nlp.scoring import average_precision, mean_average_precision

RESULTS = Path(__file__).parents[1] / "results" / "hashing.jsonl"
ACTIVE = (2, 4, 8, 16, 32)
SHARE = 0.05  # of BioHash's units that are active: K = k / 0.05


def smooth_root(pixels: np.ndarray) -> np.ndarray:
    """Blur a little, so that a shifted stroke still overlaps itself, and let bright pixels count for less."""
    pictures = pixels.reshape(-1, 28, 28)
    blurred = np.concatenate([gaussian_filter(part, (0, 0.7, 0.7)) for part in np.array_split(pictures, 50)])
    return normalize(np.sqrt(blurred.reshape(len(pixels), -1)), copy=False)


class RandomCodes:
    """Codes that know nothing of the pictures."""

    def __init__(self, n_units: int, n_active: int, random_state: int) -> None:
        self.n_units, self.n_active = n_units, n_active
        self.rng = np.random.default_rng(random_state)

    def fit(self, X):
        return self

    def transform(self, X):
        return winner_take_all(self.rng.random((len(X), self.n_units), np.float32), self.n_active)


def units(k: int) -> int:
    """K of BioHash."""
    return round(k / SHARE)


def centred(hasher):
    """Take the mean of the database off first."""
    return make_pipeline(StandardScaler(with_std=False), hasher)


# Name: (what is done to the pixels, hasher for k and seed). The trivial one first.
METHODS = {
    "random codes": (None, lambda k, seed: RandomCodes(units(k), k, seed)),
    # Raw pixels are all on one side of too many planes through the origin, so the mean picture is taken off.
    "LSH": (None, lambda k, seed: centred(LSH(k, random_state=seed))),
    "FlyHash": (None, lambda k, seed: FlyHash(7840, k, random_state=seed)),
    "FlyHash, as many units as BioHash": (None, lambda k, seed: FlyHash(units(k), k, random_state=seed)),
    "FlyHash, as many units, pixels minus their mean": (
        None,
        lambda k, seed: centred(FlyHash(units(k), k, random_state=seed)),
    ),
    "BioHash, local rule": (None, lambda k, seed: BioHash(units(k), k, "local", max_iter=15, random_state=seed)),
    "BioHash, EM": (None, lambda k, seed: BioHash(units(k), k, random_state=seed)),
    "BioHash, EM, blurred roots of pixels": (smooth_root, lambda k, seed: BioHash(units(k), k, random_state=seed)),
}
COSINES = (
    "cosine of the pixels, no code",
    "cosine of the pixels, minus their mean, no code",
    "cosine of the pixels, blurred roots, no code",
)


def finished() -> set[tuple]:
    """(method, k, seed) of the runs already stored."""
    return {(run["method"], run["k"], run["seed"]) for run in read_runs(RESULTS)}


def run(method: str, k: int, seed: int, pixels: np.ndarray, labels: np.ndarray) -> dict:
    """Fit on the database, hash everything, score."""
    queries, database = retrieval_split(labels, per_class=100, seed=seed)
    hasher = METHODS[method][1](k, seed)
    begin = time.monotonic()
    hasher.fit(pixels[database])
    seconds = time.monotonic() - begin
    codes = [hasher.transform(pixels[part]) for part in (queries, database)]
    score = mean_average_precision(*codes, labels[queries], labels[database])
    record = {"method": method, "k": k, "seed": seed, "map": round(score, 5), "fit_seconds": round(seconds, 1)}
    if isinstance(hasher, BioHash):
        record |= {
            "objective": round(hasher.objectives_[-1], 5),
            "passes": hasher.n_iter_,
            "unused_units": int((hasher.counts_ == 0).sum()),
        }
    return record


def cosine(method: str, pixels: np.ndarray, labels: np.ndarray, seed: int) -> dict:
    """Rank by the cosine itself, which every code stands for."""
    queries, database = retrieval_split(labels, per_class=100, seed=seed)
    if "mean" in method:
        pixels = pixels - pixels[database].mean(axis=0)
    elif "blurred" in method:
        pixels = smooth_root(pixels)
    directions = normalize(pixels)
    scores = [
        average_precision(1 - directions[part] @ directions[database].T, labels[part, None] == labels[database])
        for part in np.array_split(queries, 20)
    ]
    score = float(np.mean(np.concatenate(scores)))
    return {"method": method, "k": None, "seed": seed, "map": round(score, 5), "fit_seconds": 0.0}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--active", nargs="+", type=int, default=list(ACTIVE))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    try:
        data = load_images("full")
    except DatasetUnavailable as error:
        sys.exit(str(error))
    for method, seed in itertools.product(COSINES, args.seeds):
        if (method, None, seed) not in finished():
            append_run(RESULTS, cosine(method, data.pixels, data.labels, seed))
    for method in args.methods:
        done = finished()
        todo = [(k, seed) for seed in args.seeds for k in args.active if (method, k, seed) not in done]
        prepare = METHODS[method][0]
        pixels = prepare(data.pixels) if todo and prepare else data.pixels
        for k, seed in tqdm(todo, desc=method, file=sys.stdout):
            append_run(RESULTS, run(method, k, seed, pixels, data.labels))


if __name__ == "__main__":
    main()
