"""Frontiers: what a node holds of every writer, and the hash that says whether two nodes hold the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from jilog_ledger.identifiers import Writer

ROOT_BYTES = 32
_ROOT_CONTEXT = b"jilog fleet root 1\n"


_PARTIAL_CONTEXT = b"jilog partial segment 1\n"


def segment_hash(sha256: bytes, *, sealed: bool) -> bytes:
    """Give what a span tells of its last segment: the content's hash, or another one without the seal.

    With its seal a segment is closed, so whoever has only the same content still lacks something.
    """
    return sha256 if sealed else hashlib.sha256(_PARTIAL_CONTEXT + sha256).digest()


@dataclass(frozen=True, slots=True)
class Span:
    """Segments held above a gap, with consecutive numbers.

    ``sha256`` is the :func:`segment_hash` of the last one, which may be held in part.
    """

    first_number: int
    last_number: int
    first_sequence: int
    last_sequence: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class FrontierEntry:
    """What is held of one writer.

    ``sequence`` is the last event before the first gap. ``number``, ``length``, ``sha256`` and ``sealed``
    describe the segment it stands in: how many bytes of it are held, counted up to the seal, and their hash.
    All four are zero or empty when the very first segment is missing.
    """

    writer: Writer
    sequence: int
    number: int
    length: int
    sha256: bytes
    sealed: bool
    above: tuple[Span, ...] = ()

    @property
    def last_sequence(self) -> int:
        """The last event held, gaps or not."""
        return self.above[-1].last_sequence if self.above else self.sequence


@dataclass(frozen=True, slots=True)
class Frontier:
    """All writers of a zone, sorted by source and epoch."""

    zone: str
    entries: tuple[FrontierEntry, ...]

    def root(self) -> bytes:
        """Give the fleet root: SHA-256 over the zone and its entries; 32 bytes."""
        body = [
            self.zone,
            [
                [
                    entry.writer.source,
                    bytes.fromhex(entry.writer.epoch),
                    entry.sequence,
                    entry.number,
                    entry.length,
                    entry.sha256,
                    entry.sealed,
                    [
                        [span.first_number, span.last_number, span.last_sequence, span.sha256]
                        for span in entry.above
                    ],
                ]
                for entry in self.entries
            ],
        ]
        return hashlib.sha256(_ROOT_CONTEXT + msgspec.msgpack.encode(body)).digest()

    def entry(self, writer: Writer) -> FrontierEntry | None:
        """Find one writer's entry."""
        for entry in self.entries:
            if entry.writer == writer:
                return entry
        return None
