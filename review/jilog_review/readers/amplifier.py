"""The ``amplifier`` reader, and ``context-intelligence``, which logs the same events elsewhere.

Options of both: ``path`` or ``paths`` (``~/.amplifier/projects`` by default).

A session is a folder: ``<project>/sessions/<id>/``, or in older versions ``<project>/`` itself. Its messages
are in ``transcript.jsonl`` and its events in ``events.jsonl``; each is a source of its own, and where both
are there the events only tell what the messages do not. A sub-agent's id begins with zeros, and its metadata
or its first event name the session that started it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from jilog_review import limits
from jilog_review.cursor import Cursor
from jilog_review.files import stat_sources
from jilog_review.moments import transcript_time_ns
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import Discovery, Problem, ReaderConfig, Reading, Source, check_options
from jilog_review.readers.amplifier_format import (
    EVENT_DECODER,
    MESSAGE_DECODER,
    METADATA_DECODER,
    Metadata,
)
from jilog_review.readers.amplifier_lines import EventSorter, MessageSorter
from jilog_review.readers.entry_builder import EntryBuilder, make_reading
from jilog_review.readers.head import first_record
from jilog_review.readers.roots import configured_paths, list_folders
from jilog_review.regular_file import open_regular

_OPTIONS = ("path", "paths")
_DEFAULT = "~/.amplifier/projects"
_SESSIONS_FOLDER = "sessions"
_MESSAGES = "transcript.jsonl"
_EVENTS = "events.jsonl"
_METADATA = "metadata.json"
_SUBAGENT = re.compile(r"0{8}")
_INTELLIGENCE = "context-intelligence"
_INTELLIGENCE_MAJOR = "1"


@dataclass(frozen=True, slots=True)
class AmplifierReader:
    """Reads the sessions of the projects in some folders."""

    roots: tuple[Path, ...]
    name: str = "amplifier"

    def discover(self, since_ns: int) -> Discovery:
        """Find the messages and events modified at or after ``since_ns``."""
        problems: list[Problem] = []
        folders = list(_session_folders(self.roots, problems))
        paths = [folder / name for folder in folders for name in (_MESSAGES, _EVENTS)]
        found = stat_sources(paths, since_ns, _source_of)
        return Discovery(found.sources, (*problems, *found.problems))

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one file of a session."""
        path = Path(source.key)
        if path.name == _MESSAGES:
            return self._read_messages(source, path, cursor)
        return read_events(self.name, source, path, cursor, only_health=(path.parent / _MESSAGES).exists())

    def _read_messages(self, source: Source, path: Path, cursor: Cursor | None) -> Reading:
        piece = read_piece(path, cursor)
        lines = decode_piece(piece, MESSAGE_DECODER)
        builder = EntryBuilder(piece.new_offset)
        metadata = _metadata_of(path.parent / _METADATA)
        builder.model = metadata.model if metadata else None
        _apply_parent(builder, source, metadata)
        sorter = MessageSorter(source.session_id, builder)
        for number, offset, line in lines:
            sorter.add(number, offset, line)
        return make_reading(self.name, source, piece, lines, builder)


@dataclass(frozen=True, slots=True)
class ContextIntelligenceReader:
    """Reads the event logs that name themselves as of a known format and version."""

    roots: tuple[Path, ...]
    name: str = _INTELLIGENCE

    def discover(self, since_ns: int) -> Discovery:
        """Find the logs whose last event is at or after ``since_ns``; one without metadata is a problem."""
        problems: list[Problem] = []
        paths = [
            folder / _INTELLIGENCE / _EVENTS for folder in _session_folders(self.roots, problems, deep=True)
        ]
        found = stat_sources(paths, 0, _intelligence_source)
        sources: list[Source] = []
        for source in found.sources:
            metadata = _metadata_of(Path(source.key).parent / _METADATA)
            problem = _refusal(metadata)
            if problem is not None or metadata is None:
                if source.modified_ns >= since_ns:
                    problems.append(Problem(source.key, problem or "has no metadata.json beside it"))
                continue
            modified_ns = transcript_time_ns(metadata.last_event_at) or source.modified_ns
            if max(modified_ns, source.modified_ns) >= since_ns:
                sources.append(replace(source, modified_ns=modified_ns))
        return Discovery(tuple(sources), (*problems, *found.problems))

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one log."""
        return read_events(self.name, source, Path(source.key), cursor, only_health=False)


def make_amplifier_reader(config: ReaderConfig) -> AmplifierReader:
    """Make the ``amplifier`` reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    return AmplifierReader(tuple(Path(path) for path in configured_paths(config, _DEFAULT)))


def make_context_intelligence_reader(config: ReaderConfig) -> ContextIntelligenceReader:
    """Make the ``context-intelligence`` reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    return ContextIntelligenceReader(tuple(Path(path) for path in configured_paths(config, _DEFAULT)))


def read_events(
    name: str, source: Source, path: Path, cursor: Cursor | None, *, only_health: bool
) -> Reading:
    """Read the next piece of an ``events.jsonl``.

    Raises:
        OSError: the file cannot be opened or read.
    """
    piece = read_piece(path, cursor)
    lines = decode_piece(piece, EVENT_DECODER)
    builder = EntryBuilder(piece.new_offset)
    metadata = _metadata_of(path.parent / _METADATA)
    first = first_record(lines, piece, path, EVENT_DECODER)
    if first is not None and first.data is not None and first.data.parent_id:
        metadata = metadata or Metadata()
        metadata = msgspec.structs.replace(metadata, parent_id=first.data.parent_id)
    _apply_parent(builder, source, metadata)
    sorter = EventSorter(source.session_id, builder, only_health=only_health)
    for number, offset, line in lines:
        sorter.add(number, offset, line)
    return make_reading(name, source, piece, lines, builder)


def _session_folders(roots: Iterable[Path], problems: list[Problem], *, deep: bool = False) -> Iterable[Path]:
    """Give every folder that can be a session; with ``deep`` only those in a ``sessions`` folder."""
    for root in roots:
        for project in list_folders(root, problems):
            if not deep:
                yield project
            yield from list_folders(project / _SESSIONS_FOLDER, problems)


def _source_of(path: Path, modified_ns: int) -> Source:
    folder = path.parent
    in_project = folder.parent.name == _SESSIONS_FOLDER
    project = folder.parent.parent.name if in_project else folder.name
    is_subagent = _SUBAGENT.match(folder.name) is not None
    return Source(str(path), folder.name, folder.name, modified_ns, is_subagent=is_subagent, project=project)


def _intelligence_source(path: Path, modified_ns: int) -> Source:
    return replace(_source_of(path.parent, modified_ns), key=str(path))


def _metadata_of(path: Path) -> Metadata | None:
    """Read a ``metadata.json``; None when it is missing, too large or no JSON object."""
    try:
        with open_regular(path) as file:
            return METADATA_DECODER.decode(file.read(limits.HEAD_LINE_BYTES_MAX))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _apply_parent(builder: EntryBuilder, source: Source, metadata: Metadata | None) -> None:
    """Name the session that started a sub-agent; a session that was only continued has none."""
    parent = (metadata.parent_session_id or metadata.parent_id) if metadata else None
    builder.is_subagent = source.is_subagent
    if source.is_subagent and parent:
        builder.root_session = parent


def _refusal(metadata: Metadata | None) -> str | None:
    """Say why a log is not read, None when it is."""
    if metadata is None:
        return "has no readable metadata.json beside it, which says what its format is"
    if metadata.format != _INTELLIGENCE:
        return f"has the format {str(metadata.format)[:40]!r}, not {_INTELLIGENCE!r}"
    if str(metadata.version).split(".")[0] != _INTELLIGENCE_MAJOR:
        return f"has the format version {str(metadata.version)[:40]!r}; {_INTELLIGENCE_MAJOR} is known"
    return None
