"""Speed of the hashers beside scikit-learn, faiss, gensim and plain NumPy, in one run.

On MNIST: encoding 69,000 pictures; learning 320 units of BioHash, beside faiss's spherical k-means and the paper's
rule written out in NumPy; searching the codes of 1,000 queries, beside brute force over cosines. On IMDB reviews:
learning word vectors, beside Word2Vec. Tools take turns, round by round, so that a noisy machine disturbs all alike;
medians are reported. Writes ``benchmarks/results/hashing_speed.json``.

Usage::

    python benchmarks/speed/hashing.py [--rounds 5]
    python benchmarks/speed/hashing.py --quick          # small slices, once, nothing written
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
from gensim.models import Word2Vec
from sklearn.preprocessing import normalize
from sklearn.random_projection import GaussianRandomProjection

from kexue_nlp.code_search import InvertedIndex, pack_bits
from kexue_nlp.datasets import load_images, load_imdb, retrieval_split
from kexue_nlp.hashing import LSH, BioHash, FlyHash
from kexue_nlp.text import split_words
from kexue_nlp.word_vectors import BioWord

RESULT = Path(__file__).parents[1] / "results" / "hashing_speed.json"
N_BITS = 32
N_UNITS, N_ACTIVE = 320, 16
NEIGHBOURS = 100
VOCABULARY = 20_000


def seconds(run: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def medians(tools: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each tool once per round; return the median seconds of each."""
    times: dict[str, list[float]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool, run in tools.items():
            times[tool].append(seconds(run))
            print(f"  {tool}: {times[tool][-1]:.3f} s", flush=True)
    return {tool: statistics.median(values) for tool, values in times.items()}


def encode(X: np.ndarray, rounds: int) -> dict:
    """Turn pictures into codes with what has been fitted."""
    lsh = LSH(N_BITS, random_state=0).fit(X)
    projection = GaussianRandomProjection(N_BITS, random_state=0).fit(X)
    index = faiss.IndexLSH(X.shape[1], N_BITS)
    fly = FlyHash(10 * X.shape[1], N_ACTIVE, random_state=0).fit(X)
    bio = BioHash(N_UNITS, N_ACTIVE, max_iter=1, random_state=0).fit(X)
    times = medians(
        {
            f"LSH, {N_BITS} bits": lambda: lsh.transform(X),
            f"scikit-learn GaussianRandomProjection and sign, {N_BITS} bits": lambda: projection.transform(X) > 0,
            f"faiss.IndexLSH, {N_BITS} bits": lambda: index.sa_encode(X),
            f"FlyHash, {fly.n_units} units": lambda: fly.transform(X),
            f"BioHash, {N_UNITS} units": lambda: bio.transform(X),
        },
        rounds,
    )
    return {tool: {"seconds": round(t, 3), "pictures_per_s": round(len(X) / t)} for tool, t in times.items()}


def objective(X: np.ndarray, weights: np.ndarray) -> float:
    """Mean over the examples of the largest inner product with a unit of length 1."""
    directions = normalize(weights)
    return float(np.mean([(part @ directions.T).max(axis=1).mean() for part in np.array_split(X, 20)]))


def local_rule(X: np.ndarray, n_epochs: int, enough: float) -> tuple[float, float, int]:
    """Train with the rule of the BioHash paper, written out; return seconds, objective and epochs.

    p = 2, Δ = 0, mini-batches of 100, and a rate that falls linearly from 0.02 over the epochs. It stops as soon as
    the objective is `enough`; looking at it is not timed.
    """
    rng, p, batch = np.random.default_rng(0), 2, 100
    weights = rng.standard_normal((N_UNITS, X.shape[1]), np.float32)
    took = reached = 0.0
    for epoch in range(n_epochs):
        start = time.perf_counter()
        rate = 0.02 * (1 - epoch / n_epochs)
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch):
            x = X[order[first : first + batch]].T
            tot = (np.sign(weights) * np.abs(weights) ** (p - 1)) @ x
            y = np.zeros_like(tot)
            y[tot.argmax(axis=0), np.arange(tot.shape[1])] = 1
            step = y @ x.T - (y * tot).sum(axis=1)[:, None] * weights
            weights += rate / np.abs(step).max() * step
        took += time.perf_counter() - start
        reached = objective(X, weights)
        print(f"  local rule in NumPy, epoch {epoch + 1} of {n_epochs}: {took:.1f} s, {reached:.4f}", flush=True)
        if reached >= enough:
            break
    return took, reached, epoch + 1


def train(X: np.ndarray, rounds: int, epochs: list[int]) -> dict:
    """Learn the units; then ask how soon EM is where the local rule ends."""
    em = BioHash(N_UNITS, N_ACTIVE, random_state=0).fit(X)
    kmeans = faiss.Kmeans(X.shape[1], N_UNITS, niter=em.n_iter_, spherical=True, seed=0, max_points_per_centroid=len(X))
    ours, theirs = "BioHash by EM", "faiss.Kmeans, spherical, as many passes"
    times = medians({ours: lambda: em.fit(X), theirs: lambda: kmeans.train(X)}, rounds)
    found = {ours: objective(X, em.components_), theirs: objective(X, kmeans.centroids)}
    result: dict = {
        tool: {"seconds": round(times[tool], 2), "objective": round(found[tool], 4), "passes": em.n_iter_}
        for tool in times
    }
    for n_epochs in epochs:
        took, reached, passes = local_rule(X, n_epochs, found[ours])
        # The rule's last epoch may overshoot what EM ends at. The objective in place i is that after i passes.
        goal = min(reached, found[ours])
        rounds_needed = next((i for i, value in enumerate(em.objectives_) if i and value >= goal), em.n_iter_)
        short = BioHash(N_UNITS, N_ACTIVE, max_iter=rounds_needed, random_state=0)
        name = f"BioHash by EM until it is there (the rule over {n_epochs} epochs)"
        as_good = medians({name: lambda short=short: short.fit(X)}, rounds)[name]
        result[f"local rule in NumPy, rate falling over {n_epochs} epochs"] = {
            "seconds": round(took, 2),
            "objective": round(reached, 4),
            "passes": passes,
            "em_seconds_to_that_objective": round(as_good, 2),
            "em_passes_to_that_objective": rounds_needed,
            "em_times_faster": round(took / as_good, 1),
        }
    return result


def nearest_by_cosine(queries: np.ndarray, database: np.ndarray) -> np.ndarray:
    """Compare unit vectors with all others, a hundred at a time."""
    return np.concatenate(
        [
            np.argpartition(-(part @ database.T), NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
            for part in np.array_split(queries, max(1, len(queries) // 100))
        ]
    )


def search(X: np.ndarray, labels: np.ndarray, queries: np.ndarray, database: np.ndarray, rounds: int) -> dict:
    """Find the nearest neighbours of the queries; compare them with the nearest by cosine."""
    bio = BioHash(N_UNITS, N_ACTIVE, random_state=0).fit(X[database])
    codes, query_codes = bio.transform(X[database]), bio.transform(X[queries])
    inverted, packed = InvertedIndex(codes), pack_bits(query_codes)
    flat = faiss.IndexBinaryFlat(N_UNITS)
    flat.add(pack_bits(codes))
    unit, query_unit = normalize(X[database]), normalize(X[queries])
    tools = {
        "InvertedIndex over BioHash": lambda: inverted.search(query_codes, NEIGHBOURS)[1],
        "faiss.IndexBinaryFlat over BioHash": lambda: flat.search(packed, NEIGHBOURS)[1],
        "brute force over cosines, NumPy": lambda: nearest_by_cosine(query_unit, unit),
    }
    sizes = dict(zip(tools, (inverted.nbytes, flat.code_size * flat.ntotal, unit.nbytes), strict=True))
    times = medians(tools, rounds)
    truth = nearest_by_cosine(query_unit, unit)
    result = {}
    for tool, run in tools.items():
        items = run()
        hits = [len(np.intersect1d(*pair)) for pair in zip(items, truth, strict=True)]
        result[tool] = {
            "ms_per_query": round(1000 * times[tool] / len(queries), 3),
            "index_mb": round(sizes[tool] / 1e6, 2),
            f"recall_at_{NEIGHBOURS}": round(float(np.mean(hits)) / NEIGHBOURS, 3),
            "same_digit": round(float((labels[database][items] == labels[queries][:, None]).mean()), 3),
        }
    return result


def word_vectors(documents: list[list[str]], rounds: int) -> dict:
    """Learn word vectors from reviews cut into words."""
    bio = BioWord(N_UNITS, N_ACTIVE, vocabulary_size=VOCABULARY, random_state=0)
    ours, theirs = f"BioWord, {N_UNITS} units", "gensim Word2Vec (CBOW), 100 numbers, 5 epochs"
    settings = {"max_final_vocab": VOCABULARY, "min_count": 1, "workers": os.cpu_count(), "seed": 0}
    times = medians(
        {ours: lambda: bio.fit(documents), theirs: lambda: Word2Vec(documents, vector_size=100, **settings)}, rounds
    )
    n_words = int(bio.counts_.sum())  # each is the centre of a window
    return {
        tool: {"seconds": round(t, 2), "words": n_words, "words_per_s": round(n_words / t)} for tool, t in times.items()
    }


def main() -> None:
    """Measure everything and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 50], help="of the local rule in NumPy")
    parser.add_argument("--quick", action="store_true", help="try it on small slices; write nothing")
    args = parser.parse_args()
    images = load_images("full")
    X, labels, per_class = images.pixels, images.labels, 100
    documents = [split_words(text) for text in load_imdb().train[:10_000]]
    if args.quick:
        X, labels, per_class, documents = X[:5000], labels[:5000], 10, documents[:300]
        args.rounds, args.epochs = 1, [2]
    queries, database = retrieval_split(labels, per_class)
    examples = X[database]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "make bench",
        "machine": f"{os.cpu_count()} cores, {system}",
        "rounds": args.rounds,
        "pictures": len(examples),
        "queries": len(queries),
        "encode": encode(examples, args.rounds),
        "train": train(examples, args.rounds, args.epochs),
        "search": search(X, labels, queries, database, args.rounds),
        "word_vectors": word_vectors(documents, args.rounds),
    }
    if not args.quick:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
