"""Speed and memory of jieba, rjieba and ours on the same sentences, in one run.

Each tool runs in a fresh process on the same sentences, and the round is repeated so that a noisy machine
disturbs all alike; medians are reported. Each tool also cuts the same text without 。！？； and the clauses of the text
one at a time, as a loop over a table's rows would, and says how long a new process takes to its first answer. Also
measured: ours with dictionaries of 100 and 100,000 words, and the import of the package. Writes
``benchmarks/results/segmentation_speed.json``.

Usage::

    python benchmarks/speed/segmentation.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

RESULT = Path(__file__).parents[1] / "results" / "segmentation_speed.json"
CHARACTERS = 1_000_000
ROWS = 3_000  # clauses cut one at a time
NO_ENDS = str.maketrans("。！？；!?;", "，，，，，，，")


def sentences() -> list[str]:
    """Return about a million characters of newspaper, as lines."""
    from kexue_nlp.datasets import load_segmentation

    lines, size = [], 0
    for words in load_segmentation().train:
        lines.append("".join(words))
        size += len(lines[-1])
        if size > CHARACTERS:
            break
    return lines


def dictionary(n_words: int) -> dict[str, float]:
    """Make a dictionary: 100 real words, the rest made up of their characters (few of which occur)."""
    from kexue_nlp.datasets import load_segmentation

    rng = random.Random(0)
    words = sorted({word for line in load_segmentation().heldout for word in line if len(word) > 1})
    chosen = dict.fromkeys(rng.sample(words, 100), 10.0)
    characters = sorted({character for word in words for character in word})
    while len(chosen) < n_words:
        chosen["".join(rng.choices(characters, k=rng.randint(2, 5)))] = 10.0
    return chosen


def make(tool: str, lexicon: dict[str, float] | None):
    """Return the function that segments a list of texts with a tool."""
    if tool == "jieba":
        import jieba

        jieba.setLogLevel("WARNING")
        return lambda texts: [jieba.lcut(text) for text in texts]
    if tool == "rjieba":
        import rjieba

        return lambda texts: [rjieba.cut(text) for text in texts]
    from kexue_nlp.segmenter import Segmenter

    return Segmenter.load("closed" if tool == "ours, closed" else "pretrained", lexicon=lexicon)


# Each tool, and the size of the dictionary given to it.
TOOLS = {
    "jieba": 0,
    "rjieba": 0,
    "ours": 0,
    "ours, closed": 0,
    "ours, 100-word dictionary": 100,
    "ours, 100,000-word dictionary": 100_000,
}


def measure(tool: str) -> dict:
    """Measure one tool in this process: seconds until it is ready, speed after that, peak memory."""
    import resource

    lexicon = dictionary(TOOLS[tool]) if TOOLS[tool] else None
    start = time.perf_counter()
    segment = make(tool, lexicon)
    segment(["我买了一瓶酒精。"])
    ready = time.perf_counter() - start
    texts = sentences()
    size = sum(map(len, texts))
    segment(texts[:4000])

    def per_second(work: list[str]) -> tuple[float, float]:
        wall, busy = time.perf_counter(), time.process_time()
        segment(work)
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        return size / wall, busy / wall

    speed, cores = per_second(texts)
    whole = "".join(texts)
    with_ends, without = (per_second([text])[0] for text in (whole, whole.translate(NO_ENDS)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    one = segment if tool.startswith("ours") else lambda row: segment([row])
    seconds = []
    for row in [row for text in texts for row in text.split("，")][:ROWS]:
        start = time.perf_counter()
        one(row)
        seconds.append(time.perf_counter() - start)
    return {
        "characters_per_s": speed,
        "cores_busy": cores,
        "characters_per_core_s": speed / cores,
        "ready_s": ready,
        "time_without_sentence_ends": with_ends / without,
        "row_ms": 1000 * statistics.median(seconds),
        "peak_gb": peak,
    }


def import_seconds() -> float:
    """Time ``import kexue_nlp`` alone, in a fresh process."""
    code = "import time; t = time.perf_counter(); import kexue_nlp; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure every tool several times, round by round, and store medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tool", choices=TOOLS, help=argparse.SUPPRESS)  # one measurement, for the rounds
    args = parser.parse_args()
    if args.tool:
        print(json.dumps(measure(args.tool)))
        return
    load_before = os.getloadavg()[0]  # what else the machine does disturbs all tools alike
    rounds: dict[str, list[dict]] = {tool: [] for tool in TOOLS}
    for i in range(args.rounds):
        for tool in TOOLS:
            command = [sys.executable, __file__, "--tool", tool]
            out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            rounds[tool].append(json.loads(out.splitlines()[-1]))
            print(f"round {i + 1}, {tool}: {rounds[tool][-1]['characters_per_s'] / 1e6:.2f} M characters/s", flush=True)
    tools = {
        tool: {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
        for tool, runs in rounds.items()
    }
    for tool, runs in rounds.items():
        for key in ("characters_per_s", "characters_per_core_s"):
            ratios = (run[key] / other[key] for run, other in zip(runs, rounds["jieba"], strict=True))
            tools[tool][f"{key}_over_jieba"] = round(statistics.median(ratios), 2)
    few, many = (statistics.median(run["characters_per_s"] for run in rounds[tool]) for tool in list(TOOLS)[-2:])
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    result = {
        "command": "make bench",
        "machine": f"{os.cpu_count()} cores, {system}",
        "rounds": args.rounds,
        "load_average": [round(load, 1) for load in (load_before, os.getloadavg()[0])],
        "tools": tools,
        "time_with_100000_words_over_100": round(few / many, 3),
        "import_s": round(statistics.median(import_seconds() for _ in range(args.rounds)), 4),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
