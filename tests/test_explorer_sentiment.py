from dataclasses import replace

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.lessons.sentiment.explorer import VERDICTS, WORD_LIMIT, SentimentState, leave_out, weigh
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import SentimentExplorer, errors

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
REVIEWS = ("a good film", f"a bad {HOSTILE} film", "good good bad film")
RNG = np.random.default_rng(0)
STATES, LABELS = RNG.normal(0.1, 0.2, (20, 6)), np.arange(20) % 2
ALONE = LogisticRegression().fit(STATES, LABELS)
SCALED = make_pipeline(StandardScaler(), LogisticRegression()).fit(STATES, LABELS)
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def arguments():
    model = LanguageModel(Vocabulary(["a", "good", "bad", "film"]), embedding=4, units=6)
    separation = np.array([0.5, 0.9, 0.45, 0.2, 0.54, 0.6])
    return {"model": model, "classifier": SCALED, "separation": separation, "reviews": REVIEWS}


@pytest.fixture
def explorer(arguments):
    return SentimentExplorer(**arguments, labels=[1, 0, 0])


def log_odds(p):
    return np.log(p / (1 - p))


@pytest.mark.parametrize(("classifier", "average"), [(ALONE, 0), (SCALED, SCALED[0].mean_)], ids=["alone", "scaled"])
def test_words_add_up_to_the_log_odds_of_the_classifier(arguments, classifier, average):
    text, few = "good film bad a " * 5, RNG.normal(0.1, 0.2, (8, 6))
    # A text of seven words is as one of twenty, the missing ones of which are average.
    filled = (few.sum(axis=0) + 13 * average) / 21
    for states, mean in ((arguments["model"].states(text), arguments["model"].encode([text])[0]), (few, filled)):
        start, parts = weigh(classifier, states.astype(float), length=20)
        expected = log_odds(classifier.predict_proba([mean.astype(float)])[0, 1])
        assert start + parts.sum() == pytest.approx(expected, abs=1e-5)


def test_verdict_is_unsure_near_one_half_or_of_unknown_words():
    def verdict(p, n_known=4):
        known, parts = [True] * n_known + [False] * (4 - n_known), np.full(4, (log_odds(p) - 0.5) / 4)
        return SentimentState(tuple("abcd"), tuple(known), 0.5, parts, np.zeros((1, 4)), 0).verdict

    assert [verdict(p) for p in (0.24, 0.26, 0.41, 0.61, 0.76)] == list(VERDICTS)
    assert [verdict(p) for p in (0.39, 0.59, 0.74)] == list(VERDICTS[1:4])
    assert (verdict(0.99, 2), verdict(0.99, 1)) == ("positive", "unsure")
    parts = np.array([3.0, 0, 0, 0])
    known, rest = (True, False, False, False), {"start": 0.5, "parts": parts, "colours": np.zeros((1, 4)), "left": 0}
    struck = SentimentState(tuple("abcd"), known, **rest, struck=(1, 2, 3))  # all that is read is known
    assert struck.verdict == "positive"


def test_units_are_ranked_by_distance_from_chance_and_turned(arguments, explorer):
    assert [unit for unit, _ in explorer.view.about["units"]] == [1, 3, 5, 2, 4, 0]
    explorer.text.value = "good film bad a"
    states = arguments["model"].states("good film bad a")[1:]
    expected = SCALED.decision_function(states), states[:, 1], -states[:, 3]
    for colours, values in zip(explorer.state.colours, expected, strict=False):
        assert (np.argsort(colours) == np.argsort(values)).all()
        assert np.abs(colours).max() <= 100


def test_the_choice_follows_what_is_typed_and_fills_the_text(explorer):
    def shown():
        return explorer.review.index, explorer.view.index, explorer.text.value, explorer.state.words[-1]

    explorer.text.value = "good"
    for index, text in ((3, "good"), (2, REVIEWS[2]), (3, "good")):
        explorer.review.index = index
        assert shown() == (index, index, text, text.split()[-1])
    explorer.text.value = REVIEWS[1]
    assert shown()[:2] == (1, 1)
    assert [text["label"] for text in explorer.view.texts] == [1, 0, 0, None]
    explorer.colour.index = explorer.view.colour = 3
    explorer.reset()
    assert (*shown(), explorer.colour.index, explorer.view.colour) == (0, 0, REVIEWS[0], "film", 0, 0)


@pytest.mark.parametrize("text", ["", "   ", "!!!", "zzz yyy", "film", "\x00", "电影", "👍🏽 good", HOSTILE], ids=ascii)
def test_few_words_settle_little(explorer, text):
    explorer.text.value = text
    page = explorer.view.texts[-1]
    assert explorer.state.verdict == "unsure"
    assert len(page["words"]) == len(page["parts"]) == len(page["colours"][0])
    assert page["known"] == [word in ("a", "good", "film") for word in page["words"]]


def test_a_long_text_and_errors_are_pointed_out(explorer):
    explorer.text.value = "good " * (WORD_LIMIT + 25)
    assert (len(explorer.state.words), explorer.view.texts[-1]["left"]) == (WORD_LIMIT, 25)
    explorer._classifier = None
    explorer.text.value = "bad film"
    assert "This should not have happened" in explorer.message.value
    assert errors.pop()


def test_static_fallback_shows_the_words_that_move_most(explorer):
    explorer.text.value = f"bad {HOSTILE} film"
    parts = np.linspace(-0.2, 0.3, len(explorer.state.words))
    explorer._states[-1] = replace(explorer.state, parts=parts)
    bundle = explorer._repr_mimebundle_()
    assert f"{explorer.state.probability:.0%}" in bundle["text/plain"]
    best, worst = bundle["text/html"].split("<tr>")[1:]
    assert 'lang="en">film +0.3, ' in best
    assert 'lang="en">bad -0.2, ' in worst
    assert (best.count(" +"), worst.count(" -")) == ((parts > 0).sum(), (parts < 0).sum())
    assert "<img" not in bundle["text/html"]


def test_a_word_is_worth_what_leaving_it_out_changes(arguments):
    texts = ["good film", "fine film", "not good", "bad film", "dull film", "a bad one"]
    judge = make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression()).fit(texts, [1, 1, 0, 0, 0, 0])
    weights = dict(zip(judge[0].get_feature_names_out(), judge[1].coef_[0], strict=True))
    expected = [weights["not"] + weights["not good"], weights["good"] + weights["not good"], 0]
    np.testing.assert_allclose(leave_out(judge, ["not", "good", "xyz"]), expected, atol=1e-6)
    explorer = SentimentExplorer(**arguments, judges={"pairs": judge})
    explorer.text.value = "not good " + "xyz " * 500
    assert explorer.state.judged.shape == (1, 502)
    assert np.sign(explorer.state.colours[1, :3]).tolist() == np.sign(explorer.state.judged[0, :3]).tolist()
    assert explorer.view.texts[-1]["judged"][0][0] == pytest.approx(expected[0], abs=1e-6)


def test_another_judge_is_heard(arguments):
    judge = DummyClassifier(strategy="prior").fit(["", "", "", ""], [0, 1, 1, 1])
    explorer = SentimentExplorer(**arguments, judges={"<b>words": judge})
    said = ["<b>words", "rather positive (probability of “positive”: 75%)"]
    assert [text["others"] for text in explorer.view.texts] == [[said]] * 3 + [[]]  # nothing of no words
    assert ": ".join(said).replace("<", "&lt;") in explorer.static_html().replace("&gt;", ">")


def test_a_word_that_is_struck_out_is_not_read_and_keeps_its_place(arguments):
    counts = make_pipeline(CountVectorizer(), LogisticRegression())
    judge = counts.fit(["good film", "good", "bad film", "bad bad"], [1, 1, 0, 0])
    explorer = SentimentExplorer(**arguments, judges={"words": judge})
    view, whole = explorer.view, explorer.view.texts
    explorer.text.value = "good bad film"  # what is left of the third review without its first word
    without = view.texts[3]
    explorer.review.index = 2
    view.struck = [0]
    now = view.texts[2]
    assert (now["words"], now["struck"], now["label"]) == (["good", "good", "bad", "film"], [0], None)
    assert (now["start"], now["parts"]) == (without["start"], [0, *without["parts"]])
    assert [line[1:] for line in now["colours"]] == without["colours"]
    assert (now["judged"], now["others"]) == ([[0, *without["judged"][0]]], without["others"])
    assert now["others"] != whole[2]["others"]
    assert f"{now['whole'][1]})" in whole[2]["others"][0][1]
    assert now["whole"][0] == f"{explorer.state.probability:.0%}"
    view.struck = [0, 1, 2, 3, 9]  # the last one stood in a longer text
    assert (view.texts[2]["parts"], view.texts[2]["struck"]) == ([0] * 4, [0, 1, 2, 3])
    explorer.review.index = 1  # each choice shows the whole text
    assert (view.struck, view.texts[:3]) == ([], whole[:3])
    view.struck = [1]
    explorer.text.value = "film"
    assert (view.struck, view.texts[:3], view.index) == ([], whole[:3], 3)
    view.struck = [0]
    explorer.reset()
    assert (view.struck, view.texts[:3], errors) == ([], whole[:3], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"separation": np.ones(3)}, "one per unit"),
        ({"separation": np.full(6, np.nan)}, "from nan to nan"),
        ({"reviews": ()}, "must not be empty"),
        *(({"labels": labels}, "needs a label, 0 or 1") for labels in ([1, 0], [1, 0, 2])),
        *(({"classifier": wrong}, "must be linear") for wrong in (SVC().fit(STATES, LABELS), LogisticRegression())),
    ],
)
def test_what_does_not_fit_is_refused(arguments, change, message):
    with pytest.raises(ValueError, match=message):
        SentimentExplorer(**(arguments | change))
