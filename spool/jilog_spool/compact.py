"""Frontiers in few bytes: which writers can differ is found out before any of them is described.

Writers fall into buckets by a hash of their name. A bucket's digest is the exclusive or of its entries'
digests, so that buckets can be joined in pairs without asking again, and two hosts with different numbers
of writers compare at the coarser of their two levels. Eight bytes a bucket are enough: a collision hides a
difference from one comparison only, and the fleet roots, which are whole hashes, still tell that there is
one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from jilog_ledger.frontier import Frontier, FrontierEntry
from jilog_ledger.identifiers import Writer
from jilog_spool import limits
from jilog_spool.errors import ProtocolError
from jilog_spool.wire import Entries
from jilog_spool.wire_values import CompactEntry

BUCKET_BYTES = 8


def level_for(writers: int) -> int:
    """Choose the number of buckets, as a power of two: about two writers in each."""
    if writers <= limits.WRITERS_UNSUMMED_MAX:
        return 0
    return min(limits.BUCKET_LEVEL_MAX, (writers - 1).bit_length() - 1)


def bucket_of(writer: Writer, level: int) -> int:
    """Give the bucket of a writer: the leading ``level`` bits of its hash."""
    digest = hashlib.sha256(f"{writer.source}/{writer.epoch}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> (32 - level)


def buckets(frontier: Frontier) -> list[int]:
    """Sum a frontier up at the level that suits it."""
    level = level_for(len(frontier.entries))
    sums = [0] * (1 << level)
    for entry in frontier.entries:
        sums[bucket_of(entry.writer, level)] ^= _entry_digest(entry)
    return sums


def pack(sums: Iterable[int]) -> bytes:
    """Give the bytes of a summary."""
    return b"".join(value.to_bytes(BUCKET_BYTES, "big") for value in sums)


def unpack(data: bytes) -> list[int]:
    """Read a summary; ProtocolError when it is not of 2ⁿ digests."""
    count = len(data) // BUCKET_BYTES
    if len(data) % BUCKET_BYTES or count & (count - 1):
        raise ProtocolError(f"peer sent a frontier summary of {len(data)} bytes")
    return [int.from_bytes(data[i : i + BUCKET_BYTES], "big") for i in range(0, len(data), BUCKET_BYTES)]


def differing(mine: list[int], theirs: list[int]) -> tuple[int, set[int]]:
    """Compare two summaries at the coarser level; give that level and the buckets that differ."""
    size = min(len(mine), len(theirs))
    ours, others = _joined(mine, size), _joined(theirs, size)
    return size.bit_length() - 1, {index for index in range(size) if ours[index] != others[index]}


def chosen(frontier: Frontier, level: int, wanted: set[int]) -> list[FrontierEntry]:
    """Pick the entries in some buckets."""
    return [entry for entry in frontier.entries if bucket_of(entry.writer, level) in wanted]


def entry_messages(zone: str, entries: Iterable[FrontierEntry]) -> Iterator[Entries]:
    """Cut entries into messages."""
    part: list[CompactEntry] = []
    size = 0
    for entry in entries:
        # 120 bytes for an entry with long names, 10 for a gap between large numbers.
        cost = 120 + 10 * min(len(entry.above), limits.SPANS_PER_ENTRY_MAX)
        if part and size + cost > limits.FRONTIER_FRAME_BYTES:
            yield Entries(zone, part, more=True)
            part, size = [], 0
        part.append(CompactEntry.of(entry))
        size += cost
    yield Entries(zone, part)


def _joined(sums: list[int], size: int) -> list[int]:
    while len(sums) > size:
        sums = [sums[i] ^ sums[i + 1] for i in range(0, len(sums), 2)]
    return sums


def _entry_digest(entry: FrontierEntry) -> int:
    body = msgspec.msgpack.encode(
        [
            entry.writer.source,
            entry.writer.epoch,
            entry.sequence,
            entry.number,
            entry.length,
            entry.sha256,
            entry.sealed,
            [[span.first_number, span.last_number, span.last_sequence, span.sha256] for span in entry.above],
        ]
    )
    return int.from_bytes(hashlib.sha256(body).digest()[:BUCKET_BYTES], "big")
