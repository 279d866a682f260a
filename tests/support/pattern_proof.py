"""Whether a regular expression can match where none of some literal texts stands: a proof for needles.

The parse tree is Python's own, which is no public interface: fit for a test, not for the program.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

_TEXTS_MAX = 256
_CLASS_MAX = 8
Texts = frozenset[str]


class _Seen(NamedTuple):
    """``exact``: all texts that a part matches, where they are few; ``held``: each match has a needle."""

    exact: Texts | None
    held: bool = False


_EMPTY = _Seen(frozenset({""}))
_ANYTHING = _Seen(None)


def always_holds_one_of(pattern: str, needles: Collection[str], *, lowered: bool) -> bool:
    """Tell whether one of ``needles`` stands in whatever ``pattern`` matches, whole or in lower case.

    A True is a proof; a False may also mean that the pattern is not understood that far.
    """
    parsed = parser.parse(pattern, re.IGNORECASE if lowered else 0)
    return _Proof(tuple(needles), lowered).sequence(parsed).held


class _Proof:
    def __init__(self, needles: tuple[str, ...], lowered: bool) -> None:
        self._needles = needles
        self._lowered = lowered

    def sequence(self, parts: Iterable[tuple[Any, Any]]) -> _Seen:
        """Join the exact texts of neighbours while they are few, and look for needles in what is joined."""
        running: Texts = frozenset({""})
        exact, held = True, False
        for kind, value in parts:
            seen = self._part(kind, value)
            held = held or seen.held
            joined = None if seen.exact is None else self._joined(running, seen.exact)
            exact = exact and joined is not None
            running = joined if joined is not None else seen.exact or frozenset({""})
            held = held or self._all_hold(running)
        return _Seen(running if exact else None, held)

    def _joined(self, first: Texts, second: Texts) -> Texts | None:
        if len(first) * len(second) > _TEXTS_MAX:
            return None
        return frozenset(a + b for a, b in itertools.product(first, second))

    def _all_hold(self, texts: Texts) -> bool:
        return all(any(needle in text for needle in self._needles) for text in texts)

    def _part(self, kind: Any, value: Any) -> _Seen:
        if kind is op.LITERAL:
            return self._letters([value])
        if kind is op.IN:
            plain = all(item[0] is op.LITERAL for item in value)
            return self._letters([item[1] for item in value]) if plain else _ANYTHING
        if kind is op.BRANCH:
            return self._branches([self.sequence(branch) for branch in value[1]])
        if kind is op.SUBPATTERN:
            return self.sequence(value[3])
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(value[0], value[1], self.sequence(value[2]))
        if kind in (op.AT, op.ASSERT, op.ASSERT_NOT):
            return _EMPTY
        return _ANYTHING

    def _letters(self, codes: list[int]) -> _Seen:
        if len(codes) > _CLASS_MAX:
            return _ANYTHING
        exact = frozenset(chr(code).lower() if self._lowered else chr(code) for code in codes)
        return _Seen(exact, self._all_hold(exact))

    def _branches(self, branches: list[_Seen]) -> _Seen:
        exact: Texts | None = frozenset()
        for seen in branches:
            exact = None if exact is None or seen.exact is None else exact | seen.exact
        return _Seen(
            exact if exact and len(exact) <= _TEXTS_MAX else None, all(seen.held for seen in branches)
        )

    def _repeat(self, least: int, most: Any, inner: _Seen) -> _Seen:
        held = inner.held and least > 0
        if inner.exact is None or most != 1:
            return _Seen(None, held)
        return _Seen(inner.exact | {""} if least == 0 else inner.exact, held)


def stays_on_a_line(pattern: str) -> bool:
    """Tell whether nothing that ``pattern`` matches or looks at beside it can hold a newline.

    A True is a proof; what stands beside an end of a line (``$``) is not looked at.
    """
    return _is_without_newline(parser.parse(pattern))


def _is_without_newline(parts: Iterable[tuple[Any, Any]]) -> bool:
    return all(_part_is_without_newline(kind, value) for kind, value in parts)


def _part_is_without_newline(kind: Any, value: Any) -> bool:
    if kind is op.LITERAL:
        return bool(value != ord("\n"))
    if kind is op.NOT_LITERAL:
        return bool(value == ord("\n"))
    if kind is op.IN:
        return re.match(_class_text(value), "\n") is None
    if kind is op.BRANCH:
        return all(_is_without_newline(branch) for branch in value[1])
    if kind is op.SUBPATTERN:
        return _is_without_newline(value[3])
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        return _is_without_newline(value[2])
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return _is_without_newline(value[1])
    return kind in (op.AT, op.ANY)


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _class_text(items: list[tuple[Any, Any]]) -> str:
    """Write a class of characters as a pattern again."""
    texts = []
    for kind, value in items:
        if kind is op.NEGATE:
            texts.append("^")
        elif kind is op.LITERAL:
            texts.append(f"\\U{value:08x}")
        elif kind is op.RANGE:
            texts.append(f"\\U{value[0]:08x}-\\U{value[1]:08x}")
        else:
            texts.append(_CATEGORIES[value])
    return f"[{''.join(texts)}]"
