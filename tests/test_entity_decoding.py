"""Where labelled names stand, and the decoders that make entities of tags with the help of a gazetteer."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue_nlp.entity_decoding import align_entities, entities_among, find_entities, polarity_probabilities
from kexue_nlp.lexicon import Matcher
from kexue_nlp.tagging import POLARITY, POLARITY_BEGIN, entities_to_tags

NAMES = ["本田", "丰田", "奔驰", "北京奔驰", "唐"]
TWICE = [(0, 2, "pos"), (2, 4, "neg"), (4, 6, "pos")]


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param("本田丰田本田", [("本田", "pos"), ("丰田", "neg")], TWICE, id="every occurrence"),
        pytest.param("北京奔驰和奔驰", [("奔驰", "pos")], [(5, 7, "pos")], id="not inside a longer name"),
        pytest.param("北京奔驰好", [("奔驰", "pos")], [(2, 4, "pos")], id="inside it if that is all"),
        pytest.param("北京奔驰好", [("奔驰", "pos"), ("北京奔驰", "neg")], [(0, 4, "neg")], id="place is taken"),
        pytest.param("观致好", [("观致", "pos")], [(0, 2, "pos")], id="not in the gazetteer"),
        pytest.param("丰田好", [("本田", "pos")], [], id="does not occur"),
        pytest.param("本田丰田", [("本田", "neu")], [(0, 2, "neu")], id="neighbour without a label"),
        pytest.param("", [], [], id="empty"),
    ],
)
def test_labels_are_found_in_the_text(text, labels, expected):
    assert find_entities(text, labels, Matcher(NAMES)) == expected


def score(log_p, entities, scheme, bonus):
    tags = entities_to_tags(len(log_p), entities, scheme)
    return log_p[np.arange(len(tags)), tags].sum() + bonus * len(entities)


def best_by_trying_all(log_p, spans, scheme, bonus):
    """Score every set of spans that do not overlap, with every choice of polarities."""
    best = -np.inf
    for polarities in itertools.product((None, "pos", "neu", "neg"), repeat=len(spans)):
        chosen = [(*span, polarity) for span, polarity in zip(sorted(spans), polarities, strict=True) if polarity]
        if all(a[1] <= b[0] for a, b in itertools.pairwise(chosen)):
            best = max(best, score(log_p, chosen, scheme, bonus))
    return best


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_names_decoder_is_exact(data):
    length = data.draw(st.integers(1, 5))
    scheme = data.draw(st.sampled_from([POLARITY, POLARITY_BEGIN]))
    ends = st.integers(1, length)
    span = ends.flatmap(lambda end: st.tuples(st.integers(0, end - 1), st.just(end)))
    spans = data.draw(st.lists(span, max_size=4, unique=True))
    bonus = data.draw(st.sampled_from([0.0, 1.5, -1.5]))
    log_p = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).normal(scale=2, size=(length, len(scheme.tags)))
    starts, ends = np.array(spans, dtype=int).reshape(-1, 2).T
    found = entities_among(log_p, starts, ends, scheme, bonus)
    assert {entity[:2] for entity in found} <= set(spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    assert score(log_p, found, scheme, bonus) == pytest.approx(best_by_trying_all(log_p, spans, scheme, bonus))


def test_a_bonus_finds_more_and_a_negative_one_less():
    log_p = np.log([[0.5, 0.4, 0.05, 0.05], [0.5, 0.4, 0.05, 0.05], [0.2, 0.6, 0.1, 0.1]])
    spans = np.array([0, 2]), np.array([2, 3])
    assert entities_among(log_p, *spans) == [(2, 3, "pos")]
    assert entities_among(log_p, *spans, bonus=1.0) == [(0, 2, "pos"), (2, 3, "pos")]
    assert entities_among(log_p, *spans, bonus=-2.0) == []


def test_probability_of_a_polarity_is_against_the_others_and_no_entity():
    p = np.array([[0.2, 0.6, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
    means = np.sqrt(p[0] * p[1])
    found = polarity_probabilities(np.log(p), [(0, 2, "pos"), (0, 1, "neg")])
    assert found == pytest.approx([means[1] / means.sum(), 0.1])


def test_log_probabilities_spans_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="two polarities"):
        find_entities("本田", [("本田", "pos"), ("本田", "neg")], Matcher(NAMES))
    no_numbers = np.full((3, 4), np.nan)
    for log_p, scheme in ((no_numbers, POLARITY), (np.zeros((3, 7)), POLARITY), (np.zeros((3, 4)), POLARITY_BEGIN)):
        with pytest.raises(ValueError, match="log-probabilities must be numbers of shape"):
            entities_among(log_p, np.array([0]), np.array([2]), scheme)
    for decode, (start, end) in itertools.product((entities_among, align_entities), ((-1, 2), (1, 1), (0, 4))):
        with pytest.raises(ValueError, match="text of 3 characters"):
            decode(np.zeros((3, 4)), np.array([start]), np.array([end]))


def emissions(rows):
    """Log-probabilities of outside, positive, neutral, negative from a string such as "01?" (? is less sure)."""
    table = {"0": (0.94, 0.02, 0.02, 0.02), "1": (0.04, 0.9, 0.03, 0.03), "2": (0.04, 0.03, 0.9, 0.03)}
    table |= {"3": (0.04, 0.03, 0.03, 0.9), "?": (0.6, 0.2, 0.1, 0.1)}
    return np.log([table[row] for row in rows]).astype(np.float32)


def align(text, names, rows, **options):
    starts, ends, _ = Matcher(names).find(text)
    return align_entities(emissions(rows), starts, ends, **options)


@pytest.mark.parametrize(
    ("text", "names", "rows", "plain", "forced", "entities"),
    [
        pytest.param("我爱丰田车", ["丰田"], "001?0", "00100", "00110", [(2, 4, "pos")], id="name tagged in part"),
        pytest.param("我爱丰田车", ["丰田"], "00000", "00000", None, [], id="nothing was tagged"),
        pytest.param("东风日产好", ["东风日产"], "3?110", "30110", None, [(0, 4, "pos")], id="most characters vote"),
        pytest.param("本田丰田好", ["本田", "丰田"], "11110", "11110", "11110", [(0, 4, "pos")], id="neighbours"),
        pytest.param("abcde", [], "11030", "11030", "11030", [(0, 2, "pos"), (3, 4, "neg")], id="no gazetteer"),
    ],
)
def test_list_says_where_and_tagger_which(text, names, rows, plain, forced, entities):
    found = align(text, names, rows)
    assert found.entities == entities
    assert found.plain.tolist() == [int(tag) for tag in plain]
    starts, ends, _ = Matcher(names).find(text)
    assert all((found.forced[start:end] > 0).all() for start, end in zip(starts, ends, strict=True))
    if forced:
        assert found.forced.tolist() == [int(tag) for tag in forced]


def test_a_name_at_either_end_leaves_the_other_alone_and_bonuses_add_up():
    for text, rows, beside in (("丰田好", "113", 2), ("买丰田", "311", 0)):
        found = align(text, ["丰田"], rows)
        assert found.emissions[beside, 0] == pytest.approx(emissions("3")[0, 0] + 50)
    whole = align("丰田", ["丰田"], "11")
    assert (whole.emissions[:, 0] == emissions("11")[:, 0]).all()
    assert whole.entities == [(0, 2, "pos")]
    found = align("北京奔驰", ["奔驰", "北京奔驰"], "2222")
    assert (found.emissions - emissions("2222"))[:, 1] == pytest.approx([100, 100, 200, 200], abs=0.1)
    assert found.entities == [(0, 4, "neu")]
