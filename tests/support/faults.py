"""What can happen to a fleet, each fault with its cure and with what ``jilog status`` has to say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from support.containers import wait_until
from support.fleet import Fleet

Act = Callable[[], Any]


def nothing() -> None:
    """Leave things as they are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the status of one host must say of a peer."""

    host: str
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and right again. ``kind`` is how ``docs/testing.md`` calls it."""

    kind: str
    inject: Act
    heal: Act
    seen: Sequence[Seen] = ()
    restarts: Sequence[str] = field(default=())
    """Hosts whose agent the fault itself ends."""


LASTING = frozenset({"fork"})
"""What is told for as long as a connection stays open, also when there is nothing left to be done."""


def endure(fleet: Fleet, faults: Sequence[Fault], *, writers: Sequence[str]) -> None:
    """Let faults happen at one time, see each of them named, heal them, and see the fleet converge by itself.

    ``writers`` are hosts that go on recording meanwhile. No agent is restarted, save one that a fault ended.
    """
    restarted = {name for fault in faults for name in fault.restarts}
    before = _agents(fleet, restarted)
    seen = [item for fault in faults for item in fault.seen]
    with ExitStack() as cures:
        for fault in faults:
            cures.callback(fault.heal)
            fault.inject()
        for name in writers:
            fleet[name].write(f"while {' and '.join(fault.kind for fault in faults)}")
        _see(fleet, seen)
        _read(fleet, seen)
    fleet.converged()
    passing = [item for item in seen if item.peer in fleet.members and item.reason not in LASTING]
    _see(fleet, [Seen(item.host, item.peer, "in_sync") for item in passing])
    assert _agents(fleet, restarted) == before


def _agents(fleet: Fleet, but: set[str]) -> dict[str, tuple[int, str]]:
    """Tell one agent process from another."""
    members = [member for name, member in fleet.members.items() if name not in but]
    found = [wait_until(member.agent, f"the agent of {member.host_name}") for member in members]
    return {
        member.host_name: (agent["pid"], agent["started"])
        for member, agent in zip(members, found, strict=True)
    }


def _see(fleet: Fleet, wanted: Sequence[Seen]) -> None:
    """Wait until the status of each host names the reason, with a next command if it is a trouble."""
    said: dict[str, object] = {}

    def missing() -> list[Seen]:
        hosts = sorted({item.host for item in wanted})
        said.update({host: {peer["peer"]: peer for peer in fleet[host].state()["peers"]} for host in hosts})
        return [item for item in wanted if not _says(said[item.host], item)]

    try:
        wait_until(lambda: not missing(), "the reasons")
    except AssertionError:
        told = {item: said[item.host].get(item.peer) for item in wanted}  # type: ignore[attr-defined]
        lines = "\n".join(
            f"{item.host} of {item.peer}, not {item.reason}: {told[item]}" for item in missing()
        )
        raise AssertionError(f"status does not name what happened:\n{lines}") from None


def _read(fleet: Fleet, wanted: Sequence[Seen]) -> None:
    """Look at what a person sees: each reason stands in a line of its peer."""
    for host in sorted({item.host for item in wanted}):
        reasons = [item for item in wanted if item.host == host]
        wait_until(lambda: _legible(fleet, host, reasons), f"the reasons on the screen of {host}")  # noqa: B023 - called at once


def _legible(fleet: Fleet, host: str, wanted: Sequence[Seen]) -> bool:
    lines = [line.split() for line in fleet[host].jilog("spool", "status").stdout.splitlines()]
    return all(any(line[:1] == [item.peer] and item.reason in line for line in lines) for item in wanted)


def _says(peers: Any, wanted: Seen) -> bool:
    found = peers.get(wanted.peer, {})
    told = bool(found.get("next")) or wanted.reason == "in_sync"
    return found.get("reason") == wanted.reason and told
