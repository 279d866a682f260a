"""What the precise rules ask about the surroundings of an entry."""

from __future__ import annotations

from collections.abc import Iterator

from jilog_review.transcript import AnyEntry, Marker, MarkerKind, Message, Provenance, ToolResult, Transcript


def main_thread(transcript: Transcript) -> list[AnyEntry]:
    """Give the entries of the session itself, without those of the sub-agents it started."""
    if transcript.is_subagent:
        return list(transcript.entries)
    return [entry for entry in transcript.entries if not entry.sidechain]


def is_assistant_text(entry: AnyEntry) -> bool:
    """Tell whether the model wrote this for the person to read."""
    return isinstance(entry, Message) and entry.provenance is Provenance.ASSISTANT


def is_human(entry: AnyEntry) -> bool:
    """Tell whether a person wrote this."""
    return isinstance(entry, Message) and entry.is_human


def is_interrupt(entry: AnyEntry | None) -> bool:
    """Tell whether a person stopped the agent here."""
    return isinstance(entry, Marker) and entry.kind is MarkerKind.INTERRUPT


def final_texts(entries: list[AnyEntry]) -> Iterator[Message]:
    """Give each turn's last text of the assistant: nothing but markers or a person's words come after it."""
    last: Message | None = None
    for entry in entries:
        if is_human(entry):
            if last is not None:
                yield last
            last = None
        elif isinstance(entry, Message) and entry.provenance is Provenance.ASSISTANT:
            last = entry
        elif not isinstance(entry, Message | Marker | ToolResult):
            last = None
    if last is not None:
        yield last
