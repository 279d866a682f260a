"""What the files of a spool directory hold, byte by byte: ``docs/protocol.md`` has the tables.

A sealed segment is itself. The slice of an active one carries the head that vouches for it; a host's
statement is signed with the host's key. Parsers get no more bytes than a limit allows and check a checksum
or a signature before they look at what it covers.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from jilog_ledger.checksum import crc32
from jilog_ledger.errors import IntegrityError, JilogError
from jilog_ledger.frontier import FrontierEntry
from jilog_ledger.head import Head, SignedHead, content_hash
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey, verify_signature
from jilog_ledger.limits import KIB, SEGMENT_BYTES_MAX, WRITERS_MAX
from jilog_spool import limits
from jilog_spool.wire_values import (
    Count,
    Epoch,
    EpochOrNone,
    Name,
    Number,
    Sha256,
    WireEntry,
    wire_writer,
)

TAIL_MAGIC = b"JLTAIL1\n"
STATE_MAGIC = b"JLSTATE1"
STATE_CONTEXT = b"jilog directory state 1\n"
"""What is signed starts with it, so that the signature means nothing anywhere else."""

VERSION = 1
TAIL_HEADER_BYTES_MAX = 4 * KIB
TAIL_FILE_BYTES_MAX = len(TAIL_MAGIC) + 8 + TAIL_HEADER_BYTES_MAX + SEGMENT_BYTES_MAX
SIGNATURE_BYTES = 64
_LENGTHS = struct.Struct(">II")

PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
T = TypeVar("T")


class _TailHeader(msgspec.Struct, array_like=True, frozen=True):
    zone: Name
    source: Name
    epoch: Epoch
    number: Number
    start: Count
    end: Count
    last_sequence: Count
    sha256: Sha256
    signature: Signature
    origin: EpochOrNone = b""


@dataclass(frozen=True, slots=True)
class Tail:
    """Bytes of an active segment from ``start`` to its signed head. The head names the writer's origin."""

    writer: Writer
    start: int
    signed: SignedHead
    data: bytes


def encode_tail(tail: Tail) -> bytes:
    """Give the bytes of a ``.tail`` file."""
    head = tail.signed.head
    origin = b"" if head.writer == tail.writer else bytes.fromhex(head.writer.epoch)
    body = msgspec.msgpack.encode(
        _TailHeader(
            head.zone,
            tail.writer.source,
            bytes.fromhex(tail.writer.epoch),
            head.number,
            tail.start,
            head.length,
            head.last_sequence,
            head.sha256,
            tail.signed.signature,
            origin,
        )
    )
    return TAIL_MAGIC + _LENGTHS.pack(len(body), crc32(body)) + body + tail.data


def decode_tail(data: bytes) -> Tail:
    """Read a ``.tail`` file. The head's signature is not checked here.

    Raises:
        IntegrityError: it is not one, or not all of one.
    """
    body, end = _checked_body(data, TAIL_MAGIC, TAIL_HEADER_BYTES_MAX)
    header = _decoded(body, _TailHeader)
    content = data[end:]
    if len(content) != header.end - header.start or header.end > SEGMENT_BYTES_MAX:
        raise IntegrityError(f"slice has {len(content)} bytes where {header.end - header.start} are due")
    writer = _writer(header.source, header.epoch)
    origin = Writer(writer.source, header.origin.hex()) if len(header.origin) == 8 else writer
    head = Head(
        header.zone, origin, header.number, header.end, header.last_sequence, header.sha256, sealed=False
    )
    return Tail(writer, header.start, SignedHead(head, header.signature), content)


def join_tails(tails: list[Tail]) -> list[tuple[bytes, Tail]]:
    """Join slices from byte 0 on as far as their heads prove them; one chain for each history among them.

    Clones that share a folder put the slices of two histories side by side. More than
    ``DIRECTORY_HISTORIES_MAX`` are no accident, and the rest is passed over.
    """
    chains: list[tuple[bytes, Tail]] = []
    for tail in sorted(tails, key=lambda item: (item.start, item.signed.head.length)):
        joined = _joined_to_any(chains, tail)
        if joined is None:
            continue
        chains = [chain for chain in chains if not joined.startswith(chain[0])]
        if len(chains) < limits.DIRECTORY_HISTORIES_MAX:
            chains.append((joined, tail))
    return chains


def _joined_to_any(chains: list[tuple[bytes, Tail]], tail: Tail) -> bytes | None:
    """Find the chain that a slice goes on from, or whose start it shares; None when it adds nothing."""
    head = tail.signed.head
    for before in [data for data, _ in chains] if tail.start else [b""]:
        if tail.start <= len(before):
            joined = before[: tail.start] + tail.data
            if content_hash(joined) == head.sha256:
                return None if any(data.startswith(joined) for data, _ in chains) else joined
    return None


@dataclass(frozen=True, slots=True)
class ZoneState:
    """What a host holds of a zone, and which keys it vouches for: raw public keys by source."""

    entries: tuple[FrontierEntry, ...]
    keys: Mapping[str, frozenset[bytes]]


@dataclass(frozen=True, slots=True)
class Ask:
    """A segment that a host needs whole, whoever has it: the copy it found is damaged, or missing."""

    zone: str
    writer: Writer
    number: int


@dataclass(frozen=True, slots=True)
class State:
    """One host's statement.

    ``time_ns`` is by its own clock, for people. ``seen`` tells of each other folder which counter was the
    latest, and when this host first saw it, by its own clock: so nobody has to believe another's.
    """

    source: str
    public_key: bytes
    counter: int
    time_ns: int
    zones: Mapping[str, ZoneState]
    asks: tuple[Ask, ...] = ()
    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class _WireZone(msgspec.Struct, array_like=True, frozen=True):
    zone: Name
    entries: Annotated[list[WireEntry], Meta(max_length=WRITERS_MAX)]
    keys: Annotated[list[tuple[Name, PublicKey]], Meta(max_length=limits.DIRECTORY_KEYS_MAX)]


class _WireState(msgspec.Struct, array_like=True, frozen=True):
    version: Count
    source: Name
    public_key: PublicKey
    counter: Count
    time_ns: Count
    zones: Annotated[list[_WireZone], Meta(max_length=limits.ZONES_MAX)]
    asks: Annotated[list[tuple[Name, Name, Epoch, Number]], Meta(max_length=limits.DIRECTORY_ASKS_MAX)]
    seen: Annotated[
        list[tuple[Annotated[str, Meta(max_length=100)], Count, Count]],
        Meta(max_length=limits.DIRECTORY_HOSTS_MAX),
    ]


def encode_state(state: State, key: SigningKey) -> bytes:
    """Give the bytes of a ``.state`` file, signed."""
    body = msgspec.msgpack.encode(
        _WireState(
            VERSION,
            state.source,
            state.public_key,
            state.counter,
            state.time_ns,
            [
                _WireZone(
                    zone,
                    [WireEntry.of(entry) for entry in item.entries],
                    [(source, raw) for source in sorted(item.keys) for raw in sorted(item.keys[source])],
                )
                for zone, item in sorted(state.zones.items())
            ],
            [
                (ask.zone, ask.writer.source, bytes.fromhex(ask.writer.epoch), ask.number)
                for ask in state.asks[: limits.DIRECTORY_ASKS_MAX]
            ],
            [(folder, *seen) for folder, seen in sorted(state.seen.items())],
        )
    )
    signature = key.sign(STATE_CONTEXT + body)
    return STATE_MAGIC + _LENGTHS.pack(len(body), crc32(body)) + body + signature


def decode_state(data: bytes) -> State:
    """Read a ``.state`` file and check its signature with the key it names; whether to trust it is not told.

    Raises:
        IntegrityError: it is not a statement, not all of one, or not signed by that key.
    """
    body, end = _checked_body(data, STATE_MAGIC, limits.DIRECTORY_STATE_BYTES_MAX)
    signature = data[end:]
    # The key has to be read from what it signed. The parser bounds everything before anything is used.
    wire = _decoded(body, _WireState)
    if wire.version != VERSION:
        raise IntegrityError(f"statement has version {wire.version}; {VERSION} is known")
    if len(signature) != SIGNATURE_BYTES:
        raise IntegrityError(f"statement has {len(signature)} bytes of signature")
    verify_signature(wire.public_key, signature, STATE_CONTEXT + body)
    try:
        zones = {item.zone: _zone_state(item) for item in wire.zones}
    except JilogError as exc:
        raise IntegrityError(f"statement of {wire.source} contradicts itself: {exc.message}") from exc
    return State(
        wire.source,
        wire.public_key,
        wire.counter,
        wire.time_ns,
        zones,
        tuple(Ask(zone, _writer(source, epoch), number) for zone, source, epoch, number in wire.asks),
        {folder: (counter, since) for folder, counter, since in wire.seen},
    )


def file_digest(data: bytes) -> bytes:
    """Give the SHA-256 of a whole file."""
    return hashlib.sha256(data).digest()


def _zone_state(item: _WireZone) -> ZoneState:
    keys: dict[str, set[bytes]] = {}
    for source, raw in item.keys:
        keys.setdefault(source, set()).add(raw)
    entries = tuple(entry.entry() for entry in item.entries)
    return ZoneState(entries, {source: frozenset(found) for source, found in keys.items()})


def _checked_body(data: bytes, magic: bytes, bytes_max: int) -> tuple[bytes, int]:
    """Give the body after the magic, and where it ends."""
    start = len(magic) + _LENGTHS.size
    if len(data) < start or not data.startswith(magic):
        raise IntegrityError(f"file does not start with {magic!r}")
    length, crc = _LENGTHS.unpack_from(data, len(magic))
    body = data[start : start + length]
    if length > bytes_max or len(body) != length or crc32(body) != crc:
        raise IntegrityError("file is cut short or damaged in its first part")
    return body, start + length


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise IntegrityError(f"file is malformed: {exc}") from exc


def _writer(source: str, epoch: bytes) -> Writer:
    try:
        return wire_writer(source, epoch)
    except JilogError as exc:
        raise IntegrityError(exc.message) from exc
