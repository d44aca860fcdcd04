"""Scores: how well a result agrees with a reference."""

from kexue_nlp.scoring.retrieval import average_precision, mean_average_precision, neighbour_mean_average_precision
from kexue_nlp.scoring.segmentation import WordScores, score_words
from kexue_nlp.scoring.viewpoint import ViewpointScores, score_viewpoints

__all__ = ["ViewpointScores", "WordScores", "average_precision", "mean_average_precision"]
__all__ += ["neighbour_mean_average_precision", "score_viewpoints", "score_words"]
