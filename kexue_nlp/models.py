"""The articles' networks as small Keras builder functions, layer for layer as in the notebooks."""

from __future__ import annotations

import keras
from keras import layers, ops

__all__ = ["article_segmenter", "gated_segmenter"]


def _visible(ids):
    """Return 1.0 where there is a character and 0.0 where there is padding, shape (B, T, 1).

    ``Conv1D`` with SAME padding drops Keras masks. Multiplying by this before every convolution makes a
    padded position look exactly like the edge of the text, so a sentence gets the same tags alone, padded,
    or packed beside others.
    """
    return ops.cast(ops.not_equal(ids, 0), "float32")[..., None]


def article_segmenter(n_characters: int, n_tags: int = 4, dropout: float = 0.5) -> keras.Model:
    """Build the three-layer fully convolutional tagger of article 4195.

    Embedding 128 → dropout → convolutions of width 3: 128 ReLU → 32 ReLU → tags softmax. The receptive
    field is three characters to each side.

    Parameters
    ----------
    n_characters : int
        Vocabulary size, ids 0 (padding) and 1 (unknown) included.
    n_tags : int
        Number of tags.
    dropout : float
        Share of embedding values dropped in training. The article gives 0.5.

    Returns
    -------
    keras.Model
        Input int32 (B, T), character ids, 0 for padding; output float32 (B, T, n_tags), tag
        probabilities. Any B and T.

    Examples
    --------
    >>> article_segmenter(5000).count_params()
    705540
    """
    ids = keras.Input((None,), dtype="int32", name="characters")
    visible = _visible(ids)
    x = layers.Embedding(n_characters, 128, name="embedding")(ids)
    x = layers.Dropout(dropout)(x)
    x = layers.Conv1D(128, 3, padding="same", activation="relu", name="conv_1")(x * visible)
    x = layers.Conv1D(32, 3, padding="same", activation="relu", name="conv_2")(x * visible)
    tags = layers.Conv1D(n_tags, 3, padding="same", activation="softmax", name="conv_3")(x * visible)
    return keras.Model(ids, tags, name="article_segmenter")
