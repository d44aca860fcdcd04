"""Cut text files of any size into words: the work of ``kexue-nlp segment``."""

import codecs
import multiprocessing
import os
import re
import signal
import sys
import threading
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import process
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from kexue_nlp.datasets._files import likely_encoding
from kexue_nlp.streaming import read_texts

__all__ = ["segment_files"]

# A line is cut as a whole unless it is huge; then behind a full stop or white space or, for want of them, anywhere.
_PIECES = re.compile(r".{1,100000}\Z|.{0,99999}[。\s]|.{1,100000}", re.DOTALL)


def segment_files(
    sources: Sequence[str], target: str, workers: int = 1, lexicon: str | None = None, default: str = "10"
) -> None:
    """Do what ``kexue-nlp segment --help`` says, and tell the rest on stderr; what cannot be: OSError or ValueError."""
    if workers < 1:
        raise ValueError(f"--workers must be at least 1, got {workers}")
    pairs, rows, counts = _pairs(sources, target), deque(), Counter()
    # What was begun with another lexicon has another name.
    tag = f".{zlib.crc32(Path(lexicon).read_bytes() + default.encode()):08x}.part" if lexicon else ".part"
    since = Path(lexicon).stat().st_mtime if lexicon else 0.0
    todo = [(source, goal) for source, goal in pairs if not (source and _is_newer(goal, source, since))]
    size = sum(source.stat().st_size for source, _ in todo if source)
    _load(lexicon, default)  # here even if others cut: what is wrong with the lexicon is said once
    context = multiprocessing.get_context("spawn")
    pool = (
        nullcontext()
        if workers == 1
        else process.ProcessPoolExecutor(workers, context, _load, (lexicon, default, True))
    )
    with pool, tqdm(total=size or None, unit="B", unit_scale=True, disable=None) as bar:
        cut, threads, output = _cut, 1, None
        if workers > 1:
            # Workers inherit both: no threads for NumPy, and no ear for Ctrl-C. They end what they have begun, which
            # is short: of one that is stopped in the middle of its answer the rest would be waited for without end.
            os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            pool.map(int, range(workers))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            cut, threads = lambda texts: pool.submit(_cut, texts).result(), 2 * workers
        try:
            for line in read_texts(cut, _texts(todo, tag, rows, counts, bar), 50_000, threads=threads):
                part, encoding, end = rows.popleft()
                output = output or (part.open("ab") if part else sys.stdout.buffer)
                if isinstance(end, Path):
                    output = output.close()
                    os.replace(part, end)
                elif line or end != b" ":
                    output.write(line.encode(encoding) + end)
                    output.flush()
        except process.BrokenProcessPool:
            raise ChildProcessError("a worker died; if memory is short, take fewer. Run it again to go on") from None
    left, bad = len(pairs) - len(todo), counts["bad"]
    print(f"files cut: {len(todo)}, complete already: {left}, lines that cannot be decoded: {bad}", file=sys.stderr)


def _is_newer(file: Path, source: Path, since: float = 0.0) -> bool:
    """Whether a file is there that was written after its source changed last."""
    return file.exists() and file.stat().st_mtime >= max(source.stat().st_mtime, since)


def _pairs(sources: Sequence[str], target: str) -> list[tuple[Path | None, Path | None]]:
    """Find the files, and where the words of each go; None is stdin or stdout."""
    if "-" in (*sources, target):
        if [*sources, target] != ["-", "-"]:
            raise ValueError("- is stdin and stdout together: kexue-nlp segment - -")
        return [(None, None)]
    goal, pairs = Path(target), []
    for source in map(Path, sources):
        if source.is_dir() and goal.resolve().is_relative_to(source.resolve()):
            raise ValueError(f"{goal} lies in {source}, of which every file is read; name another place")
        keeps_name = not source.is_dir() and (len(sources) > 1 or goal.is_dir())
        base = source.parent if keeps_name else source
        files = [path for path in (source, *sorted(source.rglob("*"))) if not path.is_dir()]
        pairs += [(path, goal / path.relative_to(base)) for path in files]
    if not pairs:
        raise FileNotFoundError(f"there is no file in {', '.join(sources)}")
    places = [path.resolve() for _, goal in pairs for path in (goal, Path(f"{goal}.part"))]
    clash, times = Counter([*{source.resolve() for source, _ in pairs}, *places]).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{clash} would be written twice, or is an input; cut some of the files into another place")
    return pairs


def _texts(todo: list, tag: str, rows: deque, counts: Counter, bar: tqdm) -> Iterator[str]:
    """Read the lines not cut yet, and note in `rows` where each goes: file, encoding, and what follows it there.

    An empty text at the end of a file is followed by its place, now that it is complete.
    """
    for source, target in todo:
        with source.open("rb") if source else sys.stdin.buffer as stream:
            # A file is read twice; of stdin the first megabyte tells the encoding.
            head = [] if source else stream.readlines(1 << 20)
            encoding, part, done = likely_encoding(head or stream), None, 0
            if source:
                stream.seek(0)
                target.parent.mkdir(parents=True, exist_ok=True)
                part = Path(f"{target}{tag}")
                if not _is_newer(part, source):
                    part.unlink(missing_ok=True)
                # Words are written in order, so their lines tell where to go on. A kill may leave a piece of a line.
                with part.open("a+b") as file:
                    file.seek(0)
                    file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
                    file.seek(0)
                    done = sum(1 for _ in file)
            for number, line in enumerate(chain(head, stream), start=1):
                bar.update(len(line))
                mark = codecs.BOM_UTF8 if number == 1 and line.startswith(codecs.BOM_UTF8) else b""
                text = line.removeprefix(mark).rstrip(b"\r\n")
                end = line[len(mark) + len(text) :]
                try:
                    text = text.decode(encoding)
                except UnicodeDecodeError:
                    text, where = "", f"{source or 'stdin'}, line {number}"
                    counts["bad"] += 1
                    if counts["bad"] <= 10:
                        bar.write(f"{where}: not {encoding}, written as an empty line", sys.stderr)
                if number > done:
                    pieces = _PIECES.findall(text.rstrip()) or [""]
                    ends = [*[mark] * bool(mark), *[b" "] * (len(pieces) - 1), end]
                    rows.extend((part, encoding, end) for end in ends)
                    yield from [""] * bool(mark) + pieces
            if source:
                rows.append((part, encoding, target))
                yield ""


def _load(lexicon: str | None, default: str, worker: bool = False) -> None:
    """Load the segmenter of this process."""
    global _segmenter
    if worker:
        # If the process that gives the work is killed, this one goes too.
        parent = multiprocessing.parent_process()
        threading.Thread(target=lambda: os._exit(parent.join() or 1), daemon=True).start()
    from kexue_nlp.lexicon import Lexicon
    from kexue_nlp.segmenter import Segmenter

    _segmenter = Segmenter.load(lexicon=lexicon and Lexicon.read(lexicon, default))


def _cut(texts: Sequence[str]) -> list[str]:
    return [" ".join(word for word in words if not word.isspace()) for words in _segmenter(texts)]
