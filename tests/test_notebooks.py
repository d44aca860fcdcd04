r"""The anatomy of every notebook in notebooks/, read from the file; nothing long is executed here.

How to write a notebook that passes
===================================

Write the cells, give them tags and slide types, then run ``make notebooks``: it executes the notebook in a
clean kernel, writes the badge line and strips what must not be stored (widget state and views, timestamps,
all but the last state of a progress bar). It refuses, and leaves the file alone, if a cell raises, writes
to stderr, shows an absolute path or shows a PNG without alt text.

Every notebook, ``NN_name_of_it.ipynb``
    * nbformat 4.5; every cell has an id, unique, made of letters, digits, ``-`` and ``_``. Give ids that say
      what the cell is (``build-embedding``) and never change them.
    * Every cell has ``metadata.slideshow.slide_type``: slide, subslide, fragment, skip or notes ("-"
      continues the slide). The first cell is a ``slide``.
    * The first cell is markdown: ``# Title``, then as its own paragraph the promise, one sentence that ends
      with a full stop; then, in a lesson, a link to the article ``https://kexue.fm/archives/NNNN``; at the
      end the badge line, which ``make notebooks`` writes.
    * A PNG output has alt text in the output's metadata: ``display(Image(png, alt="..."))``, or
      ``display(figure, metadata={"image/png": {"alt": "..."}})``.
    * Nothing goes to stderr: progress bars to stdout (``tqdm(..., file=sys.stdout)``), no warnings.

A lesson (01–05) has exactly these level-2 headings, in this order; use ``###`` below them
    ``## What you will be able to do``
        3 bullets (lines that start with ``- ``) and the picture of the idea: an image in markdown with alt
        text (an attachment, or a file in notebooks/), or an output with a PNG or SVG. Then, still before the
        next heading, one code cell tagged ``parameters`` with ``PROFILE = "quick"`` and ``SEED = <integer>``.
    ``## Build it``
        Every code cell has at most 15 lines that are not blank, and follows a markdown cell that explains
        it. Somewhere an ``assert`` shows that the packaged version computes the same.
    ``## Play with it``
        A code cell makes the explorer (``...Explorer(``); what remains of it in the file is the static
        fallback, ``image/png`` or ``text/html``.
    ``## Measure it``
        The first table in an output (``text/html`` or ``text/markdown``) is the results table; its first row
        is the trivial baseline (``BASELINES`` below says which).
    ``## Exercises``
        For k = 1, 2, 3, in this order:

        1. a code cell tagged ``exercise``: the stub (a function whose body is ``...``, or ``answer = ...``),
           and as its last line ``check("NN.k", name)``, which says "not yet" as the cell stands;
        2. a code cell tagged ``solution`` with ``"jupyter": {"source_hidden": true}`` in its metadata: the
           same names with a right answer, and as its last line the same ``check("NN.k", name)``. Say in the
           markdown above it how to open it.

        What the exercises need (imports, ``check`` among them, small data) stands in code cells tagged
        ``setup-exercises``, anywhere above. The parameters cell, these cells, stubs and solutions are
        executed here, as plain Python without IPython magics, each stub and solution in a fresh copy of the
        set-up: keep them quick and independent of the rest of the notebook and of each other.
    ``## Further reading``
        At least one link, and what the next notebook takes from this one.

00_start_here.ipynb is free in its headings; the rules for every notebook hold for it too.
"""

import itertools
import re
from pathlib import Path

import nbformat
import pytest

import notebooks as tool
from kexue_nlp.tables import load_table

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if not path.name.startswith("00_")]

# Article of each lesson.
ARTICLES = {"01": 4293, "02": 4374, "03": 4195, "04": 4118, "05": 8159}
# What the first row of the results table must name.
BASELINES = {
    "01": "tf-idf",
    "02": "tf-idf",
    "03": "forward maximum matching",
    "04": "always neutral",
    "05": "random codes",
}

SECTIONS = (
    "What you will be able to do",
    "Build it",
    "Play with it",
    "Measure it",
    "Exercises",
    "Further reading",
)
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
MAX_LINES = 15
SAVED_BY_JUPYTER = (
    "if JupyterLab saved this notebook: `git checkout notebooks` brings the stored one back, "
    "`make notebooks` stores yours as it should be"
)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def markdown(cells):
    """Return the prose of some cells, without fenced code."""
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.sub(r"^```.*?^```", "", prose, flags=re.MULTILINE | re.DOTALL)


def headings(cells):
    return re.findall(r"^## +(.+?)\s*$", markdown(cells), re.MULTILINE)


def section(path, title):
    """Return the cells from the one with this level-2 heading to the one before the next such heading."""
    cells = read(path).cells
    starts = [i for i, cell in enumerate(cells) if headings([cell])]
    for start, end in zip(starts, [*starts[1:], len(cells)], strict=True):
        if title in headings(cells[start : start + 1]):
            return cells[start:end]
    pytest.fail(f"{path.name} has no section {title!r}")


def outputs_of_type(cells, *mimes):
    return [
        output.data[mime]
        for cell in cells
        for output in tool.outputs(cell)
        for mime in mimes
        if mime in output.get("data", {})
    ]


def lesson_number(path):
    return path.name[:2]


# --- every notebook ---------------------------------------------------------------------------------


def test_the_starting_page_and_a_lesson_are_there():
    assert "00_start_here" in [path.stem for path in NOTEBOOKS]
    assert LESSONS


@each_notebook
def test_name_is_a_number_and_words(path):
    assert re.fullmatch(r"0[0-5]_[a-z]+(_[a-z]+)*", path.stem)


@each_notebook
def test_format_is_valid_and_cell_ids_are_stable(path):
    tool.read(path)  # raises unless 4.5 and every id is there, well formed and unique


@each_notebook
@pytest.mark.parametrize("check", tool.CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_stored_that_must_not_be(path, check):
    problems = [f"{cell.id} {problem}" for cell in read(path).cells for problem in check(cell)]
    assert problems == [], SAVED_BY_JUPYTER


@each_notebook
def test_no_widget_state_is_stored(path):
    assert "widgets" not in read(path).metadata, SAVED_BY_JUPYTER


@each_notebook
def test_no_execution_time_is_stored(path):
    assert [cell.id for cell in read(path).cells if "execution" in cell.metadata] == []


@each_notebook
def test_no_python_version_is_stored(path):
    metadata = read(path).metadata
    assert metadata.kernelspec.name == "python3"
    assert "version" not in metadata.language_info, SAVED_BY_JUPYTER


@each_notebook
def test_cells_were_executed_in_order(path):
    counts = [cell.execution_count for cell in code_cells(read(path).cells) if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), SAVED_BY_JUPYTER


@each_notebook
def test_size_is_within_budget(path):
    assert path.stat().st_size <= tool.MAX_BYTES


@each_notebook
def test_every_cell_has_a_slide_type(path):
    cells = read(path).cells
    assert [c.id for c in cells if c.metadata.get("slideshow", {}).get("slide_type") not in SLIDE_TYPES] == []


@each_notebook
def test_lecture_starts_with_a_slide(path):
    assert read(path).cells[0].metadata.slideshow.slide_type == "slide"


@each_notebook
def test_title_comes_first(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)


@each_notebook
def test_promise_is_one_sentence(path):
    _, promise, *_ = [*re.split(r"\n\s*\n", read(path).cells[0].source.strip()), ""]
    assert re.findall(r"[.!?](?=\s|$)", promise) == ["."]
    assert promise.rstrip().endswith(".")


@each_notebook
def test_badge_is_there_and_within_budget(path):
    badge = tool.BADGE.search(read(path).cells[0].source)
    assert badge, "no badge line in the first cell; run make notebooks"
    assert int(badge["seconds"]) <= tool.MAX_SECONDS
    assert float(badge["gb"]) <= tool.MAX_GB


# --- lessons ----------------------------------------------------------------------------------------


@each_lesson
def test_title_cell_links_the_article(path):
    link = rf"\]\(https://kexue\.fm/archives/{ARTICLES[lesson_number(path)]}/?\)"
    assert re.search(link, read(path).cells[0].source)


@each_lesson
def test_sections_are_in_order(path):
    assert tuple(headings(read(path).cells)) == SECTIONS


@each_lesson
def test_three_bullets_say_what_is_learned(path):
    bullets = re.findall(r"^- \S", markdown(section(path, SECTIONS[0])), re.MULTILINE)
    assert len(bullets) == 3


@each_lesson
def test_the_idea_has_a_picture(path):
    cells = section(path, SECTIONS[0])
    drawn = outputs_of_type(cells, "image/png", "image/svg+xml")
    shown = [
        target.removeprefix("attachment:") in cell.get("attachments", {})
        if target.startswith("attachment:")
        else (path.parent / target).is_file()
        for cell in cells
        for target in re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", markdown([cell]))
    ]
    assert drawn or any(shown)


@each_lesson
def test_parameters_come_before_the_build(path):
    everywhere = [cell.id for cell in read(path).cells if "parameters" in tags(cell)]
    first_section = [cell for cell in code_cells(section(path, SECTIONS[0])) if "parameters" in tags(cell)]
    assert [cell.id for cell in first_section] == everywhere
    assert len(everywhere) == 1
    assert tool.QUICK.search(first_section[0].source)
    assert re.search(r"^SEED = \d+", first_section[0].source, re.MULTILINE)


@each_lesson
def test_build_cells_are_short(path):
    lengths = {
        cell.id: sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(section(path, "Build it"))
    }
    assert lengths
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


@each_lesson
def test_build_cells_are_explained(path):
    cells = section(path, "Build it")
    pairs = itertools.pairwise(cells)
    assert [b.id for a, b in pairs if b.cell_type == "code" and a.cell_type != "markdown"] == []


@each_lesson
def test_build_ends_in_a_comparison_with_the_package(path):
    assert any("assert" in cell.source for cell in code_cells(section(path, "Build it")))


@each_lesson
def test_explorer_is_shown_and_leaves_a_static_picture(path):
    cells = code_cells(section(path, "Play with it"))
    assert any("Explorer(" in cell.source for cell in cells)
    assert outputs_of_type(cells, "image/png", "text/html")


def first_row(table):
    """Return the text of the first data row of an HTML or Markdown table, or None if there is no table."""
    html = re.search(r"<table.*?(<tr[^>]*>(?:(?!</tr>).)*?<td.*?)</tr>", table, re.DOTALL)
    if html:
        return re.sub(r"<[^>]+>", " ", html[1])
    row = re.search(r"^\s*\|?(?:\s*:?-+:?\s*\|)+[-:\s]*\n(.*\|.*)$", table, re.MULTILINE)
    return row[1] if row else None


@each_lesson
def test_first_row_of_the_results_is_the_trivial_baseline(path):
    rows = map(first_row, outputs_of_type(section(path, "Measure it"), "text/html", "text/markdown"))
    first = next((row for row in rows if row is not None), None)
    assert first is not None, "no table in the outputs of this section"
    assert BASELINES.get(lesson_number(path), "") in first.lower()


@pytest.mark.parametrize(
    ("lesson", "table"),
    [
        ("01_margin_loss", "margin_loss"),
        ("01_margin_loss", "margin_sweep"),
        ("02_semi_supervised_sentiment", "semi_supervised"),
        ("04_viewpoint_sentiment", "viewpoint"),
        ("05_fruit_fly_hashing", "hashing"),
        ("05_fruit_fly_hashing", "word_vectors"),
    ],
)
def test_tables_in_the_file_are_those_of_the_stored_results(lesson, table):
    cells = read(FOLDER / f"{lesson}.ipynb").cells
    # Only the last line break may be missing.
    shown = [html.strip() for html in outputs_of_type(cells, "text/html")]
    assert load_table(table).to_html() in shown, "run make notebooks"


@each_lesson
def test_three_exercises_are_each_followed_by_their_solution(path):
    roles = [role for cell in code_cells(section(path, "Exercises")) for role in tags(cell)]
    assert [role for role in roles if role in ("exercise", "solution")] == ["exercise", "solution"] * 3


@each_lesson
def test_solutions_are_collapsed(path):
    solutions = [cell for cell in read(path).cells if "solution" in tags(cell)]
    assert [c.id for c in solutions if c.metadata.get("jupyter", {}).get("source_hidden") is not True] == []


def run_exercises(path, role):
    """Execute the set-up cells and the cells of one role; return [(exercise, was it right)]."""
    cells = code_cells(read(path).cells)
    namespace = {"__name__": "__main__"}
    for cell in cells:
        if {"parameters", "setup-exercises"} & set(tags(cell)):
            exec(compile(cell.source, cell.id, "exec"), namespace)
    assert "check" in namespace, "no cell tagged setup-exercises imports check"
    check = namespace["check"]
    results = []

    def recording_check(name, answer):
        result = check(name, answer)
        results.append((name, bool(result)))
        return result

    for cell in cells:
        if role in tags(cell):
            exec(compile(cell.source, cell.id, "exec"), {**namespace, "check": recording_check})
    return results


@each_lesson
@pytest.mark.parametrize(("role", "right"), [("exercise", False), ("solution", True)], ids=["stub", "solution"])
def test_stubs_fail_and_solutions_pass(path, role, right):
    assert run_exercises(path, role) == [(f"{lesson_number(path)}.{k}", right) for k in (1, 2, 3)]


@each_lesson
def test_further_reading_has_a_link(path):
    assert re.search(r"\]\(\S+\)", markdown(section(path, "Further reading")))
