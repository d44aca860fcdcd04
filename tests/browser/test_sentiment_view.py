"""The sentiment explorer's picture, alone in a page: its sums are Python's, and mouse and keys reach every word."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from test_views import HOSTILE, page, show, trait  # noqa: F401

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import SentimentExplorer

SUMS = """async ([source, ...numbers]) =>
  (await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))).runningTotals(...numbers)"""
SHARES = "all => all.map(word => parseFloat(word.style.getPropertyValue('--share')))"


@pytest.fixture(scope="module")
def explorer():
    model, rng = LanguageModel(Vocabulary(["good", "bad", "film"]), embedding=4, units=6), np.random.default_rng(0)
    classifier = LogisticRegression().fit(rng.normal(0, 0.1, (40, 6)), np.arange(40) % 2)
    other = DummyClassifier(strategy="prior").fit(["", "", "", ""], [0, 1, 1, 1])
    reviews, judges = ["good film", "bad bad film"], {"another": other}
    return SentimentExplorer(model, classifier, rng.uniform(size=6), reviews, [1, 0], length=9, judges=judges)


def put(page, name, value):  # noqa: F811
    page.evaluate("([name, value]) => window.models[0].set(name, value)", [name, value])


@pytest.mark.parametrize("n", [0, 1, 400])
def test_page_adds_up_what_numpy_does(page, explorer, n):  # noqa: F811
    start, *parts = np.random.default_rng(n).normal(size=n + 1).tolist()
    found = page.evaluate(SUMS, [explorer.view._esm, start, parts])
    np.testing.assert_allclose(found, np.cumsum([start, *parts]), atol=1e-9)


def test_every_word_says_its_part_to_mouse_and_keys(page, explorer):  # noqa: F811
    explorer.text.value = f"good film {HOSTILE} bad"
    show(page, explorer.view)
    now, words, told = explorer.state, page.locator(".kx-words span"), page.locator(".kx-told")
    totals = [f"{100 / (1 + np.exp(-z)):.3g}%" for z in now.start + np.cumsum([0, *now.parts])]
    assert words.all_inner_texts() == list(now.words)
    assert page.locator(".kx-unknown").count() == now.known.count(False) == len(now.words) - 3
    assert (page.locator("img").count(), page.title()) == (0, "")
    at_rest, places, scrub = told.inner_text(), [1e9], page.get_by_role("slider")
    for t in range(len(now.words), 0, -1):
        words.nth(t - 1).hover()
        by_mouse = told.inner_text()
        word, part = by_mouse.split(" log-odds")[0].split(": ")
        assert word == f"“{now.words[t - 1]}”, word {t}"
        assert float(part.replace("−", "-")) == pytest.approx(now.parts[t - 1], rel=0.05)
        assert f"from {totals[t - 1]} to {totals[t]}" in by_mouse
        places.append(float(page.locator("circle").get_attribute("cx")))
        assert places[-1] < places[-2]
        page.mouse.move(0, 0)
        scrub.fill(str(t))
        assert told.inner_text() == (by_mouse if t < len(now.words) else at_rest)
    scrub.fill("2")
    assert page.get_by_role("status").inner_text() == f"words read: 2; {totals[2]} positive"
    assert not page.get_by_text("another", exact=True).is_visible()
    words.nth(1).click()
    words.nth(0).click()
    assert trait(page, "struck") == [1, 0]
    words.nth(1).click()
    assert trait(page, "struck") == [0]
    explorer.view.struck = [0]
    put(page, "texts", explorer.view.texts)  # as the kernel answers
    assert page.locator(".kx-struck").all_inner_texts() == ["good"]
    assert page.get_by_text("with all words").all_inner_texts() == [
        f"with all words: {p:.0%}" for p in (now.probability, 0.75)
    ]
    words.nth(0).hover()
    assert told.inner_text() == "“good” is struck out; a click brings it back."
    page.mouse.move(0, 0)
    explorer.view.struck = []
    put(page, "index", 0)
    assert trait(page, "struck") == []
    put(page, "index", 2)
    scrub.press("Home")
    assert page.locator(".kx-later").count() == len(now.words)


def test_a_unit_recolours_and_says_that_it_is_not_the_verdict(page, explorer):  # noqa: F811
    show(page, explorer.view)
    verdict = page.get_by_role("status").inner_text()
    put(page, "index", 1)
    assert page.locator(".kx-told").inner_text().count("bad") == 1  # it stands there twice
    put(page, "index", 2)
    for colour, colours in enumerate(explorer.state.colours):
        put(page, "colour", colour)
        np.testing.assert_allclose(page.locator(".kx-words span").evaluate_all(SHARES), 0.6 * np.abs(colours))
        legend = page.locator("p.kx-quiet:not(.kexue-needs-kernel)").inner_text()
        assert ("Coloured by another" in legend, "not the verdict" in legend) == (colour == 1, colour > 1)
        assert ("Most for it" in page.locator(".kx-told").inner_text()) == (colour == 0)
        assert page.get_by_role("status").inner_text() == verdict


def test_labels_are_told_and_nothing_is_cut_off(page, explorer):  # noqa: F811
    page.set_viewport_size({"width": 760, "height": 800})
    explorer.text.value = "w" * 300 + " good" * 4990
    show(page, explorer.view)
    for index, words in enumerate(("label: positive", "label: negative", "no label")):
        put(page, "index", index)
        assert words in page.get_by_role("status").inner_text()
        assert page.get_by_text("another", exact=True).is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 760
