"""The table of faults in the document is what the tests of real hosts inject and want to see named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from jilog_agent.reasons import Reason
from support.fault_rounds import ASH, BIRCH, CEDAR, DATE, ELM, ROUNDS
from support.faults import Fault

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing.md"
ROW = re.compile(r"\| ([a-zA-Z][^|]*) \| ((?:`[a-z_]+`(?:, )?)+) \|$", re.MULTILINE)
FAULTS_MIN = 20


class Named:
    """A host of which nothing but the name is there."""

    def __init__(self, name: str) -> None:
        self.host_name = name

    def __getattr__(self, name: str) -> Any:
        return f"{name} of {self.host_name}"


def faults() -> list[Fault]:
    """Make every fault; none of them is injected."""
    hosts: Any = {name: Named(name) for name in (ASH, BIRCH, CEDAR, DATE, ELM)}
    return [fault for faults_at_one_time in ROUNDS for fault in faults_at_one_time(hosts)]


def test_table_of_faults_is_what_is_injected_and_what_must_be_named() -> None:
    injected = {fault.kind: sorted({item.reason for item in fault.seen}) for fault in faults()}
    told = {
        kind: sorted(re.findall("[a-z_]+", reasons)) for kind, reasons in ROW.findall(DOCUMENT.read_text())
    }

    assert told == injected
    assert len(injected) >= FAULTS_MIN
    assert {reason for reasons in injected.values() for reason in reasons} <= {
        reason.value for reason in Reason
    }
    assert all(injected.values())
