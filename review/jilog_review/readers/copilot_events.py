"""What the events of a Copilot CLI session stand for: events in, entries out, in file order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from jilog_review.readers.copilot_format import (
    ARGUMENTS_DECODER,
    FAILURE_DECODER,
    KNOWN_TYPES,
    METRICS_DECODER,
    OUTCOME_DECODER,
    Data,
    Event,
    ToolRequest,
)
from jilog_review.readers.entry_builder import EntryBuilder, Spot, scoped_id, tail_of
from jilog_review.transcript import Denial, MarkerKind, Provenance, Usage, content_text

T = TypeVar("T")

_SHELL_TOOLS = frozenset({"bash", "local_shell", "powershell", "shell"})
_TRAILER = re.compile(
    rb"<(?:shellId: [^<>\\]{1,40} completed|exited) with exit code (-?\d{1,6})>(?:\\n|\s)*\"\Z"
)
"""The last words of a shell command's result. A command that fails is a success of the tool."""
_TRAILER_BYTES = 200

_FEEDBACK = re.compile(
    r"(?:feedback|the user said|user's response)\s*(?:is|was)?\s*:\s*(.+)\Z", re.IGNORECASE | re.DOTALL
)
_REFUSED_BY_USER = re.compile(
    r"\b(?:rejected|denied|declined|cancelled) by (?:the )?user\b|\buser (?:rejected|denied)"
)
_REFUSED_BY_HOOK = re.compile(r"\bhook\b", re.IGNORECASE)
_PERMISSION_BY_USER = "denied-interactively-by-user"


@dataclass(slots=True)
class CopilotSorter:
    """Turns events into entries; one is made for each piece of a file."""

    session_id: str
    builder: EntryBuilder

    def add(self, number: int, offset: int, event: Event) -> None:
        """Take one event."""
        data = event.data or Data()
        spot = Spot(number, offset, event.timestamp, sidechain=data.parent_tool_call_id is not None)
        event_id = scoped_id(self.session_id, event.id) if event.id else None
        kind = event.type
        if kind == "user.message":
            self.builder.say(spot, content_text(data.content), _provenance(spot, data), message_id=event_id)
        elif kind == "assistant.message":
            self._said(spot, data, event_id)
        elif kind == "tool.execution_start":
            request = ToolRequest(data.tool_call_id, data.tool_name, data.arguments)
            self._call(spot, request, 0)
        elif kind == "tool.execution_complete":
            self._result(spot, data)
        elif kind == "permission.completed":
            self._permission(spot, data, event_id)
        elif kind is None or not self._note(spot, kind, data, event_id):
            self.builder.note_unknown(spot, kind)

    def _note(self, spot: Spot, kind: str, data: Data, event_id: str | None) -> bool:
        """Take an event about the session itself; tell whether its type is known."""
        mark = self.builder.mark
        if kind == "abort":
            mark(spot, MarkerKind.INTERRUPT, data.reason or "", message_id=event_id)
        elif kind == "session.compaction_complete":
            mark(spot, MarkerKind.COMPACTION, message_id=event_id)
        elif kind == "session.resume":
            mark(spot, MarkerKind.RESUME, message_id=event_id)
        elif kind == "session.error":
            mark(spot, MarkerKind.API_ERROR, content_text(data.message), message_id=event_id)
        elif kind in ("session.start", "session.model_change"):
            self.builder.model = data.new_model or data.selected_model or self.builder.model
        elif kind == "session.shutdown":
            self._bill(spot, data)
        else:
            return kind in KNOWN_TYPES
        return True

    def _said(self, spot: Spot, data: Data, event_id: str | None) -> None:
        self.builder.model = data.model or self.builder.model
        self.builder.say(spot, content_text(data.content), Provenance.ASSISTANT, message_id=event_id)
        for part, request in enumerate(data.tool_requests or (), start=1):
            self._call(spot, request, part)

    def _call(self, spot: Spot, request: ToolRequest, part: int) -> None:
        """Take a call: asked for by the model first, and then begun, which is the same call."""
        call_id = request.tool_call_id or ""
        if call_id and call_id in self.builder.calls:
            return
        arguments = _decode(ARGUMENTS_DECODER, request.arguments)
        command = arguments.command if arguments and request.name in _SHELL_TOOLS else None
        paths = (arguments.path, arguments.file_path) if arguments else ()
        self.builder.call(
            spot,
            call_id,
            request.name,
            message_id=f"{scoped_id(self.session_id, call_id)}:call" if call_id else None,
            part=part if not call_id else 0,
            command=command,
            paths=tuple(path for path in paths if path),
            arguments=request.arguments,
        )

    def _result(self, spot: Spot, data: Data) -> None:
        call_id = data.tool_call_id or ""
        message_id = f"{scoped_id(self.session_id, call_id)}:result" if call_id else None
        result = _decode(OUTCOME_DECODER, data.result)
        failure = _decode(FAILURE_DECODER, data.error)
        body = result.content if result else failure.message if failure else data.error
        denial = _denial_of(failure.code, content_text(failure.message)) if failure else None
        trailer = _TRAILER.search(tail_of(body, _TRAILER_BYTES))
        self.builder.result(
            spot,
            call_id,
            body,
            message_id=message_id,
            tool=data.tool_name,
            failed=None if data.success is None else not data.success,
            exit_status=int(trailer[1]) if trailer else None,
            denial=denial,
        )
        if denial is Denial.USER:
            said = _FEEDBACK.search(content_text(body))
            self._refused(spot, said[1].strip() if said else "", f"{message_id}:refusal")

    def _permission(self, spot: Spot, data: Data, event_id: str | None) -> None:
        """Take what a person typed while refusing a call; the call's own result follows."""
        result = _decode(OUTCOME_DECODER, data.result)
        if result is not None and result.kind == _PERMISSION_BY_USER and result.feedback:
            self._refused(spot, result.feedback, event_id)

    def _refused(self, spot: Spot, said: str, message_id: str | None) -> None:
        if said:
            self.builder.say(spot, said, Provenance.REJECTION, message_id=message_id)
        else:
            self.builder.mark(spot, MarkerKind.REJECTION, message_id=message_id)

    def _bill(self, spot: Spot, data: Data) -> None:
        """Count the tokens that the session's end sums up."""
        for metrics in (_decode(METRICS_DECODER, data.model_metrics) or {}).values():
            if metrics.usage is not None:
                usage = metrics.usage
                self.builder.bill(spot, Usage(usage.input_tokens or 0, usage.output_tokens or 0))


def _decode(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw) -> T | None:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _provenance(spot: Spot, data: Data) -> Provenance:
    """Tell who wrote a user message: ``source`` names what is no person, ``delivery`` what was waiting."""
    if spot.sidechain or data.source not in (None, "", "user"):
        return Provenance.INJECTED
    return Provenance.HUMAN if data.delivery in (None, "", "idle") else Provenance.QUEUED


def _denial_of(code: str | None, message: str) -> Denial | None:
    if code == "rejected":
        return Denial.USER
    if code != "denied":
        return None
    if _REFUSED_BY_USER.search(message):
        return Denial.USER
    return Denial.HOOK if _REFUSED_BY_HOOK.search(message) else Denial.POLICY
