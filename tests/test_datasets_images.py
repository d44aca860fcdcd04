"""Digits: their layout, what a damaged file says, the retrieval split, and the numbers of the real files."""

import importlib.util
import os
import pickle
import tracemalloc
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kexue_nlp.datasets import images, load_images, retrieval_split

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
needs_mnist = pytest.mark.skipif(
    not (REAL_DATA and Path(REAL_DATA, "mnist/mnist.npz").is_file()), reason="KEXUE_NLP_DATA holds no mnist"
)
pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def mnist(tmp_path):
    """A small file in the layout of MNIST: 4 training pictures and 2 test pictures."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (4, 28, 28), dtype=np.uint8),
        "y_train": np.array([3, 1, 4, 1], dtype=np.uint8),
        "x_test": rng.integers(0, 256, (2, 28, 28), dtype=np.uint8),
        "y_test": np.array([5, 9], dtype=np.uint8),
    }
    path = tmp_path / "data/mnist/mnist.npz"
    path.parent.mkdir(parents=True)

    def write(**changed):
        kept = {name: array for name, array in (arrays | changed).items() if array is not None}
        np.savez_compressed(path, **kept)

    write()
    write.path, write.arrays = path, arrays
    return write


def test_test_pictures_follow_the_training_pictures_as_float32(mnist):
    data = load_images("full")
    both = np.concatenate([mnist.arrays["x_train"], mnist.arrays["x_test"]])
    np.testing.assert_array_equal(np.rint(data.pixels * 255).reshape(6, *data.shape), both)
    assert data.labels.tolist() == [3, 1, 4, 1, 5, 9]
    for either in (data, load_images("sample")):
        assert (either.pixels.dtype, either.labels.dtype) == (np.float32, np.int64)
        assert (either.pixels.min(), either.pixels.max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_test": None}, "x_test"),
        ({"x_train": np.zeros((4, 784), np.uint8)}, r"pictures are uint8 of shape \(4, 784\), not 28×28 uint8"),
        ({"x_train": np.zeros((4, 28, 28))}, r"pictures are float64 of shape \(4, 28, 28\), not"),
        ({"x_train": np.uint8(0)}, r"pictures are uint8 of shape \(\), not"),
        ({"y_test": np.zeros(3, np.uint8)}, r"labels \(uint8 of shape \(3,\)\) .* 2 pictures"),
        ({"y_test": np.array([5, 10], np.uint8)}, "labels .* not uint8 digits"),
        ({"y_test": np.array([5, None])}, "cannot be read: Object arrays"),
    ],
    ids=count(),
)
def test_other_layout_is_refused_with_its_file(mnist, changed, message):
    mnist(**changed)
    with pytest.raises(ValueError, match=rf"mnist\.npz.*{message}"):
        load_images("full")


def test_cut_or_damaged_file_or_pickle_is_refused_with_its_name(mnist):
    whole = mnist.path.read_bytes()
    for content in (b"", whole[:100], whole[:-1], pickle.dumps(print)):
        mnist.path.write_bytes(content)
        with pytest.raises(ValueError, match=r"mnist\.npz is not a whole \.npz archive; replace the file"):
            load_images("full")
    mnist.path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 0xFF]) + whole[1001:])
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be read: .*; replace the file"):
        load_images("full")


def test_address_and_hash_are_those_of_keras():
    folder = importlib.util.find_spec("keras").submodule_search_locations[0]
    text = Path(folder, "src/datasets/mnist.py").read_text()
    (download,) = images.MNIST.downloads
    assert all(part in text for part in (*download.urls[0].rsplit("/", 1), download.sha256))


def test_split_is_a_partition_with_as_many_queries_of_each_class():
    labels = np.array(["a"] * 30 + ["b"] * 7)
    queries, database = retrieval_split(labels, per_class=5)
    assert sorted([*queries.tolist(), *database.tolist()]) == list(range(37))
    assert np.unique(labels[queries], return_counts=True)[1].tolist() == [5, 5]
    assert all((np.diff(part) > 0).all() for part in (queries, database))
    same, other = (retrieval_split(labels, per_class=5, seed=seed)[0].tolist() for seed in (0, 1))
    assert queries.tolist() == same != other
    for impossible, per_class, message in (
        ([1, 1, 1, 2, 2], 2, "class 2 has 2 items; 2 queries of it leave none"),
        ([[1, 1], [2, 2]], 1, r"one dimension, got shape \(2, 2\)"),
        ([1, 1], 0, "per_class must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            retrieval_split(impossible, per_class)


@needs_mnist
def test_mnist_is_as_published_and_never_held_twice_as_floats(monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", REAL_DATA)
    tracemalloc.start()
    data = load_images("full")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.4 * data.pixels.nbytes  # the floats, and the bytes they are made from
    assert (data.pixels.shape, data.shape) == ((70_000, 784), (28, 28))
    counts = [6_903, 7_877, 6_990, 7_141, 6_824, 6_313, 6_876, 7_293, 6_825, 6_958]
    assert np.bincount(data.labels).tolist() == counts
    assert data.labels[[0, 59_999, 60_000, 69_999]].tolist() == [5, 8, 7, 6]
