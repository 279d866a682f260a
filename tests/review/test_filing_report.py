"""What the issues commands print."""

from __future__ import annotations

import json

from jilog_ledger.errors import TrackerError
from jilog_review.filed import filed_issues
from jilog_review.filing import file_issues, pending_problems
from jilog_review.filing_report import (
    filed_json,
    filing_json,
    filing_lines,
    problem_json,
    problem_line,
    sync_lines,
)
from jilog_review.testing import MemoryLog
from jilog_review.testing_tracker import MemoryServer, MemoryTracker
from support.filing_night import file_night, filing_run, learn, signal


def test_run_when_told_names_what_it_did_and_how_much_is_left() -> None:
    log, server = MemoryLog(), MemoryServer()
    learn(log, *(signal(f"problem {word}") for word in ("one", "two", "three")))

    lines = filing_lines(file_night(log, MemoryTracker(server), max_new=2))

    assert lines[0].startswith("created memory#1: [jilog/error] bash: problem ")
    assert lines[-1] == "2 created, 0 found, 0 told, 0 reopened; 1 more for later runs"


def test_dry_run_when_told_ends_with_the_seeds_line() -> None:
    log = MemoryLog()
    learn(log, signal())

    lines = filing_lines(file_issues(filing_run(), log, MemoryTracker(MemoryServer()), dry_run=True))

    assert lines == [
        "would create: [jilog/error] bash: Command timed out after 30 seconds (new)",
        "would create: 1 issues in tracker=memory (dry-run, skipped)",
    ]


def test_failure_when_told_is_a_line_and_an_entry() -> None:
    def refuse(request: str) -> None:
        if request == "create":
            raise TrackerError("no", hint="yes")

    log = MemoryLog()
    learn(log, signal())
    result = file_issues(filing_run(), log, MemoryTracker(MemoryServer(fail=refuse)))

    assert filing_lines(result) == [
        "failed to create [jilog/error] bash: Command timed out after 30 seconds: no",
        "0 created, 0 found, 0 told, 0 reopened; 1 pending",
    ]
    failures = filing_json(result)["failures"]
    assert isinstance(failures, list)
    assert isinstance(failures[0], dict)
    assert (failures[0]["error"], failures[0]["hint"]) == ("no", "yes")


def test_json_of_every_command_can_be_written() -> None:
    log, server = MemoryLog(), MemoryServer()
    learn(log, *(signal(session=session) for session in "abc"), signal("second"))
    (alert, *_) = pending_problems(filing_run(), log, "memory", "here")
    result = file_night(log, MemoryTracker(server), max_new=1)
    (issue,) = filed_issues(log.filings(), "memory", "here")

    document = json.loads(json.dumps([problem_json(alert), filing_json(result), filed_json(issue)]))

    assert (document[0]["p0"], document[0]["sessions"], document[0]["hosts"]) == (True, 3, ["alpha"])
    assert (document[1]["more"], document[1]["done"][0]["action"]) == (1, "create")
    assert (document[2]["id"], document[2]["state"], document[2]["closed_at"]) == ("#1", "open", None)
    assert problem_line(alert).endswith("(3 in 3 sessions, last 2026-05-09)")
    assert sync_lines([]) == ["nothing changed in the tracker"]
