import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.features import N_PATTERNS, Features
from kexue_nlp.text import Vocabulary, normalise

CHARACTERS = Vocabulary("微信号中华人民0a")


def known(text, *words):
    return Features(CHARACTERS, Vocabulary([]), words)(text)[:, 3].tolist()


def test_white_space_is_padding_and_pairs_stop_at_it():
    features = Features(CHARACTERS, Vocabulary(["微信", "信 ", " 号"]))("微信 号")
    assert features[:, :3].tolist() == [[2, 0, 2], [3, 2, 0], [0, 0, 0], [4, 0, 0]]
    assert Features(CHARACTERS)("微\u3000Ｂ９x").tolist() == [2, 0, 10, 9, 10]


def test_known_words_are_marked_by_length_and_place():
    assert known("微信号", "微信", "信号", "微信号") == [1 + 2, 8 + 1 + 64, 8 + 16]
    assert known("中华人民", "中华人民") == [4, 128, 128, 32]
    assert known("微 信", "微信") == [0, 0, 0]


WORDS = st.lists(st.text("微信号0", min_size=2, max_size=6), max_size=12, unique=True)


@given(st.text("微信号0 a", max_size=250), WORDS, st.booleans())
def test_known_words_are_those_that_occur(text, words, long):
    text = text + "微信号" * 80 if long else text  # many places are looked up in another way than few
    expected = [0] * len(text)
    for word in words:
        kind = min(len(word), 4) - 2
        for start in range(len(text) - len(word) + 1):
            if text[start : start + len(word)] == word:
                expected[start] |= 1 << kind
                expected[start + len(word) - 1] |= 8 << kind
                for inner in range(start + 1, start + len(word) - 1):
                    expected[inner] |= 32 << kind
    assert known(text, *words) == expected


@given(st.text("微信号0 a", max_size=10), st.text("微信号0 a", max_size=10))
def test_texts_with_white_space_between_are_encoded_as_alone(left, right):
    features = Features(CHARACTERS, Vocabulary(["微信", "信号", "0a"]), ["微信号"])
    together = features(f"{left} {right}")
    np.testing.assert_array_equal(together[: len(left)], features(left))
    np.testing.assert_array_equal(together[len(left) + 1 :], features(right))


def test_fitting_keeps_what_occurs_often_enough():
    features = Features.fit([["微信号", "好"], ["微信号", "1998年"], ["1998年", "好处"]], min_pairs=2, min_words=2)
    assert set(features.characters.tokens) == set("微信号好0年")
    assert set(features.pairs.tokens) == {"微信", "信号", "00", "0年"}
    assert features.words == ("微信号",)


def test_bad_known_words_are_refused():
    for pairs, word, message in (
        (None, "微信", "together with pairs"),
        (Vocabulary([]), "微", "at least two characters.*got '微'"),
        (Vocabulary([]), "微\n信", "no line break, got '微.n信'"),
    ):
        with pytest.raises(ValueError, match=message):
            Features(CHARACTERS, pairs, [word])


@given(st.text(st.one_of(st.sampled_from("微信号中华ab19 "), st.characters(exclude_categories=())), max_size=12))
def test_ids_are_those_of_the_vocabularies(text):
    pairs = Vocabulary(["微信", "信号", "中华", "aa", "0a"])
    features = Features(CHARACTERS, pairs, ["微信"])(text)
    assert features.shape == (len(text), 4)
    assert (features < N_PATTERNS).all()
    normal = normalise(text)
    for position, character in enumerate(normal):
        expected = 0 if character == " " else CHARACTERS.encode(character)[0]
        assert features[position, 0] == expected
        if position:
            pair = normal[position - 1 : position + 1]
            assert features[position, 1] == (0 if " " in pair else pairs.encode([pair])[0])
