"""The assembled word segmenter: features + fully convolutional network + dictionary + Viterbi.

Any number of texts becomes one long stream of characters with a gap between sentences. What the network says about a
character depends on a few neighbours only and not on the position (article 4195: "translation invariance"), so it can
run over windows of that stream, cut anywhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from kexue_nlp.batching import batches_by_length, overlapping_windows
from kexue_nlp.features import Features, normal_points
from kexue_nlp.forward import SegmentationNetwork
from kexue_nlp.lexicon import Lexicon, span_bonuses
from kexue_nlp.saved_model import SavedModel, check_process, network_parts, predict, restore_network
from kexue_nlp.streaming import read_texts
from kexue_nlp.tagging import SBME, tags_to_words
from kexue_nlp.text import SENTENCE_ENDS, Vocabulary, code_points, fixed_spans, simplify
from kexue_nlp.viterbi import forward, n_best, viterbi

__all__ = ["Segmenter"]

# Rows and widths of what a network in Keras is run on: a sentence, a page, a corpus.
_WINDOW_SHAPES = ((1, 128), (1, 1024), (8, 1024))
_CHUNK_CHARACTERS = 50_000  # of a list of texts, handled together
_MAX_TOKENS = 65_536  # in one batch for Viterbi, so that one long sentence cannot fill the memory

# The network does not see white space; Viterbi, inside a dictionary word with a space, has no preference.
_SPACE_LOG_PROBABILITY = np.log(np.float32(0.25))
_IMPOSSIBLE = -1e4
_S, _B, _M, _E = range(4)
_BACKWARD = replace(SBME, transitions=SBME.transitions.T, start=SBME.end)
_CLOSED = Path(__file__).parent / "pretrained" / "segmenter_closed.npz"
_SURE = 0.1  # by how much tags must be better to be sure in spite of rounding

# Code points that never combine with a neighbour; only texts with others are searched for grapheme clusters.
_COMBINES = np.ones(0xFF60, dtype=bool)
for _range in ("\t\n", " ~", "\u3001\u3029", "\u4e00\u9fff", "\uff01\uff5e", "‘’", "“”", "……", "——", "··"):
    _COMBINES[ord(_range[0]) : ord(_range[1]) + 1] = False

_ENDS_SENTENCE = np.zeros(0xFFFF, dtype=bool)  # of a normalised code point
_ENDS_SENTENCE[code_points(SENTENCE_ENDS)] = True

# What may stand first (low bits) and second (high bits) in a pair of code points, normalised, of each fixed span.
_KINDS = np.zeros(0x2237, dtype=np.uint8)
for _bit, (_first, _second) in enumerate((("0", ".,:/%-·∶‰"), ("/", "/"), ("a", "."), ("@", "0a-"))):
    _KINDS[code_points(_first)] |= 1 << _bit
    _KINDS[code_points(_second)] |= 16 << _bit


_NO_SPANS = np.empty((0, 2), dtype=np.intp)
_TINY = np.finfo(np.float32).tiny


@dataclass(slots=True)
class _Stream:
    """Texts one after another, and what is known of where they are cut before the network is asked."""

    text: str
    points: np.ndarray  # code points of the text, simplified and normalised
    offsets: np.ndarray  # where texts begin, and the end
    sentences: np.ndarray  # where sentences begin, and the end; the network does not look across
    cuts: np.ndarray  # where words surely begin, and the end: sentences, white space and what follows it
    blank: np.ndarray  # positions of white space, each a word of its own
    attached: np.ndarray  # positions with no cut before them: accents and what else modifies a character in front
    fixed: np.ndarray  # starts and ends of addresses and numbers to keep whole, (N, 2)

    @classmethod
    def of(cls, texts: Sequence[str], keep_whole: bool = False) -> Self:
        text = "".join(texts)
        raw, simple = code_points(text), simplify(text)
        points = normal_points(raw if simple is text else code_points(simple))
        offsets = np.array([0, *accumulate(map(len, texts))])
        attached: list[int] = []
        unusual = _COMBINES.take(raw, mode="clip").nonzero()[0]
        if unusual.size:
            import regex  # most texts need not wait for it

            for number in np.unique(offsets.searchsorted(unusual, side="right") - 1).tolist():
                for cluster in regex.finditer(r"\X", texts[number]):
                    attached.extend(range(offsets[number] + cluster.start() + 1, offsets[number] + cluster.end()))
        begins = np.zeros(len(text) + 1, dtype=bool)
        begins[1:] = _ENDS_SENTENCE.take(points, mode="clip")
        joined = np.array(attached, dtype=np.intp)
        begins[joined] = False
        begins[offsets] = True
        sentences = cuts = begins.nonzero()[0]
        blank = (points == ord(" ")).nonzero()[0]
        if blank.size:
            begins[blank] = begins[blank + 1] = True
            begins[joined] = False
            cuts = begins.nonzero()[0]
        fixed = _NO_SPANS
        if keep_whole:
            # Only texts that have a digit before a sign, or what addresses have, are searched.
            kinds = _KINDS.take(points, mode="clip")
            hints = (kinds[:-1] & kinds[1:] >> 4).nonzero()[0]
            if hints.size:
                numbers = np.unique(offsets.searchsorted(hints, side="right") - 1).tolist()
                fixed = np.concatenate([np.transpose(fixed_spans(texts[n])) + offsets[n] for n in numbers])
        return cls(text, points, offsets, sentences, cuts, blank, joined, fixed)


class Segmenter(SavedModel):
    """Cut Chinese text into words.

    Calling it on a string gives its words, on an iterable of strings a list of lists. Joined, the words always equal
    the input; each white-space character is a word. The texts beside a text do not change its result.

    Parameters
    ----------
    network, features : keras.Model or SegmentationNetwork, Features
        Fully convolutional: ids as `features` gives them, (B, T) or (B, T, 4), to probabilities of the tags s, b, m, e,
        (B, T, 4). It must zero padded positions (id 0) before each convolution, as the builders in
        :mod:`kexue_nlp.models` do. A file, pickle or copy holds what those build as a ``SegmentationNetwork``, which
        says the same without Keras.
    lexicon : Lexicon or mapping of str to float, optional
        Words with multipliers, applied before decoding. May be set later.
    keep_whole : bool
        Make one word of each span of :func:`kexue_nlp.text.fixed_spans`, such as 3.5%, unless a word of the lexicon
        reaches beyond it or, inside, is "always", "never" or below 1. May be set later; on in the pretrained segmenter.

    Examples
    --------
    >>> segmenter = Segmenter.load(lexicon={"长江大桥": 1000.0})
    >>> segmenter("南京市长江大桥欢迎您")
    ['南京市', '长江大桥', '欢迎', '您']
    """

    def __init__(
        self,
        network: Any,
        features: Features,
        lexicon: Lexicon | Mapping[str, float] | None = None,
        keep_whole: bool = False,
    ) -> None:
        self.network = network
        self.features = features
        self.lexicon = lexicon
        self.keep_whole = keep_whole
        if isinstance(network, SegmentationNetwork):
            half_kernels = [1] * network.context
        else:
            check_process()
            convolutions = [layer for layer in network.layers if hasattr(layer, "kernel_size")]
            half_kernels = [layer.kernel_size[0] // 2 * layer.dilation_rate[0] for layer in convolutions]
        self.receptive_field = sum(half_kernels)  # positions to each side that the convolutions see, together
        self._gap = max(half_kernels, default=0)  # wide enough that no kernel spans two sentences

    @property
    def lexicon(self) -> Lexicon:
        """The dictionary applied before decoding, at first perhaps empty."""
        return self._lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon | Mapping[str, float] | None) -> None:
        self._lexicon = _as_lexicon(lexicon)

    def __call__(self, texts: str | Iterable[str]) -> list[str] | list[list[str]]:
        """Segment one text into a list of words, or an iterable of texts into a list of such lists.

        Any strings do, however long; anything else, such as ``bytes`` or a table, raises TypeError.
        """
        return self._segment([texts])[0] if isinstance(texts, str) else list(self.pipe(texts))

    def pipe(self, texts: Iterable[str], batch_size: int | None = None, errors: str = "raise") -> Iterator[list[str]]:
        """Segment texts one after another, as many as there are, in bounded memory; yields the words of each.

        They are read as they are needed, at most `batch_size` at a time. What is no str is named by its number once all
        before it have been yielded (TypeError); with ``errors="skip"`` it has no words, which a warning tells at the
        end. To see how far it is, give ``tqdm(texts)``.

        Examples
        --------
        >>> for words in Segmenter.load().pipe(["扫描二维码", "南京市长江大桥"]):
        ...     print(*words, sep=" / ")
        扫描 / 二维码
        南京市 / 长江 / 大桥
        """
        # NumPy lets two threads compute at once.
        return read_texts(self._segment, texts, _CHUNK_CHARACTERS, batch_size, errors, threads=2)

    def tokenize(self, text: str) -> list[tuple[str, int, int]]:
        """Return (word, start, end) for each word of a text, as ``jieba.tokenize`` does.

        Examples
        --------
        >>> Segmenter.load().tokenize("扫描二维码")
        [('扫描', 0, 2), ('二维码', 2, 5)]
        """
        words = self(_one(text))
        ends = list(accumulate(map(len, words)))
        return [(word, end - len(word), end) for word, end in zip(words, ends, strict=True)]

    def n_best(self, text: str, n: int) -> list[tuple[list[str], float]]:
        """Return the `n` most probable cuts of a text, the best first, and the probability of each.

        A cut's probability is the product of those of its tags, with the dictionary's bonuses, over the sum of all.

        Examples
        --------
        >>> [(" ".join(words), round(p, 3)) for words, p in Segmenter.load().n_best("研究生命起源", 2)]
        [('研究 生命 起源', 0.988), ('研究生命 起源', 0.012)]
        """
        log_p = self._scores(_one(text))
        tags, scores = n_best(log_p, SBME, n) if text else (np.empty((1, 0)), np.zeros(1))
        shares = np.exp(scores - (np.logaddexp.reduce(forward(log_p, SBME)[-1, [_S, _E]]) if text else 0))
        return [(tags_to_words(text, path), float(p)) for path, p in zip(tags, shares, strict=True)]

    def confidence(self, text: str) -> list[tuple[str, int, int, float]]:
        """Return (word, start, end, probability): of all cuts of the text, how probable are those with this word.

        Examples
        --------
        >>> [(word, round(p, 3)) for word, _, _, p in Segmenter.load().confidence("研究生命起源")]
        [('研究', 0.988), ('生命', 0.988), ('起源', 1.0)]
        """
        log_p = self._scores(_one(text))
        before, behind = forward(log_p, SBME), forward(log_p[::-1], _BACKWARD)[::-1]
        inside = np.append(0, log_p[:, _M].cumsum(dtype=np.float64))
        total = np.logaddexp.reduce(before[-1, [_S, _E]]) if text else 0
        found = []
        for word, start, end in self.tokenize(text):
            if end - start == 1:
                score = before[start, _S] + behind[start, _S] - log_p[start, _S]
            else:
                score = before[start, _B] + inside[end - 1] - inside[start + 1] + behind[end - 1, _E]
            found.append((word, start, end, float(np.exp(score - total))))
        return found

    def _scores(self, text: str) -> np.ndarray:
        """Return the scores of tags that Viterbi would add up over the whole text, float64 (T, 4)."""
        stream = _Stream.of([text], self.keep_whole)
        log_p, cuts = _with_words(stream, self._log_probabilities(stream), stream.cuts, self.lexicon)
        scores = log_p.astype(np.float64)
        scores[cuts[:-1], 2:] = _IMPOSSIBLE  # where a word begins, and before it one ends
        scores[cuts[1:-1, None] - 1, [_B, _M]] = _IMPOSSIBLE
        return scores

    def lcut(self, text: str) -> list[str]:
        """Return the words of a text: a call by the name that jieba has for it."""
        return self(_one(text))

    def cut(self, text: str) -> Iterator[str]:
        """Yield the words of a text, one after another, as ``jieba.cut`` does."""
        yield from self(_one(text))

    def log_probabilities(self, text: str) -> np.ndarray:
        """Return log-probabilities of the tags s, b, m, e before any dictionary, float32 of shape (len(text), 4)."""
        return self._log_probabilities(_Stream.of([text]))

    def decode(
        self, text: str, log_probabilities: np.ndarray, lexicon: Lexicon | Mapping[str, float] | None = None
    ) -> np.ndarray:
        """Find the best legal tags of a text of length T whose log-probabilities are known, int8 of shape (T,).

        These, of shape (T, 4) or ValueError, are as :meth:`log_probabilities` gives them. The bonuses of a lexicon are
        added first; the segmenter's own is not used here unless it is given.
        """
        if (shape := np.shape(log_probabilities)) != (len(text), len(SBME.tags)):
            raise ValueError(f"{len(text)} characters need log-probabilities ({len(text)}, 4), got {shape}")
        return _decode(_Stream.of([text], self.keep_whole), log_probabilities, _as_lexicon(lexicon))

    def sure_cuts(self, text: str) -> np.ndarray:
        """Return where a word begins unless a dictionary's lies across: 0, behind 。！？；, around spaces; int (N,)."""
        return _Stream.of([text]).cuts

    def _segment(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the words of each text; the texts go through network and decoder together."""
        stream = _Stream.of(texts, self.keep_whole)
        tags = _decode(stream, self._log_probabilities(stream), self.lexicon)
        begins = (tags < 2).nonzero()[0]  # s or b
        words = [stream.text[start:end] for start, end in pairwise([*begins.tolist(), len(tags)])]
        if len(texts) == 1:
            return [words]
        first_words = np.searchsorted(begins, stream.offsets).tolist()  # behind the last, their number
        return [words[first:last] for first, last in pairwise(first_words)]

    def _log_probabilities(self, stream: _Stream) -> np.ndarray:
        """Run the network over sentences that do not see each other, (T, 4)."""
        if len(stream.sentences) <= 2:
            probabilities = self._run(self.features.of_points(stream.points))
        else:
            # A space is padding to the network, so spaces between sentences are the gaps.
            gaps_before = np.repeat(np.arange(len(stream.sentences) - 1) * self._gap, np.diff(stream.sentences))
            places = np.arange(len(stream.text)) + gaps_before
            points = np.full(places[-1] + 1, ord(" "), dtype=stream.points.dtype)
            points[places] = stream.points
            ids = self.features.of_points(points)
            probabilities = self._run(ids).T.take(places, axis=1).T  # a tag's numbers stay side by side

        # Say what needs no network.
        log_probabilities = np.log(np.maximum(probabilities, _TINY))
        log_probabilities[stream.blank] = _SPACE_LOG_PROBABILITY
        if stream.attached.size:
            log_probabilities[stream.attached, :2] = _IMPOSSIBLE
        return log_probabilities

    def _run(self, ids: np.ndarray) -> np.ndarray:
        """Run the network over a stream of ids, (T, …) → (T, 4)."""
        if isinstance(self.network, SegmentationNetwork):
            return self.network(ids)
        probabilities = np.empty((len(ids), len(SBME.tags)), np.float32)
        field = self.receptive_field
        for start, batch in overlapping_windows(ids, field, _WINDOW_SHAPES):
            own = predict(self.network, batch)[:, field : batch.shape[1] - field].reshape(-1, len(SBME.tags))
            probabilities[start : start + len(own)] = own[: len(ids) - start]
        return probabilities

    _kind = "segmenter"
    _format = 2
    _pretrained = ("segmenter", "make pretrain-segmenter")

    def _parts(self) -> tuple[dict, dict[str, np.ndarray]]:
        known = isinstance(self.network, SegmentationNetwork)
        network = self.network if known else SegmentationNetwork.of(self.network)
        description, weights = (None, network.weights) if network else network_parts(self.network)
        features = self.features
        meta = {
            "network": description,
            "characters": "".join(features.characters.tokens),
            "pairs": None if features.pairs is None else "".join(features.pairs.tokens),
            "lexicon": dict(self.lexicon),
            "fold": self.lexicon.fold,
            "keep_whole": self.keep_whole,
        }
        words = features.lines.encode("utf-8", "surrogatepass")
        return meta, {**weights, "words": np.frombuffer(words, dtype=np.uint8)}

    @classmethod
    def _from_parts(cls, meta: dict, arrays: dict[str, np.ndarray]) -> Self:
        pairs, description = meta["pairs"], meta["network"]
        if pairs is not None:
            pairs = Vocabulary(map("".join, zip(pairs[::2], pairs[1::2], strict=True)))
        words = arrays.pop("words").tobytes().decode("utf-8", "surrogatepass")
        features = Features(Vocabulary(meta["characters"]), pairs, words)
        network = SegmentationNetwork(arrays) if description is None else restore_network(description, arrays)
        return cls(network, features, Lexicon(meta["lexicon"] or {}, meta["fold"]), meta["keep_whole"])

    @classmethod
    def load(
        cls,
        path: str | Path = "pretrained",
        lexicon: Lexicon | Mapping[str, float] | None = None,
        keep_whole: bool | None = None,
    ) -> Self:
        """Read a segmenter as :meth:`SavedModel.load` does; `lexicon` and `keep_whole` replace what is stored.

        "pretrained" knows the words of a large dictionary besides those of the newspaper that it learned from; "closed"
        knows that newspaper alone, as the closed tests of the bakeoff 2005 demand.
        """
        segmenter = super().load(_CLOSED if path == "closed" else path)
        segmenter.lexicon = segmenter.lexicon if lexicon is None else lexicon
        segmenter.keep_whole = segmenter.keep_whole if keep_whole is None else keep_whole
        return segmenter


def _as_lexicon(lexicon: Lexicon | Mapping[str, float] | None) -> Lexicon:
    return lexicon if isinstance(lexicon, Lexicon) else Lexicon({} if lexicon is None else lexicon)


def _one(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"one text is read at a time, a str; got {type(text).__name__} {text!r:.60}")
    return text


def _decode(stream: _Stream, log_probabilities: np.ndarray, lexicon: Lexicon) -> np.ndarray:
    """Add the bonuses and find the best tags of each piece between sure cuts, int8 (T,)."""
    cuts = stream.cuts
    if lexicon or stream.fixed.size:
        log_probabilities, cuts = _with_words(stream, log_probabilities, cuts, lexicon)
    return _best_tags(log_probabilities, cuts)


def _best_tags(log_probabilities: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Find the best tags between cuts, int8 (T,): where a look at each two neighbours settles them, without Viterbi.

    Where a word goes on from one character to the next, they are b or m, then m or e. With s or e, then b or s in their
    place, all other tags may stay. If that is always a gain, the best tags part the two; likewise they may join them.
    """
    s, b, m, e = log_probabilities.T
    with np.errstate(invalid="ignore"):  # what is infinite is left to Viterbi
        s_b, e_m, b_m, s_e = s - b, e - m, b - m, s - e
        part = np.minimum(s_b, e_m)[:-1] + np.minimum(b_m, s_e)[1:]
        join = -np.maximum(s_b, e_m)[:-1] - np.maximum(b_m, s_e)[1:]
    begins = np.zeros(len(log_probabilities) + 1, dtype=bool)
    begins[1:-1] = (part > _SURE) & (part < np.inf)
    begins[cuts] = True
    tags = np.where(begins[:-1], 1 - begins[1:], 2 + begins[1:]).astype(np.int8)  # s b where one begins, m e elsewhere
    doubts = (~begins[1:-1] & ~((join > _SURE) & (join < np.inf))).nonzero()[0]
    if not doubts.size:
        return tags
    # Viterbi decides about the pieces between sure cuts that have a doubt inside.
    bounds = begins.nonzero()[0]
    doubtful = np.unique(np.searchsorted(bounds, doubts, side="right") - 1)
    starts, lengths = bounds[doubtful], np.diff(bounds)[doubtful]
    limits = 2 ** np.arange(int(lengths.max()).bit_length() + 1)
    for _, _, pieces in batches_by_length(lengths, limits, _MAX_TOKENS):
        positions = starts[pieces, None] + np.arange(lengths[pieces].max())
        inside = positions < (starts + lengths)[pieces, None]
        padded = log_probabilities[np.minimum(positions, len(tags) - 1)]
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
