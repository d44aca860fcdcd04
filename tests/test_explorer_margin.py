import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest

from kexue_nlp.lessons.margin.explorer import SCALES, render, state
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

    return texts, labels, training(2), training(0.5)


def run_of(p=0.5, accuracy=0.5, epochs=EPOCHS):
    return Training(np.full((EPOCHS, N), p), [accuracy] * epochs)


@pytest.fixture
def explorer(data):
    return MarginExplorer(*data)


def parse(page):
    return ElementTree.fromstring(f"<div>{page}</div>")


def test_active_is_what_the_loss_still_weighs(data):
    for margin in (0.55, 0.6, 0.77, 0.99):
        found = state(*data, margin, 2)
        weights = margin_weight(found.labels.astype("float32"), found.predictions.astype("float32"), margin)
        assert (found.active == (np.asarray(weights) > 0)).all()
    for margin in (0.58, 0.59, 0.71, 0.84):  # on the margin itself
        p = np.array([[margin, 1 - margin, np.nextafter(margin, 1), np.nextafter(1 - margin, 0)]])
        run = Training(p, [1.0])
        found = state(list("abcd"), np.array([1, 0, 1, 0]), run, run, margin, 1)
        assert found.active.tolist() == [True, True, False, False]


def test_of_one_network_the_more_are_active_the_larger_the_margin(data):
    shares = [state(*data, margin, 3).active.mean() for margin in np.arange(0.5, 1, 0.01)]
    assert shares[0] < shares[-1]
    assert sorted(shares) == shares


def test_nearest_reviews_are_two_of_each_side_nearest_first(data):
    found = state(*data, 0.7, 1)
    right = np.where(found.labels == 1, found.predictions, 1 - found.predictions)
    off = sorted(right[right > 0.7])[:2]
    on = sorted(right[right <= 0.7])[::-1][:2]
    np.testing.assert_allclose(right[found.nearest], [*off, *on])
    sure = run_of(np.where(data[1] == 1, 0.999, 0.001))
    found = state(*data[:3], sure, 0.6, 1)
    assert not found.active.any()
    assert len(found.nearest) == 2
    parse(render(found))


def count(page):
    """Count reviews that are active and not, and those of each bin and label."""
    statuses, bins = Counter(), Counter()
    for bar in parse(page).iter("rect"):
        for title in bar.iter("title"):
            n = int(title.text.split()[0])
            statuses["active" in title.text] += n
            bins[bar.get("x"), bar.get("width"), "positive" in title.text] += n
    return statuses, bins


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("p", [None, 0.0, 1.0])
def test_counts_in_bins_that_no_margin_cuts(data, p, scale):
    run = data[3] if p is None else run_of(p)
    for margin in (0.5, 0.6, 0.63, 0.9, 0.99):
        found = state(*data[:3], run, margin, 2)
        statuses, bins = count(render(found, scale))
        assert statuses == Counter(found.active.tolist())
        assert bins == count(render(state(*data[:3], run, 0.75, 2), scale))[1]


def test_reviews_are_escaped_and_cut_to_their_end_at_a_word(data):
    for review, shown, hidden in ((HOSTILE, "&lt;img", "<img"), ("so " + "word " * 999, "… word word", "so word")):
        page = render(state([review] * N, *data[1:], 0.6, 1))
        assert shown in page
        assert hidden not in page


def test_what_a_class_should_not_read_is_not_shown(data):
    fit = "A rapid, classy drama about an assistant."
    for unfit in ("Full of nudity.", "He murdered them.", "What an ass!", "SHIT", "Broken: \x85", "See https://x.y"):
        texts = [fit, unfit] * (N // 2)
        found = state(texts, *data[1:], 0.6, 1)
        assert [texts[i] for i in found.nearest] == [fit] * 4


@pytest.mark.parametrize(("control", "value"), [("margin", 0.83), ("epoch", 1), ("scale", "logit")])
def test_every_control_changes_the_picture_until_reset(explorer, control, value):
    before = explorer.picture.value
    getattr(explorer, control).value = value
    assert explorer.picture.value != before
    explorer.reset()
    assert explorer.picture.value == before


def test_without_widgets_the_picture_and_the_setting_are_shown(explorer):
    bundle = explorer._repr_mimebundle_()
    assert all("Margin 0.60, epoch 3" in bundle[kind] for kind in ("text/html", "text/plain"))
    assert 'src="data:image/svg+xml' in bundle["text/html"]
    explorer.margin.value = 0.5
    assert "above ½" in explorer.message.value
    explorer.margin.value = 0.51
    assert explorer.message.value == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *(({"labels": np.full(N, label)}, "labels must be 0 or 1") for label in (2, -1, "pos")),
        *(({"cross_entropy": run_of(p)}, "must be probabilities") for p in (np.nan, 1.5, -0.1)),
        *(({"with_margin": run_of(accuracy=a)}, "accuracies are shares") for a in (np.nan, 81.0)),
        ({"texts": ["review"] * (N - 1)}, "59 texts"),
        ({"with_margin": run_of(epochs=1)}, "one accuracy per epoch"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_cannot_be_drawn_is_refused(data, wrong, message):
    right = dict(zip(("texts", "labels", "cross_entropy", "with_margin"), data, strict=True))
    with pytest.raises(ValueError, match=message):
        MarginExplorer(**(right | wrong))
