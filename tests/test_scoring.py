import importlib
import itertools
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.datasets import available, load_segmentation
from kexue_nlp.lexicon import forward_maximum_matching
from kexue_nlp.scoring import WordScores, score_viewpoints, score_words

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
bakeoff = importlib.import_module("bakeoff")

DIFF = shutil.which("diff")
IS_GNU = DIFF and "GNU" in subprocess.run([DIFF, "--version"], capture_output=True, text=True).stdout
# Words that repeat within a sentence, but never six times: there the alignment is a longest one.
sentences = st.lists(st.sampled_from("甲乙丙丁"), min_size=1, max_size=12).filter(
    lambda words: max(Counter(words).values()) <= 5
)


def changes(gold, predicted):
    scores = score_words([gold], [predicted], align=bakeoff.align)
    return scores.insertions, scores.deletions, scores.substitutions


@pytest.mark.parametrize(
    ("corpus", "size", "counts", "rates"),
    [
        ("msr", (3985, 106873), (4993, 386, 4239), (0.937, 0.917, 0.957, 0.026, 0.025, 0.982)),
        ("pku", (1944, 104372), (9274, 1365, 8375), (0.874, 0.843, 0.907, 0.058, 0.069, 0.958)),
    ],
    ids=["msr", "pku"],
)
def test_maximum_matching_gets_the_official_counts_and_rates(corpus, size, counts, rates):
    if not available()["bakeoff2005"].present:
        pytest.skip("the bakeoff 2005 data is not on this machine: `kexue-nlp fetch bakeoff2005`")
    data = load_segmentation("full", corpus=corpus)
    predicted = forward_maximum_matching((line.strip() for line in data.test_text), data.training_words)
    scores = score_words(data.test, predicted, data.training_words, bakeoff.align)
    assert (scores.lines, scores.gold_words) == size
    assert (scores.insertions, scores.deletions, scores.substitutions) == counts
    found = scores.f1, scores.precision, scores.recall, scores.oov_rate, scores.oov_recall, scores.iv_recall
    assert found == pytest.approx(rates, abs=5e-4)
    assert score_words(data.test, data.test).f1 == 1.0
    assert score_words(data.test, predicted).f1 == pytest.approx(scores.f1, abs=1e-4)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        pytest.param("扫描 二维码", "扫描 二维码", (0, 0, 0), id="equal"),
        pytest.param("关注 微信号", "关注 微 信号", (1, 0, 1), id="one word becomes two"),
        pytest.param("关注 微 信号", "关注 微信号", (0, 1, 1), id="two words become one"),
        pytest.param("研究 生命", "研究生 命", (0, 0, 2), id="two words become two others"),
        pytest.param("烦 不 烦", "不 烦", (0, 1, 0), id="first word missing"),
        pytest.param("烦 不 烦", "烦 不 烦 ？", (1, 0, 0), id="word added"),
        pytest.param("烦 不 烦", "", (0, 3, 0), id="nothing predicted"),
        # The script pairs words within a change only, so two changes apart never make a substitution.
        pytest.param("甲 乙 丙", "乙 丙 丁", (1, 1, 0), id="two changes apart"),
        # The first 乙 for 甲 would be a substitution, but it slides down past its twin.
        pytest.param("甲 乙", "乙 乙 甲", (2, 1, 0), id="run slides down"),
        # 的 could match once, but stands six times among words that are foreign to the other side.
        pytest.param("甲 甲 丙 的 乙 丙 丙 丙", "的 的 的 的 庚 戊 的 的", (0, 0, 8), id="frequent word dropped"),
        # Before the ninth word of a foreign stretch, and up to the next foreign one, it is kept.
        pytest.param("甲 乙 的 甲 乙 的 甲 乙 的 丙 丙 丙 丙", "的 " * 6, (0, 7, 3), id="frequent word kept"),
    ],
)
def test_changes_are_counted_as_diff_shows_them(gold, predicted, expected):
    assert changes(gold.split(), predicted.split()) == expected


def test_recall_is_split_by_vocabulary_and_none_where_there_are_no_words():
    gold = [["扫描", "二维码", "，"], ["关注", "微信号", "微信号", "。"]]
    predicted = [["扫描", "二维码", "，"], ["关", "注", "微", "信号", "微信号", "。"]]
    scores = score_words(gold, predicted, vocabulary=["扫描", "关注", "，", "。"])
    # Outside: 二维码 found, 微信号 found once of twice. Inside: all but 关注.
    assert (scores.oov_rate, scores.oov_recall, scores.iv_recall) == pytest.approx((3 / 7, 2 / 3, 3 / 4))
    for vocabulary, expected in (({"甲"}, (0.0, None, 1.0)), ((), (1.0, 1.0, None)), (None, (None, None, None))):
        scores = score_words([["甲"]], [["甲"]], vocabulary)
        assert (scores.oov_rate, scores.oov_recall, scores.iv_recall) == expected


def test_moved_quote_costs_one_word_per_line_and_not_the_rest_of_the_line():
    # As on 19 lines of the MSR test: the gold text has the opening quote at the end of the line before.
    gold = [["说", "：", "“"], ["整天", "算帐", "烦恼"]]
    predicted = [["说", "："], ["“", "整天", "算帐", "烦恼"]]
    scores = score_words(gold, predicted)
    assert (scores.correct, scores.insertions, scores.deletions) == (5, 1, 1)


def test_blank_gold_line_is_skipped_with_a_warning_if_words_are_predicted():
    assert score_words([["甲"], []], [["甲"], []]).lines == 1
    with pytest.warns(UserWarning, match="line 2 skipped: no gold word, but 1 predicted"):
        scores = score_words([["甲"], []], [["甲"], ["乙"]])
    assert scores.predicted_words == 1


def test_white_space_is_no_word_and_nothing_at_all_scores_zero():
    assert score_words([["甲", "乙"]], [["甲", " ", "\u3000", "\t", "", "乙"]]).f1 == 1.0
    scores = score_words([[], [" "]], [[], [" "]], vocabulary={"甲"})
    assert (scores.precision, scores.recall, scores.f1, scores.oov_rate) == (0.0, 0.0, 0.0, None)
    scores = score_viewpoints([[]], [[]])
    assert scores.contest_f1 == scores.strict_f1 == scores.precision == 0.0


def test_scores_print_large_counts_with_commas_and_no_vocabulary_unless_given():
    scores = WordScores(3985, 106873, 111480, 102248, 4993, 386, 4239, 0.026, None, 0.982)
    assert "lines 3,985, gold words 106,873, predicted 111,480, correct 102,248\n" in str(scores)
    assert str(scores).endswith("\nout-of-vocabulary rate 0.026, recall --; in-vocabulary recall 0.982")
    assert "vocabulary" not in str(score_words([["甲"]], [["甲"]]))


@given(sentences, sentences)
def test_correct_words_are_a_longest_common_subsequence(x, y):
    table = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, j in itertools.product(range(len(x)), range(len(y))):
        table[i + 1][j + 1] = table[i][j] + 1 if x[i] == y[j] else max(table[i][j + 1], table[i + 1][j])
    assert score_words([x], [y], align=bakeoff.align).correct == table[-1][-1]


@pytest.mark.skipif(not IS_GNU, reason="no GNU diff here to compare with")
@pytest.mark.parametrize("kind", ["unrelated", "edited", "frequent word among foreign ones"])
def test_counts_agree_with_gnu_diff(kind, tmp_path):
    draw = random.Random(kind)
    for length in [5] * 20 + [30] * 40 + [100] * 40 + [200] * 40 + [600] * 10:
        words = [f"w{i}" for i in range(draw.choice([2, 4, 10, 30]))]
        gold = draw.choices(words, k=draw.randint(1, length))
        predicted = draw.choices([*words, "p1", "p2"], k=draw.randint(1, length))
        if kind == "edited":
            predicted = [word if draw.random() < 0.7 else draw.choice(predicted) for word in gold]
        elif kind == "frequent word among foreign ones":
            share = draw.uniform(0.05, 0.3)
            gold, predicted = (
                ["的" if draw.random() < share else draw.choice([own, own, own, "w"]) for _ in range(length)]
                for own in ("g", "p")
            )
            ends = ["的"] * draw.randint(0, 6)
            gold, predicted = [*ends, *gold, *ends], [*ends, *predicted, *ends]
        for name, side in (("gold", gold), ("predicted", predicted)):
            (tmp_path / name).write_text("".join(f"{word}\n" for word in side), encoding="utf-8")
        shown = subprocess.run(["diff", "-y", "gold", "predicted"], cwd=tmp_path, capture_output=True)
        signs = Counter(re.findall(rb"\s([<>|])(?=\s)", shown.stdout))
        assert changes(gold, predicted) == (signs[b">"], signs[b"<"], signs[b"|"]), (gold, predicted)


@pytest.mark.parametrize(
    ("score", "arguments", "error", "message"),
    [
        (score_words, ([["甲"], ["乙"]], [["甲"]]), ValueError, "gold has 2 lines but predicted has 1"),
        (score_words, ([["甲"]], [["甲"]], "微信号"), TypeError, "vocabulary is the str '微信号'"),
        (score_words, ([["甲"], ["微"]], [["甲"], "微 信号"]), TypeError, "line 2 of predicted is the str '微 信号'"),
        (score_words, ([[b"a"]], [["a"]]), TypeError, "expected str"),
        (score_viewpoints, ([[], []], [[]]), ValueError, "2 sentences are given and 1 predicted"),
        (score_viewpoints, ([[("本田", "pos"), ("本田", "neg")]], [[]]), ValueError, "two polarities"),
    ],
    ids=itertools.count(),
)
def test_what_cannot_be_scored_is_refused(score, arguments, error, message):
    with pytest.raises(error, match=message):
        score(*arguments)


def test_scoring_words_needs_neither_keras_nor_scipy():
    code = "import sys, kexue_nlp.scoring; assert not {'keras', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_viewpoint_metrics_on_a_worked_table():
    table = [
        ([("本田", "pos"), ("丰田", "neg")], [("丰田", "neu"), ("本田", "pos")]),  # one right, one wrong
        ([("大众", "neu")], [("途观", "neu")]),  # missed, and another found
        ([("奔驰", "neg"), ("宝马", "neu")], [("宝马", "neu"), ("奔驰", "neg")]),  # both right
        ([], [("奥迪", "pos")]),  # one found where there is none
        ([("唐", "pos")], []),  # missed
    ]
    scores = score_viewpoints(*zip(*table, strict=True))
    assert (scores.right, scores.wrong, scores.missed, scores.extra) == (3, 1, 2, 2)
    assert (scores.precision, scores.contest_recall, scores.strict_recall) == (3 / 6, 3 / 5, 3 / 6)
    assert (scores.contest_f1, scores.strict_f1) == pytest.approx((2 * 0.5 * 0.6 / 1.1, 0.5))


def test_a_view_predicted_twice_counts_once_with_its_most_frequent_polarity():
    gold, pos, neg = [[("本田", "neg")]], ("本田", "pos"), ("本田", "neg")
    assert score_viewpoints(gold, [[pos, neg, neg]]).right == 1
    assert score_viewpoints(gold, [[neg, pos]]).right == 1
    assert score_viewpoints(gold, [[pos, neg]]).wrong == 1
