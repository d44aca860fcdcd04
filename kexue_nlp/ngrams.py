"""Predict the next token from the n tokens before it: by counts, and the batches from which a network learns it.

Article 4374's language model sees such windows. What counts alone can do is what a network must beat.
"""

from collections.abc import Sequence

import keras
import numpy as np

from kexue_nlp.text import ngram_windows

__all__ = ["WindowBatches", "ngram_perplexity"]


def ngram_perplexity(
    train: Sequence[np.ndarray], held_out: Sequence[np.ndarray], n_tokens: int, order: int = 3, discount: float = 0.75
) -> float:
    """Return the perplexity, per token of `held_out`, of a model that counts, with interpolated Kneser–Ney smoothing.

    Texts are token ids, int (T_i,), below `n_tokens`, the size of the vocabulary. An `order` of 1 looks at no context,
    2 at one token before, and so on; n_tokens ** order must be below 2 ** 63. The `discount`, from 0 to 1, is taken
    from each count for what was never seen, at all orders (Chen and Goodman 1999, section 2.7).

    Examples
    --------
    >>> texts = [np.array([2, 3, 2, 3, 2, 3])]
    >>> round(ngram_perplexity(texts, texts, n_tokens=4, order=1), 2), round(ngram_perplexity(texts, texts, 4, 2), 2)
    (2.29, 1.28)
    """
    if order < 1 or not 0 <= discount <= 1 or n_tokens**order >= 2**63:
        raise ValueError(f"order must be 1 to log(2**63) / log({n_tokens}), discount 0 to 1; got {order}, {discount}")
    for texts in (train, held_out):
        if any(len(text) and not (np.min(text) >= 0 and np.max(text) < n_tokens) for text in texts):
            raise ValueError(f"ids must be from 0 to {n_tokens - 1}; were they made with another vocabulary?")

    # Count the n-grams of each length, and for each context how often and in how many ways it goes on.
    keys, wanted = (_ngram_keys(texts, n_tokens, order) for texts in (train, held_out))
    tables = []
    grams, counts = np.unique(keys, return_counts=True)
    for length in range(order, 0, -1):
        contexts, first = np.unique(grams // n_tokens, return_index=True)
        tables.append((length, grams, counts, contexts, np.add.reduceat(counts, first), np.diff([*first, len(grams)])))
        # A shorter n-gram counts by the number of tokens it was seen behind, not by how often it occurs.
        grams, counts = np.unique(grams % n_tokens ** (length - 1), return_counts=True)

    # From no context to the longest: what is taken from the counts is spread as the shorter context says.
    p = np.full(len(wanted), 1 / n_tokens)
    for length, grams, counts, contexts, totals, kinds in reversed(tables):
        key = wanted % n_tokens**length
        count = _look_up(grams, counts, key)
        total, kind = (_look_up(contexts, values, key // n_tokens) for values in (totals, kinds))
        mixed = (np.maximum(count - discount, 0) + discount * kind * p) / np.maximum(total, 1)
        p = np.where(total > 0, mixed, p)
    return float(np.exp(-np.mean(np.log(p))))


def _ngram_keys(texts: Sequence[np.ndarray], n_tokens: int, order: int) -> np.ndarray:
    """One integer per token: the n-gram that ends in it, the first token in the highest digit."""
    stream, rows = ngram_windows(texts, order)
    return stream[rows, 1:] @ n_tokens ** np.arange(order - 1, -1, -1)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values of the wanted keys, 0 for those that are not there; keys are sorted."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


class WindowBatches(keras.utils.PyDataset):
    """The article's training windows of n tokens, gathered batch by batch from one stream instead of being stored.

    Sequences are ids of tokens, each int (T_i,). The windows are shuffled anew in each epoch.

    Examples
    --------
    >>> contexts, targets = WindowBatches([np.array([5, 6, 7])], n=2, batch_size=3)[0]
    >>> sorted(zip(contexts.tolist(), targets.tolist()))
    [([0, 0], 5), ([0, 5], 6), ([5, 6], 7)]
    """

    def __init__(self, sequences: Sequence[np.ndarray], n: int, batch_size: int, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.windows, self.rows = ngram_windows(sequences, n)
        self.batch_size = batch_size
        self._rng = np.random.default_rng(seed)
        self._rng.shuffle(self.rows)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return contexts, int32 (B, n), and targets, int32 (B,)."""
        windows = self.windows[self.rows[index * self.batch_size : (index + 1) * self.batch_size]]
        return windows[:, :-1].astype(np.int32), windows[:, -1].astype(np.int32)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self._rng.shuffle(self.rows)
