import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

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


def corpus(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return [TOPICS[i] for i in rng.integers(0, len(TOPICS), n)]


def small(**changes):
    return BioWord(**({"n_units": 12, "n_active": 3, "window": 5, "random_state": 0} | changes))


@pytest.fixture(scope="module")
def model():
    return small().fit(corpus())


@pytest.fixture(scope="module")
def pretrained():
    return BioWord.load()


def encoded(documents, half=2):
    return word_vectors._encode(documents, 100, half)


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


def sparse_windows(documents, half=2):
    words, _, ids = encoded(documents, half)
    centres = np.flatnonzero(ids < 2 * len(words))
    return words, window_matrix(ids, centres, half, len(words)).toarray()[:, :-1]


# --- windows ------------------------------------------------------------------------------------------------


def test_windows_never_cross_documents():
    words, windows = sparse_windows([["a", "b"], ["c", "d"]])
    around = {words[c]: {words[j] for j in np.flatnonzero(row[:4])} for c, row in enumerate(windows)}
    assert around == {"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c"}}


def test_a_repeated_context_word_counts_once():
    words, windows = sparse_windows([["a", "b", "c", "b", "a"]])
    middle = windows[2]
    assert (middle[words.index("a")], middle[words.index("b")]) == (1, 1)


def test_the_centre_is_in_the_context_only_if_it_occurs_there_too():
    words, windows = sparse_windows([["a", "b", "a", "c"]])
    assert windows[2][words.index("a")] == 1
    assert windows[1][words.index("b")] == 0


def test_windows_equal_their_definition():
    documents = [text.split() for text in corpus()]
    words, windows = sparse_windows(documents)
    assert np.array_equal(windows, dense_windows(documents, words, 2))


def test_words_outside_the_vocabulary_are_dropped_before_windows_are_cut():
    words, _, ids = word_vectors._encode([["a", "x", "b", "a", "b"]], 2, 1)
    assert words == ("a", "b")
    assert ids.tolist() == [4, 0, 1, 0, 1, 4]


# --- training -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_winners", "weigh"), [(1, lift), (3, lift), (1, paper_weights)])
def test_a_round_equals_a_dense_transcription(n_winners, weigh):
    documents = [text.split() for text in corpus()]
    words, counts, ids = encoded(documents)
    p = counts / counts.sum()
    dense = dense_windows(documents, words, 2)
    # Multiples of 1/64 add up exactly, so equal activations are equal in both.
    weights = np.random.default_rng(1).integers(0, 64, (2 * len(words) + 1, 12)).astype(np.float32) / 64
    weights[-1] = 0
    centres = np.flatnonzero(ids < 2 * len(words))
    got = count_winners(window_matrix(ids, centres, 2, len(words)), weights, n_winners).toarray()

    expected = np.zeros((2 * len(words), 12))
    for window in dense:
        for unit in np.argsort(-(window @ weights[:-1]), kind="stable")[:n_winners]:
            expected[:, unit] += window
    assert np.array_equal(got[:-1], expected)

    if weigh is lift:
        learned = expected / np.tile(p + 1e-4, 2)[:, None] / np.maximum(expected[len(words) :].sum(0), 1)
    else:
        learned = expected / np.tile(p, 2)[:, None]
        learned /= np.maximum(np.linalg.norm(learned, axis=0), 1e-30)
    np.testing.assert_allclose(weigh(got, p)[:-1], learned, rtol=1e-5)


def test_counts_do_not_depend_on_how_windows_are_cut_into_chunks(monkeypatch):
    whole = small().fit(corpus()).weights_
    monkeypatch.setattr(word_vectors, "_CHUNK", 7)
    assert np.array_equal(small().fit(corpus()).weights_, whole)


def test_units_find_the_topics(model):
    assert model.similarity("guitar", "piano") > model.similarity("guitar", "river")


def test_same_seed_same_codes():
    first, second = (small().fit(corpus()) for _ in range(2))
    assert (first.codes() != second.codes()).nnz == 0


def test_documents_may_be_an_iterator_that_is_gone_through_once():
    assert np.array_equal(small().fit(iter(corpus())).weights_, small().fit(corpus()).weights_)


def test_texts_and_their_words_train_the_same():
    words = (iter(text.split()) for text in corpus())
    assert np.array_equal(small().fit(words).weights_, small().fit(corpus()).weights_)


def test_more_units_than_words_leaves_exact_codes():
    model = small(n_units=50).fit(["a b c"])
    assert model.codes().sum(axis=1).tolist() == [3, 3, 3]


@pytest.mark.parametrize("documents", [["one"], ["one one one one"], [["one"], []]])
def test_corpus_of_one_word(documents):
    model = small().fit(documents)
    assert model.words_ == ("one",)
    assert model.static("one").sum() == 3
    assert model.nearest("one") == []


@pytest.mark.parametrize("documents", [[], [""], [[]], ["...", "!"]])
def test_empty_corpus_is_refused(documents):
    with pytest.raises(ValueError, match="no word"):
        small().fit(documents)


@pytest.mark.parametrize("wrong", [3, None, b"bytes"])
def test_a_document_that_is_neither_text_nor_words_is_named(wrong):
    with pytest.raises(TypeError, match="document 1 is"):
        small().fit(["fine", wrong])


@pytest.mark.parametrize("wrong", [7, None, ["nested"]])
def test_what_is_no_word_is_named(wrong):
    with pytest.raises(TypeError, match=f"holds {re.escape(repr(wrong))}"):
        small().fit([["a"], ["b", wrong, "c"]])


@pytest.mark.parametrize("wrong", [None, 3, ["nested"]])
def test_what_is_no_word_is_named_wherever_it_stands(wrong):
    with pytest.raises(TypeError, match=re.escape(repr(wrong))):
        BioWord(2, 1).fit([["fine"], ["fine", wrong, "words"]])


def test_one_text_instead_of_many_is_refused():
    with pytest.raises(TypeError, match="iterable of documents"):
        small().fit("one text")


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_units": 0},
        {"n_active": 13},
        {"n_active": 0},
        {"n_active": 2.0},
        {"window": 4},
        {"window": 1},
        {"vocabulary_size": 0},
        {"n_learning": 0},
        {"n_winners": 0},
        {"weighting": "l2"},
    ],
)
def test_parameter_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        small(**wrong).fit(corpus())


# --- codes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 12])
def test_codes_have_k_ones_or_as_many_as_units_have_seen_the_word(model, k):
    seen = (model.weights_[len(model.words_) : -1] > 0).sum(axis=1)
    assert model.codes(k=k).sum(axis=1).tolist() == np.minimum(seen, k).tolist()
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


def test_codes_of_one_str_are_refused(model):
    with pytest.raises(TypeError, match="one str, 'bank'"):
        model.codes("bank")


@pytest.mark.parametrize("i", [1.0, None, True])
def test_a_position_is_an_integer(model, i):
    with pytest.raises(TypeError, match="i must be an integer"):
        model.contextual("rain bank", i)


@pytest.mark.parametrize("query", [None, 5, ["bank"], ("a bank", "bank"), np.ones(4)])
def test_a_query_that_is_neither_word_nor_place_is_refused(model, query):
    with pytest.raises(TypeError, match="ask for a word"):
        model.nearest(query)


def test_static_code_is_that_of_the_column_of_the_centre(model):
    v = np.zeros(2 * len(model.words_), np.float32)
    v[len(model.words_) + model.words_.index("bank")] = 1
    best = np.argsort(-(v @ model.weights_[:-1]), kind="stable")[:3]
    assert np.flatnonzero(model.static("bank")).tolist() == sorted(best)


def test_contextual_code_adds_the_bag_of_the_context(model):
    words = ["rain", "rain", "the", "bank", "water"]
    v = np.zeros(2 * len(model.words_), np.float32)
    v[[model.words_.index(w) for w in ("rain", "the", "water")]] = 1
    v[len(model.words_) + model.words_.index("bank")] = 1
    best = np.argsort(-(v @ model.weights_[:-1]), kind="stable")[:3]
    assert np.flatnonzero(model.contextual(words, 3)).tolist() == sorted(best)


def test_contextual_code_of_a_word_alone_is_its_static_code(model):
    assert np.array_equal(model.contextual(["bank"], 0), model.static("bank"))


def test_unknown_words_of_a_context_are_skipped(model):
    with_unknown = model.contextual(["zzz", "rain", "qqq", "bank"], 3)
    assert np.array_equal(with_unknown, model.contextual(["rain", "bank"], 1))


def test_negative_position_counts_from_the_end(model):
    assert np.array_equal(model.contextual("rain bank", -1), model.contextual("rain bank", 1))


@pytest.mark.parametrize("i", [2, -3])
def test_position_outside_the_text_is_refused(model, i):
    with pytest.raises(IndexError, match=f"i={i}"):
        model.contextual("rain bank", i)


def test_nearest_and_similarity_refuse_a_position_outside_the_text(model):
    with pytest.raises(IndexError, match="i=2"):
        model.nearest(("rain bank", 2))
    with pytest.raises(IndexError, match="i=2"):
        model.similarity("bank", ("rain bank", 2))


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_nearest_wants_a_positive_number_of_words(model, n):
    with pytest.raises(ValueError, match="n must be"):
        model.nearest("bank", n)


@pytest.mark.parametrize("ask", ["static", "nearest", "contextual"])
def test_unknown_word_names_the_three_closest_spellings(model, ask):
    with pytest.raises(KeyError) as error:
        model.contextual(["gitar"], 0) if ask == "contextual" else getattr(model, ask)("gitar")
    suggestions = error.value.args[0].partition("close to it: ")[2].split(", ")
    assert suggestions[0] == "guitar"
    assert len(suggestions) == 3


@pytest.mark.parametrize("k", [0, -1, 13, 2.5, True])
def test_k_out_of_range_is_refused(model, k):
    with pytest.raises(ValueError, match="k must be"):
        model.static("bank", k)


def test_asking_before_fit_says_so():
    with pytest.raises(ValueError, match="fit"):
        small().static("bank")


def test_nearest_is_ordered_and_leaves_out_the_word(model):
    found = model.nearest("bank", 100)
    assert len(found) == len(model.words_) - 1
    assert "bank" not in dict(found)
    overlaps = [overlap for _, overlap in found]
    assert overlaps == sorted(overlaps, reverse=True)
    assert dict(found)["river"] == model.similarity("bank", "river")


def test_similarity_is_the_share_of_common_ones(model):
    common = (model.static("bank") & model.static("money")).sum()
    assert model.similarity("bank", "money") == common / 3
    assert model.similarity("bank", ("rain bank", 1)) == pytest.approx(
        (model.static("bank") & model.contextual("rain bank", 1)).sum() / 3
    )


def test_keyed_vectors_hold_the_codes(model):
    vectors = pytest.importorskip("gensim") and model.to_keyed_vectors()
    assert np.array_equal(vectors["bank"], model.static("bank"))
    assert vectors.similarity("bank", "money") == pytest.approx(model.similarity("bank", "money"))


# --- files --------------------------------------------------------------------------------------------------


def test_saved_and_loaded_gives_the_same_codes(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = BioWord.load(tmp_path / "model.npz")
    assert (loaded.codes(k=5) != model.codes(k=5)).nnz == 0
    assert np.array_equal(loaded.contextual("rain bank", 1), model.contextual("rain bank", 1))
    assert loaded.counts_.tolist() == model.counts_.tolist()


def test_small_file_keeps_the_largest_weights(model, tmp_path):
    model.save(tmp_path / "small.npz", n_kept=4)
    loaded = BioWord.load(tmp_path / "small.npz")
    assert (np.count_nonzero(loaded.weights_, axis=1) <= 4).all()
    np.testing.assert_allclose(loaded.weights_.max(axis=1), model.weights_.max(axis=1), rtol=1e-6)


def test_a_small_file_cannot_keep_more_weights_than_there_are(model, tmp_path):
    with pytest.raises(ValueError, match="n_kept must be from 1 to n_units"):
        model.save(tmp_path / "model.npz", n_kept=model.n_units + 1)
    assert not list(tmp_path.iterdir())


def test_a_small_file_stays_one(model, tmp_path):
    model.save(tmp_path / "small.npz", n_kept=2)
    again = BioWord.load(tmp_path / "small.npz")
    for n_kept in (None, 4):
        again.save(tmp_path / "again.npz", n_kept)
        with pytest.raises(ValueError, match="kept only 2"):
            BioWord.load(tmp_path / "again.npz").codes(k=3)


def test_parameters_changed_after_fit_do_not_change_the_units(model, tmp_path):
    changed = pickle.loads(pickle.dumps(model))
    changed.n_units = np.int64(99)
    changed.n_active = np.int64(3)
    changed.save(tmp_path / "model.npz")
    assert BioWord.load(tmp_path / "model.npz").n_units == model.weights_.shape[1]
    with pytest.raises(ValueError, match=f"k must be from 1 to n_units={model.weights_.shape[1]}"):
        changed.static("bank", 50)


@pytest.mark.parametrize("changed", [{"weights": np.ones((3, 4))}, {"counts": np.ones(1)}])
def test_parts_that_do_not_fit_together_are_refused(model, tmp_path, changed):
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as file:
        arrays = {name: file[name] for name in file.files} | changed
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(ValueError, match="do not fit together"):
        BioWord.load(tmp_path / "model.npz")


def test_a_model_survives_pickling(model):
    assert (pickle.loads(pickle.dumps(model)).codes() != model.codes()).nnz == 0


def test_a_failed_save_leaves_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")

    def full_disk(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space"):
        model.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]
    assert path.read_bytes() == b"old"


def test_a_file_cut_short_is_refused(model, tmp_path):
    model.save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a complete BioWord file"):
        BioWord.load(tmp_path / "cut.npz")


def test_another_format_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "FORMAT", 99)
    model.save(tmp_path / "model.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="format 99"):
        BioWord.load(tmp_path / "model.npz")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        BioWord.load(tmp_path / "none.npz")


def test_pretrained_knows_neighbours_and_contexts(pretrained):
    assert {"guitar"} & {word for word, _ in pretrained.nearest("piano", 20)}
    assert pretrained.similarity("piano", "guitar") > pretrained.similarity("piano", "murder")


def test_pretrained_is_small_and_matches_its_card():
    path = Path(word_vectors.__file__).parent / "pretrained" / "bioword.npz"
    card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    assert path.stat().st_size == card["bytes"] <= 4_000_000


def test_more_ones_than_a_small_file_kept_are_refused(tmp_path):
    texts = ["the cat drinks milk", "the dog drinks water", "a cat eats fish", "a dog eats meat"] * 20
    model = BioWord(n_units=4, n_active=1, window=3, random_state=0).fit(texts)
    model.save(tmp_path / "small.npz", n_kept=2)
    loaded = BioWord.load(tmp_path / "small.npz")
    assert loaded.static("cat", k=2).sum() == 2
    with pytest.raises(ValueError, match="k=3, but the file of this model kept only 2"):
        loaded.static("cat", k=3)


def test_pretrained_refuses_more_ones_than_it_kept():
    with pytest.raises(ValueError, match="kept only 40"):
        BioWord.load().similarity("good", "bad", k=51)
