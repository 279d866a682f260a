"""A tracker in memory, for those who test against the review: it passes the same suite as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from jilog_ledger.errors import TrackerError
from jilog_review.issue_text import read_detected_on, read_fingerprint
from jilog_review.tracker import Issue, IssueRef, IssueState, NewIssue, standing_issue
from jilog_review.trackers.labels import github_labels

RECURRED_LABEL = "jilog/recurred"


@dataclass(slots=True)
class MemoryServer:
    """What outlives a run: the issues and their comments. ``fail`` may raise before any request.

    ``fail`` gets the request's name, before and, with ``after:`` in front, once it took effect: what is
    raised then is an answer that was lost.
    """

    issues: dict[str, Issue] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    comments: dict[str, list[str]] = field(default_factory=dict)
    now_ns: Callable[[], int] = lambda: 0
    fail: Callable[[str], None] = lambda _request: None
    requests: list[str] = field(default_factory=list)

    def close(self, issue_id: str, state: IssueState = IssueState.DONE) -> None:
        """Close an issue, as a person would."""
        self.issues[issue_id] = replace(self.issues[issue_id], state=state, closed_ns=self.now_ns())

    def asked(self, request: str) -> None:
        """Note a request, and fail it when that is planned."""
        self.fail(request)
        self.requests.append(request)


class MemoryTracker:
    """One run's view of a :class:`MemoryServer`."""

    name = "memory"

    def __init__(self, server: MemoryServer, *, place: str = "here", settle_seconds: int = 0) -> None:
        self.server = server
        self.place = place
        self.settle_seconds = settle_seconds

    def list_issues(self) -> Sequence[Issue]:
        """Give all issues, oldest first."""
        self.server.asked("list")
        return tuple(self.server.issues.values())

    def find(self, fingerprint: str) -> Issue | None:
        """Look through all issues."""
        return standing_issue(self.list_issues(), fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Look one issue up."""
        self.server.asked("get")
        return self.server.issues.get(issue_id)

    def create(self, new: NewIssue) -> Issue | None:
        """File an issue unless its fingerprint has one."""
        known = self.find(new.fingerprint)
        if known is not None:
            return known
        self.server.asked("create")
        issue_id = f"#{len(self.server.bodies) + 1}"
        issue = Issue(
            ref=IssueRef(issue_id, self.name, new.title, f"memory:{issue_id}"),
            state=IssueState.OPEN,
            fingerprint=read_fingerprint(new.body),
            detected_on=read_detected_on(new.body),
            created_ns=self.server.now_ns(),
            labels=github_labels(new),
        )
        self.server.issues[issue_id] = issue
        self.server.bodies[issue_id] = new.body
        self.server.asked("after:create")
        return issue

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Add a comment unless one of that key is there."""
        self.server.asked("comment")
        self._existing(issue_id)
        comments = self.server.comments.setdefault(issue_id, [])
        if not any(key in comment for comment in comments):
            comments.append(f"{text}\n\n{key}")
        self.server.asked("after:comment")

    def reopen(self, issue_id: str) -> None:
        """Open an issue again."""
        self.server.asked("reopen")
        issue = self._existing(issue_id)
        if issue.state is not IssueState.OPEN:
            labels = tuple(dict.fromkeys((*issue.labels, RECURRED_LABEL)))
            opened = replace(issue, state=IssueState.OPEN, closed_ns=None, labels=labels)
            self.server.issues[issue_id] = opened
        self.server.asked("after:reopen")

    def is_resolved(self, issue: IssueRef) -> bool:
        """Tell whether an issue was closed as done."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _existing(self, issue_id: str) -> Issue:
        issue = self.server.issues.get(issue_id)
        if issue is None:
            raise TrackerError(f"there is no issue {issue_id}", hint="run: jilog issues sync")
        return issue
