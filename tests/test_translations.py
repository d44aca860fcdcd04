"""Both languages say the same: catalogues, Chinese lessons, messages of the package, and the tool that makes them."""

import json
import re
import sys
from pathlib import Path

import pytest
from matplotlib.ft2font import FT2Font

from kexue_nlp import figures, language
from kexue_nlp.exercises import check
from kexue_nlp.tables import load_table
from kexue_nlp.widgets import Bet, SlidingKernel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "po"))
import catalogues  # noqa: E402

CHINESE = sorted(catalogues.CHINESE.glob("*.ipynb"))  # a lesson is complete when it is there
LESSON = json.loads((ROOT / "tests" / "lesson_template.ipynb").read_text("utf-8"))
PARAGRAPH = "**Bold** words, `code`, a [link](01_x.ipynb), $x^2$ and 1,000 margins."
ZH = {
    PARAGRAPH: "**粗体**词、`code`、一个[链接](01_x.ipynb)、$x^2$ 和 1000 个间隔。",
    "A table": "表格",
    "{len(text):,} characters": "共 {len(text):,} 个字",
    "one point": "一条要点",
    "the sum": "求和",
}


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A small lesson with a full catalogue, in folders of its own; call it with a change of the English cells."""
    for name in ("NOTEBOOKS", "CATALOGUES", "CHINESE"):
        monkeypatch.setattr(catalogues, name, tmp_path / name.lower())
        (tmp_path / name.lower()).mkdir()
    monkeypatch.setattr(catalogues, "ROOT", tmp_path)
    path = tmp_path / "notebooks" / "06_small.ipynb"

    def write(change=lambda cells: None):
        code = 'text = "我喜欢"\nprint(f"{len(text):,} characters", sep=", ")  # the sum'
        cells = [
            {"cell_type": "markdown", "id": "story", "source": f"### A table\n\n{PARAGRAPH}\n\n- one point"},
            {"cell_type": "code", "id": "code", "source": code, "outputs": [], "execution_count": None},
        ]
        change(cells)
        for cell in cells:
            cell["metadata"] = {}
        path.write_text(json.dumps({**LESSON, "cells": cells}), encoding="utf-8")
        return path

    write()
    catalogues.extract(["06_small"])
    translate(ZH)
    return write


def translate(chinese):
    po = catalogues.catalogue(catalogues.CATALOGUES / "06_small.po")
    for entry in po:
        entry.msgstr = chinese.get(entry.msgid, entry.msgstr)
    catalogues.store(catalogues.CATALOGUES / "06_small.po", list(po))


def units(obsolete=False):
    entries = catalogues.catalogue(catalogues.CATALOGUES / "06_small.po")
    return {entry.msgctxt: entry for entry in entries if entry.obsolete == obsolete}


def sources(notebook):
    return [cell.source for cell in notebook.cells]


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.stem[:2])
def test_a_chinese_lesson_is_its_english_one_translated_and_executed(path):
    english = catalogues.NOTEBOOKS / path.name
    assert english.exists(), f"there is no English {path.name}; was it renamed?"
    expected, stored = catalogues.chinese_notebook(english), catalogues.read(path)  # raises for what is not translated
    assert sources(stored) == sources(expected), "run make zh"
    assert all(cell.execution_count for cell in stored.cells if cell.cell_type == "code"), "run make zh"
    assert catalogues.english_outputs(stored) == []


def test_every_message_of_the_package_is_translated_and_compiled():
    assert catalogues.package_problems() + catalogues.orphans() == []
    po = catalogues.catalogue(catalogues.CATALOGUES / "kexue_nlp.po")
    assert {entry.msgid for entry in po if not entry.obsolete} == set(catalogues.package_messages())
    assert catalogues.COMPILED.read_bytes() == po.to_binary(), "run make translations"


def test_the_font_has_every_character_that_the_chinese_adds():
    entries = [entry for path in catalogues.CATALOGUES.glob("*.po") for entry in catalogues.catalogue(path)]
    added = {character for entry in entries for character in set(entry.msgstr) - set(entry.msgid)}
    missing = added - set(map(chr, FT2Font(figures._FONT).get_charmap())) - {"\n"}
    assert not missing, "run benchmarks/make_font.py"


def test_a_chinese_notebook_has_the_same_code_and_is_not_overwritten(lesson):
    target = catalogues.CHINESE / "06_small.ipynb"
    catalogues.build(lesson(), execute=False)
    story, code = sources(catalogues.read(target))
    assert story == f"### 表格\n\n{ZH[PARAGRAPH]}\n\n- 一条要点"
    assert code.endswith('text = "我喜欢"\nprint(f"共 {len(text):,} 个字", sep=", ")  # 求和')
    assert 'use_language("zh")' in code
    changed = target.read_text("utf-8").replace("一条要点", "我的话")
    target.write_text(changed, encoding="utf-8")
    with pytest.raises(catalogues.TranslationError, match="changed by hand"):
        catalogues.build(lesson(), execute=False)
    assert target.read_text("utf-8") == changed


def test_a_changed_sentence_is_named_and_keeps_its_chinese_as_fuzzy(lesson):
    path = lesson(lambda cells: cells[0].update(source=cells[0]["source"].replace("one point", "one fine point")))
    (found,) = catalogues.problems(path)
    assert found.startswith("06_small, cell story, unit 3: the English changed")
    catalogues.extract(["06_small"])
    entry = units()["06_small/story/3"]
    assert (entry.msgstr, entry.fuzzy, entry.previous_msgid) == ("一条要点", True, "one point")
    (found,) = catalogues.problems(path)
    assert "fuzzy" in found
    with pytest.raises(catalogues.TranslationError, match="cell story, unit 3"):
        catalogues.build(path, execute=False)
    assert not list(catalogues.CHINESE.iterdir())


def test_what_moves_keeps_its_chinese_and_what_goes_is_kept_as_obsolete(lesson):
    def move(cells):
        cells[0]["source"] = "- one point\n\n### A table"
        cells.reverse()

    lesson(move)
    said = catalogues.extract(["06_small"])
    assert {context: e.msgstr for context, e in units().items()} == {
        "06_small/code/1": "共 {len(text):,} 个字",
        "06_small/code/2": "求和",
        "06_small/story/1": "一条要点",
        "06_small/story/2": "表格",
    }
    assert [e.msgstr for e in units(obsolete=True).values()] == [ZH[PARAGRAPH]]
    assert "06_small/story/2: no longer in the English" in said[0]
    assert sources(catalogues.chinese_notebook(lesson(move)))[1] == "- 一条要点\n\n### 表格"  # not what is gone


def test_a_deleted_cell_id_and_a_renamed_notebook_are_named(lesson):
    path = lesson(lambda cells: cells[0].update(id="tale"))
    assert "06_small, cell story, unit 1: not in the notebook" in "\n".join(catalogues.problems(path))
    path.rename(path.with_name("06_tiny.ipynb"))
    assert "06_small.po: there is no notebook 06_small" in catalogues.orphans()[0]


@pytest.mark.parametrize(
    ("unit", "chinese", "wrong"),
    [
        ("characters", "共 {len(text:,} 个字", "broken format string"),
        ("characters", "共 {len(text)} 个字", "the braces hold something else"),
        ("characters", '共 {len(text):,} "个字', "broken format string"),
        ("Bold", "粗体词、`code`、一个[链接](01_x.ipynb)、$x^2$ 和 999 个间隔。", "other numbers: ['1000']"),
        ("Bold", "粗体词、`Code`、一个[链接](01_x.ipynb)、$x^2$ 和 1000 个间隔。", "other inline code"),
        ("Bold", "粗体词、`code`、一个[链接](02_x.ipynb)、$x^2$ 和 1000 个间隔。", "other links"),
        ("Bold", "粗体词、`code`、一个[链接](01_x.ipynb)、$x^3$ 和 1000 个间隔。", "other formulas"),
        ("Bold", "粗体词、`code`、一个[链接](01_x.ipynb)、$x^2$ 和 1000 个边距。", "'margin' is 间隔 in the glossary"),
        ("Bold", "**粗体：**词、`code`、一个[链接](01_x.ipynb)、$x^2$ 和 1000 个间隔。", "does not become bold"),
        ("one point", "一条 that is left in the English", "English is left"),
        ("one point", "", "not translated"),
    ],
    ids=lambda value: "" if len(value) > 60 else value[-12:] if value.isascii() else "zh",
)
def test_a_wrong_unit_is_named(lesson, unit, chinese, wrong):
    translate({english: chinese for english in ZH if unit in english})
    (found,) = catalogues.problems(lesson())
    assert re.match(r"06_small, cell (story|code), unit \d: ", found)
    assert wrong in found


def test_the_environment_goes_before_the_notebook_and_that_before_the_system(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "KEXUE_NLP_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(language, "_chosen", None)
    for name, value, expected in (("LANG", "zh_CN.UTF-8", "zh"), ("LC_ALL", "C", "en")):
        monkeypatch.setenv(name, value)
        assert language.language() == expected
    monkeypatch.setattr(language, "_chosen", "zh")
    assert language.language() == "zh"
    monkeypatch.setenv("KEXUE_NLP_LANGUAGE", "en")
    assert language.language() == "en"


def test_what_is_made_speaks_chinese_and_keeps_its_values(monkeypatch):
    monkeypatch.delenv("KEXUE_NLP_LANGUAGE", raising=False)
    monkeypatch.setattr(language, "_chosen", "zh")
    assert str(check("03.1", ...)).startswith("✗ 03.1 还不对。还没有作答")
    assert figures.margin_diagram().alt.startswith("左：")
    assert load_table("viewpoint").iloc[1]["比较对象"] == load_table("viewpoint").index[0] == "名单，一律中性"
    bet, kernel = Bet("2 + 2?", ["3", "4"], 1, ""), SlidingKernel()
    assert (bet.words["right"], kernel.words["play"], kernel.glosses[0]) == ("正确。", "滑动卷积核", "guān")
    language.use_language("en")
    assert bet.words.keys() == Bet("2?", "34", 1, "").words.keys()
    assert kernel.words.keys() == SlidingKernel().words.keys()
    assert 'lang="en"' in check("03.1", ...)._repr_html_()
