import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.batching import batches_by_length, overlapping_windows, pack, pad

sequences = st.lists(st.integers(0, 30).map(lambda n: np.arange(1, n + 1)), min_size=1)


def test_padding_keeps_trailing_shape_and_dtype_and_adds_empty_rows():
    padded = pad([np.ones((2, 3), np.int8), np.ones((1, 3), np.int8)], length=4, n_rows=3)
    assert (padded.shape, padded.dtype) == ((3, 4, 3), np.int8)
    assert padded[..., 0].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 100), st.none() | st.integers(0, 5))
def test_each_sequence_is_in_one_batch_of_the_smallest_limit_that_holds_it(lengths, max_tokens, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    seen, rows_of = [], {}
    for limit, n_rows, members in batches_by_length(lengths, (4, 16, 40), max_tokens, rng):
        assert len(members) <= n_rows
        assert n_rows == 1 or n_rows * limit <= max_tokens
        assert rows_of.setdefault(limit, n_rows) == n_rows
        assert all(limit == min(bound for bound in (4, 16, 40) if lengths[i] <= bound) for i in members)
        seen += members.tolist()
    assert sorted(seen) == list(range(len(lengths)))


def test_sequences_of_one_length_keep_their_order_or_are_shuffled():
    (_, _, kept), *_ = batches_by_length([3] * 50, (4,), 200)
    (_, _, shuffled), *_ = batches_by_length([3] * 50, (4,), 200, np.random.default_rng(0))
    assert kept.tolist() == sorted(shuffled.tolist()) != shuffled.tolist()


@given(st.integers(0, 60), st.integers(0, 3))
def test_windows_hold_the_stream_once_and_the_context_of_each_position(length, context):
    stream = np.arange(1, length + 1)
    around = np.pad(stream, context)
    own = []
    for start, batch in overlapping_windows(stream, context, [(1, 8), (2, 12)]):
        assert start == len(own)
        for row in batch:
            for place in range(context, batch.shape[1] - context):
                own.append(row[place])
                if len(own) <= length:
                    seen = row[place - context : place + context + 1]
                    assert seen.tolist() == around[len(own) - 1 : len(own) + 2 * context].tolist()
    assert own[:length] == stream.tolist()
    assert not any(own[length:])


def test_the_smallest_shape_that_holds_the_stream_is_taken():
    for length, shape in ((0, (1, 8)), (6, (1, 8)), (7, (2, 12)), (500, (2, 12))):
        windows = overlapping_windows(np.ones((length, 4)), 1, [(1, 8), (2, 12)])
        assert {batch.shape for _, batch in windows} == {(*shape, 4)}
    stream = np.ones(1_000_000, np.int32)
    tracemalloc.start()
    for _ in overlapping_windows(stream, 400, [(8, 1024)]):  # each position is in four or five windows
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * stream.nbytes


@given(sequences, st.integers(1, 12), st.integers(0, 2))
def test_every_sequence_is_packed_exactly_once(sequences, row_length, gap):
    packed = pack(sequences, row_length, gap)
    assert packed.shape[1] == row_length
    assert packed[packed != 0].tolist() == np.concatenate(sequences).tolist()
    of_features = pack([np.stack([sequence, -sequence], axis=1) for sequence in sequences], row_length, gap)
    assert of_features.tolist() == np.stack([packed, -packed], axis=2).tolist()


@given(st.lists(st.integers(1, 6).map(lambda n: np.full(n, n)), min_size=1), st.integers(6, 12))
def test_neighbours_in_a_row_are_separated(sequences, row_length):
    for row in pack(sequences, row_length):
        runs = "".join(map(str, row)).split("0")
        assert all(run == "" or len(run) == int(run[0]) for run in runs)


def test_packing_nothing_or_into_nothing_is_refused():
    for sequences, row_length, message in (([], 4, "no sequences"), ([np.ones(2)], 0, "row_length")):
        with pytest.raises(ValueError, match=message):
            pack(sequences, row_length)
