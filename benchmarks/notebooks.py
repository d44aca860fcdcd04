"""Run the notebooks in clean kernels, write their measured badges, and store nothing that must not be stored.

    python benchmarks/notebooks.py                                     # all of notebooks/
    python benchmarks/notebooks.py notebooks/03_word_segmentation.ipynb

A notebook that fails a check stays on disk as it was. What is checked here is checked again, on the stored
files, by tests/test_notebooks.py; the memory budget is also measured on every test run (conftest.py).
"""

from __future__ import annotations

import argparse
import ast
import base64
import io
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning
from PIL import Image, ImageOps

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PICTURES = FOLDER.parent / "docs"  # of the explorers, which the browser tests take

MAX_SECONDS = 120
MAX_GB = 1.2
MAX_BYTES = 700_000
CELL_TIMEOUT = 300  # seconds; a cell that hangs must not hang the run

BADGE = re.compile(r"^≈ (?P<seconds>\d+) s · (?P<gb>\d+\.\d) GB on (?P<cores>\d+) cores?$", re.MULTILINE)
QUICK = re.compile(r"^PROFILE = \"quick\"", re.MULTILINE)

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# A slash that begins a word and is followed by two names or by one of the best-known folders, a drive letter,
# or a file URL. Relative paths, web addresses, closing HTML tags and fractions do not begin this way.
ABSOLUTE_PATH = re.compile(
    r"file://"
    r"|(?:^|(?<=[\s\"'`=(\[{,:;>：（]))/(?:[A-Za-z_][\w.+-]*/[\w.+-]+|(?:home|root|tmp)\b)"
    r"|\b[A-Z]:\\\\?\w",
    re.MULTILINE,
)
EMBEDDED_DATA = re.compile(r"data:[\w/+.-]+;base64,[\w+/=\s]*")

# What a kernel is asked when its notebook has run: the most memory it held, and the exceptions that callbacks
# of widgets raised (explorers catch them, show them, and append them to kexue_nlp.widgets.errors).
REPORT = r"""
import pathlib, re, sys

status = pathlib.Path("/proc/self/status")
own = re.search(r"VmHWM:\s+(\d+) kB", status.read_text() if status.exists() else "")
if own:  # Linux. The portable number below starts there at what the parent process held when it forked.
    peak = int(own[1]) * 1024
elif sys.platform == "win32":
    import psutil
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
widgets = sys.modules.get("kexue_nlp.widgets")
{"peak_gb": peak / 1e9, "widget_errors": [str(error) for error in getattr(widgets, "errors", [])]}
"""


class NotebookError(Exception):
    """A notebook cannot be stored; the message says which cell and why."""


# --- what must not be stored ----------------------------------------------------------------------


def outputs(cell: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return cell.get("outputs", [])


def texts(output: nbformat.NotebookNode) -> Iterator[str]:
    """Everything in an output that is text: streams, and each representation that is not a picture."""
    if "text" in output:
        yield output.text
    for mime, data in output.get("data", {}).items():
        if isinstance(data, str) and not (mime.startswith("image/") and mime != "image/svg+xml"):
            yield data


def errors(cell: nbformat.NotebookNode) -> list[str]:
    return [f"raised {o.ename}: {o.evalue}" for o in outputs(cell) if o.output_type == "error"]


def stderr(cell: nbformat.NotebookNode) -> list[str]:
    return [f"wrote to stderr: {o.text.strip()[:200]}" for o in outputs(cell) if o.get("name") == "stderr"]


def absolute_paths(cell: nbformat.NotebookNode) -> list[str]:
    everything = [cell.source, *(text for output in outputs(cell) for text in texts(output))]
    return [
        f"has the absolute path {match[0]}"
        for text in everything
        for match in ABSOLUTE_PATH.finditer(EMBEDDED_DATA.sub("", text))
    ]


def widget_views(cell: nbformat.NotebookNode) -> list[str]:
    return ["stores a widget view" for o in outputs(cell) if WIDGET_VIEW in o.get("data", {})]


def pictures_without_alt_text(cell: nbformat.NotebookNode) -> list[str]:
    return [
        'shows a PNG without alt text; set the output metadata {"image/png": {"alt": "..."}}'
        for o in outputs(cell)
        if "image/png" in o.get("data", {}) and not o.metadata.get("image/png", {}).get("alt", "").strip()
    ]


CHECKS: tuple[Callable[[nbformat.NotebookNode], list[str]], ...] = (
    errors,
    stderr,
    absolute_paths,
    widget_views,
    pictures_without_alt_text,
)


# --- reading, running, tidying, writing -----------------------------------------------------------


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook; nbformat's silent repairs (missing or repeated cell ids) are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingIDFieldWarning)
        warnings.simplefilter("error", DuplicateCellId)
        try:
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=nbformat.NO_CONVERT)
            nbformat.validate(notebook)
        except (Warning, ValueError, nbformat.ValidationError) as error:
            raise NotebookError(f"not a valid notebook: {error}") from None
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        raise NotebookError(
            f"nbformat {notebook.nbformat}.{notebook.nbformat_minor}; 4.5 is needed, save it in JupyterLab 4"
        )
    return notebook


def run(notebook: nbformat.NotebookNode, folder: Path) -> tuple[float, float]:
    """Execute the cells in place, in a kernel of their own; return wall seconds and peak GB of the kernel."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        force_raise_errors=True,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    notebook.cells.append(nbformat.v4.new_code_cell(REPORT))
    start = time.perf_counter()
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:
        raise NotebookError(str(error)) from None
    seconds = time.perf_counter() - start
    report = ast.literal_eval(notebook.cells.pop().outputs[0].data["text/plain"])
    if report["widget_errors"]:
        raise NotebookError("a widget's callback raised: " + "; ".join(report["widget_errors"]))
    return seconds, report["peak_gb"]


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Remove, in place, what differs between runs or machines and what only a live page can show."""
    notebook.metadata = nbformat.from_dict(
        {
            **{k: v for k, v in notebook.metadata.items() if k != "widgets"},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "pygments_lexer": "ipython3"},
        }
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in _joined(cell.outputs) if _tidy_output(output)]


# The most telling part of each lesson's picture: left, top, right and bottom, of 1.
TELLING = {
    "01": (0.33, 0.44, 1, 1),
    "02": (0, 0.19, 0.62, 0.56),
    "03": (0, 0.297, 1, 0.578),
    "04": (0, 0.135, 0.5, 0.435),
    "05": (0, 0.145, 0.76, 0.66),
}


def renew_pictures(notebook: nbformat.NotebookNode) -> None:
    """Attach, in place, small copies of what is telling in those pictures of the documentation that a notebook shows.

    They travel in the file, so that they are seen wherever the notebook is copied to, and offline.
    """
    for cell in notebook.cells:
        for name in cell.get("attachments", {}):
            picture = Image.open(PICTURES / name).convert("RGB")
            width, height = picture.size
            left, top, right, bottom = TELLING[name[:2]]
            picture = picture.crop((left * width, top * height, right * width, bottom * height))
            picture = ImageOps.contain(picture, (400, 240))
            if 0.5 < right < 0.7:  # what is cut off fades out
                fade = (
                    Image.linear_gradient("L").rotate(90).resize(picture.size).point(lambda x: min(255, 4 * (255 - x)))
                )
                picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), fade)
            png = io.BytesIO()
            picture.quantize(64).save(png, format="png", optimize=True)
            cell.attachments[name] = {"image/png": base64.b64encode(png.getvalue()).decode("ascii")}


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighbouring pieces of one stream; where a stream is cut is chance."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == "stream" and output.name == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _tidy_output(output: nbformat.NotebookNode) -> bool:
    """Tidy one output in place; return whether anything is left to look at."""
    if output.output_type == "stream":
        # As on a terminal: after a carriage return the line is written anew, so only its last text counts.
        lines = output.text.replace("\r\n", "\n").split("\n")
        output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
        return bool(output.text)
    if output.get("data", {}).pop(WIDGET_VIEW, None) is not None:
        output.metadata.pop(WIDGET_VIEW, None)
        return bool(output.data.keys() - {"text/plain"})  # the repr of a widget says nothing to a reader
    if "text/html" in output.get("data", {}):  # whose static picture it is differs from run to run
        output.data["text/html"] = re.sub(r' data-kexue-still="\w+"', "", output.data["text/html"])
    return True


def write_badge(notebook: nbformat.NotebookNode, seconds: float, gb: float, cores: int) -> str:
    """Put the measured line into the first cell, in the place of an older one or at the end; return it."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown":
        raise NotebookError("the first cell must be markdown: the title, and the place of the badge line")
    badge = f"≈ {max(1, round(seconds))} s · {gb:.1f} GB on {cores} core{'s' if cores > 1 else ''}"
    if BADGE.search(first.source):
        first.source = BADGE.sub(badge, first.source, count=1)
    else:
        first.source = f"{first.source.rstrip()}\n\n{badge}"
    return badge


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Everything that must not be stored, each with the cell it is in."""
    return [
        f"cell {number} (id {cell.id}) {problem}"
        for number, cell in enumerate(notebook.cells)
        for check in CHECKS
        for problem in check(cell)
    ]


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Replace the file in one step, so that it is the old notebook or the new one, never half of either."""
    content = (nbformat.writes(notebook) + "\n").encode()
    if len(content) > MAX_BYTES:
        raise NotebookError(f"would be {len(content):,} bytes; at most {MAX_BYTES:,} are stored")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def refresh(path: Path, cores: int) -> str:
    """Run one notebook and store it; return its badge. On any error the file is untouched."""
    notebook = read(path)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []) and not QUICK.search(cell.source):
            raise NotebookError('the parameters cell must say PROFILE = "quick": that is what the badge measures')
    seconds, gb = run(notebook, path.parent)
    tidy(notebook)
    renew_pictures(notebook)
    badge = write_badge(notebook, seconds, gb, cores)
    if found := problems(notebook):
        raise NotebookError("\n".join(found))
    write(notebook, path)
    return badge


def use_two_cores() -> int:
    """Keep this process and its kernels to two cores where the system can; return the number used."""
    if not hasattr(os, "sched_setaffinity"):  # macOS
        return os.cpu_count() or 1
    cores = sorted(os.sched_getaffinity(0))[:2]
    os.sched_setaffinity(0, cores)
    return len(cores)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    paths = parser.parse_args(arguments).notebooks or sorted(FOLDER.glob("*.ipynb"))
    if not paths:
        parser.error(f"no notebooks in {FOLDER}")
    cores = use_two_cores()
    failed = False
    for path in paths:
        try:
            badge = refresh(path, cores)
        except (NotebookError, OSError) as error:
            failed = True
            print(f"{path.name}: not changed\n{error}", file=sys.stderr)
        else:
            print(f"{path.name}: {badge}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
