"""Word pairs: the layouts they come in, malformed rows, and the numbers of the real files."""

import os
import subprocess
import sys
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kexue_nlp.datasets import DatasetUnavailable, load_word_similarity
from kexue_nlp.datasets.similarity import read_word_pairs

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
MEN_PATH = "wordsim/EN-MEN-TR-3k.txt"
needs_men = pytest.mark.skipif(
    not (REAL_DATA and Path(REAL_DATA, MEN_PATH).is_file()), reason="KEXUE_NLP_DATA holds no MEN"
)
pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def read(tmp_path):
    """Write a text to a file and read it back as word pairs, one tuple per pair."""

    def write_and_read(text):
        path = tmp_path / "pairs.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(zip(*(list(column) for column in read_word_pairs(path)), strict=True))

    return write_and_read


PAIRS = [("tiger", "cat", 7.35), ("FBI", "ice cream", 0.5)]


# Layouts


@pytest.mark.parametrize(
    "text",
    [
        "tiger\tcat\t7.35\nFBI\tice cream\t0.5\n",
        "Word 1\tWord 2\tHuman (mean)\r\ntiger\tcat\t7.35\r\nFBI\tice cream\t0.5\r\n",
        "Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nFBI,ice cream,.5",
        "# a comment, with a comma\n# Word 1\tWord 2\tHuman (mean)\n\ntiger\tcat\t7.35\n \nFBI\tice cream\t0.5\n",
        "word1\tword2\tPOS\tSimLex999\tSD\ntiger\tcat\tN\t7.35\t1.1\nFBI\tice cream\tN\t0.5\t2\n",
        "\ufefftiger\tcat\t7.35\t13\nFBI\tice cream\t0.5\t16\n",
    ],
    ids=count(),
)
def test_published_layouts_are_read(read, text):
    assert read(text) == PAIRS


def test_columns_may_be_separated_by_spaces(read):
    pairs = [("sun", "sunlight", 50.0), ("river", "water", 49.0)]
    assert read("sun sunlight 50.000000\n river   water 49\n") == pairs


def test_pair_that_begins_with_word_is_a_pair(read):
    assert read("word\tphrase\t5\n") == [("word", "phrase", 5.0)]


# Malformed rows


@pytest.mark.parametrize(
    "row",
    ["tiger\tcat", "tiger", "tiger\tcat\tseven", "tiger\tcat\tnan", "\tcat\t7", "tiger\t\t7", "tiger\tcat\t"],
    ids=count(),
)
def test_malformed_row_is_reported_with_its_line(read, row):
    with pytest.raises(ValueError, match=r"pairs\.txt, line 3: .* is not two words and a score"):
        read(f"# heading\nplane\tcar\t5.77\n{row}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plane\tcar\t5.77\nWord 1\tWord 2\tHuman (mean)\n", "line 2: .* is not two words and a score"),
        ("sun-n sunlight-n 50.0\n", "line 1: 'sun-n' is a lemma .* natural forms"),
        ("# nothing\n", r"pairs\.txt holds no word pairs"),
        ("café\tnaïveté\t5\n".encode() + b"\xff\n", r"pairs\.txt: "),
    ],
    ids=["second heading", "lemma", "no pairs", "damaged text"],
)
def test_other_content_is_refused(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


# Where they come from


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="name must be one of 'wordsim353', 'simlex999', 'men', not 'rg65'"):
        load_word_similarity("rg65")


def test_men_is_read_from_the_data_folder(tmp_path):
    path = tmp_path / "data" / MEN_PATH
    path.parent.mkdir(parents=True)
    path.write_text("sun\tsunlight\t50.0\n")
    pairs = load_word_similarity("men")
    assert (pairs.name, pairs.first, pairs.second) == ("men", ("sun",), ("sunlight",))
    assert pairs.scores.tolist() == [50.0]


def test_absent_men_offline_says_what_to_do():
    with pytest.raises(DatasetUnavailable, match="run `kexue-nlp fetch men`"):
        load_word_similarity("men")


def test_loading_imports_neither_gensim_nor_scipy():
    code = (
        "import sys, kexue_nlp.datasets as d; assert 'numpy' not in sys.modules;"
        "d.load_word_similarity('wordsim353'); d.load_word_similarity('simlex999');"
        "assert not {'gensim', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The real files


@pytest.mark.parametrize(
    ("name", "size", "lowest", "highest"), [("wordsim353", 353, 0.23, 10.0), ("simlex999", 999, 0.23, 9.8)]
)
def test_packaged_sets_have_known_sizes(name, size, lowest, highest):
    pairs = load_word_similarity(name)
    assert len(pairs.first) == len(pairs.second) == len(pairs.scores) == size
    assert (pairs.scores.min(), pairs.scores.max()) == (lowest, highest)


@pytest.mark.parametrize(("name", "score"), [("wordsim353", 8.0), ("simlex999", 3.27)])
def test_related_things_need_not_be_similar(name, score):
    pairs = load_word_similarity(name)
    scores = dict(zip(map(frozenset, zip(pairs.first, pairs.second, strict=True)), pairs.scores, strict=True))
    assert scores[frozenset({"closet", "clothes"})] == score


def test_words_are_as_published():
    pairs = load_word_similarity("wordsim353")
    assert {"Jerusalem", "FBI", "OPEC"} <= {*pairs.first, *pairs.second}
    double = [pair for pair, n in Counter(zip(pairs.first, pairs.second, strict=True)).items() if n > 1]
    assert double == [("money", "cash")]


@needs_men
def test_men_has_its_known_size(monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", REAL_DATA)
    pairs = load_word_similarity("men")
    assert len(pairs.scores) == 3_000
    assert (pairs.scores.min(), pairs.scores.max()) == (0.0, 50.0)


@pytest.mark.parametrize(("name", "file"), [("wordsim353", "EN-WS-353-ALL.txt"), ("simlex999", "EN-SIMLEX-999.txt")])
def test_packaged_sets_equal_other_collections(name, file):
    path = Path(REAL_DATA or "nowhere", "wordsim", file)
    if not path.is_file():
        pytest.skip(f"KEXUE_NLP_DATA holds no {file}")
    pairs = load_word_similarity(name)
    first, second, scores = read_word_pairs(path)
    assert (pairs.first, pairs.second) == (first, second)
    np.testing.assert_array_equal(pairs.scores, scores)
