"""The data of the notebooks: where text comes from, how it is found, and what licence it carries.

Importing this package is cheap and touches neither the disk nor the network.
"""

from pathlib import Path

from kexue_nlp.datasets._files import DatasetStatus, DatasetUnavailable
from kexue_nlp.datasets.images import MNIST, ImageData, load_images, retrieval_split
from kexue_nlp.datasets.imdb import IMDB, IMDB_TEXTS, MOVIE_REVIEWS, ImdbData, load_imdb
from kexue_nlp.datasets.segmentation import BAKEOFF2005, PEOPLES_DAILY, SegmentationData, load_segmentation
from kexue_nlp.datasets.similarity import MEN, SIMLEX999, WORDSIM353, WordPairs, load_word_similarity
from kexue_nlp.datasets.viewpoints import BDCI2016, ViewpointData, load_viewpoints

__all__ = ["DatasetStatus", "DatasetUnavailable", "ImageData", "ImdbData", "SegmentationData", "ViewpointData"]
__all__ += ["WordPairs", "available", "fetch", "load_images", "load_imdb", "load_segmentation", "load_viewpoints"]
__all__ += ["load_word_similarity", "retrieval_split"]

_ALL = PEOPLES_DAILY, BAKEOFF2005, MOVIE_REVIEWS, IMDB, IMDB_TEXTS, MNIST, WORDSIM353, SIMLEX999, MEN, BDCI2016
_DATA_SETS = {data_set.name: data_set for data_set in _ALL}


def available() -> dict[str, DatasetStatus]:
    """Say for every data set, by name, whether it is on this machine, where, or how to get it; download nothing.

    Examples
    --------
    >>> sorted(available())[:4]
    ['bakeoff2005', 'bdci2016', 'imdb', 'imdb_texts']
    """
    return {name: data_set.status() for name, data_set in _DATA_SETS.items()}


def fetch(name: str) -> list[Path]:
    """Return the files of a data set, downloaded into the user's cache if they are not on this machine.

    Parameters
    ----------
    name : str
        A name listed by `available`; ValueError otherwise. `DatasetUnavailable` says what to do where the data set is
        neither here nor downloadable.
    """
    if name not in _DATA_SETS:
        raise ValueError(f"no data set is called {name!r}; choose one of {', '.join(sorted(_DATA_SETS))}")
    return _DATA_SETS[name].fetch()
