"""Figures that others have published, shown beside ours in the tables."""

# Mean average precision in per cent on MNIST at k = 2, 4, 8, 16, 32: Ryali et al. (2020), arXiv 2001.04907, table 1.
HASHING = {
    "LSH": (12.5, 13.8, 18.1, 20.3, 26.2),
    "FlyHash": (18.9, 20.0, 24.2, 26.3, 32.3),
    "BioHash": (44.4, 49.3, 53.4, 54.9, 55.5),
}

# Test accuracy in per cent of one run each: article 4293.
MARGIN = {
    ("lstm", "cross-entropy"): 81.02,
    ("lstm", "margin"): 82.26,
    ("cnn", "cross-entropy"): 88.14,
    ("cnn", "margin"): 88.24,
}

# Accuracy in per cent of one run, before self-training and at its end: article 4374.
SEMI_SUPERVISED = (73.04, 73.48)
