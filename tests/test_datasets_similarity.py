"""Word pairs: the layouts they come in, malformed rows, and the numbers of the real files."""

import os
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from kexue_nlp.datasets import load_word_similarity
from kexue_nlp.datasets.similarity import read_word_pairs

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
WORDSIM = Path(REAL_DATA or "nowhere", "wordsim")
needs_wordsim = pytest.mark.skipif(not WORDSIM.is_dir(), reason="KEXUE_NLP_DATA holds no wordsim")
pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        path = tmp_path / "pairs.txt"
        path.write_text(text, encoding="utf-8", newline="")
        return list(zip(*(list(column) for column in read_word_pairs(path)), strict=True))

    return write_and_read


PAIRS = [("tiger", "cat", 7.35), ("FBI", "ice cream", 0.5)]


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
    assert read("word phrase 50.000\n river   water 49\n") == [("word", "phrase", 50.0), ("river", "water", 49.0)]


NO_PAIR = "is not two words and a score"
MALFORMED = ("tiger\tcat", "tiger", "tiger\tcat\tseven", "tiger\tcat\tnan", "\tcat\t7", "tiger\t\t7", "tiger\tcat\t")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"# heading\nplane\tcar\t5.77\n{row}\n", rf"pairs\.txt, line 3: .*{NO_PAIR}") for row in MALFORMED),
        ("plane\tcar\t5.77\nWord 1\tWord 2\tHuman (mean)\n", f"line 2: .*{NO_PAIR}"),
        ("sun-n sunlight-n 50.0\n", "line 1: 'sun-n' is a lemma .* natural forms"),
        ("# nothing\n", r"pairs\.txt holds no word pairs"),
    ],
    ids=count(),
)
def test_other_content_is_refused(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("name", "size", "lowest", "highest", "closet"),
    [("wordsim353", 353, 0.23, 10.0, 8.0), ("simlex999", 999, 0.23, 9.8, 3.27)],
    ids=["wordsim353", "simlex999"],
)
def test_packaged_sets_are_as_published(name, size, lowest, highest, closet):
    pairs = load_word_similarity(name)
    assert len(pairs.first) == len(pairs.second) == len(pairs.scores) == size
    assert (pairs.scores.min(), pairs.scores.max()) == (lowest, highest)
    scores = dict(zip(map(frozenset, zip(pairs.first, pairs.second, strict=True)), pairs.scores, strict=True))
    assert scores[frozenset({"closet", "clothes"})] == closet


@needs_wordsim
def test_men_has_its_known_size(monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", REAL_DATA)
    pairs = load_word_similarity("men")
    assert len(pairs.scores) == 3_000
    assert (pairs.scores.min(), pairs.scores.max()) == (0.0, 50.0)


@needs_wordsim
@pytest.mark.parametrize(("name", "file"), [("wordsim353", "EN-WS-353-ALL.txt"), ("simlex999", "EN-SIMLEX-999.txt")])
def test_packaged_sets_equal_other_collections(name, file):
    pairs = load_word_similarity(name)
    first, second, scores = read_word_pairs(WORDSIM / file)
    assert (pairs.first, pairs.second) == (first, second)
    np.testing.assert_array_equal(pairs.scores, scores)
