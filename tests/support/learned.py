"""Signals, scans and logs made by hand, for the tests of what is made of them."""

from __future__ import annotations

from typing import Any

from jilog_ledger.event import Event, EventDraft
from jilog_ledger.identifiers import Writer
from jilog_review.detector import Kind, Tier
from jilog_review.labels import Label, Verdict, label_of
from jilog_review.profiles import Profile
from jilog_review.runs import ReaderCount, Run
from jilog_review.signal import Signal
from jilog_review.testing import MemoryLog
from jilog_review.transcript import Coverage

FULL = Profile("full", ())
"""A profile of the full layout that detects nothing: these tests bring their own signals."""

DAY = "2026-05-09"
NOON_NS = 1_778_328_000 * 10**9
"""2026-05-09T12:00:00Z."""


def a_signal(number: int = 1, **fields: Any) -> Signal:
    values: dict[str, Any] = {
        "id": f"{number:020x}",
        "kind": Kind.ERROR,
        "detector": "full.error",
        "version": 1,
        "rule": "tool-failed",
        "tier": Tier.A,
        "profile": "full",
        "reader": "generic",
        "host": "alpha",
        "session_id": f"s{number}",
        "root_session": f"s{number}",
        "source_file": "/s",
        "line": number,
        "part": 0,
        "fingerprint": f"{number:016x}",
        "excerpt": f"failure {number}",
        "review_date": DAY,
        "tool": "Bash",
        **fields,
    }
    return Signal(**values)


def a_run(host: str = "alpha", day: str = DAY, sessions: int = 1, **fields: Any) -> Run:
    readers = (ReaderCount(reader="generic", sessions=sessions),) if sessions else ()
    return Run(
        **{
            "host": host,
            "profile": "full",
            "review_date": day,
            "readers": readers,
            "coverage": Coverage(files=sessions, lines=10 * sessions),
            **fields,
        }
    )


def a_label(signal: Signal, verdict: Verdict) -> Label:
    return label_of(signal, verdict)


class Fleet:
    """Several hosts' streams; any host may hold any part of them."""

    def __init__(self, *hosts: str) -> None:
        self.logs = {host: MemoryLog(host) for host in hosts}

    def record(self, host: str, *records: Signal | Run | Label, at_ns: int = NOON_NS) -> None:
        drafts: list[EventDraft] = [record.to_draft(at_ns) for record in records]
        self.logs[host].append(drafts)

    def events(self) -> list[Event]:
        return [event for log in self.logs.values() for event in log.kept]


def log_of(events: list[Event], host: str = "reader") -> MemoryLog:
    """Give a host that holds these events and wrote none of them."""
    log = MemoryLog(host)
    log.writer = Writer(host, "ffffffffffffffff")
    log.kept = list(events)
    return log
