"""A reader for shellmate, a harness that keeps one file of JSON lines for each session.

    {"at": "2026-05-09T10:00:00Z", "id": "m1", "kind": "human", "text": "run the tests"}
    {"at": "2026-05-09T10:00:05Z", "id": "m2", "kind": "run", "call": "c1", "command": "pytst -q"}
    {"at": "2026-05-09T10:00:06Z", "id": "m3", "kind": "ran", "call": "c1", "status": 127, "output": "…"}

In ~/.jilog.toml:

    [[reader]]
    type = "shellmate"
    path = "~/.shellmate"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_review.cursor import Cursor
from jilog_review.files import expand_home, stat_sources
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, check_options, text_option
from jilog_review.readers.entry_builder import EntryBuilder, Spot, make_reading, scoped_id
from jilog_review.transcript import Provenance


class Line(msgspec.Struct):
    """One line. Everything may be missing: no harness's format is a contract."""

    at: str | None = None
    id: str | None = None
    kind: str | None = None
    text: str | None = None
    call: str | None = None
    command: str | None = None
    status: int | None = None
    output: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True)
class ShellmateReader:
    """Reads the files of one folder. Keeps nothing between calls."""

    folder: Path
    name: str = "shellmate"

    def discover(self, since_ns: int) -> Discovery:
        """Find the sessions that changed since then."""
        return stat_sources(self.folder.glob("*.jsonl"), since_ns, self._source)

    def _source(self, path: Path, modified_ns: int) -> Source:
        return Source(str(path), path.stem, path.stem, modified_ns)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read what was appended after ``cursor``."""
        piece = read_piece(Path(source.key), cursor)
        lines = decode_piece(piece, msgspec.json.Decoder(Line))
        builder = EntryBuilder(piece.new_offset)
        for number, offset, line in lines:
            _add(builder, source, Spot(number, offset, line.at), line)
        return make_reading(self.name, source, piece, lines, builder)


def _add(builder: EntryBuilder, source: Source, spot: Spot, line: Line) -> None:
    # An id that counts up begins anew in each session; with the session before it, it is met once.
    message_id = scoped_id(source.session_id, line.id) if line.id else None
    call_id = scoped_id(source.session_id, line.call) if line.call else ""
    if line.kind == "human":
        builder.say(spot, line.text or "", Provenance.HUMAN, message_id=message_id)
    elif line.kind == "mate":
        builder.say(spot, line.text or "", Provenance.ASSISTANT, message_id=message_id)
    elif line.kind == "run":
        builder.call(spot, call_id, "shell", message_id=message_id, command=line.command)
    elif line.kind == "ran":
        status = line.status
        failed = None if status is None else status != 0
        builder.result(spot, call_id, line.output, message_id=message_id, failed=failed, exit_status=status)
    else:
        builder.note_unknown(spot, line.kind)


def make_reader(config: ReaderConfig) -> ShellmateReader:
    """Make the reader of one ``[[reader]]`` table."""
    check_options(config, ("path",))
    path = text_option(config, "path") or "~/.shellmate"
    return ShellmateReader(Path(expand_home(path, config.environment)))
