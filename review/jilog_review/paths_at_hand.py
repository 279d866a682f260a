"""Which files a finding is about: those that the call named, or those that a person had before them."""

from __future__ import annotations

from collections.abc import Sequence

from jilog_review.transcript import AnyEntry, Message, ToolCall, ToolResult

PATHS_MAX = 5
"""Files kept with a signal: a call names one or two, and signals are replicated and stay."""

ENTRIES_BACK_MAX = 40
"""How far back files at hand are sought: about the work between two words of a person."""


def paths_at_hand(entry: AnyEntry, entries: Sequence[AnyEntry]) -> tuple[str, ...]:
    """Name the files of a call or its result; before a message those of the latest calls, the last first.

    A person who says "not like that" means what was just done, so calls count back to the person's own
    words before.
    """
    if isinstance(entry, ToolCall | ToolResult):
        return entry.paths[:PATHS_MAX]
    place = next((index for index, item in enumerate(entries) if item is entry), 0)
    found: dict[str, None] = {}
    for item in reversed(entries[max(0, place - ENTRIES_BACK_MAX) : place]):
        if isinstance(item, ToolCall):
            found.update(dict.fromkeys(item.paths))
        elif isinstance(item, Message) and item.is_human:
            break
    return tuple(found)[:PATHS_MAX]
