"""The spool's wire format: frames and messages (``docs/protocol.md`` has the tables and the vectors).

::

    stream   "JLSP", then frames, in each direction
    frame    u32 body length, u32 CRC-32 of the body (both big-endian), body
    body     msgpack [type, {short key: value}]

Pure functions and values. Lengths are checked before anything is allocated, and checksums before anything is
parsed. Types and keys that this version does not know are ignored, so that a newer peer may say more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from jilog_ledger.checksum import crc32
from jilog_spool import limits
from jilog_spool.errors import ProtocolError, one_line
from jilog_spool.wire_values import (
    CompactEntry,
    Count,
    Epoch,
    EpochOrNone,
    Name,
    Number,
    Sha256,
    Text,
    WireEntry,
    WireHead,
    WireSegment,
    WireSpan,
    wire_writer,
)

__all__ = ["CompactEntry", "WireEntry", "WireHead", "WireSegment", "WireSpan", "wire_writer"]

MAGIC = b"JLSP"
VERSION = 2
VERSION_OLDEST = max(1, VERSION - 2)
"""This version and the two before it are spoken, so a fleet can be upgraded host by host."""

FRAME = struct.Struct(">II")


class Hello(Struct, frozen=True, omit_defaults=True, rename={
    "versions": "v", "source": "s", "roots": "z", "capabilities": "c", "clock": "t", "software": "p"
}):  # fmt: skip
    """The first message of either side: who it is, and the fleet root of each zone it will talk about.

    ``clock`` is what its clock shows, in Unix seconds; 0 when it does not say. ``software`` is the version of
    the program, which decides nothing and is shown to people.
    """

    versions: tuple[Count, Count]
    source: Name
    roots: Annotated[dict[Name, Sha256], Meta(max_length=limits.ZONES_MAX)]
    capabilities: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=64)] = []
    clock: Count = 0
    software: Annotated[str, Meta(max_length=64)] = ""


class FrontierPart(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "entries": "e", "more": "m"
}):  # fmt: skip
    """Entries of one zone's frontier; ``more`` says that further ones follow."""

    zone: Name
    entries: Annotated[list[WireEntry], Meta(max_length=limits.ENTRIES_PER_FRAME_MAX)]
    more: bool = False


class Offer(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "source": "s", "epoch": "e", "first_id": "i", "segments": "g", "origin": "b", "asked": "a"
}):  # fmt: skip
    """Segments of one writer that the receiver lacks; their ids count up from ``first_id``.

    ``origin`` is the epoch that the bytes themselves name, when the writer is a branch of it. ``asked`` marks
    the answer to a GET, or to a FORK that asks for bytes.
    """

    zone: Name
    source: Name
    epoch: Epoch
    first_id: Count
    segments: Annotated[list[WireSegment], Meta(min_length=1, max_length=limits.OFFERS_PER_FRAME_MAX)]
    origin: EpochOrNone = b""
    asked: bool = False


class Offered(Struct, frozen=True):
    """All offers have been made."""


class Want(Struct, frozen=True, omit_defaults=True, rename={"wants": "w", "runs": "r"}):
    """Offered segments to send, each from a byte offset: ``[[id, offset], ...]``.

    ``runs`` are ids to send from their first byte: ``[[first id, count], ...]``.
    """

    wants: Annotated[list[tuple[Count, Count]], Meta(max_length=limits.WANTS_OPEN_MAX)]
    runs: Annotated[list[tuple[Count, Number]], Meta(max_length=limits.WANTS_OPEN_MAX)] = []


class Data(Struct, frozen=True, omit_defaults=True, rename={
    "id": "i", "offset": "o", "payload": "d", "zstd": "z", "head": "h"
}):  # fmt: skip
    """Bytes of a wanted segment; the last message of a transfer carries the head that covers them."""

    id: Count
    offset: Count
    payload: Annotated[bytes, Meta(max_length=limits.CHUNK_BYTES_MAX)]
    zstd: bool = False
    head: WireHead | None = None


class Ack(Struct, frozen=True, omit_defaults=True, rename={
    "id": "i", "outcome": "r", "reason": "n"
}):  # fmt: skip
    """The end of one offer: it is on stable storage, was held already, or was refused."""

    id: Count
    outcome: Count
    reason: Text = ""


STORED = 0
DUPLICATE = 1
REFUSED = 2
LATER = 3
"""Not now: the receiver only wanted to know, or has to compare frontiers before it can use this."""


class Cancel(Struct, frozen=True, rename={"id": "i", "reason": "n"}):
    """The sender cannot go on with one transfer."""

    id: Count
    reason: Text


class Credit(Struct, frozen=True, rename={"payload_bytes": "b"}):
    """Payload that the sender may send beyond what it was allowed so far."""

    payload_bytes: Count


class Fork(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "source": "s", "epoch": "e", "number": "n", "head": "h", "send": "w"
}):  # fmt: skip
    """Two histories of one writer meet in segment ``number``; ``head`` is what the sender of this holds.

    ``send`` asks for the receiver's segment as a whole.
    """

    zone: Name
    source: Name
    epoch: Epoch
    number: Number
    head: WireHead | None = None
    send: bool = False


class Stop(Struct, frozen=True, omit_defaults=True, rename={"message": "m", "hint": "h"}):
    """The sender ends the session because of an error."""

    message: Text
    hint: Text = ""


class Ping(Struct, frozen=True):
    """Still here."""


class Roots(Struct, frozen=True, omit_defaults=True, rename={"digest": "r", "clock": "t"}):
    """A digest of the fleet roots of all shared zones. Whoever gets one answers with its own.

    ``clock`` is what the sender's clock shows, in Unix seconds, when it was set since it was told; else 0.
    """

    digest: Annotated[bytes, Meta(min_length=16, max_length=16)]
    clock: Count = 0


class Summary(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "buckets": "d", "eager": "f"
}):  # fmt: skip
    """One zone's frontier in digests of 8 bytes, one for each bucket of writers.

    ``eager`` says that all entries follow at once.
    """

    zone: Name
    buckets: Annotated[bytes, Meta(min_length=8, max_length=8 << limits.BUCKET_LEVEL_MAX)]
    eager: bool = False


class Entries(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "entries": "e", "more": "m"
}):  # fmt: skip
    """The frontier entries of the buckets that differ; ``more`` says that further ones follow."""

    zone: Name
    entries: Annotated[list[CompactEntry], Meta(max_length=limits.ENTRIES_PER_FRAME_MAX)]
    more: bool = False


class Runs(Struct, frozen=True, omit_defaults=True, rename={
    "zone": "z", "source": "s", "epoch": "e", "first_id": "i", "runs": "r", "sizes_kib": "k", "events": "q",
    "origin": "b"
}):  # fmt: skip
    """An offer of whole sealed segments that the receiver has told it lacks.

    ``runs`` alternates how many numbers to pass over and how many are offered then, from number 1 on.
    ``sizes_kib`` are the segments' lengths, rounded up; ``events`` counts all their events.
    """

    zone: Name
    source: Name
    epoch: Epoch
    first_id: Count
    runs: Annotated[list[Count], Meta(min_length=2, max_length=2 * limits.OFFERS_PER_FRAME_MAX)]
    sizes_kib: Annotated[list[Count], Meta(min_length=1, max_length=limits.OFFERS_PER_FRAME_MAX)]
    events: Count = 0
    origin: EpochOrNone = b""


class Push(Struct, frozen=True, omit_defaults=True, rename={
    "id": "i", "zone": "z", "source": "s", "epoch": "e", "offset": "o", "payload": "d", "zstd": "c",
    "head": "h", "origin": "b"
}):  # fmt: skip
    """New bytes of a writer, unasked: an offer and its only DATA in one."""

    id: Count
    zone: Name
    source: Name
    epoch: Epoch
    offset: Count
    payload: Annotated[bytes, Meta(max_length=limits.CHUNK_BYTES_MAX)]
    head: WireHead
    zstd: bool = False
    origin: EpochOrNone = b""


class Acks(Struct, frozen=True, rename={"runs": "a"}):
    """The end of several offers: ``[[first id, count, outcome], ...]``, never a refusal."""

    runs: Annotated[list[tuple[Count, Number, Count]], Meta(min_length=1, max_length=limits.OFFERS_OPEN_MAX)]


class Get(Struct, frozen=True, rename={"zone": "z", "source": "s", "epoch": "e", "number": "n"}):
    """Ask for one segment, whatever the frontiers say; the answer is an OFFER of it, or GONE."""

    zone: Name
    source: Name
    epoch: Epoch
    number: Number


class Gone(Struct, frozen=True, rename={"zone": "z", "source": "s", "epoch": "e", "number": "n"}):
    """The segment asked for is not held, or is damaged."""

    zone: Name
    source: Name
    epoch: Epoch
    number: Number


Message: TypeAlias = (
    Hello
    | FrontierPart
    | Offer
    | Offered
    | Want
    | Data
    | Ack
    | Cancel
    | Credit
    | Fork
    | Stop
    | Ping
    | Roots
    | Summary
    | Entries
    | Runs
    | Push
    | Acks
    | Get
    | Gone
)

MESSAGE_TYPES: dict[int, type[Message]] = {
    0: Hello,
    1: FrontierPart,
    2: Offer,
    3: Offered,
    4: Want,
    5: Data,
    6: Ack,
    7: Cancel,
    8: Credit,
    9: Fork,
    10: Stop,
    11: Ping,
    12: Roots,
    13: Summary,
    14: Entries,
    15: Runs,
    16: Push,
    17: Acks,
    18: Get,
    19: Gone,
}
VERSION_2 = frozenset({Roots, Summary, Entries, Runs, Push, Acks, Get, Gone})
"""Messages that a version 1 peer does not know and is never sent."""

_CODES = {kind: code for code, kind in MESSAGE_TYPES.items()}
_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_DECODERS = {code: msgspec.msgpack.Decoder(kind) for code, kind in MESSAGE_TYPES.items()}


def encode(message: Message) -> bytes:
    """Encode one message as a frame."""
    body = _ENCODER.encode((_CODES[type(message)], message))
    assert len(body) <= limits.FRAME_BYTES_MAX
    return FRAME.pack(len(body), crc32(body)) + body


def decode_body(body: bytes) -> Message | None:
    """Parse the body of a frame; None for a type that this version does not know.

    Raises:
        ProtocolError: the body is not msgpack of the shape that its type demands.
    """
    try:
        code, fields = _ENVELOPE.decode(body)
        decoder = _DECODERS.get(code)
        return decoder.decode(fields) if decoder else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ProtocolError(f"peer sent a malformed message: {one_line(str(exc))}") from exc


class FrameReader:
    """Cut a stream of bytes into messages; it holds one frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = False
        self._frames = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes and give the messages that are complete with them.

        Raises:
            ProtocolError: the bytes are not the protocol's, or go past a limit.
        """
        self._buffer += data
        if not self._started and not self._take_magic():
            return
        while (body := self._take_frame()) is not None:
            self._frames += 1
            message = decode_body(body)
            if message is not None:
                yield message

    def _take_magic(self) -> bool:
        start = bytes(self._buffer[: len(MAGIC)])
        if not MAGIC.startswith(start):
            said = one_line(bytes(self._buffer[:80]).decode("ascii", "replace"))
            raise ProtocolError(
                f"peer does not speak the spool protocol; it began with {said!r}",
                hint="a start-up file of the far shell may print text; it must be silent for commands",
            )
        if len(start) < len(MAGIC):
            return False
        del self._buffer[: len(MAGIC)]
        self._started = True
        return True

    def _take_frame(self) -> bytes | None:
        if len(self._buffer) < FRAME.size:
            return None
        length, crc = FRAME.unpack_from(self._buffer)
        allowed = limits.FRAME_BYTES_MAX if self._frames else limits.HELLO_BYTES_MAX
        if length > allowed:
            raise ProtocolError(f"peer announced a frame of {length} bytes; {allowed} are allowed")
        end = FRAME.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[FRAME.size : end])
        del self._buffer[:end]
        if crc32(body) != crc:
            raise ProtocolError(f"frame {self._frames + 1} from the peer has a wrong checksum")
        return body
