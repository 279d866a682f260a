"""Fleet coverage: which hosts reviewed what and up to when, so that silence can be told from blindness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import msgspec

from jilog_ledger.event import JsonValue
from jilog_ledger.times import format_time
from jilog_review.aggregate import Report, Summary
from jilog_review.transcript import Coverage

PROBLEMS_SHOWN_MAX = 5
"""Problems of one host that a digest lists; the number of all is told."""


@dataclass(frozen=True, slots=True)
class HostCoverage:
    """What one host reviewed in the window. ``last_date`` is its last review date, ``recorded_ns`` when that
    scan was recorded (Unix nanoseconds).
    """

    host: str
    last_date: str
    recorded_ns: int
    sessions: int
    coverage: Coverage
    readers: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object."""
        coverage: JsonValue = msgspec.to_builtins(self.coverage)
        return {
            "host": self.host,
            "reviewed_date": self.last_date,
            "reviewed_at": format_time(self.recorded_ns),
            "sessions": self.sessions,
            "readers": list(self.readers),
            "coverage": coverage,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class SilentHost:
    """A host that writes to this ledger and left no review in the window.

    ``last_date`` is that of its last review in the days before, None when there is none.
    """

    host: str
    last_date: str | None

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object."""
        return {"host": self.host, "last_review_date": self.last_date}


def host_coverage(summary: Summary) -> tuple[HostCoverage, ...]:
    """Add the scans of the window up by host."""
    ordered = sorted(summary.reports, key=lambda report: report.run.host)
    return tuple(
        _covered(host, tuple(reports)) for host, reports in groupby(ordered, key=lambda r: r.run.host)
    )


def _covered(host: str, reports: tuple[Report, ...]) -> HostCoverage:
    runs = [report.run for report in reports]
    return HostCoverage(
        host=host,
        last_date=max(run.review_date for run in runs),
        recorded_ns=max(report.recorded_ns for report in reports),
        sessions=sum(run.sessions for run in runs),
        coverage=sum((run.coverage for run in runs), Coverage()),
        readers=tuple(sorted({count.reader for run in runs for count in run.readers})),
        problems=tuple(dict.fromkeys(problem for run in runs for problem in run.problems)),
    )


def silent_hosts(summary: Summary) -> tuple[SilentHost, ...]:
    """Name the hosts that are known and did not report, by their names."""
    reported = {report.run.host for report in summary.reports}
    last: dict[str, str] = {}
    for report in summary.earlier_reports:
        last[report.run.host] = max(last.get(report.run.host, ""), report.run.review_date)
    known = summary.background.hosts if summary.background else frozenset()
    return tuple(SilentHost(host, last.get(host)) for host in sorted((known | last.keys()) - reported))


def sessions_read(reports: Iterable[Report]) -> int:
    """Count the sessions in which something new was read: where a problem could have shown."""
    return sum(report.run.sessions for report in reports)
