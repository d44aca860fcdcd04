"""Search over codes: against brute force, by hand, and against faiss."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from kexue_nlp.code_search import InvertedIndex, faiss_index, pack_bits
from kexue_nlp.hashing import LSH, winner_take_all


def random_codes(n, n_bits=21, seed=0):
    """Make codes with any number of ones, some with none."""
    rng = np.random.default_rng(seed)
    return (rng.random((n, n_bits)) < rng.uniform(0, 0.4, (n, 1))).astype(np.uint8)


def by_brute_force(queries, database, n):
    distances = (queries[:, None] != database).sum(axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :n]
    return np.take_along_axis(distances, order, axis=1), order


@pytest.mark.parametrize("n", [1, 7, 200])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_matrix, sp.coo_array])
def test_equals_brute_force(form, n):
    queries, database = random_codes(20, seed=1), random_codes(200)
    found = InvertedIndex(form(database)).search(form(queries), n)
    np.testing.assert_array_equal(found, by_brute_force(queries, database, n))


def test_equals_brute_force_where_distances_pass_255():
    queries, database = np.split((np.random.default_rng(0).random((60, 900)) < 0.5).astype(int), [10])
    found = InvertedIndex(database).search(queries, 50)
    assert found[0].max() > 255
    np.testing.assert_array_equal(found, by_brute_force(queries, database, 50))


def test_ties_are_in_the_order_of_the_database():
    distances, items = InvertedIndex([[0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]]).search([[1, 0, 0]], 4)
    assert (distances.tolist(), items.tolist()) == ([[0, 0, 2, 2]], [[1, 3, 0, 2]])


def test_items_without_a_common_bit_follow_at_twice_the_ones():
    codes = winner_take_all(np.eye(6) + np.roll(np.eye(6), 1, axis=1), 2)
    distances, items = InvertedIndex(codes).search(codes[[3]], 6)
    assert (distances.tolist(), items.tolist()) == ([[0, 2, 2, 4, 4, 4]], [[3, 2, 4, 0, 1, 5]])


def test_item_without_a_common_bit_may_be_nearer_than_one_with():
    distances, items = InvertedIndex([[1, 0, 1, 1, 1, 1], [0] * 6]).search([[1, 1, 0, 0, 0, 0]], 2)
    assert (distances.tolist(), items.tolist()) == ([[2, 5]], [[1, 0]])


def test_query_of_zeros_finds_the_items_with_the_fewest_ones():
    distances, items = InvertedIndex([[1, 1, 1], [0, 0, 0], [0, 1, 0]]).search([[0, 0, 0]], 3)
    assert (distances.tolist(), items.tolist()) == ([[0, 1, 3]], [[1, 2, 0]])


def test_stored_zeros_are_no_ones():
    stored = sp.csr_array((np.array([0, 1], np.uint8), [0, 1], [0, 2]), shape=(1, 3))
    assert InvertedIndex(stored).search([[0, 1, 0]], 1)[0].item() == 0


def test_codes_of_minus_one_and_one_are_searched_alike():
    codes = LSH(n_bits=24, random_state=0).fit_transform(np.random.default_rng(0).normal(size=(100, 5)))
    found = InvertedIndex(codes).search(codes[:9], 20)
    np.testing.assert_array_equal(found, by_brute_force(codes[:9], codes, 20))


def test_no_queries_find_nothing():
    distances, items = InvertedIndex(np.eye(4)).search(np.empty((0, 4)), 2)
    assert distances.shape == items.shape == (0, 2)


def test_index_takes_four_bytes_for_each_one_and_for_each_code_and_bit():
    codes = winner_take_all(np.random.default_rng(0).normal(size=(1000, 40)), 5)
    assert InvertedIndex(codes).nbytes == 4 * (5 * 1000 + 1000 + 41)


@pytest.mark.parametrize("n", [0, 4, 2.5, True, "2"])
def test_number_of_neighbours_outside_the_database_is_refused(n):
    with pytest.raises(ValueError, match=f"n must be an integer from 1 to 3, the size of the database; got {n!r}"):
        InvertedIndex(np.eye(3)).search(np.eye(3), n)


def test_codes_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="codes hold NaN"):
        InvertedIndex([[np.nan, 1.0]])


def test_queries_of_another_width_are_refused():
    with pytest.raises(ValueError, match="queries have 4 bits, but the database's codes 3"):
        InvertedIndex(np.eye(3)).search(np.eye(4), 1)


def test_single_code_is_refused_as_a_database():
    with pytest.raises(ValueError, match=r"two dimensions, \(items, bits\); got shape \(3,\)"):
        InvertedIndex([1, 0, 1])


def test_packed_bits_unpack_to_the_codes():
    codes = random_codes(30)
    np.testing.assert_array_equal(np.unpackbits(pack_bits(sp.csr_array(codes)), axis=1)[:, :21], codes)


def test_faiss_finds_the_same_distances():
    pytest.importorskip("faiss")
    queries, database = random_codes(20, seed=1), random_codes(200)
    distances, items = faiss_index(database).search(pack_bits(queries), 30)
    np.testing.assert_array_equal(distances, InvertedIndex(database).search(queries, 30)[0])
    np.testing.assert_array_equal(distances, (queries[:, None] != database[items]).sum(axis=2))


def test_missing_faiss_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        faiss_index(np.eye(3))
