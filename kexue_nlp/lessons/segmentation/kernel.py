"""A convolution by hand: a kernel slides over a sentence of four characters, two numbers each."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import traitlets
from numpy.typing import ArrayLike

from kexue_nlp.language import N_, _
from kexue_nlp.widgets.view import View

__all__ = ["SlidingKernel", "slide"]

_FILE = Path(__file__).with_name("kernel.js")
_WORDS = {
    "back": N_("one place back"), "play": N_("slide the kernel"), "pause": N_("pause"), "next": N_("one place on"),
    "scrub": N_("place of the kernel"), "blank": N_("a blank in front"), "reset": N_("reset"), "edge": N_("edge"),
    "gloss": N_("blank"), "position": N_("place"), "sentence": N_("sentence"), "numbers": N_("numbers"),
    "kernel": N_("kernel"), "products": N_("products"), "score": N_("score"), "before": N_("without blank"),
    "after": N_("with blank"), "weight": N_("weight {column} of kernel row {row}"),
    "sum": N_("Place {place}, {character}: {products} = {score}"),
    "hint": N_("Change a weight of the kernel: all scores follow, because all places use the same weights."),
    "shift": N_("Every score is the same as before, one place later. The blank gets one of its own."),
}  # fmt: skip


def slide(vectors: ArrayLike, kernel: ArrayLike) -> np.ndarray:
    """Return the score of each of T characters, shape (T,): the kernel times the numbers under it, added up.

    Vectors have shape (T, D), the kernel (K, D) with K odd: its middle row belongs to the character that is scored.

    Examples
    --------
    >>> slide([[1, 0], [0, 1], [1, 1], [0, 2]], [[1, 0], [0, 2], [-1, 1]])
    array([1., 3., 4., 5.])
    """
    half = len(kernel) // 2
    padded = np.pad(np.asarray(vectors, float), ((half, half), (0, 0)))
    return np.array([(padded[t : t + len(kernel)] * kernel).sum() for t in range(len(vectors))])


class SlidingKernel(View):
    """Slide a kernel over a sentence, change its weights, put a blank in front; the scores follow.

    Its traits `kernel`, `step` (how many scores are filled in) and `blank` can be linked with other widgets. A sentence
    has T characters and as many glosses, vectors are (T, D), and the kernel to begin with is (K, D), K odd; ValueError
    if they do not fit or are not finite.
    """

    _esm, _css = View.script(_FILE), View.style(_FILE.with_suffix(".css"))

    sentence, glosses, vectors, kernel, start = (traitlets.List().tag(sync=True) for _ in range(5))
    step, blank = traitlets.Int(1).tag(sync=True), traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        sentence: str = "关注微信",
        glosses: Sequence[str] = (N_("guān · shut"), N_("zhù · note"), N_("wēi · tiny"), N_("xìn · letter")),
        vectors: ArrayLike = ((1, 0), (0, 1), (1, 1), (0, 2)),
        kernel: ArrayLike = ((1, 0), (0, 2), (-1, 1)),
    ) -> None:
        vectors, kernel = np.asarray(vectors, float), np.asarray(kernel, float)
        fits = vectors.ndim == kernel.ndim == 2 and vectors.shape[1] == kernel.shape[1] and len(kernel) % 2
        if not (fits and len(sentence) == len(glosses) == len(vectors) > 0):
            raise ValueError(
                "each character needs a gloss and a row of vectors; the kernel has an odd number of equally long rows; "
                f"got {len(sentence)} characters, {len(glosses)} glosses, shapes {vectors.shape} and {kernel.shape}"
            )
        if not (np.isfinite(vectors).all() and np.isfinite(kernel).all()):
            raise ValueError(f"vectors and kernel must be finite numbers, got {vectors.tolist()} and {kernel.tolist()}")
        super().__init__(words=_WORDS, sentence=list(sentence), glosses=list(map(_, glosses)), vectors=vectors.tolist())
        self.kernel = self.start = kernel.tolist()

    def static_text(self) -> str:
        """Return sentence and scores."""
        return f"{''.join(self.sentence)}: {slide(self.vectors, self.kernel).round(3).tolist()}"

    def static_html(self) -> str:
        """Return sentence, numbers and scores as a table, and the kernel below."""
        vectors, kernel = ([", ".join(f"{x:.3g}" for x in row) for row in rows] for rows in (self.vectors, self.kernel))
        characters = [html.escape(f"{c} {gloss}") for c, gloss in zip(self.sentence, self.glosses, strict=True)]
        scores = [f"<b>{score:.3g}</b>" for score in slide(self.vectors, self.kernel)]
        rows = {"sentence": characters, "numbers": vectors, "score": scores}.items()
        cells = (f"<tr><th>{self.words[name]}</th><td>{'</td><td>'.join(row)}</td></tr>" for name, row in rows)
        return f"<table>{''.join(cells)}</table><p>{_('{name}: ', name=self.words['kernel'])}{_('; ').join(kernel)}</p>"
