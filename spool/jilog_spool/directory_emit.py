"""Putting what this host holds into a spool directory, and taking away what everybody has.

Files are whole, immutable and named for their content, and lie in this host's own folder. A relay leaves out
what another folder has. The active segment goes out in slices; a slice takes in those before it that are
not much larger than itself, so that there are few of them and each byte is written a few times only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from jilog_ledger.errors import IntegrityError
from jilog_ledger.head import content_hash
from jilog_ledger.manifest import SegmentInfo
from jilog_spool import limits
from jilog_spool.directory_files import Shelf, Unreadable
from jilog_spool.directory_format import (
    TAIL_FILE_BYTES_MAX,
    State,
    Tail,
    decode_tail,
    encode_tail,
    join_tails,
)
from jilog_spool.directory_ingest import OnBytes
from jilog_spool.directory_names import SegmentName, digest_text
from jilog_spool.directory_report import DirectoryReport
from jilog_spool.directory_survey import Holdings, Piece, Survey
from jilog_spool.plan import Relation, missing_above, relate
from jilog_spool.replica import Replica

Key = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Planned:
    """A segment to put out: whole when it is sealed, the new end of it when it is active."""

    zone: str
    info: SegmentInfo
    name: SegmentName
    afresh: bool = False
    """Whether what lies there already is damaged, so that nothing may build on it."""

    @property
    def size(self) -> int:
        """About how many bytes the file will have."""
        return self.info.length - self.name.start


class Emit:
    """One run over all that this host holds. ``keep_seconds`` None keeps everything in the directory."""

    def __init__(
        self,
        shelf: Shelf,
        replicas: Mapping[str, Replica],
        survey: Survey,
        report: DirectoryReport,
        *,
        now_ns: int,
        keep_seconds: int | None,
        on_bytes: OnBytes,
    ) -> None:
        self._shelf = shelf
        self._replicas = replicas
        self._survey = survey
        self._report = report
        self._now_ns = now_ns
        self._keep_seconds = keep_seconds
        self._on_bytes = on_bytes
        self._held = Holdings(replicas)
        self._own = _by_key(survey.own.pieces)
        self._theirs = _by_key(piece for folder in survey.others() for piece in folder.pieces)
        self._readers = [Reader(state) for state in self._live_readers()]
        self._asked = {
            SegmentName(ask.zone, ask.writer, ask.number, "").key
            for state in (survey.own.state, *(state for _, state in survey.readers()))
            for ask in (state.asks if state else ())
        }

    def plan(self) -> list[Planned]:
        """List what is to be put out."""
        return [
            planned
            for zone, held in self._held.segments.items()
            for infos in held.values()
            for info in infos
            if (planned := self._due(zone, info)) is not None
        ]

    def run(self) -> None:
        """Put out what is due, then take away what is superseded or what everybody has.

        A crash anywhere leaves whole files, and perhaps a temporary one or an old slice too many, which the
        next run takes away.
        """
        for name in self._survey.own.temporary:
            self._shelf.remove(self._survey.own.name, name)
        planned = self.plan()
        total = sum(item.size for item in planned)
        for item in planned:
            try:
                self._put_sealed(item) if item.info.sealed else self._put_tail(item)
            except IntegrityError as exc:
                # Our copy is damaged and in quarantine now; others have it, or will be asked.
                self._report.refuse(item.zone, item.info.writer, item.info.number, exc.message)
            self._on_bytes(self._report.bytes_written, max(total, self._report.bytes_written))
        self._drop_slices_of_sealed()
        self._prune()

    def _due(self, zone: str, info: SegmentInfo) -> Planned | None:
        end = 0 if info.sealed else info.content_length
        name = SegmentName(zone, info.writer, info.number, digest_text(info.sha256), end=end)
        asked = name.key in self._asked
        if self._lies_there(name, info):
            damaged = asked and not self._own_copy_is_whole(name, info)
            return Planned(zone, info, name, afresh=True) if damaged else None
        theirs = self._theirs.get(name.key, ())
        left_to_them = not self._is_mine(info) and any(self._offers(piece, name, info) for piece in theirs)
        if not asked and (left_to_them or not self._needed(zone, info)):
            return None
        kept = slices_to_keep(self._slices(name.key), end)
        return Planned(zone, info, replace(name, start=kept[-1].name.end if kept else 0))

    def _is_mine(self, info: SegmentInfo) -> bool:
        return info.public_key == self._survey.member.key.public_key

    def _lies_there(self, name: SegmentName, info: SegmentInfo) -> bool:
        """Tell whether our own files, by names and sizes, are what would be written."""
        if info.sealed:
            return any(_is(piece, name, info) for piece in self._own.get(name.key, ()))
        return bool(_leading_to(name, self._slices(name.key)))

    def _offers(self, piece: Piece, name: SegmentName, info: SegmentInfo) -> bool:
        """Tell whether a file of another host has, by its name and size, what would be emitted."""
        if name.sealed:
            return _is(piece, name, info)
        if piece.name.copy:
            return False
        if piece.name.end == name.end:
            return piece.name.digest == name.digest
        longer = piece.entry.size >= info.length if piece.name.sealed else piece.name.end > name.end
        return longer and not self._is_of_another_history(piece, name)

    def _is_of_another_history(self, piece: Piece, name: SegmentName) -> bool:
        """Tell whether a file that is longer than ours was taken in under another name.

        Of a fork the branch that has the name may be the shorter one; it must go out all the same.
        """
        if self._held.has(piece.name):
            return True
        if piece.name.sealed:
            return False
        return any(
            self._starts_with(name.zone, info, piece)
            for writer, infos in self._held.segments[name.zone].items()
            for info in infos
            if writer.source == name.writer.source and writer != name.writer and info.number == name.number
        )

    def _starts_with(self, zone: str, info: SegmentInfo, piece: Piece) -> bool:
        end = piece.name.end
        if info.content_length < end:
            return False
        try:
            data = self._replicas[zone].read(info.writer, info.number, 0, end)
        except IntegrityError:
            return False
        return digest_text(content_hash(data)) == piece.name.digest

    def _slices(self, key: Key) -> list[Piece]:
        """List our own slices of a segment that are not cut short."""
        return [
            piece
            for piece in self._own.get(key, ())
            if not (piece.name.sealed or piece.name.copy)
            and piece.entry.size > piece.name.end - piece.name.start
        ]

    def _own_copy_is_whole(self, name: SegmentName, info: SegmentInfo) -> bool:
        """Read our own files again, because somebody could not use them."""
        try:
            if info.sealed:
                whole = self._shelf.read(self._survey.own.name, name.file_name, info.length) or b""
                return whole == self._replicas[name.zone].read(info.writer, info.number, 0, info.length)
            found = [
                decode_tail(data)
                for piece in _leading_to(name, self._slices(name.key))
                if (data := self._shelf.read(piece.folder, piece.file, TAIL_FILE_BYTES_MAX)) is not None
            ]
        except (Unreadable, IntegrityError):
            return False
        return any(digest_text(last.signed.head.sha256) == name.digest for _, last in join_tails(found))

    def _needed(self, zone: str, info: SegmentInfo) -> bool:
        """Tell whether somebody lacks it; where nothing is pruned, the directory gets everything."""
        if self._keep_seconds is None or not self._readers:
            return True
        return not all(reader.acknowledges(zone, info) for reader in self._readers)

    def _put_sealed(self, item: Planned) -> None:
        info = item.info
        data = self._replicas[item.zone].read(info.writer, info.number, 0, info.length)
        if len(data) != info.length:
            raise IntegrityError(
                f"{info.writer} segment {info.number} has {len(data)} of {info.length} bytes"
            )
        self._put(item.name.file_name, data)

    def _put_tail(self, item: Planned) -> None:
        info, replica = item.info, self._replicas[item.zone]
        # The head first: what it covers never changes, whatever is appended from here on.
        signed = replica.signed_head(info.writer, info.number)
        if signed.head.sealed:
            return  # it was closed just now, and goes out whole the next time
        end = signed.head.length
        data = replica.read(info.writer, info.number, 0, end)
        if content_hash(data) != signed.head.sha256:
            raise IntegrityError(f"{info.writer} segment {info.number} is not what its head says")
        proved = self._proved(item.name.key, data)
        kept = [] if item.afresh else slices_to_keep(proved, end)
        start = kept[-1].name.end if kept else 0
        name = replace(item.name, start=start, end=end, digest=digest_text(signed.head.sha256))
        self._put(name.file_name, encode_tail(Tail(info.writer, start, signed, data[start:])))
        # Only after the new slice is on the disk; what it covers is in the store as well.
        for piece in proved:
            if piece not in kept and piece.file != name.file_name:
                self._shelf.remove(piece.folder, piece.file)

    def _proved(self, key: Key, data: bytes) -> list[Piece]:
        """List our own slices of a segment that are of the history we hold."""
        return [
            piece
            for piece in self._slices(key)
            if piece.name.end <= len(data)
            and digest_text(content_hash(data[: piece.name.end])) == piece.name.digest
        ]

    def _drop_slices_of_sealed(self) -> None:
        """Take away our slices of segments that lie there whole by now."""
        for zone, held in self._held.segments.items():
            for info in itertools.chain.from_iterable(held.values()):
                key = SegmentName(zone, info.writer, info.number, "").key
                if info.sealed and any(not piece.name.sealed for piece in self._own.get(key, ())):
                    self._drop_slices(zone, info, key)

    def _drop_slices(self, zone: str, info: SegmentInfo, key: Key) -> None:
        try:
            data = self._replicas[zone].read(info.writer, info.number, 0, info.content_length)
        except IntegrityError:
            return
        for piece in self._proved(key, data):
            self._shelf.remove(piece.folder, piece.file)

    def _put(self, name: str, data: bytes) -> None:
        self._shelf.put(self._survey.member.folder, name, data)
        self._report.files_written += 1
        self._report.bytes_written += len(data)

    def _prune(self) -> None:
        """Take away sealed segments of ours that every reader has, that are old, and that our store holds.

        Somebody who comes to lack one all the same gets it again: what is emitted follows from what the
        readers say they hold, not from what was emitted before.
        """
        if self._keep_seconds is None or not self._readers:
            return
        # A clone that shares our folder may have written the statement in it, and lack what we hold.
        said = Reader(self._survey.own.state) if self._survey.own.state else None
        for zone, held in self._held.segments.items():
            for info in itertools.chain.from_iterable(held.values()):
                if said is not None and not said.acknowledges(zone, info):
                    continue
                if info.sealed and not self._needed(zone, info):
                    self._prune_one(
                        SegmentName(zone, info.writer, info.number, digest_text(info.sha256)), info
                    )

    def _prune_one(self, name: SegmentName, info: SegmentInfo) -> None:
        assert self._keep_seconds is not None
        for piece in self._own.get(name.key, ()):
            age_seconds = (self._now_ns - piece.entry.changed_ns) / 1e9
            if _is(piece, name, info) and age_seconds >= self._keep_seconds:
                self._shelf.remove(piece.folder, piece.file)
                self._report.files_pruned += 1
                self._report.bytes_pruned += piece.entry.size

    def _live_readers(self) -> Iterator[State]:
        """Give the hosts that are waited for: those that have said something new in the last months."""
        own = self._survey.own.state
        for folder, state in self._survey.readers():
            counter, since_ns = own.seen.get(folder, (-1, 0)) if own else (-1, 0)
            silent_seconds = (self._now_ns - since_ns) / 1e9
            if counter != state.counter or silent_seconds < limits.DIRECTORY_FORGET_SECONDS:
                yield state


class Reader:
    """What another host says it holds."""

    def __init__(self, state: State) -> None:
        self._entries = {
            (zone, entry.writer): entry for zone, item in state.zones.items() for entry in item.entries
        }

    def acknowledges(self, zone: str, info: SegmentInfo) -> bool:
        """Tell whether it holds a segment."""
        entry = self._entries.get((zone, info.writer))
        if entry is None:
            return False
        if info.number == entry.number:
            return relate(info, entry) in (Relation.SAME, Relation.BEHIND)
        return info.number < entry.number or not list(missing_above([info], entry))


def slices_to_keep(proved: list[Piece], end: int) -> list[Piece]:
    """Choose which slices stay below a new one: they join from byte 0, each more than twice the next.

    So there are at most as many as the segment has binary digits, and a byte is written that often at most.
    """
    kept = _joined(proved)
    while kept:
        last = kept[-1].name
        if last.end - last.start > 2 * (end - last.end):
            break
        kept.pop()
    return kept


def _joined(slices: list[Piece]) -> list[Piece]:
    """Pick slices that follow each other from byte 0 on, by their names."""
    joined: list[Piece] = []
    for piece in sorted(slices, key=lambda item: (item.name.start, -item.name.end)):
        if piece.name.start == (joined[-1].name.end if joined else 0):
            joined.append(piece)
    return joined


def _leading_to(name: SegmentName, slices: list[Piece]) -> list[Piece]:
    """Pick slices that lead from byte 0 to where ``name`` ends, by their names; none when one is missing.

    Beside them may lie those of another history, of a clone that shares this folder.
    """
    chain = [piece for piece in slices if (piece.name.end, piece.name.digest) == (name.end, name.digest)][:1]
    while chain and chain[0].name.start:
        before = next((piece for piece in slices if piece.name.end == chain[0].name.start), None)
        if before is None:
            return []
        chain.insert(0, before)
    return chain


def _is(piece: Piece, name: SegmentName, info: SegmentInfo) -> bool:
    """Tell whether a file is, by its name and size, the sealed segment of that name."""
    same = piece.name.sealed and not piece.name.copy and piece.name.digest == name.digest
    return same and piece.entry.size == info.length


def _by_key(pieces: Iterable[Piece]) -> dict[Key, list[Piece]]:
    found: dict[Key, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(piece.name.key, []).append(piece)
    return found
