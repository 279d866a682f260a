"""What can happen between hosts."""

from __future__ import annotations

from support.faults import Fault, Seen
from support.fleet import Member


def cut(one: Member, other: Member) -> Fault:
    """Let neither host hear the other."""

    def inject() -> None:
        drop(one, other)
        drop(other, one)

    def heal() -> None:
        undrop(one, other)
        undrop(other, one)

    return Fault("two hosts cut off from each other", inject, heal, [off(one, other), off(other, one)])


def deaf(one: Member, other: Member) -> Fault:
    """Let one host hear nothing of the other, which hears it still: neither gets an answer."""
    return Fault(
        "a host cut off one way",
        lambda: drop(one, other),
        lambda: undrop(one, other),
        [off(one, other), off(other, one)],
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
        "a line that loses packets",
        lambda: host.in_network("iptables", "-I", "INPUT", *rule),
        lambda: host.in_network("iptables", "-D", "INPUT", *rule),
    )


def slow(host: Member, rate: str) -> Fault:
    """Send no faster than ``rate``."""
    return Fault(
        "a slow line",
        lambda: host.in_network("tc", "qdisc", "add", "dev", host.interface, "root", "tbf", *shape(rate)),
        lambda: host.in_network("tc", "qdisc", "del", "dev", host.interface, "root"),
    )


def shape(rate: str) -> list[str]:
    """Give the options of a token bucket."""
    return ["rate", rate, "burst", "16kb", "latency", "400ms"]


def moved(host: Member, observers: list[Member]) -> Fault:
    """Take the interface away; it comes back as another one, with another address."""

    def heal() -> None:
        host.plug_in()
        host.move()

    seen = [off(observer, host) for observer in observers]
    return Fault("a host unplugged, and back at another address", host.unplug, heal, seen)


def off(host: Member, peer: Member) -> Seen:
    """Say that a host must find a peer not to answer."""
    return Seen(host.host_name, peer.host_name, "peer_off")
