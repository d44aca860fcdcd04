"""Two classes of texts from few labels: latent semantic analysis that weighs words by its own guesses."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

__all__ = ["SelfTrainedLSA"]


class SelfTrainedLSA(ClassifierMixin, BaseEstimator):
    """Tell two classes of texts apart from few labels and many texts without one: article 4374 without a network.

    1. Words and pairs of words, and their latent semantic analysis (LSA), learn the given labels and guess the others.
    2. Words that tell the guessed classes apart get more weight. LSA of the weighted words learns the *given* labels,
       and so no wrong guess by heart; it guesses anew, and this is repeated.
    3. Words learn from all guesses.

    What each of these *views* says, as log-odds of one scale, counts as much as all before it together.

    Parameters
    ----------
    n_components, n_weighted : int
        Dimensions of LSA of all words, and of the weighted words.
    rounds, min_df : int
        How often words are weighed; in how many texts a word or pair must occur to be counted.
    random_state : int, RandomState or None
        Of the singular value decompositions, which are approximate.

    Attributes
    ----------
    classes_, tfidf_, weights_ : ndarray of shape (2,), TfidfVectorizer, ndarray of float32 of shape (n_words,)
        What counts the words and pairs, and how much they weighed in the last round.

    Examples
    --------
    >>> texts = ["a good film", "a bad film", "good, and fine", "bad, and dull", "a fine one", "a dull one"]
    >>> model = SelfTrainedLSA(n_components=3, n_weighted=3, min_df=1, random_state=0)
    >>> model.fit(texts, [1, 0, -1, -1, -1, -1]).predict(["fine", "dull"])
    array([1, 0])
    """

    def __init__(self, n_components=200, n_weighted=100, rounds=3, min_df=10, random_state=None) -> None:
        self.n_components, self.n_weighted = n_components, n_weighted
        self.rounds, self.min_df, self.random_state = rounds, min_df, random_state

    def fit(self, X: Sequence[str], y: Sequence[int]) -> Self:
        """Learn from texts and whole numbers, the labels of two classes; -1 stands for none, as in scikit-learn."""
        y = column_or_1d(y)
        check_consistent_length(X, y)
        given = np.flatnonzero(y != -1)
        self.classes_ = np.unique(y[given])
        if len(self.classes_) != 2:
            raise ValueError(f"y must hold two classes, and -1 where there is no label; got {self.classes_.tolist()}")
        truth = y[given] == self.classes_[1]
        random = check_random_state(self.random_state)
        self.tfidf_ = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=self.min_df, dtype=np.float32)
        words = self.tfidf_.fit_transform(X)
        self._views: list[tuple] = []  # (features of words, classifier of them, spread of its log-odds)

        def learn(view, C, examples=given, labels=truth):
            features = view(words)
            classifier = LogisticRegression(C=C, max_iter=1000).fit(features[examples], labels)
            odds = classifier.decision_function(features)
            self._views.append((view, classifier, odds.std() or 1.0))
            return odds / self._views[-1][2]

        plain = _LSA(words, self.n_components, random)
        odds = learn(_words, 30) / 3 + learn(plain, 10) * 2 / 3
        for _ in range(self.rounds):
            self.weights_ = _weights(words, _guess(odds, given, truth))
            odds = (odds + learn(_LSA(words, self.n_weighted, random, self.weights_, beside=plain), 1)) / 2
        learn(_words, 1, slice(None), _guess(odds, given, truth))
        return self

    def decision_function(self, X: Sequence[str]) -> np.ndarray:
        """Return log-odds of the second class, of shape (len(X),)."""
        check_is_fitted(self)
        words = self.tfidf_.transform(X)
        first, second, *others = [c.decision_function(view(words)) / scale for view, c, scale in self._views]
        odds = first / 3 + second * 2 / 3
        for one in others:
            odds = (odds + one) / 2
        return odds * self._views[-1][2]

    def predict_proba(self, X: Sequence[str]) -> np.ndarray:
        """Return probabilities of both classes, of shape (len(X), 2)."""
        p = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - p, p])

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """Return the more probable class of each text."""
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags


class _LSA:
    """Latent semantic analysis of words; of weighted ones with that of the words as they are beside it."""

    def __init__(self, words, n_components, random, weights=None, beside=None):
        self._weights, self._beside = weights, beside
        weighted = self._weighted(words)
        n_components = min(n_components, *(n - 1 for n in weighted.shape))
        self._svd = TruncatedSVD(n_components, random_state=random).fit(weighted)

    def _weighted(self, words):
        return words if self._weights is None else normalize(words @ sp.diags(self._weights))

    def __call__(self, words):
        features = normalize(self._svd.transform(self._weighted(words)))
        return features if self._beside is None else np.hstack([features, self._beside(words)])


def _words(words):
    return words


def _guess(odds, given, truth):
    """Guess the second class where the odds are for it; what is given is known."""
    guesses = odds > 0
    guesses[given] = truth
    return guesses


def _weights(words, guesses):
    """Say how much each word tells two classes apart: |log ratio| of how often it occurs in texts of either."""
    occurs = words > 0
    counts = [np.asarray(occurs[chosen].sum(axis=0)).ravel() + 1.0 for chosen in (guesses, ~guesses)]
    rates = [np.log(count / count.sum()) for count in counts]
    return np.abs(rates[0] - rates[1]).astype(np.float32)
