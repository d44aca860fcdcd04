"""The assembled viewpoint tagger: network, gazetteer and decoder (article 4118).

Each character of a sentence is tagged: outside any name, or in a name that is praised, mentioned or blamed. One of
three decoders makes entities of the tags.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Self

import keras
import numpy as np

from kexue_nlp.batching import batches_by_length, pad
from kexue_nlp.entity_decoding import Entity, align_entities, entities_among, name_entities
from kexue_nlp.lexicon import leftmost_longest
from kexue_nlp.mentions import Mention, MentionFinder
from kexue_nlp.saved_model import check_process, network_parts, predict, restore_network
from kexue_nlp.tagging import POLARITY, POLARITY_BEGIN, entities_to_tags, tags_to_entities
from kexue_nlp.text import SENTENCE_END, Vocabulary, normalise
from kexue_nlp.viterbi import viterbi

__all__ = ["Mention", "ViewpointTagger", "neutral_weights"]

_SCHEMES = {len(scheme.tags): scheme for scheme in (POLARITY, POLARITY_BEGIN)}

# Rows are padded to one of these lengths, fewer for training, where a new shape takes longest to compile. Longer texts
# are cut, at the end of a sentence if there is one.
_LENGTHS = (32, 64, 128, 256)
_READING_LENGTHS = (32, 48, 64, 96, 128, 192, 256)
_READING_TOKENS = 8192


def neutral_weights(entities: Sequence[Sequence[Entity]], prior: float = 3.0) -> np.ndarray:
    """Weigh sentences down that are full of mere mentions: prior / (characters in neutral entities + prior).

    Returns float32 (N,), from 0 to 1: the greater the prior, above 0, the more alike the weights. From article 4118's
    code, since half of the contest's labels are neutral.

    Examples
    --------
    >>> neutral_weights([[(0, 2, "pos")], [(0, 3, "neu"), (5, 8, "neu")]]).round(3).tolist()
    [1.0, 0.3330000042915344]
    """
    if not prior > 0:
        raise ValueError(f"prior must be above 0, got {prior}")
    neutral = [sum(end - start for start, end, polarity in one if polarity == "neu") for one in entities]
    return (prior / (np.array(neutral, dtype=np.float32) + prior)).astype(np.float32)


class ViewpointTagger(MentionFinder):
    """Find the names in a sentence, and whether each is praised, blamed, or only mentioned.

    The pretrained tagger has learned from the sentences of BDCI 2016 and knows the 782 names that are labelled there at
    least twice. Names of one character are too rare there: it hardly finds them.

    Parameters
    ----------
    network : keras.Model
        From features to tag probabilities, such as :func:`kexue_nlp.models.viewpoint_tagger` or
        :func:`kexue_nlp.models.article_tagger`. Input int32 (B, T) of characters or (B, T, 2) of :meth:`features`;
        output (B, T, 4), or (B, T, 7) with begin tags. Padding (0) must not change the rest.
    characters : Vocabulary
        Single characters, normalised by :func:`kexue_nlp.text.normalise`.
    gazetteer, fold : iterable of str, bool
        Known names, without blanks around them, blank names and repetitions; with `fold` they are found whatever their
        case, width and script (:func:`kexue_nlp.text.fold`). Both may be set later.
    decoding : {"names", "forced", "plain"}
        ``"names"`` is :func:`entities_among` with `bonus`, ``"forced"`` the article's :func:`align_entities`, not with
        begin tags, and ``"plain"`` finds the most probable tags without the gazetteer. May be set later.

    Examples
    --------
    >>> from kexue_nlp.models import article_tagger
    >>> tagger = ViewpointTagger(article_tagger(5), Vocabulary("本田好"), ["本田"])  # not trained yet
    >>> tagger.features("本田好").tolist()
    [[2, 1], [3, 3], [4, 0]]
    """

    _kind = "viewpoint tagger"
    _pretrained = ("viewpoint_tagger", "make pretrain-tagger")

    def __init__(
        self,
        network: keras.Model,
        characters: Vocabulary,
        gazetteer: Iterable[str],
        decoding: Literal["names", "forced", "plain"] = "names",
        bonus: float = 0.0,
        fold: bool = False,
    ) -> None:
        check_process()
        n_tags = network.output_shape[-1]
        if n_tags not in _SCHEMES:
            raise ValueError(f"the network gives {n_tags} tags for each character; a tagger needs 4 or 7")
        rows = [layer.input_dim for layer in network.layers if layer.name == "embedding"]
        if rows and rows[0] < len(characters):
            raise ValueError(f"the network's embedding has {rows[0]} rows for {len(characters)} ids of characters")
        self.network, self.characters, self.scheme = network, characters, _SCHEMES[n_tags]
        self.decoding, self.bonus, self.fold, self.gazetteer = decoding, bonus, fold, gazetteer

    @property
    def decoding(self) -> str:
        """How entities are made of tags."""
        return self._decoding

    @decoding.setter
    def decoding(self, decoding: str) -> None:
        allowed = ("names", "plain", "forced") if self.scheme is POLARITY else ("names", "plain")
        if decoding not in allowed:
            raise ValueError(f"decoding must be in {allowed} with {len(self.scheme.tags)} tags; got {decoding!r}")
        self._decoding = decoding

    def features(self, text: str) -> np.ndarray:
        """Encode a text of length T as the network reads it, int32 (T, 2): ids of characters and places in names.

        Places are 0 outside names, 1 at the first character, 2 inside, 3 at the last, 4 for a name of one character. Of
        names that overlap, the leftmost longest counts.
        """
        features = np.zeros((len(text), 2), dtype=np.int32)
        features[:, 0] = self.characters.encode(normalise(text))
        starts, ends, _ = self.matcher.find(text)
        chosen = leftmost_longest(starts, ends)
        for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
            features[start:end, 1] = 2
            features[start, 1], features[end - 1, 1] = (1, 3) if end - start > 1 else (4, 4)
        return features

    def batches(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        weights: np.ndarray | None = None,
        seed: int = 0,
        max_tokens: int = 2048,
    ) -> keras.utils.PyDataset:
        """Make batches of sentences of like length, shuffled in each epoch, for ``network.fit(…, shuffle=False)``.

        A batch of `max_tokens` characters, padding included, has ids, int32 (B, T, 2) or (B, T); tags, int32 (B, T);
        weights, float32 (B, T), 0 at padding. Of each text it takes the entities, as
        :func:`kexue_nlp.entity_decoding.find_entities` gives them, and what it weighs (1 by default), for instance by
        :func:`neutral_weights`. If Keras shuffles the batches once more, the seed does not decide.
        """
        if max_tokens < _LENGTHS[-1]:
            raise ValueError(f"max_tokens must be at least {_LENGTHS[-1]}, the longest row; got {max_tokens}")
        weights = np.ones(len(texts), np.float32) if weights is None else np.asarray(weights, np.float32)
        pieces = []
        for text, found, weight in zip(texts, entities, weights, strict=True):
            ids, tags = self._network_input(text), entities_to_tags(len(text), found, self.scheme)
            pieces += [(ids[a:b], tags[a:b].astype(np.int32), np.full(b - a, weight)) for a, b in _cut(text)]
        if not pieces:
            raise ValueError(f"none of {len(texts)} texts has a character; there is nothing to learn")
        return _Batches(pieces, seed, max_tokens)

    def _network_input(self, text: str) -> np.ndarray:
        features = self.features(text)
        return features if len(self.network.input_shape) == 3 else features[:, 0]

    def _tag(self, texts: Sequence[str]) -> list[list[Mention]]:
        read = self.log_probabilities(texts)
        return [self.mentions(text, log_p) for text, log_p in zip(texts, read, strict=True)]

    def log_probabilities(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the log-probabilities of the tags of each text in a list, float32 (T, 4) or (T, 7)."""
        if isinstance(texts, str):
            raise TypeError(f"a list of texts is needed, not the single text {texts!r:.60}; put it in a list")
        out = [np.zeros((len(text), len(self.scheme.tags)), np.float32) for text in texts]
        inputs = [self._network_input(text) for text in texts]
        pieces = [(i, a, b) for i, text in enumerate(texts) for a, b in _cut(text)]
        max_tokens = _READING_TOKENS if len(pieces) > 1 else 0  # one piece alone is read in a batch of one row
        for length, n_rows, members in batches_by_length([b - a for _, a, b in pieces], _READING_LENGTHS, max_tokens):
            batch = [pieces[j] for j in members]
            rows = predict(self.network, pad([inputs[i][a:b] for i, a, b in batch], length, n_rows))
            for row, (i, a, b) in zip(rows, batch, strict=False):
                out[i][a:b] = np.log(np.maximum(row[: b - a], 1e-30))
        return out

    def decode(self, text: str, log_probabilities: np.ndarray) -> list[Entity]:
        """Find the entities of a text whose log-probabilities, (T, 4) or (T, 7), are known."""
        starts, ends, _ = self.matcher.find(text)
        if self.decoding == "forced":
            return align_entities(log_probabilities, starts, ends).entities
        if self.decoding == "names":
            return entities_among(log_probabilities, starts, ends, self.scheme, self.bonus)
        return tags_to_entities(viterbi(log_probabilities, self.scheme), self.scheme)

    def mentions(self, text: str, log_probabilities: np.ndarray) -> list[Mention]:
        """Do as :meth:`decode`, with the names and the probabilities of their polarities."""
        return name_entities(text, log_probabilities, self.decode(text, log_probabilities), self.scheme)

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        network, weights = network_parts(self.network)
        meta = {"network": network, "characters": list(self.characters.tokens), "views": list(self.gazetteer)}
        meta |= {"decoding": self.decoding, "bonus": self.bonus, "fold": self.fold}
        return meta, weights

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        network = restore_network(meta["network"], arrays)
        options = meta["decoding"], meta["bonus"], meta.get("fold", False)
        return cls(network, Vocabulary(meta["characters"]), meta["views"], *options)


class _Batches(keras.utils.PyDataset):
    """Pieces of text (ids, tags, weights), padded to one of a few lengths."""

    def __init__(self, pieces: Sequence[tuple[np.ndarray, ...]], seed: int, max_tokens: int) -> None:
        super().__init__()
        self._pieces, self._max_tokens, self._rng = pieces, max_tokens, np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        lengths = [len(ids) for ids, _, _ in self._pieces]
        self._batches = list(batches_by_length(lengths, _LENGTHS, self._max_tokens, self._rng))
        self._rng.shuffle(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        length, n_rows, members = self._batches[index]
        return tuple(pad(column, length, n_rows) for column in zip(*(self._pieces[i] for i in members), strict=True))


def _cut(text: str) -> Iterator[tuple[int, int]]:
    """Cut a text into pieces that are short enough, at ends of sentences if possible; (start, end) of each."""
    start, most = 0, _LENGTHS[-1]
    while len(text) - start > most:
        ends = [match.start() for match in SENTENCE_END.finditer(normalise(text[start : start + most]))]
        end = start + (max(ends, default=0) or most)
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)
