"""What was learned, as commands ask for it: one zone's log, and the windows they look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from jilog_agent.identity import Identity
from jilog_agent.learning_log import LedgerLog
from jilog_agent.night import review_date
from jilog_agent.workspace import Workspace
from jilog_ledger.projection import Projection
from jilog_review.aggregate import Background, Summary, Window, aggregate
from jilog_review.labels import read_labels
from jilog_review.listing import signals_by_id
from jilog_review.signal import Signal
from jilog_review.trend import Trend, trend_of


@contextmanager
def open_log(workspace: Workspace, zone: str | None, identity: Identity) -> Iterator[LedgerLog]:
    """Open the log of a zone, the first one unless it is named."""
    chosen = workspace.config.zone(zone)
    with workspace.open_zone(chosen, identity) as ledger, Projection.open(ledger) as projection:
        yield LedgerLog(ledger, projection)


def background_of(log: LedgerLog) -> Background:
    """Read labels and hosts."""
    return Background(read_labels(log.labels()), frozenset(log.hosts()))


def window_summary(log: LedgerLog, window: Window, profile: str) -> Summary:
    """Give what a window holds, with labels, in whatever layout its digest is."""
    return aggregate(log.events(window.first, window.last), window, profile, background_of(log))


def all_signals(log: LedgerLog) -> dict[str, Signal]:
    """Read every signal of the ledger, by id."""
    return signals_by_id(log.events(date.min, date.max))


def weeks_window(timezone: str | None, now_ns: int, weeks: int) -> Window:
    """Give the whole weeks that end with today."""
    today = review_date(timezone, now_ns)
    return Window(date.fromordinal(max(1, today.toordinal() - 7 * weeks + 1)), today)


def read_trend(log: LedgerLog, window: Window, profile: str, alert_days: int) -> Trend:
    """Give the trend of a window."""
    return trend_of(
        log.events(window.first, window.last),
        log.filings(),
        window,
        profile,
        background_of(log),
        alert_days=alert_days,
    )
