"""The transcript model: what every harness's files become before a rule looks at them.

A transcript is a sequence of entries in file order: messages, tool calls, tool results and markers, each with
the place it came from. Readers turn a harness's lines into entries and decide what is human and what was
injected; detectors never see a file format.

Entries are msgspec structs rather than dataclasses: a review builds hundreds of thousands of them, and a
struct is built in a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

import msgspec

from jilog_review import limits
from jilog_review.moments import transcript_time_ns
from jilog_review.money import is_amount
from jilog_review.repair import repair_text


class Provenance(StrEnum):
    """Who wrote the text of a message."""

    HUMAN = "human"
    """Typed by a person as a turn of their own."""
    QUEUED = "queued"
    """Typed by a person while the agent was still working."""
    REJECTION = "rejection"
    """Typed by a person while refusing a tool call."""
    INJECTED = "injected"
    """Put in by the harness, a hook, another agent or a command: no person wrote it here."""
    ASSISTANT = "assistant"
    """Written by the model for the person to read."""


HUMAN_PROVENANCES = frozenset({Provenance.HUMAN, Provenance.QUEUED, Provenance.REJECTION})


class MarkerKind(StrEnum):
    """Things that happened to a session and are not a message or a tool call."""

    COMPACTION = "compaction"
    RESUME = "resume"
    INTERRUPT = "interrupt"
    REJECTION = "rejection"
    """A tool call was refused without a word."""
    API_ERROR = "api_error"
    BRANCH = "branch"
    """The person left this branch of the conversation for another."""


class Denial(StrEnum):
    """Why a tool call was not carried out, where the harness says so."""

    USER = "user"
    POLICY = "policy"
    HOOK = "hook"
    SIBLING = "sibling"
    """Cancelled because another call of the same batch failed."""
    ABORTED = "aborted"


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The place of an entry, common to all kinds.

    ``line`` counts from 1 and ``offset`` is the byte where that line begins; ``part`` tells the entries of
    one line apart. ``message_id`` is an id that no other entry anywhere has and that every file repeats
    together with the entry (replays after a resume, a fork's copy); a reader that has only an id within a
    session puts the session before it. ``timestamp`` is RFC 3339 as the harness wrote it, absent where it
    does not; few entries are ever asked for their time, so it is read on demand.
    """

    line: int
    offset: int
    part: int = 0
    message_id: str | None = None
    timestamp: str | None = None
    sidechain: bool = False

    @property
    def timestamp_ns(self) -> int | None:
        """Read the time as Unix nanoseconds; None when it is absent or no time."""
        return transcript_time_ns(self.timestamp)


class Message(Entry, frozen=True, kw_only=True, gc=False):
    """Text that somebody wrote; ``text`` is cut at MESSAGE_CHARS_MAX characters."""

    role: str
    text: str
    provenance: Provenance
    name: str | None = None

    @property
    def is_human(self) -> bool:
        """Tell whether a person wrote this."""
        return self.provenance in HUMAN_PROVENANCES


class ToolCall(Entry, frozen=True, kw_only=True, gc=False):
    """A tool call: ``arguments`` is its input as JSON text, to be decoded by the rules that need it.

    ``command`` is the shell command of a shell tool; ``paths`` are the files the call names.
    """

    call_id: str
    tool: str
    command: str | None = None
    paths: tuple[str, ...] = ()
    arguments: msgspec.Raw = msgspec.Raw(b"null")


class ToolResult(Entry, frozen=True, kw_only=True, gc=False):
    """What a tool gave back.

    ``failed`` is the harness's structured flag, None where it has none; ``exit_status`` is the status of a
    shell command where it can be known. ``body`` is the content as JSON text: most results are never looked
    at, so :attr:`text` decodes it on demand.
    """

    call_id: str
    tool: str
    body: msgspec.Raw
    command: str | None = None
    paths: tuple[str, ...] = ()
    failed: bool | None = None
    exit_status: int | None = None
    denial: Denial | None = None

    @property
    def text(self) -> str:
        """Decode the content as text, the middle left out beyond RESULT_CHARS_MAX characters."""
        return clip_middle(content_text(self.body), limits.RESULT_CHARS_MAX)


class Marker(Entry, frozen=True, kw_only=True, gc=False):
    """Something that happened to the session; ``detail`` is a few words of the harness's own."""

    kind: MarkerKind
    detail: str = ""


AnyEntry: TypeAlias = Message | ToolCall | ToolResult | Marker


@dataclass(frozen=True, slots=True)
class Usage:
    """What a stretch of a session consumed. ``cost`` is in US dollars, None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None

    def __add__(self, other: Usage) -> Usage:
        """Add two stretches; a cost that is unknown, or no amount at all, stays out of the sum."""
        costs = [cost for cost in (self.cost, other.cost) if cost is not None and is_amount(cost)]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(costs, Decimal(0)) if costs else None,
        )


class Bill(msgspec.Struct, frozen=True, gc=False):
    """What one response of a model consumed, under an id that every copy of it repeats.

    ``key`` is the harness's id of the response, else its time and its tokens.
    """

    key: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = None


def usage_of(bills: Iterable[Bill]) -> Usage:
    """Add bills up; a cost that is no amount stays out of the sum."""
    read = written = 0
    cost: Decimal | None = None
    for bill in bills:
        read += bill.input_tokens
        written += bill.output_tokens
        if bill.cost is not None and is_amount(bill.cost):
            cost = bill.cost if cost is None else cost + bill.cost
    return Usage(read, written, cost)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was read, and what of it could not be understood. Counters add up over files and hosts.

    ``unknown`` counts lines by a type the reader does not know. ``bad_lines`` are no JSON or have the wrong
    shape, ``bad_utf8`` are not UTF-8, ``long_lines`` are over LINE_BYTES_MAX, ``torn_lines`` end without
    being complete and are left for the next time. ``unreadable`` counts files that could not be opened or
    read.
    """

    files: int = 0
    lines: int = 0
    bytes: int = 0
    bad_lines: int = 0
    bad_utf8: int = 0
    long_lines: int = 0
    torn_lines: int = 0
    unreadable: int = 0
    unknown: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Coverage) -> Coverage:
        """Add two counts; unknown types beyond UNKNOWN_TYPES_MAX names are counted as ``(other)``."""
        unknown = dict(self.unknown)
        for name, count in other.unknown.items():
            known = name in unknown or len(unknown) < limits.UNKNOWN_TYPES_MAX
            key = name if known else "(other)"
            unknown[key] = unknown.get(key, 0) + count
        return Coverage(
            files=self.files + other.files,
            lines=self.lines + other.lines,
            bytes=self.bytes + other.bytes,
            bad_lines=self.bad_lines + other.bad_lines,
            bad_utf8=self.bad_utf8 + other.bad_utf8,
            long_lines=self.long_lines + other.long_lines,
            torn_lines=self.torn_lines + other.torn_lines,
            unreadable=self.unreadable + other.unreadable,
            unknown=unknown,
        )


@dataclass(frozen=True)
class Transcript:
    """One session file, or the piece of it that was read this time.

    ``entries`` before index ``new_from`` were there at the last reading: they are context for rules about
    neighbours and are not counted again. ``root_session`` is the session a person started; a sub-agent's
    differs from its ``session_id``. ``usage`` covers the new entries; ``bills`` name the responses in it, so
    that one which several files repeat is counted once.
    """

    reader: str
    session_id: str
    root_session: str
    source_file: str
    entries: tuple[AnyEntry, ...] = ()
    new_from: int = 0
    is_subagent: bool = False
    persona: str | None = None
    channel: str | None = None
    seat: str | None = None
    project: str | None = None
    model: str | None = None
    usage: Usage = field(default_factory=Usage)
    bills: tuple[Bill, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)

    @cached_property
    def main_thread(self) -> Sequence[AnyEntry]:
        """The entries of the session itself, without those of the sub-agents it started."""
        if self.is_subagent:
            return self.entries
        return [entry for entry in self.entries if not entry.sidechain]

    @cached_property
    def main_calls(self) -> Sequence[ToolCall]:
        """The calls of the session itself."""
        return [entry for entry in self.main_thread if isinstance(entry, ToolCall)]

    def new_entries(self) -> Iterator[AnyEntry]:
        """Give the entries that were not there at the last reading."""
        return iter(self.entries[self.new_from :])


class _TextBlock(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""


_Content: TypeAlias = str | list[_TextBlock | str] | dict[str, msgspec.Raw] | None
_CONTENT_DECODER: msgspec.json.Decoder[_Content] = msgspec.json.Decoder(
    str | list[_TextBlock | str] | dict[str, msgspec.Raw] | None
)


def _decode_content(body: msgspec.Raw) -> _Content:
    try:
        return _CONTENT_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _CONTENT_DECODER.decode(repair_text(bytes(body)))


def content_text(body: msgspec.Raw) -> str:
    """Read content as text: a string as it is, the text blocks of a list joined by newlines, else as JSON."""
    try:
        content = _decode_content(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return bytes(body).decode("utf-8", "replace")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return bytes(body).decode("utf-8", "replace")
    texts = (block if isinstance(block, str) else block.text for block in content)
    return "\n".join(text for text in texts if text)


def raw_json(value: str | list[str] | dict[str, object] | None) -> msgspec.Raw:
    """Encode content as the JSON text that :class:`ToolResult` and :class:`ToolCall` carry."""
    return msgspec.Raw(msgspec.json.encode(value))


def clip_middle(text: str, chars_max: int) -> str:
    """Cut out the middle of a text longer than ``chars_max``: failures stand at the start or the end."""
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
