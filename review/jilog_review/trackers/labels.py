"""The labels of an issue, in the alphabet of each tracker."""

from __future__ import annotations

import re

from jilog_review.detector import Kind
from jilog_review.filing_limits import LABEL_CHARS_MAX
from jilog_review.tracker import NewIssue

OWN_LABEL = "jilog"
"""On every issue that jilog files: listings ask for it."""

_NOT_PLAIN = re.compile(r"[^a-z0-9._:/-]+")
_NOT_KATA = re.compile(r"[^a-z0-9._:-]+")


def plain_label(text: str) -> str:
    """Bring a text into lower-case letters, digits and ``._:/-``, which every tracker takes."""
    return _NOT_PLAIN.sub("-", text.lower()).strip("-")[:LABEL_CHARS_MAX]


def beads_labels(new: NewIssue) -> tuple[str, ...]:
    """Give the seed's labels: what sort of thing it is, then the tool or the pattern."""
    sort = {Kind.WORKAROUND: "tech-debt"}.get(new.kind, str(new.kind))
    return _unique(OWN_LABEL, "p0" if new.p0 else sort, *_subject(new))


def github_labels(new: NewIssue, further: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give ``jilog``, ``jilog/<kind>``, for an alert also ``p0`` and its tool, and those of the config."""
    alert = ("p0", *_subject(new)) if new.p0 else ()
    return _unique(OWN_LABEL, f"jilog/{new.kind}", *alert, *further)


def kata_labels(new: NewIssue, further: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Give the same with ``:`` for ``/``, which kata's alphabet does not have."""
    return _unique(*(_NOT_KATA.sub("-", label.replace("/", ":")) for label in github_labels(new, further)))


def _subject(new: NewIssue) -> tuple[str, ...]:
    if new.kind is Kind.ERROR and new.tool:
        return (plain_label(f"tool:{new.tool}"),)
    if new.kind is not Kind.CORRECTION and new.pattern:
        return (plain_label(f"pattern:{new.pattern}"),)
    return ()


def _unique(*labels: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for label in labels if label))
