"""Views alone in a page, with a stand-in for their model: no JupyterLab, no kernel, and so in no time."""

import base64
import json
import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib import get_data_path
from nbclient import NotebookClient
from nbconvert import HTMLExporter

import kexue_nlp
from kexue_nlp.lessons.segmentation.kernel import slide
from kexue_nlp.widgets import Bet, SlidingKernel

MODEL = Path(__file__).with_name("model.js")
HOSTILE = '<img src=x onerror="document.title=1">'
FONT = Path(kexue_nlp.__file__).parent / "fonts" / "KexueSansSC-Regular.otf"
MATPLOTLIB = Path(get_data_path(), "fonts", "ttf")  # fonts without Chinese
BETS = [
    """from ipywidgets import HBox, Output, Tab, VBox
from kexue_nlp.widgets import Bet
one, two, three = (Bet(f"{n}?", ["yes", "no"], 0, "") for n in ("one", "two", "three"))
one""",
    "HBox([one, VBox([two])])",
    "Tab([two])",
    "with (output := Output()):\n    display(three)\noutput",
    "HBox()",
]


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.route("http*://**", lambda route: route.abort())
    page.set_content("<!doctype html>")
    yield page
    page.close()


def show(page, view, live=True):
    page.add_script_tag(content=f"window.show || (() => {{ {MODEL.read_text('utf-8')} }})()")
    state = {name: value for name, value in view.get_state().items() if name != "layout"}
    state = json.loads(
        json.dumps(state, default=lambda sent: {"base64": base64.b64encode(sent).decode()})
    )  # as model.js
    page.evaluate("([state, live]) => window.show(state, live)", [state, live])


def fonts(tmp_path, *folders):
    """Return an environment in which a browser finds these fonts alone."""
    inner = "".join(f"<dir>{folder}</dir>" for folder in folders) + f"<cachedir>{tmp_path}</cachedir>"
    (tmp_path / "fonts.conf").write_text(f"<fontconfig>{inner}</fontconfig>", encoding="utf-8")
    return os.environ | {"FONTCONFIG_FILE": str(tmp_path / "fonts.conf")}


def trait(page, name):
    return page.evaluate("name => window.models.at(-1).get(name)", name)


def scores(page):
    return [float(text.replace("−", "-")) for text in page.locator(".kx-main.kx-filled").all_inner_texts()]


def test_player_steps_plays_and_scrubs(page):
    show(page, SlidingKernel())
    for name, step in (("one place on", 2), ("one place back", 1), ("one place back", 0)):
        page.get_by_role("button", name=name).click()
        assert trait(page, "step") == step
    page.get_by_role("button", name="slide the kernel").click()
    page.get_by_role("button", name="pause").click()
    page.get_by_role("slider", name="place of the kernel").fill("3")
    assert (trait(page, "step"), scores(page)) == (3, [1, 3, 4])
    page.get_by_role("button", name="slide the kernel").click()
    page.wait_for_function("window.models[0].get('step') === 4")
    assert page.get_by_role("button", name="one place on").is_disabled()


def test_view_with_the_focus_keeps_its_keys_from_jupyterlab(page):
    show(page, SlidingKernel())
    page.evaluate("""window.kept = {}, document.addEventListener("keydown", ({ target, key }) => {
        window.kept[key] = target.hasAttribute("data-lm-suppress-shortcuts");
    }, true)""")
    for key in ("ArrowRight", "Alt+s", "Shift+Enter"):
        page.get_by_role("slider").press(key)
    kept = page.evaluate("['ArrowRight', 's', 'Enter'].map(key => window.kept[key])")
    assert (kept, trait(page, "step")) == ([True, False, False], 2)


@pytest.mark.parametrize("seed", range(3))
def test_kernel_adds_up_what_numpy_does(page, seed):
    rng = np.random.default_rng(seed)
    vectors, kernel = rng.normal(size=(seed + 3, seed + 1)), rng.normal(size=(2 * seed + 1, seed + 1))
    view = SlidingKernel("甲乙丙丁戊"[: len(vectors)], [""] * len(vectors), vectors, kernel)
    view.step = len(vectors)
    show(page, view)
    np.testing.assert_allclose(scores(page), slide(vectors, kernel), rtol=0.006)


def test_blank_moves_every_score_on_and_weights_are_shared(page):
    show(page, SlidingKernel())
    page.get_by_label("a blank in front").check()
    assert scores(page) == [-1, 1, 3, 4, 5]
    page.get_by_role("spinbutton", name="weight 2 of kernel row 2").fill("3")
    assert scores(page) == [-1, 1, 4, 5, 7]
    page.get_by_role("button", name="reset").click()
    assert (scores(page), trait(page, "kernel")) == ([1], SlidingKernel().kernel)


def test_bet_is_settled_in_words_and_can_be_changed_by_keyboard(page):
    show(page, Bet(f"Which? {HOSTILE}", ["one", HOSTILE], 1, f"Because. {HOSTILE}"))
    assert page.get_by_role("group", name="Which? <img").count() == 1
    verdict = page.get_by_role("status")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert verdict.inner_text().startswith("Not so. The answer: “<img")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert verdict.inner_text().startswith("Right. Because.")
    assert page.get_by_role("button", pressed=True).inner_text().endswith("✓ right · your bet")
    assert (page.locator("img").count(), trait(page, "choice")) == (0, 1)


def test_static_picture_gives_way_and_without_a_kernel_controls_do(page):
    bet = Bet("?", ["one", "two"], 0, "")
    page.set_content(f'<p data-kexue-still="{bet.shows}">still</p><p data-kexue-still="other">other</p>')
    for live in (True, False):
        show(page, bet, live)
        page.locator(".kx").last.evaluate("el => { el.innerHTML += '<b class=kexue-needs-kernel>Python</b>'; }")
        page.wait_for_function("live => Boolean(document.querySelector('.kx-no-kernel')) !== live", arg=live)
    assert not page.get_by_text("still").is_visible()
    assert page.get_by_text("other").is_visible()
    assert [one.is_visible() for one in page.get_by_text("Python").all()] == [True, False]


def test_browser_without_chinese_borrows_the_font_once(launch, tmp_path):
    with launch(env=fonts(tmp_path, MATPLOTLIB)) as poor:
        page = poor.new_page()
        page.set_content("<h1>微信</h1>")
        tools = page.context.new_cdp_session(page)
        tools.send("DOM.enable")
        tools.send("CSS.enable")
        root = tools.send("DOM.getDocument")["root"]["nodeId"]
        heading = tools.send("DOM.querySelector", {"nodeId": root, "selector": "h1"})
        for view in (SlidingKernel(), Bet("微?", ["一", "二"], 0, "")):
            show(page, view)
            page.wait_for_function("Boolean(window.kexueFont)")
            page.evaluate("window.lend", base64.b64encode(FONT.read_bytes()).decode())
            assert page.evaluate("window.kexueFont") is True
        (font,) = tools.send("CSS.getPlatformFontsForNode", heading)["fonts"]
        assert (font["familyName"], font["glyphCount"]) == ("Kexue Sans SC", 2)
        assert page.evaluate("window.models.map(({ sent }) => sent)") == [[{"kexue": "font"}], []]


def test_a_browser_that_draws_chinese_asks_for_no_font(launch, tmp_path):
    with launch(env=fonts(tmp_path, MATPLOTLIB, FONT.parent)) as rich:
        page = rich.new_page()
        page.set_content("<!doctype html>")
        show(page, SlidingKernel())
        page.wait_for_function("Boolean(window.kexueFont)")
        assert page.evaluate("window.models[0].sent") == []
        assert page.evaluate("window.kexueFont") is False


def test_exported_notebook_shows_static_pictures_without_a_network(page, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in BETS])
    NotebookClient(notebook, timeout=120).execute()
    html, _ = HTMLExporter().from_notebook_node(notebook)
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    page.goto(f"file://{tmp_path}/page.html")
    shown = [cell.locator(".kexue-still").all_inner_texts() for cell in page.locator(".jp-CodeCell").all()]
    firsts = [[text.split("\n")[0] for text in texts] for texts in shown]
    assert firsts == [["one?"], ["one?", "two?"], ["two?"], ["three?"], []]
    assert all(still.is_visible() for still in page.locator(".kexue-still").all())
    plain = [cell.outputs[-1].data["text/plain"] for cell in notebook.cells]
    assert plain[:2] == ["<Bet>", "HBox(children=(<Bet>, VBox(children=(<Bet>,))))"]
