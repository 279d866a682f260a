"""A worker process of the scan: tasks on standard input, results on standard output, nothing kept.

Run as ``python -P -m jilog_review.scan_worker`` by :mod:`jilog_review.scan_pool`.
"""

from __future__ import annotations

import gc
import signal
import sys
from datetime import date
from pathlib import Path
from typing import IO

from jilog_review.profiles import load_profile
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.redact import RedactionPolicy, make_redactor
from jilog_review.scan_task import (
    ORDER_DECODER,
    TASKS_DECODER,
    Order,
    ReaderRecipe,
    Result,
    read_frame,
    write_frame,
)
from jilog_review.signal import Stamp
from jilog_review.source_scan import SourceScanner

_GC_THRESHOLD = 50_000


def work(source: IO[bytes], target: IO[bytes]) -> int:
    """Take one order and then tasks until the source ends; give the exit status."""
    first = read_frame(source)
    if first is None:
        return 1
    order = ORDER_DECODER.decode(first)
    readers: dict[int, Reader] = {}
    scanner = _scanner(order)
    while (frame := read_frame(source)) is not None:
        for task in TASKS_DECODER.decode(frame):
            reader = readers.get(task.reader)
            if reader is None:
                reader = readers[task.reader] = _reader(order, order.readers[task.reader])
            found = scanner.scan(reader, task.source, task.cursor)
            write_frame(target, Result(number=task.number, found=found))
    return 0


def _scanner(order: Order) -> SourceScanner:
    policy = RedactionPolicy(order.emails, order.home_paths, tuple(order.patterns))
    profile = load_profile(order.profile, [Path(folder) for folder in order.rule_folders])
    stamp = Stamp(order.host, profile.name, date.fromisoformat(order.review_date), make_redactor(policy))
    return SourceScanner(profile.detectors, stamp)


def _reader(order: Order, recipe: ReaderRecipe | None) -> Reader:
    assert recipe is not None, "the scan keeps such a reader's sources to itself"
    return make_reader(ReaderConfig(recipe.type, recipe.options, order.environment))


def main() -> int:
    """Work until standard input ends. Ctrl-C is the scan's to handle: it ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Hardly anything made here is part of a cycle: looking for some less often is a tenth of the time.
    gc.set_threshold(_GC_THRESHOLD)
    try:
        return work(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
