"""The shapes of OpenCode's messages and parts, the same in its database and in its older files."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

_NULL = msgspec.Raw(b"null")
MESSAGE_NUMBERS = 1 << 40
"""Added to the number of a message's own row: it comes after the parts that were final in the same moment."""


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a message, or (without part) the message itself, once it is complete.

    ``moment`` and ``number`` order rows by when they became what they are; ``number`` tells those of one
    moment apart. ``message`` and ``part`` are JSON.
    """

    moment: int
    number: int
    message_id: str
    message: bytes
    part_id: str | None = None
    part: bytes | None = None


class Times(msgspec.Struct, gc=False):
    """Unix milliseconds."""

    created: float | None = None
    completed: float | None = None
    start: float | None = None
    end: float | None = None


class Cache(msgspec.Struct, gc=False):
    """Tokens read from and written to a cache."""

    read: float | None = None
    write: float | None = None


class Tokens(msgspec.Struct, gc=False):
    """Tokens of one message."""

    input: float | None = None
    output: float | None = None
    reasoning: float | None = None
    cache: Cache | None = None


class ErrorData(msgspec.Struct, gc=False):
    """Why a message ended in an error."""

    message: str | None = None


class MessageError(msgspec.Struct, gc=False):
    """The error of a message."""

    name: str | None = None
    data: ErrorData | None = None


class MessageInfo(msgspec.Struct, gc=False, rename="camel"):
    """A message without its parts."""

    role: str | None = None
    time: Times | None = None
    error: MessageError | None = None
    model_id: str | None = msgspec.field(default=None, name="modelID")
    cost: Decimal | None = None
    tokens: Tokens | None = None
    summary: msgspec.Raw = _NULL


class ToolState(msgspec.Struct, gc=False):
    """What became of a tool call."""

    status: str | None = None
    input: msgspec.Raw = _NULL
    output: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL
    time: Times | None = None


class Part(msgspec.Struct, gc=False):
    """One part of a message."""

    type: str | None = None
    text: str | None = None
    synthetic: bool | None = None
    ignored: bool | None = None
    tool: str | None = None
    call_id: str | None = msgspec.field(default=None, name="callID")
    state: ToolState | None = None
    time: Times | None = None


class Metadata(msgspec.Struct, gc=False):
    """What a shell tool says beside its output."""

    exit: int | None = None


class Arguments(msgspec.Struct, gc=False):
    """The fields of tools' input that name a command or a file."""

    command: str | None = None
    file_path: str | None = msgspec.field(default=None, name="filePath")
    path: str | None = None


class SessionInfo(msgspec.Struct, gc=False):
    """A session as its older file describes it."""

    id: str | None = None
    parent_id: str | None = msgspec.field(default=None, name="parentID")
    directory: str | None = None


MESSAGE_DECODER = msgspec.json.Decoder(MessageInfo)
PART_DECODER = msgspec.json.Decoder(Part)
METADATA_DECODER = msgspec.json.Decoder(Metadata)
ARGUMENTS_DECODER = msgspec.json.Decoder(Arguments)
SESSION_DECODER = msgspec.json.Decoder(SessionInfo)
KNOWN_PARTS = frozenset(
    {"agent", "file", "patch", "reasoning", "retry", "snapshot", "step-finish", "step-start", "subtask"}
)
"""Types of parts that are understood and hold nothing a rule looks at."""
