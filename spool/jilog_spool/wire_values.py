"""The values inside messages: entries, segments and heads in their wire form, and as the ledger's.

Each is a msgpack array. What a peer may put into one is bounded here, by the parser, before anything else
looks at it.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from jilog_ledger.errors import InputError
from jilog_ledger.frontier import FrontierEntry, Span
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import Writer, check_name
from jilog_spool import limits
from jilog_spool.errors import ProtocolError, one_line

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Epoch: TypeAlias = Annotated[bytes, Meta(min_length=8, max_length=8)]
Sha256: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
Sha256OrNone: TypeAlias = Annotated[bytes, Meta(max_length=32)]
Xxh3OrNone: TypeAlias = Annotated[bytes, Meta(max_length=16)]
EpochOrNone: TypeAlias = Annotated[bytes, Meta(max_length=8)]
Digest: TypeAlias = Annotated[bytes, Meta(max_length=16)]
Text: TypeAlias = Annotated[str, Meta(max_length=4 * limits.TEXT_CHARS_MAX)]


class WireSpan(Struct, array_like=True, frozen=True):
    """Segments held above a gap."""

    first_number: Number
    last_number: Number
    first_sequence: Count
    last_sequence: Count
    sha256: Sha256


class WireEntry(Struct, array_like=True, frozen=True):
    """What is held of one writer."""

    source: Name
    epoch: Epoch
    sequence: Count
    number: Count
    length: Count
    sha256: Sha256OrNone
    sealed: bool
    above: Annotated[list[WireSpan], Meta(max_length=limits.SPANS_PER_ENTRY_MAX)] = []

    @classmethod
    def of(cls, entry: FrontierEntry) -> WireEntry:
        """Put an entry into its wire form."""
        spans = entry.above[: limits.SPANS_PER_ENTRY_MAX]
        return cls(
            entry.writer.source,
            bytes.fromhex(entry.writer.epoch),
            entry.sequence,
            entry.number,
            entry.length,
            entry.sha256,
            entry.sealed,
            [
                WireSpan(s.first_number, s.last_number, s.first_sequence, s.last_sequence, s.sha256)
                for s in spans
            ],
        )

    def entry(self) -> FrontierEntry:
        """Give the entry as a value of the ledger; ProtocolError when it contradicts itself."""
        if (self.number > 0) != (len(self.sha256) == 32):
            raise ProtocolError(f"peer sent a frontier entry of {one_line(self.source)} without a hash")
        return FrontierEntry(
            wire_writer(self.source, self.epoch),
            self.sequence,
            self.number,
            self.length,
            self.sha256,
            self.sealed,
            tuple(
                Span(s.first_number, s.last_number, s.first_sequence, s.last_sequence, s.sha256)
                for s in self.above
            ),
        )


class WireSegment(Struct, array_like=True, frozen=True):
    """One offered segment. Both hashes are empty while it is active; ``length`` counts all its bytes."""

    number: Number
    first_sequence: Count
    last_sequence: Count
    length: Count
    sealed: bool
    xxh3: Xxh3OrNone = b""
    sha256: Sha256OrNone = b""


class WireHead(Struct, array_like=True, frozen=True):
    """A signed head; its zone and writer are those of the offer it belongs to."""

    number: Number
    length: Count
    last_sequence: Count
    sha256: Sha256
    sealed: bool
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]

    @classmethod
    def of(cls, signed: SignedHead) -> WireHead:
        """Put a signed head into its wire form."""
        head = signed.head
        return cls(head.number, head.length, head.last_sequence, head.sha256, head.sealed, signed.signature)

    def signed_head(self, zone: str, writer: Writer) -> SignedHead:
        """Give the head as a value of the ledger; its signature is not checked here."""
        head = Head(zone, writer, self.number, self.length, self.last_sequence, self.sha256, self.sealed)
        return SignedHead(head, self.signature)


DIGEST_BYTES = 16
"""Of a SHA-256 that is told to find out what differs: nobody can make two segments that agree in 128 bits."""


class CompactEntry(Struct, array_like=True, frozen=True):
    """What is held of one writer, as version 2 tells it.

    ``runs`` alternates how many segments after the last one told are missing, and how many are held then;
    none is missing after a segment that is held in part. ``tail`` is the digest of the last of them, which
    may be one that is held in part, too.
    """

    source: Name
    epoch: Epoch
    sequence: Count
    number: Count
    length: Count
    digest: Digest
    sealed: bool
    runs: Annotated[list[Count], Meta(max_length=2 * limits.SPANS_PER_ENTRY_MAX)] = []
    tail: Digest = b""

    @classmethod
    def of(cls, entry: FrontierEntry) -> CompactEntry:
        """Put an entry into its wire form."""
        spans = entry.above[: limits.SPANS_PER_ENTRY_MAX]
        runs: list[int] = []
        last = entry.number
        for span in spans:
            runs += [span.first_number - last - 1, span.last_number - span.first_number + 1]
            last = span.last_number
        return cls(
            entry.writer.source,
            bytes.fromhex(entry.writer.epoch),
            entry.sequence,
            entry.number,
            entry.length,
            entry.sha256[:DIGEST_BYTES],
            entry.sealed,
            runs,
            spans[-1].sha256[:DIGEST_BYTES] if spans else b"",
        )

    def entry(self) -> FrontierEntry:
        """Give the entry as a value of the ledger; ProtocolError when it contradicts itself."""
        if (self.number > 0) != (len(self.digest) == DIGEST_BYTES) or len(self.runs) % 2:
            raise ProtocolError(f"peer sent a frontier entry of {one_line(self.source)} that says too little")
        above: list[Span] = []
        last = self.number
        for skip, run in zip(self.runs[::2], self.runs[1::2], strict=True):
            if not run or (last and not skip and (above or self.sealed)):
                raise ProtocolError(
                    f"peer sent a frontier entry of {one_line(self.source)} with no gap in it"
                )
            above.append(Span(last + skip + 1, last + skip + run, 0, 0, b""))
            last += skip + run
        if above:
            above[-1] = Span(above[-1].first_number, above[-1].last_number, 0, 0, self.tail)
        return FrontierEntry(
            wire_writer(self.source, self.epoch),
            self.sequence,
            self.number,
            self.length,
            self.digest,
            self.sealed,
            tuple(above),
        )


def wire_writer(source: str, epoch: bytes) -> Writer:
    """Give a writer named by a peer; ProtocolError when the name may not be a source."""
    try:
        return Writer(check_name("source", source), epoch.hex())
    except InputError as exc:
        raise ProtocolError(f"peer names an {exc.message}") from exc
