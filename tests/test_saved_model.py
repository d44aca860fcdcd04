"""Files of models: what is written comes back; what is no such file is refused by name."""

import json

import numpy as np
import pytest

from kexue_nlp.saved_model import read_model, write_model


@pytest.fixture
def path(tmp_path):
    write_model(tmp_path / "toy.npz", 3, {"units": 2}, {"weights": np.eye(2), "empty": np.zeros(0)})
    return tmp_path / "toy.npz"


def test_meta_and_arrays_come_back(path):
    meta, arrays = read_model(path, 3, "toy")
    assert meta == {"units": 2}
    assert arrays.keys() == {"weights", "empty"}
    assert np.array_equal(arrays["weights"], np.eye(2))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_model(path, 3, {}, {})
    assert [file.name for file in path.parent.iterdir()] == ["toy.npz"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "arrays",
    [{"meta": np.eye(2)}, {"file": np.eye(2)}, {"weights": np.array([None])}],
    ids=["meta", "file", "object"],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, arrays):
    with pytest.raises(ValueError, match="cannot be stored"):
        write_model(tmp_path / "toy.npz", 3, {}, arrays)
    assert not list(tmp_path.iterdir())


def test_the_format_is_the_writer_s_and_numpy_integers_are_stored(tmp_path):
    write_model(tmp_path / "toy.npz", 3, {"format": 7, "units": np.int64(2)}, {})
    assert read_model(tmp_path / "toy.npz", 3, "toy") == ({"units": 2}, {})


def test_another_format_is_named(path):
    with pytest.raises(ValueError, match="has format 3, this version of kexue_nlp reads format 4"):
        read_model(path, 4, "toy")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        read_model(tmp_path / "none.npz", 3, "toy")


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_file_cut_short_is_refused(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="not a complete toy file"):
        read_model(path, 3, "toy")


def _bare_array(path):
    with path.open("wb") as file:
        np.save(file, np.eye(2))


def _pickle(path):
    with path.open("wb") as file:
        np.savez(file, meta=np.array(json.dumps({"format": 3})), weights=np.array([object()]))


def _no_meta(path):
    np.savez(path, weights=np.eye(2))


def _no_format(path):
    np.savez(path, meta=np.array("{}"))


def _no_object(path):
    np.savez(path, meta=np.array("[]"))


@pytest.mark.parametrize("write", [_bare_array, _pickle, _no_meta, _no_format, _no_object])
def test_any_other_file_is_refused(path, write):
    write(path)
    with pytest.raises(ValueError, match="not a complete toy file"):
        read_model(path, 3, "toy")
