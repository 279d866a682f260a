"""What the precise rules ask about the surroundings of an entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jilog_review.transcript import AnyEntry, Marker, MarkerKind, Message, Provenance, ToolCall


def is_interrupt(entry: AnyEntry | None) -> bool:
    """Tell whether a person stopped the agent here."""
    return isinstance(entry, Marker) and entry.kind is MarkerKind.INTERRUPT


def final_texts(entries: Sequence[AnyEntry]) -> Iterator[Message]:
    """Give each turn's last text of the assistant: nothing but markers or a person's words come after it."""
    last: Message | None = None
    for entry in entries:
        if isinstance(entry, ToolCall):
            last = None
        elif not isinstance(entry, Message):
            continue
        elif entry.provenance is Provenance.ASSISTANT:
            last = entry
        elif entry.is_human:
            if last is not None:
                yield last
            last = None
    if last is not None:
        yield last
