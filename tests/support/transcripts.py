"""What the tests of readers share: writing session files, reading them to the end, and damaging them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from jilog_review.cursor import Cursor
from jilog_review.reader import Reader, Source
from jilog_review.transcript import AnyEntry, Coverage, Message, Provenance, Transcript, Usage

T = TypeVar("T")


def encode_lines(records: Iterable[Mapping[str, object]]) -> list[bytes]:
    """Write each record as a line of JSON."""
    return [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records]


def write_lines(path: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """Write a file of JSON lines, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(encode_lines(records)))
    return path


@dataclass
class Gathered:
    """Everything that readings of one source gave as new."""

    entries: list[AnyEntry] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)
    usage: Usage = field(default_factory=Usage)
    cursor: Cursor | None = None
    last: Transcript | None = None

    @property
    def transcript(self) -> Transcript:
        """The last transcript that was read."""
        assert self.last is not None
        return self.last

    def human(self) -> list[str]:
        """The texts that a person typed as turns of their own."""
        return self.said(Provenance.HUMAN)

    def said(self, provenance: Provenance) -> list[str]:
        """The texts of messages of one provenance."""
        return [e.text for e in self.entries if isinstance(e, Message) and e.provenance is provenance]


def read_on(reader: Reader, source: Source, gathered: Gathered) -> Gathered:
    """Read whatever is new in a source, to its end."""
    while True:
        reading = reader.read(source, gathered.cursor)
        gathered.entries.extend(reading.transcript.new_entries())
        gathered.coverage += reading.transcript.coverage
        gathered.usage += reading.transcript.usage
        gathered.cursor = reading.cursor
        gathered.last = reading.transcript
        if not reading.more:
            return gathered


def read_all(reader: Reader, source: Source) -> Gathered:
    """Read a source from its start to its end."""
    return read_on(reader, source, Gathered())


def only_source(reader: Reader) -> Source:
    """Give the one source that a reader finds."""
    discovery = reader.discover(0)
    assert discovery.problems == ()
    assert len(discovery.sources) == 1
    return discovery.sources[0]


def of_kind(entries: Sequence[AnyEntry], kind: type[T]) -> list[T]:
    """Give the entries of one kind."""
    return [entry for entry in entries if isinstance(entry, kind)]


def check_growth(reader: Reader, source: Source, path: Path, lines: Sequence[bytes]) -> None:
    """Let a file grow line by line, and then by odd bytes: each way gives what reading it at once gives."""
    whole = b"".join(lines)
    path.write_bytes(whole)
    expected = read_all(reader, source)

    steps = list(lines)
    for chunks in (steps, [whole[at : at + 97] for at in range(0, len(whole), 97)]):
        path.write_bytes(b"")
        gathered = Gathered()
        for chunk in chunks:
            with path.open("ab") as file:
                file.write(chunk)
            read_on(reader, source, gathered)
        assert gathered.entries == expected.entries
        assert gathered.usage == expected.usage
        assert gathered.coverage.lines == expected.coverage.lines


def check_damage(reader: Reader, source: Source, path: Path, content: bytes, *, rounds: int = 60) -> None:
    """Cut a file short and put garbage into it, many ways: reading it never raises."""
    luck = random.Random(len(content))
    for _ in range(rounds):
        damaged = bytearray(content[: luck.randrange(len(content) + 1)])
        for _ in range(luck.randrange(4)):
            at = luck.randrange(len(damaged) + 1)
            garbage = luck.choice(
                [b"\xff\xfe", b"\x00", b'{"type":1}\n', b"null\n", b"]", b'"\\ud800"\n', b"\n\n"]
            )
            damaged[at : at + luck.randrange(3)] = garbage
        path.write_bytes(bytes(damaged))
        gathered = read_all(reader, source)
        for entry in gathered.entries:
            assert entry.line >= 1
