import json
import xml.etree.ElementTree as ElementTree

import keras
import numpy as np
import pytest
from scipy.special import logit

from kexue_nlp.entity_decoding import polarity_probabilities
from kexue_nlp.lessons.viewpoint.explorer import DECODINGS, leave_out, opinions, state
from kexue_nlp.mentions import Mention
from kexue_nlp.models import viewpoint_tagger
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_classifier import ViewpointClassifier
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


@pytest.mark.parametrize("decoding", DECODINGS.values())
def test_the_three_decodings_are_those_of_the_tagger(tagger, decoding):
    mentions = state(tagger, SENTENCE, decoding).mentions
    assert [mention.name for mention in mentions] == ["本田", "北京奔驰" if decoding == "forced" else "奔驰"]
    assert mentions == ViewpointTagger(tagger.network, tagger.characters, tagger.gazetteer, decoding)(SENTENCE)


def test_what_the_list_adds_is_what_the_article_adds(tagger):
    assert state(tagger, SENTENCE, inside=0, outside=0).mentions == state(tagger, SENTENCE, "plain").mentions
    result = state(make_tagger(["本田"]), "我本田，", "forced", inside=7, outside=3)
    assert result.bonuses.round(4).tolist() == [[3, 0, 0, 0], [0, 7, 7, 7], [0, 7, 7, 7], [3, 0, 0, 0]]
    # A name of which nothing was tagged is dropped.
    result = state(make_tagger(["喜欢"]), "我喜欢", "forced")
    assert (result.mentions, result.dropped) == ([], [(1, 3)])
    assert [m.polarity for m in state(tagger, SENTENCE, "names", neutral=10).mentions] == ["neu", "neu"]


@pytest.mark.parametrize("text", ["", " ", HOSTILE, "本田，" * 600, "مرحبا"], ids=["", " ", "HTML", "long", "Arabic"])
def test_any_text_can_be_sent_and_stored(explorer, text):
    explorer.sentence.value = text
    for decoding in DECODINGS:
        explorer.decoding.value = decoding
        json.dumps(explorer.view.shown, allow_nan=False).encode("utf-8")
        shown = explorer.view.shown
        page = ElementTree.fromstring(f"<div>{explorer.static_html()}</div>")
        assert {element.tag for element in page.iter()}.isdisjoint({"img", "script"})
        assert len(shown["characters"]) + shown["left"] == len(explorer.state.text)
        assert shown["verdicts"][""]["more"] == (560 if len(text) > 1000 else 0)
        assert all(len(one["p"]) == len(one["path"]) == min(120, len(text)) for one in shown["maps"])


def test_what_is_drawn_is_what_was_decoded(explorer):
    explorer.decoding.value = "forced alignment"
    now, (before, after) = explorer.state, explorer.view.shown["maps"]
    assert [before["path"], after["path"]] == [now.tags_before.tolist(), now.tags_after.tolist()]
    assert (np.any(before["bonuses"]), np.any(after["bonuses"])) == (False, True)
    assert (before["cuts"], after["cuts"]) == ([3, 12], [3, 10])
    assert [one["sure"] for one in explorer.view.shown["verdicts"][""]["mentions"]] == [True, False]
    said = explorer._repr_mimebundle_()["text/plain"]
    assert said.endswith("本田: praised (0.70)\n北京奔驰: perhaps blamed (0.47)")


def test_every_control_changes_the_picture_and_reset_goes_back(explorer, tagger):
    beginning, gazetteer = explorer.view.shown, tagger.gazetteer
    changes = [("example", 1), ("sentence", "北京奔驰"), ("decoding", "tags alone"), ("decoding", "forced alignment")]
    for control, value in [*changes, ("inside", 0), ("outside", 0), ("neutral", 10.0)]:
        before = explorer.view.shown
        getattr(explorer, control).value = value
        assert explorer.view.shown != before, control
    assert tagger.gazetteer == gazetteer  # the explorer has a tagger of its own
    next(row for row in explorer.children if hasattr(row, "children")).children[-1].click()
    assert (explorer.view.shown, errors) == (beginning, [])


def test_a_character_is_worth_what_leaving_it_out_changes():
    text, mention = "卖了北京奔驰，真好", Mention("北京奔驰", 2, 6, "pos", 0.5)
    keras.utils.set_random_seed(0)
    network = viewpoint_tagger(len(text) + 2, embedding=4, units=(4, 4))  # it reads what stands around
    explorer = ViewpointExplorer(ViewpointTagger(network, Vocabulary(text), ["北京奔驰"]), [text])
    tagger = explorer._tagger
    lost = leave_out(tagger, text, mention)
    assert np.flatnonzero(lost == 0).tolist() == [2, 3, 4, 5]
    without = {(0, 1): "了北京奔驰，真好", (8, 2): "卖了北京奔驰，真"}
    p, *others = (
        polarity_probabilities(tagger.log_probabilities([t])[0], [(start, start + 4, "pos")])[0]
        for t, start in ((text, 2), *((shorter, start) for (_, start), shorter in without.items()))
    )
    for (t, _), q in zip(without, others, strict=True):
        assert lost[t] == pytest.approx(np.log(p / (1 - p)) - np.log(q / (1 - q)), abs=1e-4)
    assert explorer.view.why == []
    explorer.decoding.value = "forced alignment"
    assert explorer.state.mentions
    for i, mention in enumerate(explorer.state.mentions):
        explorer.view.pointed = i
        lost = leave_out(tagger, text, mention, explorer.state.mentions)
        np.testing.assert_allclose(explorer.view.why, np.clip(lost / 4, -1, 1), atol=0.006)
    explorer.sentence.value = "本田"
    assert (explorer.view.pointed, explorer.view.why) == (-1, [])
    assert leave_out(tagger, text, mention, [Mention("真好", 7, 9, "pos", 0.5)])[7:].tolist() == [0, 0]


def test_the_choice_follows_the_sentence(explorer):
    first = explorer.sentence.value
    explorer.sentence.value = "北京奔驰"
    assert explorer.example.label == "your own"
    explorer.example.value = 0
    assert explorer.sentence.value == first


def test_names_are_added_and_removed_and_found_in_any_case(explorer, monkeypatch):
    def names():
        return explorer.view.shown["known"], explorer.view.shown["gone"]

    explorer.sentence.value = "北京奔驰 CR-v"
    assert names() == (["北京奔驰", "奔驰"], [])
    explorer.view.added = ["cr-V", "本"]
    assert names() == (["北京奔驰", "奔驰", "CR-v"], [])  # what is not in the sentence has no place there
    assert "“本” is on the list now" in explorer.message.value
    explorer.sentence.value = "北京奔驰 CR-v."
    assert explorer.message.value == ""
    explorer.view.removed = ["CR-v", "奔驰", "本田"]
    assert names() == (["北京奔驰"], ["CR-v", "奔驰"])
    assert explorer._tagger.gazetteer == ("北京奔驰", "本")
    explorer.view.removed = []
    monkeypatch.setattr(ViewpointTagger, "log_probabilities", None)  # the network is not asked again
    explorer.decoding.value = "forced alignment"
    assert explorer.inside.layout.display is None
    explorer.inside.value, explorer.neutral.value, explorer.decoding.value = 5, 2.0, "names compete"
    assert (explorer.inside.layout.display, explorer.outside.layout.display, errors) == ("none", "none", [])


def test_a_second_judge_is_heard_once_for_a_text(tagger):
    asked = []
    explorer = ViewpointExplorer(tagger, [SENTENCE], judges={"a tool": lambda text: asked.append(text) or tagger(text)})
    explorer.neutral.value = 10.0
    said = explorer.view.shown["verdicts"]["a tool"]["mentions"]
    assert ([one["polarity"] for one in said], asked) == (["pos", "neg"], [SENTENCE])
    assert [one["shares"] for one in said] == [None, None]  # it has no probabilities


def test_each_verdict_has_all_probabilities_and_is_explained(tagger):
    classifier = ViewpointClassifier.load()
    explorer = ViewpointExplorer(tagger, ["本田很好，奔驰很差，很差。"], judges={"it": classifier})
    verdicts, text = explorer.view.shown["verdicts"], explorer.sentence.value
    (_, p), names = classifier.probabilities([text])[0], ["本田", "奔驰"]
    assert [one["name"] for one in verdicts["it"]["mentions"]] == names
    shares = [list(one["shares"].values()) for one in verdicts["it"]["mentions"]]
    np.testing.assert_allclose(shares, p[:, 1:], atol=6e-4)
    for one in verdicts[""]["mentions"]:
        assert one["shares"][one["polarity"]] == pytest.approx(one["probability"], abs=6e-4)
    place = len(verdicts[""]["mentions"]) + 1
    explorer.view.pointed = place
    why = np.array(explorer.view.why)
    without = classifier.probabilities([text.replace("差", "", 1)])[0][1][1, 3]  # how probably 奔驰 is blamed then
    lost = logit(p[1, 3]) - logit(without)
    assert why[text.index("差")] == pytest.approx(np.clip(lost / 4, -1, 1), abs=0.006)
    assert why[text.index("差")] > 0
    explorer.view.pointed = place + 1
    assert explorer.view.why == []
    assert (opinions(classifier, [text], [(1, 2)]) == 0).all()  # no candidate
    explorer.sentence.value = "宝马很好。"  # a name of the classifier's list alone
    assert explorer.view.shown["known"] == ["宝马"]
    explorer.view.removed = ["宝马"]
    assert explorer.view.shown["verdicts"]["it"]["mentions"] == []
    assert explorer.children.index(explorer.message) < explorer.children.index(explorer.view)  # where it is seen
    for text in ("今天天气很好。", ""):
        explorer.sentence.value = text
        assert explorer.view.shown["verdicts"]["it"] == {"mentions": [], "more": 0}


def test_another_judge_follows_the_list(tagger):
    explorer, names = ViewpointExplorer(tagger, [SENTENCE], judges={"it": tagger}), tagger.gazetteer
    first, *rest = [mention.name for mention in explorer._judged["it"]]
    explorer.view.removed = [first]
    assert first not in [mention.name for mention in explorer._judged["it"]]
    explorer.view.removed = []
    assert [mention.name for mention in explorer._judged["it"]] == [first, *rest]
    assert tagger.gazetteer == names


def test_unfit_arguments_are_named(tagger):
    with pytest.raises(ValueError, match="at least one sentence"):
        ViewpointExplorer(tagger, [])
    with pytest.raises(ValueError, match="got 'crf'"):
        state(tagger, SENTENCE, "crf")
    with pytest.raises(ValueError, match="begin tags"):
        ViewpointExplorer(make_tagger(n_tags=7), [SENTENCE])
