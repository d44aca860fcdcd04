"""Language models: learn to predict the next token, then use what was learned on the way (articles 4374, 4118).

The article's *window* model sees the n tokens before each one: a Keras network from
:func:`kexue_nlp.models.window_language_model`, trained on :class:`WindowBatches`. The *sequence* model,
:class:`LanguageModel`, reads a text once and predicts each of its tokens on the way, so the recurrent work is
shared by all of them; its tokens are words in lesson 02 and characters in lesson 04.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import keras
import numpy as np
from keras import layers, ops

from kexue_nlp.saved_model import SavedModel, check_process, predict
from kexue_nlp.text import PAD, UNKNOWN, Vocabulary, ngram_windows, split_words

__all__ = ["LanguageModel", "Perplexity", "WindowBatches", "ngram_perplexity", "padded"]

_CELLS = {"lstm": layers.LSTM, "gru": layers.GRU}
_SPLIT = {"word": split_words, "character": list}
_POOLINGS = ("last", "mean", "max")

# Texts are read in pieces of this many tokens, so many texts at a time: two shapes only, since JAX builds the
# network anew for each.
_PIECE = 64
_MANY = 128


def ngram_perplexity(
    train: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    n_tokens: int,
    order: int = 3,
    discount: float = 0.75,
) -> float:
    """Return the perplexity of a count-based model with interpolated Kneser–Ney smoothing: what a network must beat.

    Parameters
    ----------
    train, held_out : sequence of ndarray of int, each of shape (T_i,)
        Token ids below `n_tokens`.
    n_tokens : int
        Size of the vocabulary.
    order : int
        1 looks at no context, 2 at one token before, and so on.
    discount : float
        What is taken from each count for what was never seen, from 0 to 1.

    Returns
    -------
    float
        exp of the mean cross-entropy per token of `held_out`.

    Raises
    ------
    ValueError
        If `order` or `discount` is out of range, ids are not below `n_tokens`, keys of so many tokens do not fit in 64
        bits, or one of the two corpora is empty.

    Notes
    -----
    Chen and Goodman 1999, section 2.7, with one discount for all orders; at the bottom all tokens are equally likely.

    Examples
    --------
    >>> texts = [np.array([2, 3, 2, 3, 2, 3])]
    >>> round(ngram_perplexity(texts, texts, n_tokens=4, order=1), 2), round(ngram_perplexity(texts, texts, 4, 2), 2)
    (2.29, 1.28)
    """
    if order < 1 or not 0 <= discount <= 1 or n_tokens**order >= 2**63:
        raise ValueError(
            f"order must be 1 or more, discount from 0 to 1, and {n_tokens} tokens to the power of the order below "
            f"2**63; got {order} and {discount}"
        )
    for texts in (train, held_out):
        if any(len(text) and not (np.min(text) >= 0 and np.max(text) < n_tokens) for text in texts):
            raise ValueError(f"ids must be from 0 to {n_tokens - 1}; were they made with another vocabulary?")
    keys, wanted = (_ngram_keys(texts, n_tokens, order) for texts in (train, held_out))
    tables = []
    grams, counts = np.unique(keys, return_counts=True)
    for length in range(order, 0, -1):
        contexts, first = np.unique(grams // n_tokens, return_index=True)
        tables.append((length, grams, counts, contexts, np.add.reduceat(counts, first), np.diff([*first, len(grams)])))
        # What a shorter n-gram is good for is in how many ways it goes on to the left, not how often it occurs.
        grams, counts = np.unique(grams % n_tokens ** (length - 1), return_counts=True)
    p = np.full(len(wanted), 1 / n_tokens)
    for length, grams, counts, contexts, totals, kinds in reversed(tables):
        key = wanted % n_tokens**length
        count = _look_up(grams, counts, key)
        total, kind = (_look_up(contexts, values, key // n_tokens) for values in (totals, kinds))
        mixed = (np.maximum(count - discount, 0) + discount * kind * p) / np.maximum(total, 1)
        p = np.where(total > 0, mixed, p)
    return float(np.exp(-np.mean(np.log(p))))


def _ngram_keys(texts: Sequence[np.ndarray], n_tokens: int, order: int) -> np.ndarray:
    """One integer per token: the n-gram that ends in it, the first token in the highest digit."""
    stream, rows = ngram_windows(texts, order)
    keys = np.zeros(len(rows), np.int64)
    for column in range(1, order + 1):
        keys = keys * n_tokens + stream[rows, column]
    return keys


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values of the wanted keys, 0 for those that are not there; keys are sorted."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)


@keras.saving.register_keras_serializable("kexue_nlp")
class Perplexity(keras.metrics.Mean):
    """exp of the mean cross-entropy: among how many tokens, all equally likely, the model hesitates.

    Examples
    --------
    >>> perplexity = Perplexity()
    >>> perplexity.update_state([0, 1], [[0.5, 0.5], [0.75, 0.25]])
    >>> round(float(perplexity.result()), 4)  # 1 / sqrt(1/2 · 1/4)
    2.8284
    """

    def __init__(self, name: str = "perplexity", dtype: str | None = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:
        """Count targets, int (...,), against probabilities, float (..., V)."""
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        super().update_state(keras.losses.sparse_categorical_crossentropy(y_true, y_pred), sample_weight)

    def result(self):
        """Return the perplexity so far."""
        return ops.exp(super().result())


class WindowBatches(keras.utils.PyDataset):
    """The article's training windows, gathered batch by batch from one stream instead of being stored.

    Parameters
    ----------
    sequences : sequence of ndarray of int
        Token ids of each text.
    n : int
        Tokens of context.
    batch_size : int
    seed : int
        Of the order, which is a new one in each epoch.

    Examples
    --------
    >>> contexts, targets = WindowBatches([np.array([5, 6, 7])], n=2, batch_size=3)[0]
    >>> sorted(zip(contexts.tolist(), targets.tolist()))
    [([0, 0], 5), ([0, 5], 6), ([5, 6], 7)]
    """

    def __init__(self, sequences: Sequence[np.ndarray], n: int, batch_size: int, seed: int = 0) -> None:
        super().__init__()
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.windows, self.rows = ngram_windows(sequences, n)
        self.batch_size = batch_size
        self._rng = np.random.default_rng(seed)
        self._rng.shuffle(self.rows)

    def __len__(self) -> int:
        """Number of batches of an epoch; the last may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return contexts, int32 (B, n), and targets, int32 (B,)."""
        windows = self.windows[self.rows[index * self.batch_size : (index + 1) * self.batch_size]]
        return windows[:, :-1].astype(np.int32), windows[:, -1].astype(np.int32)

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self._rng.shuffle(self.rows)


@keras.saving.register_keras_serializable("kexue_nlp")
class NextToken(layers.Layer):
    """From states to the next token, by a product with the table of embeddings: what is read is also written.

    Parameters
    ----------
    n_sampled : int or None
        In training compare each target with so many drawn tokens instead of all.
    """

    def __init__(self, n_sampled: int | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.n_sampled = n_sampled
        self.seed = keras.random.SeedGenerator()

    def build(self, states_shape, table_shape) -> None:
        """Make the weights for states (..., H) and a table (V, E)."""
        n_tokens, embedding = table_shape
        self.kernel = self.add_weight(shape=(states_shape[-1], embedding), name="kernel")
        self.bias = self.add_weight(shape=(n_tokens,), initializer="zeros", name="bias")

    def call(self, states, table):
        """Return logits, float32 (..., V)."""
        return ops.matmul(ops.matmul(states, self.kernel), ops.transpose(table)) + self.bias

    def loss(self, states, table, targets):
        """Return the mean cross-entropy of targets, int (B, T), after states, float (B, T, H)."""
        n_tokens = table.shape[0]
        if self.n_sampled is None or self.n_sampled >= n_tokens:
            logits = self(states, table)
            return ops.mean(keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True))
        targets = ops.reshape(targets, (-1,))
        codes = ops.matmul(ops.reshape(states, (-1, states.shape[-1])), self.kernel)
        # One sample for all, drawn with replacement by P(id) = log((id + 2) / (id + 1)) / log(V + 1): ids are
        # ranks, so this is close to their frequency. Each drawn token is divided by how often it is expected in
        # the sample, so that the sum over the sample has the sum over all other tokens for its mean.
        u = keras.random.uniform((self.n_sampled,), seed=self.seed)
        drawn = ops.cast(ops.exp(u * np.log(n_tokens + 1.0)) - 1, "int32")
        drawn = ops.minimum(drawn, n_tokens - 1)
        rank = ops.cast(drawn, "float32")
        expected = self.n_sampled * ops.log((rank + 2) / (rank + 1)) / np.log(n_tokens + 1.0)

        right = ops.sum(codes * ops.take(table, targets, axis=0), axis=-1) + ops.take(self.bias, targets)
        wrong = ops.matmul(codes, ops.transpose(ops.take(table, drawn, axis=0)))
        wrong = wrong + ops.take(self.bias, drawn) - ops.log(expected)
        wrong = ops.where(ops.equal(targets[:, None], drawn), -1e9, wrong)
        return ops.mean(ops.logsumexp(ops.concatenate([right[:, None], wrong], axis=1), axis=1) - right)


class _Trainer(keras.Model):
    """Reads batches of ids (lanes, steps + 1), each lane going on where the batch before left it."""

    def __init__(self, lanes: int, embedding, recurrent, next_token) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.next_token = embedding, recurrent, next_token
        n_states = 2 if isinstance(recurrent, layers.LSTM) else 1
        self.carried = [
            self.add_weight(shape=(lanes, recurrent.units), initializer="zeros", trainable=False)
            for _ in range(n_states)
        ]
        self.perplexity = Perplexity()
        self.built = True

    def call(self, ids):
        states, *last = self.recurrent(self.embedding(ids[:, :-1]), initial_state=list(self.carried))
        for variable, value in zip(self.carried, last, strict=True):
            variable.assign(value)
        table = self.embedding.embeddings
        self.add_loss(self.next_token.loss(states, table, ids[:, 1:]))
        # The perplexity shown is exact, over all tokens, but of the first lane only.
        return ops.softmax(self.next_token(states[:1], table))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.perplexity.update_state(x[:1, 1:], y_pred)
        return self.get_metrics_result()

    def forget(self) -> None:
        for variable in self.carried:
            variable.assign(ops.zeros(variable.shape))


class LanguageModel(SavedModel):
    """A recurrent network that reads a text once and predicts each of its tokens on the way.

    Embedding → LSTM or GRU → linear layer to the size of the embedding → product with the table of embeddings
    (tied weights) → softmax. Before each text it reads one padding token, so that the first token too has
    something before it.

    Parameters
    ----------
    vocabulary : Vocabulary
        By falling frequency, if `n_sampled` is given.
    unit : {"word", "character"}
        What texts given as strings are cut into: words by :func:`kexue_nlp.text.split_words`, or characters.
    embedding, units : int
        Numbers per token and per state.
    cell : {"lstm", "gru"}
    n_sampled : int or None
        In training compare each target with so many drawn tokens instead of the whole vocabulary.
    seed : int
        Of the first weights and of the draws.

    Attributes
    ----------
    encoder : keras.Model
        Ids, int32 (B, T), to states, float32 (B, T, units). Its layers ``"embedding"`` and ``"recurrent"`` are the
        model's own: a network built on it can freeze or fine-tune them.

    Raises
    ------
    ValueError
        If `unit` or `cell` is not one of those named.

    Notes
    -----
    Article 4374 (https://kexue.fm/archives/4374) predicts each word from a window; one pass for all words is a
    reader's question there. Tied weights: Press and Wolf 2017. Sampled softmax: Bengio and Senécal
    2008; Blanc and Rendle 2018.

    Examples
    --------
    >>> model = LanguageModel(Vocabulary("abc"), unit="character", embedding=4, units=8)
    >>> model.encode(["abba", ""], pooling=("last", "mean")).shape
    (2, 16)
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        unit: Literal["word", "character"] = "word",
        embedding: int = 128,
        units: int = 512,
        cell: Literal["lstm", "gru"] = "lstm",
        n_sampled: int | None = None,
        seed: int = 0,
    ) -> None:
        if unit not in _SPLIT or cell not in _CELLS:
            raise ValueError(
                f"unit must be one of {', '.join(_SPLIT)} and cell one of {', '.join(_CELLS)}; "
                f"got {unit!r} and {cell!r}"
            )
        check_process()
        keras.utils.set_random_seed(seed)
        self._rng = np.random.default_rng(seed)
        self.vocabulary, self.unit, self.cell = vocabulary, unit, cell
        self.embedding = layers.Embedding(len(vocabulary), embedding, name="embedding")
        self.recurrent = _CELLS[cell](units, return_sequences=True, return_state=True, name="recurrent")
        self.next_token = NextToken(n_sampled, name="next_token")
        ids = keras.Input((None,), dtype="int32", name="ids")
        carried = [keras.Input((units,)) for _ in range(2 if cell == "lstm" else 1)]
        embedded = self.embedding(ids)
        states = self.recurrent(embedded)[0]
        self.encoder = keras.Model(ids, states, name="encoder")
        self._reader = keras.Model([ids, *carried], self.recurrent(embedded, initial_state=carried), name="reader")
        self.next_token.build(states.shape, (len(vocabulary), embedding))
        self._trainer: _Trainer | None = None

    @property
    def units(self) -> int:
        """Numbers per state."""
        return self.recurrent.units

    def __repr__(self) -> str:
        return f"LanguageModel({len(self.vocabulary.tokens)} {self.unit}s, {self.units} {self.cell.upper()} units)"

    def ids(self, texts: Sequence[str] | Sequence[np.ndarray]) -> list[np.ndarray]:
        """Look up the tokens of texts; what is given as ids is only checked.

        Parameters
        ----------
        texts : sequence of str, or of ndarray of int, each of shape (T_i,)

        Returns
        -------
        list of ndarray of int32, each of shape (T_i,)

        Raises
        ------
        ValueError
            If ids are outside the vocabulary, as those made with another one may be.
        TypeError
            If a single string is given instead of a sequence of them.
        """
        if isinstance(texts, str):
            raise TypeError(f"a list of texts is needed, not the single text {texts[:40]!r}; put it in a list")
        split = _SPLIT[self.unit]
        sequences = []
        for i, text in enumerate(texts):
            if isinstance(text, str):
                sequences.append(self.vocabulary.encode(split(text)))
                continue
            ids = np.asarray(text)
            if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
                raise ValueError(
                    f"text {i} must be a string or ids in one dimension, "
                    f"not an array of shape {ids.shape} and dtype {ids.dtype}"
                )
            if ids.size and not (ids.min() >= 0 and ids.max() < len(self.vocabulary)):
                raise ValueError(
                    f"text {i} has ids from {ids.min()} to {ids.max()}, the vocabulary from 0 to "
                    f"{len(self.vocabulary) - 1}; were they made with another vocabulary?"
                )
            sequences.append(ids.astype(np.int32))
        return sequences

    # --- training --------------------------------------------------------------------------------------------

    def trainer(self, lanes: int = 64, learning_rate: float = 2e-3) -> keras.Model:
        """Return the Keras model that `fit` trains; the first call decides about lanes and learning rate.

        Its ``save_weights`` and ``load_weights`` keep an interrupted training, the optimizer's memory included.

        Parameters
        ----------
        lanes : int
            Places in the text that are read side by side: the batch size.
        learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
            Of Adam, with gradients clipped to a norm of 1.
        """
        if self._trainer is None:
            self._trainer = _Trainer(lanes, self.embedding, self.recurrent, self.next_token)
            self._trainer.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0))
            self._trainer.optimizer.build(self._trainer.trainable_variables)
        return self._trainer

    def fit(
        self,
        texts: Sequence[str] | Sequence[np.ndarray],
        epochs: int = 1,
        steps: int = 40,
        verbose: str | int = "auto",
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> list[float]:
        """Train on texts, by back-propagation through `steps` tokens at a time; states are carried over.

        Call :meth:`trainer` before for another number of lanes or another learning rate. Training goes on where
        an earlier `fit` stopped.

        Parameters
        ----------
        texts : sequence of str, or of ndarray of int
            In another order in each epoch.
        epochs : int
        steps : int
            Tokens between two updates, in each lane.
        verbose : {"auto", 0, 1, 2}
            Keras's progress bar. It shows the loss (estimated, if tokens are drawn) and the exact perplexity on
            the first lane.
        callbacks : sequence of keras.callbacks.Callback
            For each epoch's ``fit`` of Keras.

        Returns
        -------
        list of float
            The perplexity shown at the end of each epoch.

        Raises
        ------
        ValueError
            If the texts are too short to fill all lanes once.
        """
        sequences = self.ids(texts)
        trainer = self.trainer()
        lanes = trainer.carried[0].shape[0]
        perplexities = []
        for _ in range(epochs):
            order = self._rng.permutation(len(sequences))
            rows = _lanes([sequences[i] for i in order], lanes, steps)
            trainer.forget()
            history = trainer.fit(rows, batch_size=lanes, shuffle=False, verbose=verbose, callbacks=list(callbacks))
            perplexities.append(history.history["perplexity"][0])
        return perplexities

    # --- use -------------------------------------------------------------------------------------------------

    def encode(
        self,
        texts: Sequence[str] | Sequence[np.ndarray],
        pooling: str | Sequence[str] = "mean",
    ) -> np.ndarray:
        """Read each text from an empty state and pool its states: one after each token, and one before the first.

        Parameters
        ----------
        texts : sequence of str, or of ndarray of int, length N
        pooling : {"last", "mean", "max"} or a sequence of them
            The state after the last token, the mean of all, the highest value of each unit.

        Returns
        -------
        ndarray of float32, shape (N, units × number of poolings)
            It does not depend on which texts are encoded together.

        Raises
        ------
        ValueError
            If a pooling has another name.
        """
        names = [pooling] if isinstance(pooling, str) else list(pooling)
        if not names or not set(names) <= set(_POOLINGS):
            raise ValueError(f"pooling must be one or more of {', '.join(_POOLINGS)}, got {pooling!r}")
        sequences = self.ids(texts)
        shape = (len(sequences), self.units)
        pooled = {
            "last": np.zeros(shape, np.float32),
            "mean": np.zeros(shape, np.float32),
            "max": np.full(shape, -np.inf, np.float32),
        }
        for rows, states, lengths, _ in self._pieces(sequences):
            read = (np.arange(states.shape[1]) < lengths[:, None])[..., None]
            pooled["mean"][rows] += states.sum(axis=1, where=read)
            highest = states.max(axis=1, where=read, initial=-np.inf)
            pooled["max"][rows] = np.maximum(pooled["max"][rows], highest)
            some = lengths > 0
            pooled["last"][rows[some]] = states[some, lengths[some] - 1]
        pooled["mean"] /= np.array([[len(sequence) + 1] for sequence in sequences], np.float32).reshape(-1, 1)
        return np.concatenate([pooled[name] for name in names], axis=1)

    def states(self, text: str | np.ndarray) -> np.ndarray:
        """Return the states of one text, float32 (T + 1, units): before the first token and after each."""
        pieces = [states[0, : lengths[0]] for _, states, lengths, _ in self._pieces(self.ids([text]))]
        return np.concatenate(pieces)

    def perplexity(self, texts: Sequence[str] | Sequence[np.ndarray]) -> float:
        """Return exp of the mean cross-entropy per token, over the whole vocabulary, unknown tokens included.

        Raises
        ------
        ValueError
            If no text has a token.
        """
        total, n = 0.0, 0
        for _, states, lengths, targets in self._pieces(self.ids(texts)):
            # The state after the last token would predict the end; that is not counted.
            predicted = (np.arange(states.shape[1]) < lengths[:, None]) & (targets != PAD)
            states, targets = states[predicted], targets[predicted]
            for start in range(0, len(targets), 1024):
                log_p = self._log_probabilities(states[start : start + 1024])
                total -= np.take_along_axis(log_p, targets[start : start + 1024, None], axis=1).sum(dtype=float)
            n += len(targets)
        if not n:
            raise ValueError("none of the texts has a token to predict")
        return float(np.exp(total / n))

    def next_probabilities(self, text: str | np.ndarray) -> np.ndarray:
        """Return the probability of each token of the vocabulary to come next, float32 (V,)."""
        return np.exp(self._log_probabilities(self.states(text)[-1:])[0])

    def generate(self, text: str, n: int, temperature: float = 1.0, seed: int = 0) -> str:
        """Let the model go on with a text, one drawn token after another; padding and unknown tokens are not drawn.

        Parameters
        ----------
        text : str
        n : int
            Tokens to add.
        temperature : float
            Below 1 likely tokens are drawn more often than their probability says.
        seed : int
            Of the draws.

        Returns
        -------
        str
            The tokens of the text, as the model cuts it, and the new ones; between words there are spaces.

        Raises
        ------
        ValueError
            If the temperature is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        rng = np.random.default_rng(seed)
        tokens = list(_SPLIT[self.unit](text))
        read = np.concatenate([[PAD], self.vocabulary.encode(tokens)]).astype(np.int32)
        carried = [np.zeros((1, self.units), np.float32)] * len(self._reader.inputs[1:])
        for token in read[:-1]:
            _, *carried = predict(self._reader, [np.array([[token]], np.int32), *carried])
        token = read[-1]
        for _ in range(n):
            states, *carried = predict(self._reader, [np.array([[token]], np.int32), *carried])
            log_p = self._log_probabilities(np.asarray(states)[0])[0].astype(float)
            log_p[[PAD, UNKNOWN]] = -np.inf
            p = np.exp((log_p - log_p.max()) / temperature)
            token = rng.choice(len(p), p=p / p.sum())
            tokens.append(self.vocabulary.tokens[token - 2])
        return (" " if self.unit == "word" else "").join(tokens)

    def _log_probabilities(self, states: np.ndarray) -> np.ndarray:
        kernel, bias = (np.asarray(weight) for weight in self.next_token.get_weights()[:2])
        logits = states @ kernel @ self.embedding.get_weights()[0].T + bias
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def _pieces(self, sequences: list[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
        """Read texts side by side, piece by piece.

        Yields which texts, int (B,); their states, float32 (B, 64, units); how many of these are theirs, int (B,);
        and the tokens that come after each state, int (B, 64), 0 after the last.
        """
        size = 1 if len(sequences) == 1 else _MANY
        # Texts of like length side by side leave little padding.
        order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
        for start in range(0, len(order), size):
            rows = np.array(order[start : start + size])
            longest = len(sequences[rows[0]]) + 1  # with the padding token that is read first
            ids = np.zeros((size, -(-longest // _PIECE) * _PIECE + 1), np.int32)
            for line, i in zip(ids, rows, strict=False):
                line[1 : len(sequences[i]) + 1] = sequences[i]
            lengths = np.array([len(sequences[i]) + 1 for i in rows])
            carried = [np.zeros((size, self.units), np.float32)] * len(self._reader.inputs[1:])
            for place in range(0, longest, _PIECE):
                piece = ids[:, place : place + _PIECE]
                states, *carried = predict(self._reader, [piece, *carried])
                after = ids[: len(rows), place + 1 : place + 1 + _PIECE]
                yield rows, states[: len(rows)], np.clip(lengths - place, 0, _PIECE), after

    # --- files -----------------------------------------------------------------------------------------------

    _kind = "language model"
    _pretrained = ("language_model", "make pretrain-lm")

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        meta = {
            "tokens": list(self.vocabulary.tokens),
            "unit": self.unit,
            "embedding": self.embedding.output_dim,
            "units": self.units,
            "cell": self.cell,
            "n_sampled": self.next_token.n_sampled,
        }
        return meta, {f"weights_{i}": weight for i, weight in enumerate(self._weights())}

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> LanguageModel:
        model = cls(Vocabulary(meta.pop("tokens")), **meta)
        weights = [arrays[f"weights_{i}"] for i in range(len(arrays))]
        for variable, weight in zip(model._variables(), weights, strict=True):
            variable.assign(weight.astype(np.float32))
        return model

    def _variables(self) -> list[keras.Variable]:
        return [
            *self.embedding.trainable_variables,
            *self.recurrent.trainable_variables,
            *self.next_token.trainable_variables,
        ]

    def _weights(self) -> list[np.ndarray]:
        return [ops.convert_to_numpy(variable) for variable in self._variables()]


def padded(sequences: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Lay texts out as a classifier on :attr:`LanguageModel.encoder` reads them.

    Parameters
    ----------
    sequences : sequence of ndarray of int, each of shape (T_i,)
        Token ids.
    length : int
        Tokens of each text that are kept, its last ones.

    Returns
    -------
    ndarray of int32, shape (N, length + 1)
        A 0, the tokens, and zeros behind them: what comes after a text cannot change its states.

    Raises
    ------
    ValueError
        If `length` is less than 1.

    Examples
    --------
    >>> padded([np.array([5, 6]), np.array([7, 8, 9, 4])], length=3)
    array([[0, 5, 6, 0],
           [0, 8, 9, 4]], dtype=int32)
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    rows = np.zeros((len(sequences), length + 1), np.int32)
    for row, sequence in zip(rows, sequences, strict=True):
        kept = sequence[-length:]
        row[1 : len(kept) + 1] = kept
    return rows


def _lanes(sequences: list[np.ndarray], lanes: int, steps: int) -> np.ndarray:
    """Cut a stream of texts into `lanes` equal parts and these into rows of steps + 1 ids that overlap by one.

    Returns int32 (batches × lanes, steps + 1): rows i · lanes … (i + 1) · lanes − 1 are batch i, and each goes on in
    the same place of the next. What does not fill the last batch is left out.
    """
    gap = np.zeros(1, np.int32)
    stream = np.concatenate([part for sequence in sequences for part in (gap, sequence)] + [gap])
    batches = (len(stream) - 1) // (lanes * steps)
    if not batches:
        raise ValueError(
            f"{len(stream) - 1} tokens do not fill {lanes} lanes of {steps} steps once; take fewer lanes or steps"
        )
    starts = np.arange(lanes) * batches * steps + np.arange(batches)[:, None] * steps
    return np.lib.stride_tricks.sliding_window_view(stream, steps + 1)[starts.ravel()]
