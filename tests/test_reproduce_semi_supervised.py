"""The reproduction of article 4374: draws, learners and rounds, on reviews made up here."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.text import Vocabulary

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
script = importlib.import_module("semi_supervised")


@pytest.fixture(scope="module")
def small():
    """Made-up reviews and a small untrained language model in place of the real ones."""
    rng = np.random.default_rng(0)
    words = [["dull", "bad", "film", "it"], ["good", "fine", "film", "it"]]
    labels = np.repeat([0, 1], 40), np.repeat([0, 1], 20)
    train, test = (
        [" ".join(rng.choice(words[label], 12)).capitalize() + ".<br />" for label in split] for split in labels
    )
    data = SimpleNamespace(train=train, test=test, train_labels=labels[0], test_labels=labels[1])
    model = LanguageModel(Vocabulary(["film", "it", "good", "bad", "fine"]), embedding=4, units=6)
    cached = [value for value in vars(script).values() if hasattr(value, "cache_clear")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "reviews", lambda: data)
        patch.setattr(script, "language_model", lambda: model)
        patch.setattr(LanguageModel, "load", classmethod(lambda cls, path: model))
        yield
    for function in cached:
        function.cache_clear()


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(script, "RUNS", tmp_path)
    script.frozen_states.cache_clear()


def test_draws_are_balanced_and_smaller_ones_lie_in_larger_ones():
    truth = np.random.default_rng(0).integers(0, 2, 500)
    small_draw, rest = script.draw(50, 3, truth)
    large_draw, _ = script.draw(200, 3, truth)
    assert truth[small_draw].sum() == 25
    assert set(small_draw) < set(large_draw)
    assert sorted([*small_draw, *rest]) == list(range(500))
    assert set(small_draw) != set(script.draw(50, 4, truth)[0])
    for n_labels in (0, 21, 500):
        with pytest.raises(ValueError, match=f"an even number of labels up to 80 can be drawn, not {n_labels}"):
            script.draw(n_labels, 0, np.arange(80) % 2)


def test_a_learner_is_scored_on_the_test(small, monkeypatch):
    labels = script.labels("test").copy()
    labels[:10] = 1 - labels[:10]  # of 40, and of those for training none
    of_train = script.labels("train")
    monkeypatch.setattr(script, "labels", lambda split: labels if split == "test" else of_train)
    record = script.run(script.Method(script.BagOfWords(preset=True)), 20, 0)
    assert record["accuracy"] == [0.75]


def test_words_of_all_texts_are_known(small):
    examples = np.array([0, 1, 78, 79]), [0, 0, 1, 1]
    everything, given = (script.BagOfWords(all_texts=which).fit("train", *examples, 0) for which in (True, False))
    assert set(given[0].vocabulary_) < set(everything[0].vocabulary_)
    assert everything.predict(["good fine film", "dull bad film"]).tolist() == [1, 0]


def test_true_labels_of_what_is_guessed_change_only_scores(small, monkeypatch):
    method = script.Method(script.BagOfWords(preset=True), rounds=2, transductive=True)
    before = script.run(method, 20, 0)
    shuffled = script.labels("both").copy()
    chosen, rest = script.draw(20, 0, shuffled)
    shuffled[rest] = 1 - shuffled[rest]
    monkeypatch.setattr(script, "draw", lambda n, seed, labels: (chosen, rest))
    monkeypatch.setattr(script, "labels", lambda split: shuffled)
    after = script.run(method, 20, 0)
    assert (before["flips"], before["used"]) == (after["flips"], after["used"])
    assert after["accuracy"] == pytest.approx([1 - a for a in before["accuracy"]])


def test_ranked_guesses_are_as_many_as_asked(small):
    method = script.Method(script.BagOfWords(preset=True), rounds=1, threshold=0.5, ranked=True, pool=40)
    record = script.run(method, 20, 1)
    assert record["used"] == [0, 20]
    assert len(record["accuracy"]) == len(record["guesses"]) == 2


def test_frozen_states_are_kept_and_leave_the_model_alone(small):
    method = script.Method(script.FrozenStates((1,)))
    weights = [w.copy() for w in script.language_model().encoder.get_weights()]
    first = script.run(method, 20, 0)
    assert len(list(script.RUNS.glob("states_test_*.npz"))) == 1
    assert script.run(method, 20, 0)["accuracy"] == first["accuracy"]
    assert all(map(np.array_equal, weights, script.language_model().encoder.get_weights()))


class Recorder:
    """A learner that keeps what it was given and says of each review what it is told to say."""

    def __init__(self, say):
        self.say = say

    def fit(self, split, examples, labels, seed):
        self.examples, self.labels = np.asarray(examples), np.asarray(labels)

    def probability(self, model, split, examples):
        return np.array([self.say(i) for i in examples])


def test_two_learners_average_their_log_odds(small):
    both = script.Both(Recorder(lambda i: 0.9), Recorder(lambda i: 0.5))
    p = both.probability(both.fit("train", [], [], 0), "test", np.arange(2))
    np.testing.assert_allclose(p, 0.75)  # odds 3, the root of 9
    first, then = Recorder(lambda i: float(i > 0)), Recorder(None)
    script.SelfTaught(first, then).fit("train", np.array([5, 70]), np.array([0, 1]), 0)
    assert first.examples.tolist() == [5, 70]
    given = dict(zip(then.examples.tolist(), then.labels.tolist(), strict=True))
    assert given == {i: int(i > 0) for i in range(80)} | {5: 0, 70: 1}


def test_article_continues_its_head_on_guesses(small, monkeypatch):
    article = script.Article(True)
    smaller = [(script, "N_LABELS", 20), (script, "LAST_WORDS", 6)]
    for where, name, value in [*smaller, (script.Article, "units", 3), (script.Article, "embedding", 3)]:
        monkeypatch.setattr(where, name, value)
    words = len(script.language_model().vocabulary)
    monkeypatch.setattr(script, "window_model", lambda: script.window_language_model(words, 3, 3))
    heads, fit = [], article.fit

    def watched(*arguments):
        before = article._head.get_weights() if heads else None
        heads.append((before, fit(*arguments), article._head))
        return heads[-1][1]

    monkeypatch.setattr(article, "fit", watched)
    record = script.run(script.Method(article, rounds=1), 20, 0)
    assert record["used"] == [0, 60]
    (_, first, head), (start, end, same_head) = heads
    assert same_head is head
    assert all(map(np.array_equal, start, first))
    assert not all(map(np.array_equal, start, end))
