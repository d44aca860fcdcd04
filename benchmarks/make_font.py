"""Cut the Chinese font that the package carries out of Noto Sans CJK SC.

    python benchmarks/make_font.py [--source FONT.ttc]

The source comes with ``fonts-noto-cjk`` of Debian and Ubuntu. Kept: the 6,763 Chinese characters of GB2312,
the signs that figures use, and what else occurs in the sample text, in notebooks, package or translations. The
result has a name of its own, as a modified font under the Open Font License should. Run it again when a
lesson uses a rarer character; a test says so. The same source and the same texts give the same bytes.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

from kexue_nlp.datasets import load_segmentation

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
SOURCE_FAMILY = "Noto Sans CJK SC"
TARGET = ROOT / "kexue_nlp" / "fonts" / "KexueSansSC-Regular.otf"
FAMILY = "Kexue Sans SC"
FACE = TARGET.stem

SIGNS = (
    (0x0020, 0x007F),  # ASCII
    (0x00A0, 0x0100),  # Latin-1
    (0x0391, 0x03CA),  # Greek
    (0x2010, 0x2040),  # dashes, quotes, ellipsis
    (0x2190, 0x219A),  # arrows
    (0x2200, 0x2270),  # mathematical operators
    (0x2460, 0x246A),  # ① to ⑩
    (0x25A0, 0x25D0),  # squares, triangles, circles
    (0x3000, 0x3018),  # Chinese punctuation and brackets
    (0xFF01, 0xFF5F),  # full-width ASCII
)


def wanted() -> set[int]:
    """Return the code points to keep."""
    cells = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    chinese = "".join(cell.decode("gb2312", errors="ignore") for cell in cells)
    sample = load_segmentation("sample")
    words = chain.from_iterable(sample.train + sample.heldout)
    patterns = ("notebooks/*.ipynb", "kexue_nlp/**/*.py", "kexue_nlp/**/*.json", "po/**/*.po")
    files = chain.from_iterable(map(ROOT.glob, patterns))
    texts = chain([chinese], words, (file.read_text(encoding="utf-8") for file in files))
    return {code for first, stop in SIGNS for code in range(first, stop)}.union(*(map(ord, t) for t in texts))


def cut(source: Path) -> TTFont:
    """Return the subset, renamed."""
    font = next(face for face in TTCollection(source).fonts if face["name"].getDebugName(1) == SOURCE_FAMILY)
    version = font["name"].getDebugName(5)
    options = Options()
    options.hinting = False  # figures are drawn at many sizes, and hints are a fifth of the file
    options.layout_features = []
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    options.name_IDs = [0, 13, 14]  # copyright and licence stay as they are
    options.notdef_outline = True
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted())
    subsetter.subset(font)
    names = {
        1: FAMILY,
        2: "Regular",
        3: FACE,
        4: FAMILY,
        5: f"Version 1.0, cut from {SOURCE_FAMILY} {version}",
        6: FACE,
    }
    for number, text in names.items():
        font["name"].setName(text, number, platformID=3, platEncID=1, langID=0x409)
    cff = font["CFF "].cff
    cff.fontNames = [FACE]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = FAMILY
    for dictionary in cff.topDictIndex[0].FDArray:
        dictionary.FontName = FACE
    font.recalcTimestamp = False
    return font


def main() -> None:
    """Write the font and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, default=SOURCE, help=f"a font collection with {SOURCE_FAMILY}")
    font = cut(parser.parse_args().source)
    font.save(TARGET)
    size = TARGET.stat().st_size / 1e6
    print(f"{TARGET.relative_to(ROOT)}: {len(font.getBestCmap()):,} characters, {size:.2f} MB")


if __name__ == "__main__":
    main()
