"""Vectors to binary codes: LSH, FlyHash and BioHash as scikit-learn transformers (article 8159).

All three project and keep which projections are large. LSH draws few random directions and keeps signs, so half
of the bits are active. FlyHash draws many sparse ones and keeps the k largest. BioHash learns them from the data.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import kmeans_plusplus
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_array, check_random_state, gen_batches
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["LSH", "BioHash", "FlyHash", "em_round", "local_step", "winner_take_all"]

BATCH = 4096  # examples whose activations are held at a time


def winner_take_all(activations: np.ndarray, n_active: int) -> sp.csr_array:
    """Set the `n_active` largest activations of each example to 1 and the rest to 0.

    Parameters
    ----------
    activations : ndarray of float, shape (N, K)
    n_active : int
        k, from 1 to K. Of equal activations those of the lowest index win, so there are exactly k ones.

    Returns
    -------
    scipy.sparse.csr_array of uint8, shape (N, K)
        The indices of each row ascend.

    Raises
    ------
    ValueError
        If `n_active` is not an integer from 1 to K, an activation is not a number, or there are not two dimensions.

    Notes
    -----
    Article 8159, section FlyHash (WTA).

    Examples
    --------
    >>> winner_take_all(np.array([[0.2, 0.9, 0.5, 0.5]]), 2).toarray()
    array([[0, 1, 1, 0]], dtype=uint8)
    """
    activations = np.asarray(activations)
    if activations.ndim != 2:
        raise ValueError(
            f"activations must have two dimensions, (examples, units); got shape {activations.shape}: "
            "give one example as activations[None]"
        )
    n, n_units = activations.shape
    _check_active(n_active, n_units)
    if np.isnan(activations).any():
        raise ValueError(f"activations of example {np.isnan(activations).any(axis=1).argmax()} are not numbers (NaN)")
    threshold = np.partition(activations, n_units - n_active, axis=1)[:, n_units - n_active, None]
    winners = activations >= threshold
    # Ties at the threshold leave too many: of these, drop the last.
    crowded = np.flatnonzero(np.count_nonzero(winners, axis=1) > n_active)
    if len(crowded):
        tied = activations[crowded] == threshold[crowded]
        sure = winners[crowded] & ~tied
        room = n_active - np.count_nonzero(sure, axis=1, keepdims=True)
        winners[crowded] = sure | (tied & (np.cumsum(tied, axis=1) <= room))
    indices = np.nonzero(winners)[1].astype(np.int32)
    starts = np.arange(0, len(indices) + 1, n_active, dtype=np.int32)
    return sp.csr_array((np.ones(len(indices), np.uint8), indices, starts), shape=(n, n_units))


def em_round(X: np.ndarray | sp.csr_array, components: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Do one round of expectation maximisation for the objective of BioHash, also known as spherical k-means.

    Each example goes to the unit with the largest normalised inner product ⟨x, w/‖w‖⟩; then each unit becomes
    the direction of the sum of its examples. The examples are gone through in batches, so that only one
    batch's activations are in memory; the result does not depend on them.

    Parameters
    ----------
    X : ndarray or csr_array of float, shape (N, D)
    components : ndarray of float, shape (K, D)

    Returns
    -------
    components : ndarray, shape (K, D)
        Of length 1. A unit that won nothing, or only zero vectors, keeps its direction.
    objective : float
        Mean over the examples of the largest ⟨x, w/‖w‖⟩, before the update.
    counts : ndarray of int64, shape (K,)
        Examples that each unit won.

    Raises
    ------
    ValueError
        If the arrays are empty, not finite, or of different widths.

    Notes
    -----
    Article 8159, section BioHash, which prefers this to the paper's rule; Dhillon and Modha, "Concept
    Decompositions for Large Sparse Text Data Using Clustering" (2001).

    Examples
    --------
    >>> X = np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    >>> components, objective, counts = em_round(X, np.array([[1.0, 0.1], [0.1, 1.0]]))
    >>> components.round(2).tolist(), counts.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [1, 2])
    """
    X, components = _check_pair(X, components)
    directions = _directions(components)
    sums, total, counts = _assign(X, directions)
    return _directions(sums, otherwise=directions), total / X.shape[0], counts


def local_step(
    X: np.ndarray | sp.csr_array,
    components: np.ndarray,
    p: float = 2.0,
    delta: float = 0.0,
    rank: int = 2,
) -> np.ndarray:
    """Return the direction in which the local learning rule moves the weights for a mini-batch.

    With ``tot = sign(W)|W|^(p-1) · x`` and y = 1 for the winner, −`delta` for the unit of rank `rank`, 0 for the
    rest: ΔW = Σ_x (y xᵀ − (y · tot) W). Caller's business: ``W += rate / max|ΔW| · ΔW``.

    Parameters
    ----------
    X : ndarray or csr_array of float, shape (B, D)
    components : ndarray of float, shape (K, D)
        W.
    p : float
        2 gives the ordinary inner product, and weights whose lengths tend to 1.
    delta : float
        Strength of the anti-Hebbian part.
    rank : int
        Which unit it acts on: 2 for the runner-up.

    Returns
    -------
    ndarray, shape (K, D)

    Raises
    ------
    ValueError
        If `rank` is less than 2, or more than K while `delta` is not 0, or the arrays are empty, not finite, or of
        different widths.

    Notes
    -----
    Ryali, Hopfield, Grinberg and Krotov, "Bio-Inspired Hashing for Unsupervised Similarity Search" (2020),
    arXiv 2001.04907, equation 1; the rule itself is Krotov and Hopfield's (2019).

    Examples
    --------
    >>> local_step(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 0.5]])).tolist()
    [[0.75, -0.25], [0.0, 0.0]]
    """
    X, components = _check_pair(X, components)
    _check_rank(rank, len(components), delta)
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


class _Hasher(TransformerMixin, BaseEstimator):
    """What scikit-learn asks about all three."""

    def __sklearn_tags__(self) -> Tags:
        """Say that sparse input is welcome and that codes are integers whatever the input."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class LSH(_Hasher):
    """Locality-sensitive hashing by signs of random projections.

    Parameters
    ----------
    n_bits : int
        K, the length of the code.
    random_state : int, RandomState or None
        Of the projection.

    Attributes
    ----------
    components_ : ndarray of float32, shape (K, D)
        Directions, drawn from a normal distribution: a fitted one never changes.

    Notes
    -----
    The chance that two vectors at angle θ agree in a bit is 1 − θ/π, so the mean product of their bits tends to
    1 − 2θ/π, not to cos θ: the order is kept, the cosine is not. Article 8159, section LSH; Charikar, "Similarity
    Estimation Techniques from Rounding Algorithms" (2002). ``faiss.IndexLSH`` calls a projection of exactly 0
    positive, the article negative, as here.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]])
    >>> codes = LSH(n_bits=4, random_state=0).fit_transform(X)
    >>> bool((codes[0] == codes[1]).all()), bool((codes[0] == -codes[2]).all())
    (True, True)
    """

    def __init__(self, n_bits: int = 32, random_state: int | np.random.RandomState | None = None) -> None:
        self.n_bits = n_bits
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> LSH:
        """Draw the directions; of `X`, shape (N, D), only the width matters.

        Raises
        ------
        ValueError
            If `n_bits` is not a positive integer or `X` not a finite array.
        """
        _check_count("n_bits", self.n_bits)
        X = _validate(self, X, reset=True)
        rng = check_random_state(self.random_state)
        self.components_ = rng.standard_normal((self.n_bits, X.shape[1])).astype(np.float32)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Hash examples.

        Parameters
        ----------
        X : array or sparse matrix of float, shape (N, D)

        Returns
        -------
        ndarray of int8, shape (N, K)
            1 where the projection is positive, −1 elsewhere: sgn(0) = −1, so a zero vector gives −1 throughout.
        """
        return np.vstack([np.where(a > 0, np.int8(1), np.int8(-1)) for a in _activations(self, X)])


class FlyHash(_Hasher):
    """Hashing as in the fruit fly's olfactory circuit: many sparse random projections, few winners.

    Parameters
    ----------
    n_units : int
        K, usually many times the input's width D.
    n_active : int
        k, ones per code.
    density : float
        Share of the inputs that each unit sums: exactly ``round(density · D)`` of them, at least one.
    random_state : int, RandomState or None
        Of the projection.

    Attributes
    ----------
    components_ : scipy.sparse.csr_array of float32, shape (K, D)
        Zeros and ones: a fitted one never changes.

    Notes
    -----
    Dasgupta, Stevens and Navlakha, "A neural algorithm for a fundamental computing problem" (2017); article 8159,
    section FlyHash. The distance between two codes is 2k − 2·(ones in common).

    Examples
    --------
    >>> codes = FlyHash(n_units=20, n_active=3, random_state=0).fit_transform(np.eye(10))
    >>> codes.shape, codes.sum(axis=1).tolist()
    ((10, 20), [3, 3, 3, 3, 3, 3, 3, 3, 3, 3])
    """

    def __init__(
        self,
        n_units: int = 2000,
        n_active: int = 32,
        density: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_units = n_units
        self.n_active = n_active
        self.density = density
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> FlyHash:
        """Draw the projection; of `X`, shape (N, D), only the width matters.

        Raises
        ------
        ValueError
            If a parameter is out of range or `X` not a finite array.
        """
        _check_units(self)
        if not isinstance(self.density, numbers.Real) or not 0 < self.density <= 1:
            raise ValueError(f"density must be in (0, 1], got {self.density!r}")
        X = _validate(self, X, reset=True)
        rng = check_random_state(self.random_state)
        width = X.shape[1]
        fan_in = max(1, round(self.density * width))
        inputs = np.concatenate([np.sort(rng.permutation(width)[:fan_in]) for _ in range(self.n_units)])
        ones, starts = np.ones(len(inputs), np.float32), np.arange(0, len(inputs) + 1, fan_in)
        self.components_ = sp.csr_array((ones, inputs, starts), shape=(self.n_units, width))
        return self

    def transform(self, X: Any) -> sp.csr_array:
        """Hash examples.

        Parameters
        ----------
        X : array or sparse matrix of float, shape (N, D)

        Returns
        -------
        scipy.sparse.csr_array of uint8, shape (N, K)
            Exactly `n_active` ones in each row; a zero vector activates the first units.
        """
        return _winners(self, X)


class BioHash(_Hasher):
    """Hashing by learned units: cluster centres under the normalised inner product, of which the k best fire.

    Parameters
    ----------
    n_units : int
        K, the number of centres and length of the code.
    n_active : int
        k, ones per code.
    training : {"em", "local"}
        ``"em"``: rounds of :func:`em_round` from K examples far apart (k-means++), until one gains less than `tol`.
        ``"local"``: the paper's rule, :func:`local_step` on mini-batches from random weights.
    max_iter : int
        Passes over the examples: the most for ``"em"``, all for ``"local"``.
    tol : float
        Relative gain of the objective below which ``"em"`` stops.
    learning_rate, batch_size, p, delta, rank
        Of the local rule: largest change of a weight in a step, which falls linearly to 0 over the passes; examples
        in a step; and what :func:`local_step` takes.
    random_state : int, RandomState or None
        Of the start and of the order of mini-batches.

    Attributes
    ----------
    components_ : ndarray of float, shape (K, D)
        Of length 1 (``"em"``), or tending to it (``"local"``).
    objectives_ : list of float
        Mean over the examples of the largest ⟨x, w/‖w‖⟩: at the beginning of each round (``"em"``), at the end of
        training (``"local"``). Not set by `partial_fit`.
    counts_ : ndarray of int64, shape (K,)
        Examples that each unit won in the last pass, or of the last batch of a stream: a 0 is a unit wasted. Not set
        by `partial_fit` with ``"local"``.
    n_iter_ : int
        Passes over the examples, or batches of a stream.

    Notes
    -----
    Ryali, Hopfield, Grinberg and Krotov (2020), arXiv 2001.04907; article 8159, section BioHash. EM compares
    ⟨x, w/‖w‖⟩ but a code is made by ⟨x, w⟩: once the lengths are 1 these agree. The local rule brings the length of
    each unit that wins to 1 (with p = 2); one that never wins keeps the length it began with.

    Examples
    --------
    >>> X = np.repeat(np.eye(3), 5, axis=0)
    >>> codes = BioHash(n_units=3, n_active=1, random_state=0).fit_transform(X)
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
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_units = n_units
        self.n_active = n_active
        self.training = training
        self.max_iter = max_iter
        self.tol = tol
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.p = p
        self.delta = delta
        self.rank = rank
        self.random_state = random_state

    def fit(self, X: Any, y: None = None) -> BioHash:
        """Learn the units.

        Parameters
        ----------
        X : array or sparse matrix of float, shape (N, D)
            A sparse one stays sparse; the units are dense.
        y : None
            Ignored.

        Returns
        -------
        BioHash
            Itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, `X` is not a finite array, or there are fewer examples than units.
        """
        X = self._start(X)
        if self.training == "local":
            self._fit_local(X)
        else:
            self._fit_em(X)
        return self

    def partial_fit(self, X: Any, y: None = None) -> BioHash:
        """Learn from one more batch of a stream.

        With ``"em"`` each unit becomes the direction of the sum of all examples that it has won so far (in `fit`:
        in the last pass); the first batch must have at least `n_units` examples. With ``"local"`` the batch is one
        step at the full learning rate: let it fall between calls with ``set_params``.

        Parameters
        ----------
        X : array or sparse matrix of float, shape (B, D)
        y : None
            Ignored.

        Returns
        -------
        BioHash
            Itself.
        """
        if not hasattr(self, "components_"):
            X = self._start(X)
        else:
            X = _validate(self, X, reset=False)
            _check_bio(self)
            if self.n_units != len(self.components_):
                raise ValueError(
                    f"n_units={self.n_units}, but {len(self.components_)} units have been learned; "
                    "their number cannot change within a stream: call fit to start anew"
                )
        self.n_iter_ += 1
        vars(self).pop("objectives_", None)  # of an earlier fit, as what follows: no longer true
        if self.training == "local":
            vars(self).pop("counts_", None)
            vars(self).pop("_sums", None)
            self._step(X, self.learning_rate)
            return self
        if not hasattr(self, "_sums"):
            self.components_ = _directions(self.components_)
            self._sums = np.zeros_like(self.components_)
        sums, _, self.counts_ = _assign(X, self.components_)
        self._sums += sums
        self.components_ = _directions(self._sums, otherwise=self.components_)
        return self

    def transform(self, X: Any) -> sp.csr_array:
        """Hash examples by the plain inner product.

        Parameters
        ----------
        X : array or sparse matrix of float, shape (N, D)

        Returns
        -------
        scipy.sparse.csr_array of uint8, shape (N, K)
            Exactly `n_active` ones in each row; a zero vector activates the first units.
        """
        return _winners(self, X)

    def _start(self, X: Any) -> np.ndarray | sp.csr_array:
        """Check everything and set the first weights."""
        # All checks before anything is set, so that a refused `fit` leaves the units of an earlier one.
        _check_bio(self)
        n = check_array(X, accept_sparse="csr", dtype=[np.float32, np.float64]).shape[0]
        if self.training == "em" and n < self.n_units:
            raise ValueError(
                f"n_samples={n} is less than n_units={self.n_units}: EM starts at one example per unit; "
                'give more examples, fewer units, or training="local"'
            )
        X = _validate(self, X, reset=True)
        vars(self).pop("_sums", None)
        self.n_iter_ = 0
        rng = self._rng = check_random_state(self.random_state)
        if self.training == "local":
            self.components_ = rng.standard_normal((self.n_units, X.shape[1])).astype(X.dtype)
            return X
        # Spread out over directions, as k-means++ does; a sample of the examples is enough for that.
        sample = X[rng.permutation(n)[: max(BATCH, 4 * self.n_units)]]
        # In double precision, because scikit-learn would convert the sample to it for each unit anew.
        sample = normalize(sample.astype(np.float64), copy=False)
        start = _dense(kmeans_plusplus(sample, self.n_units, random_state=rng)[0])
        nowhere = ~start.any(axis=1)  # a zero vector points nowhere
        start[nowhere] = rng.standard_normal((np.count_nonzero(nowhere), X.shape[1]))
        self.components_ = _directions(start).astype(X.dtype)
        return X

    def _fit_em(self, X: np.ndarray | sp.csr_array) -> None:
        self.objectives_: list[float] = []
        for _ in range(self.max_iter):
            # As em_round, but the sums are kept for examples still to come.
            self._sums, total, self.counts_ = _assign(X, self.components_)
            self.components_ = _directions(self._sums, otherwise=self.components_)
            objective = total / X.shape[0]
            self.objectives_.append(objective)
            self.n_iter_ += 1
            if self.n_iter_ > 1 and objective - self.objectives_[-2] <= self.tol * abs(objective):
                break

    def _fit_local(self, X: np.ndarray | sp.csr_array) -> None:
        n = X.shape[0]
        for epoch in range(self.max_iter):
            order = self._rng.permutation(n)
            for batch in gen_batches(n, self.batch_size):
                self._step(X[order[batch]], self.learning_rate * (1 - epoch / self.max_iter))
        _, total, self.counts_ = _assign(X, _directions(self.components_))
        self.objectives_, self.n_iter_ = [total / n], self.max_iter

    def _step(self, X: np.ndarray | sp.csr_array, rate: float) -> None:
        step = local_step(X, self.components_, self.p, self.delta, self.rank)
        largest = np.abs(step).max()
        if largest > 0:
            self.components_ += (rate / largest) * step


def _assign(X: np.ndarray | sp.csr_array, directions: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Give each example to its best unit; return sums of examples per unit, total of the best products, counts."""
    n_units = len(directions)
    sums, total, counts = np.zeros_like(directions), 0.0, np.zeros(n_units, np.int64)
    for batch in gen_batches(X.shape[0], BATCH):
        part = X[batch]
        activations = safe_sparse_dot(part, directions.T)
        winners = activations.argmax(axis=1)
        rows = np.arange(len(winners))
        total += float(activations[rows, winners].sum(dtype=np.float64))
        counts += np.bincount(winners, minlength=n_units)
        chosen = sp.csr_array((np.ones(len(rows), X.dtype), (winners, rows)), shape=(n_units, len(rows)))
        sums += _dense(chosen @ part)
    return sums, total, counts


def _activations(hasher: Any, X: Any) -> Iterator[np.ndarray]:
    """Project examples, a batch at a time."""
    check_is_fitted(hasher)
    X = _validate(hasher, X, reset=False)
    # A dense product is several times as fast as one with FlyHash's sparse weights, and leaves rows contiguous.
    weights = hasher.components_.T if sp.issparse(X) else _dense(hasher.components_).T
    for batch in gen_batches(X.shape[0], BATCH):
        yield _dense(X[batch] @ weights)


def _winners(hasher: Any, X: Any) -> sp.csr_array:
    check_is_fitted(hasher)
    _check_active(hasher.n_active, hasher.components_.shape[0])
    return sp.vstack([winner_take_all(a, hasher.n_active) for a in _activations(hasher, X)], format="csr")


def _directions(vectors: np.ndarray, otherwise: np.ndarray | None = None) -> np.ndarray:
    """Scale rows to length 1; a row of zeros is replaced by that of `otherwise`, or stays."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = vectors / np.where(largest > 0, largest, 1)  # or the squares of large numbers would overflow
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = vectors / np.where(lengths > 0, lengths, 1)
    return scaled if otherwise is None else np.where(lengths > 0, scaled, otherwise)


def _dense(X: np.ndarray | sp.sparray) -> np.ndarray:
    return X.toarray() if sp.issparse(X) else X


def _validate(hasher: Any, X: Any, reset: bool) -> np.ndarray | sp.csr_array:
    X = validate_data(hasher, X, accept_sparse="csr", dtype=[np.float32, np.float64], reset=reset)
    return sp.csr_array(X) if sp.issparse(X) else X


def _check_count(name: str, value: object, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def _check_active(n_active: object, n_units: int) -> None:
    _check_count("n_active", n_active)
    if n_active > n_units:
        raise ValueError(f"n_active={n_active} is more than the {n_units} units there are")


def _check_pair(X: Any, components: Any) -> tuple[np.ndarray | sp.csr_array, np.ndarray]:
    X = check_array(X, accept_sparse="csr", dtype=[np.float32, np.float64], input_name="X")
    components = check_array(components, dtype=[np.float32, np.float64], input_name="components")
    if X.shape[1] != components.shape[1]:
        raise ValueError(f"X has {X.shape[1]} features, but components {components.shape[1]}")
    return sp.csr_array(X) if sp.issparse(X) else X, components


def _check_rank(rank: object, n_units: int, delta: float) -> None:
    _check_count("rank", rank, least=2)
    if delta and rank > n_units:
        raise ValueError(f"rank={rank} is more than the {n_units} units there are")


def _check_units(hasher: Any) -> None:
    _check_count("n_units", hasher.n_units)
    _check_active(hasher.n_active, hasher.n_units)


def _check_bio(hasher: BioHash) -> None:
    _check_units(hasher)
    if hasher.training not in ("em", "local"):
        raise ValueError(f"training must be 'em' or 'local', not {hasher.training!r}")
    for name in ("max_iter", "batch_size"):
        _check_count(name, getattr(hasher, name))
    _check_rank(hasher.rank, hasher.n_units, hasher.delta)
    for name, low, allowed in (
        ("tol", 0, "at least 0"),
        ("delta", 0, "at least 0"),
        ("learning_rate", np.nextafter(0, 1), "positive"),
        ("p", 1, "at least 1"),
    ):
        value = getattr(hasher, name)
        if not isinstance(value, numbers.Real) or not low <= value < np.inf:
            raise ValueError(f"{name} must be a finite number, {allowed}; got {value!r}")
