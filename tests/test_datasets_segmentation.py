"""Segmented text: parsing, splits, what is dropped, and the numbers of the real files."""

import functools
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from kexue_nlp.datasets import DatasetUnavailable, load_segmentation, segmentation
from kexue_nlp.datasets.segmentation import read_segmented, read_tagged
from kexue_nlp.text import normalise

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
HAS_BAKEOFF = bool(REAL_DATA) and Path(REAL_DATA, "icwb2-data/gold/pku_test_gold.utf8").is_file()
needs_bakeoff = pytest.mark.skipif(not HAS_BAKEOFF, reason="KEXUE_NLP_DATA holds no icwb2-data")
pytestmark = pytest.mark.usefixtures("own_folders")


@functools.cache
def real_bakeoff(corpus):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEXUE_NLP_DATA", REAL_DATA)
        return load_segmentation("full", corpus)


@pytest.fixture
def peoples_daily(tmp_path, monkeypatch):
    def write(lines):
        path = tmp_path / "199801.txt"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        terms = segmentation.PEOPLES_DAILY.terms
        monkeypatch.setattr(segmentation, "PEOPLES_DAILY", SimpleNamespace(fetch=lambda: [path], terms=terms))

    write([f"第/m  {number}/m  行/q" for number in range(20)])
    return write


@pytest.fixture
def bakeoff(tmp_path):
    def write(**files):
        for name, content in files.items():
            folder, stem = name.split("__")
            path = tmp_path / "data/icwb2-data" / folder / f"{stem}.utf8"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())

    write(
        testing__pku_test="我爱北京\r\n\r\n天安门\r\n",
        gold__pku_test_gold="我  爱  北京  \r\n\r\n天安门  \r\n",
        gold__pku_training_words="我\n爱\n",
    )
    return write


def text_of(rows):
    return ["".join(words) for words in rows]


def test_tags_are_stripped_and_any_white_space_separates_words(tmp_path):
    (tmp_path / "t").write_text("１２月/t  ３１日/t  ，/w\n//w  新华社/nt\n", encoding="utf-8")
    assert read_tagged(tmp_path / "t") == [["１２月", "３１日", "，"], ["/", "新华社"]]
    (tmp_path / "t").write_bytes("  我\u3000爱\t北京  天安门 \r\n北京\r\n".encode("gb18030"))
    assert read_segmented(tmp_path / "t") == [["我", "爱", "北京", "天安门"], ["北京"]]


def test_malformed_token_and_nul_are_named_by_line(tmp_path):
    for token in ("北京", "/ns", "北京/", "北京/n]nt", "北京/1"):
        (tmp_path / "t").write_text(f"我/r\n\n爱/v {token} 。/w\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"t, line 3: .*word/tag"):
            read_tagged(tmp_path / "t")
    for read in (read_tagged, read_segmented):
        (tmp_path / "t").write_bytes(b"a/n\nb/n c\0/n\n")
        with pytest.raises(ValueError, match="t, line 2: NUL"):
            read(tmp_path / "t")


def test_sample_is_tested_on_heldout_which_is_its_last_tenth(peoples_daily):
    data = load_segmentation()
    assert text_of(data.train + data.heldout) == [f"第{number}行" for number in range(20)]
    assert text_of(data.heldout) == ["第18行", "第19行"]
    assert (data.test, data.test_text) == (data.heldout, ["第18行", "第19行"])
    assert data.training_words == {"第", "行"} | {str(number) for number in range(18)}


def test_lines_of_the_test_are_dropped_at_hand_or_not(peoples_daily, bakeoff):
    peoples_daily(["图片/n  新闻/n", "１９９７年/t  ２月/t  ３日/t", "我/r  爱/v  北京/ns", "我/r  爱/v  上海/ns"])
    assert text_of(load_segmentation().train) == ["我爱北京", "我爱上海"]
    assert text_of(load_segmentation("full").train) == ["我爱上海"]


def test_full_data_keeps_blank_lines_and_knows_the_official_words(peoples_daily, bakeoff):
    data = load_segmentation("full")
    assert (data.test_text, data.test) == (["我爱北京", "", "天安门"], [["我", "爱", "北京"], [], ["天安门"]])
    assert data.training_words == {"我", "爱"}
    bakeoff(gold__pku_test_gold="我  爱  北京\n")
    with pytest.raises(ValueError, match=r"has 1 lines but .* has 3"):
        load_segmentation("full")


def test_official_training_file_is_read_when_present(bakeoff):
    with pytest.raises(DatasetUnavailable, match=r"put the file at icwb2-data/training/pku_training\.utf8"):
        load_segmentation("full", training="official")
    bakeoff(training__pku_training="".join(f"第  {number}  行  \r\n" for number in range(10)))
    data = load_segmentation("full", training="official")
    assert text_of(data.train + data.heldout) == [f"第{number}行" for number in range(10)]
    assert data.training == "official"
    assert data.split_names["train"] == "bakeoff 2005 PKU training, first nine tenths of the lines"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "full", "corpus": "as"}, "corpus must be one of 'pku', 'msr', not 'as'"),
        ({"source": "full", "training": "mine"}, "training must be one of .* not 'mine'"),
        ({"corpus": "msr"}, 'use source="full"'),
        ({"training": "official"}, 'use source="full"'),
    ],
    ids=count(),
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_segmentation(**arguments)


def test_sample_is_the_packaged_newspaper_without_207_lines():
    rows = read_tagged(segmentation.PEOPLES_DAILY.fetch()[0])
    words = [word for row in rows for word in row]
    assert (len(rows), len(words), len(set(words))) == (19_484, 1_121_447, 55_310)
    data = load_segmentation()
    assert (len(data.train), len(data.heldout)) == (17_350, 1_927)
    if HAS_BAKEOFF:
        test = set(map(normalise, real_bakeoff("pku").test_text))
        assert test.intersection(map(normalise, text_of(rows))) == segmentation.IN_PKU_TEST
        assert (data.train, data.heldout) == (real_bakeoff("pku").train, real_bakeoff("pku").heldout)


@needs_bakeoff
@pytest.mark.parametrize(
    ("corpus", "lines", "filled", "words", "known", "different"),
    [("pku", 1_945, 1_944, 104_372, 55_303, 0), ("msr", 3_985, 3_985, 106_873, 88_119, 16)],
    ids=["pku", "msr"],
)
def test_bakeoff_files_are_as_published_and_not_repaired(corpus, lines, filled, words, known, different):
    data = real_bakeoff(corpus)
    counts = (len(data.test_text), len(data.test), sum(map(bool, data.test)), sum(map(len, data.test)))
    assert counts == (lines, lines, filled, words)
    assert len(data.training_words) == known
    pairs = zip(data.test_text, text_of(data.test), strict=True)
    assert sum("".join(text.split()) != gold for text, gold in pairs) == different
