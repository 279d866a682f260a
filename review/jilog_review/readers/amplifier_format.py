"""The line formats of Amplifier's sessions: messages in one file, events in another."""

from __future__ import annotations

from decimal import Decimal

import msgspec

_NULL = msgspec.Raw(b"null")


class ToolRequest(msgspec.Struct, gc=False):
    """A call in an assistant message; the tool's name has two spellings."""

    id: str | None = None
    tool: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = _NULL
    input: msgspec.Raw = _NULL


class MessageLine(msgspec.Struct, gc=False):
    """A line of ``transcript.jsonl``."""

    role: str | None = None
    content: msgspec.Raw = _NULL
    timestamp: str | None = None
    tool_calls: list[ToolRequest] | None = None
    name: str | None = None
    tool_call_id: str | None = None


class ModelUsage(msgspec.Struct, gc=False):
    """Tokens of one model response, and their price in US dollars as a number or text."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None


class RawResponse(msgspec.Struct, gc=False):
    """What the provider sent, where it is logged."""

    content: msgspec.Raw = _NULL
    model: str | None = None


class EventData(msgspec.Struct, gc=False):
    """The data of an event, whatever its name."""

    prompt: msgspec.Raw = _NULL
    parent_id: str | None = None
    model: str | None = None
    raw: msgspec.Raw = _NULL
    usage: msgspec.Raw = _NULL
    tool_name: str | None = None
    tool_call_id: str | None = None
    tool_input: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


class EventLine(msgspec.Struct, gc=False):
    """A line of ``events.jsonl``; the time has two spellings."""

    event: str | None = None
    ts: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    data: EventData | None = None


class ToolInput(msgspec.Struct, gc=False):
    """The fields of tools' input that name a command or a file."""

    command: str | None = None
    file_path: str | None = None
    path: str | None = None


class CommandOutput(msgspec.Struct, gc=False):
    """What the shell tool returns; the status has two spellings."""

    returncode: int | None = None
    exit_code: int | None = None


class Envelope(msgspec.Struct, gc=False):
    """What every tool returns."""

    success: bool | None = None
    output: msgspec.Raw = _NULL


class Metadata(msgspec.Struct, gc=False):
    """A session's ``metadata.json``."""

    session_id: str | None = None
    parent_session_id: str | None = None
    parent_id: str | None = None
    model: str | None = None
    format: str | None = None
    version: str | int | float | None = None
    last_event_at: str | None = None


MESSAGE_DECODER = msgspec.json.Decoder(MessageLine)
EVENT_DECODER = msgspec.json.Decoder(EventLine)
METADATA_DECODER = msgspec.json.Decoder(Metadata)
USAGE_DECODER = msgspec.json.Decoder(ModelUsage | None)
RAW_RESPONSE_DECODER = msgspec.json.Decoder(RawResponse | None)
INPUT_DECODER = msgspec.json.Decoder(ToolInput)
ENVELOPE_DECODER = msgspec.json.Decoder(Envelope)
OUTPUT_DECODER = msgspec.json.Decoder(CommandOutput)
