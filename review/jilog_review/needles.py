"""Looking for many literal texts at once: the cheap question before a rule reads anything.

With the optional library all of them are looked for in one pass (Aho and Corasick 1975); without it one after
the other, with the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from jilog_review import limits

try:
    from ahocorasick_rs import BytesAhoCorasick, Implementation

    HAS_AUTOMATON = True
except ImportError:
    HAS_AUTOMATON = False

_ASCII_TWINS = (
    ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i"),
    ("\N{LATIN SMALL LETTER DOTLESS I}", "i"),
    ("\N{LATIN SMALL LETTER LONG S}", "s"),
)
"""Letters that a pattern takes for an ASCII one where case is nothing, though they are not its lower case."""

AnyInBytes: TypeAlias = Callable[[memoryview], bool]
"""Tells whether one of some texts stands in bytes."""
FoundInText: TypeAlias = Callable[[str], Iterable[int]]
"""Gives the places, in the list of texts, of those that stand in a text; one may be given several times."""


def folded(text: str) -> str:
    """Give a text in lower case, as needles stand in whatever a pattern matches that passes over case."""
    if not text.isascii():
        for twin, letter in _ASCII_TWINS:
            text = text.replace(twin, letter)
    return text.lower()


def any_in_bytes(needles: Sequence[bytes]) -> AnyInBytes:
    """Make the search for one of ``needles`` in bytes of any size."""
    chosen = tuple(needles)
    if not chosen or not HAS_AUTOMATON:
        texts = tuple(needle.decode("latin-1") for needle in chosen)
        return lambda data: _any_one_by_one(data, texts)
    find = BytesAhoCorasick(chosen, implementation=Implementation.DFA).find_matches_as_indexes
    step = limits.NEEDLE_STEP_BYTES
    # The library gives every place: a step at a time, so that a file of nothing but needles costs no memory.
    overlap = max(map(len, chosen)) - 1

    def search(data: memoryview) -> bool:
        size = len(data)
        if size <= step:
            return bool(find(data))
        return any(find(data[start : start + step + overlap]) for start in range(0, size, step))

    return search


def _any_one_by_one(data: memoryview, needles: Sequence[str]) -> bool:
    # Bytes as characters, because a search in text is faster; a loop, because this runs over all of a file.
    text = str(data, "latin-1")
    for needle in needles:  # noqa: SIM110 (see above)
        if needle in text:
            return True
    return False


def found_in_text(needles: Sequence[str]) -> FoundInText:
    """Make the search for those of ``needles`` that stand in a text; the empty one stands in every text."""
    chosen = tuple(needles)
    always = tuple(place for place, needle in enumerate(chosen) if not needle)
    places = tuple(place for place, needle in enumerate(chosen) if needle)

    if not places or not HAS_AUTOMATON:
        return lambda text: [place for place, needle in enumerate(chosen) if needle in text]
    # As bytes: places of characters, which nobody asks for, would be counted through every text.
    encoded = [chosen[place].encode("utf-8", "surrogatepass") for place in places]
    find = BytesAhoCorasick(encoded, implementation=Implementation.ContiguousNFA).find_matches_as_indexes

    def at_once(text: str) -> list[int]:
        matches = find(text.encode("utf-8", "surrogatepass"), overlapping=True)
        return [*always, *{places[match[0]] for match in matches}]

    return at_once
