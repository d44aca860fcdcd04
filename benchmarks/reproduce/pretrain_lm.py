"""Train the language model of film reviews that the package carries, and store it with its card.

It reads the texts of all 100,000 IMDB reviews but 1,000 of the unlabelled ones, on which its perplexity is
measured; no label is used. The corpus is read in pieces of some 1.2 million words; after each the state is kept,
and an interrupted training goes on from there.

Usage::

    python benchmarks/reproduce/pretrain_lm.py
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.datasets import DatasetUnavailable, load_imdb
from kexue_nlp.language_model import LanguageModel, ngram_perplexity
from kexue_nlp.text import Vocabulary, split_words

ROOT = Path(__file__).parents[2]
RUNS = ROOT / ".runs" / "language_model"
PRETRAINED = ROOT / "kexue_nlp" / "pretrained" / "language_model.npz"

SEED = 0
N_TOKENS = 10_000  # the article's, padding and unknown words included
RECIPE = {"embedding": 128, "units": 512, "cell": "lstm", "n_sampled": 1024}
PIECES = 20  # of the corpus
EPOCHS = 1.6
BATCH_SIZE, STEPS = 64, 40
LEARNING_RATE = 2e-3  # at the start; it falls to nothing along a cosine
HELD_OUT = 1000


def corpus() -> tuple[Vocabulary, list[np.ndarray], list[np.ndarray]]:
    """Vocabulary, training reviews and held-out reviews, as ids."""
    data = load_imdb("texts")
    reviews = [split_words(text) for text in [*data.train, *data.test, *data.unlabelled]]
    rng = np.random.default_rng(SEED)
    held_out = set(len(data.train) + len(data.test) + rng.choice(len(data.unlabelled), HELD_OUT, replace=False))
    train = [review for i, review in enumerate(reviews) if i not in held_out]
    vocabulary = Vocabulary.fit(train, max_size=N_TOKENS - 2)
    return (
        vocabulary,
        [vocabulary.encode(review) for review in train],
        [vocabulary.encode(reviews[i]) for i in sorted(held_out)],
    )


def train(model: LanguageModel, reviews: list[np.ndarray], held_out: list[np.ndarray]) -> list[dict]:
    """Train, or finish training; return a record per piece."""
    per_epoch = sum(map(len, reviews)) // (BATCH_SIZE * STEPS)
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, int(EPOCHS * per_epoch), alpha=0.01)
    n_pieces = round(EPOCHS * PIECES)
    trainer = model.trainer(BATCH_SIZE, schedule)
    record = RUNS / "pieces.json"
    done = json.loads(record.read_text()) if record.exists() else []
    if done:
        trainer.load_weights(RUNS / f"{len(done)}.weights.h5")
    for number in range(len(done), n_pieces):
        epoch, piece = divmod(number, PIECES)
        order = np.random.default_rng([SEED, epoch]).permutation(len(reviews))
        start = time.monotonic()
        shown = model.fit([reviews[i] for i in order[piece::PIECES]], steps=STEPS, verbose=0)
        seconds = time.monotonic() - start
        done.append(
            {
                "shown_perplexity": round(shown[0], 2),
                "perplexity": round(model.perplexity(held_out[:100]), 2),
                "seconds": round(seconds, 1),
            }
        )
        RUNS.mkdir(parents=True, exist_ok=True)
        trainer.save_weights(RUNS / f"{len(done)}.weights.h5")
        (RUNS / "pieces.tmp").write_text(json.dumps(done))
        os.replace(RUNS / "pieces.tmp", record)
        (RUNS / f"{len(done) - 1}.weights.h5").unlink(missing_ok=True)
        left = (n_pieces - len(done)) * seconds / 60
        print(f"{time.strftime('%H:%M')} piece {len(done)}: {done[-1]}, {left:.0f} minutes left", flush=True)
    return done


def main() -> None:
    """Train and store."""
    try:
        vocabulary, reviews, held_out = corpus()
    except DatasetUnavailable as error:
        sys.exit(str(error))
    model = LanguageModel(vocabulary, seed=SEED, **RECIPE)
    done = train(model, reviews, held_out)
    model.save(PRETRAINED, dtype="float16")
    stored = LanguageModel.load(PRETRAINED)
    unknown = Counter(np.concatenate(held_out).tolist())[1] / sum(map(len, held_out))
    card = {
        "what": "next word of a film review; embedding, LSTM, tied softmax over 10,000 words",
        "data": f"IMDB train, test and unsup texts without labels, but for {HELD_OUT} of unsup held out",
        "seed": SEED,
        "command": "make pretrain-lm",
        "metrics": {
            "heldout_perplexity": round(model.perplexity(held_out), 2),
            "heldout_perplexity_float16": round(stored.perplexity(held_out), 2),
            **{
                f"{order}-gram_perplexity": round(ngram_perplexity(reviews, held_out, N_TOKENS, order), 2)
                for order in (1, 3, 4)
            },
            "heldout_words": sum(map(len, held_out)),
            "share_of_unknown_words": round(unknown, 4),
        },
        "seconds": round(sum(piece["seconds"] for piece in done), 1),
        "recipe": {
            **RECIPE,
            "epochs": EPOCHS,
            "batch_size": BATCH_SIZE,
            "steps": STEPS,
            "learning_rate": LEARNING_RATE,
        },
        "bytes": PRETRAINED.stat().st_size,
    }
    PRETRAINED.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
