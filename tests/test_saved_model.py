"""Models in one file: what is written comes back, anything else is refused by name, and a fork never hangs."""

import copy
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kexue_nlp.saved_model import SavedModel, network_parts, predict, restore_network


class Toy(SavedModel):
    _kind, _format, _pretrained = "toy", 3, ("toy", "make toy")

    def __init__(self, units, weights):
        self.units, self.weights = units, weights

    def _parts(self):
        return {"units": self.units}, {"weights": self.weights, "empty": np.zeros(0)}

    @classmethod
    def _from_parts(cls, meta, arrays):
        return cls(meta["units"], arrays["weights"] + 0)

    def __call__(self, x):
        return self.weights @ x


@pytest.fixture
def toy():
    return Toy(np.int64(2), np.array([[1 / 3, 0], [0, 2]]))


@pytest.fixture
def path(toy, tmp_path):
    toy.save(tmp_path / "toy.npz")
    return tmp_path / "toy.npz"


def test_a_model_comes_back_equal_and_independent(toy, path):
    toy._write(path, *toy._parts())
    for other in (Toy.load(path), pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(toy)))), copy.copy(toy)):
        assert (type(other), other.units, other.weights.tolist()) == (Toy, 2, toy.weights.tolist())
        other.weights[:] = 0
        assert toy([3, 1]).tolist() == [1, 2]


def test_attributes_of_a_pickled_model_can_be_set_before_its_first_use(toy):
    other = pickle.loads(pickle.dumps(toy))
    other.units = 5
    assert (other.units, copy.copy(other).units) == (5, 5)
    for model in (toy, pickle.loads(pickle.dumps(toy))):
        with pytest.raises(AttributeError, match="'Toy' object has no attribute 'height'"):
            _ = model.height


def test_a_pickled_model_may_be_used_first_by_many_threads_at_once(toy):
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            other = pickle.loads(pickle.dumps(toy))
            assert [tuple(answer) for answer in pool.map(lambda x, o=other: o(x), [[3, 1]] * 8)] == [(1, 2)] * 8


def test_half_precision_rounds_and_another_precision_is_refused(toy, path):
    toy.save(path, dtype="float16")
    with pytest.raises(ValueError, match="'float32' or 'float16', got 'int8'"):
        toy.save(path, dtype="int8")
    assert Toy.load(path).weights[0, 0] == np.float16(1 / 3)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(toy, path, monkeypatch):
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space"):
        toy.save(path)
    assert [file.name for file in path.parent.iterdir()] == ["toy.npz"]
    assert path.read_bytes() == before


def test_a_missing_file_and_another_format_are_named(path, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        Toy.load(tmp_path / "none.npz")
    with pytest.raises(FileNotFoundError, match=r"toy\.npz is not there; train it with `make toy`"):
        Toy.load()
    monkeypatch.setattr(Toy, "_format", 4)
    with pytest.raises(ValueError, match="has format 3, this version of kexue_nlp reads format 4"):
        Toy.load(path)


def test_a_file_with_a_changed_byte_or_no_end_is_refused_or_the_same(path):
    whole, refusals = path.read_bytes(), []
    damaged = [whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :] for i in range(len(whole))]
    for content in [*damaged, *(whole[:kept] for kept in (0, 1, 100, -1))]:
        path.write_bytes(content)
        try:
            assert Toy.load(path).weights.shape == (2, 2)
        except ValueError as error:
            refusals.append(str(error))
    assert all(str(path) in text for text in refusals)
    assert len(refusals) > 250


def test_any_other_file_is_refused(path):
    meta = np.array(json.dumps({"format": 3, "units": 2}))
    for content, message in (
        ({"meta": meta, "weights": np.array([object()])}, "not a complete toy file"),  # a pickle
        ({"meta": np.array("{}")}, "not a complete toy file"),  # no format
        ({"meta": meta}, "do not fit together as a toy"),  # a part is missing
    ):
        np.savez(path, **content)
        with pytest.raises(ValueError, match=message):
            Toy.load(path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, of its optimizer
def test_a_network_comes_back_whatever_it_was_trained_with():
    import keras

    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def loss(y, p):
        return (y - p) ** 2

    network.compile("adam", loss)
    description, weights = network_parts(network)
    other = restore_network(json.loads(json.dumps(description)), weights)
    x = np.ones((3, 2), np.float32)
    assert predict(other, x).tolist() == predict(network, x).tolist()


@pytest.mark.parametrize(("module", "name"), [("os", "mkdir"), ("keras.utils", "get_file")])
def test_code_that_a_description_names_is_not_run(tmp_path, module, name):
    made = tmp_path / "made"
    evil = {"module": module, "class_name": name, "config": {"path": str(made)}, "registered_name": name}
    with pytest.raises((ValueError, TypeError)):
        restore_network(evil, {})
    assert not made.exists()


FORK = """
import multiprocessing, pickle, threading, time
import kexue_nlp.saved_model as module
from test_saved_model import Toy

class Network:
    def predict_on_batch(self, inputs):
        time.sleep(inputs)

def child(results):
    results.put(str(packed([3, 1])[1]))
    try:
        results.put(module.predict(Network(), 0))
    except RuntimeError as error:
        results.put(str(error))

packed = pickle.loads(pickle.dumps(Toy(2, module.np.eye(2))))
threading.Thread(target=module.predict, args=(Network(), 5), daemon=True).start()
threading.Thread(target=lambda: module._unpacking.acquire() and time.sleep(5), daemon=True).start()
time.sleep(0.3)
fork = multiprocessing.get_context("fork")
results = fork.Queue()
process = fork.Process(target=child, args=(results,))
process.start()
print(results.get(timeout=10), results.get(timeout=10), sep="\\n")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_fork_inside_a_call_waits_for_no_lock():
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    run = subprocess.run(command, cwd=os.path.dirname(__file__), capture_output=True, text=True, timeout=60, check=True)
    of_a_model_without_network, answer = run.stdout.splitlines()
    assert of_a_model_without_network == "1.0"
    assert "spawn" in answer
