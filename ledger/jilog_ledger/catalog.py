"""All streams of a zone, kept in step with the manifest and with what other processes do.

Every method is called with the zone's lock held, so files do not change meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger import limits
from jilog_ledger.disk import Disk
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.head import content_hash, decode_head_file
from jilog_ledger.identifiers import EPOCH_PATTERN, NAME_PATTERN, Writer
from jilog_ledger.layout import ZoneLayout, segment_number
from jilog_ledger.manifest import Cut, Entry, Manifest, Quarantined, Sealed, SegmentInfo, WriterSeen
from jilog_ledger.segment import SEAL, SegmentReader, check_seal_signature, read_frames, read_segment
from jilog_ledger.stream import Stream
from jilog_ledger.times import format_time


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was not in order and what was done about it."""

    writer: Writer
    number: int
    problem: str
    action: str

    def __str__(self) -> str:
        # What concerns the manifest concerns no one writer.
        place = f"{self.writer} segment {self.number}: " if self.number else ""
        return f"{place}{self.problem}; {self.action}"


class Catalog:
    """The zone's streams by writer."""

    def __init__(
        self, zone: str, layout: ZoneLayout, disk: Disk, *, own_public_key: bytes, clock: Callable[[], int]
    ) -> None:
        self.zone = zone
        self.own_public_key = own_public_key
        self.layout = layout
        self.disk = disk
        self.streams: dict[Writer, Stream] = {}
        self.findings: list[Finding] = []
        self._clock = clock
        self._manifest = Manifest(layout.manifest, disk)

    def refresh(self) -> None:
        """Take in what was added to the manifest, or make it anew when it is missing or damaged."""
        if not self._manifest.exists():
            self.rebuild()
            return
        try:
            for entry in self._manifest.read_new():
                self._apply(entry)
        except IntegrityError as exc:
            self.rebuild(exc.message)

    def check_writers(self) -> None:
        """Make the manifest anew when a writer has segments that it does not speak of.

        A manifest that lost whole records looks sound. Called when the store opens and by verify, since it
        lists one directory per source.
        """
        for writer in self._writers_on_disk():
            if writer not in self.streams and any(map(segment_number, self._names(writer))):
                self.rebuild(f"the manifest did not know {writer}")
                return

    def stream(self, writer: Writer) -> Stream:
        """Find a writer's stream, making its directory at first sight.

        Raises:
            IntegrityError: the zone has WRITERS_MAX writers already.
        """
        stream = self.streams.get(writer)
        if stream is None:
            if len(self.streams) >= limits.WRITERS_MAX:
                raise IntegrityError(f"zone {self.zone} has {limits.WRITERS_MAX} writers and takes no more")
            # The directory first: a record of a writer without a directory would mean lost segments.
            directory = self.layout.directory(writer)
            self.disk.make_directory(directory.parent)
            self.disk.make_directory(directory)
            self._add(WriterSeen(writer))
            stream = self.streams[writer]
        return stream

    def note_active(self, stream: Stream, number: int) -> None:
        """Record that segment ``number`` is the active one, when it is not the one after the last.

        That may be one above a gap, or one below sealed ones that fills a gap in part.
        """
        if number != stream.active_number:
            self._add(WriterSeen(stream.writer, number))

    def note_sealed(self, writer: Writer, reader: SegmentReader) -> SegmentInfo:
        """Record that a segment of ``writer`` is complete; its bytes are durable already."""
        info = SegmentInfo.of(reader, writer)
        stream = self.streams[writer]
        number = stream.active_number
        if info.number > number and stream.acknowledged_length():
            # It came before the rest of an earlier one, which stays the active one. Without the second record
            # nobody would look for that one's bytes again; a crash between the two is one that tears the
            # manifest, or leaves the first, and then verify finds a segment that no record speaks of.
            self._add(Sealed(info), WriterSeen(writer, number))
        else:
            self._add(Sealed(info))
        return info

    def cut(self, stream: Stream, number: int) -> None:
        """Remove a stream's segments from ``number`` on, which a branch holds durably by now.

        A crash in here leaves a shorter start of the old segments under the old name, which is as true as it
        was.
        """
        directory = self.layout.directory(stream.writer)
        held = filter(None, map(segment_number, self.disk.list_directory(directory)))
        self._add(Cut(stream.writer, number))
        # From the last one down, so that what is left has no gap.
        for doomed in sorted((n for n in held if n >= number), reverse=True):
            self.disk.remove(self.layout.segment(stream.writer, doomed))
        self.disk.remove(self.layout.head(stream.writer))
        stream.forget()

    def quarantine(self, writer: Writer, number: int, reason: str) -> None:
        """Move a segment out of the way, with its reason beside it, and report it.

        A crash after the move leaves a sealed segment on record whose file is gone; the next read of it
        finds that out and comes back here.
        """
        source = self.layout.segment(writer, number)
        self.disk.make_directory(self.layout.quarantine)
        if self.disk.size(source) is not None:
            target = self._free_quarantine_path(writer, number)
            note = {
                "zone": self.zone,
                "source": writer.source,
                "epoch": writer.epoch,
                "number": number,
                "reason": reason,
                "found_at": format_time(self._clock()),
                "sha256": content_hash(self.disk.read(source)).hex(),
            }
            self.disk.replace(target.with_suffix(".json"), json.dumps(note, indent=2).encode() + b"\n")
            self.disk.move(source, target)
        self._add(Quarantined(writer, number))
        self.findings.append(Finding(writer, number, reason, "moved to quarantine"))

    def read_sealed(self, info: SegmentInfo) -> bytes:
        """Read a sealed segment and compare its hash with the record.

        Raises:
            SegmentDamaged: the file is missing, shorter, longer or different.
        """
        import xxhash

        path = self.layout.segment(info.writer, info.number)
        size = self.disk.size(path)
        if size != info.length:
            found = "is missing" if size is None else f"has {size} bytes"
            raise SegmentDamaged(f"segment {found} where {info.length} were sealed", offset=size or 0)
        data = self.disk.read(path)
        if xxhash.xxh3_128(memoryview(data)[: info.content_length]).digest() != info.xxh3:
            raise SegmentDamaged("segment hash differs from the one recorded when it was sealed", offset=0)
        frames = list(read_frames(data, info.content_length))
        if [frame.kind for frame in frames] != [SEAL]:
            raise SegmentDamaged("segment does not end with its seal", offset=info.content_length)
        return data

    def read_active(self, stream: Stream, active: SegmentReader) -> bytes:
        """Read the open active segment up to its head and compare it with what was read or written before.

        Raises:
            SegmentDamaged: the file is not any more what it was.
        """
        import xxhash

        data = self.disk.read(stream.path(), 0, active.length)
        if len(data) != active.length or xxhash.xxh3_128(data).digest() != active.xxh3:
            raise SegmentDamaged("active segment is not what it was when it was written", offset=0)
        return data

    def rebuild(self, reason: str = "") -> None:
        """Make the manifest anew by reading every segment file; damaged ones go to quarantine."""
        self.streams = {}
        damaged: list[tuple[Writer, int, str]] = []
        self.disk.make_directory(self.layout.segments)
        for writer in self._writers_on_disk():
            numbers = sorted(filter(None, map(segment_number, self._names(writer))))
            self._apply(WriterSeen(writer))
            active = self._active_on_disk(writer, numbers)
            for number in numbers:
                try:
                    self._rebuild_segment(writer, number, may_be_open=number in (active, numbers[-1]))
                except IntegrityError as exc:
                    damaged.append((writer, number, exc.message))
            if active not in self.streams[writer].sealed:
                self._apply(WriterSeen(writer, active))
        entries: list[Entry] = [WriterSeen(writer) for writer in self.streams]
        entries += [Sealed(info) for stream in self.streams.values() for info in stream.sealed.values()]
        entries += [WriterSeen(writer, stream.active_number) for writer, stream in self.streams.items()]
        self._manifest.rewrite(entries)
        for writer, number, problem in damaged:
            self.quarantine(writer, number, problem)
        if reason:
            self.findings.append(Finding(Writer("", ""), 0, reason, "the manifest was rebuilt"))

    def _active_on_disk(self, writer: Writer, numbers: list[int]) -> int:
        """Say which segment is the active one: the one with a peer's signed head, else the newest."""
        path = self.layout.head(writer)
        data = self.disk.read(path) if self.disk.size(path) else b""
        recorded = decode_head_file(data, self.zone, writer)
        if recorded is not None and recorded.signature and recorded.head.number in numbers:
            return recorded.head.number
        return numbers[-1] if numbers else 1

    def _rebuild_segment(self, writer: Writer, number: int, *, may_be_open: bool) -> None:
        data = self.disk.read(self.layout.segment(writer, number))
        try:
            reader = read_segment(data)
        except SegmentDamaged:
            if may_be_open:
                return  # the active segment; opening its stream decides what is torn and what is damaged
            raise
        header = reader.header
        if (header.zone, header.writer, header.number) != (self.zone, self.streams[writer].origin, number):
            raise SegmentDamaged(f"segment claims to be {header.writer} number {header.number}", offset=0)
        if reader.seal is not None:
            check_seal_signature(reader)
            self._apply(Sealed(SegmentInfo.of(reader, writer)))
        elif not may_be_open:
            raise SegmentDamaged("segment has no seal although later segments exist", offset=len(data))

    def _writers_on_disk(self) -> list[Writer]:
        names = self.disk.list_directory
        return [
            Writer(source, epoch)
            for source in names(self.layout.segments)
            if NAME_PATTERN.match(source)
            for epoch in names(self.layout.segments / source)
            if EPOCH_PATTERN.match(epoch)
        ]

    def _names(self, writer: Writer) -> list[str]:
        return self.disk.list_directory(self.layout.directory(writer))

    def _free_quarantine_path(self, writer: Writer, number: int) -> Path:
        attempt = 1
        while self.disk.size(self.layout.quarantined(writer, number, attempt)) is not None:
            attempt += 1
        return self.layout.quarantined(writer, number, attempt)

    def _add(self, *entries: Entry) -> None:
        self._manifest.add(*entries)
        for entry in entries:
            self._apply(entry)

    def _apply(self, entry: Entry) -> None:
        match entry:
            case WriterSeen(writer, number):
                stream = self.streams.get(writer)
                if stream is None:
                    stream = self.streams[writer] = Stream(self.zone, writer, self.layout, self.disk)
                stream.activate(number)
            case Sealed(info):
                self.streams[info.writer].take_sealed(info)
            case Cut(writer, number):
                self.streams[writer].cut(number)
            case Quarantined(writer, number):
                stream = self.streams[writer]
                stream.drop_sealed(number)
                if number == stream.active_number:
                    stream.forget()
