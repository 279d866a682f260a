"""The tracker that files nothing: the digest is the whole result."""

from __future__ import annotations

from collections.abc import Sequence

from jilog_review.tracker import Issue, IssueRef, NewIssue, TrackerConfig, check_options


class NoTracker:
    """Keeps learnings in the digest only."""

    name = "none"
    place = ""
    settle_seconds = 0

    def list_issues(self) -> Sequence[Issue]:
        """Give nothing: no issue was ever filed."""
        return ()

    def find(self, fingerprint: str) -> Issue | None:  # noqa: ARG002 (the protocol's parameter)
        """Find nothing."""
        return None

    def get(self, issue_id: str) -> Issue | None:  # noqa: ARG002 (the protocol's parameter)
        """Find nothing."""
        return None

    def create(self, new: NewIssue) -> Issue | None:  # noqa: ARG002 (the protocol's parameter)
        """File nothing."""
        return None

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Say nothing: there is no issue to say it on."""

    def reopen(self, issue_id: str) -> None:
        """Open nothing."""

    def is_resolved(self, issue: IssueRef) -> bool:  # noqa: ARG002 (the protocol's parameter)
        """Tell that nothing is ever resolved: there is nothing to close."""
        return False


def make_none(config: TrackerConfig) -> NoTracker:
    """Make the tracker of a config that has none."""
    check_options(config, ())
    return NoTracker()
