"""A segment on its way in, and what the messages that offer it say of it."""

from __future__ import annotations

from dataclasses import dataclass

from jilog_ledger.identifiers import Writer
from jilog_ledger.receive import Ingested
from jilog_spool import wire
from jilog_spool.claims import SegmentKey
from jilog_spool.errors import ProtocolError

ACKS = {
    Ingested.DUPLICATE: wire.DUPLICATE,
    Ingested.EXTENDED: wire.STORED,
    Ingested.PUBLISHED: wire.STORED,
}
"""What a store's answer is called on the wire."""


@dataclass(slots=True)
class Transfer:
    """A segment that the peer offered, on its way from offer to acknowledgement."""

    id: int
    zone: str
    writer: Writer
    segment: wire.WireSegment
    after_sequence: int
    origin: Writer
    """The writer that the bytes name: another one when this is a branch."""
    exact: bool = True
    """Whether length and sequences are known; a run tells sizes only, rounded up."""
    branch: bytearray | None = None
    """Collects the segment of another history, which no store may see as part of this one."""
    start: int = 0
    next_offset: int = 0
    attempts: int = 0
    deferred: bool = False
    """Whether another session of this host was fetching it when we would have asked."""
    failure: str = ""
    """Why it will be refused; what still comes of it is read and dropped."""

    @property
    def key(self) -> SegmentKey:
        """What is claimed while it is fetched."""
        return self.zone, self.writer, self.segment.number


def writer_key(message: wire.Offer | wire.Runs) -> tuple[str, Writer]:
    """Give the zone and the writer that a message is about."""
    return message.zone, wire.wire_writer(message.source, message.epoch)


def origin_of(writer: Writer, epoch: bytes) -> Writer:
    """Give the writer that the bytes of a branch name: the same source in an older epoch."""
    return Writer(writer.source, epoch.hex()) if len(epoch) == 8 else writer


def numbers_of(message: wire.Runs) -> list[int]:
    """List the segment numbers of a run; ProtocolError when they are not as many as their sizes."""
    numbers: list[int] = []
    last = 0
    for skip, run in zip(message.runs[::2], message.runs[1::2], strict=False):
        if run > len(message.sizes_kib) - len(numbers):
            raise ProtocolError("peer offered more segments than it gave sizes for")
        last += skip
        numbers += range(last + 1, last + run + 1)
        last += run
    if len(numbers) != len(message.sizes_kib):
        raise ProtocolError("peer gave more sizes than it offered segments")
    return numbers
