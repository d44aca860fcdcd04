from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.tagging import SBME, tags_to_words, words_to_tags


def spelled(tags):
    return "".join(SBME.tags[t] for t in tags)


def test_words_become_one_tag_per_character():
    assert spelled(words_to_tags(["关注", "微信号", "。", "五角大楼"])) == "bebmesbmme"


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_words_survive_the_round_trip(words):
    assert tags_to_words("".join(words), words_to_tags(words)) == words


@given(st.lists(st.text(min_size=1, max_size=6), max_size=8))
def test_tags_of_words_are_legal(words):
    assert SBME.is_legal(words_to_tags(words))


def test_legal_sequences_are_exactly_those_of_some_segmentation():
    """Of all 4**n strings of n tags, 2**(n-1) are legal: one per way to cut n characters."""
    for n in range(1, 6):
        assert sum(SBME.is_legal(tags) for tags in product(range(4), repeat=n)) == 2 ** (n - 1)


@given(st.text(max_size=8), st.data())
def test_any_tags_keep_the_text(text, data):
    tags = data.draw(st.lists(st.integers(0, 3), min_size=len(text), max_size=len(text)))
    assert "".join(tags_to_words(text, tags)) == text


def test_empty_word_is_refused():
    with pytest.raises(ValueError, match="word 1 is empty"):
        words_to_tags(["a", ""])


def test_one_tag_per_character_is_demanded():
    with pytest.raises(ValueError, match="2 characters but 3 tags"):
        tags_to_words("ab", np.zeros(3, dtype=int))
