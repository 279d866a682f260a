"""Taking in another history of a writer, so that the events of both are held, served and projected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jilog_ledger.append import Appender
from jilog_ledger.branch import BranchTaken, Parting, alias_of, part
from jilog_ledger.catalog import Catalog
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.fork import PROOF_BYTES_MAX, Evidence, ForkProof, decode_proof
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import SEGMENT_BYTES_MAX
from jilog_ledger.receive import ForkDetected, Receiver
from jilog_ledger.segment import SegmentReader
from jilog_ledger.stream import Stream

BRANCHES_DEEP_MAX = 64
"""Branches of branches that one segment may lead through; more is not an accident."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment on its way to another name: its bytes up to its signed head."""

    number: int
    data: bytes
    signed: SignedHead


class Branches:
    """The branches of one zone; every method runs with the zone's lock held."""

    def __init__(self, catalog: Catalog, appender: Appender, receiver: Receiver) -> None:
        self._catalog = catalog
        self._appender = appender
        self._receiver = receiver

    def take(self, writer: Writer, number: int, data: bytes, signed: SignedHead) -> BranchTaken:
        """Take the whole segment ``number`` of another history of ``writer``, up to its signed head.

        Raises:
            IntegrityError: it is not what its head and the writer's key promise, or we hold no such segment.
        """
        stream = self._catalog.streams.get(writer)
        if stream is None or len(data) > SEGMENT_BYTES_MAX:
            raise IntegrityError(f"{writer} segment {number} cannot be another branch of what is held here")
        theirs = self._read(stream, number, data, signed)
        if not self._holds(stream, number):
            return self._fill_gap(stream, theirs, _Segment(number, data[: theirs.length], signed))
        ours = self._held(stream, number)
        ours_reader = SegmentReader.start(ours)
        if ours_reader.header.previous_sha256 != theirs.header.previous_sha256:
            return BranchTaken.DEEPER
        parting = part(ours, data[: theirs.length])
        if parting is None:
            return BranchTaken.KNOWN
        if writer == self._appender.writer:
            # Another process, or we ourselves in another life, wrote under this name: nobody goes on with it.
            self._appender.begin_epoch()
        segment = _Segment(number, data[: theirs.length], signed)
        self._prove(stream, ours, segment)
        if parting.theirs > parting.ours:
            self._put(stream, parting.theirs, segment)
        else:
            self._give_way(stream, parting, segment)
        return BranchTaken.TAKEN

    def proofs(self) -> list[ForkProof]:
        """Read the proofs of all forks that were found; damaged ones are passed over."""
        disk, directory = self._catalog.disk, self._catalog.layout.forks
        found = []
        for name in sorted(disk.list_directory(directory)):
            path = directory / name
            if name.endswith(".fork") and (disk.size(path) or 0) <= PROOF_BYTES_MAX:
                try:
                    found.append(decode_proof(disk.read(path)))
                except IntegrityError:
                    continue
        return found

    def _read(self, stream: Stream, number: int, data: bytes, signed: SignedHead) -> SegmentReader:
        reader = SegmentReader.start(data)
        reader.check_payloads = True
        header = reader.header
        if (header.zone, header.writer, header.number) != (self._catalog.zone, stream.origin, number):
            raise IntegrityError(f"segment claims to be {header.writer} number {header.number}")
        if header.local or header.public_key != stream.public_key:
            raise IntegrityError(f"{stream.writer} segment {number} is not signed with the key known for it")
        reader.feed(data, start=reader.length)
        if reader.head() != signed.head:
            raise SegmentDamaged(
                f"{stream.writer} segment {number} does not match its head", offset=reader.length
            )
        signed.verify(header.public_key)
        return reader

    def _holds(self, stream: Stream, number: int) -> bool:
        if number in stream.sealed:
            return True
        return number == stream.active_number and self._appender.active_of(stream) is not None

    def _fill_gap(self, stream: Stream, theirs: SegmentReader, segment: _Segment) -> BranchTaken:
        """Close a gap; what we hold above it goes to quarantine when it does not follow."""
        previous = stream.sealed.get(segment.number - 1)
        follows = previous is not None and previous.sha256 == theirs.header.previous_sha256
        if segment.number > 1 and not follows:
            return BranchTaken.DEEPER
        self._receiver.complete(stream.writer, segment.number, 0, segment.data, segment.signed)
        return BranchTaken.TAKEN

    def _held(self, stream: Stream, number: int) -> bytes:
        """Read our copy: a sealed segment whole, an active one up to its head."""
        info = stream.sealed.get(number)
        if info is not None:
            return self._catalog.read_sealed(info)
        active = self._appender.active_of(stream) if number == stream.active_number else None
        if active is None:
            raise IntegrityError(f"{stream.writer} segment {number} is not held here")
        return self._catalog.read_active(stream, active)

    def _signed_head(self, stream: Stream, number: int) -> SignedHead:
        signed = self._receiver.signed_head(stream, number)
        if signed is None:
            raise SegmentDamaged(f"{stream.writer} segment {number} is not held", offset=0)
        return signed

    def _prove(self, stream: Stream, ours: bytes, theirs: _Segment) -> None:
        """Keep both signed heads where they can be checked offline."""
        key = stream.public_key
        assert key is not None
        mine = self._signed_head(stream, theirs.number)
        proof = ForkProof.of(
            key,
            Evidence(mine, ours[: mine.head.length]),
            Evidence(theirs.signed, theirs.data[: theirs.signed.head.length]),
        )
        layout = self._catalog.layout
        self._catalog.disk.make_directory(layout.forks)
        # A crash after this line leaves a proof of a fork that is found again at the next contact.
        self._catalog.disk.replace(layout.forks / proof.file_name, proof.encode())

    def _put(self, stream: Stream, key: bytes, segment: _Segment, depth: int = 0) -> Writer:
        """Store a segment as the first one of a branch of ``stream``; give the name it went under."""
        alias = alias_of(self._catalog.zone, stream.origin, segment.number, key)
        return self._put_under(alias, segment, depth)

    def _put_under(self, alias: Writer, segment: _Segment, depth: int) -> Writer:
        if depth > BRANCHES_DEEP_MAX:
            raise IntegrityError(f"{alias} has more than {BRANCHES_DEEP_MAX} branches of branches")
        try:
            self._receiver.complete(alias, segment.number, 0, segment.data, segment.signed)
            return alias
        except ForkDetected:
            held = self._catalog.streams[alias]
        # The branch has branched itself.
        parting = part(self._held(held, segment.number), segment.data)
        if parting is None:
            return alias
        if parting.theirs > parting.ours:
            return self._put(held, parting.theirs, segment, depth + 1)
        self._give_way(held, parting, segment, depth + 1)
        return alias

    def _give_way(self, stream: Stream, parting: Parting, theirs: _Segment, depth: int = 0) -> None:
        """Move our branch to its alias, and let the other one have the name.

        A crash leaves the alias a copy of what still has the name, or the name with fewer of our segments
        than the alias has. Either way nothing is lost, and the next contact finds the fork and does the
        rest.
        """
        alias: Writer | None = None
        for ours in self._segments_from(stream, theirs.number):
            if alias is None:
                alias = self._put(stream, parting.ours, ours, depth)
            else:
                alias = self._put_under(alias, ours, depth)
        self._catalog.cut(stream, theirs.number)
        self._receiver.complete(stream.writer, theirs.number, 0, theirs.data, theirs.signed)

    def _segments_from(self, stream: Stream, first_number: int) -> Iterator[_Segment]:
        """Read our segments from ``first_number`` on; a damaged one goes to quarantine and is passed over."""
        for number in sorted({*stream.sealed, stream.active_number}):
            if number < first_number:
                continue
            try:
                data = self._held(stream, number)
            except SegmentDamaged as exc:
                self._catalog.quarantine(stream.writer, number, exc.message)
            except IntegrityError:
                continue  # there is no active segment
            else:
                yield _Segment(number, data, self._signed_head(stream, number))
