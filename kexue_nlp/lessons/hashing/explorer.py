"""Digits under three hashes side by side, words alone and in a sentence: codes, and what they find (article 8159)."""

import base64
import difflib
import html
import io
from itertools import islice
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets
from PIL import Image

from kexue_nlp.datasets import ImageData
from kexue_nlp.figures import GREEN, VERMILION
from kexue_nlp.hashing import LSH, BioHash, FlyHash
from kexue_nlp.language import N_, _
from kexue_nlp.scoring import mean_average_precision
from kexue_nlp.widgets.base import UNFIT, Explorer, TextBox, escape, one_line, row
from kexue_nlp.widgets.view import View
from kexue_nlp.word_vectors import BioWord, unquoted_words

__all__ = ["HashExplorer", "Hashes", "read"]

METHODS = ("LSH", "FlyHash", "BioHash")
UNITS = (20, 40, 80, 160, 320)
ACTIVE = (1, 2, 4, 8, 16, 32)  # where mean average precision is measured
NEIGHBOURS = 10
EXAMPLES = (
    "the [lead] actress is superb", "clues that [lead] the detective to the killer",
    "he was [shot] with a gun", "the film was [shot] on video", "they sat on the [bank] of the river",
    "a [cold] winter night in the snow", "the [cold] war and the soviet union",
)  # fmt: skip

_HERE = Path(__file__).parent
_MOST = max(ACTIVE)  # units of a code that are sent to the page
_NONE = 65535  # in place of a unit
_WORDS_READ = 30  # of a sentence
_START = {"k": 16, "size": UNITS.index(160), "index": 0, "place": -1, "typed": "", "silent": []}
_WORDS = {
    "distance": N_("{d} bits differ"), "right": N_("{right} of {all} right"), "query": N_("looked up: {label}"),
    "ties": N_("The last one differs in {d} bits; pictures as near as it: {ties}."),
    "full": N_("All units are on: all codes are the same."),
    "unit": N_("What unit {unit} has learned"), "on": N_("Units that are on: {on} of {n}."),
    "half": N_("Bits that are on, whatever k: {on} of {n}."), "among": N_("among {n} pictures"),
    "curves": N_("Mean average precision over all queries with {n} units, measured at k = {k}"),
    "active": N_("active units k"),
    "votes": N_("Who votes for the {k} units in the sentence? A click takes a vote away, but for the word's own."),
    "voted": N_("Unit “{names}” ({unit}): who votes for it in the sentence?"),
    "lost": N_("Unit “{names}” ({unit}) is off in the sentence: too few votes. Whose are they?"),
    "nearest": N_("nearest words"), "names": N_("what the strongest units stand for"), "alone": N_("{word} alone"),
    "within": N_("in this sentence"), "shared": N_("{shared} of {k}"), "unknown": N_("not in the vocabulary"),
    "stay": N_("In the sentence {stay} of the {k} units of “{word}” stay on (blue); orange: in one code only."),
    "lonely": N_("The code of “{word}” alone: its {k} most excited units. Now type words around it."),
    "hint": N_(
        "Point at a neighbour: blue is on in both codes, grey in its own only. A click looks it up. Point at a square "
        "of BioHash: what its unit has learned."
    ),
    "pointing": N_(
        "Point at a square: what its unit stands for, and who votes for it. Point at a neighbour: blue is on in both "
        "codes, grey in its own only; a click looks it up."
    ),
    "empty": N_("Type a word, or a sentence, that film reviews know."),
}  # fmt: skip


def _strongest(activations: np.ndarray) -> np.ndarray:
    """Number the units of each row, uint16 of shape (N, 32 or K), the most excited first, of equals the first."""
    return np.argsort(-activations, axis=1, kind="stable")[:, :_MOST].astype("<u2")


def _shades(units: np.ndarray) -> bytes:
    """Return weights as grey values: the largest of each unit black, those below 0 white."""
    return (255 * np.clip(units / units.max(axis=1, keepdims=True), 0, 1)).astype(np.uint8).tobytes()


class Hashes:
    """The codes of pictures under three hashes, by number of units and of active units, and what they are worth.

    The hashes are trained on the database, all pictures but those numbered by `queries`, shape (Q,). It must hold 320,
    the largest K, or more. In `scores`, (method, K, k) → mean average precision over the queries, by class, for k up to
    K; LSH has the same at every k.
    """

    def __init__(self, images: ImageData, queries: np.ndarray, seed: int = 0) -> None:
        self.images, self.queries = images, np.asarray(queries)
        self.database = np.setdiff1d(np.arange(len(images.labels)), self.queries)
        if len(self.database) < max(UNITS):
            raise ValueError(f"the database has {len(self.database)} items; {max(UNITS)} units need as many")
        self.learned: dict[int, np.ndarray] = {}
        self.units: dict[tuple[str, int], np.ndarray] = {}  # bits of LSH, of others the units, the most excited first
        self.scores: dict[tuple[str, int, int], float] = {}
        # Planes through the mean, or all pictures would be on one side of most.
        centred = images.pixels - images.pixels[self.database].mean(axis=0)
        for n_units in UNITS:
            lsh = LSH(n_units, random_state=seed).fit(centred[self.database])
            self.units["LSH", n_units] = lsh.transform(centred) > 0
            for method, hasher in (("FlyHash", FlyHash), ("BioHash", BioHash)):
                units = hasher(n_units, 1, random_state=seed).fit(images.pixels[self.database]).components_
                self.units[method, n_units] = _strongest(images.pixels @ units.T)
                if method == "BioHash":
                    self.learned[n_units] = units  # float32 (K, D)
        for method, n_units in self.units:
            for k in (k for k in ACTIVE if k <= n_units):
                self.scores[method, n_units, k] = self._score(method, n_units, k)

    def _score(self, method: str, n_units: int, k: int) -> float:
        if method == "LSH" and k > 1:
            return self.scores[method, n_units, 1]
        codes, labels = self.codes(method, n_units, k), self.images.labels
        return mean_average_precision(
            *(part[some] for part in (codes, labels) for some in (self.queries, self.database))
        )

    def codes(self, method: str, n_units: int, n_active: int) -> np.ndarray:
        """Return the codes of all pictures, bool of shape (N, K)."""
        units = self.units[method, n_units]
        if method == "LSH":
            return units
        codes = np.zeros((len(units), n_units), bool)
        np.put_along_axis(codes, units[:, :n_active].astype(np.intp), True, axis=1)
        return codes

    def nearest(self, method: str, n_units: int, n_active: int, items: np.ndarray) -> np.ndarray:
        """Find the ten pictures of the database nearest by Hamming distance to each item, but for itself: (M, 10)."""
        codes = self.codes(method, n_units, n_active).astype(np.float32)
        sizes, shared = codes.sum(axis=1), codes[items] @ codes[self.database].T
        distances = sizes[items, None] + sizes[self.database] - 2 * shared
        distances[np.asarray(items)[:, None] == self.database] = np.inf
        return self.database[np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]]

    def telling(self, n_units: int, n_active: int) -> int:
        """Return the query of whose ten nearest more are right with BioHash than with LSH, by the largest margin."""
        labels = self.images.labels
        right = [
            (labels[self.nearest(method, n_units, n_active, self.queries)] == labels[self.queries, None]).sum(axis=1)
            for method in ("BioHash", "LSH")
        ]
        return int(self.queries[np.argmax(right[0] - right[1])])


def read(model: BioWord, text: str) -> dict[str, Any]:
    """Say in what JSON can hold what the page must know of a text of M words to give each its code in its context.

    One word stands in square brackets, or else the rarest is the one to look at: ``place`` is its position, None if no
    word is known. ``ids`` are numbers of words, −1 outside the vocabulary; ``votes`` are their weights at the centre of
    a window and around one, float32 of shape (2, M, K) in base 64.
    """
    words = unquoted_words(text)[:_WORDS_READ]
    numbers, n_words = {word: i for i, word in enumerate(model.words_)}, len(model.words_)
    ids = np.array([numbers.get(word, -1) for word in words], np.intp)
    known = ids[ids >= 0]
    # The last row, of what is no word, is zeros.
    votes = model.weights_[[np.where(ids < 0, 2 * n_words, ids + n_words), np.where(ids < 0, 2 * n_words, ids)]]
    before, marked, _rest = text.partition("[")
    place = len(unquoted_words(before)) if marked else len(words)
    if place >= len(words) or ids[place] < 0:
        place = ids.tolist().index(known.max()) if len(known) else None
    votes = base64.b64encode(votes.astype("<f4").tobytes()).decode("ascii")
    return {"words": words, "ids": ids.tolist(), "votes": votes, "place": place}


class HashView(View):
    """The picture of both tabs. Neighbours are found in the page, out of codes that are sent once."""

    _esm = View.script(_HERE / "codes.js", _HERE / "explorer.js")
    _css = View.style(_HERE / "explorer.css")

    words = traitlets.Dict(_WORDS).tag(sync=True)
    labels, shape, queries = (traitlets.List().tag(sync=True) for _ in range(3))
    pixels, table = (traitlets.Bytes().tag(sync=True) for _ in range(2))
    codes, measured, learned = (traitlets.Dict().tag(sync=True) for _ in range(3))
    unfit = traitlets.List().tag(sync=True)  # words that are no neighbours in a class
    vocabulary, names, sentences, silent = (traitlets.List().tag(sync=True) for _ in range(4))
    tab, k, size, item, index, place = (traitlets.Int().tag(sync=True) for _ in range(6))
    typed = traitlets.Unicode().tag(sync=True)


class HashExplorer(Explorer):
    """Digits under three hashes, in one tab, and words by BioWord, in the other: codes, and what they find.

    What is looked up first is the query that tells the hashes apart best; which examples there are for words depends on
    the vocabulary. What is shown is in the traits of ``view``.
    """

    def __init__(self, hashes: Hashes, words: BioWord) -> None:
        super().__init__()
        self._hashes, self._model = hashes, words
        weights = np.add(
            *words.weights_[: 2 * len(words.words_)].reshape(2, len(words.words_), -1)
        )  # as for static codes
        table = _strongest(weights)
        table[np.take_along_axis(weights, table.astype(np.intp), axis=1) <= 0] = _NONE
        self._most = int((table != _NONE).sum(axis=1).max())  # fewer than 32 where a small file kept fewer weights
        # A unit is named by words of which it is typical and that are not rare.
        fit = np.array([not UNFIT.search(word) for word in words.words_])
        typical = np.argpartition(-weights * (fit * np.log(words.counts_ + 1))[:, None], 3, axis=0)[:3].T
        names = [[words.words_[i] for i in unit[np.argsort(-weights[unit, j])]] for j, unit in enumerate(typical)]
        texts = [text for text in EXAMPLES if unquoted_words(text.partition("[")[2])[0] in words.words_]
        images, scores = hashes.images, hashes.scores
        units = {name: np.packbits(u, axis=1) if u.dtype == bool else u for name, u in hashes.units.items()}
        curves = [[[scores[name, n, k] for k in ACTIVE if k <= n] for name in METHODS] for n in UNITS]
        self._start = _START | {"item": hashes.telling(UNITS[_START["size"]], _START["k"])}
        self.view = HashView(
            labels=images.labels.tolist(),
            shape=list(images.shape),
            queries=hashes.queries.tolist(),
            pixels=(255 * images.pixels).astype(np.uint8).tobytes(),
            codes={f"{method} {n_units}": u.tobytes() for (method, n_units), u in units.items()},
            learned={str(n): _shades(units) for n, units in hashes.learned.items()},
            unfit=np.flatnonzero(~fit).tolist(),
            measured={"active": ACTIVE, "units": UNITS, "scores": curves, "half": words.window // 2},
            table=table.tobytes(),
            vocabulary=list(words.words_),
            names=names,
            sentences=[read(words, text) for text in (*texts, words.words_[0])],  # the last one until one is typed
            tab=0,
            **self._start,
        )

        wide = {"width": "420px", "max_width": "100%"}
        tabs = (_("digits: three hashes"), _("words: BioWord"))
        self.data = widgets.ToggleButtons(options=tabs, description=_("data"), tooltip=_("what is hashed"))
        self.data.style.button_width = "auto"
        self.k = widgets.IntSlider(description=_("active k"), min=1, max=_MOST, layout=wide)
        self.n_units = widgets.SelectionSlider(options=UNITS, description=_("units K"), layout=wide)
        self.item = widgets.IntSlider(description=_("look up"), min=0, max=len(images.labels) - 1, layout=wide)
        options = [*texts, _("your own")]
        self.example = widgets.Dropdown(options=options, description=_("example"), layout=wide)
        self.sentence = TextBox(placeholder=_("or type a word or a sentence"), layout={"flex": "1 1 200px"})
        reset = self.reset_button()
        self.n_units.add_class("kexue-chosen")
        for control in (self.sentence, reset):
            control.add_class("kexue-needs-kernel")
        parts = widgets.Stack([row(self.n_units, self.item), row(self.example, self.sentence)])
        # These ties hold in the page, with or without a kernel.
        ties = (
            ((self.data, "index"), "tab"), ((parts, "selected_index"), "tab"), ((self.k, "value"), "k"),
            ((self.n_units, "index"), "size"), ((self.item, "value"), "item"), ((self.example, "index"), "index"),
            ((self.sentence, "value"), "typed"),
        )  # fmt: skip
        self._ties = [widgets.jslink((self.view, trait), control) for control, trait in ties]
        for (control, name), trait in ties:
            setattr(control, name, getattr(self.view, trait))
        self.on_change(self.sentence, self._read)
        self.on_change(self.example, self._choose)
        self.lay_out(row(self.data, reset, self.k), parts, self.view)

    def reset(self) -> None:
        """Go back to the beginning, in the tab in sight."""
        with self.filling(), self.view.hold_sync():
            self.sentence.value = ""
            for name, value in self._start.items():
                setattr(self.view, name, value)
        self.say()

    def static_text(self) -> str:
        """Return what is found, in words."""
        return "\n".join(f"{title}: {_(', ').join(names)}" for title, names, _items in self._found())

    def static_html(self) -> str:
        """Return what is found: a line of digits for each method, and of words for each code."""
        lines = []
        for title, names, items in self._found():
            shown = (self._picture(item, items[0]) for item in items)
            shown = "".join(shown) if items else _(", ").join(map(escape, names))
            marked = "" if items else ' lang="en"'  # the model's words
            lines.append(f"<tr{marked}><th scope='row'>{html.escape(title)}</th><td>{shown}</td></tr>")
        return f"<table>{''.join(lines)}</table>"

    def _found(self) -> list[tuple[str, list[str], list[int]]]:
        """Return what is found, with all votes: titles, names, and numbers of pictures, first the one looked up."""
        view, labels, lines = self.view, self._hashes.images.labels, []
        n_units, k = UNITS[view.size], min(view.k, UNITS[view.size])
        for method in METHODS:
            items = [view.item, *self._hashes.nearest(method, n_units, k, [view.item])[0].tolist()]
            active = "" if method == "LSH" else _(", {k} of them active", k=k)
            title = _("{method}, {n} units", method=method, n=n_units) + active
            lines.append((title, [str(labels[item]) for item in items], items))
        sentence = view.sentences[view.index]
        place = sentence["place"] if view.place < 0 else view.place
        if place is not None:
            word, text, k = sentence["words"][place], " ".join(sentence["words"]), min(view.k, self._most)
            titles = _("{word} alone", word=word), _("{word} in “{text}”", word=word, text=text)
            for title, query in zip(titles, (word, (text, place))[: 1 + (text != word)], strict=False):
                near = (name for name, _same in self._model.nearest(query, 4 * NEIGHBOURS, k) if not UNFIT.search(name))
                lines.append((one_line(title), list(islice(near, NEIGHBOURS)), []))
        return lines

    def _picture(self, item: int, query: int) -> str:
        """Make an image: what is looked up without a border, of others those that are right in green."""
        images, buffer = self._hashes.images, io.BytesIO()
        pixels = (255 * (1 - images.pixels[item])).astype(np.uint8).reshape(images.shape)
        Image.fromarray(pixels).save(buffer, format="png")
        right = images.labels[item] == images.labels[query]
        border = "none" if item == query else f"3px solid {GREEN}" if right else f"3px dashed {VERMILION}"
        source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
        return f'<img width="36" height="36" style="border: {border}" alt="{images.labels[item]}" src="{source}"/>'

    def _choose(self) -> None:
        """Forget what was typed, unless the choice says that it is looked at."""
        if self.example.index < len(self.example.options) - 1:
            with self.filling():
                self.sentence.value = ""
            self.say()

    def _read(self) -> None:
        text = self.sentence.value
        one, count, known = read(self._model, text), len(unquoted_words(text)), self._model.words_
        with self.view.hold_sync():
            self.view.sentences, self.view.place = [*self.view.sentences[:-1], one], -1
            self.view.index = len(self.view.sentences) - 1
        said = []
        if one["words"] and one["place"] is None:
            word = one["words"][0]
            close = difflib.get_close_matches(word, known, n=3)
            hint = _(" Did you mean {words}?", words=_(" or ").join(close)) if close else ""
            said = [_("“{word}” is not among the {count:,} words here.", word=one_line(word), count=len(known)) + hint]
        if count > _WORDS_READ:
            said.append(_("Only the first {limit} words of {count:,} are read.", limit=_WORDS_READ, count=count))
        self.say(*said)
