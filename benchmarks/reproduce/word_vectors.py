"""Score word vectors against people's judgements of similarity: BioWord beside Word2Vec on the same text.

All methods learn from the 100,000 IMDB reviews, the same words in the same order, cut down to the same 20,000 most
frequent ones. They are scored by Spearman's rank correlation on WordSim-353, SimLex-999 and MEN; the pairs with both
words in the vocabulary are the same for all.

Codes of 400 bits with k ones are compared with codes of Word2Vec at equal length (400 bits of LSH) and at equal
information (as many bits of LSH as it takes to say which k of 400 are active).

Each finished run appends one JSON line to ``benchmarks/results/word_vectors.jsonl``; runs already there are skipped.
Trained models wait in ``.runs/word_vectors`` and are not trained again.

Usage::

    python benchmarks/reproduce/word_vectors.py                                # all methods, seeds 0 1 2
    python benchmarks/reproduce/word_vectors.py --methods BioWord --seeds 0
    python benchmarks/reproduce/word_vectors.py --pretrain                     # store the pretrained BioWord
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from gensim.models import Word2Vec
from runs import append_run, read_runs
from scipy.stats import spearmanr

from kexue_nlp.datasets import DatasetUnavailable, load_word_similarity
from kexue_nlp.datasets.imdb import load_imdb
from kexue_nlp.hashing import LSH, FlyHash, winner_take_all
from kexue_nlp.word_vectors import BioWord, unquoted_words

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "word_vectors.jsonl"
RUNS = ROOT / ".runs" / "word_vectors"
PRETRAINED = ROOT / "kexue_nlp" / "pretrained" / "bioword.npz"

VOCABULARY = 20_000
UNITS = 400
ACTIVE = (4, 8, 16, 32, 51)
KEPT = 40  # weights per word in the pretrained file
SETS = ("wordsim353", "simlex999", "men")

BASELINE = "PPMI with the 400 most frequent words"
BIOWORD = {"BioWord": {}, "BioWord, paper's weights": {"weighting": "paper", "n_winners": 1}}
METHODS = (*BIOWORD, "Word2Vec")


def documents() -> list[list[str]]:
    """Words of every review, in an order that mixes positive and negative ones."""
    data = load_imdb("texts")
    texts = data.train + data.test + data.unlabelled
    order = np.random.default_rng(0).permutation(len(texts))
    known: dict[str, str] = {}  # one string object per word: 23 million would need 1.3 GB
    return [[known.setdefault(w, w) for w in unquoted_words(texts[i].replace("<br />", " "))] for i in order]


class PeakMemory:
    """Highest resident memory within a block, above what it was at its beginning, in bytes."""

    def __enter__(self):
        self.before = self.peak = _resident()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        while not self.done.wait(0.05):
            self.peak = max(self.peak, _resident())

    def __exit__(self, *error):
        self.done.set()
        self.thread.join()
        self.bytes = self.peak - self.before


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def bioword(name: str, seed: int, docs) -> tuple[BioWord, dict]:
    """Train a model, or read it where it was trained before."""
    path = RUNS / f"{name}-{seed}.npz".replace(" ", "-").replace("'", "")
    record = path.with_suffix(".json")
    if not record.exists():
        model = BioWord(n_units=UNITS, vocabulary_size=VOCABULARY, random_state=seed, **BIOWORD[name])
        corpus = docs()  # reading is not training
        with PeakMemory() as memory:
            start, cpu = time.monotonic(), time.process_time()
            model.fit(corpus)
            seconds, cpu = time.monotonic() - start, time.process_time() - cpu
        windows = int(model.counts_.sum())
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
        cost = {
            "windows": windows,
            "train_seconds": round(seconds, 1),
            "windows_per_second": round(windows / seconds),
            "windows_per_cpu_second": round(windows / cpu),
            "megabytes_above_ids": round((memory.bytes - 4 * windows) / 1e6),
        }
        record.write_text(json.dumps(cost))
    return BioWord.load(path), json.loads(record.read_text())


def word2vec(seed: int, vocabulary: tuple[str, ...], docs) -> tuple[np.ndarray, dict]:
    """Train skip-gram vectors, or read them; rows in the order of the vocabulary."""
    path = RUNS / f"Word2Vec-{seed}.npz"
    if not path.exists():
        known = set(vocabulary)
        sentences = [[word for word in words if word in known] for words in docs()]
        start = time.monotonic()
        model = Word2Vec(sentences, sg=1, vector_size=100, window=5, min_count=1, epochs=5, workers=2, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, vectors=model.wv[vocabulary], seconds=time.monotonic() - start)
    with np.load(path) as file:
        return file["vectors"], {"train_seconds": round(float(file["seconds"]), 1)}


def ppmi(vocabulary: tuple[str, ...], docs, half: int = 5) -> np.ndarray:
    """Positive pointwise mutual information of each word with the most frequent ones within the window."""
    ids, gap = {word: i for i, word in enumerate(vocabulary)}, len(vocabulary)
    stream = [np.array([ids[w] for w in words if w in ids] + [gap] * half, np.int32) for words in docs()]
    stream = np.concatenate(stream)
    counts = np.zeros((gap + 1, UNITS), np.float64)
    for distance in range(1, half + 1):
        for a, b in ((stream[:-distance], stream[distance:]), (stream[distance:], stream[:-distance])):
            near = b < UNITS
            pairs = sp.coo_array((np.ones(near.sum()), (a[near], b[near])), shape=counts.shape)
            counts += pairs.toarray()
    counts = counts[:gap]
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    return np.log(np.maximum(counts / np.maximum(expected, 1e-9), 1))


def scores(codes, vocabulary: tuple[str, ...]) -> dict:
    """Rank correlations and coverage, by the cosine of rows."""
    ids = {word: i for i, word in enumerate(vocabulary)}
    result = {}
    for name in SETS:
        pairs = load_word_similarity(name)
        found = np.array(
            [(ids.get(a.lower(), -1), ids.get(b.lower(), -1)) for a, b in zip(pairs.first, pairs.second, strict=True)]
        )
        predicted = np.full(len(found), np.nan)
        covered = (found >= 0).all(axis=1)
        x, y = (_dense(codes[found[covered, side]]) for side in (0, 1))
        lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        # Rounded, or equal overlaps would be ordered by the last bit of a division.
        predicted[covered] = np.round((x * y).sum(1) / np.maximum(lengths, 1e-12), 9)
        rho = spearmanr(predicted[covered], pairs.scores[covered]).statistic
        result[name] = {"rho": round(float(rho), 4), "covered": int(covered.sum()), "total": len(covered)}
    return result


def _dense(rows) -> np.ndarray:
    return (rows.toarray() if sp.issparse(rows) else rows).astype(np.float64)


def information(k: int) -> int:
    """Bits that say which k of the units are active."""
    return round(math.log2(math.comb(UNITS, k)))


def finished() -> set[tuple]:
    """(method, seed, k) of the runs already stored."""
    return {(run["method"], run["seed"], run["k"]) for run in read_runs(RESULTS)}


def append(method: str, seed: int | None, k: int | None, bits: int, codes, vocabulary, **more) -> None:
    """Score and write one run unless it is there."""
    if (method, seed, k) in finished():
        return
    record = {"method": method, "seed": seed, "k": k, "bits": bits, **more}
    record["scores"] = scores(codes, vocabulary)
    append_run(RESULTS, record)
    print(record, flush=True)


def pretrain(docs) -> None:
    """Store the model of seed 0 with its card."""
    model, cost = bioword("BioWord", 0, docs)
    model.save(PRETRAINED, n_kept=KEPT)
    stored = BioWord.load(PRETRAINED)
    card = {
        "what": f"BioWord: codes of {UNITS} bits for {VOCABULARY} English words, windows of {model.window} words",
        "data": "IMDB reviews (Maas et al. 2011), all 100,000: training, test and unlabelled",
        "seed": 0,
        "command": "make pretrain-bioword",
        "metrics": {f"k={k}": scores(stored.codes(k=k), stored.words_) for k in ACTIVE if k <= KEPT},
        "metrics_before_compression": {f"k={k}": scores(model.codes(k=k), model.words_) for k in ACTIVE if k <= KEPT},
        "seconds": cost["train_seconds"],
        "windows": cost["windows"],
        "kept_weights_per_word": KEPT,
        "bytes": PRETRAINED.stat().st_size,
    }
    PRETRAINED.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=2))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pretrain", action="store_true", help="train seed 0 and store it in the package")
    args = parser.parse_args()
    corpus: list[list[list[str]]] = []

    def docs() -> list[list[str]]:
        if not corpus:  # only if something is to be trained
            corpus.append(documents())
        return corpus[0]

    try:
        if args.pretrain:
            pretrain(docs)
            return
        first, _ = bioword("BioWord", args.seeds[0], docs)  # its vocabulary is everybody's
        words = first.words_
        if any((BASELINE, None, k) not in finished() for k in ACTIVE):
            baseline = ppmi(words, docs)
            for k in ACTIVE:
                append(BASELINE, None, k, UNITS, winner_take_all(baseline, k), words)
        for seed in args.seeds:
            for method in args.methods:
                if method in BIOWORD:
                    model, cost = bioword(method, seed, docs)
                    for k in ACTIVE:
                        append(method, seed, k, UNITS, model.codes(words, k), words, **cost)
                else:
                    vectors, cost = word2vec(seed, words, docs)
                    binarised(vectors, seed, words, cost)
    except DatasetUnavailable as error:
        sys.exit(str(error))


def binarised(vectors: np.ndarray, seed: int, words: tuple[str, ...], cost: dict) -> None:
    """Score Word2Vec as it is, by signs of random projections, and by random expansion."""
    append("Word2Vec", seed, None, 32 * vectors.shape[1], vectors, words, **cost)
    lsh = LSH(UNITS, random_state=seed).fit_transform(vectors)
    append("Word2Vec + LSH, equal length", seed, None, UNITS, lsh, words)
    for k in ACTIVE:
        bits = information(k)
        append("Word2Vec + LSH, equal information", seed, k, bits, lsh[:, :bits], words)
        expanded = FlyHash(UNITS, k, random_state=seed).fit_transform(vectors)
        append("Word2Vec + random expansion", seed, k, UNITS, expanded, words)


if __name__ == "__main__":
    main()
