"""The measured results that the README and the notebooks show: one JSON line per finished run."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_results", "segmentation_table"]


def load_results(name: str) -> list[dict[str, Any]]:
    """Read the stored runs of an experiment.

    Parameters
    ----------
    name : str
        Of the experiment, for instance ``"segmentation"``.

    Returns
    -------
    list of dict
        One per run, in the order in which they finished.

    Raises
    ------
    ValueError
        If there is no experiment of that name.

    Examples
    --------
    >>> sorted({run["method"] for run in load_results("segmentation")})[0]
    "article's network"
    """
    package = Path(__file__).parent
    # They travel in the wheel; in a checkout they are where the runs put them.
    folder = package / "_results"
    if not folder.is_dir():
        folder = package.parent / "benchmarks" / "results"
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.jsonl")))
        raise ValueError(f"no results called {name!r}; there are {known}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def segmentation_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise runs of the word segmentation experiment on the tests of the bakeoff 2005.

    Parameters
    ----------
    runs : list of dict
        As :func:`load_results` gives them.

    Returns
    -------
    pandas.DataFrame
        One row per method and test in order of first appearance (baselines first): the test, number of runs,
        mean F1, its standard deviation over seeds (missing for one run), mean recall of words unseen in training.
    """
    import pandas as pd

    rows = []
    for method, test in dict.fromkeys((run["method"], run["test"]) for run in runs):
        scores = [run["scores"] for run in runs if (run["method"], run["test"]) == (method, test)]
        f1 = [score["f1"] for score in scores]
        rows.append(
            {
                "method": method,
                "test": test,
                "runs": len(f1),
                "F1": round(statistics.mean(f1), 4),
                "± over seeds": round(statistics.stdev(f1), 4) if len(f1) > 1 else float("nan"),
                "recall of unseen words": round(statistics.mean(score["oov_recall"] for score in scores), 3),
            }
        )
    return pd.DataFrame(rows).set_index("method")
