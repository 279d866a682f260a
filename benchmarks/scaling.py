"""How replication grows with the fleet: rounds until all agree, and bytes each host moves on the wire.

Up to a thousand hosts every connection is a pair of real sessions over memory replicas. One event spreads
through a fleet that was level; a round is the time in which whatever a host has said reaches its peers.

For ten thousand hosts, twenty thousand pairs of sessions do not fit the memory of a small machine. There a
coarser model takes over: the same network, hosts that have the event or have it not, and for each connection
the bytes that a real pair of sessions was seen to spend in the same case. The model is also run at the sizes
that were really measured, and the table shows how far off it is.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_spool.claims import Claims
from jilog_spool.memory import Pipe
from jilog_spool.session import Grown, Session, SessionOptions, State
from jilog_spool.testing import MemoryReplica

REAL_SIZES = (10, 100, 1000)
MODEL_SIZES = (10, 100, 1000, 10_000)
PEERS_EACH = 2
"""Connections that each host opens; with those that others open to it, it has twice as many on average."""

EVENT_CHARS = 1000
EVENTS = 4
"""Of these the first and the last are shown."""

MEETING_SIZES = (10, 100)
SEED = 20260509


@dataclass(frozen=True, slots=True)
class Spread:
    """How events came to all: rounds, and the bytes that each host sent and received.

    ``first`` is the first event that a connection carries, ``further`` one after some more: by then hosts
    know that a peer hears the news from somebody else, too, and offer it instead of sending it.
    """

    hosts: int
    rounds: int
    first: float
    further: float
    further_max: int
    idle: float


def run() -> str:
    """Measure and give the tables of ``docs/scaling.md``."""
    costs = Costs()
    rows = [
        "one event of 1 KiB in a fleet that is level; bytes per host, sent and received",
        "",
        "| hosts | connections | rounds | first event | further event | most | idle check | by |",
        "|---:|---:|---:|---:|---:|---:|---:|---|",
        *(_row(_real(size, costs), "real sessions") for size in REAL_SIZES),
        *(_row(_modelled(size, costs), "model") for size in MODEL_SIZES),
        "",
        "every host brings an event of its own of 1 KiB, and all connect at once",
        "",
        "| hosts | connections | rounds | bytes per host, mean | of that news |",
        "|---:|---:|---:|---:|---:|",
        *(_meeting(size) for size in MEETING_SIZES),
    ]
    return "\n".join(rows)


def _row(spread: Spread, how: str) -> str:
    connections = len(_network(spread.hosts))
    return (
        f"| {spread.hosts:,} | {connections:,} | {spread.rounds} | {spread.first:,.0f} "
        f"| {spread.further:,.0f} | {spread.further_max:,} | {spread.idle:,.0f} | {how} |"
    )


def _network(hosts: int) -> list[tuple[int, int]]:
    """Connect every host to PEERS_EACH random others, and all of them by a ring so that none is left out."""
    chance = random.Random(SEED + hosts)
    pairs = {(host, (host + 1) % hosts) for host in range(hosts)}
    for host in range(hosts):
        for _ in range(PEERS_EACH - 1):
            other = chance.randrange(hosts)
            if other != host and (other, host) not in pairs:
                pairs.add((host, other))
    return sorted(pairs)


@dataclass(slots=True)
class Costs:
    """Bytes, both directions together, that a connection was seen to spend, by what became of it."""

    seen: dict[str, Counter[int]] = field(default_factory=dict)

    def note(self, case: str, spent: int) -> None:
        """Take down one connection."""
        self.seen.setdefault(case, Counter())[spent] += 1

    def mean(self, case: str) -> float:
        """Give what such a connection spends on average."""
        found = self.seen[case]
        return sum(spent * count for spent, count in found.items()) / found.total()


class _Line:
    """One warm connection between two hosts."""

    def __init__(self, ends: tuple[int, int], replicas: list[MemoryReplica], claims: list[Claims]) -> None:
        self.ends = ends
        first, second = (_session(replicas[end], claims[end]) for end in ends)
        self.pipe = Pipe(first, second)
        for side in (self.pipe.first, self.pipe.second):
            side.session.tick(0.0)

    def settle(self) -> None:
        """Carry bytes until nothing moves."""
        while self.pipe.step():
            pass
        assert self.pipe.first.session.state is self.pipe.second.session.state is State.LIVE
        self.take_grown()

    def let_wait_end(self) -> None:
        """Let a session go on that waited for what another one of its host was fetching."""
        for side in (self.pipe.first, self.pipe.second):
            if side.session.deferred:
                side.session.tick(0.0)

    @property
    def spent(self) -> int:
        """Bytes so far, both directions."""
        return self.pipe.first.sent_bytes + self.pipe.second.sent_bytes

    @property
    def news(self) -> int:
        """Events that came over this connection and were new to the host."""
        return sum(side.session.report.events_received for side in (self.pipe.first, self.pipe.second))

    def take_grown(self) -> set[int]:
        """Name the ends that gained something since the last call."""
        grown = set()
        for end, side in zip(self.ends, (self.pipe.first, self.pipe.second), strict=True):
            if any(isinstance(event, Grown) for event in side.events):
                grown.add(end)
            side.events.clear()
        return grown

    def session(self, host: int) -> Session:
        return (self.pipe.first if self.ends[0] == host else self.pipe.second).session


def _session(replica: MemoryReplica, claims: Claims) -> Session:
    options = SessionOptions(live=True, zstd=False, chance=lambda: 0.5)
    return Session({"main": replica}, source=replica.source, claims=claims, options=options)


class _Fleet:
    """Hosts with open connections."""

    def __init__(self, hosts: int, *, level: bool) -> None:
        keys = [SigningKey.from_seed(index.to_bytes(32, "big")) for index in range(1 if level else hosts)]
        self.replicas = [MemoryReplica("main", f"h{i}", keys[i % len(keys)]) for i in range(hosts)]
        self._events = 0
        for host in range(0 if level else hosts):
            self.append(host)
        claims = [Claims() for _ in range(hosts)]
        self.lines = [_Line(pair, self.replicas, claims) for pair in _network(hosts)]
        self._by_host: dict[int, list[_Line]] = {}
        for line in self.lines:
            for end in line.ends:
                self._by_host.setdefault(end, []).append(line)

    def append(self, host: int) -> None:
        """Append an event that no other equals."""
        self._events += 1
        text = {"text": "x" * EVENT_CHARS}
        event_id = self._events.to_bytes(16, "big")
        self.replicas[host].append([EventDraft("health", text, timestamp_ns=1, event_id=event_id)])

    def carry(self, grown: set[int]) -> int:
        """Pass on what hosts gained until nothing moves; give the round in which the last of them did."""
        rounds = last = 0
        moved = True
        while moved:
            for host in sorted(grown):
                for line in self._by_host[host]:
                    line.session(host).notice("main")
            grown = set()
            rounds += 1
            moved = False
            for line in self.lines:
                line.let_wait_end()
                moved = line.pipe.step() or moved
                grown |= line.take_grown()
            if grown:
                last = rounds
        assert len({replica.frontier().root() for replica in self.replicas}) == 1
        return last


def _real(hosts: int, costs: Costs) -> Spread:
    """Let events spread over real sessions."""
    fleet = _Fleet(hosts, level=True)
    for line in fleet.lines:
        line.settle()
    idle = _idle(fleet.lines, hosts)
    means, most, rounds = [], 0, 0
    for number in range(EVENTS):
        case = "first" if number == 0 else "further"
        before = [(line.spent, line.news) for line in fleet.lines]
        fleet.append(0)
        rounds = max(rounds, fleet.carry({0}))
        bytes_by_host = [0] * hosts
        for line, (spent, news) in zip(fleet.lines, before, strict=True):
            if number in (0, EVENTS - 1):
                costs.note(f"{case} {'news' if line.news > news else 'known'}", line.spent - spent)
            for end in line.ends:
                bytes_by_host[end] += line.spent - spent
        means.append(sum(bytes_by_host) / hosts)
        most = max(bytes_by_host)
    return Spread(hosts, rounds, means[0], means[-1], most, idle)


def _meeting(hosts: int) -> str:
    """Let all hosts meet, each with an event of its own."""
    fleet = _Fleet(hosts, level=False)
    rounds = fleet.carry(set())
    mean = 2 * sum(line.spent for line in fleet.lines) / hosts
    news = (hosts - 1) * fleet.replicas[0].segments(fleet.replicas[0].own_writer)[0].length
    return f"| {hosts:,} | {len(fleet.lines):,} | {rounds} | {mean:,.0f} | {news:,} |"


def _idle(lines: list[_Line], hosts: int) -> float:
    """Let every connection compare roots once."""
    before = sum(line.spent for line in lines)
    for line in lines:
        line.pipe.first.session.tick(100.0)
        while line.pipe.step():
            pass
    return 2 * (sum(line.spent for line in lines) - before) / hosts


def _modelled(hosts: int, costs: Costs) -> Spread:
    """Let one event spread where each host that gets it tells all others in the next round."""
    pairs = _network(hosts)
    near: dict[int, list[int]] = {}
    for first, second in pairs:
        near.setdefault(first, []).append(second)
        near.setdefault(second, []).append(first)
    got, edge, parent = {0: 0}, [0], {}
    while edge:
        reached = []
        for host in edge:
            for other in near[host]:
                if other not in got:
                    got[other], parent[other] = got[host] + 1, host
                    reached.append(other)
        edge = reached
    idle = 2 * len(pairs) * IDLE_BYTES / hosts
    means, most = [], 0.0
    for event in ("first", "further"):
        bytes_by_host = [0.0] * hosts
        for first, second in pairs:
            brought = parent.get(first) == second or parent.get(second) == first
            spent = costs.mean(f"{event} {'news' if brought else 'known'}")
            bytes_by_host[first] += spent
            bytes_by_host[second] += spent
        means.append(sum(bytes_by_host) / hosts)
        most = max(bytes_by_host)
    return Spread(hosts, max(got.values()), means[0], means[1], round(most), idle)


IDLE_BYTES = 62
"""One comparison of roots, both directions; what the real sessions spend stands in the rows above."""
