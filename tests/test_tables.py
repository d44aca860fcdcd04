"""Tables of results: made of runs (benchmarks/summaries.py), written down (benchmarks/tables.py), and read again."""

import re
from pathlib import Path

import pandas as pd
import pytest
import summaries
import tables  # benchmarks/tables.py

from kexue_nlp.tables import load_table

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/results.md").read_text("utf-8")

each_table = pytest.mark.parametrize("name", summaries.TABLES)


@each_table
def test_table_is_what_the_stored_runs_give(name):
    pd.testing.assert_frame_equal(load_table(name), summaries.summary(name), check_exact=True)


def test_page_is_what_the_stored_runs_give():
    assert tables.filled(PAGE) == PAGE, "run make results"


@pytest.mark.parametrize("name", tables.BLOCKS)
def test_page_says_how_a_table_is_made(name):
    (command,) = re.findall(rf"<!-- /{name} -->\n\nMade by `([^`]+)`", PAGE)
    script = re.fullmatch(r"python (benchmarks/\w+/\w+\.py)( --sweep| --stopped)?", command)
    assert (ROOT / script[1]).is_file() if script else command == "KEXUE_NLP_RECORD=1 make test-browser"


def test_tables_begin_with_the_trivial_baseline_and_an_unknown_one_is_refused():
    baselines = {
        "margin_loss": "TF-IDF",
        "semi_supervised": "TF-IDF",
        "segmentation": "forward maximum matching",
        "viewpoint": "list of names, always neutral",
        "hashing": "random codes",
        "word_vectors": "PPMI",
    }
    first = {name: load_table(name).index[0] for name in baselines}
    assert [name for name in baselines if not first[name].startswith(baselines[name])] == []
    with pytest.raises(ValueError, match=r"no table called 'nonsense'; there are hashing, label_curve, margin_loss"):
        load_table("nonsense")


def test_segmentation_table_averages_over_seeds():
    def run(method, seed, test, f1, oov_recall):
        return {"method": method, "seed": seed, "test": test, "scores": {"f1": f1, "oov_recall": oov_recall}}

    baseline = [run("fmm", None, "PKU", 0.8, 0.1), run("fmm", None, "MSR", 0.9, 0.2)]
    table = summaries.segmentation_table([*baseline, run("net", 0, "PKU", 0.9, 0.5), run("net", 1, "PKU", 0.92, 0.7)])
    assert table.astype(object).fillna("none").reset_index().to_numpy().tolist() == [
        ["fmm", "PKU", 1, 0.8, "none", 0.1],
        ["fmm", "MSR", 1, 0.9, "none", 0.2],
        ["net", "PKU", 2, 0.91, 0.0141, 0.6],
    ]


def test_hashing_table_puts_published_rows_behind_ours():
    runs = [
        {"method": "cosine of the pixels, no code", "k": None, "seed": 0, "map": 0.4},
        {"method": "BioHash, EM", "k": 2, "seed": 0, "map": 0.42},
        {"method": "BioHash, EM", "k": 2, "seed": 1, "map": 0.44},
        {"method": "BioHash, EM", "k": 4, "seed": 0, "map": 0.5},
        *({"method": "random codes", "k": k, "seed": 0, "map": 0.1} for k in (2, 4, 8, 16, 32)),
    ]
    table = summaries.hashing_table(runs)
    cosine = "cosine of the pixels, no code"
    published = ["LSH, published", "FlyHash, published", "BioHash, EM", "BioHash, published"]
    assert table.index.tolist() == ["random codes", *published, cosine]
    assert table.loc["BioHash, EM"].tolist() == ["43.0 ± 1.4", "50.0", "–", "–", "–"]
    assert table.loc[cosine].tolist() == ["40.0"] * 5


def test_word_table_says_coverage_length_and_spread():
    def run(seed, k, rho):
        scores = {name: {"rho": rho, "covered": 10, "total": 20} for name in ("wordsim353", "simlex999", "men")}
        return {"method": "BioWord", "seed": seed, "k": k, "bits": 400, "scores": scores}

    table = summaries.word_table([run(0, 16, 0.3), run(1, 16, 0.32), run(0, 8, 0.1)], active=(16,))
    assert table.columns[2] == "WordSim-353 (10 of 20)"
    assert table.to_numpy().tolist() == [["16", "400", "31.0 ± 1.4", "31.0 ± 1.4", "31.0 ± 1.4", "2"]]


def margin_run(network, loss, margin, seed, accuracy, active=0.5):
    # Of four reviews two are said to be positive with 0.9, two with 0.1. If half of each two are positive, that was
    # too sure; if all of the first and none of the second are, too timid.
    shares = [0.0, 1.0] if loss == "margin" else [0.5, 0.5]
    error = [1 - a for a in accuracy]
    epochs = {"test_accuracy": accuracy, "test_crossentropy": error, "active": [active] * len(accuracy)}
    calibration = {"ece": 0.1 * ((seed or 0) + 1), "count": [2, 2], "mean_p": [0.1, 0.9], "share_positive": shares}
    run = {"network": network, "loss": loss, "margin": margin, "seed": seed}
    return run | {"epochs": epochs, "calibration": calibration}


MARGIN_RUNS = [
    margin_run("whole reviews", "TF-IDF", None, None, [0.88]),
    margin_run("cnn", "cross-entropy", 0.6, 0, [0.5, 0.80, 0.82, 0.80, 0.82, 0.80]),
    margin_run("cnn", "cross-entropy", 0.6, 1, [0.5, 0.82, 0.82, 0.82, 0.82, 0.82]),
    margin_run("cnn", "margin", 0.6, 0, [0.6, 0.80, 0.80, 0.80, 0.80, 0.81]),
    margin_run("cnn", "margin", 0.6, 1, [0.6, 0.80, 0.80, 0.80, 0.80, 0.85]),
    margin_run("cnn", "margin", 0.6, 2, [0.6, 0.90, 0.90, 0.90, 0.90, 0.89]),
    margin_run("cnn", "margin", 0.9, 0, [0.7], active=0.25),
    margin_run("lstm", "focal", 0.6, 0, [0.7, 0.7]),
]


def test_margin_table_pairs_runs_of_one_seed():
    table = summaries.margin_table(MARGIN_RUNS)
    assert table.index.tolist() == ["TF-IDF, whole reviews", "LSTM, focal", "CNN, cross-entropy", "CNN, margin 0.6"]
    assert table.loc["TF-IDF, whole reviews"].tolist() == ["1", "88.0", *[""] * 7]
    assert table.loc["LSTM, focal", "minus cross-entropy [95 %]"] == ""
    # The spreads are 1.10 and 0, and there is nothing to subtract from cross-entropy.
    baseline = ["2", "81.0 ± 1.4", "", "82.0 (3)", "0.55", "", "0.150 over", "0.19", "88.14"]
    assert table.loc["CNN, cross-entropy"].tolist() == baseline
    *ours, spread, gain_in_spread, calibration, crossentropy, article = table.loc["CNN, margin 0.6"]
    # Differences of seeds 0 and 1 are 1 and 3 points: t for one degree of freedom is 12.706, their error 1.
    assert ours == ["3", "85.0 ± 4.0", "+2.00 [-10.71, +14.71]", "85.0 (6)"]
    assert [spread, calibration, crossentropy, article] == ["1.04", "0.200 under", "0.15", "88.24"]
    assert gain_in_spread.startswith("+0.79 [")  # seed 0: 0.45 less 1.10, seed 1: 2.24 less 0


def test_margin_sweep_compares_the_seeds_that_all_have():
    table = summaries.margin_sweep(MARGIN_RUNS)
    assert table.reset_index().to_numpy().tolist() == [
        ["cross-entropy", "1", "80.0", "", "82.0 (3)", "0.100 over", "50.0%"],
        ["margin 0.6", "1", "81.0", "+1.00", "81.0 (6)", "0.100 under", "50.0%"],
        ["margin 0.9", "1", "70.0", "-10.00", "70.0 (1)", "0.100 under", "25.0%"],
    ]
    without = [run for run in MARGIN_RUNS if run["margin"] != 0.9]
    assert summaries.margin_sweep(without)["accuracy, %"].tolist() == ["81.0 ± 1.4", "83.0 ± 2.8"]
    assert len(summaries.margin_sweep(MARGIN_RUNS[:1])) == 0


def test_stopped_networks_count_after_the_epoch_that_held_out_reviews_choose():
    runs = [
        margin_run("cnn", loss, 0.6, seed, accuracy)
        for loss, seed, accuracy in [
            ("cross-entropy", 0, [0.80, 0.70]),
            ("cross-entropy", 1, [0.80, 0.82]),
            ("margin", 0, [0.83, 0.90]),
        ]
    ]
    for run, held_out in zip(runs, ([0.6, 0.5], [0.6, 0.7], [0.7, 0.7]), strict=True):
        run["epochs"] |= {"held_out_accuracy": held_out, "loss": [1.0, 0.5]}
    assert summaries.margin_stopped(runs).reset_index().to_numpy().tolist() == [
        ["CNN, cross-entropy", "2", "81.0 ± 1.4", "", "1.5", "0.150 over"],
        ["CNN, margin 0.6", "1", "83.0", "+3.00", "1.0", "0.100 under"],
    ]


TFIDF = "TF-IDF and logistic regression"
FEW_LABELS = [
    {"method": method, "labels": labels, "seed": seed, "accuracy": accuracy}
    for method, labels, seed, accuracy in [
        ("a lexicon", 0, None, [0.7]),
        (TFIDF, 1000, 0, [0.84]),
        (TFIDF, 1000, 1, [0.86]),
        (TFIDF, 50, 0, [0.6]),
        (TFIDF, 25_000, 0, [0.9]),
        ("fine-tuned", 1000, 0, [0.85]),
        ("fine-tuned", 1000, 1, [0.89]),
        ("article's way, transductive", 1000, 0, [0.72, 0.73, 0.75]),
        ("article's way, transductive", 1000, 1, [0.74, 0.74, 0.75]),
    ]
]


def test_semi_supervised_table_pairs_draws_and_rounds():
    # Differences of 1 and 3 points: t for one degree of freedom is 12.706, their error 1.
    gain = "+2.00 [-10.71, +14.71]"
    assert summaries.semi_supervised_table(FEW_LABELS).reset_index().to_numpy().tolist() == [
        [TFIDF, "2", "85.0 ± 1.4", "", "", "", ""],
        ["a lexicon", "1", "70.0", "", "", "", ""],
        # The labels of TF-IDF are of another test.
        ["article's way, transductive", "2", "73.0 ± 1.4", "75.0 ± 0.0", gain, "", "73.04 → 73.48"],
        ["fine-tuned", "2", "87.0 ± 2.8", "", "", gain, ""],
    ]
    curve = summaries.label_curve(FEW_LABELS)
    assert curve.columns.tolist() == [TFIDF]
    assert curve[TFIDF].round(3).to_dict() == {50: 0.6, 1000: 0.85, 25_000: 0.9}


def test_viewpoint_table_compares_fold_by_fold():
    def fold(method, number, *counts, simpler=None):
        counts = dict(zip(("right", "wrong", "missed", "extra"), counts, strict=True))
        return {"method": method, "simpler": simpler, "fold": number, **counts}

    runs = [
        fold("list", 0, 4, 4, 0, 2),  # precision 0.4, recalls 1 and 0.5
        fold("list", 1, 5, 5, 0, 0),
        fold("tagger", 0, 5, 3, 0, 2, simpler="list"),
        fold("tagger", 1, 5, 5, 0, 0, simpler="list"),
    ]
    table = summaries.viewpoint_table(runs)
    assert {run["fold"] for run in summaries.load_results("viewpoint")} == set(range(summaries.N_FOLDS))
    assert table.index.tolist() == ["list", "tagger"]
    assert table.loc["list", ["folds", "contest F1", "strict F1"]].tolist() == ["2", "61.9 ± 6.7", "47.2 ± 3.9"]
    # 2 · 5/10 · 5/8 / (5/10 + 5/8) − 2 · 4/10 · 4/8 / (4/10 + 4/8) = 5/9 − 4/9 in one fold, nothing in the other.
    # The interval is Student's over two folds, 5.56 · 12.71, times the root of (1/2 + 1/4) / (1/2).
    gains = table[["compared with", "gain in strict F1"]].to_numpy().tolist()
    assert gains == [["", ""], ["list", "+5.56 [-80.90, +92.01], above 0 in 1 of 2"]]
    assert summaries.viewpoint_table(runs[2:])["gain in strict F1"].tolist() == [""]  # the simpler row has not run yet
