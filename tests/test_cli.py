"""The command `kexue-nlp`, used as its users use it."""

import contextlib
import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import kexue_nlp
from kexue_nlp import cli
from kexue_nlp.datasets import available

ROOT = Path(__file__).resolve().parent.parent


def python(*arguments, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run([sys.executable, *map(str, arguments)], env=environment, capture_output=True, text=True)


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    folder = tmp_path / "original"
    folder.mkdir()
    (folder / "00_start_here.ipynb").write_text("start")
    (folder / "01_margin_loss.ipynb").write_text("margin")
    monkeypatch.setattr(cli, "_notebook_folder", lambda: folder)
    return folder


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def refusal(capsys):
    """Run the command with something that it cannot do, and return what it says."""

    def run(*arguments):
        assert cli.main([str(argument) for argument in arguments]) == 1
        return "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, [f"kexue_nlp {kexue_nlp.__version__}\n"]),
        (["--help"], 0, ["start", "doctor", "fetch", *available()]),
        ([], 2, ["usage"]),
        (["fetch", "nonesuch"], 2, ["invalid choice", *available()]),
    ],
    ids=["version", "help", "nothing", "unknown data set"],
)
def test_command_line_explains_itself(capsys, arguments, status, said):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == status
    shown = "".join(capsys.readouterr())
    assert all(word in shown for word in said)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from kexue_nlp import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print('heavy:', {'keras', 'jax', 'sklearn', 'matplotlib'} & sys.modules.keys())"
    )
    assert python("-c", code).stdout.endswith("heavy: set()\n")


@pytest.mark.parametrize(("language", "folder"), [("en", "notebooks"), ("zh", "notebooks/zh")], ids=["en", "zh"])
def test_start_copies_every_notebook_of_the_checkout(tmp_path, monkeypatch, language, folder):
    monkeypatch.setenv("KEXUE_NLP_LANGUAGE", language)
    assert cli.main(["start", str(tmp_path / "lessons"), "--no-open"]) == 0
    assert contents(tmp_path / "lessons") == {p.name: p.read_text() for p in (ROOT / folder).glob("*.ipynb")} != {}


def test_start_copies_the_lessons_without_checkpoints_beside_what_is_there(lessons, tmp_path, capsys):
    (lessons / ".ipynb_checkpoints").mkdir()
    (lessons / ".ipynb_checkpoints/00_start_here-checkpoint.ipynb").write_text("old")
    mine = tmp_path / "deep/er"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("my notes")
    for copied in (2, 0):  # nothing is left to copy the second time
        assert cli.main(["start", str(mine), "--no-open"]) == 0
        assert capsys.readouterr().out == f"copied {copied} files to {mine}\n"
    expected = {"00_start_here.ipynb": "start", "01_margin_loss.ipynb": "margin", "notes.txt": "my notes"}
    assert contents(mine) == expected


def test_start_overwrites_a_changed_notebook_only_by_force(lessons, tmp_path, refusal):
    mine = tmp_path / "mine"
    cli.copy_notebooks(mine)
    (mine / "01_margin_loss.ipynb").write_text("my work")
    (mine / "00_start_here.ipynb").unlink()
    assert "01_margin_loss.ipynb" in refusal("start", mine, "--no-open")
    assert contents(mine) == {"01_margin_loss.ipynb": "my work"}
    assert cli.main(["start", str(mine), "--no-open", "--force"]) == 0
    assert contents(mine) == contents(lessons)


def test_what_is_in_the_way_is_never_overwritten(lessons, tmp_path, refusal):
    (tmp_path / "mine/01_margin_loss.ipynb").mkdir(parents=True)
    (tmp_path / "file").write_text("a file")
    assert "01_margin_loss.ipynb is in the way" in refusal("start", tmp_path / "mine", "--no-open", "--force")
    assert f"{tmp_path / 'file'}: File exists" in refusal("start", tmp_path / "file", "--no-open")


@pytest.mark.parametrize("existing", [True, False])
def test_full_disk_leaves_things_as_they_were(lessons, tmp_path, monkeypatch, refusal, existing):
    mine = tmp_path / "mine"
    if existing:
        mine.mkdir()

    def fill_up(source, target):
        if source.name == "01_margin_loss.ipynb":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", fill_up)
    assert "No space left on device" in refusal("start", mine, "--no-open")
    assert mine.exists() == existing
    assert not existing or contents(mine) == {}


def test_start_that_cannot_be_says_why_and_copies_nothing(tmp_path, monkeypatch, refusal):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for blank in ("", " "):
        assert "an empty name is no folder" in refusal("start", blank, "--no-open")
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert "pip install 'kexue_nlp[lab]'" in refusal("start", "mine")
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site/kexue_nlp/cli.py"))
    assert "no notebooks in" in refusal("start", "mine", "--no-open")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_start_opens_jupyterlab_in_its_language_without_a_question_about_news(tmp_path, language):
    stand_in = tmp_path / "site/jupyterlab"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    # In place of JupyterLab: say how it was called and where it looks for settings, and leave with a status.
    (stand_in / "__main__.py").write_text(
        "import os, sys; print(*sys.argv[1:]); print(os.environ['JUPYTER_CONFIG_PATH']); sys.exit(7)"
    )
    path = os.pathsep.join([str(stand_in.parent), str(ROOT)])
    start = ("-m", "kexue_nlp", "start", tmp_path / "mine", "--language", language)
    result = python(*start, PYTHONPATH=path, JUPYTER_CONFIG_PATH="theirs")
    _, call, paths = result.stdout.splitlines()
    assert call.startswith(f"{tmp_path / 'mine'} --LabApp.default_url=/lab/tree/00_start_here.ipynb")
    theirs, *ours = paths.split(os.pathsep)
    files = [Path(folder, "labconfig/default_setting_overrides.json") for folder in ours]
    defaults = {plugin: values for file in files for plugin, values in json.loads(file.read_text()).items()}
    assert defaults["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert ({"locale": "zh_CN"} in defaults.values()) == (language == "zh")
    assert (theirs, result.returncode) == ("theirs", 7)


@pytest.fixture(scope="module")
def report():
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert cli.main(["doctor"]) == 0, shown.getvalue()
    return shown.getvalue().splitlines()


@pytest.mark.parametrize("name", ["kexue_nlp", "Python", "numpy", "keras", "jupyterlab", "ipywidgets"])
def test_doctor_prints_the_version(report, name):
    line = next(line for line in report if line.split()[1:2] == [name])
    versions = {"kexue_nlp": kexue_nlp.__version__, "Python": "{}.{}.{}".format(*sys.version_info)}
    assert (versions.get(name) or metadata.version(name)) in line


def test_doctor_looks_at_the_machine_the_data_and_the_packages(report):
    looked_at = {line[4:].strip() for line in report}
    for name in ("backend", "memory", "Chinese font", *available()):
        assert any(line.startswith(name) for line in looked_at), name
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["lab"]
    assert {re.match("[A-Za-z-]+", line)[0] for line in requirements} <= set(cli.LESSON_PACKAGES)


def test_doctor_advises_on_a_missing_package_or_sample_text_and_fails(monkeypatch, refusal):
    names = [name.replace("ipywidgets", "no-such-package") for name in cli.LESSON_PACKAGES]
    with monkeypatch.context() as patch:
        patch.setattr(cli, "LESSON_PACKAGES", names)
        lines = refusal("doctor").splitlines()
    (line,) = (number for number, line in enumerate(lines) if line.startswith("FAIL"))
    assert "no-such-package" in lines[line]
    assert "pip install 'kexue_nlp[lab]'" in lines[line + 1]
    monkeypatch.setitem(sys.modules, "snownlp", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install --upgrade snownlp" in refusal("doctor")


def test_doctor_advises_on_a_backend_that_does_not_start():
    report = python("-m", "kexue_nlp", "doctor", KERAS_BACKEND="nonesuch")
    assert report.returncode == 1
    assert "nonesuch does not start" in report.stdout
    assert "set KERAS_BACKEND=jax" in report.stdout


def test_doctor_advises_on_short_memory_and_missing_full_data_and_passes(own_folders, monkeypatch, capsys):
    assert cli.main(["doctor"]) == 0
    assert "kexue-nlp fetch bakeoff2005" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert "unknown" in cli._check_memory().found
    for free, advised in ((1.0, True), (4.0, False)):
        monkeypatch.setattr(cli, "_memory", lambda free=free: (8.0, free))
        check = cli._check_memory()
        assert (bool(check.advice), check.needed) == (advised, False)


def test_failed_fetch_says_why_and_what_to_do(own_folders, refusal):
    message = refusal("fetch", "bakeoff2005")
    assert "could not be reached" in message
    assert "What to do" in message


def test_fetch_prints_where_the_data_is_and_ends_quietly_when_interrupted(monkeypatch, capsys):
    def interrupt(name):
        raise KeyboardInterrupt

    assert cli.main(["fetch", "peoples_daily"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line).is_file()
    monkeypatch.setattr("kexue_nlp.datasets.fetch", interrupt)
    assert cli.main(["fetch", "peoples_daily"]) == 130
    assert capsys.readouterr().err == "kexue-nlp: interrupted\n"
