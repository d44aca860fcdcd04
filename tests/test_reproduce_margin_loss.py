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
script, runs = map(importlib.import_module, ("margin_loss", "runs"))


def small_cnn():
    return article_cnn(20, embedding=3, filters=4, hidden=5)


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Two small networks, trained for two epochs, and a folder of their own."""
    for name, build in (("cnn", small_cnn), ("lstm", lambda: article_lstm(20, embedding=3, units=4))):
        monkeypatch.setitem(script.NETWORKS, name, dataclasses.replace(script.NETWORKS[name], build=build, epochs=2))
    monkeypatch.setattr(script, "RUNS", tmp_path)


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).integers(0, 20, (84, 12)).astype(np.int32)
    y = (x[:, -1] > 10).astype(np.float32)
    return x[:64], y[:64], x[64:], y[64:]


def ignore(run, epochs):
    pass


def test_lean_network_trains_and_predicts_as_the_article_s(data):
    network = small_cnn()
    lean = script.lean(network)
    start = network.get_weights()
    for one in (network, lean):
        script.seed_dropout(one, 5, 1)
        one.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
        one.fit(data[0], data[1], batch_size=32, shuffle=False, verbose=0)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, network.get_weights(), strict=True))
    for ours, theirs in zip(lean.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
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


def test_interrupted_run_ends_as_an_uninterrupted_one(data, monkeypatch, tmp_path):
    def interrupt(run, epochs):
        raise KeyboardInterrupt

    def without_times(record):
        return record | {"seconds": None, "epochs": record["epochs"] | {"seconds": None}}

    run = script.Run("cnn", "margin", 0.6, 0)
    with pytest.raises(KeyboardInterrupt):
        script.train(run, data, interrupt)
    resumed = script.train(run, data, ignore)
    monkeypatch.setattr(script, "RUNS", tmp_path / "uninterrupted")
    record = script.train(run, data, ignore)
    assert without_times(resumed) == without_times(record)
    assert json.loads(json.dumps(record)) == record
    assert [len(values) for values in record["epochs"].values()] == [2] * 6
    assert sum(record["calibration"]["count"]) == 20  # every review of the test


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_losses_share_weights_batches_and_dropout(data, name, monkeypatch):
    seen = {}

    class Recorder(keras.Sequential):
        def fit(self, x, y, **options):
            state = [keras.ops.convert_to_numpy(v) for v in self.variables]
            seen.setdefault(type(self.loss), []).append([*state, x, y])
            return SimpleNamespace(history={"loss": [0], "accuracy": [0], "active": [0]})

        def predict(self, x, **options):
            return np.full((len(x), 1), 0.3)

    ids = keras.Input((None,), dtype="int32")
    monkeypatch.setattr(script, "lean", lambda network: Recorder([ids, *network.layers]))
    for loss in script.LOSSES:
        script.train(script.Run(name, loss, 0.6, 1), data, ignore)
    first, *others = seen.values()
    assert len(others) == 2
    for other in others:
        for epoch, other_epoch in zip(first, other, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(epoch, other_epoch, strict=True))
    assert not np.array_equal(first[0][-2], first[1][-2])  # another order in each epoch


def test_runs_come_back_in_order_and_a_line_cut_short_is_taken_out(tmp_path):
    path = tmp_path / "new folder" / "r.jsonl"
    assert runs.read_runs(path) == []
    records = [{"method": "果蝇", "k": 2}, {"method": "b", "k": None}]
    runs.append_run(path, records[0])
    with path.open("a") as file:
        file.write('{"k": 2, "ma')  # the script was killed here
    assert runs.read_runs(path) == records[:1]
    runs.append_run(path, records[1])
    assert runs.read_runs(path) == records


def test_finished_runs_are_read_back_and_each_has_its_loss(monkeypatch, tmp_path):
    monkeypatch.setattr(script, "RESULTS", tmp_path / "r.jsonl")
    run = script.Run("cnn", "margin", 0.55, 2)
    runs.append_run(script.RESULTS, dataclasses.asdict(run) | {"seconds": 1})
    assert script.finished() == {run}
    crossentropy, margin, focal = (script.Run("cnn", loss, 0.9, 0).make_loss() for loss in script.LOSSES)
    assert margin.margin == 0.9
    assert (type(crossentropy).__name__, type(focal).__name__) == ("BinaryCrossentropy", "BinaryFocalCrossentropy")


@pytest.mark.parametrize("loss", script.LOSSES)
def test_active_are_not_yet_right_by_the_margin(data, loss, monkeypatch):
    """Whatever the loss; asked of a network that says what the first word is worth and has nothing to train."""
    first_word = keras.layers.Lambda(lambda x: keras.ops.cast(x[:, :1], "float32") / 21)
    network = keras.Sequential([keras.Input((12,), dtype="int32"), first_word])
    monkeypatch.setattr(script, "lean", lambda _: network)
    active = script.train(script.Run("cnn", loss, 0.7, 0), data, ignore)["epochs"]["active"]
    p = data[0][:, 0] / 21
    share = np.mean(np.where(data[1] == 1, p, 1 - p) <= 0.7)
    assert 0.2 < share < 0.9
    assert active == pytest.approx([share] * 2, abs=1e-4)


def test_crossentropy_and_calibration_hold_means_and_shares():
    p, y = np.array([0.9, 0.2, 1.0]), np.array([1, 0, 1])
    assert script.crossentropy(p, y) == pytest.approx(-(np.log(0.9) + np.log(0.8)) / 3)
    bins = script.calibration(np.array([0.0, 0.04, 0.92, 0.96, 1.0]), np.array([0, 1, 1, 1, 0]))
    ends = [(bins[key][0], bins[key][9]) for key in ("count", "mean_p", "share_positive")]
    assert ends == [(2, 3), (0.02, 0.96), (0.5, 0.6667)]
    assert bins["ece"] == pytest.approx((2 * 0.48 + 3 * (0.96 - 2 / 3)) / 5, abs=1e-5)


def test_processes_of_other_networks_or_seeds_share_the_baselines():
    texts, labels = [np.array([5, 6, 7]), np.array([8, 9, 7])] * 3, np.array([1, 0] * 3)
    imdb = SimpleNamespace(train=texts, test=texts, train_labels=labels, test_labels=labels)
    cnn, lstm = (list(script.baselines(imdb, [network], [0, 1], set())) for network in ("cnn", "lstm"))
    assert [record["network"] for record in cnn] == ["whole reviews", "what the CNN reads"]
    assert [record["network"] for record in lstm] == ["what the LSTM reads"]
    assert lstm[0]["epochs"]["test_accuracy"] == [1.0]
    done = {script.Run(lstm[0]["network"], lstm[0]["loss"], None, None)}
    assert list(script.baselines(imdb, ["lstm"], [0], done)) == []
    assert list(script.baselines(imdb, ["lstm"], [1, 2], set())) == []


def test_queue_takes_seed_after_seed_and_the_sweep_last():
    runs = script.queue(["cnn", "lstm"], range(5), sweep=True)
    comparison, sweep = runs[:30], runs[30:]
    assert [run.seed for run in comparison] == [seed for seed in range(5) for _ in range(6)]
    assert comparison == script.queue(["cnn", "lstm"], range(5), sweep=False)
    assert len(set(script.queue(["cnn", "lstm"], range(5), sweep=False, stopped=True)) - set(runs)) == 40
    assert len(runs) == len(set(runs)) == 45  # the sweep shares the runs of the article's margin
    assert {(run.network, run.loss, run.margin, run.seed) for run in sweep} == {
        ("cnn", "margin", margin, seed) for margin in (0.55, 0.7, 0.8, 0.9, 0.95) for seed in range(3)
    }
    first, second = (set(script.queue(["cnn", "lstm"], seeds, sweep=True)) for seeds in ([0, 2], [1, 3, 4]))
    assert not first & second  # two processes
    assert first | second == set(runs)
