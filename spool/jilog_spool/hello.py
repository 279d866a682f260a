"""The first message of a session: what this host says of itself, and what follows from what the peer says."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from jilog_ledger.errors import InputError
from jilog_ledger.frontier import Frontier
from jilog_spool import compression, wire
from jilog_spool.errors import VersionMismatch
from jilog_spool.limits import GOSSIP_SECONDS, SILENCE_SECONDS_MAX
from jilog_spool.replica import Replica

LIVE_CAPABILITY = "live"


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session behaves.

    ``live`` asks to stay open after the exchange, ``forecast`` to find out what would move and move
    nothing. ``chance`` gives numbers from 0 to 1, for the moment of the next comparison. ``version`` is the
    newest spoken, ``software`` the program's own version. ``clock`` gives Unix seconds, which the two sides
    tell each other; ``full`` says why no segments are taken now, None when they are. A warm session compares
    roots after ``gossip_seconds`` and gives up a peer that leaves it waiting for ``answer_seconds``.
    """

    zstd: bool = True
    live: bool = False
    forecast: bool = False
    chance: Callable[[], float] = random.random
    version: int = wire.VERSION
    software: str = ""
    clock: Callable[[], int] | None = None
    full: Callable[[], str | None] = lambda: None
    gossip_seconds: float = GOSSIP_SECONDS
    answer_seconds: float = SILENCE_SECONDS_MAX


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two hellos agree on. ``equal`` and ``differing`` are shared zones, ``unshared`` only ours."""

    peer: str
    version: int
    zstd: bool
    live: bool
    equal: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    unshared: list[str] = field(default_factory=list)


def make_hello(frontiers: Mapping[str, Frontier], source: str, options: SessionOptions) -> wire.Hello:
    """Say who this host is, and the fleet root of each zone that the peer may see."""
    roots = {zone: frontier.root() for zone, frontier in sorted(frontiers.items())}
    capabilities = [compression.CAPABILITY] if options.zstd else []
    capabilities += [LIVE_CAPABILITY] if options.live else []
    versions = (min(wire.VERSION_OLDEST, options.version), options.version)
    clock = options.clock() if options.clock else 0
    return wire.Hello(versions, source, roots, capabilities, clock, options.software)


def agree(hello: wire.Hello, frontiers: Mapping[str, Frontier], options: SessionOptions) -> Agreement:
    """Find out what the two sides have in common.

    Raises:
        ProtocolError: the peer's name may not be one.
        VersionMismatch: there is no version that both speak.
    """
    peer = wire.wire_writer(hello.source, bytes(8)).source
    oldest, newest = hello.versions
    version = min(newest, options.version)
    if version < max(oldest, wire.VERSION_OLDEST):
        raise VersionMismatch(
            f"peer {peer} speaks protocol versions {oldest} to {newest}, "
            f"this host {wire.VERSION_OLDEST} to {options.version}",
            hint="upgrade jilog on the older of the two",
        )
    zstd = options.zstd and compression.CAPABILITY in hello.capabilities
    live = options.live and version > 1 and LIVE_CAPABILITY in hello.capabilities
    agreement = Agreement(peer, version, zstd, live)
    for zone, frontier in sorted(frontiers.items()):
        root = hello.roots.get(zone)
        same = agreement.equal if root == frontier.root() else agreement.differing
        (agreement.unshared if root is None else same).append(zone)
    return agreement


def visible(replicas: Mapping[str, Replica], granted: Collection[str] | None) -> dict[str, Replica]:
    """Pick the zones that the peer may see; ``granted`` of None stands for all.

    Raises:
        InputError: one holds events that are local to this host, a mistake of the caller.
    """
    shown = {zone: item for zone, item in replicas.items() if granted is None or zone in granted}
    for zone, replica in shown.items():
        if replica.local:
            raise InputError(f"zone {zone}: events that are local to this host must not be shared")
    return shown
