"""Tables out of the stored runs, for the notebooks and docs/results.md; beside them what others have published.

``benchmarks/tables.py`` writes them down. A run is a JSON line in ``benchmarks/results/NAME.jsonl``; the scripts in
``benchmarks/reproduce`` append one whenever they finish a run.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import published
from scipy import stats

from kexue_nlp.scoring import ViewpointScores

N_FOLDS = 5  # of the cross-validation of the viewpoint taggers

RESULTS = Path(__file__).parent / "results"


def load_results(name: str) -> list[dict[str, Any]]:
    """Return the stored runs of an experiment, for instance ``"segmentation"``, in the order in which they finished."""
    lines = (RESULTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def segmentation_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise runs of the word segmentation experiment on the tests of the bakeoff 2005.

    Returns
    -------
    pandas.DataFrame
        One row per method and test in order of first appearance (baselines first): the test, number of runs,
        mean F1, its standard deviation over seeds (missing for one run), mean recall of words unseen in training.
    """
    rows = []
    for method, test in dict.fromkeys((run["method"], run["test"]) for run in runs):
        scores = [run["scores"] for run in runs if (run["method"], run["test"]) == (method, test)]
        f1 = [score["f1"] for score in scores]
        rows.append(
            {
                "method": method,
                "test": test,
                "runs": len(f1),
                "F1": round(statistics.mean(f1), 4),
                "± over seeds": round(statistics.stdev(f1), 4) if len(f1) > 1 else float("nan"),
                "recall of unseen words": round(statistics.mean(score["oov_recall"] for score in scores), 3),
            }
        )
    return pd.DataFrame(rows).set_index("method")


def hashing_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise runs of the digit retrieval experiment on MNIST beside the published figures.

    Returns
    -------
    pandas.DataFrame of str
        One row per method, random codes first; one column per k. A cell is the mean average precision in per cent,
        mean ± standard deviation over seeds; what does not depend on k stands in every column. Rows that end in
        "published" are quoted from Ryali et al. (2020).
    """
    ks = (2, 4, 8, 16, 32)
    methods = list(dict.fromkeys(run["method"] for run in runs))

    def cell(method: str, k: int) -> str:
        scores = [100 * run["map"] for run in runs if run["method"] == method and run["k"] in (k, None)]
        if not scores:
            return "–"
        return _mean_and_spread(scores)

    rows: dict[str, list[str]] = {}
    for family in ("random codes", *published.HASHING, "cosine of the pixels"):
        for method in methods:
            if method.split(",")[0] == family:
                rows[method] = [cell(method, k) for k in ks]
        if family in published.HASHING:
            rows[f"{family}, published"] = [f"{score:.1f}" for score in published.HASHING[family]]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"k = {k}" for k in ks]).rename_axis("method")


def word_table(runs: list[dict[str, Any]], active: tuple[int, ...] = (4, 16, 51)) -> pd.DataFrame:
    """Summarise runs of the word similarity experiment.

    Parameters
    ----------
    active : tuple of int
        Which numbers of active bits to show.

    Returns
    -------
    pandas.DataFrame of str
        One row per method and number of active bits, first PPMI and BioWord: the number of runs, the length of the
        vector in bits, and per list of word pairs Spearman's rank correlation × 100, mean ± standard deviation over
        seeds. The header says how many pairs are covered.
    """
    names = {"wordsim353": "WordSim-353", "simlex999": "SimLex-999", "men": "MEN"}
    covered = {key: runs[0]["scores"][key] for key in names}
    rows = []
    families = ("PPMI", "BioWord", "")

    def family(kind: tuple[str, int | None]) -> int:
        return next(i for i, name in enumerate(families) if kind[0].startswith(name))

    for method, k in sorted(dict.fromkeys((run["method"], run["k"]) for run in runs), key=family):
        if k is not None and k not in active:
            continue
        same = [run for run in runs if (run["method"], run["k"]) == (method, k)]
        row = {"method": method, "active": "–" if k is None else str(k), "bits": f"{same[0]['bits']:,}"}
        for key, name in names.items():
            rho = [100 * run["scores"][key]["rho"] for run in same]
            pairs = covered[key]
            row[f"{name} ({pairs['covered']} of {pairs['total']})"] = _mean_and_spread(rho)
        rows.append(row | {"runs": str(len(same))})
    return pd.DataFrame(rows).set_index("method")


def margin_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise runs of the margin loss on IMDB, those of one seed paired.

    Returns
    -------
    pandas.DataFrame of str
        Baselines first, then one row per network and loss. Accuracy on the test in per cent after the last epoch,
        mean ± standard deviation over seeds; mean paired difference to cross-entropy in points with its 95 %
        interval (Student's t); mean accuracy after the epoch in which it is highest, chosen with hindsight on the
        test; standard deviation of the last five epochs' accuracy in points, mean over seeds, and its paired
        difference to cross-entropy's; expected calibration error on the test after the last epoch, mean over seeds,
        "over" if the mean confidence (the greater of p and 1 − p) is above the accuracy and "under" if it is below;
        cross-entropy (nats) there, mean over seeds; the article's one run.
    """
    rows = []
    for run in runs:
        if run["seed"] is None:
            accuracy = f"{100 * run['epochs']['test_accuracy'][-1]:.1f}"
            rows.append([f"{run['loss']}, {run['network']}", "1", accuracy, *[""] * 7])
    for network in ("lstm", "cnn"):
        baseline = _by_seed(runs, network, "cross-entropy", 0.6)
        for loss in ("cross-entropy", "margin", "focal"):
            by_seed = _by_seed(runs, network, loss, 0.6)
            if not by_seed:
                continue
            epochs = [run["epochs"] for run in by_seed.values()]
            article = published.MARGIN.get((network, loss))
            is_baseline = loss == "cross-entropy"
            rows.append(
                [
                    f"{network.upper()}, {'margin 0.6' if loss == 'margin' else loss}",
                    str(len(by_seed)),
                    _mean_and_spread([_last(run) for run in by_seed.values()]),
                    "" if is_baseline else _paired(by_seed, baseline, _last),
                    _best(list(by_seed.values())),
                    f"{statistics.mean(_unrest(run) for run in by_seed.values()):.2f}",
                    "" if is_baseline else _paired(by_seed, baseline, _unrest),
                    _calibration([run["calibration"] for run in by_seed.values()]),
                    f"{statistics.mean(e['test_crossentropy'][-1] for e in epochs):.2f}",
                    "" if article is None else f"{article:.2f}",
                ]
            )
    columns = [
        "runs",
        "accuracy, %",
        "minus cross-entropy [95 %]",
        "best, % (epoch)",
        "spread of the last 5 epochs",
        "spread minus cross-entropy's [95 %]",
        "calibration error",
        "test cross-entropy",
        "article",
    ]
    return pd.DataFrame(rows, columns=["method", *columns]).set_index("method")


def margin_stopped(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise runs of which the epoch was chosen on held-out training reviews, those of one seed paired.

    Returns
    -------
    pandas.DataFrame of str
        One row per network and loss, cross-entropy first: the number of runs; after the chosen epoch accuracy on the
        test in per cent, its paired difference to cross-entropy's, and the calibration error, as in
        :func:`margin_table`; the chosen epoch, mean over seeds.
    """
    rows = []

    def epoch(run: dict[str, Any]) -> int:
        return max(range(len(run["epochs"]["loss"])), key=run["epochs"]["held_out_accuracy"].__getitem__)

    def accuracy(run: dict[str, Any]) -> float:
        return 100 * run["epochs"]["test_accuracy"][epoch(run)]

    for network in ("lstm", "cnn"):
        baseline = _by_seed(runs, network, "cross-entropy", 0.6)
        for loss in ("cross-entropy", "margin", "focal", "label smoothing"):
            by_seed = _by_seed(runs, network, loss, 0.6)
            if not (same := list(by_seed.values())):
                continue
            rows.append(
                {
                    "method": f"{network.upper()}, {'margin 0.6' if loss == 'margin' else loss}",
                    "runs": str(len(same)),
                    "accuracy, %": _mean_and_spread([accuracy(run) for run in same]),
                    "minus cross-entropy [95 %]": ""
                    if loss == "cross-entropy"
                    else _paired(by_seed, baseline, accuracy),
                    "chosen epoch": f"{statistics.mean(1 + epoch(run) for run in same):.1f}",
                    "calibration error": _calibration([run["calibration"] for run in same]),
                }
            )
    return pd.DataFrame(rows).set_index("method")


def margin_sweep(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise the runs of the convolutional network with different margins, over the seeds that all of them have.

    Returns
    -------
    pandas.DataFrame of str
        Cross-entropy first, then the margins, ascending: the number of runs, accuracy on the test in per cent after
        the last epoch, mean ± standard deviation over seeds, the mean paired difference to cross-entropy in points with
        its 95 % interval, the best epoch and the expected calibration error as in :func:`margin_table`, and the share
        of batches' reviews that were active in the last epoch, dropout on. No rows if there is no seed that all have.
    """
    margins = sorted({run["margin"] for run in runs if (run["network"], run["loss"]) == ("cnn", "margin")})
    kinds = {"cross-entropy": _by_seed(runs, "cnn", "cross-entropy", 0.6)}
    kinds |= {f"margin {margin}": _by_seed(runs, "cnn", "margin", margin) for margin in margins}
    seeds = set.intersection(*(set(by_seed) for by_seed in kinds.values()))
    rows = []
    for name, by_seed in kinds.items():
        same = {seed: by_seed[seed] for seed in sorted(seeds)}
        if not same:
            break
        last = [_last(run) for run in same.values()]
        against = "" if name == "cross-entropy" else _paired(same, kinds["cross-entropy"], _last)
        active = statistics.mean(run["epochs"]["active"][-1] for run in same.values())
        rows.append(
            [
                name,
                str(len(last)),
                _mean_and_spread(last),
                against,
                _best(list(same.values())),
                _calibration([run["calibration"] for run in same.values()]),
                f"{active:.1%}",
            ]
        )
    columns = [
        "runs",
        "accuracy, %",
        "minus cross-entropy [95 %]",
        "best, % (epoch)",
        "calibration error",
        "active in the last epoch",
    ]
    return pd.DataFrame(rows, columns=["loss", *columns]).set_index("loss")


def semi_supervised_table(runs: list[dict[str, Any]], n_labels: int = 1000) -> pd.DataFrame:
    """Summarise the runs that learn the sentiment of IMDB reviews from few labels.

    Parameters
    ----------
    n_labels : int
        How many labels the rows are about; the lexicon that needs none is among them.

    Returns
    -------
    pandas.DataFrame of str
        One row per method, TF-IDF first, the others from the worst to the best: the number of draws; accuracy in per
        cent before and after self-training, mean ± standard deviation over draws; the mean paired gain of self-
        training, and the mean paired difference of the last accuracy to TF-IDF's, in points with 95 % intervals
        (Student's t); the article's one run.
    """
    rows = []
    of_this_size = [run for run in runs if run["labels"] in (0, n_labels)]
    first = "TF-IDF and logistic regression"
    methods = dict.fromkeys(run["method"] for run in of_this_size)
    scores = {
        name: {run["seed"]: [100 * a for a in run["accuracy"]] for run in of_this_size if run["method"] == name}
        for name in methods
    }
    last = {name: statistics.mean(a[-1] for a in by_seed.values()) for name, by_seed in scores.items()}
    for name in sorted(scores, key=lambda name: (name != first, last[name])):
        by_seed = scores[name]
        start = {seed: accuracy[0] for seed, accuracy in by_seed.items()}
        end = {seed: accuracy[-1] for seed, accuracy in by_seed.items()}
        trained_on_guesses = any(len(accuracy) > 1 for accuracy in by_seed.values())
        baseline = {seed: accuracy[0] for seed, accuracy in scores.get(first, {}).items()}
        of_the_article = name.startswith("article's way") and "transductive" in name
        rows.append(
            [
                name,
                str(len(by_seed)),
                _mean_and_spread(list(start.values())),
                _mean_and_spread(list(end.values())) if trained_on_guesses else "",
                _difference(end, start) if trained_on_guesses else "",
                "" if name == first or "transductive" in name else _difference(end, baseline),
                "{:.2f} → {:.2f}".format(*published.SEMI_SUPERVISED) if of_the_article else "",
            ]
        )
    columns = ["draws", "accuracy, %", "after self-training", "gain [95 %]", "minus TF-IDF [95 %]", "article"]
    return pd.DataFrame(rows, columns=["method", *columns]).set_index("method")


def label_curve(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Arrange the runs that learn the sentiment of IMDB reviews by the number of labels.

    Returns
    -------
    pandas.DataFrame of float
        One row per number of labels, one column per method with more than one: mean accuracy over draws, without
        self-training.
    """
    frame = pd.DataFrame(
        [{"method": run["method"], "labels": run["labels"], "accuracy": run["accuracy"][0]} for run in runs]
    )
    curve = frame.pivot_table("accuracy", "labels", "method", aggfunc="mean", sort=False).sort_index()
    return curve.loc[:, curve.notna().sum() > 1].dropna(how="all").rename_axis(columns=None)


def viewpoint_table(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Summarise the cross-validation of the viewpoint taggers on BDCI 2016.

    Returns
    -------
    pandas.DataFrame of str
        One row per method in order of first appearance (the baseline first), scores in per cent as mean ± standard
        deviation over the folds: the number of folds, the contest's F1, strict F1, its precision and recall; the row
        that the method is compared with, and what it gains in strict F1, in points: the mean paired difference with its
        95 % interval (Student's t, widened because the folds of a cross-validation share training sentences: Nadeau
        and Bengio 2003) and in how many folds it is above 0; of our own obvious opinions those read right, if asked.
    """
    folds: dict[str, dict[int, ViewpointScores]] = {}
    obvious: dict[str, list[float]] = {}
    for run in runs:
        if "obvious" in run:
            obvious.setdefault(run["method"], []).append(100 * run["obvious"])
        counts = ViewpointScores(*(run[name] for name in ("right", "wrong", "missed", "extra")))
        folds.setdefault(run["method"], {})[run["fold"]] = counts
    simpler = {run["method"]: run["simpler"] for run in runs if run["simpler"]}
    rows = []
    for method, by_fold in folds.items():
        figures = [
            _mean_and_spread([100 * getattr(counts, name) for counts in by_fold.values()])
            for name in ("contest_f1", "strict_f1", "precision", "strict_recall")
        ]
        gain = ""
        if method in simpler:
            ours, theirs = (
                {fold: 100 * counts.strict_f1 for fold, counts in folds.get(name, {}).items()}
                for name in (method, simpler[method])
            )
            both = ours.keys() & theirs.keys()
            above = sum(ours[fold] > theirs[fold] for fold in both)
            gain = f"{_difference(ours, theirs, 1 / (N_FOLDS - 1))}, above 0 in {above} of {len(both)}" if both else ""
        plain = _mean_and_spread(obvious[method]) if method in obvious else ""
        rows.append([method, str(len(by_fold)), *figures, simpler.get(method, ""), gain, plain])
    columns = ["folds", "contest F1", "strict F1", "precision", "strict recall", "compared with", "gain in strict F1"]
    columns.append("obvious opinions")
    return pd.DataFrame(rows, columns=["method", *columns]).set_index("method")


# What `kexue_nlp.tables.load_table` knows: how each table is made, and of which experiment's runs.
TABLES: dict[str, tuple[Callable[[list[dict[str, Any]]], pd.DataFrame], str]] = {
    "margin_loss": (margin_table, "margin_loss"),
    "margin_sweep": (margin_sweep, "margin_loss"),
    "margin_stopped": (margin_stopped, "margin_loss_stopped"),
    "semi_supervised": (semi_supervised_table, "semi_supervised"),
    "label_curve": (label_curve, "semi_supervised"),
    "segmentation": (segmentation_table, "segmentation"),
    "viewpoint": (viewpoint_table, "viewpoint"),
    "hashing": (hashing_table, "hashing"),
    "word_vectors": (word_table, "word_vectors"),
}


def summary(name: str) -> pd.DataFrame:
    """Return the table of that name, made anew from the stored runs."""
    table, experiment = TABLES[name]
    return table(load_results(experiment))


def _by_seed(runs: list[dict[str, Any]], network: str, loss: str, margin: float) -> dict[int, dict[str, Any]]:
    wanted = (network, loss, margin)
    return {run["seed"]: run for run in runs if (run["network"], run["loss"], run["margin"]) == wanted}


def _mean_and_spread(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def _last(run: dict[str, Any]) -> float:
    """Accuracy on the test after the last epoch, in per cent."""
    return 100 * run["epochs"]["test_accuracy"][-1]


def _unrest(run: dict[str, Any]) -> float:
    """Standard deviation of the last five epochs' accuracy on the test, in points."""
    return 100 * statistics.stdev(run["epochs"]["test_accuracy"][-5:])


def _best(runs: list[dict[str, Any]]) -> str:
    """Mean accuracy over runs after the epoch in which it is highest, in per cent, and that epoch."""
    curve = [statistics.mean(a) for a in zip(*(run["epochs"]["test_accuracy"] for run in runs), strict=True)]
    best = max(range(len(curve)), key=curve.__getitem__)
    return f"{100 * curve[best]:.1f} ({best + 1})"


def _calibration(runs: list[dict[str, Any]]) -> str:
    """Mean expected calibration error, and whether confidence is over or under accuracy."""
    excess = 0.0
    for run in runs:
        for count, p, share in zip(run["count"], run["mean_p"], run["share_positive"], strict=True):
            excess += count * (p - share if p > 0.5 else share - p) / sum(run["count"])
    return f"{statistics.mean(run['ece'] for run in runs):.3f} {'over' if excess > 0 else 'under'}"


def _paired(
    ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]], statistic: Callable[[dict[str, Any]], float]
) -> str:
    """Mean difference of a statistic of the runs over the seeds that both have, and its 95 % interval."""
    return _difference(*({seed: statistic(run) for seed, run in runs.items()} for runs in (ours, theirs)))


def _difference(ours: dict[int, float], theirs: dict[int, float], test_over_train: float = 0.0) -> str:
    """Mean paired difference over the runs (seeds, folds) that both have, and its 95 % interval.

    Folds share most of their training sentences and scatter less than independent samples would. The size of a fold
    over that of the others widens the interval for that (Nadeau and Bengio 2003, "Inference for the Generalization
    Error", the corrected resampled t test).
    """
    both = sorted(ours.keys() & theirs.keys(), key=str)
    if not both:
        return ""
    differences = [ours[run] - theirs[run] for run in both]
    mean = statistics.mean(differences)
    if len(both) == 1:
        return f"{mean:+.2f}"
    error = statistics.stdev(differences) * (1 / len(both) + test_over_train) ** 0.5
    half = stats.t.ppf(0.975, len(both) - 1) * error
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"
