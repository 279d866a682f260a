"""What can happen to a fleet, each fault with its cure and with what ``jilog status`` has to say of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from support.containers import ROOT, wait_until
from support.fleet import PORT, Fleet, Member, start_sshd

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
    """Something that goes wrong, and right again."""

    name: str
    inject: Act
    heal: Act
    seen: Sequence[Seen] = ()
    restarts: Sequence[str] = field(default=())
    """Hosts whose agent the fault itself ends."""


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
            fleet[name].write(f"while {' and '.join(fault.name for fault in faults)}")
        _see(fleet, seen)
    fleet.converged()
    _see(fleet, [Seen(item.host, item.peer, "in_sync") for item in seen if item.peer in fleet.members])
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


def _says(peers: Any, wanted: Seen) -> bool:
    found = peers.get(wanted.peer, {})
    told = bool(found.get("next")) or wanted.reason == "in_sync"
    return found.get("reason") == wanted.reason and told


# Links


def cut(one: Member, other: Member) -> Fault:
    """Let neither host hear the other."""

    def inject() -> None:
        drop(one, other)
        drop(other, one)

    def heal() -> None:
        undrop(one, other)
        undrop(other, one)

    seen = [_off(one, other), _off(other, one)]
    return Fault(f"{one.host_name} and {other.host_name} are cut off from each other", inject, heal, seen)


def deaf(one: Member, other: Member) -> Fault:
    """Let one host hear nothing of the other, which hears it still."""
    return Fault(
        f"{one.host_name} does not hear {other.host_name}",
        lambda: drop(one, other),
        lambda: undrop(one, other),
        [_off(other, one)],
    )


def drop(one: Member, other: Member) -> None:
    """Throw away what comes from ``other``."""
    one.in_network("iptables", "-I", "INPUT", "-s", other.address, "-j", "DROP")


def undrop(one: Member, other: Member) -> None:
    """Undo :func:`drop`."""
    one.in_network("iptables", "-D", "INPUT", "-s", other.address, "-j", "DROP")


def lossy(host: Member, share: float) -> Fault:
    """Lose a share of the packets that arrive."""
    rule = ["-m", "statistic", "--mode", "random", "--probability", str(share), "-j", "DROP"]
    return Fault(
        f"{host.host_name} loses {share:.0%} of its packets",
        lambda: host.in_network("iptables", "-I", "INPUT", *rule),
        lambda: host.in_network("iptables", "-D", "INPUT", *rule),
    )


def slow(host: Member, rate: str) -> Fault:
    """Send no faster than ``rate``."""
    return Fault(
        f"{host.host_name} has a line of {rate}",
        lambda: host.in_network("tc", "qdisc", "add", "dev", host.interface, "root", "tbf", *shape(rate)),
        lambda: host.in_network("tc", "qdisc", "del", "dev", host.interface, "root"),
    )


def shape(rate: str) -> list[str]:
    """Give the options of a token bucket."""
    return ["rate", rate, "burst", "16kb", "latency", "400ms"]


def unplugged(host: Member, seen: Sequence[Seen]) -> Fault:
    """Take the interface away; it comes back as a new one."""
    return Fault(f"{host.host_name} is unplugged", host.unplug, host.plug_in, seen)


# Hosts


def killed(host: Member, seen: Sequence[Seen]) -> Fault:
    """Cut the power of a host."""
    return Fault(f"{host.host_name} is killed", host.kill, host.power_on, seen, [host.host_name])


def frozen(host: Member, seen: Sequence[Seen]) -> Fault:
    """Freeze a host; its kernel still takes connections."""
    return Fault(f"{host.host_name} is paused", host.pause, host.unpause, seen)


def stopped(host: Member, seen: Sequence[Seen]) -> Fault:
    """Stop the agent alone."""
    return Fault(
        f"the agent of {host.host_name} is stopped",
        lambda: os.kill(host.pid, signal.SIGSTOP),
        lambda: os.kill(host.pid, signal.SIGCONT),
        seen,
    )


def full_disk(host: Member, seen: Sequence[Seen]) -> Fault:
    """Fill the file system of the home to the last byte."""
    fill = "for size in 64k 512; do dd if=/dev/zero of=filler.$size bs=$size 2>/dev/null || true; done"
    return Fault(
        f"the disk of {host.host_name} is full",
        lambda: host.sh(fill),
        lambda: host.sh("rm -f filler.*"),
        seen,
    )


def read_only(host: Member, seen: Sequence[Seen]) -> Fault:
    """Make the file system of the zones read-only."""
    zones = "/home/jilog/.jilog/zones"
    return Fault(
        f"the disk of {host.host_name} is read-only",
        lambda: host.sh(f"mount --bind {zones} {zones}; mount -o remount,bind,ro {zones}", user=ROOT),
        lambda: host.sh(f"umount -l {zones}", user=ROOT),
        seen,
    )


def few_files(host: Member, seen: Sequence[Seen]) -> Fault:
    """Leave the agent no file descriptor to open."""
    return Fault(
        f"the agent of {host.host_name} has no file descriptors left",
        lambda: host.sh("prlimit --pid 1 --nofile=8:"),
        lambda: host.sh(
            "prlimit --pid 1 --nofile=\"$(prlimit --pid 1 --nofile -o HARD --noheadings | tr -d ' '):\""
        ),
        seen,
    )


def wrong_clock(host: Member, shift: str, seen: Sequence[Seen]) -> Fault:
    """Set the clock of a host with a shifting clock."""
    return Fault(
        f"the clock of {host.host_name} is off by {shift}",
        lambda: host.shift_clock(shift),
        lambda: host.shift_clock("+0"),
        seen,
    )


# Trust and what runs at the far end


@dataclass(frozen=True, slots=True)
class Door:
    """An sshd of its own on one host, which shows one fault: its options, and the reason that they cause."""

    name: str
    port: int
    reason: str
    options: Sequence[str] = ()


def doors(host: Member, client: Member, several: Sequence[Door]) -> list[Fault]:
    """Open faulty doors on a host, each of them a peer of the client's."""
    return [_door(host, client, door) for door in several]


def _door(host: Member, client: Member, door: Door) -> Fault:
    def inject() -> None:
        start_sshd(host, "-p", str(door.port), "-o", f"PidFile=/run/{door.name}.pid", *door.options)
        place = [host.address, "--port", str(door.port), "--user", "jilog"]
        client.add_peer(door.name, *place, "--host-key", host.sshd_key())

    def heal() -> None:
        remove_peer(client, door.name)
        host.sh(f"kill $(cat /run/{door.name}.pid)", user=ROOT)

    return Fault(door.name, inject, heal, [Seen(client.host_name, door.name, door.reason)])


def false_peer(client: Member, name: str, reason: str, *arguments: str) -> Fault:
    """Tell a host of a peer that cannot be."""
    return Fault(
        name,
        lambda: client.add_peer(name, *arguments),
        lambda: remove_peer(client, name),
        [Seen(client.host_name, name, reason)],
    )


def revoked(host: Member, peer: Member) -> Fault:
    """Let a host forget a peer, which still knows it."""
    key = peer.public_key()
    return Fault(
        f"{host.host_name} does not know {peer.host_name} any more",
        lambda: remove_peer(host, peer.host_name),
        lambda: host.add_peer(peer.host_name, peer.address, "--port", str(PORT), "--host-key", key),
        [Seen(peer.host_name, host.host_name, "auth_failed")],
    )


def remove_peer(host: Member, name: str) -> None:
    """Run ``jilog peer remove``."""
    done = host.jilog("peer", "remove", name)
    assert done.returncode == 0, done.stderr


def _off(host: Member, peer: Member) -> Seen:
    return Seen(host.host_name, peer.host_name, "peer_off")
