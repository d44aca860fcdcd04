"""The tables of measured results that the lessons show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kexue_nlp.language import _, language

if TYPE_CHECKING:
    import pandas as pd

# The cells of these two are numbers; those of the others are ready to be read, such as "88.3 ± 0.3".
NUMBERS = ("segmentation", "label_curve")

__all__ = ["load_table"]


def load_table(name: str) -> pd.DataFrame:
    """Return a table of measured results, its names in the language in use.

    ``docs/results.md`` shows them all, and says what their columns mean and which command makes the runs. There is one
    row per method, the trivial baseline first; in ``"label_curve"`` one per number of labels, and in ``"margin_sweep"``
    one per margin. ValueError lists the tables if none has the name.

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
    text = {} if name in NUMBERS else {"dtype": str, "keep_default_na": False}
    table = pd.read_csv(folder / f"{name}.csv", index_col=0, **text)
    if language() != "en":
        names = [_(name) if isinstance(name, str) else name for name in table.index]
        table.index, table.columns = pd.Index(names, name=_(table.index.name)), [*map(_, table.columns)]
        table = table.map(lambda cell: _in_language(cell) if isinstance(cell, str) else cell)
    return table


def _in_language(cell: str) -> str:
    """Translate a cell that is the name of a row, or that says something of numbers."""
    cell = re.sub(r"above 0 in (\d+) of (\d+)", lambda m: _("above 0 in {n} of {total}", n=m[1], total=m[2]), cell)
    cell = re.sub(r"(\d) under$", lambda m: _("{digit} under", digit=m[1]), cell)
    return _(re.sub(r"(\d) over$", lambda m: _("{digit} over", digit=m[1]), cell))
