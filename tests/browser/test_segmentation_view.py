"""The segmentation explorer's picture, alone in a page: it computes what Python does, and soon enough."""

import itertools
import statistics

import numpy as np
import pytest
from test_views import page, show  # noqa: F401

from kexue_nlp.features import Features
from kexue_nlp.lexicon import Lexicon
from kexue_nlp.models import article_segmenter
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.tagging import SBME, words_to_tags
from kexue_nlp.text import Vocabulary, fixed_spans
from kexue_nlp.widgets import SegmentationExplorer

ALPHABET = "微信号关注 。1:\u0301"
DECODE = """async ([source, cases]) => {
  const { decode } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  return cases.map(([text, reading, cuts, lexicon]) => decode(Array.from(text), reading, cuts, lexicon).tags);
}"""
DUEL = """async ([source, text, logs, ...span]) => {
  const { duel, prepare, weigh } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const [asked, before, always, never] = [30, 1, "always", "never"].map((multiplier) =>
    prepare(Array.from(text), { logs }, [], { [text.slice(...span)]: multiplier }));
  const { whole, rival } = duel(asked, ...span);
  const tips = [always, never].map((one) => weigh(one, before, ...span));
  return [whole.total, rival.total, ...tips.map(({ whole, rival }) => whole.total > rival.total)];
}"""


@pytest.fixture(scope="module")
def segmenter():
    characters = Vocabulary(ALPHABET.replace(" ", ""))
    return Segmenter(article_segmenter(len(characters)), Features(characters), keep_whole=True)


@pytest.fixture(scope="module")
def explorer(segmenter):
    return SegmentationExplorer({"one": Segmenter.load("closed"), "two": segmenter})


def test_page_finds_the_paths_of_python(page, segmenter, explorer):  # noqa: F811
    rng = np.random.default_rng(0)
    cases, expected = [], []
    for _ in range(1000):
        text = "".join(rng.choice(list(ALPHABET), rng.integers(1, 16)))
        logs = np.log(rng.dirichlet(np.full(4, 0.3), len(text)) + 1e-9).astype(np.float32)
        marks = [i for i, character in enumerate(text) if character == ALPHABET[-1] and i]
        logs[marks, :2] = -1e4  # as the segmenter does
        lexicon = {}
        for _ in range(rng.integers(4)):
            start, length = rng.integers(len(text)), rng.integers(1, 5)
            lexicon[text[start : start + length]] = rng.choice(["always", "never", 0.001, 0.3, 1.0, 8.0, 1e4]).item()
        lexicon = {word: value if value in ("always", "never") else float(value) for word, value in lexicon.items()}
        reading = {"logs": logs.tolist(), "fixed": np.transpose(fixed_spans(text)).tolist()}
        cases.append([text, reading, segmenter.sure_cuts(text).tolist(), lexicon])
        expected.append(segmenter.decode(text, logs, Lexicon(lexicon)).tolist())
    assert page.evaluate(DECODE, [explorer.view._esm, cases]) == expected


def test_scales_weigh_the_best_cuts_with_and_without_the_word(page, explorer):  # noqa: F811
    rng = np.random.default_rng(0)
    for start, end in ((0, 1), (1, 3), (1, 4), (2, 6), (0, 6)):
        logs, lexicon = np.log(rng.dirichlet(np.full(4, 0.3), 6)), {"微信号关注。"[start:end]: 30.0}
        scores = logs + Lexicon(lexicon).bonuses("微信号关注。")
        best = {True: -np.inf, False: -np.inf}
        for tags in filter(SBME.is_legal, itertools.product(range(4), repeat=6)):
            whole = tags[start:end] == tuple(words_to_tags(["字" * (end - start)]))
            best[whole] = max(best[whole], scores[range(6), tags].sum())
        *weighed, always, never = page.evaluate(DUEL, [explorer.view._esm, "微信号关注。", logs.tolist(), start, end])
        np.testing.assert_allclose(weighed, [best[True], best[False]], atol=1e-4)
        assert (always, never) == (True, False)


def test_the_mark_on_a_fader_is_where_the_cut_snaps(page, explorer):  # noqa: F811
    show(page, explorer.view)
    text = explorer.view.sentences[0]["text"]
    mark = page.locator(".kx-snap title").first.text_content()
    flip = float(mark.split("×")[1].replace(",", ""))
    one = explorer._segmenters["one"]
    logs = one.log_probabilities(text)
    whole = [one.decode(text, logs, {"微信号": flip * by})[8:11].tolist() == [1, 2, 3] for by in (0.98, 1.02)]
    assert whole == [False, True]


def test_dragging_makes_a_word_whose_fader_cuts(page, explorer):  # noqa: F811
    show(page, explorer.view)
    first, last = (page.locator(".kx-character").nth(i).bounding_box() for i in (2, 3))
    page.mouse.move(first["x"] + 10, first["y"] + 12)
    page.mouse.down()
    page.mouse.move(last["x"] + 10, last["y"] + 12, steps=4)
    page.mouse.up()
    page.keyboard.press("End")
    assert page.evaluate("window.models[0].get('lexicon')")["二维"] == "always"
    words = ["".join(word.locator("[lang=zh]").all_text_contents()) for word in page.locator(".kx-main").all()]
    assert "二维" in words
    page.keyboard.press("Delete")
    assert "二维" not in page.evaluate("window.models[0].get('lexicon')")


def test_steps_go_column_by_column_and_back(page, explorer):  # noqa: F811
    show(page, explorer.view)
    n = len(explorer.view.sentences[0]["text"])
    for step, (columns, path) in {0: (0, 0), 1: (1, 0), n: (n, 0), n + 1: (n, 1), 2 * n: (n, n)}.items():
        page.evaluate("step => window.models[0].set('step', step)", step)
        seen = page.locator(".kx-node text").evaluate_all(
            "all => all.filter(t => t.textContent).map(t => t.attributes.x.value)"
        )
        assert (len(set(seen)), page.locator(".kx-chosen").count()) == (columns, path)


def test_who_will_watch_does_not_see_the_end_first(page, segmenter):  # noqa: F811
    show(page, SegmentationExplorer(segmenter, play=True).view)
    assert page.locator(".kx-node").count() > page.locator(".kx-chosen").count() == 0
    page.wait_for_function("window.models[0].get('step') > 1")


@pytest.mark.parametrize("touch", [False, True], ids=["light", "touch"])
def test_a_long_sentence_scrolls_and_stays_inside(browser, explorer, touch):
    context = browser.new_context(viewport={"width": 760, "height": 900}, has_touch=touch)
    page = context.new_page()  # noqa: F811
    page.set_content("<!doctype html>")
    explorer.sentence.value = "微信号关注" * 12
    show(page, explorer.view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 760
    assert page.locator(".kx-scroll").first.evaluate("e => e.scrollWidth > e.clientWidth")
    context.close()


def test_moves_are_drawn_within_milliseconds(page, explorer):  # noqa: F811
    show(page, explorer.view)
    times = page.evaluate("""() => [...Array(40).keys()].map((i) => {
      const start = performance.now();
      window.models[0].set("lexicon", { 微信号: i + 1 });
      return performance.now() - start;
    })""")
    assert statistics.median(times) < 50, times  # the aim is 5; machines are busy at times
