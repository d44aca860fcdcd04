"""The anatomy of every notebook, read from the file, as "The notebook of a lesson" in CONTRIBUTING.md has it.

Nothing long is executed here; the notebooks themselves are, by nbval.
"""

import ast
import itertools
import re
from pathlib import Path

import nbformat
import pytest

import notebooks as tool
from kexue_nlp import figures
from kexue_nlp.tables import load_table

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if not path.name.startswith("00_")]

SECTIONS = ("What you will be able to do", "Build it", "Play with it", "Measure it", "Exercises", "Further reading")
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
MAX_LINES = 15
MAX_WORDS = 90
FOR_TOOLS = re.compile(r"#.*\b(noqa|isort|NBVAL)", re.IGNORECASE)
SOLUTION = re.compile(r"<details>\n<summary>[^<>]+</summary>\n\n```python\n(.*)\n```\n\n</details>", re.DOTALL)
SAVED_BY_JUPYTER = (
    "if JupyterLab saved this notebook: `git checkout notebooks` brings the stored one back, "
    "`make notebooks` stores yours as it should be"
)

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name[:2])
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name[:2])


def read(path):
    return nbformat.v4.reads(path.read_text("utf-8"))  # does not look whether it is valid, and so is quick


def tags(cell):
    return cell.metadata.get("tags", [])


def is_folded(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden") is True


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


def test_the_starting_page_and_a_lesson_are_there():
    assert NOTEBOOKS[0].stem == "00_start_here"
    assert LESSONS


@each_notebook
def test_name_is_a_number_and_words(path):
    assert re.fullmatch(r"\d\d_[a-z]+(_[a-z]+)*", path.stem)


@each_notebook
def test_format_is_valid_with_stable_cell_ids_and_size_within_budget(path):
    tool.read(path)  # raises unless 4.5 and every id is there, well formed and unique
    assert path.stat().st_size <= tool.MAX_BYTES


@each_notebook
@pytest.mark.parametrize("check", tool.CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_stored_that_must_not_be(path, check):
    problems = [f"{cell.id} {problem}" for cell in read(path).cells for problem in check(cell)]
    assert problems == [], SAVED_BY_JUPYTER


@each_notebook
def test_cells_were_executed_in_order_and_no_trace_of_a_session_is_stored(path):
    notebook = read(path)
    assert "widgets" not in notebook.metadata, SAVED_BY_JUPYTER
    assert "version" not in notebook.metadata.language_info, SAVED_BY_JUPYTER
    assert notebook.metadata.kernelspec.name == "python3"
    assert [cell.id for cell in notebook.cells if "execution" in cell.metadata] == []
    counts = [cell.execution_count for cell in code_cells(notebook.cells) if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), SAVED_BY_JUPYTER


@each_notebook
def test_every_cell_has_a_slide_type_and_a_slide_comes_first(path):
    cells = read(path).cells
    assert [c.id for c in cells if c.metadata.get("slideshow", {}).get("slide_type") not in SLIDE_TYPES] == []
    assert cells[0].metadata.slideshow.slide_type == "slide"


@each_notebook
def test_title_and_a_promise_of_one_sentence_come_first(path):
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)
    _, promise, *_ = [*re.split(r"\n\s*\n", first.source.strip()), ""]
    assert re.findall(r"[.!?](?=\s|$)", promise) == ["."]
    assert promise.rstrip().endswith(".")


@each_notebook
def test_badge_is_there_and_within_budget(path):
    badge = tool.BADGE.search(read(path).cells[0].source)
    assert badge, "no badge line in the first cell; run make notebooks"
    assert int(badge["seconds"]) <= tool.MAX_SECONDS
    assert float(badge["gb"]) <= tool.MAX_GB


@each_notebook
def test_pictures_are_attached_and_no_comments_for_tools_face_the_student(path):
    cells = read(path).cells
    for cell in cells:
        shown = re.findall(r"!\[[^\]]+\]\(attachment:([^)\s]+)\)", cell.source)
        assert sorted(shown) == sorted(cell.get("attachments", {}))
    assert [cell.id for cell in code_cells(cells) if FOR_TOOLS.search(cell.source)] == []


@each_notebook
def test_cells_that_only_import_or_draw_are_folded(path):
    trees = {cell.id: (cell, ast.parse(cell.source)) for cell in code_cells(read(path).cells)}

    def names(tree, context):
        return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}

    def only_imports_or_draws(id, tree):
        if all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in tree.body):
            return True
        draws = any(isinstance(n, ast.Attribute) and ast.unparse(n) in DRAWING for n in ast.walk(tree))
        elsewhere = set().union(*(names(other, ast.Load) for key, (_, other) in trees.items() if key != id))
        return draws and not names(tree, ast.Store) & elsewhere and "print" not in names(tree, ast.Load)

    assert [id for id, (cell, tree) in trees.items() if only_imports_or_draws(id, tree) and not is_folded(cell)] == []


DRAWING = ("figures.show", "plt.subplots", "plt.figure")


@pytest.mark.parametrize("page", ["README.md", "docs/teaching.md", "notebooks/00_start_here.ipynb"])
def test_every_lesson_is_named_to_readers(page):
    text = (ROOT / page).read_text("utf-8")
    assert [path.name for path in LESSONS if path.stem not in text] == []


@each_lesson
def test_article_is_linked_sections_are_in_order_and_aims_are_three(path):
    notebook = read(path)
    link = rf"\]\(https://kexue\.fm/archives/{notebook.metadata.kexue_nlp.article}/?\)"
    assert re.search(link, notebook.cells[0].source)
    assert tuple(headings(notebook.cells)) == SECTIONS
    assert len(re.findall(r"^- \S", markdown(section(path, SECTIONS[0])), re.MULTILINE)) == 3
    assert re.search(r"\]\(\S+\)", markdown(section(path, "Further reading")))


def first_screen(path):
    """Return the cells above the first level-2 heading: the title, and the explorer once a lesson begins with it."""
    cells = read(path).cells
    return cells[: next(i for i, cell in enumerate(cells) if headings([cell]))]


@each_lesson
def test_the_explorer_is_on_the_first_screen_or_the_idea_has_a_picture(path):
    if explorers := code_cells(first_screen(path)):
        assert [cell.id for cell in explorers if "Explorer(" not in cell.source or not is_folded(cell)] == []
        assert len(outputs_of_type(explorers, "text/html")) == len(explorers) == 1
        return
    cells = section(path, SECTIONS[0])
    drawn = outputs_of_type(cells, "image/png", "image/svg+xml")
    shown = [
        target.removeprefix("attachment:") in cell.get("attachments", {})
        if target.startswith("attachment:")
        else (path.parent / target).is_file()
        for cell in cells
        for target in re.findall(r"!\[[^\]]+\]\(([^)\s]+)\)", markdown([cell]))
    ]
    assert drawn or any(shown) or any("```mermaid\nflowchart" in cell.source for cell in cells)


@each_lesson
def test_explanations_are_short_in_a_lesson_that_begins_with_its_explorer(path):
    lengths = {cell.id: len(markdown([cell]).split()) for cell in section(path, "Build it")}
    assert {name: n for name, n in lengths.items() if n > MAX_WORDS and code_cells(first_screen(path))} == {}


@each_lesson
def test_parameters_come_before_the_build(path):
    everywhere = [cell.id for cell in read(path).cells if "parameters" in tags(cell)]
    first_section = [cell for cell in code_cells(section(path, SECTIONS[0])) if "parameters" in tags(cell)]
    assert [cell.id for cell in first_section] == everywhere
    assert len(everywhere) == 1
    assert tool.QUICK.search(first_section[0].source)
    assert re.search(r"^SEED = \d+", first_section[0].source, re.MULTILINE)


@each_lesson
def test_build_cells_are_short_explained_and_compare_with_the_package(path):
    build = section(path, "Build it")
    shown = [cell for cell in code_cells(build) if not is_folded(cell)]
    assert shown
    assert [cell.id for cell in shown if sum(map(bool, map(str.strip, cell.source.splitlines()))) > MAX_LINES] == []
    pairs = itertools.pairwise(build)
    assert [b.id for a, b in pairs if b.cell_type == "code" and a.cell_type != "markdown"] == []
    assert any("assert" in cell.source for cell in code_cells(build))


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
    assert read(path).metadata.kexue_nlp.baseline in first.lower()


@each_lesson
def test_tables_in_the_file_are_those_of_the_stored_results(path):
    notebook = read(path)
    code = "\n".join(cell.source for cell in code_cells(notebook.cells))
    names = notebook.metadata.kexue_nlp.tables
    assert set(names) <= set(re.findall(r"\bload_table\(\"(\w+)\"\)", code))
    # Only the last line break may be missing.
    shown = [html.strip() for html in outputs_of_type(notebook.cells, "text/html")]
    said = [one.rstrip(".") for text in outputs_of_type(notebook.cells, "text/plain") for one in text.split(". ")]
    drawn = [{*one.partition(": ")[2].split("; ")} for one in said]  # rows in a picture, as its description has them

    def is_drawn(table):
        columns = [*table.map(str).items(), ("all", table.map(str).apply(", ".join, axis=1))]
        rows = {f"{name} {cell}" for _, column in columns for name, cell in column.items()}
        return any(some <= rows for some in drawn)

    tables = {name: load_table(name) for name in names}
    missing = [name for name, table in tables.items() if table.to_html() not in shown and not is_drawn(table)]
    assert missing == [], "run make notebooks"
    names = notebook.metadata.kexue_nlp.figures
    assert [name for name in names if name not in figures.__all__ or f"figures.{name}(" not in code] == []


def exercises(path):
    """Return (cell, roles) of each stub and solution in their order."""
    roles = {"exercise", "solution"}
    return [cell for cell in section(path, "Exercises") if roles & set(tags(cell))]


@each_lesson
def test_three_exercises_are_each_followed_by_their_folded_solution(path):
    cells = exercises(path)
    assert [tags(cell) for cell in cells] == [["exercise"], ["solution"]] * 3
    assert [cell.id for cell in cells[::2] if cell.cell_type != "code"] == []
    assert [
        cell.id for cell in cells[1::2] if cell.cell_type != "markdown" or not SOLUTION.fullmatch(cell.source)
    ] == []


def set_up(path, **names):
    """Execute the parameters and the set-up of the exercises, with other values of some names; return all names."""
    namespace = {"__name__": "__main__"}
    for cell in code_cells(read(path).cells):
        if {"parameters", "setup-exercises"} & set(tags(cell)):
            exec(compile(cell.source, cell.id, "exec"), namespace)
            if "parameters" in tags(cell):
                namespace.update(names)
    return namespace


@each_lesson
def test_a_profile_that_does_not_exist_is_refused(path):
    with pytest.raises(ValueError, match=r"quick.*full"):
        set_up(path, PROFILE="Full")


@each_lesson
def test_stubs_fail_and_solutions_pass(path):
    names, cells = set_up(path), exercises(path)
    assert "check" in names, "no cell tagged setup-exercises imports check"
    results = []
    for stub, solution in zip(cells[::2], cells[1::2], strict=True):
        source, _, question = stub.source.rpartition("\n")
        number, answer = re.fullmatch(r'check\("([\d.]+)", (\w+)\)', question).groups()
        (solved,) = SOLUTION.findall(solution.source)
        for code, right in ((source, False), (solved, True)):
            namespace = {**names}
            exec(compile(code, stub.id, "exec"), namespace)
            assert bool(names["check"](number, namespace.get(answer))) is right, code
        results.append(number)
    assert results == [f"{path.name[:2]}.{k}" for k in (1, 2, 3)]
