"""The pretrained segmenter, by two names."""

from kexue_nlp.segmenter import Segmenter
from kexue_nlp.widgets import SegmentationExplorer

segmenter = Segmenter.load()
SegmentationExplorer({"pretrained": segmenter, "the same": segmenter})
