"""From the tags of characters to entities: names in a text, each praised, mentioned or blamed (article 4118).

A network gives every character log-probabilities of the tags. Two decoders make entities of them with the help of a
gazetteer, a list of known names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from kexue_nlp.lexicon import Matcher, leftmost_longest
from kexue_nlp.mentions import Mention
from kexue_nlp.tagging import POLARITY, POLARITY_BEGIN, TagScheme, tags_to_entities
from kexue_nlp.viterbi import viterbi

__all__ = ["Entity", "align_entities", "entities_among", "find_entities", "polarity_probabilities"]

Entity = tuple[int, int, str]
"""Start, end and polarity ("pos", "neu" or "neg"): ``text[start:end]`` is the name."""

_POLARITIES = POLARITY.tags[1:]


def find_entities(text: str, labels: Iterable[tuple[str, str]], gazetteer: Matcher) -> list[Entity]:
    """Find where labelled names stand in a text: entities from left to right, without overlap.

    Labels, pairs of a name and its one polarity (ValueError otherwise), say which names a sentence is about, not where
    they stand. All occurrences of a name are taken, but not those inside a longer name of the gazetteer (奔驰 in
    北京奔驰), unless the name stands nowhere else and the longer one has no label.

    Examples
    --------
    >>> find_entities("北京奔驰和奔驰", [("奔驰", "pos")], Matcher(["奔驰", "北京奔驰"]))
    [(5, 7, 'pos')]
    """
    labels = list(labels)
    polarities = dict(labels)
    if len(polarities) < len(set(labels)):
        raise ValueError(f"a name has two polarities in {labels}")
    known, labelled = (np.stack(names.find(text)[:2], axis=1) for names in (gazetteer, Matcher(polarities)))
    spans = np.concatenate([known, labelled])
    longest = spans[leftmost_longest(*spans.T)].tolist()
    chosen = [(start, end) for start, end in longest if text[start:end] in polarities]
    found = {text[start:end] for start, end in chosen}
    taken = {place for start, end in chosen for place in range(start, end)}
    # A label that was not found yet takes a free place inside a longer name, the longest label first.
    for start, end in sorted(labelled.tolist(), key=lambda span: (span[0] - span[1], span)):
        if text[start:end] not in found and taken.isdisjoint(range(start, end)):
            chosen.append((start, end))
            taken.update(range(start, end))
    return [(start, end, polarities[text[start:end]]) for start, end in sorted(chosen)]


def entities_among(
    log_probabilities: np.ndarray, starts: np.ndarray, ends: np.ndarray, scheme: TagScheme = POLARITY, bonus: float = 0
) -> list[Entity]:
    """Find the entities, from left to right, of the most probable tags whose entities are all among given spans.

    Names that overlap compete, and the network decides: of 北京奔驰 it may tag all, only 奔驰, or nothing. This is
    Viterbi over spans instead of characters (semi-Markov decoding, Sarawagi and Cohen 2004), and costs O(T + N).

    Log-probabilities have shape (T, 4), or (T, 7) with :data:`kexue_nlp.tagging.POLARITY_BEGIN`; starts and ends of
    spans in the text, arrays of int (N,), are as :meth:`Matcher.find` gives them; others raise ValueError. The bonus is
    added for each entity: above 0 more are found, below 0 fewer.

    Examples
    --------
    >>> p = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
    >>> entities_among(np.log(p), np.array([0, 1]), np.array([3, 3]))
    [(1, 3, 'pos')]
    """
    scores = _span_scores(log_probabilities, starts, ends, scheme)
    polarities = scores[:, 1:].argmax(axis=1).tolist()
    gains = (scores[:, 1:].max(axis=1) - scores[:, 0] + bonus).tolist()
    ending: dict[int, list[int]] = {}
    for i, end in enumerate(np.asarray(ends).tolist()):
        ending.setdefault(end, []).append(i)

    # Forward: the best gain over "all outside" up to each place, and the span that ends there (-1 for none).
    best, chosen = [0.0], [-1]
    for place in range(1, len(log_probabilities) + 1):
        gains_here = [(best[starts[i]] + gains[i], i) for i in ending.get(place, ())]
        gain, span = max([(best[-1], -1), *gains_here], key=itemgetter(0))
        best.append(gain)
        chosen.append(span)

    # Backward: from the end of the text, follow the choices.
    entities, place = [], len(log_probabilities)
    while place:
        if (i := chosen[place]) < 0:
            place -= 1
        else:
            entities.append((int(starts[i]), place, _POLARITIES[polarities[i]]))
            place = int(starts[i])
    return entities[::-1]


def polarity_probabilities(
    log_probabilities: np.ndarray, entities: Sequence[Entity], scheme: TagScheme = POLARITY
) -> np.ndarray:
    """Say how sure a tagger is of the polarities of N entities, float64 (N,).

    It is the geometric mean of the polarity's probability over the characters, as a share of those of all polarities
    and "no entity" together.
    """
    if not entities:
        return np.empty(0)
    starts, ends = np.array([entity[:2] for entity in entities]).T
    means = _span_scores(log_probabilities, starts, ends, scheme) / (ends - starts)[:, None]
    p = np.exp(means - means.max(axis=1, keepdims=True))
    chosen = [1 + _POLARITIES.index(polarity) for _, _, polarity in entities]
    return p[np.arange(len(p)), chosen] / p.sum(axis=1)


def name_entities(
    text: str, log_probabilities: np.ndarray, entities: Sequence[Entity], scheme: TagScheme = POLARITY
) -> list[Mention]:
    """Give the entities of a text their names and the probabilities of their polarities."""
    certain = polarity_probabilities(log_probabilities, entities, scheme).tolist()
    return [Mention(text[a:b], a, b, polarity, p) for (a, b, polarity), p in zip(entities, certain, strict=True)]


@dataclass(frozen=True, eq=False)
class Alignment:
    """The steps of a forced alignment of T characters."""

    plain: np.ndarray  # int8 (T,): tags without the gazetteer
    emissions: np.ndarray  # float32 (T, 4): log-scores with its bonuses
    forced: np.ndarray  # int8 (T,): tags with them
    entities: list[Entity]


def align_entities(
    log_emissions: np.ndarray, starts: np.ndarray, ends: np.ndarray, inside: float = 100.0, outside: float = 50.0
) -> Alignment:
    """Make a tagger find the names of a gazetteer whole, and let it say which polarity each has: article 4118's code.

    Tags are found without the gazetteer. Then all polarities get the bonus `inside` in each name, "outside" gets
    `outside` just before and just behind it, and tags are found again: their runs are the entities. An entity's
    polarity is that of most of its characters without the bonuses, of two polarities with equally many the first in the
    scheme; an entity of which nothing was tagged then is dropped. Bonuses of names that overlap add up.

    Log-probabilities of the tags of :data:`kexue_nlp.tagging.POLARITY` have shape (T, 4); starts and ends of names are
    arrays of int, shape (N,), as :meth:`Matcher.find` gives them. ValueError if a name is not in the text.

    Examples
    --------
    >>> emissions = np.log([[0.6, 0.2, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.9, 0.05, 0.03, 0.02]])
    >>> align_entities(emissions, np.array([0]), np.array([2])).entities  # the network alone tags half of it
    [(0, 2, 'pos')]
    """
    _check_spans(starts, ends, len(log_emissions))
    plain = viterbi(log_emissions, POLARITY)
    emissions = np.array(log_emissions, dtype=np.float32)
    for start, end in zip(starts, ends, strict=True):
        emissions[start:end, 1:] += inside
        # These slices are empty at the edges of the text, where there is nothing beside the name.
        emissions[start - 1 : start, 0] += outside
        emissions[end : end + 1, 0] += outside
    forced = viterbi(emissions, POLARITY)
    entities = []
    for start, end, _ in tags_to_entities(forced):
        votes = np.bincount(plain[start:end], minlength=4)[1:]
        if votes.any():
            entities.append((start, end, _POLARITIES[int(votes.argmax())]))
    return Alignment(plain, emissions, forced, entities)


def _check_spans(starts: np.ndarray, ends: np.ndarray, length: int) -> None:
    if len(starts) and not (min(starts) >= 0 and max(ends) <= length and np.less(starts, ends).all()):
        raise ValueError(f"spans must lie in a text of {length} characters and not be empty")


def _span_scores(log_probabilities, starts, ends, scheme: TagScheme) -> np.ndarray:
    """Log-probabilities of each span to be outside, and to be an entity of each polarity: float64 (N, 4)."""
    _check_spans(starts, ends, len(log_probabilities))
    log_p = np.asarray(log_probabilities, dtype=np.float64)
    n_tags = len(scheme.tags)
    if log_p.shape[1:] != (n_tags,) or np.isnan(log_p).any():
        raise ValueError(f"log-probabilities must be numbers of shape (T, {n_tags}), without NaN; got {log_p.shape}")
    log_p = np.maximum(log_p, -100.0)
    up_to = np.concatenate([np.zeros((1, log_p.shape[1])), log_p.cumsum(axis=0)])
    scores = (up_to[ends] - up_to[starts])[:, [0, -3, -2, -1]]
    if scheme is POLARITY_BEGIN:  # the first character has another tag
        scores[:, 1:] += log_p[starts, 1:4] - log_p[starts, 4:7]
    return scores
