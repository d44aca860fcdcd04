"""The data of the notebooks: where text comes from, how it is found, and what licence it carries.

Importing this package is cheap and touches neither the disk nor the network.
"""

from pathlib import Path

from kexue_nlp.datasets._files import DatasetStatus, DatasetUnavailable
from kexue_nlp.datasets.segmentation import BAKEOFF2005, PEOPLES_DAILY, SegmentationData, load_segmentation

__all__ = [
    "DatasetStatus",
    "DatasetUnavailable",
    "SegmentationData",
    "available",
    "fetch",
    "load_segmentation",
]

_DATA_SETS = {data_set.name: data_set for data_set in (PEOPLES_DAILY, BAKEOFF2005)}


def available() -> dict[str, DatasetStatus]:
    """Say for every data set whether it is on this machine; nothing is downloaded.

    Returns
    -------
    dict of str to DatasetStatus
        Name to status: present or not, where, and how to get it.

    Examples
    --------
    >>> sorted(available())
    ['bakeoff2005', 'peoples_daily']
    """
    return {name: data_set.status() for name, data_set in _DATA_SETS.items()}


def fetch(name: str) -> list[Path]:
    """Make sure that a data set is on this machine, downloading it into the user's cache when it is not.

    Parameters
    ----------
    name : str
        A name listed by `available`.

    Returns
    -------
    list of pathlib.Path
        Its files.

    Raises
    ------
    ValueError
        If no data set has that name.
    DatasetUnavailable
        If it is neither here nor downloadable; the message says what to do.

    Examples
    --------
    >>> fetch("bakeoff2005")  # doctest: +SKIP
    [PosixPath('/home/ada/.cache/kexue_nlp/icwb2-data/testing/pku_test.utf8'), ...]
    """
    if name not in _DATA_SETS:
        raise ValueError(f"no data set is called {name!r}; choose one of {', '.join(sorted(_DATA_SETS))}")
    return _DATA_SETS[name].fetch()
