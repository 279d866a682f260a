"""Worker processes: the same result as without them, whatever becomes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from jilog_review import limits, scan_pool
from jilog_review.cursor import CursorBook
from jilog_review.profiles import load_profile
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.redact import RedactionPolicy, redact
from jilog_review.scan import Scan, scan_transcripts
from jilog_review.scan_pool import Workshop
from jilog_review.scan_task import FRAME_BYTES_MAX, Order, read_frame, write_frame
from jilog_review.signal import Stamp
from support.review_night import NIGHT, failure, say, write_lines

STAMP = Stamp("alpha", "seed", NIGHT, redact)
ENDINGS = {
    "ends at once": "",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "talks nonsense": "import sys; sys.stdin.buffer.read(4); print('hello ' * 40)",
    "promises too much": "import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\xff' * 9)",
}


@pytest.fixture(autouse=True)
def _no_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WORKERS_BYTES_MIN", 1)
    monkeypatch.setattr("jilog_review.scan.workers_max", lambda: 2)


@pytest.fixture
def config(tmp_path: Path) -> ReaderConfig:
    for number in range(9):
        records = [failure("bash", f"boom {number} {n}") for n in range(number)]
        write_lines(tmp_path / f"t/s{number}.jsonl", *records, say("assistant", "hardcoded for now"))
    options = {"path": f"{tmp_path}/t/*.jsonl", "session_id_from": "file_stem"}
    return ReaderConfig("generic", options, {"HOME": str(tmp_path)})


def workshop(config: ReaderConfig | None, *command: str) -> Workshop:
    made = Workshop(STAMP, RedactionPolicy(), (config,))
    return replace(made, command=command) if command else made


def scan(config: ReaderConfig, shop: Workshop | None, cursors: CursorBook | None = None) -> Scan:
    return scan_transcripts(
        (make_reader(config),), load_profile("seed"), STAMP, since_ns=0, cursors=cursors or {}, workshop=shop
    )


def test_scan_with_workers_gives_what_one_without_them_gives(config: ReaderConfig) -> None:
    alone = scan(config, None)

    shared = scan(config, workshop(config))

    assert list(shared.signals.items()) == list(alone.signals.items())
    assert len(alone.signals) == 45
    assert (shared.cursors, shared.coverage, shared.counts()) == (
        alone.cursors,
        alone.coverage,
        alone.counts(),
    )
    assert shared.spend.sorted() == alone.spend.sorted()


def test_workers_are_really_asked(config: ReaderConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("scanned here")

    monkeypatch.setattr("jilog_review.source_scan.SourceScanner.scan", unexpected)

    assert len(scan(config, workshop(config)).signals) == 45


@pytest.mark.parametrize(
    ("processors", "workers"), [(1, 1), (2, 2), (limits.WORKERS_MAX + 60, limits.WORKERS_MAX)]
)
def test_each_processor_has_a_worker_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr(scan_pool, "_HAS_AFFINITY", True)

    assert scan_pool.workers_max() == workers


def test_on_one_processor_no_worker_is_started(
    config: ReaderConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("jilog_review.scan.workers_max", lambda: 1)

    found = scan(config, workshop(config, "touch", str(tmp_path / "started")))

    assert len(found.signals) == 45
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_worker_leaves_is_scanned_here(config: ReaderConfig, ending: str) -> None:
    found = scan(config, workshop(config, sys.executable, "-c", ENDINGS[ending]))

    assert len(found.signals) == 45
    assert found.problems == []


def test_source_on_which_a_worker_crashed_is_told_and_waits(config: ReaderConfig) -> None:
    crash = "import os, signal, sys; sys.stdin.buffer.read(4); os.kill(os.getpid(), signal.SIGABRT)"

    found = scan(config, workshop(config, sys.executable, "-c", crash))

    waiting = [cursor for cursor in found.cursors.values() if cursor.waiting]
    assert 1 <= len(waiting) <= limits.WORKERS_MAX
    assert {problem.message for problem in found.problems} == {
        "the process that read it ended by signal 6; tried again at the next review"
    }
    assert len(scan(config, None, found.cursors).signals | found.signals) == 45


@pytest.mark.parametrize("command", ["/no/such/interpreter", ""])
def test_without_an_interpreter_everything_is_scanned_here(config: ReaderConfig, command: str) -> None:
    assert len(scan(config, workshop(config, command)).signals) == 45


def test_reader_that_no_worker_can_make_is_read_here(config: ReaderConfig) -> None:
    assert len(scan(config, workshop(None)).signals) == 45


def test_workers_end_with_the_scan_that_is_broken_off(
    config: ReaderConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = scan_pool._start

    def remember(command: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
        worker = start(command)
        if worker is not None:
            started.append(worker)
        return worker

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(scan_pool, "_start", remember)
    with pytest.raises(KeyboardInterrupt):
        scan_transcripts(
            (make_reader(config),),
            load_profile("seed"),
            STAMP,
            since_ns=0,
            cursors={},
            progress=interrupt,
            workshop=workshop(config),
        )

    assert started
    assert all(worker.poll() is not None for worker in started)


def test_worker_without_an_order_says_so_by_its_status() -> None:
    arguments = (sys.executable, *scan_pool.WORKER_ARGUMENTS)

    ended = subprocess.run(arguments, input=b"", capture_output=True, check=False, timeout=60)

    assert (ended.returncode, ended.stdout) == (1, b"")


def test_worker_does_not_import_from_the_working_directory(config: ReaderConfig, tmp_path: Path) -> None:
    write_lines(tmp_path / "jilog_review.py", 'raise SystemExit("taken over")')
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        found = scan(config, workshop(config))
    finally:
        os.chdir(here)

    assert len(found.signals) == 45


def test_frame_that_is_cut_or_too_long_is_none() -> None:
    stream = BytesIO()
    write_frame(stream, workshop(None).order())
    whole = stream.getvalue()

    assert isinstance(workshop(None).order(), Order)
    assert read_frame(BytesIO(whole)) == whole[4:]
    assert read_frame(BytesIO(whole[:-1])) is None
    assert read_frame(BytesIO(whole[:2])) is None
    assert read_frame(BytesIO((FRAME_BYTES_MAX + 1).to_bytes(4, "big") + b"x")) is None
