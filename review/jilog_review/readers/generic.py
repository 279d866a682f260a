"""The ``generic`` reader: any agent that writes JSON lines of role, content and name.

Options: ``path`` (a glob, required), ``name`` (what signals say as reader; ``generic`` by default) and
``session_id_from``: ``parent_dir`` (default) or ``file_stem``. A first line ``{"_jilog": {"persona": …,
"channel": …}}`` says who the agent is and where it speaks. A line may carry an RFC 3339 ``timestamp`` and
an ``id`` of its own.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_ledger.errors import InputError
from jilog_review import limits
from jilog_review.cursor import Cursor
from jilog_review.envelope import failed_flag
from jilog_review.files import expand_home, stat_sources
from jilog_review.piece import Lines, Piece, decode_piece, read_piece
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, check_options, text_option
from jilog_review.regular_file import open_regular
from jilog_review.repair import printable
from jilog_review.transcript import (
    AnyEntry,
    Message,
    Provenance,
    ToolResult,
    Transcript,
    clip_middle,
    content_text,
)

_OPTIONS = ("path", "name", "session_id_from")
_SESSION_ID_FROM = ("parent_dir", "file_stem")
_PROVENANCE = {"user": Provenance.HUMAN, "assistant": Provenance.ASSISTANT}
_IGNORED_ROLES = frozenset({"system", "developer"})


class _Header(msgspec.Struct, gc=False):
    persona: str | None = None
    channel: str | None = None


class _Line(msgspec.Struct, gc=False):
    role: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")
    name: str | None = None
    timestamp: str | None = None
    id: str | None = None
    tool_call_id: str | None = None
    header: _Header | None = msgspec.field(default=None, name="_jilog")


_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class GenericReader:
    """Reads the files that match ``pattern``, an expanded glob."""

    name: str
    pattern: str
    session_id_from: str = "parent_dir"

    def discover(self, since_ns: int) -> Discovery:
        """Find the matching files modified at or after ``since_ns``."""
        found = glob.iglob(self.pattern, recursive=True, include_hidden=True)
        return stat_sources(_once_each(found), since_ns, self._source)

    def _source(self, path: Path, modified_ns: int) -> Source:
        session_id = printable(path.stem if self.session_id_from == "file_stem" else path.parent.name)
        return Source(str(path), session_id, session_id, modified_ns)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one file."""
        path = Path(source.key)
        piece = read_piece(path, cursor)
        lines = decode_piece(piece, _DECODER)
        header = _header_of(lines, piece, path)
        entries, unknown = _entries_of(lines, source, piece.new_offset)
        transcript = Transcript(
            reader=self.name,
            session_id=source.session_id,
            root_session=source.root_session,
            source_file=printable(source.key),
            entries=tuple(entries),
            new_from=piece.new_from(entries),
            persona=_clean(header.persona),
            channel=_clean(header.channel),
            coverage=lines.coverage(piece, unknown),
        )
        return Reading(transcript, piece.cursor(entries), piece.more)


def _once_each(found: Iterable[str]) -> Iterator[Path]:
    """Give each file by its shortest path: a link to a folder above leads around forty times."""
    folders: dict[str, str] = {}
    shortest: dict[tuple[str, str], str] = {}
    for path in found:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        place = (folders[folder], name)
        if place not in shortest or (len(path), path) < (len(shortest[place]), shortest[place]):
            shortest[place] = path
    return map(Path, shortest.values())


def make_generic_reader(config: ReaderConfig) -> GenericReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: ``path`` is missing, or an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    path = text_option(config, "path")
    if path is None:
        raise InputError(
            "a reader of type 'generic' needs a path",
            hint='add a glob such as path = "~/agents/*/log.jsonl" to the reader',
        )
    session_id_from = text_option(config, "session_id_from") or _SESSION_ID_FROM[0]
    if session_id_from not in _SESSION_ID_FROM:
        raise InputError(
            f"unknown session_id_from {session_id_from!r} in a reader of type 'generic'",
            hint=f"use one of {', '.join(_SESSION_ID_FROM)}",
        )
    pattern = expand_home(path, config.environment, escape=True)
    return GenericReader(text_option(config, "name") or "generic", pattern, session_id_from)


def _header_of(lines: Lines[_Line], piece: Piece, path: Path) -> _Header:
    """Give the header: from the piece where that holds the first line, else from the file."""
    if piece.start == 0:
        first = lines.records[0] if lines.records else None
    else:
        with open_regular(path) as file:
            text = file.readline(limits.HEADER_LINE_BYTES_MAX)
        try:
            first = _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            first = None
    return first.header if first is not None and first.header is not None else _Header()


def _clean(text: str | None) -> str | None:
    return (text.strip()[: limits.NAME_CHARS_MAX] or None) if text else None


def _entries_of(
    lines: Lines[_Line], source: Source, new_offset: int
) -> tuple[list[AnyEntry], dict[str, int]]:
    entries: list[AnyEntry] = []
    unknown: dict[str, int] = {}
    for number, offset, line in lines:
        entry = _entry_of(number, offset, line, source)
        if entry is not None:
            entries.append(entry)
        elif line.header is None and offset >= new_offset:
            kind = f"role:{line.role[:40]}" if line.role else "(no role)"
            unknown[kind] = unknown.get(kind, 0) + 1
    return entries, unknown


def _entry_of(number: int, offset: int, line: _Line, source: Source) -> AnyEntry | None:
    """Turn a line into an entry; None for a role that this reader does not know."""
    role = line.role
    message_id = f"{source.session_id}:{line.id}" if line.id else None
    if role == "tool":
        return ToolResult(
            line=number,
            offset=offset,
            message_id=message_id,
            timestamp=line.timestamp,
            call_id=line.tool_call_id or "",
            tool=line.name or "unknown",
            body=line.content,
            failed=failed_flag(content_text(line.content)),
        )
    if role not in _PROVENANCE and role not in _IGNORED_ROLES:
        return None
    provenance = _PROVENANCE.get(role, Provenance.INJECTED)
    # A tool's result that a harness sends back under the user's role was not typed by anybody.
    if role == "user" and b'"tool_result"' in bytes(line.content)[:4096] and bytes(line.content)[:1] == b"[":
        provenance = Provenance.INJECTED
    return Message(
        line=number,
        offset=offset,
        message_id=message_id,
        timestamp=line.timestamp,
        role=role,
        text=clip_middle(content_text(line.content), limits.MESSAGE_CHARS_MAX),
        provenance=provenance,
        name=line.name,
    )
