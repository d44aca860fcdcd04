"""A recurrent language model: it learns to predict the next token, and what it learned on the way is used.

:class:`LanguageModel` reads a text once and predicts each token on the way, so that all share the recurrent work. The
model of article 4374, which sees a window of n tokens, is :func:`kexue_nlp.models.window_language_model`.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, Self

import keras
import numpy as np
from keras import layers, ops

from kexue_nlp.batching import pad
from kexue_nlp.ngrams import WindowBatches, ngram_perplexity
from kexue_nlp.saved_model import SavedModel, check_process, exclusive, predict
from kexue_nlp.text import PAD, UNKNOWN, Vocabulary, split_words

__all__ = ["LanguageModel", "NextToken", "Perplexity", "WindowBatches", "ngram_perplexity", "padded"]

_CELLS = {"lstm": layers.LSTM, "gru": layers.GRU}
_SPLIT = {"word": split_words, "character": list}
_Texts = Sequence[str] | Sequence[np.ndarray]  # strings, or ids of tokens, each int (T_i,)

# Texts are read in pieces of this many tokens, one text at a time or so many: two shapes for the compiler.
_PIECE = 64
_MANY = 128


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


@keras.saving.register_keras_serializable("kexue_nlp")
class NextToken(layers.Layer):
    """From states to the next token, by a product with the table of embeddings: what is read is also written.

    In training each target is compared with `n_sampled` drawn tokens, or with all if it is None.
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
        # One sample for all, drawn with replacement by P(id) = log((id + 2) / (id + 1)) / log(V + 1): ids are ranks, so
        # this is close to their frequency. Each drawn token is divided by how often it is expected in the sample, so
        # that the sum over the sample has the sum over all other tokens for its mean.
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
    """Reads batches of ids (B, steps + 1), each row going on where the batch before left it."""

    def __init__(self, batch_size: int, embedding, recurrent, next_token) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.next_token = embedding, recurrent, next_token
        n_states = 2 if isinstance(recurrent, layers.LSTM) else 1
        shape = (batch_size, recurrent.units)
        self.carried = [self.add_weight(shape, initializer="zeros", trainable=False) for _ in range(n_states)]
        self.perplexity = Perplexity()
        self.built = True

    def call(self, ids):
        states, *last = self.recurrent(self.embedding(ids[:, :-1]), initial_state=list(self.carried))
        for variable, value in zip(self.carried, last, strict=True):
            variable.assign(value)
        table = self.embedding.embeddings
        self.add_loss(self.next_token.loss(states, table, ids[:, 1:]))
        # The perplexity shown is exact, over all tokens, but of the first row only.
        return ops.softmax(self.next_token(states[:1], table))

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.perplexity.update_state(x[:1, 1:], y_pred)
        return self.get_metrics_result()


class LanguageModel(SavedModel):
    """A recurrent network that reads a text once and predicts each of its tokens on the way.

    Embedding → LSTM or GRU → linear layer to the size of the embedding → product with the table of embeddings (tied
    weights, Press and Wolf 2017) → softmax. One padding token is read before each text. The pretrained model has read
    the IMDB reviews and knows 10,000 words.

    The attribute ``encoder`` is a Keras model from ids, int32 (B, T), to states, float32 (B, T, units). A network built
    on it can freeze or fine-tune its layers ``"embedding"`` and ``"recurrent"``, which are the model's own.

    Strings are cut into words by :func:`kexue_nlp.text.split_words`, or into characters, as `unit` says; `embedding`
    and `units` are the numbers per token and per state. In training each target may be compared with `n_sampled` drawn
    tokens instead of the whole vocabulary, which then must be ordered by falling frequency (sampled softmax: Bengio and
    Senécal 2008; Blanc and Rendle 2018).

    Examples
    --------
    >>> model = LanguageModel(Vocabulary("abc"), unit="character", embedding=4, units=8)
    >>> model.encode(["abba", ""], pooling=("last", "mean")).shape
    (2, 16)
    """

    _kind = "language model"
    _pretrained = ("language_model", "make pretrain-lm")

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
            raise ValueError(f"unit must be in {list(_SPLIT)} and cell in {list(_CELLS)}; got {unit!r} and {cell!r}")
        check_process()
        keras.utils.set_random_seed(seed)
        self._rng = np.random.default_rng(seed)
        self.vocabulary, self.unit, self.units, self.cell = vocabulary, unit, units, cell
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

    def __repr__(self) -> str:
        return f"LanguageModel({len(self.vocabulary.tokens)} {self.unit}s, {self.units} {self.cell.upper()} units)"

    def ids(self, texts: _Texts) -> list[np.ndarray]:
        """Look up the tokens of texts, int32 (T_i,) for each; of ids it is checked that they are in the vocabulary."""
        if isinstance(texts, str):
            raise TypeError(f"a list of texts is needed, not the single text {texts[:40]!r}; put it in a list")
        sequences, n = [], len(self.vocabulary)
        for i, text in enumerate(texts):
            ids = self.vocabulary.encode(_SPLIT[self.unit](text)) if isinstance(text, str) else np.asarray(text)
            if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
                raise ValueError(f"text {i} must be a str or ids of shape (T,), not {ids.dtype} of shape {ids.shape}")
            if ids.size and not (ids.min() >= 0 and ids.max() < n):
                raise ValueError(f"text {i} has ids from {ids.min()} to {ids.max()}, the vocabulary from 0 to {n - 1}")
            sequences.append(ids.astype(np.int32))
        return sequences

    def trainer(self, batch_size: int = 64, learning_rate: float = 2e-3) -> keras.Model:
        """Return the Keras model that `fit` trains; only the first call decides about the two parameters.

        It reads `batch_size` places of the text side by side, and learns by Adam (the rate may be a schedule), with
        gradients clipped to a norm of 1. Its ``save_weights`` and ``load_weights`` keep an interrupted training.
        """
        check_process()
        if self._trainer is None:
            self._trainer = _Trainer(batch_size, self.embedding, self.recurrent, self.next_token)
            self._trainer.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0))
            self._trainer.optimizer.build(self._trainer.trainable_variables)
        return self._trainer

    def fit(
        self, texts: _Texts, epochs: int = 1, steps: int = 40, verbose: str | int = "auto", callbacks: Sequence = ()
    ) -> list[float]:
        """Train on texts, and return the perplexity shown at the end of each epoch.

        Texts, strings or ids, are read in another order in each epoch, and must fill one batch. Back-propagation goes
        through `steps` tokens of each row; states are carried over. Training goes on where an earlier `fit` stopped.
        Call :meth:`trainer` before the first one for another batch size or learning rate. Keras's ``fit`` is called
        once per epoch; its bar shows the loss (estimated, if tokens are drawn) and the perplexity on the first row.
        """
        sequences, trainer, shown = self.ids(texts), self.trainer(), []
        batch_size = trainer.carried[0].shape[0]
        for _ in range(epochs):
            shuffled = [sequences[i] for i in self._rng.permutation(len(sequences))]
            rows = _stateful_rows(shuffled, batch_size, steps)
            for variable in trainer.carried:
                variable.assign(ops.zeros(variable.shape))
            with exclusive():
                options = {"shuffle": False, "verbose": verbose, "callbacks": [*callbacks]}
                history = trainer.fit(rows, batch_size=batch_size, **options)
            shown.append(history.history["perplexity"][0])
        return shown

    def encode(self, texts: _Texts, pooling: str | Sequence[str] = "mean") -> np.ndarray:
        """Read each text from an empty state and pool its states: one after each token, and one before the first.

        Poolings are "last", the state after the last token, "mean" and "max", of each unit. Returns float32
        (N, units × number of poolings); a text's row does not depend on the texts beside it.
        """
        sequences = self.ids(texts)
        last, mean = np.zeros((2, len(sequences), self.units), np.float32)
        most = np.full_like(mean, -np.inf)
        pooled = {"last": last, "mean": mean, "max": most}
        names = [pooling] if isinstance(pooling, str) else list(pooling)
        if not names or not set(names) <= pooled.keys():
            raise ValueError(f"pooling must be one or more of {', '.join(pooled)}, got {pooling!r}")
        for rows, states, lengths, _ in self._pieces(sequences):
            read = (np.arange(states.shape[1]) < lengths[:, None])[..., None]
            mean[rows] += states.sum(axis=1, where=read)
            most[rows] = np.maximum(most[rows], states.max(axis=1, where=read, initial=-np.inf))
            some = lengths > 0
            last[rows[some]] = states[some, lengths[some] - 1]
        mean /= np.array([len(sequence) + 1 for sequence in sequences], np.float32)[:, None]
        return np.concatenate([pooled[name] for name in names], axis=1)

    def states(self, text: str | np.ndarray) -> np.ndarray:
        """Return the states of one text, float32 (T + 1, units): before the first token and after each."""
        return np.concatenate([states[0, : lengths[0]] for _, states, lengths, _ in self._pieces(self.ids([text]))])

    def perplexity(self, texts: _Texts) -> float:
        """Return exp of the mean cross-entropy per token, over the whole vocabulary, unknown tokens included."""
        total, n = 0.0, 0
        for _, states, _, targets in self._pieces(self.ids(texts)):
            # The state after the last token would predict the end; that is not counted.
            states, targets = states[targets != PAD], targets[targets != PAD]
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
        """Return a text and `n` tokens more, drawn by their probabilities ** (1 / temperature); no unknown ones."""
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        rng = np.random.default_rng(seed)
        tokens = list(_SPLIT[self.unit](text))
        carried = self._empty_state(1)
        for token in (PAD, *self.vocabulary.encode(tokens)):
            states, *carried = predict(self._reader, [np.array([[token]], np.int32), *carried])
        for _ in range(n):
            log_p = self._log_probabilities(states[0])[0].astype(float)
            log_p[[PAD, UNKNOWN]] = -np.inf
            p = np.exp((log_p - log_p.max()) / temperature)
            token = rng.choice(len(p), p=p / p.sum())
            tokens.append(self.vocabulary.tokens[token - 2])
            states, *carried = predict(self._reader, [np.array([[token]], np.int32), *carried])
        return (" " if self.unit == "word" else "").join(tokens)

    def _log_probabilities(self, states: np.ndarray) -> np.ndarray:
        weights = self.next_token.kernel, self.next_token.bias, self.embedding.embeddings
        kernel, bias, table = (ops.convert_to_numpy(weight.value) for weight in weights)
        logits = states @ kernel @ table.T + bias
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def _empty_state(self, n_rows: int) -> list[np.ndarray]:
        return [np.zeros((n_rows, self.units), np.float32)] * len(self._reader.inputs[1:])

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
            lengths = np.array([len(sequences[i]) + 1 for i in rows])  # with the padding token that is read first
            n_pieces = -(-lengths[0] // _PIECE)
            ids = np.zeros((size, n_pieces * _PIECE + 1), np.int32)
            ids[:, 1:] = pad([sequences[i] for i in rows], n_pieces * _PIECE, size)
            carried = self._empty_state(size)
            for place in range(0, lengths[0], _PIECE):
                states, *carried = predict(self._reader, [ids[:, place : place + _PIECE], *carried])
                after = ids[: len(rows), place + 1 : place + 1 + _PIECE]
                yield rows, states[: len(rows)], np.clip(lengths - place, 0, _PIECE), after

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        meta = {"tokens": list(self.vocabulary.tokens), "unit": self.unit, "cell": self.cell, "units": self.units}
        meta |= {"embedding": self.embedding.output_dim, "n_sampled": self.next_token.n_sampled}
        return meta, {f"weights_{i}": ops.convert_to_numpy(v.value) for i, v in enumerate(self._variables())}

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        model = cls(Vocabulary(meta.pop("tokens")), **meta)
        for variable, weight in zip(model._variables(), arrays.values(), strict=True):
            variable.assign(weight.astype(np.float32))
        return model

    def _variables(self) -> list[keras.Variable]:
        return [v for layer in (self.embedding, self.recurrent, self.next_token) for v in layer.trainable_variables]


def padded(sequences: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Lay token ids out as a classifier on :attr:`LanguageModel.encoder` reads them.

    Each row, int32 (length + 1,), is a 0, the last `length` tokens, and zeros, which cannot change the states before.

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
        row[1 : len(sequence) + 1] = sequence[-length:]
    return rows


def _stateful_rows(sequences: list[np.ndarray], batch_size: int, steps: int) -> np.ndarray:
    """Cut a stream of texts into `batch_size` equal parts and these into rows of steps + 1 ids that overlap by one.

    Returns int32 (batches × batch_size, steps + 1): a row of a batch goes on in the same row of the next batch.
    """
    gap = np.zeros(1, np.int32)
    stream = np.concatenate([part for sequence in sequences for part in (gap, sequence)] + [gap])
    batches = (len(stream) - 1) // (batch_size * steps)
    if not batches:
        raise ValueError(f"{len(stream) - 1} tokens fill no batch of {batch_size} rows of {steps} steps; take less")
    starts = np.arange(batch_size) * batches * steps + np.arange(batches)[:, None] * steps
    return np.lib.stride_tricks.sliding_window_view(stream, steps + 1)[starts.ravel()]
