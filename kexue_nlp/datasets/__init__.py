"""The data of the notebooks: where text comes from, how it is found, and what licence it carries.

Importing this package is cheap: it looks for no data, neither on the disk nor in the network.
"""

from pathlib import Path

from kexue_nlp.datasets._files import DATA_SETS, DatasetStatus, DatasetUnavailable
from kexue_nlp.datasets.images import ImageData, load_images, retrieval_split
from kexue_nlp.datasets.imdb import ImdbData, load_imdb
from kexue_nlp.datasets.segmentation import SegmentationData, load_segmentation
from kexue_nlp.datasets.similarity import WordPairs, load_word_similarity
from kexue_nlp.datasets.viewpoints import ViewpointData, load_viewpoints

__all__ = ["DatasetStatus", "DatasetUnavailable", "ImageData", "ImdbData", "SegmentationData", "ViewpointData"]
__all__ += ["WordPairs", "available", "fetch", "load_images", "load_imdb", "load_segmentation", "load_viewpoints"]
__all__ += ["load_word_similarity", "retrieval_split"]


def available() -> dict[str, DatasetStatus]:
    """Say for every data set, by name, whether it is on this machine, where, or how to get it; download nothing.

    Examples
    --------
    >>> sorted(available())[:4]
    ['bakeoff2005', 'bdci2016', 'imdb', 'imdb_texts']
    """
    return {name: data_set.status() for name, data_set in DATA_SETS.items()}


def fetch(name: str) -> list[Path]:
    """Return the files of a data set that `available` lists, downloaded into the user's cache if they are not here.

    ValueError for another name. `DatasetUnavailable` says what to do where it is neither here nor downloadable.
    """
    if name not in DATA_SETS:
        raise ValueError(f"no data set is called {name!r}; choose one of {', '.join(sorted(DATA_SETS))}")
    return DATA_SETS[name].fetch()
