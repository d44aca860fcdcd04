"""The reproduction of article 4293: pairing, going on after an interruption, and the faster convolution."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kexue_nlp.models import article_cnn, article_lstm

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
script = importlib.import_module("margin_loss")


def small_cnn():
    return article_cnn(20, embedding=3, filters=4, hidden=5)


def small_lstm():
    return article_lstm(20, embedding=3, units=4)


@pytest.fixture(scope="module")
def small():
    """Two small networks, trained for two epochs."""
    networks = {
        "cnn": dataclasses.replace(script.NETWORKS["cnn"], build=small_cnn, epochs=2),
        "lstm": dataclasses.replace(script.NETWORKS["lstm"], build=small_lstm, epochs=2),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "NETWORKS", networks)
        yield


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(script, "RUNS", tmp_path)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 20, (84, 12)).astype(np.int32)
    y = (x[:, -1] > 10).astype(np.float32)
    return x[:64], y[:64], x[64:], y[64:]


@pytest.fixture(scope="module", params=["lstm", "cnn"])
def run(request):
    return script.Run(request.param, "margin", 0.6, 0)


@pytest.fixture(scope="module")
def record(run, small, data, tmp_path_factory):
    """What an uninterrupted run leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "RUNS", tmp_path_factory.mktemp("runs"))
        return script.train(run, data, ignore)


def without_times(record):
    return record | {"seconds": None, "epochs": record["epochs"] | {"seconds": None}}


def ignore(run, epochs):
    pass


# --- the faster convolution --------------------------------------------------------------------------------


def weights_after_training(network, data):
    script.seed_dropout(network, 5, 1)
    network.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
    network.fit(data[0], data[1], batch_size=32, shuffle=False, verbose=0)
    return network.get_weights()


def test_lean_network_trains_to_the_weights_of_the_article_s(data):
    keras.utils.set_random_seed(0)
    network = small_cnn()
    lean = script.lean(network)
    start = network.get_weights()
    ours, theirs = weights_after_training(lean, data), weights_after_training(network, data)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, theirs, strict=True))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_lean_network_predicts_what_the_article_s_does(data):
    network = small_cnn()
    lean = script.lean(network)
    np.testing.assert_allclose(lean.predict(data[2], verbose=0), network.predict(data[2], verbose=0), atol=1e-6)


def test_padding_that_is_left_out_changes_no_prediction():
    network = small_cnn()
    x = np.random.default_rng(0).integers(1, 20, (13, 12)).astype(np.int32)
    for row, n_words in zip(x, range(13), strict=True):
        row[: 12 - n_words] = 0
    asked = []
    network.predict = lambda x, **options: asked.append(x.shape) or keras.Sequential.predict(network, x, **options)
    p = script.predict_highest(network, x, step=4)
    assert [length for _, length in asked] == [4, 8, 12]
    np.testing.assert_allclose(p, script.predict(network, x), atol=1e-6)


# --- runs --------------------------------------------------------------------------------------------------


def test_interrupted_run_ends_as_an_uninterrupted_one(run, record, data):
    def interrupt(run, epochs):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        script.train(run, data, interrupt)
    assert without_times(script.train(run, data, ignore)) == without_times(record)


def test_record_is_json_and_counts_every_test_review(run, record):
    stored = json.loads(json.dumps(record))
    assert [len(values) for values in stored["epochs"].values()] == [run.epochs] * 6
    assert sum(stored["calibration"]["count"]) == 20


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_losses_are_compared_from_the_same_weights_batches_and_dropout(small, data, name, monkeypatch):
    seen = {}

    class Recorder(keras.Sequential):
        """Notes what it is given and does not train."""

        def fit(self, x, y, **options):
            state = [np.array(v.numpy()) for v in self.variables]
            seen.setdefault(type(self.loss), []).append([*state, x, y])
            return SimpleNamespace(history={"loss": [0], "accuracy": [0], "active": [0]})

        def predict(self, x, **options):
            return np.full((len(x), 1), 0.3)

    def recorder(network):
        return Recorder([keras.Input((None,), dtype="int32"), *network.layers])

    monkeypatch.setattr(script, "lean", recorder)
    for loss in script.LOSSES:
        script.train(script.Run(name, loss, 0.6, 1), data, ignore)
    first, *others = seen.values()
    assert len(others) == 2
    for other in others:
        for epoch, other_epoch in zip(first, other, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(epoch, other_epoch, strict=True))
    assert not np.array_equal(first[0][-2], first[1][-2])  # another order in each epoch


def test_finished_runs_are_read_back(monkeypatch, tmp_path):
    monkeypatch.setattr(script, "RESULTS", tmp_path / "r.jsonl")
    run = script.Run("cnn", "margin", 0.55, 2)
    assert script.finished() == set()
    (tmp_path / "r.jsonl").write_text(json.dumps(dataclasses.asdict(run) | {"seconds": 1}) + "\n")
    assert script.finished() == {run}


def test_each_run_has_its_loss():
    losses = {loss: script.Run("cnn", loss, 0.9, 0).make_loss() for loss in script.LOSSES}
    assert losses["margin"].margin == 0.9
    assert isinstance(losses["margin"], script.MarginBinaryCrossentropy)
    assert isinstance(losses["cross-entropy"], keras.losses.BinaryCrossentropy)
    assert isinstance(losses["focal"], keras.losses.BinaryFocalCrossentropy)


@pytest.mark.parametrize("margin", [0.6, 0.7])
@pytest.mark.parametrize("loss", script.LOSSES)
def test_active_share_is_that_of_reviews_not_yet_right_by_the_margin(small, data, loss, margin, monkeypatch):
    """Whatever the loss; asked of a network that says what the first word is worth and has nothing to train."""
    first_word = keras.layers.Lambda(lambda x: keras.ops.cast(x[:, :1], "float32") / 21)
    network = keras.Sequential([keras.Input((12,), dtype="int32"), first_word])
    monkeypatch.setattr(script, "lean", lambda _: network)
    active = script.train(script.Run("cnn", loss, margin, 0), data, ignore)["epochs"]["active"]
    p = data[0][:, 0] / 21
    share = np.mean(np.where(data[1] == 1, p, 1 - p) <= margin)
    assert 0.2 < share < 0.9
    assert active == pytest.approx([share] * 2, abs=1e-4)


def test_crossentropy_is_the_mean_over_reviews():
    p, y = np.array([0.9, 0.2, 1.0]), np.array([1, 0, 1])
    assert script.crossentropy(p, y) == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 3)


def test_processes_of_other_networks_or_seeds_share_the_baselines():
    texts = [np.array([5, 6, 7]), np.array([8, 9, 7])] * 3
    labels = np.array([1, 0] * 3)
    imdb = SimpleNamespace(train=texts, test=texts, train_labels=labels, test_labels=labels)
    names = [
        [record["network"] for record in script.baselines(imdb, networks, [0, 1], set())]
        for networks in (["cnn"], ["lstm"])
    ]
    assert names == [["whole reviews", "what the CNN reads"], ["what the LSTM reads"]]
    (record,) = script.baselines(imdb, ["lstm"], [0], set())
    assert record["epochs"]["test_accuracy"] == [1.0]
    done = {script.Run(record["network"], record["loss"], None, None)}
    assert list(script.baselines(imdb, ["lstm"], [0], done)) == []
    assert list(script.baselines(imdb, ["lstm"], [1, 2], set())) == []


# --- the queue ---------------------------------------------------------------------------------------------


def test_each_seed_is_finished_before_the_next():
    seeds = [run.seed for run in script.queue(["cnn", "lstm"], [0, 1, 2, 3, 4], sweep=False)]
    assert seeds == [seed for seed in range(5) for _ in range(6)]


def test_sweep_follows_the_comparison():
    runs = script.queue(["cnn"], [0, 1, 2, 3, 4], sweep=True)
    assert [run.margin == 0.6 for run in runs] == [True] * 15 + [False] * 15


def test_processes_of_different_seeds_share_no_runs():
    first, second = (script.queue(["cnn", "lstm"], seeds, sweep=True) for seeds in ([0, 2], [1, 3, 4]))
    assert not set(first) & set(second)
    assert set(first) | set(second) == set(script.queue(["cnn", "lstm"], [0, 1, 2, 3, 4], sweep=True))


def test_sweep_shares_the_runs_of_the_article_s_margin():
    runs = script.queue(["cnn"], [0, 1, 2, 3, 4], sweep=True)
    assert len(runs) == len(set(runs))
    margins = {(run.margin, run.seed) for run in runs if run.loss == "margin" and run.seed < 3}
    assert margins == {(m, seed) for m in (0.55, 0.6, 0.7, 0.8, 0.9, 0.95) for seed in range(3)}


# --- calibration -------------------------------------------------------------------------------------------


def test_calibration_bins_hold_means_and_shares():
    bins = script.calibration(np.array([0.0, 0.04, 0.92, 0.96, 1.0]), np.array([0, 1, 1, 1, 0]))
    assert (bins["count"][0], bins["count"][9]) == (2, 3)
    assert (bins["mean_p"][0], bins["mean_p"][9]) == (0.02, 0.96)
    assert (bins["share_positive"][0], bins["share_positive"][9]) == (0.5, 0.6667)
    assert bins["ece"] == pytest.approx((2 * 0.48 + 3 * (0.96 - 2 / 3)) / 5, abs=1e-5)
