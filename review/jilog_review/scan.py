"""The scan: from the files of one host to signals. It reads and judges; it records nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from jilog_review import limits
from jilog_review.billed import NOTHING_BILLED, Billed, response_key
from jilog_review.cursor import BEGINNING, CursorBook, cursor_key
from jilog_review.exposure import ToolUse
from jilog_review.profiles import Profile
from jilog_review.reader import Discovery, Problem, Reader
from jilog_review.runs import ReaderCount
from jilog_review.scan_pool import ScanPool, Workshop, workers_max
from jilog_review.scan_task import Task
from jilog_review.signal import Signal, Stamp
from jilog_review.source_scan import PieceScan, SourceScan, SourceScanner, one_line
from jilog_review.spend import SpendTally
from jilog_review.transcript import Bill, Coverage, Usage, usage_of

Progress = Callable[[str, int, int], None]
"""Told after each source: the reader's name, sources done, sources in all."""


@dataclass(slots=True)
class SessionCount:
    """What one session gave in this scan."""

    reader: str
    session_id: str
    source_file: str
    lines: int = 0
    human_messages: int = 0
    tool_calls: int = 0
    signals: int = 0


@dataclass(slots=True)
class Scan:
    """What a scan found. ``signals`` are distinct facts, in the order of their sources; ``cursors`` is the
    book to keep.

    ``sources`` counts what was discovered, with something new in it or not. ``counted_before`` are the
    responses in the spend of earlier reviews of ``profile``.
    """

    signals: dict[str, Signal] = field(default_factory=dict)
    sessions: dict[tuple[str, str], SessionCount] = field(default_factory=dict)
    cursors: CursorBook = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    usage: Usage = field(default_factory=Usage)
    spend: SpendTally = field(default_factory=SpendTally)
    tool_use: ToolUse = field(default_factory=ToolUse)
    problems: list[Problem] = field(default_factory=list)
    sources: int = 0
    profile: str = ""
    counted_before: Billed = NOTHING_BILLED
    _billed: dict[str, set[str]] = field(default_factory=dict)

    def counts(self) -> tuple[ReaderCount, ...]:
        """Add the sessions with something new up by reader, in the order of readers' names."""
        by_reader: dict[str, ReaderCount] = {}
        for session in self.sessions.values():
            if session.lines == 0:
                continue
            before = by_reader.get(session.reader, ReaderCount(reader=session.reader))
            by_reader[session.reader] = replace(
                before,
                sessions=before.sessions + 1,
                human_messages=before.human_messages + session.human_messages,
                tool_calls=before.tool_calls + session.tool_calls,
                signals=before.signals + session.signals,
            )
        return tuple(by_reader[name] for name in sorted(by_reader))

    def take(self, key: str, found: SourceScan) -> None:
        """Add what one source gave; ``key`` is its cursor's in the book."""
        self.problems.extend(found.problems)
        if found.unreadable:
            self.coverage += Coverage(unreadable=1)
        if found.cursor is not None:
            self.cursors[key] = found.cursor
        for piece in found.pieces:
            self._take_piece(piece)

    def _take_piece(self, piece: PieceScan) -> None:
        piece = structs.replace(piece, usage=self._usage_of(piece), bills=())
        self.coverage += piece.coverage
        self.usage += piece.usage
        count = self._session(piece)
        count.lines += piece.coverage.lines
        count.human_messages += piece.human_messages
        count.tool_calls += piece.tool_calls
        self.tool_use.add(piece.root_session, piece.tools)
        if piece.coverage.lines:
            self.spend.add(piece)
        for signal in piece.signals:
            if self.signals.setdefault(signal.id, signal) is signal:
                count.signals += 1

    def _usage_of(self, piece: PieceScan) -> Usage:
        """Give what a piece consumed, less the responses that were counted with another one, or earlier."""
        billed = self._billed.setdefault(piece.reader, set())
        repeated = [bill for bill in piece.bills if bill.key in billed or self._was_counted(piece, bill)]
        if len(billed) < limits.BILLS_MAX:
            billed.update(bill.key for bill in piece.bills)
        if not repeated:
            return piece.usage
        again, usage = usage_of(repeated), piece.usage
        cost = usage.cost
        if cost is not None and again.cost is not None:
            cost -= again.cost
        read, written = usage.input_tokens - again.input_tokens, usage.output_tokens - again.output_tokens
        return Usage(read, written, cost) if read or written or cost else Usage()

    def _was_counted(self, piece: PieceScan, bill: Bill) -> bool:
        before = self.counted_before
        return not before.is_empty and response_key(self.profile, piece.reader, bill.key) in before

    def billed_keys(self) -> set[int]:
        """Give the responses that this scan met, as later reviews remember them."""
        return {
            response_key(self.profile, reader, key) for reader, keys in self._billed.items() for key in keys
        }

    def _session(self, piece: PieceScan) -> SessionCount:
        key = (piece.reader, piece.session_id)
        count = self.sessions.get(key)
        if count is None:
            count = SessionCount(piece.reader, piece.session_id, piece.source_file)
            self.sessions[key] = count
        return count


def scan_transcripts(
    readers: Sequence[Reader],
    profile: Profile,
    stamp: Stamp,
    *,
    since_ns: int,
    cursors: CursorBook,
    progress: Progress | None = None,
    workshop: Workshop | None = None,
    counted_before: Billed = NOTHING_BILLED,
) -> Scan:
    """Read what is new since ``cursors`` in every source modified at or after ``since_ns``, and judge it.

    A source that is waiting (something of it could not be read or judged) is looked at whatever its age. What
    cannot be read becomes a problem and a count; nothing that stands in a file ends the scan. ``workshop``
    tells how to make readers and rules in other processes: with it, much to read is shared with them. The
    result does not depend on that. Responses ``counted_before`` are not counted again.
    """
    scan = Scan(cursors=dict(cursors), profile=profile.name, counted_before=counted_before)
    tasks = _tasks(scan, readers, profile, since_ns)
    scanner = SourceScanner(profile.detectors, stamp)
    scanning = _Scanning(tasks, readers, scanner, _Told(progress, readers, tasks))
    for task, found in scanning.results(workshop):
        scan.take(task.key, found)
    scan.problems.extend(scanning.problems())
    return scan


def _tasks(scan: Scan, readers: Sequence[Reader], profile: Profile, since_ns: int) -> list[Task]:
    """Discover every reader's sources; those without anything new are done with here.

    What two readers of one name both find, because two tables name one folder, counts once.
    """
    tasks: list[Task] = []
    unchanged = 0
    met: set[str] = set()
    for index, reader in enumerate(readers):
        prefix = cursor_key(profile.name, reader.name, "")
        discovery = _discover(reader, _since(scan.cursors, prefix, since_ns))
        problems = [problem for problem in discovery.problems if problem not in scan.problems]
        scan.problems.extend(problems)
        scan.coverage += Coverage(unreadable=len(problems))
        for source in discovery.sources:
            key = cursor_key(profile.name, reader.name, source.key)
            cursor = scan.cursors.get(key)
            if source.modified_ns < since_ns and not (cursor is not None and cursor.waiting):
                continue
            if key in met:
                continue
            met.add(key)
            scan.sources += 1
            if cursor is not None and cursor.covers(source.size_bytes, source.modified_ns):
                unchanged += 1
            else:
                tasks.append(Task(number=len(tasks), reader=index, key=key, source=source, cursor=cursor))
    scan.coverage += Coverage(files=unchanged)
    return tasks


def _since(cursors: CursorBook, prefix: str, since_ns: int) -> int:
    """Reach back to the oldest source that waits."""
    waiting = (
        cursor.modified_ns for key, cursor in cursors.items() if cursor.waiting and key.startswith(prefix)
    )
    return min(since_ns, min(waiting, default=since_ns))


def _discover(reader: Reader, since_ns: int) -> Discovery:
    # Readers may come from other packages: whatever one raises must not keep the others from being read.
    try:
        return reader.discover(since_ns)
    except Exception as exc:
        return Discovery(problems=(Problem(reader.name, f"reader failed: {one_line(exc)}"),))


@dataclass(slots=True)
class _Told:
    """Tells the progress, by reader, in whatever order sources are done."""

    progress: Progress | None
    readers: Sequence[Reader]
    tasks: Sequence[Task]
    _done: dict[int, int] = field(default_factory=dict)
    _all: dict[int, int] = field(default_factory=dict)

    def __call__(self, task: Task) -> None:
        if self.progress is None:
            return
        if not self._all:
            for each in self.tasks:
                self._all[each.reader] = self._all.get(each.reader, 0) + 1
        self._done[task.reader] = self._done.get(task.reader, 0) + 1
        self.progress(self.readers[task.reader].name, self._done[task.reader], self._all[task.reader])


@dataclass(slots=True)
class _Budget:
    """Signals that one review holds in memory."""

    signals_max: int
    signals: int = 0

    def spend(self, found: SourceScan) -> None:
        self.signals += sum(len(piece.signals) for piece in found.pieces)

    def is_spent(self) -> bool:
        return self.signals >= self.signals_max


@dataclass(slots=True)
class _Scanning:
    """Scans the tasks: shared with worker processes where that is worth it, the rest here."""

    tasks: Sequence[Task]
    readers: Sequence[Reader]
    scanner: SourceScanner
    told: _Told
    left: int = 0
    budget: _Budget = field(default_factory=lambda: _Budget(limits.SCAN_SIGNALS_MAX))

    def results(self, workshop: Workshop | None) -> Iterator[tuple[Task, SourceScan]]:
        """Give what each source gave, in the order of the tasks; when there is too much, some are left."""
        done: dict[int, SourceScan] = {}
        workers = workers_max()
        if workshop is not None and workers > 1 and len(self.tasks) > 1 and self._is_long():
            pool = ScanPool(workshop, workers)
            for task, found in pool.scan(self.tasks, self.budget.is_spent):
                done[task.number] = self._count(task, found)
        for task in self.tasks:
            found_there = done.pop(task.number) if task.number in done else None
            yield task, self._scan_here(task) if found_there is None else found_there

    def _is_long(self) -> bool:
        return sum(task.unread_bytes for task in self.tasks) >= limits.WORKERS_BYTES_MIN

    def _scan_here(self, task: Task) -> SourceScan:
        if self.budget.is_spent():
            self.left += 1
            return _left_over(task)
        return self._count(task, self.scanner.scan(self.readers[task.reader], task.source, task.cursor))

    def _count(self, task: Task, found: SourceScan) -> SourceScan:
        self.budget.spend(found)
        self.told(task)
        return found

    def problems(self) -> list[Problem]:
        """Say what was left."""
        if not self.left:
            return []
        message = f"{self.left} sources wait for the next review: this one has {self.budget.signals} signals"
        return [Problem("scan", message)]


def _left_over(task: Task) -> SourceScan:
    before = task.cursor or BEGINNING
    return SourceScan(cursor=structs.replace(before, modified_ns=task.source.modified_ns, waiting=True))


def problem_lines(problems: Sequence[Problem], stamp: Stamp) -> list[str]:
    """Write problems as redacted lines, fit for the ledger."""
    return [stamp.redactor(f"{problem.where}: {problem.message}").text for problem in problems]
