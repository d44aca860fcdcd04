import keras
import numpy as np
import pytest

from kexue_nlp.language_model import LanguageModel, padded
from kexue_nlp.models import (
    article_cnn,
    article_lstm,
    article_segmenter,
    enriched_segmenter,
    pooled_classifier,
    restart,
)
from kexue_nlp.text import Vocabulary

N_CHARACTERS, N_PAIRS = 50, 80


@pytest.fixture(scope="module", params=["article", "enriched"])
def network(request):
    keras.utils.set_random_seed(0)
    if request.param == "article":
        return article_segmenter(N_CHARACTERS)
    return enriched_segmenter(N_CHARACTERS, N_PAIRS, n_layers=3)


def random_ids(network, rows, length, seed=0):
    shape = (rows, length) if network.input_shape == (None, None) else (rows, length, 4)
    return np.random.default_rng(seed).integers(1, N_CHARACTERS, shape).astype(np.int32)


def tag_probabilities(network, ids):
    return keras.ops.convert_to_numpy(network(ids, training=False))


def test_same_length_comes_out_and_probabilities_sum_to_one(network):
    probabilities = tag_probabilities(network, random_ids(network, 2, 11))
    assert probabilities.shape == (2, 11, 4)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)


def test_padding_after_a_sentence_changes_nothing(network):
    ids = random_ids(network, 1, 9)
    padded = np.concatenate([ids, np.zeros_like(ids)], axis=1)
    np.testing.assert_allclose(tag_probabilities(network, padded)[:, :9], tag_probabilities(network, ids), atol=1e-5)


def test_a_gap_of_one_separates_two_sentences_of_a_row(network):
    first, second = random_ids(network, 1, 6), random_ids(network, 1, 7, seed=1)
    gap = np.zeros_like(first[:, :1])
    together = tag_probabilities(network, np.concatenate([first, gap, second], axis=1))
    np.testing.assert_allclose(together[:, :6], tag_probabilities(network, first), atol=1e-5)
    np.testing.assert_allclose(together[:, 7:], tag_probabilities(network, second), atol=1e-5)


def test_shifting_a_sentence_shifts_its_tags(network):
    ids = random_ids(network, 1, 8)
    shifted = np.concatenate([np.zeros_like(ids[:, :3]), ids], axis=1)
    np.testing.assert_allclose(tag_probabilities(network, shifted)[:, 3:], tag_probabilities(network, ids), atol=1e-5)


def test_article_network_sees_exactly_three_characters_to_each_side():
    keras.utils.set_random_seed(1)
    network = article_segmenter(N_CHARACTERS)
    ids = random_ids(network, 1, 15)
    changed = ids.copy()
    changed[0, 7] = ids[0, 7] % (N_CHARACTERS - 1) + 1
    moved = np.abs(tag_probabilities(network, ids) - tag_probabilities(network, changed)).max(-1)[0]
    assert (np.flatnonzero(moved) == np.arange(4, 11)).all()


def test_article_network_has_the_article_s_layers():
    network = article_segmenter(N_CHARACTERS)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
    assert [layer.filters for layer in convolutions] == [128, 32, 4]
    assert {layer.kernel_size for layer in convolutions} == {(3,)}
    assert network.get_layer("embedding").output_dim == 128
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.5]


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        # Embedding, LSTM (4 gates: input, state, bias), output.
        (article_lstm(), 20_000 * 128 + 4 * (128 + 128 + 1) * 128 + 129),
        # Embedding, convolution, hidden layer, output.
        (article_cnn(), 5_000 * 50 + (3 * 50 + 1) * 250 + 251 * 250 + 251),
    ],
    ids=["lstm", "cnn"],
)
def test_sentiment_network_has_as_many_weights_as_the_article_s(network, weights):
    assert network.count_params() == weights


@pytest.mark.parametrize(
    ("network", "shape"),
    [(article_lstm(50, embedding=4, units=6), (3, 80)), (article_cnn(50, 4, filters=5, hidden=6), (3, 400))],
    ids=["lstm", "cnn"],
)
def test_sentiment_network_gives_one_probability_per_review(network, shape):
    p = tag_probabilities(network, np.random.default_rng(0).integers(0, 50, shape))
    assert p.shape == (3, 1)
    assert ((p > 0) & (p < 1)).all()


def test_lstm_drops_inputs_and_state():
    lstm = article_lstm(50, dropout=0.3).get_layer("lstm")
    assert (lstm.dropout, lstm.recurrent_dropout) == (0.3, 0.3)


def test_cnn_has_the_article_s_layers():
    layers = [type(layer).__name__ for layer in article_cnn().layers]
    assert " ".join(layers) == ("Embedding Dropout Conv1D GlobalMaxPooling1D Dense Dropout Activation Dense Activation")


def test_cnn_sees_three_words_at_a_time():
    convolution = article_cnn().get_layer("convolution")
    assert (convolution.kernel_size, convolution.padding, convolution.filters) == ((3,), "valid", 250)


@pytest.mark.parametrize("optimizer", ["Adam", "Adagrad", "Nadam", "Ftrl", "RMSprop"])
def test_nothing_is_left_of_what_a_restarted_network_had_learned(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 20, (16, 8)), rng.integers(0, 2, 16)

    def make():
        network = article_cnn(20, embedding=3, filters=4, hidden=5, dropout=0.5)
        network.compile(getattr(keras.optimizers, optimizer)(0.01), "binary_crossentropy")
        return network

    def train(network):
        network.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        return network.get_weights()

    new = train(restart(make(), seed=7))
    used = make()
    train(used)
    again = train(restart(used, seed=7))
    assert float(used.optimizer.learning_rate) == pytest.approx(0.01)
    for a, b in zip(new, again, strict=True):
        np.testing.assert_array_equal(a, b)
    other = train(restart(used, seed=8))
    assert any((a != b).any() for a, b in zip(again, other, strict=True))


def test_a_network_that_is_not_compiled_cannot_be_restarted():
    network = article_cnn(20, embedding=3, filters=4, hidden=5)
    before = network.get_weights()
    with pytest.raises(ValueError, match="is not compiled"):
        restart(network, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


@pytest.fixture(scope="module")
def language_model():
    return LanguageModel(Vocabulary("abcdefgh"), unit="character", embedding=4, units=6)


TEXTS = ["abba", "", "hgfedcba" * 3, "zz"]


def test_pooled_classifier_reads_the_states_that_the_language_model_encodes(language_model):
    classifier = pooled_classifier(language_model.encoder)
    pooled = keras.Model(classifier.input, classifier.get_layer("pooled").output)
    rows = padded(language_model.ids(TEXTS), length=30)
    expected = language_model.encode(TEXTS, pooling=("last", "mean", "max"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(pooled(rows)), expected, atol=1e-5)


def test_padding_behind_a_text_changes_nothing(language_model):
    classifier = pooled_classifier(language_model.encoder)
    ids = language_model.ids(TEXTS)
    short, long = (tag_probabilities(classifier, padded(ids, length)) for length in (24, 60))
    np.testing.assert_allclose(short, long, atol=1e-6)


def test_fine_tuning_changes_the_language_model_unless_it_is_frozen():
    model = LanguageModel(Vocabulary("ab"), unit="character", embedding=4, units=6)
    rows = padded(model.ids(["ab", "ba"] * 8), length=2)
    for frozen in (True, False):
        model.encoder.trainable = not frozen
        classifier = pooled_classifier(model.encoder)
        classifier.compile("adam", "binary_crossentropy")
        before = [weight.copy() for weight in model.encoder.get_weights()]
        classifier.fit(rows, np.arange(16) % 2, verbose=0)
        moved = [(a != b).any() for a, b in zip(before, model.encoder.get_weights(), strict=True)]
        assert not any(moved) if frozen else all(moved)


def test_pooled_classifier_starts_anew_with_the_same_weights(language_model):
    classifier = pooled_classifier(language_model.encoder)
    classifier.compile("adam", "binary_crossentropy")
    first = [weight.copy() for weight in restart(classifier, seed=3).get_weights()]
    again = restart(classifier, seed=3).get_weights()
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any(weight.any() for weight in first)


def test_padded_keeps_the_last_tokens_and_refuses_no_length():
    assert padded([np.array([4, 5, 6])], 2).tolist() == [[0, 5, 6]]
    assert padded([], 2).shape == (0, 3)
    with pytest.raises(ValueError, match="length"):
        padded([np.array([1])], 0)
