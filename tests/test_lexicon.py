import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.lexicon import Lexicon, forward_maximum_matching, leftmost_longest
from kexue_nlp.tagging import SBME, tags_to_words
from kexue_nlp.viterbi import viterbi

S, B, M, E = range(4)

# What a network that has never seen 微信号 might say of 关注微信号。: 微 alone, 信号 a word.
SENTENCE = "关注微信号。"
PROBABILITIES = np.full((6, 4), 0.01)
PROBABILITIES[[0, 1, 5], [B, E, S]] = 0.97
PROBABILITIES[2:5] = [0.70, 0.27, 0.02, 0.01], [0.03, 0.70, 0.25, 0.02], [0.05, 0.01, 0.01, 0.93]


def segment(bonuses):
    return tags_to_words(SENTENCE, viterbi(np.log(PROBABILITIES) + bonuses, SBME))


def test_dictionary_word_is_kept_whole():
    assert segment(0) == ["关注", "微", "信号", "。"]
    assert segment(Lexicon({"微信号": 10}).bonuses(SENTENCE)) == ["关注", "微信号", "。"]


def test_bonus_on_s_as_the_article_prints_it_does_not_keep_the_word_whole():
    bonuses = np.zeros((6, 4))
    for position, tag in zip((2, 3, 4), (S, M, E), strict=True):
        bonuses[position, tag] = math.log(10)
    assert segment(bonuses) == ["关注", "微", "信号", "。"]


def test_multiplier_below_one_splits_a_word():
    assert segment(Lexicon({"信号": 0.001}).bonuses(SENTENCE)) == ["关注", "微", "信", "号", "。"]


@pytest.mark.parametrize("word", ["C++", "(笑)", "a.c", "[b", "\\d", "^$", "😀", "a,b", "\0"])
def test_words_are_literal_text(word):
    assert Lexicon({word: 2.0}).matches(f"x{word}y abc") == [(1, 1 + len(word), 2.0)]


small_words = st.text("ab哈", min_size=1, max_size=3)


@given(st.dictionaries(small_words, st.floats(0.01, 100), max_size=8), st.text("ab哈x", max_size=30))
def test_matches_equal_naive_search(words, text):
    naive = [
        (start, start + len(word), multiplier)
        for word, multiplier in words.items()
        for start in range(len(text))
        if text.startswith(word, start)
    ]
    assert sorted(Lexicon(words).matches(text)) == sorted(naive)


@given(st.dictionaries(small_words, st.floats(0.01, 100), max_size=8), st.text("ab哈x", max_size=30))
def test_bonuses_equal_a_loop_over_matches(words, text):
    expected = np.zeros((len(text), 4))
    for start, end, multiplier in Lexicon(words).matches(text):
        tags = [S] if end - start == 1 else [B, *[M] * (end - start - 2), E]
        for position, tag in zip(range(start, end), tags, strict=True):
            expected[position, tag] += math.log(multiplier)
    np.testing.assert_allclose(Lexicon(words).bonuses(text), expected, atol=1e-5)


@pytest.mark.parametrize("multiplier", [0, -1, math.nan, math.inf, "ten", None, b"10"])
def test_bad_multiplier_is_refused(multiplier):
    with pytest.raises(ValueError, match="multiplier of '微信号'"):
        Lexicon({"微信号": multiplier})


@pytest.mark.parametrize(
    ("words", "error"), [({"": 2}, ValueError), ({3: 2}, TypeError), (["a"], TypeError), (None, TypeError)]
)
def test_what_is_no_dictionary_is_refused(words, error):
    with pytest.raises(error):
        Lexicon(words)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_file_with_blank_lines_and_commas_in_words_is_read(tmp_path, encoding):
    path = tmp_path / "words.txt"
    path.write_bytes("微信号,10\r\n\n a,b , 0.5\n".encode(encoding))
    assert dict(Lexicon.read(path).items()) == {"微信号": 10.0, "a,b": 0.5}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("微信号", "expected 'word,multiplier'"),
        ("微信号 10", "expected 'word,multiplier'"),
        (",10", "at least one character"),
        ("微信号,", "must be a number"),
        ("微信号,ten", "must be a number"),
        ("微信号,0", "above 0"),
        ("微信号,-3", "above 0"),
        ("微信号,nan", "above 0"),
        ("好,2", "already in the lexicon"),
    ],
)
def test_malformed_line_is_named(tmp_path, line, problem):
    path = tmp_path / "words.txt"
    path.write_text(f"好,1\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"line 3: .*{problem}"):
        Lexicon.read(path)


@pytest.mark.parametrize("words", [{}, {"好": 2}])
@pytest.mark.parametrize("text", [None, b"a", 3])
def test_what_is_no_text_is_refused(words, text):
    with pytest.raises(TypeError, match="matched against a str, got"):
        Lexicon(words).matches(text)


@pytest.mark.parametrize("text", ["", "\ud800", "\0", " ", "🇨🇳👩\u200d🚀", "שלום", "好" * 100_000])
def test_any_text_is_searched(text):
    assert Lexicon({"微信": 2, "\ud800": 3}).bonuses(text).shape == (len(text), 4)


def test_lexicon_can_be_pickled():
    lexicon = pickle.loads(pickle.dumps(Lexicon({"微信号": 10})))
    assert lexicon.matches("微信号") == [(0, 3, 10.0)]


def test_without_words_every_character_stands_alone():
    assert forward_maximum_matching("好的", set()) == ["好", "的"]
    assert forward_maximum_matching("", {"好"}) == []
    assert forward_maximum_matching(["好的", ""], {"好的"}) == [["好的"], []]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=8))
def test_leftmost_longest_spans_do_not_overlap_and_nothing_is_left_that_would_fit(spans):
    starts = np.array([start for start, _ in spans], dtype=int)
    ends = starts + np.array([size for _, size in spans], dtype=int)
    chosen = leftmost_longest(starts, ends)
    taken = [set(range(starts[i], ends[i])) for i in chosen]
    assert sum(map(len, taken)) == len(set().union(*taken))
    for start, end in zip(starts, ends, strict=True):
        assert set(range(start, end)) & set().union(*taken)
    for i in chosen:
        assert ends[i] == max(ends[starts == starts[i]])
