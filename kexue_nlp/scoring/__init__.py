"""Scores: how well a result agrees with a reference."""

from kexue_nlp.scoring.retrieval import (
    RankCorrelation,
    average_precision,
    mean_average_precision,
    neighbour_mean_average_precision,
    rank_correlation,
)
from kexue_nlp.scoring.segmentation import WordScores, score_words
from kexue_nlp.scoring.viewpoint import ViewpointScores, score_viewpoints

__all__ = ["RankCorrelation", "ViewpointScores", "WordScores", "average_precision", "mean_average_precision"]
__all__ += ["neighbour_mean_average_precision", "rank_correlation", "score_viewpoints", "score_words"]
