"""Vectors to binary codes: LSH, FlyHash and BioHash as scikit-learn transformers (article 8159).

All three project and keep which projections are large. LSH draws few random directions and keeps signs, so half
of the bits are active. FlyHash draws many sparse ones and keeps the k largest. BioHash learns them from the data.
"""

import numbers
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_array, check_random_state, gen_batches
from sklearn.utils.extmath import row_norms, safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

__all__ = ["LSH", "BioHash", "FlyHash", "em_round", "local_step", "winner_take_all"]

BATCH = 4096  # examples whose activations are held at a time in training
_CELLS = 1 << 20  # activations held at a time where codes are made: 4 MB, which a processor's cache keeps
_GROUP = 8  # units of which only the largest activation is looked at first
_INPUT = {"accept_sparse": "csr", "dtype": [np.float32, np.float64]}  # what scikit-learn is to check and convert to
_one_thread = threadpool_limits.wrap(limits=1, user_api="blas")  # its threads would wait for each other and for ours
_TINY = np.finfo(float).tiny  # the smallest positive number

Matrix = np.ndarray | sp.csr_array
RandomState = int | np.random.RandomState | np.random.Generator | None


def winner_take_all(activations: np.ndarray, n_active: int) -> sp.csr_array:
    """Set the `n_active` largest activations of each example to 1 and the rest to 0: uint8, of the same shape (N, K).

    `n_active` is from 1 to K, and there are exactly so many ones: of equal activations those of the lowest index win.

    Examples
    --------
    >>> winner_take_all(np.array([[0.2, 0.9, 0.5, 0.5]]), 2).toarray()
    array([[0, 1, 1, 0]], dtype=uint8)
    """
    activations = np.asarray(activations)
    if activations.ndim != 2:
        raise ValueError(f"activations must have two dimensions, (examples, units); got shape {activations.shape}")
    n_units = activations.shape[1]
    check_number("n_active", n_active, 1, n_units)
    if np.isnan(activations).any():
        raise ValueError(f"activations of example {np.isnan(activations).any(axis=1).argmax()} are not numbers (NaN)")
    # As many groups of units as there are winners reach the k-th largest of the groups' maxima, so no winner is below.
    few, n_groups = activations, n_units // _GROUP
    if n_groups >= n_active:
        few = activations[:, : _GROUP * n_groups].reshape(-1, _GROUP, n_groups).max(axis=1)
    winners = activations >= _nth_largest(few, n_active)
    # Some rows have more: of these take the threshold itself and, of ties at it, drop the last.
    crowded = np.flatnonzero(np.count_nonzero(winners, axis=1) > n_active)
    threshold = _nth_largest(rest := activations[crowded], n_active)
    tied, sure = rest == threshold, rest > threshold
    room = n_active - np.count_nonzero(sure, axis=1, keepdims=True)
    winners[crowded] = sure | (tied & (np.cumsum(tied, axis=1) <= room))
    indices = (np.flatnonzero(winners) % n_units).astype(np.int32)
    starts = np.arange(0, len(indices) + 1, n_active, dtype=np.int32)
    return sp.csr_array((np.ones(len(indices), np.uint8), indices, starts), shape=activations.shape)


def _nth_largest(values: np.ndarray, n: int) -> np.ndarray:
    place = values.shape[1] - n
    return np.partition(values, place, axis=1)[:, place, None]


def em_round(X: Matrix, components: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Do one round of expectation maximisation, also known as spherical k-means; return units, objective, counts.

    Each example of `X`, shape (N, D), goes to the unit of `components`, shape (K, D), with the largest ⟨x, w/‖w‖⟩; then
    each unit becomes the direction of the sum of its examples, or keeps its own if that is zero. The objective is the
    mean of the largest products before; the counts are of the examples of each unit. Dhillon and Modha (2001).
    """
    X, directions = check_array(X, **_INPUT), _directions(check_array(components, **_INPUT))
    sums, total, counts = _assign(X, directions)
    return _directions(sums, otherwise=directions), total / X.shape[0], counts


def local_step(X: Matrix, components: np.ndarray, p: float = 2.0, delta: float = 0.0, rank: int = 2) -> np.ndarray:
    """Return the direction ΔW in which the local learning rule moves the weights W for a mini-batch.

    With ``tot = sign(W)|W|^(p-1) · x`` and y = 1 for the winner, −`delta` for the unit of rank `rank` (2 is the
    runner-up), 0 for the rest: ΔW = Σ_x (y xᵀ − (y · tot) W), for `X` of shape (B, D), which may be sparse, and
    `components` of shape (K, D). The caller scales it: ``W += rate / max|ΔW| · ΔW``. With p = 2 the lengths of weights
    tend to 1. Ryali, Hopfield, Grinberg and Krotov (2020), arXiv 2001.04907, equation 1.
    """
    X, components = check_array(X, **_INPUT), check_array(components, **_INPUT)
    check_number("rank", rank, 2, len(components) if delta else np.inf)
    weights = components if p == 2 else np.sign(components) * np.abs(components) ** (p - 1)
    totals = safe_sparse_dot(X, weights.T)  # (B, K)
    batch, n_units = totals.shape
    rows = np.arange(batch)
    winners = totals.argmax(axis=1)
    active = [(winners, 1.0)]
    if delta:
        ranked = totals.copy()
        ranked[rows, winners] = np.inf  # first among equals, so that it is not also the runner-up
        active.append((np.argpartition(ranked, n_units - rank, axis=1)[:, n_units - rank], -delta))
    step = np.zeros_like(components)
    for units, y in active:
        choice = sp.csr_array((np.full(batch, y, X.dtype), (units, rows)), shape=(n_units, batch))
        step += _dense(choice @ X)
        pull = np.bincount(units, weights=y * totals[rows, units], minlength=n_units)
        step -= pull[:, None].astype(components.dtype) * components
    return step


class _Hasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What the three share: `fit` makes `components_`; `transform` projects on them and keeps what is large."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []  # codes are integers whatever the input
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.components_.shape[0]

    @_one_thread
    def transform(self, X: Any) -> Matrix:
        """Hash examples, an array or sparse matrix of shape (N, D), to codes of shape (N, K).

        LSH gives an array of int8: 1 where the projection is positive, −1 elsewhere. FlyHash and BioHash give a
        csr_array of uint8 with exactly `n_active` ones a row; a zero vector activates the first units.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **_INPUT)
        # A dense product is several times as fast as one with FlyHash's sparse weights, and leaves rows contiguous.
        weights = self.components_.T if sp.issparse(X) else _dense(self.components_).T
        size = max(1, _CELLS // weights.shape[1])
        codes = list(map_batches(lambda batch: self._code(_dense(X[batch] @ weights)), X.shape[0], size))
        return sp.vstack(codes, format="csr") if sp.issparse(codes[0]) else np.vstack(codes)

    def _code(self, activations: np.ndarray) -> Matrix:
        return winner_take_all(activations, self.n_active)

    def _rng(self) -> np.random.RandomState:
        if isinstance(self.random_state, np.random.Generator):
            return np.random.RandomState(self.random_state.bit_generator)  # the same stream of random bits
        return check_random_state(self.random_state)


class LSH(_Hasher):
    """Locality-sensitive hashing by signs of projections drawn with `random_state`, to codes of `n_bits` bits.

    The chance that two vectors at angle θ agree in a bit is 1 − θ/π (Charikar 2002). A projection of exactly 0 counts
    as negative, as in the article; ``faiss.IndexLSH`` calls it positive. The attribute `components_`, float32 of shape
    (K, D), holds the directions, drawn from a normal distribution.

    Examples
    --------
    >>> LSH(n_bits=5, random_state=0).fit_transform([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]]).tolist()
    [[1, 1, -1, 1, 1], [1, 1, -1, 1, 1], [-1, -1, 1, -1, -1]]
    """

    def __init__(self, n_bits: int = 32, random_state: RandomState = None) -> None:
        self.n_bits, self.random_state = n_bits, random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Draw the directions; of `X`, shape (N, D), only the width matters."""
        check_number("n_bits", self.n_bits, 1)
        width = validate_data(self, X, **_INPUT).shape[1]
        self.components_ = self._rng().standard_normal((self.n_bits, width)).astype(np.float32)
        return self

    def _code(self, activations: np.ndarray) -> np.ndarray:
        return np.where(activations > 0, np.int8(1), np.int8(-1))


class FlyHash(_Hasher):
    """Hashing as in the fruit fly's olfactory circuit: many sparse projections drawn with `random_state`, few winners.

    K = `n_units`, usually many times the input's width D, is the length of the code, and k = `n_active` its ones. Each
    unit sums exactly ``round(density · D)`` inputs, at least one; the attribute `components_`, a csr_array of float32
    (K, D), tells which. Dasgupta, Stevens and Navlakha (2017), "A neural algorithm for a fundamental computing
    problem".

    Examples
    --------
    >>> FlyHash(n_units=20, n_active=3, random_state=0).fit_transform([[0.0, 1.0, 2.0, 3.0]]).indices.tolist()
    [2, 15, 17]
    """

    def __init__(
        self, n_units: int = 2000, n_active: int = 32, density: float = 0.1, random_state: RandomState = None
    ) -> None:
        self.n_units, self.n_active = n_units, n_active
        self.density, self.random_state = density, random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Draw the projection; of `X`, shape (N, D), only the width matters."""
        check_number("n_units", self.n_units, 1)
        check_number("n_active", self.n_active, 1, self.n_units)
        check_number("density", self.density, _TINY, 1, numbers.Real)
        width, rng = validate_data(self, X, **_INPUT).shape[1], self._rng()
        fan_in = max(1, round(self.density * width))
        inputs = np.concatenate([np.sort(rng.permutation(width)[:fan_in]) for _ in range(self.n_units)])
        ones, starts = np.ones(len(inputs), np.float32), np.arange(0, len(inputs) + 1, fan_in)
        self.components_ = sp.csr_array((ones, inputs, starts), shape=(self.n_units, width))
        return self


class BioHash(_Hasher):
    """Hashing by learned units: cluster centres under the normalised inner product, of which the k best fire.

    EM compares ⟨x, w/‖w‖⟩ but a code is made by ⟨x, w⟩: once the lengths are 1 these agree. Ryali, Hopfield, Grinberg
    and Krotov (2020), arXiv 2001.04907. `random_state` decides where the units start and the order of mini-batches.

    Parameters
    ----------
    n_units, n_active : int
        K, the number of centres and length of the code, and k, ones per code.
    training : {"em", "local"}
        ``"em"``: up to `max_iter` rounds of :func:`em_round` from K examples far apart (k-means++), until one gains no
        more than the share `tol`. ``"local"``: `max_iter` passes of the paper's rule from random weights.
    learning_rate, batch_size, p, delta, rank
        Of the local rule: largest change of a weight in a step, which falls linearly to 0 over the passes; examples
        in a step; and what :func:`local_step` takes.

    Attributes
    ----------
    components_ : ndarray of float, shape (K, D)
        Of length 1 (``"em"``), or tending to it (``"local"`` with p = 2, for units that win).
    objectives_ : list of float
        Means over the examples of the largest ⟨x, w/‖w‖⟩: at the beginning of each round (``"em"``), at the end of
        training (``"local"``). Not set by `partial_fit`.
    counts_, n_iter_ : ndarray of int64, shape (K,), and int
        Examples that each unit won in the last pass or batch, and how many passes or batches there were.

    Examples
    --------
    >>> codes = BioHash(n_units=3, n_active=1, random_state=0).fit_transform(np.repeat(np.eye(3), 5, axis=0))
    >>> sorted(codes.sum(axis=0).tolist())
    [5, 5, 5]
    """

    def __init__(
        self,
        n_units: int = 8,
        n_active: int = 2,
        training: str = "em",
        *,
        max_iter: int = 25,
        tol: float = 1e-4,
        learning_rate: float = 0.02,
        batch_size: int = 100,
        p: float = 2.0,
        delta: float = 0.0,
        rank: int = 2,
        random_state: RandomState = None,
    ) -> None:
        self.n_units, self.n_active, self.training = n_units, n_active, training
        self.max_iter, self.tol = max_iter, tol
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.p, self.delta, self.rank = p, delta, rank
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> Self:
        """Learn the units from `X`, shape (N, D), which stays sparse if it is; EM needs at least `n_units` examples."""
        X, rng = self._start(X)
        if self.training == "em":
            self.objectives_ = []
            for _ in range(self.max_iter):
                self._sums = np.zeros_like(self.components_)
                self.objectives_.append(self._round(X))
                if self.n_iter_ > 1 and np.diff(self.objectives_)[-1] <= self.tol * abs(self.objectives_[-1]):
                    break
            return self
        n = X.shape[0]
        for epoch in range(self.max_iter):
            order = rng.permutation(n)
            for batch in gen_batches(n, self.batch_size):
                self._step(X[order[batch]], self.learning_rate * (1 - epoch / self.max_iter))
        _, total, self.counts_ = _assign(X, _directions(self.components_))
        self.objectives_, self.n_iter_ = [total / n], self.max_iter
        return self

    def partial_fit(self, X: Any, y: None = None) -> Self:
        """Learn from one more batch of a stream, of shape (B, D).

        With ``"em"`` each unit becomes the direction of the sum of all examples that it has won so far; the first
        batch must have at least `n_units`. With ``"local"`` it is one step: lower its rate with ``set_params``.
        """
        if not hasattr(self, "components_"):
            X, _ = self._start(X)
        else:
            X = validate_data(self, X, reset=False, **_INPUT)
            self._check_parameters()
            if self.n_units != (learned := len(self.components_)):
                raise ValueError(f"n_units={self.n_units}, but {learned} units have been learned; call fit for others")
        for outdated in ("objectives_", "counts_", "_sums") if self.training == "local" else ("objectives_",):
            vars(self).pop(outdated, None)  # it was true of an earlier fit
        if self.training == "local":
            self._step(X, self.learning_rate)
            self.n_iter_ += 1
            return self
        if not hasattr(self, "_sums"):  # a stream that begins, or that the local rule has led so far
            self.components_ = _directions(self.components_)
            self._sums = np.zeros_like(self.components_)
        self._round(X)
        return self

    def _start(self, X: Any) -> tuple[Matrix, np.random.RandomState]:
        """Check everything, then set the first weights: a refused `fit` leaves the units of an earlier one."""
        self._check_parameters()
        n = check_array(X, **_INPUT).shape[0]
        if self.training == "em" and n < self.n_units:
            raise ValueError(f"n_samples={n} is less than n_units={self.n_units}; give more, or take training='local'")
        rng, X = self._rng(), validate_data(self, X, **_INPUT)
        vars(self).pop("_sums", None)
        self.n_iter_ = 0
        if self.training == "local":
            self.components_ = rng.standard_normal((self.n_units, X.shape[1])).astype(X.dtype)
            return X, rng
        # Spread out over directions, as k-means++ does; a sample of the examples is enough for that.
        sample = X[rng.permutation(n)[: max(BATCH, 4 * self.n_units)]]
        sample = normalize(sample.astype(np.float64), copy=False)  # in which large squares do not overflow
        start = _dense(sample[_far_apart(sample.astype(X.dtype, copy=False), self.n_units, rng)])
        nowhere = ~start.any(axis=1)  # a zero vector points nowhere
        start[nowhere] = rng.standard_normal((np.count_nonzero(nowhere), X.shape[1]))
        self.components_ = _directions(start).astype(X.dtype)
        return X, rng

    def _round(self, X: Matrix) -> float:
        """Do a round of EM, with what the units have won before added; return the objective."""
        sums, total, self.counts_ = _assign(X, self.components_)
        self._sums += sums
        self.n_iter_ += 1
        self.components_ = _directions(self._sums, otherwise=self.components_)
        return total / X.shape[0]

    def _step(self, X: Matrix, rate: float) -> None:
        step = local_step(X, self.components_, self.p, self.delta, self.rank)
        if (largest := np.abs(step).max()) > 0:
            self.components_ += (rate / largest) * step

    def _check_parameters(self) -> None:
        if self.training not in ("em", "local"):
            raise ValueError(f"training must be 'em' or 'local', not {self.training!r}")
        for name in ("n_units", "max_iter", "batch_size"):
            check_number(name, getattr(self, name), 1)
        check_number("n_active", self.n_active, 1, self.n_units)
        check_number("rank", self.rank, 2, self.n_units if self.delta else np.inf)
        for name, least in (("tol", 0), ("delta", 0), ("p", 1), ("learning_rate", _TINY)):
            check_number(name, getattr(self, name), least, kind=numbers.Real)


@_one_thread
def _far_apart(X: Matrix, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Choose `n` rows of length 1 or 0 as scikit-learn's ``kmeans_plusplus`` does, which takes twice the time."""
    squares, transposed = row_norms(X, squared=True), X.T.tocsr() if sp.issparse(X) else np.ascontiguousarray(X.T)
    chosen, nearest = np.empty(n, np.intp), np.inf
    candidates = np.array([rng.choice(len(squares), p=np.full(len(squares), 1 / len(squares)))])
    for place in range(n):
        if place:  # draw some, the likelier the farther they are from what has been chosen
            mass = nearest.cumsum(dtype=np.float64)
            drawn = rng.uniform(size=2 + int(np.log(n))) * mass[-1]
            candidates = np.searchsorted(mass, drawn).clip(max=len(squares) - 1)
        # The distances of all that each of them would leave, squared; take the one that leaves least.
        left = squares[candidates, None] + squares - 2 * _dense(X[candidates] @ transposed)
        left = np.minimum(left.clip(0), nearest)
        best = left.sum(axis=1, dtype=np.float64).argmin()
        chosen[place], nearest = candidates[best], left[best]
    return chosen


def map_batches(function: Callable[[slice], Any], n: int, size: int) -> Iterator[Any]:
    """Do batches of `n` examples in two threads."""
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(function, [slice(start, min(start + size, n)) for start in range(0, n, size)])


@_one_thread
def _assign(X: Matrix, directions: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Give each example to its best unit; return sums of examples per unit, total of the best products, counts."""
    sums, total, counts = np.zeros_like(directions), 0.0, np.zeros(len(directions), np.int64)

    def best(batch: slice) -> tuple[np.ndarray, float, np.ndarray]:
        part = X[batch]
        activations = safe_sparse_dot(part, directions.T)
        winners, rows = activations.argmax(axis=1), np.arange(part.shape[0])
        chosen = sp.csr_array((np.ones(len(rows), X.dtype), (winners, rows)), shape=(len(counts), len(rows)))
        largest = float(activations[rows, winners].sum(dtype=np.float64))
        return _dense(chosen @ part), largest, np.bincount(winners, minlength=len(counts))

    for some, largest, won in map_batches(best, X.shape[0], BATCH):
        sums += some
        total += largest
        counts += won
    return sums, total, counts


def _directions(vectors: np.ndarray, otherwise: np.ndarray | None = None) -> np.ndarray:
    """Scale rows to length 1; a row of zeros is replaced by that of `otherwise`, or stays."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(largest > 0, largest, 1)  # or the squares of large numbers would overflow
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = vectors / np.where(lengths > 0, lengths, 1)
    return scaled if otherwise is None else np.where(lengths > 0, scaled, otherwise)


def _dense(X: Matrix) -> np.ndarray:
    return X.toarray() if sp.issparse(X) else X


def check_number(name: str, value: Any, least: float, most: float = np.inf, kind: type = numbers.Integral) -> None:
    """Refuse a parameter that is no number of its kind within bounds; `_TINY` as the least means above 0."""
    if isinstance(value, bool) or not isinstance(value, kind) or not (least <= value <= most and value < np.inf):
        what = "an integer" if kind is numbers.Integral else "a finite number"
        low = "above 0" if least == _TINY else f"of at least {least:g}"
        high = f" and at most {most}" if most < np.inf else ""
        raise ValueError(f"{name} must be {what} {low}{high}; got {value!r}")
