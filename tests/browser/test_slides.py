"""The pages of `make slides` in a real browser, without a network and so without reveal.js: nothing is cut off."""

from pathlib import Path

import pytest
from nbconvert import SlidesExporter

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEMPLATE = ROOT / "benchmarks" / "slides.html.j2"

# Texts and pictures that reach beyond the right edge of a box that hides what does.
CUT_OFF = """
(page, kinds) => [...page.querySelectorAll(kinds)].filter((part) => {
  const { width, right } = part.getBoundingClientRect();
  let box = part.parentElement;
  while (box && getComputedStyle(box).overflowX !== "hidden") box = box.parentElement;
  return width && box && right > box.getBoundingClientRect().right + 1;
}).map((part) => part.outerHTML.slice(0, 200))
"""


@pytest.fixture
def page(browser):
    page = browser.new_page()
    page.route("http*://**", lambda route: route.abort())
    yield page
    page.close()


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_nothing_on_a_slide_is_cut_off(lesson, page, tmp_path):
    html, _ = SlidesExporter(template_file=str(TEMPLATE)).from_filename(str(lesson))
    (tmp_path / "slides.html").write_text(html, encoding="utf-8")
    page.goto(f"file://{tmp_path}/slides.html")
    slides = page.locator(".slides")
    assert lesson.stem == "00_start_here" or "Exercises" in slides.inner_text()
    # The narrow page is for code: reveal.js, which is not there, has larger type for it.
    for width, kinds in ((1280, "span, td, th, p, li, img, svg"), (720, "pre span")):
        page.set_viewport_size({"width": width, "height": 800})
        assert slides.evaluate(CUT_OFF, kinds) == []
