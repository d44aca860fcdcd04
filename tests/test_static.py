"""Notebooks where nothing runs: as a page, as a forge shows them, and as the slides of `make slides`."""

import base64
import functools
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter, SlidesExporter

from kexue_nlp.widgets.base import escape, still

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPORTERS = {
    "page": HTMLExporter,
    "slides": lambda: SlidesExporter(template_file=str(ROOT / "benchmarks/slides.html.j2")),
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NBCONVERTS_ALT = "No description has been provided for this image"  # what it writes where it finds none

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_export = pytest.mark.parametrize("kind", EXPORTERS)


def parse(html):
    return BeautifulSoup(html, "html.parser")


@functools.cache
def export(path, kind):
    html, _ = EXPORTERS[kind]().from_filename(str(path))
    return parse(html)


def explorer_outputs(path):
    """Return (cell id, HTML) of what is stored for each explorer."""
    return [
        (cell.id, output.data["text/html"])
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and "Explorer(" in cell.source
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]


def test_slides_are_exported_with_the_template_that_is_tested_here():
    assert "--template-file benchmarks/slides.html.j2" in (ROOT / "Makefile").read_text("utf-8")


@each_notebook
@each_export
def test_explorer_leaves_its_words_where_no_widget_runs(path, kind):
    stored = explorer_outputs(path)
    assert stored
    for cell, html in stored:
        words = " ".join(parse(html).get_text().split())
        shown = export(path, kind).find(id=f"cell-id={cell}")
        assert shown is not None, f"the cell {cell} is not shown"
        assert words
        assert words in " ".join(shown.get_text().split())


@each_notebook
@each_export
def test_explorer_leaves_its_pictures_where_no_widget_runs(path, kind):
    pictures = ["svg", "img", "table"]
    for cell, html in explorer_outputs(path):
        stored = [picture.name for picture in parse(html).find_all(pictures)]
        shown = export(path, kind).find(id=f"cell-id={cell}").find_all(pictures)
        assert stored
        assert [picture.name for picture in shown] == stored


@each_notebook
def test_explorer_leaves_its_pictures_where_drawings_and_styles_are_stripped(path):
    for _, html in explorer_outputs(path):
        page = parse(html)
        assert page.select("svg[role=img]") == []
        for stripped in page.find_all(["svg", "style"]):
            stripped.decompose()
        assert page.find_all(["img", "table"])
        for image in page.select('img[src^="data:image/svg+xml;base64,"]'):
            drawing = ElementTree.fromstring(base64.b64decode(image["src"].split(",", 1)[1]))
            assert drawing.get("aria-label") == image["alt"] != ""


def test_a_drawing_keeps_its_words_as_an_image():
    words = escape("<\x0b\n\"'&")
    (image,) = parse(still(f'<svg width="9" height="5" role="img" aria-label="{words}"><text>{words}</text></svg>'))
    drawing = ElementTree.fromstring(base64.b64decode(image["src"].split(",", 1)[1]))
    assert image["alt"] == drawing.get("aria-label") == drawing[-1].text


@each_notebook
@each_export
def test_no_widget_is_waited_for(path, kind):
    page = export(path, kind)
    assert page.find_all("script", type=WIDGET_VIEW) == []
    assert "Error displaying widget" not in page.get_text()


@each_notebook
@each_export
def test_nothing_was_written_to_stderr(path, kind):
    assert export(path, kind).select('[data-mime-type="application/vnd.jupyter.stderr"]') == []


@each_notebook
def test_pictures_in_slides_have_their_descriptions(path):
    alts = [picture.get("alt", "").strip() for picture in export(path, "slides").find_all("img")]
    assert {"", NBCONVERTS_ALT}.isdisjoint(alts)


@each_notebook
@each_export
def test_drawings_say_what_they_show_or_that_they_show_nothing(path, kind):
    drawings = export(path, kind).find_all("svg")
    unnamed = [svg for svg in drawings if not svg.get("aria-label") and svg.get("aria-hidden") != "true"]
    assert unnamed == []
