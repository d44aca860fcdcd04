"""LSH, FlyHash and BioHash through the same properties; then what each promises alone."""

import copy
import math
import tracemalloc

import numpy as np
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
SPARSE = [name for name in HASHERS if name != "LSH"]


@pytest.fixture(params=HASHERS)
def hasher(request):
    return clone(HASHERS[request.param])


@pytest.fixture(params=SPARSE)
def sparse_hasher(request):
    return clone(HASHERS[request.param])


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(50, 8))


def dense(codes):
    return codes.toarray() if sp.issparse(codes) else codes


def lowest(n_active):
    return [1] * n_active + [0] * (12 - n_active)


# What scikit-learn expects of a transformer


@parametrize_with_checks([LSH(), FlyHash(), BioHash(), BioHash(training="local")])
def test_estimator(estimator, check):
    check(estimator)


# All three


def test_same_seed_gives_the_same_codes(hasher, X):
    first, second = (dense(clone(hasher).fit_transform(X)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_sparse_and_dense_input_give_the_same_codes(hasher, X):
    X[X < 0] = 0
    codes = dense(hasher.fit_transform(X))
    np.testing.assert_array_equal(dense(hasher.transform(sp.csr_array(X))), codes)
    np.testing.assert_array_equal(dense(hasher.fit_transform(sp.csc_matrix(X))), codes)


def test_codes_do_not_depend_on_the_batch(hasher, X, monkeypatch):
    codes = dense(hasher.fit(X).transform(X))
    monkeypatch.setattr(hashing, "BATCH", 7)
    np.testing.assert_array_equal(dense(hasher.transform(X)), codes)


def test_transform_leaves_the_components_alone(hasher, X):
    components = dense(hasher.fit(X).components_).copy()
    hasher.transform(X + 1)
    np.testing.assert_array_equal(dense(hasher.components_), components)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_features_give_one_code(hasher, value):
    codes = dense(hasher.fit_transform(np.full((30, 5), value)))
    assert (codes == codes[0]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_examples_that_are_not_finite_are_refused(hasher, X, bad):
    hasher.fit(X)
    X[3, 4] = bad
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        hasher.transform(X)
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        hasher.fit(X)


def test_examples_of_another_width_are_refused(hasher, X):
    with pytest.raises(ValueError, match=r"X has 7 features, but .* is expecting 8 features"):
        hasher.fit(X).transform(X[:, :7])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("LSH", {"n_bits": 0}, "n_bits must be an integer of at least 1, got 0"),
        ("FlyHash", {"density": 0}, r"density must be in \(0, 1\], got 0"),
        ("BioHash-em", {"training": "sgd"}, "training must be 'em' or 'local', not 'sgd'"),
        ("BioHash-em", {"tol": math.nan}, "tol must be a finite number, at least 0; got nan"),
        ("BioHash-local", {"learning_rate": 0}, "learning_rate must be a finite number, positive; got 0"),
        ("BioHash-local", {"p": 0.5}, "p must be a finite number, at least 1; got 0.5"),
        ("BioHash-local", {"rank": 1}, "rank must be an integer of at least 2, got 1"),
        ("BioHash-local", {"rank": 13, "delta": 0.4}, "rank=13 is more than the 12 units"),
    ],
)
def test_setting_out_of_range_is_refused(name, settings, message, X):
    with pytest.raises(ValueError, match=message):
        clone(HASHERS[name]).set_params(**settings).fit(X)


# Winner-take-all: FlyHash and BioHash


@given(arrays(np.int8, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(-2, 2)), st.data())
def test_winners_are_the_largest_and_of_equals_the_lowest(activations, data):
    k = data.draw(st.integers(1, activations.shape[1]))
    order = np.argsort(-activations, axis=1, kind="stable")[:, :k]
    assert [set(np.flatnonzero(row)) for row in winner_take_all(activations, k).toarray()] == list(map(set, order))


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
def test_activations_of_one_example_or_of_many_kinds_are_refused(shape):
    with pytest.raises(ValueError, match="two dimensions"):
        winner_take_all(np.ones(shape), 1)


@pytest.mark.parametrize("function", [em_round, local_step])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, np.nan]], "X contains NaN"),
        (np.empty((0, 2)), "0 sample"),
        ([1.0, 2.0], "2D array"),
        ([[1.0, 2.0, 3.0]], "X has 3 features, but components 2"),
    ],
)
def test_steps_of_training_refuse_bad_arrays(function, X, message):
    with pytest.raises(ValueError, match=message):
        function(X, [[1.0, 0.0], [0.0, 1.0]])


def test_steps_of_training_take_lists():
    assert em_round([[1, 0]], [[2, 0]])[0].tolist() == [[1.0, 0.0]]
    assert local_step([[1, 0]], [[0.5, 0.5]]).tolist() == [[0.75, -0.25]]


def test_winner_among_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="example 1 are not numbers"):
        winner_take_all(np.array([[1.0, 2.0], [np.nan, 1.0]]), 1)


@pytest.mark.parametrize("n_active", [1, 3, 12])
def test_codes_have_exactly_k_ones(sparse_hasher, X, n_active):
    X[:9] = np.round(X[:9])  # some ties
    codes = sparse_hasher.set_params(n_active=n_active).fit_transform(X)
    assert codes.has_canonical_format
    assert (codes.data == 1).all()
    assert np.diff(codes.indptr).tolist() == [n_active] * 50


@pytest.mark.parametrize("n_active", [1, 3, 12])
def test_units_all_alike_tie_and_the_lowest_win(sparse_hasher, X, n_active):
    sparse_hasher.fit(X).set_params(n_active=n_active).components_ = np.ones((12, 8))
    assert sparse_hasher.transform(np.ones((1, 8))).toarray()[0].tolist() == lowest(n_active)


def test_zero_vector_activates_the_first_units(sparse_hasher, X):
    assert sparse_hasher.fit(X).transform(np.zeros((1, 8))).toarray()[0].tolist() == lowest(3)


@pytest.mark.parametrize("n_active", [0, -1, 13, 2.0, True])
def test_impossible_number_of_active_units_is_refused(sparse_hasher, X, n_active):
    message = "n_active=13 is more than the 12 units|n_active must be an integer of at least 1, got"
    with pytest.raises(ValueError, match=message):
        clone(sparse_hasher).set_params(n_active=n_active).fit(X)
    with pytest.raises(ValueError, match=message):
        sparse_hasher.fit(X).set_params(n_active=n_active).transform(X)


def test_hamming_distance_is_twice_the_bits_not_shared(sparse_hasher, X):
    codes = sparse_hasher.fit_transform(X)
    bits = codes.toarray().astype(int)
    distances = (bits[:, None] != bits).sum(axis=2)
    np.testing.assert_array_equal(distances, 2 * 3 - 2 * (codes.astype(int) @ codes.T).toarray())


# LSH


@pytest.mark.parametrize("angle", [0.0, 0.3, math.acos(0.631), math.pi / 2, 2.5, math.pi])
def test_bits_agree_as_often_as_the_angle_says(angle):
    n_bits, expected = 20_000, 1 - angle / math.pi
    first, second = LSH(n_bits, random_state=0).fit_transform([[1, 0], [math.cos(angle), math.sin(angle)]])
    deviation = math.sqrt(expected * (1 - expected) / n_bits)
    assert np.mean(first == second) == pytest.approx(expected, abs=3 * deviation)


def test_sign_of_zero_is_minus_one(X):
    assert LSH(12).fit(X).transform(np.zeros((1, 8))).tolist() == [[-1] * 12]


def test_faiss_differs_only_where_a_projection_is_zero(X):
    faiss = pytest.importorskip("faiss")
    X = X.round().astype(np.float32)  # a third are zeros
    hasher = LSH(8).fit(X)
    hasher.components_ = np.eye(8, dtype=np.float32)
    index = faiss.IndexLSH(8, 8, False)  # no rotation: the bits are the signs of the inputs, as here
    theirs = np.unpackbits(index.sa_encode(X), axis=1, bitorder="little")
    np.testing.assert_array_equal(theirs == 1, (hasher.transform(X) == 1) | (X == 0))


# FlyHash


@pytest.mark.parametrize(("density", "fan_in"), [(0.1, 2), (0.001, 1), (1, 20), (0.34, 7)])
def test_every_unit_sums_exactly_its_share_of_the_inputs(density, fan_in):
    components = FlyHash(50, 5, density, random_state=0).fit(np.ones((1, 20))).components_.toarray()
    assert set(components.ravel()) <= {0, 1}
    assert components.sum(axis=1).tolist() == [fan_in] * 50


# BioHash


@pytest.fixture(scope="module")
def digits():
    return load_images("sample").pixels


@pytest.fixture(scope="module")
def by_em(digits):
    return BioHash(n_units=40, n_active=4, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def by_local_rule(digits):
    return BioHash(n_units=40, n_active=4, training="local", max_iter=100, random_state=0).fit(digits)


@pytest.mark.parametrize(("training", "seeds"), [("em", [seed]) for seed in range(5)] + [("local", range(5))])
def test_three_clusters_are_recovered(training, seeds):
    """By EM from any start, by the local rule from the best of five: a unit between two clusters can keep both."""
    labels = np.repeat(np.arange(3), 20)
    X = 5 * np.eye(10)[labels] + np.random.default_rng(0).normal(0, 0.1, (60, 10))
    fits = [BioHash(3, 1, training, max_iter=100, batch_size=10, random_state=seed).fit(X) for seed in seeds]
    units = max(fits, key=lambda fit: fit.objectives_[-1]).transform(X).indices
    assert sorted({*zip(labels.tolist(), units.tolist(), strict=True)}) == [*enumerate(units[::20])]
    assert sorted(units[::20]) == [0, 1, 2]


def test_training_by_em_is_rounds_of_em(X):
    beginning = BioHash(5, 2, random_state=0)
    beginning._start(X)
    rounds = [em_round(X, beginning.components_)]
    for _ in range(2):
        rounds.append(em_round(X, rounds[-1][0]))
    fitted = BioHash(5, 2, max_iter=3, tol=0, random_state=0).fit(X)
    np.testing.assert_allclose(fitted.components_, rounds[-1][0], rtol=1e-6)
    np.testing.assert_allclose(fitted.objectives_, [objective for _, objective, _ in rounds])
    assert fitted.counts_.tolist() == rounds[-1][2].tolist()


def test_rate_of_the_local_rule_falls_linearly_over_the_passes(X, monkeypatch):
    rates = []
    monkeypatch.setattr(BioHash, "_step", lambda self, batch, rate: rates.append(rate))
    BioHash(4, 1, "local", max_iter=4, learning_rate=0.2, batch_size=len(X), random_state=0).fit(X)
    np.testing.assert_allclose(rates, [0.2, 0.15, 0.1, 0.05])


def test_em_stops_when_a_round_gains_too_little(digits):
    patient, hasty = (BioHash(20, 2, tol=tol, random_state=0).fit(digits) for tol in (0, 0.01))
    gains = np.diff(hasty.objectives_) / hasty.objectives_[1:]
    assert hasty.n_iter_ == len(hasty.objectives_) < patient.n_iter_
    assert gains[-1] <= 0.01
    assert (gains[:-1] > 0.01).all()


@pytest.mark.parametrize("wrong", ["too few examples", "NaN", "parameter"])
def test_a_refused_fit_leaves_what_was_learned(X, wrong):
    hasher = BioHash(4, 2, random_state=0).fit(X)
    before = hasher.transform(X)
    bad = X[:3, :5] if wrong == "too few examples" else np.full((9, 5), np.nan) if wrong == "NaN" else X[:, :5]
    hasher.set_params(max_iter=0 if wrong == "parameter" else 25)
    with pytest.raises(ValueError):  # noqa: PT011
        hasher.fit(bad)
    assert (hasher.transform(X) != before).nnz == 0


@pytest.mark.parametrize("n_zero", [30, 50])
def test_zero_vectors_leave_no_unit_without_a_direction(n_zero):
    X = np.random.default_rng(0).random((50, 5))
    X[:n_zero] = 0
    for seed in range(4):
        fitted = BioHash(8, 2, random_state=seed).fit(X)
        np.testing.assert_allclose(np.linalg.norm(fitted.components_, axis=1), 1)


def test_a_stream_forgets_what_is_no_longer_true(X):
    hasher = BioHash(4, 2, random_state=0).fit(X).partial_fit(X[:5])
    assert not hasattr(hasher, "objectives_")
    assert hasher.counts_.sum() == 5
    hasher.set_params(training="local").partial_fit(X[:5])
    assert not hasattr(hasher, "counts_")


def test_round_of_em_does_not_depend_on_the_batch(X, monkeypatch):
    whole = em_round(X, X[:5])
    monkeypatch.setattr(hashing, "BATCH", 7)
    for part, expected in zip(em_round(X, X[:5]), whole, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12)


def test_round_of_em_is_one_of_spherical_k_means(X):
    centres = X[:5] / np.linalg.norm(X[:5], axis=1, keepdims=True)
    nearest = (X @ centres.T).argmax(axis=1)
    means = np.array([X[nearest == unit].mean(axis=0) for unit in range(5)])
    components, objective, counts = em_round(X, X[:5])
    np.testing.assert_allclose(components, means / np.linalg.norm(means, axis=1, keepdims=True))
    assert objective == pytest.approx((X @ centres.T).max(axis=1).mean())
    assert counts.tolist() == np.bincount(nearest).tolist()


def test_unit_that_wins_nothing_keeps_its_direction():
    components, _, counts = em_round(np.array([[1.0, 0.0], [1.0, 0.1]]), np.array([[1.0, 0.0], [0.0, -2.0]]))
    assert counts.tolist() == [2, 0]
    assert components[1].tolist() == [0, -1]


def test_objective_of_em_never_falls(digits):
    objectives = BioHash(n_units=40, tol=0, random_state=0).fit(digits).objectives_
    assert len(objectives) > 5
    assert (np.diff(objectives) > -1e-6).all()


def test_em_does_not_copy_the_examples():
    X = np.random.default_rng(0).random((40_000, 256), np.float32)
    assert peak_memory(BioHash(n_units=8, max_iter=2, random_state=0).fit, X) < 0.5 * X.nbytes


def test_em_never_makes_sparse_examples_dense():
    X = sp.random_array((5_000, 20_000), density=1e-3, format="csr", rng=0, dtype=np.float32)
    assert peak_memory(BioHash(n_units=8, max_iter=2, random_state=0).fit, X) < 0.05 * math.prod(X.shape) * 4


def peak_memory(function, *arguments):
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


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


@pytest.mark.parametrize(("rank", "message"), [(1, "at least 2"), (5, "more than the 4 units")])
def test_local_step_refuses_an_impossible_rank(X, rank, message):
    with pytest.raises(ValueError, match=message):
        local_step(X, np.ones((4, X.shape[1])), delta=0.1, rank=rank)


def test_of_two_equal_units_one_wins_and_the_other_is_the_runner_up():
    step = local_step(np.array([[1.0, 0.0]]), np.array([[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]), delta=0.4)
    np.testing.assert_allclose(step, [[0.75, 0.0], [-0.3, 0.0], [0.0, 0.0]])


def test_lengths_of_units_that_win_tend_to_one(by_local_rule):
    lengths = np.linalg.norm(by_local_rule.components_[by_local_rule.counts_ > 0], axis=1)
    assert abs(lengths - 1).max() < 0.06


def test_plain_and_normalised_products_choose_the_same_units(by_local_rule, digits):
    codes = by_local_rule.transform(digits)
    lengths = np.linalg.norm(by_local_rule.components_, axis=1)
    normalised = winner_take_all(digits @ by_local_rule.components_.T / lengths, 4)
    assert codes.multiply(normalised).sum() > 0.99 * codes.sum()


def test_local_rule_comes_within_two_percent_of_em(by_em, by_local_rule):
    assert by_local_rule.objectives_[-1] == pytest.approx(by_em.objectives_[-1], rel=0.02)


def test_em_needs_as_many_examples_as_units(X):
    with pytest.raises(ValueError, match=r'n_samples=11 is less than n_units=12.*training="local"'):
        BioHash(n_units=12).fit(X[:11])


def test_local_rule_makes_do_with_fewer_examples_than_units(X):
    assert BioHash(12, 3, "local", random_state=0).fit_transform(X[:2]).shape == (2, 12)


def test_stream_by_em_points_each_unit_at_the_sum_of_all_it_has_won(X):
    stream = BioHash(4, random_state=0).partial_fit(X[:20])
    won = (X[20:] @ stream.components_.T).argmax(axis=1)
    before = stream._sums.copy()
    stream.partial_fit(X[20:])
    sums = [before[unit] + X[20:][won == unit].sum(axis=0) for unit in range(4)]
    np.testing.assert_allclose(stream.components_, sums / np.linalg.norm(sums, axis=1, keepdims=True))


def test_stream_after_a_fit_does_not_forget_it(by_em, digits):
    after = copy.deepcopy(by_em).partial_fit(digits[:1]).components_
    assert (after * by_em.components_).sum(axis=1).min() > 0.99


def test_stream_by_the_local_rule_takes_one_step_per_batch(X):
    stream = BioHash(4, training="local", random_state=0).partial_fit(X)
    before = stream.components_.copy()
    step = local_step(X, before)
    stream.partial_fit(X)
    np.testing.assert_allclose(stream.components_, before + 0.02 / abs(step).max() * step)


def test_the_number_of_units_cannot_change_within_a_stream(X):
    stream = BioHash(4, random_state=0).partial_fit(X).set_params(n_units=5)
    with pytest.raises(ValueError, match="n_units=5, but 4 units"):
        stream.partial_fit(X)


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**100])
def test_em_gives_the_same_codes_for_large_and_small_numbers(factor):
    X = np.random.default_rng(0).random((40, 5)).astype(np.float32)
    hasher = BioHash(4, 2, random_state=0)
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
