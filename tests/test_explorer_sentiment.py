import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.lessons.sentiment.explorer import WORD_LIMIT, SentimentState, weigh
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import SentimentExplorer, errors

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
REVIEWS = ("a good film", f"a bad {HOSTILE} film", "good good bad film")
RNG = np.random.default_rng(0)
STATES, LABELS = RNG.normal(0.1, 0.2, (20, 6)), np.arange(20) % 2
CLASSIFIERS = {
    "alone": LogisticRegression().fit(STATES, LABELS),
    "scaled": make_pipeline(StandardScaler(), LogisticRegression()).fit(STATES, LABELS),
}
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def model():
    return LanguageModel(Vocabulary(["a", "good", "bad", "film"]), embedding=4, units=6)


@pytest.fixture
def arguments(model):
    separation = np.array([0.5, 0.9, 0.45, 0.2, 0.54, 0.6])
    return {"model": model, "classifier": CLASSIFIERS["scaled"], "separation": separation, "reviews": REVIEWS}


@pytest.fixture
def explorer(arguments):
    return SentimentExplorer(**arguments, labels=[1, 0, 0], length=8)


def log_odds(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_words_add_up_to_the_log_odds_of_the_classifier(model, name):
    classifier, text = CLASSIFIERS[name], "good film bad a " * 5
    start, parts = weigh(classifier, model.states(text).astype(float), length=20)
    expected = log_odds(classifier.predict_proba(model.encode([text]).astype(float))[0, 1])
    assert start + parts.sum() == pytest.approx(expected, abs=1e-5)
    # A short text is as one of `length` words, the missing ones of which are average.
    states = RNG.normal(0.1, 0.2, (8, 6))
    average = classifier[0].mean_ if name == "scaled" else np.zeros(6)
    filled = np.vstack([states, np.tile(average, (13, 1))]).mean(axis=0)
    start, parts = weigh(classifier, states, length=20)
    assert start + parts.sum() == pytest.approx(log_odds(classifier.predict_proba([filled])[0, 1]), abs=1e-5)


@pytest.mark.parametrize(
    ("p", "known", "verdict"),
    [
        (0.1, 4, "negative"), (0.3, 4, "rather negative"), (0.41, 4, "unsure"), (0.59, 4, "unsure"),
        (0.61, 4, "rather positive"), (0.8, 4, "positive"), (0.99, 2, "positive"), (0.99, 1, "unsure"),
    ],
)  # fmt: skip
def test_verdict_says_how_sure(p, known, verdict):
    known = (True,) * known + (False,) * (4 - known)
    state = SentimentState(tuple("abcd"), known, 0.5, np.full(4, (log_odds(p) - 0.5) / 4), np.zeros((1, 4)), 0)
    assert (state.probability, state.verdict) == (pytest.approx(p), verdict)


def test_units_are_ranked_and_turned_to_positive(explorer, model):
    assert [unit for unit, _ in explorer.view.about["units"]] == [1, 3, 5, 2, 4, 0]
    explorer.text.value = "good film bad a"
    states = model.states("good film bad a")[1:]
    for row, (unit, sign) in enumerate([(1, 1), (3, -1)], start=1):
        found = explorer.state.colours[row]
        assert (np.argsort(found) == np.argsort(sign * states[:, unit])).all()
        assert np.abs(found).max() <= 100
    said = CLASSIFIERS["scaled"].decision_function(states)
    assert (np.argsort(explorer.state.colours[0]) == np.argsort(said)).all()


def test_the_choice_follows_what_is_typed_and_fills_the_text(explorer):
    own = len(REVIEWS)
    explorer.text.value = "good"
    assert (explorer.review.index, explorer.view.index, explorer.state.words) == (own, own, ("good",))
    explorer.review.index = 2
    assert (explorer.text.value, explorer.view.index) == (REVIEWS[2], 2)
    explorer.review.index = own
    assert explorer.text.value == "good"
    explorer.text.value = REVIEWS[1]
    assert (explorer.review.index, explorer.view.texts[1]["label"], explorer.view.texts[own]["label"]) == (1, 0, None)
    explorer.colour.index = 3
    explorer.reset()
    shown = explorer.review.index, explorer.view.index, explorer.colour.index, explorer.view.colour
    assert (*shown, explorer.text.value) == (0, 0, 0, 0, REVIEWS[0])


@pytest.mark.parametrize("text", ["", "   ", "!!!", "zzz yyy", "film", "\x00", "电影", "👍🏽 good", HOSTILE], ids=ascii)
def test_few_words_settle_little(arguments, text):
    explorer = SentimentExplorer(**arguments)
    explorer.text.value = text
    assert explorer.state.verdict == "unsure"
    page = explorer.view.texts[-1]
    assert len(page["words"]) == len(page["parts"]) == len(page["colours"][0])
    json.dumps(page).encode()
    assert page["known"] == [word in ("a", "good", "film") for word in page["words"]]
    assert "<img" not in explorer.static_html()


def test_a_long_text_and_errors_are_pointed_out(explorer):
    explorer.text.value = "good " * (WORD_LIMIT + 25)
    assert (len(explorer.state.words), explorer.view.texts[-1]["left"]) == (WORD_LIMIT, 25)
    explorer._classifier = None
    explorer.text.value = "bad film"
    assert "This should not have happened" in explorer.message.value
    assert errors.pop()


def test_static_fallback_shows_the_words_that_move_most(explorer):
    explorer.text.value = "good film bad a"
    bundle = explorer._repr_mimebundle_()
    assert f"{explorer.state.probability:.0%}" in bundle["text/plain"]
    order = np.array(explorer.state.words)[np.argsort(-explorer.state.parts)]
    for row, words in zip(bundle["text/html"].split("<tr>")[1:], (order, order[::-1]), strict=True):
        assert [row.find(word + " ") for word in words] == sorted(row.find(word + " ") for word in words)
    explorer.text.value = "!"
    assert explorer.static_text() == "There is no word in the text."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"separation": np.ones(3)}, "one per unit"),
        ({"separation": np.full(6, np.nan)}, "from nan to nan"),
        ({"reviews": ()}, "must not be empty"),
        *(({"labels": labels}, "needs a label, 0 or 1") for labels in ([1, 0], [1, 0, 2])),
        *(({"classifier": wrong}, "must be linear") for wrong in (SVC().fit(STATES, LABELS), MLPClassifier())),
    ],
)
def test_what_does_not_fit_is_refused(arguments, change, message):
    with pytest.raises(ValueError, match=message):
        SentimentExplorer(**(arguments | change))
