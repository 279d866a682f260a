"""Heads: what a writer vouches for, and the small file that remembers the latest one.

A head says: in this segment, the first ``length`` bytes hold my events up to ``last_sequence`` and have
this SHA-256. Signed, it lets any node relay the writer's bytes and any receiver check them. Two signed heads
of one writer with one sequence and two hashes prove a fork.

The head file of a writer holds two slots of 512 bytes, written in turn. A write torn by a power cut spoils
the newer slot at most, and the older one still tells how many bytes had been acknowledged then.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from jilog_ledger.checksum import crc32
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import verify_signature

SIGNING_CONTEXT = b"jilog head 1\n"
"""What every signed head starts with, so that its signature means nothing anywhere else."""

SLOT_BYTES = 512
_SLOT_MAGIC = b"JLH1"


@dataclass(frozen=True, slots=True)
class Head:
    """A position in a writer's stream.

    ``length`` counts the segment's bytes that ``sha256`` covers. When ``sealed``, these are all bytes before
    the seal, and the segment grows no more.
    """

    zone: str
    writer: Writer
    number: int
    length: int
    last_sequence: int
    sha256: bytes
    sealed: bool

    def message(self) -> bytes:
        """Give the bytes that a signature of this head covers."""
        return SIGNING_CONTEXT + msgspec.msgpack.encode(
            [
                self.zone,
                self.writer.source,
                bytes.fromhex(self.writer.epoch),
                self.number,
                self.length,
                self.last_sequence,
                self.sha256,
                self.sealed,
            ]
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head with its writer's Ed25519 signature (64 bytes)."""

    head: Head
    signature: bytes

    def verify(self, public_key: bytes) -> None:
        """Check the signature against the writer's key, else raise IntegrityError."""
        verify_signature(public_key, self.signature, self.head.message())


class _Slot(msgspec.Struct, array_like=True, frozen=True):
    counter: int
    number: int
    length: int
    last_sequence: int
    sha256: bytes
    sealed: bool
    signature: bytes


@dataclass(frozen=True, slots=True)
class RecordedHead:
    """The latest head in a writer's head file; ``signature`` is empty for the host's own writer.

    A host can sign its own head whenever somebody asks, so it does not sign each batch.
    """

    counter: int
    head: Head
    signature: bytes

    @property
    def slot_offset(self) -> int:
        """The byte of the file at which this record stands."""
        return (self.counter % 2) * SLOT_BYTES

    def encode(self) -> bytes:
        """Give the slot's 512 bytes."""
        head = self.head
        body = msgspec.msgpack.encode(
            _Slot(
                self.counter,
                head.number,
                head.length,
                head.last_sequence,
                head.sha256,
                head.sealed,
                self.signature,
            )
        )
        slot = _SLOT_MAGIC + len(body).to_bytes(2, "little") + crc32(body).to_bytes(4, "little") + body
        return slot.ljust(SLOT_BYTES, b"\0")


def decode_head_file(data: bytes, zone: str, writer: Writer) -> RecordedHead | None:
    """Read the newest whole slot of a head file; None when there is none."""
    newest: RecordedHead | None = None
    for offset in (0, SLOT_BYTES):
        slot = _decode_slot(data[offset : offset + SLOT_BYTES])
        if slot is not None and (newest is None or slot.counter > newest.counter):
            head = Head(zone, writer, slot.number, slot.length, slot.last_sequence, slot.sha256, slot.sealed)
            newest = RecordedHead(slot.counter, head, slot.signature)
    return newest


def _decode_slot(slot: bytes) -> _Slot | None:
    if slot[:4] != _SLOT_MAGIC:
        return None
    body = slot[10 : 10 + int.from_bytes(slot[4:6], "little")]
    if crc32(body) != int.from_bytes(slot[6:10], "little"):
        return None
    try:
        return msgspec.msgpack.decode(body, type=_Slot)
    except msgspec.DecodeError:
        return None


def content_hash(data: bytes | memoryview) -> bytes:
    """Give the SHA-256 that heads and seals carry."""
    return hashlib.sha256(data).digest()
