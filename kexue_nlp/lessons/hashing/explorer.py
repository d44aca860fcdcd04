"""Hash digits or words, and watch bits, neighbours and retrieval change with sparsity (article 8159)."""

import base64
import difflib
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import scipy.sparse as sp
from PIL import Image
from tqdm import tqdm

from kexue_nlp.datasets import ImageData
from kexue_nlp.figures import BLUE, GREY, ORANGE, visible
from kexue_nlp.hashing import LSH, BioHash, FlyHash
from kexue_nlp.language import _
from kexue_nlp.scoring import mean_average_precision, neighbour_mean_average_precision
from kexue_nlp.widgets.base import Explorer, InvalidInput, TextBox, escape, row
from kexue_nlp.widgets.chart import STYLE, Chart

__all__ = ["HashExplorer", "HashState", "Hashes", "Items", "picture_items", "render", "state", "word_items"]

METHODS = ("LSH", "FlyHash", "BioHash")
UNITS = (20, 40, 80, 160, 320)
ACTIVE = (1, 2, 4, 8, 16, 32)
NEIGHBOURS = 10

_COLOURS = dict(zip(METHODS, (GREY, ORANGE, BLUE), strict=True))
_RASTER, _ROW = 640, 14  # width of the raster and height of its rows in pixels

_STYLE = STYLE + Path(__file__).with_suffix(".css").read_text("utf-8")


@dataclass(frozen=True, eq=False)
class Items:
    """What is hashed: vectors, and how to show what they stand for."""

    vectors: np.ndarray  # float32 (N, D)
    names: list[str]  # a digit's class, or the word
    queries: np.ndarray  # int (Q,), the items that are looked up; all others are the database
    labels: np.ndarray | None = None  # (N,), which items are alike; if None, the 2 % nearest by Euclidean distance are
    pictures: list[str] | None = None  # PNG, as ``data:`` addresses

    @property
    def database(self) -> np.ndarray:
        """The items that are no queries."""
        return np.setdiff1d(np.arange(len(self.vectors)), self.queries)


def picture_items(data: ImageData, queries: np.ndarray) -> Items:
    """Make items of pictures, of which those numbered by `queries`, shape (Q,), are looked up."""
    names = [str(label) for label in data.labels]
    pictures = [_png(pixels.reshape(data.shape)) for pixels in data.pixels]
    return Items(data.pixels, names, np.asarray(queries), data.labels, pictures)


def word_items(words: Sequence[str], vectors: np.ndarray, n_queries: int = 200) -> Items:
    """Make items of words, of which `n_queries`, spread evenly over the list, are looked up.

    There is one vector per word, shape (N, D); they are scaled to length 1, so that near means a large cosine.
    """
    vectors = np.asarray(vectors, np.float32)
    if len(vectors) != len(words):
        raise ValueError(f"{len(words)} words need as many vectors, not {len(vectors)}")
    if not 1 <= n_queries < len(words):
        raise ValueError(f"n_queries must be from 1 to {len(words) - 1}, got {n_queries}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = np.unique(np.linspace(0, len(words) - 1, n_queries).astype(int))
    return Items(vectors / np.where(lengths > 0, lengths, 1), list(words), queries)


class Hashes:
    """All codes of some items, by method, number of units and number of active units, and what they are worth.

    The hashes are trained on the database, not on the queries. It must hold 320 items, the largest K, or more. In
    `scores`, (method, K, k) → mean average precision over the queries, for k up to K; LSH has the same at every k.
    """

    def __init__(self, items: Items, seed: int = 0) -> None:
        if len(items.database) < max(UNITS):
            raise ValueError(f"the database has {len(items.database)} items; {max(UNITS)} units need as many")
        self.items = items
        self.scores: dict[tuple[str, int, int], float] = {}
        self._codes: dict[tuple[str, int, int], sp.csr_array] = {}
        jobs = [(method, n_units) for n_units in UNITS for method in METHODS]
        for method, n_units in tqdm(jobs, desc=_("hashing"), file=sys.stdout):
            self._hash(method, n_units, seed)

    def codes(self, method: str, n_units: int, n_active: int) -> sp.csr_array:
        """Return the codes of all items: zeros and ones, shape (N, K)."""
        return self._codes[method, n_units, n_active]

    def _hash(self, method: str, n_units: int, seed: int) -> None:
        vectors, database = self.items.vectors, self.items.database
        if method == "LSH":
            # Planes through the mean, or all pictures would be on one side of most.
            vectors = vectors - vectors[database].mean(axis=0)
            hasher = LSH(n_units, random_state=seed)
        else:
            hasher = {"FlyHash": FlyHash, "BioHash": BioHash}[method](n_units, 1, random_state=seed)
        hasher.fit(vectors[database])
        for k in (k for k in ACTIVE if k <= n_units):
            if method != "LSH":
                hasher.set_params(n_active=k)
            if method != "LSH" or k == ACTIVE[0]:  # LSH has the same codes at every k
                codes = sp.csr_array(hasher.transform(vectors) > 0, dtype=np.uint8)
                score = self._score(codes)
            self._codes[method, n_units, k], self.scores[method, n_units, k] = codes, score

    def _score(self, codes: sp.csr_array) -> float:
        items = self.items
        measure, truth = mean_average_precision, items.labels
        if truth is None:
            measure, truth = neighbour_mean_average_precision, items.vectors
        return measure(*(part[some] for part in (codes, truth) for some in (items.queries, items.database)))


@dataclass(frozen=True, eq=False)
class HashState:
    """One query and what its code finds."""

    items: Items
    method: str
    n_units: int  # K
    n_active: int  # k
    query: int  # number of the item looked up
    neighbours: np.ndarray  # int (10,), the items nearest by Hamming distance, of equal ones the first
    distances: np.ndarray  # int (10,), the bits in which they differ
    ties: int  # items of the database that are as near as the last of them
    bits: np.ndarray  # bool (11, K), codes of the query and of the neighbours
    curves: dict[str, dict[int, float]]  # method → k → mean average precision, at this K


def state(hashes: Hashes, method: str, n_units: int, n_active: int, query: int) -> HashState:
    """Look up any one item, which is not among its own neighbours, by codes that were computed."""
    codes = hashes.codes(method, n_units, n_active)
    sizes = np.diff(codes.indptr)
    shared = codes.astype(np.int32) @ codes[[query]].toarray()[0].astype(np.int32)
    distances = sizes + sizes[query] - 2 * shared
    candidates = hashes.items.database
    candidates = candidates[candidates != query]
    order = candidates[np.argsort(distances[candidates], kind="stable")][:NEIGHBOURS]
    ks = [k for k in ACTIVE if k <= n_units]
    curves = {name: {k: hashes.scores[name, n_units, k] for k in ks} for name in METHODS}
    ties = int((distances[candidates] == distances[order[-1]]).sum())
    bits = codes[[query, *order]].toarray().astype(bool)
    return HashState(hashes.items, method, n_units, n_active, query, order, distances[order], ties, bits, curves)


def render(state: HashState) -> str:
    """Draw a state as HTML: neighbours, codes, and the curve of mean average precision. Names are escaped."""
    pairs = zip(state.neighbours, state.distances, strict=True)
    shown = [_item(state, state.query, _("looked up"))]
    shown += [_item(state, item, _("distance {d}", d=d)) for item, d in pairs]
    note = _(
        "As near as the last one shown (distance {d}): {ties:,} of the items, itself included.",
        **{"d": state.distances[-1], "ties": state.ties},
    )
    return (
        f'<div class="kexue-neighbours">{"".join(shown)}</div>'
        f'<p class="kexue-quiet">{note}</p>'
        f'<div class="kexue-plots"><div>{_raster(state)}</div><div>{_curves(state)}</div></div>'
    )


def _item(state: HashState, item: int, caption: str) -> str:
    items, css = state.items, "kexue-item"
    name = escape(items.names[item])
    if items.pictures is None:
        body = f'<bdi class="kexue-chip">{name}</bdi>'
    else:
        mark = ""
        if item != state.query and items.labels is not None:
            same = items.labels[item] == items.labels[state.query]
            css += " kexue-same" if same else " kexue-other"
            mark = " ✓" if same else " ✗"
        alt = _("picture of {name}", name=name)
        body = f'<img width="48" height="48" src="{items.pictures[item]}" alt="{alt}"/>{name}{mark}'
    return f'<div class="{css}">{body}<div class="kexue-quiet">{caption}</div></div>'


def _raster(state: HashState) -> str:
    bits, width = state.bits, _RASTER / state.n_units
    names = [_("looked up"), *(escape(state.items.names[item]) for item in state.neighbours)]
    height = _ROW * len(bits)
    shared = bits & bits[0]
    shared[0] = False
    layers = ((ORANGE, bits[:1]), (BLUE, shared), (GREY, bits & ~bits[0]))
    paths = "".join(f'<path fill="{colour}" d="{_cells(part, width)}"/>' for colour, part in layers)
    labels = "".join(f'<text x="{_RASTER + 6}" y="{_ROW * i + 11}">{name}</text>' for i, name in enumerate(names))
    caption = _(
        "The codes, one row each: {ones} of {bits} bits are 1 (orange). Blue: 1 in the query too. Grey: 1 only here.",
        **{"ones": int(bits[0].sum()), "bits": state.n_units},
    )
    ground = f'<rect width="{_RASTER}" height="{height}" fill="{GREY}" fill-opacity=".12"/>'
    frame = Chart(0, state.n_units, 0, len(bits), width=_RASTER + 90, height=height)
    return frame.figure(caption, [ground, paths, labels])


def _cells(bits: np.ndarray, width: float) -> str:
    """Make an SVG path of one rectangle per set bit."""
    drawn = max(width, 1.5)  # thinner than that would vanish
    corners = ((_ROW * r, width * c) for r, c in zip(*np.nonzero(bits), strict=True))
    return "".join(f"M{x:.1f} {y + 1}h{drawn:.1f}v{_ROW - 2}h-{drawn:.1f}z" for y, x in corners)


def _curves(state: HashState) -> str:
    ks = [k for k in ACTIVE if k in state.curves[state.method]]
    frame = Chart(0, max(1, len(ks) - 1), 0, 1, width=330, height=190, left=40, right=70, bottom=34)
    parts = [frame.y_tick(score, f"{score:g}") for score in (0, 0.25, 0.5, 0.75, 1)]
    parts += [frame.x_tick(i, str(k)) for i, k in enumerate(ks)]
    parts.append(frame.x_name(f"{_('active units k, at K =')} {state.n_units}"))
    lowest = -0.14
    for last, name in sorted((curve[ks[-1]], name) for name, curve in state.curves.items()):
        lowest = max(last - 0.03, lowest + 0.1)  # from the bottom up, no label on top of another
        parts.append(frame.text(frame.x1, lowest, name, dx=8))
    for name, curve in state.curves.items():
        dash = "5 3" if name == "LSH" else ""
        parts.append(frame.line(range(len(ks)), [curve[k] for k in ks], _COLOURS[name], dash))
    here = state.curves[state.method][state.n_active]
    parts.append(frame.dot(ks.index(state.n_active), here, _COLOURS[state.method]))
    alike = _("classes") if state.items.labels is not None else _("true neighbours")
    caption = _("Mean average precision ({alike}) of {method}:", alike=alike, method=state.method) + f" {here:.3f}"
    return frame.figure(caption, parts)


def _png(pixels: np.ndarray) -> str:
    """Encode a picture, 0 white and 1 black."""
    buffer = io.BytesIO()
    Image.fromarray((255 * (1 - pixels)).astype(np.uint8)).save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


class HashExplorer(Explorer):
    """Choose a hash and its sparsity, and see codes, neighbours and mean average precision.

    The data sets to switch between are given by name. What is shown of them is the attribute ``state``.
    """

    styles = _STYLE

    def __init__(self, hashes: Mapping[str, Hashes]) -> None:
        super().__init__()
        if not hashes:
            raise ValueError("hashes is empty; give at least one data set")
        self._hashes = dict(hashes)
        wide = {"width": "420px"}
        self.data = widgets.ToggleButtons(options=list(hashes), description=_("data"), tooltip=_("what is hashed"))
        self.method = widgets.ToggleButtons(options=METHODS, description=_("method"), tooltip=_("which hash"))
        self.data.style.button_width = self.method.style.button_width = "auto"
        self.data.layout.display = None if len(hashes) > 1 else "none"
        self.n_units = widgets.SelectionSlider(options=UNITS, description=_("units K"), layout=wide)
        self.n_active = widgets.SelectionSlider(options=ACTIVE, description=_("active k"), layout=wide)
        self.query = widgets.IntSlider(description=_("look up"), min=0, max=1, layout=wide)
        self.word = TextBox(description=_("or a word"), placeholder="film", continuous_update=False)
        self.on_change(self.data, self._switch)
        for control in (self.method, self.n_units, self.n_active, self.query, self.word):
            self.on_change(control, self._refresh)
        self.lay_out(
            row(self.data, self.method),
            row(self.n_units, self.n_active),
            row(self.query, self.word, self.reset_button()),
        )
        self.reset()

    def reset(self) -> None:
        """Go back to BioHash with 160 units, 8 of them active, and the first query."""
        with self.filling():
            self.data.index = 0
            self.method.value, self.n_units.value, self.n_active.value = "BioHash", 160, 8
        self._switch()

    def static_text(self) -> str:
        """Return query and neighbours in words."""
        query, *found = (visible(self.state.items.names[item]) for item in (self.state.query, *self.state.neighbours))
        return f"{self._describe()}\n{_('Looked up: ')}{query}\n{_('Found: ')}{_(', ').join(found)}"

    def static_html(self) -> str:
        """Return the setting and what it finds."""
        return f"<p>{self._describe()}</p>{self.picture.value}"

    def _describe(self) -> str:
        now = {"method": self.state.method, "units": self.state.n_units, "active": self.state.bits[0].sum()}
        return _("{method}, {units} units, {active} of them active", **now)

    def _switch(self) -> None:
        items = self._hashes[self.data.value].items
        with self.filling():
            self.query.max = len(items.queries) - 1
            self.query.value, self.word.value = 0, ""
            self.word.layout.display = "none" if items.pictures else None
        self._refresh()

    def _refresh(self) -> None:
        hashes = self._hashes[self.data.value]
        method, n_units, n_active = self.method.value, self.n_units.value, self.n_active.value
        self.n_active.disabled = method == "LSH"
        most = max(k for k in ACTIVE if k <= n_units)
        if n_active > most:
            with self.filling():
                self.n_active.value = n_active = most
        word = self.word.value.strip()
        self.query.disabled = bool(word)
        query = self._find(word) if word else int(hashes.items.queries[self.query.value])
        self.state = state(hashes, method, n_units, n_active, query)
        self.picture.value = render(self.state)
        self.say(*([_("LSH has no k: about half of its bits are 1.")] if method == "LSH" else []))

    def _find(self, word: str) -> int:
        names = self._hashes[self.data.value].items.names
        for name in (word, word.lower()):
            if name in names:
                return names.index(name)
        close = difflib.get_close_matches(word.lower(), names, n=3)
        hint = _(" Did you mean {words}?", words=_(" or ").join(close)) if close else ""
        raise InvalidInput(_("“{word}” is not among the {count:,} words here.", word=word, count=len(names)) + hint)
