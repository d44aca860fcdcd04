"""How time and memory grow with the work: segmentation of 1 to 100 million characters, files and EM on 2 processes.

The text of the People's Daily, repeated, goes through ``Segmenter.pipe``, each size in a process of its own, and 20
million characters of it, in a file, through ``kexue-nlp segment`` with one process and with two workers. BioHash
learns by EM as map and reduce over Dask, from random vectors that the workers make themselves. Writes
``benchmarks/results/scale.json`` after each measurement, and measures what is not there yet: a run that was stopped
goes on, and a file that is deleted is made anew.

Usage::

    python benchmarks/speed/scale.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

RESULT = Path(__file__).parents[1] / "results" / "scale.json"
SIZES = (1_000_000, 10_000_000, 100_000_000)
PROCESSES = (1, 2)
BLOCKS, ROWS, WIDTH, UNITS, ROUNDS = 32, 8192, 128, 256, 10


def segment(size: int) -> dict[str, float]:
    """Cut so many characters, from a generator to nowhere."""
    import resource

    from kexue_nlp.datasets import load_segmentation
    from kexue_nlp.segmenter import Segmenter

    lines = ["".join(words) for words in load_segmentation().train]

    def texts():
        read = 0
        for line in cycle(lines):
            yield line
            read += len(line)
            if read >= size:
                return

    segmenter = Segmenter.load()
    segmenter(lines[:4000])
    wall, busy, n_words, n_lines = time.perf_counter(), time.process_time(), 0, 0
    for words in segmenter.pipe(texts()):
        n_words += len(words)
        n_lines += 1
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": wall, "cpu_s": busy, "peak_mb": peak / 1e6, "lines": n_lines, "words": n_words}


def files(workers: int) -> dict[str, float]:
    """Cut a file of 20 million characters by the command line, from start to end; the median of three times."""
    from kexue_nlp.datasets import load_segmentation

    lines = ["".join(words) + "\n" for words in load_segmentation().train]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.txt")
        text = "".join(lines)
        source.write_text(text * (20_000_000 // len(text)), encoding="utf-8")
        for i in range(3):
            start = time.perf_counter()
            command = [sys.executable, "-m", "kexue_nlp", "segment", str(source), f"{folder}/{i}.txt"]
            subprocess.run([*command, "--workers", str(workers)], check=True)
            seconds.append(time.perf_counter() - start)
    return {"seconds": statistics.median(seconds), "characters": len(text) * (20_000_000 // len(text))}


def learn(n_processes: int) -> dict[str, float]:
    """Learn units over so many processes; a round is what they share."""
    import dask.array
    import numpy as np
    from dask.distributed import Client

    from kexue_nlp import scale
    from kexue_nlp.hashing import BioHash

    with Client(n_workers=n_processes, threads_per_worker=1, dashboard_address=None) as client:
        made = dask.array.random.default_rng(0).standard_normal(
            (BLOCKS * ROWS, WIDTH), dtype=np.float32, chunks=(ROWS, WIDTH)
        )
        data = client.persist(made)
        data.sum().compute()
        start = time.perf_counter()
        hasher = scale.fit(BioHash(UNITS, 16, max_iter=ROUNDS, tol=0, random_state=0), data)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "rounds": hasher.n_iter_, "objective": hasher.objectives_[-1]}


def main() -> None:
    """Measure what is not stored yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # one measurement, in a process of its own
    args = parser.parse_args()
    if args.one:
        kind, number = args.one
        print(json.dumps({"segment": segment, "files": files, "learn": learn}[kind](int(number))))
        return
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = (
        json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"segment": {}, "files": {}, "learn": {}}
    )
    result["command"], result["machine"] = "make bench", f"{os.cpu_count()} cores, {system}"
    for kind, numbers in (("segment", SIZES), ("files", PROCESSES), ("learn", PROCESSES)):
        for number in numbers:
            if str(number) in result[kind]:
                continue
            before = os.getloadavg()[0]  # what else the machine does
            command = [sys.executable, __file__, "--one", kind, str(number)]
            out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            run = {name: round(value, 3) for name, value in json.loads(out.splitlines()[-1]).items()}
            result[kind][str(number)] = {**run, "load_average": round(before, 1)}
            print(kind, f"{number:,}", result[kind][str(number)], flush=True)
            RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
