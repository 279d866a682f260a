"""The ``pi`` reader: sessions of the pi coding agent, whose files are lists (version 1) or trees (version 3).

Options: ``path`` or ``paths`` (``~/.pi/agent/sessions`` by default, or below ``$PI_CODING_AGENT_DIR``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jilog_review.cursor import Cursor
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, check_options
from jilog_review.readers.entry_builder import EntryBuilder, make_reading
from jilog_review.readers.head import first_record
from jilog_review.readers.pi_format import LINE_DECODER
from jilog_review.readers.pi_lines import PiSorter
from jilog_review.readers.roots import Root, configured_paths, discover_files

_OPTIONS = ("path", "paths")


@dataclass(frozen=True, slots=True)
class PiReader:
    """Reads the sessions below some folders."""

    roots: tuple[Root, ...]
    name: str = "pi"

    def discover(self, since_ns: int) -> Discovery:
        """Find the sessions modified at or after ``since_ns``."""
        return discover_files(self.roots, (".jsonl",), since_ns, _source_of)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one session."""
        path = Path(source.key)
        piece = read_piece(path, cursor)
        lines = decode_piece(piece, LINE_DECODER)
        builder = EntryBuilder(piece.new_offset)
        header = first_record(lines, piece, path, LINE_DECODER)
        builder.project = header.cwd if header is not None and header.type == "session" else None
        sorter = PiSorter(source.session_id, builder)
        for number, offset, line in lines:
            sorter.add(number, offset, line)
        return make_reading(self.name, source, piece, lines, builder)


def make_pi_reader(config: ReaderConfig) -> PiReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    home = config.environment.get("PI_CODING_AGENT_DIR") or "~/.pi/agent"
    paths = configured_paths(config, f"{home}/sessions")
    return PiReader(tuple(Root(Path(path)) for path in paths))


def _source_of(path: Path, modified_ns: int, root: Root) -> Source:  # noqa: ARG001 (every maker takes a root)
    """Name a session by what follows the time in its file's name."""
    session_id = path.stem.split("_", 1)[-1]
    return Source(str(path), session_id, session_id, modified_ns)
