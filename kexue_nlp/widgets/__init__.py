"""One explorer per lesson: change something, see at once what follows.

An explorer is an ipywidgets ``VBox``. Each lives in the folder of its lesson,
``kexue_nlp/lessons/<name>/explorer.py``; here stands what they share. An exception in a control's callback is shown
inside the explorer and kept in :data:`errors`, so that a test can see it.
"""

from importlib import import_module
from typing import Any

from kexue_nlp.widgets.base import errors

_LESSONS = {
    "margin": ("MarginExplorer", "Training"),
    "sentiment": ("SentimentExplorer",),
    "segmentation": ("SegmentationExplorer",),
    "viewpoint": ("ViewpointExplorer",),
    "hashing": ("HashExplorer", "Hashes"),
}
_MODULE_OF = {name: f"lessons.{lesson}.explorer" for lesson, names in _LESSONS.items() for name in names}
_MODULE_OF |= {"Bet": "widgets.bet", "SlidingKernel": "lessons.segmentation.kernel"}

__all__ = ["errors", *_MODULE_OF]


def __getattr__(name: str) -> Any:
    """Import the module that an explorer stands in when it is first asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"kexue_nlp.{_MODULE_OF[name]}"), name)
