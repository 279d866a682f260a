"""Worker processes for a long scan: the largest sources first, each result as it comes.

The scan does not depend on its workers. A source whose worker went away is not given out: the caller scans
it itself; only one on which a worker crashed (an illegal memory access, an abort) is reported and left to the
next review, for it could take the whole review with it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import structs

from jilog_review import limits
from jilog_review.cursor import BEGINNING
from jilog_review.reader import Problem, ReaderConfig
from jilog_review.redact import RedactionPolicy
from jilog_review.repair import printable
from jilog_review.scan_task import (
    RESULT_DECODER,
    Order,
    ReaderRecipe,
    Task,
    read_frame,
    write_frame,
)
from jilog_review.signal import Stamp
from jilog_review.source_scan import SourceScan

_BATCH_BYTES = 4 * 1024 * 1024
_BATCH_TASKS_MAX = 64
"""Small sources travel together: a message for each would cost as much as reading them."""
_END_SECONDS = 5
WORKER_ARGUMENTS = ("-P", "-m", "jilog_review.scan_worker")
"""What this interpreter is started with: without the working directory on its path."""
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT})

_HAS_AFFINITY = hasattr(os, "sched_getaffinity")

Outcome = tuple[Task, SourceScan]


def workers_max() -> int:
    """Tell how many processes may scan at once: one for each processor that this one may use, at most."""
    processors = len(os.sched_getaffinity(0)) if _HAS_AFFINITY else os.cpu_count() or 1
    return min(limits.WORKERS_MAX, processors)


@dataclass(frozen=True, slots=True)
class Workshop:
    """How to make the scan's readers, rules and redaction in another process.

    ``readers`` are in the scan's order; None stands for a reader that cannot be made there, whose sources the
    scan reads itself. ``rule_folders`` are what the profile was made with. ``command`` starts a worker.
    """

    stamp: Stamp
    policy: RedactionPolicy
    readers: tuple[ReaderConfig | None, ...]
    rule_folders: tuple[Path, ...] = ()
    command: tuple[str, ...] = field(default_factory=lambda: (sys.executable, *WORKER_ARGUMENTS))

    def order(self) -> Order:
        """Write it down for a worker."""
        environments = [dict(config.environment) for config in self.readers if config is not None]
        return Order(
            host=self.stamp.host,
            review_date=self.stamp.review_date.isoformat(),
            profile=self.stamp.profile,
            readers=[_recipe(config) for config in self.readers],
            environment=environments[0] if environments else {},
            emails=self.policy.emails,
            home_paths=self.policy.home_paths,
            patterns=list(self.policy.patterns),
            rule_folders=[str(folder) for folder in self.rule_folders],
        )


def _recipe(config: ReaderConfig | None) -> ReaderRecipe | None:
    return None if config is None else ReaderRecipe(type=config.type, options=dict(config.options))


@dataclass(slots=True)
class ScanPool:
    """Up to ``workers_max`` processes, started for one scan and ended with it."""

    workshop: Workshop
    workers_max: int
    _waiting: list[Task] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def scan(self, tasks: Sequence[Task], enough: Callable[[], bool]) -> Iterator[Outcome]:
        """Give results as they come; a task that has none afterwards is the caller's to do.

        No more tasks are handed out once ``enough`` says so. However this ends, the workers end with it.
        """
        readers = self.workshop.readers
        mine = [task for task in tasks if readers[task.reader] is not None]
        # Taken from the end: the largest first, and equal ones in their order.
        self._waiting = sorted(mine, key=lambda task: (task.unread_bytes, -task.number))
        results: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        order = self.workshop.order()
        with contextlib.ExitStack() as stack:
            threads = []
            for _ in range(min(self.workers_max, len(mine))):
                worker = _start(self.workshop.command)
                if worker is None:
                    break
                stack.callback(_end, worker)
                thread = threading.Thread(
                    target=self._drive, args=(worker, order, results, enough), daemon=True
                )
                thread.start()
                threads.append(thread)
            running = len(threads)
            while running:
                outcome = results.get()
                if outcome is None:
                    running -= 1
                else:
                    yield outcome

    def _next_batch(self, enough: Callable[[], bool]) -> list[Task]:
        batch: list[Task] = []
        size = 0
        with self._lock:
            while self._waiting and size < _BATCH_BYTES and len(batch) < _BATCH_TASKS_MAX and not enough():
                task = self._waiting.pop()
                size += task.unread_bytes
                batch.append(task)
        return batch

    def _drive(
        self,
        worker: subprocess.Popen[bytes],
        order: Order,
        results: queue.SimpleQueue[Outcome | None],
        enough: Callable[[], bool],
    ) -> None:
        """Hand tasks to one worker until there are none or it goes away."""
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            write_frame(worker.stdin, order)
            while batch := self._next_batch(enough):
                write_frame(worker.stdin, batch)
                for task in batch:
                    frame = read_frame(worker.stdout)
                    if frame is None:
                        _report_crash(worker, task, results)
                        return
                    results.put((task, RESULT_DECODER.decode(frame).found))
            worker.stdin.close()
        except (OSError, ValueError, msgspec.MsgspecError):
            # What this worker had is done by the caller.
            return
        finally:
            results.put(None)


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """Start a worker; None where none can be: a program that is no interpreter, too many processes."""
    if not command[0]:
        return None
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End a worker that is done, dead, or no longer wanted."""
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _report_crash(
    worker: subprocess.Popen[bytes], task: Task, results: queue.SimpleQueue[Outcome | None]
) -> None:
    """Report the source on which a worker crashed. Any other end says nothing about the source."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(_END_SECONDS)
    if worker.returncode is None or -worker.returncode not in _CRASHES:
        return
    message = f"the process that read it ended by signal {-worker.returncode}; tried again at the next review"
    before = task.cursor or BEGINNING
    cursor = structs.replace(
        before, modified_ns=task.source.modified_ns, waiting=True, failures=before.failures + 1
    )
    problem = Problem(printable(task.source.key), message)
    results.put((task, SourceScan(cursor=cursor, problems=[problem], unreadable=True)))
