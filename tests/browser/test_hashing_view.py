"""The hashing explorer's picture, alone in a page: it finds the neighbours that Python does, and nothing is cut off."""

import numpy as np
import pytest
from test_views import HOSTILE, page, show, trait  # noqa: F401

from kexue_nlp.datasets.images import ImageData
from kexue_nlp.lessons.hashing.explorer import METHODS, UNITS, read
from kexue_nlp.widgets import Hashes, HashExplorer
from kexue_nlp.word_vectors import BioWord

SET = "(changes) => { for (const [name, value] of Object.entries(changes)) window.models[0].set(name, value); }"
ROWS = "all => all.map((one) => Number(one.dataset.row))"


@pytest.fixture(scope="module")
def explorer():
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(4), 90)
    pixels = (rng.random((4, 12))[labels] + rng.random((len(labels), 12))).astype(np.float32) / 2
    images = ImageData(pixels, labels, (3, 4), "made up", "none", "none")
    words = [HOSTILE, "gun", *(f"noun{i}" for i in range(90))]
    documents = [rng.choice(words[i : i + 20], 6).tolist() for i in rng.integers(0, 80, 400)]
    model = BioWord(n_units=50, n_active=8, window=5, random_state=0).fit(documents)
    return HashExplorer(Hashes(images, np.arange(0, len(labels), 10)), model)


def lit(page, place):  # noqa: F811
    """Count squares of a field by colour."""
    paths = [f"{place} .kx-units .kx-{name}" for name in ("own", "shared", "apart")]
    return [page.locator(path).get_attribute("d").count("M") for path in paths]


def test_page_finds_the_pictures_of_python(page, explorer):  # noqa: F811
    show(page, explorer.view)
    rng, hashes = np.random.default_rng(1), explorer._hashes
    for _ in range(60):
        size, item, k = (int(rng.integers(*bounds)) for bounds in ((0, 5), (0, 360), (1, 33)))
        page.evaluate(SET, {"size": size, "item": item, "k": k})
        found = page.locator(".kx-thumb").evaluate_all(ROWS)
        n_units = UNITS[size]
        for method, rows in zip(METHODS, np.reshape(found, (3, 10)), strict=True):
            assert rows.tolist() == hashes.nearest(method, n_units, min(k, n_units), [item])[0].tolist()
    codes = hashes.codes("BioHash", n_units, min(k, n_units))
    distances = (codes[hashes.database[hashes.database != item]] != codes[item]).sum(axis=1)
    last = np.sort(distances)[9]
    assert f"({last} bits differ): {(distances == last).sum()}." in page.locator("[data-method=BioHash]").inner_text()


def test_page_finds_the_words_of_python(page, explorer):  # noqa: F811
    show(page, explorer.view)
    rng, model = np.random.default_rng(2), explorer._model
    known = [word for word in model.words_ if word != HOSTILE]
    assert any(model.static(word, 32).sum() < 32 for word in known)
    for n_words in rng.integers(1, 6, 60):
        words, k = [str(word) for word in rng.choice(known, n_words)], int(rng.integers(1, 33))
        place = int(rng.integers(n_words))
        page.evaluate(SET, {"tab": 1, "sentences": [read(model, " ".join(words))], "index": 0, "k": k, "place": place})
        for where, query in (("alone", words[place]), ("within", (words, place)))[:n_words]:
            rows = page.locator(f"[data-where={where}] .kx-near").evaluate_all(ROWS)
            assert [name for name, _ in model.nearest(query, 10, k)] == [model.words_[i] for i in rows]
        alone, within = model.static(words[place], k), model.contextual(words, place, k)
        both = int((alone & within).sum()) if n_words > 1 else 0
        assert lit(page, "[data-where=alone]") == [alone.sum() - both, both, 0]


def test_what_is_pointed_at_lights_up_and_can_be_looked_up(page, explorer):  # noqa: F811
    show(page, explorer.view)
    thumb = page.locator("[data-method=BioHash] .kx-thumb").nth(9)
    differ = int(thumb.get_attribute("aria-label").split()[2]) // 2
    row = int(thumb.get_attribute("data-row"))
    thumb.hover()
    assert lit(page, "[data-method=BioHash]") == [differ, 16 - differ, differ]
    page.mouse.move(0, 0)
    assert lit(page, "[data-method=BioHash]") == [16, 0, 0]
    thumb.press("Enter")
    assert trait(page, "item") == row
    page.evaluate(SET, {"tab": 1, "sentences": [read(explorer._model, "gun unheard noun1")], "index": 0})
    assert page.get_by_role("button", name="unheard").is_disabled()
    page.get_by_role("button", name="gun", exact=True).click()
    assert "units of “gun” stay" in page.get_by_role("status").inner_text()
    near = page.locator("[data-where=alone] .kx-near", has_text=HOSTILE[:4])
    near.click()
    assert (trait(page, "typed"), page.locator(".kx-sentence").inner_text()) == (HOSTILE, HOSTILE)
    assert (page.title(), page.locator("img").count()) == ("", 0)


@pytest.mark.parametrize("tab", [0, 1])
@pytest.mark.parametrize("width", [560, 1000])
def test_nothing_is_cut_off_with_the_largest_codes(page, explorer, tab, width):  # noqa: F811
    page.set_viewport_size({"width": width, "height": 700})
    show(page, explorer.view)
    page.evaluate(SET, {"tab": tab, "size": 4, "k": 32, "index": 0})
    wider = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML)"
    assert page.locator(".kx, .kx div, .kx button").evaluate_all(wider) == []
    tops = page.locator(".kx-thumb").evaluate_all("all => new Set(all.map((e) => e.getBoundingClientRect().top)).size")
    assert tops == (3, 1)[tab]
