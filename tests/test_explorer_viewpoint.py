import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import pytest

from kexue_nlp.lessons.viewpoint.explorer import DECODINGS, render, state
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_tagger import ViewpointTagger
from kexue_nlp.widgets import ViewpointExplorer, errors

SENTENCE = "我喜欢本田，我不喜欢北京奔驰。"
HOSTILE = "<img src=x onerror=alert(1)>\"'&</td><script>x</script>\n\x00\u202eabc\ufffd👨‍👩‍👧"

pytestmark = pytest.mark.usefixtures("no_explorer_errors")


def make_tagger(gazetteer=("本田", "奔驰", "北京奔驰"), n_tags=4):
    """Tags 本 and 田 as positive, 奔 and 驰 as negative, rather sure of both, and 北 as nearly negative."""
    table = np.full((10, n_tags), 0.1, np.float32)
    table[:, 0] = 0.7
    table[2:4, :2] = table[2:4, 1::-1]
    table[4:6, [0, 3]] = table[4:6][:, [3, 0]]
    table[6] = [0.45, 0.05, 0.1, 0.4] + [0] * (n_tags - 4)
    ids = keras.Input((None, 2), dtype="int32")
    embedding = keras.layers.Embedding(10, n_tags)
    network = keras.Model(ids, embedding(ids[..., 0]))
    embedding.set_weights([table])
    return ViewpointTagger(network, Vocabulary("本田奔驰北京"), gazetteer)


@pytest.fixture(scope="module")
def tagger():
    return make_tagger()


@pytest.fixture
def explorer(tagger):
    return ViewpointExplorer(tagger, [SENTENCE, "本田奔驰"])


def with_names(tagger, names):
    return ViewpointTagger(tagger.network, tagger.characters, names)


def parse(page):
    return ElementTree.fromstring(f"<div>{page}</div>")


@pytest.mark.parametrize("decoding", DECODINGS.values())
def test_the_three_decodings_are_those_of_the_tagger(tagger, decoding):
    mentions = state(tagger, SENTENCE, decoding).mentions
    assert [mention.name for mention in mentions] == ["本田", "北京奔驰" if decoding == "forced" else "奔驰"]
    assert mentions == ViewpointTagger(tagger.network, tagger.characters, tagger.gazetteer, decoding)(SENTENCE)


def test_what_the_list_adds_is_what_the_article_adds(tagger):
    assert state(tagger, SENTENCE, inside=0, outside=0).mentions == state(tagger, SENTENCE, "plain").mentions
    result = state(with_names(tagger, ["本田"]), "我本田，", "forced", inside=7, outside=3)
    assert result.bonuses.round(4).tolist() == [[3, 0, 0, 0], [0, 7, 7, 7], [0, 7, 7, 7], [3, 0, 0, 0]]
    # A name of which nothing was tagged is dropped, and shown.
    result = state(with_names(tagger, ["喜欢"]), "我喜欢", "forced")
    assert (result.mentions, result.dropped) == ([], [(1, 3)])
    assert "the network tags nothing there: <bdi>喜欢</bdi>" in render(result)
    assert [m.polarity for m in state(tagger, SENTENCE, "names", neutral=10).mentions] == ["neu", "neu"]


@pytest.mark.parametrize("text", ["", " ", HOSTILE, "本田，" * 600, "مرحبا"], ids=["", " ", "HTML", "long", "Arabic"])
def test_any_text_gives_a_well_formed_page(tagger, text):
    for decoding in DECODINGS.values():
        page = render(state(tagger, text, decoding))
        page.encode("utf-8")
        assert {element.tag for element in parse(page).iter()}.isdisjoint({"img", "script"})
        assert ("; and 560 more." in page) == (len(text) > 1000)


def test_the_path_and_the_entities_are_marked(tagger):
    result = state(tagger, SENTENCE, "forced")
    page = parse(render(result))
    for body, path in zip(page.iter("tbody"), (result.tags_before, result.tags_after), strict=True):
        rows = [list(row.iter("td")) for row in body.findall("tr")[1:]]
        assert [[row[t].find("b") is not None for row in rows].index(True) for t in range(len(path))] == path.tolist()
        assert any("kexue-bonus" in cell.get("class") for row in rows for cell in row) == (path is result.tags_after)
    marks = [(mark.text, mark.get("class")) for mark in page.findall(".//mark")]
    assert marks == [("本田", "kexue-pos"), ("北京奔驰", "kexue-neg")]


def test_every_control_changes_the_picture_and_reset_goes_back(explorer, tagger):
    beginning, gazetteer = explorer.picture.value, tagger.gazetteer
    changes = [("example", 1), ("sentence", "北京奔驰"), ("names", "奔驰"), ("decoding", "tags alone")]
    for control, value in [*changes, ("decoding", "names compete"), ("neutral", 10.0)]:
        before = explorer.picture.value
        getattr(explorer, control).value = value
        assert explorer.picture.value != before, control
    assert tagger.gazetteer == gazetteer  # the explorer has a tagger of its own
    explorer.children[-3].children[-1].click()
    assert explorer.picture.value == beginning
    for slider in (explorer.inside, explorer.outside):
        before = explorer.picture.value
        slider.value = 0
        assert explorer.picture.value != before


def test_names_may_be_written_in_any_way(explorer, monkeypatch):
    assert "北京奔驰 is blamed" in explorer._repr_mimebundle_()["text/plain"]
    assert len(parse(explorer.static_html()).findall(".//tbody")) == 2
    explorer.names.value = " 本田、奔驰，本田\n\n,唐 ；秦; 宋"
    assert explorer.state.names == ("本田", "奔驰", "唐", "秦", "宋")
    explorer.names.value = ""
    assert "No name of the list" in explorer.message.value
    explorer.names.value = HOSTILE
    monkeypatch.setattr(ViewpointTagger, "log_probabilities", None)
    assert not explorer.inside.disabled
    explorer.inside.value, explorer.neutral.value, explorer.decoding.value = 5, 2.0, "names compete"
    assert (explorer.inside.disabled, explorer.outside.disabled) == (True, True)
    assert errors == []


def test_unfit_arguments_are_named(tagger):
    with pytest.raises(ValueError, match="at least one sentence"):
        ViewpointExplorer(tagger, [])
    with pytest.raises(ValueError, match="'C,D' does"):
        ViewpointExplorer(tagger, [SENTENCE], ["C,D"])
    with pytest.raises(ValueError, match="got 'crf'"):
        state(tagger, SENTENCE, "crf")
    with pytest.raises(ValueError, match="begin tags"):
        ViewpointExplorer(make_tagger(n_tags=7), [SENTENCE])
