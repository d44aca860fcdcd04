"""Digits: their layout, what a damaged file says, the retrieval split, and the numbers of the real files."""

import os
import subprocess
import sys
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from kexue_nlp.datasets import DatasetUnavailable, fetch, images, load_images, retrieval_split

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
needs_mnist = pytest.mark.skipif(
    not (REAL_DATA and Path(REAL_DATA, "mnist/mnist.npz").is_file()), reason="KEXUE_NLP_DATA holds no mnist"
)
pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def mnist(tmp_path):
    """Write a small file in the layout of MNIST: 4 training pictures and 2 test pictures."""
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


# Layout


def test_test_pictures_follow_the_training_pictures(mnist):
    data = load_images("full")
    both = np.concatenate([mnist.arrays["x_train"], mnist.arrays["x_test"]])
    np.testing.assert_array_equal(np.rint(data.pixels * 255).reshape(6, *data.shape), both)
    assert data.labels.tolist() == [3, 1, 4, 1, 5, 9]


@pytest.mark.parametrize("source", ["sample", "full"])
def test_pixels_are_float32_between_zero_and_one(mnist, source):
    pixels = load_images(source).pixels
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)


@pytest.mark.parametrize("source", ["sample", "full"])
def test_labels_are_int64(mnist, source):
    assert load_images(source).labels.dtype == np.int64


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="source must be one of 'sample', 'full', not 'all'"):
        load_images("all")


# Damage


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_test": None}, "x_test"),
        ({"x_train": np.zeros((4, 784), np.uint8)}, r"x_train is uint8 of shape \(4, 784\), not uint8"),
        ({"x_train": np.zeros((4, 28, 28))}, r"x_train is float64 of shape \(4, 28, 28\), not uint8"),
        ({"x_train": np.uint8(0)}, r"x_train is uint8 of shape \(\), not uint8"),
        ({"y_test": np.zeros(3, np.uint8)}, r"y_test \(uint8 of shape \(3,\)\) .* the 2 pictures"),
        ({"y_test": np.array([5, 10], np.uint8)}, "y_test .* not a digit from 0 to 9"),
        ({"y_test": np.array([5, None])}, "cannot be read: Object arrays"),
    ],
)
def test_other_layout_is_refused_with_its_file(mnist, changed, message):
    mnist(**changed)
    with pytest.raises(ValueError, match=rf"mnist\.npz.*{message}"):
        load_images("full")


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_cut_file_is_refused_with_its_name(mnist, keep):
    mnist.path.write_bytes(mnist.path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"mnist\.npz is not a whole \.npz archive; replace the file"):
        load_images("full")


def test_damaged_pixels_are_refused(mnist):
    content = bytearray(mnist.path.read_bytes())
    content[1000] ^= 0xFF
    mnist.path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz cannot be read: .*; replace the file"):
        load_images("full")


def test_pickle_in_place_of_the_file_is_not_loaded(mnist):
    np.save(mnist.path.with_suffix(".npy"), np.array([print], dtype=object), allow_pickle=True)
    mnist.path.with_suffix(".npy").replace(mnist.path)
    with pytest.raises(ValueError, match=r"is not a whole \.npz archive"):
        load_images("full")


# Where it comes from


def test_absent_mnist_offline_says_what_to_do():
    with pytest.raises(DatasetUnavailable, match="run `kexue-nlp fetch mnist`"):
        load_images("full")


def test_download_that_is_not_the_published_file_is_refused(mnist, tmp_path, monkeypatch):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = mnist.path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    monkeypatch.setenv("KEXUE_NLP_DATA", str(tmp_path / "nothing here"))
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("KEXUE_NLP_MIRROR", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(DatasetUnavailable, match="does not match the known hash"):
            fetch("mnist")
        server.shutdown()
    assert set(asked) == {"/mnist.npz"}


def test_address_and_hash_are_those_of_keras():
    from keras.src.datasets import mnist as keras_mnist

    text = Path(keras_mnist.__file__).read_text()
    (download,) = images.MNIST.downloads
    folder, _, name = download.urls[0].rpartition("/")
    assert all(part in text for part in (folder, name, download.sha256))


def test_sample_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DatasetUnavailable, match="run `pip install scikit-learn`"):
        load_images()


def test_listing_the_data_sets_imports_neither_numpy_nor_sklearn():
    code = "import sys, kexue_nlp.datasets; assert not {'numpy', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Queries and database


def test_every_item_is_a_query_or_in_the_database():
    queries, database = retrieval_split(np.arange(60) % 4, per_class=5)
    assert sorted([*queries.tolist(), *database.tolist()]) == list(range(60))


def test_every_class_gives_the_same_number_of_queries():
    labels = np.array(["a"] * 30 + ["b"] * 7)
    queries, _ = retrieval_split(labels, per_class=5)
    assert np.unique(labels[queries], return_counts=True)[1].tolist() == [5, 5]


def test_indices_ascend():
    assert all((np.diff(part) > 0).all() for part in retrieval_split(np.arange(60) % 4, per_class=5))


def test_same_seed_gives_the_same_queries():
    labels = np.arange(60) % 4
    first, second = (retrieval_split(labels, per_class=5, seed=3)[0].tolist() for _ in range(2))
    assert first == second


def test_another_seed_gives_other_queries():
    labels = np.arange(60) % 4
    first, second = (retrieval_split(labels, per_class=5, seed=seed)[0].tolist() for seed in (3, 4))
    assert first != second


@pytest.mark.parametrize(
    ("labels", "per_class", "message"),
    [
        ([1, 1, 1, 2, 2], 2, "class 2 has 2 items; 2 queries of it leave none"),
        ([[1, 1], [2, 2]], 1, r"one dimension, got shape \(2, 2\)"),
        ([1, 1], 0, "per_class must be at least 1, got 0"),
    ],
)
def test_impossible_split_is_refused(labels, per_class, message):
    with pytest.raises(ValueError, match=message):
        retrieval_split(labels, per_class)


# The real files


def test_digits_have_their_known_size():
    data = load_images()
    assert (data.pixels.shape, data.shape) == ((1_797, 64), (8, 8))
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.fixture
def real_mnist(monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", REAL_DATA)


@needs_mnist
def test_mnist_has_its_known_size(real_mnist):
    data = load_images("full")
    assert (data.pixels.shape, data.shape) == ((70_000, 784), (28, 28))
    counts = [6_903, 7_877, 6_990, 7_141, 6_824, 6_313, 6_876, 7_293, 6_825, 6_958]
    assert np.bincount(data.labels).tolist() == counts


@needs_mnist
def test_mnist_begins_with_a_five_and_ends_with_a_six(real_mnist):
    data = load_images("full")
    assert data.labels[[0, 59_999, 60_000, 69_999]].tolist() == [5, 8, 7, 6]


@needs_mnist
def test_mnist_is_never_held_twice_as_floats(real_mnist):
    tracemalloc.start()
    data = load_images("full")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.4 * data.pixels.nbytes  # the floats, and the bytes they are made from


@needs_mnist
def test_a_hundred_queries_of_each_digit_leave_69000_images(real_mnist):
    queries, database = retrieval_split(load_images("full").labels, per_class=100)
    assert (len(queries), len(database)) == (1_000, 69_000)
