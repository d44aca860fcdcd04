"""Counts of n-grams, which a language model must beat, and the windows from which a network learns."""

import itertools

import numpy as np
import pytest

from kexue_nlp.ngrams import WindowBatches, ngram_perplexity

TEXTS = [np.array([2, 3, 4, 5])]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ngram_probabilities_of_all_next_tokens_add_up_to_one(order):
    rng = np.random.default_rng(0)
    train = [rng.integers(1, 6, 40) for _ in range(3)]
    for context in itertools.product(range(1, 6), repeat=order - 1):
        # One text per token that may follow; of the tokens before it, subtract what they cost alone.
        texts = [np.array([*context, token]) for token in range(6)]
        before = len(context) and -np.log(ngram_perplexity(train, [np.array(context)], 6, order)) * len(context)
        p = [np.exp(-np.log(ngram_perplexity(train, [t], 6, order)) * len(t) - before) for t in texts]
        assert sum(p) == pytest.approx(1)
    # Without discount and context it is the share of each token.
    texts = [np.array([1, 1, 1, 2])]
    expected = np.exp(-(3 * np.log(3 / 4) + np.log(1 / 4)) / 4)
    assert ngram_perplexity(texts, texts, 3, order=1, discount=0.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("held_out", "options", "message"),
    [
        (TEXTS, {"order": 0}, "got 0"),
        (TEXTS, {"discount": 1.5}, "got 3, 1.5"),
        (TEXTS, {"order": 40}, r"2\*\*63"),
        ([np.array([2, 6])], {}, "ids must be from 0 to 5"),
        ([np.array([-1, 2])], {}, "ids must be from 0 to 5"),
        ([], {}, "none of 0 sequences"),
    ],
    ids=["no order", "discount", "keys", "large id", "negative id", "no text"],
)
def test_what_cannot_be_counted_is_refused(held_out, options, message):
    with pytest.raises(ValueError, match=message):
        ngram_perplexity(TEXTS, held_out, 6, **options)


def test_batches_hold_every_window_once_in_a_new_order_each_epoch():
    batches = WindowBatches([np.arange(1, 8), np.arange(8, 12)], n=3, batch_size=4, seed=1)
    assert len(batches) == 3
    first = np.concatenate([np.column_stack(batches[i]) for i in range(3)])
    batches.on_epoch_end()
    second = np.concatenate([np.column_stack(batches[i]) for i in range(3)])
    assert sorted(first.tolist()) == sorted(second.tolist())
    assert first.tolist() != second.tolist()
    assert first.dtype == np.int32
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        WindowBatches(TEXTS, n=2, batch_size=0)
