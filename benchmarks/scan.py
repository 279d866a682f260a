"""Reviews of many transcripts: against ``orjson.loads`` of each line, and the second night against the first.

``JILOG_BENCH_BYTES`` sets the size of the synthetic transcripts; ``JILOG_BENCH_CORPUS`` may name a folder of
real ones of Claude Code to scan besides. With ``JILOG_BENCH_CLOCK=cpu`` processor time is compared, all
processes' together.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import orjson

from benchmarks.timing import Timed, compare, processor_seconds, table
from benchmarks.transcripts import append_lines, write_sessions
from jilog_ledger.event import Event
from jilog_review import limits
from jilog_review.cursor import CursorBook
from jilog_review.nightly import Night, run_night
from jilog_review.profiles import DEFAULT_PROFILE, load_profile
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.redact import RedactionPolicy, redact
from jilog_review.scan import scan_transcripts
from jilog_review.scan_pool import Workshop
from jilog_review.signal import Stamp, night_id
from jilog_review.testing import MemoryLog

SIZE_BYTES = int(os.environ.get("JILOG_BENCH_BYTES") or 256 * 1024 * 1024)
NEW_PART = 1000
"""One part in so many is new in the second night."""
ROUNDS = 3
BY_PROCESSOR = os.environ.get("JILOG_BENCH_CLOCK") == "cpu"
CLOCK: Callable[[], float] = processor_seconds if BY_PROCESSOR else time.perf_counter
DAY = date(2026, 1, 5)


def parse_lines(paths: list[Path]) -> None:
    """Parse each line fully and drop it."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                try:
                    orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue


class DatedLog(MemoryLog):
    """A log that finds events without reading the others, as a ledger's projection does."""

    def events(self, first: date, last: date) -> Iterator[Event]:
        """Give the events of the review dates from ``first`` to ``last``."""
        nights = {night_id((first + timedelta(days=n)).isoformat()) for n in range((last - first).days + 1)}
        return (event for event in self.kept if event.stored.correlation_id in nights)

    def filings(self) -> tuple[Event, ...]:
        """Give nothing: nothing is filed here."""
        return ()

    def labels(self) -> tuple[Event, ...]:
        """Give nothing: nobody judges here."""
        return ()


@dataclass(slots=True)
class Review:
    """A host that reviews the transcripts below a folder, with or without worker processes."""

    folder: Path
    profile: str
    workers: bool
    cursors: CursorBook = field(default_factory=dict)
    log: DatedLog = field(default_factory=lambda: DatedLog("bench"))
    nights: int = 0

    @property
    def config(self) -> ReaderConfig:
        """The reader's table."""
        return ReaderConfig("claude-code", {"path": str(self.folder)}, dict(os.environ))

    @property
    def reader(self) -> Reader:
        """The reader."""
        return make_reader(self.config)

    @property
    def stamp(self) -> Stamp:
        """What signals are stamped with."""
        return Stamp("bench", self.profile, DAY + timedelta(days=self.nights), redact)

    @property
    def workshop(self) -> Workshop | None:
        """What workers need."""
        return Workshop(self.stamp, RedactionPolicy(), (self.config,)) if self.workers else None

    def scan(self) -> None:
        """Scan everything afresh."""
        profile = load_profile(self.profile)
        scan_transcripts((self.reader,), profile, self.stamp, since_ns=0, cursors={}, workshop=self.workshop)

    def night(self) -> None:
        """Review what is new on the next date: scan, record, save the cursors, write the digest."""
        run_night(
            Night(
                stamp=self.stamp,
                profile=load_profile(self.profile),
                readers=(self.reader,),
                since_seconds=86_400,
                now_ns=86_400 * 10**9,
                digest_folder=self.folder,
                workshop=self.workshop,
            ),
            self.log,
            cursors=self.cursors,
            save_cursors=self._save,
            write_file=lambda *_: None,
        )

    def _save(self, book: CursorBook) -> None:
        self.cursors = book
        self.nights += 1


def scan_table(title: str, folder: Path, paths: list[Path]) -> str:
    """Compare full scans with parsing each line."""
    size = sum(path.stat().st_size for path in paths)
    alternatives = [
        Timed(f"scan, profile {name}, {how}", size, Review(folder, name, workers).scan)
        for name in dict.fromkeys((DEFAULT_PROFILE, "seed"))
        for how, workers in (("1 process", False), (f"{limits.WORKERS_MAX} workers", True))
    ]
    reference = Timed("orjson.loads of each line", size, lambda: parse_lines(paths))
    figures = compare(reference, *alternatives, unit="bytes", rounds=ROUNDS, clock=CLOCK)
    measured = "processor time" if BY_PROCESSOR else "time"
    return table(f"{title}, {measured} ({size / 1e6:.0f} MB in {len(paths)} files)", figures)


def second_night(folder: Path, paths: list[Path]) -> str:
    """Compare a first night with a second one in which one part in NEW_PART is new."""
    size = sum(path.stat().st_size for path in paths)
    lines = [f"second night, 1/{NEW_PART} new ({size / 1e6:.0f} MB in {len(paths)} files)"]
    for night, profile in enumerate(dict.fromkeys((DEFAULT_PROFILE, "seed")), start=1):
        review = Review(folder, profile, workers=True)
        first = seconds_of(review.night)
        append_lines(paths, size // NEW_PART, night)
        second = seconds_of(review.night)
        lines.append(f"  profile {profile:8} {first / second:>8.0f} x less time than the first")
    return "\n".join(lines)


def seconds_of(work: Callable[[], object]) -> float:
    """Time some work once."""
    start = CLOCK()
    work()
    return CLOCK() - start


def peak_memory(folder: Path) -> str:
    """Review everything in a process of its own; give its and its workers' peak of resident memory."""
    arguments = (sys.executable, "-m", "benchmarks.scan", str(folder))
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.rstrip()


def report_peak(folder: Path) -> None:
    """Review twice and print the peaks; every worker is counted as large as the largest."""
    review = Review(folder, DEFAULT_PROFILE, workers=True)
    review.night()
    first = _peak_mib()
    review.night()
    print(
        f"peak memory of scan and {limits.WORKERS_MAX} workers: {first} MiB, second night {_peak_mib()} MiB"
    )


def _peak_mib() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(own + limits.WORKERS_MAX * worker) // 1024


def run() -> str:
    """Measure and give the tables."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        paths = write_sessions(folder, SIZE_BYTES)
        parts = [
            scan_table("transcript scan", folder, paths),
            peak_memory(folder),
            second_night(folder, paths),
        ]
    corpus = os.environ.get("JILOG_BENCH_CORPUS")
    if corpus:
        real = Path(corpus)
        parts.append(scan_table("scan of real transcripts", real, sorted(real.rglob("*.jsonl"))))
    return "\n\n".join(parts)


if __name__ == "__main__":
    report_peak(Path(sys.argv[1]))
