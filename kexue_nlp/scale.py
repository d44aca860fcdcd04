"""The tools over Dask: a corpus in partitions is cut, hashed and searched by the processes of one machine or of many.

Texts are a Dask Bag or Series; vectors and codes are a Dask array, chunked along its rows, or a Bag of matrices. What a
worker held that died, another makes again. Needs ``pip install 'kexue_nlp[scale]'``.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import dask.bag
import numpy as np
import scipy.sparse as sp
from dask import compute, delayed
from sklearn.utils import check_array
from sklearn.utils.random import sample_without_replacement

from kexue_nlp.code_search import InvertedIndex
from kexue_nlp.hashing import _INPUT, BATCH, BioHash, _assign, _directions, check_number
from kexue_nlp.segmenter import Segmenter

__all__ = ["IndexShards", "fit", "segment", "transform"]


def segment(texts: Any, segmenter: Segmenter | str | Path = "pretrained") -> Any:
    """Cut each text of a Dask Bag or Series into words: a collection of the same kind, of lists of words.

    A `segmenter` by file, or "pretrained" or "closed", is loaded once in each process, so the file must be there on
    every machine; any other is sent once to each worker. What is no str raises TypeError, with its number there.

    Examples
    --------
    >>> texts = dask.bag.from_sequence(["扫描二维码", "南京市长江大桥"], npartitions=2)
    >>> segment(texts).compute(scheduler="threads")
    [['扫描', '二维码'], ['南京市', '长江', '大桥']]
    """
    if not hasattr(texts, "map_partitions") or getattr(texts, "ndim", 1) != 1:
        raise TypeError(f"a Dask Bag or Series of texts is needed (of a table one column), got {type(texts).__name__}")
    tool = str(segmenter) if isinstance(segmenter, str | Path) else delayed(segmenter, traverse=False)
    options = {} if isinstance(texts, dask.bag.Bag) else {"meta": (texts.name, object)}
    return texts.map_partitions(_words, tool, **options)


def transform(hasher: Any, X: Any) -> Any:
    """Hash the rows of a Dask array or Bag of matrices by a fitted hasher: a collection of the same kind, of codes."""
    tool, options, _ = delayed(hasher, traverse=False), {}, _blocks(X)
    if not isinstance(X, dask.bag.Bag):
        like = hasher.transform(np.zeros((1, X.shape[1]), X.dtype))
        options = {"chunks": (X.chunks[0], like.shape[1:]), "meta": like[:0]}
    return (X.map_blocks if options else X.map)(lambda block, tool: tool.transform(block), tool, **options)


def fit(hasher: BioHash, X: Any) -> BioHash:
    """Learn the units of a BioHash from a Dask array or Bag of matrices, by EM as map and reduce.

    In each round each partition sums up the examples that each unit wins, and the sums are added. From the same start
    the units are those of :meth:`BioHash.fit` up to rounding. The start is the same too if all examples fit into its
    sample, of 4,096 or four a unit; else the sample is another one. Each round computes all partitions: use
    ``X.persist()`` to keep them.
    """
    if hasher.training != "em":
        raise ValueError(f"only training='em' adds up over partitions, not {hasher.training!r}")
    blocks = [delayed(check_array)(block, **_INPUT, ensure_min_samples=0) for block in _blocks(X)]
    sizes = np.array(compute(*(block.shape[0] for block in blocks)))
    n, ends = int(sizes.sum()), sizes.cumsum()
    n_sample = min(n, max(BATCH, 4 * hasher.n_units))
    rows = np.sort(sample_without_replacement(n, n_sample, random_state=hasher._rng()))
    places = zip(blocks, np.split(rows, rows.searchsorted(ends[:-1])), ends - sizes, strict=True)
    hasher._start(_stack(compute(*(block[own - first] for block, own, first in places))))
    hasher.objectives_ = []
    for _ in range(hasher.max_iter):
        units = delayed(hasher.components_)
        sums = [delayed(_assign)(block, units) for block in blocks]
        while len(sums) > 1:
            branches = [sums[i : i + 16] for i in range(0, len(sums), 16)]
            sums = [delayed(lambda parts: [sum(column) for column in zip(*parts, strict=True)])(b) for b in branches]
        hasher._sums, total, hasher.counts_ = sums[0].compute()
        hasher.components_ = _directions(hasher._sums, otherwise=hasher.components_)
        hasher.objectives_.append(total / n)
        hasher.n_iter_ += 1
        if hasher.n_iter_ > 1 and np.diff(hasher.objectives_)[-1] <= hasher.tol * abs(hasher.objectives_[-1]):
            break
    return hasher


class IndexShards:
    """An :class:`InvertedIndex` of each partition of codes, kept by the workers: together they find what one would."""

    def __init__(self, codes: Any) -> None:
        self._shards = dask.persist(*(delayed(InvertedIndex)(block) for block in _blocks(codes)))
        self._sizes, (n_bits, *_) = zip(*compute(*(shard.shape for shard in self._shards)), strict=True)
        self.shape = sum(self._sizes), n_bits

    def search(self, queries: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Do as :meth:`InvertedIndex.search`; of items at equal distances the first come first, as there."""
        check_number("n", n, 1, self.shape[0])
        asked, shards = delayed(queries, traverse=False), zip(self._shards, self._sizes, strict=True)
        found = compute(*(shard.search(asked, min(n, size)) for shard, size in shards))
        firsts = accumulate(self._sizes, initial=0)
        found = [(distances, items + first) for (distances, items), first in zip(found, firsts, strict=False)]
        distances, items = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
        order = np.argsort(distances, axis=1, kind="stable")[:, :n]
        return np.take_along_axis(distances, order, axis=1), np.take_along_axis(items, order, axis=1)


_loaded = lru_cache(maxsize=2)(Segmenter.load)  # in each process


def _words(texts: Iterable[str], segmenter: Segmenter | str) -> Any:
    words = list((_loaded(segmenter) if isinstance(segmenter, str) else segmenter).pipe(texts))
    return type(texts)(words, texts.index, object, texts.name) if hasattr(texts, "iloc") else words


def _blocks(X: Any) -> list:
    """Return the partitions, each as one matrix, not computed yet."""
    if isinstance(X, dask.bag.Bag):
        return [delayed(_stack)(matrices) for matrices in X.to_delayed()]
    if getattr(X, "ndim", 0) != 2 or len(getattr(X, "chunks", ((), ()))[1]) != 1:
        raise TypeError(f"a Bag of matrices or a Dask array (N, D) with chunks of whole rows is needed, got {X!r:.200}")
    return X.to_delayed().ravel().tolist()


def _stack(matrices: Iterable[Any]) -> Any:
    if not (matrices := list(matrices)):
        raise ValueError("a partition has no matrix; use fewer: X.repartition(npartitions=...)")
    return sp.vstack(matrices, format="csr") if any(map(sp.issparse, matrices)) else np.vstack(matrices)
