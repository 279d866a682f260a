"""The ``gemini`` reader: chats of Gemini CLI, as one JSON document (up to 0.38) or as lines.

Options: ``path`` or ``paths`` (``~/.gemini/tmp`` by default). A chat is
``<project>/chats/session-<time>-<id>.json`` or ``.jsonl``; a sub-agent's lies in a folder named like its
parent's session.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_review import limits
from jilog_review.cursor import Cursor
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, check_options
from jilog_review.readers.entry_builder import EntryBuilder, make_reading
from jilog_review.readers.gemini_format import DOCUMENT_DECODER, RECORD_DECODER, Document
from jilog_review.readers.gemini_records import GeminiSorter
from jilog_review.readers.head import first_line, first_record
from jilog_review.readers.roots import Root, configured_paths, discover_files
from jilog_review.regular_file import open_regular
from jilog_review.repair import repair_text
from jilog_review.transcript import Coverage, Transcript

_OPTIONS = ("path", "paths")
_CHATS_FOLDER = "chats"
_SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class GeminiReader:
    """Reads the chats below some folders."""

    roots: tuple[Root, ...]
    name: str = "gemini"

    def discover(self, since_ns: int) -> Discovery:
        """Find the chats modified at or after ``since_ns``."""
        return discover_files(self.roots, _SUFFIXES, since_ns, _source_of)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of a chat of lines, or what is new in one that is a document."""
        path = Path(source.key)
        if _is_document(path):
            return self._read_document(source, path, cursor)
        piece = read_piece(path, cursor)
        lines = decode_piece(piece, RECORD_DECODER)
        builder = EntryBuilder(piece.new_offset)
        header = first_record(lines, piece, path, RECORD_DECODER)
        if header is not None and header.session_id is not None:
            _apply_header(builder, source, header.session_id, header.kind)
        sorter = GeminiSorter(builder.session_id or source.session_id, builder)
        for number, offset, record in lines:
            sorter.add(number, offset, record)
        return make_reading(self.name, source, piece, lines, builder)

    def _read_document(self, source: Source, path: Path, cursor: Cursor | None) -> Reading:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            if status.st_size > limits.DOCUMENT_BYTES_MAX:
                raise OSError(f"document is larger than {limits.DOCUMENT_BYTES_MAX} bytes")
            data = file.read()
        try:
            document = DOCUMENT_DECODER.decode(repair_text(data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._unreadable(source, status, cursor)
        messages = document.messages or []
        first_new = _first_new(messages, cursor)
        builder, bad = _read_messages(source, document, messages, first_new)
        entries = builder.entries
        transcript = Transcript(
            reader=self.name,
            session_id=builder.session_id or source.session_id,
            root_session=builder.root_session or builder.session_id or source.root_session,
            source_file=source.key,
            entries=tuple(entries),
            new_from=sum(1 for entry in entries if entry.offset < first_new),
            is_subagent=builder.is_subagent,
            project=source.project,
            model=builder.model,
            usage=builder.usage,
            bills=tuple(builder.bills),
            coverage=Coverage(
                files=1,
                lines=len(messages) - first_new,
                bytes=sum(len(memoryview(raw)) for raw in messages[first_new:]),
                bad_lines=bad,
                unknown=builder.unknown,
            ),
        )
        return Reading(transcript, _document_cursor(status, messages), False)

    def _unreadable(self, source: Source, status: os.stat_result, cursor: Cursor | None) -> Reading:
        """Leave a document that is being written, or broken, for the next time."""
        transcript = Transcript(
            reader=self.name,
            session_id=source.session_id,
            root_session=source.root_session,
            source_file=source.key,
            coverage=Coverage(files=1, torn_lines=1),
        )
        return Reading(transcript, cursor or _document_cursor(status, []), False)


def make_gemini_reader(config: ReaderConfig) -> GeminiReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    home = config.environment.get("GEMINI_CLI_HOME") or "~"
    paths = configured_paths(config, f"{home}/.gemini/tmp")
    return GeminiReader(tuple(Root(Path(path)) for path in paths))


def _source_of(path: Path, modified_ns: int, root: Root) -> Source | None:
    """Name a chat by its file until its header is read; below ``chats`` a folder is a parent's session."""
    inside = path.relative_to(root.path).parts if path != root.path else (path.name,)
    if path.suffix == ".json" and not path.name.startswith("session-"):
        return None
    if _CHATS_FOLDER not in inside:
        # Beside the chats lie logs and checkpoints of other shapes; a folder named outright holds chats.
        if len(inside) > 1:
            return None
        return Source(str(path), path.stem, path.stem, modified_ns)
    below = inside[inside.index(_CHATS_FOLDER) + 1 :]
    project = inside[0] if inside[0] != _CHATS_FOLDER else None
    root_session = below[0] if len(below) > 1 else path.stem
    return Source(
        str(path), path.stem, root_session, modified_ns, is_subagent=len(below) > 1, project=project
    )


def _is_document(path: Path) -> bool:
    """Tell a document from lines: by its name, or by a first line that is no record of its own."""
    if path.suffix == ".json":
        return True
    head = first_line(path).strip()
    return head == b"{" or b'"messages":[{' in head[: limits.KIB]


def _apply_header(builder: EntryBuilder, source: Source, session_id: str, kind: str | None) -> None:
    builder.session_id = session_id
    builder.is_subagent = source.is_subagent or kind == "subagent"
    builder.root_session = source.root_session if source.is_subagent else session_id


def _read_messages(
    source: Source, document: Document, messages: list[msgspec.Raw], first_new: int
) -> tuple[EntryBuilder, int]:
    """Sort the new messages and some before them; give the number of new ones of a wrong shape, too."""
    builder = EntryBuilder(first_new)
    _apply_header(builder, source, document.session_id or source.session_id, document.kind)
    sorter = GeminiSorter(builder.session_id or source.session_id, builder)
    begin = max(0, first_new - limits.CONTEXT_ENTRIES) if first_new < len(messages) else first_new
    bad = 0
    for index in range(begin, len(messages)):
        try:
            record = RECORD_DECODER.decode(messages[index])
        except (msgspec.DecodeError, UnicodeDecodeError):
            bad += index >= first_new
            continue
        sorter.add(index + 1, index, record)
    return builder, bad


def _first_new(messages: list[msgspec.Raw], cursor: Cursor | None) -> int:
    """Find the first message that was not read as it stands now.

    The last one may have been written again with more in it; a change further up means another chat.
    """
    if cursor is None or not 0 < cursor.offset <= len(messages):
        return 0
    before, _, whole = cursor.marks.partition(":")
    if _hash(messages[: cursor.offset]) == whole:
        return cursor.offset
    return cursor.offset - 1 if _hash(messages[: cursor.offset - 1]) == before else 0


def _document_cursor(status: os.stat_result, messages: list[msgspec.Raw]) -> Cursor:
    """Make a cursor that counts messages, where those of files count bytes."""
    count = len(messages)
    return Cursor(
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        offset=count,
        line=count + 1,
        context_offset=count,
        context_line=count + 1,
        marks=f"{_hash(messages[:-1])}:{_hash(messages)}",
    )


def _hash(messages: list[msgspec.Raw]) -> str:
    digest = hashlib.sha256()
    for raw in messages:
        digest.update(len(memoryview(raw)).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()[:32]
