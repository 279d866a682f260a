"""Reviews of many transcripts: against ``orjson.loads`` of each line, and the second night against the first.

Two ratios are given of each: of the time that somebody waits, in which workers use several processors, and of
the processor time of all processes together, which tells more on a machine that is busy otherwise.
``JILOG_BENCH_BYTES`` sets the size of the synthetic transcripts; ``JILOG_BENCH_CORPUS`` may name a folder of
real ones of Claude Code to scan besides.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import orjson

from benchmarks.timing import processor_seconds
from benchmarks.transcripts import append_lines, write_long_file, write_long_line, write_sessions
from jilog_ledger.event import Event
from jilog_review.cursor import CursorBook
from jilog_review.nightly import Night, run_night
from jilog_review.profiles import DEFAULT_PROFILE, load_profile
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.redact import RedactionPolicy, redact
from jilog_review.scan import scan_transcripts
from jilog_review.scan_pool import Workshop, workers_max
from jilog_review.signal import Stamp, night_id
from jilog_review.testing import MemoryLog

SIZE_BYTES = int(os.environ.get("JILOG_BENCH_BYTES") or 1024 * 1024 * 1024)
LONG_LINE_BYTES = 200 * 1024 * 1024
NEW_PART = 1000
"""One part in so many is new in the second night."""
ROUNDS = 3
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


@dataclass(slots=True)
class Work:
    """Something that is timed as a whole; ``spent`` has each round's seconds and processor seconds."""

    name: str
    do: Callable[[], object]
    spent: list[tuple[float, float]] = field(default_factory=list)

    def once(self) -> tuple[float, float]:
        """Do it, and give the seconds and the processor seconds that it took."""
        gc.collect()
        start, processor_start = time.perf_counter(), processor_seconds()
        self.do()
        return time.perf_counter() - start, processor_seconds() - processor_start

    def row(self, reference: Work, width: int) -> str:
        """Give the median ratios to the reference of the same rounds; above 1 is faster."""
        pairs = list(zip(reference.spent, self.spent, strict=True))
        waited = [theirs[0] / mine[0] for theirs, mine in pairs]
        worked = [theirs[1] / mine[1] for theirs, mine in pairs]
        return f"  {self.name:{width}}  {_ratio(waited)}  {_ratio(worked)}"


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):>6.2f} x  ({min(ratios):.2f} to {max(ratios):.2f})"


def scan_table(title: str, folder: Path, paths: list[Path]) -> str:
    """Compare full scans with parsing each line, in turn and in random order."""
    size = sum(path.stat().st_size for path in paths)
    reference = Work("orjson.loads of each line, 1 process", lambda: parse_lines(paths))
    works = [reference]
    for name in dict.fromkeys((DEFAULT_PROFILE, "seed")):
        for how, workers in (("1 process", False), (f"{workers_max()} workers", True)):
            works.append(Work(f"scan, profile {name}, {how}", Review(folder, name, workers).scan))
    order = random.Random(0)
    for round_number in range(ROUNDS + 1):
        for work in order.sample(works, len(works)):
            spent = work.once()
            if round_number:
                work.spent.append(spent)
    width = max(len(work.name) for work in works)
    rows = (work.row(reference, width) for work in works)
    rate = statistics.median(size / waited for waited, _ in reference.spent) / 1e6
    head = f"{title} ({size / 1e6:.0f} MB in {len(paths)} files, reference {rate:.0f} MB/s)"
    columns = f"  {'':{width}}  {'waited':>25}  {'processor time':>25}"
    return "\n".join([head, columns, *rows])


def second_night(folder: Path, paths: list[Path]) -> str:
    """Compare a first night with a second one in which one part in NEW_PART is new."""
    size = sum(path.stat().st_size for path in paths)
    lines = [f"second night, 1/{NEW_PART} new ({size / 1e6:.0f} MB in {len(paths)} files)"]
    for night, profile in enumerate(dict.fromkeys((DEFAULT_PROFILE, "seed")), start=1):
        review = Review(folder, profile, workers=True)
        first = Work("first", review.night).once()
        append_lines(paths, size // NEW_PART, night)
        second = Work("second", review.night).once()
        lines.append(
            f"  profile {profile:8} {first[0] / second[0]:>6.0f} x less time,"
            f" {first[1] / second[1]:.0f} x less processor time than the first"
        )
    return "\n".join(lines)


def peak_memory(title: str, folder: Path) -> str:
    """Review everything in a process of its own; give its and its workers' peak of resident memory."""
    arguments = (sys.executable, "-m", "benchmarks.scan", str(folder))
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return f"  {title:44} {done.stdout.strip()}"


def report_peak(folder: Path) -> None:
    """Review twice and print the peaks; every worker is counted as large as the largest."""
    review = Review(folder, DEFAULT_PROFILE, workers=True)
    review.night()
    first = _peak_mib()
    review.night()
    print(f"{first} MiB, second night {_peak_mib()} MiB")


def _peak_mib() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(own + workers_max() * worker) // 1024


def memory_table() -> str:
    """Give the peaks of memory: many files, one file of the same size, and one line that is far too long."""
    lines = [f"peak memory of a review and its {workers_max()} workers"]
    for title, write in (
        (f"{SIZE_BYTES / 1e6:.0f} MB in one file", lambda folder: write_long_file(folder, SIZE_BYTES)),
        (
            f"one line of {LONG_LINE_BYTES / 1e6:.0f} MB",
            lambda folder: write_long_line(folder, LONG_LINE_BYTES),
        ),
    ):
        with tempfile.TemporaryDirectory() as directory:
            write(Path(directory))
            lines.append(peak_memory(title, Path(directory)))
    return "\n".join(lines)


def run() -> str:
    """Measure and give the tables."""
    memory = memory_table()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        paths = write_sessions(folder, SIZE_BYTES)
        memory += "\n" + peak_memory(f"{SIZE_BYTES / 1e6:.0f} MB in {len(paths)} files", folder)
        parts = [scan_table("transcript scan", folder, paths), memory, second_night(folder, paths)]
    corpus = os.environ.get("JILOG_BENCH_CORPUS")
    if corpus:
        real = Path(corpus)
        parts.append(scan_table("scan of real transcripts", real, sorted(real.rglob("*.jsonl"))))
    return "\n\n".join(parts)


if __name__ == "__main__":
    report_peak(Path(sys.argv[1]))
