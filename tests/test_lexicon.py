import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.lexicon import Lexicon, forward_maximum_matching, leftmost_longest
from kexue_nlp.segmenter import Segmenter
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


def test_dictionary_glues_and_splits_but_not_with_the_bonus_on_s_as_printed():
    assert segment(0) == ["关注", "微", "信号", "。"]
    assert segment(Lexicon({"微信号": 10}).bonuses(SENTENCE)) == ["关注", "微信号", "。"]
    assert segment(Lexicon({"信号": 0.001}).bonuses(SENTENCE)) == ["关注", "微", "信", "号", "。"]
    as_printed = np.zeros((6, 4))
    as_printed[[2, 3, 4], [S, M, E]] = math.log(10)
    assert segment(as_printed) == ["关注", "微", "信号", "。"]


def test_bonuses_of_always_and_never_are_as_documented():
    log_p = np.log(PROBABILITIES)
    words = {"微信号": "always", "号。": math.inf, "关": "never", "注": "always", "关注微信": 0}
    expected = np.zeros((6, 4))
    expected[[2, 3, 4, 4, 5, 1], [B, M, E, B, E, S]] = 1e4
    expected[0, S] = -1e4
    expected[2, [S, B]] += 1e4  # of 注, 微 and 信 the network begins a word most probably with 微
    np.testing.assert_array_equal(Lexicon(words).bonuses(SENTENCE, log_p), expected.astype(np.float32))
    assert Lexicon({"哈" * n: "always" for n in range(2, 22)}).bonuses("哈" * 99).max() == 5e4
    assert Lexicon({"好": "never"}).bonuses("好").tolist() == [[-1e4, 0, 0, 0]]
    assert not Lexicon({"信号": "never"}).bonuses("好").any()
    with pytest.raises(ValueError, match="give log_probabilities"):
        Lexicon({"信号": "never"}).bonuses(SENTENCE)


@pytest.fixture(scope="module")
def pretrained():
    return Segmenter.load()


def test_word_is_always_or_never_whole_whatever_the_network_says(pretrained):
    for word in ("leap motion", "*ST舜船", "-3480.83万元", "V1.0", "好。坏 人！a", "号 ", "目的地"):
        for text in (word, f"我的{word}很好用", f"关注{word}，3.5%", f"a{word}1"):
            pretrained.lexicon = {word: "always"}
            assert word in pretrained([text, word])[0]
            pretrained.lexicon = {word: "never", f"{word[1:]}，": 1e6}
            assert word not in pretrained([text, "，"])[0]


@pytest.mark.parametrize(
    ("lexicon", "text", "words"),
    [
        ({"leap motion": 20}, "leap motion很好用", "leap motion|很|好|用"),  # the network does not see across a space
        ({"leap motion": 0.9}, "leap motion很好用", "leap| |motion|很|好|用"),
        ({"的": "never"}, "我的书", "我|的书"),
        ({"e": "always"}, "e\u0301e", "e\u0301|e"),  # the first is é
        (Lexicon({"V1.0": 20}, fold=True), "发布Ｖ１.０和v1.0", "发布|Ｖ１.０|和|v1.0"),
        (Lexicon({"東京塔": "always"}, fold=True), "去东京塔看東京塔", "去|东京塔|看|東京塔"),
        ({"3.5%": "never"}, "增长3.5%", "增长|3.5|%"),  # the user's words come before those that are kept by rule
        ({"5%左右": "always"}, "增长3.5%左右", "增长|3.|5%左右"),
        ({"3.5%左右": 1e30}, "增长3.5%左右", "增长|3.5%左右"),
        ({"example": 100.0}, "看https://example.com/a?b=1", "看|https://example.com/a?b=1"),
    ],
)
def test_dictionary_in_the_pretrained_segmenter(pretrained, lexicon, text, words):
    pretrained.lexicon = lexicon
    assert pretrained(text) == words.split("|")


def test_options_travel_with_a_segmenter(pretrained, tmp_path):
    lexicon = Lexicon({"V1.0": "always", "信号": "never"}, fold=True)
    segmenter = Segmenter(pretrained.network, pretrained.features, lexicon)
    segmenter.save(tmp_path / "s.npz")
    for again in (Segmenter.load(tmp_path / "s.npz"), pickle.loads(pickle.dumps(segmenter))):
        assert (dict(again.lexicon.items()), again.keep_whole) == ({"V1.0": math.inf, "信号": 0.0}, False)
        assert "ｖ１.０" in again("ｖ１.０信号")


def test_words_are_literal_text_and_need_one_multiplier_when_folded():
    for word in ("C++", "(笑)", "a.c", "[b", "\\d", "^$", "😀", "a,b", "\0"):
        assert Lexicon({word: 2.0}).matches(f"x{word}y abc") == [(1, 1 + len(word), 2.0)]
    assert Lexicon({"AB": 2, "ab": 2}, fold=True).matches("ａＢ") == [(0, 2, 2.0)]
    with pytest.raises(ValueError, match="are the same"):
        Lexicon({"AB": 2, "ab": 3}, fold=True)


small_words = st.text("ab哈", min_size=1, max_size=3)


@given(st.dictionaries(small_words, st.floats(0.01, 100), max_size=8), st.text("ab哈x", max_size=30))
def test_matches_equal_naive_search_and_bonuses_a_loop_over_them(words, text):
    naive = [
        (start, start + len(word), multiplier)
        for word, multiplier in words.items()
        for start in range(len(text))
        if text.startswith(word, start)
    ]
    assert sorted(Lexicon(words).matches(text)) == sorted(naive)
    expected = np.zeros((len(text), 4))
    for start, end, multiplier in naive:
        tags = [S] if end - start == 1 else [B, *[M] * (end - start - 2), E]
        expected[np.arange(start, end), tags] += math.log(multiplier)
    np.testing.assert_allclose(Lexicon(words).bonuses(text), expected, atol=1e-5)


@pytest.mark.parametrize("multiplier", [-1, True, -math.inf, math.nan, "ten", None, b"10", ["always"]])
def test_bad_multiplier_is_refused(multiplier):
    with pytest.raises(ValueError, match="multiplier of '微信号'"):
        Lexicon({"微信号": multiplier})


@pytest.mark.parametrize("words", [{"": 2}, {3: 2}, ["a"], None], ids=str)
def test_what_is_no_dictionary_is_refused(words):
    with pytest.raises(ValueError if words == {"": 2} else TypeError):
        Lexicon(words)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_file_with_blank_lines_and_commas_in_words_is_read(tmp_path, encoding):
    path = tmp_path / "words.txt"
    path.write_bytes("微信号,10\r\n\n a,b , 0.5\n".encode(encoding))
    assert dict(Lexicon.read(path).items()) == {"微信号": 10.0, "a,b": 0.5}


@pytest.mark.parametrize(
    ("line", "word", "multiplier"),
    [
        ("微信号,always", "微信号", math.inf),
        ("leap motion\t20", "leap motion", 20),
        ('"a,b",5', "a,b", 5),
        ('"say ""hi""" , "never"', 'say "hi"', 0),
        ('"#1"', "#1", 3),
        ("云计算 5 n", "云计算", 3),  # jieba's number is a frequency
        ("leap motion 20", "leap motion", 3),
        ("凱特琳 nz", "凱特琳", 3),
        ("vitamin c", "vitamin c", 3),
        ("iphone 7 plus", "iphone 7 plus", 3),
        ("微信号", "微信号", 3),
    ],
)
@pytest.mark.parametrize("header", ["", "word,multiplier\n", '# note\n\n"Word"\t"Weight"\n'])
def test_every_documented_line_is_read(tmp_path, line, word, multiplier, header):
    path = tmp_path / "words.txt"
    path.write_text(f"{header}{line}\n#no,1\n\nb,1\nb,1\n", encoding="utf-8")
    assert dict(Lexicon.read(path, default=3).items()) == {word: multiplier, "b": 1}


written = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=5)


@given(st.dictionaries(written | st.text('",# \ta', min_size=1), st.sampled_from([0, 0.5, 3e-7, math.inf]), max_size=5))
def test_what_is_written_is_read_again(tmp_path_factory, words):
    Lexicon(words).write(path := tmp_path_factory.mktemp("lexicon") / "words.txt")
    assert Lexicon.read(path) == Lexicon(words)
    with path.open(encoding="utf-8") as file:
        assert Lexicon.read(file) == Lexicon(words)
    with pytest.raises(ValueError, match=r"'a\\nb' cannot be written"):
        Lexicon({"a\nb": 1}).write(path)


def test_a_lexicon_grows_as_a_dictionary_does(pretrained):
    lexicon = Lexicon({"V1.0": 3}, fold=True) | {"关注": 2, "v2": "never"}
    assert (list(lexicon), lexicon.fold) == (["V1.0", "关注", "v2"], True)
    pretrained.lexicon = lexicon
    assert "信号" not in pretrained("微信号")
    pretrained.lexicon.add("信号", "always")
    assert pretrained("微信号") == ["微", "信号"]
    with pytest.raises(ValueError, match="are the same"):
        lexicon.add("v1.0", 5)
    assert lexicon["V1.0"] == 3
    assert "v1.0" not in lexicon


def test_jieba_s_own_dictionary_is_read():
    jieba = pytest.importorskip("jieba")
    assert len(Lexicon.read(jieba.get_dict_file().name)) == 349_045  # of 349,046 lines; B超 is in it twice


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Web 2.0", "a comma or a tab"),
        ("微信号 always", "a comma or a tab"),
        ("云计算,5,n", "must be a number"),
        ("word,multiplier", "must be a number"),
        (",10", "at least one character"),
        ("微信号,", "must be a number"),
        ("微信号,ten", "must be a number"),
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


def test_any_text_is_searched_and_nothing_else():
    for text in ("", "\ud800", "\0", " ", "🇨🇳👩\u200d🚀", "שלום", "好" * 100_000):
        assert Lexicon({"微信": 2, "\ud800": 3}).bonuses(text).shape == (len(text), 4)
    for words, text in itertools.product(({}, {"好": 2}), (None, b"a", 3)):
        with pytest.raises(TypeError, match="matched against a str, got"):
            Lexicon(words).matches(text)


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
