"""The segment format: header, blocks, seal (``docs/format.md`` has the tables and the test vectors).

::

    header   magic, version, length, msgpack body, CRC-32
    block    kind 1, length, CRC-32, msgpack array of events      one durable batch
    …
    seal     kind 2, length, CRC-32, msgpack array                when the segment is closed

Everything here is a pure function over bytes. Block bytes never change once written, so a follower's copy is
a byte-identical prefix of the writer's file and becomes the same sealed file.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import xxhash

from jilog_ledger import limits
from jilog_ledger.checksum import crc32
from jilog_ledger.errors import InputError, SegmentDamaged
from jilog_ledger.event import StoredEvent, decode_events
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import Writer, check_epoch, check_name
from jilog_ledger.keys import PUBLIC_KEY_BYTES

MAGIC = b"JILOGSEG"
FORMAT_VERSION = 1
NO_PREVIOUS = bytes(32)
"""The previous segment's SHA-256 in the header of segment 1."""

_PREAMBLE = struct.Struct("<8sHHI")  # magic, format version, reserved, body length
_FRAME = struct.Struct("<B3xII")  # kind, padding, body length, CRC-32 of the first 8 bytes and the body
_CRC = struct.Struct("<I")
FRAME_BYTES = _FRAME.size

BLOCK = 1
SEAL = 2


class _HeaderBody(msgspec.Struct, array_like=True, frozen=True):
    zone: str
    source: str
    epoch: bytes
    number: int
    first_sequence: int
    previous_sha256: bytes
    public_key: bytes
    created_ns: int
    local: bool


class _SealBody(msgspec.Struct, array_like=True, frozen=True):
    events: int
    blocks: int
    first_sequence: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int
    length: int
    xxh3: bytes
    sha256: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What stands at the start of a segment.

    ``local`` marks the stream of confidential events; no peer accepts or offers such a segment.
    """

    zone: str
    writer: Writer
    number: int
    first_sequence: int
    previous_sha256: bytes
    public_key: bytes
    created_ns: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One block or seal in a segment: its kind, where it starts, and where its body starts and ends."""

    kind: int
    offset: int
    body_start: int
    end: int


@dataclass(frozen=True, slots=True)
class Seal:
    """What closes a segment. ``length`` counts the bytes before the seal, which the hashes cover."""

    events: int
    blocks: int
    first_sequence: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int
    length: int
    xxh3: bytes
    sha256: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """What a whole read of a segment found. ``length`` counts the bytes that are whole."""

    header: SegmentHeader
    events: int
    blocks: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int
    length: int
    seal: Seal | None


def encode_header(header: SegmentHeader) -> bytes:
    """Encode the start of a segment."""
    body = msgspec.msgpack.encode(
        _HeaderBody(
            header.zone,
            header.writer.source,
            bytes.fromhex(header.writer.epoch),
            header.number,
            header.first_sequence,
            header.previous_sha256,
            header.public_key,
            header.created_ns,
            header.local,
        )
    )
    start = _PREAMBLE.pack(MAGIC, FORMAT_VERSION, 0, len(body)) + body
    return start + _CRC.pack(crc32(start))


def decode_header(data: bytes | memoryview) -> tuple[SegmentHeader, int]:
    """Read the start of a segment; give the header and the offset of the first frame.

    Raises:
        SegmentDamaged: the bytes are not the start of a segment of this version; ``torn`` if they only end
            early.
    """
    if len(data) < _PREAMBLE.size:
        raise SegmentDamaged("segment ends inside its header", offset=0, torn=True)
    magic, version, reserved, length = _PREAMBLE.unpack_from(data)
    if magic != MAGIC:
        raise SegmentDamaged("segment does not start with JILOGSEG", offset=0)
    if version != FORMAT_VERSION or reserved:
        raise SegmentDamaged(f"segment has unknown format version {version}", offset=8)
    if length > limits.HEADER_BYTES_MAX:
        raise SegmentDamaged(f"segment header of {length} bytes is too large", offset=12)
    end = _PREAMBLE.size + length
    if len(data) < end + _CRC.size:
        raise SegmentDamaged("segment ends inside its header", offset=0, torn=True)
    if crc32(data[:end]) != _CRC.unpack_from(data, end)[0]:
        raise SegmentDamaged("segment header has a wrong checksum", offset=0)
    return _check_header(data[_PREAMBLE.size : end]), end + _CRC.size


def _check_header(data: bytes | memoryview) -> SegmentHeader:
    try:
        body = msgspec.msgpack.decode(data, type=_HeaderBody)
        check_name("zone", body.zone)
        writer = Writer(check_name("source", body.source), check_epoch(body.epoch.hex()))
    except (msgspec.DecodeError, InputError) as exc:
        raise SegmentDamaged(f"segment header is malformed: {exc}", offset=0) from exc
    sizes_fit = len(body.previous_sha256) == 32 and len(body.public_key) == PUBLIC_KEY_BYTES
    if not sizes_fit or body.number < 1 or body.first_sequence < 1:
        raise SegmentDamaged("segment header has a field out of range", offset=0)
    return SegmentHeader(
        body.zone,
        writer,
        body.number,
        body.first_sequence,
        body.previous_sha256,
        body.public_key,
        body.created_ns,
        body.local,
    )


def encode_frame(kind: int, body: bytes) -> bytes:
    """Wrap a body: kind, length, and a CRC-32 that covers both and the body."""
    crc = crc32(body, crc32(_FRAME.pack(kind, len(body), 0)[:8]))
    return _FRAME.pack(kind, len(body), crc) + body


def read_frames(data: bytes | memoryview, offset: int) -> Iterator[Frame]:
    """Walk the frames from ``offset`` to the end of ``data``, checking each checksum.

    Raises:
        SegmentDamaged: at the first frame that is not whole; ``torn`` if ``data`` ends inside it.
    """
    view = memoryview(data)
    size = len(view)
    while offset < size:
        body_start = offset + FRAME_BYTES
        if body_start > size:
            raise SegmentDamaged(f"segment ends inside a frame at byte {offset}", offset=offset, torn=True)
        kind, length, crc = _FRAME.unpack_from(view, offset)
        end = body_start + length
        known = kind in (BLOCK, SEAL) and length <= limits.BLOCK_BYTES_MAX
        if not known or end > size or crc32(view[body_start:end], crc32(view[offset : offset + 8])) != crc:
            # Only the last write can be torn. A whole frame further on says that this one was once whole.
            torn = not _has_whole_frame(view, offset + 1)
            raise SegmentDamaged(f"segment has no whole frame at byte {offset}", offset=offset, torn=torn)
        yield Frame(kind, offset, body_start, end)
        offset = end


def are_whole_frames(data: bytes | memoryview) -> bool:
    """Tell whether ``data`` is nothing but whole frames with right checksums; quick to say no."""
    view, offset = memoryview(data), 0
    while offset + FRAME_BYTES <= len(view):
        _, length, crc = _FRAME.unpack_from(view, offset)
        body_start, end = offset + FRAME_BYTES, offset + FRAME_BYTES + length
        if end > len(view) or crc32(view[body_start:end], crc32(view[offset : offset + 8])) != crc:
            return False
        offset = end
    return offset == len(view)


def _has_whole_frame(view: memoryview, offset: int) -> bool:
    """Search for a frame with a right checksum anywhere from ``offset`` on.

    Bytes made to look like many frames end the search early, with yes: that is the careful answer.
    """
    data = bytes(view[offset:])
    budget_bytes = 16 * len(data)
    for start in (bytes([BLOCK, 0, 0, 0]), bytes([SEAL, 0, 0, 0])):
        found = data.find(start)
        while found >= 0:
            frame = data[found : found + FRAME_BYTES]
            if len(frame) == FRAME_BYTES:
                _, length, crc = _FRAME.unpack(frame)
                body = data[found + FRAME_BYTES : found + FRAME_BYTES + length]
                budget_bytes -= len(body)
                if budget_bytes < 0 or (len(body) == length and crc32(body, crc32(frame[:8])) == crc):
                    return True
            found = data.find(start, found + 1)
    return False


def encode_seal(seal: Seal) -> bytes:
    """Encode the frame that closes a segment."""
    return encode_frame(
        SEAL,
        msgspec.msgpack.encode(
            _SealBody(
                seal.events,
                seal.blocks,
                seal.first_sequence,
                seal.last_sequence,
                seal.first_time_ns,
                seal.last_time_ns,
                seal.length,
                seal.xxh3,
                seal.sha256,
                seal.signature,
            )
        ),
    )


def decode_seal(body: bytes | memoryview, offset: int) -> Seal:
    """Read a seal's body, else raise SegmentDamaged; ``offset`` is where its frame starts."""
    try:
        found = msgspec.msgpack.decode(body, type=_SealBody)
    except msgspec.DecodeError as exc:
        raise SegmentDamaged(f"seal is malformed: {exc}", offset=offset) from exc
    return Seal(*(getattr(found, name) for name in found.__struct_fields__))


def read_block(data: bytes | memoryview, frame: Frame, expected_sequence: int) -> list[StoredEvent]:
    """Decode a block whose first event must have ``expected_sequence``.

    Raises:
        SegmentDamaged: the block is not an array of events in sequence.
    """
    try:
        events = decode_events(memoryview(data)[frame.body_start : frame.end])
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise SegmentDamaged(
            f"block at byte {frame.offset} is malformed: {exc}", offset=frame.offset
        ) from exc
    if not 1 <= len(events) <= limits.BLOCK_EVENTS_MAX:
        raise SegmentDamaged(f"block at byte {frame.offset} has {len(events)} events", offset=frame.offset)
    for sequence, event in enumerate(events, expected_sequence):
        if event.sequence != sequence or len(event.event_id) != 16 or event.timestamp_ns < 0:
            raise SegmentDamaged(
                f"block at byte {frame.offset} has event {event.sequence} where {sequence} is due",
                offset=frame.offset,
            )
    return events


def _check_payloads(events: list[StoredEvent], frame: Frame) -> None:
    try:
        for event in events:
            msgspec.msgpack.decode(event.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as exc:
        raise SegmentDamaged(
            f"block at byte {frame.offset} has a malformed payload: {exc}", offset=frame.offset
        ) from exc


class SegmentReader:
    """Read a segment from its start and keep what a seal would say of it.

    Feed it a whole segment, or a prefix and later the rest. Each call checks all it is given. With
    ``check_payloads`` every payload is decoded as well, which bytes from another host have to pass once.
    """

    def __init__(self, header: SegmentHeader, header_bytes: bytes | memoryview) -> None:
        self.header = header
        self.events = 0
        self.blocks = 0
        self.next_sequence = header.first_sequence
        self.first_time_ns = 0
        self.last_time_ns = 0
        self.length = len(header_bytes)
        self.seal: Seal | None = None
        self.check_payloads = False
        self._sha256 = hashlib.sha256(header_bytes)
        self._xxh3 = xxhash.xxh3_128(header_bytes)

    @classmethod
    def start(cls, data: bytes | memoryview) -> SegmentReader:
        """Read the header only."""
        header, end = decode_header(data)
        return cls(header, memoryview(data)[:end])

    def copy(self) -> SegmentReader:
        """Give an independent reader at the same place, to try bytes that may turn out wrong."""
        twin = SegmentReader.__new__(SegmentReader)
        twin.__dict__.update(self.__dict__)
        twin._sha256 = self._sha256.copy()
        twin._xxh3 = self._xxh3.copy()
        return twin

    @property
    def last_sequence(self) -> int:
        """The last event's sequence; one less than the first when there is none yet."""
        return self.next_sequence - 1

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes before the seal."""
        return self._sha256.digest()

    @property
    def xxh3(self) -> bytes:
        """XXH3-128 of the bytes before the seal: the segment hash once sealed."""
        return self._xxh3.digest()

    @property
    def content_length(self) -> int:
        """Bytes before the seal."""
        return self.seal.length if self.seal else self.length

    def head(self) -> Head:
        """Give the position reached."""
        return Head(
            self.header.zone,
            self.header.writer,
            self.header.number,
            self.content_length,
            self.last_sequence,
            self.sha256,
            self.seal is not None,
        )

    def signed_seal(self) -> SignedHead | None:
        """Give the seal as a signed head, None while the segment is active."""
        return SignedHead(self.head(), self.seal.signature) if self.seal else None

    def feed(self, data: bytes | memoryview, *, start: int = 0) -> None:
        """Take the frames of ``data`` from ``start`` on; they follow what was fed before.

        What was whole before a damaged frame stays counted, so ``length`` tells where the damage begins.

        Raises:
            SegmentDamaged: with the offset in the segment.
        """
        base = self.length - start
        try:
            for frame in read_frames(data, start):
                if self.seal is not None:
                    raise SegmentDamaged("segment goes on after its seal", offset=frame.offset)
                if frame.kind == SEAL:
                    self._take_seal(data, frame)
                else:
                    self._take_block(data, frame)
        except SegmentDamaged as exc:
            raise SegmentDamaged(exc.message, offset=base + exc.offset, torn=exc.torn) from exc

    def _take_block(self, data: bytes | memoryview, frame: Frame) -> None:
        events = read_block(data, frame, self.next_sequence)
        if self.check_payloads:
            _check_payloads(events, frame)
        times = [event.timestamp_ns for event in events]
        self.note_block(memoryview(data)[frame.offset : frame.end], len(events), min(times), max(times))

    def note_block(self, frame: bytes | memoryview, events: int, first_ns: int, last_ns: int) -> None:
        """Count a block that is known to be good: its frame, its events, and their time range."""
        self.first_time_ns = first_ns if self.events == 0 else min(self.first_time_ns, first_ns)
        self.last_time_ns = max(self.last_time_ns, last_ns)
        self.events += events
        self.blocks += 1
        self.next_sequence += events
        self.length += len(frame)
        self._sha256.update(frame)
        self._xxh3.update(frame)

    def make_seal(self, signature: bytes) -> Seal:
        """Say what the seal of the bytes read so far says; ``signature`` covers the sealed head."""
        return Seal(
            self.events,
            self.blocks,
            self.header.first_sequence,
            self.last_sequence,
            self.first_time_ns,
            self.last_time_ns,
            self.length,
            self.xxh3,
            self.sha256,
            signature,
        )

    def note_seal(self, seal: Seal, frame_length: int) -> None:
        """Close the segment with a seal that is known to be right."""
        self.seal = seal
        self.length += frame_length

    def _take_seal(self, data: bytes | memoryview, frame: Frame) -> None:
        seal = decode_seal(memoryview(data)[frame.body_start : frame.end], frame.offset)
        if seal != self.make_seal(seal.signature):
            raise SegmentDamaged("seal does not match the segment's content", offset=frame.offset)
        self.note_seal(seal, frame.end - frame.offset)


def read_segment(data: bytes | memoryview) -> SegmentReader:
    """Read and check a whole segment: checksums, sequence, and the seal's hashes if it has one.

    The seal's signature is not checked here, since that costs far more and needs a decision on the key.

    Raises:
        SegmentDamaged: at the first byte that cannot be trusted.
    """
    reader = SegmentReader.start(data)
    reader.feed(data, start=reader.length)
    return reader


def check_seal_signature(reader: SegmentReader) -> None:
    """Check a sealed segment's signature against the key in its header.

    Raises:
        IntegrityError: the seal was not made by that key.
    """
    signed = reader.signed_seal()
    if signed is not None:
        signed.verify(reader.header.public_key)
