import json
import xml.etree.ElementTree as ElementTree
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kexue_nlp.features import Features
from kexue_nlp.lessons.segmentation.explorer import regions, render, state
from kexue_nlp.lexicon import Lexicon
from kexue_nlp.models import article_segmenter
from kexue_nlp.segmenter import Segmenter
from kexue_nlp.tagging import SBME
from kexue_nlp.text import Vocabulary
from kexue_nlp.viterbi import viterbi
from kexue_nlp.widgets import SegmentationExplorer, errors
from kexue_nlp.widgets.tag_map import LIMIT

SENTENCE = "扫描二维码，关注微信号。"
HOSTILE = "<img src=x onerror=alert(1)>\"'&</td><script>x</script>\n\x00\u202eabc\ud83d👨‍👩‍👧"

any_text = st.text(st.characters(exclude_categories=()), max_size=30)


class FakeSegmenter:
    """The part of a Segmenter that the explorer uses, with made-up probabilities."""

    def __init__(self, seed=0):
        self.seed = seed
        self.texts = []

    def log_probabilities(self, text):
        self.texts.append(text)
        probabilities = np.random.default_rng(self.seed).dirichlet(np.ones(4), len(text))
        return np.log(probabilities).astype(np.float32).reshape(-1, 4)

    def decode(self, text, log_probabilities, lexicon=None):
        return viterbi(log_probabilities + (lexicon.bonuses(text) if lexicon else 0), SBME)


@pytest.fixture
def fake():
    return FakeSegmenter()


@pytest.fixture
def explorer(fake):
    return SegmentationExplorer(fake)


pytestmark = pytest.mark.usefixtures("no_explorer_errors")


def parse(page):
    return ElementTree.fromstring(f"<div>{page}</div>")


def chips(page):
    """The words shown without and with the dictionary."""
    lines = parse(page).findall(".//div[@class='kexue-line']")[:2]
    return [[chip.text for chip in line.iter("bdi")] for line in lines]


def press(explorer, label):
    buttons = {b.description: b for b in explorer.children[-3].children}
    buttons[label].click()


def test_a_word_with_a_small_multiplier_is_broken_up(fake):
    log_probabilities = np.log([[0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]], dtype=np.float32)
    assert state(fake, "微信", {"微信": 0.01}, log_probabilities).words_after == ["微", "信"]
    assert fake.texts == []  # known probabilities are not computed again


@given(st.data())
def test_regions_are_the_smallest_pieces_with_common_ends(data):
    text = data.draw(st.text("中文", min_size=1, max_size=12))
    cuts = st.sets(st.integers(1, len(text) - 1)) if len(text) > 1 else st.just(set())
    both = [[0, *sorted(data.draw(cuts)), len(text)] for _ in range(2)]
    before, after = ([text[a:b] for a, b in pairwise(bounds)] for bounds in both)
    ends = list(accumulate(len("".join(words)) for words, _ in regions(before, after)))
    assert ends == sorted(set(both[0][1:]) & set(both[1][1:]))


@given(any_text)
def test_any_text_stays_whole_on_a_well_formed_page(text):
    result = state(FakeSegmenter(), text, {"a": 10.0})
    assert "".join(result.words_before) == "".join(result.words_after) == text
    page = render(result)
    page.encode("utf-8")
    parse("".join(c for c in page if c not in "\ufffe\uffff"))  # legal in HTML, not in XML
    assert ("Type a sentence" in page) == (not text)


def test_what_a_user_types_stays_text(fake):
    page = render(state(fake, HOSTILE, {}))
    assert {element.tag for element in parse(page).iter()}.isdisjoint({"img", "script"})


def test_words_are_shown_as_chips_and_changed_ones_marked(fake):
    result = state(fake, SENTENCE, {"微信号": 1e6})
    page = render(result)
    assert chips(page) == [result.words_before, result.words_after]
    marked = {chip.text for chip in parse(page).iter("bdi") if "kexue-changed" in chip.get("class", "")}
    assert marked == set().union(*(a + b for a, b in regions(result.words_before, result.words_after) if a != b))


def rows(page, group):
    return parse(page).findall(".//tbody")[group].findall("tr")[1:]


@pytest.mark.parametrize(("group", "field"), [(0, "tags_before"), (1, "tags_after")])
def test_the_path_is_marked_in_the_heat_map(fake, group, field):
    result = state(fake, SENTENCE, {"微信号": 1e6})
    marked = np.array([[cell.find("b") is not None for cell in row.iter("td")] for row in rows(render(result), group)])
    assert marked.argmax(axis=0).tolist() == getattr(result, field).tolist()


def test_only_the_cells_that_the_dictionary_multiplies_are_framed(fake):
    result = state(fake, SENTENCE, {"微信号": 10.0})
    framed = [["kexue-bonus" in cell.get("class") for cell in row.iter("td")] for row in rows(render(result), 1)]
    assert framed == (result.bonuses.T != 0).tolist()


def test_probabilities_after_the_dictionary_add_up_to_one(fake):
    page = render(state(fake, SENTENCE, {"微信号": 10.0}))
    shown = [[float(cell.get("title").split()[2].rstrip(",")) for cell in row.iter("td")] for row in rows(page, 1)]
    np.testing.assert_allclose(np.sum(shown, axis=0), 1, atol=0.021)


def test_a_long_text_is_cut_and_says_so(fake):
    fake.decode = lambda text, *_: np.zeros(len(text), dtype=np.int8)
    page = render(state(fake, "中" * 1000, {}))
    assert len(rows(page, 0)[0].findall("td")) == LIMIT
    assert f"first {LIMIT} of 1,000 characters" in page
    assert "and 600 more words" in page


def test_sentence_and_slider_change_the_picture(explorer, fake):
    explorer.rows.children[0].multiplier.value = 100.0
    assert fake.texts == [SENTENCE]
    assert explorer.picture.value == render(state(fake, SENTENCE, {"微信号": 100.0}))
    explorer.sentence.value = "关注微信号。"
    assert explorer.picture.value == render(state(fake, "关注微信号。", {"微信号": 100.0}))


def test_network_can_be_switched_if_there_are_two(explorer):
    assert explorer.network.layout.display == "none"
    other = FakeSegmenter(seed=1)
    explorer = SegmentationExplorer({"just trained": FakeSegmenter(), "pretrained": other})
    explorer.network.value = "pretrained"
    assert explorer.picture.value == render(state(other, SENTENCE, {"微信号": 10.0}))


def test_a_word_can_be_added_and_one_removed(explorer):
    press(explorer, "add a word")
    explorer.rows.children[1].word.value = "二维码"
    assert explorer.state.lexicon == {"微信号": 10.0, "二维码": 10.0}
    explorer.rows.children[0].remove.click()
    assert explorer.state.lexicon == {"二维码": 10.0}


def test_reset_goes_back_to_the_beginning():
    explorer = SegmentationExplorer({"a": FakeSegmenter(), "b": FakeSegmenter(seed=1)})
    beginning = explorer.picture.value
    explorer.network.value = "b"
    explorer.sentence.value = "别的"
    explorer.rows.children[0].multiplier.value = 0.1
    press(explorer, "add a word")
    press(explorer, "reset")
    assert (explorer.picture.value, explorer.network.value) == (beginning, "a")
    assert explorer.lexicon == {"微信号": 10.0}


def test_empty_row_and_absent_word_are_pointed_out(explorer):
    explorer.rows.children[0].word.value = "<b>"
    press(explorer, "add a word")
    assert "Type the new word" in explorer.message.value
    assert "“&lt;b&gt;” does not occur" in explorer.message.value
    explorer.rows.children[1].remove.click()
    explorer.rows.children[0].word.value = "微信号"
    assert explorer.message.value == ""


def test_a_word_given_twice_is_a_message_and_no_error(explorer):
    explorer.add_word("二维码")
    before = explorer.picture.value
    explorer.rows.children[1].word.value = "微信号"
    assert "twice" in explorer.message.value
    assert (explorer.picture.value, errors) == (before, [])


def test_an_exception_in_a_callback_is_kept_and_shown_and_got_over(explorer, fake):
    def fail(text):
        raise RuntimeError("out of <memory>")

    working, fake.log_probabilities = fake.log_probabilities, fail
    explorer.sentence.value = "别的"
    assert [str(error) for error in errors] == ["out of <memory>"]
    assert "out of &lt;memory&gt;" in explorer.message.value
    fake.log_probabilities = working
    explorer.sentence.value = "关注微信号。"
    assert (explorer.state.text, explorer.message.value) == ("关注微信号。", "")


def test_the_explorer_looks_busy_while_the_network_runs(explorer, fake):
    seen = []
    answer = fake.log_probabilities
    fake.log_probabilities = lambda text: seen.append(explorer._dom_classes) or answer(text)
    explorer.sentence.value = "别的"
    assert ("kexue-busy" in seen[0], "kexue-busy" in explorer._dom_classes) == (True, False)


def test_half_a_surrogate_pair_from_the_browser_is_replaced(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer.sentence, "_send", lambda message, buffers=None: sent.append(message))
    explorer.sentence.set_state({"value": "坏\ud83d字"})
    assert explorer.state.text == "坏\ufffd字"
    assert "坏\ufffd字".encode() in json.dumps(sent, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "text",
    ["", " ", "a\nb", HOSTILE, "مرحبا", "中" * 5000],
    ids=["empty", "space", "lines", "hostile", "Arabic", "long"],
)
def test_any_text_can_be_typed(explorer, text):
    explorer.sentence.value = text
    explorer.rows.children[0].word.value = text[:99]
    assert explorer.picture.value.encode()
    assert errors == []


def test_where_widgets_do_not_run_there_is_html_or_text(explorer):
    explorer.add_word("<script>", 2.0)
    bundle = explorer._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert chips(bundle["text/html"]) == [explorer.state.words_before, explorer.state.words_after]
    assert " ".join(explorer.state.words_after) in bundle["text/plain"]


@pytest.mark.parametrize("multiplier", [0.001, 1000.0])
def test_bad_multiplier_or_no_segmenter_is_refused(fake, multiplier):
    with pytest.raises(ValueError, match=r"0\.01, 100"):
        SegmentationExplorer(fake, lexicon={"微信号": multiplier})
    with pytest.raises(ValueError, match="at least one"):
        SegmentationExplorer({})


def test_the_words_are_those_of_the_segmenter_itself():
    segmenter = Segmenter(article_segmenter(100), Features(Vocabulary(SENTENCE)), lexicon=Lexicon({"扫描": 5.0}))
    explorer = SegmentationExplorer(segmenter, lexicon={"微信号": 10.0, "二维码": 0.1})
    segmenter.lexicon = explorer.lexicon
    assert explorer.state.words_after == segmenter(SENTENCE)
