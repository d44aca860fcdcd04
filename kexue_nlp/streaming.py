"""Read any number of texts in bounded memory, in order, by a few at a time."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["read_texts"]


def read_texts(
    read: Callable[[list[str]], list],
    texts: Iterable[str],
    max_characters: int,
    max_texts: int | None = None,
    errors: str = "raise",
    threads: int = 1,
) -> Iterator[Any]:
    """Yield what `read` makes of each text, given lists of as many texts as one of the limits allows, or of one text.

    If the source of the texts fails, or one is no str, everything before is yielded first, then the error; it names the
    text by its number, from 0. With ``errors="skip"`` what is no str is read as an empty text, so that results stay
    beside their texts, and a UserWarning tells which at the end. What is no iterable of texts raises TypeError at once.
    """
    if isinstance(texts, Mapping) or hasattr(texts, "columns"):  # one would iterate over the names of columns
        raise TypeError(f"got a {type(texts).__name__}; give one column of texts, for example df['text']")
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"a str or an iterable of str is needed, got {_shown(texts)}")
    if errors not in ("raise", "skip") or (max_texts is not None and max_texts < 1):
        raise ValueError(f'errors must be "raise" or "skip", and batch_size at least 1; got {errors!r} and {max_texts}')
    return _read(read, texts, max_characters, max_texts, errors, threads)


def _read(
    read: Callable, texts: Iterable, max_characters: int, max_texts: int | None, errors: str, threads: int
) -> Iterator[Any]:
    numbered, chunk, size = enumerate(texts), [], 0
    waiting: deque = deque()
    skipped: list[int] = []
    end = None  # what ended the texts
    with ThreadPoolExecutor(threads) as pool:
        while end is None:
            try:
                number, text = next(numbered)
                if not isinstance(text, str):
                    if errors == "raise":
                        raise TypeError(f"text {number} is {_shown(text)}; a str is needed")
                    skipped.append(number)
                    text = ""
                chunk.append(text)
                size += len(text)
            except Exception as error:  # or StopIteration
                end = error
            if chunk and (end or size >= max_characters or len(chunk) == max_texts):
                waiting.append(pool.submit(read, chunk))
                chunk, size = [], 0
            while len(waiting) > (0 if end else threads):
                yield from waiting.popleft().result()
    if skipped:
        few = ", ".join(map(str, skipped[:10])) + (" …" if len(skipped) > 10 else "")
        warnings.warn(f"{len(skipped)} of {number + 1} texts are no str and were read as empty: {few}", stacklevel=2)
    if not isinstance(end, StopIteration):
        raise end


def _shown(value: object) -> str:
    hint = "; decode it first, for example value.decode('utf-8')" if isinstance(value, bytes) else ""
    return f"{type(value).__name__} {value!r:.60}{hint}"
