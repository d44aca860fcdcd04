"""A few hundred digits, and made-up vectors of words."""

from dataclasses import replace

import numpy as np

from kexue_nlp.datasets import load_images
from kexue_nlp.widgets import Hashes, HashExplorer, picture_items, word_items

digits = load_images()
few = replace(digits, pixels=digits.pixels[:360], labels=digits.labels[:360])
vectors = np.random.default_rng(0).normal(size=(340, 4))
HashExplorer(
    {
        "digits": Hashes(picture_items(few, np.arange(0, 360, 10))),
        "words": Hashes(word_items([f"word{i}" for i in range(340)], vectors, n_queries=20)),
    }
)
