"""Write kexue_nlp/opencc/traditional.txt: traditional characters on one line, their simplified forms on the next.

The pairs are those of OpenCC (Apache License 2.0), as the PyPI package `opencc-python-reimplemented` has them. Left out
are characters that the People's Daily of the sample writes itself, such as 乾 in 乾隆, and all beyond the basic plane.

Usage::

    pip download --no-deps opencc-python-reimplemented
    python benchmarks/make_traditional.py opencc_python_reimplemented-*.whl
"""

import sys
import zipfile
from pathlib import Path

from kexue_nlp.datasets import load_segmentation

TARGET = Path(__file__).parents[1] / "kexue_nlp" / "opencc" / "traditional.txt"


def main(wheel: str) -> None:
    """Read the table in a wheel and write ours."""
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read("opencc/dictionary/TSCharacters.txt").decode("utf-8").splitlines()
    data = load_segmentation("sample")
    written = {character for line in data.train + data.heldout for word in line for character in word}
    table = {}
    for line in lines:
        traditional, first, *_ = line.split()  # the most usual form comes first
        if traditional != first and max(traditional, first) <= "\uffff" and traditional not in written:
            table[traditional] = first
    # No chains: what is simplified once stays.
    table = {traditional: table.get(first, first) for traditional, first in table.items()}
    TARGET.write_text(f"{''.join(table)}\n{''.join(table.values())}\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
