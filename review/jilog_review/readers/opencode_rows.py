"""What OpenCode's messages and parts stand for: rows in, entries out, in the order they became final."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from jilog_ledger.times import format_time
from jilog_review.readers.entry_builder import EntryBuilder, Spot
from jilog_review.readers.opencode_format import (
    ARGUMENTS_DECODER,
    KNOWN_PARTS,
    MESSAGE_DECODER,
    MESSAGE_NUMBERS,
    METADATA_DECODER,
    PART_DECODER,
    Arguments,
    MessageInfo,
    Part,
    Row,
    Times,
    Tokens,
    ToolState,
)
from jilog_review.repair import repair_text
from jilog_review.transcript import Denial, MarkerKind, Provenance, Usage, content_text

T = TypeVar("T")

_MILLISECOND_NS = 1_000_000
_SHELL_TOOLS = frozenset({"bash", "shell"})
_MALFORMED_TOOL = "invalid"
"""OpenCode's stand-in for a call that named no tool or had wrong arguments; it never fails itself."""

_ABORT_ERROR = "MessageAbortedError"
_FEEDBACK = re.compile(r"\A(?:Error: )?The user rejected permission.{0,60}? feedback: (.+)\Z", re.DOTALL)
_REFUSED_BY_USER = re.compile(r"\A(?:\w*Error: )?The user (?:rejected|dismissed)")
_REFUSED_BY_POLICY = re.compile(
    r"\A(?:\w*Error: )?"
    r"(?:The user has specified a rule|Rule prevents tool usage|Permission denied by ruleset)"
)
_ABORTED = re.compile(r"\A(?:Tool execution aborted|The operation was aborted|Aborted\b)")


@dataclass(slots=True)
class RowSorter:
    """Turns rows into entries; one is made for each reading."""

    builder: EntryBuilder
    bad_rows: int = 0

    def add(self, row: Row) -> None:
        """Take one row; its number takes the place of a line's."""
        info = _decode(MESSAGE_DECODER, row.message)
        part = _decode(PART_DECODER, row.part) if row.part is not None else None
        if info is None or (row.part is not None and part is None):
            self.bad_rows += row.number >= self.builder.new_offset
            return
        spot = Spot(
            max(1, row.number % MESSAGE_NUMBERS), row.number, None, sidechain=self.builder.is_subagent
        )
        if part is None:
            self._message(spot._replace(timestamp=_moment(info.time)), row.message_id, info)
        else:
            times = part.time or (part.state.time if part.state else None) or info.time
            self._part(spot._replace(timestamp=_moment(times) or _moment(info.time)), row, info, part)

    def _message(self, spot: Spot, message_id: str, info: MessageInfo) -> None:
        self.builder.model = info.model_id or self.builder.model
        if info.role != "assistant":
            return
        self.builder.bill(spot, _usage_of(info))
        error = info.error
        if error is None:
            return
        kind = MarkerKind.INTERRUPT if error.name == _ABORT_ERROR else MarkerKind.API_ERROR
        detail = (error.data.message if error.data else None) or error.name or ""
        self.builder.mark(spot, kind, detail, message_id=f"{message_id}:error")

    def _part(self, spot: Spot, row: Row, info: MessageInfo, part: Part) -> None:
        if part.type == "text":
            provenance = self._provenance(info, part)
            self.builder.say(spot, part.text or "", provenance, message_id=row.part_id)
        elif part.type == "tool" and part.state is not None:
            self._tool(spot, row, part, part.state)
        elif part.type == "compaction":
            self.builder.mark(spot, MarkerKind.COMPACTION, message_id=row.part_id)
        elif part.type not in KNOWN_PARTS:
            self.builder.note_unknown(spot, f"part:{part.type}")

    def _provenance(self, info: MessageInfo, part: Part) -> Provenance:
        if info.role == "assistant":
            return Provenance.INJECTED if bytes(info.summary) == b"true" else Provenance.ASSISTANT
        injected = part.synthetic or part.ignored or self.builder.is_subagent
        return Provenance.INJECTED if injected else Provenance.HUMAN

    def _tool(self, spot: Spot, row: Row, part: Part, state: ToolState) -> None:
        """Take a finished call and its result, which are one part."""
        if state.status not in ("completed", "error"):
            return
        arguments = _decode(ARGUMENTS_DECODER, state.input) or Arguments()
        is_shell = part.tool in _SHELL_TOOLS
        call_id = part.call_id or row.part_id or ""
        self.builder.call(
            spot,
            call_id,
            part.tool,
            message_id=row.part_id,
            command=arguments.command if is_shell else None,
            paths=tuple(path for path in (arguments.file_path, arguments.path) if path),
            arguments=state.input,
        )
        failed = state.status == "error"
        body = state.error if failed else state.output
        words = content_text(body) if failed else ""
        denial = _denial_of(words) if failed else None
        metadata = _decode(METADATA_DECODER, state.metadata)
        self.builder.result(
            spot,
            call_id,
            body,
            message_id=row.part_id,
            part=1,
            tool=part.tool,
            failed=failed or part.tool == _MALFORMED_TOOL,
            exit_status=metadata.exit if is_shell and metadata else None,
            denial=denial,
        )
        if denial is Denial.USER and not spot.sidechain:
            said = _FEEDBACK.match(words)
            if said:
                self.builder.say(spot, said[1], Provenance.REJECTION, message_id=row.part_id, part=2)
            else:
                self.builder.mark(spot, MarkerKind.REJECTION, message_id=row.part_id, part=2)


def is_complete(message: bytes) -> bool:
    """Tell whether nothing more will be added to a message: a person's at once, the model's at its end."""
    info = _decode(MESSAGE_DECODER, message)
    if info is None:
        return True
    ended = info.time is not None and info.time.completed is not None
    return info.role != "assistant" or ended or info.error is not None


def _decode(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw | bytes) -> T | None:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decoder.decode(repair_text(bytes(raw)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _moment(times: Times | None) -> str | None:
    """Write the time of a part's end or a message's beginning as RFC 3339."""
    moment = (times.end or times.start or times.created) if times else None
    if moment is None or not 0 < moment < 1e14:
        return None
    return format_time(int(moment) * _MILLISECOND_NS)


def _usage_of(info: MessageInfo) -> Usage:
    tokens = info.tokens or Tokens()
    cached = (tokens.cache.read or 0) + (tokens.cache.write or 0) if tokens.cache else 0
    read = int((tokens.input or 0) + cached)
    return Usage(read, int((tokens.output or 0) + (tokens.reasoning or 0)), info.cost)


def _denial_of(text: str) -> Denial | None:
    if _REFUSED_BY_USER.match(text):
        return Denial.USER
    if _REFUSED_BY_POLICY.match(text):
        return Denial.POLICY
    return Denial.ABORTED if _ABORTED.match(text) else None
