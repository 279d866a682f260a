"""Calling a tracker's program: its limits, and what it prints when it is somebody else's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError, TrackerError
from jilog_review.tracker import TrackerConfig, make_tracker
from jilog_review.trackers.command import Command, decode_many, decode_output, run_command


def python(code: str, **options: object) -> Command:
    return Command((sys.executable, "-c", code), dict(os.environ), **options)  # type: ignore[arg-type] # by test


def test_command_when_run_gives_status_and_both_outputs() -> None:
    completed = run_command(
        python(
            "import sys; print(sys.stdin.read()[::-1]); sys.stderr.write('why\\nmore'); sys.exit(3)",
            stdin=b"abc",
        )
    )

    assert (completed.status, completed.stdout, completed.message) == (3, b"cba\n", "why")


def test_large_input_that_nobody_reads_does_not_block() -> None:
    assert run_command(python("print('done')", stdin=b"x" * 5_000_000)).stdout == b"done\n"


def test_program_that_prints_without_end_is_stopped() -> None:
    command = python("while True: print('x' * 1000)", stdout_bytes_max=100_000)

    with pytest.raises(TrackerError, match="more than 100000 bytes") as caught:
        run_command(command)

    assert caught.value.uncertain


def test_program_that_hangs_is_stopped_with_its_children() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(999)'])"

    with pytest.raises(TrackerError, match=r"did not answer within 0\.5 seconds") as caught:
        run_command(python(child, timeout_seconds=0.5))

    assert caught.value.uncertain


def test_program_that_is_missing_or_no_program_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    folder.mkdir()

    with pytest.raises(TrackerError, match="is not installed"):
        run_command(Command(("no-such-program-anywhere",), {"PATH": str(tmp_path)}))
    with pytest.raises(TrackerError, match="cannot run"):
        run_command(Command((str(folder),), {}))


@pytest.mark.parametrize("printed", ["", "oops", "<html>", "[1", '{"a": "b"}', "\xff"])
def test_output_that_cannot_be_read_is_one_line_with_what_to_run(printed: str) -> None:
    command = python(f"import sys; sys.stdout.buffer.write({printed.encode('latin-1')!r})")
    completed = run_command(command)

    with pytest.raises(TrackerError) as caught:
        decode_output(command, completed, list[int])

    assert "\n" not in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.uncertain


@pytest.mark.parametrize(("printed", "count"), [("", 0), ("null\n", 0), ("[]", 0), ("[1, 2]", 2)])
def test_list_that_a_program_prints_in_its_own_way_is_read(printed: str, count: int) -> None:
    command = python(f"print({printed!r}, end='')")

    assert len(decode_many(command, run_command(command), int)) == count


@pytest.mark.parametrize(
    ("tracker_type", "options", "message"),
    [
        ("gitlab", {}, "unknown tracker type"),
        ("github", {}, "needs repo"),
        ("kata", {}, "needs project"),
        ("github", {"repo": "o/r", "label": ["x"]}, "unknown key"),
        ("github", {"repo": "o/r", "labels": "x"}, "list of texts"),
        ("none", {"repo": "o/r"}, "unknown key"),
    ],
)
def test_config_that_cannot_be_meant_is_refused_with_a_hint(
    tracker_type: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make_tracker(TrackerConfig(tracker_type, options))

    assert caught.value.hint


@pytest.mark.parametrize(("program", "config"), [("bd", {"path": "."}), ("kata", {"project": "jilog"})])
@pytest.mark.parametrize(
    "script", ["echo nonsense", "echo '[1,2]'", "echo '{\"issues\": 5}'", "echo no >&2; exit 9"]
)
def test_program_that_answers_nonsense_is_one_line_and_a_hint(
    tmp_path: Path, program: str, config: dict[str, object], script: str
) -> None:
    path = tmp_path / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    kind = {"bd": "beads", "kata": "kata"}[program]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    with pytest.raises(TrackerError) as caught:
        make_tracker(TrackerConfig(kind, config, environment)).list_issues()

    assert "\n" not in caught.value.message
    assert caught.value.hint
