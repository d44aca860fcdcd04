"""Sentences about cars, the cars they name, and what each is said to be (article 4118): BDCI 2016, and a grammar."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kexue_nlp.datasets._files import DATA_SETS, check_choice, read_lines

POLARITIES = ("pos", "neu", "neg")

# The contest's pages are gone and no lasting address is known.
BDCI2016 = DATA_SETS["bdci2016"]

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class ViewpointData:
    """Sentences with the entities they judge, further ones without labels, and where all come from on what terms.

    The `labels` are for each sentence the entities it names, in the order given, each once, and "pos", "neu" or "neg".
    The `gazetteer` is the list of known names; `skipped` says what was left out of the files, and how often.
    """

    sentences: list[str] = field(repr=False)
    labels: list[Labels] = field(repr=False)
    gazetteer: tuple[str, ...] = field(repr=False)
    unlabelled: list[str] = field(repr=False)
    skipped: Mapping[str, int]
    source: str
    licence: str
    citation: str

    def folds(self, n_folds: int = 5, seed: int = 0) -> np.ndarray:
        """Divide the sentences for cross-validation and return the fold of each, an ndarray of int from 0, shape (N,).

        Folds have about the same size. Sentences come into one fold if nothing but digits, Latin letters, punctuation
        and spaces sets them apart; fewer different sentences than folds are a ValueError.
        """
        groups: dict[str, list[int]] = {}
        for i, sentence in enumerate(self.sentences):
            key = "".join(c for c in sentence if c.isalnum() and not c.isascii() and not c.isdigit())
            groups.setdefault(key or sentence, []).append(i)
        if not 2 <= n_folds <= len(groups):
            raise ValueError(f"{len(groups)} different sentences cannot be divided into {n_folds} folds")
        folds = np.empty(len(self.sentences), int)
        sizes = [0] * n_folds
        members = list(groups.values())
        # In random order, each group into the smallest fold so far.
        for i in np.random.default_rng(seed).permutation(len(members)):
            fold = sizes.index(min(sizes))
            folds[members[i]] = fold
            sizes[fold] += len(members[i])
        return folds


def load_viewpoints(source: str = "sample", folder: str | Path | None = None, errors: str = "raise") -> ViewpointData:
    """Load sentences about cars.

    The source ``"sample"`` comes out of a small grammar, for learning the mechanics: see `car_sentences`. ``"full"`` is
    the first round of the contest BDCI 2016: real sentences, labelled by people. For it a `folder` may say where its
    four files lie; without one, `DatasetUnavailable` says what to do where they are not on this machine. A line that
    cannot be used raises ValueError, with its number; with ``errors="skip"`` it is left out, and ``skipped`` counts it.

    Examples
    --------
    >>> data = load_viewpoints()
    >>> len(data.sentences), len(data.unlabelled), len(data.gazetteer)
    (2000, 2000, 28)
    """
    check_choice("source", source, ("sample", "full"))
    check_choice("errors", errors, ("raise", "skip"))
    if source == "full":
        files = BDCI2016.downloads[0].files
        paths = BDCI2016.fetch() if folder is None else [Path(folder, Path(file).name) for file in files]
        return _load_full(*paths, errors)
    if folder is not None:
        raise ValueError('a folder holds the contest\'s files; use source="full" with it')
    sentences, labels = car_sentences(4000)
    about = "a grammar of this package, for learning the mechanics only"
    terms = "MIT, as the package", "kexue_nlp.datasets.viewpoints.car_sentences"
    return ViewpointData(sentences[:2000], labels[:2000], tuple(_GRAMMAR["known"]), sentences[2000:], {}, about, *terms)


def _load_full(train_path: Path, label_path: Path, view_path: Path, test_path: Path, errors: str) -> ViewpointData:
    skipped: Counter[str] = Counter()

    def refuse(problem: str) -> None:
        if errors == "raise":
            raise ValueError(problem)
        skipped["unusable line"] += 1

    train, test, blank = [], [], set()
    for path, kept in ((train_path, train), (test_path, test)):
        for _, (identity, sentence) in _read_rows(path, 2, refuse, errors, may_be_blank=1):
            if sentence.strip():
                kept.append((identity, sentence))
            else:
                skipped["blank sentence"] += 1
                blank.add(identity)
    labels: dict[str, dict[str, str]] = {identity: {} for identity, _ in train}
    if len(labels) < len(train):
        raise ValueError(f"{train_path}: a SentenceId occurs twice; take the file from one release")
    for number, (identity, name, polarity) in _read_rows(label_path, 3, refuse, errors):
        where = f"{label_path}, line {number}"
        if identity in blank:
            skipped["label of a blank sentence"] += 1
            continue
        if identity not in labels:
            refuse(f"{where}: no sentence has the id {identity!r}")
            continue
        if polarity not in POLARITIES:
            refuse(f"{where}: the polarity is {polarity!r}, not one of {', '.join(POLARITIES)}")
            continue
        if name in labels[identity]:
            same = labels[identity][name] == polarity
            skipped["label given twice" if same else "label with another polarity than before"] += 1
        labels[identity].setdefault(name, polarity)
    return ViewpointData(
        sentences=[sentence for _, sentence in train],
        labels=[tuple(labels[identity].items()) for identity, _ in train],
        gazetteer=tuple(dict.fromkeys(name for _, (_, name) in _read_rows(view_path, 2, refuse, errors))),
        unlabelled=[sentence for _, sentence in test],
        skipped=dict(skipped),
        **BDCI2016.terms,
    )


def _read_rows(
    path: Path, n_columns: int, refuse: Callable[[str], None], errors: str, may_be_blank: int | None = None
) -> list[tuple[int, list[str]]]:
    """Lines after the header with their numbers, cut at tabs; only one column may hold blank cells."""
    rows = []
    for number, line in enumerate(read_lines(path, "strict" if errors == "raise" else "replace"), start=1):
        cells = line.split("\t")
        if not line.strip():
            continue
        if len(cells) != n_columns:
            refuse(f"{path}, line {number}: {len(cells)} columns, separated by tabs, instead of {n_columns}")
        elif not all(cell.strip() for i, cell in enumerate(cells) if i != may_be_blank):
            refuse(f"{path}, line {number}: a cell is blank")
        elif errors == "skip" and "\ufffd" in line:
            refuse(f"{path}, line {number}: it cannot be decoded")
        else:
            rows.append((number, cells))
    if len(rows) < 2:
        raise ValueError(f"{path}: there is nothing after the header")
    return rows[1:]


# --- the sample: a grammar ---------------------------------------------------------------------------------

# Names in the gazetteer and others, for a text has names that no list knows; good and bad words; parts; and patterns.
# In these {a} and {b} are names, {g} a good word, {d} a bad one, {p} a part; behind stand the polarities on a and b.
_GRAMMAR = json.loads(Path(__file__).with_name("car_grammar.json").read_text("utf-8"))


def car_sentences(n: int, seed: int = 0) -> tuple[list[str], list[Labels]]:
    """Make different sentences about cars with their labels, from a grammar of our own.

    They are for learning the mechanics, not for measuring a method: two dozen patterns with names that contain others
    (北京奔驰), stand side by side or are in no list, negation, comparison (A 比 B 省油 praises A and blames B), mere
    mentions. Fewer sentences with the same seed are the first of these; more than the grammar has is a ValueError.

    Examples
    --------
    >>> car_sentences(1)
    (['本田和轩逸降价了。'], [(('本田', 'neu'), ('轩逸', 'neu'))])
    """
    known, unlisted, good, bad, parts, patterns = _GRAMMAR.values()
    names = known + unlisted
    most = sum(len(names) ** (len(pattern) - 1) for pattern in patterns)
    if not 0 <= n <= most:
        raise ValueError(f"n must be from 0 to {most}, not {n}")
    rng = np.random.default_rng([4118, seed])

    def choose(options: Sequence):
        return options[int(rng.integers(len(options)))]

    made: dict[str, Labels] = {}
    while len(made) < n:
        pattern, *polarities = choose(patterns)
        a, b = (names[i] for i in rng.choice(len(names), 2, replace=False))
        text = pattern.format(a=a, b=b, g=choose(good), d=choose(bad), p=choose(parts))
        # A name inside the other one would be two labels at one place, with two polarities.
        if len(polarities) == 1 or (a not in b and b not in a):
            made.setdefault(text, tuple(zip((a, b), polarities, strict=False)))
    return list(made), list(made.values())
