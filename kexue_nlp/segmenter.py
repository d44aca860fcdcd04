"""The assembled word segmenter: features + fully convolutional network + dictionary + Viterbi.

Any number of texts becomes one long stream of characters with a gap between sentences. The network runs over
overlapping windows of that stream: what it says about a character depends on a few neighbours only and not on
the position (article 4195: "translation invariance"), so the windows can be cut anywhere and all have one shape.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import keras
import numpy as np

from kexue_nlp.features import Features
from kexue_nlp.lexicon import Lexicon, match_bonuses
from kexue_nlp.tagging import SBME
from kexue_nlp.text import SENTENCE_END, Vocabulary, code_points, normalise
from kexue_nlp.viterbi import viterbi

__all__ = ["Segmenter"]

FORMAT = 1  # of the files that `save` writes; raise it when `load` can no longer read the old ones

# Rows and width of what the network is run on: a sentence, a page, a corpus. Few shapes, since compilers
# (JAX's, TensorFlow's) build the network anew for each.
_SHAPES = ((1, 128), (1, 1024), (16, 1024))
_CHUNK = 200_000  # characters handled at a time; bounds the memory, whatever is passed in
_VITERBI_ROWS = 512

# White space is its own word unless the dictionary insists. The network never sees it.
_SPACE_LOG_PROBABILITIES = np.log([0.997, 0.001, 0.001, 0.001]).astype(np.float32)

# No cut before what only modifies the character before it: combining marks, joiners and what they join,
# variation selectors, skin tones, tags, and the second half of a flag.
_NO_CUT_BEFORE = re.compile(
    "[\u0300-\u036f\u200d\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
    "|(?<=\u200d).|(?<=[\U0001f1e6-\U0001f1ff])[\U0001f1e6-\U0001f1ff]",
    re.DOTALL,
)


class Segmenter:
    """Cut Chinese text into words.

    Calling it on a string gives its words; calling it on an iterable of strings gives a list of lists. Joined,
    the words always equal the input, white space included (a white-space character is a word of its own).
    The result for a text does not depend on the texts beside it.

    Parameters
    ----------
    network : keras.Model
        Fully convolutional: ids as ``features`` gives them, (B, T) or (B, T, 4), to tag probabilities
        (B, T, 4), columns s, b, m, e. It must zero padded positions (id 0) before each convolution, as the
        builders in :mod:`kexue_nlp.models` do.
    features : Features
        Turns a text into the network's input.
    lexicon : Lexicon or mapping of str to float, optional
        Words with multipliers applied before decoding; see :class:`kexue_nlp.lexicon.Lexicon`. May be set
        later through the attribute of the same name.

    Examples
    --------
    >>> segmenter = Segmenter.load(lexicon={"微信号": 10.0})
    >>> segmenter("扫描二维码，关注微信号。")
    ['扫描', '二维码', '，', '关注', '微信号', '。']
    """

    def __init__(
        self,
        network: keras.Model,
        features: Features,
        lexicon: Lexicon | dict[str, float] | None = None,
    ) -> None:
        self.network = network
        self.features = features
        self.lexicon = lexicon
        reach = [
            (layer.kernel_size[0] // 2) * layer.dilation_rate[0]
            for layer in network.layers
            if isinstance(layer, keras.layers.Conv1D | keras.layers.DepthwiseConv1D)
        ]
        self._reach = sum(reach)  # characters to each side that can influence a tag, at most
        self._gap = " " * max(reach, default=0)  # wide enough that no kernel spans two sentences

    @property
    def lexicon(self) -> Lexicon | None:
        """The dictionary applied before decoding, or None."""
        return self._lexicon

    @lexicon.setter
    def lexicon(self, lexicon: Lexicon | dict[str, float] | None) -> None:
        self._lexicon = lexicon if lexicon is None or isinstance(lexicon, Lexicon) else Lexicon(lexicon)

    def __call__(self, texts: str | Iterable[str]) -> list[str] | list[list[str]]:
        """Segment one text or many.

        Parameters
        ----------
        texts : str or iterable of str
            Any strings: empty, with emoji, lone surrogates, or 100,000 characters long.

        Returns
        -------
        list of str or list of list of str
            Words; an empty text has none.

        Raises
        ------
        TypeError
            If something else than a string is given (``bytes`` must be decoded first).
        """
        if isinstance(texts, str):
            return next(self._segment([texts]))
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise TypeError(f"a Segmenter takes a str or an iterable of str, got {_shown(texts)}")
        return [words for chunk in _chunks(texts) for words in self._segment(chunk)]

    def log_probabilities(self, text: str) -> np.ndarray:
        """Log-probabilities of the tags before any dictionary.

        Parameters
        ----------
        text : str, length T

        Returns
        -------
        ndarray of float32, shape (T, 4)
            Columns s, b, m, e.
        """
        return self._log_probabilities(text, _cuts(text, []))

    def decode(self, text: str, log_probabilities: np.ndarray, lexicon: Lexicon | None = None) -> np.ndarray:
        """Find the best legal tags of a text whose log-probabilities are known.

        Parameters
        ----------
        text : str, length T
        log_probabilities : ndarray, shape (T, 4)
            As :meth:`log_probabilities` gives them.
        lexicon : Lexicon, optional
            Its bonuses are added first. The segmenter's own lexicon is not used here.

        Returns
        -------
        ndarray of int8, shape (T,)
        """
        matches = lexicon.matches(text) if lexicon else []
        return _decode(log_probabilities + match_bonuses(matches, len(text)), _cuts(text, matches))

    def _segment(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the words of each text; the texts go through network and decoder together."""
        joined = "".join(texts)
        offsets = list(accumulate(map(len, texts), initial=0))
        matches = []
        if self.lexicon:
            for text, offset in zip(texts, offsets, strict=False):
                matches += [(offset + start, offset + end, m) for start, end, m in self.lexicon.matches(text)]
        cuts = np.union1d(_cuts(joined, matches), offsets)
        log_probabilities = self._log_probabilities(joined, cuts)
        if matches:
            log_probabilities += match_bonuses(matches, len(joined))
        starts = _decode(log_probabilities, cuts) < 2  # s or b
        starts[[match.start() for match in _NO_CUT_BEFORE.finditer(joined)]] = False
        starts[[offset for offset in offsets if offset < len(joined)]] = True
        bounds = [*np.flatnonzero(starts).tolist(), len(joined)]
        words = [joined[start:end] for start, end in pairwise(bounds)]
        per_text = np.searchsorted(bounds, offsets).tolist()
        for first, last in pairwise(per_text):
            yield words[first:last]

    def _log_probabilities(self, text: str, cuts: np.ndarray) -> np.ndarray:
        """Run the network over a text whose pieces between cuts must not see each other, (T, 4)."""
        # Normalised text has one kind of white space, which the network reads as padding: it makes the gaps.
        pieces = [text[start:end] for start, end in pairwise(cuts.tolist())]
        ids = self.features(self._gap.join(pieces))
        lengths = np.diff(cuts)
        moved = np.arange(len(text)) + np.repeat(np.arange(len(pieces)) * len(self._gap), lengths)
        log_probabilities = np.log(np.maximum(self._windows(ids)[moved], np.finfo(np.float32).tiny))
        log_probabilities[code_points(normalise(text)) == ord(" ")] = _SPACE_LOG_PROBABILITIES
        return log_probabilities

    def _windows(self, ids: np.ndarray) -> np.ndarray:
        """Tag probabilities (T, 4) of a stream of ids (T, …), by overlapping windows of few shapes."""
        reach = self._reach
        rows, width = next((s for s in _SHAPES if s[0] == 1 and len(ids) <= s[1] - 2 * reach), _SHAPES[-1])
        step = width - 2 * reach
        n_batches = max(1, -(-len(ids) // (rows * step)))
        padded = np.zeros((n_batches * rows * step + 2 * reach, *ids.shape[1:]), ids.dtype)
        padded[reach : reach + len(ids)] = ids
        windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)[::step]
        windows = np.moveaxis(windows, -1, 1)
        probabilities = np.empty((n_batches * rows, step, len(SBME.tags)), np.float32)
        for start in range(0, len(windows), rows):
            batch = np.ascontiguousarray(windows[start : start + rows])
            out = keras.ops.convert_to_numpy(self.network.predict_on_batch(batch))
            probabilities[start : start + rows] = out[:, reach : reach + step]
        return probabilities.reshape(-1, len(SBME.tags))[: len(ids)]

    def save(self, path: str | Path, dtype: str = "float32") -> None:
        """Write network, vocabularies and dictionary to one file, all or nothing.

        Parameters
        ----------
        path : str or Path
        dtype : {"float32", "float16"}
            Of the stored weights; half precision halves the file and changes probabilities by about 0.001.
        """
        path = Path(path)
        meta = {
            "format": FORMAT,
            "network": keras.saving.serialize_keras_object(self.network),
            "characters": self.features.characters.tokens,
            "pairs": self.features.pairs and self.features.pairs.tokens,
            "words": self.features.words,
            "lexicon": self.lexicon and dict(self.lexicon.items()),
        }
        weights = {f"weight_{i}": w.astype(dtype) for i, w in enumerate(self.network.get_weights())}
        partial = path.with_name(path.name + ".part")
        try:
            with partial.open("wb") as file:
                np.savez_compressed(file, meta=np.array(json.dumps(meta)), **weights)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(
        cls, path: str | Path = "pretrained", lexicon: Lexicon | dict[str, float] | None = None
    ) -> Segmenter:
        """Read a segmenter that :meth:`save` wrote, or the one that comes with the package.

        Loading runs no code from the file.

        Parameters
        ----------
        path : str or Path
            A file, or ``"pretrained"``.
        lexicon : Lexicon or mapping of str to float, optional
            Replaces the stored dictionary.

        Returns
        -------
        Segmenter

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a segmenter's file, is cut short, or was written by another version.
        """
        if path == "pretrained":
            path = Path(__file__).parent / "pretrained" / "segmenter.npz"
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
                meta = json.loads(str(file["meta"]))
                weights = [file[f"weight_{i}"].astype(np.float32) for i in range(len(file.files) - 1)]
        except (KeyError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is not a complete segmenter file ({error}); make or fetch it again"
            ) from error
        if meta.get("format") != FORMAT:
            raise ValueError(
                f"{path} has format {meta.get('format')!r}, this version of kexue_nlp reads format {FORMAT}; "
                "save it again with this version, or install the version that wrote it"
            )
        network = keras.saving.deserialize_keras_object(meta["network"], safe_mode=True)
        try:
            network.set_weights(weights)
        except ValueError as error:
            raise ValueError(f"the weights in {path} do not fit its network: {error}") from error
        pairs = None if meta["pairs"] is None else Vocabulary(meta["pairs"])
        features = Features(Vocabulary(meta["characters"]), pairs, meta["words"])
        return cls(network, features, meta["lexicon"] if lexicon is None else lexicon)


def _cuts(text: str, matches: list[tuple[int, int, float]]) -> np.ndarray:
    """Where sentences begin, plus the end: after 。！？； and line breaks, but never inside a dictionary word."""
    cuts = [m.start() for m in SENTENCE_END.finditer(text)]
    if cuts and matches:
        inside = np.zeros(len(text) + 2, dtype=np.int64)
        starts, ends, _ = (np.array(column) for column in zip(*matches, strict=True))
        np.add.at(inside, starts + 1, 1)
        np.add.at(inside, ends, -1)
        inside = inside.cumsum()
        cuts = [cut for cut in cuts if not inside[cut]]
    return np.unique([0, *cuts, len(text)])


def _decode(log_emissions: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Viterbi on each piece between cuts, pieces of like length together; tags int8 (T,)."""
    tags = np.empty(len(log_emissions), dtype=np.int8)
    lengths = np.diff(cuts)
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), _VITERBI_ROWS):
        pieces = order[first : first + _VITERBI_ROWS]
        positions = cuts[pieces, None] + np.arange(lengths[pieces[-1]])
        inside = positions < cuts[pieces + 1, None]
        batch = log_emissions[np.minimum(positions, len(log_emissions) - 1)]
        tags[positions[inside]] = viterbi(batch, SBME, lengths[pieces])[inside]
    return tags


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Group texts into lists of about ``_CHUNK`` characters, checking each."""
    chunk, size = [], 0
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {i} is {_shown(text)}; a Segmenter takes str")
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _shown(value: object) -> str:
    shown = f"{type(value).__name__} {value!r}"
    hint = "; decode it first, for example value.decode('utf-8')" if isinstance(value, bytes) else ""
    return (shown if len(shown) < 80 else shown[:77] + "...") + hint
