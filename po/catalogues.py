"""Chinese lessons out of the English ones: make and merge catalogues, check them, write `notebooks/zh/`.

    python po/catalogues.py extract                    # make translations: merge what changed into po/zh_CN/
    python po/catalogues.py check [NOTEBOOK ...]       # what is missing or wrong, unit by unit
    python po/catalogues.py build [--no-execute] [...] # make zh: write, execute and store notebooks/zh/

A unit is a paragraph, a heading, a list item, a table row, or a comment or string literal of a code cell that a reader
sees. Its context is `notebook/cell-id/n`. po/README.md tells how to work with them.
"""

from __future__ import annotations

import argparse
import ast
import csv
import difflib
import hashlib
import io
import os
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import polib
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import notebooks as kernels  # noqa: E402

CATALOGUES = ROOT / "po" / "zh_CN"
NOTEBOOKS = ROOT / "notebooks"
CHINESE = NOTEBOOKS / "zh"
TABLES = ROOT / "benchmarks" / "results" / "tables"
PACKAGE = ROOT / "kexue_nlp"
COMPILED = PACKAGE / "locale" / "zh_CN" / "LC_MESSAGES" / "kexue_nlp.mo"
GLOSSARY = ROOT / "po" / "glossary.csv"

MARKDOWN = MarkdownIt("commonmark").enable("table")
BADGE = re.compile(r"^≈ (\d+) s · (\d+\.\d) GB on (\d+) cores?$", re.MULTILINE)
WORD = re.compile(r"\b[A-Z]?[a-z]{2,}\b")  # what has none is a name, a number or a formula, and no unit
CODE_SPAN = re.compile(r"`[^`]+`")
FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))|https?://[^\s)>，。；]+")
TITLE = re.compile(r"\[[^\]]*\](?=\()|“[^”]*”")  # of a book or a quotation, which may stay English
ENGLISH = re.compile(r"(?:\b[a-z]{2,}[,;]? ){3}[a-z]{2,}\b")  # a piece of a sentence
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

# A single word in code is seen by a reader as an argument of these calls or keywords, as a dictionary's key or value,
# or in a list. As another argument it is an option ("adam"), and no unit. Two words and more are always a label.
SHOWN_BY = {"print", "display", "where", "DataFrame", "Series", "text", "annotate", "suptitle", "legend", "set_title"}
SHOWN_AS = {"label", "xlabel", "ylabel", "title", "alt", "index", "columns", "labels"}
TAGS = {"pos", "neg", "neu"}  # values of the package, no words


class TranslationError(Exception):
    """Something in the catalogues stands in the way; the message names notebook, cell and unit."""


@dataclass
class Unit:
    """A stretch of a cell's source that is translated: its offsets, its text, and what kind of text it is."""

    start: int
    stop: int
    text: str
    kind: str
    indent: str = ""  # what a further line begins with


# --- units of a cell --------------------------------------------------------------------------------


def markdown_units(source: str) -> Iterator[Unit]:
    """Find what a reader reads in a markdown cell."""
    lines = source.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    kind, in_table = "paragraph", False
    for token in MARKDOWN.parse(source):
        first, stop = token.map or (0, 0)
        if token.type in ("heading_open", "list_item_open", "paragraph_open"):
            nested = token.type == "paragraph_open" and token.level > 0
            kind = "list item" if nested else token.type.removesuffix("_open").replace("_", " ")
        elif token.type in ("table_open", "table_close"):
            in_table = token.type == "table_open"
        elif token.type == "tr_open":
            row = lines[first]
            yield Unit(offsets[first], offsets[first] + len(row), row, "table row")
        elif token.type == "inline" and not in_table:
            content = token.content.split("\n")
            column = lines[first].index(content[0])
            last = first + len(content) - 1
            indent = lines[last][: lines[last].index(content[-1])] if last > first else ""
            end = offsets[last] + lines[last].rindex(content[-1]) + len(content[-1])
            yield Unit(offsets[first] + column, end, token.content, kind, indent)
        elif token.type == "html_block":
            block = source[offsets[first] : offsets[stop] - 1]
            for match in re.finditer(r">\s*([^<>]*\w[^<>]*?)\s*<", block):
                yield Unit(offsets[first] + match.start(1), offsets[first] + match.end(1), match[1], "HTML")
        elif token.type == "fence" and token.info.strip() == "python":
            for unit in code_units(token.content):
                unit.start += offsets[first + 1]
                unit.stop += offsets[first + 1]
                yield unit
        elif token.type == "fence" and token.info.strip() == "mermaid":
            for match in re.finditer(r"(?<=accDescr: ).+|(?<=\")[^\"\n]*\w[^\"\n]*(?=\")", token.content):
                if match[0].strip(" ->[]") == match[0]:  # not what stands between two labels
                    start = offsets[first + 1] + match.start()
                    yield Unit(start, start + len(match[0]), match[0], "diagram")


def string_tokens(source: str) -> Iterator[tuple[int, int, str]]:
    """Yield offsets and text of every string literal, f-strings whole (3.12 cuts them up), and of every comment."""
    starts = [0, 0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    # Since 3.12 the parts of an f-string are tokens; before, these names do not exist.
    opening, closing = (getattr(tokenize, name, None) for name in ("FSTRING_START", "FSTRING_END"))
    depth = begin = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start, stop = (starts[line] + column for line, column in (token.start, token.end))
        if token.type == opening:
            begin = begin if depth else start
            depth += 1
        elif token.type == closing:
            depth -= 1
            if not depth:
                yield begin, stop, source[begin:stop]
        elif token.type in (tokenize.STRING, tokenize.COMMENT) and not depth:
            yield start, stop, token.string


def parts(literal: str) -> tuple[str, str, str]:
    """Cut a literal into its opening (prefix and quotes), its body as it is written, and its closing quotes."""
    opening = re.match(r"[A-Za-z]*(\"\"\"|'''|\"|')", literal)
    return opening[0], literal[opening.end() : -len(opening[1])], opening[1]


def spoken(body: str) -> str:
    """Return the words of an f-string: without its expressions, but with the literals in them that choose no item."""
    nested = re.findall(r"(?<!\[)(['\"])((?:(?!\1).)*)\1", " ".join(re.findall(r"\{[^{}]*\}", body)))
    return " ".join([re.sub(r"\{[^{}]*\}", " ", body), *(text for _, text in nested)])


def shown(node: ast.AST, parents: dict[ast.AST, ast.AST], options: set[str]) -> bool | None:
    """Say of a single word in code whether a reader sees it (True), a function takes it (False), or neither (None)."""
    child, listed, chosen = node, False, False
    while (parent := parents.get(child)) is not None:
        if isinstance(parent, ast.keyword):
            return parent.arg in SHOWN_AS
        if isinstance(parent, ast.Call):
            return listed or getattr(parent.func, "attr", getattr(parent.func, "id", "")) in SHOWN_BY
        if isinstance(parent, ast.Dict):
            above = parents[parent]
            while isinstance(above, ast.Tuple):
                above = parents[above]
            names = {n.id for t in getattr(above, "targets", []) for n in ast.walk(t) if isinstance(n, ast.Name)}
            return not (names & options or (isinstance(above, ast.keyword) and above.arg is None))
        if isinstance(parent, ast.Compare):
            return isinstance(parent.ops[0], ast.In) or None
        if isinstance(parent, ast.Subscript):
            return None
        if isinstance(parent, ast.stmt):
            return listed or chosen or None
        listed |= isinstance(parent, ast.Tuple | ast.List)
        chosen |= isinstance(parent, ast.IfExp)
        child = parent
    return None


@cache
def _literals(source: str) -> tuple[tuple[int, int, str, bool | None], ...]:
    """Return the literals and comments of code: offsets, body as written, and whether a reader sees it."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    starts = [0, 0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line.encode()) + 1)
    encoded = source.encode()

    def place(line: int, column: int) -> int:
        return len(encoded[: starts[line] + column].decode())

    options = {
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg is None and isinstance(node.value, ast.Name)
    }
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    nodes = [
        (place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset), node)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside)
    ]
    found = []
    for start, stop, text in string_tokens(source):
        if text.startswith("#"):
            body = text.lstrip("# ")
            found.append((stop - len(body), stop, body, True))
            continue
        node = next(node for first, last, node in nodes if first <= start and stop <= last)
        opening, body, closing = parts(text)
        words = spoken(body) if "f" in opening.lower() else body
        keyword = parents.get(node)
        if body.startswith("<") or (re.search(r"[<>\\/]", body) and " " not in body.strip()):
            seen = None  # a path or a tag
        elif isinstance(keyword, ast.keyword) and keyword.arg == "loc":
            seen = False
        elif isinstance(node, ast.JoinedStr) or (WORD.search(words) and " " in body.strip()):
            seen = bool(WORD.search(words))
        elif not re.search(r"[a-z]{3}", body) or re.fullmatch(r"\s*[a-z]+(_[a-z]+|\d+)+\s*", body):
            seen = False  # a string of tags, a name of Python's
        else:
            seen = shown(node, parents, options)
        found.append((start + len(opening), stop - len(closing), body, seen))
    return tuple(found)


def code_units(source: str, labels: Iterable[str] = ()) -> Iterator[Unit]:
    """Find the comments and literals of code that a reader sees, and those that are one of the `labels`."""
    for start, stop, text, seen in _literals(source):
        if (seen and WORD.search(text) and text not in TAGS) or (seen is None and text in labels):
            yield Unit(start, stop, text, "comment" if source[max(0, start - 2) : start] == "# " else "literal")


def notebook_units(notebook: nbformat.NotebookNode) -> dict[str, list[Unit]]:
    """Return the units of each cell that has any, by cell id.

    A literal that a reader sees in one place is a unit where it chooses an item, too: a key that is also a label.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and not _is_parameters(cell)]
    labels = {unit.text for cell in code for unit in code_units(cell.source) if unit.kind == "literal"}
    units: dict[str, list[Unit]] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = [u for u in markdown_units(cell.source) if WORD.search(_prose(u.text)) and not BADGE.match(u.text)]
        else:
            found = [] if _is_parameters(cell) else list(code_units(cell.source, labels))
        if found:
            units[cell.id] = found
    return units


def _is_parameters(cell: nbformat.NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def _prose(text: str) -> str:
    """Return the text without code, formulas and addresses."""
    for pattern in (CODE_SPAN, FORMULA, LINK):
        text = pattern.sub(" ", text)
    return text


# --- catalogues -------------------------------------------------------------------------------------


def catalogue(path: Path) -> polib.POFile:
    """Read a catalogue, or begin an empty one."""
    if path.exists():
        try:
            return polib.pofile(str(path), wrapwidth=110)
        except OSError as error:
            raise TranslationError(f"{path.name}: not a catalogue: {error}") from None
    po = polib.POFile(wrapwidth=110)
    po.metadata = {"Language": "zh_CN", "MIME-Version": "1.0", "Content-Type": "text/plain; charset=UTF-8"}
    po.metadata["Content-Transfer-Encoding"] = "8bit"
    return po


def merge(old: Iterable[polib.POEntry], new: list[polib.POEntry]) -> tuple[list[polib.POEntry], list[str]]:
    """Give the new units the old ones' Chinese; return all entries and what happened, a line each.

    The same English keeps its Chinese, wherever it has moved. English that changed in its cell keeps the Chinese of
    what it was most like, marked fuzzy. Chinese whose English is gone stays at the end of the file, as obsolete.
    """
    left, said = [entry for entry in old if entry.msgstr], []

    def take(candidates: list[polib.POEntry]) -> polib.POEntry | None:
        if candidates:
            left.remove(candidates[0])
            return candidates[0]
        return None

    def cell(entry: polib.POEntry) -> str:
        return (entry.msgctxt or "").split("/")[-2:-1]

    pending = []
    for same_cell in (True, False):
        pending = []
        for entry in new:
            if entry.msgstr:
                continue
            same = [o for o in left if o.msgid == entry.msgid and (not same_cell or cell(o) == cell(entry))]
            if was := take(sorted(same, key=lambda o: o.msgctxt != entry.msgctxt)):
                entry.msgstr, entry.tcomment = was.msgstr, was.tcomment
                entry.flags += [flag for flag in was.flags if flag not in entry.flags]
                entry.previous_msgid = was.previous_msgid
            else:
                pending.append(entry)
    for entry in pending:
        near = [
            (difflib.SequenceMatcher(None, o.msgid, entry.msgid).ratio(), o) for o in left if cell(o) == cell(entry)
        ]
        near = [(ratio + (o.msgctxt == entry.msgctxt) / 4, o) for ratio, o in near if not o.obsolete]
        if was := take([o for ratio, o in sorted(near, key=lambda pair: -pair[0]) if ratio > 0.5]):
            entry.msgstr, entry.tcomment = was.msgstr, was.tcomment
            entry.flags.append("fuzzy")
            entry.previous_msgid = was.msgid
            said.append(f"{entry.msgctxt or entry.msgid}: the English changed, look at its Chinese again")
        else:
            said.append(f"{entry.msgctxt or entry.msgid}: new, no Chinese yet")
    for entry in left:
        if not entry.obsolete:
            said.append(
                f"{entry.msgctxt or entry.msgid}: no longer in the English; its Chinese is kept at the end, as obsolete"
            )
        entry.obsolete = True
    return new + left, said


def store(path: Path, entries: list[polib.POEntry]) -> None:
    """Write a catalogue, with the header it had."""
    po = catalogue(path)
    po[:] = entries
    path.write_text(str(po).rstrip() + "\n", encoding="utf-8", newline="\n")


def extract(names: list[str]) -> list[str]:
    """Merge what the English notebooks say now into their catalogues."""
    said = []
    for path in notebooks(names):
        entries = [
            polib.POEntry(msgctxt=f"{path.stem}/{cell}/{n}", msgid=unit.text, comment=unit.kind)
            for cell, units in notebook_units(read(path)).items()
            for n, unit in enumerate(units, start=1)
        ]
        target = CATALOGUES / f"{path.stem}.po"
        merged, news = merge(catalogue(target), entries)
        store(target, merged)
        said += news
    if not names:
        said += extract_package() + orphans()
    return said


def orphans() -> list[str]:
    """Name the catalogues whose notebook is gone."""
    return [
        f"{po.name}: there is no notebook {po.stem}; rename or delete the catalogue as the notebook was"
        for po in sorted(CATALOGUES.glob("[0-9]*.po"))
        if not (NOTEBOOKS / f"{po.stem}.ipynb").exists()
    ]


def package_messages() -> dict[str, polib.POEntry]:
    """Find the messages that the package translates or marks, in f-strings too, where babel looks at none."""
    found: dict[str, polib.POEntry] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            message = getattr(node.args[0], "value", None) if called in ("_", "N_") else None
            if isinstance(message, str):
                entry = found.setdefault(message, polib.POEntry(msgid=message))
                entry.occurrences.append((path.relative_to(ROOT).as_posix(), ""))
                entry.flags = ["python-brace-format"] if "{" in message else []
    for path in sorted(TABLES.glob("*.csv")):  # load_table translates names of rows and columns
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        for name in {*header, *(row[0] for row in rows)}:
            if WORD.search(name):
                entry = found.setdefault(name, polib.POEntry(msgid=name))
                entry.occurrences.append((path.relative_to(ROOT).as_posix(), ""))
    for entry in found.values():
        entry.occurrences = sorted(set(entry.occurrences))
    return found


def extract_package() -> list[str]:
    """Merge the messages of the package into their catalogue, and compile that into the package."""
    target = CATALOGUES / "kexue_nlp.po"
    messages = sorted(package_messages().values(), key=lambda e: (e.occurrences, e.msgid))
    merged, said = merge(catalogue(target), messages)
    store(target, merged)
    COMPILED.parent.mkdir(parents=True, exist_ok=True)
    COMPILED.write_bytes(catalogue(target).to_binary())
    return said


def notebooks(names: list[str]) -> list[Path]:
    """Return the English notebooks of these names, with or without folder and ending; of none, all."""
    if not names:
        return sorted(NOTEBOOKS.glob("*.ipynb"))
    paths = [NOTEBOOKS / f"{Path(name).stem}.ipynb" for name in names]
    for path in paths:
        if not path.exists():
            raise TranslationError(f"there is no notebook {path.stem}; if it was renamed, rename its catalogue too")
    return paths


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


# --- checks -----------------------------------------------------------------------------------------


@cache
def glossary() -> tuple[tuple[re.Pattern, list[str]], ...]:
    """Return the fixed terms, longest first: a pattern for the English, the Chinese words that are right."""
    with GLOSSARY.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -len(row["english"]))
    return tuple(
        (re.compile(rf"\b{re.escape(r['english'])}(?:s|es)?\b", re.IGNORECASE), r["chinese"].split("|")) for r in rows
    )


def blanked(source: str) -> str:
    """Return the syntax of code without its comments and literals; what f-strings hold stays, in any order."""
    return ast.dump(_Blank().visit(ast.parse(source)))


class _Blank(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        node.value = self.visit(node.value)
        return node  # its format is no text

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        values = [self.visit(value) for value in node.values if not isinstance(value, ast.Constant)]
        return ast.JoinedStr(sorted(values, key=ast.dump))


def unit_problems(english: str, chinese: str, kind: str, exempt: str = "", opening: str = "") -> list[str]:
    """Say what is wrong with one translated unit.

    `exempt` names terms that mean something else in it, `opening` is what a literal begins with, such as `f"`.
    """
    found, quotes = [], opening.lstrip("fFrRbB")
    if "f" in opening.lower():
        try:
            if blanked(f"f{quotes}{english}{quotes}") != blanked(f"f{quotes}{chinese}{quotes}"):
                found.append("the braces hold something else than in English")
        except SyntaxError:
            return [f"a broken format string: {chinese}"]
        english, chinese = (re.sub(r"\{[^{}]*\}", " ", text) for text in (english, chinese))
    for pattern, name in ((CODE_SPAN, "inline code"), (FORMULA, "formulas"), (LINK, "links")):
        ours, theirs = (Counter(pattern.findall(text)) for text in (english, chinese))
        if ours != theirs:
            found.append(f"other {name}: {[*(ours - theirs)]} in English, {[*(theirs - ours)]} in Chinese")
    ours, theirs = (Counter(n.replace(",", "") for n in NUMBER.findall(_prose(t))) for t in (english, chinese))
    if ours != theirs:
        found.append(f"other numbers: {[*(ours - theirs)]} in English, {[*(theirs - ours)]} in Chinese")
    if kind == "literal":
        try:
            ast.parse(f"{quotes}{chinese}{quotes}")
        except SyntaxError:
            return [f"not a literal between {quotes}: {chinese}"]
        if english == chinese:
            return found  # kept on purpose: data, or a name
    elif left := ENGLISH.search(_prose(TITLE.sub(" ", chinese))):
        found.append(f"English is left: {left[0]}")
    if kind == "table row" and english.count("|") != chinese.count("|"):
        found.append("another number of columns")
    if kind in ("paragraph", "heading", "list item", "table row"):
        inline = MARKDOWN.parseInline(_prose(chinese))[0].children
        if any("**" in token.content for token in inline if token.type == "text"):
            found.append("** that does not become bold: put punctuation outside of it, or a space beside it")
    titles = set(TITLE.findall(english)) & set(TITLE.findall(chinese))
    rest = _prose(TITLE.sub(lambda match: " " if match[0] in titles else match[0], english))
    for pattern, right in glossary():
        rest, count = pattern.subn(" ", rest)
        term = re.sub(r"\\b|\(\?:s\|es\)\?|\\", "", pattern.pattern)
        if count and term not in exempt and not any(word in chinese for word in right):
            found.append(f"{term!r} is {' or '.join(right)} in the glossary")
    return found


def problems(path: Path) -> list[str]:
    """Say all that stands in the way of the Chinese of one English notebook, a line per unit."""
    source, target = read(path), CATALOGUES / f"{path.stem}.po"
    if not target.exists():
        return [f"{path.stem}: no catalogue; run make translations"]
    entries = {entry.msgctxt: entry for entry in catalogue(target) if not entry.obsolete}
    found, chosen = [], {}
    cells = {cell.id: cell for cell in source.cells}
    for cell, units in notebook_units(source).items():
        for n, unit in enumerate(units, start=1):
            where = f"{path.stem}, cell {cell}, unit {n}"
            entry = entries.pop(f"{path.stem}/{cell}/{n}", None)
            if entry is None or entry.msgid != unit.text:
                found.append(f"{where}: the English changed; run make translations. It is: {unit.text}")
            elif entry.fuzzy:
                found.append(f"{where}: fuzzy, the English changed. It is: {unit.text}")
            elif not entry.msgstr.strip():
                found.append(f"{where}: not translated: {unit.text}")
            else:
                opening = re.search(r"[fFrR]*(\"\"\"|\'\'\'|\"|\'|)$", cells[cell].source[: unit.start])[0]
                exempt = entry.tcomment.partition("glossary:")[2]
                found += [f"{where}: {p}" for p in unit_problems(unit.text, entry.msgstr, unit.kind, exempt, opening)]
                if unit.kind == "literal" and chosen.setdefault(unit.text, entry.msgstr) != entry.msgstr:
                    found.append(f"{where}: {unit.text!r} is {chosen[unit.text]!r} elsewhere in the notebook")
    found += [
        f"{path.stem}, cell {context.split('/')[1]}, unit {context.split('/')[2]}: not in the notebook; a cell id that "
        "was changed or deleted? Run make translations"
        for context in entries
    ]
    return found


# --- the Chinese lessons ----------------------------------------------------------------------------


def chinese_notebook(path: Path) -> nbformat.NotebookNode:
    """Return an English notebook in Chinese, without outputs; TranslationError says all that stands in the way."""
    if found := problems(path):
        raise TranslationError("\n".join(found))
    po = {entry.msgctxt: entry.msgstr for entry in catalogue(CATALOGUES / f"{path.stem}.po") if not entry.obsolete}
    source = read(path)
    notebook, units = nbformat.from_dict(source), notebook_units(source)
    for cell, english in zip(notebook.cells, source.cells, strict=True):
        for n, unit in reversed([*enumerate(units.get(cell.id, ()), start=1)]):
            text = po[f"{path.stem}/{cell.id}/{n}"].replace("\n", "\n" + unit.indent)
            cell.source = cell.source[: unit.start] + text + cell.source[unit.stop :]
        cell.source = BADGE.sub(r"≈ \1 秒 · \2 GB（\3 核）", cell.source)
        shapes = [_shape(one) for one in (english, cell)]
        if shapes[0] != shapes[1]:
            raise TranslationError(f"{path.stem}, cell {cell.id}: in Chinese it is built otherwise than in English")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    first = next(cell for cell in notebook.cells if cell.cell_type == "code" and not _is_parameters(cell))
    first.source = f'from kexue_nlp.language import use_language\n\nuse_language("zh")\n\n{first.source}'
    digest = hashlib.sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()
    notebook.metadata.setdefault("kexue_nlp", {})["generated"] = digest
    return notebook


def _shape(cell: nbformat.NotebookNode) -> list[str] | str:
    """Return what translation leaves as it is: code without its literals, Markdown without its text."""
    if cell.cell_type == "code":
        return blanked(cell.source)
    tokens = MARKDOWN.parse(cell.source)
    return [blanked(t.content) if t.type == "fence" and t.info.strip() == "python" else t.type for t in tokens]


def english_outputs(notebook: nbformat.NotebookNode) -> list[str]:
    """Say which pages that cells put out hold English sentences, but for what says of itself that it is English."""
    found = []
    for cell in notebook.cells:
        page = " ".join(output.get("data", {}).get("text/html", "") for output in cell.get("outputs", []))
        page = re.sub(r"<style.*?</style>|<(\w+)[^>]*lang=\"en\".*?</\1>", " ", page, flags=re.DOTALL)
        if match := ENGLISH.search(re.sub(r"<[^>]*>", "\n", page)):
            found.append(f"cell {cell.id} puts out English: {match[0]}")
    return found


def build(path: Path, execute: bool) -> str:
    """Write the Chinese notebook of an English one; return what was done. A file changed by hand is left alone."""
    notebook, target = chinese_notebook(path), CHINESE / path.name
    if target.exists():
        old = read(target)
        digest = hashlib.sha256("\0".join(cell.source for cell in old.cells).encode()).hexdigest()
        if digest != old.metadata.get("kexue_nlp", {}).get("generated"):
            raise TranslationError(
                f"{target.relative_to(ROOT)} was changed by hand; put that into {path.stem}.po, then delete the file"
            )
        stored = {(cell.id, cell.source): cell for cell in old.cells if cell.cell_type == "code"}
        for cell in notebook.cells:  # without a run, what a cell put out stays as long as the cell does
            if was := stored.get((cell.id, cell.source)):
                cell.outputs, cell.execution_count = was.outputs, was.execution_count
    CHINESE.mkdir(exist_ok=True)
    done = "written, not executed"
    if execute:
        seconds, gb = kernels.run(notebook, CHINESE)
        done = f"{seconds:.0f} s, {gb:.1f} GB"
    kernels.tidy(notebook)
    if execute and (found := [*kernels.problems(notebook), *english_outputs(notebook)]):
        raise TranslationError("\n".join(f"{path.stem}, {line}" for line in found))
    kernels.write(notebook, target)
    return done


def package_problems() -> list[str]:
    """Say what is missing or wrong in the messages of the package, a line each."""
    found = []
    for entry in catalogue(CATALOGUES / "kexue_nlp.po"):
        ours, theirs = (Counter(re.findall(r"{[^{}]*}", text)) for text in (entry.msgid, entry.msgstr))
        if entry.obsolete:
            continue
        if entry.fuzzy or not entry.msgstr:
            wrong = ["fuzzy, the English changed" if entry.fuzzy else "not translated"]
        elif ours != theirs:
            wrong = ["the braces hold something else than in English"]
        else:
            texts = (re.sub(r"{[^{}]*}", " ", text) for text in (entry.msgid, entry.msgstr))
            wrong = unit_problems(*texts, "message", entry.tcomment.partition("glossary:")[2])
        found += [f"kexue_nlp, {entry.msgid!r}: {what}" for what in wrong]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Do what the command says; return how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("command", choices=("extract", "check", "build"))
    parser.add_argument("notebooks", nargs="*", help="such as 01_margin_loss; default: all that have a catalogue")
    parser.add_argument("--no-execute", action="store_true", help="only write, and keep outputs of unchanged cells")
    options = parser.parse_args(arguments)
    os.environ["KEXUE_NLP_LANGUAGE"] = "zh"
    failed = False
    try:
        if options.command == "extract":
            print(*extract(options.notebooks), sep="\n")
            return 0
        if not options.notebooks and (found := package_problems() + orphans()):
            raise TranslationError("\n".join(found))
        for path in notebooks(options.notebooks):
            try:
                if options.command == "build":
                    print(f"{path.name}: {build(path, not options.no_execute)}", flush=True)
                elif found := problems(path):
                    raise TranslationError("\n".join(found))
            except (TranslationError, kernels.NotebookError) as error:
                failed = True
                print(f"{path.name}: not changed\n{error}" if options.command == "build" else error, file=sys.stderr)
    except TranslationError as error:
        sys.exit(str(error))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
