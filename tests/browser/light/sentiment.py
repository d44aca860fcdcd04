"""The pretrained language model, with made-up scores of its units and of the rounds of learning."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.widgets import RoundScore, SentimentExplorer

reader = LanguageModel.load("pretrained")
rng = np.random.default_rng(0)
classifier = LogisticRegression().fit(rng.normal(0, 0.1, (40, reader.units)), np.arange(40) % 2)
reviews = ["A good film, and not a minute too long.", "I have seen worse <i>films</i>, but not many."]


def rounds(start):
    """Return three rounds of learning from one's own guesses."""
    return [RoundScore(start, None, 0), RoundScore(start + 0.03, 9, 50), RoundScore(start + 0.02, 4, 50)]


runs = {n: {"words": rounds(0.6 + n / 5000), "states": rounds(0.65 + n / 6000)} for n in (50, 300, 1000)}
SentimentExplorer(reader, classifier, rng.uniform(0.1, 0.9, reader.units), reviews, runs)
