"""Scores: how well a result agrees with a reference.

Word segmentation is scored as in the second international Chinese word segmentation bakeoff (Emerson 2005),
with the figures of whose ``score`` script article 4195 reports its accuracy. The script writes both
segmentations of a sentence one word per line and compares them with ``diff``. Words that ``diff`` keeps are
correct; a change of *d* gold words into *i* predicted ones is ``min(d, i)`` substitutions, and what is left
over is deletions or insertions.

To reproduce its counts without that program, words are aligned as GNU ``diff`` aligns lines:

1. set aside the common beginning and end of the sentence;
2. drop the words that the other side lacks and, amid those, words that it repeats very often;
3. find a longest common subsequence of the rest (Myers 1986, "An O(ND) difference algorithm and its
   variations", section 4b: search from both ends until the two meet, then solve each half);
4. slide each run of changed words down as far as equal words permit.

Step 2 may cost a match or two, but only in sentences where some word occurs six times or more.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

__all__ = ["WordScores", "score_words"]


@dataclass(frozen=True)
class WordScores:
    """Word counts of a segmentation against a reference, as the bakeoff's script counts them.

    Attributes
    ----------
    lines : int
        Lines scored: those with a gold word.
    gold_words, predicted_words : int
        Words on each side.
    correct : int
        Words that the alignment keeps.
    insertions, deletions, substitutions : int
        ``correct + deletions + substitutions == gold_words`` and
        ``correct + insertions + substitutions == predicted_words``.
    oov_rate : float or None
        Share of the gold words that are not in the vocabulary.
    oov_recall, iv_recall : float or None
        Recall of the gold words outside and inside the vocabulary. Like ``oov_rate``, None without a
        vocabulary or where there are no such words.
    """

    lines: int
    gold_words: int
    predicted_words: int
    correct: int
    insertions: int
    deletions: int
    substitutions: int
    oov_rate: float | None = None
    oov_recall: float | None = None
    iv_recall: float | None = None

    @property
    def precision(self) -> float:
        """Share of the predicted words that are correct; 0.0 if there are none."""
        return self.correct / self.predicted_words if self.predicted_words else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold words that were found; 0.0 if there are none."""
        return self.correct / self.gold_words if self.gold_words else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0.0 without words, so that empty files never look good."""
        words = self.gold_words + self.predicted_words
        return 2 * self.correct / words if words else 0.0

    def __str__(self) -> str:
        rows = [
            f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall {self.recall:.3f}",
            f"lines {self.lines:,}, gold words {self.gold_words:,}, predicted {self.predicted_words:,}, "
            f"correct {self.correct:,}",
            f"insertions {self.insertions:,}, deletions {self.deletions:,}, "
            f"substitutions {self.substitutions:,}",
        ]
        if self.oov_rate is not None:
            oov, iv = ("--" if r is None else f"{r:.3f}" for r in (self.oov_recall, self.iv_recall))
            rows.append(
                f"out-of-vocabulary rate {self.oov_rate:.3f}, recall {oov}; in-vocabulary recall {iv}"
            )
        return "\n".join(rows)


def score_words(
    gold: Iterable[Sequence[str]],
    predicted: Iterable[Sequence[str]],
    vocabulary: Collection[str] | None = None,
) -> WordScores:
    """Score a word segmentation as the ``score`` script of the 2005 bakeoff does.

    White space separates words in the bakeoff's files, so it is never part of one: a predicted word ``" "``
    counts as nothing, and ``"a b"`` as two words. Lines without a gold word are skipped.

    Parameters
    ----------
    gold, predicted : iterable of lines
        Each line is a list of words; line *i* of one belongs to line *i* of the other.
    vocabulary : collection of str, optional
        The words of the training set, for the recall of words outside (OOV) and inside (IV) it.

    Returns
    -------
    WordScores

    Raises
    ------
    ValueError
        If the numbers of lines differ.
    TypeError
        If a line or the vocabulary is one string, or a word is not a string.

    Warns
    -----
    UserWarning
        If a skipped line has predicted words: the two are probably out of step.

    Examples
    --------
    >>> gold, predicted = [["关注", "微信号", "。"]], [["关注", "微", "信号", "。"]]
    >>> print(score_words(gold, predicted, vocabulary={"关注", "。"}))
    F1 0.571, precision 0.500, recall 0.667
    lines 1, gold words 3, predicted 4, correct 2
    insertions 1, deletions 0, substitutions 1
    out-of-vocabulary rate 0.333, recall 0.000; in-vocabulary recall 1.000
    """
    if isinstance(vocabulary, str):
        raise TypeError(
            f"vocabulary is the str {vocabulary[:20]!r}; give a collection of words, such as a set"
        )
    gold, predicted = _read(gold, "gold"), _read(predicted, "predicted")
    if len(gold) != len(predicted):
        raise ValueError(
            f"gold has {len(gold)} lines but predicted has {len(predicted)}; "
            "line i of one must belong to line i of the other"
        )
    known = set(vocabulary or ())
    lines = gold_words = predicted_words = correct = insertions = deletions = substitutions = 0
    iv_words = iv_correct = 0
    for number, (truth, guess) in enumerate(zip(gold, predicted, strict=True), 1):
        if not truth:
            if guess:
                warnings.warn(
                    f"line {number} skipped: no gold word, but {len(guess)} predicted", stacklevel=2
                )
            continue
        kept = _align(truth, guess)
        lines += 1
        gold_words += len(truth)
        predicted_words += len(guess)
        correct += len(kept)
        for (i, j), (next_i, next_j) in pairwise([(-1, -1), *kept, (len(truth), len(guess))]):
            removed, added = next_i - i - 1, next_j - j - 1
            substitutions += min(removed, added)
            deletions += max(0, removed - added)
            insertions += max(0, added - removed)
        iv_words += sum(word in known for word in truth)
        iv_correct += sum(truth[i] in known for i, _ in kept)

    def share(part: int, whole: int) -> float | None:
        return None if vocabulary is None or not whole else part / whole

    oov_words = gold_words - iv_words
    return WordScores(
        lines=lines,
        gold_words=gold_words,
        predicted_words=predicted_words,
        correct=correct,
        insertions=insertions,
        deletions=deletions,
        substitutions=substitutions,
        oov_rate=share(oov_words, gold_words),
        oov_recall=share(correct - iv_correct, oov_words),
        iv_recall=share(iv_correct, iv_words),
    )


def _read(lines: Iterable[Sequence[str]], name: str) -> list[list[str]]:
    """The lines as the script would read them back from a file."""
    words = []
    for number, line in enumerate(lines, 1):
        if isinstance(line, str):
            raise TypeError(f"line {number} of {name} is the str {line[:20]!r}; give a list of its words")
        for word in line:
            if not isinstance(word, str):
                raise TypeError(f"line {number} of {name} has the word {word!r}, which is not a str")
        words.append(" ".join(line).split())
    return words


def _align(gold: Sequence[str], predicted: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs ``(i, j)`` of the words that GNU ``diff`` would keep."""
    head, tail = _shared_ends(gold, predicted)
    x, y = gold[head : len(gold) - tail], predicted[head : len(predicted) - tail]
    used_x, used_y = _worth_aligning(x, y), _worth_aligning(y, x)
    matches = _longest_common([x[i] for i in used_x], [y[j] for j in used_y])
    # Positions of the matched words, with a post before the first word and one behind the last.
    posts_x = [-1, *(used_x[i] for i, _ in matches), len(x)]
    posts_y = [-1, *(used_y[j] for _, j in matches), len(y)]
    _slide(x, posts_x, posts_y)
    _slide(y, posts_y, posts_x)
    return [
        *((i, i) for i in range(head)),
        *((head + i, head + j) for i, j in zip(posts_x[1:-1], posts_y[1:-1], strict=True)),
        *((len(gold) - k, len(predicted) - k) for k in range(tail, 0, -1)),
    ]


def _shared_ends(x: Sequence[str], y: Sequence[str]) -> tuple[int, int]:
    """Length of the common beginning, and of the common end of what follows it."""
    shorter = min(len(x), len(y))
    head = next((i for i in range(shorter) if x[i] != y[i]), shorter)
    tail = next((i for i in range(shorter - head) if x[-1 - i] != y[-1 - i]), shorter - head)
    return head, tail


def _worth_aligning(words: Sequence[str], other: Sequence[str]) -> list[int]:
    """Positions of the words that take part in the alignment.

    Each word gets a letter: ``x`` foreign (the other side lacks it), ``f`` frequent there, ``.`` neither.
    Foreign words go. So do frequent ones within a stretch from one foreign word to another, where they would
    match by chance; but they stay if they make up a quarter of it, stand many in a row, or are near its ends.
    """
    occurrences = Counter(other)
    often = 5 * _root(len(words) // 64)
    letters = [("x" if not n else "f" if n > often else ".") for n in map(occurrences.__getitem__, words)]

    def thin(stretch: re.Match[str]) -> str:
        code = stretch.group()
        if 4 * code.count("f") > len(code):
            return code
        code = re.sub(f"f{{{1 + _root(len(code) // 4)},}}", lambda row: "." * len(row.group()), code)
        for _ in range(2):  # from the front, then, reversed, from the back
            # "Near" ends at three foreign words in a row, or at a foreign word after the eighth word.
            margin = re.search("xxx|(?<=.{8})x", code)
            near = margin.start() if margin else len(code)
            code = (code[:near].replace("f", ".") + code[near:])[::-1]
        return code.replace("f", "x")

    return [i for i, letter in enumerate(re.sub("x[xf]*x", thin, "".join(letters))) if letter != "x"]


def _root(n: int) -> int:
    """The square root of n, rounded down to a power of two; at least 1."""
    return 1 << max(0, n.bit_length() - 1) // 2


def _longest_common(x: Sequence[str], y: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of a longest common subsequence, found by halving a shortest path of edits."""
    head, tail = _shared_ends(x, y)
    pairs = [(i, i) for i in range(head)]
    inner_x, inner_y = x[head : len(x) - tail], y[head : len(y) - tail]
    if inner_x and inner_y:
        i, j = _meeting_point(inner_x, inner_y)
        pairs += [(head + a, head + b) for a, b in _longest_common(inner_x[:i], inner_y[:j])]
        pairs += [(head + i + a, head + j + b) for a, b in _longest_common(inner_x[i:], inner_y[j:])]
    return pairs + [(len(x) - k, len(y) - k) for k in range(tail, 0, -1)]


def _meeting_point(x: Sequence[str], y: Sequence[str]) -> tuple[int, int]:
    """A point ``(i, j)`` half way on a shortest path of edits; x and y differ in their first and last words.

    Two searches run towards each other. For each number of edits they note the furthest ``i`` reached on each
    diagonal ``k = i - j``; the backward search counts from the ends.
    """
    slant = len(x) - len(y)
    forward, backward = {0: 0}, {0: 0}
    searches = (forward, x, y), (backward, x[::-1], y[::-1])
    for edits in count(1):
        for front, ahead_x, ahead_y in searches:
            for k in range(-edits, edits + 1, 2):
                if -len(y) <= k <= len(x):
                    i = max(front.get(k - 1, -1) + 1, front.get(k + 1, -1))
                    while i < len(x) and i - k < len(y) and ahead_x[i] == ahead_y[i - k]:
                        i += 1
                    front[k] = i
            # Paths meet after an odd number of edits in the forward search, after an even one in the other.
            if (front is forward) == slant % 2:
                met = [
                    k for k in forward if slant - k in backward and forward[k] + backward[slant - k] >= len(x)
                ]
                if met:
                    k = max(met)  # of several meetings diff takes the one furthest ahead in x
                    i = forward[k] if front is forward else len(x) - backward[slant - k]
                    return i, i - k


def _slide(words: Sequence[str], posts: list[int], other: Sequence[int]) -> None:
    """Move each run of changed words down, in place, as far as equal words permit.

    If it passes gaps where the other side changes too, it stops in the last of them.
    The run in gap *g* lies between the matched words ``posts[g]`` and ``posts[g + 1]``. If its last word
    equals the matched word above it, those two swap roles, and the run has moved to gap *g* - 1, where it
    joins any run already there. The way down is the same with its first word and the matched word below.
    """
    gap, last = 0, len(posts) - 2
    while gap <= last:
        length, paired = 1, []
        while posts[gap + 1] - posts[gap] > length:  # once more whenever the run has grown by joining another
            length, paired = posts[gap + 1] - posts[gap], []
            while gap > 0 and words[posts[gap]] == words[posts[gap + 1] - 1]:
                posts[gap] = posts[gap + 1] - 1
                gap -= 1
            while True:
                if other[gap + 1] - other[gap] > 1:
                    paired.append(gap)
                if gap == last or words[posts[gap] + 1] != words[posts[gap + 1]]:
                    break
                posts[gap + 1] = posts[gap] + 1
                gap += 1
        while paired and gap > paired[-1]:
            posts[gap] = posts[gap + 1] - 1
            gap -= 1
        gap += 1
