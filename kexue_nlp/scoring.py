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

Binary codes are scored by the average precision of the rankings that their Hamming distances give, and word
vectors by the rank correlation of their similarities with people's judgements (article 8159). Short sparse codes
are mostly ties: codes of two ones are at distance 0, 2 or 4. A ranking with ties is scored by what it scores on
average over the orders that break them (McSherry and Najork 2008, "Computing information retrieval performance
measures efficiently in the presence of tied scores"), so it matters neither how a database happens to be sorted
nor how a sort treats equals.

Opinions on entities are scored by pairs of sentence and entity (article 4118, BDCI 2016). The contest's recall leaves
out pairs that were found with a wrong opinion, so a strict score stands beside it.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np

__all__ = [
    "RankCorrelation",
    "ViewpointScores",
    "WordScores",
    "average_precision",
    "mean_average_precision",
    "neighbour_mean_average_precision",
    "rank_correlation",
    "score_viewpoints",
    "score_words",
]


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
            f"insertions {self.insertions:,}, deletions {self.deletions:,}, substitutions {self.substitutions:,}",
        ]
        if self.oov_rate is not None:
            oov, iv = ("--" if r is None else f"{r:.3f}" for r in (self.oov_recall, self.iv_recall))
            rows.append(f"out-of-vocabulary rate {self.oov_rate:.3f}, recall {oov}; in-vocabulary recall {iv}")
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
        raise TypeError(f"vocabulary is the str {vocabulary[:20]!r}; give a collection of words, such as a set")
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
                warnings.warn(f"line {number} skipped: no gold word, but {len(guess)} predicted", stacklevel=2)
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
                met = [k for k in forward if slant - k in backward and forward[k] + backward[slant - k] >= len(x)]
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


def average_precision(distances: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Score rankings by distance, nearest first: average precision, expected over the order of ties.

    Average precision is the mean, over the relevant items, of the precision at each: the share of relevant items
    among those ranked up to and including it. Items at equal distance come in every order with equal
    probability.

    Parameters
    ----------
    distances : array_like of int or float, shape (Q, N)
        From each of Q queries to the N items.
    relevant : array_like of bool, shape (Q, N)
        Which items a query should find.

    Returns
    -------
    ndarray of float64, shape (Q,)
        Between 0 and 1; nan for a query to which nothing is relevant.

    Raises
    ------
    ValueError
        If the shapes differ or are not two-dimensional, or a distance is nan.
    TypeError
        If `relevant` is not boolean.

    Notes
    -----
    McSherry and Najork (2008), "Computing information retrieval performance measures efficiently in the presence
    of tied scores". The expectation is exact, not sampled.

    Examples
    --------
    The nearest item is relevant, and so is one of the two tied behind it: the score is (1 + 2/2)/2 if that one
    comes first and (1 + 2/3)/2 if it comes last.

    >>> average_precision([[0, 2, 2]], [[True, True, False]]).round(4).tolist()
    [0.9167]
    """
    distances, relevant = np.asarray(distances), np.asarray(relevant)
    if distances.ndim != 2 or distances.shape != relevant.shape:
        raise ValueError(
            "distances and relevant must have the same shape (queries, items), "
            f"got {distances.shape} and {relevant.shape}"
        )
    if relevant.dtype != bool:
        raise TypeError(f"relevant must be an array of bool, got {relevant.dtype}")
    scores = np.empty(len(distances))
    for query, (row, hit) in enumerate(zip(distances, relevant, strict=True)):
        if np.isnan(row).any():
            raise ValueError(f"a distance of query {query} is nan; no rank can be given to it")
        groups, group_of = np.unique(row, return_inverse=True)
        items, hits = (np.bincount(which, minlength=len(groups)) for which in (group_of, group_of[hit]))
        scores[query] = _expected_average_precision(items[None], hits[None])[0]
    return scores


def mean_average_precision(queries, database, query_labels: np.ndarray, database_labels: np.ndarray) -> float:
    """Score binary codes by class: how near the codes of a query's class rank.

    The whole database is ranked by Hamming distance to each query (mAP@all), an item is relevant if it has the
    query's label, and the score is the mean over the queries of `average_precision`, ties and all. A query must
    not be in the database, where it would find itself: draw the two with
    `kexue_nlp.datasets.retrieval_split`.

    Parameters
    ----------
    queries, database : sparse matrix or array_like, shapes (Q, K) and (N, K)
        Codes of K bits: 0 and 1, or −1 and 1. Keep long codes with few ones sparse.
    query_labels, database_labels : array_like, shapes (Q,) and (N,)
        The class of each, integers or strings.

    Returns
    -------
    float
        Between 0 and 1. Codes that are all equal score about the share of a query's class in the database.

    Raises
    ------
    ValueError
        If shapes do not fit together, a code has other values, or no item of the database has a query's label.

    Notes
    -----
    The measure of Ryali et al. (2020), "Bio-Inspired Hashing for Unsupervised Similarity Search". Distances are
    counted, never sorted, and a block of queries at a time: beside a copy of the codes, tens of megabytes do.

    Examples
    --------
    >>> database = [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]]
    >>> round(mean_average_precision([[1, 1, 0, 0]], database, ["cat"], ["cat", "dog", "cat"]), 4)
    0.8333
    """
    queries, database = _bits(queries, "queries"), _bits(database, "database")
    query_labels, database_labels = np.asarray(query_labels), np.asarray(database_labels)
    for name, labels, codes in (("query", query_labels, queries), ("database", database_labels, database)):
        if labels.shape != (codes.shape[0],):
            raise ValueError(
                f"{name}_labels must have one entry for each of the {codes.shape[0]} codes, got shape {labels.shape}"
            )
    known = set(database_labels.tolist())
    for number, label in enumerate(query_labels.tolist()):
        if label not in known:
            raise ValueError(f"query {number} has the label {label!r}, which no item of the database has")
    return _mean_over_queries(queries, database, lambda rows: query_labels[rows, None] == database_labels)


def neighbour_mean_average_precision(
    queries, database, query_vectors: np.ndarray, database_vectors: np.ndarray, share: float = 0.02
) -> float:
    """Score binary codes by neighbourhood: how near the codes of a query's true neighbours rank.

    As `mean_average_precision`, but without labels: relevant to a query are its true neighbours, the share of the
    database that is nearest to it, by Euclidean distance, in the space from which the codes were made.

    Parameters
    ----------
    queries, database : sparse matrix or array_like, shapes (Q, K) and (N, K)
        Codes of K bits: 0 and 1, or −1 and 1.
    query_vectors, database_vectors : array_like of float, shapes (Q, D) and (N, D)
        What was encoded.
    share : float
        How much of the database counts as near: N · share items, rounded, and at least one; vectors exactly as
        far away as the last of them count too.

    Returns
    -------
    float
        Between 0 and 1. Codes that are all equal score about `share`.

    Raises
    ------
    ValueError
        If shapes do not fit together, a code has other values, a vector is not finite, or `share` is not above 0
        and at most 1.

    Notes
    -----
    Dasgupta, Stevens and Navlakha (2017), "A neural algorithm for a fundamental computing problem", judge FlyHash
    by the true 2 % nearest neighbours. Its figures are not comparable to those by class.

    Examples
    --------
    >>> vectors = np.arange(100.0)[:, None]
    >>> codes = vectors > [20, 40, 60, 80]
    >>> round(neighbour_mean_average_precision(codes[:1], codes[1:], vectors[:1], vectors[1:]), 4)
    0.2231
    """
    queries, database = _bits(queries, "queries"), _bits(database, "database")
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    vectors = []
    for name, values, codes in (("query", query_vectors, queries), ("database", database_vectors, database)):
        values = np.asarray(values)
        if values.ndim != 2 or len(values) != codes.shape[0]:
            raise ValueError(
                f"{name}_vectors must have a row for each of the {codes.shape[0]} codes, got shape {values.shape}"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"{name}_vectors hold a value that is not finite")
        # Products of small unsigned integers, such as grey levels, would overflow.
        vectors.append(values if values.dtype.kind == "f" else values.astype(np.float64))
    query_vectors, database_vectors = vectors
    if query_vectors.shape[1] != database_vectors.shape[1]:
        raise ValueError(
            f"query_vectors have {query_vectors.shape[1]} dimensions, but database_vectors {database_vectors.shape[1]}"
        )
    squares = np.einsum("ij,ij->i", database_vectors, database_vectors)
    last = max(1, round(share * len(squares))) - 1

    def near(rows: slice) -> np.ndarray:
        # The squared distance less the query's own square, which is the same along a row and orders nothing.
        distances = squares - 2 * (query_vectors[rows] @ database_vectors.T)
        return distances <= np.partition(distances, last, axis=1)[:, last, None]

    return _mean_over_queries(queries, database, near)


@dataclass(frozen=True)
class RankCorrelation:
    """Agreement of two orders, and on how many of the pairs it was measured.

    Attributes
    ----------
    rho : float
        Spearman's rank correlation over the covered pairs, from −1 to 1. Nan if fewer than three are covered, or
        all of them have the same score on one side: there is no order to compare.
    covered, total : int
        Pairs with a predicted score, and all pairs.
    """

    rho: float
    covered: int
    total: int


def rank_correlation(predicted: np.ndarray, gold: np.ndarray) -> RankCorrelation:
    """Compare the order of predicted scores with that of people's judgements, by Spearman's rank correlation.

    Pairs without a prediction are left out. That can flatter a small vocabulary, so two figures are comparable
    only at the same coverage.

    Parameters
    ----------
    predicted : array_like of float, shape (N,)
        A score for each pair, nan where the model knows not both words. Equal scores share their mean rank.
    gold : array_like of float, shape (N,)
        The judgements, such as `kexue_nlp.datasets.WordPairs.scores`.

    Returns
    -------
    RankCorrelation

    Raises
    ------
    ValueError
        If the two differ in length or have more than one dimension, or a judgement is nan.

    Examples
    --------
    >>> rank_correlation([0.9, 0.2, 0.4, np.nan], [9.5, 1.0, 3.0, 7.0])
    RankCorrelation(rho=1.0, covered=3, total=4)
    """
    predicted, gold = np.asarray(predicted, dtype=float), np.asarray(gold, dtype=float)
    if predicted.ndim != 1 or predicted.shape != gold.shape:
        raise ValueError(f"predicted and gold must be of one length, got shapes {predicted.shape} and {gold.shape}")
    if np.isnan(gold).any():
        raise ValueError(f"gold has no judgement for pair {np.isnan(gold).argmax()}: it is nan")
    covered = ~np.isnan(predicted)
    x, y = predicted[covered], gold[covered]
    rho = np.nan
    if len(x) >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0:
        from scipy.stats import spearmanr

        rho = spearmanr(x, y).statistic
    return RankCorrelation(float(rho), len(x), len(gold))


# Distances computed at a time: 8 MB as integers, small enough to stay in a processor's cache.
_BLOCK = 1 << 20


def _bits(codes, name: str):
    """Return codes as float32 zeros and ones, sparse (CSR) or dense as they came.

    Float32, because its products are the fastest; they are exact up to 16 million bits.
    """
    from scipy import sparse

    if sparse.issparse(codes):
        bits = sparse.csr_array(codes).astype(np.float32)
        bits.sum_duplicates()
        bits.eliminate_zeros()
        valid = (bits.data == 1).all()
    else:
        codes = np.asarray(codes)
        ones = codes == 1
        valid = (ones | (codes == 0)).all() or (ones | (codes == -1)).all()
        bits = ones.astype(np.float32)
    if bits.ndim != 2:
        raise ValueError(f"{name} must have shape (codes, bits), got {bits.shape}")
    if not bits.shape[0]:
        raise ValueError(f"{name} holds no codes")
    if not valid:
        raise ValueError(f"{name} holds values other than the bits of one kind, 0 and 1 or -1 and 1")
    return bits


def _mean_over_queries(queries, database, relevant: Callable[[slice], np.ndarray]) -> float:
    """Mean expected average precision of codes; ``relevant(rows)`` tells what those queries should find."""
    if queries.shape[1] != database.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} bits, but the database's codes {database.shape[1]}")
    query_ones, database_ones = (bits.sum(axis=1).astype(np.intp) for bits in (queries, database))
    n_distances = int(query_ones.max() + database_ones.max()) + 1
    columns = database.T if isinstance(database, np.ndarray) else database.T.tocsr()
    step = max(1, _BLOCK // max(len(database_ones), n_distances))
    total = 0.0
    for start in range(0, len(query_ones), step):
        rows = slice(start, start + step)
        overlap = queries[rows] @ columns
        overlap = overlap if isinstance(overlap, np.ndarray) else overlap.toarray()
        # In place, from overlaps to Hamming distances, and those of each query into cells of its own.
        cells = overlap.astype(np.intp)
        cells *= -2
        cells += database_ones
        cells += query_ones[rows, None] + n_distances * np.arange(len(cells))[:, None]
        items, hits = (
            np.bincount(which, minlength=len(cells) * n_distances).reshape(len(cells), n_distances)
            for which in (cells.ravel(), cells[relevant(rows)])
        )
        total += _expected_average_precision(items, hits).sum()
    return float(total / len(query_ones))


def _expected_average_precision(items: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Average precision, expected over the order within groups of ties.

    ``items[q, g]`` counts the items in the g-th nearest group of query q, ``hits[q, g]`` the relevant ones.

    Take a group of n items, r of them relevant, behind a items with b relevant. Its i-th place is number a + i
    of the ranking and holds a relevant item with probability r/n. Given that, each of the i − 1 places before it
    in the group holds one of the other r − 1 relevant items with probability c = (r − 1)/(n − 1). So the
    precisions at the group's relevant items add up, on average, to

        r/n · Σ_{i=1..n} (b + 1 + (i − 1) c) / (a + i)
        = r/n · ((b + 1 − (a + 1) c) · (H(a + n) − H(a)) + n c),    H(m) = 1 + 1/2 + … + 1/m.
    """
    up_to = items.cumsum(axis=1)
    before = up_to - items
    hits_before = hits.cumsum(axis=1) - hits
    places = items.sum(axis=1).max(initial=0)
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, places + 1))])
    rise = harmonic[up_to] - harmonic[before]
    others = (hits - 1) / np.maximum(items - 1, 1)
    precisions = (hits_before + 1 - (before + 1) * others) * rise + items * others
    precisions *= hits / np.maximum(items, 1)
    with np.errstate(invalid="ignore"):  # nothing relevant: 0/0, nan
        return precisions.sum(axis=1) / hits.sum(axis=1)


@dataclass(frozen=True)
class ViewpointScores:
    """Counts of (sentence, view) pairs, and the scores made of them.

    Attributes
    ----------
    right : int
        Found, with the right opinion (the contest's tp).
    wrong : int
        Found, with another opinion (fp).
    missed : int
        Not found (fn1).
    extra : int
        Found where there is none (fn2).
    """

    right: int
    wrong: int
    missed: int
    extra: int

    @property
    def precision(self) -> float:
        """Share of the predicted pairs that are right; 0.0 if there are none."""
        return _share(self.right, self.right + self.wrong + self.extra)

    @property
    def contest_recall(self) -> float:
        """The contest's recall, in which pairs with a wrong opinion do not count: tp / (tp + fn1)."""
        return _share(self.right, self.right + self.missed)

    @property
    def strict_recall(self) -> float:
        """Share of the given pairs that are found with the right opinion."""
        return _share(self.right, self.right + self.wrong + self.missed)

    @property
    def contest_f1(self) -> float:
        """Harmonic mean of precision and the contest's recall."""
        return _harmonic_mean(self.precision, self.contest_recall)

    @property
    def strict_f1(self) -> float:
        """Harmonic mean of precision and strict recall."""
        return _harmonic_mean(self.precision, self.strict_recall)


def score_viewpoints(
    gold: Sequence[Iterable[tuple[str, str]]], predicted: Sequence[Iterable[tuple[str, str]]]
) -> ViewpointScores:
    """Score opinions on entities, sentence by sentence.

    Parameters
    ----------
    gold, predicted : sequence of iterable of (view, opinion)
        One per sentence. A view that is predicted several times in a sentence counts once, with its most frequent
        opinion (the first of equally frequent ones).

    Returns
    -------
    ViewpointScores

    Raises
    ------
    ValueError
        If the numbers of sentences differ, or a view has two opinions in one sentence of `gold`.

    Examples
    --------
    >>> gold = [[("本田", "pos"), ("丰田", "neg")], [("大众", "neu")]]
    >>> scores = score_viewpoints(gold, [[("本田", "pos"), ("丰田", "neu")], [("奔驰", "neu")]])
    >>> (scores.right, scores.wrong, scores.missed, scores.extra), round(scores.contest_f1, 3), scores.strict_f1
    ((1, 1, 1, 1), 0.4, 0.3333333333333333)
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} sentences are given and {len(predicted)} predicted")
    right = wrong = missed = extra = 0
    for number, (given, found) in enumerate(zip(gold, predicted, strict=True)):
        given = list(given)
        truth = dict(given)
        if len(truth) < len(set(given)):
            raise ValueError(f"sentence {number} has two opinions on one view: {given}")
        opinions: dict[str, Counter[str]] = {}
        for view, opinion in found:
            opinions.setdefault(view, Counter())[opinion] += 1
        guesses = {view: counts.most_common(1)[0][0] for view, counts in opinions.items()}
        right += sum(guesses.get(view) == opinion for view, opinion in truth.items())
        wrong += sum(view in guesses and guesses[view] != opinion for view, opinion in truth.items())
        missed += sum(view not in guesses for view in truth)
        extra += sum(view not in truth for view in guesses)
    return ViewpointScores(right, wrong, missed, extra)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
