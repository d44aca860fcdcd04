"""What pytest does besides nbval when it runs the notebooks: `pytest --nbval-lax notebooks`.

Writing to stderr fails the cell. When a notebook has run, its kernel is asked how much memory it needed at
most and whether a widget's callback raised: too much memory, or any such exception, is an error. A table of
seconds and memory closes the run. It stands here and not in notebooks/, because that folder is for readers.
"""

import ast
import importlib
import sys
import time
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from kexue_nlp.language import use_language

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
tool = importlib.import_module("notebooks")  # the budgets and the question to a kernel, shared with the tool

use_language("en")  # whatever the system speaks; kernels choose for themselves

START = pytest.StashKey[float]()
TABLE = pytest.StashKey[list[tuple[str, float, float]]]()


def pytest_configure(config):
    """Give up on a cell sooner than nbval's half hour: it waits as long for a kernel that has died."""
    config.option.nbval_cell_timeout = min(config.option.nbval_cell_timeout, tool.CELL_TIMEOUT)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Start the clock before the first cell's setup, which starts the kernel."""
    if isinstance(item, IPyNbCell):
        item.parent.stash.setdefault(START, time.perf_counter())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a cell that wrote to stderr: nbval's lax mode would let it pass."""
    result = yield
    if isinstance(item, IPyNbCell):
        for output in item.test_outputs or []:
            if output.get("name") == "stderr":
                item.raise_cell_error("Cell wrote to stderr", output.text)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Question the kernel after the last cell of a notebook; nbval shuts it down in the wrapped teardown."""
    is_last = isinstance(item, IPyNbCell) and (nextitem is None or nextitem.parent is not item.parent)
    problems = _question_kernel(item.parent) if is_last else []
    result = yield
    if problems:
        pytest.fail(f"{item.path.name}: " + "\n".join(problems), pytrace=False)
    return result


def _question_kernel(notebook):
    seconds = time.perf_counter() - notebook.stash[START]
    messages = []
    try:
        notebook.kernel.kc.execute_interactive(tool.REPORT, output_hook=messages.append, timeout=30)
        (reply,) = [message for message in messages if message["msg_type"] == "execute_result"]
        report = ast.literal_eval(reply["content"]["data"]["text/plain"])
    except Exception as error:  # whatever it is, the kernel must still be shut down
        return [f"the kernel did not say how much memory it needed: {type(error).__name__} {error}"]
    notebook.config.stash.setdefault(TABLE, []).append((notebook.path.name, seconds, report["peak_gb"]))
    problems = [f"a widget's callback raised {error}" for error in report["widget_errors"]]
    if report["peak_gb"] > tool.MAX_GB:
        problems.append(f"needed {report['peak_gb']:.2f} GB of memory; the budget is {tool.MAX_GB} GB")
    return problems


def pytest_sessionfinish(session):
    """Send what was measured in a process of pytest-xdist to the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["notebooks"] = session.config.stash.get(TABLE, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Receive it."""
    node.config.stash.setdefault(TABLE, []).extend(getattr(node, "workeroutput", {}).get("notebooks", []))


def pytest_terminal_summary(terminalreporter, config):
    """Print seconds and peak memory of each notebook."""
    table = config.stash.get(TABLE, [])
    if not table:
        return
    width = max(len(name) for name, *_ in table)
    terminalreporter.section("notebooks")
    terminalreporter.line(f"{'notebook':{width}}  seconds  peak GB")
    for name, seconds, peak_gb in table:
        terminalreporter.line(f"{name:{width}}  {seconds:7.0f}  {peak_gb:7.2f}")
