"""LSH, FlyHash and BioHash through the same properties; then what each promises alone."""

import copy
import itertools
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from kexue_nlp import hashing
from kexue_nlp.datasets import load_images
from kexue_nlp.hashing import LSH, BioHash, FlyHash, em_round, local_step, winner_take_all

HASHERS = {
    "LSH": LSH(n_bits=12, random_state=0),
    "FlyHash": FlyHash(n_units=12, n_active=3, density=0.5, random_state=0),
    "BioHash-em": BioHash(n_units=12, n_active=3, random_state=0),
    "BioHash-local": BioHash(n_units=12, n_active=3, training="local", random_state=0),
}
# What scikit-learn expects of a transformer; NaN, another width and pickles are among it
EXPECTED = parametrize_with_checks([LSH(), FlyHash(100, 5), BioHash(), BioHash(training="local", max_iter=2)]).args


@pytest.fixture(params=HASHERS)
def hasher(request):
    return clone(HASHERS[request.param])


@pytest.fixture(params=[name for name in HASHERS if name != "LSH"])
def sparse_hasher(request):
    return clone(HASHERS[request.param])


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(50, 8))


def dense(codes):
    return codes.toarray() if sp.issparse(codes) else codes


@pytest.mark.parametrize(*EXPECTED, ids=lambda value: getattr(value, "func", type(value)).__name__)
def test_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_a_random_source_goes_on_from_fit_to_fit(hasher, X, kind):
    hasher.set_params(random_state=kind(7))
    again = clone(hasher)
    first, second = (dense(hasher.fit(X).components_) for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(dense(again.fit(X).components_), first)


def test_dense_codes_go_into_a_data_frame(X):
    frame = pd.DataFrame(X, index=range(100, 150), columns=list("abcdefgh"))
    hasher = clone(HASHERS["LSH"])
    expected = pd.DataFrame(hasher.fit_transform(frame), index=frame.index, columns=[f"lsh{i}" for i in range(12)])
    pd.testing.assert_frame_equal(hasher.set_output(transform="pandas").transform(frame), expected)


def test_codes_do_not_depend_on_the_format_the_batch_or_the_past(hasher, X, monkeypatch):
    X[X < 0] = 0
    codes = dense(hasher.fit_transform(X))
    np.testing.assert_array_equal(dense(hasher.transform(sp.csr_array(X))), codes)
    np.testing.assert_array_equal(dense(hasher.fit_transform(sp.csc_matrix(X))), codes)
    hasher.fit(X).transform(X + 1)
    monkeypatch.setattr(hashing, "BATCH", 7)
    np.testing.assert_array_equal(dense(hasher.transform(X)), codes)


@pytest.mark.filterwarnings("error")
def test_constant_features_give_one_code(hasher):
    for value in (0.0, 1.0):
        codes = dense(hasher.fit_transform(np.full((30, 5), value)))
        assert (codes == codes[0]).all()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("LSH", {"n_bits": 0}, "n_bits must be an integer of at least 1; got 0"),
        ("FlyHash", {"density": 0}, r"density must be a finite number above 0 and at most 1; got 0"),
        ("BioHash-em", {"training": "sgd"}, "training must be 'em' or 'local', not 'sgd'"),
        ("BioHash-em", {"tol": math.nan}, "tol must be a finite number of at least 0; got nan"),
        ("BioHash-local", {"learning_rate": 0}, "learning_rate must be a finite number above 0; got 0"),
        ("BioHash-local", {"p": 0.5}, "p must be a finite number of at least 1; got 0.5"),
        ("BioHash-local", {"rank": 1}, "rank must be an integer of at least 2; got 1"),
        ("BioHash-local", {"rank": 13, "delta": 0.4}, "rank must be an integer of at least 2 and at most 12; got 13"),
    ],
)
def test_bad_setting_is_refused(name, settings, message, X):
    with pytest.raises(ValueError, match=message):
        clone(HASHERS[name]).set_params(**settings).fit(X)


@given(arrays(np.int8, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(-2, 2)), st.data())
def test_winners_are_the_largest_and_of_equals_the_lowest(activations, data):
    k = data.draw(st.integers(1, activations.shape[1]))
    order = np.argsort(-activations, axis=1, kind="stable")[:, :k]
    assert [set(np.flatnonzero(row)) for row in winner_take_all(activations, k).toarray()] == list(map(set, order))


def test_bad_arrays_are_refused_for_winners_and_steps_of_training():
    for activations in (np.ones(4), np.ones((1, 2, 2)), [[1.0, 2.0], [np.nan, 1.0]]):
        with pytest.raises(ValueError, match=r"must have two dimensions|example 1 are not numbers"):
            winner_take_all(activations, 1)
    bad = (([[1, np.nan]], np.eye(2)), (np.eye(2), [[np.nan, 1.0]]))
    for function, arguments in itertools.product((em_round, local_step), bad):
        with pytest.raises(ValueError, match="contains NaN"):
            function(*arguments)
    with pytest.raises(ValueError, match="rank must be an integer of at least 2 and at most 4; got 5"):
        local_step(np.ones((1, 8)), np.ones((4, 8)), delta=0.1, rank=5)


@pytest.mark.parametrize("n_active", [1, 3, 12])
def test_codes_have_k_ones_and_of_ties_the_lowest_wins(sparse_hasher, X, n_active):
    X[:9] = np.round(X[:9])  # some ties
    codes = sparse_hasher.set_params(n_active=n_active).fit_transform(X)
    assert codes.has_canonical_format
    assert (codes.data == 1).all()
    assert np.diff(codes.indptr).tolist() == [n_active] * 50
    lowest = [1] * n_active + [0] * (12 - n_active)
    assert sparse_hasher.transform(np.zeros((1, 8))).toarray()[0].tolist() == lowest
    sparse_hasher.components_ = np.ones((12, 8))
    assert sparse_hasher.transform(np.ones((1, 8))).toarray()[0].tolist() == lowest


@pytest.mark.parametrize("n_active", [0, -1, 13, 2.0, True])
def test_impossible_number_of_active_units_is_refused(sparse_hasher, X, n_active):
    message = "n_active must be an integer of at least 1 and at most 12; got"
    with pytest.raises(ValueError, match=message):
        clone(sparse_hasher).set_params(n_active=n_active).fit(X)
    with pytest.raises(ValueError, match=message):
        sparse_hasher.fit(X).set_params(n_active=n_active).transform(X)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.acos(0.631), math.pi / 2, 2.5, math.pi])
def test_bits_agree_as_often_as_the_angle_says(angle):
    n_bits, expected = 20_000, 1 - angle / math.pi
    first, second = LSH(n_bits, random_state=0).fit_transform([[1, 0], [math.cos(angle), math.sin(angle)]])
    deviation = math.sqrt(expected * (1 - expected) / n_bits)
    assert np.mean(first == second) == pytest.approx(expected, abs=3 * deviation)


def test_sign_of_zero_is_minus_one_and_only_there_faiss_differs(X):
    faiss = pytest.importorskip("faiss")
    X = X.round().astype(np.float32)  # a third are zeros
    hasher = LSH(8).fit(X)
    hasher.components_ = np.eye(8, dtype=np.float32)
    codes = hasher.transform(X)
    assert (codes[X == 0] == -1).all()
    index = faiss.IndexLSH(8, 8, False)  # no rotation: the bits are the signs of the inputs, as here
    theirs = np.unpackbits(index.sa_encode(X), axis=1, bitorder="little")
    np.testing.assert_array_equal(theirs == 1, (codes == 1) | (X == 0))


def test_every_unit_sums_exactly_its_share_of_the_inputs():
    for density, fan_in in ((0.1, 2), (0.001, 1), (1, 20), (0.34, 7)):
        components = FlyHash(50, 5, density, random_state=0).fit(np.ones((1, 20))).components_.toarray()
        assert set(components.ravel()) <= {0, 1}
        assert components.sum(axis=1).tolist() == [fan_in] * 50


@pytest.fixture(scope="module")
def digits():
    return load_images("sample").pixels


@pytest.fixture(scope="module")
def by_em(digits):
    return BioHash(n_units=40, n_active=4, tol=0, random_state=0).fit(digits)


@pytest.mark.parametrize(("training", "seeds"), [("em", [seed]) for seed in range(5)] + [("local", range(5))])
def test_three_clusters_are_recovered(training, seeds):
    labels = np.repeat(np.arange(3), 20)
    X = 5 * np.eye(10)[labels] + np.random.default_rng(0).normal(0, 0.1, (60, 10))
    fits = [BioHash(3, 1, training, max_iter=15, batch_size=10, random_state=seed).fit(X) for seed in seeds]
    units = max(fits, key=lambda fit: fit.objectives_[-1]).transform(X).indices
    assert sorted({*zip(labels.tolist(), units.tolist(), strict=True)}) == [*enumerate(units[::20])]
    assert sorted(units[::20]) == [0, 1, 2]


def test_training_by_em_is_rounds_of_em(X):
    fits = [BioHash(5, 2, max_iter=rounds, tol=0, random_state=0).fit(X) for rounds in (1, 2, 3)]
    for before, after in itertools.pairwise(fits):
        components, objective, counts = em_round(X, before.components_)
        np.testing.assert_allclose(after.components_, components, rtol=1e-6)
        np.testing.assert_allclose(after.objectives_, [*before.objectives_, objective])
        assert after.counts_.tolist() == counts.tolist()


def test_rate_of_the_local_rule_falls_linearly_over_the_passes(X, monkeypatch):
    rates = []
    monkeypatch.setattr(BioHash, "_step", lambda self, batch, rate: rates.append(rate))
    BioHash(4, 1, "local", max_iter=4, learning_rate=0.2, batch_size=len(X), random_state=0).fit(X)
    np.testing.assert_allclose(rates, [0.2, 0.15, 0.1, 0.05])


def test_em_never_loses_and_stops_when_a_round_gains_too_little(digits, by_em):
    assert (np.diff(by_em.objectives_) > -1e-6).all()
    hasty = clone(by_em).set_params(tol=0.01).fit(digits)
    gains = np.diff(hasty.objectives_) / hasty.objectives_[1:]
    assert hasty.n_iter_ == len(hasty.objectives_) < by_em.n_iter_
    assert gains[-1] <= 0.01
    assert (gains[:-1] > 0.01).all()


@pytest.mark.parametrize(("bad", "max_iter"), [(np.eye(3, 5), 25), (np.full((9, 5), np.nan), 25), (np.eye(9, 5), 0)])
def test_a_refused_fit_leaves_what_was_learned(X, bad, max_iter):
    hasher = BioHash(4, 2, random_state=0).fit(X)
    before = hasher.transform(X)
    with pytest.raises(ValueError, match=r"n_samples=3 is less than.*training='local'|contains NaN|max_iter must be"):
        hasher.set_params(max_iter=max_iter).fit(bad)
    assert (hasher.transform(X) != before).nnz == 0


def test_zero_vectors_leave_no_unit_without_a_direction():
    for n_zero, seed in itertools.product((30, 50), range(4)):
        X = np.random.default_rng(0).random((50, 5))
        X[:n_zero] = 0
        fitted = BioHash(8, 2, random_state=seed).fit(X)
        np.testing.assert_allclose(np.linalg.norm(fitted.components_, axis=1), 1)


def test_round_of_em_is_one_of_spherical_k_means_whatever_the_batch(X, monkeypatch):
    centres = X[:5] / np.linalg.norm(X[:5], axis=1, keepdims=True)
    nearest = (X @ centres.T).argmax(axis=1)
    means = np.array([X[nearest == unit].mean(axis=0) for unit in range(5)])
    for batch in (hashing.BATCH, 7):
        monkeypatch.setattr(hashing, "BATCH", batch)
        components, objective, counts = em_round(X, X[:5])
        np.testing.assert_allclose(components, means / np.linalg.norm(means, axis=1, keepdims=True))
        assert objective == pytest.approx((X @ centres.T).max(axis=1).mean())
        assert counts.tolist() == np.bincount(nearest).tolist()


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_em_does_not_copy_examples_or_make_them_dense(form):
    X, allowed = np.random.default_rng(0).random((40_000, 256), np.float32), 0.5
    if form == "sparse":
        X, allowed = sp.random_array((5_000, 20_000), density=1e-3, format="csr", rng=0, dtype=np.float32), 0.05
    tracemalloc.start()
    BioHash(n_units=8, max_iter=2, random_state=0).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < allowed * math.prod(X.shape) * 4


def test_memory_for_codes_does_not_grow_with_the_number_of_examples():
    X = np.random.default_rng(0).random((20_000, 20), np.float32)
    hasher = FlyHash(n_units=4000, n_active=4, random_state=0).fit(X)
    tracemalloc.start()
    hasher.transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # all activations at once would take 320 MB


@pytest.mark.parametrize(("p", "delta", "rank"), [(2, 0, 2), (2, 0.4, 2), (2, 0.4, 5), (3, 0.4, 2), (2.5, 0, 2)])
def test_local_step_is_the_rule_of_the_paper(X, p, delta, rank):
    W = np.random.default_rng(1).normal(size=(6, 8))
    expected = np.zeros_like(W)
    for x in X:
        tot = [sum(np.sign(w) * abs(w) ** (p - 1) * x) for w in W]
        order = np.argsort(-np.array(tot), kind="stable")
        for unit, y in ((order[0], 1), (order[rank - 1], -delta)):
            expected[unit] += y * x - y * tot[unit] * W[unit]
    np.testing.assert_allclose(local_step(X, W, p, delta, rank), expected, atol=1e-12)
    # Of two equal units one wins, and the other is the runner-up.
    step = local_step(np.array([[1.0, 0.0]]), np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]), delta=0.4)
    np.testing.assert_allclose(step, [[0.75, 0.0], [-0.3, 0.0], [0.0, 0.0]])


def test_local_rule_comes_within_two_percent_of_em_with_units_of_length_one(by_em, digits):
    by_local_rule = BioHash(n_units=40, n_active=4, training="local", max_iter=100, random_state=0).fit(digits)
    assert by_local_rule.objectives_[-1] == pytest.approx(by_em.objectives_[-1], rel=0.02)
    lengths = np.linalg.norm(by_local_rule.components_, axis=1)
    assert abs(lengths[by_local_rule.counts_ > 0] - 1).max() < 0.06
    # So plain and normalised products choose the same units.
    codes = by_local_rule.transform(digits)
    normalised = winner_take_all(digits @ by_local_rule.components_.T / lengths, 4)
    assert codes.multiply(normalised).sum() > 0.99 * codes.sum()


def test_stream_by_em_points_each_unit_at_the_sum_of_all_it_has_won(X):
    stream = BioHash(4, random_state=0).partial_fit(X[:20])
    won = (X[20:] @ stream.components_.T).argmax(axis=1)
    before = stream._sums.copy()
    stream.partial_fit(X[20:])
    sums = [before[unit] + X[20:][won == unit].sum(axis=0) for unit in range(4)]
    np.testing.assert_allclose(stream.components_, sums / np.linalg.norm(sums, axis=1, keepdims=True))


def test_stream_after_a_fit_does_not_forget_it_but_what_is_no_longer_true(by_em, digits):
    stream = copy.deepcopy(by_em).partial_fit(digits[:5])
    assert (stream.components_ * by_em.components_).sum(axis=1).min() > 0.99
    assert not hasattr(stream, "objectives_")
    assert stream.counts_.sum() == 5
    stream.set_params(training="local").partial_fit(digits[:5])
    assert not hasattr(stream, "counts_")
    assert stream.n_iter_ == by_em.n_iter_ + 2


def test_stream_by_the_local_rule_takes_one_step_per_batch_of_any_size(X):
    assert BioHash(12, 3, "local", random_state=0).fit_transform(X[:2]).shape == (2, 12)
    stream = BioHash(4, training="local", random_state=0).partial_fit(X)
    before = stream.components_.copy()
    step = local_step(X, before)
    stream.partial_fit(X)
    np.testing.assert_allclose(stream.components_, before + 0.02 / abs(step).max() * step)
    with pytest.raises(ValueError, match="n_units=5, but 4 units"):
        stream.set_params(n_units=5).partial_fit(X)


def test_em_codes_large_and_small_numbers_alike():
    X = np.random.default_rng(0).random((40, 5)).astype(np.float32)
    hasher = BioHash(4, 2, random_state=0)
    for factor in (2.0**-20, 2.0**100):
        assert (hasher.fit_transform(X) != hasher.fit_transform(np.float32(factor) * X)).nnz == 0


def test_em_after_local_steps_goes_on_from_where_they_led():
    X = np.random.default_rng(0).random((60, 5))
    hasher = BioHash(4, 1, random_state=0).fit(X).set_params(training="local")
    for _ in range(50):
        hasher.partial_fit(X[:10])
    led_to = hasher.components_.copy()
    hasher.set_params(training="em").partial_fit(X[:1])
    assert np.allclose(np.linalg.norm(hasher.components_, axis=1), 1)
    unmoved = hasher.counts_ == 0
    directions = led_to / np.linalg.norm(led_to, axis=1, keepdims=True)
    assert np.allclose(hasher.components_[unmoved], directions[unmoved])
