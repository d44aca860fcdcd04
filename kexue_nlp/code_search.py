"""Nearest neighbours among binary codes: an inverted index, and the way into faiss (article 8159, section LSH).

A sparse code is a bag of words: an inverted index lists, for each bit, the items that have it, and a query reads
only the lists of its own few bits to find how many ones it shares with each item. faiss compares all packed bits.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp

from kexue_nlp.hashing import check_number

__all__ = ["InvertedIndex", "faiss_index", "pack_bits"]


class InvertedIndex:
    """Search binary codes by Hamming distance through lists of the items that have each bit.

    Codes with a and b ones, c of them common, are a + b − 2c apart; an item's c is how often it occurs in the lists of
    the query's bits. The codes, an array or sparse matrix of shape (N, K), are bits 0 and 1 or −1 and 1; other values
    raise ValueError. Few ones make short lists.

    Examples
    --------
    >>> index = InvertedIndex([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    >>> distances, items = index.search([[0, 0, 1, 1]], 2)
    >>> distances.tolist(), items.tolist()
    ([[0, 2]], [[2, 1]])
    """

    def __init__(self, codes: Any) -> None:
        bits = _bits(codes)
        lists = bits.tocsc()
        self.shape, self._ones = bits.shape, np.diff(bits.indptr)
        self._starts, self._items = lists.indptr, lists.indices

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes."""
        return self._items.nbytes + self._starts.nbytes + self._ones.nbytes

    def search(self, queries: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances to the `n` nearest items of each query, ascending, and their places in the database.

        Both are of shape (Q, n) for queries of shape (Q, K). Of items at equal distances the first come first.
        """
        bits = _bits(queries)
        if bits.shape[1] != self.shape[1]:
            raise ValueError(f"queries have {bits.shape[1]} bits, but the database's codes {self.shape[1]}")
        check_number("n", n, 1, self.shape[0])
        found = np.empty((2, bits.shape[0], n), np.int64)
        for row, (start, end) in enumerate(zip(bits.indptr[:-1], bits.indptr[1:], strict=True)):
            lists = [self._items[self._starts[bit] : self._starts[bit + 1]] for bit in bits.indices[start:end]]
            overlaps = np.bincount(np.concatenate([*lists, self._items[:0]]), minlength=self.shape[0])
            distances = self._ones + (end - start) - 2 * overlaps
            # NumPy sorts integers of one or two bytes by counting, and ties keep their order.
            order = np.argsort(distances.astype(np.min_scalar_type(distances.max())), kind="stable")[:n]
            found[:, row] = distances[order], order
        return found[0], found[1]


def pack_bits(codes: Any) -> np.ndarray:
    """Pack codes of shape (N, K) into uint8 of shape (N, ceil(K / 8)), filled up with zeros.

    Examples
    --------
    >>> pack_bits([[1, 0, 0, 0, 0, 0, 0, 1, 1]]).tolist()
    [[129, 128]]
    """
    return np.packbits(_bits(codes).toarray(), axis=1)


def faiss_index(codes: Any) -> Any:
    """Put codes of shape (N, K) into a ``faiss.IndexBinaryFlat``; ask it for ``search(pack_bits(queries), n)``."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError("faiss is not installed: run `pip install faiss-cpu`") from error
    packed = pack_bits(codes)
    index = faiss.IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    return index


def _bits(codes: Any) -> sp.csr_array:
    """Return the ones of codes as a sparse matrix; refuse what is no bit, such as a probability."""
    bits = codes.tocsr(copy=True) if sp.issparse(codes) else np.asarray(codes)
    if bits.ndim != 2:
        raise ValueError(f"codes must have two dimensions, (items, bits); got shape {bits.shape}")
    if sp.issparse(bits):
        bits.sum_duplicates()
    values = bits.data if sp.issparse(bits) else bits
    signs = values.size == np.prod(bits.shape) and np.isin(values, (-1, 1)).all()  # nothing is left out as a zero
    if not signs and not np.isin(values, (0, 1)).all():
        raise ValueError("codes hold values other than the bits of one kind, 0 and 1 or -1 and 1")
    return sp.csr_array(bits > 0)
