"""The hashing explorer's picture, alone in a page: it finds the neighbours that Python does, and nothing is cut off."""

# ruff: noqa: F811
import re

import numpy as np
from test_explorer_hashing import HOSTILE, digits, explorer, words  # noqa: F401
from test_views import page, show, trait  # noqa: F401

from kexue_nlp.lessons.hashing.explorer import METHODS, UNITS, read
from kexue_nlp.widgets import HashExplorer

SET = "(changes) => { for (const [name, value] of Object.entries(changes)) window.models[0].set(name, value); }"
ROWS = "all => all.map((one) => Number(one.dataset.row))"


def lit(page, place):
    """Count squares of a field by colour."""
    paths = [f"{place} .kx-units .kx-{name}" for name in ("own", "shared", "apart")]
    return [page.locator(path).get_attribute("d").count("M") for path in paths]


def test_page_finds_the_pictures_of_python(page, explorer):
    show(page, explorer.view)
    rng, hashes = np.random.default_rng(1), explorer._hashes
    for size, item, k in rng.integers([0, 0, 1], [5, 360, 33], (60, 3)).tolist():
        page.evaluate(SET, {"size": size, "item": item, "k": k})
        found, now = page.locator(".kx-thumb").evaluate_all(ROWS), (UNITS[size], min(k, UNITS[size]))
        for method, rows in zip(METHODS, np.reshape(found, (3, 10)), strict=True):
            assert rows.tolist() == hashes.nearest(method, *now, [item])[0].tolist()
    codes = hashes.codes("BioHash", *now)
    distances = (codes[hashes.database[hashes.database != item]] != codes[item]).sum(axis=1)
    last = np.sort(distances)[9]
    said = f"The last one differs in {last} bits; pictures as near as it: {(distances == last).sum()}."
    assert said in page.locator("[data-method=BioHash]").inner_text()
    page.evaluate(SET, {"size": 0, "k": 32})
    assert page.get_by_text("All units are on").count() == 2  # of FlyHash and BioHash


def test_a_square_of_biohash_shows_what_its_unit_has_learned(page, explorer):
    show(page, explorer.view)
    page.evaluate(SET, {"size": 2})
    field, hashes = page.locator("[data-method=BioHash] .kx-units"), explorer._hashes
    box = field.bounding_box()
    for unit in (0, 47, 79):
        side = box["width"] / 40
        page.mouse.move(box["x"] + (unit % 40 + 0.5) * side, box["y"] + (unit // 40 + 0.5) * side)
        assert f"unit {unit + 1} " in page.locator(".kx-learned").inner_text()
        drawn = page.locator(".kx-learned canvas").evaluate(
            "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 0)"
        )
        weights = hashes.learned[80][unit]
        np.testing.assert_allclose(drawn, 255 - np.floor(255 * np.clip(weights / weights.max(), 0, 1)), atol=1)
    page.mouse.move(0, 0)
    assert page.locator(".kx-learned canvas").count() == 0


def test_page_finds_the_words_of_python(page, explorer):
    show(page, explorer.view)
    rng, model = np.random.default_rng(2), explorer._model
    known = [word for word in model.words_ if word != HOSTILE]
    assert any(model.static(word, 32).sum() < 32 for word in known)
    for n_words in rng.integers(1, 6, 60):
        words, (k, place) = rng.choice(known, n_words).tolist(), rng.integers([1, 0], [33, n_words]).tolist()
        page.evaluate(SET, {"tab": 1, "sentences": [read(model, " ".join(words))], "index": 0, "k": k, "place": place})
        for where, query in (("alone", words[place]), ("within", (words, place)))[:n_words]:
            rows = page.locator(f"[data-where={where}] .kx-near").evaluate_all(ROWS)
            assert [name for name, _ in model.nearest(query, 10, k)] == [model.words_[i] for i in rows]
        alone, within = model.static(words[place], k), model.contextual(words, place, k)
        both = int((alone & within).sum()) if n_words > 1 else 0
        assert lit(page, "[data-where=alone]") == [alone.sum() - both, both, 0]


def test_votes_are_counted_shown_and_taken_away(page, explorer):
    """By the buttons of the page, against sums of the model's weights."""
    show(page, explorer.view)
    model, words = explorer._model, ["he", "shot", "the", "film", "with", "the", "gun"]
    ids, n_words = [model.words_.index(word) for word in words], len(model.words_)
    page.evaluate(SET, {"tab": 1, "sentences": [read(model, " ".join(words))], "index": 0, "k": 8, "place": 3})
    voters = {1: ids[1], 2: ids[2], 3: n_words + ids[3], 4: ids[4]}  # a window of 5; the second "the" is the first
    for silent in ([], [1], [1, 4]):
        for i in silent[-1:]:
            page.locator(f".kx-vote[data-key='vote {i}']").click()
        assert trait(page, "silent") == silent
        sums = np.sum([model.weights_[row] for i, row in voters.items() if i not in silent], axis=0)
        on = [unit for unit in np.argsort(-sums, kind="stable")[:8].tolist() if sums[unit] > 0]
        numbers = {
            i: 0 if i in silent else round(100 * model.weights_[row][on].sum() / sums[on].sum())
            for i, row in voters.items()
        }
        said = [f"{words[i]} {share} %" for i, share in numbers.items()]
        assert [text.replace("\n", " ") for text in page.locator(".kx-vote").all_inner_texts()] == said
        assert sum(lit(page, "[data-where=within]")) == len(on)
    box = page.locator("[data-where=within] .kx-units").bounding_box()
    unit, side = on[-1], box["width"] / 40
    off = next(unit for unit in range(40) if unit not in on)
    page.mouse.move(box["x"] + (off % 40 + 0.5) * side, box["y"] + (off // 40 + 0.5) * side)
    assert f"({off + 1}) is off in the sentence" in page.locator(".kx").inner_text()
    page.mouse.move(box["x"] + (unit % 40 + 0.5) * side, box["y"] + (unit // 40 + 0.5) * side)
    assert f"({unit + 1})" in page.locator(".kx").inner_text()
    shares = [round(100 * model.weights_[row][unit] / sums[unit]) for i, row in voters.items() if i not in silent]
    voting = page.locator(".kx-vote[aria-pressed=true]").all_inner_texts()
    assert [text.split()[-2] for text in voting] == [str(share) for share in shares]
    page.locator(".kx-sentence button").nth(1).click()  # another word: all vote again
    assert (trait(page, "silent"), page.locator(".kx-vote[aria-pressed=false]").count()) == ([], 0)
    page.locator(".kx-vote").first.click()
    assert trait(page, "silent")
    page.evaluate(SET, {"sentences": [read(model, "gun")]})  # another sentence, too
    assert (trait(page, "silent"), page.locator(".kx-vote").count()) == ([], 0)
    box = page.locator("[data-where=alone] .kx-units").bounding_box()
    page.mouse.move(box["x"] + side / 2, box["y"] + side / 2)
    assert page.locator(".kx-who").inner_text() == f"“{' '.join(explorer.view.names[0])}” (1)"


def test_what_is_pointed_at_lights_up_and_can_be_looked_up(page, explorer):
    show(page, explorer.view)
    thumb = page.locator("[data-method=BioHash] .kx-thumb").nth(9)
    row, differ = int(thumb.get_attribute("data-row")), int(thumb.get_attribute("aria-label").split()[2]) // 2
    thumb.hover()
    assert lit(page, "[data-method=BioHash]") == [differ, 16 - differ, differ]
    page.mouse.move(0, 0)
    assert lit(page, "[data-method=BioHash]") == [16, 0, 0]
    thumb.press("Enter")
    assert trait(page, "item") == row
    page.evaluate(SET, {"tab": 1, "sentences": [read(explorer._model, "gun unheard film")], "index": 0})
    assert page.get_by_role("button", name="unheard").is_disabled()
    page.get_by_role("button", name="gun", exact=True).click()
    assert "units of “gun” stay" in page.get_by_role("status").inner_text()
    page.evaluate(SET, {"sentences": [read(explorer._model, "[gun] unheard" + " film" * 9)]})
    assert page.locator(".kx-far").count() == 9 - explorer._model.window // 2
    page.evaluate(SET, {"sentences": [read(explorer._model, "gun unheard film")]})
    page.locator("[data-where=alone] .kx-near", has_text=HOSTILE).click()
    assert (trait(page, "typed"), page.locator(".kx-sentence").inner_text()) == (HOSTILE, HOSTILE)
    assert (page.title(), page.locator("img").count()) == ("", 0)


def test_nothing_is_cut_off_with_the_largest_codes(page, explorer):
    show(page, explorer.view)
    wider = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.outerHTML)"
    tops = "all => new Set(all.map((e) => e.getBoundingClientRect().top)).size"
    for width, tab in ((560, 0), (560, 1), (1000, 0), (1000, 1)):
        page.set_viewport_size({"width": width, "height": 700})
        page.evaluate(SET, {"tab": tab, "size": 4, "k": 32, "index": 0})
        assert page.locator(".kx, .kx div, .kx button").evaluate_all(wider) == []
        assert page.locator(".kx-thumb").evaluate_all(tops) == (3, 1)[tab]


def test_unfit_words_are_neither_neighbours_nor_names(page, digits, words, monkeypatch):
    monkeypatch.setattr("kexue_nlp.lessons.hashing.explorer.UNFIT", re.compile("^(gun|war)$"))
    explorer = HashExplorer(digits, words)
    explorer.example.index = len(explorer.example.options) - 1
    show(page, explorer.view)
    numbers = {words.words_.index(word) for word in ("gun", "war")}
    found = set()
    for word in words.words_:
        page.evaluate(SET, {"tab": 1, "sentences": [read(words, word)], "index": 0, "k": 8})
        found |= set(page.locator(".kx-near").evaluate_all(ROWS))
        explorer.view.sentences = [read(words, word)]
        explorer.view.index = 0
        assert not {"gun", "war"} & set(
            explorer.static_text().split("\n")[-1].partition(":")[2].replace(",", "").split()
        )
    assert len(found) > 5
    assert not found & numbers
    assert not {"gun", "war"} & {word for names in explorer.view.names for word in names}
