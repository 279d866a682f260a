"""What the lines of a pi session stand for: lines in, entries out, in file order.

A session is a tree (version 3) or a list (version 1). Lines are only ever appended: a line whose parent is
not the line before it begins another branch, and the person left the one before it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import msgspec

from jilog_review.readers.entry_builder import EntryBuilder, Spot, scoped_id, tail_of
from jilog_review.readers.pi_format import (
    ARGUMENTS_DECODER,
    BLOCKS_DECODER,
    KNOWN_TYPES,
    Arguments,
    Block,
    Line,
    ModelMessage,
)
from jilog_review.transcript import Denial, MarkerKind, Provenance, Usage, content_text

_EXIT_STATUS = re.compile(rb'Command exited with code (-?\d{1,6})(?:\\n|\s)*"[\s\]}]*\Z')
_TAIL_BYTES = 120
_ABORTED = re.compile(r"(?:\A|\n)\s*(?:Command|Operation) aborted\s*\Z")
_BLOCKED = re.compile(r"\ATool execution was blocked|\ABlocked by (?:extension|hook|user)", re.IGNORECASE)
_SHELL_TOOL = "bash"


@dataclass(slots=True)
class PiSorter:
    """Turns lines into entries; one is made for each piece of a file."""

    session_id: str
    builder: EntryBuilder
    _previous_id: str | None = None

    def add(self, number: int, offset: int, line: Line) -> None:
        """Take one line."""
        spot = Spot(number, offset, line.timestamp)
        self._follow(spot, line)
        kind = line.type
        if kind == "message" and line.message is not None:
            self._message(spot, line, line.message)
        elif kind == "compaction":
            self.builder.mark(spot, MarkerKind.COMPACTION, message_id=_identity(line, "compaction"))
        elif kind == "model_change":
            self.builder.model = line.model_id or self.builder.model
        elif kind == "branch_summary":
            identity = _identity(line, "branch_summary")
            self.builder.say(spot, line.summary or "", Provenance.INJECTED, message_id=identity)
        elif kind != "session" and kind not in KNOWN_TYPES:
            self.builder.note_unknown(spot, kind)

    def _follow(self, spot: Spot, line: Line) -> None:
        """Notice where the person went back and left what followed."""
        if line.id is None or line.type == "session":
            return
        if self._previous_id is not None and line.parent_id != self._previous_id:
            self.builder.mark(spot, MarkerKind.BRANCH, message_id=_identity(line, "branch"))
        self._previous_id = line.id
        self.builder.anchor = spot

    def _message(self, spot: Spot, line: Line, message: ModelMessage) -> None:
        identity = _identity(line, message.role or "", memoryview(message.content))
        if message.role == "user":
            self.builder.say(spot, content_text(message.content), Provenance.HUMAN, message_id=identity)
        elif message.role == "assistant":
            self._assistant(spot, message, identity)
        elif message.role == "toolResult":
            self._result(spot, message, identity)
        elif message.role == "bashExecution":
            # The person's own command: neither their words to the agent nor a failure of the agent's.
            text = f"!{message.command or ''}\n{message.output or ''}"
            self.builder.say(
                spot, text, Provenance.INJECTED, message_id=_identity(line, text), name=message.role
            )
        elif message.role in ("branchSummary", "compactionSummary", "custom", "hookMessage"):
            text = message.summary or content_text(message.content)
            self.builder.say(spot, text, Provenance.INJECTED, message_id=identity, name=message.role)
        else:
            self.builder.note_unknown(spot, f"message:{message.role}")

    def _assistant(self, spot: Spot, message: ModelMessage, identity: str) -> None:
        self.builder.model = message.model or self.builder.model
        self._bill(spot, message)
        for part, block in enumerate(_blocks(message.content)):
            if block.type == "text" and block.text:
                self.builder.say(spot, block.text, Provenance.ASSISTANT, message_id=identity, part=part)
            elif block.type == "toolCall":
                self._call(spot, block, identity, part)
        if message.stop_reason == "error":
            detail = message.error_message or ""
            self.builder.mark(spot, MarkerKind.API_ERROR, detail, message_id=f"{identity}:stop")
        elif message.stop_reason == "aborted":
            self.builder.mark(spot, MarkerKind.INTERRUPT, message_id=f"{identity}:stop")

    def _call(self, spot: Spot, block: Block, identity: str, part: int) -> None:
        try:
            arguments = ARGUMENTS_DECODER.decode(block.arguments)
        except (msgspec.DecodeError, UnicodeDecodeError):
            arguments = Arguments()
        self.builder.call(
            spot,
            block.id or "",
            block.name,
            message_id=identity,
            part=part,
            command=arguments.command if block.name == _SHELL_TOOL else None,
            paths=tuple(path for path in (arguments.path, arguments.file_path) if path),
            arguments=block.arguments,
        )

    def _result(self, spot: Spot, message: ModelMessage, identity: str) -> None:
        status = _EXIT_STATUS.search(tail_of(message.content, _TAIL_BYTES)) if message.is_error else None
        call_id = message.tool_call_id or ""
        self.builder.result(
            spot,
            call_id,
            message.content,
            message_id=f"{scoped_id(self.session_id, call_id)}:result" if call_id else identity,
            tool=message.tool_name,
            failed=message.is_error,
            exit_status=int(status[1]) if status else None,
            denial=_denial_of(content_text(message.content)) if message.is_error and not status else None,
        )

    def _bill(self, spot: Spot, message: ModelMessage) -> None:
        usage = message.usage
        if usage is not None:
            read = (usage.input, usage.cache_read, usage.cache_write)
            cost = usage.cost.total if usage.cost else None
            self.builder.bill(spot, Usage(sum(count or 0 for count in read), usage.output or 0, cost))


def _blocks(content: msgspec.Raw) -> list[Block]:
    try:
        return BLOCKS_DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [Block(type="text", text=content_text(content))]


def _identity(line: Line, role: str, content: bytes | memoryview = b"") -> str:
    """Name an entry the same in every session that it was copied to.

    An entry's own id has eight digits and version 1 has none, so time and content go in too; a branch into a
    new file copies all three.
    """
    digest = hashlib.sha256(f"{line.id}\n{line.timestamp}\n{role}\n".encode("utf-8", "surrogatepass"))
    digest.update(content)
    return digest.hexdigest()[:32]


def _denial_of(text: str) -> Denial | None:
    if _ABORTED.search(text):
        return Denial.ABORTED
    return Denial.HOOK if _BLOCKED.search(text) else None
