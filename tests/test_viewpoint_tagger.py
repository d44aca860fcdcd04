"""The viewpoint tagger: places of labels, decoding by the list of names, training, files."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kexue_nlp  # before Keras: it chooses the backend

# isort: split
import keras

from kexue_nlp.datasets import load_viewpoints
from kexue_nlp.entity_decoding import entities_among, find_entities
from kexue_nlp.lexicon import Matcher, leftmost_longest
from kexue_nlp.models import article_tagger, viewpoint_tagger
from kexue_nlp.scoring import score_viewpoints
from kexue_nlp.tagging import POLARITY, POLARITY_BEGIN, entities_to_tags
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_tagger import ViewpointTagger, neutral_weights

POLARITIES = ("pos", "neu", "neg")
NAMES = ["本田", "丰田", "奔驰", "北京奔驰", "唐"]


# --- where labels stand ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        (
            "本田比丰田好，本田好",
            [("本田", "pos"), ("丰田", "neg")],
            [(0, 2, "pos"), (3, 5, "neg"), (7, 9, "pos")],
        ),
        ("北京奔驰和奔驰", [("奔驰", "pos")], [(5, 7, "pos")]),  # not the one inside a longer name
        ("北京奔驰好", [("奔驰", "pos")], [(2, 4, "pos")]),  # which is all there is
        ("北京奔驰好", [("奔驰", "pos"), ("北京奔驰", "neg")], [(0, 4, "neg")]),  # its place is taken
        ("观致好", [("观致", "pos")], [(0, 2, "pos")]),  # not in the list
        ("丰田好", [("本田", "pos")], []),  # it does not occur
        ("本田丰田", [("本田", "neu")], [(0, 2, "neu")]),
        ("", [], []),
        ("本田", [], []),
    ],
)
def test_labels_are_found_in_the_text(text, labels, expected):
    assert find_entities(text, labels, Matcher(NAMES)) == expected


def test_neutral_weights_are_the_articles():
    entities = [[], [(0, 2, "pos")], [(0, 2, "neu")], [(0, 2, "neu"), (3, 7, "neu"), (8, 9, "neg")]]
    assert neutral_weights(entities) == pytest.approx([1, 1, 3 / 5, 3 / 9])
    assert neutral_weights(entities, prior=1) == pytest.approx([1, 1, 1 / 3, 1 / 7])
    with pytest.raises(ValueError, match="above 0, got 0"):
        neutral_weights(entities, prior=0)


# --- decoding with the list --------------------------------------------------------------------------------


def best_by_trying_all(log_p, spans, scheme, bonus):
    """Score every set of spans that do not overlap, with every choice of polarities."""
    best = (-np.inf, None)
    for n in range(len(spans) + 1):
        for chosen in itertools.combinations(spans, n):
            if any(a[1] > b[0] for a, b in itertools.pairwise(sorted(chosen))):
                continue
            for polarities in itertools.product(POLARITIES, repeat=n):
                entities = [(*span, polarity) for span, polarity in zip(sorted(chosen), polarities, strict=True)]
                tags = entities_to_tags(len(log_p), entities, scheme)
                score = log_p[np.arange(len(tags)), tags].sum() + bonus * n
                best = max(best, (score, entities), key=lambda pair: pair[0])
    return best[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_names_decoder_is_exact(data):
    length = data.draw(st.integers(1, 5))
    scheme = data.draw(st.sampled_from([POLARITY, POLARITY_BEGIN]))
    ends = st.integers(1, length)
    spans = data.draw(
        st.lists(
            ends.flatmap(lambda end: st.tuples(st.integers(0, end - 1), st.just(end))),
            max_size=4,
            unique=True,
        )
    )
    bonus = data.draw(st.sampled_from([0.0, 1.5, -1.5]))
    log_p = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).normal(scale=2, size=(length, len(scheme.tags)))
    starts, ends = np.array(spans, dtype=int).reshape(-1, 2).T
    expected = best_by_trying_all(log_p, spans, scheme, bonus)
    assert entities_among(log_p, starts, ends, scheme, bonus) == expected


def test_the_names_decoder_keeps_neighbours_apart_and_chooses_among_nested_names():
    tagger = ViewpointTagger(fixed({}), Vocabulary(""), NAMES)
    sure = np.log(np.full((4, 4), 0.01))
    sure[:, 1] = 0
    assert tagger.decode("本田丰田", sure) == [(0, 2, "pos"), (2, 4, "pos")]
    assert tagger.decode("北京奔驰", sure) == [(0, 4, "pos")]
    sure[:2, 0], sure[:2, 1] = 0, -5
    assert tagger.decode("北京奔驰", sure) == [(2, 4, "pos")]
    # Viterbi alone cannot tell one name from two.
    tagger.decoding = "plain"
    sure[:2, 1] = 0
    sure[:2, 0] = -5
    assert tagger.decode("本田丰田", sure) == [(0, 4, "pos")]


def test_a_bonus_finds_more_and_a_negative_one_less():
    log_p = np.log([[0.5, 0.4, 0.05, 0.05], [0.5, 0.4, 0.05, 0.05], [0.2, 0.6, 0.1, 0.1]])
    spans = np.array([0, 2]), np.array([2, 3])
    assert entities_among(log_p, *spans) == [(2, 3, "pos")]
    assert entities_among(log_p, *spans, bonus=1.0) == [(0, 2, "pos"), (2, 3, "pos")]
    assert entities_among(log_p, *spans, bonus=-2.0) == []


# --- the tool ----------------------------------------------------------------------------------------------


def fixed(tags_of_characters, n_tags=4):
    """A network that gives each character id the same tag wherever it stands."""
    table = np.full((300, n_tags), 0.01, np.float32)
    table[:, 0] = 1
    for i, tag in tags_of_characters.items():
        table[i] = 0.01
        table[i, tag] = 1
    ids = keras.Input((None, 2), dtype="int32")
    embedding = keras.layers.Embedding(300, n_tags)
    network = keras.Model(ids, embedding(ids[..., 0]))
    embedding.set_weights([table / table.sum(axis=1, keepdims=True)])
    return network


CHARACTERS = Vocabulary("本田丰好唐")  # ids 2 …


def test_calling_it_gives_names_places_opinions_and_probabilities():
    tagger = ViewpointTagger(fixed({2: 1, 3: 1, 6: 3}), CHARACTERS, NAMES)
    (honda, tang) = tagger("买本田不买唐。")
    assert (honda.name, honda.start, honda.end, honda.polarity) == ("本田", 1, 3, "pos")
    assert (tang.name, tang.start, tang.end, tang.polarity) == ("唐", 5, 6, "neg")
    assert honda.probability == pytest.approx(1 / 1.03, rel=1e-4)
    assert tagger(["买本田不买唐。", "", "好"]) == [[honda, tang], [], []]
    assert tagger(text for text in ["唐"])[0][0].polarity == "neg"


@pytest.mark.parametrize("decoding", ["names", "forced", "plain"])
def test_any_text_can_be_tagged(decoding):
    tagger = ViewpointTagger(fixed({2: 1, 3: 1, 6: 3}), CHARACTERS, NAMES, decoding)
    assert tagger("") == []
    assert [m.name for m in tagger("唐")] == ["唐"]
    for text in ("\x00\ud800\u202e🚗", " \n\t", "<b>", "本" * 600):
        for mention in tagger(text):
            assert text[mention.start : mention.end] == mention.name
    # In Viterbi's tags an entity of another polarity cannot follow at once; between spans there is no such rule.
    expected = ["本田", "唐", "本田"] if decoding == "names" else ["本田", "本田"]
    assert [m.name for m in tagger("本田唐本田")] == expected


def test_the_result_does_not_depend_on_the_other_texts_or_on_padding():
    keras.utils.set_random_seed(0)
    for network in (article_tagger(9, 4, (4, 4)), viewpoint_tagger(9, 4, (4, 4))):
        tagger = ViewpointTagger(network, CHARACTERS, NAMES)
        texts = ["本田好", "好" * 30 + "本田", "唐" * 33, "丰田"]
        together = tagger.log_probabilities(texts)
        for text, log_p in zip(texts, together, strict=True):
            assert log_p.shape == (len(text), 4)
            np.testing.assert_allclose(tagger.log_probabilities([text])[0], log_p, atol=1e-4)


def test_long_texts_are_cut_at_ends_of_sentences():
    ids = keras.Input((None, 2), dtype="int32")
    place = keras.ops.cumsum(keras.ops.ones_like(ids[..., :1]), axis=1)  # in the piece that the network sees
    tells_the_place = keras.Model(ids, keras.ops.tile(1 / place, (1, 1, 4)))
    tagger = ViewpointTagger(tells_the_place, CHARACTERS, NAMES)
    text = "".join(["本" * 149 + "。", "田" * 149 + "。", "好" * 300])
    places = np.exp(-tagger.log_probabilities([text])[0][:, 0]).round().astype(int)
    expected = [*range(1, 151), *range(1, 151), *range(1, 257), *range(1, 45)]
    assert places.tolist() == expected


def test_features_mark_the_names_of_the_list():
    tagger = ViewpointTagger(fixed({}), CHARACTERS, NAMES)
    assert tagger.features("好北京奔驰唐本田").T.tolist() == [
        [5, 1, 1, 1, 1, 6, 2, 3],
        [0, 1, 2, 2, 3, 4, 1, 3],
    ]
    tagger.gazetteer = ["本田", " ", "", "本田", "田"]  # blank, twice, one character, one in the other
    assert tagger.gazetteer == ("本田", "田")
    assert tagger.features("本田田").T.tolist() == [[2, 3, 3], [1, 3, 4]]


def test_names_are_stripped_and_kept_once():
    assert ViewpointTagger(fixed({}), CHARACTERS, [" 本田 ", "本田", "", " \n"]).views == ("本田",)


def test_fifty_thousand_names_and_none():
    names = [f"{chr(0x4E00 + i // 250)}{chr(0x4E00 + i % 250)}车" for i in range(50_000)]
    tagger = ViewpointTagger(fixed({2: 1, 3: 1}), CHARACTERS, [*names, "本田"])
    assert [m.name for m in tagger("我买本田")] == ["本田"]
    tagger.gazetteer = []
    assert tagger("我买本田") == []


def test_unfit_arguments_are_named():
    with pytest.raises(ValueError, match="5 tags"):
        ViewpointTagger(fixed({}, 5), CHARACTERS, NAMES)
    with pytest.raises(ValueError, match="got 'crf' and 4 tags"):
        ViewpointTagger(fixed({}), CHARACTERS, NAMES, "crf")
    with pytest.raises(ValueError, match="got 'forced' and 7 tags"):
        ViewpointTagger(fixed({}, 7), CHARACTERS, NAMES, "forced")
    with pytest.raises(TypeError, match="single string '本田'"):
        ViewpointTagger(fixed({}), CHARACTERS, "本田")
    tagger = ViewpointTagger(fixed({}), CHARACTERS, NAMES)
    with pytest.raises(ValueError, match="got 'crf'"):
        tagger.decoding = "crf"
    for start, end in ((0, 0), (-1, 1), (1, 4)):
        with pytest.raises(ValueError, match="text of 3 characters"):
            entities_among(np.zeros((3, 4)), np.array([start]), np.array([end]))
    for wrong, scheme in (
        (np.full((3, 4), np.nan), POLARITY),
        (np.zeros((3, 7)), POLARITY),
        (np.zeros((3, 4)), POLARITY_BEGIN),
    ):
        with pytest.raises(ValueError, match="log-probabilities must be numbers of shape"):
            entities_among(wrong, np.array([0]), np.array([2]), scheme)
    with pytest.raises(ValueError, match="4 rows for 7 ids"):
        ViewpointTagger(article_tagger(4), CHARACTERS, NAMES)
    with pytest.raises(TypeError, match="must be a list of names, not None"):
        ViewpointTagger(fixed({}), CHARACTERS, None)
    with pytest.raises(TypeError, match="among them is None"):
        ViewpointTagger(fixed({}), CHARACTERS, ["本田", None])
    with pytest.raises(ValueError, match="two polarities"):
        find_entities("本田", [("本田", "pos"), ("本田", "neg")], Matcher(NAMES))
    with pytest.raises(TypeError, match="put it in a list"):
        tagger.log_probabilities("本田")
    with pytest.raises(TypeError, match="takes a str"):
        tagger(b"abc")
    with pytest.raises(TypeError, match="text 1 is None"):
        tagger(["本田", None])
    with pytest.raises(ValueError, match="2 texts, 1 lists of entities and 2 weights"):
        tagger.batches(["本田", "好"], [[]])
    with pytest.raises(ValueError, match="none of 1 texts has a character"):
        tagger.batches([""], [[]])


# --- training and files ------------------------------------------------------------------------------------


def test_batches_hold_each_sentence_once_with_its_weight():
    tagger = ViewpointTagger(fixed({}), CHARACTERS, NAMES)
    texts = ["本田好", "唐", "好" * 40]
    batches = tagger.batches(texts, [[(0, 2, "neg")], [(0, 1, "neu")], []], np.array([1.0, 0.5, 0.25]))
    rows = {}
    for ids, tags, weights in (batches[i] for i in range(len(batches))):
        assert ids.shape[:2] == tags.shape == weights.shape
        for row in range(len(ids)):
            n = int((weights[row] > 0).sum())
            if n:
                rows[n] = (ids[row, :n, 0].tolist(), tags[row].tolist(), set(weights[row, :n].tolist()))
                assert not ids[row, n:].any()
    assert sorted(rows) == [1, 3, 40]
    assert rows[3][0] == [2, 3, 5]
    assert rows[3][1][:4] == [3, 3, 0, 0]
    assert [rows[n][2] for n in (1, 3, 40)] == [{0.5}, {1.0}, {0.25}]


def test_batches_are_as_large_as_asked_for():
    tagger = ViewpointTagger(fixed({}), CHARACTERS, NAMES)
    texts = ["本田好"] * 20 + ["好" * 200] * 3
    for max_tokens, shapes in ((256, {(8, 32): 3, (1, 256): 3}), (512, {(16, 32): 2, (2, 256): 2})):
        batches = tagger.batches(texts, [[]] * len(texts), max_tokens=max_tokens)
        found = [batches[i][1].shape for i in range(len(batches))]
        assert {shape: found.count(shape) for shape in found} == shapes
    with pytest.raises(ValueError, match="at least 256, the longest row; got 255"):
        tagger.batches(texts, [[]] * len(texts), max_tokens=255)


@pytest.mark.parametrize(("build", "n_tags"), [(article_tagger, 4), (viewpoint_tagger, 7)])
def test_it_learns_the_grammar_and_comes_back_from_a_file(build, n_tags, tmp_path):
    data = load_viewpoints()
    texts, labels = data.sentences[:800], data.labels[:800]
    keras.utils.set_random_seed(1)
    characters = Vocabulary.fit(texts)
    network = build(len(characters), embedding=16, units=(24, 16), n_tags=n_tags)
    tagger = ViewpointTagger(network, characters, data.gazetteer)
    entities = [find_entities(text, given, tagger.matcher) for text, given in zip(texts, labels, strict=True)]
    network.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    network.fit(tagger.batches(texts, entities), epochs=4, shuffle=False, verbose=0)

    held_out, truth = data.sentences[1000:1400], data.labels[1000:1400]
    found = [[(m.name, m.polarity) for m in mentions] for mentions in tagger(held_out)]
    spans = [tagger.matcher.find(text)[:2] for text in held_out]
    neutral = [
        [(text[starts[i] : ends[i]], "neu") for i in leftmost_longest(starts, ends)]
        for text, (starts, ends) in zip(held_out, spans, strict=True)
    ]
    assert score_viewpoints(truth, found).strict_f1 > score_viewpoints(truth, neutral).strict_f1 + 0.2

    path = tmp_path / "tagger.npz"
    tagger.save(path, dtype="float16")
    again = ViewpointTagger.load(path)
    assert (again.gazetteer, again.decoding, again.scheme) == (tagger.gazetteer, "names", tagger.scheme)
    before, after = (np.concatenate(t.log_probabilities(held_out)) for t in (tagger, again))
    np.testing.assert_allclose(np.exp(after), np.exp(before), atol=0.02)


def test_files_of_other_things_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match="viewpoint tagger"):
        ViewpointTagger.load(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        ViewpointTagger.load(tmp_path / "b.npz")


def test_the_pretrained_tagger_reads_real_names():
    found = ViewpointTagger.load()("请问凯美瑞和雅阁哪个好？")
    assert [(mention.name, mention.polarity) for mention in found] == [("凯美瑞", "neu"), ("雅阁", "neu")]


def test_the_pretrained_tagger_tells_praise_from_blame():
    found = ViewpointTagger.load()("丰田太差，我喜欢本田。")
    assert [(mention.name, mention.polarity) for mention in found] == [("丰田", "neg"), ("本田", "pos")]


def test_the_pretrained_tagger_is_small_and_has_a_card():
    folder = Path(kexue_nlp.__file__).parent / "pretrained"
    assert (folder / "viewpoint_tagger.npz").stat().st_size <= 6_000_000
    card = json.loads((folder / "viewpoint_tagger.json").read_text(encoding="utf-8"))
    assert {"data", "seed", "command", "metrics", "seconds"} <= card.keys()
    assert card["seconds"] <= 3600


def test_without_the_pretrained_tagger_it_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr("kexue_nlp.saved_model.__file__", str(tmp_path / "model_files.py"))
    with pytest.raises(FileNotFoundError, match="make pretrain-tagger"):
        ViewpointTagger.load()
