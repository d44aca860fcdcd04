import math
from pathlib import Path

import pytest
import tables  # benchmarks/tables.py

from kexue_nlp.results import hashing_table, load_results, segmentation_table, word_table

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
        scores = {
            name: {"rho": rho, "covered": 10, "total": 20} for name in ("wordsim353", "simlex999", "men")
        }
        return {"method": "BioWord", "seed": seed, "k": k, "bits": 400, "scores": scores}

    table = word_table([run(0, 16, 0.3), run(1, 16, 0.32), run(0, 8, 0.1)], active=(16,))
    assert table.columns[2] == "WordSim-353 (10 of 20)"
    assert table.to_numpy().tolist() == [["16", "400", "31.0 ± 1.4", "31.0 ± 1.4", "31.0 ± 1.4", "2"]]


def test_readme_says_what_the_stored_results_say():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tables.filled(readme) == readme
