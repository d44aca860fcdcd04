"""One explorer per lesson: change something, see at once what follows.

Every explorer is an ipywidgets ``VBox`` made of three layers: a pure function from inputs to a state, a pure
function from a state to HTML, and controls. An exception in a control's callback is shown inside the explorer
and kept in :data:`errors`, so that a test can see it.
"""

from kexue_nlp.widgets._base import errors
from kexue_nlp.widgets.hashing import Hashes, HashExplorer, picture_items, word_items
from kexue_nlp.widgets.margin import MarginExplorer, Training
from kexue_nlp.widgets.segmentation import SegmentationExplorer
from kexue_nlp.widgets.sentiment import RoundScore, SentimentExplorer
from kexue_nlp.widgets.viewpoint import ViewpointExplorer

__all__ = [
    "HashExplorer",
    "Hashes",
    "MarginExplorer",
    "RoundScore",
    "SegmentationExplorer",
    "SentimentExplorer",
    "Training",
    "ViewpointExplorer",
    "errors",
    "picture_items",
    "word_items",
]
