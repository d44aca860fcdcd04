import numpy as np
import pytest

from kexue_nlp.lessons.margin.explorer import is_active
from kexue_nlp.losses import margin_weight
from kexue_nlp.widgets import MarginExplorer, Training

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
N, EPOCHS = 60, 3
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    texts = [HOSTILE, *(f"review {i} " + "word " * (i % 5 * 40) for i in range(1, N))]

    def training(push):
        logits = np.outer(np.arange(1, EPOCHS + 1), 2 * labels - 1) * push + rng.normal(size=(EPOCHS, N))
        p = 1 / (1 + np.exp(-logits))
        return Training(p, [0.7 + 0.05 * epoch + 0.01 * push for epoch in range(EPOCHS)])

    return texts, labels, {"cross-entropy": training(2), HOSTILE: training(0.5)}


def run_of(p=0.5, accuracy=0.5, epochs=EPOCHS):
    return {"": Training(np.full((EPOCHS, N), p), [accuracy] * epochs)}


@pytest.fixture
def explorer(data):
    return MarginExplorer(*data)


def test_active_is_what_the_loss_still_weighs(data):
    _texts, labels, trainings = data
    for margin in (0.55, 0.6, 0.77, 0.99):
        p = trainings["cross-entropy"].predictions[1]
        weights = margin_weight(labels.astype("float32"), p.astype("float32"), margin)
        assert (is_active(labels, p, margin) == (np.asarray(weights) > 0)).all()
    for margin in (0.58, 0.59, 0.71, 0.84):  # on the margin itself
        p = np.array([margin, 1 - margin, np.nextafter(margin, 1), np.nextafter(1 - margin, 0)])
        assert is_active(np.array([1, 0, 1, 0]), p, margin).tolist() == [True, True, False, False]


def test_of_one_network_the_more_are_active_the_larger_the_margin(data):
    _texts, labels, trainings = data
    shares = [is_active(labels, trainings[HOSTILE].predictions[2], m).mean() for m in np.arange(0.5, 1, 0.01)]
    assert shares[0] < shares[-1]
    assert sorted(shares) == shares


def test_reviews_are_cut_to_their_end_at_a_word(data):
    long = ("so " + "word " * 99, "… " + " ".join(["word"] * 39))
    for review, shown in ((HOSTILE, HOSTILE), ("one<br />two" + "<br />" * 300, "one two"), (" " * 300, ""), long):
        assert MarginExplorer([review] * N, *data[1:]).view.ends[0] == shown


def test_what_a_class_should_not_read_is_not_shown(data):
    fit = "A rapid, classy drama about an assistant."
    for unfit in ("Full of nudity.", "He murdered them.", "What an ass!", "SHIT", "Broken: \x85!", "See https://x.y"):
        assert MarginExplorer([fit, unfit] * (N // 2), *data[1:]).view.ends == [fit, None] * (N // 2)


def test_reset_goes_back_to_the_beginning(explorer):
    assert (explorer.view.margin, explorer.view.epoch) == (0.6, EPOCHS)
    explorer.margin.value, explorer.view.margin, explorer.view.epoch = 0.83, 0.83, 1
    explorer.reset()
    assert (explorer.margin.value, explorer.view.margin, explorer.view.epoch) == (0.6, 0.6, EPOCHS)


def test_without_widgets_the_shares_are_shown(explorer):
    bundle = explorer._repr_mimebundle_()
    predictions = explorer.trainings["cross-entropy"].predictions
    shares = [f"{is_active(explorer.labels, p, 0.6).mean():.1%}" for p in predictions]
    assert ", ".join([*shares, "82.0%"]) in bundle["text/plain"]
    assert all(f"<td>{share}</td>" in bundle["text/html"] for share in shares)
    assert "<img" not in bundle["text/html"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *(({"labels": np.full(N, label)}, "labels must be 0 or 1") for label in (2, -1, "pos")),
        *(({"trainings": run_of(p)}, "must be probabilities") for p in (np.nan, 1.5, -0.1)),
        *(({"trainings": run_of(accuracy=a)}, "accuracies are shares") for a in (np.nan, 81.0)),
        ({"texts": ["review"] * (N - 1)}, "59 texts"),
        ({"trainings": run_of(epochs=1)}, "one accuracy per epoch"),
        ({"trainings": {}}, "at least one"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_cannot_be_drawn_is_refused(data, wrong, message):
    right = dict(zip(("texts", "labels", "trainings"), data, strict=True))
    with pytest.raises(ValueError, match=message):
        MarginExplorer(**(right | wrong))
