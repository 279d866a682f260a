"""The nightly review: scan this host, record what is new, and write the digest of the whole fleet's window.

The order makes every crash harmless. Signals are appended first: dying after that leaves the cursors
behind, so the next run reads the same lines again, finds the same ids in the ledger and appends nothing
twice. What the scan counted as spend is saved before that (see :mod:`jilog_review.billed`). Cursors are
saved second: dying after that leaves the digest to the next run, which makes it from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from pathlib import Path

from jilog_ledger.event import Event, EventDraft
from jilog_ledger.identifiers import Writer
from jilog_ledger.times import SECOND_NS
from jilog_review import limits
from jilog_review.aggregate import (
    HISTORY_DAYS,
    Background,
    Summary,
    Window,
    aggregate,
    days_before,
    window_of,
)
from jilog_review.billed import NOTHING_BILLED, Billed
from jilog_review.cursor import CursorBook, prune
from jilog_review.digest import digest_name, render_digest
from jilog_review.issue_view import with_issues
from jilog_review.labels import read_labels
from jilog_review.log import LearningLog
from jilog_review.profiles import Profile
from jilog_review.reader import Reader
from jilog_review.runs import Run, own_runs, runs_in, usage_fields
from jilog_review.scan import Progress, Scan, problem_lines, scan_transcripts
from jilog_review.scan_pool import Workshop
from jilog_review.signal import Signal, Stamp

_GAP_DAYS_MAX = 14
"""How far back a review looks for the one before it; a host that was off for longer starts afresh."""


@dataclass(frozen=True, slots=True)
class Night:
    """One nightly review, as asked for.

    ``since_seconds`` is how far back, from ``now_ns`` (Unix nanoseconds), files must have changed to be
    read, and how many days (rounded up) the digest covers. ``frontier_root`` is the zone's root in hex,
    noted in the run. ``workshop`` lets a long scan be shared with worker processes.
    """

    stamp: Stamp
    profile: Profile
    readers: tuple[Reader, ...]
    since_seconds: int
    now_ns: int
    digest_folder: Path
    frontier_root: str | None = None
    dry_run: bool = False
    workshop: Workshop | None = None

    @property
    def since_ns(self) -> int:
        """From when on files must have changed to be read, in Unix nanoseconds."""
        return max(0, self.now_ns - self.since_seconds * SECOND_NS)

    @property
    def window(self) -> Window:
        """The review dates that the digest covers."""
        return window_of(self.stamp.review_date, self.since_seconds)

    @property
    def digest_path(self) -> Path:
        """Where the digest goes."""
        return self.digest_folder / digest_name(self.stamp.review_date)


@dataclass(frozen=True, slots=True)
class NightResult:
    """What a nightly review did. ``digest_path`` is None when nothing was written (a dry run)."""

    night: Night
    scan: Scan
    new_signals: tuple[Signal, ...]
    summary: Summary
    digest: str
    digest_path: Path | None


SaveCursors = Callable[[CursorBook], None]
SaveBilled = Callable[[Billed], None]
WriteFile = Callable[[Path, bytes], None]
"""Puts a whole file in place at once: readers see the old one or the new one."""


def run_night(
    night: Night,
    log: LearningLog,
    *,
    cursors: CursorBook,
    save_cursors: SaveCursors,
    write_file: WriteFile,
    progress: Progress | None = None,
    billed: Billed = NOTHING_BILLED,
    save_billed: SaveBilled | None = None,
) -> NightResult:
    """Review one night. A dry run reads the whole window afresh, and neither records nor writes anything.

    ``billed`` are the responses that earlier reviews counted; they are no part of this one's spend.

    Raises:
        JilogError: the ledger or the digest's folder cannot be written.
    """
    billed = billed.settled(log)
    scan = scan_transcripts(
        night.readers,
        night.profile,
        night.stamp,
        since_ns=night.since_ns if night.dry_run else _since_last_review(night, log),
        cursors={} if night.dry_run else cursors,
        progress=progress,
        workshop=night.workshop,
        counted_before=billed,
    )
    new, drafts = plan_record(night, log, scan)
    if night.dry_run:
        unwritten = _as_if_appended(drafts, night.stamp.host)
        summary = summarise(log, night.window, night.profile, unwritten)
        return NightResult(night, scan, new, summary, _page(night, summary), None)
    keys = scan.billed_keys() if save_billed is not None else ()
    if keys and save_billed is not None:
        save_billed(billed.awaiting(drafts[-1].event_id, night.stamp.review_date, keys))
    for start in range(0, len(drafts), limits.APPEND_EVENTS_MAX):
        log.append(drafts[start : start + limits.APPEND_EVENTS_MAX])
    save_cursors(prune(scan.cursors, night.now_ns))
    summary = summarise(log, night.window, night.profile)
    page = _page(night, summary)
    write_file(night.digest_path, page.encode("utf-8", "replace"))
    return NightResult(night, scan, new, summary, page, night.digest_path)


def write_digest(result: NightResult, log: LearningLog, write_file: WriteFile) -> NightResult:
    """Make the digest of a night anew, from what the ledger holds by now, and put it in place of the first.

    Issues are filed after the first one is written, so that no tracker can keep a digest from its readers.
    """
    summary = summarise(log, result.night.window, result.night.profile)
    page = _page(result.night, summary)
    write_file(result.night.digest_path, page.encode("utf-8", "replace"))
    return replace(result, summary=summary, digest=page)


def digest_of(log: LearningLog, last: date, days: int, profile: Profile) -> str:
    """Give the digest of ``days`` review dates that end with ``last``, from the ledger alone."""
    window = Window(days_before(last, max(1, days) - 1), last)
    summary = summarise(log, window, profile)
    return render_digest(summary, plain=profile.plain_layout)


def summarise(log: LearningLog, window: Window, profile: Profile, unwritten: Iterable[Event] = ()) -> Summary:
    """Give what a window holds; ``unwritten`` events count as if they stood in the log.

    The seed's layout says nothing of the weeks before, nor does it know labels: neither is read for it.
    """
    return with_issues(_aggregated(log, window, profile, unwritten), log.filings())


def _aggregated(log: LearningLog, window: Window, profile: Profile, unwritten: Iterable[Event]) -> Summary:
    if profile.plain_layout:
        return aggregate(chain(log.events(window.first, window.last), unwritten), window, profile.name)
    background = Background(read_labels(log.labels()), frozenset(log.hosts()))
    events = chain(log.events(window.before.first, window.last), unwritten)
    return aggregate(events, window, profile.name, background)


def plan_record(night: Night, log: LearningLog, scan: Scan) -> tuple[tuple[Signal, ...], list[EventDraft]]:
    """Choose what the ledger does not hold yet: the new signals, and the events to append for this scan.

    The scan's own event comes last: where it stands, its signals stand before it.
    """
    known = log.known_signals(scan.signals.keys())
    new = tuple(signal for signal in scan.signals.values() if signal.id not in known)
    drafts = [signal.to_draft(night.now_ns) for signal in new]
    if _leaves_run(night, log, scan):
        drafts.append(_run_of(night, scan, new).to_draft(night.now_ns))
    return new, drafts


def _leaves_run(night: Night, log: LearningLog, scan: Scan) -> bool:
    """Tell whether this scan is worth an event: it read something new, has something to say that the date's
    other ones have not, or is the date's first of a host that reviews.

    A host on which no transcript was ever found leaves none, so that looking at a digest there does not
    change the ledger; one that merely rested says so, for it must not be taken for one that is off.
    """
    if scan.coverage.lines > 0:
        return True
    day = night.stamp.review_date
    today = list(_own_runs(night, log, day))
    told = {problem for run in today for problem in run.problems}
    if any(problem not in told for problem in _told_problems(night, scan)):
        return True
    if today:
        return False
    return scan.sources > 0 or any(_own_runs(night, log, days_before(day, HISTORY_DAYS)))


def _own_runs(night: Night, log: LearningLog, first: date) -> Iterator[Run]:
    """Give what this host recorded of its scans from a date to the review's, with the same profile."""
    days = (first, night.stamp.review_date)
    return own_runs(log.events(*days), night.stamp.host, night.profile.name, days)


def _told_problems(night: Night, scan: Scan) -> tuple[str, ...]:
    return tuple(problem_lines(scan.problems[: limits.RUN_PROBLEMS_MAX], night.stamp))


def _since_last_review(night: Night, log: LearningLog) -> int:
    """Reach back to this host's last review where that is longer ago than asked for.

    A host that was off for some nights must not pass over what changed meanwhile. What the cursors know costs
    nothing to meet again.
    """
    day = night.stamp.review_date
    reviews = (
        event.stored.timestamp_ns
        for event in log.events(days_before(day, _GAP_DAYS_MAX), day)
        for run in runs_in([event])
        if run.host == night.stamp.host and run.profile == night.profile.name
    )
    return min(night.since_ns, max(reviews, default=night.since_ns))


def _run_of(night: Night, scan: Scan, new: Sequence[Signal]) -> Run:
    input_tokens, output_tokens, cost = usage_fields(scan.usage)
    return Run(
        host=night.stamp.host,
        profile=night.profile.name,
        review_date=night.stamp.review_date.isoformat(),
        readers=scan.counts(),
        coverage=scan.coverage,
        signals_new=len(new),
        redactions=sum(signal.redactions for signal in new),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost,
        frontier_root=night.frontier_root,
        problems=_told_problems(night, scan),
        spend=scan.spend.sorted(),
        tools=scan.tool_use.record(),
    )


def _as_if_appended(drafts: Sequence[EventDraft], host: str) -> Iterator[Event]:
    """Give the events that a dry run does not append, for the aggregation's eyes only."""
    writer = Writer(host, "dry-run")
    for sequence, draft in enumerate(drafts, start=1):
        yield Event("", writer, draft.stored(sequence))


def _page(night: Night, summary: Summary) -> str:
    return render_digest(summary, plain=night.profile.plain_layout)
