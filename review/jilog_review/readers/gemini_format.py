"""The format of Gemini CLI's chats, as far as it matters here."""

from __future__ import annotations

import msgspec

_NULL = msgspec.Raw(b"null")


class ToolCallRecord(msgspec.Struct, gc=False, rename="camel"):
    """A tool call with its result."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL
    result_display: msgspec.Raw = _NULL
    status: str | None = None
    timestamp: str | None = None


class TokenCount(msgspec.Struct, gc=False):
    """Tokens of one model response."""

    input: int | None = None
    output: int | None = None
    thoughts: int | None = None


class Record(msgspec.Struct, gc=False, rename="camel"):
    """A message; in a file of lines also the header, and a change of what stands above."""

    id: str | None = None
    type: str | None = None
    timestamp: str | None = None
    content: msgspec.Raw = _NULL
    display_content: msgspec.Raw = _NULL
    tool_calls: list[ToolCallRecord] | None = None
    model: str | None = None
    tokens: TokenCount | None = None
    session_id: str | None = None
    kind: str | None = None
    change: msgspec.Raw = msgspec.field(default=_NULL, name="$set")
    rewind: str | None = msgspec.field(default=None, name="$rewindTo")


class Document(msgspec.Struct, gc=False, rename="camel"):
    """A whole chat in one JSON document, as versions up to 0.38 wrote it."""

    session_id: str | None = None
    kind: str | None = None
    messages: list[msgspec.Raw] | None = None


class FunctionResponse(msgspec.Struct, gc=False):
    """What a tool gave the model: one of the two."""

    output: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


class ResponsePart(msgspec.Struct, gc=False):
    """The envelope around it."""

    response: FunctionResponse | None = None


class ResultPart(msgspec.Struct, gc=False, rename="camel"):
    """One part of a call's result."""

    function_response: ResponsePart | None = None


class Part(msgspec.Struct, gc=False):
    """One part of a message's content."""

    text: str | None = None


class Arguments(msgspec.Struct, gc=False):
    """The fields of tools' arguments that name a command or a file."""

    command: str | None = None
    file_path: str | None = None
    absolute_path: str | None = None
    path: str | None = None
    dir_path: str | None = None


RECORD_DECODER = msgspec.json.Decoder(Record)
DOCUMENT_DECODER = msgspec.json.Decoder(Document)
RESULT_DECODER = msgspec.json.Decoder(list[ResultPart])
PARTS_DECODER = msgspec.json.Decoder(str | list[Part | str] | Part | None)
ARGUMENTS_DECODER = msgspec.json.Decoder(Arguments)
