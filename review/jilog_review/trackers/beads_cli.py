"""Issues in beads through its own program, which keeps a database beside or instead of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jilog_ledger.errors import TrackerError
from jilog_review.issue_text import comment_line
from jilog_review.tracker import Issue, IssueRef, IssueState, NewIssue, standing_issue
from jilog_review.trackers.beads_format import RECURRED_LABEL, BeadsComment, BeadsIssue
from jilog_review.trackers.command import Command, Completed, Runner, decode_many, decode_output, run_command
from jilog_review.trackers.labels import OWN_LABEL, beads_labels


class _Created(msgspec.Struct):
    id: str


@dataclass(slots=True)
class BeadsCommandTracker:
    """One project with ``bd``. The listing is asked once a run and kept; own changes are added to it."""

    folder: Path
    environment: Mapping[str, str]
    labels: tuple[str, ...] = ()
    run: Runner = run_command
    name: str = field(default="beads", init=False)
    settle_seconds: int = field(default=0, init=False)
    _listed: list[Issue] | None = field(default=None, init=False)

    @property
    def place(self) -> str:
        """The project's name: the folder may lie elsewhere on another host."""
        return self.folder.resolve().name

    def list_issues(self) -> Sequence[Issue]:
        """Ask for all issues labelled ``jilog``, without ``bd``'s limit of 50."""
        command, completed = self._ask(
            "list issues", "list", "--all", "--limit", "0", "--label", OWN_LABEL, "--json"
        )
        rows = decode_many(command, completed, BeadsIssue)
        issues = sorted((row.issue() for row in rows), key=lambda issue: issue.created_ns or 0)
        self._listed = issues
        return tuple(issues)

    def find(self, fingerprint: str) -> Issue | None:
        """Look in this run's listing."""
        listed = self.list_issues() if self._listed is None else self._listed
        return standing_issue(listed, fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Ask for one issue."""
        row = self._row(issue_id)
        return None if row is None or row.status == "tombstone" else row.issue()

    def create(self, new: NewIssue) -> Issue | None:
        """File an issue unless this run's listing has one of its fingerprint."""
        known = self.find(new.fingerprint)
        if known is not None:
            return known
        labels = ",".join(dict.fromkeys((*beads_labels(new), *self.labels)))
        options = ["--type", new.type, "--priority", str(new.priority), "--labels", labels]
        command, completed = self._ask(
            "create an issue",
            *("create", f"--title={new.title}", *options, "--body-file", "-", "--json"),
            stdin=new.body.encode(),
        )
        issue_id = decode_output(command, completed, _Created).id
        issue = Issue(
            IssueRef(issue_id, self.name, new.title),
            IssueState.OPEN,
            new.fingerprint,
            labels=tuple(labels.split(",")),
        )
        if self._listed is not None:
            self._listed.append(issue)
        return issue

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Comment, unless a comment with this key is there."""
        marker = comment_line(key)
        command, completed = self._ask(f"read the comments of {issue_id}", "comments", issue_id, "--json")
        comments = decode_many(command, completed, BeadsComment)
        if not any(marker in comment.text for comment in comments):
            self._ask(f"comment on {issue_id}", "comments", "add", issue_id, "--", f"{text}\n\n{marker}")

    def reopen(self, issue_id: str) -> None:
        """Open an issue, then label it: dying between the two leaves it open without the label."""
        row = self._row(issue_id)
        if row is not None and row.issue().state is IssueState.OPEN:
            return
        self._ask(f"reopen {issue_id}", "reopen", issue_id)
        self._ask(f"label {issue_id}", "label", "add", issue_id, RECURRED_LABEL)

    def is_resolved(self, issue: IssueRef) -> bool:
        """Ask for the issue's state."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _row(self, issue_id: str) -> BeadsIssue | None:
        command, completed = self._call("show", issue_id, "--json")
        if completed.status != 0:
            if "not found" in completed.stderr.lower() or "no issue" in completed.stderr.lower():
                return None
            raise self._failure(completed, f"read issue {issue_id}")
        found = decode_many(command, completed, BeadsIssue)
        return found[0] if found else None

    def _ask(self, action: str, *arguments: str, stdin: bytes = b"") -> tuple[Command, Completed]:
        command, completed = self._call(*arguments, stdin=stdin)
        if completed.status != 0:
            raise self._failure(completed, action)
        return command, completed

    def _call(self, *arguments: str, stdin: bytes = b"") -> tuple[Command, Completed]:
        environment = {**self.environment, "BD_JSON_ENVELOPE": "0", "NO_COLOR": "1"}
        command = Command(("bd", *arguments), environment, stdin=stdin, folder=self.folder)
        return command, self.run(command)

    def _failure(self, completed: Completed, action: str) -> TrackerError:
        hint = f"try it yourself: cd {self.folder} && bd list"
        if "no beads database" in completed.stderr.lower() or "not initialized" in completed.stderr.lower():
            hint = f"run: cd {self.folder} && bd init"
        return TrackerError(f"cannot {action} with bd in {self.folder}: {completed.message}", hint=hint)
