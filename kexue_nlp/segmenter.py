"""The assembled word segmenter: features + fully convolutional network + dictionary + Viterbi.

Any number of texts becomes one long stream of characters with a gap between sentences. The network runs over
overlapping windows of that stream: what it says about a character depends on a few neighbours only and not on
the position (article 4195: "translation invariance"), so the windows can be cut anywhere and all have one shape.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Self

import keras
import numpy as np
import regex

from kexue_nlp.batching import batches_by_length, overlapping_windows
from kexue_nlp.features import Features
from kexue_nlp.lexicon import Lexicon, span_bonuses
from kexue_nlp.saved_model import SavedModel, check_process, network_parts, predict, restore_network
from kexue_nlp.tagging import SBME
from kexue_nlp.text import SENTENCE_END, Vocabulary, code_points, fixed_spans, normalise, simplify
from kexue_nlp.viterbi import viterbi

__all__ = ["Segmenter"]

# Rows and widths of what the network is run on: a sentence, a page, a corpus.
_WINDOW_SHAPES = ((1, 128), (1, 1024), (8, 1024))
_CHUNK_CHARACTERS = 200_000  # of a list of texts, handled together
_MAX_TOKENS = 65_536  # in one batch for Viterbi, so that one long sentence cannot fill the memory

# The network does not see white space; Viterbi, inside a dictionary word with a space, has no preference.
_SPACE_LOG_PROBABILITY = np.log(np.float32(0.25))
_IMPOSSIBLE = -1e4
_S, _B, _M, _E = range(4)

# Characters that never combine with a neighbour; only texts with others are searched for grapheme clusters.
_UNUSUAL = re.compile("[^\\t\\n\\x20-\\x7e\\u3001-\\u3029\\u4e00-\\u9fff\\uff01-\\uff5e“”‘’…—·]")
_CLUSTER = regex.compile(r"\X")


@dataclass(frozen=True)
class _Stream:
    """Texts one after another, and what is known of where they are cut before the network is asked."""

    text: str
    offsets: np.ndarray  # where texts begin, and the end
    sentences: np.ndarray  # where sentences begin, and the end; the network does not look across
    blank: np.ndarray  # positions of white space, each a word of its own
    attached: np.ndarray  # positions with no cut before them: accents and what else modifies a character in front
    simplified: str  # the text as the network reads it
    fixed: np.ndarray  # starts and ends of addresses and numbers to keep whole, (N, 2)

    @classmethod
    def of(cls, texts: Sequence[str], keep_whole: bool = False) -> Self:
        text = "".join(texts)
        simplified = simplify(text)
        normal = normalise(simplified)
        offsets = np.array([0, *accumulate(map(len, texts))])
        attached = [
            offset + position
            for offset, one in zip(offsets.tolist(), texts, strict=False)
            if _UNUSUAL.search(one)
            for cluster in _CLUSTER.finditer(one)
            for position in range(cluster.start() + 1, cluster.end())
        ]
        ends = [match.start() for match in SENTENCE_END.finditer(normal)]
        sentences = np.union1d(np.setdiff1d(ends, attached), offsets).astype(np.intp)
        blank = np.flatnonzero(code_points(normal) == ord(" "))
        fixed = [np.transpose(fixed_spans(one)) + o for one, o in zip(texts, offsets, strict=False) if keep_whole]
        fixed = np.concatenate([np.empty((0, 2), dtype=np.intp), *fixed])
        return cls(text, offsets, sentences, blank, np.array(attached, dtype=np.intp), simplified, fixed)


class Segmenter(SavedModel):
    """Cut Chinese text into words.

    Calling it on a string gives its words, on an iterable of strings a list of lists. Joined, the words always equal
    the input; each white-space character is a word. The texts beside a text do not change its result.

    Parameters
    ----------
    network : keras.Model
        Fully convolutional: ids as `features` gives them, (B, T) or (B, T, 4), to probabilities of the tags s, b, m, e,
        (B, T, 4). It must zero padded positions (id 0) before each convolution, as the builders in
        :mod:`kexue_nlp.models` do.
    features : Features
        Turns a text into the network's input.
    lexicon : Lexicon or mapping of str to float, optional
        Words with multipliers, applied before decoding. May be set later through the attribute of the same name.
    keep_whole : bool
        Make one word of each span of :func:`kexue_nlp.text.fixed_spans`, such as 3.5%, unless a word of the lexicon
        reaches beyond it or, inside, is "always", "never" or below 1. May be set later; on in the pretrained segmenter.

    Examples
    --------
    >>> segmenter = Segmenter.load(lexicon={"微信号": 20.0})
    >>> segmenter("扫描二维码，关注微信号。")
    ['扫描', '二维码', '，', '关注', '微信号', '。']
    """

    def __init__(
        self,
        network: keras.Model,
        features: Features,
        lexicon: Lexicon | Mapping[str, float] | None = None,
        keep_whole: bool = False,
    ) -> None:
        check_process()
        self.network = network
        self.features = features
        self.lexicon = lexicon
        self.keep_whole = keep_whole
        half_kernels = [
            (layer.kernel_size[0] // 2) * layer.dilation_rate[0]
            for layer in network.layers
            if isinstance(layer, keras.layers.Conv1D | keras.layers.DepthwiseConv1D)
        ]
        self.receptive_field = sum(half_kernels)  # positions to each side that the convolutions see, together
        self._gap = " " * max(half_kernels, default=0)  # wide enough that no kernel spans two sentences

    @property
    def lexicon(self) -> Lexicon | None:
        """The dictionary applied before decoding, or None."""
        return self._lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon | Mapping[str, float] | None) -> None:
        self._lexicon = _as_lexicon(lexicon)

    def __call__(self, texts: str | Iterable[str]) -> list[str] | list[list[str]]:
        """Segment one text into a list of words, or an iterable of texts into a list of such lists.

        Any strings do: empty, with emoji, lone surrogates, or 100,000 characters long. Anything else raises TypeError:
        ``bytes`` must be decoded, a column taken out of a table.
        """
        if isinstance(texts, str):
            return self._segment([texts])[0]
        if isinstance(texts, Mapping) or hasattr(texts, "columns"):  # one would iterate over the names of columns
            kind = type(texts).__name__
            raise TypeError(f"got a {kind}; give one column of texts, for example segmenter(df['text'])")
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise TypeError(f"a Segmenter takes a str or an iterable of str, got {_shown(texts)}")
        with ThreadPoolExecutor(2) as pool:  # one chunk is prepared or decoded while the network reads another
            return list(chain.from_iterable(pool.map(self._segment, _chunks(texts))))

    def log_probabilities(self, text: str) -> np.ndarray:
        """Return log-probabilities of the tags s, b, m, e before any dictionary, float32 of shape (len(text), 4)."""
        return self._log_probabilities(_Stream.of([text]))

    def decode(
        self, text: str, log_probabilities: np.ndarray, lexicon: Lexicon | Mapping[str, float] | None = None
    ) -> np.ndarray:
        """Find the best legal tags of a text of length T whose log-probabilities are known, int8 of shape (T,).

        Parameters
        ----------
        text : str
        log_probabilities : ndarray, shape (T, 4)
            As :meth:`log_probabilities` gives them; another shape raises ValueError.
        lexicon : Lexicon or mapping of str to float, optional
            Its bonuses are added first. With the segmenter's own lexicon, which is not used here otherwise, the tags
            are those of the words that calling it returns.
        """
        if (shape := np.shape(log_probabilities)) != (len(text), len(SBME.tags)):
            raise ValueError(f"{len(text)} characters need log-probabilities ({len(text)}, 4), got {shape}")
        return _decode(_Stream.of([text], self.keep_whole), log_probabilities, _as_lexicon(lexicon))

    def sure_cuts(self, text: str) -> np.ndarray:
        """Return where a word begins for sure: at the start, behind 。！？； and around white space; int (N,).

        Only a word of a dictionary may lie across such a place.
        """
        return _sure_cuts(_Stream.of([text]))

    def _segment(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the words of each text; the texts go through network and decoder together."""
        stream = _Stream.of(texts, self.keep_whole)
        tags = _decode(stream, self._log_probabilities(stream), self.lexicon)
        bounds = [*np.flatnonzero(tags < 2).tolist(), len(stream.text)]  # s or b
        words = [stream.text[start:end] for start, end in pairwise(bounds)]
        first_words = np.searchsorted(bounds, stream.offsets).tolist()
        return [words[first:last] for first, last in pairwise(first_words)]

    def _log_probabilities(self, stream: _Stream) -> np.ndarray:
        """Run the network over sentences that do not see each other, (T, 4)."""
        # A space is padding to the network, so spaces between sentences are the gaps.
        sentences = [stream.simplified[start:end] for start, end in pairwise(stream.sentences.tolist())]
        ids = self.features(self._gap.join(sentences))
        probabilities = np.empty((len(ids), len(SBME.tags)), np.float32)
        field = self.receptive_field
        for start, batch in overlapping_windows(ids, field, _WINDOW_SHAPES):
            own = predict(self.network, batch)[:, field : batch.shape[1] - field].reshape(-1, len(SBME.tags))
            probabilities[start : start + len(own)] = own[: len(ids) - start]

        # Take the gaps out again, and say what needs no network.
        gaps_before = np.repeat(np.arange(len(sentences)) * len(self._gap), np.diff(stream.sentences))
        probabilities = probabilities[np.arange(len(stream.text)) + gaps_before]
        log_probabilities = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        log_probabilities[stream.blank] = _SPACE_LOG_PROBABILITY
        log_probabilities[stream.attached, :2] = _IMPOSSIBLE
        return log_probabilities

    _kind = "segmenter"
    _pretrained = ("segmenter", "make pretrain-segmenter")

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        network, weights = network_parts(self.network)
        meta = {
            "network": network,
            "characters": self.features.characters.tokens,
            "pairs": None if self.features.pairs is None else self.features.pairs.tokens,
            "words": self.features.words,
            "lexicon": None if self.lexicon is None else dict(self.lexicon.items()),
            "fold": self.lexicon is not None and self.lexicon.fold,
            "keep_whole": self.keep_whole,
        }
        return meta, weights

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        network = restore_network(meta["network"], arrays)
        pairs = None if meta["pairs"] is None else Vocabulary(meta["pairs"])
        features = Features(Vocabulary(meta["characters"]), pairs, meta["words"])
        lexicon = meta["lexicon"] and Lexicon(meta["lexicon"], meta.get("fold", False))
        return cls(network, features, lexicon, meta.get("keep_whole", True))

    @classmethod
    def load(
        cls,
        path: str | Path = "pretrained",
        lexicon: Lexicon | Mapping[str, float] | None = None,
        keep_whole: bool | None = None,
    ) -> Self:
        """Read a segmenter as :meth:`SavedModel.load` does; `lexicon` and `keep_whole` replace what is stored."""
        segmenter = super().load(path)
        segmenter.lexicon = segmenter.lexicon if lexicon is None else lexicon
        segmenter.keep_whole = segmenter.keep_whole if keep_whole is None else keep_whole
        return segmenter


def _as_lexicon(lexicon: Lexicon | Mapping[str, float] | None) -> Lexicon | None:
    return lexicon if lexicon is None or isinstance(lexicon, Lexicon) else Lexicon(lexicon)


def _sure_cuts(stream: _Stream) -> np.ndarray:
    """List where words surely begin: where sentences and white space do, and behind white space."""
    around_blanks = np.setdiff1d(np.union1d(stream.blank, stream.blank + 1), stream.attached)
    return np.union1d(stream.sentences, around_blanks).astype(np.intp)


def _decode(stream: _Stream, log_probabilities: np.ndarray, lexicon: Lexicon | None) -> np.ndarray:
    """Add the bonuses and find the best tags of each piece between sure cuts, int8 (T,)."""
    cuts = _sure_cuts(stream)
    if lexicon or stream.fixed.size:
        log_probabilities, cuts = _with_words(stream, log_probabilities, cuts, lexicon or Lexicon({}))
    tags = np.empty(len(stream.text), dtype=np.int8)
    lengths = np.diff(cuts)
    limits = 2 ** np.arange(int(lengths.max(initial=1)).bit_length() + 1)
    for _, _, pieces in batches_by_length(lengths, limits, _MAX_TOKENS):
        positions = cuts[pieces, None] + np.arange(lengths[pieces].max())
        inside = positions < cuts[pieces + 1, None]
        padded = log_probabilities[np.minimum(positions, len(stream.text) - 1)]
        tags[positions[inside]] = viterbi(padded, SBME, lengths[pieces])[inside]
    return tags


def _with_words(stream: _Stream, log_p: np.ndarray, cuts: np.ndarray, lexicon: Lexicon) -> tuple[np.ndarray, ...]:
    """Add what words of the dictionary and fixed spans change: log-probabilities (T, 4), and the cuts still sure."""
    length = len(stream.text)
    starts, ends, multipliers = lexicon.find(stream.text)
    # A word is not there if it goes on into another text, or begins or ends inside a character with its accents.
    texts = np.searchsorted(stream.offsets, [starts, ends - 1], side="right")
    there = (texts[0] == texts[1]) & ~np.isin([starts, ends], stream.attached).any(axis=0)
    starts, ends, multipliers = (column[there] for column in (starts, ends, multipliers))

    # Fixed spans are kept where the dictionary wants nothing else: no word reaches beyond them or breaks them up.
    first, last = stream.fixed.T
    across = _depth(starts + 1, ends, length)
    firm = (multipliers < 1) | np.isinf(multipliers)
    firm_before = np.append(0, (_depth(starts[firm], ends[firm], length) > 0).cumsum())
    free = (across[first] == 0) & (across[last] == 0) & (firm_before[first] == firm_before[last])
    free &= ~np.isin(stream.fixed, stream.attached).any(axis=1)
    starts, ends = np.append(starts, first[free]), np.append(ends, last[free])
    multipliers = np.append(multipliers, np.full(free.sum(), np.inf))
    bonuses = span_bonuses(starts, ends, multipliers, length, log_p)

    # Words may hold white space or the end of a sentence. The network does not look across, so it cannot know whether
    # a word goes on there: what it says of the characters on both sides is made to favour neither.
    glued = multipliers > 1
    crossed = _depth(starts[glued] + 1, ends[glued], length)[cuts] > 0
    log_p, after = log_p.astype(np.float32), cuts[crossed]
    for positions, *pairs in ((after - 1, [_S, _B], [_M, _E]), (after, [_S, _E], [_B, _M])):
        for pair in pairs:
            cells = positions[:, None], pair
            log_p[cells] = np.logaddexp.reduce(log_p[cells], axis=1, keepdims=True) - np.log(2)
    return log_p + bonuses, cuts[~crossed]


def _depth(starts: np.ndarray, ends: np.ndarray, length: int) -> np.ndarray:
    """Count in how many of the spans each position is; int (length + 2,)."""
    changes = np.zeros(length + 2, dtype=np.int64)
    np.add.at(changes, starts, 1)
    np.add.at(changes, ends, -1)
    return changes.cumsum()


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Group texts into lists of about ``_CHUNK_CHARACTERS``, checking each."""
    chunk, size = [], 0
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {i} is {_shown(text)}; a Segmenter takes str")
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _shown(value: object) -> str:
    hint = "; decode it first, for example value.decode('utf-8')" if isinstance(value, bytes) else ""
    return f"{type(value).__name__} {value!r:.60}{hint}"
