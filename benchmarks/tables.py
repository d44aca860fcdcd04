"""Write down the tables of measured results: benchmarks/results/tables/NAME.csv, and those in docs/results.md.

Usage::

    python benchmarks/tables.py

In docs/results.md each stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; a test fails if one is not what the
stored runs say.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from summaries import RESULTS, TABLES, summary

ROOT = Path(__file__).parents[1]
FOLDER = RESULTS / "tables"
PAGE = ROOT / "docs" / "results.md"


def markdown(rows: list[dict[str, str]]) -> str:
    """Format a Markdown table."""
    cells = [list(rows[0]), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def scores(name: str) -> str:
    """Format a table of which every cell is text."""
    return markdown(summary(name).reset_index().to_dict("records"))


def measured(name: str) -> dict[str, Any]:
    """Read what one of the scripts in benchmarks/speed, or the browser tests, have measured."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def label_curve() -> str:
    """Accuracy by the number of labels, in per cent."""
    curve = summary("label_curve")
    rows = curve.map(lambda accuracy: "" if accuracy != accuracy else f"{accuracy:.1%}").to_dict("index")
    return markdown([{"labels": f"{labels:,}", **row} for labels, row in rows.items()])


def segmentation_scores() -> str:
    """F1 on the official tests, with its spread."""
    rows = summary("segmentation").reset_index().to_dict("records")
    return markdown(
        [
            {
                "method": row["method"],
                "test": row["test"],
                "runs": str(row["runs"]),
                "F1": f"{row['F1']:.4f}" + (f" ± {row['± over seeds']:.4f}" if row["runs"] > 1 else ""),
                "recall of unseen words": f"{row['recall of unseen words']:.3f}",
            }
            for row in rows
        ]
    )


def segmentation_speed() -> str:
    """Throughput, start-up, single rows, text without sentence ends, and memory."""
    speed = measured("segmentation_speed")
    rows = [
        {
            "tool": tool,
            "M characters/s": f"{run['characters_per_s'] / 1e6:.2f}",
            "times jieba": f"{run['characters_per_s_over_jieba']:.1f}",
            "cores busy": f"{run['cores_busy']:.1f}",
            "times jieba, per core": f"{run['characters_per_core_s_over_jieba']:.1f}",
            "first answer, s": f"{run['ready_s']:.2f}",
            "one short row, ms": f"{run['row_ms']:.2f}",
            "time without 。！？；": f"{run['time_without_sentence_ends']:.2f}×",
            "peak GB": f"{run['peak_gb']:.2f}",
        }
        for tool, run in speed["tools"].items()
    ]
    note = (
        f"Medians of {speed['rounds']} rounds on {speed['machine']}, other work beside (load average "
        f"{speed['load_average'][0]} before, {speed['load_average'][1]} after). A dictionary of 100,000 words takes "
        f"{speed['time_with_100000_words_over_100']:.2f}× the time of one of 100. "
        f"`import kexue_nlp` takes {speed['import_s'] * 1000:.0f} ms."
    )
    return f"{markdown(rows)}\n\n{note}"


def hashing_speed() -> str:
    """Seconds, memory and recall of encoding, training and searching."""
    speed = measured("hashing_speed")
    encoding = [
        {"pictures to codes": tool, "pictures/s": f"{run['pictures_per_s']:,}"} for tool, run in speed["encode"].items()
    ]
    training = [
        {
            "learning 320 units": tool,
            "passes": str(run["passes"]),
            "seconds": f"{run['seconds']:.1f}",
            "objective": f"{run['objective']:.4f}",
            "seconds of EM to there": (
                f"{run['em_seconds_to_that_objective']:.1f}" if "em_times_faster" in run else ""
            ),
        }
        for tool, run in speed["train"].items()
    ]
    searching = [
        {
            "100 nearest of 69,000": tool,
            "ms per query": f"{run['ms_per_query']:.2f}",
            "index, MB": f"{run['index_mb']:.1f}",
            "of the 100 nearest by cosine": f"{run['recall_at_100']:.0%}",
            "same digit": f"{run['same_digit']:.0%}",
        }
        for tool, run in speed["search"].items()
    ]
    words = [
        {"word vectors from 2.3 M words": tool, "words of text/s": f"{run['words_per_s']:,}"}
        for tool, run in speed["word_vectors"].items()
    ]
    note = (
        f"Medians of {speed['rounds']} rounds on {speed['machine']}; the local rule ran once, and where EM ends lower, "
        "its own end counts."
    )
    return "\n\n".join([*map(markdown, (encoding, training, searching, words)), note])


def margin_speed() -> str:
    """Training time beside Keras's loss."""
    speed = measured("margin_loss_speed")
    rows = [
        {
            "network": name,
            "time with the margin loss over time with cross-entropy": f"{run['ratio']:.2f}",
            "quartiles": "{:.2f} to {:.2f}".format(*run["ratio_quartiles"]),
        }
        for name, run in speed["networks"].items()
    ]
    return f"{markdown(rows)}\n\nMedians of {speed['rounds']} paired rounds on {speed['machine']}."


def language_model_speed() -> str:
    """Windows in memory, and words a second in training, with what is learned in equal time."""
    speed = measured("language_model_speed")
    made = speed["windows"]
    windows = [
        {
            "windows of the reviews": name,
            "seconds": f"{made[f'{key}_s{how}']:.0f}",
            "MB": f"{made[f'{key}_mb{how}']:,.0f}",
        }
        for name, key, how in (("nested lists, extrapolated", "article", "_extrapolated"), ("ours", "ours", ""))
    ]
    training = [
        {
            f"training, {speed['units']} units": model,
            "words/s": f"{run['tokens_per_s']:,}",
            "perplexity after equal time": f"{run['perplexity_after_each_turn'][-1]:.0f}",
        }
        for model, run in speed["training"].items()
    ]
    note = (
        f"{made['windows']:,} windows; {speed['turns']} turns of {speed['seconds_per_turn']:.0f} s for each model. "
        f"Measured on {speed['machine']}."
    )
    return f"{markdown(windows)}\n\n{markdown(training)}\n\n{note}"


def viewpoint_speed() -> str:
    """Sentences per second."""
    speed = measured("viewpoint_speed")
    rows = [{"what": name, "sentences/s": f"{rate:,}"} for name, rate in speed["sentences_per_s"].items()]
    note = (
        f"Medians of {speed['rounds']} rounds on {speed['machine']}, over {speed['sentences']:,} sentences of "
        f"{speed['data']}, {speed['characters_per_sentence']} characters on average, and a list of "
        f"{speed['names']:,} names."
    )
    return f"{markdown(rows)}\n\n{note}"


def scale() -> str:
    """Growing work, and what follows from it on paper."""
    speed = measured("scale")
    cut = [
        {
            "segmented by `pipe`": f"{int(size) / 1e6:,.0f} M characters",
            "seconds": f"{run['seconds']:,.0f}",
            "of processor time": f"{run['cpu_s']:,.0f}",
            "peak MB": f"{run['peak_mb']:.0f}",
        }
        for size, run in speed["segment"].items()
    ]
    files = [
        {
            "`kexue-nlp segment`": f"{n} process" if n == "1" else f"{n} workers",
            "M characters": f"{run['characters'] / 1e6:.0f}",
            "seconds": f"{run['seconds']:.0f}",
            "times as fast": f"{speed['files']['1']['seconds'] / run['seconds']:.2f}",
        }
        for n, run in speed["files"].items()
    ]
    learned = [
        {
            "BioHash by map and reduce": f"{n} process" + "es" * (n != "1"),
            "seconds per round, start included": f"{run['seconds'] / run['rounds']:.1f}",
            "times as fast": f"{speed['learn']['1']['seconds'] / run['seconds']:.1f}",
        }
        for n, run in speed["learn"].items()
    ]
    size = max(speed["segment"], key=int)
    largest = speed["segment"][size]
    hours = 1e9 / largest["lines"] * largest["cpu_s"] / 3600  # of a billion lines on one core
    loads = [run["load_average"] for kind in ("segment", "files", "learn") for run in speed[kind].values()]
    note = (
        f"Once each on {speed['machine']}, other work beside (load average {min(loads)} to {max(loads)}). On paper, "
        f"from the largest run: 10⁹ lines of {int(size) / largest['lines']:.0f} characters are {hours:.0f} hours of "
        f"such a core, {hours / 100:.1f} hours of 100 of them."
    )
    return f"{markdown(cut)}\n\n{markdown(files)}\n\n{markdown(learned)}\n\n{note}"


def segment_files() -> str:
    """What is left of dirty text when the one who cuts it is killed."""
    run = measured("segment_files")
    lines, broken, wrong = (run[f"lines{name}"] for name in ("", "_that_cannot_be_decoded", "_lost_doubled_or_changed"))
    return (
        f"{run['megabytes']:,} MB in {lines:,} lines, {broken:,} of them not to be decoded, were cut by two workers, "
        f"and killed {run['kills']} times. Lines lost, doubled or changed: {wrong}; files unfinished: "
        f"{len(run['unfinished_files'])}. All in all {run['seconds'] / 60:.0f} minutes on {run['machine']}."
    )


def explorer_latency() -> str:
    """Time from a key to the changed picture, in a browser."""
    rows = [
        {
            "lesson": lesson.removesuffix(".ipynb").replace("_", " "),
            "explorer, ms: median, most": "{median_ms:.0f}, {max_ms:.0f}".format(**run["explorer"]),
            "`interactive` and Matplotlib, ms": "{median_ms:.0f}, {max_ms:.0f}".format(
                **run["interactive and Matplotlib"]
            ),
            "all cells, s": f"{run['run_all_s']:.0f}",
        }
        for lesson, run in measured("latency").items()
    ]
    return markdown(rows)


# What stands between the marks in docs/results.md.
BLOCKS = {
    **{name: partial(scores, name) for name in TABLES},
    "label_curve": label_curve,
    "segmentation": segmentation_scores,
    "margin_speed": margin_speed,
    "language_model_speed": language_model_speed,
    "segmentation_speed": segmentation_speed,
    "viewpoint_speed": viewpoint_speed,
    "hashing_speed": hashing_speed,
    "scale": scale,
    "segment_files": segment_files,
    "latency": explorer_latency,
}


def filled(page: str) -> str:
    """Return the page with every table replaced by what the stored runs say."""
    for name, block in BLOCKS.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not end:
            sys.exit(f"{PAGE.name} has no place for a table: <!-- {name} --> … <!-- /{name} -->")
        page = f"{before}{mark}{block()}\n{end}{after}"
    return page


def main() -> None:
    """Write the files and fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    for name in TABLES:
        summary(name).to_csv(FOLDER / f"{name}.csv", lineterminator="\n")
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    PAGE.write_text(after, encoding="utf-8", newline="\n")
    print(f"{len(TABLES)} files in {FOLDER.relative_to(ROOT)}")
    print(f"{PAGE.relative_to(ROOT)}: {len(BLOCKS)} tables, {'unchanged' if before == after else 'updated'}")


if __name__ == "__main__":
    main()
