"""Learn the sentiment of IMDB reviews from few labels: article 4374, its baselines, and what goes further.

The labels of a draw are as many positive as negative reviews of the 25,000 for training; scores are on 10,000 of
those of the test, which no classifier sees before (the language model reads their texts, without labels). Runs called
*transductive* do as the article does: labels drawn from all 50,000 reviews, and the others are both test and, with
guessed labels, training.

Each finished run appends one JSON line to ``benchmarks/results/semi_supervised.jsonl``; runs already there are skipped.
Fine-tuned networks are kept under ``.runs``; the article's window model is trained on the way, and goes on where it was
interrupted. How much a fine-tuned network weighs beside words, and the constants of logistic regressions of states and
of guesses, were chosen on a draw of their own (number 100), scored on training reviews.

Usage::

    python benchmarks/reproduce/semi_supervised.py                         # everything, draws 0 … 4
    python benchmarks/reproduce/semi_supervised.py --methods "fine-tuned LM" --draws 0
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from runs import append_run, read_runs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.datasets import DatasetUnavailable, load_imdb
from kexue_nlp.language_model import LanguageModel, Perplexity, WindowBatches, padded
from kexue_nlp.models import encoder_head, pooled_classifier, restart, window_language_model
from kexue_nlp.self_trained_lsa import SelfTrainedLSA
from kexue_nlp.self_training import self_train
from kexue_nlp.text import split_words

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "semi_supervised.jsonl"
RUNS = ROOT / ".runs" / "semi_supervised"

LABELS = (50, 100, 300, 1000, 3000)
N_LABELS = 1000  # the article's
N_TEST = 10_000  # reviews of the test, the same for all: fine-tuned networks are slow readers
LAST_WORDS = 100  # what the article's classifier reads


# --- data --------------------------------------------------------------------------------------------------


@functools.cache
def reviews():
    """Texts and labels of all reviews."""
    return load_imdb("texts")


@functools.cache
def labels(split: str) -> np.ndarray:
    """0 or 1 for each review of "train", "test" or "both"."""
    parts = ("train", "test") if split == "both" else (split,)
    return np.concatenate([getattr(reviews(), f"{part}_labels") for part in parts])


@functools.cache
def test_reviews() -> np.ndarray:
    """Numbers of the reviews of the test that are scored."""
    return np.sort(np.random.default_rng(4374).permutation(len(labels("test")))[:N_TEST])


@functools.cache
def texts(split: str) -> list[str]:
    """The reviews of a split, in lower-case words with spaces between them."""
    parts = ("train", "test") if split == "both" else (split,)
    return [" ".join(split_words(text)) for part in parts for text in getattr(reviews(), part)]


@functools.cache
def language_model() -> LanguageModel:
    """The pretrained one, which stays as it is."""
    return LanguageModel.load("pretrained")


@functools.cache
def ids(split: str) -> list[np.ndarray]:
    """The reviews of a split in the vocabulary of the language model."""
    return [language_model().vocabulary.encode(text.split()) for text in texts(split)]


def draw(n_labels: int, seed: int, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Choose labelled reviews, half of each label; return them and the rest. Smaller draws lie in larger ones."""
    most = 2 * min(np.sum(truth == 0), np.sum(truth == 1))
    if n_labels % 2 or not 0 < n_labels <= most:
        raise ValueError(f"an even number of labels up to {most} can be drawn, not {n_labels}")
    rng = np.random.default_rng([4374, seed])
    classes = [rng.permutation(np.flatnonzero(truth == label)) for label in (0, 1)]
    chosen = np.concatenate([members[: n_labels // 2] for members in classes])
    return chosen, rng.permutation(np.setdiff1d(np.arange(len(truth)), chosen))


# --- what learns from labels -------------------------------------------------------------------------------


class Learner(Protocol):
    """Learns from some reviews of a split and their labels."""

    def fit(self, split: str, examples: np.ndarray, labels: np.ndarray, seed: int) -> Any:
        """Return a model."""

    def probability(self, model: Any, split: str, examples: np.ndarray) -> np.ndarray:
        """Return its probability of each review to be positive."""


TFIDF = {"ngram_range": (1, 2), "sublinear_tf": True, "min_df": 2}


@functools.cache
def tfidf_of_all(split: str) -> TfidfVectorizer:
    """Words, pairs of words and how rare they are, from all texts of a split."""
    return TfidfVectorizer(**TFIDF).fit(texts(split))


@dataclass(frozen=True)
class BagOfWords:
    """TF-IDF and logistic regression: of words and pairs with logarithms of counts, or as scikit-learn presets them."""

    last: int | None = None  # words of each review that are read
    preset: bool = False
    c: float = 30
    all_texts: bool = False  # of the split are looked at for words and their weights, without labels

    def _texts(self, split, examples):
        cut = slice(None) if self.last is None else slice(-self.last, None)
        return [" ".join(texts(split)[i].split()[cut]) for i in examples]

    def fit(self, split, examples, labels, seed):
        tfidf, c = (TfidfVectorizer(), 1) if self.preset else (TfidfVectorizer(**TFIDF), self.c)
        classifier = LogisticRegression(C=c, max_iter=1000)
        if self.all_texts:
            tfidf = tfidf_of_all(split)
            classifier.fit(tfidf.transform(self._texts(split, examples)), labels)
            return Pipeline([("tfidf", tfidf), ("classifier", classifier)])
        return make_pipeline(tfidf, classifier).fit(self._texts(split, examples), labels)

    def probability(self, model, split, examples):
        return model.predict_proba(self._texts(split, examples))[:, 1]


@functools.cache
def frozen_states(split: str) -> np.ndarray:
    """Last, mean and highest states of the pretrained language model, float16 (N, 3, units); kept on disk."""
    path = RUNS / f"states_{split}_{_digest(*language_model().encoder.get_weights())}.npz"
    if not path.exists():
        states = language_model().encode(ids(split), pooling=("last", "mean", "max"))
        _keep(path, states.astype(np.float16).reshape(len(states), 3, -1))
    with np.load(path) as kept:
        return kept["arr_0"]


@dataclass(frozen=True)
class FrozenStates:
    """Logistic regression of the frozen language model's states."""

    poolings: tuple[int, ...]  # 0: last, 1: mean, 2: highest
    c: float = 0.003

    def _features(self, split, examples):
        return frozen_states(split)[examples][:, self.poolings].reshape(len(examples), -1).astype(np.float32)

    def fit(self, split, examples, labels, seed):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=self.c, max_iter=1000))
        return model.fit(self._features(split, examples), labels)

    def probability(self, model, split, examples):
        return model.predict_proba(self._features(split, examples))[:, 1]


class FineTuned:
    """The pretrained language model, trained on with a pooled classifier on top. What it learned is kept on disk."""

    length = 256  # words, the last of each review
    batch_size = 50
    reads = 8000  # of reviews, each between 2 and 16 times
    peak = 1e-3  # of the learning rate

    @functools.cached_property
    def _parts(self):
        model = LanguageModel.load("pretrained")
        first = model.encoder.get_weights()
        network = pooled_classifier(model.encoder)
        network.compile(keras.optimizers.Adam(global_clipnorm=1.0), "binary_crossentropy")
        return model.encoder, first, network

    @functools.cached_property
    def _folder(self):
        """For what this recipe makes of this language model."""
        recipe = (self.length, self.batch_size, self.reads, self.peak)
        return RUNS / f"tuned_{_digest(*recipe, *self._parts[1])}"

    @functools.cache  # noqa: B019  (there is one of them)
    def _rows(self, split):
        return padded(ids(split), self.length)

    def fit(self, split, examples, labels, seed) -> Path:
        examples, labels = np.asarray(examples), np.asarray(labels, np.float32)
        path = self._folder / f"tuned_{_digest(split, examples, labels, seed)}.npz"
        if path.exists():
            return path
        encoder, first, network = self._parts
        restart(network, seed)
        encoder.set_weights(first)
        rng = np.random.default_rng(seed)
        epochs = min(16, max(2, round(self.reads / len(examples))))
        n = len(examples) // self.batch_size * self.batch_size  # one shape for the compiler
        batches = np.concatenate([rng.permutation(len(examples))[:n] for _ in range(epochs)])
        batches = batches.reshape(-1, self.batch_size)
        parts = np.array_split(batches, 20)
        for number, part in enumerate(parts):
            # Slanted triangular rates: up to the peak in a fifth of the time, then down along a line.
            place = (number + 0.5) / len(parts)
            network.optimizer.learning_rate.assign(self.peak * min(place / 0.2, (1 - place) / 0.8))
            if len(part):
                chosen = part.ravel()
                network.fit(
                    self._rows(split)[examples[chosen]],
                    labels[chosen],
                    batch_size=self.batch_size,
                    shuffle=False,
                    verbose=0,
                )
        _keep(path, *network.get_weights())
        return path

    def probability(self, model: Path, split, examples):
        path = model.with_name(f"{model.stem}_{_digest(split, examples)}.npz")
        if not path.exists():
            network = self._parts[2]
            with np.load(model) as weights:
                network.set_weights([weights[f"arr_{i}"] for i in range(len(weights.files))])
            rows = self._rows(split)[examples]
            filled = np.concatenate([rows, np.zeros((-len(rows) % 100, rows.shape[1]), rows.dtype)])
            _keep(path, network.predict(filled, batch_size=100, verbose=0)[: len(rows), 0])
        with np.load(path) as kept:
            return kept["arr_0"]


def _digest(*parts: Any) -> str:
    """A name for what depends on these."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else str(part).encode())
    return digest.hexdigest()[:16]


def _keep(path: Path, *arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{os.getpid()}.part.npz")
    np.savez(partial, *arrays)
    os.replace(partial, path)


@dataclass(frozen=True)
class Both:
    """Two learners, and a weighted mean of their log-odds."""

    one: Learner
    other: Learner
    weight: float = 0.5  # of the other

    def fit(self, split, examples, labels, seed):
        return [learner.fit(split, examples, labels, seed) for learner in (self.one, self.other)]

    def probability(self, model, split, examples):
        odds = 0.0
        for learner, its, weight in zip((self.one, self.other), model, (1 - self.weight, self.weight), strict=True):
            p = np.clip(learner.probability(its, split, examples), 1e-4, 1 - 1e-4)
            odds = odds + weight * np.log(p / (1 - p))
        return 1 / (1 + np.exp(-odds))


@dataclass(frozen=True)
class SelfTaught:
    """A learner takes the labels and guesses all other reviews of the split; another learns from all of that."""

    first: Learner
    then: Learner

    def fit(self, split, examples, labels, seed):
        others = np.setdiff1d(np.arange(len(texts(split))), examples)
        guesses = self.first.probability(self.first.fit(split, examples, labels, seed), split, others) > 0.5
        return self.then.fit(split, np.concatenate([examples, others]), np.concatenate([labels, guesses]), seed)

    def probability(self, model, split, examples):
        return self.then.probability(model, split, examples)


class KnowingLSA:
    """LSA that weighs words by its own guesses. It reads all reviews of the split and the 50,000 without a label."""

    def fit(self, split, examples, labels, seed):
        read = texts(split) + [" ".join(split_words(text)) for text in reviews().unlabelled]
        known = np.full(len(read), -1)
        known[examples] = labels
        return SelfTrainedLSA(random_state=seed).fit(read, known)

    def probability(self, model, split, examples):
        return model.predict_proba([texts(split)[i] for i in examples])[:, 1]


class Article:
    """The article's: the state of a frozen encoder after the last of 100 words, and a head that is trained further.

    The encoder is that of a window model, trained as in the article but smaller and on a fifth of the 50,000 reviews,
    read once; or that of the pretrained language model.
    """

    units, embedding, n, batch_size = 256, 100, 10, 1000  # of the window model
    n_read = 10_000  # reviews

    def __init__(self, pretrained: bool) -> None:
        self.pretrained = pretrained

    @functools.cached_property
    def _encoder(self):
        return window_model().get_layer("encoder")

    @functools.cache  # noqa: B019  (there are two of them)
    def _states(self, split):
        if split == "both":
            return np.concatenate([self._states("train"), self._states("test")])
        ends = [review[-LAST_WORDS:] for review in ids(split)]
        if self.pretrained:
            return language_model().encode(ends, pooling="last")
        rows = np.zeros((len(ends), LAST_WORDS), np.int32)
        for row, end in zip(rows, ends, strict=True):
            row[LAST_WORDS - len(end) :] = end
        return self._encoder.predict(rows, batch_size=250, verbose=0)

    def fit(self, split, examples, labels, seed):
        states = self._states(split)
        if len(examples) == N_LABELS:  # round 0; later ones go on from it
            keras.utils.set_random_seed(seed)
            self._head = encoder_head(states.shape[1])
            self._head.compile("adam", "binary_crossentropy")
        epochs = 200 if len(examples) == N_LABELS else 10
        self._head.fit(states[examples], np.asarray(labels), batch_size=1000, epochs=epochs, verbose=0)
        return self._head.get_weights()

    def probability(self, model, split, examples):
        self._head.set_weights(model)
        return self._head.predict(self._states(split)[examples], batch_size=1000, verbose=0)[:, 0]


def window_model() -> keras.Model:
    """Train the window model on some of the 50,000 reviews, piece by piece, or finish training it."""
    article = Article
    keras.utils.set_random_seed(0)
    model = window_language_model(len(language_model().vocabulary), article.embedding, article.units)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[Perplexity()])
    model.optimizer.build(model.trainable_variables)
    RUNS.mkdir(parents=True, exist_ok=True)
    record = RUNS / "window_model.json"
    done = json.loads(record.read_text()) if record.exists() else []
    if done:
        model.load_weights(RUNS / f"window_{len(done)}.weights.h5")
    order = np.random.default_rng(4374).permutation(50_000)
    pieces = order[: article.n_read].reshape(-1, 1000)
    for number, piece in list(enumerate(pieces))[len(done) :]:
        batches = WindowBatches([ids("both")[i] for i in piece], article.n, article.batch_size, seed=number)
        start = time.monotonic()
        history = model.fit(batches, verbose=0).history
        done.append(
            {
                "perplexity": round(history["perplexity"][0], 2),
                "windows": len(batches.rows),
                "seconds": round(time.monotonic() - start, 1),
            }
        )
        model.save_weights(RUNS / f"window_{len(done)}.weights.h5")
        (RUNS / "window.tmp").write_text(json.dumps(done))
        os.replace(RUNS / "window.tmp", record)
        (RUNS / f"window_{len(done) - 1}.weights.h5").unlink(missing_ok=True)
        print(f"{time.strftime('%H:%M')} window model, piece {len(done)}: {done[-1]}", flush=True)
    return model


# --- experiments -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Method:
    """A learner, and how it is used."""

    learner: Learner
    rounds: int = 0  # of self-training
    threshold: float = 0.0  # confidence from which on a guess is learned from
    ranked: bool = False  # confidence is the distance from the middle of the ranking, not from one half
    pool: int | None = None  # unlabelled reviews that are guessed; None: all
    transductive: bool = False
    labels: tuple[int, ...] = (N_LABELS,)


WORDS, TUNED = BagOfWords(), FineTuned()
SMALL_WINDOWS, PRETRAINED = Article(pretrained=False), Article(pretrained=True)
METHODS = {
    "TF-IDF and logistic regression": Method(WORDS, labels=(*LABELS, 25_000)),
    "TF-IDF as scikit-learn presets it": Method(BagOfWords(preset=True)),
    "TF-IDF of all texts": Method(BagOfWords(all_texts=True), labels=LABELS),
    "TF-IDF, last 100 words": Method(BagOfWords(LAST_WORDS)),
    "TF-IDF, self-training on all guesses": Method(WORDS, rounds=5),
    "TF-IDF, self-training on guesses surer than 0.9": Method(WORDS, rounds=5, threshold=0.9),
    "TF-IDF, self-training on the surest half": Method(WORDS, rounds=5, threshold=0.5, ranked=True),
    "TF-IDF, self-taught once": Method(SelfTaught(WORDS, BagOfWords(c=3))),
    "article's way, small window LM": Method(SMALL_WINDOWS, rounds=5),
    "article's way, small window LM, transductive": Method(SMALL_WINDOWS, rounds=5, transductive=True),
    "article's way, pretrained LM": Method(PRETRAINED, rounds=5),
    "article's way, pretrained LM, transductive": Method(PRETRAINED, rounds=5, transductive=True),
    "frozen LM, last state": Method(FrozenStates((0,))),
    "frozen LM, mean state": Method(FrozenStates((1,)), labels=LABELS),
    "frozen LM, last, mean and highest state": Method(FrozenStates((0, 1, 2))),
    "frozen LM, mean state, self-training on all guesses": Method(FrozenStates((1,)), rounds=5),
    "fine-tuned LM": Method(TUNED, labels=(100, 1000, 3000)),
    "fine-tuned LM, one round on the surest of 5,000 guesses": Method(
        TUNED, rounds=1, threshold=0.5, ranked=True, pool=5_000
    ),
    "self-trained LSA": Method(KnowingLSA()),
    "both: words and frozen LM": Method(Both(WORDS, FrozenStates((1,)))),
    "both: words and fine-tuned LM": Method(Both(WORDS, TUNED, weight=0.2)),
    "both: self-taught words and fine-tuned LM": Method(Both(SelfTaught(WORDS, BagOfWords(c=3)), TUNED, weight=0.15)),
}


def run(method: Method, n_labels: int, seed: int) -> dict:
    """Score one draw, round by round."""
    split = "both" if method.transductive else "train"
    truth = labels(split)
    chosen, rest = draw(n_labels, seed, truth)
    rest = rest[: method.pool]
    learner = method.learner

    def fit(examples, guessed):
        return learner.fit(split, examples, np.asarray(guessed), seed)

    def predict(model, examples):
        p = learner.probability(model, split, examples)
        sure = np.maximum(p, 1 - p)
        if method.ranked:
            sure = 2 * np.abs(np.argsort(np.argsort(p)) / max(1, len(p) - 1) - 0.5)
        return (p > 0.5).astype(int), sure

    def accuracy(model) -> float:
        p = learner.probability(model, "test", test_reviews())
        return float(np.mean((p > 0.5) == labels("test")[test_reviews()]))

    record: dict[str, list] = {"accuracy": [], "flips": [], "used": [], "guesses": []}
    if not method.rounds:
        record = {"accuracy": [accuracy(fit(chosen, truth[chosen]))]}
    else:
        options = {"rounds": method.rounds, "threshold": method.threshold}
        for r in self_train(fit, predict, chosen, truth[chosen], rest, **options):
            right = float(np.mean(r.labels == truth[rest]))
            record["accuracy"].append(right if method.transductive else accuracy(r.model))
            record["guesses"].append(right)
            record["flips"].append(r.flips)
            record["used"].append(int(r.used.sum()))
    return {key: [round(v, 5) if isinstance(v, float) else v for v in values] for key, values in record.items()}


def vader() -> dict:
    """Score a sentiment lexicon with rules, which needs no label and no training."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    texts = [reviews().test[i].replace("<br />", " ") for i in test_reviews()]
    positive = np.array([analyzer.polarity_scores(text)["compound"] > 0 for text in texts])
    return {"accuracy": [round(float(np.mean(positive == labels("test")[test_reviews()])), 5)]}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    args = parser.parse_args()
    done = {(r["method"], r["labels"], r["seed"]) for r in read_runs(RESULTS)}

    def once(name: str, n_labels: int, seed: int | None, score: Callable[[], dict]) -> None:
        if (name, n_labels, seed) not in done:
            record = {"method": name, "labels": n_labels, "seed": seed, **score()}
            append_run(RESULTS, record)
            print(time.strftime("%H:%M"), record, flush=True)

    try:
        reviews()
    except DatasetUnavailable as error:
        sys.exit(str(error))
    once("VADER, a lexicon with rules", 0, None, vader)
    for seed in args.draws:
        for name in args.methods:
            method = METHODS[name]
            for n_labels in method.labels:
                if n_labels == len(labels("train")) and seed:
                    continue  # all labels: every draw is the same
                once(name, n_labels, seed, functools.partial(run, method, n_labels, seed))


if __name__ == "__main__":
    main()
