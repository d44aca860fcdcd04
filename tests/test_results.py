import math
from pathlib import Path

import pytest
import tables  # benchmarks/tables.py

from kexue_nlp.results import (
    hashing_table,
    label_curve,
    load_results,
    margin_sweep,
    margin_table,
    segmentation_table,
    semi_supervised_table,
    viewpoint_table,
    word_table,
)

ROOT = Path(__file__).parents[1]


def test_unknown_experiment_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no results called 'nonsense'; there are .*segmentation"):
        load_results("nonsense")


def test_stored_runs_begin_with_the_trivial_baseline():
    assert load_results("segmentation")[0]["method"].startswith("forward maximum matching")


def test_table_averages_over_seeds():
    runs = [
        {"method": "fmm", "seed": None, "test": "PKU", "scores": {"f1": 0.8, "oov_recall": 0.1}},
        {"method": "fmm", "seed": None, "test": "MSR", "scores": {"f1": 0.9, "oov_recall": 0.2}},
        {"method": "net", "seed": 0, "test": "PKU", "scores": {"f1": 0.9, "oov_recall": 0.5}},
        {"method": "net", "seed": 1, "test": "PKU", "scores": {"f1": 0.92, "oov_recall": 0.7}},
    ]
    table = segmentation_table(runs)
    assert list(zip(table.index, table["test"], table["runs"], strict=True)) == [
        ("fmm", "PKU", 1),
        ("fmm", "MSR", 1),
        ("net", "PKU", 2),
    ]
    assert table["F1"].tolist() == [0.8, 0.9, 0.91]
    assert table.loc["net", "± over seeds"] == 0.0141
    assert table.loc["net", "recall of unseen words"] == 0.6
    assert math.isnan(table["± over seeds"].iloc[0])


def test_stored_hashing_runs_begin_with_random_codes():
    assert hashing_table(load_results("hashing")).index[0] == "random codes"


def test_hashing_table_puts_published_rows_behind_ours():
    runs = [
        {"method": "cosine of the pixels, no code", "k": None, "seed": 0, "map": 0.4},
        {"method": "BioHash, EM", "k": 2, "seed": 0, "map": 0.42},
        {"method": "BioHash, EM", "k": 2, "seed": 1, "map": 0.44},
        {"method": "BioHash, EM", "k": 4, "seed": 0, "map": 0.5},
        *({"method": "random codes", "k": k, "seed": 0, "map": 0.1} for k in (2, 4, 8, 16, 32)),
    ]
    table = hashing_table(runs)
    assert list(table.index) == [
        "random codes",
        "LSH, published",
        "FlyHash, published",
        "BioHash, EM",
        "BioHash, published",
        "cosine of the pixels, no code",
    ]
    assert table.loc["BioHash, EM"].tolist() == ["43.0 ± 1.4", "50.0", "–", "–", "–"]
    assert table.loc["cosine of the pixels, no code"].tolist() == ["40.0"] * 5


def test_word_table_says_coverage_length_and_spread():
    def run(seed, k, rho):
        scores = {name: {"rho": rho, "covered": 10, "total": 20} for name in ("wordsim353", "simlex999", "men")}
        return {"method": "BioWord", "seed": seed, "k": k, "bits": 400, "scores": scores}

    table = word_table([run(0, 16, 0.3), run(1, 16, 0.32), run(0, 8, 0.1)], active=(16,))
    assert table.columns[2] == "WordSim-353 (10 of 20)"
    assert table.to_numpy().tolist() == [["16", "400", "31.0 ± 1.4", "31.0 ± 1.4", "31.0 ± 1.4", "2"]]


def test_readme_says_what_the_stored_results_say():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tables.filled(readme) == readme


# Of four reviews two are said to be positive with 0.9, two with 0.1; what is right is a half of them, or all.
TOO_SURE = {"count": [2, 2], "mean_p": [0.1, 0.9], "share_positive": [0.5, 0.5]}
TOO_TIMID = {"count": [2, 2], "mean_p": [0.1, 0.9], "share_positive": [0.0, 1.0]}


def margin_run(network, loss, margin, seed, accuracy, active=0.5):
    return {
        "network": network,
        "loss": loss,
        "margin": margin,
        "seed": seed,
        "epochs": {
            "test_accuracy": accuracy,
            "test_crossentropy": [1 - a for a in accuracy],
            "active": [active] * len(accuracy),
        },
        "calibration": {"ece": 0.1 * (seed + 1)} | (TOO_TIMID if loss == "margin" else TOO_SURE),
    }


MARGIN_RUNS = [
    {
        "network": "whole reviews",
        "loss": "TF-IDF",
        "margin": None,
        "seed": None,
        "epochs": {"test_accuracy": [0.88]},
    },
    margin_run("cnn", "cross-entropy", 0.6, 0, [0.5, 0.80, 0.82, 0.80, 0.82, 0.80]),
    margin_run("cnn", "cross-entropy", 0.6, 1, [0.5, 0.82, 0.82, 0.82, 0.82, 0.82]),
    margin_run("cnn", "margin", 0.6, 0, [0.6, 0.80, 0.80, 0.80, 0.80, 0.81]),
    margin_run("cnn", "margin", 0.6, 1, [0.6, 0.80, 0.80, 0.80, 0.80, 0.85]),
    margin_run("cnn", "margin", 0.6, 2, [0.6, 0.90, 0.90, 0.90, 0.90, 0.89]),
    margin_run("cnn", "margin", 0.9, 0, [0.7], active=0.25),
    margin_run("lstm", "focal", 0.6, 0, [0.7, 0.7]),
]


def test_stored_margin_runs_begin_with_the_trivial_baseline():
    assert margin_table(load_results("margin_loss")).index[0].startswith("TF-IDF")


def test_margin_table_pairs_runs_of_one_seed():
    table = margin_table(MARGIN_RUNS)
    assert list(table.index) == [
        "TF-IDF, whole reviews",
        "LSTM, focal",
        "CNN, cross-entropy",
        "CNN, margin 0.6",
    ]
    ours = table.loc["CNN, margin 0.6"]
    assert ours["runs"] == "3"
    assert ours["accuracy, %"] == "85.0 ± 4.0"
    # Differences of seeds 0 and 1 are 1 and 3 points: t for one degree of freedom is 12.706, their error 1.
    assert ours["minus cross-entropy [95 %]"] == "+2.00 [-10.71, +14.71]"
    assert ours["best, % (epoch)"] == "85.0 (6)"
    assert table.loc["CNN, cross-entropy", "best, % (epoch)"] == "82.0 (3)"
    assert ours["calibration error"] == "0.200 under"
    assert table.loc["CNN, cross-entropy", "calibration error"] == "0.150 over"
    assert ours["test cross-entropy"] == "0.15"
    assert ours["article"] == "88.24"
    assert table.loc["CNN, cross-entropy", "spread of the last 5 epochs"] == "0.55"  # of 1.10 and 0
    # Seed 0: 0.45 less 1.10, seed 1: 2.24 less 0.
    assert ours["spread minus cross-entropy's [95 %]"].startswith("+0.79 [")
    assert table.loc["CNN, cross-entropy", "spread minus cross-entropy's [95 %]"] == ""
    assert table.loc["LSTM, focal", "minus cross-entropy [95 %]"] == ""
    assert table.loc["TF-IDF, whole reviews", "accuracy, %"] == "88.0"


def test_margin_sweep_compares_the_seeds_that_all_have():
    table = margin_sweep(MARGIN_RUNS)
    assert table.index.tolist() == ["cross-entropy", "margin 0.6", "margin 0.9"]
    assert table["runs"].tolist() == ["1", "1", "1"]
    assert table["accuracy, %"].tolist() == ["80.0", "81.0", "70.0"]
    assert table["minus cross-entropy [95 %]"].tolist() == ["", "+1.00", "-10.00"]
    assert table["best, % (epoch)"].tolist() == ["82.0 (3)", "81.0 (6)", "70.0 (1)"]
    assert table["calibration error"].tolist() == ["0.100 over", "0.100 under", "0.100 under"]
    assert table["active in the last epoch"].tolist() == ["50.0%", "50.0%", "25.0%"]
    without = [run for run in MARGIN_RUNS if run["margin"] != 0.9]
    assert margin_sweep(without)["accuracy, %"].tolist() == ["81.0 ± 1.4", "83.0 ± 2.8"]


def test_margin_sweep_of_nothing_has_no_rows():
    assert len(margin_sweep(MARGIN_RUNS[:1])) == 0


def few_labels(method, seed, *accuracy, labels=1000):
    return {"method": method, "labels": labels, "seed": seed, "accuracy": list(accuracy)}


TFIDF = "TF-IDF and logistic regression"
FEW_LABELS = [
    few_labels("a lexicon", None, 0.7, labels=0),
    few_labels(TFIDF, 0, 0.84),
    few_labels(TFIDF, 1, 0.86),
    few_labels(TFIDF, 0, 0.6, labels=50),
    few_labels(TFIDF, 0, 0.9, labels=25_000),
    few_labels("fine-tuned", 0, 0.85),
    few_labels("fine-tuned", 1, 0.89),
    few_labels("article's way, transductive", 0, 0.72, 0.73, 0.75),
    few_labels("article's way, transductive", 1, 0.74, 0.74, 0.75),
]


def test_semi_supervised_table_pairs_draws_and_rounds():
    table = semi_supervised_table(FEW_LABELS)
    assert table.index.tolist() == [TFIDF, "a lexicon", "article's way, transductive", "fine-tuned"]
    assert table.loc[TFIDF].tolist() == ["2", "85.0 ± 1.4", "", "", "", ""]
    # Differences of 1 and 3 points: t for one degree of freedom is 12.706, their error 1.
    assert table.loc["fine-tuned", "minus TF-IDF [95 %]"] == "+2.00 [-10.71, +14.71]"
    article = table.loc["article's way, transductive"]
    assert article["after self-training"] == "75.0 ± 0.0"
    assert article["gain [95 %]"] == "+2.00 [-10.71, +14.71]"
    assert article["minus TF-IDF [95 %]"] == ""  # another test
    assert article["article"] == "73.04 → 73.48"


def test_label_curve_has_a_row_per_number_of_labels():
    curve = label_curve(FEW_LABELS)
    assert curve.columns.tolist() == [TFIDF]
    assert curve[TFIDF].round(3).to_dict() == {50: 0.6, 1000: 0.85, 25_000: 0.9}


@pytest.mark.skipif(not (ROOT / "benchmarks/results/semi_supervised.jsonl").exists(), reason="not run yet")
def test_stored_runs_with_few_labels_begin_with_the_trivial_baseline():
    assert semi_supervised_table(load_results("semi_supervised")).index[0].startswith("TF-IDF")


def fold_of_a_tagger(method, fold, right, wrong, missed, extra, simpler=None):
    counts = {"right": right, "wrong": wrong, "missed": missed, "extra": extra}
    return {"method": method, "simpler": simpler, "fold": fold, **counts}


def test_viewpoint_table_compares_fold_by_fold():
    table = viewpoint_table(
        [
            fold_of_a_tagger("list", 0, 4, 4, 0, 2),  # precision 0.4, recalls 1 and 0.5
            fold_of_a_tagger("list", 1, 5, 5, 0, 0),
            fold_of_a_tagger("tagger", 0, 5, 3, 0, 2, "list"),
            fold_of_a_tagger("tagger", 1, 5, 5, 0, 0, "list"),
        ]
    )
    assert table.index.tolist() == ["list", "tagger"]
    assert table.loc["list", ["folds", "contest F1", "strict F1"]].tolist() == [
        "2",
        "61.9 ± 6.7",
        "47.2 ± 3.9",
    ]
    # The interval is Student's over two folds, 5.56 · 12.71, times the root of (1/2 + 1/4) / (1/2).
    # 2 · 5/10 · 5/8 / (5/10 + 5/8) − 2 · 4/10 · 4/8 / (4/10 + 4/8) = 5/9 − 4/9 in one fold, nothing in the other.
    assert table.loc["tagger", "compared with"] == "list"
    assert table.loc["tagger", "gain in strict F1"] == "+5.56 [-80.90, +92.01], above 0 in 1 of 2"
    assert table.loc["list", "gain in strict F1"] == ""


def test_viewpoint_table_waits_for_the_simpler_row():
    table = viewpoint_table([fold_of_a_tagger("tagger", 0, 5, 3, 0, 2, "list")])
    assert table.loc["tagger", "gain in strict F1"] == ""
