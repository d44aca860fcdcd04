"""Text in, integers out: vocabularies, sentence splitting and windows of tokens."""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

__all__ = [
    *("PAD", "SENTENCE_END", "SENTENCE_ENDS", "UNKNOWN", "Vocabulary", "code_points", "fixed_spans", "fold"),
    *("ngram_windows", "normalise", "simplify", "split_sentences", "split_words"),
]

PAD = 0
UNKNOWN = 1

# Full-width ASCII (U+FF01–U+FF5E) has a half-width twin 0xFEE0 below it. After that, which digit or which Latin letter
# it is tells a segmenter nothing that "a digit" and "a letter" does not.
_HALF_WIDTH = {chr(c): chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)}
_CLASS = dict.fromkeys(string.digits, "0") | dict.fromkeys(string.ascii_letters, "a")
_SPACES = {chr(c): " " for c in range(0x3001) if chr(c).isspace()}  # U+3000 is the last of them
_HALF = str.maketrans(_HALF_WIDTH | _SPACES)
_NORMALISE = str.maketrans({wide: _CLASS.get(half, half) for wide, half in _HALF_WIDTH.items()} | _CLASS | _SPACES)

_PUNCTUATION = str.maketrans(dict.fromkeys(set(string.punctuation) - {"'"}, " "))

SENTENCE_ENDS = "。!?;"  # of a normalised text
SENTENCE_END = re.compile(f"(?<=[{SENTENCE_ENDS}])")
"""Matches the empty string after each character of a normalised text that ends a sentence: 。！？；"""

# Traditional characters and the simplified one of each, from OpenCC by benchmarks/make_traditional.py.
_TABLE = Path(__file__).parent / "opencc" / "traditional.txt"
_SIMPLIFIED = str.maketrans(*_TABLE.read_text(encoding="utf-8").split()) | str.maketrans("「」", "“”")
_TRADITIONAL = re.compile(f"[{''.join(map(chr, _SIMPLIFIED))}]")

# Addresses, and numbers with marks in them. Full-width ASCII is seen as half-width, but for the punctuation of Chinese.
_NARROW = {ord(wide): half for wide, half in _HALF_WIDTH.items() if wide not in "！，：；？（）"}
_WIDE = re.compile(f"[{''.join(map(chr, _NARROW))}]")
_NUMBER = r"(?<!\d)(?<!\d[.·])\d+(?:[.·]\d+)*"  # 3, 3.5, 3·5, 1.2.3, 192.168.0.1
_FIXED = re.compile(
    rf"""
      (?<![A-Za-z]) (?:[A-Za-z][\w+.-]{{0,15}}[:：]// | www\.(?=\w))                     # https://example.com/a?b=1
      (?:[\w/=\#%+] | [-.,:;?&~$@!*]+(?=[\w/=\#%+])(?!\w+://) | ？(?=\w+=) | \([\w.,:/%-]*\))+
    | (?<!\w) \w[\w.%+-]{{0,63}}@(?:[A-Za-z\d-]+\.)+[A-Za-z]{{2,}}                         # a.b+c@example.com
    | \+\d+(?:-\d+)+ | (?<!\d)(?:\d+(?:-\d+){{2,}} | 0\d\d\d?-\d{{7,8}}(?!\d))            # +86-10-1234, 2016-12-01
    | (?<!\d)(?<!\d\.) \d{{1,3}}(?:(?:,\d{{3}})+ | (?:，\d{{3}})+(?![-%‰:/]))(?:\.\d+)?(?!\.?\d)[%‰万亿萬億]*  # 1,280
    | {_NUMBER}(?: (?:[:：∶/]\d+(?:[.·]\d+)*)+[%‰]? | [%‰])                            # 10:30, 1/2, 3.5%
    | (?<![A-Za-z\d])(?<!\d[.·]) [vV]?\d+(?:[.·]\d+)+[万亿萬億]*                         # 3.5, 3.5万, v1.2.3
    """,
    re.ASCII | re.VERBOSE,
)


def simplify(text: str) -> str:
    """Map traditional Chinese characters and quotation marks to simplified ones, each to the most usual of several.

    乾, 塚, 榘 and 薹 stay, because simplified text has them too.

    Examples
    --------
    >>> simplify("十條推薦東京必去路線")
    '十条推荐东京必去路线'
    """
    return text.translate(_SIMPLIFIED) if _TRADITIONAL.search(text) else text


def fold(text: str) -> str:
    """Take case, width and traditional script from a text, character for character, so that others compare equal.

    Examples
    --------
    >>> fold("Ｖ１.０ 體驗")
    'v1.0 体验'
    """
    half = simplify(text).translate(_HALF)
    return "".join(lower if len(lower := character.lower()) == 1 else character for character in half)


def fixed_spans(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Find what is one word in any surroundings; starts and ends, arrays of int (N,), from left to right.

    These are addresses of the web (with ``://`` or ``www.``) and of mail, dates and telephone numbers with hyphens, and
    numbers with a point, thousands, percent sign, colon or slash, in half and full width; 万 and 亿 belong to them, but
    no sign and no unit. A whole number alone is left out: in 1998年 or 5万 it is part of a longer word.

    Examples
    --------
    >>> text = "10:30有3.5万人看https://example.com/a?b=1。"
    >>> [text[start:end] for start, end in zip(*fixed_spans(text))]
    ['10:30', '3.5万', 'https://example.com/a?b=1']
    """
    narrow = text.translate(_NARROW) if _WIDE.search(text) else text
    return tuple(np.array([match.span() for match in _FIXED.finditer(narrow)], dtype=np.intp).reshape(-1, 2).T)


def normalise(text: str) -> str:
    """Map a text to what a segmenter needs to see of it, character for character.

    Full-width ASCII becomes half-width, every digit ``"0"``, every Latin letter ``"a"``, all white space ``" "``.

    Examples
    --------
    >>> normalise("１９９８年，WTO")
    '0000年,aaa'
    """
    return text.translate(_NORMALISE)


def code_points(text: str) -> np.ndarray:
    """Return the code points of a text, lone surrogates included, as uint32 of shape (T,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def split_words(text: str) -> list[str]:
    """Cut an English text into lower-case words at white space and ASCII punctuation but the apostrophe.

    So do Keras's ``Tokenizer``, at plain spaces only, and its IMDB archive; the ``br`` of ``<br />`` is a word.

    Examples
    --------
    >>> split_words("It's a 10/10.<br />Wow!")
    ["it's", 'a', '10', '10', 'br', 'wow']
    """
    return text.lower().translate(_PUNCTUATION).split()


def split_sentences(words: Iterable[str]) -> list[list[str]]:
    """Cut a segmented line after each word that ends with 。！？； in full or half width.

    Examples
    --------
    >>> split_sentences(["你好", "！", "再", "见", "。"])
    [['你好', '！'], ['再', '见', '。']]
    """
    sentences: list[list[str]] = [[]]
    for word in words:
        sentences[-1].append(word)
        if normalise(word[-1:]) in tuple(SENTENCE_ENDS):
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


class Vocabulary:
    """A frozen map from distinct tokens, or the characters of one string, to integers.

    Id 0 is padding and id 1 stands for every token outside the vocabulary; the tokens follow in the order given. A
    token that occurs twice raises ValueError.

    Examples
    --------
    >>> vocabulary = Vocabulary("我们")
    >>> vocabulary.encode("我和们").tolist()
    [2, 1, 3]
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens: tuple[str, ...] = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens, start=2)}
        if len(self._ids) != len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"token {twice!r} occurs more than once; a vocabulary needs distinct tokens")

    @classmethod
    def fit(cls, sequences: Iterable[Iterable[str]], min_count: int = 1, max_size: int | None = None) -> Self:
        """Collect the tokens of a corpus, most frequent first (ties in order of first appearance).

        Documents are sequences of tokens, such as strings of characters. Tokens seen less often than `min_count` share
        the unknown id (the article uses 2); at most `max_size` are kept, padding and unknown not counted.
        """
        counts = Counter(token for sequence in sequences for token in sequence)
        return cls(token for token, n in counts.most_common(max_size) if n >= min_count)

    def __len__(self) -> int:
        """Number of ids, padding and unknown included: the ``input_dim`` of an embedding."""
        return len(self.tokens) + 2

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.tokens)} tokens)"

    def encode(self, tokens: Iterable[str]) -> np.ndarray:
        """Look T tokens up: int32 of shape (T,) in [1, len(self)), since padding is no token."""
        return np.fromiter((self._ids.get(token, UNKNOWN) for token in tokens), dtype=np.int32)


def ngram_windows(sequences: Sequence[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay out the windows of n + 1 tokens from which a language model learns the next token (article 4374: n = 10).

    Sequences, ndarrays of int (T_i,), hold token ids; before each stand n zeros, so that its first token too has a
    context. A negative id, no token at all, or n below 1 raises ValueError.

    Returns
    -------
    windows : ndarray of unsigned int, shape (S, n + 1), read-only
        Views of one stream, those across two sequences included, in the smallest dtype that holds all ids.
    rows : ndarray of int32 or int64, shape (Σ T_i,)
        Which of them end in a token of a sequence, in order: ``windows[rows[i]]`` are n tokens of context and the next.

    Examples
    --------
    >>> windows, rows = ngram_windows([np.array([5, 6, 7]), np.array([8])], n=2)
    >>> windows[rows].tolist()
    [[0, 0, 5], [0, 5, 6], [5, 6, 7], [0, 0, 8]]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    n_tokens = sum(map(len, sequences))
    if not n_tokens:
        raise ValueError(f"none of {len(sequences)} sequences has a token")
    least = min(int(np.min(sequence, initial=0)) for sequence in sequences)
    most = max(int(np.max(sequence, initial=0)) for sequence in sequences)
    if least < 0:
        raise ValueError(f"token ids must not be negative; there is {least}")
    length = n_tokens + n * len(sequences)
    stream = np.zeros(length, np.min_scalar_type(most))
    rows = np.arange(n_tokens, dtype=np.int32 if length < 2**31 else np.int64)
    begin = 0
    for i, sequence in enumerate(sequences):
        end = begin + len(sequence)
        rows[begin:end] += i * n  # zeros before this sequence's own; a window begins n places before its last token
        stream[begin + (i + 1) * n : end + (i + 1) * n] = sequence
        begin = end
    return np.lib.stride_tricks.sliding_window_view(stream, n + 1), rows
