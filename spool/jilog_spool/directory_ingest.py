"""Taking in what lies in a spool directory, through the same checks as what comes over a network.

Order does not matter and twice costs nothing: names tell what is held already, and whatever else is read is
proved by checksums, hashes and the writer's signature before a byte of it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jilog_ledger.branch import BranchTaken
from jilog_ledger.branches import BRANCHES_DEEP_MAX
from jilog_ledger.errors import BusyError, IntegrityError, SegmentDamaged
from jilog_ledger.head import SignedHead, content_hash
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import SEGMENT_BYTES_MAX
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import ForkDetected, Ingested
from jilog_ledger.segment import SegmentHeader, SegmentReader, read_segment
from jilog_spool import limits
from jilog_spool.directory_files import Entry, Shelf, Unreadable
from jilog_spool.directory_format import TAIL_FILE_BYTES_MAX, Ask, Tail, decode_tail, join_tails
from jilog_spool.directory_names import digest_text
from jilog_spool.directory_report import DirectoryReport
from jilog_spool.directory_survey import Holdings, Piece, Survey
from jilog_spool.replica import Replica
from jilog_spool.report import ForkFound

OnBytes = Callable[[int, int], None]
"""Told how many bytes are done, and of how many."""

Settled = dict[tuple[str, str], Entry]
"""Files that gave all they can give, by folder and name, as they were then."""


class Ingest:
    """One run over all files. ``settled`` is kept between runs of one process, to spare reads."""

    def __init__(
        self,
        shelf: Shelf,
        replicas: Mapping[str, Replica],
        survey: Survey,
        report: DirectoryReport,
        *,
        settled: Settled,
        on_bytes: OnBytes,
    ) -> None:
        self._shelf = shelf
        self._replicas = replicas
        self._survey = survey
        self._report = report
        self._settled = settled
        self._on_bytes = on_bytes
        self._zones = {zone.lower(): zone for zone in replicas}
        self._held = Holdings(replicas)
        self._total_bytes = 0
        self._asks: set[Ask] = set()
        self._told: set[tuple[str, Writer, int]] = set()

    def wanted(self) -> list[Piece]:
        """List the files that may hold news, in the order in which they can follow each other."""
        found = [piece for piece in self._survey.pieces() if self._may_be_news(piece)]
        return sorted(found, key=_order)

    def run(self) -> tuple[Ask, ...]:
        """Take everything; give what is needed from somebody else all the same."""
        for turn in range(limits.DIRECTORY_PASSES_MAX):
            pieces = self.wanted()
            if turn == 0:
                self._total_bytes = sum(piece.entry.size for piece in pieces)
            # What did not fit the last time may follow what came with it.
            self._report.forget_refusals()
            self._asks.clear()
            roots = self._roots()
            for group in _groups(pieces):
                self._take_group(group)
            grown = {zone for zone, root in self._roots().items() if root != roots[zone]}
            self._report.grown |= grown
            self._held = Holdings(self._replicas)
            if not grown:
                break
        return tuple(sorted(self._asks, key=lambda ask: (ask.zone, ask.writer, ask.number)))

    def _roots(self) -> dict[str, bytes]:
        return {zone: replica.frontier().root() for zone, replica in self._replicas.items()}

    def _may_be_news(self, piece: Piece) -> bool:
        if piece.name.zone.lower() not in self._zones:
            self._report.zones_not_shared.add(piece.name.zone)
            return False
        if self._settled.get((piece.folder, piece.file)) == piece.entry:
            return False
        return not self._held.has(piece.name)

    def _take_group(self, group: list[Piece]) -> None:
        """Take one sealed segment, or the slices of an active one that lie in one folder."""
        first = group[0]
        zone = self._zones[first.name.zone.lower()]
        try:
            outcome = self._take_sealed(zone, first) if first.name.sealed else self._take_tail(zone, group)
        except (Unreadable, SegmentDamaged) as exc:
            # Half a file looks like a damaged one. Whoever has it whole is asked for it.
            self._report.cannot_read(f"{first.folder}/{group[-1].file}", exc.message)
            self._asks.add(Ask(zone, first.name.writer, first.name.number))
        except (IntegrityError, BusyError) as exc:
            self._report.refuse(zone, first.name.writer, first.name.number, exc.message)
        else:
            if outcome:
                for piece in group:
                    self._settled[piece.folder, piece.file] = piece.entry

    def _read(self, piece: Piece, bytes_max: int) -> bytes | None:
        data = self._shelf.read(piece.folder, piece.file, bytes_max)
        if data is None:
            self._report.vanished += 1
            return None
        self._report.files_read += 1
        self._report.bytes_read += len(data)
        self._total_bytes = max(self._total_bytes, self._report.bytes_read)
        self._on_bytes(self._report.bytes_read, self._total_bytes)
        return data

    def _take_sealed(self, zone: str, piece: Piece) -> bool:
        data = self._read(piece, SEGMENT_BYTES_MAX)
        if data is None:
            return False
        reader = _whole(data, piece)
        signed = reader.signed_seal()
        if signed is None:
            raise SegmentDamaged("file ends before the segment's seal", offset=len(data))
        writer = self._target(zone, reader.header, piece.name.writer.epoch)
        return self._complete(zone, writer, reader.header, data, signed)

    def _take_tail(self, zone: str, news: list[Piece]) -> bool:
        """Take slices that go on from what is held; when they do not fit, all of them from byte 0 on."""
        if self._may_extend(zone, news[0]) and self._extend(zone, list(self._tails(zone, news))):
            return True
        mates = self._mates(news[0])
        tails = list(self._tails(zone, mates))
        chains = join_tails(tails)
        if not chains:
            if len(tails) == len(mates):
                raise SegmentDamaged("slices leave a hole, or do not match their heads", offset=0)
            return False
        taken = [self._take_chain(zone, data, last) for data, last in chains]
        return all(taken) and all(_covered(piece, chains) for piece in news)

    def _take_chain(self, zone: str, data: bytes, last: Tail) -> bool:
        header = SegmentReader.start(data).header
        writer = self._target(zone, header, last.writer.epoch)
        return self._complete(zone, writer, header, data, last.signed)

    def _may_extend(self, zone: str, first: Piece) -> bool:
        held = _held_info(self._replicas[zone], first.name.writer, first.name.number)
        return held is not None and not held.sealed and first.name.start <= held.content_length

    def _extend(self, zone: str, tails: list[Tail]) -> bool:
        """Append slices to what is held of their writer, whose key is known by that; tell whether all fit."""
        replica = self._replicas[zone]
        for tail in sorted(tails, key=lambda item: item.start):
            number, head = tail.signed.head.number, tail.signed.head
            held = _held_info(replica, tail.writer, number)
            if held is None or held.sealed or not tail.start <= held.content_length < head.length:
                return False
            try:
                replica.complete(tail.writer, number, tail.start, tail.data, tail.signed)
            except IntegrityError:
                return False  # another history, which only the whole can show
            self._count(held.last_sequence, tail.signed)
        return bool(tails)

    def _count(self, after: int, signed: SignedHead) -> None:
        self._report.segments_received += 1
        self._report.events_received += max(0, signed.head.last_sequence - after)

    def _mates(self, piece: Piece) -> list[Piece]:
        """List all slices of the same segment in the same folder, those among them that are held."""
        folder = self._survey.folders[piece.folder]
        return [mate for mate in folder.pieces if not mate.name.sealed and mate.name.key == piece.name.key]

    def _tails(self, zone: str, group: list[Piece]) -> Iterator[Tail]:
        for piece in group:
            data = self._read(piece, TAIL_FILE_BYTES_MAX)
            if data is None:
                continue
            try:
                tail = decode_tail(data)
            except IntegrityError as exc:
                self._report.cannot_read(f"{piece.folder}/{piece.file}", exc.message)
                self._asks.add(Ask(zone, piece.name.writer, piece.name.number))
                continue
            head = tail.signed.head
            if (head.zone, tail.writer.source.lower(), head.number) == (
                zone,
                piece.name.writer.source.lower(),
                piece.name.number,
            ):
                yield tail

    def _target(self, zone: str, header: SegmentHeader, epoch: str) -> Writer:
        """Find the stream that a segment continues: the one its file names, or a branch that it follows."""
        named = Writer(header.writer.source, epoch)
        held = self._held.segments[zone]
        if header.zone != zone or header.number == 1 or _follows(held.get(named, ()), header):
            return named
        replica = self._replicas[zone]
        for writer, segments in held.items():
            if replica.origin(writer) == header.writer and _follows(segments, header, surely=True):
                return writer
        return named

    def _complete(
        self, zone: str, writer: Writer, header: SegmentHeader, data: bytes, signed: SignedHead
    ) -> bool:
        """Give a whole segment to the store; tell whether its file has nothing more to give."""
        if header.zone != zone:
            raise IntegrityError(f"segment is of zone {header.zone}")
        if not self._trusted(zone, header):
            self._report.unvouched += 1
            return False
        replica = self._replicas[zone]
        before = _held_info(replica, writer, header.number)
        try:
            outcome = replica.complete(writer, header.number, 0, data, signed)
        except ForkDetected:
            return self._take_fork(zone, writer, header, data, signed)
        if outcome is Ingested.DUPLICATE:
            self._report.duplicates += 1
            return True
        self._count(before.last_sequence if before else header.first_sequence - 1, signed)
        return True

    def _trusted(self, zone: str, header: SegmentHeader) -> bool:
        source, key = header.writer.source, header.public_key
        return self._held.pinned(zone, source, key) or self._survey.vouched(zone, source, key)

    def _take_fork(
        self, zone: str, writer: Writer, header: SegmentHeader, data: bytes, signed: SignedHead
    ) -> bool:
        """Keep both histories; where they part further back, begin there.

        Gives False when what came first is to be tried again: it now follows what was taken.
        """
        replica = self._replicas[zone]
        for depth in range(BRANCHES_DEEP_MAX):
            root, mine = replica.frontier().root(), _head_of(replica, writer, header.number)
            outcome = replica.take_branch(writer, header.number, data, signed)
            if outcome is not BranchTaken.DEEPER:
                if replica.frontier().root() != root:
                    self._tell_fork(ForkFound(zone, writer, header.number, mine, signed))
                return depth == 0
            earlier = self._segment_before(header)
            if earlier is None:
                self._asks.add(Ask(zone, writer, header.number - 1))
                return False
            header, data, signed = earlier
        return False

    def _tell_fork(self, fork: ForkFound) -> None:
        told = {(item.zone, item.writer, item.number) for item in self._report.forks}
        if (fork.zone, fork.writer, fork.number) not in told:
            self._report.forks.append(fork)

    def _segment_before(self, header: SegmentHeader) -> tuple[SegmentHeader, bytes, SignedHead] | None:
        """Look for the segment that another one follows, by its hash."""
        wanted = digest_text(header.previous_sha256)
        for piece in self._survey.pieces():
            name = piece.name
            if not name.sealed or (name.number, name.digest) != (header.number - 1, wanted):
                continue
            try:
                data = self._read(piece, SEGMENT_BYTES_MAX)
                reader = _whole(data, piece) if data is not None else None
            except (Unreadable, SegmentDamaged):
                continue  # another folder may have it whole
            signed = reader.signed_seal() if reader else None
            if data is not None and reader is not None and signed is not None:
                return reader.header, data, signed
        return None


def _order(piece: Piece) -> tuple[object, ...]:
    name = piece.name
    # Whole segments before slices of the same number, what a tool has renamed last.
    return (*name.key, not name.sealed, piece.folder, name.copy, name.start, name.end)


def _groups(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Give sealed segments one by one, and the slices of an active one together, folder by folder."""
    group: list[Piece] = []
    for piece in pieces:
        same = group and not piece.name.sealed and not group[0].name.sealed
        if same and (group[0].folder, group[0].name.key) == (piece.folder, piece.name.key):
            group.append(piece)
            continue
        if group:
            yield group
        group = [piece]
    if group:
        yield group


def _whole(data: bytes, piece: Piece) -> SegmentReader:
    """Read a sealed segment and compare it with its name."""
    reader = read_segment(data)
    if digest_text(reader.sha256) != piece.name.digest:
        raise SegmentDamaged("segment is not the one that the file is named for", offset=0)
    return reader


def _covered(piece: Piece, chains: list[tuple[bytes, Tail]]) -> bool:
    """Tell whether the bytes that a slice ends with are among those of a chain."""
    end, digest = piece.name.end, piece.name.digest
    return any(len(data) >= end and digest_text(content_hash(data[:end])) == digest for data, _ in chains)


def _follows(segments: list[SegmentInfo] | tuple[()], header: SegmentHeader, *, surely: bool = False) -> bool:
    """Tell whether a segment follows what is held; without the one before it may."""
    before = next((info for info in segments if info.number == header.number - 1), None)
    if before is None:
        return not surely
    return before.sealed and before.sha256 == header.previous_sha256


def _held_info(replica: Replica, writer: Writer, number: int) -> SegmentInfo | None:
    found = replica.segments(writer, number)
    return found[0] if found and found[0].number == number else None


def _head_of(replica: Replica, writer: Writer, number: int) -> SignedHead | None:
    try:
        return replica.signed_head(writer, number)
    except IntegrityError:
        return None
