"""The viewpoint classifier: obvious opinions, reading, learning, files."""

import copy
import importlib
import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier

import kexue_nlp
from kexue_nlp.datasets import load_viewpoints
from kexue_nlp.entity_decoding import find_entities
from kexue_nlp.scoring import score_viewpoints
from kexue_nlp.viewpoint_classifier import ViewpointClassifier, _ask_trees
from kexue_nlp.viewpoint_tagger import ViewpointTagger

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
training = importlib.import_module("train_classifier")

CUES = {"good": ["好", "省油", "喜欢"], "bad": ["费油", "失望"], "not": ["不"], "than": ["比"], "none": ["不错"]}
OBVIOUS = """
    我爱宝马。 宝马=pos
    比亚迪性价比高，质量好，推荐！ 比亚迪=pos
    宝马真棒，奔驰太差了。 宝马=pos 奔驰=neg
    我喜欢本田，我不喜欢丰田。 本田=pos 丰田=neg
    丰田好。 丰田=pos
    大众的变速箱又坏了，再也不买大众。 大众=neg
    帕萨特空间大，坐着很舒服。 帕萨特=pos
    今天路上遇到一辆奥迪。 奥迪=neu
    福特比雪佛兰安静。 福特=pos 雪佛兰=neg
    别克君威油耗太高，不推荐。 别克君威=neg
"""
OTHERS = Path(__file__).parents[1] / "benchmarks/reproduce/obvious_opinions.tsv"


@pytest.fixture(scope="module")
def data():
    return load_viewpoints()


@pytest.fixture(scope="module")
def learned(data):
    texts, labels = data.sentences[:500], data.labels[:500]
    classifier = training.ViewpointLearner(data.gazetteer, CUES)
    entities = [find_entities(*pair, classifier.matcher) for pair in zip(texts, labels, strict=True)]
    return classifier.fit_reviews(["很好", "失望"] * 20, [True, False] * 20).fit(texts, entities)


@pytest.fixture(scope="module")
def pretrained():
    return ViewpointClassifier.load()


def share_right(classifier, rows):
    found = [{mention.name: mention.polarity for mention in mentions} for mentions in classifier([t for t, *_ in rows])]
    return np.mean([one.get(name) == polarity for one, (_, *labels) in zip(found, rows, strict=True)
                    for name, polarity in (label.split("=") for label in labels)])  # fmt: skip


@pytest.fixture(scope="module", params=[ViewpointClassifier, ViewpointTagger], ids=["classifier", "tagger"])
def tool(request):
    tool = request.param.load()
    tool.fold = True
    return tool


def test_obvious_opinions_are_read_as_anyone_would(tool):
    assert share_right(tool, [row.split() for row in OBVIOUS.split("\n") if row.strip()]) >= 12 / 13


@pytest.mark.parametrize("half", [0, 1], ids=["seen", "new"])
def test_nine_in_ten_of_others_like_them_are_right(tool, half):
    rows = OTHERS.read_text(encoding="utf-8").split("# second half\n")[half].splitlines()
    rows = [row.replace(",", "\t").split("\t") for row in rows if row[0] != "#"]
    assert len(rows) >= 30
    assert share_right(tool, rows) >= 0.9


def test_names_are_found_in_any_case_unless_switched_off(pretrained):
    names = [mention.name for mentions in pretrained(["哈弗h6不错", "ｐｏｌｏ省油", "豐田好"]) for mention in mentions]
    assert names == ["哈弗h6", "ｐｏｌｏ", "豐田"]
    exact = copy.deepcopy(pretrained)
    exact.fold = False
    assert [mention.name for mention in exact("哈弗h6不错")] == ["哈弗"]
    assert [mention.probability for mention in pretrained("本田好。")] == [
        mention.probability for mention in exact("本田好。")
    ]


def test_it_learns_the_grammar_and_a_name_that_it_is_told(data, learned):
    found = [
        [(mention.name, mention.polarity) for mention in mentions] for mentions in learned(data.sentences[600:900])
    ]
    assert score_viewpoints(data.labels[600:900], found).strict_f1 > 0.75
    told = copy.deepcopy(learned)
    told.gazetteer = [*told.gazetteer, "仰望U8"]
    assert [(mention.name, mention.polarity) for mention in told("仰望U8很省油。")] == [("仰望U8", "pos")]


def test_boosted_trees_say_what_those_of_scikit_learn_say(monkeypatch):
    said = {}

    class Kept(HistGradientBoostingClassifier):
        def fit(self, X, y):
            super().fit(X, y)
            said["p"] = self.predict_proba(X)
            return self

    monkeypatch.setattr(training, "HistGradientBoostingClassifier", Kept)
    X = np.random.default_rng(0).integers(0, 9, (500, 3)).astype(float)
    trees = training._trees(X, 2 * (X[:, 0] > 4) + (X[:, 1] > 4), 0)
    np.testing.assert_allclose(softmax(_ask_trees(X, trees), axis=1), said["p"], atol=1e-6)


def test_names_side_by_side_and_texts_side_by_side_stay_apart(learned):
    told = copy.deepcopy(learned)
    told.threshold, told.gazetteer = 0.0, ["本田", "丰田", "奔驰", "北京奔驰", "奔\n驰"]
    assert [(mention.start, mention.end) for mention in told("本田丰田都很好")] == [(0, 2), (2, 4)]
    assert [len(mentions) for mentions in told(["好奔", "驰本", "田", "", "奔\n驰好"])] == [0, 0, 0, 0, 1]
    assert len(told("北京奔驰很好")) == 1  # one of the two, for they overlap


def test_results_depend_on_nothing_else(data, learned, tmp_path):
    texts = [*data.sentences[:60], "", "\x00\ud800\u202e🚗", " \n\t本田", "本" * 600]
    together = learned(texts)
    assert together == [learned(text) for text in texts] == list(learned.pipe(texts, batch_size=7))
    for text, mentions in zip(texts, together, strict=True):
        assert all(text[mention.start : mention.end] == mention.name for mention in mentions)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(learned, texts)) == together
    learned.save(tmp_path / "classifier.npz")
    for other in (pickle.loads(pickle.dumps(learned)), ViewpointClassifier.load(tmp_path / "classifier.npz")):
        assert other(texts) == together
        assert (other.gazetteer, other.cues, other.threshold) == (learned.gazetteer, learned.cues, learned.threshold)


def test_the_seed_decides(data, learned):
    texts = data.sentences[:200]
    entities = [find_entities(*pair, learned.matcher) for pair in zip(texts, data.labels, strict=False)]
    one, same, other = (
        training.ViewpointLearner(data.gazetteer, CUES).fit(texts, entities, seed=s)(texts) for s in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (lambda c: ViewpointClassifier("本田", CUES), "each a str; got '本田'"),
        (lambda c: ViewpointClassifier(["本田"], {"good": ["好", ""]}), "none of them empty"),
        (lambda c: ViewpointClassifier(["本田"], CUES, threshold=40), "from 0 to 1, got 40"),
        (lambda c: ViewpointClassifier(["本田"], CUES)("本田好"), "load one that has"),
        (lambda c: c(["本田", None]), "text 1 is NoneType None"),
        (lambda c: c({"text": "本田"}), "got a dict; give one column"),
        (lambda c: c.fit(["本田好", "好"], [[]]), "2 texts have 1 list"),
        (lambda c: c.fit(["本田好"], [[(0, 2, "good")]]), "has a polarity that is not one of"),
        (lambda c: c.fit(["本田好"], [[(0, 2, "pos")]]), "is labelled pos, or neu"),
    ],
)
def test_what_does_not_fit_is_refused(learned, refused, message):
    with pytest.raises((TypeError, ValueError), match=message):
        refused(learned)


def test_the_pretrained_classifier_is_small_and_has_a_card():
    folder = Path(kexue_nlp.__file__).parent / "pretrained"
    assert (folder / "viewpoint_classifier.npz").stat().st_size <= 4_000_000
    card = json.loads((folder / "viewpoint_classifier.json").read_text(encoding="utf-8"))
    assert {"data", "seed", "command", "metrics", "seconds"} <= card.keys()
