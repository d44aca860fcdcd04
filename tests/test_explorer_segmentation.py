import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kexue_nlp.features import Features
from kexue_nlp.lessons.segmentation.examples import EXAMPLES, GLOSSES
from kexue_nlp.lessons.segmentation.explorer import read, render
from kexue_nlp.models import article_segmenter
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.text import Vocabulary
from kexue_nlp.widgets import SegmentationExplorer, errors

SENTENCE = "扫描二维码，关注微信号。"
HOSTILE = "<img src=x onerror=alert(1)>\"'&</td><script>x</script>\n\x00\u202eabc\ud83d👨‍👩‍👧"
any_text = st.text(st.characters(exclude_categories=()), max_size=30)

pytestmark = pytest.mark.usefixtures("no_explorer_errors")


@pytest.fixture(scope="module")
def pair():
    """Two segmenters of one sentence's characters that only guess, by name."""
    characters = Vocabulary("".join(dict.fromkeys(SENTENCE)))
    return {name: Segmenter(article_segmenter(len(characters)), Features(characters)) for name in ("one", "two")}


@pytest.fixture
def explorer(pair):
    return SegmentationExplorer(pair)


def press_reset(explorer):
    controls = [control for child in explorer.children for control in getattr(child, "children", ())]
    next(control for control in controls if control.description == "reset").click()


def shown(explorer):
    return explorer.view.sentences[explorer.view.index]


@settings(deadline=None)
@given(text=any_text)
def test_what_the_page_gets_of_any_text_covers_it(pair, text):
    reading = read(pair, text)
    assert all("".join(words) == text for words in reading.others.values())
    assert all(logs.shape == (len(text), 4) for logs in reading.log_probabilities.values())
    tags = pair["one"].decode(text, reading.log_probabilities["one"])
    assert np.isin(tags[reading.cuts[reading.cuts < len(text)]], (0, 1)).all()
    page = render("name", reading, tags, "one")
    page.encode("utf-8")
    page = "".join(c for c in page if c not in "\ufffe\uffff")  # legal in HTML, not in XML
    elements = {element.tag for element in ElementTree.fromstring(f"<div>{page}</div>").iter()}
    assert elements.isdisjoint({"script", "img"})


def test_typed_text_is_read_by_every_network_and_two_can_be_chosen(explorer, pair):
    assert explorer.network.layout.display is None
    assert SegmentationExplorer(pair["one"]).network.layout.display == "none"
    explorer.sentence.value = "关注微信号"
    assert explorer.example.index == explorer.view.index == len(EXAMPLES)
    assert shown(explorer)["text"] == "关注微信号"
    for name, reading in shown(explorer)["readings"].items():
        assert np.array_equal(np.float32(reading["logs"]), pair[name].log_probabilities("关注微信号"))


@pytest.mark.parametrize(
    "text", ["", " ", HOSTILE, "مرحبا", "中" * 5000], ids=["empty", "space", "hostile", "RTL", "long"]
)
def test_any_text_can_be_typed(explorer, text):
    explorer.sentence.value = text
    json.dumps(explorer.view.sentences).encode()
    explorer._repr_mimebundle_()["text/html"].encode()
    assert ("first 200 characters of 5,000" in explorer.message.value) == (len(text) == 5000)
    assert errors == []


def test_the_dictionary_is_the_one_of_the_page(pair):
    explorer = SegmentationExplorer(pair, lexicon={"微信号": 10.0, "扫描": "always", "关注": "never"})
    assert explorer.view.lexicon == {"微信号": 10.0, "扫描": "always", "关注": "never"}
    explorer.view.lexicon = {"二维码": "always"}
    assert dict(explorer.lexicon.items()) == {"二维码": np.inf}
    assert "二维码" in explorer.static_text().splitlines()[0].split(": ")[1].split(" / ")


def test_reset_goes_back_to_the_beginning(pair):
    explorer = SegmentationExplorer(pair, text="关注微信号", lexicon={"微信": 3.0}, step=0)
    before = explorer.static_html()
    explorer.sentence.value = "别的"
    explorer.view.lexicon, explorer.view.network, explorer.view.step = {}, 1, 7
    press_reset(explorer)
    assert explorer.static_html() == before
    assert (explorer.view.lexicon, explorer.view.step, explorer.network.index) == ({"微信": 3.0}, 0, 0)


def test_an_exception_in_a_callback_is_kept_and_shown_and_got_over(explorer, pair, monkeypatch):
    def fail(text):
        raise RuntimeError("out of <memory>")

    with monkeypatch.context() as patch:
        patch.setattr(pair["two"], "log_probabilities", fail)
        explorer.sentence.value = "别的"
    assert [str(error) for error in errors] == ["out of <memory>"]
    assert "out of &lt;memory&gt;" in explorer.message.value
    explorer.sentence.value = "关注"
    assert (shown(explorer)["text"], explorer.message.value) == ("关注", "")


def test_no_segmenter_or_a_bad_multiplier_is_refused():
    for arguments, message in ((({},), "at least one"), (({"a": 1}, "", {"微": -1}), "-1")):
        with pytest.raises(ValueError, match=message):
            SegmentationExplorer(*arguments)


def test_every_word_of_the_examples_that_the_tool_cuts_has_a_gloss():
    segmenter = Segmenter.load()
    words = {word for example in EXAMPLES for word in [*segmenter(example.text), *example.words]}
    assert {word for word in words - set(GLOSSES) if len(word) > 1} == set()
