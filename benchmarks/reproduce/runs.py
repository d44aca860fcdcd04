"""Finished runs as JSON lines: one is appended as it finishes, so that an interrupted script goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path


def read_runs(path: Path) -> list[dict]:
    """Return the runs stored; a last line cut short by an interruption is taken out of the file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def append_run(path: Path, record: dict) -> None:
    """Store one finished run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
