"""Losses that leave alone what is already right by a margin (https://kexue.fm/archives/4293).

The article weights the ordinary loss by λ, which is 0 for what is right by the margin and 1 for every other example:
not only for what is in doubt, as its prose has it, but also for what is plainly wrong. Values are therefore not
comparable with a cross-entropy: choose epochs by accuracy. Each loss is a pure function that returns one value per
example, and a class around it for ``model.compile``. As in Keras they do not look at the values of labels, and so do
the same whether they are compiled or not.
"""

import math

import keras
from keras import ops
from keras.src.backend import set_keras_mask  # Keras's own losses use it, but it has no public name

__all__ = ["MarginBinaryCrossentropy", "MarginCategoricalCrossentropy", "MarginSparseCategoricalCrossentropy"]
__all__ += ["TolerantSquaredError", "margin_binary_crossentropy", "margin_categorical_crossentropy"]
__all__ += ["margin_sparse_categorical_crossentropy", "margin_weight", "tolerant_squared_error"]

_MEAN = "sum_over_batch_size"  # Keras's own default of `reduction`


def margin_weight(y_true, y_pred, margin=0.6, from_logits=False):
    """Weigh each prediction: λ is 0 when it is right by the margin, 1 when it is not, 1/2 on the margin.

    With the unit step θ, θ(0) = 1/2, the article writes λ(y, p) = 1 − θ(y − m) θ(p − m) − θ(1 − m − y) θ(1 − m − p).
    Arguments are those of `margin_binary_crossentropy`; there is one weight for each prediction.

    Examples
    --------
    >>> margin_weight([1, 1, 1, 0], [0.59, 0.6, 0.61, 0.01]).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    _check_range("margin", margin, 0.5, 1)
    y_true, y_pred = _aligned(y_true, y_pred)
    # p > m means logit(p) > logit(m), and logit(1 − m) = −logit(m).
    high = math.log(margin / (1 - margin)) if from_logits else margin
    low = -high if from_logits else 1 - margin
    right_positive = _step(y_true - margin) * _step(y_pred - high)
    right_negative = _step(1 - margin - y_true) * _step(low - y_pred)
    return 1.0 - right_positive - right_negative


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_binary_crossentropy(y_true, y_pred, margin=0.6, from_logits=False, label_smoothing=0.0, axis=-1):
    """Compute the binary cross-entropy of those predictions that are not yet right by a margin.

    L = −λ(y, p) [y log p + (1 − y) log(1 − p)], with λ as in `margin_weight`: L_new of article 4293, section
    修正的交叉熵损失. One loss is returned per example, of shape (B, ...) and at least float32.

    Parameters
    ----------
    y_true, y_pred : array of shape (B,) or (B, ..., outputs)
        Labels 0 or 1 (in between, what the formula gives), and probabilities of label 1, or logits. In one of them a
        last axis of length 1 may be missing; other shapes that differ raise ValueError.
    margin : float
        m, between 1/2 and 1 (ValueError otherwise). Towards 1 the loss becomes the ordinary binary cross-entropy.
    from_logits, label_smoothing, axis
        As in Keras; the mean is taken over `axis`. Prefer logits: in float32 a probability rounds to 1 at a logit of
        17, and a confidently wrong prediction then has no gradient. λ is computed from the labels as they are given.

    Examples
    --------
    >>> losses = margin_binary_crossentropy([1, 1, 1, 0], [0.59, 0.6, 0.61, 0.9])
    >>> [round(loss, 6) for loss in losses.tolist()]
    [0.527633, 0.255413, 0.0, 2.302585]
    """
    y_true, y_pred = _aligned(y_true, y_pred)
    weight = margin_weight(y_true, y_pred, margin, from_logits)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    loss = ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits)
    return _mean_over_outputs(weight * loss, axis)


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_categorical_crossentropy(y_true, y_pred, margin=0.6, from_logits=False, label_smoothing=0.0, axis=-1):
    """Compute the cross-entropy over classes, one per example, of what is not yet right by a margin.

    The article leaves this case open. The rule chosen: with k the true class and q = (1 + p_k − max_{j≠k} p_j) / 2, an
    example is right by the margin when q > m, that is when the true class leads every other by more than 2m − 1, and
    λ = 1 − θ(y_k − m) θ(q − m). With two classes q = p_k, and this is the binary rule; with m = 0.6 a lead of 0.2 is
    enough. One class alone raises ValueError: it has no rival and would always be right.

    `y_true` holds one-hot labels (or class probabilities; then k is the class with more than half), and `y_pred`
    probabilities or logits, both of shape (..., C) with the classes along `axis`; the other arguments are those of
    `margin_binary_crossentropy`.

    Examples
    --------
    >>> losses = margin_categorical_crossentropy([[1, 0, 0], [0, 1, 0]], [[0.6, 0.2, 0.2], [0.3, 0.4, 0.3]])
    >>> [round(loss, 6) for loss in losses.tolist()]
    [0.0, 0.916291]
    """
    _check_range("margin", margin, 0.5, 1)
    y_true, y_pred = _as_floats(y_true, y_pred)
    n_classes = y_pred.shape[axis]
    if n_classes == 1:
        raise ValueError(f"y_pred of shape {tuple(y_pred.shape)} has 1 class on axis {axis}; use the binary loss")
    smooth = y_true * (1.0 - label_smoothing) + label_smoothing / n_classes if label_smoothing else y_true
    loss = ops.categorical_crossentropy(smooth, y_pred, from_logits=from_logits, axis=axis)
    # The cross-entropy makes probabilities sum to 1, so the lead is measured on such.
    p = ops.stop_gradient(ops.softmax(y_pred, axis=axis) if from_logits else y_pred)
    p = p / ops.sum(p, axis=axis, keepdims=True)
    is_true = y_true > 0.5  # of at most one class
    label = ops.sum(ops.where(is_true, y_true, 0.0), axis=axis)
    own = ops.sum(ops.where(is_true, p, 0.0), axis=axis)
    rival = ops.max(ops.where(is_true, -1.0, p), axis=axis, initial=-1.0)  # of an empty batch, too
    right = _step(label - margin) * _step((1.0 + own - rival) / 2.0 - margin)
    return loss * (1.0 - right)


@keras.saving.register_keras_serializable("kexue_nlp")
def margin_sparse_categorical_crossentropy(y_true, y_pred, margin=0.6, from_logits=False, ignore_class=None, axis=-1):
    """Compute `margin_categorical_crossentropy` from class numbers instead of one-hot labels.

    `y_true`, of shape (...) or (..., 1), holds classes in [0, C). What is of `ignore_class`, a class or a number such
    as -1, has a loss of 0, and the mean does not count it.

    Examples
    --------
    >>> margin_sparse_categorical_crossentropy([0, -1], [[0.6, 0.2, 0.2], [0.3, 0.4, 0.3]], ignore_class=-1).tolist()
    [0.0, 0.0]
    """
    y_true, y_pred = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    if ignore_class is not None:
        is_counted = ops.not_equal(y_true, ignore_class)
        y_true = ops.where(is_counted, y_true, 0)  # any class will do
    one_hot = ops.one_hot(y_true, y_pred.shape[axis], axis=axis)
    loss = margin_categorical_crossentropy(one_hot, y_pred, margin, from_logits, axis=axis)
    if ignore_class is not None:
        loss = ops.where(is_counted, loss, 0.0)
        set_keras_mask(loss, is_counted)
    return loss


@keras.saving.register_keras_serializable("kexue_nlp")
def tolerant_squared_error(y_true, y_pred, tolerance=0.1, axis=-1):
    """Compute the squared error of those predictions that are not yet right within a tolerance.

    The article leaves regression open. The rule chosen is its switch on the ordinary loss: L = λ(y, ŷ) (y − ŷ)² with
    λ = 1 − θ(ε − |y − ŷ|), where the tolerance ε is positive and finite (ValueError otherwise), in the unit of the
    targets. Shapes and axis, also of what is returned, are as for `margin_binary_crossentropy`.

    Examples
    --------
    >>> tolerant_squared_error([1, 1, 1], [1.25, 1.5, 2.0], tolerance=0.5).tolist()
    [0.0, 0.125, 1.0]
    """
    _check_range("tolerance", tolerance, 0, math.inf)
    y_true, y_pred = _aligned(y_true, y_pred)
    error = ops.abs(y_true - y_pred)
    return _mean_over_outputs(ops.square(error) * (1.0 - _step(tolerance - error)), axis)


class _FunctionLoss(keras.losses.Loss):
    """A class around `function`, whose arguments become attributes and are stored with the loss."""

    def __init__(self, reduction, name, dtype, **arguments):
        super().__init__(name=name or self.function.__name__, reduction=reduction, dtype=dtype)
        vars(self).update(arguments)
        self._arguments = arguments

    def call(self, y_true, y_pred):
        return self.function(y_true, y_pred, **self._arguments)

    def get_config(self):
        return super().get_config() | self._arguments


class _MarginLoss(_FunctionLoss):
    def __init__(
        self, margin=0.6, from_logits=False, label_smoothing=0.0, axis=-1, reduction=_MEAN, name=None, dtype=None
    ):
        _check_range("margin", margin, 0.5, 1)
        arguments = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(reduction, name, dtype, margin=float(margin), **arguments)


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginBinaryCrossentropy(_MarginLoss):
    """A Keras loss around `margin_binary_crossentropy`, with its arguments; the mean counts what is switched off, too.

    Examples
    --------
    >>> loss = MarginBinaryCrossentropy(margin=0.6, reduction="sum")
    >>> round(loss([1, 1, 0], [0.7, 0.5, 0.1]).item(), 4)
    0.6931
    """

    function = staticmethod(margin_binary_crossentropy)


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginCategoricalCrossentropy(_MarginLoss):
    """A Keras loss around `margin_categorical_crossentropy`, with its arguments."""

    function = staticmethod(margin_categorical_crossentropy)


@keras.saving.register_keras_serializable("kexue_nlp")
class MarginSparseCategoricalCrossentropy(_FunctionLoss):
    """A Keras loss around `margin_sparse_categorical_crossentropy`, with its arguments."""

    function = staticmethod(margin_sparse_categorical_crossentropy)

    def __init__(
        self, margin=0.6, from_logits=False, ignore_class=None, reduction=_MEAN, axis=-1, name=None, dtype=None
    ):
        _check_range("margin", margin, 0.5, 1)
        arguments = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(reduction, name, dtype, margin=float(margin), **arguments)


@keras.saving.register_keras_serializable("kexue_nlp")
class TolerantSquaredError(_FunctionLoss):
    """A Keras loss around `tolerant_squared_error`, with its arguments."""

    function = staticmethod(tolerant_squared_error)

    def __init__(self, tolerance=0.1, axis=-1, reduction=_MEAN, name=None, dtype=None):
        _check_range("tolerance", tolerance, 0, math.inf)
        super().__init__(reduction, name, dtype, tolerance=float(tolerance), axis=axis)


def _check_range(name, value, low, high):
    # A margin of 1/2 or less would switch off what is not right at all; at 1 nothing would be. NaN is refused, too.
    if not low < value < high:
        raise ValueError(f"{name} must be a number between {low} and {high}, both excluded, not {value!r}")


def _step(x):
    return (ops.sign(x) + 1.0) / 2.0


def _mean_over_outputs(loss, axis):
    return ops.mean(loss, axis=axis) if len(loss.shape) > 1 else loss


def _as_floats(y_true, y_pred):
    """Return both in the float type of the predictions, but no less precise than float32."""
    y_pred = ops.convert_to_tensor(y_pred)
    dtype = keras.backend.result_type(y_pred.dtype, "float32")
    return ops.cast(y_true, dtype), ops.cast(y_pred, dtype)


def _aligned(y_true, y_pred):
    """Return both as floats of one shape: (B,) beside (B, 1) would silently broadcast to (B, B)."""
    y_true, y_pred = _as_floats(y_true, y_pred)
    # As in Keras's losses a last axis of length 1 may be missing. It is added and never taken away, so that of
    # labels (B, T) and predictions (B, T, 1) each step keeps a loss of its own, which a mask can then leave out.
    if len(y_true.shape) + 1 == len(y_pred.shape) and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    elif len(y_pred.shape) + 1 == len(y_true.shape) and y_true.shape[-1] == 1:
        y_pred = ops.expand_dims(y_pred, -1)
    # An axis whose length a compiled function does not know is None.
    pairs = zip(y_true.shape, y_pred.shape, strict=False)
    if len(y_true.shape) != len(y_pred.shape) or any(a != b for a, b in pairs if None not in (a, b)):
        raise ValueError(f"y_true has shape {tuple(y_true.shape)} and y_pred {tuple(y_pred.shape)}; they must agree")
    return y_true, y_pred
