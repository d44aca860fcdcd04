import math
from pathlib import Path

import pytest
import tables  # benchmarks/tables.py

from kexue_nlp.results import load_results, segmentation_table

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


def test_readme_says_what_the_stored_results_say():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tables.filled(readme) == readme
