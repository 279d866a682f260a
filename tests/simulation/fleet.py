"""The simulated world: time, hosts, what befalls them, and what has to hold after every step."""

from __future__ import annotations

import contextlib
import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jilog_agent.daemon.limits import SLICE_SECONDS
from jilog_agent.daemon.schedule import sync_delay
from jilog_ledger import limits as ledger_limits
from jilog_ledger.errors import JilogError
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut
from jilog_ledger.times import SECOND_NS
from jilog_spool import limits as spool_limits
from jilog_spool.repair import Repair
from jilog_spool.session import Session, SessionOptions
from simulation import plan as plans
from simulation.faults import Faults
from simulation.host import EPOCH_NS, MAIN, PRIVATE, Host
from simulation.network import Side
from simulation.plan import Plan
from simulation.promises import Broken, Promises
from simulation.trace import Trace

SYNC_SECONDS = 60.0
QUIET_SECONDS_MAX = 2400.0
"""A peer that was away for long is called again after 900 s at most; then each relay takes a gossip round."""

LOOK_SECONDS = 5.0
STEPS_MAX = 400_000
CONFIDENTIAL_TEXT = "c0nfidential-never-leaves"
PRIVATE_TEXT = "pr1vate-only-where-granted"


@contextlib.contextmanager
def small_limits() -> Iterator[None]:
    """Make segments and chunks small, so that rotation and resumption happen with few events."""
    changed = (
        (ledger_limits, "SEGMENT_BYTES_TARGET", 1500),
        (spool_limits, "CHUNK_BYTES_MAX", 600),
        (spool_limits, "PUSH_BYTES_MAX", 900),
    )
    before = [(module, name, getattr(module, name)) for module, name, _ in changed]
    try:
        for module, name, value in changed:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    seed: int
    trace: Trace
    steps: int
    virtual_seconds: float
    quiet_seconds: float
    events: int
    broken: Broken | None = None


class World:
    """One run of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now = 0.0
        self.chance = random.Random(f"world {plan.seed}")
        self.trace = Trace()
        self.promises = Promises()
        self.hosts: list[Host] = []
        self.cut_off: dict[tuple[int, int], float] = {}
        self.quiet = False
        self.steps = 0
        self.events_appended = 0
        self._queue: list[tuple[float, int, Host | None, int, Callable[[], None]]] = []
        self._number = 0
        self._boots: dict[int, int] = {}
        self._orphans: list[Side] = []
        self.faults = Faults(self)
        self._populate()

    # Time.

    def later(self, seconds: float, host: Host | None, action: Callable[[], None]) -> None:
        """Do something after a while; what belongs to a host is dropped when that host restarts."""
        self._number += 1
        boot = self._boots.get(host.index, 0) if host is not None else 0
        heapq.heappush(self._queue, (self.now + seconds, self._number, host, boot, action))

    def run_until(self, end: float) -> None:
        """Do what is due up to a moment."""
        while self._queue and self._queue[0][0] <= end:
            at, _, host, boot, action = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            if host is not None and (not host.up or boot != self._boots[host.index]):
                continue
            self.step(host, action)
        self.now = max(self.now, end)

    def step(self, host: Host | None, action: Callable[[], None]) -> None:
        """Do one thing, and check what must hold after it."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Broken(8, f"{STEPS_MAX} steps and no end")
        for each in self.hosts if host is None else (host,):
            each.virtual_ns = EPOCH_NS + int(self.now * SECOND_NS)
        try:
            action()
            if host is not None and host.up:
                self._look(host)
        except PowerCut:
            assert host is not None
            self.faults.power_lost(host)

    def _look(self, host: Host) -> None:
        try:
            host.look(self.promises)
        except JilogError as exc:
            # The disk refuses while damage is put away; the next look reads everything.
            self.trace.note(self.now, "look failed", f"{host} {exc.message}")
            host.reread |= {name for name, _ in host.stores()}

    # Hosts.

    def _populate(self) -> None:
        for index in range(self.plan.hosts):
            self.add_host(f"h{index}", MemoryDisk(), self.plan.versions[index])
        for host in self.hosts:
            if host.index in self.plan.private:
                host.zones = (MAIN, PRIVATE)
        for link in self.plan.links:
            first, second = self.hosts[link.first], self.hosts[link.second]
            self.introduce(first, second)
            first.calls.add(second.index)
            if link.both_call:
                second.calls.add(first.index)
        for host in self.hosts:
            self.boot(host)
        self.faults.plan(self.plan)

    def add_host(self, source: str, disk: MemoryDisk, version: int) -> Host:
        """Make a host that is not up yet."""
        host = Host(self.plan.seed, len(self.hosts), source, disk, version=version)
        host.virtual_ns = EPOCH_NS + int(self.now * SECOND_NS)
        self.hosts.append(host)
        self._boots[host.index] = 0
        return host

    @staticmethod
    def introduce(first: Host, second: Host) -> None:
        """Make two hosts peers; what both hold they grant each other."""
        both = tuple(zone for zone in first.zones if zone in second.zones)
        first.peers[second.index] = second.peers[first.index] = both

    def boot(self, host: Host) -> None:
        """Start a host; when its disk does not let it, try again later."""
        if host.up:
            return
        self._boots[host.index] += 1
        host.virtual_ns = EPOCH_NS + int(self.now * SECOND_NS)
        self.trace.note(self.now, "boot", str(host))
        try:
            host.start()
            host.look_at_all(self.promises)
        except PowerCut:
            self.faults.power_lost(host)
            return
        except JilogError as exc:
            self.trace.note(self.now, "boot failed", f"{host} {exc.message}")
            host.stop()
            self.later(10.0, None, lambda: self.boot(host))
            return
        for side in [side for side in self._orphans if side.peer is host]:
            # The first packet to the host that came back is answered with a reset.
            self._orphans.remove(side)
            side.inbox.append((self.now, b""))
            side.arrives_at = self.now
            self.later(0.0, side.host, side.deliver)
        if host.returns:
            self.faults.returned(host)
        for peer in sorted(host.calls):
            self.later(self.chance.uniform(0, 2), host, lambda peer=peer: self.call(host, peer))  # type: ignore[misc]
        self.later(self.chance.uniform(0, SLICE_SECONDS), host, lambda: self._slice(host))

    def shut(self, host: Host, *, seen: bool) -> None:
        """Take a host down, with its connections: closed if that is ``seen``, else silent."""
        for side in list(host.sides):
            if seen:
                side.hang_up()
            elif side.other is not None and side.other.open:
                self._orphans.append(side.other)
            side.close()
        host.sides.clear()
        host.stop()

    def _slice(self, host: Host) -> None:
        try:
            damaged = host.slice(SLICE_SECONDS)
            if damaged:
                self.trace.count("found_by_scrub", damaged)
        except JilogError as exc:
            self.trace.note(self.now, "chore failed", f"{host} {exc.message}")
        self.later(SLICE_SECONDS, host, lambda: self._slice(host))

    # Connections.

    def latency(self) -> float:
        """Draw the latency of some bytes."""
        return self.plan.latency_seconds * self.chance.uniform(0.5, 2.0)

    def blocked(self, sender: Host, receiver: Host) -> bool:
        """Whether a partition lies between."""
        return self.cut_off.get((sender.index, receiver.index), 0.0) > self.now

    def call(self, host: Host, peer_index: int) -> None:
        """Have a turn with a peer, as the agent does: begin a session, and come back when it is over."""
        if peer_index not in host.calls:
            return
        peer = self.hosts[peer_index]
        away = not peer.up or self.blocked(host, peer) or self.blocked(peer, host)
        if host.disk_seems_full or peer_index not in host.peers or away or host.index not in peer.peers:
            if away:
                host.failures[peer_index] = host.failures.get(peer_index, 0) + 1
            self._again(host, peer_index)
            return
        ours = self._side(host, peer, caller=True)
        theirs = self._side(peer, host, caller=False)
        ours.other, theirs.other = theirs, ours
        if not self._begin(ours):
            return
        self.later(self.latency(), peer, lambda: self._accept(theirs))

    def _accept(self, side: Side) -> None:
        if side.open:
            self._begin(side)
            side.deliver()

    def _side(self, host: Host, peer: Host, *, caller: bool) -> Side:
        # Not asked of the agent: what it grants is what is under test.
        may_see = frozenset(host.peers.get(peer.index) or (MAIN,)) & frozenset(host.zones)
        secrets = [CONFIDENTIAL_TEXT.encode()]
        if PRIVATE not in may_see:
            secrets.append(PRIVATE_TEXT.encode())
        side = Side(self, host, peer, caller, may_see, secrets=tuple(secrets))
        host.sides.append(side)
        return side

    def _begin(self, side: Side) -> bool:
        host = side.host
        options = SessionOptions(
            zstd=self.plan.zstd, live=True, chance=self.chance.random, version=host.version
        )
        try:
            replicas = host.replicas(side)
            session = Session(
                replicas,
                source=host.source,
                claims=host.claims,
                granted=host.granted(side.peer.index),
                options=options,
            )
        except JilogError as exc:
            self.trace.note(self.now, "no session", f"{host} {exc.message}")
            side.hang_up()
            return False
        self.trace.count("sessions")
        side.begin(session)
        return side.open

    def ended(self, side: Side) -> None:
        """Note that one end is closed; whoever called comes back after a while."""
        host = side.host
        if side in host.sides:
            host.sides.remove(side)
        if side in self._orphans:
            self._orphans.remove(side)
        report = side.session.report if side.session is not None else None
        if side.caller and host.up:
            settled = report is not None and report.complete
            host.failures[side.peer.index] = 0 if settled else host.failures.get(side.peer.index, 0) + 1
            self._again(host, side.peer.index)

    def _again(self, host: Host, peer_index: int) -> None:
        seconds = sync_delay(SYNC_SECONDS, host.failures.get(peer_index, 0), self.chance.random())
        self.later(seconds, host, lambda: self.call(host, peer_index))

    def grown(self, host: Host, source: Session | None) -> None:
        """Tell every session of a host what it gained, as the agent's conversations do."""
        for side in list(host.sides):
            if side.session is not None and side.open:
                for zone in host.ledgers:
                    side.session.notice(zone)
                if side.session is not source:
                    self.later(0.0, host, lambda side=side: self._push(side))  # type: ignore[misc]

    @staticmethod
    def _push(side: Side) -> None:
        side.flush()
        side.wake()

    # The whole run.

    def run(self) -> Outcome:
        """Play the plan, heal everything, and wait for all to agree."""
        broken: Broken | None = None
        quiet_seconds = 0.0
        try:
            end = max((action.at for action in self.plan.actions), default=0.0) + 10
            self.run_until(end)
            quiet_seconds = self._settle()
            self._check_end()
        except Broken as exc:
            broken = exc
        except Exception as exc:
            broken = Broken(0, f"nothing raises what nobody handles: {exc!r}")
            broken.__cause__ = exc
        finally:
            self.faults.close()
        if broken is not None:
            self.trace.note(self.now, "BROKEN", str(broken))
        self.trace.note(self.now, "end", f"{self.steps} steps")
        events = sum(fact.acknowledged for fact in self.promises.facts.values())
        return Outcome(self.plan.seed, self.trace, self.steps, self.now, quiet_seconds, events, broken)

    def _settle(self) -> float:
        """Heal all, let everybody verify, and wait; give how long it took."""
        began = self.now
        self.faults.heal()
        recoverable = {
            zone: [(group, self._intact(zone, group)) for group in self.groups(zone)]
            for zone in (MAIN, PRIVATE)
        }
        for host in self.hosts:
            self.later(self.chance.uniform(1, 30), host, lambda host=host: self.verify(host))  # type: ignore[misc]
        self.run_until(self.now + 31)
        while not self._agreed(recoverable):
            if self.now - began > QUIET_SECONDS_MAX:
                self._explain(recoverable)
            self.run_until(self.now + LOOK_SECONDS)
        return self.now - began

    def verify(self, host: Host) -> None:
        """Read everything again, and ask the open sessions for what is gone, as `verify --repair` does."""
        stores = {zone: ledger.shared for zone, ledger in host.ledgers.items()}
        try:
            for ledger in host.ledgers.values():
                ledger.local.verify()
            repair = Repair.begin(stores)
            self.trace.count("verified")
            for side in list(host.sides):
                if side.session is not None and side.open:
                    repair.ask(side.session)
                    side.session.compare_soon()
                    self._push(side)
        except JilogError as exc:
            self.trace.note(self.now, "verify failed", f"{host} {exc.message}")
        host.reread |= {name for name, _ in host.stores()}

    def groups(self, zone: str) -> list[list[Host]]:
        """Give the sets of hosts that a zone's events can reach each other in."""
        left = [host for host in self.hosts if zone in host.zones]
        found = []
        while left:
            group, edge = [left[0]], [left[0]]
            while edge:
                host = edge.pop()
                for other in left:
                    if other not in group and self._linked(host, other, zone):
                        group.append(other)
                        edge.append(other)
            left = [host for host in left if host not in group]
            found.append(sorted(group, key=lambda host: host.index))
        return found

    @staticmethod
    def _linked(first: Host, second: Host, zone: str) -> bool:
        if second.index not in first.peers or first.index not in second.peers:
            return False
        if second.index not in first.calls and first.index not in second.calls:
            return False
        return zone in first.granted(second.index) and zone in second.granted(first.index)

    def _intact(self, zone: str, group: list[Host]) -> set[bytes]:
        """Give the events of a zone that somebody of a group holds undamaged and may pass on."""
        found: set[bytes] = set()
        for host in group:
            found |= self.faults.intact_on(host)
        facts = self.promises.facts
        return {one for one in found if facts[one].zone == zone and not facts[one].confidential}

    def _agreed(self, recoverable: dict[str, list[tuple[list[Host], set[bytes]]]]) -> bool:
        return all(
            self._same_roots(zone, group)
            and all(events <= host.held.get((zone, False), {}).keys() for host in group)
            for zone, groups in recoverable.items()
            for group, events in groups
        )

    @staticmethod
    def _same_roots(zone: str, group: list[Host]) -> bool:
        if not all(host.up for host in group):
            return False
        return len({host.ledgers[zone].root_hash() for host in group}) == 1

    def _explain(self, recoverable: dict[str, list[tuple[list[Host], set[bytes]]]]) -> None:
        """Say who does not agree, and how."""
        for zone, groups in recoverable.items():
            for group, events in groups:
                names = ", ".join(map(str, group))
                down = [str(host) for host in group if not host.up]
                if down:
                    raise Broken(3, f"{', '.join(down)} did not come up again")
                if not self._same_roots(zone, group):
                    for host in group:
                        for entry in host.ledgers[zone].frontier().entries:
                            self.trace.note(self.now, "frontier", f"{host} {zone} {_short(entry)}")
                    raise Broken(3, f"{names} do not agree on {zone} after {QUIET_SECONDS_MAX} s of quiet")
                for host in group:
                    missing = events - host.held.get((zone, False), {}).keys()
                    if missing:
                        places = sorted(self.promises.facts[one].place for one in missing)
                        raise Broken(5, f"{host} did not get events {places} of {zone}, which {names} had")

    def _check_end(self) -> None:
        for host in self.hosts:
            host.look_at_all(self.promises)
        held = {one for host in self.hosts for events in host.held.values() for one in events}
        for event_id, fact in self.promises.facts.items():
            if fact.acknowledged and event_id not in held and event_id not in self.promises.excused:
                raise Broken(1, f"acknowledged event {fact.place} of host {fact.host} is nowhere")
        for zone in (MAIN, PRIVATE):
            for group in self.groups(zone):
                self._check_equal(zone, group)
        self._check_epochs()
        self._check_bounded()
        self.faults.check_projections()

    def _check_equal(self, zone: str, group: list[Host]) -> None:
        contents = [host.streams(zone) for host in group]
        for host, content in zip(group, contents, strict=True):
            if content != contents[0]:
                raise Broken(3, f"{host} and {group[0]} have equal roots of {zone} and other events")

    def _check_epochs(self) -> None:
        """Of a writer with two histories nobody writes on, once all have met."""
        for zone in (MAIN, PRIVATE):
            for host in (host for group in self.groups(zone) for host in group):
                forked = self.promises.forked(zone, host.held.get((zone, False), {}))
                writer = host.ledgers[zone].shared.own_writer
                self.trace.count("forks", len(forked))
                if writer in forked:
                    raise Broken(4, f"{host} goes on as {writer} in {zone}, which has two histories")

    def _check_bounded(self) -> None:
        for host in self.hosts:
            for zone, ledger in host.ledgers.items():
                parts = host.disk.list_directory(ledger.shared.layout.incoming)
                if len(parts) > spool_limits.WANTS_OPEN_MAX:
                    raise Broken(8, f"{host} keeps {len(parts)} parts of transfers of {zone}")


def _short(entry: object) -> str:
    return str(entry).replace("FrontierEntry", "")


def run_plan(plan: Plan) -> Outcome:
    """Run a plan."""
    with small_limits():
        return World(plan).run()


def run_seed(seed: int) -> Outcome:
    """Run the plan of a seed."""
    return run_plan(plans.draw(seed))


__all__ = ["Aftermath", "Outcome", "World", "run_plan", "run_seed", "small_limits"]
