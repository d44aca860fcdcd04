"""Sentences about cars: the contest's files in all their conditions, the grammar, and folds."""

from collections import Counter
from itertools import count

import numpy as np
import pytest

from kexue_nlp.datasets import DatasetUnavailable, load_viewpoints
from kexue_nlp.datasets.viewpoints import POLARITIES, car_sentences

TRAIN = "SentenceId\tContent\r\n001\t我喜欢本田，我不喜欢丰田。\r\n002\t今天天气好。\r\n003\t大众新POLO路试\r\n"
LABEL = "SentenceId\tView\tOpinion\r\n001\t本田\tpos\r\n001\t丰田\tneg\r\n003\t大众POLO\tneu\r\n"
VIEW = "ViedId\tView\r\n1\t本田\r\n2\t丰田\r\n3\t本田\r\n"
TEST = "SentenceId\tContent\n101\t没有标签的句子。\n"


@pytest.fixture
def write(tmp_path):
    def write(**changed):
        texts = {"Train": TRAIN, "Label": LABEL, "View": VIEW, "Test": TEST} | changed
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_bytes(text.encode("gb18030"))
        return tmp_path

    return write


def test_contest_files_are_read(write):
    data = load_viewpoints("full", write())
    assert data.sentences == ["我喜欢本田，我不喜欢丰田。", "今天天气好。", "大众新POLO路试"]
    assert data.labels == [(("本田", "pos"), ("丰田", "neg")), (), (("大众POLO", "neu"),)]
    assert data.gazetteer == ("本田", "丰田")
    assert data.unlabelled == ["没有标签的句子。"]
    assert data.skipped == {}


def test_repeated_labels_and_blank_sentences_are_left_out_and_counted(write):
    more = "001\t本田\tpos\r\n001\t丰田\tpos\r\n001\t本田\tpos\r\n"
    data = load_viewpoints("full", write(Label=LABEL + more))
    assert data.labels[0] == (("本田", "pos"), ("丰田", "neg"))
    assert data.skipped == {"label given twice": 2, "label with another polarity than before": 1}
    whole = load_viewpoints("full", write())
    data = load_viewpoints("full", write(Train=TRAIN + "004\t \r\n", Label=LABEL + "004\t本田\tpos\r\n"))
    assert (data.sentences, data.labels) == (whole.sentences, whole.labels)
    assert data.skipped == {"blank sentence": 1, "label of a blank sentence": 1}


def test_the_real_contest_when_it_is_there():
    try:
        data = load_viewpoints("full")
    except DatasetUnavailable:
        pytest.skip("the contest's files are not on this machine")
    polarities = Counter(polarity for labels in data.labels for _, polarity in labels)
    assert (len(data.sentences), len(data.unlabelled), len(data.gazetteer)) == (7999, 20171, 2452)
    assert polarities == {"neu": 5410, "pos": 3809, "neg": 1526}
    assert data.skipped == {"blank sentence": 1, "label given twice": 12, "label with another polarity than before": 5}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Label": LABEL + "009\t本田\tpos\r\n"}, r"Label\.csv, line 5: no sentence has the id '009'"),
        ({"Label": LABEL + "001\t奔驰\tgood\r\n"}, r"line 5: the polarity is 'good'"),
        ({"Label": LABEL + "001\t \tpos\r\n"}, "line 5: a cell is blank"),
        ({"View": VIEW + "4\t\r\n"}, r"View\.csv, line 5: a cell is blank"),
        ({"Train": TRAIN + "004 没有制表符\r\n"}, r"Train\.csv, line 5: 1 columns"),
        ({"Train": TRAIN + "001\t又一句\r\n"}, "occurs twice"),
        ({"Test": "SentenceId\tContent\n"}, "nothing after the header"),
        ({"Test": ""}, "nothing after the header"),
    ],
    ids=count(),
)
def test_a_malformed_line_is_named(write, changed, message):
    with pytest.raises(ValueError, match=message):
        load_viewpoints("full", write(**changed))


def test_unusable_lines_may_be_left_out_and_are_counted(write):
    before = load_viewpoints("full", write())
    bad = "009\t本田\tpos\r\n001\t奔驰\tgood\r\n001\t \tpos\r\n"
    path = write(Train=TRAIN + "009 没有制表符\r\n", Label=LABEL + bad) / "View.csv"
    path.write_bytes(path.read_bytes() + b"9\t\xe5\xff\r\n")
    data = load_viewpoints("full", path.parent, errors="skip")
    assert (data.sentences, data.labels, data.gazetteer) == (before.sentences, before.labels, before.gazetteer)
    assert data.skipped == {**before.skipped, "unusable line": 5}


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Train\.csv"):
        load_viewpoints("full", tmp_path)
    with pytest.raises(ValueError, match="folder"):
        load_viewpoints("sample", tmp_path)
    with pytest.raises(ValueError, match="from 0 to"):
        car_sentences(10**6)


def test_folds_are_even_and_keep_near_duplicates_together(write):
    texts = [f"第{'一二三四五六七八九十'[i]}句话。" for i in range(10)]
    twins = [f"{text} ABC{i}!" for i, text in enumerate(texts)]
    rows = "".join(f"{i}\t{text}\n" for i, text in enumerate(texts + twins))
    data = load_viewpoints("full", write(Train="SentenceId\tContent\n" + rows, Label="a\tb\tc\n0\t本田\tpos\n"))
    folds = data.folds(5, seed=3)
    assert (folds[:10] == folds[10:]).all()
    assert np.bincount(folds).tolist() == [4] * 5
    assert (folds == data.folds(5, seed=3)).all()
    assert (folds != data.folds(5, seed=4)).any()
    with pytest.raises(ValueError, match="10 different sentences"):
        data.folds(11)


def test_grammar_makes_different_sentences_whose_labels_occur_in_them():
    sentences, labels = car_sentences(3000)
    assert len(set(sentences)) == 3000
    for sentence, pairs in zip(sentences, labels, strict=True):
        assert pairs
        assert all(view in sentence and polarity in POLARITIES for view, polarity in pairs)
    assert car_sentences(100) == (sentences[:100], labels[:100])
    assert car_sentences(100, seed=1) != car_sentences(100)
    # What makes the task hard.
    data = load_viewpoints()
    names = {view for pairs in data.labels for view, _ in pairs}
    assert names - set(data.gazetteer)  # names that no list knows
    assert any(a != b and a in b for a in names for b in names)  # names inside names
    assert any(len(name) == 1 for name in names)
    assert any(len({polarity for _, polarity in pairs}) == 2 for pairs in data.labels)
    pairs = zip(data.sentences, data.labels, strict=True)
    assert any(len(p) == 2 and p[0][0] + p[1][0] in s for s, p in pairs)  # names side by side
    assert all(any(word in s for s in data.sentences) for word in ("一点也不", "比"))
    assert not set(data.sentences) & set(data.unlabelled)
