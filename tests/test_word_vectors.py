"""BioWord: windows and training against dense transcriptions, codes, refusals, copies and files."""

import copy
import json
import pickle
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from kexue_nlp import word_vectors
from kexue_nlp.word_vectors import BioWord, count_winners, lift, paper_weights, window_matrix

TOPICS = (
    "the bank lends money and the loan earns interest",
    "the bank of the river floods when rain falls",
    "money and interest on a loan from the bank",
    "rain fills the river and water floods the bank",
    "a guitar and a piano play music",
    "music for piano or guitar or drums",
)
CORPUS = [TOPICS[i] for i in np.random.default_rng(0).integers(0, len(TOPICS), 40)]
OUT_OF_RANGE = [(name, 0) for name in ("n_units", "n_active", "vocabulary_size", "n_learning", "n_winners")]
OUT_OF_RANGE += [("n_active", 13), ("n_active", 2.0), ("window", 4), ("window", 1), ("weighting", "l2")]


def small(**changes):
    return BioWord(**({"n_units": 12, "n_active": 3, "window": 5, "random_state": 0} | changes))


@pytest.fixture(scope="module")
def model():
    return small().fit(CORPUS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def dense_windows(documents, words, half):
    """Windows straight from their definition, one dense 2V vector each."""
    ids = {word: i for i, word in enumerate(words)}
    rows = []
    for document in documents:
        known = [ids[w] for w in document if w in ids]
        for i, centre in enumerate(known):
            row = np.zeros(2 * len(words))
            row[known[max(0, i - half) : i] + known[i + 1 : i + 1 + half]] = 1
            row[len(words) + centre] = 1
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize(
    ("documents", "size"),
    [
        ([["a", "b"], ["c", "d"]], 9),
        ([["a", "b", "c", "b", "a"]], 9),
        ([["a", "b", "a", "c"]], 9),
        ([["a", "x", "b", "a", "b"]], 2),
        ([text.split() for text in CORPUS], 99),
    ],
    ids=["none crosses documents", "repeated", "centre repeated", "unknown words dropped first", "corpus"],
)
def test_windows_equal_their_definition(documents, size):
    words, _, ids = word_vectors._encode(documents, size, 2)
    windows = window_matrix(ids, np.flatnonzero(ids < 2 * len(words)), 2, len(words)).toarray()
    assert np.array_equal(windows[:, :-1], dense_windows(documents, words, 2))


@pytest.mark.parametrize(("n_winners", "weigh"), [(1, lift), (3, lift), (1, paper_weights)])
def test_a_round_equals_a_dense_transcription(n_winners, weigh):
    documents = [text.split() for text in CORPUS]
    words, counts, ids = word_vectors._encode(documents, 100, 2)
    p = counts / counts.sum()
    # Multiples of 1/64 add up exactly, so equal activations are equal in both.
    weights = np.random.default_rng(1).integers(0, 64, (2 * len(words) + 1, 12)).astype(np.float32) / 64
    weights[-1] = 0
    centres = np.flatnonzero(ids < 2 * len(words))
    got = count_winners(window_matrix(ids, centres, 2, len(words)), weights, n_winners).toarray()

    expected = np.zeros((2 * len(words), 12))
    for window in dense_windows(documents, words, 2):
        for unit in np.argsort(-(window @ weights[:-1]), kind="stable")[:n_winners]:
            expected[:, unit] += window
    assert np.array_equal(got[:-1], expected)

    if weigh is lift:
        learned = expected / np.tile(p + 1e-4, 2)[:, None] / np.maximum(expected[len(words) :].sum(0), 1)
    else:
        learned = expected / np.tile(p, 2)[:, None]
        learned /= np.maximum(np.linalg.norm(learned, axis=0), 1e-30)
    np.testing.assert_allclose(weigh(got, p)[:-1], learned, rtol=1e-5)


def test_training_does_not_depend_on_chunks_or_on_how_documents_come(model, monkeypatch):
    monkeypatch.setattr(word_vectors, "_CHUNK", 7)
    for documents in (CORPUS, iter(CORPUS), (iter(text.split()) for text in CORPUS)):
        assert np.array_equal(small().fit(documents).weights_, model.weights_)


def test_quotation_marks_do_not_stick_to_words():
    model = small().fit(["'Rocky's' the boys' film", "the 'film', ' ''twas'"])
    assert model.words_ == ("the", "film", "rocky's", "boys", "twas")
    assert np.array_equal(model.contextual("the 'film'", 1), model.contextual(["the", "film"], 1))


def test_words_are_asked_for_as_of_gensim_and_parameters_as_of_scikit_learn(model):
    assert ("bank" in model, "zzz" in model, len(model), len(small())) == (True, False, len(model.words_), 0)
    assert np.array_equal(model["bank"], model.static("bank"))
    again = clone(model).set_params(n_active=2).fit(CORPUS)
    assert again.get_params() == model.get_params() | {"n_active": 2}
    assert again["bank"].sum() == 2


def test_units_find_the_topics_and_small_corpora_do_until_no_word_is_left(model):
    assert model.similarity("guitar", "piano") > model.similarity("guitar", "river")
    assert small(n_units=50).fit(["a b c"]).codes().sum(axis=1).tolist() == [3, 3, 3]
    for documents in (["one"], ["one one one one"], [["one"], []]):
        of_one_word = small().fit(documents)
        assert of_one_word.words_ == ("one",)
        assert of_one_word.static("one").sum() == 3
        assert of_one_word.nearest("one") == []
    for documents in ([], [""], [[]], ["...", "!"]):
        with pytest.raises(ValueError, match="no word"):
            small().fit(documents)


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("one text", "iterable of documents"),
        (["fine", None], "document 1 is neither text nor words"),
        ([["a"], ["b", ["nested"], "c"]], "document 1 is neither text nor words"),
        (["fine", b"bytes"], "a document holds 98, which is not a str"),
        ([["a"], ["b", 7, "c"]], "a document holds 7, which is not a str"),
    ],
)
def test_what_is_neither_text_nor_words_is_told(documents, message):
    with pytest.raises(TypeError, match=message):
        small().fit(documents)


@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        small(**{name: value}).fit(CORPUS)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_codes_have_k_ones_or_as_many_as_units_have_seen_the_word(model, k):
    sums = model.weights_[: len(model.words_)] + model.weights_[len(model.words_) : -1]
    assert model.codes(k=k).sum(axis=1).tolist() == np.minimum((sums > 0).sum(axis=1), k).tolist()
    row = sums[model.words_.index("bank")]
    best = sorted(unit for unit in np.argsort(-row, kind="stable")[:k].tolist() if row[unit])
    assert np.flatnonzero(model.static("bank", k)).tolist() == best
    assert 1 <= model.contextual("money in the bank", 3, k).sum() <= k


def test_rare_words_without_common_units_are_not_similar():
    documents = [f"a{i} b{i} c{i}".split() for i in range(12)]
    model = BioWord(12, 6, window=3, random_state=0, n_winners=1).fit(documents)
    codes = model.codes(k=6).toarray().astype(int)
    common = codes @ codes.T
    for i, j in ((0, 5), (3, 9)):
        a, b = model.words_.index(f"a{i}"), model.words_.index(f"a{j}")
        expected = common[a, b] / np.sqrt(common[a, a] * common[b, b])
        assert model.similarity(f"a{i}", f"a{j}") == pytest.approx(expected)
    assert model.similarity("a0", "a0") == 1
    assert 0 < codes.sum(axis=1).max() < 6
    assert min(score for _, score in model.nearest("a0", 35)) == 0


@pytest.mark.parametrize(
    ("words", "i", "around"),
    [
        (["bank"], 0, ()),
        (["rain", "rain", "the", "bank", "water"], 3, ("rain", "the", "water")),
        (["zzz", "rain", "qqq", "bank"], 3, ("rain",)),
        ("rain bank", -1, ("rain",)),
    ],
    ids=["alone", "repeated", "unknown words", "text, from the end"],
)
def test_contextual_code_adds_the_context_to_the_centre(model, words, i, around):
    v = np.zeros(2 * len(model.words_), np.float32)
    v[[model.words_.index(word) for word in around]] = 1
    v[len(model.words_) + model.words_.index("bank")] = 1
    best = sorted(np.argsort(-(v @ model.weights_[:-1]), kind="stable")[:3])
    assert np.flatnonzero(model.contextual(words, i)).tolist() == best


NO_QUERIES = (None, 5, ["bank"], ("a bank", "a"), ("a bank", 1.0), ("a bank", True), np.ones(4))


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        *((lambda m, q=q: m.nearest(q), TypeError, "give a word, or a text or words and an") for q in NO_QUERIES),
        *((lambda m, i=i: m.contextual("rain bank", i), IndexError, f"i={i}") for i in (2, -3)),
        *((lambda m, i=i: m.similarity("bank", ("rain bank", i)), IndexError, f"i={i}") for i in (2, -3)),
        *((lambda m, k=k: m.static("bank", k), ValueError, "k must be") for k in (0, -1, 13, 2.5, True)),
        *((lambda m, n=n: m.nearest("bank", n), ValueError, "n must be") for n in (0, -1, 2.5, True)),
        (lambda m: m.codes("bank"), TypeError, "one str, 'bank'"),
        (lambda m: small().static("bank"), ValueError, "fit"),
    ],
    ids=count(),
)
def test_what_cannot_be_asked_is_refused(model, ask, error, message):
    with pytest.raises(error, match=message):
        ask(model)


@pytest.mark.parametrize("ask", ["static", "nearest", "contextual"])
def test_unknown_word_names_the_three_closest_spellings(model, ask):
    with pytest.raises(KeyError) as error:
        model.contextual(["gitar"], 0) if ask == "contextual" else getattr(model, ask)("gitar")
    suggestions = error.value.args[0].partition("close to it: ")[2].split(", ")
    assert (suggestions[0], len(suggestions)) == ("guitar", 3)


def test_nearest_is_ordered_by_common_ones_without_the_word(model):
    found = model.nearest("bank", 100)
    assert sorted(word for word, _ in found) == sorted({*model.words_} - {"bank"})
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    common = (model.static("bank") & model.static("money")).sum()
    assert dict(found)["money"] == model.similarity("bank", "money") == common / 3
    in_context = (model.static("bank") & model.contextual("rain bank", 1)).sum()
    assert model.similarity("bank", ("rain bank", 1)) == pytest.approx(in_context / 3)


def test_keyed_vectors_hold_the_codes(model):
    vectors = pytest.importorskip("gensim") and model.to_keyed_vectors()
    assert np.array_equal(vectors["bank"], model.static("bank"))
    assert vectors.get_vecattr("bank", "count") == model.counts_[model.words_.index("bank")]
    assert vectors.similarity("bank", "money") == pytest.approx(model.similarity("bank", "money"))


def test_a_file_holds_the_model_and_a_copy_learns_the_same(model, path):
    model.save(path)
    loaded = BioWord.load(path)
    assert (loaded.words_, loaded.counts_.tolist()) == (model.words_, model.counts_.tolist())
    assert np.array_equal(loaded.weights_, model.weights_)
    for learner in pickle.loads(pickle.dumps([model, small()])):
        assert np.array_equal(learner.fit(CORPUS).weights_, model.weights_)


def test_small_file_keeps_the_largest_weights_and_stays_small(model, path):
    model.save(path, n_kept=2)
    loaded = BioWord.load(path)
    assert (np.count_nonzero(loaded.weights_, axis=1) <= 2).all()
    np.testing.assert_allclose(loaded.weights_.max(axis=1), model.weights_.max(axis=1), rtol=1e-6)
    kept = np.where(loaded.weights_ > 0, model.weights_, 0)
    np.testing.assert_allclose(loaded.weights_, kept, atol=2e-5 * kept.max())  # 6 bits would make many equal
    for n_kept in (None, 4):
        loaded.save(path, n_kept)
        again = BioWord.load(path)
        assert again.static("bank", k=2).sum() == 2
        with pytest.raises(ValueError, match="k=3, but the file of this model kept only 2"):
            again.codes(k=3)
    with pytest.raises(ValueError, match="n_kept must be an integer of at least 1 and at most 12; got 13"):
        model.save(path, n_kept=13)


def test_parameters_changed_after_fit_do_not_change_the_units(model, path):
    changed = copy.deepcopy(model)
    changed.n_units = np.int64(99)
    changed.n_active = np.int64(3)
    changed.save(path)
    assert BioWord.load(path).n_units == model.weights_.shape[1]
    with pytest.raises(ValueError, match=f"k must be an integer of at least 1 and at most {model.weights_.shape[1]}"):
        changed.static("bank", 50)


@pytest.mark.parametrize("changed", [{"weights": np.ones((3, 4))}, {"counts": np.ones(1)}])
def test_parts_that_do_not_fit_together_are_refused(model, path, changed):
    model.save(path)
    with np.load(path) as file:
        content = dict(file)
    np.savez(path, **content | changed)
    with pytest.raises(ValueError, match="do not fit together"):
        BioWord.load(path)


def test_pretrained_matches_its_card_and_knows_neighbours():
    path = Path(word_vectors.__file__).parent / "pretrained" / "bioword.npz"
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert path.stat().st_size == card["bytes"] <= 8_000_000
    model = BioWord.load()
    assert "guitar" in dict(model.nearest("piano", 20))
    assert model.similarity("piano", "guitar") > model.similarity("piano", "murder")
    with pytest.raises(ValueError, match=f"kept only {card['kept_weights_per_word']}"):
        model.similarity("good", "bad", k=51)
