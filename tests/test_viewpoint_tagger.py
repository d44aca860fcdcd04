"""The viewpoint tagger: features, reading, decoding by the gazetteer, training, files."""

import json
import pickle
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest

import kexue_nlp
from kexue_nlp.datasets import load_viewpoints
from kexue_nlp.entity_decoding import find_entities
from kexue_nlp.lexicon import leftmost_longest
from kexue_nlp.models import article_tagger, viewpoint_tagger
from kexue_nlp.scoring import score_viewpoints
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_tagger import Mention, ViewpointTagger, neutral_weights

NAMES = ["本田", "丰田", "奔驰", "北京奔驰", "唐"]
CHARACTERS = Vocabulary("本田丰好唐")  # ids 2 …


def fixed(tags_of_characters, n_tags=4):
    """A network that gives each character id the same tag wherever it stands."""
    table = np.full((300, n_tags), 0.01, np.float32)
    for i in range(300):
        table[i, tags_of_characters.get(i, 0)] = 1
    ids = keras.Input((None, 2), dtype="int32")
    embedding = keras.layers.Embedding(300, n_tags)
    network = keras.Model(ids, embedding(ids[..., 0]))
    embedding.set_weights([table / table.sum(axis=1, keepdims=True)])
    return network


@pytest.fixture(scope="module")
def network():
    """Praises 本田, blames 唐."""
    return fixed({2: 1, 3: 1, 6: 3})


@pytest.fixture
def tagger(network):
    return ViewpointTagger(network, CHARACTERS, NAMES)


def test_features_mark_the_names_of_the_gazetteer(tagger):
    assert tagger.features("好北京奔驰唐本田").T.tolist() == [[5, 1, 1, 1, 1, 6, 2, 3], [0, 1, 2, 2, 3, 4, 1, 3]]
    tagger.gazetteer = ["本田", " ", "", " 本田\n", "田"]  # blank, twice, one character, one in the other
    assert tagger.gazetteer == ("本田", "田")
    assert tagger.features("本田田").T.tolist() == [[2, 3, 3], [1, 3, 4]]
    tagger.gazetteer = []
    assert tagger("我买本田") == []


def test_names_are_found_in_any_case_width_and_script_if_asked_for(tagger):
    tagger.gazetteer = ["哈弗H6", "哈弗h6", "丰田"]
    assert not tagger.features("哈弗ｈ6豐田")[:, 1].any()
    tagger.fold = True
    assert tagger.features("哈弗ｈ6豐田")[:, 1].tolist() == [1, 2, 2, 3, 1, 3]
    assert tagger.gazetteer == ("哈弗H6", "哈弗h6", "丰田")
    assert pickle.loads(pickle.dumps(tagger)).fold
    pretrained = ViewpointTagger.load()
    assert [mention.name for mention in pretrained("哈弗h6不错")] == ["哈弗"]
    pretrained.fold = True
    assert [mention.name for mention in pretrained("哈弗h6不错")] == ["哈弗h6"]


def test_calling_it_gives_names_places_polarities_and_probabilities(tagger):
    honda, tang = tagger("买本田不买唐。")
    assert honda == Mention("本田", 1, 3, "pos", pytest.approx(1 / 1.03, rel=1e-4))
    assert tang == Mention("唐", 5, 6, "neg", pytest.approx(1 / 1.03, rel=1e-4))
    assert tagger(text for text in ["买本田不买唐。", "", "好"]) == [[honda, tang], [], []]


@pytest.mark.parametrize("decoding", ["names", "forced", "plain"])
def test_any_text_can_be_tagged(tagger, decoding):
    tagger.decoding = decoding
    assert tagger("") == []
    for text in ("\x00\ud800\u202e🚗", " \n\t", "<b>", "本" * 600, "唐"):
        assert all(text[mention.start : mention.end] == mention.name for mention in tagger(text))
    # In Viterbi's tags an entity of another polarity cannot follow at once; between spans there is no such rule.
    expected = ["本田", "唐", "本田"] if decoding == "names" else ["本田", "本田"]
    assert [mention.name for mention in tagger("本田唐本田")] == expected


def test_gazetteer_keeps_neighbours_apart_and_chooses_nested_names(tagger):
    sure = np.log(np.full((4, 4), 0.01))
    sure[:, 1] = 0
    assert tagger.decode("本田丰田", sure) == [(0, 2, "pos"), (2, 4, "pos")]
    assert tagger.decode("北京奔驰", sure) == [(0, 4, "pos")]
    half = sure.copy()
    half[:2, 0], half[:2, 1] = 0, -5
    assert tagger.decode("北京奔驰", half) == [(2, 4, "pos")]
    tagger.decoding = "plain"  # Viterbi alone cannot tell one name from two
    assert tagger.decode("本田丰田", sure) == [(0, 4, "pos")]


@pytest.mark.parametrize("build", [article_tagger, viewpoint_tagger])
def test_results_do_not_depend_on_the_batch(build):
    tagger = ViewpointTagger(build(9, 4, (4, 4)), CHARACTERS, NAMES)
    texts = ["本田好", "好" * 29 + "本田"]
    for text, log_p in zip(texts, tagger.log_probabilities(texts), strict=True):
        assert log_p.shape == (len(text), 4)
        np.testing.assert_allclose(tagger.log_probabilities([text])[0], log_p, atol=1e-4)


def test_long_texts_are_cut_at_ends_of_sentences():
    ids = keras.Input((None, 2), dtype="int32")
    place = keras.ops.cumsum(keras.ops.ones_like(ids[..., :1]), axis=1)  # in the piece that the network sees
    tells_the_place = keras.Model(ids, keras.ops.tile(1 / place, (1, 1, 4)))
    tagger = ViewpointTagger(tells_the_place, CHARACTERS, NAMES)
    text = "".join(["本" * 149 + "。", "田" * 149 + "。", "好" * 300])
    places = np.exp(-tagger.log_probabilities([text])[0][:, 0]).round().astype(int)
    assert places.tolist() == [*range(1, 151), *range(1, 151), *range(1, 257), *range(1, 45)]


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda t: ViewpointTagger(fixed({}, 5), CHARACTERS, NAMES), "5 tags"),
        (lambda t: ViewpointTagger(fixed({}, 7), CHARACTERS, NAMES, "forced"), "with 7 tags; got 'forced'"),
        (lambda t: ViewpointTagger(article_tagger(4), CHARACTERS, NAMES), "4 rows for 7 ids"),
        (lambda t: ViewpointTagger(t.network, CHARACTERS, NAMES, "crf"), "with 4 tags; got 'crf'"),
        (lambda t: ViewpointTagger(t.network, CHARACTERS, "本田"), "each a str; got '本田'"),
        (lambda t: ViewpointTagger(t.network, CHARACTERS, ["本田", None]), "each a str; got"),
        (lambda t: t(b"abc"), "got bytes b'abc'; decode"),
        (lambda t: t({"text": "本田"}), "got a dict; give one column"),
        (lambda t: t(["本田", None]), "text 1 is NoneType None"),
        (lambda t: t.log_probabilities("本田"), "put it in a list"),
        (lambda t: t.batches(["本田", "好"], [[]]), "shorter"),
        (lambda t: t.batches([""], [[]]), "none of 1 texts has a character"),
        (lambda t: t.batches(["好"], [[]], max_tokens=255), "at least 256, the longest row; got 255"),
        (lambda t: neutral_weights([[]], prior=0), "above 0, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(tagger, refused, message):
    with pytest.raises((TypeError, ValueError), match=message):
        refused(tagger)


def test_batches_hold_each_sentence_once_with_its_weight(tagger):
    texts = ["本田好", "唐", "好" * 40]
    batches = tagger.batches(texts, [[(0, 2, "neg")], [(0, 1, "neu")], []], np.array([1.0, 0.5, 0.25]))
    rows = {}
    for i in range(len(batches)):
        for ids, tags, weights in zip(*batches[i], strict=True):
            if n := int((weights > 0).sum()):
                rows[n] = (ids[:n, 0].tolist(), tags.tolist(), set(weights[:n].tolist()))
                assert not ids[n:].any()
    assert sorted(rows) == [1, 3, 40]
    assert rows[3][0] == [2, 3, 5]
    assert rows[3][1][:4] == [3, 3, 0, 0]
    assert [rows[n][2] for n in (1, 3, 40)] == [{0.5}, {1.0}, {0.25}]
    texts = ["本田好"] * 20 + ["好" * 200] * 3
    for max_tokens, shapes in ((256, {(8, 32): 3, (1, 256): 3}), (512, {(16, 32): 2, (2, 256): 2})):
        batches = tagger.batches(texts, [[]] * len(texts), max_tokens=max_tokens)
        assert Counter(batches[i][1].shape for i in range(len(batches))) == shapes
    entities = [[], [(0, 2, "pos")], [(0, 2, "neu")], [(0, 2, "neu"), (3, 7, "neu"), (8, 9, "neg")]]
    assert neutral_weights(entities) == pytest.approx([1, 1, 3 / 5, 3 / 9])  # the article's
    assert neutral_weights(entities, prior=1) == pytest.approx([1, 1, 1 / 3, 1 / 7])


def test_it_learns_the_grammar_and_comes_back_from_a_file(tmp_path):
    data = load_viewpoints()
    texts, labels = data.sentences[:600], data.labels[:600]
    held_out, truth = data.sentences[1000:1300], data.labels[1000:1300]
    keras.utils.set_random_seed(1)
    characters = Vocabulary.fit(texts)
    network = viewpoint_tagger(len(characters), embedding=16, units=(24, 16), n_tags=7)
    tagger = ViewpointTagger(network, characters, data.gazetteer)
    entities = [find_entities(text, given, tagger.matcher) for text, given in zip(texts, labels, strict=True)]
    network.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    network.fit(tagger.batches(texts, entities), epochs=4, shuffle=False, verbose=0)

    found = [[(mention.name, mention.polarity) for mention in mentions] for mentions in tagger(held_out)]
    neutral = []
    for text in held_out:
        starts, ends, _ = tagger.matcher.find(text)
        neutral.append([(text[starts[i] : ends[i]], "neu") for i in leftmost_longest(starts, ends)])
    assert score_viewpoints(truth, found).strict_f1 > score_viewpoints(truth, neutral).strict_f1 + 0.2

    tagger.save(tmp_path / "tagger.npz", dtype="float16")
    again = ViewpointTagger.load(tmp_path / "tagger.npz")
    assert (again.gazetteer, again.decoding, again.scheme) == (tagger.gazetteer, "names", tagger.scheme)
    before, after = (np.concatenate(t.log_probabilities(held_out)) for t in (tagger, again))
    np.testing.assert_allclose(np.exp(after), np.exp(before), atol=0.02)


def test_the_pretrained_tagger_is_right_small_and_has_a_card():
    found = ViewpointTagger.load()(["请问凯美瑞和雅阁哪个好？", "丰田太差，我喜欢本田。"])
    said = [[(mention.name, mention.polarity) for mention in mentions] for mentions in found]
    assert said == [[("凯美瑞", "neu"), ("雅阁", "neu")], [("丰田", "neg"), ("本田", "pos")]]
    folder = Path(kexue_nlp.__file__).parent / "pretrained"
    assert (folder / "viewpoint_tagger.npz").stat().st_size <= 6_000_000
    card = json.loads((folder / "viewpoint_tagger.json").read_text(encoding="utf-8"))
    assert {"data", "seed", "command", "metrics", "seconds"} <= card.keys()
    assert card["seconds"] <= 3600
