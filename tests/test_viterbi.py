from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kexue_nlp.tagging import SBME
from kexue_nlp.viterbi import forward, n_best, viterbi

scores = st.floats(-20, 20, width=32)


def emissions(min_length=1, max_length=6):
    return st.integers(min_length, max_length).flatmap(lambda n: arrays(np.float32, (n, 4), elements=scores))


def best_by_brute_force(log_emissions, transitions, legal=lambda path: True):
    def score(path):
        steps = sum(transitions[a, b] for a, b in pairwise(path))
        return sum(float(row[tag]) for row, tag in zip(log_emissions, path, strict=True)) + steps

    paths = product(range(log_emissions.shape[1]), repeat=len(log_emissions))
    return max(score(path) for path in paths if legal(path)), score


@given(emissions())
def test_scheme_path_is_as_good_as_the_best_of_all_legal_paths(log_emissions):
    best, score = best_by_brute_force(log_emissions, np.zeros((4, 4)), SBME.is_legal)
    tags = viterbi(log_emissions, SBME)
    assert SBME.is_legal(tags)
    assert score(tags) == pytest.approx(best, abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(emissions(max_length=5), st.integers(1, 40))
def test_n_best_paths_and_their_sum_are_those_of_all_legal_paths(log_emissions, n):
    _, score = best_by_brute_force(log_emissions, np.zeros((4, 4)))
    legal = [path for path in product(range(4), repeat=len(log_emissions)) if SBME.is_legal(path)]
    paths, found = n_best(log_emissions, SBME, n)
    np.testing.assert_allclose(found, sorted(map(score, legal), reverse=True)[:n], atol=1e-3)
    np.testing.assert_allclose([score(path) for path in paths], found, atol=1e-3)
    assert len(set(map(tuple, paths.tolist()))) == len(paths)
    assert all(map(SBME.is_legal, paths))
    total = np.logaddexp.reduce(forward(log_emissions, SBME)[-1, SBME.end])
    assert total == pytest.approx(np.logaddexp.reduce([score(path) for path in legal]), abs=1e-3)


@given(emissions(), arrays(np.float64, (4, 4), elements=scores))
def test_matrix_path_is_as_good_as_the_best_of_all_paths(log_emissions, transitions):
    best, score = best_by_brute_force(log_emissions, transitions)
    assert score(viterbi(log_emissions, transitions)) == pytest.approx(best, abs=1e-4)


@given(st.lists(emissions(), min_size=1, max_size=5))
def test_a_sentence_gets_the_same_tags_alone_and_in_a_padded_batch(sentences):
    longest = max(map(len, sentences))
    batch = np.stack([np.pad(s, ((0, longest - len(s)), (0, 0)), constant_values=9.0) for s in sentences])
    tags = viterbi(batch, SBME, lengths=[len(s) for s in sentences])
    for sentence, row in zip(sentences, tags, strict=True):
        assert row[: len(sentence)].tolist() == viterbi(sentence, SBME).tolist()
        assert (row[len(sentence) :] == -1).all()


def test_first_and_last_tag_are_constrained_and_one_character_is_always_a_word():
    # Without the constraint the best path of these emissions begins with m and ends with b.
    log_emissions = np.log([[0.1, 0.1, 0.7, 0.1], [0.1, 0.1, 0.1, 0.7], [0.1, 0.7, 0.1, 0.1]])
    unconstrained = viterbi(log_emissions, np.where(SBME.transitions, 0.0, -np.inf))
    assert unconstrained.tolist() == [2, 3, 1]
    assert viterbi(log_emissions, SBME).tolist() == [1, 3, 0]
    assert viterbi(np.log([[0.01, 0.33, 0.33, 0.33]]), SBME).tolist() == [0]


def test_impossible_and_no_emissions_still_give_a_legal_path():
    assert SBME.is_legal(viterbi(np.full((5, 4), -np.inf), SBME))
    only_illegal = np.full((3, 4), -np.inf)
    only_illegal[:, 2] = 0  # m m m
    assert SBME.is_legal(viterbi(only_illegal, SBME))
    assert viterbi(np.zeros((0, 4)), SBME).shape == (0,)
    assert viterbi(np.zeros((0, 5, 4)), SBME).shape == (0, 5)


@pytest.mark.parametrize(
    ("log_emissions", "transitions", "lengths", "message"),
    [
        (np.zeros(4), SBME, None, "shape"),
        (np.full((2, 4), np.nan), SBME, None, "NaN"),
        (np.full((2, 4), np.inf), SBME, None, "inf"),
        (np.zeros((2, 3)), SBME, None, "3 emission columns"),
        (np.zeros((2, 4)), SBME, [2], "batch"),
        (np.zeros((2, 5, 4)), SBME, [5], "2 integers"),
        (np.zeros((1, 5, 4)), SBME, [6], r"\[0, 5\]"),
    ],
)
def test_misfit_is_named(log_emissions, transitions, lengths, message):
    with pytest.raises(ValueError, match=message):
        viterbi(log_emissions, transitions, lengths)
    with pytest.raises(ValueError, match="integer of at least 1, got 0"):
        n_best(np.zeros((1, 4)), SBME, 0)
