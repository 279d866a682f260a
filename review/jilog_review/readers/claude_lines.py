"""What the lines of a Claude Code transcript stand for: lines in, entries out, in file order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from jilog_review import limits
from jilog_review.readers.claude_format import (
    INPUT_DECODER,
    KNOWN_TYPES,
    PROGRESS_DECODER,
    Block,
    Line,
    TokenUsage,
)
from jilog_review.readers.claude_provenance import (
    denial_of,
    exit_status_of,
    human_part,
    is_injected_text,
    is_interrupt,
    provenance_of_source,
    rejection_text,
)
from jilog_review.transcript import (
    AnyEntry,
    Bill,
    Denial,
    Marker,
    MarkerKind,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
    Usage,
    clip_middle,
    content_text,
    usage_of,
)

_TOOLS_WITH_PLACES = frozenset(
    {"Bash", "Edit", "Glob", "Grep", "LS", "MultiEdit", "NotebookEdit", "NotebookRead", "Read", "Write"}
)
_SILENT_TYPES = KNOWN_TYPES - {"attachment"}
_REJECTION_PART = 1000
"""The part of a refusal's words: past every block's, so that the words and the refusal stay two facts."""


class _Placed(msgspec.Struct, gc=False):
    """A line with its number, its byte offset, and whether it belongs to a sub-agent.

    A struct, since one is made for nearly every line.
    """

    number: int
    offset: int
    line: Line
    sidechain: bool


@dataclass(slots=True)
class LineSorter:
    """Turns lines into entries; one is made for each piece of a file.

    ``new_offset`` is the byte from which lines are counted: those before it are context.
    """

    new_offset: int
    entries: list[AnyEntry] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    model: str | None = None
    project: str | None = None
    root_session: str | None = None
    _calls: dict[str, ToolCall] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    bills: list[Bill] = field(default_factory=list)
    _billed: set[str] = field(default_factory=set)

    @property
    def usage(self) -> Usage:
        """What the new lines say was consumed."""
        return usage_of(self.bills)

    def add_all(self, lines: Iterable[tuple[int, int, Line]], *, sidechain: bool = False) -> None:
        """Take lines with their numbers and byte offsets; ``sidechain``: all of them are a sub-agent's.

        A line whose uuid was there before (a resume repeats lines) is passed over. This loop and what it
        calls run for every line of every transcript: what says nothing leaves it first.
        """
        seen, remember, new_offset = self._seen, self._seen.add, self.new_offset
        assistant, user = self._assistant, self._user
        for number, offset, line in lines:
            if self.root_session is None and line.session_id is not None:
                self.root_session, self.project = line.session_id, line.cwd
            kind = line.type
            if kind in _SILENT_TYPES:
                continue
            if line.uuid is not None:
                if line.uuid in seen:
                    continue
                remember(line.uuid)
            placed = _Placed(number, offset, line, sidechain or line.is_sidechain is True)
            if kind == "assistant":
                assistant(placed, line)
            elif kind == "user":
                user(placed, line)
            elif not self._add_other(kind, placed) and offset >= new_offset:
                name = kind[:60] or "(no type)"
                self.unknown[name] = self.unknown.get(name, 0) + 1

    def _add_other(self, kind: str, placed: _Placed) -> bool:
        """Take a line of the rarer types; tell whether its type is known."""
        if kind == "progress":
            self._progress(placed)
        elif kind == "system":
            self._system(placed)
        elif kind == "attachment":
            self._attachment(placed)
        else:
            return False
        return True

    def _assistant(self, placed: _Placed, line: Line) -> None:
        message = line.message
        if message is None:
            return
        key = message.id or line.uuid
        # Each block of a response is a line that repeats its tokens: they are counted once.
        if message.usage is not None and key is not None and key not in self._billed:
            self._billed.add(key)
            if placed.offset >= self.new_offset:
                self.bills.append(_bill_of(key, line.cost, message.usage))
        if line.is_api_error_message:
            self._mark(placed, MarkerKind.API_ERROR, _blocks_text(message.content)[:200])
            return
        if message.model is not None and message.model != "<synthetic>":
            self.model = message.model
        for part, block in enumerate(_blocks(message.content)):
            kind = block.type
            if kind == "tool_use":
                self._call(placed, line, part, block)
            elif kind == "text" and block.text:
                self._say(placed, part, block.text, Provenance.ASSISTANT)

    def _call(self, placed: _Placed, line: Line, part: int, block: Block) -> None:
        command, paths = _places(block) if block.name in _TOOLS_WITH_PLACES else (None, ())
        call = ToolCall(
            line=placed.number,
            offset=placed.offset,
            part=part,
            message_id=line.uuid,
            timestamp=line.timestamp,
            sidechain=placed.sidechain,
            call_id=block.id,
            tool=block.name or "unknown",
            command=command,
            paths=paths,
            arguments=block.input,
        )
        self._calls[block.id] = call
        self.entries.append(call)

    def _user(self, placed: _Placed, line: Line) -> None:
        if line.message is None:
            return
        texts: list[str] = []
        for part, block in enumerate(_blocks(line.message.content)):
            if block.type == "tool_result":
                self._result(placed, line, part, block)
            elif block.type == "text" and block.text:
                texts.append(block.text)
        if texts and is_interrupt(texts[0]):
            self._mark(placed, MarkerKind.INTERRUPT, "")
        elif texts:
            texts, provenance = _judge(placed, texts)
            self._say(placed, 0, "\n".join(texts), provenance)

    def _result(self, placed: _Placed, line: Line, part: int, block: Block) -> None:
        call = self._calls.get(block.tool_use_id)
        # Only failures are decoded here: the text of the others is most of the file and rarely looked at.
        text = content_text(block.content) if block.is_error else ""
        denial = denial_of(text, line.tool_denial_kind) if block.is_error else None
        self.entries.append(
            ToolResult(
                line=placed.number,
                offset=placed.offset,
                part=part,
                message_id=line.uuid,
                timestamp=line.timestamp,
                sidechain=placed.sidechain,
                call_id=block.tool_use_id,
                tool=call.tool if call else "unknown",
                body=block.content,
                command=call.command if call else None,
                paths=call.paths if call else (),
                failed=block.is_error,
                exit_status=exit_status_of(text) if text else None,
                denial=denial,
            )
        )
        if denial is Denial.USER and not placed.sidechain:
            self._refusal(placed, part, rejection_text(text))

    def _refusal(self, placed: _Placed, part: int, said: str) -> None:
        if said:
            self._say(placed, _REJECTION_PART + part, said, Provenance.REJECTION)
        else:
            self._mark(placed, MarkerKind.REJECTION, "")

    def _progress(self, placed: _Placed) -> None:
        """Take the message of a sub-agent that older versions wrote into the main file."""
        try:
            progress = PROGRESS_DECODER.decode(placed.line.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        inner = progress.message
        if progress.type == "agent_progress" and inner is not None and inner.type in ("user", "assistant"):
            self.add_all([(placed.number, placed.offset, inner)], sidechain=True)

    def _system(self, placed: _Placed) -> None:
        if placed.line.subtype == "compact_boundary" and not placed.sidechain:
            self._mark(placed, MarkerKind.COMPACTION, "")
        elif placed.line.subtype == "api_error":
            self._mark(placed, MarkerKind.API_ERROR, "")

    def _attachment(self, placed: _Placed) -> None:
        """Take a prompt that was typed while the agent worked and was slipped into its turn."""
        attachment = placed.line.attachment
        if attachment is None or attachment.type != "queued_command" or placed.sidechain:
            return
        text = human_part(content_text(attachment.prompt))
        if attachment.command_mode not in {None, "prompt"} or not text.strip():
            return
        origin = attachment.origin.kind if attachment.origin else None
        provenance = provenance_of_source("queued", origin)
        if is_injected_text(text):
            provenance = Provenance.INJECTED
        self._say(placed, 0, text, provenance)

    def _say(self, placed: _Placed, part: int, text: str, provenance: Provenance) -> None:
        self.entries.append(
            Message(
                line=placed.number,
                offset=placed.offset,
                part=part,
                message_id=placed.line.uuid,
                timestamp=placed.line.timestamp,
                sidechain=placed.sidechain,
                role="assistant" if provenance is Provenance.ASSISTANT else "user",
                text=clip_middle(text, limits.MESSAGE_CHARS_MAX),
                provenance=provenance,
            )
        )

    def _mark(self, placed: _Placed, kind: MarkerKind, detail: str) -> None:
        self.entries.append(
            Marker(
                line=placed.number,
                offset=placed.offset,
                message_id=placed.line.uuid,
                timestamp=placed.line.timestamp,
                sidechain=placed.sidechain,
                kind=kind,
                detail=detail,
            )
        )


def _bill_of(key: str, cost: Decimal | None, usage: TokenUsage) -> Bill:
    read = usage.input_tokens or 0
    read += (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return Bill(key[: limits.BILL_KEY_CHARS_MAX], read, usage.output_tokens or 0, cost)


def _judge(placed: _Placed, texts: list[str]) -> tuple[list[str], Provenance]:
    """Tell who wrote the text blocks of a user line, and give those that this one wrote."""
    line = placed.line
    if placed.sidechain or line.is_meta or line.is_compact_summary or line.is_visible_in_transcript_only:
        return texts, Provenance.INJECTED
    provenance = provenance_of_source(line.prompt_source, line.origin.kind if line.origin else None)
    if provenance is Provenance.INJECTED:
        return texts, provenance
    human = [part for part in map(human_part, texts) if part.strip() and not is_injected_text(part)]
    return (human, provenance) if human else (texts, Provenance.INJECTED)


def _blocks(content: str | list[Block] | None) -> list[Block]:
    if isinstance(content, str):
        return [Block(type="text", text=content)]
    return content or []


def _blocks_text(content: str | list[Block] | None) -> str:
    return "\n".join(block.text for block in _blocks(content) if block.text)


def _places(block: Block) -> tuple[str | None, tuple[str, ...]]:
    """Give the shell command and the files that a built-in tool's call names."""
    try:
        value = INPUT_DECODER.decode(block.input)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, ()
    command = value.command[: limits.COMMAND_CHARS_MAX] if value.command and block.name == "Bash" else None
    if value.notebook_path or value.path:
        return command, tuple(path for path in (value.file_path, value.notebook_path, value.path) if path)
    return command, (value.file_path,) if value.file_path else ()
