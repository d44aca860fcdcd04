"""The tables of measured results that the lessons show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# The cells of these two are numbers; those of the others are ready to be read, such as "88.3 ± 0.3".
NUMBERS = ("segmentation", "label_curve")

__all__ = ["load_table"]


def load_table(name: str) -> pd.DataFrame:
    """Return a table of measured results.

    ``make results`` writes the tables out of the stored runs. ``docs/results.md`` shows them, and says what their
    columns mean and which command makes the runs.

    Parameters
    ----------
    name : str
        Such as ``"margin_loss"``; ValueError names the known tables if it is none of them.

    Returns
    -------
    pandas.DataFrame
        One row per method, the trivial baseline first; in ``"label_curve"`` one per number of labels, and in
        ``"margin_sweep"`` one per margin.

    Examples
    --------
    >>> load_table("hashing").loc["BioHash, EM", "k = 8"]
    '53.1 ± 0.8'
    """
    import pandas as pd

    package = Path(__file__).parent
    # They travel in the wheel; in a checkout they are where `make results` puts them.
    folder = package / "_tables"
    if not folder.is_dir():
        folder = package.parent / "benchmarks" / "results" / "tables"
    known = sorted(path.stem for path in folder.glob("*.csv"))
    if name not in known:
        raise ValueError(f"no table called {name!r}; there are {', '.join(known)}")
    path = folder / f"{name}.csv"
    if name in NUMBERS:
        return pd.read_csv(path, index_col=0)
    return pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
