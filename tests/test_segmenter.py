import itertools
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kexue_nlp
from kexue_nlp.features import Features
from kexue_nlp.forward import SegmentationNetwork
from kexue_nlp.lexicon import Lexicon
from kexue_nlp.models import article_segmenter, enriched_segmenter
from kexue_nlp.segmenter import Segmenter, _best_tags
from kexue_nlp.tagging import SBME, tags_to_words
from kexue_nlp.text import Vocabulary, normalise
from kexue_nlp.viterbi import viterbi

CHARACTERS = "的一是不了人我在有他这中大来上国。，！微信号关注扫描二维码0a"
PAIRS = ["微信", "信号", "关注", "00", "aa"]
WORDS = ["微信", "关注", "二维码", "中国人"]


@pytest.fixture(scope="module", params=["article", "enriched"])
def segmenter(request):
    keras.utils.set_random_seed(0)
    characters, pairs = Vocabulary(CHARACTERS), Vocabulary(PAIRS)
    if request.param == "article":
        return Segmenter(article_segmenter(len(characters)), Features(characters))
    network = enriched_segmenter(len(characters), len(pairs), n_layers=2)
    return Segmenter(network, Features(characters, pairs, WORDS))


@pytest.fixture
def with_lexicon(segmenter):
    segmenter.lexicon = {"微信号": 50.0, "(笑)": 100.0, "了！人": 1000.0, "is not": 100.0}
    yield segmenter
    segmenter.lexicon = None


@pytest.fixture(scope="module")
def pretrained():
    return Segmenter.load()


texts = st.text(st.one_of(st.sampled_from(CHARACTERS + "微信号(笑) \n\u3000"), st.characters(exclude_categories=())))


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(1)
    characters = Vocabulary(CHARACTERS)
    return Segmenter(article_segmenter(len(characters)), Features(characters), lexicon={"微信号": 50.0, "(笑)": 9.0})


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, max_size=6))
def test_words_joined_are_the_input_and_the_same_alone_and_beside_others(small, batch):
    words = small(batch)
    assert ["".join(w) for w in words] == batch
    assert all(all(w) for w in words)
    assert words == [small(text) for text in batch]


def test_a_text_longer_than_one_window_is_cut_as_its_sentences_are(segmenter):
    rng = np.random.default_rng(0)
    sentences = ["".join(rng.choice(list("的一是不了人微信号"), n)) + "。" for n in rng.integers(5, 90, 400)]
    alone = [word for sentence in sentences for word in segmenter(sentence)]
    assert segmenter("".join(sentences)) == alone
    text = "".join(rng.choice(list("的一是不了人微信号"), 3000))
    whole = keras.ops.convert_to_numpy(segmenter.network(segmenter.features(text)[None], training=False))[0]
    np.testing.assert_allclose(segmenter.log_probabilities(text), np.log(whole), atol=1e-4)


def test_degenerate_and_unusual_texts_stay_whole(segmenter):
    for text in ("", " ", "  \n\u3000", "\0", "\ud800", "\u200b"):
        assert segmenter(text) == list(text)
    for text in ("。。！！，，", "שלום עולם", "مرحبا", "的一是不了" * 20_000):
        assert "".join(segmenter(text)) == text


CLUSTERS = ["👨\u200d👩\u200d👧", "👍🏽", "🇨🇳", "e\u0301", "。\u0301", "❤\ufe0f", "각"]


def test_graphemes_are_never_cut(segmenter):
    for cluster in CLUSTERS:
        assert any(cluster in word for word in segmenter(f"我{cluster}人"))
    flags = "🇨🇳🇯🇵"
    cut = segmenter.decode(flags, segmenter.log_probabilities(flags), {"🇨🇳": 1e6, "🇯🇵": 1e6})
    assert tags_to_words(flags, cut) == ["🇨🇳", "🇯🇵"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType None"),
        (b"\xe6\x88\x91", "decode"),
        (3, "got int 3"),
        (["我", None], "text 1 is NoneType"),
        ([b"a"], "decode"),
        ({"text": ["我"]}, r"got a dict; .*df\['text'\]"),
        (pd.DataFrame({"text": ["我"]}), r"got a DataFrame; .*df\['text'\]"),
    ],
)
def test_what_is_no_text_is_refused_by_name(small, value, message):
    with pytest.raises(TypeError, match=message):
        small(value)


def test_a_stream_is_read_as_needed_and_all_before_a_bad_text_is_yielded(small):
    read = []
    texts = (read.append(i) or text for i, text in enumerate(["我在"] * 9999 + [None]))
    stream = small.pipe(texts, batch_size=100)
    assert next(stream) == small("我在")
    assert len(read) <= 400
    with pytest.raises(TypeError, match="text 9999 is NoneType None"):
        read.extend(stream)  # which keeps what came before the error
    assert len(read) == 10_000 + 9998


def test_a_bad_text_may_count_as_empty(small):
    with pytest.warns(UserWarning, match="1 of 3 texts are no str and were read as empty: 1"):
        assert list(small.pipe(["我在", b"a", ""], errors="skip")) == [small("我在"), [], []]
    for wrong in ({"errors": "ignore"}, {"batch_size": 0}):
        with pytest.raises(ValueError, match=r'"raise" or "skip", and batch_size at least 1; got'):
            small.pipe([], **wrong)


def test_any_iterable_of_strings_is_taken(small):
    for of_strings in (iter, tuple, pd.Series, np.array):
        assert small(of_strings(["我在", ""])) == [small("我在"), []]
    assert small([]) == []


def test_dictionary_word_may_hold_a_sentence_end_or_a_space(with_lexicon):
    assert "了！人" in with_lexicon("我了！人在")
    assert "is not" in with_lexicon("我is not人")
    assert with_lexicon(["关注微", "信号"]) == [with_lexicon("关注微"), with_lexicon("信号")]


@pytest.mark.parametrize("text", ["研究生命起源", "说不 行。3.5%e\u0301", "不", ""], ids=range(4))
@pytest.mark.parametrize("lexicon", [None, {"命起": "always", "3.5": 2}])
def test_best_cuts_and_words_are_as_probable_as_all_cuts_say(pretrained, text, lexicon):
    pretrained.lexicon = lexicon
    cuts = pretrained.n_best(text, 10_000)
    assert cuts[0][0] == pretrained(text) == pretrained.lcut(text) == list(pretrained.cut(text))
    assert cuts[:2] == pretrained.n_best(text, 2)
    assert sum(p for _, p in cuts) == pytest.approx(1)
    for word, start, end, p in pretrained.confidence(text):
        assert word == text[start:end]
        with_it = [q for words, q in cuts if end in (ends := [*itertools.accumulate(map(len, words), initial=0)])
                   and start == ends[ends.index(end) - 1]]  # fmt: skip
        assert p == pytest.approx(sum(with_it), abs=1e-6)


@pytest.mark.parametrize("ask", ["lcut", "tokenize", "confidence", "n_best"])
def test_what_reads_one_text_refuses_several(pretrained, ask):
    options = {"n": 2} if ask == "n_best" else {}
    with pytest.raises(TypeError, match=r"a str; got list \['南京市'"):
        getattr(pretrained, ask)(["南京市", "长江"], **options)


def test_strong_multipliers_glue_and_split(segmenter):
    whole = segmenter.decode("关注微信号", segmenter.log_probabilities("关注微信号"), Lexicon({"微信号": 1e6}))
    assert "微信号" in tags_to_words("关注微信号", whole)
    apart = segmenter.decode("微信", segmenter.log_probabilities("微信"), Lexicon({"微信": 1e-9}))
    assert tags_to_words("微信", apart) == ["微", "信"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([*CLUSTERS, *CHARACTERS, "(笑)", "微信号", " ", "好。人", "\n"])).map("".join))
def test_decoding_by_hand_equals_calling(small, text):
    assert tags_to_words(text, small.decode(text, small.log_probabilities(text), small.lexicon)) == small(text)
    with pytest.raises(ValueError, match=f"{len(text) + 1} characters need"):
        small.decode(text + "号", np.zeros((len(text), 4)))


def test_white_space_is_a_word_of_its_own_whatever_the_network_says(segmenter):
    for character in CHARACTERS:
        assert segmenter(f"{character} {character}\u3000") == [character, " ", character, "\u3000"]


def test_one_long_sentence_does_not_make_the_short_ones_expensive(small, monkeypatch):
    tokens = []

    def counting(emissions, *rest):
        tokens.append(emissions.shape[0] * emissions.shape[1])
        return viterbi(emissions, *rest)

    monkeypatch.setattr("kexue_nlp.segmenter.viterbi", counting)
    texts = ["我在中国"] * 600 + ["的" * 20_000]
    assert ["".join(words) for words in small(texts)] == texts
    assert max(tokens) <= 65_536
    assert sum(tokens) < 30_000


def test_full_and_half_width_get_the_same_cuts(segmenter):
    for wide, narrow in (("在！我", "在!我"), ("在；我", "在;我")):
        np.testing.assert_array_equal(segmenter.log_probabilities(wide), segmenter.log_probabilities(narrow))
    wide, narrow = segmenter("在１９９８年ＷＴＯ"), segmenter("在1998年WTO")
    assert [len(word) for word in wide] == [len(word) for word in narrow]
    assert "".join(wide) == "在１９９８年ＷＴＯ"


def test_saved_segmenter_says_the_same(with_lexicon, tmp_path):
    path = tmp_path / "segmenter.npz"
    with_lexicon.save(path)
    loaded = Segmenter.load(path)
    text = "扫描二维码，关注微信号！我在 2024年"
    assert loaded(text) == with_lexicon(text)
    np.testing.assert_allclose(loaded.log_probabilities(text), with_lexicon.log_probabilities(text), atol=1e-5)
    loaded.save(path)
    np.testing.assert_array_equal(Segmenter.load(path).log_probabilities(text), loaded.log_probabilities(text))


@pytest.mark.parametrize("name", ["pretrained", "closed", "random article", "random enriched"])
def test_forward_pass_equals_keras(name, pretrained):
    keras.utils.set_random_seed(2)
    if name.startswith("random"):
        network = article_segmenter(300) if name.endswith("article") else enriched_segmenter(300, 300, width=7)
        ours = SegmentationNetwork.of(network)
        tables = [300, 300, 300, 256][: 1 if name.endswith("article") else 4]
    else:
        ours = (pretrained if name == "pretrained" else Segmenter.load(name)).network
        keys = ("character", "pair", "pair", "known_word")
        tables = [len(ours.weights[f"{key}_embedding/embeddings"]) for key in keys]
        network = enriched_segmenter(tables[0], tables[1], width=len(ours.weights["mix/bias"]))
        network.set_weights([ours.weights[weight.path] for weight in network.weights])
    assert ours.count_params() == network.count_params()
    rng = np.random.default_rng(0)
    for length in (1, 2, 300, 5000):  # the last is cut into blocks
        ids = np.stack([rng.integers(0, n, length, dtype=np.int32) for n in tables], axis=1)
        ids[rng.random(length) < 0.1, 0] = 0
        expected = network.predict_on_batch(ids[None] if len(tables) > 1 else ids.T)[0]
        visible = ids[:, 0] > 0
        np.testing.assert_allclose(ours(ids)[visible], expected[visible], atol=1e-5)


def test_a_network_that_is_not_quite_the_builder_s_stays_in_keras(tmp_path):
    network = article_segmenter(len(CHARACTERS) + 2)
    network.get_layer("conv_1").activation = keras.activations.tanh
    segmenter = Segmenter(network, Features(Vocabulary(CHARACTERS)))
    segmenter.save(tmp_path / "s.npz")
    loaded = Segmenter.load(tmp_path / "s.npz")
    assert isinstance(loaded.network, keras.Model)
    assert loaded.log_probabilities("我在中国").tolist() == segmenter.log_probabilities("我在中国").tolist()


@pytest.mark.parametrize("scale", [0.5, 5.0, 50.0])
def test_tags_settled_by_neighbours_are_those_of_viterbi(scale):
    rng = np.random.default_rng(0)
    for length in (1, 2, 3, 40, 400):
        emissions = (scale * rng.normal(size=(length, 4))).astype(np.float32)
        cuts = np.union1d([0, length], rng.integers(0, length + 1, length // 20))
        pieces = [viterbi(emissions[start:end], SBME) for start, end in itertools.pairwise(cuts)]
        assert _best_tags(emissions, cuts).tolist() == np.concatenate(pieces).tolist()


def test_text_without_sentence_ends_is_no_work_for_viterbi(pretrained, monkeypatch):
    decoded = []
    monkeypatch.setattr(
        "kexue_nlp.segmenter.viterbi", lambda x, *rest: decoded.append(x.shape[:2]) or viterbi(x, *rest)
    )
    text = "中国人民银行昨天宣布降低利率，专家认为这对经济发展有好处，" * 300
    assert "".join(pretrained(text)) == text
    assert sum(rows * steps for rows, steps in decoded) < len(text) / 2
    assert max((steps for _, steps in decoded), default=0) < 30


def test_the_pretrained_segmenter_needs_no_keras_to_load_and_answer():
    code = "import sys; from kexue_nlp.segmenter import Segmenter; print(Segmenter.load()('我爱北京'), *sys.modules)"
    words, _, modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout.partition("] ")
    assert words == "['我', '爱', '北京'"
    assert not {"keras", "jax", "tensorflow", "torch", "pandas"} & set(modules.split())


@pytest.mark.parametrize("given", [None, {"我在": 2.0}])
def test_lexicon_is_stored_and_can_be_replaced(small, tmp_path, given):
    Segmenter(small.network, small.features, {"的": 9.0}).save(tmp_path / "s.npz")
    assert dict(Segmenter.load(tmp_path / "s.npz", lexicon=given).lexicon.items()) == (given or {"的": 9.0})


def test_the_closed_segmenter_does_what_the_article_shows():
    segmenter = Segmenter.load("closed")
    text = "扫描二维码，关注微信号。"
    assert segmenter(text) == ["扫描", "二维码", "，", "关注", "微", "信号", "。"]
    segmenter.lexicon = {"微信号": 20.0}
    assert segmenter(text) == ["扫描", "二维码", "，", "关注", "微信号", "。"]


@pytest.mark.parametrize(
    "text",
    ["买了一瓶|酒精|。", "要先用|酒精|消毒", "可以用|支付宝|付款吗？", "换成了|比特币|，", "手机的|前摄像头|很清楚。"],
)
def test_everyday_words_come_out_whole_by_normalised_characters(pretrained, text):
    assert text.split("|")[1] in pretrained(text.replace("|", ""))
    assert all(normalise(c) == c for c in pretrained.features.characters.tokens)


FILES = {"open": ("segmenter", 0.957, 6_500_000), "closed": ("segmenter_closed", 0.95, 4_300_000)}


@pytest.mark.parametrize(("name", "least", "most"), FILES.values(), ids=FILES)
def test_pretrained_file_is_small_and_has_a_card(name, least, most):
    folder = Path(kexue_nlp.__file__).parent / "pretrained"
    card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    assert {"data", "words", "seed", "command", "metrics", "seconds"} <= card.keys()
    assert card["metrics"]["pku"]["f1"] >= least
    assert card["bytes"] == (folder / f"{name}.npz").stat().st_size <= most
