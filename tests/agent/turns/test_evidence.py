"""TF25: a claim is words; evidence is what a command that was run measured."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path

import pytest

from jilog_agent.turns.evidence import Check, run_check
from jilog_ledger.errors import InputError
from jilog_ledger.turn import Verification
from support.stores import Clock
from support.turn_repo import TurnHost, git_repository


def run(check: Check, folder: Path, timeout_seconds: float = 60.0) -> tuple[Verification, bytes]:
    output: list[bytes] = []
    done = run_check(check, folder, sink=output.append, clock=Clock(), timeout_seconds=timeout_seconds)
    return done, b"".join(output)


def python(code: str) -> Check:
    return Check.of(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}")


def test_tf25_exit_status_duration_and_hash_of_the_output_are_measured(tmp_path: Path) -> None:
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"

    evidence, output = run(python(code), tmp_path)

    assert output == b"out\nerr\n"
    assert (evidence.kind, evidence.exit_status, evidence.timed_out) == ("evidence", 3, False)
    assert evidence.output_sha256 == hashlib.sha256(output).hexdigest()
    assert evidence.output_bytes == 8
    assert evidence.duration_seconds is not None
    assert evidence.ran_at.endswith("Z")


def test_command_runs_without_a_shell_unless_asked_for(tmp_path: Path) -> None:
    plain, text = run(Check.of("echo $HOME '; exit 7'"), tmp_path)
    shell, _ = run(Check.script("exit 7"), tmp_path)

    assert text == b"$HOME ; exit 7\n"
    assert plain.exit_status == 0
    assert (shell.exit_status, shell.shell) == (7, True)


def test_command_that_does_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    evidence, _ = run(Check.script("echo begun; sleep 60 & wait"), tmp_path, timeout_seconds=0.3)

    assert (evidence.exit_status, evidence.timed_out) == (124, True)
    assert evidence.output_bytes == 6


def test_command_is_over_when_it_ends_even_if_its_child_holds_the_output(tmp_path: Path) -> None:
    evidence, output = run(Check.script("sleep 20 & echo done"), tmp_path, timeout_seconds=10)

    assert (evidence.exit_status, evidence.timed_out, output) == (0, False, b"done\n")


@pytest.mark.parametrize(("text", "status"), [("no-such-program-here", 127), ("/", 126)])
def test_command_that_cannot_be_started_is_evidence_too(tmp_path: Path, text: str, status: int) -> None:
    evidence, output = run(Check.of(text), tmp_path)

    assert evidence.exit_status == status
    assert text.encode() in output


def test_command_that_was_killed_has_a_shells_status(tmp_path: Path) -> None:
    evidence, _ = run(Check.script("kill -9 $$"), tmp_path)

    assert evidence.exit_status == 137


@pytest.mark.parametrize("text", ["", "  ", "echo 'open"])
def test_command_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Check.of(text)


def test_tf25_claim_and_evidence_are_told_apart_everywhere(tmp_path: Path) -> None:
    app = TurnHost.at(tmp_path, git_repository(tmp_path / "app"))
    app.start()

    done = app.run(
        "turn", "record", "--verification", "all green", "--verify", "echo fine", "--verify", "false"
    )
    turn = done.stdout.split()[1]
    allowed = app.run("turn", "record", "--verify", "false", "--allow-failure")

    assert done.returncode == 3
    assert "verification failed: false (exit 1" in done.stderr
    assert "fine\n" in done.stderr
    assert allowed.returncode == 0
    written = json.loads((app.store / "turns" / f"{turn}.json").read_text())
    kinds = [(item["kind"], item.get("exit_status")) for item in written["checks"]]
    assert kinds == [("claim", None), ("evidence", 0), ("evidence", 1)]
    assert written["checks"][0] == {"kind": "claim", "text": "all green"}
    assert written["checks"][1]["command"] == ["echo", "fine"]
    assert written["verification"][0] == "all green"
    assert written["verification"][1].startswith("echo fine (exit 0, ")
    page = app.turn("show", turn)
    assert "- `all green`\n- evidence: `echo fine (exit 0" in page


def test_check_runs_where_the_user_stands(tmp_path: Path) -> None:
    app = TurnHost.at(tmp_path, git_repository(tmp_path / "app"))
    (app.folder / "below").mkdir()
    app.start()

    done = app.run("turn", "record", "--verify", "pwd", cwd=app.folder / "below")

    assert str(app.folder / "below") in done.stderr
