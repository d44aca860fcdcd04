"""A few hundred digits, and words of two sentences."""

from dataclasses import replace

import numpy as np

from kexue_nlp.datasets import load_images
from kexue_nlp.widgets import Hashes, HashExplorer
from kexue_nlp.word_vectors import BioWord

digits = load_images()
few = replace(digits, pixels=digits.pixels[:360], labels=digits.labels[:360])
texts = ["he was shot with a gun in a cold winter night", "the film was shot on video and it shows"] * 50
HashExplorer(Hashes(few, np.arange(0, 360, 10)), BioWord(n_units=20, n_active=4, window=5).fit(texts))
