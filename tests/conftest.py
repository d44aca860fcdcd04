"""Settings that every test shares."""

import os

import kexue_nlp  # noqa: F401  (before any test imports Keras: it chooses the backend)

# Figures are drawn into memory, also where a desktop could show them (macOS would open windows).
os.environ.setdefault("MPLBACKEND", "Agg")
