import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.lessons.sentiment.explorer import WORD_LIMIT, render_reading, render_rounds, state
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import RoundScore, SentimentExplorer, errors

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
REVIEWS = ("a good film", f"a bad {HOSTILE} film", "good good bad film")
RUNS = {
    100: {"words": [RoundScore(0.7, None, 0), RoundScore(0.75, 30, 200), RoundScore(0.74, 5, 200)]},
    1000: {
        "words": [RoundScore(0.8, None, 0), RoundScore(0.81, 12, 50)],
        "states <b>": [RoundScore(0.72, None, 0), RoundScore(0.73, 40, 60), RoundScore(0.735, 0, 60)],
    },
}
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def parts():
    model = LanguageModel(Vocabulary(["a", "good", "bad", "film"]), embedding=4, units=6)
    rng = np.random.default_rng(0)
    classifier = LogisticRegression().fit(rng.normal(size=(20, 6)), np.arange(20) % 2)
    return model, classifier, np.array([0.5, 0.9, 0.45, 0.2, 0.54, 0.6])


@pytest.fixture
def explorer(parts):
    return SentimentExplorer(*parts, REVIEWS, RUNS)


def parse(page):
    return ElementTree.fromstring(f"<div>{page}</div>")


def test_a_unit_that_is_high_for_negative_reviews_is_turned():
    states = np.array([[9.0], [0.5], [0.1], [-0.9]])
    words = ("a", "b", "c")
    for separation, sign in ((0.8, 1), (0.2, -1)):
        found = state(words, (True,) * 3, states, np.full(4, 0.5), 0, separation, 0.1, 0.4, 3)
        np.testing.assert_allclose(found.activation, sign * np.array([1.0, 0.0, -1.0]))
    found = state(("a",), (True,), np.zeros((2, 1)), np.full(2, 0.5), 0, 0.5, 0.0, 0.0, 1)
    assert found.activation.tolist() == [0]
    assert "class=" not in render_reading(found).split('kexue-words"')[1].split("</div>")[0]


@pytest.mark.parametrize(("n_labels", "number"), [(100, 0), (100, 2), (1000, 1), (1000, 2)])
def test_rounds_are_well_formed_and_say_the_numbers(n_labels, number):
    page = render_rounds(RUNS[n_labels], n_labels, number)
    assert "nan" not in page
    text = "".join(parse(page).itertext())
    for name, rounds in RUNS[n_labels].items():
        here = min(number, len(rounds) - 1)
        stopped = f" (stopped after round {here})" if here < number else ""
        assert f"{name}{stopped}: {rounds[here].accuracy:.1%} on the test" in text


def test_units_are_ranked_by_distance_from_chance(explorer, parts):
    for rank, unit in enumerate([1, 3, 5, 2, 4, 0], start=1):
        explorer.rank.value = rank
        assert f"unit {unit} " in explorer.picture.value
    model, classifier, _ = parts
    explorer.text.value = "good film bad"
    means = model.encode(["", "good", "good film", "good film bad"])
    assert explorer.state.probability == pytest.approx(classifier.predict_proba(means)[:, 1], abs=1e-5)


def test_reset_goes_back_from_another_review_and_the_second_tab(explorer):
    beginning = explorer.picture.value
    explorer.review.value = 2
    assert explorer.text.value == REVIEWS[2]
    assert explorer.state.words == ("good", "good", "bad", "film")
    explorer.rank.value, explorer.tabs.selected_index = 4, 1
    shown = {explorer.picture.value}
    for control, value in ((explorer.round, 1), (explorer.n_labels, 100)):
        control.value = value
        shown.add(explorer.picture.value)
    assert len(shown) == 3
    explorer.reset()
    assert explorer.picture.value == beginning


@pytest.mark.parametrize("text", ["", "   ", "!!!", "zzz yyy", "film", "\x00", "电影", "👍🏽 good", HOSTILE], ids=ascii)
def test_any_text(explorer, text):
    explorer.text.value = text
    parse(explorer.picture.value)
    assert "<img" not in explorer.picture.value
    assert ("<u>img</u>" in explorer.picture.value) == (text == HOSTILE)  # an unknown word without its brackets
    assert len(explorer.state.probability) == len(explorer.state.words) + 1


def test_unknown_words_a_long_text_and_errors_are_pointed_out(explorer):
    explorer.text.value = "zzz yyy"
    assert "knows none" in explorer.message.value
    explorer.text.value = "good " * (WORD_LIMIT + 25)
    assert not explorer.message.value
    assert len(explorer.state.words) == WORD_LIMIT
    assert "25 more words" in explorer.picture.value
    explorer._classifier = None
    explorer.text.value = "bad film"
    assert "This should not have happened" in explorer.message.value
    assert errors.pop()


def test_static_fallback_shows_both_tabs(explorer):
    bundle = explorer._repr_mimebundle_()
    assert "kexue-words" in bundle["text/html"]
    assert "on the test" in bundle["text/html"]
    assert "Self-training with 1,000 labels" in bundle["text/plain"]
    assert "<b>" not in bundle["text/html"].split("states ")[1][:5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"separation": np.ones(3)}, "one per unit"),
        ({"separation": np.full(6, np.nan)}, "from nan to nan"),
        ({"runs": {100: {"words": []}}}, "'words': 0"),
        ({"runs": {100: dict.fromkeys("abcd", RUNS[1000]["words"])}}, "1 to 3 methods"),
        *((wrong, "must not be empty") for wrong in ({"reviews": ()}, {"runs": {}}, {"runs": {100: {}}})),
    ],
)
def test_what_does_not_fit_is_refused(parts, change, message):
    model, classifier, separation = parts
    arguments = {"separation": separation, "reviews": REVIEWS, "runs": RUNS} | change
    with pytest.raises(ValueError, match=message):
        SentimentExplorer(model, classifier, **arguments)
