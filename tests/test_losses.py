"""The losses on the backend that Keras runs on; the last test runs all others on the other backends installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from kexue_nlp import losses
from kexue_nlp.losses import (
    MarginBinaryCrossentropy,
    MarginCategoricalCrossentropy,
    MarginSparseCategoricalCrossentropy,
    TolerantSquaredError,
    margin_binary_crossentropy,
    margin_categorical_crossentropy,
    margin_sparse_categorical_crossentropy,
    margin_weight,
    tolerant_squared_error,
)

BACKEND = keras.backend.backend()
BACKENDS = ("jax", "tensorflow", "torch")

MARGIN_CLASSES = [
    MarginBinaryCrossentropy,
    MarginCategoricalCrossentropy,
    MarginSparseCategoricalCrossentropy,
]
MARGIN_FUNCTIONS = [
    margin_binary_crossentropy,
    margin_categorical_crossentropy,
    margin_sparse_categorical_crossentropy,
    margin_weight,
]
PROBABILITIES = np.linspace(0.02, 0.98, 97, dtype=np.float32)


def array(x):
    return ops.convert_to_numpy(x)


def logit(p):
    return np.log(p) - np.log1p(-p)


def softmax(z):
    return array(ops.softmax(np.asarray(z, np.float32)))


def gradient(loss, x):
    """Gradient of the sum of a loss by its predictions."""
    x = np.asarray(x, np.float32)
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: ops.sum(loss(x)))(x))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(x)
        with tf.GradientTape() as tape:
            total = ops.sum(loss(x))
        return tape.gradient(total, x).numpy()
    x = ops.convert_to_tensor(x).requires_grad_()
    ops.sum(loss(x)).backward()
    return array(x.grad)


def compiled(function):
    """The function as it runs inside ``fit``, where values are not known beforehand."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    pytest.skip("PyTorch runs everything eagerly")


def article_loss(y, p, m):
    """L_new as the article writes it."""

    def theta(x):
        return (np.sign(x) + 1) / 2

    weight = 1 - theta(y - m) * theta(p - m) - theta(1 - m - y) * theta(1 - m - p)
    return -weight * (y * np.log(p) + (1 - y) * np.log(1 - p))


# --- binary: values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "p", "expected"),
    [
        (1, 0.59, 0.527633),
        (1, 0.6, 0.255413),  # half of it on the margin
        (1, 0.600001, 0.0),
        (0, 0.41, 0.527633),
        (0, 0.4, 0.255413),
        (0, 0.399999, 0.0),
        (1, 0.01, 4.605170),  # plainly wrong, and in full
        (0, 0.99, 4.605170),
    ],
)
def test_value_for_a_label_and_a_probability(y, p, expected):
    loss = margin_binary_crossentropy(np.float32([y]), np.float32([p]), margin=0.6)
    assert array(loss)[0] == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("margin", [0.55, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("label", [0, 1])
def test_values_are_those_of_the_article_s_formula(label, margin):
    y = np.full_like(PROBABILITIES, label)
    loss = margin_binary_crossentropy(y, PROBABILITIES, margin)
    np.testing.assert_allclose(array(loss), article_loss(y, PROBABILITIES, margin), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_logits_give_the_values_of_their_probabilities(label):
    p = PROBABILITIES[np.abs(np.abs(PROBABILITIES - 0.5) - 0.1) > 0.001]  # a margin is hit exactly by luck only
    y = np.full_like(p, label)
    loss = margin_binary_crossentropy(y, logit(p), from_logits=True)
    np.testing.assert_allclose(array(loss), array(margin_binary_crossentropy(y, p)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("margin", [0.6, 0.7, 0.75, 0.9])
@pytest.mark.parametrize("label", [0, 1])
def test_logit_on_the_margin_counts_half(label, margin):
    z = np.float32([logit(margin) if label else -logit(margin)])
    assert array(margin_weight([label], z, margin, from_logits=True)).tolist() == [0.5]


def test_labels_in_between_are_weighed_by_the_article_s_formula():
    y, p = np.float32([0.7, 0.5, 0.3, 0.7]), np.float32([0.9, 0.9, 0.1, 0.1])
    loss = margin_binary_crossentropy(y, p, margin=0.6)
    np.testing.assert_allclose(array(loss), article_loss(y, p, 0.6), rtol=1e-5)
    assert (array(loss) > 0).tolist() == [False, True, False, True]


def test_loss_becomes_binary_crossentropy_as_the_margin_goes_to_1():
    y = np.tile(np.float32([0, 1]), len(PROBABILITIES))[:, None]
    p = np.repeat(PROBABILITIES, 2)[:, None]
    ordinary = keras.losses.binary_crossentropy(y, p)
    loss = margin_binary_crossentropy(y, p, margin=1 - 1e-6)
    np.testing.assert_allclose(array(loss), array(ordinary), rtol=1e-5)


def test_weight_is_one_half_on_the_margin_only():
    weight = margin_weight(np.float32([1, 1, 1, 0, 0, 0]), np.float32([0.59, 0.6, 0.61, 0.39, 0.4, 0.41]))
    assert array(weight).tolist() == [1, 0.5, 0, 0, 0.5, 1]


def test_several_outputs_are_averaged():
    loss = margin_binary_crossentropy(np.float32([[1, 1], [1, 0]]), np.float32([[0.5, 0.9], [0.9, 0.1]]))
    np.testing.assert_allclose(array(loss), [np.log(2) / 2, 0], rtol=1e-6)


@pytest.mark.parametrize("function", [margin_binary_crossentropy, tolerant_squared_error])
def test_outputs_may_lie_on_another_axis(function):
    y, p = np.ones((2, 3, 2), np.float32), np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 2))
    each = array(function(y.reshape(-1), p.reshape(-1))).reshape(2, 3, 2)
    np.testing.assert_allclose(array(function(y, p, axis=1)), each.mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize("axis", [2, -3, None])
@pytest.mark.parametrize(
    "function",
    [
        margin_binary_crossentropy,
        margin_categorical_crossentropy,
        margin_sparse_categorical_crossentropy,
        tolerant_squared_error,
    ],
)
def test_axis_that_does_not_exist_is_refused(function, axis):
    y = [0] if function is margin_sparse_categorical_crossentropy else [[0, 1]]
    with pytest.raises(ValueError, match=rf"axis is {axis}, but y_pred has shape \(1, 2\); choose .* from -2 to 1"):
        function(y, np.float32([[0.5, 0.5]]), axis=axis)


# --- binary: gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("z", [20.0, 50.0, 1000.0])
@pytest.mark.parametrize(("label", "sign"), [(0, 1), (1, -1)])
def test_confidently_wrong_logit_has_gradient_1(z, label, sign):
    slope = gradient(lambda x: margin_binary_crossentropy([label], x, from_logits=True), [sign * z])
    assert slope[0] == pytest.approx(sign)


@pytest.mark.parametrize("from_logits", [False, True])
def test_prediction_right_by_the_margin_has_no_gradient(from_logits):
    p = np.float32([0.61, 0.999, 0.39, 0.001])
    x = logit(p) if from_logits else p
    slope = gradient(lambda x: margin_binary_crossentropy([1, 1, 0, 0], x, from_logits=from_logits), x)
    assert slope.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("from_logits", [False, True])
def test_active_prediction_has_the_gradient_of_crossentropy(from_logits):
    y, p = np.float32([[1], [1], [0], [0]]), np.float32([[0.59], [0.01], [0.41], [0.99]])
    x = logit(p) if from_logits else p
    slope = gradient(lambda x: margin_binary_crossentropy(y, x, from_logits=from_logits), x)
    ordinary = gradient(lambda x: keras.losses.binary_crossentropy(y, x, from_logits=from_logits), x)
    np.testing.assert_allclose(slope, ordinary, rtol=1e-6)


# --- binary: shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("y_shape", [(3,), (3, 1)])
@pytest.mark.parametrize("p_shape", [(3,), (3, 1)])
@pytest.mark.parametrize("as_class", [False, True])
def test_column_and_flat_array_mean_the_same(y_shape, p_shape, as_class):
    loss = MarginBinaryCrossentropy(reduction=None) if as_class else margin_binary_crossentropy
    y, p = np.float32([1, 0, 1]).reshape(y_shape), np.float32([0.5, 0.7, 0.9]).reshape(p_shape)
    np.testing.assert_allclose(array(loss(y, p)), [-np.log(0.5), -np.log(0.3), 0], rtol=1e-5)


@pytest.mark.parametrize("as_class", [False, True])
@pytest.mark.parametrize(
    ("y_shape", "p_shape"),
    [((3,), (3, 2)), ((3, 1), (3, 2)), ((3, 2), (3, 1)), ((2,), (3,)), ((3, 1), (3, 1, 1, 1))],
)
def test_shapes_that_disagree_are_refused(y_shape, p_shape, as_class):
    loss = MarginBinaryCrossentropy() if as_class else margin_binary_crossentropy
    with pytest.raises(ValueError, match=r"y_true has shape \(.*\) and y_pred \(.*\)"):
        loss(np.ones(y_shape, np.float32), np.full(p_shape, 0.5, np.float32))


def test_empty_batch_has_no_losses():
    assert array(margin_binary_crossentropy(np.ones((0, 1)), np.ones((0, 1)))).shape == (0,)


@pytest.mark.parametrize(
    ("function", "y"),
    [
        (margin_categorical_crossentropy, np.ones((0, 3))),
        (margin_sparse_categorical_crossentropy, np.ones(0, np.int32)),
        (tolerant_squared_error, np.ones((0, 3))),
    ],
)
def test_empty_batch_of_several_outputs_has_no_losses(function, y):
    assert array(function(y, np.ones((0, 3), np.float32))).shape == (0,)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
def test_empty_batch_is_reduced_as_keras_reduces_it(reduction):
    y = np.ones((0, 1), np.float32)
    ordinary = array(keras.losses.BinaryCrossentropy(reduction=reduction)(y, y))
    np.testing.assert_array_equal(array(MarginBinaryCrossentropy(reduction=reduction)(y, y)), ordinary)


# --- several classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.55, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("from_logits", [False, True])
def test_two_classes_follow_the_binary_rule(label, margin, from_logits):
    # 1 − m itself is left out: as the complement of m in float32 it may fall on either side of the margin.
    p = PROBABILITIES[np.abs(np.abs(PROBABILITIES - 0.5) - (margin - 0.5)) > 0.001]
    y = np.full(len(p), label)
    both = np.stack([1 - p, p], axis=1)
    two = margin_categorical_crossentropy(np.eye(2)[y], np.log(both) if from_logits else both, margin, from_logits)
    one = margin_binary_crossentropy(y, logit(p) if from_logits else p, margin, from_logits)
    np.testing.assert_allclose(array(two), array(one), rtol=1e-4, atol=1e-6)


def test_two_classes_on_the_margin_count_half():
    loss = margin_categorical_crossentropy([[0.0, 1.0]], np.float32([[0.4, 0.6]]), margin=0.6)
    assert array(loss)[0] == pytest.approx(0.255413, abs=2e-6)


@pytest.mark.parametrize(
    ("p", "active"),
    [
        ([0.45, 0.30, 0.25], True),  # first, but not by 0.2
        ([0.45, 0.24, 0.31], True),  # the strongest rival counts, wherever it stands
        ([0.48, 0.27, 0.25], False),  # right by the margin with less than half
        ([0.30, 0.45, 0.25], True),
        ([0.01, 0.98, 0.01], True),
    ],
)
def test_true_class_must_lead_every_other_by_twice_the_margin_less_1(p, active):
    loss = margin_categorical_crossentropy([[1, 0, 0]], np.float32([p]), margin=0.6)
    assert array(loss)[0] == pytest.approx(-np.log(p[0] / sum(p)) if active else 0, abs=1e-6)


@pytest.mark.parametrize("p", [[0.95, 0.7, 0.1], [0.5, 0.4, 0.3]])
def test_probabilities_that_do_not_sum_to_1_are_refused(p):
    with pytest.raises(ValueError, match="probabilities sum to 1; for logits set from_logits=True"):
        margin_categorical_crossentropy([[1, 0, 0]], np.float32([p]))


def test_categorical_loss_becomes_crossentropy_as_the_margin_goes_to_1():
    z = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)[np.arange(50) % 4]
    ordinary = keras.losses.categorical_crossentropy(y, z, from_logits=True)
    loss = margin_categorical_crossentropy(y, z, margin=1 - 1e-6, from_logits=True)
    np.testing.assert_allclose(array(loss), array(ordinary), rtol=1e-6)


def test_categorical_logits_give_the_values_of_their_probabilities():
    z = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)[np.arange(50) % 4]
    loss = margin_categorical_crossentropy(y, z, from_logits=True)
    np.testing.assert_allclose(array(loss), array(margin_categorical_crossentropy(y, softmax(z))), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("column", [False, True])
def test_class_numbers_give_the_values_of_one_hot_labels(column):
    p = softmax(np.random.default_rng(0).normal(size=(50, 4)))
    classes = np.arange(50) % 4
    sparse = margin_sparse_categorical_crossentropy(classes[:, None] if column else classes, p)
    np.testing.assert_array_equal(array(sparse), array(margin_categorical_crossentropy(np.eye(4)[classes], p)))


@pytest.mark.parametrize("sparse", [False, True])
def test_classes_may_lie_on_another_axis(sparse):
    p = softmax(np.random.default_rng(0).normal(size=(5, 3, 4)))
    classes = np.random.default_rng(1).integers(0, 4, (5, 3))
    last = margin_sparse_categorical_crossentropy(classes, p)
    function = margin_sparse_categorical_crossentropy if sparse else margin_categorical_crossentropy
    y = classes if sparse else np.moveaxis(np.eye(4)[classes], -1, 1)
    np.testing.assert_allclose(array(function(y, np.moveaxis(p, -1, 1), axis=1)), array(last), rtol=1e-6)


def test_class_probabilities_as_labels_are_switched_off_by_the_class_of_more_than_the_margin():
    y = np.float32([[0.7, 0.3], [0.5, 0.5], [0.3, 0.7]])
    loss = margin_categorical_crossentropy(y, np.tile(np.float32([0.9, 0.1]), (3, 1)), margin=0.6)
    expected = [0, -np.log(0.9 * 0.1) / 2, -0.3 * np.log(0.9) - 0.7 * np.log(0.1)]
    np.testing.assert_allclose(array(loss), expected, rtol=1e-5)


@pytest.mark.parametrize("z", [20.0, 1000.0])
def test_confidently_wrong_class_has_gradient_1(z):
    slope = gradient(lambda x: margin_categorical_crossentropy([[1, 0]], x, from_logits=True), [[0, z]])
    np.testing.assert_allclose(slope, [[-1, 1]], atol=1e-6)


def test_class_right_by_the_margin_has_no_gradient():
    slope = gradient(lambda x: margin_sparse_categorical_crossentropy([0], x, from_logits=True), [[5.0, 0.0, 0.0]])
    assert not slope.any()


def test_one_output_is_refused_for_classes():
    with pytest.raises(ValueError, match=r"1 classes on axis -1.*use the binary loss"):
        margin_sparse_categorical_crossentropy([0], np.float32([[0.5]]))


def test_a_single_number_is_refused_for_classes():
    with pytest.raises(ValueError, match=r"0 classes on axis -1 \(shape \(\)\), 2 are needed"):
        margin_sparse_categorical_crossentropy(0, np.float32(0.5))


@pytest.mark.parametrize(
    ("function", "y"),
    [
        (margin_categorical_crossentropy, np.ones((2, 1))),
        (margin_categorical_crossentropy, np.ones(2)),
        (margin_sparse_categorical_crossentropy, np.ones(3)),
        (margin_sparse_categorical_crossentropy, np.ones((2, 2))),
    ],
)
def test_labels_of_another_shape_than_the_classes_are_refused(function, y):
    with pytest.raises(ValueError, match="y_true"):
        function(y, np.full((2, 3), 1 / 3, np.float32))


# --- regression --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "expected"), [(0, 0), (0.4375, 0), (0.5, 0.125), (0.5625, 0.31640625), (2, 4)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_squared_error_counts_outside_the_tolerance_only(error, expected, sign):
    assert array(tolerant_squared_error([1.0], [1.0 + sign * error], tolerance=0.5))[0] == expected


def test_error_within_the_tolerance_has_no_gradient_and_another_the_ordinary_one():
    slope = gradient(lambda x: tolerant_squared_error([0.0, 0.0, 0.0], x, tolerance=0.5), [0.0, 0.4, -2.0])
    np.testing.assert_allclose(slope, [0, 0, -4])


def test_error_becomes_the_squared_error_as_the_tolerance_goes_to_0():
    y, x = np.zeros((5, 2), np.float32), np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    loss = tolerant_squared_error(y, x, tolerance=1e-9)
    np.testing.assert_allclose(array(loss), array(keras.losses.mean_squared_error(y, x)), rtol=1e-6)


@pytest.mark.parametrize("tolerance", [0, -0.1, float("nan"), float("inf"), "0.1", None, True])
@pytest.mark.parametrize("as_class", [False, True])
def test_tolerance_that_is_no_positive_number_is_refused(tolerance, as_class):
    with pytest.raises(ValueError, match="tolerance must be a positive number, not "):
        TolerantSquaredError(tolerance) if as_class else tolerant_squared_error([1.0], [1.0], tolerance)


def test_regression_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="y_true has shape"):
        TolerantSquaredError()(np.ones(3), np.ones((3, 2)))


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.5, 1, 0.3, 1.5, -0.6, float("nan"), float("inf"), "0.6", None, True, [0.6]])
@pytest.mark.parametrize("maker", MARGIN_CLASSES + MARGIN_FUNCTIONS)
def test_margin_outside_one_half_and_1_is_refused(maker, margin):
    arguments = () if maker in MARGIN_CLASSES else (np.float32([[0, 1]]), np.float32([[0.5, 0.5]]))
    with pytest.raises(ValueError, match=r"margin must be a number between 0.5 and 1, both excluded, not "):
        maker(*arguments, margin=margin)


@pytest.mark.parametrize("label", [2, -1, 1.5, float("nan")])
@pytest.mark.parametrize("loss", [margin_binary_crossentropy, margin_weight, MarginBinaryCrossentropy()])
def test_label_that_is_neither_0_nor_1_is_refused(loss, label):
    with pytest.raises(ValueError, match=f"y_true holds {label}; labels are 0 or 1"):
        loss(np.float32([0, label]), np.float32([0.5, 0.5]))


@pytest.mark.parametrize("y", [[[1, 1, 0]], [[0, 0, 0]], [[2, -1, 0]], [[float("nan"), 1, 0]]])
def test_labels_that_are_not_one_hot_are_refused(y):
    with pytest.raises(ValueError, match=r"y_true.*labels are one-hot rows"):
        margin_categorical_crossentropy(y, np.float32([[0.5, 0.2, 0.3]]))


@pytest.mark.parametrize("label", [3, -1, 0.5, float("nan")])
def test_class_that_does_not_exist_is_refused(label):
    with pytest.raises(ValueError, match=f"y_true holds {label}; classes are whole numbers from 0 to 2"):
        margin_sparse_categorical_crossentropy([label], np.float32([[0.5, 0.2, 0.3]]))


def test_logits_passed_as_probabilities_are_refused():
    with pytest.raises(ValueError, match=r"y_pred holds 3.*set from_logits=True"):
        MarginBinaryCrossentropy()(np.float32([1]), np.float32([3.0]))


@pytest.mark.parametrize(
    ("function", "bad", "good", "p"),
    [
        *((margin_binary_crossentropy, bad, 1, 0.5) for bad in (2, -1, np.nan)),
        *((margin_categorical_crossentropy, bad, [0, 1], [0.5, 0.5]) for bad in ([1, 1], [2, -1], [np.nan, 1])),
        *((margin_sparse_categorical_crossentropy, bad, 1, [0.5, 0.5]) for bad in (2, -1, 0.5, np.nan)),
    ],
)
def test_bad_label_gives_nan_where_values_cannot_be_inspected(function, bad, good, p):
    loss = compiled(function)(np.float32([bad, good]), np.float32([p, p]))
    np.testing.assert_allclose(array(loss), [np.nan, np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_nan_prediction_gives_nan_for_its_example_only(from_logits):
    loss = margin_binary_crossentropy([1, 1], np.float32([np.nan, 0.0]), from_logits=from_logits)
    assert np.isnan(array(loss)).tolist() == [True, False]


@pytest.mark.parametrize("from_logits", [False, True])
def test_nan_prediction_has_a_weight_of_nan(from_logits):
    weight = margin_weight([1, 1], np.float32([np.nan, 0.0]), from_logits=from_logits)
    assert np.isnan(array(weight)).tolist() == [True, False]


@pytest.mark.parametrize("from_logits", [False, True])
def test_nan_class_prediction_gives_nan_for_its_example_only(from_logits):
    p = np.float32([[np.nan, 0.5], [0.5, 0.5]])
    loss = margin_categorical_crossentropy([[1, 0], [1, 0]], p, from_logits=from_logits)
    assert np.isnan(array(loss)).tolist() == [True, False]


def test_nan_class_prediction_beside_a_class_number_gives_nan_for_its_example_only():
    loss = margin_sparse_categorical_crossentropy([0, 0], np.float32([[np.nan, 0.5], [0.5, 0.5]]))
    assert np.isnan(array(loss)).tolist() == [True, False]


def test_nan_prediction_of_a_number_gives_nan_for_its_example_only():
    assert np.isnan(array(tolerant_squared_error([1, 1], np.float32([np.nan, 1])))).tolist() == [True, False]


@pytest.mark.parametrize("function", [margin_binary_crossentropy, tolerant_squared_error])
def test_nan_prediction_gives_nan_where_values_cannot_be_inspected(function):
    loss = compiled(function)(np.float32([1, 1]), np.float32([np.nan, 1]))
    assert np.isnan(array(loss)).tolist() == [True, False]


# --- as Keras losses ---------------------------------------------------------------------------------------


def classifier(activation="sigmoid", outputs=1):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs, activation=activation)])


@pytest.fixture
def examples():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


@pytest.mark.parametrize(
    "loss",
    [cls(margin=0.7, from_logits=True, axis=1, reduction="sum", name="mine") for cls in MARGIN_CLASSES]
    + [TolerantSquaredError(tolerance=0.3, axis=1, reduction="sum", name="mine")],
    ids=lambda loss: type(loss).__name__,
)
def test_serialised_loss_keeps_every_argument(loss):
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("cls", "function"), list(zip(MARGIN_CLASSES, MARGIN_FUNCTIONS[: len(MARGIN_CLASSES)], strict=True))
)
def test_class_gives_the_values_of_its_function(cls, function):
    z = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    classes = np.random.default_rng(1).integers(0, 3, (4, 2))
    y = classes if "sparse" in function.__name__ else np.moveaxis(np.eye(3, dtype=np.float32)[classes], -1, 1)
    loss = cls(0.8, from_logits=True, axis=1, reduction=None)(y, z)
    np.testing.assert_array_equal(array(loss), array(function(y, z, 0.8, from_logits=True, axis=1)))


def test_class_for_numbers_gives_the_values_of_its_function():
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    loss = TolerantSquaredError(0.8, axis=1, reduction=None)(np.zeros_like(x), x)
    np.testing.assert_array_equal(array(loss), array(tolerant_squared_error(np.zeros_like(x), x, 0.8, axis=1)))


def test_saved_model_keeps_the_margin(tmp_path, examples):
    network = classifier()
    network.compile("sgd", MarginBinaryCrossentropy(margin=0.8))
    network.fit(*examples, verbose=0)
    network.save(tmp_path / "m.keras")
    restored = keras.models.load_model(tmp_path / "m.keras")
    assert restored.loss.margin == 0.8
    assert restored.evaluate(*examples, verbose=0) == pytest.approx(network.evaluate(*examples, verbose=0))


@pytest.mark.parametrize("function", [margin_binary_crossentropy, tolerant_squared_error])
def test_saved_model_keeps_a_loss_that_is_a_function(function, tmp_path, examples):
    network = classifier()
    network.compile("sgd", function)
    network.fit(*examples, verbose=0)
    network.save(tmp_path / "m.keras")
    restored = keras.models.load_model(tmp_path / "m.keras")
    assert restored.evaluate(*examples, verbose=0) == pytest.approx(network.evaluate(*examples, verbose=0))


@pytest.mark.parametrize("bad", [-1, 2])
def test_label_out_of_range_in_training_gives_a_loss_of_nan(bad, examples):
    if BACKEND == "torch":
        pytest.skip("PyTorch runs everything eagerly, and the label is refused")
    x, y = examples
    network = classifier()
    network.compile("sgd", MarginBinaryCrossentropy())
    history = network.fit(x, np.where(y == 0, bad, y).astype(np.float32), verbose=0).history
    assert np.isnan(history["loss"][0])


def test_compiled_model_reports_the_mean_over_all_examples(examples):
    x, y = examples
    network = classifier()
    network.compile("sgd", MarginBinaryCrossentropy())
    p = network.predict(x, verbose=0)
    expected = array(margin_binary_crossentropy(y, p)).mean()
    assert network.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_flat_labels_beside_a_column_of_predictions_are_scored_alike(examples):
    x, y = examples
    values = []
    for labels in (y, y[:, 0]):
        network = classifier()
        network.compile("sgd", MarginBinaryCrossentropy())
        values.append(network.evaluate(x, labels, verbose=0))
    assert values[0] == values[1]


def test_sample_weights_multiply_the_losses(examples):
    x, y = examples
    network = classifier()
    network.compile("sgd", MarginBinaryCrossentropy())
    weights = np.random.default_rng(1).uniform(0, 3, len(x)).astype(np.float32)
    expected = (array(margin_binary_crossentropy(y, network.predict(x, verbose=0))) * weights).mean()
    assert network.evaluate(x, y, sample_weight=weights, batch_size=len(x), verbose=0) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize(
    ("loss", "y", "p"),
    [
        (MarginCategoricalCrossentropy(), [[1, 0], [0, 1]], [[0.5, 0.5], [0.8, 0.2]]),
        (MarginSparseCategoricalCrossentropy(), [0, 1], [[0.5, 0.5], [0.8, 0.2]]),
        (TolerantSquaredError(), [[1.0], [2.0]], [[2.0], [4.0]]),
    ],
)
def test_sample_weights_multiply_the_losses_of_the_kin(loss, y, p):
    y, p = np.array(y), np.float32(p)
    each = [float(loss(y[i : i + 1], p[i : i + 1])) for i in range(2)]
    weighted = float(loss(y, p, sample_weight=np.float32([3, 0.5])))
    assert weighted == pytest.approx((3 * each[0] + 0.5 * each[1]) / 2, rel=1e-5)


def test_masked_positions_do_not_count():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((4,), dtype="int32"),
            keras.layers.Embedding(5, 3, mask_zero=True),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile("sgd", MarginBinaryCrossentropy())
    x = np.int32([[1, 2, 3, 0], [4, 0, 0, 0]])
    y = np.float32([[[1], [0], [1], [1]], [[0], [1], [1], [1]]])
    losses = array(margin_binary_crossentropy(y, network.predict(x, verbose=0)))
    assert network.evaluate(x, y, verbose=0) == pytest.approx(losses[x > 0].mean(), rel=1e-5)


def test_training_leaves_weights_alone_when_all_is_right_by_the_margin(examples):
    x, y = examples
    network = classifier()
    network.set_weights([np.float32([[100], [0], [0]]), np.float32([0])])
    network.compile("sgd", MarginBinaryCrossentropy())
    network.fit(x, y, epochs=2, verbose=0)
    assert network.get_weights()[0].ravel().tolist() == [100, 0, 0]


@pytest.mark.parametrize("loss", [MarginCategoricalCrossentropy(), MarginSparseCategoricalCrossentropy()])
def test_network_of_several_classes_learns(loss, examples):
    x, _ = examples
    classes = x.argmax(axis=1)
    y = classes if isinstance(loss, MarginSparseCategoricalCrossentropy) else np.eye(3)[classes]
    network = classifier("softmax", 3)
    network.compile(keras.optimizers.SGD(1.0), loss)
    network.fit(x, y, epochs=30, verbose=0)
    assert (network.predict(x, verbose=0).argmax(axis=1) == classes).mean() > 0.9


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_predictions_give_a_finite_float32_loss(dtype):
    loss = margin_binary_crossentropy([1.0, 0.0], ops.cast(np.float32([0.0, 1.0]), dtype))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert np.isfinite(array(loss)).all()


@pytest.fixture
def mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


def test_mixed_precision_trains(mixed_precision, examples):
    x, y = examples
    network = classifier()
    network.compile("sgd", MarginBinaryCrossentropy())
    history = network.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0]


# --- the other backends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != BACKEND])
def test_other_backend_passes_these_tests_too(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "not other_backend",
        __file__,
    ]
    environment = os.environ | {"KERAS_BACKEND": backend}
    run = subprocess.run(command, env=environment, cwd=Path(losses.__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
