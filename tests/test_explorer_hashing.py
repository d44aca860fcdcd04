import copy
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import scipy.sparse as sp

from kexue_nlp.datasets.images import ImageData
from kexue_nlp.hashing import BioHash
from kexue_nlp.lessons.hashing.explorer import METHODS, NEIGHBOURS, UNITS, render, state
from kexue_nlp.scoring import mean_average_precision, neighbour_mean_average_precision
from kexue_nlp.widgets import Hashes, HashExplorer, errors, picture_items, word_items

HOSTILE = "<img src=x onerror=alert(1)>\"'&"
pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def digits():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 90)
    pixels = (rng.random((4, 12))[labels] + 0.2 * rng.random((len(labels), 12))).astype(np.float32) / 1.2
    data = ImageData(pixels, labels, (3, 4), "made up", "none", "none")
    return Hashes(picture_items(data, np.arange(0, len(labels), 10)))


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(1)
    names = [HOSTILE, *(f"word{i}" for i in range(369))]
    return Hashes(word_items(names, rng.normal(size=(370, 8)), n_queries=50))


@pytest.fixture
def explorer(digits, words):
    return HashExplorer({"digits": digits, "words": words})


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_are_the_nearest_by_hamming_distance(digits, method):
    codes = digits.codes(method, 40, 4).toarray()
    query = int(digits.items.queries[3])
    found = state(digits, method, 40, 4, query)
    distances = (codes[digits.items.database] != codes[query]).sum(axis=1)
    assert found.distances.tolist() == sorted(distances)[:NEIGHBOURS]
    assert ((codes[found.neighbours] != codes[query]).sum(axis=1) == found.distances).all()
    assert found.ties == (distances == found.distances[-1]).sum()
    assert (found.bits == codes[[query, *found.neighbours]]).all()
    inside = int(digits.items.database[0])
    assert inside not in state(digits, method, 40, 4, inside).neighbours


def test_distances_are_right_for_codes_with_many_ones(words):
    codes = sp.csr_array((np.random.default_rng(1).random((370, 700)) < 0.9).astype(np.uint8))
    hashes = copy.copy(words)
    hashes._codes = {("LSH", 320, 1): codes}
    dense = codes.toarray()
    found = state(hashes, "LSH", 320, 1, 0)
    assert ((dense[found.neighbours] != dense[0]).sum(axis=1) == found.distances).all()


def test_scores_are_those_of_hashes_of_the_database(digits, words):
    items = digits.items
    codes = BioHash(40, 4, random_state=0).fit(items.vectors[items.database]).transform(items.vectors)
    parts = [part[i] for part in (codes, items.labels) for i in (items.queries, items.database)]
    assert digits.scores["BioHash", 40, 4] == pytest.approx(mean_average_precision(*parts))
    assert ("BioHash", 20, 16) in digits.scores
    assert ("BioHash", 20, 32) not in digits.scores
    assert len({digits.scores["LSH", 80, k] for k in (1, 2, 4, 8, 16, 32)}) == 1
    items, codes = words.items, words.codes("BioHash", 40, 4)
    parts = [part[i] for part in (codes, items.vectors) for i in (items.queries, items.database)]
    assert words.scores["BioHash", 40, 4] == pytest.approx(neighbour_mean_average_precision(*parts))
    assert words.scores["LSH", 320, 1] > words.scores["LSH", 20, 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_units", [UNITS[0], UNITS[-1]])
def test_picture_is_well_formed_and_tells_the_same_class(digits, method, n_units):
    found = state(digits, method, n_units, 4, int(digits.items.queries[0]))
    page = render(found)
    root = ElementTree.fromstring(f"<div>{page}</div>")
    assert len(list(root.iter("img"))) == NEIGHBOURS + 1
    assert [bool(svg.get("aria-label")) for svg in root.iter("svg")] == [True, True]
    same = digits.items.labels[found.neighbours] == digits.items.labels[found.query]
    assert (page.count("✓"), page.count("✗")) == (same.sum(), (~same).sum())


def test_every_control_changes_the_picture(explorer):
    seen = {explorer.picture.value}
    settings = {"method": "FlyHash", "n_units": 40, "n_active": 2, "query": 7, "data": "words"}
    for n, (control, value) in enumerate(settings.items(), start=2):
        getattr(explorer, control).value = value
        seen.add(explorer.picture.value)
        assert (len(seen), errors) == (n, [])


def test_lsh_has_no_k_and_reset_brings_back_the_beginning(explorer):
    before = explorer.picture.value
    explorer.data.value, explorer.method.value, explorer.n_units.value = "words", "LSH", 20
    assert explorer.n_active.disabled
    assert "half" in explorer.message.value
    explorer.reset()
    assert (explorer.picture.value, errors) == (before, [])
    for method in METHODS:  # no more units are active than there are
        explorer.method.value, explorer.n_units.value, explorer.n_active.value = method, 160, 32
        explorer.n_units.value = 20
        assert explorer.n_active.value == explorer.state.n_active == 16
    assert errors == []


def test_a_typed_word_is_looked_up_and_forgotten_with_the_data(explorer, words):
    page = render(state(words, "BioHash", 40, 4, 0))
    assert ("<img" in page, "&lt;img" in page) == (False, True)
    assert explorer.word.layout.display == "none"
    explorer.data.value = "words"
    assert explorer.word.layout.display is None
    for typed, said in (("wrod17", "word17"), ("<script>", "&lt;script&gt;")):
        explorer.word.value = typed
        assert said in explorer.message.value
    explorer.word.value = " Word17 "
    assert explorer.state.items.names[explorer.state.query] == "word17"
    assert explorer.query.disabled
    explorer.data.value = "digits"
    explorer.data.value = "words"
    assert (explorer.word.value, explorer.query.disabled, errors) == ("", False, [])


def test_without_widgets_the_picture_and_the_setting_are_shown(explorer):
    bundle = explorer._repr_mimebundle_()
    for kind in ("text/html", "text/plain"):
        assert "BioHash, 160 units, 8 of them active" in bundle[kind]
    assert 'src="data:image/svg+xml' in bundle["text/html"]


def test_too_little_data_is_an_error():
    for n_vectors, n_queries, message in ((5, 2, "as many vectors"), (4, 4, "1 to 3"), (4, 0, "1 to 3")):
        with pytest.raises(ValueError, match=message):
            word_items(["a", "b", "c", "d"], np.eye(n_vectors), n_queries)
    with pytest.raises(ValueError, match="hashes is empty"):
        HashExplorer({})
    with pytest.raises(ValueError, match="database has 2 items; 320 units"):
        Hashes(word_items(["a", "b", "c", "d"], np.eye(4), n_queries=2))
