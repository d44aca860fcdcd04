"""Search over codes: against brute force, by hand, and against faiss."""

import numpy as np
import pytest
import scipy.sparse as sp

from kexue_nlp.code_search import InvertedIndex, pack_bits
from kexue_nlp.hashing import winner_take_all


def random_codes(n, n_bits=21, seed=0):
    rng = np.random.default_rng(seed)  # any number of ones, some without
    return (rng.random((n, n_bits)) < rng.uniform(0, 0.4, (n, 1))).astype(np.uint8)


def by_brute_force(queries, database, n):
    distances = (queries[:, None] != database).sum(axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :n]
    return np.take_along_axis(distances, order, axis=1), order


def signs(codes):
    return 2.0 * codes - 1


@pytest.mark.parametrize(
    "form", [np.asarray, signs, sp.csr_array, sp.csc_matrix, sp.coo_array, lambda codes: sp.csr_array(signs(codes))]
)
def test_equals_brute_force(form):
    queries, database = random_codes(20, seed=1), random_codes(200)
    for some, n in ((queries, 1), (queries, 7), (queries, 200), (queries[:0], 2)):
        found = InvertedIndex(form(database)).search(form(some), n)
        np.testing.assert_array_equal(found, by_brute_force(some, database, n))


def test_equals_brute_force_where_distances_pass_255():
    queries, database = np.split((np.random.default_rng(0).random((60, 900)) < 0.5).astype(int), [10])
    found = InvertedIndex(database).search(queries, 50)
    assert found[0].max() > 255
    np.testing.assert_array_equal(found, by_brute_force(queries, database, 50))


@pytest.mark.parametrize(
    ("database", "query", "distances", "items"),
    [
        ([[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]], [1, 0, 0], [0, 0, 2, 2], [1, 3, 0, 2]),
        ([[1, 0, 1, 1, 1, 1], [0] * 6], [1, 1, 0, 0, 0, 0], [2, 5], [1, 0]),
        ([[1, 1, 1], [0, 0, 0], [0, 1, 0]], [0, 0, 0], [0, 1, 3], [1, 2, 0]),
        (sp.csr_array((np.array([0, 1], np.uint8), [0, 1], [0, 2]), shape=(1, 3)), [0, 1, 0], [0], [0]),
    ],
    ids=["ties in order", "without a common bit, yet nearer", "query of zeros", "stored zeros"],
)
def test_items_found_by_hand(database, query, distances, items):
    found = InvertedIndex(database).search([query], len(distances))
    assert [part[0].tolist() for part in found] == [distances, items]


def test_index_takes_four_bytes_for_each_one_code_and_bit_and_bits_are_packed():
    codes = winner_take_all(np.random.default_rng(0).normal(size=(1000, 40)), 5)
    assert InvertedIndex(codes).nbytes == 4 * (5 * 1000 + 1000 + 41)
    codes = random_codes(30)
    np.testing.assert_array_equal(np.unpackbits(pack_bits(sp.csr_array(codes)), axis=1)[:, :21], codes)


@pytest.mark.parametrize(
    "codes",
    [[[0.2, 0.7]], [[np.nan, 1.0]], [[2, 0]], [[-1, 0, 1]], sp.csr_array([[0.5, 0.0]]), sp.csr_array([[-1, 0, 1]])],
)
def test_what_is_no_bit_is_refused(codes):
    for call in (InvertedIndex, pack_bits, lambda codes: InvertedIndex(np.eye(codes.shape[1])).search(codes, 1)):
        with pytest.raises(ValueError, match="values other than the bits of one kind"):
            call(codes if sp.issparse(codes) else np.array(codes))


def test_shapes_and_numbers_that_do_not_fit_are_refused():
    for n in (0, 4, 2.5, True):
        with pytest.raises(ValueError, match=f"n must be an integer of at least 1 and at most 3; got {n}"):
            InvertedIndex(np.eye(3)).search(np.eye(3), n)
    with pytest.raises(ValueError, match="queries have 4 bits, but the database's codes 3"):
        InvertedIndex(np.eye(3)).search(np.eye(4), 1)
    with pytest.raises(ValueError, match=r"codes must have shape \(codes, bits\), got \(3,\)"):
        InvertedIndex([1, 0, 1])


def test_faiss_finds_the_same_distances():
    faiss = pytest.importorskip("faiss")
    queries, database = random_codes(100, seed=1), random_codes(200)
    index = faiss.IndexBinaryFlat(24)
    index.add(pack_bits(database))
    distances, items = index.search(pack_bits(queries), 30)
    np.testing.assert_array_equal(distances, InvertedIndex(database).search(queries, 30)[0])
    np.testing.assert_array_equal(distances, (queries[:, None] != database[items]).sum(axis=2))
