"""Storing finished runs, and going on after a script was killed while it wrote."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
runs = importlib.import_module("runs")


def test_runs_come_back_in_order_and_a_line_cut_short_is_taken_out(tmp_path):
    path = tmp_path / "new folder" / "r.jsonl"
    assert runs.read_runs(path) == []
    records = [{"method": "果蝇", "k": 2}, {"method": "b", "k": None}]
    runs.append_run(path, records[0])
    with path.open("a") as file:
        file.write('{"k": 2, "ma')  # the script was killed here
    assert runs.read_runs(path) == records[:1]
    runs.append_run(path, records[1])
    assert runs.read_runs(path) == records
