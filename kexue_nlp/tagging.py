"""Tag schemes: segmentation written as one label per character.

A word of one character is tagged ``s``; longer words are ``b``, any number of ``m``, ``e`` (article 4195, "sbme"). A
scheme also says which tag may follow which: what :func:`kexue_nlp.viterbi.viterbi` needs.

Entities with a polarity are tagged by polarity, 0 outside (article 4118). Two entities of one polarity side by side
then look like one; a second scheme marks where each begins.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

__all__ = [
    *("POLARITY", "POLARITY_BEGIN", "SBME", "TagScheme"),
    *("entities_to_tags", "tags_to_entities", "tags_to_words", "words_to_tags"),
]


@dataclass(frozen=True, eq=False)
class TagScheme:
    """The K tags of a labelling task and the sequences of them that are legal."""

    tags: tuple[str, ...]  # names; the position of a name is the tag's integer
    transitions: np.ndarray  # bool (K, K): [i, j] says whether tag j may follow tag i
    start: np.ndarray  # bool (K,): tags that may come first
    end: np.ndarray  # bool (K,): tags that may come last

    def is_legal(self, tags: Sequence[int]) -> bool:
        """Whether a sequence of tag integers obeys the scheme (the empty one does)."""
        path = np.asarray(tags, dtype=np.intp)
        if not path.size:
            return True
        return bool(self.start[path[0]] and self.end[path[-1]] and self.transitions[path[:-1], path[1:]].all())


def _scheme(follows: dict[str, Sequence[str]], start: Sequence[str], end: Sequence[str]) -> TagScheme:
    """Make a scheme out of the tags that may follow each tag, come first and come last."""
    tags = tuple(follows)
    transitions = np.array([[after in follows[tag] for after in tags] for tag in tags])
    return TagScheme(tags, transitions, *(np.array([tag in some for tag in tags]) for some in (start, end)))


SBME = _scheme({"s": "sb", "b": "me", "m": "me", "e": "sb"}, start="sb", end="se")
"""The scheme of article 4195: tags ``("s", "b", "m", "e")`` are the integers 0–3."""

_S, _B, _M, _E = range(4)
_POLARITIES = ("pos", "neu", "neg")

_entity = {polarity: ("outside", polarity) for polarity in _POLARITIES}  # it goes on, or ends
_any = ("outside", *_entity)
POLARITY = _scheme({"outside": _any, **_entity}, start=_any, end=_any)
"""The scheme of article 4118: 0 outside, 1 positive, 2 neutral, 3 negative; an entity keeps one polarity."""

_begins = ("outside", *(f"begin {polarity}" for polarity in _POLARITIES))  # what may come after any tag
_entity = {f"{begin}{polarity}": (*_begins, polarity) for begin in ("begin ", "") for polarity in _POLARITIES}
POLARITY_BEGIN = _scheme({"outside": _begins, **_entity}, start=_begins, end=("outside", *_entity))
"""The same with begin tags, so that neighbours stay apart: 0 outside, 1–3 begin pos, neu, neg, 4–6 go on."""


def words_to_tags(words: Iterable[str]) -> np.ndarray:
    """Write a segmentation as sbme tags, int8 of shape (T,), one per character; an empty word raises ValueError.

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
    """Cut a text of length T before each ``s`` and ``b`` of its sbme tags, shape (T,).

    The joined words equal the text whatever the tags; a number of tags other than T raises ValueError.

    Examples
    --------
    >>> tags_to_words("关注微信号。", [1, 3, 1, 2, 3, 0])
    ['关注', '微信号', '。']
    """
    if len(text) != len(tags):
        raise ValueError(f"{len(text)} characters but {len(tags)} tags; there must be one tag per character")
    bounds = [i for i, tag in enumerate(tags) if i == 0 or tag in (_S, _B)]
    return [text[start:end] for start, end in pairwise([*bounds, len(text)])]


def entities_to_tags(length: int, entities: Iterable[tuple[int, int, str]], scheme: TagScheme = POLARITY) -> np.ndarray:
    """Write entities of a text of length T as tags of POLARITY or POLARITY_BEGIN, int8 of shape (T,).

    Of an entity (start, end, polarity) the characters ``start`` to ``end - 1`` are the name; polarity is "pos", "neu"
    or "neg". One that is empty, outside the text, overlaps another or has another polarity raises ValueError.

    Examples
    --------
    >>> entities_to_tags(6, [(0, 2, "pos"), (2, 4, "pos")]).tolist()
    [1, 1, 1, 1, 0, 0]
    >>> entities_to_tags(6, [(0, 2, "pos"), (2, 4, "pos")], POLARITY_BEGIN).tolist()
    [1, 4, 1, 4, 0, 0]
    """
    tags = np.zeros(length, dtype=np.int8)
    for start, end, polarity in entities:
        if not 0 <= start < end <= length or tags[start:end].any() or polarity not in _POLARITIES:
            raise ValueError(
                f"entity {(start, end, polarity)} is empty, outside the text of {length} characters, overlaps another, "
                f"or has a polarity that is not one of {', '.join(_POLARITIES)}"
            )
        first = 1 + _POLARITIES.index(polarity)
        tags[start:end] = first + 3 if scheme is POLARITY_BEGIN else first
        tags[start] = first
    return tags


def tags_to_entities(tags: Sequence[int] | np.ndarray, scheme: TagScheme = POLARITY) -> list[tuple[int, int, str]]:
    """Read entities as (start, end, polarity) off tags: runs of one polarity, with begin tags up to the next beginning.

    Tags, shape (T,), are legal in the scheme, POLARITY or POLARITY_BEGIN, without the −1 that stand behind a row's end
    in a padded batch; a number that is no tag raises ValueError.

    Examples
    --------
    >>> tags_to_entities([0, 1, 1, 0, 3])
    [(1, 3, 'pos'), (4, 5, 'neg')]
    """
    tags = [int(tag) for tag in tags]
    if strange := [tag for tag in tags if not 0 <= tag < len(scheme.tags)]:
        hint = "; it is padding: give each row up to its length only" if strange[0] == -1 else ""
        raise ValueError(f"{strange[0]} is not one of the {len(scheme.tags)} tags of the scheme{hint}")
    entities: list[tuple[int, int, str]] = []
    start = 0
    for i, (before, tag) in enumerate(pairwise([0, *tags, 0])):  # position i has `tag`, or is behind the last one
        begins = 1 <= tag <= 3 if scheme is POLARITY_BEGIN else tag not in (0, before)
        if before and (begins or not tag):
            entities.append((start, i, _POLARITIES[(before - 1) % 3]))
        # An entity that goes on where none is begins there all the same.
        if begins or (tag and not before):
            start = i
    return entities
