"""What ``gh`` says when it fails, in our words and with the next command to type."""

from __future__ import annotations

import re

from jilog_ledger.errors import TrackerError
from jilog_review.trackers.command import Completed

_HTTP = re.compile(r"\(HTTP (\d{3})\)")
_NOT_LOGGED_IN = 4
"""The status with which ``gh`` exits when it needs a login (``gh help exit-codes``)."""

_NETWORK_WORDS = (
    "error connecting to",
    "dial ",
    "no such host",
    "timeout",
    "connection re",
    "network is",
    "EOF",
)


def http_status(completed: Completed) -> int | None:
    """Give the HTTP status that a failed call names, None without one."""
    match = _HTTP.search(completed.stderr)
    return int(match[1]) if match else None


def github_failure(completed: Completed, action: str, repository: str) -> TrackerError:
    """Explain a failed call. ``action`` completes "cannot ..."."""
    tried = f"cannot {action} in {repository}"
    status = http_status(completed)
    if completed.status == _NOT_LOGGED_IN:
        return TrackerError(f"{tried}: gh is not logged in", hint="run: gh auth login")
    if status == 401:
        return TrackerError(
            f"{tried}: the login of gh has expired or was revoked",
            hint="run: gh auth login (or renew GH_TOKEN, if it is set)",
        )
    if status in (403, 429) and "rate limit" in completed.stderr.lower():
        return TrackerError(
            f"{tried}: GitHub's rate limit is used up", hint="run again later: jilog issues file"
        )
    if status == 403:
        return TrackerError(
            f"{tried}: the login of gh may not do that ({completed.message})",
            hint=f"give it write access, then check: gh api repos/{repository} --jq .permissions",
        )
    if status == 404:
        return TrackerError(
            f"{tried}: there is no such repository, or this login cannot see it",
            hint=f"check repo in [tracker], and: gh repo view {repository}",
        )
    if status == 410:
        return TrackerError(
            f"{tried}: issues are disabled there, or the issue was deleted",
            hint=f"switch issues on: gh repo edit {repository} --enable-issues",
        )
    if status is not None and status < 500:
        return TrackerError(
            f"{tried}: {completed.message}", hint=f"look at: gh issue list --repo {repository}"
        )
    if status is None and any(word in completed.stderr for word in _NETWORK_WORDS):
        return TrackerError(
            f"{tried}: GitHub cannot be reached ({completed.message})",
            hint="check the network, then run: jilog issues file",
            uncertain=True,
        )
    return TrackerError(
        f"{tried}: {completed.message}",
        hint="check: gh auth status; then run: jilog issues file",
        uncertain=True,
    )
