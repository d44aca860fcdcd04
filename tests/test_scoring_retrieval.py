"""Average precision with ties, and rank correlation: against enumeration, against scikit-learn, by hand."""

import math
import tracemalloc
from fractions import Fraction
from itertools import count, permutations

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import average_precision_score

from kexue_nlp.scoring import average_precision, mean_average_precision, retrieval


def exact(distances, relevant):
    """Average over every order that breaks the ties, in fractions."""
    total = 0
    for order in permutations(range(len(distances))):
        ranking = [relevant[i] for i in sorted(order, key=distances.__getitem__)]  # the sort keeps ties in order
        places = [place for place, hit in enumerate(ranking, 1) if hit]
        total += sum(Fraction(n, place) for n, place in enumerate(places, 1)) / len(places)
    return total / math.factorial(len(distances))


def one(distances, relevant):
    return average_precision([distances], np.array([relevant], dtype=bool))[0]


def hamming(queries, database):
    return np.array([[int(np.sum(a != b)) for b in database] for a in queries])


@pytest.fixture
def codes():
    """Codes of 9 bits, 1 to 3 of them set, with classes: 6 queries and 40 items, nearly all of them tied."""
    rng = np.random.default_rng(5)
    bits = np.zeros((46, 9), dtype=np.uint8)
    for i, row in enumerate(bits):
        row[rng.choice(9, 1 + i % 3, replace=False)] = 1
    labels = rng.permutation(np.arange(46) % 3)
    return bits[:6], bits[6:], labels[:6], labels[6:]


@pytest.mark.parametrize("seed", range(30))
def test_ties_are_averaged_over_all_their_orders(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 8)
    distances = rng.integers(0, rng.integers(1, 5), n).tolist()
    relevant = rng.random(n) < 0.5
    relevant[rng.integers(n)] = True
    assert one(distances, relevant) == pytest.approx(float(exact(distances, relevant)), abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_without_ties_it_is_the_average_precision_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    distances, relevant = rng.permutation(300) / 7, rng.random(300) < 0.2
    assert one(distances, relevant) == pytest.approx(average_precision_score(relevant, -distances), abs=1e-13)


def test_small_rankings_by_hand_and_nothing_relevant_gives_nan():
    assert one([3, 3], [1, 0]) == pytest.approx(3 / 4, abs=1e-15)
    assert one([0.1, 0.1, -2.5], [1, 0, 0]) == pytest.approx(5 / 12, abs=1e-15)
    assert one([np.inf, 0.0], [1, 0]) == pytest.approx(1 / 2, abs=1e-15)
    scores = average_precision([[0, 1], [0, 1]], np.array([[False, False], [True, False]]))
    np.testing.assert_equal(scores, [np.nan, 1.0])
    np.testing.assert_equal(average_precision(np.empty((2, 0)), np.empty((2, 0), bool)), [np.nan, np.nan])


def test_long_ranking_agrees_with_the_sum_over_its_places():
    rng = np.random.default_rng(0)
    distances, relevant = rng.integers(0, 30, 60_000), rng.random(60_000) < 0.1
    expected, a, b = 0.0, 0, 0
    for distance in range(30):
        tied = relevant[distances == distance]
        n, r = len(tied), int(tied.sum())
        i = np.arange(1, n + 1)
        expected += r / n * np.sum((b + 1 + (i - 1) * (r - 1) / (n - 1)) / (a + i))
        a, b = a + n, b + r
    assert one(distances, relevant) == pytest.approx(expected / relevant.sum(), rel=1e-11)


@pytest.mark.parametrize(
    ("function", "one", "other", "error", "message"),
    [
        (average_precision, [[1, 2]], [[True]], ValueError, r"one 2-D shape, got \(1, 2\), \(1, 1\)"),
        (average_precision, [1, 2], [True, False], ValueError, "one 2-D shape"),
        (average_precision, [[1.0], [np.nan]], [[True], [True]], ValueError, "distance of query 1 is nan"),
        (average_precision, [[1, 2]], [[1, 0]], TypeError, "array of bool, got int64"),
    ],
    ids=count(),
)
def test_impossible_rankings_and_comparisons_are_refused(function, one, other, error, message):
    with pytest.raises(error, match=message):
        function(one, other)


@pytest.mark.parametrize(
    ("of_queries", "of_database"),
    [
        (np.asarray, np.asarray),
        (lambda bits: bits.astype(bool), lambda bits: bits.astype(float)),
        (lambda bits: 2 * bits.astype(np.int8) - 1, lambda bits: 2.0 * bits - 1),
        (sparse.csr_matrix, sparse.csr_array),
        (sparse.coo_array, sparse.csc_matrix),
        (sparse.csr_array, np.asarray),
        (np.asarray, sparse.csr_array),
    ],
    ids=count(),
)
def test_every_kind_of_code_gets_its_score(codes, of_queries, of_database):
    queries, database, query_labels, database_labels = codes
    score = mean_average_precision(of_queries(queries), of_database(database), query_labels, database_labels)
    relevant = query_labels[:, None] == database_labels
    assert score == pytest.approx(average_precision(hamming(queries, database), relevant).mean(), abs=1e-14)
    given = sparse.csr_array(queries)
    given.data[0] = 0  # stored, but a zero
    before = given.copy()
    mean_average_precision(given, database, query_labels, database_labels)
    assert (given.nnz, given.data.tolist()) == (before.nnz, before.data.tolist())


def test_neither_order_nor_blocks_matter(codes, monkeypatch):
    queries, database, query_labels, database_labels = codes
    whole = mean_average_precision(*codes)
    order = np.argsort(database_labels, kind="stable")
    assert mean_average_precision(queries, database[order], query_labels, database_labels[order]) == whole
    monkeypatch.setattr(retrieval, "_BLOCK", 80)  # two queries at a time
    assert mean_average_precision(*codes) == pytest.approx(whole, abs=1e-15)


def test_equal_codes_score_the_share_of_the_class():
    labels = np.arange(50_000) % 10
    score = mean_average_precision(np.ones((3, 4)), np.ones((50_000, 4)), [0, 1, 2], labels)
    assert score == pytest.approx(0.1, abs=3e-4)
    empty = sparse.csr_array((2, 5))
    assert mean_average_precision(empty, empty, ["a", "b"], ["a", "b"]) == 0.75
    assert mean_average_precision([[1, 0]], [[0, 1]], ["a"], ["a"]) == 1.0


def test_memory_does_not_grow_with_the_number_of_queries():
    rng = np.random.default_rng(0)
    bits, labels = rng.random((20_600, 12)) < 0.5, rng.integers(0, 5, 20_600)
    tracemalloc.start()
    mean_average_precision(bits[:600], bits[600:], labels[:600], labels[600:])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # all distances at once would take 96 MB


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"queries": np.ones((6, 8))}, "mismatch"),
        ({"queries": np.ones(9)}, r"queries must have shape \(codes, bits\).* got \(9,\)"),
        ({"database": np.ones((0, 9)), "database_labels": []}, r"database .* at least one code, got shape \(0, 9\)"),
        ({"queries": np.full((6, 9), 2)}, "queries hold values other than"),
        ({"queries": np.tile([-1, 0, 1], (6, 3))}, "queries hold values other than"),
        ({"queries": sparse.csr_array(([1, 1], [0, 0], [0, *[2] * 6]), shape=(6, 9))}, "queries hold values"),
        ({"query_labels": [0, 1]}, r"query_labels .* each of 6 codes, got shape \(2,\)"),
        ({"database_labels": np.zeros((40, 1))}, r"database_labels .* each of 40 codes, got shape \(40, 1\)"),
        ({"query_labels": [0, 0, 0, 7, 0, 0]}, "query 3 has the label 7, which no item"),
        ({"query_labels": list("012012")}, "query 0 has the label '0', which no item"),
    ],
    ids=count(),
)
def test_impossible_codes_and_labels_are_refused(codes, changed, message):
    names = ("queries", "database", "query_labels", "database_labels")
    with pytest.raises(ValueError, match=message):
        mean_average_precision(**dict(zip(names, codes, strict=True)) | changed)


@pytest.mark.parametrize(("share", "near"), [(0.02, 1), (0.1, 4), (1.0, 40)])
def test_relevant_are_the_nearest_vectors_and_all_as_far(codes, share, near):
    queries, database, *_ = codes
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(6, 4)), rng.normal(size=(40, 4))
    distances = np.linalg.norm(vectors[0][:, None] - vectors[1], axis=2)
    relevant = distances.argsort(axis=1).argsort(axis=1) < near
    expected = average_precision(hamming(queries, database), relevant).mean()
    score = retrieval.neighbour_mean_average_precision(queries, database, *vectors, share=share)
    assert score == pytest.approx(expected, abs=1e-14)
    tied = np.array([[0, 0], [0, 1], [1, 1]])  # the second is as near to the query as the first
    assert retrieval.neighbour_mean_average_precision([[0, 0]], tied, [[0.0]], [[1.0], [-1.0], [2.0]]) == 1.0


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (lambda noise: 100 + 0.01 * noise, np.float32),  # products in float32 lose the noise
        (lambda noise: 1e6 + 0.01 * noise, np.float64),
        (lambda noise: 3000 * noise, np.float16),  # products in float16 overflow
        (lambda noise: 40 * noise + 128, np.uint8),
    ],
    ids=count(),
)
def test_neighbours_do_not_depend_on_the_type_of_the_vectors(values, dtype):
    noise = np.random.default_rng(4).normal(size=(330, 12)).clip(-3, 3)
    codes = noise @ np.random.default_rng(5).normal(size=(12, 16)) > 0
    vectors = values(noise).astype(dtype)
    exact = vectors.astype(np.longdouble)
    distances = ((exact[:30, None] - exact[30:]) ** 2).sum(axis=2)
    relevant = distances <= np.sort(distances, axis=1)[:, 5, None]
    expected = average_precision(hamming(codes[:30], codes[30:]), relevant).mean()
    score = retrieval.neighbour_mean_average_precision(codes[:30], codes[30:], vectors[:30], vectors[30:])
    assert score == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("query_vectors", "database_vectors", "share", "message"),
    [
        (np.ones((6, 3)), np.ones((40, 4)), 0.02, r"query_vectors must have shape \(6, 4\)"),
        (np.ones((5, 4)), np.ones((40, 4)), 0.02, "query_vectors .* a row for each code"),
        (np.ones((6, 4)), np.ones(40), 0.02, "vectors must have shape"),
        (np.full((6, 4), np.nan), np.ones((40, 4)), 0.02, "query_vectors hold a value that is not finite"),
        (np.ones((6, 4)), np.ones((40, 4)), 0, "share must be above 0 and at most 1, got 0"),
    ],
    ids=count(),
)
def test_impossible_neighbourhoods_are_refused(codes, query_vectors, database_vectors, share, message):
    with pytest.raises(ValueError, match=message):
        retrieval.neighbour_mean_average_precision(*codes[:2], query_vectors, database_vectors, share)
