"""kata against a recording stub of its program: how it is called, and its own guard against doubles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jilog_ledger.errors import TrackerError
from jilog_review.testing import MemoryLog
from jilog_review.trackers.command import Command, Completed, run_command
from jilog_review.trackers.kata import KataTracker
from support.filing_night import file_night, learn, signal
from support.tracker_harness import new_issue
from support.tracker_stubs import Stub


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return Stub("kata", tmp_path)


def test_alert_when_filed_has_katas_labels_priority_and_key(stub: Stub) -> None:
    log = MemoryLog()
    signals = [signal(session=session) for session in "abc"]
    learn(log, *signals)

    file_night(log, KataTracker("jilog", stub.environment))

    (issue,) = stub.state()["issues"]
    assert issue["labels"] == ["jilog", "jilog:error", "p0", "tool:bash"]
    assert issue["priority"] == 1
    create = next(call for call in stub.state()["calls"] if "create" in call)
    assert create[create.index("--idempotency-key") + 1] == f"jilog:{signals[0].fingerprint}"
    assert create[-2:] == ["--", "[jilog/error] bash: Command timed out after 30 seconds"]


def test_listing_that_misses_an_issue_when_it_is_filed_again_is_caught_by_the_key(stub: Stub) -> None:
    def blind(command: Command) -> Completed:
        if "list" in command.arguments:
            return Completed(0, b'{"issues": []}', "")
        return run_command(command)

    first = KataTracker("jilog", stub.environment, run=blind).create(new_issue())
    second = KataTracker("jilog", stub.environment, run=blind).create(new_issue())

    assert first is not None
    assert second is not None
    assert first.ref.id == second.ref.id
    assert len(stub.state()["issues"]) == 1


def test_kata_that_wants_a_positive_limit_is_asked_for_more_than_there_can_be(stub: Stub) -> None:
    def older(command: Command) -> Completed:
        if "0" in command.arguments:
            error = {"error": {"kind": "validation", "message": "--limit must be a positive integer"}}
            return Completed(2, b"", json.dumps(error))
        return run_command(command)

    KataTracker("jilog", stub.environment, run=older).create(new_issue())

    assert len(KataTracker("jilog", stub.environment, run=older).list_issues()) == 1


def test_refusal_in_katas_own_form_is_one_line(stub: Stub) -> None:
    def refusing(command: Command) -> Completed:
        error = {"error": {"kind": "validation", "message": "no project\nnamed so"}}
        return Completed(2, b"", json.dumps(error))

    with pytest.raises(TrackerError, match="validation: no project named so") as caught:
        KataTracker("jilog", stub.environment, run=refusing).list_issues()

    assert caught.value.hint == "check: kata --project jilog list"


def test_author_when_the_environment_names_one_is_kept(stub: Stub) -> None:
    seen: list[str] = []

    def noting(command: Command) -> Completed:
        seen.append(command.environment["KATA_AUTHOR"])
        return Completed(0, b'{"issues": []}', "")

    KataTracker("jilog", stub.environment, run=noting).list_issues()
    KataTracker("jilog", {**stub.environment, "KATA_AUTHOR": "jilog-extractor"}, run=noting).list_issues()

    assert seen == ["jilog", "jilog", "jilog-extractor", "jilog-extractor"]
