"""Six reviews, and made-up predictions of three epochs."""

import numpy as np

from kexue_nlp.widgets import MarginExplorer, Training

reviews = ["dull", "fine", "good", "a bore", "a <b>bold</b> film", "nothing"]
labels = np.array([0, 1, 1, 0, 1, 0])
rng = np.random.default_rng(0)


def training(sure):
    """Drift from a guess towards the labels, further with each epoch."""
    steps = np.linspace(0.1, sure, 3)[:, np.newaxis]
    return Training(np.clip(0.5 + steps * (labels - 0.5) + rng.normal(0, 0.1, (3, 6)), 0.01, 0.99), [0.6, 0.8, 0.75])


MarginExplorer(reviews, labels, {"cross-entropy": training(0.95), "margin": training(0.6)})
