"""What the lines of a Codex rollout stand for: lines in, entries out, in file order.

What a person typed is only in ``user_message`` events: the items under the user's role also hold
instructions, the environment, skills and traces of aborted turns.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass, field

import msgspec

from jilog_review.readers.codex_format import (
    ARGUMENTS_DECODER,
    KNOWN_EVENTS,
    KNOWN_ITEMS,
    KNOWN_LINES,
    SOURCE_DECODER,
    TEXT_DECODER,
    TOKEN_INFO_DECODER,
    Arguments,
    Line,
    Payload,
    SessionSource,
    SubAgent,
    Tokens,
)
from jilog_review.readers.codex_outcome import outcome_of
from jilog_review.readers.entry_builder import EntryBuilder, Spot, scoped_id, starts_with
from jilog_review.transcript import (
    Denial,
    MarkerKind,
    Provenance,
    Usage,
    content_text,
)

_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "/bin/bash", "/bin/sh", "/bin/zsh", "/usr/bin/bash"})
_SHELL_TOOLS = frozenset({"container.exec", "exec_command", "local_shell", "shell", "shell_command"})
_PATCH_PATH = re.compile(r"^\*\*\* (?:(?:Update|Add|Delete) File|Move to): (.+?)\s*$", re.MULTILINE)
_PATCH_TOOL = "apply_patch"
_ITEM_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_ITEM_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_PATHS_MAX = 50
_SILENT = {"response_item": KNOWN_ITEMS - {"message"}, "event_msg": KNOWN_EVENTS - {"token_count"}}
"""What is passed over before anything else is done: half of all lines."""


@dataclass(slots=True)
class CodexSorter:
    """Turns lines into entries; one is made for each piece of a file.

    ``session_id`` is the rollout's own; ids of messages come from the turn they stand in, which a resumed or
    forked rollout repeats.
    """

    session_id: str
    builder: EntryBuilder
    _turn_id: str | None = None
    _asked: bool = False
    _billed: Tokens | None = None
    _patched: dict[str, bool] = field(default_factory=dict)

    def add(self, number: int, offset: int, line: Line) -> None:
        """Take one line."""
        if line.payload is not None and line.payload.type in _SILENT.get(line.type or "", ()):
            return
        spot = Spot(number, offset, line.timestamp, sidechain=self.builder.is_subagent)
        payload = line.payload
        if payload is None:
            if line.type not in KNOWN_LINES:
                self.builder.note_unknown(spot, line.type)
        elif line.type == "response_item":
            self._item(spot, payload)
        elif line.type == "event_msg":
            self._event(spot, payload)
        elif line.type == "turn_context":
            self._turn(spot, payload, starts=False)
        elif line.type == "compacted":
            self.builder.mark(spot, MarkerKind.COMPACTION, message_id=self._id(spot, "compacted"))
        elif line.type != "session_meta" and line.type not in KNOWN_LINES:
            self.builder.note_unknown(spot, line.type)

    def _item(self, spot: Spot, payload: Payload) -> None:
        if payload.type in _ITEM_CALLS:
            self._call(spot, payload)
        elif payload.type in _ITEM_OUTPUTS:
            self._output(spot, payload)
        elif payload.type == "message" and payload.role == "assistant":
            text = content_text(payload.content)
            self.builder.say(spot, text, Provenance.ASSISTANT, message_id=self._id(spot, "said", text))
        elif payload.type not in KNOWN_ITEMS:
            self.builder.note_unknown(spot, f"response_item:{payload.type}")

    def _event(self, spot: Spot, payload: Payload) -> None:
        kind = payload.type
        if kind == "user_message":
            self._asked_for(spot, payload)
        elif kind == "token_count":
            self._bill(spot, payload)
        elif kind in ("task_started", "turn_started"):
            self._turn(spot, payload, starts=True)
        elif kind == "turn_aborted":
            if payload.reason in (None, "interrupted"):
                message_id = self._id(spot, "aborted")
                self.builder.mark(spot, MarkerKind.INTERRUPT, payload.reason or "", message_id=message_id)
        elif kind == "patch_apply_end":
            if payload.call_id and payload.success is not None:
                self._patched[payload.call_id] = payload.success
        elif kind == "mcp_tool_call_end":
            if payload.call_id and starts_with(payload.result, b'{"Err"'):
                self._patched[payload.call_id] = False
        elif kind not in KNOWN_EVENTS:
            self.builder.note_unknown(spot, f"event_msg:{kind}")

    def _turn(self, spot: Spot, payload: Payload, *, starts: bool) -> None:
        """Enter a turn: its id names the messages in it, and a second message in it was typed meanwhile."""
        self.builder.model = payload.model or self.builder.model
        self.builder.project = payload.cwd or self.builder.project
        if starts or (payload.turn_id is not None and payload.turn_id != self._turn_id):
            self._turn_id = payload.turn_id
            self._asked = False
            self.builder.anchor = spot

    def _asked_for(self, spot: Spot, payload: Payload) -> None:
        text = content_text(payload.message)
        provenance = Provenance.HUMAN
        if self.builder.is_subagent:
            provenance = Provenance.INJECTED
        elif self._asked and self._turn_id is not None:
            provenance = Provenance.QUEUED
        self._asked = True
        self.builder.say(spot, text, provenance, message_id=self._id(spot, "asked", text))

    def _call(self, spot: Spot, payload: Payload) -> None:
        tool = payload.name or ("local_shell" if payload.type == "local_shell_call" else None)
        call_id = payload.call_id or ""
        message_id = scoped_id(self.session_id, call_id)
        arguments, value = _input_of(payload)
        command, paths = _places(tool, arguments, value)
        self.builder.call(
            spot,
            call_id,
            tool,
            message_id=f"{message_id}:call" if call_id else None,
            command=command,
            paths=paths,
            arguments=arguments,
        )

    def _output(self, spot: Spot, payload: Payload) -> None:
        call_id = payload.call_id or ""
        message_id = scoped_id(self.session_id, call_id)
        failed, exit_status, denial = outcome_of(payload.output)
        applied = self._patched.get(call_id)
        if applied is not None:
            failed = not applied if denial is None else failed
        if denial is Denial.USER:
            self.builder.mark(spot, MarkerKind.REJECTION, message_id=f"{message_id}:refusal")
        self.builder.result(
            spot,
            call_id,
            payload.output,
            message_id=f"{message_id}:output" if call_id else None,
            failed=failed,
            exit_status=exit_status,
            denial=denial,
        )

    def _bill(self, spot: Spot, payload: Payload) -> None:
        """Count a response's tokens once: the event is repeated whenever a rate limit changes."""
        try:
            info = TOKEN_INFO_DECODER.decode(payload.info)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if info is None or info.last_token_usage is None:
            return
        if info.total_token_usage is not None:
            if info.total_token_usage == self._billed:
                return
            self._billed = info.total_token_usage
        last = info.last_token_usage
        self.builder.bill(spot, Usage(last.input_tokens, last.output_tokens))

    def _id(self, spot: Spot, kind: str, text: str = "") -> str:
        """Name a message by its turn and text; without a turn by session and time, or place."""
        moment = spot.timestamp or f"byte {spot.offset}"
        place = self._turn_id or f"{self.session_id}:{moment}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{place}:{kind}:{digest}"


def parent_thread(source: msgspec.Raw) -> tuple[bool, str | None]:
    """Tell from a session's ``source`` whether it is a sub-agent's, and whose."""
    try:
        value = SOURCE_DECODER.decode(source)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False, None
    if not isinstance(value, SessionSource):
        return False, None
    spawn = value.subagent.thread_spawn if isinstance(value.subagent, SubAgent) else None
    return True, spawn.parent_thread_id if spawn else None


def _input_of(payload: Payload) -> tuple[msgspec.Raw, Arguments | None]:
    """Give a call's input as JSON text, and what it names if it is an object.

    A function's arguments are an object written into a string, and taken out of it; a patch is bare text.
    """
    raw = payload.input
    if payload.type == "local_shell_call":
        raw = payload.action
    elif payload.type == "function_call":
        raw = payload.arguments
    if payload.type == "function_call" and starts_with(raw, b'"'):
        try:
            text = TEXT_DECODER.decode(raw).encode()
            return msgspec.Raw(text), ARGUMENTS_DECODER.decode(text)
        except msgspec.ValidationError:
            return msgspec.Raw(text), None  # an object in which a field has another type
        except (msgspec.DecodeError, UnicodeError):
            return raw, None  # the model wrote what is no JSON
    try:
        return raw, ARGUMENTS_DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        return raw, None


def _places(
    tool: str | None, arguments: msgspec.Raw, value: Arguments | None
) -> tuple[str | None, tuple[str, ...]]:
    """Give the shell command and the files that a call names."""
    if value is None:
        return None, _patch_paths(content_text(arguments)) if tool == _PATCH_TOOL else ()
    command = _command_of(value) if tool in _SHELL_TOOLS else None
    if tool == _PATCH_TOOL or (command is not None and "*** Begin Patch" in command):
        return command, _patch_paths(value.input or command or "")
    return command, tuple(path for path in (value.file_path, value.path) if path)


def _command_of(value: Arguments) -> str | None:
    command = value.cmd or value.command
    if not command:
        return None
    if isinstance(command, str):
        return command
    if len(command) == 3 and command[0] in _SHELLS and command[1] in ("-lc", "-c"):
        return command[2]
    return shlex.join(command)


def _patch_paths(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_PATCH_PATH.findall(text)[:_PATHS_MAX]))
