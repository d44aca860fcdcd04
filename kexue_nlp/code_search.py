"""Nearest neighbours among binary codes: an inverted index (article 8159, section LSH).

A sparse code is a bag of words: an inverted index lists, for each bit, the items that have it, and a query reads
only the lists of its own few bits to find how many ones it shares with each item. faiss compares all packed bits.
"""

from bisect import bisect_left
from typing import Any

import numpy as np
import scipy.sparse as sp

from kexue_nlp.hashing import check_number, map_batches

__all__ = ["InvertedIndex", "pack_bits"]


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
        bits = active_bits(codes)
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
        bits = active_bits(queries, "queries")
        if bits.shape[1] != self.shape[1]:
            raise ValueError(f"queries have {bits.shape[1]} bits, but the database's codes {self.shape[1]}")
        check_number("n", n, 1, self.shape[0])
        found = np.empty((2, bits.shape[0], n), np.int64)
        ones = self._ones.astype(np.int16 if self.shape[1] < 1 << 14 else np.int64)
        most = int(ones.max())

        def look_up(rows: slice) -> None:
            for row in range(rows.start, rows.stop):
                own = bits.indices[bits.indptr[row] : bits.indptr[row + 1]]
                lists = [self._items[self._starts[bit] : self._starts[bit + 1]] for bit in own]
                overlaps = np.bincount(np.concatenate([*lists, self._items[:0]]), minlength=self.shape[0])
                distances = ones - 2 * overlaps.astype(ones.dtype)
                # The smallest distance that n items do not exceed; only those are put in order.
                limit = bisect_left(range(-len(own), most), n, key=lambda d: np.count_nonzero(distances <= d))
                near = np.flatnonzero(distances <= limit - len(own))
                near = near[np.argsort(distances[near], kind="stable")[:n]]
                found[:, row] = distances[near] + len(own), near

        list(map_batches(look_up, len(found[0]), 64))
        return found[0], found[1]


def pack_bits(codes: Any) -> np.ndarray:
    """Pack codes of shape (N, K) into uint8 of shape (N, ceil(K / 8)), filled up with zeros.

    Examples
    --------
    >>> pack_bits([[1, 0, 0, 0, 0, 0, 0, 1, 1]]).tolist()
    [[129, 128]]
    """
    return np.packbits(active_bits(codes).toarray(), axis=1)


def active_bits(codes: Any, name: str = "codes") -> sp.csr_array:
    """Return the ones of codes as a sparse matrix; refuse what is no bit, such as a probability."""
    bits = codes.tocsr(copy=True) if sp.issparse(codes) else np.asarray(codes)
    if bits.ndim != 2:
        raise ValueError(f"{name} must have shape (codes, bits), got {bits.shape}")
    if sp.issparse(bits):
        bits.sum_duplicates()
    values = bits.data if sp.issparse(bits) else bits
    signs = values.size == np.prod(bits.shape) and np.isin(values, (-1, 1)).all()  # nothing is left out as a zero
    if not signs and not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} hold values other than the bits of one kind, 0 and 1 or -1 and 1")
    return sp.csr_array(bits > 0)
