"""Taking in segment bytes from other nodes.

Bytes of a transfer are staged in a part file, which is worth nothing but saved bandwidth. ``complete`` reads
them together with the last chunk, checks everything there is to check, and only then writes to the stream, so
nothing that is not vouched for can be served or projected. When ``complete`` returns, the bytes and the head
that vouches for them are on stable storage and may be acknowledged to the peer.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from jilog_ledger import limits
from jilog_ledger.append import Appender
from jilog_ledger.branch import BranchPoint, find_point
from jilog_ledger.catalog import Catalog
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.head import Head, SignedHead, content_hash
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import HEADER_BYTES_MAX
from jilog_ledger.segment import SegmentReader, decode_header
from jilog_ledger.stream import Stream


class Ingested(enum.Enum):
    """What became of received bytes."""

    DUPLICATE = "duplicate"
    EXTENDED = "extended"
    PUBLISHED = "published"


class ForkDetected(IntegrityError):
    """One writer has two histories: both heads are vouched for, and their bytes differ."""

    def __init__(self, message: str, *, ours: Head, theirs: SignedHead) -> None:
        super().__init__(message, hint="both branches are kept; see: jilog spool status")
        self.ours = ours
        self.theirs = theirs


class _Arrival(NamedTuple):
    """What came of a segment from byte ``base`` on, and where it begins a branch if it does."""

    base: int
    received: bytes
    signed: SignedHead
    point: BranchPoint | None
    rest: tuple[Path, int, bytes] | None
    """The part file that holds all but the last bytes, where these begin, and what they are."""


class Receiver:
    """Take segments of any writer into one zone; every method runs with the zone's lock held."""

    def __init__(self, catalog: Catalog, appender: Appender) -> None:
        self._catalog = catalog
        self._appender = appender

    def resume_offset(self, writer: Writer, number: int) -> int:
        """Give the next byte wanted of a segment: what is held, and what is staged after it."""
        base = self.held_length(writer, number)
        staged = self._catalog.disk.size(self._catalog.layout.part(writer, number, base)) or 0
        return base + staged

    def held_length(self, writer: Writer, number: int) -> int:
        """Give the bytes of a segment that are held and vouched for."""
        stream = self._catalog.streams.get(writer)
        if stream is None:
            return 0
        if number in stream.sealed:
            return stream.sealed[number].length
        if number != stream.active_number:
            return 0
        active = self._active(stream)
        return active.length if active else 0

    def stage(self, writer: Writer, number: int, offset: int, data: bytes) -> None:
        """Keep bytes of a transfer that goes on; bytes staged already are passed over.

        Raises:
            IntegrityError: the bytes leave a hole, or the segment would be larger than any can be.
        """
        expected = self.resume_offset(writer, number)
        if offset > expected:
            raise IntegrityError(
                f"bytes of {writer} segment {number} arrived at {offset} where {expected} was due"
            )
        _check_size(writer, number, offset + len(data))
        if offset + len(data) > expected:
            base = self.held_length(writer, number)
            part = self._catalog.layout.part(writer, number, base)
            self._catalog.disk.extend(part, expected - base, data[expected - offset :])

    def complete(self, writer: Writer, number: int, offset: int, data: bytes, signed: SignedHead) -> Ingested:
        """Check a transfer as a whole and make it part of the stream.

        ``data`` are the last bytes, from ``offset`` on. On any failure the staged bytes are dropped, so that
        the next attempt starts from what is held.

        Raises:
            SegmentDamaged: bytes, checksums, sequence or head do not fit together.
            ForkDetected: we hold other bytes of the same writer at the same place.
            IntegrityError: wrong key or signature, wrong zone, a local-only segment.
        """
        base = self.held_length(writer, number)
        part = self._catalog.layout.part(writer, number, base)
        try:
            _check_size(writer, number, offset + len(data))
            known = self._known(writer, number, signed)
            if known is not None:
                return known
            self._check_place(writer, number, signed.head)
            if offset == 0:
                self._check_same_start(writer, number, data, signed)
            received = self._received(part, base, offset, data)
            reader = self._read(writer, signed.head, base, received)
            point = self._branch_point(writer, signed.head, received)
            self._check(writer, reader, signed)
            rest = None if base or self._catalog.disk.size(part) != offset else (part, offset, data)
            return self._store(writer, reader, _Arrival(base, received, signed, point, rest))
        finally:
            self._catalog.disk.remove(part)

    def _active(self, stream: Stream) -> SegmentReader | None:
        return self._appender.active_of(stream)

    def _known(self, writer: Writer, number: int, signed: SignedHead) -> Ingested | None:
        """Say DUPLICATE when what the head covers is held already, None when it is news."""
        head = signed.head
        stream = self._catalog.streams.get(writer)
        origin = stream.origin if stream else writer
        if origin == writer != head.writer and not self._holds_any(stream):
            # It may be a branch, which its bytes have to prove. A crash may have left its empty directory.
            origin = Writer(writer.source, head.writer.epoch)
        if (head.zone, head.writer, head.number) != (self._catalog.zone, origin, number):
            raise IntegrityError(f"head of {head.writer} number {head.number} came for {writer} {number}")
        if stream is None:
            return None
        ours = self._held_head(stream, number)
        if ours is None:
            return None
        if (head.length, head.sealed) > (ours.length, ours.sealed):
            if ours.sealed:
                raise self._fork(stream, ours, signed)
            return None
        held_sha256 = ours.sha256
        if head.length < ours.length:
            held_sha256 = content_hash(self._held_bytes(stream, number)[: head.length])
        if held_sha256 != head.sha256:
            raise self._fork(stream, ours, signed)
        if not ours.sealed:
            stream.confirm_head()
        return Ingested.DUPLICATE

    def _held_bytes(self, stream: Stream, number: int) -> bytes:
        """Read a held segment; rot must not look like another history.

        Raises:
            SegmentDamaged: our copy is damaged; it is in quarantine now.
        """
        active = self._active(stream) if number not in stream.sealed else None
        try:
            if active is not None:
                return self._catalog.read_active(stream, active)
            return self._catalog.read_sealed(stream.sealed[number])
        except SegmentDamaged as exc:
            if active is None:
                self._catalog.quarantine(stream.writer, number, exc.message)
            stream.forget()
            self._active(stream)
            raise

    def _holds_any(self, stream: Stream | None) -> bool:
        return stream is not None and bool(stream.sealed or self._active(stream))

    def _held_head(self, stream: Stream, number: int) -> Head | None:
        """Say how much of a segment is held, None when nothing is."""
        if number in stream.sealed:
            info = stream.sealed[number]
            return Head(
                self._catalog.zone,
                stream.origin,
                number,
                info.content_length,
                info.last_sequence,
                info.sha256,
                sealed=True,
            )
        active = self._active(stream) if number == stream.active_number else None
        return active.head() if active else None

    def _fork(self, stream: Stream, ours: Head, theirs: SignedHead) -> ForkDetected:
        """Make the error that shows both heads; theirs must be signed with the key known for the writer."""
        if stream.public_key is not None:
            theirs.verify(stream.public_key)
        return ForkDetected(
            f"{stream.writer} has two histories in segment {ours.number}", ours=ours, theirs=theirs
        )

    def _check_same_start(self, writer: Writer, number: int, data: bytes, signed: SignedHead) -> None:
        """Compare a whole segment with the start that is held; another one, well signed, is a fork."""
        stream = self._catalog.streams.get(writer)
        ours = self._held_head(stream, number) if stream else None
        if stream is None or ours is None or content_hash(data[: signed.head.length]) != signed.head.sha256:
            return
        if content_hash(data[: ours.length]) != ours.sha256:
            raise self._fork(stream, ours, signed)

    def _check_place(self, writer: Writer, number: int, head: Head) -> None:
        """Refuse what would make a second active segment: of each writer one may be held in part."""
        stream = self._catalog.streams.get(writer)
        active = self._active(stream) if stream else None
        # Asked after opening, which may find that the active segment was sealed just before a crash.
        if stream is None or active is None or number == stream.active_number:
            return
        if head.sealed:
            return
        if number > stream.active_number:
            raise IntegrityError(
                f"{writer} segment {number} came before the rest of segment {stream.active_number}"
            )
        if not self._appender.owns(active.header.public_key):
            raise IntegrityError(
                f"{writer} segment {number} is not sealed, and segment {stream.active_number} is held in part"
            )
        # What is left of a segment that we lost to rot, seal and all. A crash after this leaves our newest
        # segment sealed, which it may be at any time.
        self._appender.close_stream(stream, active)

    def _received(self, part: Path, base: int, offset: int, data: bytes) -> bytes:
        """Join staged and last bytes: everything from ``base`` on."""
        staged = self._catalog.disk.read(part) if self._catalog.disk.size(part) else b""
        start = offset - base
        if start > len(staged):
            raise SegmentDamaged(f"transfer has a hole before byte {offset}", offset=offset)
        if start < 0:
            return data[-start:]
        return (staged if start == len(staged) else staged[:start]) + data

    def signed_head(self, stream: Stream, number: int) -> SignedHead | None:
        """Give the signed head of a held segment: its seal, or the newest head of an active one."""
        head = self._held_head(stream, number)
        if head is None:
            return None
        if head.sealed:
            return SignedHead(head, stream.sealed[number].signature)
        active = self._active(stream)
        recorded = stream.recorded_head()
        if active is not None and self._appender.owns(active.header.public_key):
            return self._appender.sign(active.head())
        return SignedHead(recorded.head, recorded.signature) if recorded is not None else None

    def _branch_point(self, writer: Writer, head: Head, received: bytes) -> BranchPoint | None:
        """Find out where a new branch begins: its name follows from its first segment."""
        stream = self._catalog.streams.get(writer)
        if head.writer == writer or (stream is not None and stream.branch is not None):
            return None
        point = find_point(head.zone, head.writer, writer, head.number, received)
        if point is None:
            raise IntegrityError(f"{writer} is not the name of a branch that begins in segment {head.number}")
        return point

    def _read(self, writer: Writer, head: Head, base: int, received: bytes) -> SegmentReader:
        stream = self._catalog.streams.get(writer)
        if base and stream is not None and stream.active is not None:
            reader = stream.active.copy()
            reader.check_payloads = True
            reader.feed(received)
            return reader
        reader = SegmentReader.start(received)
        reader.check_payloads = True
        header = reader.header
        if (header.zone, header.writer, header.number) != (head.zone, head.writer, head.number):
            raise SegmentDamaged(f"segment claims to be {header.writer} number {header.number}", offset=0)
        if header.local:
            raise IntegrityError(f"{writer} segment {header.number} is local to its host and must not travel")
        reader.feed(received, start=reader.length)
        return reader

    def _check(self, writer: Writer, reader: SegmentReader, signed: SignedHead) -> None:
        """Check the head, the signature, the key and the chain."""
        header = reader.header
        number = header.number
        if reader.head() != signed.head:
            raise SegmentDamaged(
                f"{writer} segment {number} does not match the head it came with", offset=reader.length
            )
        signed.verify(header.public_key)
        stream = self._catalog.streams.get(writer)
        named = stream or self._catalog.streams.get(header.writer)
        pinned = named.public_key if named else None
        if pinned is not None and pinned != header.public_key:
            raise ForkDetected(
                f"{writer} segment {number} is signed by another key than the one known for it",
                ours=replace(signed.head, sha256=b""),
                theirs=signed,
            )
        self._check_chain(reader, stream, signed)

    def _check_chain(self, reader: SegmentReader, stream: Stream | None, signed: SignedHead) -> None:
        header = reader.header
        if (header.number == 1) != (header.first_sequence == 1):
            raise SegmentDamaged(f"{header.writer} segment {header.number} starts out of sequence", offset=0)
        if stream is None:
            return
        self._check_overlap(reader, stream, signed)
        previous = stream.sealed.get(header.number - 1)
        if previous is None:
            return
        due = (previous.sha256, previous.last_sequence + 1)
        if (header.previous_sha256, header.first_sequence) != due:
            raise SegmentDamaged(
                f"{header.writer} segment {header.number} does not follow segment {header.number - 1}",
                offset=0,
            )

    def _check_overlap(self, reader: SegmentReader, stream: Stream, signed: SignedHead) -> None:
        """Tell of a fork when a segment takes sequences that another, of which one is partial, has already.

        Between whole neighbours the chain of hashes tells; a partial one has none yet.
        """
        header = reader.header
        active = self._active(stream)
        other: Head | None = None
        if active is not None and active.header.number < header.number:
            other = active.head() if header.first_sequence <= active.last_sequence else None
        elif reader.seal is None:
            above = stream.sealed_after(header.number)
            if above is not None and above.first_sequence <= reader.last_sequence:
                other = self._held_head(stream, above.number)
        if other is not None:
            raise ForkDetected(
                f"{header.writer} has two histories: segment {header.number} reaches into {other.number}",
                ours=other,
                theirs=signed,
            )

    def _store(self, writer: Writer, reader: SegmentReader, arrival: _Arrival) -> Ingested:
        base, received, signed = arrival.base, arrival.received, arrival.signed
        number = reader.header.number
        own = writer == self._appender.writer
        if own and (reader.seal is None or number >= self._catalog.stream(writer).active_number):
            # A peer has more of our own stream than we do: our state is older than what the fleet has seen,
            # or part of it was lost. What we append next must not go where the fleet's bytes belong.
            self._appender.begin_epoch()
        stream = self._catalog.stream(writer)
        if arrival.point is not None:
            if arrival.point.origin == self._appender.writer:
                # Somebody else wrote under our name; nobody goes on with it.
                self._appender.begin_epoch()
            stream.begin_branch(arrival.point)
        path = self._catalog.layout.segment(writer, number)
        disk = self._catalog.disk
        if base:
            if disk.size(path) != base:
                # Bytes past the head, left by a crash; what comes now is vouched for and takes their place.
                disk.truncate(path, base)
            # A crash from here to the head leaves bytes past the old head, which count for nothing.
            disk.append(path, base, received)
        elif disk.size(path) is not None:
            # A part of this segment from a time before a crash or a gap; no head vouches for it.
            disk.replace(path, received)
        elif arrival.rest is not None:
            # The part becomes the segment, so its bytes are written once. A crash between the two leaves a
            # whole part, which is worth no more than its bandwidth.
            disk.append(*arrival.rest)
            disk.move(arrival.rest[0], path)
        else:
            disk.publish(path, received)
        if reader.seal is not None:
            # Nothing more is needed for a sealed segment: its own seal vouches for it after a crash here.
            self._catalog.note_sealed(writer, reader)
            self._drop_stranger(stream, number, reader.sha256)
        else:
            self._catalog.note_active(stream, number)
            stream.record_head(signed.head, signed.signature, durable=True)
            stream.active = reader
            self._seal_again(stream, reader)
        return Ingested.EXTENDED if base else Ingested.PUBLISHED

    def _drop_stranger(self, stream: Stream, number: int, sha256: bytes) -> None:
        """Take away a next segment, held above a gap so far, that does not follow the one that closed it.

        It belongs to another history, whose holders will show it whole when they meet this one.
        """
        if self._due_before_next(stream, number) not in (None, sha256):
            self._catalog.quarantine(stream.writer, number + 1, f"does not follow segment {number}")
            stream.drop_head()

    def _seal_again(self, stream: Stream, reader: SegmentReader) -> None:
        """Give a segment of ours its seal back, when the one after it says that nothing is missing.

        Our sealed copy was lost, and a peer had all of it but the seal; the new seal is the old one, byte by
        byte.
        """
        follows = self._due_before_next(stream, reader.header.number) == reader.sha256
        if follows and self._appender.owns(reader.header.public_key):
            self._appender.close_stream(stream, reader)

    def _due_before_next(self, stream: Stream, number: int) -> bytes | None:
        """Give the hash that the segment after ``number``, if it is held, says its predecessor has."""
        disk, path = self._catalog.disk, self._catalog.layout.segment(stream.writer, number + 1)
        if not disk.size(path):
            return None
        try:
            return decode_header(disk.read(path, 0, HEADER_BYTES_MAX))[0].previous_sha256
        except SegmentDamaged:
            return None  # whoever reads it next finds that out


def _check_size(writer: Writer, number: int, size: int) -> None:
    if size > limits.SEGMENT_BYTES_MAX:
        raise IntegrityError(f"{writer} segment {number} is larger than {limits.SEGMENT_BYTES_MAX} bytes")
