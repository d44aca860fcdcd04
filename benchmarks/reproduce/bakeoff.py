"""Align two segmentations word by word, as the ``score`` script of the bakeoff of 2005 does.

The script compares both segmentations of a sentence with GNU ``diff``, one word per line. Here, as there, `align`

1. sets aside the common beginning and end of the sentence;
2. drops words that the other side lacks and, amid those, words that it has six times or more;
3. finds a longest common subsequence of the rest, from both ends until the searches meet (Myers 1986, section 4b);
4. slides each run of changed words down as far as equal words permit.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count


def align(gold: Sequence[str], predicted: Sequence[str]) -> list[tuple[int, int]]:
    """List the index pairs ``(i, j)`` of the words that GNU ``diff`` would keep, in order."""
    return _between_shared_ends(gold, predicted, _align_middle)


def _between_shared_ends(x: Sequence[str], y: Sequence[str], align_middle: Callable) -> list[tuple[int, int]]:
    """Pair the words of the common beginning and end, and those between them that ``align_middle`` pairs."""
    shorter = min(len(x), len(y))
    head = next((i for i in range(shorter) if x[i] != y[i]), shorter)
    tail = next((i for i in range(shorter - head) if x[-1 - i] != y[-1 - i]), shorter - head)
    middle = align_middle(x[head : len(x) - tail], y[head : len(y) - tail])
    ends = ((len(x) - k, len(y) - k) for k in range(tail, 0, -1))
    return [*((i, i) for i in range(head)), *((head + i, head + j) for i, j in middle), *ends]


def _align_middle(x: Sequence[str], y: Sequence[str]) -> list[tuple[int, int]]:
    used_x, used_y = _worth_aligning(x, y), _worth_aligning(y, x)
    matches = _between_shared_ends([x[i] for i in used_x], [y[j] for j in used_y], _halve)
    # Positions of the matched words, with a post before the first word and one behind the last.
    posts_x = [-1, *(used_x[i] for i, _ in matches), len(x)]
    posts_y = [-1, *(used_y[j] for _, j in matches), len(y)]
    _slide(x, posts_x, posts_y)
    _slide(y, posts_y, posts_x)
    return list(zip(posts_x[1:-1], posts_y[1:-1], strict=True))


def _worth_aligning(words: Sequence[str], other: Sequence[str]) -> list[int]:
    """Positions of the words that take part in the alignment.

    Each word gets a letter: ``x`` foreign (the other side lacks it), ``f`` frequent there, ``.`` neither. Foreign words
    go. So do frequent ones within a stretch from one foreign word to another, where they would match by chance; but
    they stay if they make up a quarter of it, stand many in a row, or are near its ends.
    """
    occurrences = Counter(other)
    often = 5 * _root(len(words) // 64)
    letters = [("x" if not n else "f" if n > often else ".") for n in map(occurrences.__getitem__, words)]

    def thin(stretch: re.Match[str]) -> str:
        code = stretch.group()
        if 4 * code.count("f") > len(code):
            return code
        code = re.sub(f"f{{{1 + _root(len(code) // 4)},}}", lambda row: "." * len(row.group()), code)
        for _ in range(2):  # from the front, then, reversed, from the back
            # "Near" ends at three foreign words in a row, or at a foreign word after the eighth word.
            margin = re.search("xxx|(?<=.{8})x", code)
            near = margin.start() if margin else len(code)
            code = (code[:near].replace("f", ".") + code[near:])[::-1]
        return code.replace("f", "x")

    return [i for i, letter in enumerate(re.sub("x[xf]*x", thin, "".join(letters))) if letter != "x"]


def _root(n: int) -> int:
    """Return the square root of n, rounded down to a power of two; at least 1."""
    return 1 << max(0, n.bit_length() - 1) // 2


def _halve(x: Sequence[str], y: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs of a longest common subsequence, found by halving a shortest path of edits."""
    if not x or not y:
        return []
    i, j = _meeting_point(x, y)
    behind = _between_shared_ends(x[i:], y[j:], _halve)
    return _between_shared_ends(x[:i], y[:j], _halve) + [(i + a, j + b) for a, b in behind]


def _meeting_point(x: Sequence[str], y: Sequence[str]) -> tuple[int, int]:
    """Find a point ``(i, j)`` half way on a shortest path of edits; x and y differ in their first and last words.

    Two searches run towards each other and note the furthest ``i`` reached on each diagonal ``k = i - j``; the backward
    search counts from the ends.
    """
    slant = len(x) - len(y)
    forward, backward = {0: 0}, {0: 0}
    searches = (forward, x, y), (backward, x[::-1], y[::-1])
    for edits in count(1):
        for front, ahead_x, ahead_y in searches:
            for k in range(-edits, edits + 1, 2):
                if -len(y) <= k <= len(x):
                    i = max(front.get(k - 1, -1) + 1, front.get(k + 1, -1))
                    while i < len(x) and i - k < len(y) and ahead_x[i] == ahead_y[i - k]:
                        i += 1
                    front[k] = i
            # Paths meet after an odd number of edits in the forward search, after an even one in the other.
            if (front is forward) == slant % 2:
                met = [k for k in forward if slant - k in backward and forward[k] + backward[slant - k] >= len(x)]
                if met:
                    k = max(met)  # of several meetings diff takes the one furthest ahead in x
                    i = forward[k] if front is forward else len(x) - backward[slant - k]
                    return i, i - k


def _slide(words: Sequence[str], posts: list[int], other: Sequence[int]) -> None:
    """Move each run of changed words down, in place, as far as equal words permit.

    The run in gap *g* lies between the matched words ``posts[g]`` and ``posts[g + 1]``. If its last word equals the
    matched word above it, those two swap roles, and the run has moved to gap *g* - 1, where it joins any run already
    there. The way down is the same with its first word and the matched word below. A run that passes gaps where the
    other side changes too stops in the last of them.
    """
    gap, last = 0, len(posts) - 2
    while gap <= last:
        length, paired = 1, []
        while posts[gap + 1] - posts[gap] > length:  # once more whenever the run has grown by joining another
            length, paired = posts[gap + 1] - posts[gap], []
            while gap > 0 and words[posts[gap]] == words[posts[gap + 1] - 1]:
                posts[gap] = posts[gap + 1] - 1
                gap -= 1
            while True:
                if other[gap + 1] - other[gap] > 1:
                    paired.append(gap)
                if gap == last or words[posts[gap] + 1] != words[posts[gap + 1]]:
                    break
                posts[gap + 1] = posts[gap] + 1
                gap += 1
        while paired and gap > paired[-1]:
            posts[gap] = posts[gap + 1] - 1
            gap -= 1
        gap += 1
