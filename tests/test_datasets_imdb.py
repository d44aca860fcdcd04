"""Film reviews: the three sources, what is refused in their files, and how words become ids."""

import csv
import functools
import io
import os
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kexue_nlp.datasets import imdb, load_imdb
from kexue_nlp.datasets.imdb import read_texts, word_ids

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


@pytest.fixture(scope="module")
def real():
    @functools.cache
    def load(source):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KEXUE_NLP_DATA", REAL_DATA)
            return load_imdb(source)

    return load


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


def test_ids_of_unknown_words_and_of_an_empty_review_leave_the_ranks_alone():
    ranks = [np.array([0, 1]), np.array([9, 1]), np.array([], dtype=int)]
    assert word_ids(ranks, n_words=10, length=3).tolist() == [[1, 2, 4], [1, 2, 4], [0, 0, 1]]
    assert [row.tolist() for row in ranks] == [[0, 1], [9, 1], []]
