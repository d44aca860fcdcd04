"""Every model that the package exports answers in threads, copied, and in other processes as it does alone."""

import copy
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import keras
import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from kexue_nlp import saved_model
from kexue_nlp.features import Features
from kexue_nlp.hashing import LSH, BioHash, FlyHash
from kexue_nlp.language_model import LanguageModel, NextToken, Perplexity
from kexue_nlp.models import article_segmenter, article_tagger
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.self_trained_lsa import SelfTrainedLSA
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_tagger import ViewpointTagger
from kexue_nlp.word_vectors import BioWord

SAVED = (Segmenter, ViewpointTagger, LanguageModel, BioWord)
DIGITS = np.random.default_rng(0).normal(size=(40, 8))
REVIEWS, STARS = ["good film indeed", "bad film again", "a good one", "a bad one"] * 6, [1, 0] * 12
QUESTIONS = {  # of each model: a method and what it is asked
    "Segmenter": ("__call__", ["本田好", "好本田，本田"]),
    "ViewpointTagger": ("log_probabilities", ["本田好", "好本田，本田"]),
    "LanguageModel": ("encode", ["ab", "cab" * 9]),
    "BioWord": ("nearest", "river"),
    **dict.fromkeys(("LSH", "FlyHash", "BioHash"), ("transform", DIGITS)),
    "SelfTrainedLSA": ("decision_function", REVIEWS),
}
loaded = []  # by a process that forks


def ask(model):
    method, question = QUESTIONS[type(model).__name__]
    answer = getattr(model, method)(question)
    return answer.toarray() if hasattr(answer, "toarray") else answer


@pytest.fixture(scope="module")
def models():
    characters = Vocabulary("本田好")
    made = [
        Segmenter(article_segmenter(len(characters)), Features(characters)),
        ViewpointTagger(article_tagger(len(characters), 4, (4, 4)), characters, ["本田"]),
        LanguageModel(Vocabulary("abc"), unit="character", embedding=4, units=6, cell="gru"),
        BioWord(n_units=8, n_active=2, window=3, random_state=0).fit(["the river bank", "a bank and a river"] * 9),
        *(hasher.fit(DIGITS) for hasher in (LSH(8, 0), FlyHash(20, 4, random_state=0), BioHash(8, 2, random_state=0))),
        SelfTrainedLSA(3, 3, 2, 1, random_state=0).fit(REVIEWS, STARS),
    ]
    return {type(model).__name__: (model, ask(model)) for model in made}


@pytest.mark.parametrize("name", QUESTIONS)
def test_two_threads_and_a_copy_answer_like_the_model(models, name):
    model, answer = models[name]
    with ThreadPoolExecutor(2) as pool:
        for other in [*pool.map(ask, [model] * 6), ask(copy.deepcopy(model))]:
            np.testing.assert_equal(other, answer)


def test_training_goes_on_in_an_unpickled_language_model():
    model = LanguageModel(Vocabulary("ab"), unit="character", embedding=4, units=6, cell="gru")
    for _ in range(2):
        model.trainer(batch_size=2, learning_rate=0.03)
        before = model.perplexity(["ab" * 20])
        model.fit(["ab" * 40] * 4, epochs=3, steps=10, verbose=0)
        assert model.perplexity(["ab" * 20]) < before
        model = pickle.loads(pickle.dumps(model))


def load_and_ask(folder, kinds):
    loaded[:] = [kind.load(folder / kind.__name__) for kind in kinds]
    return [ask(model) for model in loaded]


def ask_or_say(model):
    try:
        return ask(model)
    except RuntimeError as error:
        return str(error)


def ask_inherited(number):
    return ask_or_say(loaded[number])


def in_forks(function, *questions):
    if "fork" not in multiprocessing.get_all_start_methods():
        return None
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return [pool.apply_async(function, question).get(200) for question in questions]


def in_a_new_process(folder):
    """Return what a fork of nothing, the process itself, and forks of it too late answer, and a loaded network."""
    early = in_forks(load_and_ask, (folder, SAVED[1:2]))
    itself = load_and_ask(folder, SAVED)
    late = in_forks(ask_inherited, *((number,) for number in range(len(SAVED))))
    network = keras.models.load_model(folder / "network.keras")
    assert len(network.evaluate(np.zeros((2, 4)), np.zeros(2), verbose=0)) == 2  # with the perplexity
    return early, itself, late, network.predict_on_batch(np.ones((1, 4)))


def test_workers_answer_like_the_model_and_a_late_fork_says_what_to_do(models, tmp_path):
    expected = [models[kind.__name__][1] for kind in SAVED]
    for kind in SAVED:
        models[kind.__name__][0].save(tmp_path / kind.__name__)
    states = keras.Input((4,))
    network = keras.Model(states, keras.ops.softmax(NextToken(n_sampled=3)(states, keras.ops.ones((5, 3)))))
    network.compile("sgd", "sparse_categorical_crossentropy", metrics=[Perplexity()])
    network.save(tmp_path / "network.keras")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
        early, itself, late, probabilities = worker.submit(in_a_new_process, tmp_path).result(timeout=300)
    np.testing.assert_equal(itself, expected)
    np.testing.assert_allclose(probabilities, network.predict_on_batch(np.ones((1, 4))), rtol=1e-5)
    if late:  # not where there are no forks
        # Segmenter and BioWord have no network in Keras.
        np.testing.assert_equal([*early, late[0], late[-1]], [expected[1:2], expected[0], expected[-1]])
        assert all(word in said for said in late[1:-1] for word in ("spawn", "loky", "load the model in the worker"))


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # of JAX: what happens then is what is tested
@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing", "dask"])
def test_joblib_answers_like_the_model_or_says_what_to_do(models, backend):
    cluster = nullcontext()
    if backend == "dask":
        cluster = pytest.importorskip("distributed").Client(n_workers=1, threads_per_worker=2, dashboard_address=None)
    forked = backend == "multiprocessing" and multiprocessing.get_start_method() == "fork"
    with cluster, parallel_config(backend, n_jobs=2):
        for name, (model, answer) in models.items():
            answers = Parallel(timeout=10 if forked else 200)(delayed(ask_or_say)(model) for _ in range(2))
            if forked and name in ("ViewpointTagger", "LanguageModel"):
                assert all("spawn" in said for said in answers)
            else:
                np.testing.assert_equal(answers, [answer] * 2)


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (LSH(random_state=0), {"n_bits": [4, 16]}),
        (FlyHash(20, random_state=0), {"n_active": [2, 4]}),
        (BioHash(random_state=0), {"n_units": [4, 8]}),
        (SelfTrainedLSA(3, 3, min_df=1, random_state=0), {"rounds": [1, 2]}),
    ],
    ids=["LSH", "FlyHash", "BioHash", "SelfTrainedLSA"],
)
def test_a_grid_search_by_two_processes_finds_what_one_finds(model, grid):
    X = REVIEWS
    if hasattr(model, "transform"):
        grid, X = {f"hasher__{name}": values for name, values in grid.items()}, DIGITS[:24]
        model = Pipeline([("hasher", model), ("classifier", LogisticRegression())])
    one, two = (GridSearchCV(model, grid, n_jobs=n, cv=3, error_score="raise").fit(X, STARS) for n in (1, 2))
    np.testing.assert_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the others are not asked whether they have begun")
def test_a_network_of_somebody_else_counts_too(monkeypatch):
    keras.ops.ones(1)
    monkeypatch.setattr(saved_model, "_network_made", False)
    monkeypatch.setattr(saved_model, "_forked_behind_it", False)
    saved_model._after_fork()
    with pytest.raises(RuntimeError, match="spawn"):
        saved_model.check_process()


def test_no_model_is_made_or_trained_in_a_late_fork(monkeypatch):
    network, model = article_tagger(5, 4, (4, 4)), LanguageModel(Vocabulary("ab"), "character", embedding=4, units=6)
    monkeypatch.setattr(saved_model, "_forked_behind_it", True)
    make = partial(ViewpointTagger, network, Vocabulary("本田好"), ["本田"])
    for late in (make, model.trainer, partial(model.fit, ["ab"])):
        with pytest.raises(RuntimeError, match="spawn"):
            late()
