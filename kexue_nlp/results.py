"""The measured results that the README and the notebooks show: one JSON line per finished run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["load_results"]


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
    # In an installed package the results travel beside the modules; in a checkout they are where runs put them.
    folder = next(f for f in (package / "results", package.parent / "benchmarks" / "results") if f.is_dir())
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.jsonl")))
        raise ValueError(f"no results called {name!r}; there are {known}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
