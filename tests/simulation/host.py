"""One simulated host: its disk, its zones, its sessions, and what its agent decides."""

from __future__ import annotations

import functools
import hashlib
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jilog_agent.config import Config, load_config
from jilog_agent.config.load import ConfigSources
from jilog_agent.daemon.schedule import Budget, read_only
from jilog_agent.replication import granted_zones
from jilog_ledger.branch import BranchTaken
from jilog_ledger.errors import IntegrityError, StorageError
from jilog_ledger.event import EventDraft
from jilog_ledger.frontier import Frontier, FrontierEntry
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey
from jilog_ledger.layout import segment_number
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import Ingested
from jilog_ledger.scrub import ScrubCursor, scrub
from jilog_ledger.store import Position, ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk
from jilog_ledger.times import SECOND_NS
from jilog_spool.claims import Claims
from jilog_spool.peers import Peer
from jilog_spool.replica import Replica
from simulation.promises import Broken, Promises

if TYPE_CHECKING:
    from simulation.network import Side

MAIN, PRIVATE = "main", "private"
ROOT = Path("/jilog")
EPOCH_NS = 1_778_328_000 * SECOND_NS
SCRUB_BYTES_PER_MINUTE = 4096
DISK_LOW_BYTES = 100

StoreName = tuple[str, bool]
"""A zone, and whether it is the part of it that stays on its host."""


@functools.cache
def _config() -> Config:
    """Load what a user would write: two zones, of which the first is shared."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "jilog.toml"
        file.write_text(f'[[zones]]\nid = "{MAIN}"\n[[zones]]\nid = "{PRIVATE}"\n')
        return load_config(ConfigSources({}, Path(folder), str(file)))


class Watched:
    """What a session gets instead of a store: the same one, with someone looking over its shoulder."""

    def __init__(self, host: Host, store: ZoneStore, side: Side) -> None:
        self._host = host
        self._store = store
        self._side = side

    @property
    def zone(self) -> str:
        return self._store.zone

    @property
    def local(self) -> bool:
        return self._store.local

    def _look(self) -> ZoneStore:
        if self.zone not in self._side.may_see:
            raise Broken(
                6, f"{self._host} lets a session read zone {self.zone}, which its peer was not granted"
            )
        return self._store

    def frontier(self) -> Frontier:
        return self._look().frontier()

    def origin(self, writer: Writer) -> Writer:
        return self._look().origin(writer)

    def segments(self, writer: Writer, first_number: int = 1) -> list[SegmentInfo]:
        return self._look().segments(writer, first_number)

    def signed_head(self, writer: Writer, number: int) -> SignedHead:
        return self._look().signed_head(writer, number)

    def resume_offset(self, writer: Writer, number: int) -> int:
        return self._look().resume_offset(writer, number)

    def stage(self, writer: Writer, number: int, offset: int, data: bytes) -> None:
        self._look().stage(writer, number, offset, data)

    def read(self, writer: Writer, number: int, offset: int, length: int) -> bytes:
        data = self._look().read(writer, number, offset, length)
        path = self._store.layout.segment(writer, number)
        for at, value in self._host.disk.rot_in(path).items():
            if data[max(0, at - offset) : max(0, at - offset + 1)] == bytes([value]) and at >= offset:
                raise Broken(5, f"{self._host} serves a rotten byte of {writer} segment {number} at {at}")
        return data

    def complete(self, writer: Writer, number: int, offset: int, data: bytes, head: SignedHead) -> Ingested:
        outcome = self._look().complete(writer, number, offset, data, head)
        self._host.dirty.add((self.zone, False))
        return outcome

    def take_branch(self, writer: Writer, number: int, data: bytes, head: SignedHead) -> BranchTaken:
        outcome = self._look().take_branch(writer, number, data, head)
        self._host.reread.add((self.zone, False))
        return outcome


class Host:
    """A host that is up has ``ledgers``; one that is down has a disk."""

    def __init__(self, seed: int, index: int, source: str, disk: MemoryDisk, *, version: int) -> None:
        self.seed = seed
        self.index = index
        self.source = source
        self.key = SigningKey.from_seed(hashlib.sha256(f"key {source}".encode()).digest())
        self.disk = disk
        self.version = version
        self.life = 0
        self.up = False
        self.ledgers: dict[str, ZoneLedger] = {}
        self.zones: tuple[str, ...] = (MAIN,)
        self.sides: list[Side] = []
        self.claims = Claims()
        self.peers: dict[int, tuple[str, ...]] = {}
        """The hosts it knows, and the zones each was granted by name."""

        self.calls: set[int] = set()
        """The peers it calls; the others call it."""

        self.failures: dict[int, int] = {}
        self.aftermath = Aftermath.LOST
        self.projection_rotten = False
        self.returns = False
        """Whether its disk was put back to an earlier state since it was up."""
        self.disk_seems_full = False
        self.snapshot: MemoryDisk | None = None
        self.clock_offset_ns = 0
        self.virtual_ns = EPOCH_NS
        self.budget = Budget(SCRUB_BYTES_PER_MINUTE)
        self.cursors: dict[str, ScrubCursor] = {}
        self.epochs_drawn = 0
        self.dirty: set[StoreName] = set()
        self.reread: set[StoreName] = set()
        self.held: dict[StoreName, dict[bytes, Writer]] = {}
        self.spoiled: set[bytes] = set()
        """Events whose copy on this host was destroyed by the plan."""

        self._entries: dict[StoreName, dict[Writer, FrontierEntry]] = {}
        self._positions: dict[tuple[StoreName, Writer], Position] = {}
        self._last_places: dict[tuple[StoreName, Writer], dict[str, int]] = {}

    def __str__(self) -> str:
        return f"host {self.index}"

    def clock(self) -> int:
        """Give this host's idea of the time, in Unix nanoseconds."""
        return max(0, self.virtual_ns + self.clock_offset_ns)

    def _epoch(self) -> str:
        self.epochs_drawn += 1
        return hashlib.sha256(f"{self.seed} {self.index} {self.epochs_drawn}".encode()).hexdigest()[:16]

    def start(self) -> None:
        """Open the zones, as an agent does; raises what the disk raises."""
        self.ledgers = {
            zone: ZoneLedger.open(
                ROOT / zone,
                zone,
                source=self.source,
                key=self.key,
                disk=self.disk,
                clock=self.clock,
                epochs=self._epoch,
            )
            for zone in self.zones
        }
        self.up = True
        self.claims = Claims()
        self.budget = Budget(SCRUB_BYTES_PER_MINUTE)
        self.cursors.clear()
        self.failures.clear()
        self.disk_seems_full = False

    def stop(self) -> None:
        """Vanish; the disk stays."""
        self.up = False
        self.ledgers = {}
        self.dirty.clear()
        self.reread.clear()

    def granted(self, peer: int) -> tuple[str, ...]:
        """Name the zones that a peer may see, by the agent's own rule."""
        zones = granted_zones(_config(), Peer(f"host-{peer}", zones=self.peers.get(peer, ())))
        return tuple(zone for zone in zones if zone in self.zones)

    def replicas(self, side: Side) -> dict[str, Replica]:
        """Give what sessions work on; which of it a peer sees is the session's to say."""
        return {zone: Watched(self, ledger.shared, side) for zone, ledger in self.ledgers.items()}

    def append(self, zone: str, drafts: Sequence[EventDraft], promises: Promises) -> None:
        """Append as the agent does; what this returns without an error is acknowledged."""
        if self.disk_seems_full:
            raise StorageError("the agent takes no events: the disk is nearly full")
        for draft in drafts:
            promises.attempt(draft, zone, f"{self.index}.{self.life}", self.index)
            if self._rots(zone, local=draft.confidential):
                # Rot takes a segment as a whole, so what comes after it in the same one shares its fate.
                promises.excused.add(draft.event_id)
                self.spoiled.add(draft.event_id)
        self.dirty |= {(zone, False), (zone, True)}
        for event in self.ledgers[zone].append(drafts):
            promises.facts[event.stored.event_id].acknowledged = True
            promises.placed(zone, event.writer, event.sequence, event.stored.event_id)

    def _rots(self, zone: str, *, local: bool) -> bool:
        ledger = self.ledgers[zone]
        store = ledger.local if local else ledger.shared
        writer = store.own_writer
        names = self.disk.list_directory(store.layout.directory(writer))
        newest = max(filter(None, map(segment_number, names)), default=1)
        return bool(self.disk.rot_in(store.layout.segment(writer, newest)))

    def slice(self, seconds: float) -> int:
        """Do the agent's chores: look at the disk, scrub a little; give the number of damaged segments."""
        free = 0 if self.disk.full else 10 * DISK_LOW_BYTES
        self.disk_seems_full = read_only(free, DISK_LOW_BYTES, was=self.disk_seems_full)
        self.budget = self.budget.after(seconds)
        damaged = 0
        for zone, ledger in self.ledgers.items():
            if self.budget.available <= 0:
                break
            step = scrub(ledger.shared, self.cursors.get(zone, ScrubCursor()), int(self.budget.available))
            self.budget = self.budget.spend(step.bytes_read)
            self.cursors[zone] = step.cursor
            damaged += len(step.findings)
            if step.findings:
                self.reread.add((zone, False))
        return damaged

    def stores(self) -> Iterator[tuple[StoreName, ZoneStore]]:
        """Give every store of this host."""
        for zone, ledger in self.ledgers.items():
            yield (zone, False), ledger.shared
            yield (zone, True), ledger.local

    def streams(self, zone: str) -> dict[Writer, list[tuple[int, bytes]]]:
        """Give every event that may travel, by writer: its sequence and id."""
        store = self.ledgers[zone].shared
        return {
            entry.writer: [
                (event.sequence, event.event_id)
                for batch in store.events_after(entry.writer)
                for event in batch.events
            ]
            for entry in store.frontier().entries
        }

    # What is checked.

    def look(self, promises: Promises) -> None:
        """Check what is new since the last look, in the stores that something was done to."""
        for name, store in list(self.stores()):
            try:
                if name in self.reread:
                    self._read_all(name, store, promises)
                elif name in self.dirty:
                    self._read_new(name, store, promises)
            except IntegrityError as exc:
                raise Broken(5, f"{self} lets its readers run into damage: {exc.message}") from exc
            self.dirty.discard(name)
            self.reread.discard(name)

    def look_at_all(self, promises: Promises) -> None:
        """Check everything that every store gives out."""
        self.reread = {name for name, _ in self.stores()}
        self.look(promises)

    def forget_missing(self, kept: set[bytes]) -> None:
        """Excuse this host for what it held and what its disk, put back, does not hold."""
        for events in self.held.values():
            self.spoiled |= set(events) - kept

    def _read_new(self, name: StoreName, store: ZoneStore, promises: Promises) -> None:
        known = self._entries.setdefault(name, {})
        for entry in store.frontier().entries:
            before = known.get(entry.writer)
            if entry == before:
                continue
            if before is not None and not _extends(entry, before):
                self._read_all(name, store, promises)
                return
            findings = len(store.findings)
            self._take(name, store, entry, promises)
            if findings != len(store.findings):
                self._read_all(name, store, promises)
                return
            known[entry.writer] = entry
        if len(known) > len(store.frontier().entries):
            self._read_all(name, store, promises)

    def _read_all(self, name: StoreName, store: ZoneStore, promises: Promises) -> None:
        before = self.held.get(name, {})
        findings = -1
        # Reading may find damage; what is left is read again then.
        while findings != len(store.findings):
            findings = len(store.findings)
            for key in [key for key in self._positions if key[0] == name]:
                del self._positions[key]
            self._last_places = {key: places for key, places in self._last_places.items() if key[0] != name}
            self.held[name] = {}
            self._entries[name] = {entry.writer: entry for entry in store.frontier().entries}
            for entry in self._entries[name].values():
                self._take(name, store, entry, promises)
                if findings != len(store.findings):
                    break
        lost = [promises.facts[event_id] for event_id in before.keys() - self.held[name].keys()]
        for fact in sorted(lost, key=lambda fact: fact.place):
            event_id = fact.event_id
            lost_before_acknowledged = fact.host == self.index and not fact.acknowledged
            if event_id not in self.spoiled and not lost_before_acknowledged:
                raise Broken(
                    1, f"{self} has lost event {fact.place} of {before[event_id]} in {name}, which it held"
                )

    def _take(self, name: StoreName, store: ZoneStore, entry: FrontierEntry, promises: Promises) -> None:
        key = (name, entry.writer)
        places = self._last_places.setdefault(key, {})
        held = self.held.setdefault(name, {})
        due = self._positions[key].sequence + 1 if key in self._positions else 0
        where = f"{self} {'/'.join(map(str, name))}"
        branch = store.branch(entry.writer)
        findings = len(store.findings)
        for batch in store.events_after(entry.writer, self._positions.get(key)):
            if findings != len(store.findings):
                return  # what was promised before is not so any more; the caller reads again
            self._positions[key] = batch.position
            for event in batch.events:
                fact = promises.check(event, name[0], local=name[1], where=where)
                if not due and branch is None and entry.sequence and event.sequence != 1:
                    raise Broken(1, f"{where}: {entry.writer} begins with sequence {event.sequence}")
                if due and event.sequence != due and event.sequence <= entry.sequence:
                    raise Broken(
                        1,
                        f"{where}: {entry.writer} says {entry.sequence} is contiguous; "
                        f"after {due - 1} comes {event.sequence}",
                    )
                if fact.place <= places.get(fact.life, -1):
                    raise Broken(1, f"{where}: {entry.writer} has event {fact.place} out of order")
                due = event.sequence + 1
                places[fact.life] = fact.place
                held[event.event_id] = entry.writer


def _extends(entry: FrontierEntry, before: FrontierEntry) -> bool:
    if entry.above or before.above:
        return False
    return (entry.number, entry.length, entry.sealed) >= (before.number, before.length, before.sealed)


def make_draft(
    chance: random.Random, number: int, host: Host, *, text: str, confidential: bool
) -> EventDraft:
    """Make an event that no other equals."""
    return EventDraft(
        chance.choice(("health", "state_change", "note_meta")),
        {"n": number, "text": text},
        tier="confidential" if confidential else "structured",
        object_ref=f"file-{number % 5}",
        timestamp_ns=host.clock(),
        event_id=hashlib.blake2b(f"{host.seed} {number}".encode(), digest_size=16).digest(),
    )
