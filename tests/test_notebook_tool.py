"""What runs and watches notebooks, and test_notebooks.py, on a small lesson that keeps each rule or breaks one."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import test_notebooks as anatomy
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import notebooks as tool

ROOT = Path(__file__).parents[1]
TEMPLATE = Path(__file__).with_name("lesson_template.ipynb")
NAME = "03_small_lesson.ipynb"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
ALLOCATE = 'data = bytearray(b"x") * 300_000_000\ndel data'
NOISE = 'import sys\n\nprint("careful", file=sys.stderr)'
WIDGET_ERROR = 'from kexue_nlp.widgets import errors\n\nerrors.append("ValueError: slider")'
PATHS = ("/home/ann/x", "see /opt/data.", "'/Users/ann/x'", "(/tmp)", "file:///x", r"C:\Users", '<a href="/var/x/y">')
NO_PATHS = (
    *("https://kexue.fm/archives/4195", "data/sample/x.txt", "../data/x", "~/data/x", "<b>b</b></td></tr>"),
    *("1 / 2 / 3", "b/m/e", "n/s 的/u", "x[1]/y/z", "# -*- / -*-", "Note:\\n"),
    'src="data:image/png;base64,iVBOR/home/x"',
)


def text(id, source):
    return new_markdown_cell(source, id=id, metadata={"slideshow": {"slide_type": "slide"}})


def code(id, source):
    return new_code_cell(source, id=id, metadata={"slideshow": {"slide_type": "-"}})


def used_lesson():
    """Return the template with leavings of an earlier session."""
    notebook = nbformat.read(TEMPLATE, as_version=4)
    notebook.metadata.kernelspec = {"name": "my-kernel", "display_name": "mine", "language": "python"}
    notebook.metadata.language_info.version = "3.11.0"
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    cell(notebook, "title").source += "\n\n≈ 999 s · 9.9 GB on 7 cores"
    cell(notebook, "count").metadata.execution = {"iopub.execute_input": "2024-01-01T00:00:00Z"}
    return notebook


def cell(notebook, id):
    return next(cell for cell in notebook.cells if cell.id == id)


@pytest.fixture(scope="module", autouse=True)
def _kernels_see_this_checkout():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks") / NAME
    nbformat.write(used_lesson(), path)
    tool.refresh(path, cores=2)
    return path


def test_a_measured_badge_replaces_the_old_one_or_is_added(stored):
    source = cell(anatomy.read(stored), "title").source
    assert re.search(r"\n\n≈ \d{1,3} s · 0\.\d GB on 2 cores$", source)
    assert len(tool.BADGE.findall(source)) == 1
    notebook = new_notebook(cells=[text("title", "# Title\n\nPromise.\n")])
    assert tool.write_badge(notebook, 80.4, 0.84, 2) == "≈ 80 s · 0.8 GB on 2 cores"
    assert notebook.cells[0].source == "# Title\n\nPromise.\n\n≈ 80 s · 0.8 GB on 2 cores"


def test_ids_and_sources_stay_and_of_outputs_what_can_be_looked_at(stored):
    before, after = used_lesson().cells, anatomy.read(stored).cells
    assert [(c.id, c.source) for c in after[1:]] == [(c.id, c.source) for c in before[1:]]
    count, explorers, slider = (cell(anatomy.read(stored), id).outputs for id in ("count", "explorer", "slider"))
    assert [output.text for output in count] == ["100 %\n"]  # the last state of a progress bar
    (explorer,) = explorers
    assert "at rest" in explorer.data["text/html"]
    assert tool.WIDGET_VIEW not in explorer.data
    assert slider == []  # a widget without a static fallback


def test_a_second_run_changes_nothing_but_the_badge(stored, tmp_path):
    again = tmp_path / NAME
    again.write_bytes(stored.read_bytes())
    tool.refresh(again, cores=2)
    assert anatomy.read(again).cells[1:] == anatomy.read(stored).cells[1:]
    assert anatomy.read(again).metadata == anatomy.read(stored).metadata


def test_the_badge_counts_the_memory_of_the_kernel(tmp_path):
    data = bytearray(b"x") * 600_000_000  # this process holds more, and that must not count
    notebook = new_notebook(cells=[code("allocate", ALLOCATE)])
    _, gb = tool.run(notebook, tmp_path)
    assert len(data) / 1e9 > 0.5 > gb > 0.3


OLDER = '{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}'
REFUSED = {  # what is wrong with the file, or with its last cell
    "error": ("1 / 0", "ZeroDivisionError"),
    "stderr": (NOISE, "id bad.*careful"),
    "widget error": (WIDGET_ERROR, "ValueError: slider"),
    "too large": (f"print('x' * {tool.MAX_BYTES})", "at most 700,000"),
    "full profile": ('PROFILE = "full"', "PROFILE"),
    "older format": (OLDER, r"4\.5 is needed"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED)
def test_a_notebook_that_is_refused_stays_as_it_was(source, message, tmp_path):
    path = tmp_path / NAME
    bad = code("bad", source)
    bad.metadata.tags = ["parameters"] * ("PROFILE" in source)
    nbformat.write(new_notebook(cells=[text("title", "# Title"), bad]), path)
    if source == OLDER:
        path.write_text(OLDER)
    before = path.read_bytes()
    with pytest.raises(tool.NotebookError, match=message):
        tool.refresh(path, cores=2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    with pytest.raises(tool.NotebookError, match="first cell must be markdown"):
        tool.write_badge(new_notebook(cells=[bad]), 1, 0.1, 2)


def test_a_full_disk_leaves_the_old_notebook_and_no_half_file(tmp_path, monkeypatch):
    path = tmp_path / NAME
    path.write_text("old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space"):
        tool.write(used_lesson(), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_the_command_says_which_notebook_failed_and_goes_on_to_the_next(tmp_path):
    (tmp_path / "01_broken.ipynb").write_text("{")
    nbformat.write(new_notebook(cells=[text("title", "# Title")]), tmp_path / "02_whole.ipynb")
    command = [sys.executable, ROOT / "benchmarks" / "notebooks.py", *sorted(tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("01_broken.ipynb: not changed\nnot a valid notebook")
    assert re.match(r"02_whole\.ipynb: ≈ \d+ s · 0\.\d GB on [12] cores?\n", done.stdout)


def test_an_absolute_path_is_found_and_what_only_looks_like_one_is_not():
    found = [text for text in PATHS + NO_PATHS if tool.absolute_paths(code("c", text))]
    assert found == list(PATHS)


# The watch over kernels during `pytest --nbval-lax`: what the last cell does, its verdict, and what is said
WATCHED = {
    "fine": ('print("done")', "PASSED", ""),
    "large": (ALLOCATE, "ERROR", r"large\.ipynb: needed 0\.3\d GB of memory; the budget is 0\.3 GB"),
    "noisy": (NOISE, "FAILED", "careful"),
    "callback": (WIDGET_ERROR, "ERROR", r"callback\.ipynb: a widget's callback raised ValueError: slider"),
    "dies": ("import os\n\nos._exit(1)", "ERROR", r"dies\.ipynb: the kernel did not say how much memory it needed"),
}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Return code and text of one nbval run over small notebooks, with a budget of 0.3 GB."""
    folder = tmp_path_factory.mktemp("watched")
    for name, (source, *_) in WATCHED.items():
        nbformat.write(new_notebook(cells=[code("first", "1"), code("second", source)]), folder / f"{name}.ipynb")
    (folder / "lower_budget.py").write_text("import notebooks\n\nnotebooks.MAX_GB = 0.3\n")
    options = ["-p", "conftest", "-p", "lower_budget", "-p", "no:cacheprovider", "-rA", "--color=no"]
    # nbval waits 6 seconds for the kernel that dies.
    nbval = ["--rootdir", folder, "--nbval-lax", "--nbval-cell-timeout", "6", folder]
    command = [sys.executable, "-m", "pytest", *options, *nbval]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", WATCHED)
def test_a_notebook_with_a_fault_fails_in_its_last_cell(watched, name):
    (code, output), (_, verdict, message) = watched, WATCHED[name]
    verdicts = re.findall(rf"^(PASSED|FAILED|ERROR) \S*\b{name}\.ipynb::(Cell \d)", output, re.MULTILINE)
    assert ("PASSED", "Cell 0") in verdicts
    assert (verdict, "Cell 1") in verdicts
    assert re.search(message, output)
    table = re.findall(r"^(\w+)\.ipynb +(\d+) +(0\.\d\d)$", output, re.MULTILINE)  # seconds and memory
    assert [name for name, *_ in table] == ["callback", "fine", "large", "noisy"]
    assert code == 1


TESTS = {name: test for name, test in vars(anatomy).items() if name.startswith("test_")}
RULES = {name: test for name, test in TESTS.items() if "path" in inspect.signature(test).parameters}


def obey(name, path):
    """Call one rule with every value of its other parameter."""
    rule = RULES[name]
    others = [{m.args[0]: value} for m in rule.pytestmark if m.args[0] != "path" for value in m.args[1]]
    for other in others or [{}]:
        rule(path, **other)


@pytest.mark.parametrize("name", RULES, ids=lambda name: name[5:45])
def test_template_keeps(name, stored):
    obey(name, stored)


def edit(id, /, **changes):
    return lambda nb: cell(nb, id).update(changes)


def replace(id, old, new):
    def change(nb):
        assert old in cell(nb, id).source
        cell(nb, id).source = cell(nb, id).source.replace(old, new)

    return change


def set_metadata(id, /, **changes):
    return lambda nb: cell(nb, id).metadata.update(changes)


def add_output(**output):
    return lambda nb: cell(nb, "count").outputs.append(new_output(**output))


def link_picture(link):
    def change(nb):
        nb.cells.remove(cell(nb, "explorer"))
        cell(nb, "aims").source += f"\n\n{link}"

    return change


def remove(id):
    return lambda nb: nb.cells.remove(cell(nb, id))


def show(**data):
    return add_output(output_type="display_data", data=data)


def say(stream, text):
    return add_output(output_type="stream", name=stream, text=text)


BROKEN = {
    "test_format_is_valid_with_stable_cell_ids_and_size_within_budget": [
        say("stdout", "x" * tool.MAX_BYTES),
        *(edit("count", id=id) for id in ("build", "has spaces")),
        lambda nb: cell(nb, "count").pop("id"),
        lambda nb: nb.update(nbformat_minor=4),
    ],
    "test_nothing_is_stored_that_must_not_be": [
        add_output(output_type="error", ename="E", evalue="", traceback=[]),
        say("stderr", "careful"),
        say("stdout", "/home/ann/data"),
        show(**{tool.WIDGET_VIEW: {"model_id": "1", "version_major": 2, "version_minor": 0}}),
        show(**{"image/png": PIXEL}),
        replace("count", "10,", '"/home/ann",'),
    ],
    "test_cells_were_executed_in_order_and_no_trace_of_a_session_is_stored": [
        *(edit("count", execution_count=n) for n in (99, None)),
        lambda nb: nb.metadata.update(widgets={}),
        set_metadata("count", execution={}),
        lambda nb: nb.metadata.language_info.update(version="3.11.0"),
        lambda nb: nb.metadata.kernelspec.update(name="my-kernel"),
    ],
    "test_every_cell_has_a_slide_type_and_a_slide_comes_first": [
        lambda nb: cell(nb, "count").metadata.pop("slideshow"),
        set_metadata("count", slideshow={"slide_type": "page"}),
        set_metadata("title", slideshow={"slide_type": "skip"}),
    ],
    "test_title_and_a_promise_of_one_sentence_come_first": [
        replace("title", "# Word", "Word"),
        lambda nb: nb.cells.insert(0, code("first", "1")),
        *(replace("title", "into words.", end) for end in ("into words. It is fast.", "into words")),
        edit("title", source="# Title"),
    ],
    "test_pictures_are_attached_and_no_comments_for_tools_face_the_student": [
        replace("aims", "- draw", "- draw ![it](attachment:it.png)"),
        *(edit("count", source=f"import re  # {n}") for n in ("noqa: F401", "NBVAL_CHECK_OUTPUT", "isort: skip")),
    ],
    "test_cells_that_only_import_or_draw_are_folded": [
        edit("count", source="import re"),
        edit("count", source="fig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()"),
        set_metadata("picture", jupyter={}),
    ],
    "test_badge_is_there_and_within_budget": [
        lambda nb: tool.write_badge(nb, 121, 0.5, 2),
        lambda nb: tool.write_badge(nb, 80, 1.3, 2),
        replace("title", "≈", "about"),
    ],
    "test_article_is_linked_sections_are_in_order_and_aims_are_three": [
        replace("title", "4195", "4293"),
        replace("aims", "- draw\n", ""),
        edit("reading", source="## Further reading\n\nNone."),
        replace("build", "## Build it", "## Make it"),
        lambda nb: nb.cells.append(text("extra", "## Extra")),
        lambda nb: nb.cells.insert(1, nb.cells.pop()),
    ],
    "test_the_explorer_is_on_the_first_screen_or_the_idea_has_a_picture": [
        edit("explorer", outputs=[]),
        set_metadata("explorer", jupyter={}),
        *map(link_picture, ("![Idea](missing.svg)", "![Idea](attachment:idea.svg)", "![](03_broken_lesson.ipynb)")),
    ],
    "test_explanations_are_short_in_a_lesson_that_begins_with_its_explorer": [
        edit("build", source="## Build it\n\n" + "word " * 91)
    ],
    "test_parameters_come_before_the_build": [
        remove("parameters"),
        set_metadata("count", tags=["parameters"]),
        replace("parameters", "quick", "full"),
        replace("parameters", "SEED", "SEEDS"),
    ],
    "test_build_cells_are_short_explained_and_compare_with_the_package": [
        *(edit("count", source="assert 1\n" * 16), remove("count"), replace("count", "assert ", "")),
        lambda nb: nb.cells.insert(8, code("another", "1")),
    ],
    "test_explorer_is_shown_and_leaves_a_static_picture": [
        replace("explorer-again", "Explorer(", "Widget("),
        edit("explorer-again", outputs=[]),
    ],
    "test_first_row_of_the_results_is_the_trivial_baseline": [
        edit("table", outputs=[]),
        lambda nb: cell(nb, "table").outputs[0].data.update({"text/html": JIEBA_FIRST}),
    ],
    "test_tables_in_the_file_are_those_of_the_stored_results": [
        lambda nb: nb.metadata.kexue_nlp.update(tables=["hashing"]),
        lambda nb: cell(nb, "table").outputs.pop(),
        lambda nb: nb.metadata.kexue_nlp.update(figures=["no_diagram"]),
    ],
    "test_three_exercises_are_each_followed_by_their_folded_solution": [
        remove("solution-2"),
        replace("solution-2", "<details>", "<details open>"),
        lambda nb: nb.cells.insert(nb.cells.index(cell(nb, "solution-2")), CODE_SOLUTION),
    ],
    "test_a_profile_that_does_not_exist_is_refused": [replace("imports", "is_full(PROFILE)", "False")],
    "test_stubs_fail_and_solutions_pass": [
        replace("exercise-2", "    ...", '    return __import__("re").fullmatch("(s|bm*e)*", tags) is not None'),
        replace("solution-2", "(s|bm*e)*", "(s|bm*e)+"),
        replace("solution-2", "legal", "lawful"),
        replace("exercise-2", "03.2", "03.3"),
        set_metadata("imports", tags=[]),
    ],
}
CODE_SOLUTION = new_code_cell("def legal(tags): ...", id="solution-code", metadata={"tags": ["solution"]})
JIEBA_FIRST = "<table><tr><td>jieba</td></tr><tr><td>forward maximum matching</td></tr></table>"
REFUSALS = (AssertionError, pytest.fail.Exception, tool.NotebookError)


@pytest.mark.parametrize(
    ("name", "change"),
    [pytest.param(name, change, id=f"{name[5:45]}-{i}") for name in BROKEN for i, change in enumerate(BROKEN[name])],
)
def test_a_broken_rule_is_found(name, change, stored):
    notebook = anatomy.read(stored)
    change(notebook)
    path = stored.with_name("03_broken_lesson.ipynb")
    path.write_text(nbformat.v4.writes(notebook), encoding="utf-8")
    with pytest.raises(REFUSALS):
        obey(name, path)


def test_every_rule_was_broken_once_and_names_that_break_theirs_are_refused():
    assert BROKEN.keys() | {"test_name_is_a_number_and_words"} == RULES.keys()
    for name in ("lesson.ipynb", "3_lesson.ipynb", "03-lesson.ipynb"):
        with pytest.raises(AssertionError):
            anatomy.test_name_is_a_number_and_words(Path(name))


def test_the_first_row_of_a_table_is_found():
    table = pd.DataFrame({"method": ["baseline", "ours"], "F1": [0.9, 0.95]})
    assert "baseline" in anatomy.first_row(table._repr_html_())
    assert "baseline" in anatomy.first_row("| method | F1 |\n|---|--:|\n| baseline | 0.9 |\n| ours | 0.95 |")
