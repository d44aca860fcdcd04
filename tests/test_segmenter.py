import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kexue_nlp
from kexue_nlp.features import Features
from kexue_nlp.lexicon import Lexicon
from kexue_nlp.models import article_segmenter, enriched_segmenter
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.tagging import tags_to_words
from kexue_nlp.text import Vocabulary, normalise
from kexue_nlp.viterbi import viterbi

CHARACTERS = "的一是不了人我在有他这中大来上国。，！微信号关注扫描二维码0a"
PAIRS = ["微信", "信号", "关注", "00", "aa"]
WORDS = ["微信", "关注", "二维码", "中国人"]


@pytest.fixture(scope="module", params=["article", "enriched"])
def segmenter(request):
    """A segmenter with random weights: what must hold, must hold whatever the network says."""
    keras.utils.set_random_seed(0)
    characters, pairs = Vocabulary(CHARACTERS), Vocabulary(PAIRS)
    if request.param == "article":
        return Segmenter(article_segmenter(len(characters)), Features(characters))
    network = enriched_segmenter(len(characters), len(pairs), n_layers=2)
    return Segmenter(network, Features(characters, pairs, WORDS))


@pytest.fixture
def with_lexicon(segmenter):
    segmenter.lexicon = {"微信号": 50.0, "(笑)": 100.0, "了！人": 1000.0}
    yield segmenter
    segmenter.lexicon = None


@pytest.fixture(scope="module")
def pretrained():
    return Segmenter.load()


texts = st.text(st.one_of(st.sampled_from(CHARACTERS + "微信号(笑) \n\u3000"), st.characters(exclude_categories=())))


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, max_size=6))
def test_joined_words_equal_the_input(with_lexicon_for_hypothesis, batch):
    words = with_lexicon_for_hypothesis(batch)
    assert ["".join(w) for w in words] == batch
    assert all(all(w) for w in words)


@pytest.fixture(scope="module")
def with_lexicon_for_hypothesis():
    keras.utils.set_random_seed(1)
    characters = Vocabulary(CHARACTERS)
    return Segmenter(article_segmenter(len(characters)), Features(characters), lexicon={"微信号": 50.0, "(笑)": 9.0})


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, min_size=1, max_size=6))
def test_a_text_is_cut_the_same_alone_and_beside_others(with_lexicon_for_hypothesis, batch):
    assert with_lexicon_for_hypothesis(batch) == [with_lexicon_for_hypothesis(text) for text in batch]


def test_a_text_longer_than_one_window_is_cut_as_its_sentences_are(segmenter):
    rng = np.random.default_rng(0)
    sentences = ["".join(rng.choice(list("的一是不了人微信号"), n)) + "。" for n in rng.integers(5, 90, 400)]
    alone = [word for sentence in sentences for word in segmenter(sentence)]
    assert segmenter("".join(sentences)) == alone


def test_windows_do_not_show_in_a_sentence_longer_than_any(segmenter):
    """One 3,000-character sentence against the network run on it in one piece."""
    text = "".join(np.random.default_rng(0).choice(list("的一是不了人微信号"), 3000))
    ids = segmenter.features(text)
    whole = keras.ops.convert_to_numpy(segmenter.network(ids[None], training=False))[0]
    np.testing.assert_allclose(segmenter.log_probabilities(text), np.log(whole), atol=1e-4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" ", [" "]),
        ("  \n\u3000", [" ", " ", "\n", "\u3000"]),
        ("\0", ["\0"]),
        ("\ud800", ["\ud800"]),
        ("\u200b", ["\u200b"]),
    ],
)
def test_degenerate_texts(segmenter, text, words):
    assert segmenter(text) == words


CLUSTERS = ["👨\u200d👩\u200d👧", "👍🏽", "🇨🇳", "e\u0301", "。\u0301", "❤\ufe0f", "각"]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_what_is_drawn_as_one_character_is_never_cut(segmenter, cluster):
    assert any(cluster in word for word in segmenter(f"我{cluster}人"))


def test_two_flags_are_two_pairs(segmenter):
    flags = "🇨🇳🇯🇵"
    cut = segmenter.decode(flags, segmenter.log_probabilities(flags), {"🇨🇳": 1e6, "🇯🇵": 1e6})
    assert tags_to_words(flags, cut) == ["🇨🇳", "🇯🇵"]


def test_punctuation_only_and_right_to_left_text_come_back_whole(segmenter):
    for text in ("。。！！，，", "שלום עולם", "مرحبا"):
        assert "".join(segmenter(text)) == text


def test_a_hundred_thousand_characters_without_punctuation(segmenter):
    text = "的一是不了" * 20_000
    assert "".join(segmenter(text)) == text


def test_any_iterable_of_strings_is_taken(segmenter):
    assert segmenter(text for text in ["我在", ""]) == [segmenter("我在"), []]
    assert segmenter([]) == []


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "got NoneType None"),
        (b"\xe6\x88\x91", "decode"),
        (3, "got int 3"),
        (["我", None], "text 1 is NoneType"),
        ([b"a"], "decode"),
    ],
)
def test_what_is_no_text_is_refused_by_name(segmenter, value, message):
    with pytest.raises(TypeError, match=message):
        segmenter(value)


def test_dictionary_word_may_hold_a_sentence_end(with_lexicon):
    assert "了！人" in with_lexicon("我了！人在")


def test_dictionary_word_does_not_match_across_two_texts(with_lexicon):
    assert with_lexicon(["关注微", "信号"]) == [with_lexicon("关注微"), with_lexicon("信号")]


def test_dictionary_can_keep_words_with_a_space(segmenter):
    try:
        segmenter.lexicon = {"is not": 100.0}
        assert "is not" in segmenter("我is not人")
    finally:
        segmenter.lexicon = None


def test_strong_multipliers_glue_and_split(segmenter):
    whole = segmenter.decode("关注微信号", segmenter.log_probabilities("关注微信号"), Lexicon({"微信号": 1e6}))
    assert "微信号" in tags_to_words("关注微信号", whole)
    apart = segmenter.decode("微信", segmenter.log_probabilities("微信"), Lexicon({"微信": 1e-9}))
    assert tags_to_words("微信", apart) == ["微", "信"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([*CLUSTERS, *CHARACTERS, "(笑)", "微信号", " ", "好。人", "\n"])).map("".join))
def test_decoding_by_hand_equals_calling(with_lexicon_for_hypothesis, text):
    segmenter = with_lexicon_for_hypothesis
    tags = segmenter.decode(text, segmenter.log_probabilities(text), segmenter.lexicon)
    assert tags_to_words(text, tags) == segmenter(text)


def test_log_probabilities_of_another_text_are_refused(segmenter):
    with pytest.raises(ValueError, match="3 characters need"):
        segmenter.decode("微信号", np.zeros((2, 4)))


def test_white_space_is_a_word_of_its_own_whatever_the_network_says(segmenter):
    for character in CHARACTERS:
        assert segmenter(f"{character} {character}\u3000") == [character, " ", character, "\u3000"]


def test_one_long_sentence_does_not_make_the_short_ones_expensive(segmenter, monkeypatch):
    import kexue_nlp.segmenter as module

    cells = []

    def counting(emissions, *rest):
        cells.append(emissions.shape[0] * emissions.shape[1])
        return viterbi(emissions, *rest)

    monkeypatch.setattr(module, "viterbi", counting)
    texts = ["我在中国"] * 600 + ["的" * 20_000]
    assert ["".join(words) for words in segmenter(texts)] == texts
    assert max(cells) <= 65_536


@pytest.mark.parametrize(("wide", "narrow"), [("在！我", "在!我"), ("在；我", "在;我")])
def test_sentence_ends_in_full_and_half_width_are_alike(segmenter, wide, narrow):
    np.testing.assert_array_equal(segmenter.log_probabilities(wide), segmenter.log_probabilities(narrow))


def test_full_and_half_width_get_the_same_cuts_and_keep_their_characters(segmenter):
    wide, narrow = segmenter("在１９９８年ＷＴＯ"), segmenter("在1998年WTO")
    assert [len(word) for word in wide] == [len(word) for word in narrow]
    assert "".join(wide) == "在１９９８年ＷＴＯ"


def test_segmenting_does_not_grow_the_vocabulary(segmenter):
    before = len(segmenter.features.characters)
    segmenter("龘龘𪚥未见过的字")
    assert len(segmenter.features.characters) == before


def test_saved_segmenter_says_the_same(with_lexicon, tmp_path):
    path = tmp_path / "segmenter.npz"
    with_lexicon.save(path)
    loaded = Segmenter.load(path)
    text = "扫描二维码，关注微信号！我在 2024年"
    assert loaded(text) == with_lexicon(text)
    np.testing.assert_array_equal(loaded.log_probabilities(text), with_lexicon.log_probabilities(text))


def test_half_precision_file_is_smaller_and_close(segmenter, tmp_path):
    segmenter.save(tmp_path / "full.npz")
    segmenter.save(tmp_path / "half.npz", dtype="float16")
    assert (tmp_path / "half.npz").stat().st_size < 0.7 * (tmp_path / "full.npz").stat().st_size
    half = Segmenter.load(tmp_path / "half.npz")
    np.testing.assert_allclose(half.log_probabilities("我在中国"), segmenter.log_probabilities("我在中国"), atol=1e-2)


def test_lexicon_given_to_load_replaces_the_stored_one(with_lexicon, tmp_path):
    with_lexicon.save(tmp_path / "s.npz")
    assert dict(Segmenter.load(tmp_path / "s.npz", lexicon={"我在": 2.0}).lexicon.items()) == {"我在": 2.0}


def test_segmenter_can_be_pickled(segmenter):
    assert pickle.loads(pickle.dumps(segmenter))("我在中国") == segmenter("我在中国")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        Segmenter.load(tmp_path / "absent.npz")


def rewritten(path, **changes):
    with np.load(path) as file:
        content = dict(file)
    meta = json.loads(str(content["meta"])) | changes.pop("meta", {})
    np.savez(path, **(content | {"meta": np.array(json.dumps(meta))} | changes))


def test_file_of_another_version_is_refused(segmenter, tmp_path):
    segmenter.save(tmp_path / "s.npz")
    rewritten(tmp_path / "s.npz", meta={"format": 99})
    with pytest.raises(ValueError, match="format 99, this version of kexue_nlp reads format 1"):
        Segmenter.load(tmp_path / "s.npz")


def test_weights_that_do_not_fit_are_refused(segmenter, tmp_path):
    segmenter.save(tmp_path / "s.npz")
    rewritten(tmp_path / "s.npz", weight_0=np.zeros((3, 3), np.float32))
    with pytest.raises(ValueError, match="do not fit together"):
        Segmenter.load(tmp_path / "s.npz")


def test_file_without_a_part_is_refused(segmenter, tmp_path):
    segmenter.save(tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as file:
        content = dict(file)
    meta = json.loads(str(content["meta"]))
    del meta["characters"]
    np.savez(tmp_path / "s.npz", **(content | {"meta": np.array(json.dumps(meta))}))
    with pytest.raises(ValueError, match="do not fit together: 'characters'"):
        Segmenter.load(tmp_path / "s.npz")


def test_file_with_a_flipped_byte_is_refused_or_the_same(tmp_path):
    keras.utils.set_random_seed(0)
    characters = Vocabulary(CHARACTERS)
    segmenter = Segmenter(article_segmenter(len(characters)), Features(characters))
    path = tmp_path / "s.npz"
    segmenter.save(path)
    whole = path.read_bytes()
    refusals = []
    for position in np.random.default_rng(0).integers(0, len(whole), 30):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            loaded = Segmenter.load(path)
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert loaded("微信号") == segmenter("微信号")
    assert refusals
    assert all(str(path) in refusal for refusal in refusals)


def test_empty_lexicon_is_saved(segmenter, tmp_path):
    Segmenter(segmenter.network, segmenter.features, lexicon={}).save(tmp_path / "s.npz")
    assert len(Segmenter.load(tmp_path / "s.npz").lexicon) == 0


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_damaged_file_is_refused(segmenter, tmp_path, content):
    path = tmp_path / "s.npz"
    segmenter.save(path)
    path.write_bytes(path.read_bytes()[:2000] if content is None else content)
    with pytest.raises(ValueError, match="not a complete segmenter file"):
        Segmenter.load(path)


def test_pickled_objects_in_a_file_are_not_run(tmp_path):
    np.savez(tmp_path / "s.npz", meta=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="not a complete segmenter file"):
        Segmenter.load(tmp_path / "s.npz")


def test_failed_save_leaves_the_old_file(segmenter, tmp_path, monkeypatch):
    path = tmp_path / "s.npz"
    segmenter.save(path)
    before = path.read_bytes()

    def full_disk(file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="No space left"):
        segmenter.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.npz"]


def test_saving_into_a_folder_without_write_permission_is_an_os_error(segmenter, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file, not a folder")
    with pytest.raises(NotADirectoryError, match="file"):
        segmenter.save(blocked / "s.npz")


def test_pretrained_segmenter_and_dictionary_do_what_the_article_shows(pretrained):
    text = "扫描二维码，关注微信号。"
    assert pretrained(text) == ["扫描", "二维码", "，", "关注", "微", "信号", "。"]
    tags = pretrained.decode(text, pretrained.log_probabilities(text), {"微信号": 20.0})
    assert tags_to_words(text, tags) == ["扫描", "二维码", "，", "关注", "微信号", "。"]


def test_pretrained_segmenter_is_small_and_has_a_card():
    folder = Path(kexue_nlp.__file__).parent / "pretrained"
    assert (folder / "segmenter.npz").stat().st_size <= 6_000_000
    card = json.loads((folder / "segmenter.json").read_text(encoding="utf-8"))
    assert {"data", "seed", "command", "metrics", "seconds"} <= card.keys()


def test_pretrained_segmenter_knows_normalised_characters_only(pretrained):
    assert all(normalise(c) == c for c in pretrained.features.characters.tokens)
