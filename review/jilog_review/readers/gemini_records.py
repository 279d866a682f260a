"""What the records of a Gemini chat stand for: records in, entries out, in file order.

A file of lines is a log of changes: a message is written again in full whenever a tool call, a result or its
token count comes in, so each fact is taken when it first appears. ``$set`` replaces what the model is shown,
not what happened, and adds nothing; ``$rewindTo`` is a person going back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from jilog_review.readers.entry_builder import EntryBuilder, Spot, scoped_id
from jilog_review.readers.gemini_format import (
    ARGUMENTS_DECODER,
    PARTS_DECODER,
    RESULT_DECODER,
    Arguments,
    Part,
    Record,
    ToolCallRecord,
)
from jilog_review.transcript import Denial, MarkerKind, Provenance, Usage, content_text

T = TypeVar("T")

_SHELL_TOOL = "run_shell_command"
_FINAL = frozenset({"success", "error", "cancelled"})
_KNOWN_TYPES = frozenset({"warning"})
_EXIT_STATUS = re.compile(rb'(?:\\n|")Exit Code: (-?\d{1,6})(?![^\\"])')
_STATUS_BYTES = 4096
_INJECTED_PREFIXES = (
    "<session_context>",
    "<system",
    "This is the Gemini CLI. We are setting up the context",
    "System: ",
    "Please continue.",
)
_REFERENCED = "\n--- Content from referenced files ---"
_CANCELLED = re.compile(r"\b(?:request|operation) cancelled\b", re.IGNORECASE)
_REFUSED_BY_USER = re.compile(r"did not allow tool call|user (?:denied|rejected|declined)", re.IGNORECASE)
_REFUSED_BY_POLICY = re.compile(r"\b(?:denied|blocked|not allowed) by policy\b", re.IGNORECASE)
_REFUSED_BY_HOOK = re.compile(r"\b(?:blocked|denied|stopped) by (?:\w+ )?hook\b", re.IGNORECASE)
_REFUSAL_CHARS = 400


@dataclass(slots=True)
class GeminiSorter:
    """Turns records into entries; one is made for each reading."""

    session_id: str
    builder: EntryBuilder
    _billed: set[str] = field(default_factory=set)

    def add(self, number: int, offset: int, record: Record) -> None:
        """Take one record."""
        spot = Spot(number, offset, record.timestamp, sidechain=self.builder.is_subagent)
        if record.rewind is not None:
            message_id = f"{self.session_id}:rewind:{record.rewind}:{number}"
            self.builder.mark(spot, MarkerKind.BRANCH, message_id=message_id)
        elif record.type is None:
            if record.session_id is None and bytes(record.change) == b"null":
                self.builder.note_unknown(spot, None)
        else:
            message_id = scoped_id(self.session_id, record.id or f"line {number}")
            self._message(spot, record, message_id)

    def _message(self, spot: Spot, record: Record, message_id: str) -> None:
        mark = self.builder.mark
        if record.type == "user":
            text = _typed(record)
            self.builder.say(spot, text, self._provenance(text), message_id=message_id)
        elif record.type == "gemini":
            self._answer(spot, record, message_id)
        elif record.type == "error":
            mark(spot, MarkerKind.API_ERROR, _text_of(record.content), message_id=message_id)
        elif record.type == "info":
            if _CANCELLED.search(_text_of(record.content)):
                mark(spot, MarkerKind.INTERRUPT, message_id=message_id)
        elif record.type not in _KNOWN_TYPES:
            self.builder.note_unknown(spot, record.type)

    def _provenance(self, text: str) -> Provenance:
        injected = self.builder.is_subagent or text.lstrip().startswith(_INJECTED_PREFIXES)
        return Provenance.INJECTED if injected else Provenance.HUMAN

    def _answer(self, spot: Spot, record: Record, message_id: str) -> None:
        self.builder.model = record.model or self.builder.model
        self.builder.say(spot, _text_of(record.content), Provenance.ASSISTANT, message_id=message_id)
        for call in record.tool_calls or ():
            if call.status in _FINAL:
                self._tool(spot._replace(timestamp=call.timestamp or spot.timestamp), call)
        if record.tokens is not None and message_id not in self._billed:
            self._billed.add(message_id)
            tokens = record.tokens
            self.builder.bill(spot, Usage(tokens.input or 0, (tokens.output or 0) + (tokens.thoughts or 0)))

    def _tool(self, spot: Spot, call: ToolCallRecord) -> None:
        """Take a finished call and its result; one still running is taken when it is written again."""
        call_id = call.id or ""
        message_id = scoped_id(self.session_id, call_id) if call_id else None
        arguments = _decode(ARGUMENTS_DECODER, call.args) or Arguments()
        paths = (arguments.file_path, arguments.absolute_path, arguments.path, arguments.dir_path)
        self.builder.call(
            spot,
            call_id,
            call.name,
            message_id=f"{message_id}:call" if message_id else None,
            part=1,
            command=arguments.command if call.name == _SHELL_TOOL else None,
            paths=tuple(path for path in paths if path),
            arguments=call.args,
        )
        body = _body_of(call)
        denial = None if call.status == "success" else _denial_of(call.status, content_text(body))
        self.builder.result(
            spot,
            call_id,
            body,
            message_id=f"{message_id}:result" if message_id else None,
            part=2,
            tool=call.name,
            failed=call.status != "success",
            exit_status=_status_of(body) if call.name == _SHELL_TOOL else None,
            denial=denial,
        )
        if denial is Denial.USER and not spot.sidechain:
            self.builder.mark(spot, MarkerKind.REJECTION, message_id=f"{message_id}:refusal")


def _decode(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T | None:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text_of(content: msgspec.Raw) -> str:
    """Read content: text, one part, or a list of parts, which need no type as other harnesses' do."""
    value = _decode(PARTS_DECODER, content)
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, Part):
        return value.text or ""
    texts = (part if isinstance(part, str) else part.text for part in value)
    return "\n".join(text for text in texts if text)


def _typed(record: Record) -> str:
    """Give what the person typed, without the files that were put in for names with an ``@``."""
    return _text_of(record.display_content) or _text_of(record.content).split(_REFERENCED, 1)[0]


def _body_of(call: ToolCallRecord) -> msgspec.Raw:
    for part in _decode(RESULT_DECODER, call.result) or ():
        response = part.function_response.response if part.function_response else None
        if response is not None:
            return response.error if bytes(response.error) != b"null" else response.output
    return call.result if bytes(call.result) != b"null" else call.result_display


def _status_of(body: msgspec.Raw) -> int | None:
    """Give the last status named at a line's start near the end of a shell command's output."""
    found = _EXIT_STATUS.findall(bytes(memoryview(body)[-_STATUS_BYTES:]))
    return int(found[-1]) if found else None


def _denial_of(status: str | None, text: str) -> Denial | None:
    text = text[:_REFUSAL_CHARS]
    if _REFUSED_BY_POLICY.search(text):
        return Denial.POLICY
    if _REFUSED_BY_HOOK.search(text):
        return Denial.HOOK
    if status != "cancelled":
        return None
    return Denial.USER if _REFUSED_BY_USER.search(text) else Denial.ABORTED
