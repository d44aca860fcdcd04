"""The pretrained segmenter, and one that only guesses."""

import numpy as np

from kexue_nlp.segmenter import Segmenter
from kexue_nlp.widgets import SegmentationExplorer

pretrained = Segmenter.load()


class Guesses:
    """The part of a segmenter that the explorer uses, without a network."""

    decode = staticmethod(pretrained.decode)

    def log_probabilities(self, text):
        """Return made-up log probabilities of the four tags."""
        return np.log(np.random.default_rng(0).dirichlet(np.ones(4), len(text))).astype(np.float32)


SegmentationExplorer({"pretrained": pretrained, "guesses": Guesses()})
