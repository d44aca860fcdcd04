"""Score rankings, binary codes and word vectors (article 8159): average precision with ties.

Short sparse codes are mostly ties: codes of two ones are at distance 0, 2 or 4. A ranking with ties is scored by what
it scores on average over the orders that break them (McSherry and Najork 2008, "Computing information retrieval
performance measures efficiently in the presence of tied scores"). The expectation is exact, not sampled.
"""

from collections.abc import Callable

import numpy as np

# Distances computed at a time: 8 MB as integers, small enough to stay in a processor's cache.
_BLOCK = 1 << 20


def average_precision(distances: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return the average precision of rankings by distance, nearest first, expected over ties, float64 (Q,).

    `distances` are those from each of Q queries to N items, none of them nan; `relevant`, bool, tells which items the
    query should find; both are of shape (Q, N). Where nothing is relevant the score is nan.

    Examples
    --------
    One of the two items that are tied is relevant: (1 + 2/2)/2 if it comes first and (1 + 2/3)/2 if it comes last.

    >>> average_precision([[0, 2, 2]], [[True, True, False]]).round(4).tolist()
    [0.9167]
    """
    distances, relevant = np.asarray(distances), np.asarray(relevant)
    if distances.ndim != 2 or distances.shape != relevant.shape:
        raise ValueError(f"distances and relevant must be of one 2-D shape, got {distances.shape}, {relevant.shape}")
    if relevant.dtype != bool:
        raise TypeError(f"relevant must be an array of bool, got {relevant.dtype}")
    scores = np.empty(len(distances))
    for query, (row, hit) in enumerate(zip(distances, relevant, strict=True)):
        if np.isnan(row).any():
            raise ValueError(f"a distance of query {query} is nan; no rank can be given to it")
        groups, group_of = np.unique(row, return_inverse=True)
        items, hits = (np.bincount(which, minlength=len(groups)) for which in (group_of, group_of[hit]))
        scores[query] = _expected_average_precision(items[None], hits[None])[0]
    return scores


def mean_average_precision(queries, database, query_labels: np.ndarray, database_labels: np.ndarray) -> float:
    """Score binary codes by class: how near the codes of a query's class rank.

    The whole database is ranked by Hamming distance to each query (mAP@all), an item is relevant if it has the query's
    label, and the score is the mean of `average_precision`, as in Ryali et al. (2020). Codes that are all equal score
    about the share of a query's class. Draw the two parts with `kexue_nlp.datasets.retrieval_split`.

    The codes, sparse or dense, are of shapes (Q, K) and (N, K): bits 0 and 1, or −1 and 1. Keep long codes with few
    ones sparse. The labels, (Q,) and (N,), are integers or strings; ValueError if no item of the database has a
    query's.

    Examples
    --------
    >>> database = [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]
    >>> round(mean_average_precision([[1, 1, 0, 0]], database, ["cat"], ["cat", "dog", "cat"]), 4)
    0.8333
    """
    queries, database = _bits(queries, "queries"), _bits(database, "database")
    query_labels, database_labels = np.asarray(query_labels), np.asarray(database_labels)
    for name, labels, codes in (("query", query_labels, queries), ("database", database_labels, database)):
        if labels.shape != (codes.shape[0],):
            raise ValueError(f"{name}_labels must be one for each of {codes.shape[0]} codes, got shape {labels.shape}")
    known = set(database_labels.tolist())
    for number, label in enumerate(query_labels.tolist()):
        if label not in known:
            raise ValueError(f"query {number} has the label {label!r}, which no item of the database has")
    return _mean_over_queries(queries, database, lambda rows: query_labels[rows, None] == database_labels)


def neighbour_mean_average_precision(
    queries, database, query_vectors: np.ndarray, database_vectors: np.ndarray, share: float = 0.02
) -> float:
    """Score binary codes by neighbourhood: how near the codes of a query's true neighbours rank.

    As `mean_average_precision`, but relevant to a query are its true neighbours: the `share` of the database, above 0
    and at most 1 (but one item at least), that is nearest to it by Euclidean distance in the space from which the codes
    were made; Dasgupta, Stevens and Navlakha (2017) take 2 %. Vectors as far away as the last of them count too.

    The codes, of shapes (Q, K) and (N, K), are as there; what was encoded, finite, is of shapes (Q, D) and (N, D).
    Distances are computed in float64 whatever the type.
    """
    queries, database = _bits(queries, "queries"), _bits(database, "database")
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    query_vectors, database_vectors = np.asarray(query_vectors), np.asarray(database_vectors)
    dimensions = database_vectors.shape[-1]
    for name, values, codes in (("query", query_vectors, queries), ("database", database_vectors, database)):
        expected = codes.shape[0], dimensions
        if values.shape != expected:
            raise ValueError(f"{name}_vectors must have shape {expected}, a row for each code, got {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name}_vectors hold a value that is not finite")
    # Seen from one of them: far from the origin, the squares would swamp the distances.
    origin = database_vectors[0].astype(np.float64)
    query_vectors = np.subtract(query_vectors, origin, dtype=np.float64)
    database_vectors = np.subtract(database_vectors, origin, dtype=np.float64)
    squares = np.einsum("ij,ij->i", database_vectors, database_vectors)
    last = max(1, round(share * len(squares))) - 1

    def near(rows: slice) -> np.ndarray:
        # The squared distance less the query's own square, which is the same along a row and orders nothing.
        distances = squares - 2 * (query_vectors[rows] @ database_vectors.T)
        return distances <= np.partition(distances, last, axis=1)[:, last, None]

    return _mean_over_queries(queries, database, near)


def _bits(codes, name: str):
    """Return codes as zeros and ones, sparse (CSR) or dense, in float32: fast, and exact up to 16 million bits."""
    from kexue_nlp.code_search import active_bits

    bits = active_bits(codes, name).astype(np.float32)
    if not bits.shape[0]:
        raise ValueError(f"{name} must hold at least one code, got shape {bits.shape}")
    return bits if hasattr(codes, "tocsr") else bits.toarray()


def _mean_over_queries(queries, database, relevant: Callable[[slice], np.ndarray]) -> float:
    """Mean expected average precision of codes; ``relevant(rows)`` tells what those queries should find."""
    query_ones, database_ones = (bits.sum(axis=1).astype(np.intp) for bits in (queries, database))
    n_distances = int(query_ones.max() + database_ones.max()) + 1
    columns = database.T if isinstance(database, np.ndarray) else database.T.tocsr()
    step = max(1, _BLOCK // max(len(database_ones), n_distances))
    total = 0.0
    for start in range(0, len(query_ones), step):
        rows = slice(start, start + step)
        overlap = queries[rows] @ columns
        overlap = overlap if isinstance(overlap, np.ndarray) else overlap.toarray()
        # From overlaps to Hamming distances, those of each query in cells of its own: counted, never sorted.
        cells = database_ones - 2 * overlap.astype(np.intp)
        cells += query_ones[rows, None] + n_distances * np.arange(len(cells))[:, None]
        items, hits = (
            np.bincount(which, minlength=len(cells) * n_distances).reshape(len(cells), n_distances)
            for which in (cells.ravel(), cells[relevant(rows)])
        )
        total += _expected_average_precision(items, hits).sum()
    return float(total / len(query_ones))


def _expected_average_precision(items: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Average precision, expected over the order within groups of ties.

    ``items[q, g]`` counts the items in the g-th nearest group of query q, ``hits[q, g]`` the relevant ones.

    Take a group of n items, r of them relevant, behind a items with b relevant. Its i-th place is number a + i of the
    ranking and holds a relevant item with probability r/n. Given that, each of the i − 1 places before it in the group
    holds one of the other r − 1 relevant items with probability c = (r − 1)/(n − 1). So the precisions at the group's
    relevant items add up, on average, to

        r/n · Σ_{i=1..n} (b + 1 + (i − 1) c) / (a + i)
        = r/n · ((b + 1 − (a + 1) c) · (H(a + n) − H(a)) + n c),    H(m) = 1 + 1/2 + … + 1/m.
    """
    up_to = items.cumsum(axis=1)
    before = up_to - items
    hits_before = hits.cumsum(axis=1) - hits
    places = items.sum(axis=1).max(initial=0)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, places + 1))])
    rise = harmonic[up_to] - harmonic[before]
    others = (hits - 1) / np.maximum(items - 1, 1)
    precisions = (hits_before + 1 - (before + 1) * others) * rise + items * others
    precisions *= hits / np.maximum(items, 1)
    with np.errstate(invalid="ignore"):  # nothing relevant: 0/0, nan
        return precisions.sum(axis=1) / hits.sum(axis=1)
