"""The files around the package agree: pins, extras, make targets, what travels in the wheel."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import kexue_nlp

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = [(python, system) for python in PYTHONS for system in ("linux", "darwin")]
EXTRAS = ("lab", "test", "scale", "bench", "browser")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def parse_pins(lines):
    pins = {}
    for line in lines:
        name, _, version = line.partition("==")
        assert re.fullmatch(r"[\w.-]+==[\w.+!]+", line), f"{line!r} is not an exact pin"
        assert canonicalize_name(name) not in pins, f"{name} is pinned twice"
        pins[canonicalize_name(name)] = version
    return pins


CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
PINS = parse_pins(line for line in CONSTRAINTS if not line.startswith("#"))


def names_of(distributions):
    return {canonicalize_name(distribution.name) for distribution in distributions}


def requirements_of(extras):
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return [Requirement(line) for line in lines]


def closure(extras, python, system):
    """Yield every requirement that an installation meets, as (who asks, requirement)."""
    environment = default_environment() | {"python_version": python, "python_full_version": f"{python}.0"}
    environment |= {"sys_platform": system, "platform_system": system.title(), "os_name": "posix"}
    todo = [("kexue_nlp", requirement) for requirement in requirements_of(extras)]
    seen = set()
    while todo:
        asker, requirement = todo.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        yield asker, requirement
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = metadata.requires(requirement.name) or []
        except metadata.PackageNotFoundError:
            continue  # [bench], or another system's package: pinned, but not here to be asked
        settings = [environment | {"extra": extra} for extra in {"", *requirement.extras}]
        for below in map(Requirement, lines):
            if below.marker is None or any(map(below.marker.evaluate, settings)):
                todo.append((requirement.name, below))


@pytest.mark.parametrize(("python", "system"), PLATFORMS)
def test_pins_are_there_and_satisfy_all_that_ask_for_them(python, system):
    asked = list(closure(EXTRAS, python, system))
    assert names_of(requirement for _, requirement in asked) - PINS.keys() == set()
    broken = [
        f"{asker} asks for {requirement}, pinned is {PINS[canonicalize_name(requirement.name)]}"
        for asker, requirement in asked
        if not requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])
    ]
    assert broken == []


def test_pinned_releases_run_on_every_supported_python():
    pinned = [d for d in metadata.distributions() if PINS.get(canonicalize_name(d.name)) == d.version]
    # The first release of each Python: a distribution may still carry it.
    assert [
        f"{d.name} {d.version} does not want Python {python}.0"
        for d, python in itertools.product(pinned, PYTHONS)
        if not SpecifierSet(d.metadata.get("Requires-Python") or "").contains(f"{python}.0")
    ] == []


def test_constraints_hold_nothing_that_is_not_installed():
    installed = names_of(metadata.distributions())
    if names_of(requirements_of(("lab", "test"))) - installed:
        pytest.skip("what the missing packages need cannot be asked; `make test` installs them all")
    needed = names_of(requirement for place in PLATFORMS for _, requirement in closure(EXTRAS, *place))
    unneeded = PINS.keys() - needed
    if names_of(requirements_of(EXTRAS)) - installed:
        unneeded &= installed  # the rest may be what the missing packages need
    assert unneeded == set()


def test_binder_pins_all_that_the_lessons_install_and_installs_the_package():
    python, *_, pip = yaml.safe_load((ROOT / "binder/environment.yml").read_text("utf-8"))["dependencies"]
    python, pins = python.removeprefix("python="), parse_pins(pip["pip"])
    needed = names_of(requirement for _, requirement in closure(("lab",), python, "linux"))
    assert python in PYTHONS
    assert needed - pins.keys() == set()
    assert {name: pin for name, pin in pins.items() if PINS.get(name) != pin} == {}
    script = ROOT / "binder/postBuild"
    assert os.access(script, os.X_OK)
    assert re.search(r"^python -m pip install --no-deps .*--editable \.$", script.read_text(), re.MULTILINE)
    assert (ROOT / re.search(r"kexue_nlp/\S+", script.read_text())[0]).is_dir()  # asks nothing about news


def test_supported_pythons_are_declared_alike_and_conda_installs_the_lab_as_pinned():
    declared = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" for minor in range(8, 20) if declared.contains(f"3.{minor}.0")] == list(PYTHONS)
    python, *_, pip = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    assert python.removeprefix("python=") in PYTHONS
    assert pip == {"pip": ["--constraint constraints.txt", "--editable .[lab]"]}


def test_workflow_tests_every_system_and_both_ends_of_the_python_range():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text("utf-8"))
    triggers, jobs = workflow[True], workflow["jobs"]  # YAML 1.1 reads the key `on` as true
    assert {"push", "pull_request", "schedule"} <= triggers.keys()
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix["python"] == [PYTHONS[0], PYTHONS[-1]]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos"}
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert commands["test"] == ["make test PYTHON=python"]
    assert commands["browser"][-1].startswith("make test-browser ")
    # Windows has no make: the install, the style and the tests by themselves.
    install, style, tests = commands["windows"]
    assert jobs["windows"]["runs-on"].startswith("windows")
    assert "--constraint constraints.txt --editable .[lab,test]" in install
    assert "ruff check ." in style
    assert "ruff format --check ." in style
    for options in ("--nbval-lax --nbval-current-env --doctest-modules", "notebooks tests kexue_nlp"):
        assert options in tests
        assert options in (ROOT / "Makefile").read_text("utf-8").replace(" \\\n\t\t", " ")


def test_citation_and_changelog_name_the_version_of_the_package():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == kexue_nlp.__version__
    assert f"\n## {kexue_nlp.__version__} " in (ROOT / "CHANGELOG.md").read_text("utf-8")


PARTS = ["install-browser", "test", "test-backends", "test-explorers"]
EXTRAS_OF = {"lab": "lab", "test": "lab,test", "bench": "lab,test,bench"}
EXTRAS_OF |= dict.fromkeys(("test-explorers", "test-browser"), "lab,test,browser")

# In place of Python, for make: it only notes what it is asked to install.
STAND_IN = """#!/bin/sh
case "$*" in
    *"-m venv"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *"-m pip install"*) echo "$*" >> installs; [ ! -e network-down ] ;;
    *"-m pip wheel"*) echo "$*" >> installs; mkdir -p build/wheelhouse; [ ! -e network-down ] ;;
esac
"""


@pytest.fixture
def clone(tmp_path):
    """Return a folder with a space in its path, holding what `make` reads, and a way to run make there."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path / "my lessons"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3.13").write_text(STAND_IN)
    (programs / "python3.13").chmod(0o755)

    def make(*arguments, **variables):
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)} | variables
        command = ["make", *arguments]
        return subprocess.run(command, cwd=make.folder, env=environment, capture_output=True, text=True, check=False)

    make.folder = folder
    make.installs = lambda: (make.folder / "installs").read_text().splitlines()
    return make


@pytest.mark.parametrize("target", EXTRAS_OF)
def test_make_installs_the_extras_against_the_constraints(clone, target):
    clone(target)
    assert clone.installs() == [f"-m pip install --constraint constraints.txt --editable .[{EXTRAS_OF[target]}]"]


@pytest.mark.parametrize(
    ("targets", "times"),
    [(("lab", "lab"), 1), (("test", "test"), 1), (("test", "lab"), 1), (("lab", "test", "lab", "test"), 2)],
)
def test_make_installs_only_what_is_not_there_yet(clone, targets, times):
    assert [clone(target).returncode for target in targets] == [0] * len(targets)
    assert len(clone.installs()) == times


@pytest.mark.parametrize("event", ["pyproject.toml", "constraints.txt", "folder moved", "Python vanished"])
def test_make_installs_again_what_may_not_be_right_any_more(clone, event):
    clone("lab")
    if event == "folder moved":
        clone.folder = clone.folder.rename(clone.folder.with_name("elsewhere"))
    elif event == "Python vanished":
        (clone.folder / ".venv/bin/python").unlink()
        (clone.folder / ".venv/bin/python").symlink_to("/nowhere/python3.13")
    else:
        (clone.folder / event).write_text("# changed\n")
    assert clone("lab").returncode == 0
    assert len(clone.installs()) == 2


def test_failed_install_stops_make_and_makes_the_former_doubtful(clone):
    for target, installs in (("lab", 2), ("test", 4)):
        (clone.folder / "network-down").touch()
        assert clone(target).returncode != 0
        (clone.folder / "network-down").unlink()
        assert clone("lab").returncode == 0
        assert len(clone.installs()) == installs


def test_python_that_does_not_run_is_passed_over(clone, tmp_path):
    result = clone("lab", "PYTHON=/nowhere/python")
    assert result.returncode != 0
    assert "No usable Python 3.11, 3.12 or 3.13 found at PYTHON=/nowhere/python" in result.stderr
    shim = tmp_path / "bin/python3.13"
    shim.rename(tmp_path / "bin/python3.12")
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert "(python3.12)" in clone("lab").stdout


def test_settings_of_another_environment_do_not_reach_the_install(clone):
    foreign = ["PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET"]
    with (clone.folder.parent / "bin/python3.13").open("a") as stand_in:
        stand_in.write(f'echo "settings: {"".join("$" + name for name in foreign)} $PIP_USER"\n')
    result = clone("lab", PIP_USER="1", **dict.fromkeys(foreign, "/a"))
    lines = {line for line in result.stdout.splitlines() if line.startswith("settings:")}
    assert lines == {"settings:  0"}


def test_wheelhouse_is_collected_against_the_constraints(clone):
    old = clone.folder / "wheelhouse/old.whl"
    old.parent.mkdir()
    old.touch()
    clone("lab")
    (clone.folder / "network-down").touch()
    assert clone("wheelhouse").returncode != 0
    assert old.exists()
    (clone.folder / "network-down").unlink()
    assert clone("wheelhouse").returncode == 0
    collected = "-m pip wheel --constraint constraints.txt --wheel-dir build/wheelhouse .[lab,test] editables"
    assert clone.installs()[-1] == collected
    assert list(old.parent.iterdir()) == []


def test_make_alone_lists_the_targets_and_no_lesson_is_named(clone):
    listed = clone().stdout
    targets = ("lab", "test", "notebooks", "slides", "results", "wheelhouse", "clean")
    assert all(f"  make {target} " in listed for target in targets)
    for name in ("Makefile", ".ci/run", ".github/workflows/test.yml"):
        assert re.findall(r"\b0[0-9]_\w+|0\[", (ROOT / name).read_text("utf-8")) == []


@pytest.mark.parametrize("failing", [None, *PARTS])
def test_ci_fails_when_a_part_fails(failing, tmp_path):
    (tmp_path / "checkout/.ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", tmp_path / "checkout/.ci")
    for name in ("make", "chromium"):
        command = tmp_path / name
        command.write_text(f'#!/bin/sh\n[ "$1" != "{failing}" ]\n')
        command.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    result = subprocess.run([tmp_path / "checkout/.ci/run"], env=environment, capture_output=True, check=False)
    assert (result.returncode == 0) == (failing is None)


def build(kind, folder):
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")
    return build("wheel", tmp_path_factory.mktemp("wheel"))


def test_wheel_carries_the_package_the_notebooks_and_the_tables_and_nothing_else(wheel):
    assert wheel.name == f"kexue_nlp-{kexue_nlp.__version__}-py3-none-any.whl"
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    folder = ROOT / "notebooks"
    paths = [*folder.glob("*.ipynb"), *folder.glob("zh/*.ipynb")]
    notebooks = {f"kexue_nlp/notebooks/{path.relative_to(folder).as_posix()}" for path in paths}
    tables = {f"kexue_nlp/_tables/{path.name}" for path in (ROOT / "benchmarks/results/tables").glob("*.csv")}
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kexue_nlp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }
    assert notebooks
    assert tables
    assert names == notebooks | tables | files
    for pattern in ("fonts/*.[ot]tf", "fonts/*OFL*", "pretrained/*.json", "labconfig/*.json", "LC_MESSAGES/*.mo"):
        assert any(Path(name).match(pattern) for name in names)
    assert [name for name in names if "/." in name] == []


def test_installed_command_copies_the_notebooks_out(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    command = [sys.executable, "-m", "kexue_nlp", "start", "lessons", "--no-open"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")}, check=True)
    copied = {path.name for path in (tmp_path / "lessons").iterdir()}
    assert copied == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_source_distribution_carries_what_make_test_needs(tmp_path):
    pytest.importorskip("hatchling")
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "constraints.txt", "binder/environment.yml", "notebooks/00_start_here.ipynb"} <= names
    assert "tests/test_house.py" in names
