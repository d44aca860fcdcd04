"""Tag schemes: segmentation written as one label per character.

A word of one character is tagged ``s``; longer words are ``b``, any number of ``m``, ``e`` (article 4195,
"sbme"). A scheme also says which tag may follow which, which may come first and which last: what
:func:`kexue_nlp.viterbi.viterbi` needs to return only tag sequences that mean something.

Entities with an opinion are tagged by opinion, 0 outside (article 4118). Two entities of one opinion side by side
then look like one; a second scheme marks where each begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = [
    "OPINION",
    "OPINION_BEGIN",
    "SBME",
    "TagScheme",
    "entities_to_tags",
    "tags_to_entities",
    "tags_to_words",
    "words_to_tags",
]


@dataclass(frozen=True, eq=False)
class TagScheme:
    """The tags of a labelling task and the sequences of them that are legal.

    Attributes
    ----------
    tags : tuple of str, length K
        Names; the position of a name is the tag's integer.
    transitions : ndarray of bool, shape (K, K)
        ``transitions[i, j]``: tag *j* may follow tag *i*.
    start, end : ndarray of bool, shape (K,)
        Tags that may come first and last.
    """

    tags: tuple[str, ...]
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def is_legal(self, tags: Sequence[int]) -> bool:
        """Whether a sequence of tag integers obeys the scheme (the empty one does)."""
        path = np.asarray(tags, dtype=np.intp)
        if not path.size:
            return True
        return bool(self.start[path[0]] and self.end[path[-1]] and self.transitions[path[:-1], path[1:]].all())


def _sbme() -> TagScheme:
    tags = ("s", "b", "m", "e")
    follows = {"s": "sb", "b": "me", "m": "me", "e": "sb"}
    transitions = np.array([[after in follows[tag] for after in tags] for tag in tags])
    return TagScheme(
        tags, transitions, start=np.array([t in "sb" for t in tags]), end=np.array([t in "se" for t in tags])
    )


SBME = _sbme()
"""The scheme of article 4195: tags ``("s", "b", "m", "e")`` are the integers 0–3."""

_S, _B, _M, _E = range(4)


def _opinion(begin_tags: bool) -> TagScheme:
    opinions = ("pos", "neu", "neg")
    first = tuple(f"{'begin ' * begin_tags}{opinion}" for opinion in opinions)
    tags = ("outside", *first, *opinions * begin_tags)
    n = len(tags)
    transitions = np.zeros((n, n), dtype=bool)
    start = np.ones(n, dtype=bool)
    if begin_tags:
        transitions[:, :4] = True  # outside, or a new entity
        start[4:] = False
        for tag in (1, 2, 3):
            transitions[[tag, tag + 3], tag + 3] = True
    else:
        transitions[0], transitions[:, 0] = True, True
        np.fill_diagonal(transitions, True)
    return TagScheme(tags, transitions, start, end=np.ones(n, dtype=bool))


OPINION = _opinion(begin_tags=False)
"""The scheme of article 4118: 0 outside, 1 positive, 2 neutral, 3 negative; an entity keeps one opinion."""

OPINION_BEGIN = _opinion(begin_tags=True)
"""The same with begin tags, so that neighbours stay apart: 0 outside, 1–3 begin pos, neu, neg, 4–6 go on."""


def words_to_tags(words: Iterable[str]) -> np.ndarray:
    """Write a segmentation as sbme tags.

    Parameters
    ----------
    words : iterable of str
        Words in order; none may be empty.

    Returns
    -------
    ndarray of int8, shape (T,)
        One tag per character, T the length of the joined words.

    Raises
    ------
    ValueError
        If a word is empty.

    Examples
    --------
    >>> words_to_tags(["关注", "微信号", "。"]).tolist()
    [1, 3, 1, 2, 3, 0]
    """
    tags: list[int] = []
    for i, word in enumerate(words):
        if not word:
            raise ValueError(f"word {i} is empty; a word has at least one character")
        tags += [_S] if len(word) == 1 else [_B, *[_M] * (len(word) - 2), _E]
    return np.array(tags, dtype=np.int8)


def tags_to_words(text: str, tags: Sequence[int] | np.ndarray) -> list[str]:
    """Cut a text where its sbme tags say that a word begins.

    Parameters
    ----------
    text : str, length T
    tags : sequence of int, shape (T,)
        A cut is made before each ``s`` and ``b``, so the joined words equal the text whatever the tags.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If there is not one tag per character.

    Examples
    --------
    >>> tags_to_words("关注微信号。", [1, 3, 1, 2, 3, 0])
    ['关注', '微信号', '。']
    """
    if len(text) != len(tags):
        raise ValueError(f"{len(text)} characters but {len(tags)} tags; there must be one tag per character")
    starts = [0, *(i for i, tag in enumerate(tags) if i and tag in (_S, _B))] if text else []
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


def entities_to_tags(length: int, entities: Iterable[tuple[int, int, str]], scheme: TagScheme = OPINION) -> np.ndarray:
    """Write entities and opinions as tags.

    Parameters
    ----------
    length : int
        T, of the text.
    entities : iterable of (start, end, opinion)
        Characters ``start`` to ``end - 1`` name an entity; opinion is "pos", "neu" or "neg". They must not overlap.
    scheme : {OPINION, OPINION_BEGIN}

    Returns
    -------
    ndarray of int8, shape (T,)

    Raises
    ------
    ValueError
        If an entity is empty, outside the text, overlaps another, or has another opinion.

    Examples
    --------
    >>> entities_to_tags(6, [(0, 2, "pos"), (2, 4, "pos")]).tolist()
    [1, 1, 1, 1, 0, 0]
    >>> entities_to_tags(6, [(0, 2, "pos"), (2, 4, "pos")], OPINION_BEGIN).tolist()
    [1, 4, 1, 4, 0, 0]
    """
    tags = np.zeros(length, dtype=np.int8)
    opinions = ("pos", "neu", "neg")
    for start, end, opinion in entities:
        if not 0 <= start < end <= length or tags[start:end].any() or opinion not in opinions:
            raise ValueError(
                f"entity {(start, end, opinion)} is empty, outside the text of {length} characters, overlaps another, "
                f"or has an opinion that is not one of {', '.join(opinions)}"
            )
        first = 1 + opinions.index(opinion)
        tags[start:end] = first + 3 if scheme is OPINION_BEGIN else first
        tags[start] = first
    return tags


def tags_to_entities(tags: Sequence[int] | np.ndarray, scheme: TagScheme = OPINION) -> list[tuple[int, int, str]]:
    """Read entities and opinions off tags.

    Parameters
    ----------
    tags : sequence of int, shape (T,)
        Legal in the scheme.
    scheme : {OPINION, OPINION_BEGIN}

    Returns
    -------
    list of (start, end, opinion)
        Runs of one opinion; with begin tags, each up to the next beginning.

    Examples
    --------
    >>> tags_to_entities([0, 1, 1, 0, 3])
    [(1, 3, 'pos'), (4, 5, 'neg')]
    """
    opinions = ("pos", "neu", "neg")
    tags = [int(tag) for tag in tags]
    begins_anew = scheme is OPINION_BEGIN
    entities: list[tuple[int, int, str]] = []
    start = 0
    for i, (before, tag) in enumerate(pairwise([0, *tags, 0])):
        # Position i has `tag`, or is behind the last one.
        ends = tag == 0 or (tag <= 3 if begins_anew else tag != before)
        if before and ends:
            entities.append((start, i, opinions[(before - 1) % 3]))
        if tag and (ends or not before):
            start = i
    return entities
