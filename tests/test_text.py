import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.datasets import load_segmentation
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.text import (
    PAD,
    UNKNOWN,
    Vocabulary,
    fixed_spans,
    fold,
    ngram_windows,
    normalise,
    simplify,
    split_sentences,
    split_words,
)

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included


@given(any_text)
def test_length_is_kept(text):
    assert len(normalise(text)) == len(simplify(text)) == len(fold(text)) == len(text)
    assert fold(text.translate(WIDE)) == fold(fold(text)) == fold(text)


WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
FIXED = """a.b+c@example.com https://example.com/a?b=1 http://www.a-b.com.cn/x/y_z.html#t=1&u=%E4%BD www.example.com/~b/
1,280 12,345,678.90 1,280万 10:30 23:59:59.5 3:1 5∶4 3.5% 100% 0.05‰ 4·5% 1.5亿 3.14 1/2 2016-12-01 2016/12/01 2016.2.1
010-62781234 +86-10-1234 192.168.0.1 127.0.0.1:8080 v1.2.3 V1.0 10：30 1，280 ３.５％"""
NOT_FIXED = "1998年 5万人 PM2.5 3-5年 1. http:// a@b 1,28 1,2800 1,2,3"
AROUND = [*zip("（(“[<，、：共看 。", "）)”]>，、：元？ .", strict=True), ("x=", ";"), ("在6，", "！")]


def test_addresses_and_numbers_are_one_word_in_any_surroundings_unless_switched_off():
    segmenter, without = Segmenter.load(), Segmenter.load(keep_whole=False)
    for word in ("https://a.org/wiki/A_(b)", *FIXED.split(), *FIXED.translate(WIDE).split()):
        texts = [before + word + after for before, after in AROUND]
        assert [words for words in segmenter(texts) if word not in words] == []
        assert segmenter([word, word[:-1], word[-1:]])[0] == [word]
    assert [fixed_spans(text)[0].size for text in NOT_FIXED.split()] == [0] * 10
    assert "1，280" not in without("价格1，280元")


@pytest.mark.parametrize("piece", ["1", "1.", "1,111", "1:", "a", "a.", "a@b.", "a://", "(a", "-", "+1", "１．"])
def test_no_text_makes_the_search_for_spans_slow(piece):
    start = time.process_time()
    fixed_spans("http://" + piece * 50_000)
    assert time.process_time() - start < 5  # minutes, if each place looked at all that follows


def test_traditional_text_is_cut_as_simplified_text_which_stays_as_it_is():
    words = Segmenter.load()("十條推薦東京必去路線")
    assert words == ["十", "條", "推薦", "東京", "必", "去", "路線"]
    assert [simplify(word) for word in words] == Segmenter.load()("十条推荐东京必去路线")
    text = "".join("".join(words) for words in load_segmentation().heldout)
    assert simplify(text) == text
    assert Segmenter.load()("他說：「台中」正確") == ["他", "說", "：", "「", "台中", "」", "正確"]
    everything = simplify("".join(map(chr, range(0x10000))))
    assert simplify(everything) == everything


def test_width_and_white_space_are_normalised_and_chinese_numerals_left_alone():
    assert normalise("１９９８年ＷＴＯ（％）") == normalise("1998年WTO(%)") == "0000年aaa(%)"
    spaces = "".join(chr(c) for c in range(0x110000) if chr(c).isspace())
    assert "\u3000" in spaces
    assert normalise(spaces) == " " * len(spaces)
    assert normalise("二○○一年，“一二三”。") == "二○○一年,“一二三”。"


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
    with pytest.raises(ValueError, match="'a' occurs more than once"):
        Vocabulary("aba")


def test_fitting_puts_frequent_tokens_first_and_leaves_rare_ones_out():
    assert Vocabulary.fit(["abbccc"], max_size=2).tokens == ("c", "b")
    assert Vocabulary.fit(["aab", "ac"], min_count=2).tokens == ("a",)


def test_words_are_cut_as_keras_s_tokenizer_cuts_them_and_at_every_kind_of_space():
    from keras.src.legacy.preprocessing.text import text_to_word_sequence

    text = 'It\'s 10/10!<br /><br />Well-made (mostly)... "Bravo", said_she: Ünder\tUS$5 @home\n'
    assert split_words(text) == text_to_word_sequence(text)
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


def test_windows_of_nothing_are_refused():
    for sequences, n, message in (
        ([np.array([1])], 0, "n must be at least 1"),
        ([], 3, "none of 0 sequences"),
        ([np.array([], int)], 3, "none of 1 sequences"),
        ([np.array([3, -1])], 3, "there is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            ngram_windows(sequences, n)
