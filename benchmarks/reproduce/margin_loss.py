"""Train the networks of article 4293 on IMDB with cross-entropy, the margin loss and its relatives.

Runs are paired: those of one seed start from the same weights and see the same batches and the same dropout
masks, whatever the loss. Each finished run appends one JSON line to ``benchmarks/results/margin_loss.jsonl``;
runs already there are skipped, and an interrupted run goes on from its last finished epoch. The queue takes
seed after seed, so that what is finished at any time is nearly balanced.

Nothing is chosen on the test reviews: their accuracy is recorded after every epoch, as the article does, and
the number of epochs is the article's. With ``--stopped`` a tenth of the training reviews is held out instead of
learned from, and its accuracy is recorded too: training ends when it has not risen for three epochs, and what counts
is the epoch in which it was highest. These runs, with label smoothing as a fourth loss, go to
``margin_loss_stopped.jsonl``.

Usage::

    python benchmarks/reproduce/margin_loss.py                    # both networks, three losses, seeds 0 … 4
    python benchmarks/reproduce/margin_loss.py --sweep            # and other margins on the CNN, seeds 0 1 2
    python benchmarks/reproduce/margin_loss.py --stopped          # both networks, four losses, an epoch chosen
    python benchmarks/reproduce/margin_loss.py --networks cnn --seeds 0

Processes at work at the same time must not share runs: give them other networks or other seeds.

On two cores, two processes that are bound to one core each finish sooner than one process on both, whose threads keep
waking each other up; and memory that is kept between steps saves page faults, which are dear on virtual machines::

    export XLA_FLAGS=--xla_cpu_multi_thread_eigen=false
    export MALLOC_MMAP_THRESHOLD_=8589934592 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456
    export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
    taskset -c 0 python benchmarks/reproduce/margin_loss.py --networks lstm &
    taskset -c 1 python benchmarks/reproduce/margin_loss.py --networks cnn --sweep
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from runs import append_run, read_runs
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras
from keras import ops

from kexue_nlp.datasets import DatasetUnavailable, fetch
from kexue_nlp.datasets.imdb import UNKNOWN, word_ids
from kexue_nlp.losses import MarginBinaryCrossentropy, margin_weight
from kexue_nlp.models import article_cnn, article_lstm

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "margin_loss.jsonl"
RUNS = ROOT / ".runs" / "margin_loss"

BATCH = 32
MARGIN = 0.6  # the article's
LOSSES = ("cross-entropy", "margin", "focal")
LOSSES_STOPPED = (*LOSSES, "label smoothing")
SMOOTHING = 0.1
N_HELD_OUT = 2_500  # of the 25,000 training reviews
PATIENCE = 3  # epochs without a better accuracy on them
SWEEP = (0.55, 0.7, 0.8, 0.9, 0.95)
SWEEP_SEEDS = (0, 1, 2)
TFIDF = "TF-IDF and logistic regression"


def predict(network: keras.Model, x: np.ndarray) -> np.ndarray:
    """Return the probabilities of texts, shape (N,)."""
    return network.predict(x, batch_size=250, verbose=0)[:, 0]


def predict_highest(network: keras.Model, x: np.ndarray, step: int = 50) -> np.ndarray:
    """Return the same for a network of the maximum over windows of three words, without most of the padding.

    It stands in front of a text, and windows of nothing but padding are all alike: one of them is enough.
    """
    n = x.shape[1] - (x != 0).argmax(axis=1) + 3
    n = np.minimum(-(-n // step) * step, x.shape[1])  # few lengths, as each is compiled
    p = np.empty(len(x), np.float32)
    for length in np.unique(n):
        p[n == length] = predict(network, x[n == length, -length:])
    return p


@dataclass(frozen=True)
class Network:
    """One of the article's networks, and what it reads."""

    build: Callable[[], keras.Sequential]
    n_words: int
    length: int
    epochs: int
    predict: Callable[[keras.Model, np.ndarray], np.ndarray] = predict


NETWORKS = {
    "cnn": Network(article_cnn, n_words=5_000, length=400, epochs=10, predict=predict_highest),
    "lstm": Network(article_lstm, n_words=20_000, length=80, epochs=15),
}


@dataclass(frozen=True)
class Run:
    """One training: what it is called in the results."""

    network: str
    loss: str
    margin: float | None  # of the loss, or for the other losses the one by which active examples are counted
    seed: int | None  # the last two are None for what has none
    stopped: bool = False  # an epoch is chosen on held-out reviews

    @property
    def epochs(self) -> int:
        return NETWORKS[self.network].epochs

    @property
    def folder(self) -> Path:
        return RUNS / f"{'stopped-' * self.stopped}{self.network}-{self.loss}-{self.margin}-{self.seed}"

    def make_loss(self) -> keras.losses.Loss:
        if self.loss == "margin":
            return MarginBinaryCrossentropy(self.margin)
        if self.loss == "label smoothing":
            return keras.losses.BinaryCrossentropy(label_smoothing=SMOOTHING)
        if self.loss == "focal":
            return keras.losses.BinaryFocalCrossentropy()
        return keras.losses.BinaryCrossentropy()


# --- the same network with less work -----------------------------------------------------------------------


class LeanConvolution(keras.layers.Conv1D):
    """Conv1D with ReLU and the maximum over the text in one, for training that follows the maximum only.

    Of 398 windows one feeds the maximum of a filter, and only that one receives its gradient. So the
    convolution merely says which, and what is differentiated is the product with that window.
    """

    def call(self, inputs, training=False):
        # Bias and ReLU do not move the maximum, so they can wait.
        everywhere = ops.conv(inputs, ops.stop_gradient(self.kernel))
        highest = ops.max(everywhere, axis=1, keepdims=True)
        if not training:
            return ops.relu(highest[:, 0] + self.bias)
        everywhere, highest = ops.stop_gradient(everywhere), ops.stop_gradient(highest)
        n = everywhere.shape[1]
        # In floats, for which XLA finds a maximum in half the time.
        place = -ops.arange(n, dtype="float32")[:, None]
        first = ops.max(ops.where(ops.equal(everywhere, highest), place, -float(n)), axis=1)  # (B, filters)
        first = ops.cast(-first, "int32")
        (width,) = self.kernel_size
        rows = ops.reshape(first[..., None] + ops.arange(width), (-1, self.filters * width, 1))
        windows = ops.take_along_axis(inputs, rows, axis=1)
        windows = ops.reshape(windows, (-1, self.filters, width, inputs.shape[-1]))
        return ops.relu(ops.einsum("bfkd,kdf->bf", windows, self.kernel) + self.bias)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.filters)


def lean(network: keras.Sequential) -> keras.Sequential:
    """Make the network of the same weights, outputs and gradients whose convolution trains in less time."""

    def replace(layer):
        if isinstance(layer, keras.layers.Conv1D):
            return LeanConvolution.from_config(layer.get_config())
        if isinstance(layer, keras.layers.GlobalMaxPooling1D):
            return keras.layers.Identity()
        return layer.__class__.from_config(layer.get_config())

    twin = keras.models.clone_model(network, clone_function=replace)
    twin.set_weights(network.get_weights())
    return twin


def seed_dropout(network: keras.Model, *seed: int) -> None:
    """Set the state of every dropout in the network; what it drops then depends on the seed alone."""
    states = [v for v in network.non_trainable_variables if v.name == "seed_generator_state"]
    for i, state in enumerate(states):
        start = np.random.SeedSequence([*seed, i]).generate_state(1)[0]
        state.assign(np.array([start, 0], dtype=state.dtype))


# --- one run -----------------------------------------------------------------------------------------------


def train(run: Run, data, report) -> dict:
    """Train one network, or finish training it, and return its record."""
    x_train, y_train, x_test, y_test = data
    if run.stopped:
        x_train, x_held_out, y_train, y_held_out = train_test_split(
            x_train, y_train, test_size=N_HELD_OUT, stratify=y_train, random_state=run.seed
        )
    keras.utils.set_random_seed(run.seed)
    network = lean(NETWORKS[run.network].build())

    def active(y_true, y_pred):
        return ops.cast(margin_weight(y_true, y_pred, run.margin) > 0, "float32")

    network.compile("adam", run.make_loss(), metrics=["accuracy", active])
    network.optimizer.build(network.trainable_variables)
    epochs = resume(run, network)
    for epoch in range(len(epochs), run.epochs):
        if run.stopped and epoch - chosen(epochs) > PATIENCE:
            break
        start = time.monotonic()
        order = np.random.default_rng([run.seed, epoch]).permutation(len(x_train))
        seed_dropout(network, run.seed, epoch)
        history = network.fit(x_train[order], y_train[order], batch_size=BATCH, shuffle=False, verbose=0)
        p = NETWORKS[run.network].predict(network, x_test)
        chosen_on = {}
        if run.stopped:
            held_out = NETWORKS[run.network].predict(network, x_held_out)
            chosen_on["held_out_accuracy"] = round(float(np.mean((held_out > 0.5) == y_held_out)), 5)
        epochs.append(
            {
                "loss": round(history.history["loss"][0], 5),
                "train_accuracy": round(history.history["accuracy"][0], 5),
                "active": round(history.history["active"][0], 5),
                **chosen_on,
                "test_accuracy": round(float(np.mean((p > 0.5) == y_test)), 5),
                "test_crossentropy": round(crossentropy(p, y_test), 5),
                "seconds": round(time.monotonic() - start, 1),
            }
        )
        save(run, network, epochs, p)
        report(run, epochs)
    p = np.load(run.folder / f"{1 + chosen(epochs) if run.stopped else len(epochs)}.npy")
    return {
        "network": run.network,
        "loss": run.loss,
        "margin": run.margin,
        "seed": run.seed,
        "epochs": {key: [epoch[key] for epoch in epochs] for key in epochs[0]},
        "calibration": calibration(p, y_test),
        "seconds": round(sum(epoch["seconds"] for epoch in epochs), 1),
    }


def save(run: Run, network, epochs: list[dict], p: np.ndarray) -> None:
    """Store the state after an epoch. The record names the other files and is replaced last, in one go."""
    run.folder.mkdir(parents=True, exist_ok=True)
    n = len(epochs)
    network.save_weights(run.folder / f"{n}.weights.h5")  # the optimizer's too
    np.save(run.folder / f"{n}.npy", p)
    (run.folder / "epochs.tmp").write_text(json.dumps(epochs))
    os.replace(run.folder / "epochs.tmp", run.folder / "epochs.json")
    (run.folder / f"{n - 1}.weights.h5").unlink(missing_ok=True)


def chosen(epochs: list[dict]) -> int:
    """Return the number, from 0, of the epoch with the highest accuracy on the held-out reviews, or -1."""
    accuracy = [epoch["held_out_accuracy"] for epoch in epochs]
    return int(np.argmax(accuracy)) if accuracy else -1


def resume(run: Run, network) -> list[dict]:
    """Return the finished epochs and bring the network to where the last of them left it."""
    record = run.folder / "epochs.json"
    if not record.exists():
        return []
    epochs = json.loads(record.read_text())
    network.load_weights(run.folder / f"{len(epochs)}.weights.h5")
    return epochs


def crossentropy(p: np.ndarray, y: np.ndarray) -> float:
    """Mean cross-entropy in nats."""
    return float(np.mean(-np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-7, None))))


def calibration(p: np.ndarray, y: np.ndarray, n_bins: int = 10) -> dict:
    """Compare predicted with observed shares of positives in bins of equal width.

    ``ece`` is the expected calibration error: the mean over examples of |share − mean p| of their bin.
    """
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    count = np.bincount(bins, minlength=n_bins)
    mean_p = np.bincount(bins, p, n_bins) / np.maximum(count, 1)
    share = np.bincount(bins, y, n_bins) / np.maximum(count, 1)
    return {
        "count": count.tolist(),
        "mean_p": mean_p.round(4).tolist(),
        "share_positive": share.round(4).tolist(),
        "ece": round(float(np.sum(count * np.abs(share - mean_p)) / count.sum()), 5),
    }


def baselines(imdb, networks: list[str], seeds: list[int], done: set[Run]) -> Iterator[dict]:
    """Fit logistic regressions on what the networks read, and on whole reviews, with scikit-learn's settings.

    The one on whole reviews comes with the CNN, and all with seed 0, so that processes do not fit the same one twice.
    """
    if 0 not in seeds:
        return
    shapes = {"whole reviews": None} if "cnn" in networks else {}
    for name in networks:
        shapes[f"what the {name.upper()} reads"] = NETWORKS[name].n_words, NETWORKS[name].length
    for name, shape in shapes.items():
        if Run(name, TFIDF, None, None) in done:
            continue
        start = time.monotonic()
        train, test = imdb.train, imdb.test
        if shape:
            train, test = ([row[row > UNKNOWN] for row in word_ids(texts, *shape)] for texts in (train, test))
        model = make_pipeline(TfidfVectorizer(analyzer=list), LogisticRegression(max_iter=1000))
        accuracy = model.fit(train, imdb.train_labels).score(test, imdb.test_labels)
        yield {
            "network": name,
            "loss": TFIDF,
            "margin": None,
            "seed": None,
            "epochs": {"test_accuracy": [round(float(accuracy), 5)]},
            "seconds": round(time.monotonic() - start, 1),
        }


# --- the queue ---------------------------------------------------------------------------------------------


def queue(networks: list[str], seeds: list[int], sweep: bool, stopped: bool = False) -> list[Run]:
    """List the runs, most wanted first, so that what is finished at any time is nearly balanced."""
    if stopped:
        return [Run(name, loss, MARGIN, seed, True) for seed in seeds for name in networks for loss in LOSSES_STOPPED]
    runs = [Run(network, loss, MARGIN, seed) for seed in seeds for network in networks for loss in LOSSES]
    if sweep and "cnn" in networks:
        runs += [Run("cnn", "margin", margin, seed) for seed in seeds if seed in SWEEP_SEEDS for margin in SWEEP]
    return runs


def results(stopped: bool) -> Path:
    """Where runs of this kind are stored."""
    return RESULTS.with_name("margin_loss_stopped.jsonl") if stopped else RESULTS


def finished() -> set[Run]:
    """Runs already stored."""
    names = ("network", "loss", "margin", "seed")
    kinds = (False, True)
    return {Run(*(r[n] for n in names), stopped) for stopped in kinds for r in read_runs(results(stopped))}


class Progress:
    """Says after each epoch how it went and how long the rest of the queue will take at this pace."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs, self.pace = runs, {}

    def __call__(self, run: Run, epochs: list[dict]) -> None:
        last = epochs[-1]
        self.pace[run.network] = last["seconds"]
        default = max(self.pace.values())  # until an epoch of the other network has been timed
        later = self.runs[self.runs.index(run) + 1 :]
        left = (run.epochs - len(epochs)) * last["seconds"]
        left += sum(r.epochs * self.pace.get(r.network, default) for r in later)
        print(
            f"{time.strftime('%H:%M')} run {self.runs.index(run) + 1}/{len(self.runs)} {run.network} {run.loss}"
            f" {run.margin} seed {run.seed}, epoch {len(epochs)}/{run.epochs}:"
            f" train {last['train_accuracy']:.4f} test {last['test_accuracy']:.4f} active {last['active']:.3f},"
            f" {last['seconds']:.0f} s; {left / 3600:.1f} h left",
            flush=True,
        )


def load_reviews(path: Path) -> SimpleNamespace:
    """Read Keras's archive, word ranks of 25,000 + 25,000 reviews, in the order of ``imdb.load_data``."""
    rng, imdb = np.random.RandomState(113), {}
    with np.load(path, allow_pickle=True) as archive:  # lists of different lengths are stored as a pickle
        for split in ("train", "test"):
            labels = archive[f"y_{split}"]
            order = rng.permutation(len(labels))
            reviews = [np.array(review, np.int32) for review in archive[f"x_{split}"][order]]
            imdb |= {split: reviews, f"{split}_labels": labels[order].astype(np.int64)}
    return SimpleNamespace(**imdb)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--sweep", action="store_true", help="train the CNN with other margins too")
    parser.add_argument("--stopped", action="store_true", help="hold reviews out to choose the epoch on")
    args = parser.parse_args()
    try:
        imdb = load_reviews(fetch("imdb")[0])
    except DatasetUnavailable as error:
        sys.exit(str(error))
    done = finished()
    for record in () if args.stopped else baselines(imdb, args.networks, args.seeds, done):
        append_run(RESULTS, record)
    runs = [run for run in queue(args.networks, args.seeds, args.sweep, args.stopped) if run not in done]
    report = Progress(runs)
    data = {}
    for run in runs:
        if run in finished():  # by another process meanwhile
            continue
        if run.network not in data:
            shape = NETWORKS[run.network].n_words, NETWORKS[run.network].length
            data[run.network] = (
                word_ids(imdb.train, *shape),
                imdb.train_labels.astype(np.float32),
                word_ids(imdb.test, *shape),
                imdb.test_labels.astype(np.float32),
            )
        append_run(results(run.stopped), train(run, data[run.network], report))
        keras.utils.clear_session()  # or the compiled steps of all runs pile up


if __name__ == "__main__":
    main()
