"""Building a transcript's entries: what every reader of lines does once it knows what a line stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import msgspec

from jilog_review import limits
from jilog_review.cursor import Cursor
from jilog_review.piece import Lines, Piece
from jilog_review.reader import Reading, Source
from jilog_review.transcript import (
    AnyEntry,
    Bill,
    Denial,
    Marker,
    MarkerKind,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
    Transcript,
    Usage,
    clip_middle,
)

T = TypeVar("T")

_NULL = msgspec.Raw(b"null")
GLOBAL_ID_CHARS_MIN = 20


class Spot(NamedTuple):
    """Where an entry stands: line (from 1), the line's byte offset, RFC 3339 time; whether in a sub-agent."""

    line: int
    offset: int
    timestamp: str | None = None
    sidechain: bool = False


def scoped_id(session_id: str, text: str) -> str:
    """Make a harness's id unique everywhere: a short one only counts within its session.

    A random id of GLOBAL_ID_CHARS_MIN characters or more is met once; it stays as it is, because the copies
    in resumed and forked sessions shall be known as copies.
    """
    return text if len(text) >= GLOBAL_ID_CHARS_MIN else f"{session_id}:{text}"


@dataclass(slots=True)
class EntryBuilder:
    """Collects the entries of one piece; lines before byte ``new_offset`` are context.

    An entry whose message id and part were there before is dropped: a resumed session repeats its lines.
    ``session_id`` and what follows it, where set, are more than the source's place told; ``anchor`` is the
    line from which the next reading must begin to know what this one knew at its end.
    """

    new_offset: int
    entries: list[AnyEntry] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    bills: list[Bill] = field(default_factory=list)
    calls: dict[str, ToolCall] = field(default_factory=dict)
    session_id: str | None = None
    root_session: str | None = None
    is_subagent: bool = False
    persona: str | None = None
    project: str | None = None
    model: str | None = None
    anchor: Spot | None = None
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def say(
        self,
        spot: Spot,
        text: str,
        provenance: Provenance,
        *,
        message_id: str | None,
        part: int = 0,
        role: str | None = None,
        name: str | None = None,
    ) -> None:
        """Add a message; an empty one is nothing."""
        if not text.strip():
            return
        self._add(
            Message(
                line=spot.line,
                offset=spot.offset,
                part=part,
                message_id=message_id,
                timestamp=spot.timestamp,
                sidechain=spot.sidechain,
                role=role or ("assistant" if provenance is Provenance.ASSISTANT else "user"),
                text=clip_middle(text, limits.MESSAGE_CHARS_MAX),
                provenance=provenance,
                name=name,
            )
        )

    def call(
        self,
        spot: Spot,
        call_id: str,
        tool: str | None,
        *,
        message_id: str | None,
        part: int = 0,
        command: str | None = None,
        paths: tuple[str, ...] = (),
        arguments: msgspec.Raw = _NULL,
    ) -> None:
        """Add a tool call and remember it for its result."""
        call = ToolCall(
            line=spot.line,
            offset=spot.offset,
            part=part,
            message_id=message_id,
            timestamp=spot.timestamp,
            sidechain=spot.sidechain,
            call_id=call_id,
            tool=tool or "unknown",
            command=command[: limits.COMMAND_CHARS_MAX] if command else None,
            paths=paths,
            arguments=arguments,
        )
        if call_id:
            self.calls.setdefault(call_id, call)
        self._add(call)

    def result(
        self,
        spot: Spot,
        call_id: str,
        body: msgspec.Raw,
        *,
        message_id: str | None,
        part: int = 0,
        tool: str | None = None,
        failed: bool | None = None,
        exit_status: int | None = None,
        denial: Denial | None = None,
    ) -> None:
        """Add a tool's result; tool, command and paths are its call's where that is known."""
        call = self.calls.get(call_id)
        self._add(
            ToolResult(
                line=spot.line,
                offset=spot.offset,
                part=part,
                message_id=message_id,
                timestamp=spot.timestamp,
                sidechain=spot.sidechain,
                call_id=call_id,
                tool=tool or (call.tool if call else "unknown"),
                body=body,
                command=call.command if call else None,
                paths=call.paths if call else (),
                failed=failed,
                exit_status=exit_status,
                denial=denial,
            )
        )

    def mark(
        self, spot: Spot, kind: MarkerKind, detail: str = "", *, message_id: str | None, part: int = 0
    ) -> None:
        """Add a marker."""
        self._add(
            Marker(
                line=spot.line,
                offset=spot.offset,
                part=part,
                message_id=message_id,
                timestamp=spot.timestamp,
                sidechain=spot.sidechain,
                kind=kind,
                detail=detail[:200],
            )
        )

    def bill(self, spot: Spot, usage: Usage, message_id: str | None = None) -> None:
        """Add what a new line says was consumed; context was counted before.

        A copy in another file is known by ``message_id``, else by its time and its tokens.
        """
        if spot.offset < self.new_offset:
            return
        self.usage += usage
        read, written = usage.input_tokens, usage.output_tokens
        key = message_id or (f"{spot.timestamp} {read} {written}" if spot.timestamp else None)
        if key is not None:
            self.bills.append(Bill(key[: limits.BILL_KEY_CHARS_MAX], read, written, usage.cost))

    def note_unknown(self, spot: Spot, kind: str | None) -> None:
        """Count a new line of a type that the reader does not know."""
        if spot.offset >= self.new_offset:
            name = (kind or "")[:60] or "(no type)"
            self.unknown[name] = self.unknown.get(name, 0) + 1

    def _add(self, entry: AnyEntry) -> None:
        if entry.message_id is not None:
            key = (entry.message_id, entry.part)
            if key in self._seen:
                return
            self._seen.add(key)
        self.entries.append(entry)


def starts_with(raw: msgspec.Raw, prefix: bytes) -> bool:
    """Tell whether JSON text begins with these bytes, without decoding it."""
    return bytes(memoryview(raw)[: len(prefix)]) == prefix


def tail_of(raw: msgspec.Raw, count: int) -> bytes:
    """Give the last bytes of JSON text."""
    return bytes(memoryview(raw)[-count:])


def make_reading(name: str, source: Source, piece: Piece, lines: Lines[T], builder: EntryBuilder) -> Reading:
    """Make the reading of a piece whose lines are in ``builder``."""
    entries = builder.entries
    transcript = Transcript(
        reader=name,
        session_id=builder.session_id or source.session_id,
        root_session=builder.root_session or builder.session_id or source.root_session,
        source_file=source.key,
        entries=tuple(entries),
        new_from=piece.new_from(entries),
        is_subagent=builder.is_subagent or source.is_subagent,
        persona=builder.persona or source.persona,
        channel=source.channel,
        seat=source.seat,
        project=builder.project or source.project,
        model=builder.model,
        usage=builder.usage,
        bills=tuple(builder.bills),
        coverage=lines.coverage(piece, builder.unknown),
    )
    return Reading(transcript, _anchored(piece.cursor(entries), builder.anchor), piece.more)


def _anchored(cursor: Cursor, anchor: Spot | None) -> Cursor:
    """Let the next reading begin at the anchor, unless that is too far back."""
    if anchor is None or anchor.offset >= cursor.context_offset:
        return cursor
    if anchor.offset < cursor.offset - limits.CONTEXT_BYTES_MAX:
        return cursor
    return msgspec.structs.replace(cursor, context_offset=anchor.offset, context_line=anchor.line)
