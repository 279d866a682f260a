"""What can happen to a host, to its agent, its disk and its clock."""

from __future__ import annotations

from collections.abc import Sequence

from support.containers import ROOT
from support.faults import Fault, Seen
from support.fleet import Member, start_agent


def killed(host: Member, seen: Sequence[Seen]) -> Fault:
    """Cut the power of a host."""
    return Fault("a host without power", host.kill, host.power_on, seen, [host.host_name])


def frozen(host: Member, seen: Sequence[Seen]) -> Fault:
    """Freeze a host; its kernel still takes connections."""
    return Fault("a host that is paused", host.pause, host.unpause, seen)


def agent_killed(host: Member, seen: Sequence[Seen]) -> Fault:
    """Kill the agent alone; the host stays up."""
    return Fault(
        "an agent killed by SIGKILL",
        lambda: signal_agent(host, "KILL"),
        lambda: start_agent(host),
        seen,
        [host.host_name],
    )


def agent_stopped(host: Member, seen: Sequence[Seen]) -> Fault:
    """Stop the agent alone, as Ctrl-Z does; the host stays up."""
    pids: list[int] = []

    def inject() -> None:
        pids.append(signal_agent(host, "STOP"))

    return Fault("an agent stopped by SIGSTOP", inject, lambda: host.sh(f"kill -CONT {pids.pop()}"), seen)


def signal_agent(host: Member, name: str) -> int:
    """Send the agent a signal and give its process."""
    pid = host.agent()["pid"]
    host.sh(f"kill -{name} {pid}")
    assert isinstance(pid, int)
    return pid


def paused(host: Member, peer: Member) -> Fault:
    """Let somebody pause the exchange with a peer."""
    return Fault(
        "an exchange paused by somebody",
        lambda: host.done("spool", "pause", peer.host_name, "--for", "1h"),
        lambda: host.done("spool", "resume", peer.host_name),
        [
            Seen(host.host_name, peer.host_name, "paused"),
            Seen(peer.host_name, host.host_name, "peer_paused"),
        ],
    )


def full_disk(host: Member, seen: Sequence[Seen]) -> Fault:
    """Fill the file system of the home to the last byte."""
    fill = "for size in 64k 512; do dd if=/dev/zero of=filler.$size bs=$size 2>/dev/null || true; done"
    return Fault("a full disk", lambda: host.sh(fill), lambda: host.sh("rm -f filler.*"), seen)


def read_only(host: Member, seen: Sequence[Seen]) -> Fault:
    """Make the file system of the zones read-only."""
    zones = "/home/jilog/.jilog/zones"
    return Fault(
        "a read-only disk",
        lambda: host.sh(f"mount --bind {zones} {zones}; mount -o remount,bind,ro {zones}", user=ROOT),
        lambda: host.sh(f"umount -l {zones}", user=ROOT),
        seen,
    )


def few_files(host: Member, seen: Sequence[Seen]) -> Fault:
    """Leave the agent no file descriptor to open."""
    limits: list[tuple[int, str]] = []

    def inject() -> None:
        pid = host.agent()["pid"]
        limits.append((pid, host.sh(f"prlimit --pid {pid} --nofile -o SOFT --noheadings").strip()))
        host.sh(f"prlimit --pid {pid} --nofile=8:")

    def heal() -> None:
        pid, limit = limits.pop()
        host.sh(f"prlimit --pid {pid} --nofile={limit}:")

    return Fault("no file descriptors left", inject, heal, seen)


def wrong_clock(host: Member, shift: str, seen: Sequence[Seen]) -> Fault:
    """Set the clock of a host with a shifting clock."""
    which = "ahead" if shift.startswith("+") else "behind"
    return Fault(
        f"a clock one hour {which}", lambda: host.shift_clock(shift), lambda: host.shift_clock("+0"), seen
    )
