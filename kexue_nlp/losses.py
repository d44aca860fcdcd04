"""Losses that leave alone what is already right by a margin (article 4293).

Training minimises cross-entropy, the exam counts accuracy. So a teacher who is judged by the pass rate stops
coaching whoever passes with something to spare. With the unit step θ, θ(0) = 1/2, and a margin m between 1/2
and 1, the article weights the ordinary loss of label y and probability p by

    λ(y, p) = 1 − θ(y − m) θ(p − m) − θ(1 − m − y) θ(1 − m − p)

which is 0 for a positive with p > m and for a negative with p < 1 − m, and 1 for every other example: not only
for those between 1 − m and m, as the article's prose has it, but also for what is plainly wrong. The article
says that the idea extends to several classes and to regression and leaves it open; the rules chosen here are
stated in `margin_categorical_crossentropy` and `tolerant_squared_error`.

λ is piecewise constant, so an example that is switched off has neither loss nor gradient, and an active one
has those of the ordinary loss. Values are therefore not comparable with a cross-entropy: choose epochs by
accuracy. Of its relatives, the hinge loss switches off by a margin too but is linear outside it, focal loss
(`keras.losses.BinaryFocalCrossentropy`) fades easy examples out smoothly, and online hard-example mining
trains on a fixed share of each batch.

Each loss is a pure function that returns one value per example, and a class around it for
``model.compile``. Both work on every Keras backend.
"""

from __future__ import annotations

import math
from numbers import Integral, Real

import keras
import numpy as np
from keras import ops

__all__ = [
    "MarginBinaryCrossentropy",
    "MarginCategoricalCrossentropy",
    "MarginSparseCategoricalCrossentropy",
    "TolerantSquaredError",
    "margin_binary_crossentropy",
    "margin_categorical_crossentropy",
    "margin_sparse_categorical_crossentropy",
    "margin_weight",
    "tolerant_squared_error",
]


def margin_weight(y_true, y_pred, margin: float = 0.6, from_logits: bool = False):
    """Weigh each prediction: λ is 0 when it is right by the margin, 1 when it is not, 1/2 on the margin.

    The share of examples with λ > 0 is the share that still trains the network.

    Parameters
    ----------
    y_true, y_pred, margin, from_logits
        As for `margin_binary_crossentropy`.

    Returns
    -------
    tensor, float
        λ, one per prediction.

    Raises
    ------
    ValueError
        As `margin_binary_crossentropy`.

    Examples
    --------
    >>> margin_weight([1, 1, 1, 0], [0.59, 0.6, 0.61, 0.01]).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    _check_margin(margin)
    y_true, y_pred = _aligned(y_true, y_pred)
    _check_values("y_true", y_true, 0, 1, "labels are 0 or 1")
    _check_probabilities(y_pred, from_logits)
    return _binary_weight(y_true, y_pred, margin, from_logits)


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_binary_crossentropy(y_true, y_pred, margin: float = 0.6, from_logits: bool = False, axis: int = -1):
    """Compute the binary cross-entropy of those predictions that are not yet right by a margin.

    L = −λ(y, p) [y log p + (1 − y) log(1 − p)], with λ as in `margin_weight`: L_new of article 4293
    (https://kexue.fm/archives/4293), section 修正的交叉熵损失.

    Parameters
    ----------
    y_true : array of shape (B,) or (B, ..., outputs)
        Labels 0 or 1. (Labels in between are taken as the formula takes them.)
    y_pred : array of the same shape
        Probabilities of label 1, or logits. (B, 1) may stand for (B,) in either argument.
    margin : float
        m, between 1/2 and 1. Towards 1 the loss becomes the ordinary binary cross-entropy.
    from_logits : bool
        Whether ``y_pred`` holds logits. Prefer them: in float32 a probability rounds to 1 at a logit of 17,
        and a confidently wrong prediction then has no gradient.
    axis : int
        The axis of the outputs, over which the mean is taken. Arrays of shape (B,) have none.

    Returns
    -------
    tensor, float, shape (B, ...)
        One loss per example, at least float32. NaN where ``y_pred`` is NaN, and, in a compiled function,
        where the label is NaN or out of range: values cannot be inspected there.

    Raises
    ------
    ValueError
        If the margin is not a number between 1/2 and 1, the shapes differ or have no such axis, or, outside
        compiled functions, a label is NaN or a label or a probability is outside [0, 1].

    Examples
    --------
    >>> losses = margin_binary_crossentropy([1, 1, 1, 0], [0.59, 0.6, 0.61, 0.9])
    >>> [round(loss, 6) for loss in losses.tolist()]
    [0.527633, 0.255413, 0.0, 2.302585]
    """
    _check_margin(margin)
    y_true, y_pred = _aligned(y_true, y_pred)
    _check_values("y_true", y_true, 0, 1, "labels are 0 or 1")
    _check_probabilities(y_pred, from_logits)
    loss = _binary_crossentropy(y_true, y_pred, from_logits)
    loss = loss * _binary_weight(y_true, y_pred, margin, from_logits)
    loss = ops.where((y_true >= 0) & (y_true <= 1), loss, math.nan)
    return _mean_over_outputs(loss, axis)


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_categorical_crossentropy(y_true, y_pred, margin: float = 0.6, from_logits: bool = False, axis: int = -1):
    """Compute the cross-entropy over classes of those examples that are not yet right by a margin.

    The article leaves this case open. The rule chosen: with k the true class and
    q = (1 + p_k − max_{j≠k} p_j) / 2, an example is right by the margin when q > m, that is when the true
    class leads every other by more than 2m − 1, and λ = 1 − θ(y_k − m) θ(q − m). With two classes q = p_k,
    and this is the binary rule; with m = 0.6 a lead of 0.2 is enough.

    Parameters
    ----------
    y_true : array of shape (..., C)
        One-hot labels (or class probabilities; then k is the class with more than half).
    y_pred : array of the same shape
        Class probabilities, or logits.
    margin : float
        m, between 1/2 and 1. Towards 1 the loss becomes the ordinary categorical cross-entropy.
    from_logits : bool
        Whether ``y_pred`` holds logits.
    axis : int
        The axis of the classes.

    Returns
    -------
    tensor, float, shape (...)
        One loss per example; NaN as in `margin_binary_crossentropy`.

    Raises
    ------
    ValueError
        If the margin is not a number between 1/2 and 1, the shapes differ or have no such axis, there are fewer
        than 2 classes, or, outside compiled functions, labels or probabilities do not sum to 1 or are outside [0, 1].

    Examples
    --------
    The true class leads by 0.4 and by 0.1.

    >>> losses = margin_categorical_crossentropy([[1, 0, 0], [0, 1, 0]], [[0.6, 0.2, 0.2], [0.3, 0.4, 0.3]])
    >>> [round(loss, 6) for loss in losses.tolist()]
    [0.0, 0.916291]
    """
    _check_margin(margin)
    y_true, y_pred = _as_floats(y_true, y_pred)
    _check_same_shape(y_true, y_pred)
    _check_classes(y_pred, axis)
    _check_values("y_true", y_true, 0, 1, "labels are one-hot rows")
    sums = ops.sum(y_true, axis=axis)
    _check_values("the sum of y_true over the classes", sums, 0.999, 1.001, "labels are one-hot rows")
    _check_probabilities(y_pred, from_logits)
    if not from_logits:
        total = ops.sum(y_pred, axis=axis)
        advice = "probabilities sum to 1; for logits set from_logits=True"
        _check_values("the sum of y_pred over the classes", total, 0.99, 1.01, advice, allow_nan=True)
    loss = ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    p = ops.stop_gradient(ops.softmax(y_pred, axis=axis) if from_logits else y_pred)
    p = p / ops.sum(p, axis=axis, keepdims=True)  # as the cross-entropy does
    is_true = y_true > 0.5  # of at most one class
    own = _max(ops.where(is_true, p, -1.0), axis)
    rival = _max(ops.where(is_true, -1.0, p), axis)
    right = _step(_max(y_true, axis) - margin) * _step((1.0 + own - rival) / 2.0 - margin)
    is_valid = ops.all((y_true >= 0) & (y_true <= 1), axis=axis) & (ops.abs(sums - 1.0) <= 0.001)
    return ops.where(is_valid, loss * (1.0 - right), math.nan)


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_sparse_categorical_crossentropy(
    y_true, y_pred, margin: float = 0.6, from_logits: bool = False, axis: int = -1
):
    """Compute `margin_categorical_crossentropy` from class numbers instead of one-hot labels.

    Parameters
    ----------
    y_true : array of int, shape (...) or (..., 1)
        Classes in [0, C).
    y_pred, margin, from_logits, axis
        As for `margin_categorical_crossentropy`.

    Returns
    -------
    tensor, float, shape (...)
        One loss per example; NaN as in `margin_binary_crossentropy`.

    Raises
    ------
    ValueError
        As `margin_categorical_crossentropy`, and if a class, outside compiled functions, is none of 0 … C − 1.

    Examples
    --------
    >>> losses = margin_sparse_categorical_crossentropy([0, 1], [[0.6, 0.2, 0.2], [0.3, 0.4, 0.3]])
    >>> [round(loss, 6) for loss in losses.tolist()]
    [0.0, 0.916291]
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    n_classes = _check_classes(y_pred, axis)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    classes = _values(y_true)
    if classes is not None and not np.isin(classes, np.arange(n_classes)).all():
        bad = classes[~np.isin(classes, np.arange(n_classes))][0]
        raise ValueError(f"y_true holds {bad}; classes are whole numbers from 0 to {n_classes - 1}")
    whole = ops.cast(y_true, "int32")
    is_whole = ops.equal(ops.cast(whole, y_true.dtype), y_true)
    whole = ops.where(is_whole, whole, -1)  # −1 is no class: the loss is NaN
    y_true = ops.one_hot(whole, n_classes, axis=axis)
    return margin_categorical_crossentropy(y_true, y_pred, margin, from_logits, axis)


@keras.saving.register_keras_serializable("kexue_nlp")
def tolerant_squared_error(y_true, y_pred, tolerance: float = 0.1, axis: int = -1):
    """Compute the squared error of those predictions that are not yet right within a tolerance.

    The article leaves regression open. The rule chosen is its switch on the ordinary loss:
    L = λ(y, ŷ) (y − ŷ)², λ = 1 − θ(ε − |y − ŷ|). There is no gradient inside the band of half-width ε and the
    ordinary one outside. The ε-insensitive loss of support vector regression, max(0, |y − ŷ| − ε), has the same
    band, but is linear outside it and does not jump at its edge.

    Parameters
    ----------
    y_true : array of shape (B,) or (B, ..., outputs)
        Targets.
    y_pred : array of the same shape
        Predictions. (B, 1) may stand for (B,) in either argument.
    tolerance : float
        ε, positive, in the unit of the targets. Towards 0 the loss becomes the squared error.
    axis : int
        The axis of the outputs, over which the mean is taken. Arrays of shape (B,) have none.

    Returns
    -------
    tensor, float, shape (B, ...)
        One loss per example, at least float32.

    Raises
    ------
    ValueError
        If the tolerance is not a positive finite number, or the shapes differ or have no such axis.

    Examples
    --------
    >>> tolerant_squared_error([1, 1, 1], [1.25, 1.5, 2.0], tolerance=0.5).tolist()
    [0.0, 0.125, 1.0]
    """
    _check_tolerance(tolerance)
    y_true, y_pred = _aligned(y_true, y_pred)
    error = ops.abs(y_true - y_pred)
    return _mean_over_outputs(ops.square(error) * (1.0 - _step(tolerance - error)), axis)


class _MarginLoss(keras.losses.Loss):
    """What the classes with a margin share: arguments, checked when the loss is made, and their storing."""

    def __init__(
        self,
        margin: float = 0.6,
        from_logits: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype=None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        _check_margin(margin)
        self.margin = float(margin)
        self.from_logits = from_logits
        self.axis = axis

    def call(self, y_true, y_pred):
        """Return one loss per example."""
        return self.function(y_true, y_pred, self.margin, self.from_logits, self.axis)

    def get_config(self) -> dict:
        """Return the arguments that make an equal loss."""
        own = {"margin": self.margin, "from_logits": self.from_logits, "axis": self.axis}
        return super().get_config() | own


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginBinaryCrossentropy(_MarginLoss):
    """Binary cross-entropy of what is not yet right by a margin; see `margin_binary_crossentropy`.

    Parameters
    ----------
    margin : float
        m, between 1/2 and 1.
    from_logits : bool
        Whether predictions are logits.
    axis : int
        The axis of the outputs.
    reduction, name, dtype
        As for every Keras loss. Sample weights and masks act as on every Keras loss, so the mean counts the
        examples that are switched off.

    Notes
    -----
    ``fit`` and ``evaluate`` compile the loss, and a compiled function cannot inspect values. A label out of range does
    not raise there, but the reported loss is NaN: if it is, look at the labels first. That holds where the weight is 0
    or a mask leaves out, too: put 0 there, not −1. Called on labels and predictions directly, the loss says what it
    found.

    Examples
    --------
    >>> loss = MarginBinaryCrossentropy(margin=0.6, reduction="sum")
    >>> round(loss([1, 1, 0], [0.7, 0.5, 0.1]).item(), 4)
    0.6931
    """

    function = staticmethod(margin_binary_crossentropy)


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginCategoricalCrossentropy(_MarginLoss):
    """Cross-entropy over classes of what is not yet right by a margin; see `margin_categorical_crossentropy`.

    Parameters
    ----------
    margin, from_logits, axis, reduction, name, dtype
        As for `MarginBinaryCrossentropy`; ``axis`` is that of the classes. Its note on labels holds here too.

    Examples
    --------
    >>> round(MarginCategoricalCrossentropy(margin=0.8)([[0, 1]], [[0.25, 0.75]]).item(), 4)
    0.2877
    """

    function = staticmethod(margin_categorical_crossentropy)


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginSparseCategoricalCrossentropy(_MarginLoss):
    """`MarginCategoricalCrossentropy` from class numbers; see `margin_sparse_categorical_crossentropy`.

    Parameters
    ----------
    margin, from_logits, axis, reduction, name, dtype
        As for `MarginCategoricalCrossentropy`, with its note on labels.

    Examples
    --------
    >>> round(MarginSparseCategoricalCrossentropy(margin=0.8)([1], [[0.25, 0.75]]).item(), 4)
    0.2877
    """

    function = staticmethod(margin_sparse_categorical_crossentropy)


@keras.saving.register_keras_serializable("kexue_nlp")
class TolerantSquaredError(keras.losses.Loss):
    """Squared error of what is not yet right within a tolerance; see `tolerant_squared_error`.

    Parameters
    ----------
    tolerance : float
        ε, positive, in the unit of the targets.
    axis : int
        The axis of the outputs.
    reduction, name, dtype
        As for every Keras loss.

    Examples
    --------
    >>> TolerantSquaredError(tolerance=0.5)([[1.0], [1.0]], [[1.25], [2.0]]).item()
    0.5
    """

    def __init__(
        self,
        tolerance: float = 0.1,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype=None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        _check_tolerance(tolerance)
        self.tolerance = float(tolerance)
        self.axis = axis

    def call(self, y_true, y_pred):
        """Return one loss per example."""
        return tolerant_squared_error(y_true, y_pred, self.tolerance, self.axis)

    def get_config(self) -> dict:
        """Return the arguments that make an equal loss."""
        return super().get_config() | {"tolerance": self.tolerance, "axis": self.axis}


def _max(x, axis):
    if 0 in x.shape:  # TensorFlow and PyTorch refuse the maximum of an empty batch
        return ops.sum(x, axis=axis)
    return ops.max(x, axis=axis)


def _step(x):
    return ops.where(ops.isnan(x), x, (ops.sign(x) + 1.0) / 2.0)  # to PyTorch the sign of NaN is 0


def _binary_weight(y_true, y_pred, margin, from_logits):
    # p > m means logit(p) > logit(m), and logit(1 − m) = −logit(m).
    high = math.log(margin / (1 - margin)) if from_logits else margin
    low = -high if from_logits else 1 - margin
    right_positive = _step(y_true - margin) * _step(y_pred - high)
    right_negative = _step(1 - margin - y_true) * _step(low - y_pred)
    return 1.0 - right_positive - right_negative


def _binary_crossentropy(y_true, y_pred, from_logits):
    if from_logits:
        return ops.binary_crossentropy(y_true, y_pred, from_logits=True)
    # Keras's own formula, which its PyTorch backend replaces by a function that NaN makes raise.
    epsilon = keras.config.epsilon()
    p = ops.clip(y_pred, epsilon, 1.0 - epsilon)
    return -(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p))


def _mean_over_outputs(loss, axis):
    if len(loss.shape) < 2:
        return loss
    _check_axis(loss, axis)
    return ops.mean(loss, axis=axis)


def _as_floats(y_true, y_pred):
    """Return both as tensors of the float type of the predictions, but no less precise than float32."""
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    dtype = "float64" if keras.backend.standardize_dtype(y_pred.dtype) == "float64" else "float32"
    return ops.cast(y_true, dtype), ops.cast(y_pred, dtype)


def _aligned(y_true, y_pred):
    """Return both as float tensors of one shape: (B,) beside (B, 1) would silently broadcast to (B, B)."""
    y_true, y_pred = _as_floats(y_true, y_pred)
    if len(y_true.shape) + 1 == len(y_pred.shape) and y_pred.shape[-1] == 1:
        y_true = y_true[..., None]
    elif len(y_pred.shape) + 1 == len(y_true.shape) and y_true.shape[-1] == 1:
        y_pred = y_pred[..., None]
    _check_same_shape(y_true, y_pred)
    return y_true, y_pred


def _check_margin(margin):
    # A margin of 1/2 or less would switch off what is not right at all; at 1 nothing would be.
    if not _is_number(margin) or not 0.5 < margin < 1:
        raise ValueError(f"margin must be a number between 0.5 and 1, both excluded, not {margin!r}")


def _check_tolerance(tolerance):
    if not _is_number(tolerance) or not 0 < tolerance < math.inf:
        raise ValueError(f"tolerance must be a positive number, not {tolerance!r}")


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_same_shape(y_true, y_pred):
    # A dimension that a compiled function does not know yet is None.
    pairs = list(zip(y_true.shape, y_pred.shape, strict=False))
    same = all(a == b or a is None or b is None for a, b in pairs)
    if len(y_true.shape) != len(y_pred.shape) or not same:
        raise ValueError(f"y_true has shape {tuple(y_true.shape)} and y_pred {tuple(y_pred.shape)}; they must agree")


def _check_axis(y_pred, axis):
    n_axes = len(y_pred.shape)
    if not isinstance(axis, Integral) or not -n_axes <= axis < n_axes:
        raise ValueError(
            f"axis is {axis!r}, but y_pred has shape {tuple(y_pred.shape)}; "
            f"choose a whole number from {-n_axes} to {n_axes - 1}"
        )


def _check_classes(y_pred, axis):
    n_classes = 0
    if len(y_pred.shape):
        _check_axis(y_pred, axis)
        n_classes = y_pred.shape[axis]
    if n_classes < 2:
        raise ValueError(
            f"y_pred has {n_classes} classes on axis {axis} (shape {tuple(y_pred.shape)}), 2 are needed; "
            "for one output per example use the binary loss"
        )
    return n_classes


def _check_probabilities(y_pred, from_logits):
    if not from_logits:
        advice = "probabilities lie in [0, 1]; for logits set from_logits=True"
        _check_values("y_pred", y_pred, 0, 1, advice, allow_nan=True)


def _check_values(name, x, low, high, advice, allow_nan=False):
    # NaN is allowed in predictions: the loss of a network that has diverged is NaN, wherever it is computed.
    values = _values(x)
    if values is not None:
        inside = (values >= low) & (values <= high) | (allow_nan & np.isnan(values))
        bad = values[~inside]
        if bad.size:
            raise ValueError(f"{name} holds {bad.flat[0]:g}; {advice}")


def _values(x):
    """Return a tensor as a NumPy array, or None while a function that uses it is being compiled."""
    try:
        return keras.ops.convert_to_numpy(x)
    except (TypeError, ValueError, NotImplementedError, RuntimeError):
        return None
