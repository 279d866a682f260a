"""A directory as a transport: what hosts put there, others take, with no connection between them.

Any file-sync tool, a mount or a USB stick carries it. Each pass is one-way and needs nobody at the other
end; two hosts that go on emitting and ingesting come to hold the same. ``docs/protocol.md`` has the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jilog_ledger.times import now_ns
from jilog_spool.directory_emit import Emit
from jilog_spool.directory_files import DirectoryUnusable, Problem, Shelf
from jilog_spool.directory_format import Ask, State
from jilog_spool.directory_ingest import Ingest, OnBytes, Settled
from jilog_spool.directory_report import DirectoryReport
from jilog_spool.directory_statement import Statement
from jilog_spool.directory_survey import Member, Survey, check_shareable, take_survey
from jilog_spool.replica import Replica


def _tell_nobody(_done: int, _total: int) -> None:
    return


class SpoolDirectory:
    """One directory and the zones of this host that may go there.

    ``replicas`` are the granted zones: of any other nothing is read, written or taken. ``keep_seconds`` says
    how long a segment stays after it was emitted, provided that every reader has it; None keeps it for good.
    ``joined`` tells that this host has a folder there, as far as it remembers: when it is gone, the directory
    is somewhere else, as a stick that is not plugged in, and nothing is written.
    May be used from one thread at a time; each method blocks for the disk.
    """

    def __init__(
        self,
        shelf: Shelf,
        member: Member,
        replicas: Mapping[str, Replica],
        *,
        keep_seconds: int | None = None,
        joined: bool = False,
        clock: Callable[[], int] = now_ns,
    ) -> None:
        check_shareable(replicas)
        self.member = member
        self._shelf = shelf
        self._replicas = replicas
        self._keep_seconds = keep_seconds
        self._joined = joined
        self._clock = clock
        self._states: dict[tuple[str, str], State] = {}
        self._settled: Settled = {}

    def take_over(self, other: SpoolDirectory) -> None:
        """Take what another view of the same directory has read already, so that it is not read again."""
        self._states, self._settled = other._states, other._settled

    def emit(self, *, dry_run: bool = False, on_bytes: OnBytes = _tell_nobody) -> DirectoryReport:
        """Put out what others may lack, and say what this host holds.

        Raises:
            DirectoryUnusable: the directory cannot be listed, or not be written.
            StorageError: this host's own disk refused.
            BusyError: another process of this host is at it for too long.
        """
        report = DirectoryReport()
        if dry_run:
            planned = self._emission(self._survey(report), report, on_bytes).plan()
            report.files_written = len(planned)
            report.bytes_written = sum(item.size for item in planned)
            return report
        with self._shelf.lock():
            survey = self._survey(report)
            self._emission(survey, report, on_bytes).run()
            self._say(survey, survey.own.state.asks if survey.own.state else ())
        self._joined = True
        return report

    def ingest(self, *, dry_run: bool = False, on_bytes: OnBytes = _tell_nobody) -> DirectoryReport:
        """Take what is there, and say so there when it can be written.

        What stands in the way of saying it is in the report: taking works from a read-only directory, too.

        Raises:
            DirectoryUnusable: the directory cannot be listed.
            StorageError: this host's own disk refused.
            BusyError: another process of this host is at it for too long.
        """
        report = DirectoryReport()
        if dry_run:
            pieces = self._ingestion(self._survey(report), report, on_bytes).wanted()
            report.files_read = len(pieces)
            report.bytes_read = sum(piece.entry.size for piece in pieces)
            return report
        with self._shelf.lock():
            survey = self._survey(report)
            asks = self._ingestion(survey, report, on_bytes).run()
            try:
                self._say(survey, asks)
                self._joined = True
            except DirectoryUnusable as exc:
                report.error = exc
        return report

    def _survey(self, report: DirectoryReport) -> Survey:
        survey = take_survey(self._shelf, self.member, report, self._states)
        if self._joined and self.member.folder not in survey.folders:
            raise DirectoryUnusable(
                f"the folder {self.member.folder}, which this host has written there, is gone",
                Problem.MISSING,
                hint="plug it in or mount it; if it was emptied on purpose: jilog spool emit DIR --fresh",
            )
        return survey

    def _emission(self, survey: Survey, report: DirectoryReport, on_bytes: OnBytes) -> Emit:
        return Emit(
            self._shelf,
            self._replicas,
            survey,
            report,
            now_ns=self._clock(),
            keep_seconds=self._keep_seconds,
            on_bytes=on_bytes,
        )

    def _ingestion(self, survey: Survey, report: DirectoryReport, on_bytes: OnBytes) -> Ingest:
        return Ingest(self._shelf, self._replicas, survey, report, settled=self._settled, on_bytes=on_bytes)

    def _say(self, survey: Survey, asks: tuple[Ask, ...]) -> None:
        Statement(self._shelf, survey, self._replicas, self._clock()).write(asks)
