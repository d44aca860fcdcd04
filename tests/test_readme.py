"""README: what it says of the tools is true, its numbers are measured, and its links lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{page.name}" for page in ROOT.glob("docs/*.md"))]


def slug(heading):
    """A heading as a forge spells it in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page):
    return set(map(slug, re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)))


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", README, re.DOTALL), ids=lambda block: block.split()[1]
)
def test_code_gives_what_stands_behind_the_arrow(block):
    lines, namespace, shown = block.splitlines(), {}, 0
    for statement in ast.parse(block).body:
        _, arrow, expected = lines[statement.end_lineno - 1].partition("# → ")
        code = ast.get_source_segment(block, statement)
        if arrow:
            assert repr(eval(code, namespace)) == expected
            shown += 1
        else:
            exec(code, namespace)
    assert shown


def test_readme_is_short_and_its_page_on_a_package_index_links_to_the_repository():
    assert len(README.encode()) < 10_000
    page = hatch_build.absolute(README)
    targets = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', page)
    assert len(targets) > 30
    assert [target for pair in targets for target in pair if target and not target.startswith("https://")] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_pictures_are_described(page):
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"(!?)\[([^\]]*)\]\(([^)\s:]*)\)", text)
    links += [("!", alt, source) for source, alt in re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]*)"', text)]
    for mark, words, target in links:
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target
        assert words or not mark, f"{target} has no description"
    assert links or page == "CONTRIBUTING.md"


def test_numbers_of_the_lessons_are_those_of_the_tables():
    results = (ROOT / "docs/results.md").read_text("utf-8")
    sections = {slug(section.partition("\n")[0]): section for section in results.split("\n## ")}
    said = re.findall(r"\| ([^|]*\(docs/results\.md#([\w-]+)\)[^|]*) \|$", README, re.MULTILINE)
    assert len(said) == 5
    for words, anchor in said:
        numbers = set(re.findall(r"\d+\.\d+", words))
        assert numbers
        measured = list(map(float, re.findall(r"\d+\.\d+", sections[anchor])))
        rounded = {number: [round(m, len(number.partition(".")[2])) for m in measured] for number in numbers}
        assert [number for number in numbers if float(number) not in rounded[number]] == [], anchor
