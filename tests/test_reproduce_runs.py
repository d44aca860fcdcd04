"""Storing finished runs, and going on after a script was killed while it wrote."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
runs = importlib.import_module("runs")


def test_runs_come_back_in_order(tmp_path):
    path = tmp_path / "new folder" / "r.jsonl"
    assert runs.read_runs(path) == []
    for record in ({"method": "果蝇", "k": 2}, {"method": "b", "k": None}):
        runs.append_run(path, record)
    assert runs.read_runs(path) == [{"method": "果蝇", "k": 2}, {"method": "b", "k": None}]


def test_a_line_cut_short_is_taken_out_and_the_next_run_stands_on_its_own(tmp_path):
    path = tmp_path / "r.jsonl"
    runs.append_run(path, {"k": 1})
    with path.open("a") as file:
        file.write('{"k": 2, "ma')
    assert runs.read_runs(path) == [{"k": 1}]
    runs.append_run(path, {"k": 3})
    assert runs.read_runs(path) == [{"k": 1}, {"k": 3}]
