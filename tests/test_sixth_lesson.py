"""One more lesson: the files that CONTRIBUTING.md lists, and no others, make one that every check knows and passes."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import notebooks as tool

ROOT = Path(__file__).parents[1]
NUMBER, NAME = "06", "mirror"
MOST_EDITED = 8
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".runs", ".*_cache", "__pycache__", "build", "*.jsonl")

# What a file of a lesson holds, by the end of its path.
NEW = {
    "__init__.py": '"""The lesson about mirrors."""\n\nNUMBER = "06"\n',
    "explorer.py": '''"""The explorer of the lesson: a word, read backwards."""

from kexue_nlp.widgets.base import Explorer, TextBox, escape


class MirrorExplorer(Explorer):
    """Shows a word backwards."""

    def __init__(self, word: str = "drawer") -> None:
        super().__init__()
        self.word = TextBox(word, description="word")
        self.on_change(self.word, self.refresh)
        self.lay_out(self.word)
        self.refresh()

    def refresh(self) -> None:
        """Show the word that is typed."""
        self.picture.value = f"<table><tr><td>{escape(self.word.value[::-1])}</td></tr></table>"
''',
    "exercises.py": '''"""The exercises of the lesson, which are those of another one."""

from kexue_nlp.lessons.segmentation import exercises

EXERCISES = {f"06.{k}": exercises.EXERCISES[f"03.{k}"] for k in (1, 2, 3)}
''',
    "test_explorer_mirror.py": """from kexue_nlp.widgets import MirrorExplorer


def test_a_word_is_shown_backwards():
    assert "drawer" in MirrorExplorer("reward").static_html()
""",
    "light/mirror.py": """from kexue_nlp.widgets import MirrorExplorer

MirrorExplorer()
""",
}


def lesson():
    """Return the template with another number and explorer."""
    notebook = nbformat.read(ROOT / "tests/lesson_template.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace('check("03.', f'check("{NUMBER}.')
        if cell.id == "explorer":
            cell.source = "from kexue_nlp.widgets import MirrorExplorer\n\nMirrorExplorer()"
        if cell.id == "explorer-again":
            cell.source = "MirrorExplorer()"
    return notebook


def edit(path, notebook):
    """Name the lesson in a file, as a contributor would."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        text = re.sub(r"^(_LESSONS = \{\n)", r'\1    "mirror": ("MirrorExplorer",),\n', text, flags=re.MULTILINE)
    elif path.suffix == ".ipynb":
        text = re.sub(r"(05_\w+\.ipynb)", rf"\1, {notebook}", text, count=1)
    else:
        text += f"\n[The sixth lesson]({os.path.relpath(ROOT / 'notebooks' / notebook, (ROOT / path.name).parent)})\n"
    path.write_text(text, encoding="utf-8")


def listed():
    """Return the new and the edited files of "Adding a lesson"."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("\n## Adding a lesson\n")[1].split("\n## ")[0]
    files = re.findall(r"^- `([^`\n]+)`:", section, re.MULTILINE)
    edited = [name for name in files if (ROOT / name).exists()]
    return [name.replace("NN", NUMBER).replace("NAME", NAME) for name in files if name not in edited], edited


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with one more lesson."""
    copy = tmp_path_factory.mktemp("sixth") / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    new, edited = listed()
    (notebook,) = (Path(name) for name in new if name.endswith(".ipynb"))
    for name in edited:
        edit(copy / name, notebook.name)
    for name in new:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if name == str(notebook):
            nbformat.write(lesson(), copy / name)
        else:
            (content,) = (text for end, text in NEW.items() if name.endswith("/" + end))
            (copy / name).write_text(content, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(copy))
        tool.refresh(copy / notebook, cores=2)
    return copy


def test_no_more_than_the_listed_files_are_new_or_edited(checkout):
    def differences(comparison, folder=Path()):
        new = [folder / name for name in comparison.right_only]
        edited = [folder / name for name in comparison.diff_files]
        for name, below in comparison.subdirs.items():
            parts = differences(below, folder / name)
            new, edited = new + parts[0], edited + parts[1]
        return new, edited

    ignored = ["__pycache__", ".ipynb_checkpoints"]
    new, edited = differences(filecmp.dircmp(ROOT, checkout, ignore=ignored))
    files = {path.relative_to(checkout) for top in new for path in [checkout / top, *(checkout / top).rglob("*")]}
    files = {str(name) for name in files if (checkout / name).is_file() and "__pycache__" not in name.parts}
    assert files == set(listed()[0])
    assert {str(path) for path in edited} == set(listed()[1])
    assert len(edited) <= MOST_EDITED


def test_every_check_knows_the_lesson_and_passes(checkout):
    files = [f"test_explorer_{NAME}", "test_notebooks", "test_static", "test_accessibility"]
    chosen = f"{NUMBER} or {NAME} or every_lesson or every_explorer"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "-k", chosen]
    done = subprocess.run(
        [*command, *(f"tests/{name}.py" for name in files)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 30
