"""Tag schemes: segmentation written as one label per character.

A word of one character is tagged ``s``; longer words are ``b``, any number of ``m``, ``e`` (article 4195,
"sbme"). A scheme also says which tag may follow which, which may come first and which last: what
:func:`kexue_nlp.viterbi.viterbi` needs to return only tag sequences that mean something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = ["SBME", "TagScheme", "tags_to_words", "words_to_tags"]


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
        return bool(
            self.start[path[0]] and self.end[path[-1]] and self.transitions[path[:-1], path[1:]].all()
        )


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
