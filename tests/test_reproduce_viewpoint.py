"""The cross-validation of the viewpoint taggers: what a fold's labels may touch, on made-up sentences."""

import dataclasses
import importlib
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from kexue_nlp.datasets import load_viewpoints
from kexue_nlp.language_model import LanguageModel
from kexue_nlp.models import article_tagger, viewpoint_tagger
from kexue_nlp.text import Vocabulary
from kexue_nlp.viewpoint_classifier import ViewpointClassifier

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/reproduce"))
script = importlib.import_module("viewpoint")

SELF_TRAINED = script.Training("article", rounds=1)
CACHED = (script.folds, script.network, script.read, script.taught)


@pytest.fixture(scope="module")
def contest():
    """A few made-up sentences in place of the contest's."""
    data = load_viewpoints("sample")
    few = {"sentences": data.sentences[:100], "labels": data.labels[:100], "unlabelled": data.unlabelled[:40]}
    return dataclasses.replace(data, **few)


@pytest.fixture(autouse=True)
def small(contest, monkeypatch, tmp_path):
    """Small networks, trained for a moment, and a folder of their own."""
    reader = LanguageModel(Vocabulary.fit(contest.sentences), "character", embedding=4, units=4, cell="gru", seed=0)
    monkeypatch.setattr(script, "data", lambda: contest)
    monkeypatch.setattr(script, "characters", lambda with_reviews=False: reader)
    monkeypatch.setattr(script, "reviews", lambda: (["很好。喜欢", "失望，不买了"] * 10, [True, False] * 10))
    for build in (article_tagger, viewpoint_tagger):
        monkeypatch.setattr(script, build.__name__, lambda n, n_tags, build=build: build(n, 4, (4, 4), n_tags))
    folders = {"RUNS": tmp_path / "runs", "RESULTS": tmp_path / "results.jsonl"}
    for name, value in ({"EPOCHS": 3, "N_CLEAR": 20, "CONFIDENCE": 0.0} | folders).items():
        monkeypatch.setattr(script, name, value)
    yield
    for cached in CACHED:
        cached.cache_clear()


@pytest.mark.parametrize(
    "how", [SELF_TRAINED, dataclasses.replace(script.MADE_UP, supplied=False)], ids=["article", "opinion"]
)
def test_nothing_sees_a_label_of_the_held_out_fold(contest, monkeypatch, tmp_path, how):
    def generous(*which):
        tagger = trained(*which)
        tagger.bonus = 1000.0
        return tagger

    # All names that are listed are found, whatever a network says of them: else a leaked name might not show.
    trained = script.trained
    monkeypatch.setattr(script, "trained", generous)
    monkeypatch.setattr(script, "MIN_LABELS", 1)

    def said():
        method = script.Method((how,), "names", supplied=False, bonus=1000.0)
        return script.read(how, 0), method.entities(0), script.always_neutral(False, False, 0), script.carried(0)

    before = said()
    changed = list(contest.labels)
    for i in np.flatnonzero(script.folds() == 0):  # other polarities, and a name that nobody else has labelled
        text = contest.sentences[i]
        changed[i] = ((text[:2], "neg"), *((view, "neg") for view, _ in changed[i] if view != text[:2]))
    script.read.cache_clear()
    monkeypatch.setattr(script, "data", lambda: dataclasses.replace(contest, labels=changed))
    monkeypatch.setattr(script, "RUNS", tmp_path / "changed")
    after = said()
    assert (tmp_path / "changed").exists()  # it was trained anew
    for one, other in zip(before[0], after[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert before[1:] == after[1:]


def test_a_classifier_sees_no_label_of_the_held_out_fold(contest, monkeypatch):
    monkeypatch.setattr(script, "N_CLEAR", 40)

    def said():
        script.classifier.cache_clear()
        found = script.classified(0, read_reviews=False, supplied=False)
        return script.classifier(0, read_reviews=False, supplied=False).gazetteer, found

    before = said()
    changed = list(contest.labels)
    for i in np.flatnonzero(script.folds() == 0):
        changed[i] = ((contest.sentences[i][:3], "neg"),)
    monkeypatch.setattr(script, "data", lambda: dataclasses.replace(contest, labels=changed))
    assert said() == before
    changed = [tuple((view, "neg") for view, _ in labels) for labels in contest.labels]
    changed[-1] = changed[-2] = ((contest.gazetteer[0], "pos"), (contest.gazetteer[1], "neu"))
    monkeypatch.setattr(script, "data", lambda: dataclasses.replace(contest, labels=changed))
    assert said() != before  # those of the others do matter


def test_every_training_is_kept_and_not_done_again(monkeypatch):
    flags = itertools.product(("article", "names"), *[(False, True)] * 4, (0, 1), (0, 1), range(4))
    assert len({script.Training(*values).key for values in flags}) == 2**9
    how = script.Training("names", weights=False)
    first = script.read(how, 0)
    script.read.cache_clear()
    monkeypatch.setattr(script, "restart", None)  # calling it would fail
    for one, other in zip(first, script.read(how, 0), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_a_review_says_is_said_of_the_name_put_into_it():
    texts, entities = script.reviewed_cars(0)
    assert sum(map(len, entities)) == 20
    for text, one in zip(texts, entities, strict=True):
        assert all(text[start:end] in script.CARS for start, end, _ in one)
    alone = [(text, one[0]) for text, one in zip(texts, entities, strict=True) if len(one) == 1]
    assert alone
    assert all(("失望" in text or "不买" in text) == (polarity == "neg") for text, (*_, polarity) in alone)


def test_labels_of_other_folds_do_matter(contest, monkeypatch, tmp_path):
    before = script.read(script.ARTICLE, 0)
    changed = [tuple((view, "neg") for view, _ in labels) for labels in contest.labels]
    script.read.cache_clear()
    monkeypatch.setattr(script, "data", lambda: dataclasses.replace(contest, labels=changed))
    monkeypatch.setattr(script, "RUNS", tmp_path / "changed")
    after = script.read(script.ARTICLE, 0)
    assert any(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_names_of_the_other_folds_are_those_labelled_there(contest):
    others = script.others(1)
    assert set(script.names_of(False, others)) == {view for i in others for view, _ in contest.labels[i]}
    assert script.names_of(True, others) == contest.gazetteer


def test_several_networks_are_averaged(monkeypatch):
    said = {0: [-2.0, -0.5, -5.0, -2.0], 1: [-2.0, -5.0, -5.0, -0.1]}  # "pos" and "neg"; on average "neg"
    n = [len(text) for i, text in enumerate(script.data().sentences) if script.folds()[i] == 0]
    monkeypatch.setattr(script, "read", lambda how, fold: [np.tile(said[how.seed], (length, 1)) for length in n])
    for seeds, polarity in (((0,), "pos"), ((1,), "neg"), ((0, 1), "neg")):
        trainings = tuple(dataclasses.replace(script.NAMES, seed=seed) for seed in seeds)
        found = script.Method(trainings, "names").entities(0)
        assert {polarity for sentence in found for _, polarity in sentence} == {polarity}


def test_classifier_and_tagger_have_equally_much_to_say(contest, monkeypatch):
    class Sure(ViewpointClassifier):
        def probabilities(self, texts):
            return [(np.array([[0, 2]]), np.array([[0, 0.6, 0, 0.4]]))] * len(texts)  # "pos"

    texts = [contest.sentences[i] for i in np.flatnonzero(script.folds() == 0)]
    monkeypatch.setattr(script, "classifier", lambda fold: Sure([], {}))
    for p, polarity in (([0.1, 0.1, 0.1, 0.7], "neg"), ([0.1, 0.2, 0.4, 0.3], "pos")):
        monkeypatch.setattr(script, "read", lambda how, fold, p=p: [np.log([p] * len(text)) for text in texts])
        assert script.averaged(0) == [[(text[:2], polarity)] for text in texts]


def test_the_ceilings_go_through_tags(contest, monkeypatch):
    sentences, labels = list(contest.sentences), list(contest.labels)
    i = np.flatnonzero(script.folds() == 0)[0]
    sentences[i], labels[i] = "本田丰田好", (("本田", "pos"), ("丰田", "pos"))
    data = dataclasses.replace(contest, sentences=sentences, labels=labels, gazetteer=("本田", "丰田"))
    folds = script.folds()
    monkeypatch.setattr(script, "data", lambda: data)
    monkeypatch.setattr(script, "folds", lambda: folds)
    assert script.ceiling(script.POLARITY, 0)[0] == [("本田丰田", "pos")]
    assert script.ceiling(script.POLARITY_BEGIN, 0)[0] == [("本田", "pos"), ("丰田", "pos")]


def test_finished_methods_are_stored_once(monkeypatch):
    def missing():
        raise script.DatasetUnavailable("BDCI 2016 is not here")

    names = ["list of names, always neutral", "ceiling: labels as seven tags and back"]
    monkeypatch.setattr(sys, "argv", ["viewpoint.py", "--folds", "0", "2", "--methods", *names])
    script.main()
    script.main()
    lines = [json.loads(line) for line in script.RESULTS.read_text(encoding="utf-8").splitlines()]
    assert [(line["method"], line["fold"]) for line in lines] == [(name, fold) for fold in (0, 2) for name in names]
    assert all(line["wrong"] == 0 for line in lines if line["method"].startswith("ceiling"))
    monkeypatch.setattr(script, "data", missing)
    with pytest.raises(SystemExit, match="BDCI 2016 is not here"):
        script.main()
