from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.tagging import (
    POLARITY,
    POLARITY_BEGIN,
    SBME,
    entities_to_tags,
    tags_to_entities,
    tags_to_words,
    words_to_tags,
)


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8), st.data())
def test_words_survive_the_round_trip_by_legal_tags(words, data):
    text, tags = "".join(words), words_to_tags(words)
    assert SBME.is_legal(tags)
    assert tags_to_words(text, tags) == words
    tags = data.draw(st.lists(st.integers(0, 3), min_size=len(text), max_size=len(text)))
    assert "".join(tags_to_words(text, tags)) == text


def test_legal_sequences_are_exactly_those_of_some_segmentation():
    for n in range(1, 6):  # there are 2 ** (n - 1) ways to cut n characters
        assert sum(SBME.is_legal(tags) for tags in product(range(4), repeat=n)) == 2 ** (n - 1)


def test_empty_word_and_another_number_of_tags_are_refused():
    with pytest.raises(ValueError, match="word 1 is empty"):
        words_to_tags(["a", ""])
    with pytest.raises(ValueError, match="2 characters but 3 tags"):
        tags_to_words("ab", np.zeros(3, dtype=int))


@st.composite
def texts_with_entities(draw):
    parts = st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["pos", "neu", "neg"]))
    entities, place = [], 0
    for gap, size, polarity in draw(st.lists(parts, max_size=5)):
        entities.append((place + gap, place + gap + size, polarity))
        place += gap + size
    return place + draw(st.integers(0, 2)), entities


@given(texts_with_entities())
def test_entities_survive_the_round_trip_with_begin_tags(case):
    length, entities = case
    tags = entities_to_tags(length, entities, POLARITY_BEGIN)
    assert POLARITY_BEGIN.is_legal(tags)
    assert tags_to_entities(tags, POLARITY_BEGIN) == entities


@given(texts_with_entities())
def test_without_begin_tags_neighbours_of_one_polarity_merge(case):
    length, entities = case
    merged = []
    for start, end, polarity in entities:
        if merged and merged[-1][1] == start and merged[-1][2] == polarity:
            merged[-1] = (merged[-1][0], end, polarity)
        else:
            merged.append((start, end, polarity))
    assert tags_to_entities(entities_to_tags(length, entities)) == merged


def test_transitions_are_the_article_s_and_begin_tags_keep_polarities():
    allowed = {f"{i}{j}" for i, j in product(range(4), repeat=2) if POLARITY.transitions[i, j]}
    assert allowed == {"00", "01", "02", "03", "10", "11", "20", "22", "30", "33"}
    legal = {(1, 4), (4, 4), (0, 1), (4, 1), (4, 2), (1, 1), (4, 0)}
    illegal = {(0, 4), (1, 5), (4, 5), (5, 4), (2, 4)}
    assert all(POLARITY_BEGIN.transitions[pair] for pair in legal)
    assert not any(POLARITY_BEGIN.transitions[pair] for pair in illegal)
    assert POLARITY_BEGIN.start.tolist() == [True] * 4 + [False] * 3


def test_entities_that_make_no_sense_and_numbers_that_are_no_tags_are_refused():
    of_one = [[(0, 0, "pos")], [(-1, 2, "pos")], [(3, 6, "pos")], [(0, 2, "good")]]
    for entities in (*of_one, [(0, 2, "pos"), (1, 3, "neg")]):
        with pytest.raises(ValueError, match="entity"):
            entities_to_tags(5, entities)
    for tag, message in ((-1, "-1 is not one of the 4 tags.*its length only"), (4, "4 is not one")):
        with pytest.raises(ValueError, match=message):
            tags_to_entities([0, 1, 1, tag, tag])
