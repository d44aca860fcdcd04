"""Write the measured tables into the README, from the JSON under benchmarks/results.

Usage::

    python benchmarks/tables.py

Each table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; a test fails if one is not what the JSON says.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import pandas as pd

from kexue_nlp.results import (
    hashing_table,
    load_results,
    margin_sweep,
    margin_table,
    segmentation_table,
    semi_supervised_table,
    viewpoint_table,
    word_table,
)

ROOT = Path(__file__).parents[1]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def by_method(table: pd.DataFrame) -> str:
    """Format a table of results whose rows are methods."""
    return markdown(["method", *table.columns], [[method, *row] for method, row in table.iterrows()])


def segmentation_scores() -> str:
    """F1 on the official tests."""
    table = segmentation_table(load_results("segmentation"))
    rows = []
    for method, row in table.iterrows():
        spread = "" if pd.isna(row["± over seeds"]) else f" ± {row['± over seeds']:.4f}"
        f1 = f"{row['F1']:.4f}{spread}"
        rows.append([method, row["test"], str(row["runs"]), f1, f"{row['recall of unseen words']:.3f}"])
    return markdown(["method", "test", "runs", "F1", "recall of unseen words"], rows)


def segmentation_speed() -> str:
    """Throughput, start-up and memory."""
    measured = json.loads((ROOT / "benchmarks/results/segmentation_speed.json").read_text(encoding="utf-8"))
    rows = [
        [
            tool,
            f"{run['characters_per_s'] / 1e6:.2f}",
            f"{run['cores_busy']:.1f}",
            f"{run['ready_s']:.1f}",
            f"{run['peak_gb']:.2f}",
        ]
        for tool, run in measured["tools"].items()
    ]
    header = ["tool", "M characters/s", "cores busy", "seconds until ready", "peak GB"]
    note = (
        f"Medians of {measured['rounds']} rounds on {measured['machine']}. A dictionary of 100,000 words takes "
        f"{measured['time_with_100000_words_over_100']:.2f}× the time of one of 100. "
        f"`import kexue_nlp` takes {measured['import_s'] * 1000:.0f} ms."
    )
    return f"{markdown(header, rows)}\n\n{note}"


def hashing_scores() -> str:
    """Mean average precision on MNIST."""
    return by_method(hashing_table(load_results("hashing")))


def hashing_speed() -> str:
    """Seconds, memory and recall of encoding, training and searching."""
    measured = json.loads((ROOT / "benchmarks/results/hashing_speed.json").read_text(encoding="utf-8"))
    encoding = markdown(
        ["pictures to codes", "pictures/s"],
        [[tool, f"{run['pictures_per_s']:,}"] for tool, run in measured["encode"].items()],
    )
    training = markdown(
        ["learning 320 units", "passes", "seconds", "objective", "seconds of EM to there"],
        [
            [
                tool,
                str(run["passes"]),
                f"{run['seconds']:.1f}",
                f"{run['objective']:.4f}",
                f"{run['em_seconds_to_that_objective']:.1f}" if "em_times_faster" in run else "",
            ]
            for tool, run in measured["train"].items()
        ],
    )
    searching = markdown(
        ["100 nearest of 69,000", "ms per query", "index, MB", "of the 100 nearest by cosine", "same digit"],
        [
            [
                tool,
                f"{run['ms_per_query']:.2f}",
                f"{run['index_mb']:.1f}",
                f"{run['recall_at_100']:.0%}",
                f"{run['same_digit']:.0%}",
            ]
            for tool, run in measured["search"].items()
        ],
    )
    words = markdown(
        ["word vectors from 2.3 M words", "words of text/s"],
        [[tool, f"{run['words_per_s']:,}"] for tool, run in measured["word_vectors"].items()],
    )
    note = (
        f"Medians of {measured['rounds']} rounds on {measured['machine']}; the local rule ran once, and where EM ends "
        "lower, its own end counts."
    )
    return "\n\n".join([encoding, training, searching, words, note])


def word_scores() -> str:
    """Rank correlation with people's judgements."""
    return by_method(word_table(load_results("word_vectors")))


def margin_scores() -> str:
    """Accuracy on IMDB, and the paired differences."""
    scores = by_method(margin_table(load_results("margin_loss")))
    speed = json.loads((ROOT / "benchmarks/results/margin_loss_speed.json").read_text(encoding="utf-8"))
    ratios = "; ".join(
        f"{name} {run['ratio']:.2f} ({run['ratio_quartiles'][0]:.2f} to {run['ratio_quartiles'][1]:.2f})"
        for name, run in speed["networks"].items()
    )
    sweep = by_method(margin_sweep(load_results("margin_loss")))
    others = (
        "Other margins, CNN, over the seeds that all of them have. *Active* is the share of training reviews not yet "
        "right by the margin of the row, by 0.6 for cross-entropy; a greater margin asks for more."
    )
    note = "Training time with the margin loss over that with Keras's cross-entropy, median and quartiles of"
    return f"{scores}\n\n{others}\n\n{sweep}\n\n{note} {speed['rounds']} paired rounds: {ratios}."


def semi_supervised_scores() -> str:
    """Accuracy with 1,000 labels."""
    return by_method(semi_supervised_table(load_results("semi_supervised")))


def viewpoint_scores() -> str:
    """F1 on BDCI 2016."""
    return by_method(viewpoint_table(load_results("viewpoint")))


def viewpoint_speed() -> str:
    """Sentences per second."""
    measured = json.loads((ROOT / "benchmarks/results/viewpoint_speed.json").read_text(encoding="utf-8"))
    rows = [[name, f"{rate:,}"] for name, rate in measured["sentences_per_s"].items()]
    note = (
        f"Medians of {measured['rounds']} rounds on {measured['machine']}, over {measured['sentences']:,} sentences of "
        f"{measured['data']}, {measured['characters_per_sentence']} characters on average, and a list of "
        f"{measured['names']:,} names."
    )
    return f"{markdown(['what', 'sentences/s'], rows)}\n\n{note}"


def explorer_latency() -> str:
    """Time from a key to the changed picture, in a browser."""
    measured = json.loads((ROOT / "benchmarks/results/latency.json").read_text(encoding="utf-8"))
    rows = [
        [
            lesson.removesuffix(".ipynb").replace("_", " "),
            *(
                f"{run[way]['median_ms']:.0f}, {run[way]['max_ms']:.0f}"
                for way in ("explorer", "interactive and Matplotlib")
            ),
            f"{run['run_all_s']:.0f}",
        ]
        for lesson, run in measured.items()
    ]
    header = ["lesson", "explorer, ms: median, most", "`interactive` and Matplotlib, ms", "all cells, s"]
    return markdown(header, rows)


TABLES = {
    "latency": explorer_latency,
    "margin-scores": margin_scores,
    "semi-supervised-scores": semi_supervised_scores,
    "segmentation-scores": segmentation_scores,
    "segmentation-speed": segmentation_speed,
    "viewpoint-scores": viewpoint_scores,
    "viewpoint-speed": viewpoint_speed,
    "hashing-scores": hashing_scores,
    "word-scores": word_scores,
    "hashing-speed": hashing_speed,
}


def filled(text: str) -> str:
    """Return the README with every table replaced by what the JSON says."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            sys.exit(f"README.md has no place for a table: <!-- {name} --> … <!-- /{name} -->")
        content = table()
        text = pattern.sub(lambda match, content=content: f"{match[1]}{content}\n{match[2]}", text)
    return text


def main() -> None:
    """Fill the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    readme = ROOT / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = filled(before)
    readme.write_text(after, encoding="utf-8")
    print(f"README.md: {len(TABLES)} tables, {'unchanged' if before == after else 'updated'}")


if __name__ == "__main__":
    main()
