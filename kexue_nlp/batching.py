"""Texts of any length in rows of few lengths: what networks are trained and run on.

A network wants rectangles, texts are ragged, and a compiler (JAX's, TensorFlow's) builds the network anew for each new
shape. Here are four ways to make few shapes and little padding. Everywhere 0 is padding.
"""

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["batches_by_length", "overlapping_windows", "pack", "pad"]


def pad(sequences: Sequence[np.ndarray], length: int, n_rows: int | None = None) -> np.ndarray:
    """Lay sequences one below the other, with zeros behind each and, if there are too few, below them.

    At least one sequence, none longer than `length`, all of one dtype and of shape (T_i, ...), give an array of shape
    (n_rows, length, ...); by default there are as many rows as sequences.
    """
    rows = np.zeros((n_rows or len(sequences), length, *sequences[0].shape[1:]), sequences[0].dtype)
    for row, sequence in zip(rows, sequences, strict=False):
        row[: len(sequence)] = sequence
    return rows


def batches_by_length(
    lengths: Sequence[int], limits: Sequence[int], max_tokens: int, rng: "np.random.Generator | None" = None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Put sequences of like length together in batches of `max_tokens`, padding included, or of a single row.

    No length is above the last of the limits, the lengths to pad to, ascending. A generator shuffles the sequences of
    each limit.

    Yields
    ------
    limit, n_rows, members : int, int, ndarray of int
        The length and the number of rows to pad to, always the same for one limit, and which sequences, at most
        `n_rows`.

    Examples
    --------
    >>> [(*sizes, members.tolist()) for *sizes, members in batches_by_length([3, 9, 2, 4], (4, 16), max_tokens=8)]
    [(4, 2, [0, 2]), (4, 2, [3]), (16, 1, [1])]
    """
    places = np.searchsorted(limits, lengths)
    for place in dict.fromkeys(places.tolist()):
        limit = limits[place]
        n_rows = max(1, max_tokens // limit)
        members = np.flatnonzero(places == place)
        members = members if rng is None else rng.permutation(members)
        for start in range(0, len(members), n_rows):
            yield limit, n_rows, members[start : start + n_rows]


def overlapping_windows(
    stream: np.ndarray, context: int, shapes: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a stream (T, ...) into overlapping windows, so that every position has its context, to each side, in one.

    Of the shapes (rows, width) of batches, smallest first, it takes the first that holds the whole stream, or the last.

    Yields
    ------
    start, batch : int, ndarray of shape (rows, width, ...)
        ``batch[:, context : width - context]``, row after row, are the stream from `start` on, zeros behind its end.
    """
    fitting = (shape for shape in shapes if len(stream) <= shape[0] * (shape[1] - 2 * context))
    rows, width = next(fitting, shapes[-1])
    step = width - 2 * context
    n_batches = max(1, -(-len(stream) // (rows * step)))
    # With zeros around it, the stream is a whole number of steps and the context of both its ends.
    padded = np.zeros((n_batches * rows * step + 2 * context, *stream.shape[1:]), stream.dtype)
    padded[context : context + len(stream)] = stream
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)[::step]
    windows = np.moveaxis(windows, -1, 1)
    for row in range(0, len(windows), rows):
        yield row * step, np.ascontiguousarray(windows[row : row + rows])


def pack(sequences: Sequence[np.ndarray], row_length: int, gap: int = 1) -> np.ndarray:
    """Lay sequences one after another into rows, shape (rows, row_length, ...), with padding between neighbours.

    Padding each sentence to the longest wastes most of the work, and batches of equal length (the article's way) come
    in hundreds of shapes. When padded positions are zeroed before every convolution, a gap as wide as half the kernel
    keeps neighbours from seeing each other.

    Sequences, ndarrays of shape (T_i, ...), keep their order; empty ones vanish, and those longer than a row are cut.
    No sequences, or rows of no length, raise ValueError.

    Examples
    --------
    >>> pack([np.array([5, 6]), np.array([7]), np.array([8, 9])], row_length=4)
    array([[5, 6, 0, 7],
           [8, 9, 0, 0]])
    """
    if row_length < 1:
        raise ValueError(f"row_length must be at least 1, got {row_length}")
    if not len(sequences):
        raise ValueError("no sequences to pack")
    rows: list[list[np.ndarray]] = [[]]
    used = 0
    between = np.zeros((gap, *sequences[0].shape[1:]), sequences[0].dtype)
    for sequence in sequences:
        for start in range(0, len(sequence), row_length):
            piece = sequence[start : start + row_length]
            if used + len(piece) > row_length:  # the next row
                rows.append([])
                used = 0
            rows[-1] += [piece, between]
            used += len(piece) + gap
    return pad([np.concatenate([*row, between])[:row_length] for row in rows], row_length)
