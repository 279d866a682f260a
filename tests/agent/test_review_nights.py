"""Nights that go wrong, run from outside: nothing is lost or recorded twice, and the status says so."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.jilog_cli import Host
from support.review_night import append_lines, failure, say, write_lines

CONFIG = """\
source = "alpha"
timezone = "UTC"

[review]
profile = "seed"

[[reader]]
type = "generic"
name = "bot"
path = "~/sessions/*.jsonl"
session_id_from = "file_stem"

[[zones]]
id = "main"

[[zones]]
id = "other"
"""
# Dies by SIGKILL at the moment at which the cursors would be saved: what was found is in the ledger.
DIE_BEFORE_CURSORS = """
import os, signal, sys
from jilog_agent.main import main
from jilog_agent.night import ReviewState
ReviewState.save_cursors = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["jilog", "review", "nightly", "--date", "2026-05-09"]
main()
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.config.write_text(CONFIG)
    write_lines(tmp_path / "sessions/one.jsonl", failure("bash", "boom"), say("assistant", "hardcoded"))
    return made


def night(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return host.run("review", "nightly", "--date", "2026-05-09", *arguments)


def ids(host: Host, zone: str = "main") -> list[str]:
    """Give the ids of all recorded signals: one that was recorded twice is there twice."""
    payloads = host.payloads("--class", "learning", "--zone", zone)
    return sorted(str(payload["id"]) for payload in payloads)


def cursors(host: Host, zone: str = "main") -> Path:
    return host.state / "review" / f"cursors-{zone}.json"


def test_death_between_record_and_cursors_records_nothing_twice(host: Host) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIE_BEFORE_CURSORS],
        env=host.environment(),
        cwd=host.root,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == -9
    assert not cursors(host).exists()
    recorded = ids(host)

    done = night(host)

    assert (done.returncode, len(recorded)) == (0, 2)
    assert ids(host) == recorded
    assert "boom" in next((host.state / "digests").iterdir()).read_text()


def test_cursors_that_cannot_be_read_are_made_anew(host: Host) -> None:
    night(host)
    cursors(host).write_text('{"version": 2, "cursors": 7')

    done = night(host)

    assert done.returncode == 0
    assert "transcripts are read from their start" in done.stderr
    assert len(ids(host)) == 2
    assert json.loads(cursors(host).read_text())["cursors"]


def test_ledger_that_was_lost_gets_everything_again(host: Host) -> None:
    night(host)
    before = ids(host)
    shutil.rmtree(host.zone)

    night(host)

    assert ids(host) == before


def test_another_zone_gets_everything_and_the_first_goes_on(host: Host) -> None:
    night(host)

    night(host, "--zone", "other")
    append_lines(host.root / "sessions/one.jsonl", failure("bash", "again"))
    night(host)

    assert (len(ids(host)), len(ids(host, "other"))) == (3, 2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_file_that_may_not_be_read_is_told_by_the_exit_status(host: Host) -> None:
    write_lines(host.root / "sessions/two.jsonl", failure("bash", "x")).chmod(0)

    assert_incomplete(host, "two.jsonl: cannot be read: Permission denied")


def test_source_that_is_no_transcript_is_told_by_the_exit_status(host: Host) -> None:
    packed = host.root / "codex/sessions/rollout.jsonl.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(b"this is no gzip")
    host.config.write_text(f'{CONFIG}\n[[reader]]\ntype = "codex"\npath = "~/codex/sessions"\n')

    assert_incomplete(host, "rollout.jsonl.gz: cannot be read: ")


def assert_incomplete(host: Host, words: str) -> None:
    done = night(host)

    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert "the next review tries again" in done.stderr
    assert len(ids(host)) == 2
    assert list((host.state / "digests").iterdir())


def test_second_review_at_the_same_time_is_refused(host: Host) -> None:
    night(host)
    lock = host.state / "review" / "lock"

    with lock.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused = night(host)

    assert refused.returncode == 6
    assert len(ids(host)) == 2


def test_session_that_shrank_or_was_replaced_is_read_anew(host: Host) -> None:
    path = host.root / "sessions/one.jsonl"
    night(host)
    write_lines(path, failure("bash", "new"))
    night(host)
    write_lines(host.root / "next", failure("bash", "own"), *[say("user", "x" * 90)] * 9).replace(path)

    night(host)

    assert len(ids(host)) == 4


def test_clock_that_jumped_ahead_and_back_loses_nothing(host: Host) -> None:
    host.run("review", "nightly", "--date", "2031-01-01")
    append_lines(host.root / "sessions/one.jsonl", failure("bash", "after"))

    night(host)

    assert len(ids(host)) == 3


def test_date_that_has_not_come_is_told_in_one_line(host: Host) -> None:
    done = host.run("review", "nightly", "--date", "2999-01-01", "--json")
    today = host.run("review", "nightly")

    (said,) = [line for line in done.stderr.splitlines() if "ahead of today" in line]
    assert said.startswith("jilog: warning: 2999-01-01 is ")
    assert "leave out --date" in done.stderr
    assert json.loads(done.stdout)["date"] == "2999-01-01"
    assert (done.returncode, today.returncode) == (0, 0)
    assert "ahead of today" not in today.stderr


def test_lines_in_other_encodings_are_counted_and_cost_only_themselves(host: Host) -> None:
    line = '{"role": "tool", "name": "bash", "content": "{\\"success\\": false, \\"error\\": \\"%s\\"}"}\n'
    with (host.root / "sessions/one.jsonl").open("ab") as file:
        file.write((line % "café").encode("latin-1"))
    (host.root / "sessions/wide.jsonl").write_bytes((line % "wide").encode("utf-16"))

    document = json.loads(night(host, "--json").stdout)

    assert document["coverage"]["bad_utf8"] >= 1
    assert document["coverage"]["bad_lines"] >= 1
    assert len(ids(host)) == 3


def test_response_that_another_night_reads_again_is_spent_once(host: Host) -> None:
    host.config.write_text(f'{CONFIG}\n[[reader]]\ntype = "claude-code"\npath = "~/claude"\n')
    write_lines(host.root / "claude/p/first.jsonl", response("msg_1", 30))
    first = json.loads(night(host, "--json").stdout)
    write_lines(host.root / "claude/p/resumed.jsonl", response("msg_1", 30), response("msg_2", 12))

    second = json.loads(host.run("review", "nightly", "--date", "2026-05-10", "--days", "2", "--json").stdout)

    assert (first["spend"]["input_tokens"], second["spend"]["input_tokens"]) == (30, 42)
    (kept,) = (host.state / "review").glob("billed-*")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_bytes(b"this is no list of responses")
    done = night(host)
    assert (done.returncode, "counted in the spend again" in done.stderr) == (0, True)


def response(message_id: str, tokens: int) -> dict[str, object]:
    usage = {"input_tokens": tokens, "output_tokens": 1}
    content = [{"type": "text", "text": "done"}]
    message = {"role": "assistant", "id": message_id, "content": content, "usage": usage}
    return {"type": "assistant", "uuid": f"{message_id}-{tokens}", "message": message}
