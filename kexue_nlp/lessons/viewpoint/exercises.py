"""Exercises of lesson 04: entities out of tags, the contest's F1, the vote of forced alignment."""

import re

from kexue_nlp.exercises import Exercise
from kexue_nlp.language import N_, _
from kexue_nlp.scoring import ViewpointScores


def entities_of(tags):
    """Return the runs of one tag other than 0."""
    return [(run.start(), run.end(), run.group()[0]) for run in re.finditer(r"([1-3])\1*", tags)]


def explain_f1(returned, expected, *counts):
    """Recognise the other F1."""
    strict = abs(returned - ViewpointScores(*counts).strict_f1) < 1e-6
    return _("that is strict; in the contest's recall wrong polarities do not count.") if strict else ""


def vote(plain, forced):
    """Give each run of the second tags the most frequent polarity of the first, if there is one."""
    kept = []
    for start, end, _tag in entities_of(forced):
        votes = [plain[start:end].count(tag) for tag in "123"]
        if any(votes):
            kept.append((start, end, "123"[votes.index(max(votes))]))
    return kept


_nothing_right = [(0, 4, 1, 2), (0, 0, 0, 0), (0, 0, 3, 0)]
_votes = [("00100", "02220"), ("0000", "0110"), ("1330", "1110"), ("110033", "110022"), ("1110300", "0110330")]
_ties = [("3311", "2222"), ("0203", "1111")]
_tags = ["0110330", "000", "", "2", "1100", "0022", "11033", "0111033300220", "1133", "30303"]
EXERCISES = {
    "04.1": Exercise(
        entities_of,
        [(tags,) for tags in _tags],
        (
            N_("An entity is a run of one tag other than 0. Where does a run begin, and where does it end?"),
            N_("It begins where a tag is not 0 and differs from the one before; it ends before the next that differs."),
            N_('The last run may end with the text: a "0" put behind the tags ends it. Or use itertools.groupby.'),
        ),
    ),
    "04.2": Exercise(
        lambda right, wrong, missed, extra: ViewpointScores(right, wrong, missed, extra).contest_f1,
        [(6, 2, 2, 4), (3, 0, 0, 0), (5, 5, 0, 0), (1, 0, 9, 0), (2, 3, 4, 5), *_nothing_right],
        (
            N_("Precision is right / (right + wrong + extra): of all that was said, how much is right?"),
            N_("The contest's recall is right / (right + missed): pairs with a wrong polarity are in neither."),
            N_("F1 = 2PR / (P + R). If nothing is right it is 0: mind the divisions by zero."),
        ),
        explain_f1,
    ),
    "04.3": Exercise(
        vote,
        [*_votes, *_ties, ("", ""), ("0010", "0000")],
        (
            N_("Where the entities are, the second tags say; what is said of each, the first."),
            N_("For each run of the second tags count 1, 2 and 3 among the first tags of the same places."),
            N_("The most frequent wins, of equally frequent ones the smallest. If all three are 0, leave the run out."),
        ),
    ),
}
