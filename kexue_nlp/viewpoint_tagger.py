"""The assembled viewpoint tagger: network + list of names + decoder (article 4118).

A sentence is tagged character by character: outside any name, or in a name that is praised, mentioned, or blamed.
Three decoders make entities of the tags: Viterbi alone; the article's forced alignment; and a lattice of the names of
the list, in which each that occurs may be taken or left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import keras
import numpy as np

from kexue_nlp.batching import batches_by_length, pad
from kexue_nlp.lexicon import Matcher, align_entities, leftmost_longest
from kexue_nlp.saved_model import SavedModel, network_parts, predict, restore_network
from kexue_nlp.tagging import OPINION, OPINION_BEGIN, TagScheme, entities_to_tags, tags_to_entities
from kexue_nlp.text import SENTENCE_END, Vocabulary, normalise
from kexue_nlp.viterbi import viterbi

__all__ = [
    "Entity",
    "Mention",
    "ViewpointTagger",
    "entities_among",
    "find_views",
    "name_entities",
    "neutral_weights",
    "opinion_probabilities",
]

Entity = tuple[int, int, str]
"""First character, the one behind the last, and "pos", "neu" or "neg"."""

_OPINIONS = OPINION.tags[1:]

# Rows are padded to one of these lengths; few shapes, since JAX builds the network anew for each, and for training
# longer. Longer texts are cut, at the end of a sentence if there is one.
_LENGTHS = (32, 64, 128, 256)
_READING_LENGTHS = (32, 48, 64, 96, 128, 192, 256)
_READING_CELLS = 8192


@dataclass(frozen=True)
class Mention:
    """An entity that was found, and what is said of it.

    Attributes
    ----------
    view : str
        The name, as it stands in the text.
    start, end : int
        Where: ``text[start:end]``.
    opinion : str
        "pos", "neu" or "neg".
    probability : float
        Of this opinion, against the other two and no entity: see :func:`opinion_probabilities`.
    """

    view: str
    start: int
    end: int
    opinion: str
    probability: float


def find_views(text: str, labels: Iterable[tuple[str, str]], names: Matcher) -> list[Entity]:
    """Find where the labelled views stand in a text.

    Labels say which views a sentence is about, not where. All occurrences of a view are taken, but not those inside a
    longer name of the list (奔驰 in 北京奔驰), unless it occurs nowhere else and the longer one is not labelled.

    Parameters
    ----------
    text : str
    labels : iterable of (view, opinion)
        Each view once.
    names : Matcher
        The list of known names.

    Returns
    -------
    list of (start, end, opinion)
        From left to right, without overlap. A view that does not occur, or only inside another that is labelled, is
        not among them.

    Raises
    ------
    ValueError
        If a view has two opinions.

    Examples
    --------
    >>> names = Matcher(["奔驰", "北京奔驰"])
    >>> find_views("北京奔驰和奔驰", [("奔驰", "pos")], names)
    [(5, 7, 'pos')]
    >>> find_views("北京奔驰好", [("奔驰", "pos")], names)
    [(2, 4, 'pos')]
    """
    labels = list(labels)
    opinions = dict(labels)
    if len(opinions) < len(set(labels)):
        raise ValueError(f"a view has two opinions in {labels}")
    known = np.stack(names.find(text)[:2], axis=1).tolist()
    labelled = np.stack(Matcher(opinions).find(text)[:2], axis=1).tolist()
    spans = np.array(known + labelled, dtype=np.intp).reshape(-1, 2)
    chosen = [spans[i].tolist() for i in leftmost_longest(*spans.T)]
    chosen = [(start, end) for start, end in chosen if text[start:end] in opinions]
    taken = np.zeros(len(text), dtype=bool)
    for start, end in chosen:
        taken[start:end] = True
    found = {text[start:end] for start, end in chosen}
    for start, end in sorted(labelled, key=lambda span: (span[0] - span[1], span)):
        if text[start:end] not in found and not taken[start:end].any():
            chosen.append((start, end))
            taken[start:end] = True
    return [(start, end, opinions[text[start:end]]) for start, end in sorted(chosen)]


def neutral_weights(entities: Sequence[Sequence[Entity]], prior: float = 3.0) -> np.ndarray:
    """Weigh sentences down that are full of mere mentions.

    Parameters
    ----------
    entities : sequence of sequence of (start, end, opinion)
        Of each sentence.
    prior : float
        Above 0; the article's is 3. The greater it is, the more alike the weights.

    Returns
    -------
    ndarray of float32, shape (N,)
        prior / (characters of neutral entities + prior), from 0 to 1.

    Raises
    ------
    ValueError
        If `prior` is not above 0.

    Notes
    -----
    Article 4118 (https://kexue.fm/archives/4118), its code. Half of the contest's labels are neutral; with the
    weights they count for less in training.

    Examples
    --------
    >>> neutral_weights([[(0, 2, "pos")], [(0, 3, "neu"), (5, 8, "neu")]]).round(3).tolist()
    [1.0, 0.3330000042915344]
    """
    if not prior > 0:
        raise ValueError(f"prior must be above 0, got {prior}")
    neutral = [sum(end - start for start, end, opinion in one if opinion == "neu") for one in entities]
    return (prior / (np.array(neutral, dtype=np.float32) + prior)).astype(np.float32)


def entities_among(
    log_probabilities: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    scheme: TagScheme = OPINION,
    bonus: float = 0.0,
) -> list[Entity]:
    """Find the most probable tags of which all entities are among given spans.

    Names that overlap compete, and the network decides: of 北京奔驰 it may tag all or only 奔驰, or nothing.

    Parameters
    ----------
    log_probabilities : ndarray of float, shape (T, 4) or (T, 7)
    starts, ends : ndarray of int, shape (N,)
        Spans that may be entities, as :meth:`Matcher.find` gives them; they may overlap.
    scheme : {OPINION, OPINION_BEGIN}
    bonus : float
        Added to the log-probability of each entity: above 0 more are found, below 0 fewer.

    Returns
    -------
    list of (start, end, opinion)
        From left to right, without overlap.

    Raises
    ------
    ValueError
        If a span is empty or outside the text, or the log-probabilities hold NaN or do not fit the scheme.

    Notes
    -----
    Viterbi over spans instead of characters (semi-Markov decoding, Sarawagi and Cohen 2004). The best score up to
    character t is that up to t − 1 with t outside, or that up to the start of a span which ends at t, with the best
    opinion on it. Cost O(T + N).

    Examples
    --------
    >>> p = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
    >>> entities_among(np.log(p), np.array([0, 1]), np.array([3, 3]))
    [(1, 3, 'pos')]
    """
    scores = _span_scores(log_probabilities, starts, ends, scheme)
    opinions = scores[:, 1:].argmax(axis=1).tolist()
    gains = (scores[:, 1:].max(axis=1) - scores[:, 0] + bonus).tolist()
    ending: dict[int, list[int]] = {}
    for i, end in enumerate(np.asarray(ends).tolist()):
        ending.setdefault(end, []).append(i)
    best, chosen = [0.0], [-1]  # the gain over "all outside" up to each place, and the span that ends there
    for place in range(1, len(log_probabilities) + 1):
        gain, span = best[-1], -1
        for i in ending.get(place, ()):
            if best[starts[i]] + gains[i] > gain:
                gain, span = best[starts[i]] + gains[i], i
        best.append(gain)
        chosen.append(span)
    entities = []
    place = len(log_probabilities)
    while place:
        if (i := chosen[place]) < 0:
            place -= 1
        else:
            entities.append((int(starts[i]), place, _OPINIONS[opinions[i]]))
            place = int(starts[i])
    return entities[::-1]


def opinion_probabilities(
    log_probabilities: np.ndarray, entities: Sequence[Entity], scheme: TagScheme = OPINION
) -> np.ndarray:
    """Say how sure a tagger is of the opinions on entities.

    Parameters
    ----------
    log_probabilities : ndarray of float, shape (T, 4) or (T, 7)
    entities : sequence of (start, end, opinion), length N
    scheme : {OPINION, OPINION_BEGIN}

    Returns
    -------
    ndarray of float64, shape (N,)
        Geometric mean of the opinion's probability over the characters of the entity, divided by the sum of these
        means over the three opinions and "no entity".

    Raises
    ------
    ValueError
        As :func:`entities_among`.

    Examples
    --------
    >>> p = np.array([[0.2, 0.6, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
    >>> opinion_probabilities(np.log(p), [(0, 2, "pos")]).round(3).tolist()
    [0.655]
    """
    if not entities:
        return np.empty(0)
    starts, ends = np.array([entity[:2] for entity in entities]).T
    means = _span_scores(log_probabilities, starts, ends, scheme) / (ends - starts)[:, None]
    p = np.exp(means - means.max(axis=1, keepdims=True))
    chosen = [1 + _OPINIONS.index(opinion) for _, _, opinion in entities]
    return p[np.arange(len(p)), chosen] / p.sum(axis=1)


def name_entities(
    text: str, log_probabilities: np.ndarray, entities: Sequence[Entity], scheme: TagScheme = OPINION
) -> list[Mention]:
    """Give entities their names and the probabilities of their opinions (:func:`opinion_probabilities`).

    Parameters
    ----------
    text : str, length T
    log_probabilities : ndarray of float, shape (T, 4) or (T, 7)
    entities : sequence of (start, end, opinion), length N
    scheme : {OPINION, OPINION_BEGIN}

    Returns
    -------
    list of Mention, length N

    Raises
    ------
    ValueError
        As :func:`entities_among`.
    """
    certain = opinion_probabilities(log_probabilities, entities, scheme).tolist()
    return [
        Mention(text[start:end], start, end, opinion, p)
        for (start, end, opinion), p in zip(entities, certain, strict=True)
    ]


def _span_scores(log_probabilities, starts, ends, scheme: TagScheme) -> np.ndarray:
    """Log-probabilities of each span to be outside, and to be an entity of each opinion: float64 (N, 4)."""
    if len(starts) and not (min(starts) >= 0 and max(ends) <= len(log_probabilities) and np.less(starts, ends).all()):
        raise ValueError(f"spans must lie in a text of {len(log_probabilities)} characters and not be empty")
    log_p = np.asarray(log_probabilities, dtype=np.float64)
    if log_p.shape[1:] != (len(scheme.tags),) or np.isnan(log_p).any():
        raise ValueError(
            f"log-probabilities must be numbers of shape (T, {len(scheme.tags)}), as the scheme has so many tags; "
            f"got shape {log_p.shape}{' with NaN' if np.isnan(log_p).any() else ''}"
        )
    log_p = np.maximum(log_p, -100.0)
    up_to = np.concatenate([np.zeros((1, log_p.shape[1])), log_p.cumsum(axis=0)])
    scores = (up_to[ends] - up_to[starts])[:, [0, -3, -2, -1]]
    if scheme is OPINION_BEGIN:  # the first character has another tag
        scores[:, 1:] += log_p[starts, 1:4] - log_p[starts, 4:7]
    return scores


class ViewpointTagger(SavedModel):
    """Find the names in a sentence, and whether each is praised, blamed, or only mentioned.

    Parameters
    ----------
    network : keras.Model
        Features to tag probabilities, such as :func:`kexue_nlp.models.viewpoint_tagger` or
        :func:`kexue_nlp.models.article_tagger`: input int32 (B, T) of characters or (B, T, 2) of characters and
        places in names; output (B, T, 4), or (B, T, 7) with begin tags. Padding (0) must not change the rest.
    characters : Vocabulary
        Of single characters, normalised by :func:`kexue_nlp.text.normalise`.
    views : iterable of str
        The list of known names, found as they are written, upper and lower case apart. Blanks around them, blank
        names and repetitions are left out.
    decoding : {"names", "forced", "plain"}
        ``"names"``: the most probable tags whose entities are names of the list (:func:`entities_among`).
        ``"forced"``: the article's alignment (:func:`kexue_nlp.lexicon.align_entities`); not with begin tags.
        ``"plain"``: the most probable tags; the list is not used.
    bonus : float
        For each entity, with ``"names"``: see :func:`entities_among`.

    Raises
    ------
    ValueError
        If the network's output fits no scheme of tags, its embedding has fewer rows than there are characters, or
        the decoding is not one of these.

    Examples
    --------
    >>> from kexue_nlp.models import article_tagger
    >>> tagger = ViewpointTagger(article_tagger(5), Vocabulary("本田好"), ["本田"])  # not trained yet
    >>> tagger.features("本田好").tolist()
    [[2, 1], [3, 3], [4, 0]]
    >>> tagger("这里没有车名")
    []
    """

    def __init__(
        self,
        network: keras.Model,
        characters: Vocabulary,
        views: Iterable[str],
        decoding: Literal["names", "forced", "plain"] = "names",
        bonus: float = 0.0,
    ) -> None:
        n_tags = network.output_shape[-1]
        schemes = {len(scheme.tags): scheme for scheme in (OPINION, OPINION_BEGIN)}
        if n_tags not in schemes:
            raise ValueError(f"the network gives {n_tags} tags for each character; a tagger needs 4 or 7")
        rows = [layer.input_dim for layer in network.layers if layer.name == "embedding"]
        if rows and rows[0] < len(characters):
            raise ValueError(
                f"the network's embedding has {rows[0]} rows for {len(characters)} ids of characters; "
                "build it with the length of the vocabulary"
            )
        self.network, self.characters = network, characters
        self.scheme = schemes[n_tags]
        self.decoding, self.bonus = decoding, bonus
        self.views = views

    @property
    def decoding(self) -> str:
        """How entities are made of tags; may be set."""
        return self._decoding

    @decoding.setter
    def decoding(self, decoding: str) -> None:
        n_tags = len(self.scheme.tags)
        if decoding not in ("names", "forced", "plain") or (decoding == "forced" and n_tags != 4):
            raise ValueError(
                f"decoding must be 'names', 'plain', or without begin tags 'forced'; got {decoding!r} and {n_tags} tags"
            )
        self._decoding = decoding

    @property
    def views(self) -> tuple[str, ...]:
        """The list of names; may be set."""
        return self._views

    @views.setter
    def views(self, views: Iterable[str]) -> None:
        if isinstance(views, str):
            raise TypeError(f"views must be a list of names, not the single string {views!r:.60}")
        if not isinstance(views, Iterable):
            raise TypeError(f"views must be a list of names, not {views!r:.60}")
        views = list(views)
        if others := [view for view in views if not isinstance(view, str)]:
            raise TypeError(f"views must be names, but among them is {others[0]!r:.60}")
        self._views = tuple(dict.fromkeys(view.strip() for view in views if view.strip()))
        self.names = Matcher(self._views)

    def features(self, text: str) -> np.ndarray:
        """Encode a text as the network reads it.

        Parameters
        ----------
        text : str, length T

        Returns
        -------
        ndarray of int32, shape (T, 2)
            Ids of characters, and 0 outside names of the list, 1 at the first character of one, 2 inside, 3 at the
            last, 4 for a name of one character; of names that overlap, the leftmost longest.
        """
        features = np.zeros((len(text), 2), dtype=np.int32)
        features[:, 0] = self.characters.encode(normalise(text))
        starts, ends, _ = self.names.find(text)
        chosen = leftmost_longest(starts, ends)
        for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
            features[start:end, 1] = 2
            features[start, 1], features[end - 1, 1] = (1, 3) if end - start > 1 else (4, 4)
        return features

    # --- training --------------------------------------------------------------------------------------------

    def batches(
        self,
        texts: Sequence[str],
        entities: Sequence[Sequence[Entity]],
        weights: np.ndarray | None = None,
        seed: int = 0,
        cells: int = 2048,
    ) -> keras.utils.PyDataset:
        """Lay out sentences for ``tagger.network.fit``, those of like length together, in a new order in each epoch.

        Give ``shuffle=False`` to ``fit``: otherwise Keras mixes the batches once more, and the seed does not decide.

        Parameters
        ----------
        texts : sequence of str, length N
        entities : sequence of sequence of (start, end, opinion), length N
            As :func:`find_views` gives them.
        weights : ndarray of float, shape (N,), optional
            Of the sentences, such as :func:`neutral_weights`.
        seed : int
            Of the order.
        cells : int
            Characters of a batch, padding included: 2048 are 64 texts of up to 32 characters, or 8 of up to 256.

        Returns
        -------
        keras.utils.PyDataset
            Batches of ids, int32 (B, T, 2) or (B, T); tags, int32 (B, T); weights, float32 (B, T), 0 at padding.

        Raises
        ------
        ValueError
            If the three differ in length, no text has a character, or a batch could not hold one long text.
        """
        if cells < _LENGTHS[-1]:
            raise ValueError(f"cells must be at least {_LENGTHS[-1]}, the longest row; got {cells}")
        weights = np.ones(len(texts), np.float32) if weights is None else np.asarray(weights, np.float32)
        if not len(texts) == len(entities) == len(weights):
            raise ValueError(
                f"there are {len(texts)} texts, {len(entities)} lists of entities and {len(weights)} weights"
            )
        pieces = []
        for text, found, weight in zip(texts, entities, weights, strict=True):
            ids, tags = self._network_input(text), entities_to_tags(len(text), found, self.scheme)
            pieces += [(ids[a:b], tags[a:b], weight) for a, b in _cut(text)]
        if not pieces:
            raise ValueError(f"none of {len(texts)} texts has a character; there is nothing to learn")
        return _Batches(pieces, seed, cells)

    def _network_input(self, text: str) -> np.ndarray:
        features = self.features(text)
        return features if len(self.network.input_shape) == 3 else features[:, 0]

    # --- use -------------------------------------------------------------------------------------------------

    def __call__(self, texts: str | Iterable[str]) -> list[Mention] | list[list[Mention]]:
        """Tag one text or many.

        Parameters
        ----------
        texts : str or iterable of str

        Returns
        -------
        list of Mention, or list of list of Mention
            From left to right, without overlap.

        Raises
        ------
        TypeError
            If something else than a string is given.
        """
        one = isinstance(texts, str)
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise TypeError(f"a ViewpointTagger takes a str or an iterable of str, got {texts!r:.60}")
        texts = [texts] if one else list(texts)
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"text {i} is {text!r:.60}; a ViewpointTagger takes str")
        read = self.log_probabilities(texts)
        found = [self.mentions(text, log_p) for text, log_p in zip(texts, read, strict=True)]
        return found[0] if one else found

    def log_probabilities(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return the log-probabilities of the tags of each text, float32 (T, 4) or (T, 7).

        Raises
        ------
        TypeError
            If a single string is given instead of a list.
        """
        if isinstance(texts, str):
            raise TypeError(f"a list of texts is needed, not the single text {texts!r:.60}; put it in a list")
        out = [np.zeros((len(text), len(self.scheme.tags)), np.float32) for text in texts]
        pieces = [(i, a, b) for i, text in enumerate(texts) for a, b in _cut(text)]
        inputs = [self._network_input(text) for text in texts]
        cells = _READING_CELLS if len(pieces) > 1 else 0
        lengths = [b - a for _, a, b in pieces]
        for length, n_rows, members in batches_by_length(lengths, _READING_LENGTHS, cells):
            batch = [pieces[j] for j in members]
            rows = pad([inputs[i][a:b] for i, a, b in batch], length, n_rows)
            for row, (i, a, b) in zip(predict(self.network, rows), batch, strict=False):
                out[i][a:b] = np.log(np.maximum(row[: b - a], 1e-30))
        return out

    def decode(self, text: str, log_probabilities: np.ndarray) -> list[Entity]:
        """Find the entities of a text whose log-probabilities are known.

        Parameters
        ----------
        text : str, length T
        log_probabilities : ndarray of float, shape (T, 4) or (T, 7)

        Returns
        -------
        list of (start, end, opinion)
        """
        starts, ends, _ = self.names.find(text)
        if self.decoding == "forced":
            return align_entities(log_probabilities, starts, ends).entities
        if self.decoding == "names":
            return entities_among(log_probabilities, starts, ends, self.scheme, self.bonus)
        return tags_to_entities(viterbi(log_probabilities, self.scheme), self.scheme)

    def mentions(self, text: str, log_probabilities: np.ndarray) -> list[Mention]:
        """As :meth:`decode`, with the names and the probabilities of their opinions."""
        return name_entities(text, log_probabilities, self.decode(text, log_probabilities), self.scheme)

    # --- files -----------------------------------------------------------------------------------------------

    _kind = "viewpoint tagger"
    _pretrained = ("viewpoint_tagger", "make pretrain-tagger")

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        network, weights = network_parts(self.network)
        meta = {
            "network": network,
            "characters": list(self.characters.tokens),
            "views": list(self.views),
            "decoding": self.decoding,
            "bonus": self.bonus,
        }
        return meta, weights

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> ViewpointTagger:
        network = restore_network(meta["network"], arrays)
        return cls(network, Vocabulary(meta["characters"]), meta["views"], meta["decoding"], meta["bonus"])


class _Batches(keras.utils.PyDataset):
    """Pieces of text (ids, tags, weight), padded to one of a few lengths."""

    def __init__(self, pieces: Sequence[tuple[np.ndarray, np.ndarray, float]], seed: int, cells: int) -> None:
        super().__init__()
        self._pieces, self._cells = pieces, cells
        self._lengths = [len(ids) for ids, _, _ in pieces]
        self._rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        self._batches = list(batches_by_length(self._lengths, _LENGTHS, self._cells, self._rng))
        self._rng.shuffle(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        length, size, members = self._batches[index]
        ids, tags, weights = zip(*(self._pieces[i] for i in members), strict=True)
        spread = [np.full(len(one), weight, np.float32) for one, weight in zip(ids, weights, strict=True)]
        return (
            pad(ids, length, size),
            pad(tags, length, size).astype(np.int32),
            pad(spread, length, size),
        )


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
