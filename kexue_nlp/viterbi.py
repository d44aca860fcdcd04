"""The best tag sequences under a transition matrix, of one sentence or a batch of them, and the sum of all."""

import numpy as np

from kexue_nlp.tagging import TagScheme

__all__ = ["forward", "n_best", "viterbi"]

# Both stand for "log 0" and are finite, so that no arithmetic gives NaN. A forbidden step costs more than ten million
# impossible emissions: a legal path always wins over an illegal one.
_IMPOSSIBLE = -1e5
_FORBIDDEN = -1e12
_TOO_LARGE = 1e5


def viterbi(
    log_emissions: np.ndarray, scheme_or_transitions: TagScheme | np.ndarray, lengths: np.ndarray | None = None
) -> np.ndarray:
    r"""Find the path :math:`\arg\max_y \sum_t E_{t, y_t} + \sum_t A_{y_{t-1}, y_t}`, as int8 of shape (T,) or (B, T).

    Dynamic programming: the best score of a path that ends in tag *j* at *t* needs only the best scores at *t* − 1. It
    takes O(T K²) steps for K tags. Of equal scores the lower tag wins. Unlike in article 4195, a
    :class:`~kexue_nlp.tagging.TagScheme` constrains the first and the last tag, too.

    Parameters
    ----------
    log_emissions : array_like, shape (T, K) or (B, T, K)
        Log-scores of each tag, not necessarily normalised. ``-inf`` is allowed, NaN or above 1e5 is not.
    scheme_or_transitions : TagScheme or array_like of shape (K, K)
        A scheme allows or forbids; a matrix holds log-scores of tag *j* after tag *i* and leaves first and last free.
    lengths : array_like of int, shape (B,), optional
        Real lengths of the rows of a padded batch, 0 to T. Positions beyond them get the tag −1.

    Examples
    --------
    >>> from kexue_nlp.tagging import SBME
    >>> emissions = np.log([[0.4, 0.6, 0.1, 0.1], [0.7, 0.1, 0.1, 0.1]])
    >>> viterbi(emissions, SBME).tolist()  # alone, the first character would be b; s s is the best legal path
    [0, 0]
    """
    emissions = np.asarray(log_emissions, dtype=np.float32)
    if emissions.ndim == 2:
        if lengths is not None:
            raise ValueError("lengths belong to a batch of shape (B, T, K); this is one sentence of shape (T, K)")
        return viterbi(emissions[None], scheme_or_transitions)[0]
    if emissions.ndim != 3:
        raise ValueError(f"log_emissions must have shape (T, K) or (B, T, K), got {emissions.shape}")
    if not (emissions < _TOO_LARGE).all():
        raise ValueError(f"log_emissions must be numbers below {_TOO_LARGE:g}; check the network for NaN or inf")
    rows, steps, n_tags = emissions.shape
    first, transitions, last = _log_scores(scheme_or_transitions, n_tags)
    lengths = np.full(rows, steps) if lengths is None else np.asarray(lengths)
    if lengths.shape != (rows,) or (rows and not 0 <= lengths.min() <= lengths.max() <= steps):
        raise ValueError(f"lengths must be {rows} integers in [0, {steps}], got {lengths!r}")
    tags = np.full((rows, steps), -1, dtype=np.int8)
    if not rows or not steps:
        return tags

    # Time first, tags next, rows last: each step works on whole contiguous rows of sentences.
    emissions = np.ascontiguousarray(np.maximum(emissions, _IMPOSSIBLE).transpose(1, 2, 0))

    # Forward: the best score of a path that ends in each tag, and in `back` the tag it came from.
    score = first[:, None] + emissions[0]
    final = score.copy()  # of each row, where it ends
    back = np.zeros((steps, n_tags, rows), dtype=np.int8)
    for t in range(1, steps):
        best = score[0] + transitions[0][:, None]  # coming from tag 0
        for tag in range(1, n_tags):
            candidate = score[tag] + transitions[tag][:, None]
            better = candidate > best
            best = np.where(better, candidate, best)
            back[t][better] = tag
        score = best + emissions[t]
        ending = lengths == t + 1
        final[:, ending] = score[:, ending]

    # Backward: from the best last tag of each row, follow where it came from.
    tag = (final + last[:, None]).argmax(axis=0)
    every_row = np.arange(rows)
    for t in range(steps - 1, -1, -1):
        inside = lengths > t
        tags[inside, t] = tag[inside]
        if t:
            tag = np.where(inside, back[t, tag, every_row], tag)
    return tags


def n_best(log_emissions: np.ndarray, scheme: TagScheme, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the `n` best legal paths of one sentence, fewer if there are no more: int8 (N, T), and scores (N,).

    Viterbi keeps for each tag the best path that ends there; this keeps `n` of them. Emissions have shape (T, K).
    """
    if n < 1 or n != int(n):
        raise ValueError(f"n must be an integer of at least 1, got {n}")
    n = int(n)
    emissions = np.maximum(np.asarray(log_emissions, dtype=np.float64), _IMPOSSIBLE)
    first, transitions, last = _log_scores(scheme, emissions.shape[1])
    ends = first[None] + emissions[:1]  # scores of the paths so far, (paths, K): the best first
    back = []
    for after in emissions[1:]:
        ways = (ends[..., None] + transitions).reshape(-1, len(first))  # (paths · K, K)
        back.append(np.argsort(-ways, axis=0, kind="stable")[:n])
        ends = np.take_along_axis(ways, back[-1], axis=0) + after
    scores = (ends + last).ravel()
    places = np.argsort(-scores, kind="stable")[:n]
    places = places[scores[places] > _FORBIDDEN / 2]
    scores, paths = scores[places], [places % len(first)]
    for came_from in reversed(back):
        places = came_from[places // len(first), places % len(first)]
        paths.append(places % len(first))
    return np.array(paths[::-1], dtype=np.int8).T, scores


def forward(log_emissions: np.ndarray, scheme: TagScheme) -> np.ndarray:
    """Sum over all legal beginnings: the log of the sum of exp(score) of paths that end in each tag, float64 (T, K)."""
    emissions = np.maximum(np.asarray(log_emissions, dtype=np.float64), _IMPOSSIBLE)
    first, transitions, _ = _log_scores(scheme, emissions.shape[1])
    sums = np.empty_like(emissions)
    for t, here in enumerate(emissions):
        sums[t] = here + (np.logaddexp.reduce(sums[t - 1][:, None] + transitions) if t else first)
    return sums


def _log_scores(scheme_or_transitions: TagScheme | np.ndarray, n_tags: int) -> tuple[np.ndarray, ...]:
    """Return log-scores of the first tag (K,), of each step (K, K) and of the last tag (K,)."""
    if isinstance(scheme_or_transitions, TagScheme):
        scheme = scheme_or_transitions
        scores = tuple(np.where(a, 0.0, _FORBIDDEN) for a in (scheme.start, scheme.transitions, scheme.end))
    else:
        matrix = np.maximum(np.asarray(scheme_or_transitions, dtype=np.float64), _FORBIDDEN)
        scores = (np.zeros(len(matrix)), matrix, np.zeros(len(matrix)))
    if (shape := scores[1].shape) != (n_tags, n_tags):
        raise ValueError(f"{n_tags} emission columns need transitions of shape ({n_tags}, {n_tags}), got {shape}")
    return scores
