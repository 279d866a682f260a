"""An issue as beads writes it, on a line of ``issues.jsonl`` and in the output of ``bd --json``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

import msgspec

from jilog_ledger.event import JsonValue
from jilog_ledger.times import format_time
from jilog_review.issue_text import read_detected_on, read_fingerprint
from jilog_review.moments import transcript_time_ns
from jilog_review.tracker import Issue, IssueRef, IssueState, NewIssue
from jilog_review.trackers.labels import OWN_LABEL, beads_labels

SOURCE = "jilog/review"
RECURRED_LABEL = "recurred"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SUFFIX_CHARS_MIN = 3
_DUPLICATE = re.compile(r"\b(?:duplicate|superseded)\b", re.IGNORECASE)
_DECLINED = re.compile(
    r"\b(?:wont-?fix|won'?t (?:fix|do)|not planned|declined|invalid|by design|as designed|not a bug)\b",
    re.IGNORECASE,
)


class BeadsComment(msgspec.Struct):
    """A comment; only its text matters here."""

    text: str = ""


class BeadsIssue(msgspec.Struct):
    """The fields that are read. ``body`` and ``created`` are the seed's names for beads' own."""

    id: str
    title: str = ""
    status: str = "open"
    labels: list[str] | None = None
    description: str | None = None
    body: str | None = None
    source: str | None = None
    created_at: str | None = None
    created: str | None = None
    closed_at: str | None = None
    close_reason: str | None = None
    comments: list[BeadsComment] | None = None

    @property
    def text(self) -> str:
        """The body: beads' own field, which ``bd`` edits, before the seed's."""
        return self.description or self.body or ""

    @property
    def own(self) -> bool:
        """Tell whether jilog filed it."""
        return (
            self.source == SOURCE
            or OWN_LABEL in (self.labels or ())
            or read_fingerprint(self.text) is not None
        )

    def issue(self) -> Issue:
        """Give it as every tracker's issue."""
        return Issue(
            ref=IssueRef(self.id, "beads", self.title),
            state=self._state(),
            fingerprint=read_fingerprint(self.text),
            detected_on=read_detected_on(self.text),
            created_ns=transcript_time_ns(self.created_at or self.created),
            closed_ns=transcript_time_ns(self.closed_at),
            labels=tuple(self.labels or ()),
        )

    def _state(self) -> IssueState:
        if self.status == "tombstone":
            # Deleted through bd, which keeps a mark so that no merge brings the issue back.
            return IssueState.DECLINED
        if self.status != "closed":
            return IssueState.OPEN
        reasons = " ".join([self.close_reason or "", *(self.labels or ())])
        if _DUPLICATE.search(reasons):
            return IssueState.DUPLICATE
        return IssueState.DECLINED if _DECLINED.search(reasons) else IssueState.DONE


def new_line(new: NewIssue, issue_id: str, now_ns: int, further: tuple[str, ...]) -> dict[str, JsonValue]:
    """Make the object of a new issue: the seed's fields, then beads' own names for the same."""
    now = format_time(now_ns // 1_000_000_000 * 1_000_000_000)
    labels: list[JsonValue] = list(dict.fromkeys((*beads_labels(new), *further)))
    return {
        "id": issue_id,
        "title": new.title,
        "type": new.type,
        "priority": new.priority,
        "status": "open",
        "labels": labels,
        "body": new.body,
        "source": SOURCE,
        "created": now,
        "description": new.body,
        "issue_type": new.type,
        "created_at": now,
        "updated_at": now,
        "created_by": "jilog",
    }


def commented(line: dict[str, JsonValue], text: str, now_ns: int) -> dict[str, JsonValue]:
    """Give an issue's object with one more comment."""
    now = format_time(now_ns // 1_000_000_000 * 1_000_000_000)
    before = line.get("comments")
    comments = before if isinstance(before, list) else []
    comment: dict[str, JsonValue] = {
        "id": len(comments) + 1,
        "issue_id": line["id"],
        "author": "jilog",
        "text": text,
        "created_at": now,
    }
    return {**line, "comments": [*comments, comment], "updated_at": now}


def reopened(line: dict[str, JsonValue], now_ns: int) -> dict[str, JsonValue]:
    """Give a closed issue's object as an open one, labelled as recurred."""
    before = line.get("labels")
    labels = before if isinstance(before, list) else []
    kept = {key: value for key, value in line.items() if key not in ("closed_at", "close_reason")}
    return {
        **kept,
        "status": "open",
        "labels": labels if RECURRED_LABEL in labels else [*labels, RECURRED_LABEL],
        "updated_at": format_time(now_ns // 1_000_000_000 * 1_000_000_000),
    }


def new_issue_id(fingerprint: str, prefix: str, taken: Collection[str]) -> str:
    """Give ``prefix-`` and three or more base-36 digits, as beads makes ids, that no issue has.

    They come from the fingerprint, so that two clones of a repository that file one problem give it one id.
    """
    number = int.from_bytes(hashlib.sha256(fingerprint.encode()).digest(), "big")
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits += _DIGITS[digit]
    for length in range(_SUFFIX_CHARS_MIN, len(digits)):
        issue_id = f"{prefix}-{digits[:length]}"
        if issue_id not in taken:
            return issue_id
    raise AssertionError("fifty digits of a hash are all taken")
