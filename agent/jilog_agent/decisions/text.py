"""Pieces of text for people: times, excerpts, marked words, first sentences. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from jilog_ledger.event import JsonValue
from jilog_ledger.times import SECOND_NS, format_time

EXCERPT_CHARS = 120
CUT = "..."

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HIGH_CONTROL = re.compile(r"[\x7f-\x9f]")
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\sa-z]|\s*\Z)")
"""What ends a sentence: a mark before a space and no small letter, so that ``v1.2`` and ``e.g. so`` go on."""


def visible(text: str) -> str:
    """Turn control characters, except line feed and tab, into visible escapes: other hosts wrote them."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def json_text(value: JsonValue, *, indent: int | None = 2) -> str:
    """Write JSON that a terminal can show: DEL and the C1 control characters are escaped, too."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _HIGH_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def one_line(text: str) -> str:
    """Make text fit into a line of a list."""
    return visible(text.replace("\n", " ").replace("\t", " "))


def clock(timestamp_ns: int) -> str:
    """Write a time in UTC as ``2026-11-22 02:14:48``."""
    return format_time(timestamp_ns // SECOND_NS * SECOND_NS)[:19].replace("T", " ")


def day(timestamp_ns: int) -> str:
    """Write the date in UTC."""
    return clock(timestamp_ns)[:10]


def seconds(timestamp_ns: int) -> str:
    """Write a time as RFC 3339 at whole seconds."""
    return format_time(timestamp_ns // SECOND_NS * SECOND_NS)


def indented(text: str, spaces: int) -> str:
    """Indent every line."""
    return "\n".join(" " * spaces + line for line in visible(text).split("\n"))


def first_sentence(text: str) -> str:
    """Give the first sentence of the first line, cut to 120 characters."""
    line = one_line(text.strip().split("\n", 1)[0]).strip()
    end = _SENTENCE_END.search(line)
    sentence = line[: end.end()] if end else line
    return sentence if len(sentence) <= EXCERPT_CHARS else sentence[: EXCERPT_CHARS - len(CUT)] + CUT


def spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Find where words stand in a text, whatever their case; overlapping places are joined."""
    found = sorted(
        match.span() for word in words if word for match in re.finditer(re.escape(word), text, re.IGNORECASE)
    )
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def marked(text: str, words: Sequence[str], before: str, after: str) -> str:
    """Put marks around words. All places are found first, so that no word is sought inside a mark."""
    parts, position = [], 0
    for start, end in spans(text, words):
        parts += [text[position:start], before, text[start:end], after]
        position = end
    return "".join([*parts, text[position:]])


def excerpt(text: str, words: Sequence[str]) -> str:
    """Cut at most 120 characters out of a text, around the first word that stands in it."""
    line = one_line(text)
    if len(line) <= EXCERPT_CHARS:
        return line
    places = spans(line, words)
    room = EXCERPT_CHARS - 2 * len(CUT)
    middle = sum(places[0]) // 2 if places else 0
    start = max(0, min(middle - room // 2, len(line) - room))
    end = start + room
    return (CUT if start else "") + line[start:end] + (CUT if end < len(line) else "")
