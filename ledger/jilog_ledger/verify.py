"""Reading everything again: what is on disk must be what was sealed, signed and chained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from jilog_ledger.catalog import Catalog, Finding
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.identifiers import Writer
from jilog_ledger.layout import parse_part_name, segment_number
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.segment import SegmentReader, check_seal_signature, read_segment
from jilog_ledger.stream import Stream


@dataclass(slots=True)
class VerifyReport:
    """What a verification read and found. ``bytes_read`` counts segment bytes."""

    segments: int = 0
    events: int = 0
    bytes_read: int = 0
    findings: list[Finding] = field(default_factory=list)


class Verifier:
    """Check one zone, segment by segment, so that appends can go on in between."""

    def __init__(
        self,
        catalog: Catalog,
        open_active: Callable[[Stream], SegmentReader | None],
        exclusive: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._catalog = catalog
        self._open_active = open_active
        self._exclusive = exclusive

    def run(self, *, repair: bool = True, progress: Callable[[int], None] | None = None) -> VerifyReport:
        """Verify all; damaged segments go to quarantine unless ``repair`` is off.

        ``progress`` is told the events of each sealed segment once it was read.
        """
        report = VerifyReport()
        with self._exclusive():
            before = len(self._catalog.findings)
            if repair:
                self._sweep()
            writers = sorted(self._catalog.streams)
            report.findings += self._catalog.findings[before:]
        for writer in writers:
            stream = self._catalog.streams[writer]
            for number in sorted(stream.sealed):
                # A segment that another process took away meanwhile has none left to read.
                info = stream.sealed.get(number)
                with self._exclusive():
                    self._verify_sealed(stream, number, report, repair=repair)
                if progress is not None and info is not None:
                    progress(info.events)
            with self._exclusive():
                self._verify_active(stream, report, repair=repair)
        return report

    def _verify_sealed(self, stream: Stream, number: int, report: VerifyReport, *, repair: bool) -> None:
        info = stream.sealed.get(number)
        if info is None:
            return
        try:
            data = self._catalog.read_sealed(info)
            reader = read_segment(data)
            if SegmentInfo.of(reader, info.writer) != info:
                raise SegmentDamaged("segment differs from the record of its seal", offset=0)
            check_seal_signature(reader)
            self._check_chain(stream, info, reader.header.previous_sha256)
        except IntegrityError as exc:
            self._found(stream.writer, number, exc.message, report, repair=repair)
            return
        report.segments += 1
        report.events += info.events
        report.bytes_read += len(data)

    def _check_chain(self, stream: Stream, info: SegmentInfo, previous_sha256: bytes) -> None:
        previous = stream.sealed.get(info.number - 1)
        if previous is not None and previous.sha256 != previous_sha256:
            raise SegmentDamaged(f"segment does not follow segment {previous.number}", offset=0)

    def _verify_active(self, stream: Stream, report: VerifyReport, *, repair: bool) -> None:
        if not repair:
            self._peek_active(stream, report)
            return
        before = len(self._catalog.findings)
        stream.forget()
        reader = self._open_active(stream)
        report.findings += self._catalog.findings[before:]
        if reader is not None:
            report.segments += 1
            report.events += reader.events
            report.bytes_read += reader.length

    def _peek_active(self, stream: Stream, report: VerifyReport) -> None:
        """Look at the active segment without mending anything."""
        acknowledged = stream.acknowledged_length()
        size = self._catalog.disk.size(stream.path())
        if size is None and not acknowledged:
            return
        data = self._catalog.disk.read(stream.path()) if size else b""
        reader, damage = stream.read_active(data)
        whole = reader.length if reader else 0
        if damage is not None or whole < acknowledged:
            problem = damage.message if damage else f"segment ends at byte {whole} of {acknowledged}"
            self._found(stream.writer, stream.active_number, problem, report, repair=False)
        elif reader is not None:
            report.segments += 1
            report.events += reader.events
            report.bytes_read += whole

    def _found(
        self, writer: Writer, number: int, problem: str, report: VerifyReport, *, repair: bool
    ) -> None:
        if repair:
            self._catalog.quarantine(writer, number, problem)
            report.findings.append(self._catalog.findings[-1])
        else:
            report.findings.append(Finding(writer, number, problem, "left where it is"))

    def _sweep_parts(self) -> None:
        """Remove parts of transfers that cannot be resumed, since more of the segment is held by now."""
        disk, layout = self._catalog.disk, self._catalog.layout
        for name in disk.list_directory(layout.incoming):
            part = parse_part_name(name)
            if part is not None and part.base != self._held_length(part.writer, part.number):
                disk.remove(layout.incoming / name)

    def _held_length(self, writer: Writer, number: int) -> int:
        stream = self._catalog.streams.get(writer)
        if stream is None:
            return 0
        if number in stream.sealed:
            return stream.sealed[number].length
        active = self._open_active(stream) if number == stream.active_number else None
        return active.length if active else 0

    def _sweep(self) -> None:
        """Remove what crashes left behind, and notice segments that no record speaks of."""
        disk, layout = self._catalog.disk, self._catalog.layout
        self._catalog.check_writers()
        unknown = False
        for writer, stream in self._catalog.streams.items():
            directory = layout.directory(writer)
            for name in disk.list_directory(directory):
                number = segment_number(name)
                if name.endswith(".tmp"):
                    disk.remove(directory / name)
                elif number is not None and number not in stream.sealed and number != stream.active_number:
                    unknown = True
        self._sweep_parts()
        for directory in (layout.root, layout.incoming, layout.quarantine):
            for name in disk.list_directory(directory):
                if name.endswith(".tmp"):
                    disk.remove(directory / name)
        if unknown:
            self._catalog.rebuild("segments exist that the manifest does not know")
