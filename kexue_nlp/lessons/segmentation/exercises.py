"""Exercises of lesson 03: the tags of words, legal tags, the multiplier that keeps a word whole."""

import numpy as np

from kexue_nlp.exercises import Exercise
from kexue_nlp.language import N_, _
from kexue_nlp.tagging import SBME, words_to_tags
from kexue_nlp.viterbi import viterbi


def tag_sentence(words):
    """Return the tags as letters."""
    return "".join(SBME.tags[tag] for tag in words_to_tags(words))


def legal(tags):
    """Return whether letters can be the tags of some words."""
    return SBME.is_legal([SBME.tags.index(tag) for tag in tags])


def multiplier_needed(log_probabilities, start, end):
    """Halve an interval of log m: the path through the word gains most by it, so there is one smallest m."""
    word = words_to_tags(["字" * (end - start)])
    low, high = -60.0, 60.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        scores = log_probabilities.astype(float)
        scores[np.arange(start, end), word] += middle
        whole = np.array_equal(viterbi(scores, SBME)[start:end], word)
        low, high = (low, middle) if whole else (middle, high)
    return float(np.exp(high))


def explain_multiplier(returned, expected, log_probabilities, start, end):
    """Say in which direction it is wrong."""
    word = {"start": start, "end": end - 1}
    if 0 < returned < expected:
        return _("that does not keep the word at positions {start} to {end} whole.", **word)
    smaller = _("a smaller multiplier keeps the word at positions {start} to {end} whole too.", **word)
    return smaller if expected < returned < 1e30 else ""


_rng = np.random.default_rng(4195)
_spans = [(3, 0, 2), (2, 0, 2), (4, 1, 4), (6, 2, 6), (5, 2, 3), (8, 0, 1), (7, 6, 7), (9, 3, 5)]
_sentences = [["微", "信号"], ["微信号"], ["关注", "微信号", "。"], ["人工智能"], ["扫描", "二维码", "，"]]
_legal = ["s", "be", "sbe", "bmmes", "bebe", "ssbme", ""]
_illegal = ["b", "m", "e", "sb", "bm", "es", "me", "bbe", "bee", "bmse", "sme", "bsbe", "sebe"]
EXERCISES = {
    "03.1": Exercise(
        tag_sentence,
        [(words,) for words in [*_sentences, ["中华人民共和国"], ["字"], []]],
        (
            N_("A word of one character is tagged s. What does a longer word begin and end with?"),
            N_("Between b and e a word of n characters has n − 2 times m: for two characters none at all."),
            N_('The tags of one longer word are "b" + "m" * (len(word) - 2) + "e"; join those of all the words.'),
        ),
    ),
    "03.2": Exercise(
        legal,
        [(tags,) for tags in [*_legal, *_illegal]],
        (
            N_("Look at neighbours: which tags may follow s, and which may follow b?"),
            N_("After s or e a new word begins, so s or b follows. Inside a word, after b or m, comes m or e."),
            N_("The ends count too: the first tag is s or b, the last is s or e. A text without tags is all right."),
        ),
    ),
    "03.3": Exercise(
        multiplier_needed,
        [(np.log(_rng.dirichlet(np.ones(4), size=n)).astype(np.float32), start, end) for n, start, end in _spans],
        (
            N_(
                "Add log(m) to the word's tags in a copy of log_probabilities (s for a word of one character, "
                "otherwise b, m …, e), call viterbi and look whether its tags from start to end are the word's."
            ),
            N_("Below one value of m the word is cut, above it is whole. Halve an interval of log(m) again and again."),
            N_("Search below log(m) = 0, too: a word that stays whole anyway needs less than 1. Return m as a float."),
        ),
        explain_multiplier,
        tolerance=0.01,
    ),
}
