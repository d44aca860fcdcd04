"""Self-training: what each round is trained on, when it ends, and what it must not know."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import SelfTrainingClassifier

from kexue_nlp.self_training import self_train


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = rng.normal(size=(200, 5)) + 0.8 * y[:, None] * np.array([1, 1, 0.5, 0, 0])
    return X, y


class Logistic:
    def __init__(self, X):
        self.X, self.seen = X, []

    def fit(self, examples, labels):
        self.seen.append((examples.tolist(), [int(label) for label in labels]))
        return LogisticRegression().fit(self.X[examples], labels)

    def predict(self, model, examples):
        p = model.predict_proba(self.X[examples])
        return p.argmax(axis=1), p.max(axis=1)


LABELLED, UNLABELLED = np.arange(20), np.arange(20, 200)


def run(data, **settings):
    X, y = data
    learner = Logistic(X)
    return learner, list(self_train(learner.fit, learner.predict, LABELLED, y[LABELLED], UNLABELLED, **settings))


def test_round_zero_sees_the_given_labels_only(data):
    learner, rounds = run(data, rounds=0)
    assert learner.seen == [(LABELLED.tolist(), data[1][LABELLED].tolist())]
    assert [(r.flips, r.used.any()) for r in rounds] == [(None, False)]


def test_every_round_sees_the_confident_predictions_of_the_one_before(data):
    learner, rounds = run(data, rounds=4, threshold=0.8, tolerance=0.0)
    assert len(rounds) > 2
    for before, now, (examples, labels) in zip(rounds, rounds[1:], learner.seen[1:], strict=False):
        used = before.confidence >= 0.8
        assert np.array_equal(now.used, used)
        assert examples == [*LABELLED, *UNLABELLED[used]]
        assert labels == [*data[1][LABELLED], *before.labels[used]]
        assert now.flips == (now.labels != before.labels).sum()


def test_a_confident_first_round_is_that_of_scikit_learn(data):
    X, y = data
    _, rounds = run(data, rounds=1, threshold=0.75)
    given = np.full(200, -1)
    given[LABELLED] = y[LABELLED]
    peer = SelfTrainingClassifier(LogisticRegression(), threshold=0.75 - 1e-12, max_iter=1).fit(X, given)
    np.testing.assert_allclose(rounds[1].model.coef_, peer.estimator_.coef_)


def test_it_stops_after_a_round_with_few_flips_or_when_nothing_is_confident(data):
    for tolerance in (0, 0.02):
        _, rounds = run(data, rounds=50, tolerance=tolerance)
        assert rounds[-1].flips <= tolerance * len(UNLABELLED)
        assert all(r.flips > tolerance * len(UNLABELLED) for r in rounds[1:-1])
    _, rounds = run(data, rounds=50, threshold=1.0)
    assert [r.number for r in rounds] == [0]


def test_a_label_may_be_the_tags_of_a_sentence():
    tags = [["b", "e"], ["s"]]  # of examples 0 and 1, and of 2 and 3 again

    def predict(model, examples):
        return [model[2 - i % 2] for i in examples], np.ones(len(examples))

    rounds = list(self_train(lambda _, labels: {len(label): label for label in labels}, predict, [0, 1], tags, [2, 3]))
    assert rounds[-1].labels == tags
    assert [r.flips for r in rounds] == [None, 0]


BAD = {
    "0 labelled and 3 unlabelled": {"labelled": [], "labels": []},
    "2 labelled and 0 unlabelled": {"unlabelled": []},
    "2 labelled examples need as many labels, not 3": {"labels": [0, 1, 0]},
    "example 1 occurs twice": {"unlabelled": [1, 2]},
    "example 3 occurs twice": {"unlabelled": [3, 2, 3]},
    "all 2 labels are 1": {"labels": [1, 1]},
    "numbered by integers": {"labelled": [0.0, 1.5]},
    "by integers": {"labelled": [True, False]},
    "rounds must be 0 or more": {"rounds": -1},
    "threshold and tolerance from 0 to 1; got 10, 1.5": {"threshold": 1.5},
    "threshold and tolerance from 0 to 1; got 10, 0.0, -0.1": {"tolerance": -0.1},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_refused_at_once(message):
    good = {"labelled": [0, 1], "labels": [0, 1], "unlabelled": [2, 3, 4]}
    with pytest.raises(TypeError if "integers" in message else ValueError, match=message):
        self_train(None, None, **(good | BAD[message]))


PREDICTED = {
    "each of 3 examples; it returned 1 labels and confidences of shape (3,)": ([0], [1, 1, 1]),
    "each of 3 examples; it returned 3 labels and confidences of shape (2,)": ([0, 0, 0], [1, 1]),
    "each of 3 examples; it returned 3 labels and confidences of shape (3, 2)": ([0, 0, 0], [[0.9, 0.1]] * 3),
    "from 0 to 1; it returned nan": ([0, 0, 0], [0.9, np.nan, 0.8]),
    "from 0 to 1; it returned 1.5": ([0, 0, 0], [0.9, 1.5, 0.8]),
    "from 0 to 1; it returned -0.1": ([0, 0, 0], [0.9, 0.7, -0.1]),
}


@pytest.mark.parametrize("message", PREDICTED)
def test_prediction_of_another_kind_is_refused(message):
    rounds = self_train(lambda *_: None, lambda *_: PREDICTED[message], [0, 1], [0, 1], [2, 3, 4])
    with pytest.raises(ValueError, match=re.escape(message)):
        next(rounds)
