"""What the precise rules ask about the surroundings of an entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jilog_review.transcript import AnyEntry, Marker, MarkerKind, Message, Provenance, ToolCall


def is_interrupt(entry: AnyEntry | None) -> bool:
    """Tell whether a person stopped the agent here."""
    return isinstance(entry, Marker) and entry.kind is MarkerKind.INTERRUPT


@dataclass(frozen=True, slots=True)
class LastWords:
    """A turn's last text of the assistant, the words that began the turn if they were read, and its calls."""

    message: Message
    asked: Message | None
    calls: tuple[ToolCall, ...]


def last_words(entries: Sequence[AnyEntry]) -> Iterator[LastWords]:
    """Give the end of each turn: nothing but markers or a person's words come after its last text."""
    last: Message | None = None
    calls: list[ToolCall] = []
    asked: Message | None = None
    for entry in entries:
        if isinstance(entry, ToolCall):
            last = None
            calls.append(entry)
        elif not isinstance(entry, Message):
            continue
        elif entry.provenance is Provenance.ASSISTANT:
            last = entry
        elif entry.is_human:
            if last is not None:
                yield LastWords(last, asked, tuple(calls))
            last = None
            # What was typed while the agent worked came into the middle of a turn.
            if entry.provenance is not Provenance.QUEUED:
                asked, calls = entry, []
    if last is not None:
        yield LastWords(last, asked, tuple(calls))
