"""The pretrained language model, with a made-up classifier and made-up scores of its units."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.widgets import SentimentExplorer

reader = LanguageModel.load("pretrained")
rng = np.random.default_rng(0)
classifier = LogisticRegression().fit(rng.normal(0, 0.1, (40, reader.units)), np.arange(40) % 2)
reviews = ["A good film, and not a minute too long.", "I have seen worse <i>films</i>, but not many."]
SentimentExplorer(reader, classifier, rng.uniform(0.1, 0.9, reader.units), reviews, [1, 0])
