"""Run all checks beside each other: none can hide what the others found, and none can hold them up."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from jilog_agent.doctor import around, fleet, ledgers, nights, reading, rooms, service, trust
from jilog_agent.doctor.finding import Check, Finding, Level, Patient
from jilog_ledger.errors import JilogError

CHECK_SECONDS = 20.0
"""A check that has not answered by then waits for something that does not come: a dead mount, a network."""

CHECKS: Mapping[str, Check] = {
    "permissions": rooms.check_permissions,
    "disk": rooms.check_disk,
    "clock": around.check_clock,
    "ledgers": ledgers.check_ledgers,
    "keys": trust.check_keys,
    "ssh": trust.check_authorized_keys,
    "mdns": around.check_mdns,
    "readers": reading.check_readers,
    "nights": nights.check_nights,
    "tracker": reading.check_tracker,
    "agent": service.check_agent,
    "versions": fleet.check_versions,
    "units": service.check_units,
}
"""Every check by the name it is chosen with, in the order in which findings of one level are told."""


@dataclass(slots=True)
class _Run:
    """One check on its way; ``findings`` is its answer once ``done``."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def play(self, check: Check, patient: Patient) -> None:
        try:
            self.findings = list(check(patient))
        except JilogError as error:
            self.findings = [_failed(self.name, error.message, error.hint)]
        except Exception as error:  # a check is code that looks at broken things; the others still count
            self.findings = [_failed(self.name, f"{type(error).__name__}: {error}", None)]
        finally:
            self.done.set()


def examine(
    patient: Patient, checks: Mapping[str, Check] | None = None, limit_seconds: float = CHECK_SECONDS
) -> list[Finding]:
    """Run the checks and give their findings, the worst first and else in the order of the checks.

    A check that raises, or takes longer than ``limit_seconds``, is itself a finding. Its thread is a daemon,
    so that it cannot keep the program alive.
    """
    chosen = CHECKS if checks is None else checks
    runs = [_Run(name) for name in chosen]
    for run in runs:
        threading.Thread(target=run.play, args=(chosen[run.name], patient), daemon=True).start()
    deadline = monotonic() + limit_seconds
    found: list[Finding] = []
    for run in runs:
        answered = run.done.wait(max(0.0, deadline - monotonic()))
        found += run.findings if answered else [_slow(run.name, limit_seconds)]
    return sorted(found, key=lambda item: -item.level)


def worst_level(findings: Sequence[Finding]) -> Level | None:
    """Give the level of the worst finding."""
    return max((item.level for item in findings), default=None)


def _failed(name: str, message: str, hint: str | None) -> Finding:
    return Finding(
        name,
        Level.WARNING,
        f"the check could not be made: {message}",
        "whether this is in order is not known",
        hint or f"look again: jilog doctor --only {name}",
    )


def _slow(name: str, limit_seconds: float) -> Finding:
    return Finding(
        name,
        Level.WARNING,
        f"the check did not end within {limit_seconds:g} s",
        "something it asks does not answer: a mount, a program or the network",
        f"look again: jilog doctor --only {name}",
    )
