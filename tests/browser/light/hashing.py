"""A few hundred digits, and words of sentences that were made up."""

from dataclasses import replace

import numpy as np

from kexue_nlp.datasets import load_images
from kexue_nlp.widgets import Hashes, HashExplorer
from kexue_nlp.word_vectors import BioWord

digits = load_images()
few = replace(digits, pixels=digits.pixels[:360], labels=digits.labels[:360])
rng = np.random.default_rng(0)
nouns, verbs = (np.array([f"{kind}{i}" for i in range(40)]) for kind in ("noun", "verb"))
lines = [
    " ".join([*rng.choice(nouns[i : i + 9], 3), "shot" if i < 16 else "gun", *rng.choice(verbs[i : i + 9], 3)])
    for i in rng.integers(0, 32, 600)
]
HashExplorer(Hashes(few, np.arange(0, 360, 10)), BioWord(n_units=60, n_active=8, window=5, random_state=0).fit(lines))
