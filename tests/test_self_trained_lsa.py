"""Learning two classes of texts from few labels and many texts without one."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from kexue_nlp.datasets import load_imdb
from kexue_nlp.self_trained_lsa import SelfTrainedLSA

SMALL = SelfTrainedLSA(n_components=5, n_weighted=3, rounds=2, min_df=1, random_state=0)


@pytest.mark.filterwarnings("ignore:Can't test estimator")  # of texts: only what needs no data
def test_it_is_an_estimator():
    check_estimator(SMALL, on_skip=None)


@pytest.fixture(scope="module")
def reviews():
    data = load_imdb().subset(1200, 600, seed=3)
    known = data.train_labels.copy()
    known[200:] = -1
    return data, known


def test_texts_without_a_label_help(reviews):
    data, known = reviews
    model = SelfTrainedLSA(50, 30, 2, 5, random_state=0).fit(data.train, known)
    alone = SelfTrainedLSA(50, 30, 2, 5, random_state=0).fit(data.train[:200], known[:200])
    assert model.score(data.test, data.test_labels) > alone.score(data.test, data.test_labels) + 0.02
    p = model.predict_proba(data.test)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(data.test) == p.argmax(axis=1)).all()
    heaviest = model.tfidf_.get_feature_names_out()[np.argsort(-model.weights_)[:200]]
    assert {"awful", "worst", "waste"} & set(heaviest)


def test_any_two_numbers_are_labels_and_empty_texts_are_read(reviews):
    data, known = reviews
    texts, named = [*data.train[:300], ""], np.append(np.where(known == -1, -1, 10 + 5 * known)[:300], -1)
    model = SMALL.fit(texts, named)
    assert model.classes_.tolist() == [10, 15]
    assert set(model.predict(["", *data.test[:50]])) == {10, 15}


@pytest.mark.parametrize("labels", [[1, 1, -1], [-1, -1, -1], [0, 1, 2]])
def test_what_is_not_two_classes_is_refused(labels):
    with pytest.raises(ValueError, match=r"y must hold two classes, and -1 where there is no label; got \["):
        SMALL.fit(["good film", "bad film", "a film"], labels)
