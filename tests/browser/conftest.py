"""A real JupyterLab in headless Chromium: the server, the browser, and a notebook that has been run in it.

A notebook is a lesson as it is, or a light one: a single cell, made of a file of light/, that trains nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, sync_playwright
from xdist.scheduler import LoadScopeScheduling

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CONFIG = str(NOTEBOOKS.parent / "kexue_nlp" / "jupyter")  # as `make lab` and `kexue-nlp start` have it
LIGHT = Path(__file__).with_name("light")
# The lessons speak English, and the light notebooks Chinese: so the explorers are driven in both.
IN_CHINESE = 'from kexue_nlp.language import use_language\n\nuse_language("zh")\n'
LIGHT_NOTEBOOKS = sorted(f"light_{path.stem}.ipynb" for path in LIGHT.glob("*.py"))
LESSONS = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))

# Whether what is measured is stored, beside the same for Matplotlib, which a last cell of each lesson shows.
RECORD = bool(os.environ.get("KEXUE_NLP_RECORD"))
PEER = f"""import sys
sys.path.append({str(NOTEBOOKS.parent / "benchmarks")!r})
from kexue_nlp.widgets.base import Explorer
from explorer_peers import peer
peer(next(value for value in Out.values() if isinstance(value, Explorer)))"""

# What JupyterLab itself complains about: no internet, and pictures that it has not yet taken out of a notebook.
HARMLESS = ("ERR_INTERNET", "ERR_NAME_NOT", "ERR_UNKNOWN_URL", "api/news", "announcements", "extensions")
HARMLESS += ("favicon", "workspaces")

# All cells are drawn, not only those in view: what is not drawn cannot be looked at.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {
        "windowingMode": "none",
        "autoStartDefaultKernel": True,
    }
}


# What is run before the notebook is connected with its kernel is forgotten, or shown without widgets.
# From then on kexueOpen holds the messages that were sent to the kernel and that it is not done with yet.
CONNECTED = """
async () => {
  const { context, sessionContext } = window.jupyterapp.shell.currentWidget;
  await context.ready;
  await sessionContext.ready;
  const { kernel } = sessionContext.session;
  await kernel.info;
  const open = window.kexueOpen = new Set();
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === "send" && msg.channel === "shell") open.add(msg.header.msg_id);
  });
  kernel.iopubMessage.connect((_, { header, parent_header, content }) => {
    if (header.msg_type === "status" && content.execution_state === "idle") open.delete(parent_header.msg_id);
  });
}
"""

# Waits until nothing is open and no element or text of the page has changed for three frames; false if that takes
# too long.
SETTLED = """
async (milliseconds) => {
  const end = performance.now() + milliseconds;
  let quiet = 0;
  const observer = new MutationObserver(() => { quiet = 0; });
  observer.observe(document.body, { childList: true, subtree: true, characterData: true });
  while (quiet < 3 && performance.now() < end) {
    await new Promise(requestAnimationFrame);
    quiet = window.kexueOpen.size ? 0 : quiet + 1;
  }
  observer.disconnect();
  return quiet >= 3;
}
"""
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"


def pytest_xdist_make_scheduler(config, log):
    """Have each notebook opened once, by one process."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda nodeid: nodeid.partition("[")[2] if "test_lessons" in nodeid else "views"
    return scheduler


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Address of a JupyterLab that serves the light notebooks and a copy of the lessons, and their folder."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".*"))
    for path in folder.glob("*.ipynb"):
        prepare(path)
    for path in LIGHT.glob("*.py"):
        write(folder / f"light_{path.stem}.ipynb", IN_CHINESE + path.read_text("utf-8"))
    settings = folder.parent / "settings"
    for name, values in SETTINGS.items():
        path = settings / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        "--no-browser",
        "--allow-root",
        "--port-retries=0",
        "--IdentityProvider.token=",
        "--LabApp.expose_app_in_browser=True",
        f"--port={port}",
    ]
    folders = [f"--ServerApp.root_dir={folder}", f"--LabApp.user_settings_dir={settings}"]
    folders.append(f"--LabApp.workspaces_dir={folder.parent / 'workspaces'}")
    log = folder.parent / "lab.log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "jupyterlab", *options, *folders]
        server = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | {"JUPYTER_CONFIG_PATH": CONFIG})
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/api"), 180, lambda: f"JupyterLab does not answer: {log.read_text()}")
        yield address, folder
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def launch():
    """A function that starts Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.exit("no Chromium on the PATH; on Debian or Ubuntu: apt install chromium", returncode=1)
    with sync_playwright() as playwright:
        yield partial(playwright.chromium.launch, executable_path=path, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="session")
def browser(launch):
    """Chromium."""
    browser = launch()
    yield browser
    browser.close()


@dataclass
class Lesson:
    """A lesson that has been run from top to bottom in a browser."""

    name: str
    page: Page
    seconds: float
    console: list[str]  # its errors; grows as the lesson is used
    outputs: list[dict] = field(repr=False)  # of all cells, as saved

    @property
    def problems(self) -> list[str]:
        """Errors of the page's console that are not JupyterLab's own."""
        return [line for line in self.console if not any(word in line for word in HARMLESS)]

    @property
    def explorer(self) -> Locator:
        """The explorer."""
        return self.page.locator(".jp-OutputArea-output .kexue.widget-vbox").first

    @property
    def picture(self) -> Locator:
        """What it shows."""
        return self.explorer.locator(".kx, .kexue-picture").first

    def settle(self) -> None:
        """Wait until the kernel has dealt with all that the page has sent, and the page has shown it."""
        # Ample for a busy machine: what is soon enough for a reader, test_a_move_is_seen_soon says.
        assert self.page.evaluate(SETTLED, 20_000), f"{self.name} does not come to rest"

    def close(self) -> None:
        """Close the page, and shut down its kernel, which would otherwise keep its memory."""
        try:
            self.page.evaluate(SHUT_DOWN)
        finally:
            self.page.close()


@pytest.fixture(scope="session")
def opened(lab, browser):
    """A function that opens a notebook of the lab's folder, or writes one of one cell, and runs it."""
    address, folder = lab

    def opened(name: str, source: str | None = None) -> Lesson:
        if source:
            write(folder / name, source)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        console: list[str] = []
        page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(f"{address}/lab/tree/{name}?reset")
        page.wait_for_selector(IDLE)
        start = time.monotonic()
        page.evaluate(CONNECTED)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        saved = folder / name
        wait_until(lambda: executed(page, saved), 600, lambda: f"{name} is still running, or was not saved")
        seconds = time.monotonic() - start
        outputs = [output for cell in cells(saved) for output in cell.get("outputs", ())]
        return Lesson(name, page, seconds, console, outputs)

    return opened


@pytest.fixture(
    scope="session",
    params=[*LIGHT_NOTEBOOKS, *LESSONS],
    ids=lambda name: re.match(r"light_[a-z]{4}|\d+", name)[0],
)
def lesson(request, opened):
    """A notebook, opened and run."""
    lesson = opened(request.param)
    yield lesson
    lesson.close()


def executed(page: Page, path: Path) -> bool:
    """Whether every cell has been run. Saves, to see that."""
    if page.locator(".jp-InputPrompt", has_text="[*]").count() or not page.locator(IDLE).count():
        return False
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")  # keys may go to whatever has the focus
    page.wait_for_timeout(500)
    return all(cell["execution_count"] for cell in cells(path) if cell["cell_type"] == "code")


def prepare(path: Path) -> None:
    """Forget the stored outputs, so that what is there afterwards comes from this run; add what is to be recorded."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if RECORD:
        notebook["cells"].append({"cell_type": "code", "id": "peer", "metadata": {}, "source": PEER})
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = None, []
    path.write_text(json.dumps(notebook), encoding="utf-8")


def write(path: Path, source: str) -> None:
    """Write a notebook of one cell."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=2).read())
    except OSError:
        return False


def wait_until(condition, seconds: float, message) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(message())
        time.sleep(0.1)
