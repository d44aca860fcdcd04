"""The hashing explorer's picture, alone in a page: it finds the neighbours that Python does, and nothing is cut off."""

import numpy as np
import pytest
from test_views import HOSTILE, page, sendable, show, trait  # noqa: F401

from kexue_nlp.datasets.images import ImageData
from kexue_nlp.lessons.hashing.explorer import METHODS, UNITS
from kexue_nlp.widgets import Hashes, HashExplorer
from kexue_nlp.word_vectors import BioWord

NEAREST = """async ([source, codes, table, cases]) => {
  const of = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const { buffer } = Uint8Array.from(atob(table.base64), (letter) => letter.charCodeAt(0));
  const words = of.ranked(new DataView(buffer), cases.rows);
  const alone = cases.words.map(([row, k]) =>
    of.nearest(words, of.codeOf(words, row, k), k, of.cosine, (other) => other === row).found.map(({ row }) => row));
  const queries = new Set(cases.queries);
  const pictures = cases.pictures.map(([method, n, item, k]) => {
    const { buffer } = Uint8Array.from(atob(codes[`${method} ${n}`].base64), (letter) => letter.charCodeAt(0));
    const codesOf = (method === "LSH" ? of.unpacked : of.ranked)(new DataView(buffer), cases.items, n);
    const all = method === "LSH" ? n : k;
    const { found, ties } = of.nearest(
      codesOf, of.codeOf(codesOf, item, all), all, of.hamming, (row) => row === item || queries.has(row));
    return [found.map(({ row }) => row), -found.at(-1).score, ties];
  });
  return [alone, pictures];
}"""


@pytest.fixture(scope="module")
def explorer():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 90)
    pixels = (rng.random((4, 12))[labels] + rng.random((len(labels), 12))).astype(np.float32) / 2
    images = ImageData(pixels, labels, (3, 4), "made up", "none", "none")
    nouns = [HOSTILE, "shot", "gun", *(f"noun{i}" for i in range(90))]
    documents = [rng.choice(nouns[i : i + 20], 6).tolist() for i in rng.integers(0, 80, 400)]
    model = BioWord(n_units=50, n_active=8, window=5, random_state=0).fit(documents)
    return HashExplorer(Hashes(images, np.arange(0, len(labels), 10)), model)


def test_page_finds_the_neighbours_of_python(page, explorer):  # noqa: F811
    rng, hashes, model, view = np.random.default_rng(1), explorer._hashes, explorer._model, explorer.view
    words = [(int(rng.integers(len(model.words_))), int(rng.integers(1, 33))) for _ in range(200)]
    assert any(model.static(model.words_[row], k).sum() < k for row, k in words)
    n_units = rng.choice(UNITS, 200).tolist()
    pictures = [(str(rng.choice(METHODS)), n, int(rng.integers(360)), int(rng.integers(1, 21))) for n in n_units]
    cases = {"rows": len(model.words_), "words": words, "queries": view.queries, "items": 360, "pictures": pictures}
    alone, found = page.evaluate(NEAREST, [view._esm, sendable(view.codes), sendable(view.table), cases])
    for (row, k), rows in zip(words, alone, strict=True):
        assert [name for name, _ in model.nearest(model.words_[row], 10, k)] == [model.words_[i] for i in rows]
    for (method, n, item, k), (rows, distance, ties) in zip(pictures, found, strict=True):
        codes = hashes.codes(method, n, k)
        distances = (codes[hashes.database] != codes[item]).sum(axis=1)
        assert rows == hashes.nearest(method, n, k, [item])[0].tolist()
        assert (codes[rows[-1]] != codes[item]).sum() == distance
        assert (distances[hashes.database != item] == distance).sum() == ties


def lit(page, place):  # noqa: F811
    """Count squares of a field by colour."""
    paths = [f"{place} .kx-units .kx-{name}" for name in ("own", "shared", "apart")]
    return [page.locator(path).get_attribute("d").count("M") for path in paths]


def test_digits_light_up_and_can_be_looked_up(page, explorer):  # noqa: F811
    show(page, explorer.view)
    item = explorer.view.item
    for k in (1, 16, 32):
        page.evaluate("k => window.models[0].set('k', k)", k)
        assert lit(page, "[data-method=BioHash]") == [k, 0, 0]
        shown = [
            title[0]
            for title in page.locator("[data-method=BioHash] .kx-thumb").evaluate_all("t => t.map(e => e.title)")
        ]
        nearest = explorer._hashes.nearest("BioHash", 160, k, [item])[0]
        assert shown == [str(label) for label in explorer._hashes.images.labels[nearest]]
    thumb = page.locator("[data-method=BioHash] .kx-thumb").nth(9)
    distance = int(thumb.get_attribute("aria-label").split()[2])
    thumb.hover()
    assert lit(page, "[data-method=BioHash]") == [distance // 2, 32 - distance // 2, distance // 2]
    page.mouse.move(0, 0)
    assert lit(page, "[data-method=BioHash]") == [32, 0, 0]
    thumb.press("Enter")
    assert trait(page, "item") == nearest[9]


def test_a_word_changes_its_code_with_the_sentence(page, explorer):  # noqa: F811
    explorer.sentence.value = "gun shot noun3 unheard"
    show(page, explorer.view)
    page.evaluate("window.models[0].set('tab', 1)")
    model, rarest = explorer._model, max(["gun", "shot", "noun3"], key=explorer._model.words_.index)
    for word in (rarest, "gun"):
        if word != rarest:
            page.get_by_role("button", name=word, exact=True).click()
        alone, within = (
            model.static(word, 16),
            model.contextual("gun shot noun3", ["gun", "shot", "noun3"].index(word), 16),
        )
        both = int((alone & within).sum())
        assert lit(page, "[data-where=within]") == [within.sum() - both, both, 0]
        assert f"{both} of the {alone.sum()} units of “{word}”" in page.get_by_role("status").inner_text()
    assert page.get_by_role("button", name="unheard").is_disabled()
    near = page.locator("[data-where=alone] .kx-near").first
    name = near.locator("span").first.inner_text()
    near.click()
    assert (trait(page, "typed"), page.locator(".kx-sentence").inner_text(), page.locator(".kx-panel").count()) == (
        name,
        name,
        1,
    )
    assert (page.title(), page.locator("img").count()) == ("", 0)


@pytest.mark.parametrize(("tab", "width"), [(0, 560), (0, 1000), (1, 560), (1, 1000)])
def test_nothing_is_cut_off_with_the_largest_codes(page, explorer, tab, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 700})
    show(page, explorer.view)
    page.evaluate(
        "tab => { const [m] = window.models; m.set('tab', tab); m.set('size', 4); m.set('k', 32); m.set('index', 0); }",
        tab,
    )
    wider = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML)"
    assert page.locator(".kx, .kx div, .kx button, .kx li").evaluate_all(wider) == []
    tops = "all => new Set(all.map((e) => e.getBoundingClientRect().top)).size"
    if tab == 0:
        assert [line.locator(".kx-thumb").evaluate_all(tops) for line in page.locator(".kx-thumbs").all()] == [1, 1, 1]
