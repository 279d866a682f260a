"""Issues in kata, a local tracker, through its program.

Its own idempotency key, made from the fingerprint, is a second guard beside the listing: kata answers a
repeated key with the issue that the first one made, for as long as it remembers keys (some days).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from jilog_ledger.errors import TrackerError
from jilog_review.detector import Kind
from jilog_review.filing_limits import MESSAGE_CHARS_MAX
from jilog_review.issue_text import comment_line, one_line, read_detected_on, read_fingerprint
from jilog_review.moments import transcript_time_ns
from jilog_review.tracker import (
    Issue,
    IssueRef,
    IssueState,
    NewIssue,
    TrackerConfig,
    check_options,
    labels_option,
    standing_issue,
    text_option,
)
from jilog_review.trackers.command import Command, Completed, Runner, decode_output, run_command
from jilog_review.trackers.labels import OWN_LABEL, kata_labels

RECURRED_LABEL = "jilog:recurred"
_AUTHOR = "jilog"
_PRIORITY = {Kind.CORRECTION: 2, Kind.PATTERN: 2, Kind.ERROR: 3, Kind.WORKAROUND: 3, Kind.DEFERRAL: 3}
_PRIORITY_P0 = 1
_ROW_LIMITS = ("0", "1000000")
"""What asks for all rows: no limit, or, where kata wants a positive one, more than there can be."""


class _Label(msgspec.Struct):
    label: str


class _Row(msgspec.Struct):
    """An issue in kata's output."""

    title: str = ""
    status: str = "open"
    body: str = ""
    short_id: str | None = None
    uid: str | None = None
    number: int | None = None
    closed_reason: str | None = None
    created_at: str | None = None
    closed_at: str | None = None
    deleted_at: str | None = None
    labels: list[str | _Label] | None = None

    def issue(self) -> Issue:
        return Issue(
            ref=IssueRef(f"#{self.short_id or self.uid or self.number}", "kata", self.title),
            state=self._state(),
            fingerprint=read_fingerprint(self.body),
            detected_on=read_detected_on(self.body),
            created_ns=transcript_time_ns(self.created_at),
            closed_ns=transcript_time_ns(self.closed_at),
            labels=tuple(label if isinstance(label, str) else label.label for label in self.labels or ()),
        )

    def _state(self) -> IssueState:
        """Only a closing as done says that the problem should be gone; kata has several other reasons."""
        if self.status != "closed":
            return IssueState.OPEN
        if self.closed_reason == "done":
            return IssueState.DONE
        return IssueState.DUPLICATE if self.closed_reason == "duplicate" else IssueState.DECLINED


class _Listing(msgspec.Struct):
    issues: list[_Row]


class _Comment(msgspec.Struct):
    body: str = ""


class _Shown(msgspec.Struct):
    issue: _Row
    comments: list[_Comment] | None = None
    labels: list[_Label] | None = None


class _Created(msgspec.Struct):
    issue: _Row


class _Explained(msgspec.Struct):
    kind: str = ""
    message: str = ""
    code: str | None = None


class _ErrorLine(msgspec.Struct):
    error: _Explained


@dataclass(slots=True)
class KataTracker:
    """One project of kata. The listing is asked once a run and kept; own changes are added to it."""

    project: str
    environment: Mapping[str, str]
    labels: tuple[str, ...] = ()
    run: Runner = run_command
    name: str = field(default="kata", init=False)
    settle_seconds: int = field(default=0, init=False)
    _listed: list[Issue] | None = field(default=None, init=False)

    @property
    def place(self) -> str:
        """The project's name."""
        return self.project

    def list_issues(self) -> Sequence[Issue]:
        """Ask for all open and all closed issues; those of others are left out."""
        rows = [*self._listing("open"), *self._listing("closed")]
        issues = [row.issue() for row in rows if row.deleted_at is None]
        own = [issue for issue in issues if issue.fingerprint or OWN_LABEL in issue.labels]
        self._listed = sorted(own, key=lambda issue: issue.created_ns or 0)
        return tuple(self._listed)

    def find(self, fingerprint: str) -> Issue | None:
        """Look in this run's listing."""
        listed = self.list_issues() if self._listed is None else self._listed
        return standing_issue(listed, fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Ask for one issue."""
        shown = self._show(issue_id)
        return None if shown is None or shown.issue.deleted_at is not None else shown.issue.issue()

    def create(self, new: NewIssue) -> Issue | None:
        """File an issue; the key makes a repeated call harmless even when the listing misses the first."""
        known = self.find(new.fingerprint)
        if known is not None:
            return known
        labels = [word for label in kata_labels(new, self.labels) for word in ("--label", label)]
        command, completed = self._call(
            *("create", "--body-stdin", *labels, "--priority", str(_priority(new))),
            # kata holds up issues that look alike; here the fingerprint says what is the same.
            *("--force-new", "--idempotency-key", f"jilog:{new.fingerprint}", "--", new.title),
            stdin=new.body.encode(),
        )
        if completed.status != 0:
            if "idempotency" in completed.stderr:
                # The key was used for an issue with another text: it is in the listing, unless deleted.
                self._listed = None
                found = self.find(new.fingerprint)
                if found is not None:
                    return found
            raise self._failure(completed, "create an issue")
        issue = decode_output(command, completed, _Created).issue.issue()
        if self._listed is not None:
            self._listed.append(issue)
        return issue

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Comment, unless a comment with this key is there."""
        marker = comment_line(key)
        shown = self._show(issue_id)
        if shown is not None and any(marker in comment.body for comment in shown.comments or ()):
            return
        self._ask(
            f"comment on {issue_id}",
            *("comment", _bare(issue_id), "--body-stdin"),
            stdin=f"{text}\n\n{marker}\n".encode(),
        )

    def reopen(self, issue_id: str) -> None:
        """Open an issue, then label it: dying between the two leaves it open without the label."""
        found = self.get(issue_id)
        if found is not None and found.state is IssueState.OPEN:
            return
        self._ask(f"reopen {issue_id}", "reopen", _bare(issue_id))
        self._ask(f"label {issue_id}", "label", "add", _bare(issue_id), RECURRED_LABEL)

    def is_resolved(self, issue: IssueRef) -> bool:
        """Ask for the issue's state."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _listing(self, status: str) -> list[_Row]:
        for limit in _ROW_LIMITS:
            command, completed = self._call("list", "--status", status, "--limit", limit)
            if completed.status == 0:
                return decode_output(command, completed, _Listing).issues
            if "--limit" not in completed.stderr:
                break
        raise self._failure(completed, "list issues")

    def _show(self, issue_id: str) -> _Shown | None:
        command, completed = self._call("show", _bare(issue_id))
        if completed.status != 0:
            if "not_found" in completed.stderr or "not found" in completed.stderr:
                return None
            raise self._failure(completed, f"read issue {issue_id}")
        shown = decode_output(command, completed, _Shown)
        if shown.issue.labels is None:
            shown.issue.labels = list(shown.labels or ())
        return shown

    def _ask(self, action: str, *arguments: str, stdin: bytes = b"") -> None:
        _, completed = self._call(*arguments, stdin=stdin)
        if completed.status != 0:
            raise self._failure(completed, action)

    def _call(self, *arguments: str, stdin: bytes = b"") -> tuple[Command, Completed]:
        environment = {"KATA_AUTHOR": _AUTHOR, **self.environment}
        command = Command(("kata", "--project", self.project, "--json", *arguments), environment, stdin=stdin)
        try:
            return command, self.run(command)
        except TrackerError as error:
            if error.hint is None:
                error.hint = "install kata, or choose another type in [tracker]"
            raise

    def _failure(self, completed: Completed, action: str) -> TrackerError:
        return TrackerError(
            f"cannot {action} in kata's project {self.project!r}: {_explanation(completed)}",
            hint=f"check: kata --project {self.project} list",
        )


def _priority(new: NewIssue) -> int:
    return _PRIORITY_P0 if new.p0 else _PRIORITY[new.kind]


def _bare(issue_id: str) -> str:
    return issue_id.removeprefix("#")


def _explanation(completed: Completed) -> str:
    """Give kata's reason, which is JSON on a line of the error output."""
    for line in completed.stderr.splitlines():
        try:
            error = msgspec.json.decode(line.encode(), type=_ErrorLine).error
        except msgspec.DecodeError:
            continue
        return one_line(f"{error.kind or error.code or 'error'}: {error.message}")[:MESSAGE_CHARS_MAX]
    return completed.message


def make_kata(config: TrackerConfig) -> KataTracker:
    """Make the tracker of ``type = "kata"``: ``project``, and further ``labels``.

    Raises:
        InputError: ``project`` is missing.
    """
    check_options(config, ("project", "labels"))
    project = text_option(config, "project", "jilog") or ""
    return KataTracker(project, config.environment, labels=labels_option(config))
