"""Both pretrained segmenters."""

from kexue_nlp.segmenter import Segmenter
from kexue_nlp.widgets import SegmentationExplorer

SegmentationExplorer({"closed": Segmenter.load("closed"), "open": Segmenter.load()})
