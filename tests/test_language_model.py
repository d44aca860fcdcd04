"""Language models: what they learn, what they return, what they refuse (article 4374's traps)."""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import keras
import numpy as np
import pytest

from kexue_nlp.language_model import LanguageModel, NextToken, Perplexity, WindowBatches, _stateful_rows
from kexue_nlp.models import encoder_head, window_language_model
from kexue_nlp.text import Vocabulary

CYCLE = [np.array([2, 3, 4, 5] * 30, np.int32)] * 8


def small(cell="lstm", **options):
    return LanguageModel(Vocabulary("abcdef"), unit="character", embedding=6, units=10, cell=cell, **options)


def weights(layer):
    return [keras.ops.convert_to_numpy(weight.value) for weight in layer.weights]


@pytest.fixture(scope="module")
def model():
    """Not trained and not to be trained."""
    return small()


def test_window_model_learns_and_its_encoder_can_be_frozen():
    keras.utils.set_random_seed(0)
    model = window_language_model(6, embedding=4, units=8, n=3)
    encoder = model.get_layer("encoder")
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=[Perplexity()])
    new = weights(encoder)
    history = model.fit(WindowBatches(CYCLE, n=3, batch_size=32), epochs=3, verbose=0).history
    assert history["perplexity"] == pytest.approx(np.exp(history["loss"]), rel=1e-3)
    assert history["perplexity"][-1] < 1.5 < history["perplexity"][0]
    learned = weights(encoder)
    assert all((a != b).any() for a, b in zip(new, learned, strict=True))

    encoder.trainable = False
    classifier = keras.Sequential([encoder, encoder_head(8, hidden=3)])
    classifier.compile("adam", "binary_crossentropy")
    head = weights(classifier.layers[1])
    x = np.random.default_rng(0).integers(1, 6, (32, 5))
    classifier.fit(x, x[:, 0] % 2, epochs=2, verbose=0)
    assert all((a == b).all() for a, b in zip(learned, weights(encoder), strict=True))
    assert any((a != b).any() for a, b in zip(head, weights(classifier.layers[1]), strict=True))

    # Without a mask, padding changes the state.
    alone, behind_zeros = (encoder.predict_on_batch(np.array([[0] * n + [2, 3]])) for n in (0, 8))
    assert np.abs(alone - behind_zeros).max() > 1e-4


def test_frozen_before_fit_the_encoder_silently_does_not_learn():
    model = window_language_model(6, embedding=4, units=8)
    encoder = model.get_layer("encoder")
    model.compile("adam", "sparse_categorical_crossentropy")
    encoder.trainable = False
    before = weights(encoder)
    model.fit(WindowBatches(CYCLE[:1], n=3, batch_size=64), verbose=0)
    assert all((a == b).all() for a, b in zip(before, weights(encoder), strict=True))


def test_rows_go_on_where_the_batch_before_stopped():
    batches = _stateful_rows([np.arange(1, 20), np.arange(20, 40)], batch_size=2, steps=5).reshape(-1, 2, 6)
    assert batches[:-1, :, -1].tolist() == batches[1:, :, 0].tolist()
    stream = np.concatenate([[0], np.arange(1, 20), [0], np.arange(20, 40), [0]])
    assert batches[:, 0, :-1].ravel().tolist() == stream[:20].tolist()
    assert batches[:, 1, :-1].ravel().tolist() == stream[20:40].tolist()


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_learns_a_cycle_and_comes_back_from_a_file(cell, tmp_path):
    model = small(cell, n_sampled=100)  # more than there are tokens: all of them
    model.trainer(batch_size=4, learning_rate=0.03)
    before = model.perplexity(CYCLE[:1])
    shown = model.fit(CYCLE, epochs=4, steps=10, verbose=0)
    assert before > 5
    assert shown[-1] < 2 < shown[0]
    assert model.perplexity(CYCLE[:1]) < 1.4
    assert model.next_probabilities("abc").argmax() == model.vocabulary.encode("d")[0]
    assert model.generate("ab", 6) == "abcdabcd"

    model.save(tmp_path / "model.npz")
    model.save(tmp_path / "half.npz", dtype="float16")
    again, half = (LanguageModel.load(tmp_path / f"{name}.npz") for name in ("model", "half"))
    assert again.vocabulary.tokens == model.vocabulary.tokens
    assert (again.unit, again.cell, again.next_token.n_sampled) == ("character", cell, 100)
    np.testing.assert_array_equal(again.encode(["abc"]), model.encode(["abc"]))
    assert again.perplexity(["abc"]) == model.perplexity(["abc"])
    np.testing.assert_allclose(half.encode(["abc"]), model.encode(["abc"]), atol=3e-3)


def test_it_learns_from_drawn_tokens_and_draws_new_ones_for_each_batch():
    model = small("gru", n_sampled=7)
    model.trainer(batch_size=4, learning_rate=0.03)
    before = keras.ops.convert_to_numpy(model.next_token.seed.state.value).tolist()
    model.fit(CYCLE, epochs=12, steps=10, verbose=0)
    assert keras.ops.convert_to_numpy(model.next_token.seed.state.value).tolist() != before
    assert model.perplexity(CYCLE[:1]) < 3  # 4 without a context


def test_sampled_softmax_estimates_the_full_one():
    full, sampled = NextToken(), NextToken(n_sampled=500)
    for layer in (full, sampled):
        layer.build((1, 1, 10), (1000, 6))
    sampled.set_weights(weights(full))
    table, states = 0.3 * keras.random.normal((1000, 6), seed=3), keras.random.normal((2, 300, 10), seed=1)
    targets = np.random.default_rng(0).integers(0, 1000, (2, 300))
    exact = float(full.loss(states, table, targets))
    drawn = [float(sampled.loss(states, table, targets)) for _ in range(30)]
    assert np.mean(drawn) == pytest.approx(exact, rel=0.01)
    assert np.std(drawn) > 0


def test_training_goes_on_after_loading_the_trainer_as_if_never_stopped(tmp_path):
    whole, first, second = small(), small(), small()
    for model in (whole, first, second):
        model.trainer(batch_size=4)
    for model in (whole, first):
        model.fit(CYCLE[:4], steps=10, verbose=0)
    whole.fit(CYCLE, steps=10, verbose=0)
    first.trainer().save_weights(tmp_path / "state.weights.h5")
    second.trainer().load_weights(tmp_path / "state.weights.h5")
    second.fit(CYCLE, steps=10, verbose=0)
    np.testing.assert_allclose(second.encode(["abc"]), whole.encode(["abc"]), atol=1e-6)


def learned():
    model = small(n_sampled=100)  # as above, so that it is not compiled again
    model.trainer(batch_size=4, learning_rate=0.03)
    return [*model.fit(CYCLE, epochs=3, steps=10, verbose=0), model.perplexity(CYCLE[:1])]


ON_TWO_DEVICES = """import kexue_nlp, keras, jax
keras.distribution.set_distribution(keras.distribution.DataParallel())
from test_language_model import learned
print(jax.device_count(), *learned())"""


def test_two_devices_that_share_each_batch_learn_what_one_learns():
    options = {
        "env": os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        "cwd": Path(__file__).parent,
    }
    said = subprocess.check_output([sys.executable, "-c", ON_TWO_DEVICES], **options)
    n_devices, *perplexities = map(float, said.split())
    assert n_devices == 2
    np.testing.assert_allclose(perplexities, learned(), rtol=1e-4)


def test_perplexity_agrees_with_probabilities_step_by_step(model):
    text = "abcdefabc"
    p = [model.next_probabilities(text[:i])[model.vocabulary.encode(text[i])[0]] for i in range(len(text))]
    assert model.perplexity([text]) == pytest.approx(np.exp(-np.mean(np.log(p))), rel=1e-4)
    assert model.next_probabilities("").sum() == pytest.approx(1, rel=1e-5)


def test_states_do_not_depend_on_what_is_read_beside_or_on_pieces(model):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefg"), n)) for n in (0, 1, 63, 64, 65, 200)] * 30  # "g" is unknown
    together = model.encode(texts, pooling=("last", "mean", "max"))
    for i in range(6):
        alone = model.encode(texts[i : i + 1], pooling=("last", "mean", "max"))
        states = model.states(texts[i])
        assert states.shape == (len(texts[i]) + 1, 10)
        by_hand = np.concatenate([states[-1], states.mean(axis=0), states.max(axis=0)])
        np.testing.assert_allclose([together[i], alone[0]], [by_hand, by_hand], atol=1e-5)
    assert model.encode([]).shape == (0, 10)
    ids = np.array([[0, 2, 3, 7, 1]])
    np.testing.assert_allclose(model.encoder.predict_on_batch(ids)[0], model.states(ids[0, 1:]), atol=1e-6)


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda m: m.encode([np.array([2, 8])]), "from 2 to 8, the vocabulary from 0 to 7"),
        (lambda m: m.encode([np.array([-1])]), "from -1"),
        (lambda m: m.encode([np.array([[1, 2]])]), "shape"),
        (lambda m: m.encode([np.array([1.5])]), "not float64"),
        (lambda m: m.encode("abc"), "put it in a list"),
        (lambda m: m.encode(["abc"], pooling="sum"), "pooling"),
        (lambda m: m.fit(["abc"], verbose=0), "batch of 64 rows of 40 steps"),
        (lambda m: m.perplexity([""]), "token to predict"),
        (lambda m: m.generate("a", 1, temperature=0), "temperature must be positive, got 0"),
        (lambda m: LanguageModel(Vocabulary("a"), cell="rnn"), "cell"),
    ],
    ids=count(),
)
def test_what_cannot_be_done_is_refused(model, refused, message):
    with pytest.raises((TypeError, ValueError), match=message):
        refused(model)


def test_a_file_whose_parts_do_not_fit_is_refused(model, tmp_path):
    meta, arrays = model._parts()
    model._write(tmp_path / "words.npz", {**meta, "tokens": ["a", "b"]}, arrays)
    with pytest.raises(ValueError, match=r"words\.npz do not fit together"):
        LanguageModel.load(tmp_path / "words.npz")
