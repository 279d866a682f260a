"""The line format of pi's sessions (versions 1 to 3), as far as it matters here."""

from __future__ import annotations

from decimal import Decimal

import msgspec

_NULL = msgspec.Raw(b"null")

KNOWN_TYPES = frozenset({"custom", "custom_message", "label", "session_info", "thinking_level_change"})
"""Types that are understood and hold nothing a rule looks at."""


class Block(msgspec.Struct, gc=False):
    """One block of a message's content."""

    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = _NULL


class Cost(msgspec.Struct, gc=False):
    """US dollars."""

    total: Decimal | None = None


class TokenUsage(msgspec.Struct, gc=False, rename="camel"):
    """Tokens of one model response, and their price."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cost: Cost | None = None


class ModelMessage(msgspec.Struct, gc=False, rename="camel"):
    """The ``message`` of a message line, whatever its role."""

    role: str | None = None
    content: msgspec.Raw = _NULL
    model: str | None = None
    stop_reason: str | None = None
    error_message: str | None = None
    usage: TokenUsage | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    is_error: bool | None = None
    command: str | None = None
    output: str | None = None
    summary: str | None = None


class Line(msgspec.Struct, gc=False, rename="camel"):
    """One line: the header of a session, or an entry of its tree."""

    type: str | None = None
    id: str | None = None
    parent_id: str | None = None
    timestamp: str | None = None
    cwd: str | None = None
    message: ModelMessage | None = None
    model_id: str | None = None
    summary: str | None = None


class Arguments(msgspec.Struct, gc=False, rename="camel"):
    """The fields of tools' arguments that name a command or a file."""

    command: str | None = None
    path: str | None = None
    file_path: str | None = None


LINE_DECODER = msgspec.json.Decoder(Line)
BLOCKS_DECODER = msgspec.json.Decoder(list[Block])
ARGUMENTS_DECODER = msgspec.json.Decoder(Arguments)
