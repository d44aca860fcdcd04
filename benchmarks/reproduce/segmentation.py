"""Train the segmentation networks on People's Daily 1998-01 and score them on the bakeoff 2005 PKU test.

Each finished run appends one JSON line to ``benchmarks/results/segmentation.jsonl``; runs already there are
skipped, and an interrupted run goes on from its last epoch. The epoch is chosen on held-out People's Daily; the
test is scored once, with the weights so chosen.

Usage::

    python benchmarks/reproduce/segmentation.py                    # every network, seeds 0, 1, 2
    python benchmarks/reproduce/segmentation.py --network article --seeds 0
    python benchmarks/reproduce/segmentation.py --pretrain         # also store the pretrained segmenter
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import keras
from kexue_nlp.datasets import load_segmentation
from kexue_nlp.lexicon import forward_maximum_matching
from kexue_nlp.models import article_segmenter, pair_segmenter
from kexue_nlp.scoring import score_words
from kexue_nlp.segmenter import Segmenter, character_features
from kexue_nlp.tagging import words_to_tags
from kexue_nlp.text import SENTENCE_END, Vocabulary, normalise, pack

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "segmentation.jsonl"
RUNS = ROOT / ".runs" / "segmentation"
PRETRAINED = ROOT / "kexue_nlp" / "pretrained"
