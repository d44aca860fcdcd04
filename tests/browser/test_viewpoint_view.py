"""The viewpoint explorer's picture, alone in a page: verdicts, and names that come and go with a click."""

import numpy as np
from test_views import HOSTILE, page, show, trait  # noqa: F401

from kexue_nlp.lessons.viewpoint.explorer import ViewpointView

P = [[0.9, 0.1, 0, 0]] * 4 + [[0, 0.2, 0.3, 0.5]] * 3
MAP = {"p": P, "path": [0] * 4 + [3] * 3, "bonuses": [[0, 7, 7, 7]] * 7, "cuts": [4]}
MENTION = {"name": "哈弗h", "start": 4, "end": 7, "polarity": "neg", "probability": 0.53, "sure": False}
MENTION |= {"shares": {"pos": 0.25, "neu": 0, "neg": 0.5}}
OTHER = {"name": "h", "start": 6, "end": 7, "polarity": "pos", "probability": 0.9, "sure": True}
OTHERS = [OTHER | {"shares": None}, OTHER | {"shares": {"pos": 0.9, "neu": 0, "neg": 0}}]
SHOWN = {
    "characters": [*"我不喜欢哈弗h6", HOSTILE], "left": 0, "known": ["哈弗h", HOSTILE], "gone": ["宝马"],
    "verdicts": {"": {"mentions": [MENTION], "more": 0}, HOSTILE: {"mentions": OTHERS, "more": 0}},
    "dropped": [HOSTILE], "maps": [MAP, MAP],
}  # fmt: skip


def test_names_come_and_go_and_an_unsure_verdict_looks_unsure(page):  # noqa: F811
    page.set_viewport_size({"width": 560, "height": 900})
    show(page, ViewpointView(shown=SHOWN, removed=["宝马", "哈弗H6"], added=["唐"]))
    assert "− perhaps blamed\nprobability 0.53" in page.locator(".kx-card.kx-unsure").inner_text()
    assert page.locator(".kx-digit").all_text_contents() == list("0000333") * 2
    assert (page.locator(".kx-cell").count(), page.locator(".kx-added").count()) == (56, 42)
    add = page.get_by_role("button", name="add a name")
    assert add.is_disabled()
    page.locator(".kx-text").click(click_count=3)  # selects all of it
    assert page.get_by_role("textbox").input_value().startswith("我不喜欢哈弗h6")
    page.get_by_role("textbox").fill("哈弗h6")
    add.click()
    assert (trait(page, "added"), trait(page, "removed")) == (["唐", "哈弗h6"], ["宝马"])
    page.get_by_role("textbox").fill("，")
    assert add.is_disabled()
    page.get_by_role("textbox").fill(f" {HOSTILE} ")
    page.get_by_role("textbox").press("Enter")
    page.get_by_role("button", name="put 宝马 back").click()
    page.get_by_role("button", name="take 哈弗h off").press("Enter")
    assert (trait(page, "added"), trait(page, "removed")) == (["唐", "哈弗h6", HOSTILE], ["哈弗h"])
    page.locator(".kx-card").first.hover()
    assert trait(page, "pointed") == 0
    page.evaluate("window.models[0].set('why', [1, -0.5, 0, 0, 0, 0, 0, 0])")
    shades = page.locator(".kx-text span").evaluate_all("all => all.slice(0, 3).map((one) => one.style.background)")
    assert ["said) 80%" in shades[0], "grey) 40%" in shades[1], " 0%" in shades[2]] == [True] * 3
    assert "".join(page.locator(".kx-at").all_inner_texts()) == "哈弗h"
    bar = page.locator(".kx-shares").first
    assert bar.get_attribute("aria-label").startswith("praised 0.25, mentioned 0.00, blamed 0.50; the rest")
    parts = bar.locator("span").evaluate_all("all => all.map((one) => one.clientWidth / one.parentNode.clientWidth)")
    np.testing.assert_allclose(parts, [0.25, 0, 0.5], atol=0.02)
    page.locator(".kx-card").nth(1).hover()
    assert trait(page, "pointed") == -1  # it has no probabilities to explain
    page.locator(".kx-card").nth(2).focus()
    assert trait(page, "pointed") == 2
    page.evaluate("window.models[0].set('why', [0.5, 0, 0, 0, 0, 0, 0, 0])")  # the kernel's answer
    assert "".join(page.locator(".kx-at").all_inner_texts()) == "h"
    page.locator(".kx-card").nth(2).blur()
    page.mouse.move(0, 0)
    assert trait(page, "pointed") == -1
    wider = "all => all.filter((e) => e.scrollWidth > e.clientWidth + 1).length"
    assert page.locator(".kx, .kx div, .kx button").evaluate_all(wider) == 0
    assert (page.title(), page.locator("img").count()) == ("", 0)
