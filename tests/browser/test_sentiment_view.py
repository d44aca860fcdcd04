"""The sentiment explorer's picture, alone in a page: its sums are Python's, and mouse and keys reach every word."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from test_views import HOSTILE, page, show  # noqa: F401

from kexue_nlp.language_model import LanguageModel
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import SentimentExplorer

SUMS = """async ([source, cases]) => {
  const { runningTotals } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  return cases.map(([start, parts]) => runningTotals(start, parts));
}"""
TEXT = f"good film {HOSTILE} bad"


@pytest.fixture(scope="module")
def explorer():
    model = LanguageModel(Vocabulary(["good", "bad", "film"]), embedding=4, units=6)
    rng = np.random.default_rng(0)
    classifier = LogisticRegression().fit(rng.normal(0, 0.1, (40, 6)), np.arange(40) % 2)
    explorer = SentimentExplorer(
        model, classifier, rng.uniform(size=6), ["good film", "bad bad film"], [1, 0], length=9
    )
    explorer.text.value = TEXT
    return explorer


def put(page, name, value):  # noqa: F811
    page.evaluate("([name, value]) => window.models[0].set(name, value)", [name, value])


def percents(odds):
    return [f"{p:.3g}%" for p in 100 / (1 + np.exp(-odds))]


def test_page_adds_up_what_numpy_does(page, explorer):  # noqa: F811
    rng = np.random.default_rng(0)
    cases = [[rng.normal(), rng.normal(size=n).tolist()] for n in (0, 1, 2, 400)]
    for found, (start, parts) in zip(page.evaluate(SUMS, [explorer.view._esm, cases]), cases, strict=True):
        np.testing.assert_allclose(found, start + np.cumsum([0, *parts]), atol=1e-9)


def test_every_word_says_its_part_to_mouse_and_keys(page, explorer):  # noqa: F811
    show(page, explorer.view)
    now, words, told = explorer.state, page.locator(".kx-words span"), page.locator(".kx-told")
    assert words.all_inner_texts() == list(now.words)
    assert page.locator(".kx-unknown").all_inner_texts() == [
        w for w, k in zip(now.words, now.known, strict=True) if not k
    ]
    assert (page.locator("img").count(), page.title()) == (0, "")
    at_rest, totals = told.inner_text(), percents(now.start + np.cumsum([0, *now.parts]))
    scrub, dots = page.get_by_role("slider"), []
    for t in range(len(now.words), 0, -1):
        words.nth(t - 1).hover()
        by_mouse = told.inner_text()
        assert f"“{now.words[t - 1]}”, word {t}: {now.parts[t - 1]:+.2g} ".replace("-", "−") in by_mouse
        assert f"from {totals[t - 1]} to {totals[t]}" in by_mouse
        dots.append(page.locator("circle").get_attribute("cx"))
        page.mouse.move(0, 0)
        scrub.fill(str(t))
        assert told.inner_text() == (by_mouse if t < len(now.words) else at_rest)
    assert len(set(dots)) == len(dots)
    scrub.press("Home")
    assert totals[0] in told.inner_text()
    assert page.locator(".kx-later").count() == len(now.words)


def test_a_unit_recolours_and_says_that_it_is_not_the_verdict(page, explorer):  # noqa: F811
    show(page, explorer.view)
    verdict, said = page.get_by_role("status").inner_text(), set()
    for colour in range(1 + len(explorer.view.about["units"])):
        put(page, "colour", colour)
        shares = page.locator(".kx-words span").evaluate_all(
            "all => all.map(e => parseFloat(e.style.getPropertyValue('--share')))"
        )
        np.testing.assert_allclose(shares, 0.6 * np.abs(explorer.state.colours[colour]))
        said.add(page.locator("p.kx-quiet").last.inner_text())
        assert ("not the verdict" in page.locator(".kx").inner_text()) == (colour > 0)
        assert page.get_by_role("status").inner_text() == verdict
    assert len(said) == 1 + len(explorer.view.about["units"])


def test_choosing_shows_the_label_and_nothing_is_cut_off(page, explorer):  # noqa: F811
    page.set_viewport_size({"width": 760, "height": 800})
    explorer.text.value = "w" * 300 + " good" * 4990
    show(page, explorer.view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 760
    for index, words in enumerate(("label: positive", "label: negative", "no label")):
        put(page, "index", index)
        assert words in page.get_by_role("status").inner_text()
    explorer.text.value = TEXT
