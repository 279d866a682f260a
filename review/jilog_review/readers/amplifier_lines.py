"""What the lines of an Amplifier session stand for: messages or events in, entries out, in file order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from jilog_review.readers.amplifier_format import (
    ENVELOPE_DECODER,
    INPUT_DECODER,
    OUTPUT_DECODER,
    RAW_RESPONSE_DECODER,
    USAGE_DECODER,
    CommandOutput,
    Envelope,
    EventData,
    EventLine,
    MessageLine,
    RawResponse,
    ToolInput,
    ToolRequest,
)
from jilog_review.readers.entry_builder import EntryBuilder, Spot, starts_with
from jilog_review.transcript import Denial, MarkerKind, Provenance, Usage, content_text

T = TypeVar("T")

_SHELL_TOOLS = frozenset({"bash", "shell"})
_KNOWN_PREFIXES = (
    "approval:",
    "artifact:",
    "cancel:",
    "content_block:",
    "context:",
    "execution:",
    "hook:",
    "llm:",
    "orchestrator:",
    "plan:",
    "policy:",
    "prompt:",
    "provider:",
    "session:",
    "skill:",
    "thinking:",
    "tool:",
    "user:",
)
_INJECTED_PREFIXES = ("<system-reminder", "<context_file", "[SYSTEM", "<hook_")


class Call(NamedTuple):
    """Which call of which tool; its id counts within the session."""

    session_id: str
    call_id: str | None
    tool: str | None

    def message_id(self, kind: str) -> str | None:
        """Name the call's entry of one kind, if the call has an id."""
        return f"{self.session_id}:{self.call_id}:{kind}" if self.call_id else None


@dataclass(slots=True)
class MessageSorter:
    """Turns the lines of a ``transcript.jsonl`` into entries; its messages have no ids."""

    session_id: str
    builder: EntryBuilder

    def add(self, number: int, offset: int, line: MessageLine) -> None:
        """Take one line."""
        spot = Spot(number, offset, line.timestamp)
        if line.role == "user":
            _say_as_user(self.builder, spot, content_text(line.content))
        elif line.role == "assistant":
            text = content_text(line.content)
            self.builder.say(spot, text, Provenance.ASSISTANT, message_id=None)
            for part, request in enumerate(line.tool_calls or (), start=1):
                self._call(spot, request, part)
        elif line.role == "tool":
            call = Call(self.session_id, line.tool_call_id, line.name)
            _add_result(self.builder, spot, call, line.content)
        elif line.role not in ("system", "developer"):
            self.builder.note_unknown(spot, f"role:{line.role}" if line.role else None)

    def _call(self, spot: Spot, request: ToolRequest, part: int) -> None:
        call = Call(self.session_id, request.id, request.tool or request.name)
        arguments = request.input if _is_null(request.arguments) else request.arguments
        _add_call(self.builder, spot, call, arguments, part=part)


@dataclass(slots=True)
class EventSorter:
    """Turns the lines of an ``events.jsonl`` into entries.

    With ``only_health`` the messages and tools are in a transcript beside it, and only what that lacks is
    taken: what happened to the session, and what it consumed.
    """

    session_id: str
    builder: EntryBuilder
    only_health: bool = False

    def add(self, number: int, offset: int, line: EventLine) -> None:
        """Take one line."""
        spot = Spot(number, offset, line.timestamp or line.ts)
        data = line.data or EventData()
        kind = line.event
        if kind == "llm:response":
            self._response(spot, data)
        elif kind in ("context:compaction", "context:post_compact"):
            self.builder.mark(spot, MarkerKind.COMPACTION, message_id=self._id(kind, spot))
        elif kind == "session:resume":
            self.builder.mark(spot, MarkerKind.RESUME, message_id=self._id(kind, spot))
        elif kind in ("cancel:requested", "cancel:completed"):
            if kind == "cancel:requested":
                self.builder.mark(spot, MarkerKind.INTERRUPT, message_id=self._id(kind, spot))
        elif kind in ("provider:error", "llm:error"):
            detail = content_text(data.error)
            self.builder.mark(spot, MarkerKind.API_ERROR, detail, message_id=self._id(kind, spot))
        elif kind in ("prompt:submit", "tool:pre", "tool:post", "tool:error"):
            if not self.only_health:
                self._content(kind, spot, data)
        elif kind is None or not kind.startswith(_KNOWN_PREFIXES):
            self.builder.note_unknown(spot, kind)

    def _content(self, kind: str, spot: Spot, data: EventData) -> None:
        if kind == "prompt:submit":
            _say_as_user(self.builder, spot, content_text(data.prompt))
        elif kind == "tool:pre":
            call = Call(self.session_id, data.tool_call_id, data.tool_name)
            _add_call(self.builder, spot, call, data.tool_input)
        else:
            call = Call(self.session_id, data.tool_call_id, data.tool_name)
            is_error = kind == "tool:error"
            body = data.error if is_error and _is_null(data.result) else data.result
            _add_result(self.builder, spot, call, body, failed=True if is_error else None)

    def _response(self, spot: Spot, data: EventData) -> None:
        usage = _decode(USAGE_DECODER.decode, data.usage)
        if usage is not None:
            tokens = Usage(usage.input_tokens or 0, usage.output_tokens or 0, usage.cost_usd)
            self.builder.bill(spot, tokens)
        raw = _decode(RAW_RESPONSE_DECODER.decode, data.raw) or RawResponse()
        self.builder.model = data.model or raw.model or self.builder.model
        if not self.only_health:
            self.builder.say(spot, content_text(raw.content), Provenance.ASSISTANT, message_id=None)

    def _id(self, kind: str, spot: Spot) -> str:
        return f"{self.session_id}:{kind}:{spot.timestamp or spot.line}"


def _say_as_user(builder: EntryBuilder, spot: Spot, text: str) -> None:
    injected = builder.is_subagent or text.lstrip().startswith(_INJECTED_PREFIXES)
    builder.say(spot, text, Provenance.INJECTED if injected else Provenance.HUMAN, message_id=None)


def _add_call(
    builder: EntryBuilder, spot: Spot, call: Call, arguments: msgspec.Raw, *, part: int = 0
) -> None:
    value = _decode(INPUT_DECODER.decode, arguments) or ToolInput()
    builder.call(
        spot,
        call.call_id or "",
        call.tool,
        message_id=call.message_id("call"),
        part=0 if call.call_id else part,
        command=value.command if call.tool in _SHELL_TOOLS else None,
        paths=tuple(path for path in (value.file_path, value.path) if path),
        arguments=arguments,
    )


def _add_result(
    builder: EntryBuilder, spot: Spot, call: Call, body: msgspec.Raw, *, failed: bool | None = None
) -> None:
    """Add a result: the tool's envelope, as an object or as text that holds one."""
    envelope = _envelope_of(body)
    flag = None if envelope.success is None else not envelope.success
    builder.result(
        spot,
        call.call_id or "",
        body,
        message_id=call.message_id("result"),
        tool=call.tool,
        failed=flag if failed is None else failed,
        exit_status=_status_of(envelope),
        denial=_denial_of(envelope) if flag else None,
    )


def _envelope_of(body: msgspec.Raw) -> Envelope:
    if starts_with(body, b"{"):
        return _decode(ENVELOPE_DECODER.decode, body) or Envelope()
    if starts_with(body, b'"{') and b"success" in bytes(body):
        text = content_text(body)
        return _decode(ENVELOPE_DECODER.decode, text.encode("utf-8", "replace")) or Envelope()
    return Envelope()


def _status_of(envelope: Envelope) -> int | None:
    output = _decode(OUTPUT_DECODER.decode, envelope.output) or CommandOutput()
    return output.returncode if output.returncode is not None else output.exit_code


class _Denied(msgspec.Struct, gc=False):
    status: str | None = None


_DENIED_DECODER = msgspec.json.Decoder(_Denied)


def _denial_of(envelope: Envelope) -> Denial | None:
    """Tell from the output's ``status`` that a rule or a mode refused the call."""
    output = _decode(_DENIED_DECODER.decode, envelope.output)
    return Denial.POLICY if output is not None and output.status == "denied" else None


def _decode(decode: Callable[[msgspec.Raw | bytes], T], raw: msgspec.Raw | bytes) -> T | None:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_null(raw: msgspec.Raw) -> bool:
    return bytes(raw) == b"null"
