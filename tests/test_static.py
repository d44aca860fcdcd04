"""Notebooks where nothing runs: as a page, as a forge shows them, as slides; and code that runs on Windows too."""

import ast
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
PICTURES = ["svg", "img", "table"]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NBCONVERTS_ALT = "No description has been provided for this image"  # what it writes where it finds none

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name[:2])
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


@each_notebook
@each_export
def test_explorer_leaves_its_words_and_pictures(path, kind):
    stored = explorer_outputs(path)
    assert stored
    for cell, html in stored:
        page, shown = parse(html), export(path, kind).find(id=f"cell-id={cell}")
        assert shown is not None, f"the cell {cell} is not shown"
        words = " ".join(page.get_text().split())
        assert words
        assert words in " ".join(shown.get_text().split())
        pictures = [picture.name for picture in page.find_all(PICTURES)]
        assert pictures
        assert [picture.name for picture in shown.find_all(PICTURES)] == pictures


@each_notebook
def test_explorer_leaves_pictures_where_styles_are_stripped(path):
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
def test_no_widget_is_waited_for_and_pictures_are_described(path, kind):
    page = export(path, kind)
    assert page.find_all("script", type=WIDGET_VIEW) == []
    assert "Error displaying widget" not in page.get_text()
    assert page.select('[data-mime-type="application/vnd.jupyter.stderr"]') == []
    drawings = page.find_all("svg")
    assert [svg for svg in drawings if not svg.get("aria-label") and svg.get("aria-hidden") != "true"] == []
    if kind == "slides":
        assert {"", NBCONVERTS_ALT}.isdisjoint(picture.get("alt", "").strip() for picture in page.find_all("img"))


LACKING = {
    *("fcntl", "grp", "pwd", "resource", "termios", "os.fork", "os.execv", "os.getuid", "os.geteuid", "os.sysconf"),
    *("os.register_at_fork", "os.sched_getaffinity", "os.sched_setaffinity"),
    *("signal.SIGALRM", "signal.SIGKILL", "signal.alarm", "select.poll"),
}
# Which argument is the encoding, without which Windows reads and writes text in a code page of its own.
ENCODINGS = {"open": 3, "read_text": 0, "write_text": 1}


def only_posix(source):
    """Return what in a module is not there, or is something else, on Windows; a name that `hasattr` asks for is."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asked = {call.args[1].value for call in calls if ast.unparse(call.func) == "hasattr"}
    found = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr not in asked
    }
    problems = found & LACKING
    problems |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and str(n.value).startswith("/tmp")}
    for call in calls:
        name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
        binary = name == "open" and any("b" in str(getattr(arg, "value", "")) for arg in call.args[1:2])
        named = any(keyword.arg == "encoding" for keyword in call.keywords)
        is_text = name in ENCODINGS and (name != "open" or isinstance(call.func, ast.Name))
        if is_text and not binary and not named and len(call.args) <= ENCODINGS[name]:
            problems.add(ast.unparse(call))
    return problems


WINDOWS = {
    "import pwd": "pwd",
    "os.register_at_fork(before=f)": "os.register_at_fork",
    "if hasattr(os, 'register_at_fork'): os.register_at_fork(before=f)": None,
    "open(path, 'w')": "open(path, 'w')",
    "open(path, 'rb')": None,
    "path.read_text()": "path.read_text()",
    "path.write_text(text, encoding='utf-8')": None,
    "path = '/tmp/x'": "/tmp/x",
}


def test_the_package_runs_on_windows_and_what_windows_lacks_is_found():
    assert {source: only_posix(source) for source in WINDOWS} == {s: {p} - {None} for s, p in WINDOWS.items()}
    sources = {path.name: path.read_text("utf-8") for path in (ROOT / "kexue_nlp").rglob("*.py")}
    assert {name: problems for name, source in sources.items() if (problems := only_posix(source))} == {}
    assert "--template-file benchmarks/slides.html.j2" in (ROOT / "Makefile").read_text("utf-8")  # as in EXPORTERS
