import base64
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kexue_nlp.datasets.images import ImageData
from kexue_nlp.hashing import LSH, BioHash, FlyHash
from kexue_nlp.lessons.hashing.explorer import EXAMPLES, METHODS, NEIGHBOURS, UNITS, read
from kexue_nlp.scoring import mean_average_precision
from kexue_nlp.widgets import Hashes, HashExplorer, errors
from kexue_nlp.word_vectors import BioWord

HOSTILE = "<img/src=x>"
SENTENCES = ["he was shot with a gun", "the film was shot on video", f"{HOSTILE} the cold war and the {HOSTILE} film"]
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def digits():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 90)
    pixels = (rng.random((4, 12))[labels] + rng.random((len(labels), 12))).astype(np.float32) / 2
    return Hashes(ImageData(pixels, labels, (3, 4), "made up", "none", "none"), np.arange(0, len(labels), 10))


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(1)
    documents = [rng.permutation(SENTENCES[i % 3].split()).tolist() for i in range(300)]
    return BioWord(n_units=40, n_active=8, window=5, random_state=0).fit(documents)


@pytest.fixture
def explorer(digits, words):
    return HashExplorer(digits, words)


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_are_the_nearest_by_hamming_distance(digits, method):
    codes, items = digits.codes(method, 40, 4), np.array([digits.queries[3], digits.database[0]])
    for item, found in zip(items, digits.nearest(method, 40, 4, items), strict=True):
        others = digits.database[digits.database != item]
        distances = (codes[others] != codes[item]).sum(axis=1)
        assert found.tolist() == others[np.argsort(distances, kind="stable")[:NEIGHBOURS]].tolist()


@pytest.mark.parametrize("k", [1, 4, 32])
def test_codes_are_those_of_hashes_of_the_database(digits, k):
    pixels, inside = digits.images.pixels, digits.images.pixels[digits.database]
    for method, hasher in (("FlyHash", FlyHash(40, k, random_state=0)), ("BioHash", BioHash(40, k, random_state=0))):
        codes = hasher.fit(inside).transform(pixels)
        assert (digits.codes(method, 40, k) == codes.toarray()).all()
        labels = digits.images.labels
        parts = [part[some] for part in (codes, labels) for some in (digits.queries, digits.database)]
        assert digits.scores[method, 40, k] == pytest.approx(mean_average_precision(*parts))
    centred = pixels - inside.mean(axis=0)
    assert (digits.codes("LSH", 40, k) == (LSH(40, random_state=0).fit(inside).transform(centred) > 0)).all()
    assert digits.scores["LSH", 40, k] == digits.scores["LSH", 40, 1]
    assert ("BioHash", 20, 32) not in digits.scores


def test_first_query_tells_the_hashes_apart_best(digits, explorer):
    labels, queries = digits.images.labels, digits.queries
    bio, lsh = (labels[digits.nearest(method, 160, 16, queries)] == labels[queries, None] for method in METHODS[::-2])
    margins = dict(zip(queries.tolist(), (bio.sum(axis=1) - lsh.sum(axis=1)).tolist(), strict=True))
    assert (UNITS[explorer.view.size], explorer.view.k) == (160, 16)
    assert margins[explorer.view.item] == max(margins.values()) > min(margins.values())


@pytest.mark.parametrize("text", [*SENTENCES[:2], "film", "so HE, um, was shot the the film he shot by the gun"])
def test_votes_are_weights_at_and_around_the_centre(words, text):
    one, n_words = read(words, text), len(words.words_)
    votes = np.frombuffer(base64.b64decode(one["votes"]), "<f4").reshape(2, len(one["ids"]), -1)
    for i, (word, number) in enumerate(zip(one["words"], one["ids"], strict=True)):
        assert (number >= 0) == (word in words)
        assert words.words_[number] == word or number < 0
        expected = words.weights_[[n_words + number, number]] if number >= 0 else 0
        assert (votes[:, i] == expected).all()
    assert one["ids"][one["place"]] == max(one["ids"])  # the rarest


def test_the_word_in_brackets_is_looked_at_where_it_stands(words):
    for text, place in (("the film the [the] film", 3), ("the [gnu] film", None), ("film " * 40 + "[gun]", None)):
        one = read(words, text)
        assert one["place"] == (one["ids"].index(max(one["ids"])) if place is None else place)


def test_examples_show_the_word_in_brackets_if_it_is_known(explorer):
    assert [one["words"][one["place"]] for one in explorer.view.sentences[:-1]] == ["shot", "shot", "cold", "cold"]
    assert len(explorer.example.options) == 5 < len(EXAMPLES)


def test_without_widgets_neighbours_of_pictures_and_words_are_shown(explorer, words):
    explorer.sentence.value = "cold war"
    explorer.view.place = 0
    bundle = explorer._repr_mimebundle_()
    lines = list(ElementTree.fromstring(explorer.static_html()).iter("tr"))
    assert [line.find("th").text for line in lines[3:]] == ["cold alone", "cold in “cold war”"]
    for first, *images in (list(line.iter("img")) for line in lines[:3]):
        assert [image.get("alt") == first.get("alt") for image in images] == ["solid" in i.get("style") for i in images]
    for query in ("cold", ("cold war", 0)):
        assert ", ".join(name for name, _ in words.nearest(query, NEIGHBOURS, 16)) in bundle["text/plain"]
    assert (HOSTILE in bundle["text/html"], "&lt;img/src" in bundle["text/html"]) == (False, True)


def test_a_typed_word_is_looked_up_and_reset_forgets_it(explorer):
    view = explorer.view
    for typed, said in (("flim", "film"), ("<script>", "script"), ("of " * 40, "first 30 words of 40")):
        explorer.sentence.value = typed
        assert said in explorer.message.value
    explorer.example.index = len(explorer.example.options) - 1  # as the page does when something is typed
    assert explorer.message.value
    explorer.example.index = 1
    assert (explorer.sentence.value, explorer.message.value) == ("", "")
    explorer.sentence.value = "flim"
    explorer.sentence.value = ""
    assert explorer.message.value == ""
    explorer.sentence.value = " Cold film "
    assert (view.sentences[view.index]["words"], view.index, explorer.message.value) == (["cold", "film"], 4, "")
    view.k, view.size, view.item, view.silent, view.tab = 3, 0, 7, [1], 1
    explorer.reset()
    assert all(getattr(view, name) == value for name, value in explorer._start.items())
    assert (view.index, view.k, view.tab, explorer.sentence.value, errors) == (0, 16, 1, "", [])


def test_too_little_data_is_an_error(digits):
    with pytest.raises(ValueError, match="database has 2 items; 320 units"):
        Hashes(digits.images, np.arange(2, 360))
