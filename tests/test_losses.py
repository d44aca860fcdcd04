"""The losses on the backend that Keras runs on; the last test runs all others on the other backends installed."""

import copy
import importlib.util
import inspect
import itertools
import math
import os
import pickle
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kexue_nlp import losses

BACKEND = keras.backend.backend()
NEARLY_1 = 1 - 1e-6
ROWS = np.float32([[0.2, 0.8], [0.45, 0.55], [0.1, 0.9]])

# A loss as class and function, what it switches in Keras, and labels and probabilities (or numbers) of three examples:
# wrong, right but not by the margin, right by it.
Case = namedtuple("Case", "cls function keras_cls keras_function y x")


def make(cls, keras_cls, y, x):
    function, keras_function = (re.sub("(?<!^)(?=[A-Z])", "_", c.__name__).lower() for c in (cls, keras_cls))
    return Case(cls, getattr(losses, function), keras_cls, getattr(keras.losses, keras_function), y, x)


ONE_HOT, FLAT = np.eye(2, dtype=np.float32)[[0, 1, 1]], np.array([0, 1, 1])
TARGETS, NEAR = np.float32([[0], [1], [2]]), np.float32([[-3], [1.5], [2.0625]])
BINARY = make(losses.MarginBinaryCrossentropy, keras.losses.BinaryCrossentropy, ONE_HOT[:, 1:], ROWS[:, 1:])
CATEGORICAL = make(losses.MarginCategoricalCrossentropy, keras.losses.CategoricalCrossentropy, ONE_HOT, ROWS)
SPARSE = make(losses.MarginSparseCategoricalCrossentropy, keras.losses.SparseCategoricalCrossentropy, FLAT, ROWS)
NUMBERS = make(losses.TolerantSquaredError, keras.losses.MeanSquaredError, TARGETS, NEAR)
MARGIN_CASES = [BINARY, CATEGORICAL, SPARSE]
CASES = [*MARGIN_CASES, NUMBERS]
IDS = ["binary", "categorical", "sparse", "numbers"]
X = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)

every_loss = pytest.mark.parametrize("case", CASES, ids=IDS)
with_and_without_logits = pytest.mark.parametrize("from_logits", [False, True], ids=["probabilities", "logits"])


def array(x):
    return ops.convert_to_numpy(x)


def values(function, y, x, *arguments, **settings):
    # JAX compiles it as a whole, which is faster than each operation for itself.
    run = compiled if BACKEND == "jax" else (lambda function: function)
    return array(run(lambda y, x: function(y, x, *arguments, **settings))(np.asarray(y), np.asarray(x)))


def logit(p):
    return np.log(p) - np.log1p(-p)


def gradient(loss, x):
    x = np.asarray(x, np.float32)
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(lambda x: ops.sum(loss(x))))(x))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(x)
        with tf.GradientTape() as tape:
            total = ops.sum(loss(x))
        return tape.gradient(total, x).numpy()
    x = ops.convert_to_tensor(x).detach().clone().requires_grad_()
    ops.sum(loss(x)).backward()
    return array(x.grad)


def compiled(function):
    if BACKEND == "torch":
        pytest.skip("PyTorch runs everything eagerly")
    backend = importlib.import_module(BACKEND)
    return backend.jit(function) if BACKEND == "jax" else backend.function(function)


@every_loss
def test_loss_is_that_of_keras_or_none(case):
    ordinary = values(case.keras_function, case.y, case.x)
    np.testing.assert_allclose(values(case.function, case.y, case.x), ordinary * [1, 1, 0], rtol=1e-6)
    margin_at_its_end = 1e-9 if case is NUMBERS else NEARLY_1
    np.testing.assert_allclose(array(case.function(case.y, case.x, margin_at_its_end)), ordinary, rtol=1e-6)


@every_loss
def test_gradient_is_that_of_keras_or_none(case):
    logits = {} if case is NUMBERS else {"from_logits": True}
    x = case.x if case is NUMBERS else np.log(case.x) if case.x.shape[1] == 2 else logit(case.x)
    slope = gradient(lambda x: case.function(case.y, x, **logits), x)
    ordinary = gradient(lambda x: case.keras_function(case.y, x, **logits), x)
    np.testing.assert_allclose(slope, ordinary * [[1], [1], [0]], rtol=1e-6)


@every_loss
def test_class_equals_function_and_has_its_name(case):
    each = values(case.function, case.y, case.x, 0.95)
    np.testing.assert_array_equal(array(case.cls(0.95, reduction=None)(case.y, case.x)), each)
    assert float(case.cls(0.95)(case.y, case.x)) == pytest.approx(each.mean())
    weighted = case.cls(0.95)(case.y, case.x, sample_weight=np.float32([3, 0.5, 1]))
    assert float(weighted) == pytest.approx((each * [3, 0.5, 1]).mean())
    assert case.cls().name == case.function.__name__
    assert keras.losses.serialize(case.cls())["registered_name"] == f"kexue_nlp>{case.cls.__name__}"


@every_loss
def test_labels_are_not_inspected(case):
    y = case.y.astype(np.float32)
    y[0] = [2, np.nan, -1][MARGIN_CASES.index(case)] if case in MARGIN_CASES else np.nan
    np.testing.assert_array_equal(array(compiled(case.function)(y, case.x)), values(case.function, y, case.x))


@every_loss
def test_nan_stays_in_its_example_and_an_empty_batch_is_as_in_keras(case):
    x = case.x.copy()
    x[1] = np.nan
    loss = case.function(case.y, x, **({} if case is NUMBERS else {"from_logits": True}))
    assert np.isnan(array(loss)).tolist() == [False, True, False]
    assert values(case.function, case.y[:0], case.x[:0]).shape == (0,)
    for reduction in ("sum_over_batch_size", "sum", None):
        ordinary = array(case.keras_cls(reduction=reduction)(case.y[:0], case.x[:0]))
        np.testing.assert_array_equal(array(case.cls(reduction=reduction)(case.y[:0], case.x[:0])), ordinary)


@every_loss
def test_other_shapes_are_refused(case):
    for loss in (case.function, case.cls()):
        for rows in (2, 1):
            with pytest.raises(ValueError, match="shape"):
                loss(case.y[:rows], case.x)


@every_loss
def test_value_out_of_range_is_refused(case):
    bad = [0, -0.1, math.nan, math.inf] if case is NUMBERS else [0.5, 1, 0.3, -0.6, math.nan, math.inf, True]
    for value in bad:
        for loss in (case.cls, lambda value: case.function(case.y, case.x, value)):
            with pytest.raises(ValueError, match=f"must be a number between .*, not {value!r}$"):
                loss(value)
    for no_number in ("0.6", None, [0.6]):
        with pytest.raises(TypeError):
            case.cls(no_number)


@pytest.mark.parametrize("case", MARGIN_CASES, ids=IDS[:3])
def test_other_arguments_are_keras_s_own(case):
    def arguments(call):
        return [(p.name, p.default) for p in inspect.signature(call).parameters.values() if p.name != "name"]

    y_true, y_pred, margin, *rest = arguments(case.function)
    assert [y_true, y_pred, *rest] == arguments(case.keras_function)
    assert margin == ("margin", 0.6)
    assert arguments(case.cls) == [margin, *arguments(case.keras_cls)]


@pytest.mark.parametrize(
    "loss",
    [
        *(c.cls(0.7, from_logits=True, label_smoothing=0.1, axis=1, reduction="sum", name="mine") for c in CASES[:2]),
        losses.MarginSparseCategoricalCrossentropy(np.float32(0.75), from_logits=True, ignore_class=-1, axis=1),
        losses.TolerantSquaredError(tolerance=0.3, axis=1, reduction="sum", name="mine"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_copies_keep_every_argument(loss):
    serialised = keras.losses.deserialize(keras.losses.serialize(loss))
    for restored in (serialised, pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert type(restored) is type(loss)
        assert restored.get_config() == loss.get_config()


def test_loss_stored_without_label_smoothing_is_restored():
    stored = {"name": "margin", "reduction": "sum", "margin": 0.8, "from_logits": True, "axis": -1}
    assert losses.MarginBinaryCrossentropy.from_config(stored).get_config() == stored | {"label_smoothing": 0.0}


def test_what_is_on_the_margin_counts_half_and_what_is_plainly_wrong_in_full():
    y, p = np.float32([1, 1, 1, 0, 0, 0, 1, 0]), np.float32([0.59, 0.6, 0.600001, 0.41, 0.4, 0.399999, 0.01, 0.99])
    assert values(losses.margin_weight, y, p, margin=0.6).tolist() == [1, 0.5, 0, 1, 0.5, 0, 1, 1]
    for margin in (0.6, 0.7, 0.75, 0.9):
        z = np.float32([logit(margin), -logit(margin)])
        assert values(losses.margin_weight, [1, 0], z, margin, from_logits=True).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("m", [0.55, 0.6, 0.75, 0.9])
def test_values_are_those_of_the_article_s_formula(m):
    y, p = np.meshgrid(np.float32([0, 0.3, 0.5, 0.7, 1]), np.linspace(0.02, 0.98, 97, dtype=np.float32))
    y, p, theta = y.ravel(), p.ravel(), np.heaviside
    weight = 1 - theta(y - m, 0.5) * theta(p - m, 0.5) - theta(1 - m - y, 0.5) * theta(1 - m - p, 0.5)
    expected = -weight * (y * np.log(p) + (1 - y) * np.log(1 - p))
    np.testing.assert_allclose(array(losses.margin_binary_crossentropy(y, p, m)), expected, rtol=1e-5, atol=1e-6)


def test_confidently_wrong_logit_has_gradient_1_and_half_precision_is_finite():
    z = np.float32([20, 50, 1000, -20, -50, -1000])
    slope = gradient(lambda x: losses.margin_binary_crossentropy([0, 0, 0, 1, 1, 1], x, from_logits=True), z)
    np.testing.assert_allclose(slope, np.sign(z), rtol=1e-6)
    for dtype in ("float16", "bfloat16"):
        loss = losses.margin_binary_crossentropy(BINARY.y, ops.cast(np.float32([[1], [0], [0]]), dtype))
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        assert np.isfinite(array(loss)).all()


@pytest.mark.parametrize("function", [losses.margin_binary_crossentropy, losses.tolerant_squared_error])
def test_outputs_are_averaged_over_their_axis(function):
    y, p = np.ones((2, 3, 2), np.float32), np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 2)).astype(np.float32)
    each = values(function, y.ravel(), p.ravel()).reshape(2, 3, 2)
    for axis in (1, -1):
        np.testing.assert_allclose(values(function, y, p, axis=axis), each.mean(axis), rtol=1e-6)


def test_column_and_flat_array_mean_the_same_and_steps_keep_their_losses():
    labels, predictions = np.float32([1, 0, 1]), np.float32([0.5, 0.7, 0.9])
    for y, p in itertools.product((labels, labels[:, None]), (predictions, predictions[:, None])):
        for loss in (losses.margin_binary_crossentropy, losses.MarginBinaryCrossentropy(reduction=None)):
            np.testing.assert_allclose(array(loss(y, p)), [-np.log(0.5), -np.log(0.3), 0], rtol=1e-5)
    y, p = np.float32([[1, 0], [0, 1]]), np.float32([[0.5, 0.7], [0.2, 0.9]])[..., None]
    expected = [[-np.log(0.5), -np.log(0.3)], [0, 0]]
    np.testing.assert_allclose(values(losses.margin_binary_crossentropy, y, p), expected, rtol=1e-5)


@with_and_without_logits
@pytest.mark.parametrize("margin", [0.55, 0.75])
def test_two_classes_follow_the_binary_rule(margin, from_logits):
    # m and 1 − m are left out: as a complement in float32 they may fall on either side of the margin.
    p = np.linspace(0.02, 0.98, 97, dtype=np.float32)
    p = np.tile(p[np.abs(np.abs(p - 0.5) - (margin - 0.5)) > 0.001], 2)
    y = np.arange(len(p)) // (len(p) // 2)
    both = np.stack([1 - p, p], axis=1)
    if from_logits:
        p, both = logit(p), np.log(both)
    two = losses.margin_categorical_crossentropy(np.eye(2)[y], both, margin, from_logits)
    one = losses.margin_binary_crossentropy(y, p, margin, from_logits)
    np.testing.assert_allclose(array(two), array(one), rtol=1e-4, atol=1e-6)


def test_true_class_must_lead_every_other_by_twice_the_margin_less_1():
    table = [
        ([0.45, 0.30, 0.25], 1),  # first, but not by 0.2
        ([0.45, 0.24, 0.31], 1),  # the strongest rival counts, wherever it stands
        ([0.48, 0.27, 0.25], 0),  # right by the margin with less than half
        ([0.30, 0.45, 0.25], 1),
        ([0.01, 0.98, 0.01], 1),
        ([0.50, 0.25, 0.25], 0),
        ([1.20, 0.80, 0.00], 0.5),  # 0.6 and 0.4 when they sum to 1, and so on the margin
    ]
    p, weight = np.float32([row for row, _ in table]), [weight for _, weight in table]
    loss = values(losses.margin_categorical_crossentropy, np.tile(np.float32([1, 0, 0]), (len(p), 1)), p, margin=0.6)
    np.testing.assert_allclose(loss, -np.log(p[:, 0] / p.sum(axis=1)) * weight, rtol=1e-5)


def test_label_of_several_classes_is_switched_off_by_one_class():
    y = np.float32([[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]])
    loss = losses.margin_categorical_crossentropy(y, np.tile(np.float32([0.9, 0.1]), (3, 1)), margin=0.6)
    expected = [0, -np.log(0.9 * 0.1) / 2, -0.3 * np.log(0.9) - 0.7 * np.log(0.1)]
    np.testing.assert_allclose(array(loss), expected, rtol=1e-5)


@with_and_without_logits
def test_class_numbers_give_the_values_of_one_hot_labels(from_logits):
    z = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    p = z if from_logits else array(ops.softmax(z))
    classes = np.random.default_rng(1).integers(0, 4, (5, 3))
    expected = values(losses.margin_categorical_crossentropy, np.eye(4)[classes], p, 0.6, from_logits)
    moved = np.moveaxis(np.eye(4)[classes], -1, 1), np.moveaxis(p, -1, 1)
    sparse = losses.margin_sparse_categorical_crossentropy
    for loss in (
        sparse(classes, p, 0.6, from_logits),
        sparse(classes[..., None], p, 0.6, from_logits),
        sparse(classes, moved[1], 0.6, from_logits, axis=1),
        losses.margin_categorical_crossentropy(*moved, 0.6, from_logits, axis=1),
    ):
        np.testing.assert_allclose(array(loss), expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"1 class on axis -1; use the binary loss"):
        sparse([0], np.float32([[0.5]]))


@pytest.mark.parametrize("case", CASES[:2], ids=IDS[:2])
def test_smoothed_labels_do_not_move_the_switch(case):
    # Smoothed by 0.9, no label would exceed the margin any more.
    for smoothing in (0.1, 0.9):
        ordinary = values(case.keras_function, case.y, case.x, label_smoothing=smoothing)
        for loss in (case.function, case.cls(reduction=None, label_smoothing=smoothing)):
            smoothed = {"label_smoothing": smoothing} if loss is case.function else {}
            np.testing.assert_allclose(array(loss(case.y, case.x, **smoothed)), ordinary * [1, 1, 0], rtol=1e-6)
    if case is CATEGORICAL:
        y, p = (np.stack([one, one[::-1]]) for one in (case.y, case.x))
        last = array(case.function(y, p, label_smoothing=0.3))
        moved = (np.moveaxis(a, -1, 1) for a in (y, p))
        np.testing.assert_allclose(values(case.function, *moved, label_smoothing=0.3, axis=1), last, rtol=1e-6)


@pytest.mark.parametrize("ignored", [-1, 1, 255])
def test_ignored_class_has_no_loss_and_does_not_count_in_the_mean(ignored):
    y, settings = np.array([0, ignored, 0]), {"ignore_class": ignored}
    ordinary = values(keras.losses.sparse_categorical_crossentropy, y, ROWS, **settings)
    assert ordinary[1] == 0
    np.testing.assert_allclose(values(SPARSE.function, y, ROWS, **settings), ordinary, rtol=1e-6)
    loss = losses.MarginSparseCategoricalCrossentropy(**settings)
    assert float(loss(y, ROWS)) == pytest.approx(ordinary.sum() / 2)
    assert float(compiled(loss)(y, ROWS)) == pytest.approx(ordinary.sum() / 2)


def classifier(loss, outputs=1, activation="sigmoid"):
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs, activation=activation)])
    network.compile(keras.optimizers.SGD(1.0), loss)
    return network


@pytest.fixture(scope="module")
def network():
    return classifier(losses.MarginBinaryCrossentropy(margin=0.8))


def test_compiled_model_reports_the_weighted_mean_over_all_examples(network):
    weights = np.random.default_rng(1).uniform(0, 3, len(X)).astype(np.float32)
    each = values(losses.margin_binary_crossentropy, Y, network.predict(X, verbose=0), margin=0.8)
    assert (each == 0).any()
    assert network.evaluate(X, Y, verbose=0) == pytest.approx(each.mean(), rel=1e-5)
    flat = classifier(network.loss).evaluate(X, Y[:, 0], verbose=0)  # labels beside a column of predictions
    assert flat == pytest.approx(each.mean(), rel=1e-5)
    weighted = network.evaluate(X, Y, sample_weight=weights, verbose=0)
    assert weighted == pytest.approx((each * weights).mean(), rel=1e-5)


@pytest.mark.parametrize("loss", [BINARY.cls(0.8), NUMBERS.function], ids=["class", "function"])
def test_saved_model_keeps_its_loss(loss, network, tmp_path):
    network = classifier(loss) if loss is NUMBERS.function else network
    network.save(tmp_path / "m.keras")
    restored = keras.models.load_model(tmp_path / "m.keras")
    assert getattr(restored.loss, "margin", None) == getattr(loss, "margin", None)
    assert restored.evaluate(X, Y, verbose=0) == pytest.approx(network.evaluate(X, Y, verbose=0))


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 1)])
def test_masked_positions_do_not_count(shape):
    embedding = keras.layers.Embedding(5, 3, mask_zero=True)
    network = keras.Sequential([keras.Input((4,), dtype="int32"), embedding, keras.layers.Dense(1, "sigmoid")])
    x = np.int32([[1, 2, 3, 0], [4, 0, 0, 0]])
    y = np.float32([[1, 0, 1, 1], [0, 1, 1, 1]]).reshape(shape)
    p = network(x)
    each = values(losses.margin_binary_crossentropy, y, array(p))
    assert float(losses.MarginBinaryCrossentropy()(y, p)) == pytest.approx(each[x > 0].mean(), rel=1e-5)


def test_training_leaves_weights_alone_when_all_is_right_by_the_margin(network):
    network.set_weights([np.float32([[100], [0], [0]]), np.float32([0])])
    network.fit(X, Y, epochs=2, verbose=0)
    assert network.get_weights()[0].ravel().tolist() == [100, 0, 0]


def test_network_of_several_classes_learns_and_mixed_precision_trains():
    network = classifier(losses.MarginSparseCategoricalCrossentropy(from_logits=True), outputs=3, activation=None)
    network.fit(X, X.argmax(axis=1), epochs=30, verbose=0)
    assert (network.predict(X, verbose=0).argmax(axis=1) == X.argmax(axis=1)).mean() > 0.9
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        history = classifier(losses.MarginBinaryCrossentropy()).fit(X, Y, epochs=10, verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy(before)
    assert history[-1] < history[0]


@pytest.mark.parametrize("backend", [name for name in ("jax", "tensorflow", "torch") if name != BACKEND])
def test_other_backend_passes_these_tests_too(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not other_backend", __file__]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=Path(losses.__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
