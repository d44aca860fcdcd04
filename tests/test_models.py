import keras
import numpy as np
import pytest

from kexue_nlp import models
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


@pytest.mark.parametrize(
    ("build", "sizes", "n_weights"),
    [
        ("article_segmenter", [5_000], 701_988),
        ("enriched_segmenter", [5_000, 50_000], 2_021_636),
        ("article_tagger", [3_000], 260_868),
        ("viewpoint_tagger", [3_000], 394_196),
        ("article_lstm", [], 2_691_713),
        ("article_cnn", [], 350_751),
        ("window_language_model", [], 15_414_000),
        ("encoder_head", [], 10_021),
    ],
)
def test_network_has_its_number_of_weights(build, sizes, n_weights):
    assert getattr(models, build)(*sizes).count_params() == n_weights


@pytest.fixture(scope="module", params=["article", "enriched"])
def network(request):
    keras.utils.set_random_seed(0)
    if request.param == "article":
        return article_segmenter(N_CHARACTERS)
    return enriched_segmenter(N_CHARACTERS, N_PAIRS, width=8, n_layers=3)


def random_ids(network, length=20, seed=0):
    shape = (1, length) if network.input_shape == (None, None) else (1, length, 4)
    return np.random.default_rng(seed).integers(1, N_CHARACTERS, shape).astype(np.int32)


def probabilities(network, ids):
    return network.predict(ids, verbose=0)


def test_padded_packed_or_shifted_sentence_is_tagged_as_alone(network):
    ids = random_ids(network)
    alone = probabilities(network, ids)
    assert alone.shape == (1, 20, 4)
    np.testing.assert_allclose(alone.sum(-1), 1, atol=1e-5)
    # Sentences of 6 and 7 characters, each with padding to the row's 20; then both in one row.
    parts = [ids[:, :6], random_ids(network, 7, seed=1)]
    behind = [np.concatenate([part, np.zeros_like(ids[:, part.shape[1] :])], axis=1) for part in parts]
    before = [np.concatenate([np.zeros_like(ids[:, part.shape[1] :]), part], axis=1) for part in parts]
    packed = np.concatenate([parts[0], ids[:, :1] * 0, parts[1], ids[:, :6] * 0], axis=1)
    together = probabilities(network, packed)
    for part, late, early, found in zip(parts, before, behind, (together[:, :6], together[:, 7:14]), strict=True):
        expected = probabilities(network, part)
        length = part.shape[1]
        np.testing.assert_allclose(probabilities(network, early)[:, :length], expected, atol=1e-5)
        np.testing.assert_allclose(probabilities(network, late)[:, -length:], expected, atol=1e-5)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_article_network_has_the_article_s_layers_and_sees_three_characters():
    keras.utils.set_random_seed(1)
    network = article_segmenter(N_CHARACTERS)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
    assert [(layer.filters, layer.kernel_size) for layer in convolutions] == [(128, (3,)), (32, (3,)), (4, (3,))]
    assert network.get_layer("embedding").output_dim == 128
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.5]
    ids = random_ids(network)
    changed = ids.copy()
    changed[0, 7] = ids[0, 7] % (N_CHARACTERS - 1) + 1
    moved = np.abs(probabilities(network, ids) - probabilities(network, changed)).max(-1)[0]
    assert (np.flatnonzero(moved) == np.arange(4, 11)).all()


def test_sentiment_networks_have_the_article_s_layers():
    lstm, cnn = article_lstm().get_layer("lstm"), article_cnn()
    assert (lstm.dropout, lstm.recurrent_dropout) == (0.2, 0.2)
    kinds = [type(layer).__name__ for layer in cnn.layers]
    assert " ".join(kinds) == "Embedding Dropout Conv1D GlobalMaxPooling1D Dense Dropout Activation Dense Activation"
    convolution = cnn.get_layer("convolution")
    assert (convolution.kernel_size, convolution.padding, convolution.filters) == ((3,), "valid", 250)
    for build in (article_lstm, article_cnn):
        p = probabilities(build(50, 4, 5), np.random.default_rng(0).integers(0, 50, (3, 20)))
        assert p.shape == (3, 1)
        assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize("optimizer", ["Adam", "Adagrad", "Nadam", "Ftrl"])
def test_nothing_is_left_of_what_a_restarted_network_had_learned(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 20, (16, 8)), rng.integers(0, 2, 16)
    network = article_cnn(20, embedding=3, filters=4, hidden=5, dropout=0.5)
    with pytest.raises(ValueError, match="is not compiled"):
        restart(network, seed=0)
    network.compile(getattr(keras.optimizers, optimizer)(0.01), "binary_crossentropy")

    def train(seed):
        restart(network, seed).fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        return network.get_weights()

    new = train(7)
    assert float(keras.ops.convert_to_numpy(network.optimizer.learning_rate)) == pytest.approx(0.01)
    other = train(8)
    assert any((a != b).any() for a, b in zip(new, other, strict=True))
    for a, b in zip(new, train(7), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pooled_classifier_reads_encoded_states_whatever_the_padding():
    assert padded([np.array([4, 5, 6])], 2).tolist() == [[0, 5, 6]]
    assert padded([], 2).shape == (0, 3)
    with pytest.raises(ValueError, match="length"):
        padded([np.array([1])], 0)
    texts = ["abba", "", "hgfedcba" * 3, "zz"]
    language_model = LanguageModel(Vocabulary("abcdefgh"), unit="character", embedding=4, units=6)
    classifier = pooled_classifier(language_model.encoder)
    pooled = keras.Model(classifier.input, classifier.get_layer("pooled").output)
    expected = language_model.encode(texts, pooling=("last", "mean", "max"))
    for length in (24, 40):
        rows = padded(language_model.ids(texts), length)
        np.testing.assert_allclose(probabilities(pooled, rows), expected, atol=1e-5)


def test_fine_tuning_changes_the_language_model_unless_it_is_frozen():
    model = LanguageModel(Vocabulary("ab"), unit="character", embedding=4, units=6)
    rows = padded(model.ids(["ab", "ba"] * 8), length=2)
    for frozen in (True, False):
        model.encoder.trainable = not frozen
        classifier = pooled_classifier(model.encoder)
        classifier.compile("adam", "binary_crossentropy")
        before = [weight.copy() for weight in restart(classifier, seed=3).get_weights()]
        assert all((a == b).all() for a, b in zip(before, restart(classifier, seed=3).get_weights(), strict=True))
        before = [weight.copy() for weight in model.encoder.get_weights()]
        classifier.fit(rows, np.arange(16) % 2, verbose=0)
        moved = [(a != b).any() for a, b in zip(before, model.encoder.get_weights(), strict=True)]
        assert not any(moved) if frozen else all(moved)
