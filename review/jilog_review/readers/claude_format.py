"""The line format of Claude Code's transcripts, as far as it matters here.

Fields that are not declared are passed over by the decoder, and they are most of a file's bytes. The others
stand in the order in which the lines have them: the decoder looks for a field from the last one on.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

_NULL = msgspec.Raw(b"null")

KNOWN_TYPES = frozenset(
    {
        "agent-name",
        "attachment",
        "ai-title",
        "custom-title",
        "file-history-snapshot",
        "frame-link",
        "last-prompt",
        "mode",
        "permission-mode",
        "pr-link",
        "queue-operation",
        "summary",
        "tag",
    }
)
"""Types that are understood and hold nothing a rule looks at (``attachment``: but for queued prompts)."""


class Block(msgspec.Struct, gc=False):
    """One block of a message's content."""

    tool_use_id: str = ""
    type: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = _NULL
    text: str | None = None
    content: msgspec.Raw = _NULL
    is_error: bool | None = None


class TokenUsage(msgspec.Struct, gc=False):
    """Tokens of one model response."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class ModelMessage(msgspec.Struct, gc=False):
    """The ``message`` of a user or assistant line."""

    model: str | None = None
    id: str | None = None
    role: str | None = None
    content: str | list[Block] | None = None
    usage: TokenUsage | None = None


class Origin(msgspec.Struct, gc=False):
    """Where a user line came from."""

    kind: str | None = None


class Attachment(msgspec.Struct, gc=False):
    """What an ``attachment`` line carries; only queued prompts are looked at."""

    type: str = ""
    prompt: msgspec.Raw = _NULL
    command_mode: str | None = msgspec.field(default=None, name="commandMode")
    origin: Origin | None = None


class Line(msgspec.Struct, gc=False, rename="camel"):
    """One line."""

    is_sidechain: bool | None = None
    cwd: str | None = None
    session_id: str | None = None
    message: ModelMessage | None = None
    type: str = ""
    subtype: str | None = None
    data: msgspec.Raw = _NULL
    uuid: str | None = None
    timestamp: str | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    is_visible_in_transcript_only: bool | None = None
    is_api_error_message: bool | None = None
    prompt_source: str | None = None
    origin: Origin | None = None
    tool_denial_kind: str | None = None
    attachment: Attachment | None = None
    cost: Decimal | None = msgspec.field(default=None, name="costUSD")


class Progress(msgspec.Struct, gc=False):
    """What a ``progress`` line carries; only messages of sub-agents are looked at."""

    type: str = ""
    message: Line | None = None


class Input(msgspec.Struct, gc=False):
    """The fields of built-in tools' inputs that name a command or a file."""

    command: str | None = None
    file_path: str | None = None
    notebook_path: str | None = None
    path: str | None = None


LINE_DECODER = msgspec.json.Decoder(Line)
PROGRESS_DECODER = msgspec.json.Decoder(Progress)
INPUT_DECODER = msgspec.json.Decoder(Input)
