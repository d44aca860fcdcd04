"""Language models: what they learn, what they return, what they refuse (article 4374's traps)."""

import itertools

import keras
import numpy as np
import pytest

from kexue_nlp.language_model import (
    LanguageModel,
    NextToken,
    Perplexity,
    WindowBatches,
    _lanes,
    ngram_perplexity,
)
from kexue_nlp.models import encoder_head, window_language_model
from kexue_nlp.text import Vocabulary


def small(cell="lstm", **options):
    return LanguageModel(Vocabulary("abcdef"), unit="character", embedding=6, units=10, cell=cell, **options)


CYCLE = [np.array([2, 3, 4, 5] * 30, np.int32)] * 8


# --- n-grams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ngram_probabilities_of_all_next_tokens_add_up_to_one(order):
    rng = np.random.default_rng(0)
    train = [rng.integers(1, 6, 40) for _ in range(3)]
    for context in itertools.product(range(1, 6), repeat=order - 1):
        # One text per token that may follow; of the tokens before it, subtract what they cost alone.
        texts = [np.array([*context, token]) for token in range(6)]
        before = len(context) and -np.log(ngram_perplexity(train, [np.array(context)], 6, order)) * len(context)
        p = [np.exp(-np.log(ngram_perplexity(train, [t], 6, order)) * len(t) - before) for t in texts]
        assert sum(p) == pytest.approx(1)


def test_ngram_model_without_discount_and_context_is_the_share_of_each_token():
    texts = [np.array([1, 1, 1, 2])]
    expected = np.exp(-(3 * np.log(3 / 4) + np.log(1 / 4)) / 4)
    assert ngram_perplexity(texts, texts, 3, order=1, discount=0.0) == pytest.approx(expected)


def test_context_helps_where_there_is_order():
    perplexity = [ngram_perplexity(CYCLE, CYCLE, 6, order) for order in (1, 2, 3)]
    assert perplexity[0] > 3.9 > 1.1 > perplexity[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"order": 0}, "order"), ({"discount": 1.5}, "discount"), ({"order": 40}, r"2\*\*63")],
)
def test_ngram_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        ngram_perplexity(CYCLE, CYCLE, 6, **options)


@pytest.mark.parametrize("texts", [[np.array([2, 6])], [np.array([-1, 2])]])
def test_ngrams_of_another_vocabulary_are_refused(texts):
    with pytest.raises(ValueError, match="ids must be from 0 to 5"):
        ngram_perplexity(CYCLE, texts, 6)


# --- the window model --------------------------------------------------------------------------------------


def test_batches_hold_every_window_once_in_a_new_order_each_epoch():
    sequences = [np.arange(1, 8), np.arange(8, 12)]
    batches = WindowBatches(sequences, n=3, batch_size=4, seed=1)
    assert len(batches) == 3

    def epoch():
        return np.concatenate([np.column_stack(batches[i]) for i in range(len(batches))])

    first = epoch()
    batches.on_epoch_end()
    second = epoch()
    assert sorted(first.tolist()) == sorted(second.tolist())
    assert first.tolist() != second.tolist()
    assert [0, 0, 0, 1] in first.tolist()
    assert [0, 0, 0, 8] in first.tolist()
    assert first.dtype == np.int32


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="batch_size must be 1 or more, got 0"):
        WindowBatches(CYCLE, n=2, batch_size=0)


def test_window_model_learns_and_its_bar_shows_perplexity():
    keras.utils.set_random_seed(0)
    model = window_language_model(6, embedding=4, units=8, n=3)
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=[Perplexity()])
    history = model.fit(WindowBatches(CYCLE, n=3, batch_size=32), epochs=3, verbose=0).history
    assert history["perplexity"] == pytest.approx(np.exp(history["loss"]), rel=1e-3)
    assert history["perplexity"][-1] < 1.5 < history["perplexity"][0]


def test_encoder_learns_with_the_language_model_and_stays_as_it_is_under_the_classifier():
    """In Keras 3, freezing after ``compile`` but before ``fit`` freezes at once: fit first, then freeze."""
    keras.utils.set_random_seed(0)
    model = window_language_model(6, embedding=4, units=8)
    encoder = model.get_layer("encoder")
    model.compile("adam", "sparse_categorical_crossentropy")
    new = [weight.copy() for weight in encoder.get_weights()]
    model.fit(WindowBatches(CYCLE, n=3, batch_size=64), verbose=0)
    learned = [weight.copy() for weight in encoder.get_weights()]
    assert all((a != b).any() for a, b in zip(new, learned, strict=True))

    encoder.trainable = False
    classifier = keras.Sequential([encoder, encoder_head(8, hidden=3)])
    classifier.compile("adam", "binary_crossentropy")
    head = [weight.copy() for weight in classifier.layers[1].get_weights()]
    x = np.random.default_rng(0).integers(1, 6, (32, 5))
    classifier.fit(x, x[:, 0] % 2, epochs=2, verbose=0)
    assert all((a == b).all() for a, b in zip(learned, encoder.get_weights(), strict=True))
    assert any((a != b).any() for a, b in zip(head, classifier.layers[1].get_weights(), strict=True))


def test_frozen_before_fit_the_encoder_silently_does_not_learn():
    """The article's order, under Keras 3: what the lesson warns of."""
    model = window_language_model(6, embedding=4, units=8)
    encoder = model.get_layer("encoder")
    model.compile("adam", "sparse_categorical_crossentropy")
    encoder.trainable = False
    before = [weight.copy() for weight in encoder.get_weights()]
    model.fit(WindowBatches(CYCLE, n=3, batch_size=64), verbose=0)
    assert all((a == b).all() for a, b in zip(before, encoder.get_weights(), strict=True))


def test_head_of_the_article_has_10021_parameters():
    assert encoder_head().count_params() == 10_021


def test_without_a_mask_padding_changes_the_state():
    encoder = window_language_model(6, embedding=4, units=8).get_layer("encoder")
    alone = np.asarray(encoder(np.array([[2, 3]])))
    padded = np.asarray(encoder(np.array([[0] * 8 + [2, 3]])))
    assert np.abs(alone - padded).max() > 1e-4


# --- the sequence model ------------------------------------------------------------------------------------


def test_lanes_go_on_where_the_batch_before_stopped():
    rows = _lanes([np.arange(1, 20), np.arange(20, 40)], lanes=2, steps=5)
    batches = rows.reshape(-1, 2, 6)
    for lane in range(2):
        for one, following in itertools.pairwise(batches[:, lane]):
            assert one[-1] == following[0]
    stream = np.concatenate([[0], np.arange(1, 20), [0], np.arange(20, 40), [0]])
    assert batches[:, 0, :-1].ravel().tolist() == stream[:20].tolist()
    assert batches[:, 1, :-1].ravel().tolist() == stream[20:40].tolist()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_sequence_model_learns_a_cycle(cell):
    model = small(cell)
    model.trainer(lanes=4, learning_rate=0.03)
    before = model.perplexity(CYCLE[:1])
    shown = model.fit(CYCLE, epochs=4, steps=10, verbose=0)
    after = model.perplexity(CYCLE[:1])
    assert before > 5
    assert after < 1.4
    assert shown[-1] < 2 < shown[0]
    assert model.next_probabilities("abc").argmax() == model.vocabulary.encode("d")[0]


def test_sequence_model_learns_from_drawn_tokens_and_draws_new_ones_for_each_batch():
    model = small("gru", n_sampled=7)
    model.trainer(lanes=4, learning_rate=0.03)
    before = keras.ops.convert_to_numpy(model.next_token.seed.state).tolist()
    model.fit(CYCLE, epochs=12, steps=10, verbose=0)
    assert keras.ops.convert_to_numpy(model.next_token.seed.state).tolist() != before
    assert model.perplexity(CYCLE[:1]) < 3  # 4 without a context


def test_perplexity_agrees_with_probabilities_step_by_step():
    model = small()
    text = "abcdefabc"
    p = [model.next_probabilities(text[:i])[model.vocabulary.encode(text[i])[0]] for i in range(len(text))]
    assert model.perplexity([text]) == pytest.approx(np.exp(-np.mean(np.log(p))), rel=1e-4)
    assert model.next_probabilities("").sum() == pytest.approx(1, rel=1e-5)


def test_sampled_softmax_estimates_the_full_one():
    full, sampled = NextToken(), NextToken(n_sampled=500)
    for layer in (full, sampled):
        layer.build((1, 1, 10), (1000, 6))
    sampled.set_weights(full.get_weights())
    table, states = 0.3 * keras.random.normal((1000, 6), seed=3), keras.random.normal((2, 300, 10), seed=1)
    targets = np.random.default_rng(0).integers(0, 1000, (2, 300))
    exact = float(full.loss(states, table, targets))
    drawn = [float(sampled.loss(states, table, targets)) for _ in range(30)]
    assert np.mean(drawn) == pytest.approx(exact, rel=0.01)
    assert np.std(drawn) > 0


def test_states_do_not_depend_on_what_is_read_beside_or_on_pieces():
    model = small()
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefg"), n)) for n in (0, 1, 63, 64, 65, 200)] * 30
    together = model.encode(texts, pooling=("last", "mean", "max"))
    for i in range(6):
        alone = model.encode(texts[i : i + 1], pooling=("last", "mean", "max"))
        states = model.states(texts[i])
        assert states.shape == (len(texts[i]) + 1, 10)
        by_hand = np.concatenate([states[-1], states.mean(axis=0), states.max(axis=0)])
        np.testing.assert_allclose(together[i], by_hand, atol=1e-5)
        np.testing.assert_allclose(alone[0], by_hand, atol=1e-5)


def test_states_are_those_of_the_encoder():
    model = small("gru")
    ids = np.array([[0, 2, 3, 7, 1]])
    np.testing.assert_allclose(np.asarray(model.encoder(ids))[0], model.states(ids[0, 1:]), atol=1e-6)


def test_training_goes_on_after_loading_the_trainer_as_if_never_stopped(tmp_path):
    whole = small()
    whole.fit(CYCLE * 10, steps=10, verbose=0)
    whole.fit(CYCLE * 20, steps=10, verbose=0)
    first = small()
    first.fit(CYCLE * 10, steps=10, verbose=0)
    first.trainer().save_weights(tmp_path / "state.weights.h5")
    second = small()
    second.trainer().load_weights(tmp_path / "state.weights.h5")
    second.fit(CYCLE * 20, steps=10, verbose=0)
    np.testing.assert_allclose(second.encode(["abc"]), whole.encode(["abc"]), atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_save_and_load(tmp_path, cell):
    model = small(cell, n_sampled=5)
    model.save(tmp_path / "model.npz")
    again = LanguageModel.load(tmp_path / "model.npz")
    assert again.vocabulary.tokens == model.vocabulary.tokens
    assert (again.unit, again.cell, again.next_token.n_sampled) == ("character", cell, 5)
    np.testing.assert_array_equal(again.encode(["abc"]), model.encode(["abc"]))
    assert again.perplexity(["abc"]) == model.perplexity(["abc"])
    model.save(tmp_path / "half.npz", dtype="float16")
    assert (tmp_path / "half.npz").stat().st_size < (tmp_path / "model.npz").stat().st_size
    np.testing.assert_allclose(
        LanguageModel.load(tmp_path / "half.npz").encode(["abc"]), model.encode(["abc"]), atol=1e-3
    )


def test_a_file_whose_parts_do_not_fit_is_refused(tmp_path):
    from kexue_nlp.saved_model import read_model, write_model

    small().save(tmp_path / "model.npz")
    meta, arrays = read_model(tmp_path / "model.npz", 1, "language model")
    write_model(tmp_path / "words.npz", 1, {**meta, "tokens": ["a", "b"]}, arrays)
    with pytest.raises(ValueError, match=r"words\.npz does not hold"):
        LanguageModel.load(tmp_path / "words.npz")
    with pytest.raises(FileNotFoundError):
        LanguageModel.load(tmp_path / "none.npz")


def test_without_the_pretrained_model_it_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr("kexue_nlp.saved_model.__file__", str(tmp_path / "model_files.py"))
    with pytest.raises(FileNotFoundError, match="make pretrain-lm"):
        LanguageModel.load()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([np.array([2, 8])], "from 2 to 8, the vocabulary from 0 to 7"),
        ([np.array([-1])], "from -1"),
        ([np.array([[1, 2]])], "one dimension"),
        ([np.array([1.5])], "dtype float64"),
    ],
)
def test_ids_of_another_vocabulary_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        small().encode(texts)


def test_other_bad_input():
    model = small()
    with pytest.raises(TypeError, match="put it in a list"):
        model.encode("abc")
    with pytest.raises(ValueError, match="pooling"):
        model.encode(["abc"], pooling="sum")
    with pytest.raises(ValueError, match="64 lanes"):
        model.fit(["abc"], verbose=0)
    with pytest.raises(ValueError, match="token to predict"):
        model.perplexity([""])
    with pytest.raises(ValueError, match="cell"):
        LanguageModel(Vocabulary("a"), cell="rnn")
    with pytest.raises(ValueError, match="float16"):
        model.save("model.npz", dtype="int8")
    assert model.encode([]).shape == (0, 10)
    assert np.isfinite(model.encode(["", "zzz"])).all()
