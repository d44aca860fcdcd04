"""Score a word segmentation by the measures of the bakeoff of 2005 (Emerson 2005) and article 4195.

Words that an alignment of the two sides keeps are correct; a change of *d* gold words into *i* predicted ones is
``min(d, i)`` substitutions, and what is left over is deletions or insertions.
"""

import difflib
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class WordScores:
    """Word counts of a segmentation against a reference.

    Attributes
    ----------
    lines, gold_words, predicted_words : int
        Lines with a gold word, and the words in them on each side.
    correct, insertions, deletions, substitutions : int
        Correct words, deletions and substitutions add up to the gold words; with insertions in place of deletions, to
        the predicted ones.
    oov_rate, oov_recall, iv_recall : float or None
        Share of the gold words outside the vocabulary, and recall of those outside and inside it; None without a
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
        text = f"F1 {self.f1:.3f}, precision {self.precision:.3f}, recall {self.recall:.3f}\nlines {self.lines:,}, "
        text += f"gold words {self.gold_words:,}, predicted {self.predicted_words:,}, correct {self.correct:,}\n"
        text += f"insertions {self.insertions:,}, deletions {self.deletions:,}, substitutions {self.substitutions:,}"
        if self.oov_rate is not None:
            oov, iv = ("--" if r is None else f"{r:.3f}" for r in (self.oov_recall, self.iv_recall))
            text += f"\nout-of-vocabulary rate {self.oov_rate:.3f}, recall {oov}; in-vocabulary recall {iv}"
        return text


def align(gold: Sequence[str], predicted: Sequence[str]) -> list[tuple[int, int]]:
    """List the index pairs of the words that the standard library's difflib keeps, in order."""
    blocks = difflib.SequenceMatcher(None, gold, predicted, autojunk=False).get_matching_blocks()
    return [(i + k, j + k) for i, j, length in blocks for k in range(length)]


def score_words(
    gold: Iterable[Sequence[str]],
    predicted: Iterable[Sequence[str]],
    vocabulary: Collection[str] | None = None,
    align: Callable[[Sequence[str], Sequence[str]], list[tuple[int, int]]] = align,
) -> WordScores:
    """Score a word segmentation: precision, recall, F1, and recall of known and of unseen words.

    `gold` and `predicted` are lists of words (TypeError for a string), one for each line, of as many lines (ValueError
    otherwise). The `vocabulary` holds the words of the training set, for the recall outside (OOV) and inside (IV) it.
    White space is never part of a word, as in the bakeoff's files: ``" "`` counts as nothing, ``"a b"`` as two words.
    Lines without a gold word are skipped, with a warning if words are predicted there. On the tests of the bakeoff F1
    is that of its ``score`` script to the fourth digit; to have its very counts, give the `align` of
    ``benchmarks/reproduce/bakeoff.py``, which pairs the words of a line as GNU diff does.

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
        raise TypeError(f"vocabulary is the str {vocabulary[:20]!r}; give a collection of words, such as a set")
    gold, predicted = _read(gold, "gold"), _read(predicted, "predicted")
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} lines but predicted has {len(predicted)}; they must belong together")
    known = set(vocabulary or ())
    lines = gold_words = predicted_words = correct = substitutions = iv_words = iv_correct = 0
    for number, (truth, guess) in enumerate(zip(gold, predicted, strict=True), 1):
        if not truth:
            if guess:
                warnings.warn(f"line {number} skipped: no gold word, but {len(guess)} predicted", stacklevel=2)
            continue
        kept = align(truth, guess)
        lines += 1
        gold_words += len(truth)
        predicted_words += len(guess)
        correct += len(kept)
        # What lies between two kept words is one change.
        for (i, j), (next_i, next_j) in pairwise([(-1, -1), *kept, (len(truth), len(guess))]):
            substitutions += min(next_i - i, next_j - j) - 1
        iv_words += sum(word in known for word in truth)
        iv_correct += sum(truth[i] in known for i, _ in kept)

    def share(part: int, whole: int) -> float | None:
        return None if vocabulary is None or not whole else part / whole

    insertions, deletions = (words - correct - substitutions for words in (predicted_words, gold_words))
    oov_words = gold_words - iv_words
    rates = share(oov_words, gold_words), share(correct - iv_correct, oov_words), share(iv_correct, iv_words)
    return WordScores(lines, gold_words, predicted_words, correct, insertions, deletions, substitutions, *rates)


def _read(lines: Iterable[Sequence[str]], name: str) -> list[list[str]]:
    """Return the lines as the script would read them back from a file."""
    lines = list(lines)
    for number, line in enumerate(lines, 1):
        if isinstance(line, str):
            raise TypeError(f"line {number} of {name} is the str {line[:20]!r}; give a list of its words")
    return [" ".join(line).split() for line in lines]
