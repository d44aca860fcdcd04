"""What one would write instead of the explorers: their pictures in Matplotlib, drawn anew by `ipywidgets.interactive`.

``KEXUE_NLP_RECORD=1 make test-browser`` imports this in each lesson's kernel and times both, side by side; see
``test_a_move_is_seen_soon`` in ``tests/browser/test_lessons.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import numpy as np
from matplotlib import pyplot as plt

from kexue_nlp.lessons.hashing import explorer as hashing
from kexue_nlp.lessons.margin import explorer as margin
from kexue_nlp.lessons.segmentation import explorer as segmentation
from kexue_nlp.lessons.viewpoint import explorer as viewpoint
from kexue_nlp.widgets import HashExplorer, MarginExplorer, SegmentationExplorer, SentimentExplorer, ViewpointExplorer


def peer(explorer: object) -> widgets.interactive:
    """Make the counterpart of an explorer, with a slider like the explorer's first."""
    slider, draw = PEERS[type(explorer)](explorer)

    def shown(value):
        text = draw(value)
        plt.show()
        print(text)  # behind the picture, so that what changes first is the picture

    return widgets.interactive(shown, value=slider)


def _margin(explorer: MarginExplorer) -> tuple[widgets.Widget, Callable]:
    def draw(value):
        height, counts = np.arange(len(explorer.labels)) * 0.618 % 1, []
        _, lanes = plt.subplots(len(explorer.trainings), 1, figsize=(9, 4), sharex=True)
        for ax, run in zip(lanes, explorer.trainings.values(), strict=True):
            p = np.asarray(run.predictions)[explorer.view.epoch - 1]
            active = margin.is_active(explorer.labels, p, round(value, 2))
            ax.scatter(np.where(explorer.labels == 1, p, 1 - p), height, 4, np.where(active, "C0", "0.5"))
            ax.axvspan(value, 1, alpha=0.3)
            counts.append(int(active.sum()))
        return str(counts)

    return widgets.FloatSlider(0.6, min=0.51, max=0.99, step=0.01), draw


def _sentiment(explorer: SentimentExplorer) -> tuple[widgets.Widget, Callable]:
    def draw(value):
        now = explorer.state
        _, (text, running) = plt.subplots(2, 1, figsize=(11, 6))
        text.axis("off")
        for i, word in enumerate(now.words):
            colour = plt.cm.coolwarm((100 - now.colours[value, i]) / 200)
            text.text(i % 15 / 15, 1 - i // 15 / 12, word, backgroundcolor=colour, fontsize=8)
        running.plot(now.start + np.cumsum(now.parts))
        return explorer.colour.options[value]

    return widgets.IntSlider(0, max=len(explorer.colour.options) - 1), draw


def _draw_panels(text: str, *panels: tuple[np.ndarray, np.ndarray]) -> None:
    _, axes = plt.subplots(len(panels), 1, figsize=(11, 2.5 * len(panels)), squeeze=False)
    for axis, (probabilities, path) in zip(axes[:, 0], panels, strict=True):
        axis.imshow(probabilities.T, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        axis.plot(path, "o-")
        axis.set_xticks(range(len(text)), text)
        for i, j in np.ndindex(probabilities.shape):
            axis.text(i, j, f"{probabilities[i, j]:.2f}", ha="center", fontsize=7)


def _segmentation(explorer: SegmentationExplorer) -> tuple[widgets.Widget, Callable]:
    first = explorer.rows.children[0]

    def draw(value):
        segmenter = explorer._segmenters[explorer.network.value]
        lexicon = {**explorer.lexicon, first.word.value: value}
        now = segmentation.state(segmenter, explorer.sentence.value, lexicon, explorer._answer)
        p = np.exp(now.log_probabilities)
        _draw_panels(now.text, (p, now.tags_before), (p * np.exp(now.bonuses), now.tags_after))
        return " / ".join(now.words_after)

    return widgets.FloatLogSlider(10, min=-2, max=2, step=0.05), draw


def _viewpoint(explorer: ViewpointExplorer) -> tuple[widgets.Widget, Callable]:
    def draw(value):
        text, outside = explorer.sentence.value, explorer.outside.value
        now = viewpoint.state(explorer._tagger, text, "forced", value, outside, 1.0, explorer._answer)
        p = np.exp(now.log_probabilities)
        _draw_panels(text, (p, now.tags_before), (p * np.exp(now.bonuses), now.tags_after))
        return str(now.mentions)

    return widgets.SelectionSlider(options=viewpoint.BONUSES, value=100), draw


def _hashing(explorer: HashExplorer) -> tuple[widgets.Widget, Callable]:
    hashes, item, n_units = explorer._hashes, explorer.view.item, hashing.UNITS[explorer.view.size]

    def draw(value):
        figure = plt.figure(figsize=(11, 6))
        for row, method in enumerate(hashing.METHODS):
            for i, found in enumerate((item, *hashes.nearest(method, n_units, value, [item])[0]), start=1):
                axis = figure.add_subplot(7, 11, 22 * row + i)
                axis.imshow(hashes.images.pixels[found].reshape(hashes.images.shape), cmap="gray_r")
                axis.axis("off")
            bits = hashes.codes(method, n_units, value)[item].reshape(4, -1)
            figure.add_subplot(7, 1, 2 * row + 2).imshow(bits, aspect="auto")
        curves = figure.add_subplot(7, 1, 7)
        for method in hashing.METHODS:
            ks = [k for k in hashing.ACTIVE if k <= n_units]
            curves.plot(ks, [hashes.scores[method, n_units, k] for k in ks], "o-", label=method)
        curves.legend()
        return f"{n_units} units"

    return widgets.IntSlider(16, min=1, max=32), draw


PEERS = {
    MarginExplorer: _margin,
    SentimentExplorer: _sentiment,
    SegmentationExplorer: _segmentation,
    ViewpointExplorer: _viewpoint,
    HashExplorer: _hashing,
}
