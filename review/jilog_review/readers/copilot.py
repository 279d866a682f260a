"""The ``copilot`` reader: sessions of GitHub Copilot CLI.

Options: ``path`` or ``paths`` (``~/.copilot/session-state``, or ``$COPILOT_HOME/session-state``, by default).
A session is ``<id>/events.jsonl``, or in older versions ``<id>.jsonl``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_review.cursor import Cursor
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, check_options
from jilog_review.readers.copilot_events import CopilotSorter
from jilog_review.readers.copilot_format import CONTEXT_DECODER, EVENT_DECODER, Event
from jilog_review.readers.entry_builder import EntryBuilder, make_reading
from jilog_review.readers.head import first_record
from jilog_review.readers.roots import Root, configured_paths, discover_files

_OPTIONS = ("path", "paths")
_EVENTS_FILE = "events.jsonl"


@dataclass(frozen=True, slots=True)
class CopilotReader:
    """Reads the sessions below some folders."""

    roots: tuple[Root, ...]
    name: str = "copilot"

    def discover(self, since_ns: int) -> Discovery:
        """Find the sessions modified at or after ``since_ns``."""
        return discover_files(self.roots, (".jsonl",), since_ns, _source_of)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one session."""
        path = Path(source.key)
        piece = read_piece(path, cursor)
        lines = decode_piece(piece, EVENT_DECODER)
        builder = EntryBuilder(piece.new_offset)
        builder.project = _folder_of(first_record(lines, piece, path, EVENT_DECODER))
        sorter = CopilotSorter(source.session_id, builder)
        for number, offset, event in lines:
            sorter.add(number, offset, event)
        return make_reading(self.name, source, piece, lines, builder)


def make_copilot_reader(config: ReaderConfig) -> CopilotReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    home = config.environment.get("COPILOT_HOME") or "~/.copilot"
    paths = configured_paths(config, f"{home}/session-state")
    return CopilotReader(tuple(Root(Path(path)) for path in paths))


def _source_of(path: Path, modified_ns: int, root: Root) -> Source | None:
    session_id = path.parent.name if path.name == _EVENTS_FILE else path.stem
    if path.name != _EVENTS_FILE and root.path not in (path, path.parent):
        return None  # a session's folder also holds files that the agent keeps for itself
    return Source(str(path), session_id, session_id, modified_ns)


def _folder_of(first: Event | None) -> str | None:
    if first is None or first.type != "session.start" or first.data is None:
        return None
    try:
        return CONTEXT_DECODER.decode(first.data.context).cwd
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
