import tracemalloc
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.text import PAD, UNKNOWN, Vocabulary, ngram_windows, normalise, split_sentences, split_words

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included


@given(any_text)
def test_normalising_keeps_the_length(text):
    assert len(normalise(text)) == len(text)


def test_full_and_half_width_look_the_same():
    assert normalise("１９９８年ＷＴＯ（％）") == normalise("1998年WTO(%)") == "0000年aaa(%)"


def test_every_kind_of_white_space_becomes_a_space():
    spaces = "".join(chr(c) for c in range(0x110000) if chr(c).isspace())
    assert "\u3000" in spaces
    assert normalise(spaces) == " " * len(spaces)


def test_chinese_numerals_and_punctuation_are_left_alone():
    text = "二○○一年，“一二三”。"
    assert normalise(text) == unicodedata.normalize("NFC", text).replace("，", ",")


@given(st.lists(st.text("好。！;\n", min_size=1)))
def test_sentences_end_after_their_punctuation(words):
    sentences = split_sentences(words)
    assert [word for sentence in sentences for word in sentence] == words
    ends = [[word[-1] in "。！;" for word in sentence] for sentence in sentences]
    assert not any(any(before) for *before, _ in ends)
    assert all(last for *_, last in ends[:-1])


def test_ids_start_after_padding_and_unknown_and_looking_up_adds_nothing():
    vocabulary = Vocabulary("我们")
    assert (PAD, UNKNOWN) == (0, 1)
    assert vocabulary.encode("我他们他").tolist() == [2, 1, 3, 1]
    assert (len(vocabulary), "他" in vocabulary) == (4, False)
    assert vocabulary.encode("").dtype == np.int32


def test_fitting_puts_frequent_tokens_first_and_leaves_rare_ones_out():
    assert Vocabulary.fit(["abbccc"], max_size=2).tokens == ("c", "b")
    assert Vocabulary.fit(["aab", "ac"], min_count=2).tokens == ("a",)


def test_repeated_token_is_refused():
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        Vocabulary("aba")


def test_words_are_cut_as_keras_s_tokenizer_cuts_them():
    from keras.src.legacy.preprocessing.text import text_to_word_sequence

    text = 'It\'s 10/10!<br /><br />Well-made (mostly)... "Bravo", said_she: Ünder\tUS$5 @home\n'
    assert split_words(text) == text_to_word_sequence(text)


def test_words_are_cut_at_every_kind_of_space():
    assert split_words("a\u00a0b\u0085c\r\nd") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("n", [1, 3, 10])
def test_windows_equal_their_definition(n):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 1000, length) for length in (5, 0, 1, 23, 2)]
    windows, rows = ngram_windows(sequences, n)
    padded = [[0] * n + sequence.tolist() for sequence in sequences]
    assert windows[rows].tolist() == [one[i : i + n + 1] for one in padded for i in range(len(one) - n)]


def test_windows_are_views_and_little_memory_is_taken():
    sequences = [np.full(1000, 9999, np.int32) for _ in range(1000)]
    tracemalloc.start()
    windows, rows = ngram_windows(sequences, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows.base is not None
    assert np.shares_memory(windows[0], windows[1])
    assert (windows.dtype, rows.dtype) == (np.uint16, np.int32)
    assert peak < 6.5 * 1_000_000  # bytes: 2 a token, 4 a row; nested lists take a hundred times as many


@pytest.mark.parametrize(
    ("sequences", "n", "message"),
    [
        ([np.array([1])], 0, "n must be at least 1"),
        ([], 3, "none of 0 sequences"),
        ([np.array([], int)], 3, "none of 1 sequences"),
        ([np.array([3, -1])], 3, "there is -1"),
    ],
)
def test_windows_of_nothing_are_refused(sequences, n, message):
    with pytest.raises(ValueError, match=message):
        ngram_windows(sequences, n)
