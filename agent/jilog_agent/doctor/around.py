"""What this host has around it: the clock it stamps events with, and the network it is found on."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.doctor.program import said
from jilog_ledger.times import format_time

FIRST_SENSIBLE_NS = 1_735_689_600 * 1_000_000_000
"""2025-01-01, before jilog was: a clock that says less has lost its battery."""


def check_clock(patient: Patient) -> Iterator[Finding]:
    """The clock says a time that can be, and somebody keeps it right."""
    if patient.now_ns < FIRST_SENSIBLE_NS:
        yield Finding(
            "clock",
            Level.ERROR,
            f"this host's clock says {format_time(patient.now_ns)[:19]}Z",
            "events are sorted by their time, and a review looks at days",
            "set the clock: sudo timedatectl set-ntp true",
        )
    if shutil.which("timedatectl", path=patient.environment.get("PATH")) is None:
        return
    answer = said(patient, "timedatectl", "show", "--property=NTP", "--property=NTPSynchronized")
    # Where systemd does not keep the clock, chrony or the hypervisor may: only a clear no counts.
    if answer is not None and "NTP=yes" in answer and "NTPSynchronized=no" in answer:
        yield Finding(
            "clock",
            Level.WARNING,
            "the clock is not synchronised with any time server",
            "a clock that is wrong by five minutes is named by every peer",
            "timedatectl timesync-status",
        )


def check_mdns(patient: Patient) -> Iterator[Finding]:
    """Who wants to be found on the local network can be: there is one, and multicast DNS can be spoken."""
    agent = patient.config.agent
    # Here because a tenth of a second passes while it is imported, on a host that may not want it.
    from jilog_agent.daemon.neighbours import reachable

    if not agent.mdns or agent.listen is None or not reachable(agent.listen[0]):
        return
    from jilog_spool.discovery import own_addresses

    if all(address.startswith("127.") for address in own_addresses()):
        yield Finding(
            "mdns",
            Level.NOTE,
            "this host has no address on any network",
            "no peer can find it, and it finds none",
            "ip address",
        )
    reason = _port_refused()
    if reason is not None:
        yield Finding(
            "mdns",
            Level.WARNING,
            f"UDP port {MDNS_PORT} cannot be shared: {reason}",
            "hosts on this network are not found; peers with an address still are",
            f"ss -ulpn 'sport = :{MDNS_PORT}'; or set mdns = false in [agent]",
        )


MDNS_PORT = 5353
"""RFC 6762, section 3."""


def _port_refused() -> str | None:
    """Bind the port as a responder does, beside others; tell why that fails."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            channel.bind(("", MDNS_PORT))
        except OSError as exc:
            return exc.strerror or str(exc)
    return None
