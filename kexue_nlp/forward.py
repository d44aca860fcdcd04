"""The forward pass of the segmentation networks in NumPy: what Keras computes, without Keras.

A trained convolution is a few matrix products. Without a framework it starts in no time, and no fork loses its threads.
"""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from kexue_nlp.saved_model import predict

__all__ = ["SegmentationNetwork"]

_BLOCK = 1792  # positions computed together: what is known of them stays in the processor's cache
_PRODUCT = 262_144  # multiplications in one product; from twice as many on OpenBLAS would start threads of its own


class SegmentationNetwork:
    """A trained network of :func:`kexue_nlp.models.article_segmenter` or ``enriched_segmenter``, without Keras.

    Called on ids of shape (T,) or (T, 4), it gives the tags' probabilities, float32 (T, n_tags), those of Keras up to
    rounding; at padding they mean nothing. `weights` has the layers' arrays by Keras's names, such as "mix/kernel".
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = {name: np.asarray(array, dtype=np.float32) for name, array in weights.items()}
        w = self.weights
        layers = [name.removesuffix("/kernel") for name in w if name.endswith("/kernel") and name != "mix/kernel"]
        # Kernels (width, C, F); that of a dense layer, (C, F), is one of width 1.
        kernels = [w[f"{layer}/kernel"].reshape(-1, *w[f"{layer}/kernel"].shape[-2:]) for layer in layers]
        *self._convolutions, self._last = zip(kernels, [w[f"{layer}/bias"] for layer in layers], strict=True)
        self.context = sum(len(kernel) // 2 for kernel in kernels)
        self._residual = "mix/kernel" in w
        if not self._residual:
            self._tables = [w["embedding/embeddings"]]
            return
        # The first layer is linear: its matrix is multiplied into the tables of vectors once and for all.
        tables = [w[f"{name}_embedding/embeddings"] for name in ("character", "pair", "pair", "known_word")]
        matrices = np.split(w["mix/kernel"], np.cumsum([table.shape[1] for table in tables])[:-1])
        self._tables = [_product(table, matrix) for table, matrix in zip(tables, matrices, strict=True)]
        self._tables[-1] += w["mix/bias"]

    @classmethod
    def of(cls, network: Any) -> Self | None:
        """Take over a Keras network as it is now, or return None if it is not what the two builders make."""
        if network.name not in ("article_segmenter", "enriched_segmenter"):
            return None
        made = cls({variable.path: np.array(variable.value) for variable in network.weights})
        # Somebody may have changed a layer: only what says the same is taken over.
        rng = np.random.default_rng(0)
        ids = np.stack([rng.integers(1, len(table), 64, dtype=np.int32) for table in made._tables], axis=1)
        expected = predict(network, ids[None] if made._residual else ids.T)[0]
        return made if np.allclose(made(ids), expected, atol=1e-4) else None

    def count_params(self) -> int:
        """Return the number of weights, as Keras's networks do."""
        return sum(array.size for array in self.weights.values())

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """Compute the probabilities of a stream of any length, block by block."""
        ids = ids[:, None] if ids.ndim == 1 else ids
        if len(ids) <= _BLOCK:
            return self._block(ids)
        probabilities = np.empty((len(self._last[1]), len(ids)), np.float32).T
        step = _BLOCK - 2 * self.context
        for start in range(0, len(ids), step):
            first = max(0, start - self.context)  # a block's own positions depend on their neighbours
            own = slice(start - first, start - first + step)
            probabilities[start : start + step] = self._block(ids[first : start + step + self.context])[own]
        return probabilities

    def _block(self, ids: np.ndarray) -> np.ndarray:
        """Compute a short stream as a whole, (T, columns) → (T, n_tags)."""
        padding = (ids[:, 0] == 0).nonzero()[0] + 1
        # Embed: of each table the row that the id says; added up. A row of zeros stands before and behind the text.
        x = np.zeros((len(ids) + 2, self._tables[0].shape[1]), np.float32)
        inner = x[1:-1]
        for table, column in zip(self._tables, ids.T, strict=True):
            inner += table.take(column, axis=0)
        if self._residual:
            x = _relu(x)
        for kernel, bias in self._convolutions:
            x[padding] = 0
            y = _convolve(x, kernel)
            y += bias
            _relu(y)
            if self._residual:
                x[1:-1] += y
            else:
                x = np.pad(y, ((1, 1), (0, 0)))
        x[padding] = 0
        kernel, bias = self._last
        logits = (_convolve(x, kernel) + bias).T
        # Softmax, with a tag's values of all positions side by side.
        scores = np.exp(logits - logits.max(axis=0))
        return (scores / scores.sum(axis=0)).T


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (T + 2, C) with a kernel of width 3 or 1, (width, C, F): to (T, F)."""
    if len(kernel) == 1:
        return _product(x[1:-1], kernel[0])
    # The left neighbours, the characters themselves and the right neighbours, each times a matrix of their own.
    if len(x) - 2 <= _PRODUCT // kernel[0].size:  # all three in one call
        shifted = np.ndarray((3, len(x) - 2, x.shape[1]), x.dtype, x, 0, (x.strides[0], *x.strides))
        return np.add.reduce(shifted @ kernel)
    y = _product(x[:-2], kernel[0])
    y += _product(x[1:-1], kernel[1])
    y += _product(x[2:], kernel[2])
    return y


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, np.zeros(x.shape, x.dtype), out=x)  # with an array of zeros three times as fast as with 0


def _product(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply in pieces, all in one call, each so small that BLAS does not start threads for it."""
    rows = max(1, _PRODUCT // matrix.size)
    if len(x) <= rows:
        return x @ matrix
    whole = len(x) - len(x) % rows
    product = np.empty((len(x), matrix.shape[1]), np.float32)
    pieces = product[:whole].reshape(-1, rows, matrix.shape[1])
    np.matmul(x[:whole].reshape(-1, rows, x.shape[1]), matrix, out=pieces)
    np.matmul(x[whole:], matrix, out=product[whole:])
    return product
