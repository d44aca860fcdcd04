"""The articles' networks as small Keras builder functions, layer for layer as in the notebooks; and a new start.

Inputs are int32 ids of shape (B, T) unless said otherwise, for any B and T. Outputs are float32 probabilities, of shape
(B, T, n_tags) from a tagger and (B, 1) from a classifier. `n_characters`, `n_pairs`, `n_words` and `n_tokens` are the
numbers of ids, 0 (padding) and 1 (unknown) included, `n_tags` is the number of tags, `embedding` the length of the
vector for an id, and `dropout` the share of values that is dropped in training.
"""

import keras
from keras import layers, ops

from kexue_nlp.features import N_PATTERNS

__all__ = [
    *("article_cnn", "article_lstm", "article_segmenter", "article_tagger", "encoder_head", "enriched_segmenter"),
    *("pooled_classifier", "restart", "viewpoint_tagger", "window_language_model"),
]


def _visible(ids):
    """Return 1.0 where there is a character and 0.0 where there is padding, shape (B, T, 1)."""
    # Convolutions drop Keras masks. Multiplied by this before each, padding looks exactly like the edge of the text, so
    # a sentence gets the same tags alone, padded, or packed beside others.
    return ops.cast(ops.not_equal(ids, 0), "float32")[..., None]


def article_segmenter(n_characters: int, n_tags: int = 4, dropout: float = 0.5) -> keras.Model:
    """Build the three-layer fully convolutional tagger of article 4195.

    Embedding 128 → dropout → convolutions of width 3: 128 ReLU → 32 ReLU → tags softmax.
    """
    ids = keras.Input((None,), dtype="int32", name="characters")
    visible = _visible(ids)
    x = layers.Dropout(dropout)(layers.Embedding(n_characters, 128, name="embedding")(ids))
    x = layers.Conv1D(128, 3, padding="same", activation="relu", name="conv_1")(x * visible)
    x = layers.Conv1D(32, 3, padding="same", activation="relu", name="conv_2")(x * visible)
    tags = layers.Conv1D(n_tags, 3, padding="same", activation="softmax", name="conv_3")(x * visible)
    return keras.Model(ids, tags, name="article_segmenter")


def enriched_segmenter(
    n_characters: int, n_pairs: int, n_tags: int = 4, width: int = 96, n_layers: int = 3, dropout: float = 0.3
) -> keras.Model:
    """Build a fully convolutional tagger that also reads pairs of characters and known words.

    The input has shape (B, T, 4), as :class:`kexue_nlp.features.Features` with pairs gives it. One linear-ReLU layer
    mixes its vectors; `n_layers` residual convolutions of width 3 with `width` filters follow. Whole vectors of pairs
    and of known words are dropped, too, or the network would rely on them and be lost where a text has new ones.
    """
    ids = keras.Input((None, 4), dtype="int32", name="features")
    visible = _visible(ids[..., 0])
    character = layers.Embedding(n_characters, 64, name="character_embedding")(ids[..., 0])
    pairs = layers.Embedding(n_pairs, 32, name="pair_embedding")(ids[..., 1:3])
    pairs = layers.Dropout(dropout, noise_shape=(None, None, None, 1))(pairs)
    known = layers.Embedding(N_PATTERNS, 16, name="known_word_embedding")(ids[..., 3])
    known = layers.Dropout(dropout, noise_shape=(None, None, 1))(known)
    x = layers.Concatenate()([character, layers.Reshape((-1, 64))(pairs), known])
    x = layers.Dense(width, activation="relu", name="mix")(layers.Dropout(dropout)(x))
    for i in range(n_layers):
        seen = layers.Dropout(dropout / 3)(x) * visible
        x = x + layers.Conv1D(width, 3, padding="same", activation="relu", name=f"conv_{i + 1}")(seen)
    tags = layers.Dense(n_tags, activation="softmax", name="tags")(layers.Dropout(dropout)(x))
    return keras.Model(ids, tags, name="enriched_segmenter")


def article_tagger(
    n_characters: int, embedding: int = 64, units: tuple[int, int] = (64, 32), n_tags: int = 4
) -> keras.Model:
    """Build the recurrent tagger of article 4118.

    Embedding (to be taken from a language model, and frozen) → two GRU layers with `units` in each direction, whose
    states are added → softmax over the tags. Padding is masked, and has no tag of its own as in the article.
    """
    ids = keras.Input((None,), dtype="int32", name="characters")
    x = layers.Embedding(n_characters, embedding, mask_zero=True, name="embedding")(ids)
    for i, n in enumerate(units, start=1):
        x = layers.Bidirectional(layers.GRU(n, return_sequences=True), merge_mode="sum", name=f"recurrent_{i}")(x)
    tags = layers.Dense(n_tags, activation="softmax", name="tags")(x)
    return keras.Model(ids, tags, name="article_tagger")


def viewpoint_tagger(
    n_characters: int, embedding: int = 64, units: tuple[int, int] = (96, 64), n_tags: int = 4, dropout: float = 0.4
) -> keras.Model:
    """Build a tagger that also reads where the names of a list stand.

    As :func:`article_tagger`, but states of the two directions stand side by side, dropout comes before each layer, and
    16 more numbers say what part of a listed name a position is. The input has shape (B, T, 2), as
    :meth:`kexue_nlp.viewpoint_tagger.ViewpointTagger.features` gives it.
    """
    ids = keras.Input((None, 2), dtype="int32", name="features")
    characters = layers.Embedding(n_characters, embedding, mask_zero=True, name="embedding")(ids[..., 0])
    names = layers.Embedding(5, 16, name="name_embedding")(ids[..., 1])
    mask = ops.not_equal(ids[..., 0], 0)
    x = layers.Concatenate()([characters, names])
    for i, n in enumerate(units, start=1):
        x = layers.Dropout(dropout)(x)
        x = layers.Bidirectional(layers.GRU(n, return_sequences=True), name=f"recurrent_{i}")(x, mask=mask)
    tags = layers.Dense(n_tags, activation="softmax", name="tags")(layers.Dropout(dropout)(x))
    return keras.Model(ids, tags, name="viewpoint_tagger")


def article_lstm(n_words: int = 20_000, embedding: int = 128, units: int = 128, dropout: float = 0.2) -> keras.Model:
    """Build the recurrent sentiment classifier of article 4293, which reads the last 80 words.

    Embedding → LSTM with dropout on its input and on its state, the same at every word → sigmoid. There is no mask:
    padding is a word like any other here.
    """
    stack = [
        keras.Input((None,), dtype="int32", name="words"),
        layers.Embedding(n_words, embedding, name="embedding"),
        layers.LSTM(units, dropout=dropout, recurrent_dropout=dropout, name="lstm"),
        layers.Dense(1, activation="sigmoid", name="positive"),
    ]
    return keras.Sequential(stack, name="article_lstm")


def article_cnn(
    n_words: int = 5_000, embedding: int = 50, filters: int = 250, hidden: int = 250, dropout: float = 0.2
) -> keras.Sequential:
    """Build the convolutional sentiment classifier of article 4293, which reads the last 400 words, and never under 3.

    Embedding → dropout → convolution of width 3 with ReLU → maximum over the text → dense layer → dropout → ReLU →
    sigmoid. There is no mask here either.
    """
    stack = [
        keras.Input((None,), dtype="int32", name="words"),
        layers.Embedding(n_words, embedding, name="embedding"),
        layers.Dropout(dropout),
        layers.Conv1D(filters, 3, padding="valid", activation="relu", name="convolution"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(hidden, name="hidden"),
        layers.Dropout(dropout),
        layers.Activation("relu"),
        layers.Dense(1, name="logit"),
        layers.Activation("sigmoid", name="positive"),
    ]
    return keras.Sequential(stack, name="article_cnn")


def window_language_model(
    n_tokens: int = 10_000, embedding: int = 100, units: int = 1000, n: int | None = None
) -> keras.Sequential:
    """Build the language model of article 4374: the tokens before each one, `n` if always as many, predict it.

    Embedding → LSTM, which together are the layer ``"encoder"`` → softmax, float32 (B, n_tokens). There is no mask.
    """
    tokens = keras.Input((n,), dtype="int32", name="tokens")
    vectors = layers.Embedding(n_tokens, embedding, name="embedding")
    encoder = keras.Sequential([tokens, vectors, layers.LSTM(units, name="lstm")], name="encoder")
    softmax = layers.Dense(n_tokens, activation="softmax", name="next_token")
    return keras.Sequential([encoder, softmax], name="window_language_model")


def encoder_head(n_features: int = 1000, hidden: int = 10, dropout: float = 0.5) -> keras.Sequential:
    """Build what article 4374 trains on top of its frozen encoder: a small classifier of features (B, n_features).

    Dense with ReLU → dropout → sigmoid: 10,021 weights, where the text of the article says 1,001.
    """
    stack = [
        keras.Input((n_features,), name="features"),
        layers.Dense(hidden, activation="relu", name="hidden"),
        layers.Dropout(dropout),
        layers.Dense(1, activation="sigmoid", name="positive"),
    ]
    return keras.Sequential(stack, name="encoder_head")


def pooled_classifier(encoder: keras.Model, word_dropout: float = 0.1, dropout: float = 0.3) -> keras.Model:
    """Build a classifier on a language model: its last, mean and highest states → dropout → sigmoid.

    This is the concat pooling of Howard and Ruder 2018 (ULMFiT) of rows that :func:`kexue_nlp.language_model.padded`
    lays out. The layers of `encoder`, that of a :class:`kexue_nlp.language_model.LanguageModel`, are used, not copied:
    training fine-tunes them, unless they are frozen. `word_dropout` is the share of words whose vectors are dropped.
    """
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = encoder.get_layer("embedding")(ids)
    embedded = layers.Dropout(word_dropout, noise_shape=(None, None, 1), name="word_dropout")(embedded)
    states = encoder.get_layer("recurrent")(embedded)[0]
    # What counts is the state before the first word and those after each.
    first = ops.equal(ops.cumsum(ops.ones_like(ids), axis=1), 1)
    read = ops.cast(ops.logical_or(ops.not_equal(ids, 0), first), "float32")[..., None]
    length = ops.sum(read, axis=1)
    is_last = ops.cast(ops.equal(ops.cumsum(read, axis=1), length[:, None]), "float32") * read
    pooled = [
        ops.sum(states * is_last, axis=1),
        ops.sum(states * read, axis=1) / length,
        ops.max(states - 1e9 * (1 - read), axis=1),
    ]
    pooled = layers.Dropout(dropout, name="dropout")(layers.Concatenate(name="pooled")(pooled))
    return keras.Model(ids, layers.Dense(1, activation="sigmoid", name="positive")(pooled), name="pooled_classifier")


def restart(network: keras.Model, seed: int) -> keras.Model:
    """Give a compiled network (ValueError otherwise) new first weights, and its optimizer a fresh memory; return it.

    It need not be compiled again, which for a small network takes longer than training. Networks of one architecture
    restarted with one seed begin with the same weights, and drop the same values. For batches in the same order train
    with ``shuffle=False``: the first `fit` of a network draws one order more than later ones.
    """
    if getattr(network, "optimizer", None) is None:
        raise ValueError(f"the network {network.name!r} is not compiled; call its compile first")
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(network)
    network.set_weights(fresh.get_weights())
    for mine, new in zip(_dropout_seeds(network), _dropout_seeds(fresh), strict=True):
        mine.assign(new)
    if network.optimizer.built:
        optimizer = type(network.optimizer).from_config(network.optimizer.get_config())
        optimizer.build(fresh.trainable_variables)
        for mine, new in zip(network.optimizer.variables, optimizer.variables, strict=True):
            mine.assign(new)
    return network


def _dropout_seeds(network: keras.Model) -> list[keras.Variable]:
    return [v for v in network.non_trainable_variables if v.name == "seed_generator_state"]
