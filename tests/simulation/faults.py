"""What hosts do and what befalls them: every kind of action of a plan, and how all of it heals."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jilog_ledger.errors import IntegrityError, JilogError
from jilog_ledger.layout import segment_number
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection.database import FILE_NAME, Projection
from jilog_ledger.receive import Ingested
from jilog_ledger.segment import read_segment
from jilog_ledger.testing import Aftermath
from jilog_ledger.times import SECOND_NS
from simulation.host import MAIN, PRIVATE, Host, make_draft
from simulation.plan import HOSTS_MAX, Action, Plan
from simulation.promises import Broken, intact

if TYPE_CHECKING:
    from simulation.fleet import World

SNAPSHOT = "snapshot"
HEAL_DISK_SECONDS = (20, 90)
PARTITION_SECONDS = (5, 120)
DAY_SECONDS = 86_400


class Faults:
    """Carry out the actions of a plan. Each counts itself once it has really happened."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._projections: Path | None = None

    def plan(self, plan: Plan) -> None:
        """Put every action on the timeline."""
        world = self._world
        for action in plan.actions:
            if action.kind == "rollback":
                share = random.Random(action.number).uniform(0.0, 0.9)
                world.later(action.at * share, None, lambda action=action: self._snapshot(action))  # type: ignore[misc]
            world.later(action.at, None, lambda action=action: self._act(action))  # type: ignore[misc]

    def _act(self, action: Action) -> None:
        world = self._world
        host = world.hosts[action.host % len(world.hosts)]
        world.trace.note(world.now, action.kind, f"{host} {action.number}")
        chance = random.Random(action.number)
        doing = getattr(self, f"do_{action.kind}")
        world.step(host, lambda: doing(host, chance))

    # Work.

    def do_append(self, host: Host, chance: random.Random) -> None:
        self._append(host, chance, chance.randint(1, 3), confidential=False)

    def do_burst(self, host: Host, chance: random.Random) -> None:
        for _ in range(chance.randint(3, 12)):
            self._append(host, chance, chance.randint(1, 6), confidential=False)

    def do_confide(self, host: Host, chance: random.Random) -> None:
        self._append(host, chance, 1, confidential=True)

    def _append(self, host: Host, chance: random.Random, count: int, *, confidential: bool) -> None:
        from simulation.fleet import CONFIDENTIAL_TEXT, PRIVATE_TEXT

        world = self._world
        if not host.up:
            return
        zone = chance.choice(host.zones)
        text = CONFIDENTIAL_TEXT if confidential else PRIVATE_TEXT if zone == PRIVATE else "open"
        drafts = []
        for _ in range(count):
            world.events_appended += 1
            long = text + "x" * chance.choice((0, 20, 200))
            drafts.append(
                make_draft(chance, world.events_appended, host, text=long, confidential=confidential)
            )
        try:
            host.append(zone, drafts, world.promises)
            world.trace.count("confidential" if confidential else "appended", count)
        except JilogError as exc:
            world.trace.note(world.now, "refused", f"{host} {exc.message}")
            world.trace.count("append_refused")
        world.grown(host, None)

    def do_seal(self, host: Host, chance: random.Random) -> None:
        if not host.up or host.disk_seems_full:
            return
        zone = chance.choice(host.zones)
        host.dirty.add((zone, False))
        try:
            if host.ledgers[zone].shared.seal():
                self._world.trace.count("sealed")
        except JilogError as exc:
            self._world.trace.note(self._world.now, "refused", f"{host} {exc.message}")
        self._world.grown(host, None)

    def do_verify(self, host: Host, chance: random.Random) -> None:
        if host.up:
            self._world.verify(host)

    def do_slice(self, host: Host, chance: random.Random) -> None:
        """A day's scrub at once."""
        if host.up:
            try:
                found = host.slice(DAY_SECONDS)
                self._world.trace.count("found_by_scrub", found)
            except JilogError as exc:
                self._world.trace.note(self._world.now, "chore failed", f"{host} {exc.message}")

    def do_deliver_again(self, host: Host, chance: random.Random) -> None:
        """A segment comes once more by another route."""
        world = self._world
        givers = [
            other
            for other in world.hosts
            if other is not host and other.up and host.index in other.peers and MAIN in other.zones
        ]
        if not host.up or not givers:
            return
        giver, target = chance.choice(givers).ledgers[MAIN].shared, host.ledgers[MAIN].shared
        try:
            writers = giver.writers()
            writer = chance.choice(writers) if writers else None
            infos = giver.segments(writer) if writer else []
            if not writer or not infos:
                return
            info = chance.choice(infos)
            data = giver.read(writer, info.number, 0, info.length)
            head = giver.signed_head(writer, info.number)
        except JilogError:
            return
        before = {held.number: held for held in target.segments(writer)}.get(info.number)
        root = target.frontier().root()
        host.dirty.add((MAIN, False))
        try:
            outcome = target.complete(writer, info.number, 0, data, head)
        except JilogError as exc:
            world.trace.note(world.now, "not again", f"{host} {exc.message}")
            return
        world.trace.count("delivered_again")
        same = before is not None and (before.sha256, before.length) == (info.sha256, info.length)
        if same and (outcome is not Ingested.DUPLICATE or target.frontier().root() != root):
            raise Broken(7, f"{host} took {writer} segment {info.number} twice")
        world.grown(host, None)

    # The network.

    def _meddle(self, host: Host, chance: random.Random, how: str) -> None:
        sides = [side for side in host.sides if side.open]
        if sides:
            chance.choice(sides).meddling = how

    def do_corrupt(self, host: Host, chance: random.Random) -> None:
        self._meddle(host, chance, "corrupt")

    def do_repeat_frame(self, host: Host, chance: random.Random) -> None:
        self._meddle(host, chance, "repeat_frame")

    def do_swap_frames(self, host: Host, chance: random.Random) -> None:
        self._meddle(host, chance, "swap_frames")

    def do_stall(self, host: Host, chance: random.Random) -> None:
        for side in host.sides:
            if chance.random() < 0.7:
                side.stall(chance.uniform(0.5, 80))
                self._world.trace.count("stall")

    def do_cut(self, host: Host, chance: random.Random) -> None:
        """Connections break and both ends learn of it; what is on its way is lost."""
        for side in list(host.sides):
            if side.open and chance.random() < 0.7:
                other = side.other
                side.hang_up()
                if other is not None and other.open:
                    lost = other.inbox
                    kept = chance.randint(0, len(lost))
                    other.inbox = type(lost)([*list(lost)[:kept], lost[-1]]) if lost else lost
                self._world.trace.count("cut")

    def do_cut_silently(self, host: Host, chance: random.Random) -> None:
        """A middlebox forgets a connection: neither end hears anything any more."""
        for side in list(host.sides):
            if side.open and chance.random() < 0.7:
                for end in (side, side.other):
                    if end is not None:
                        end.inbox.clear()
                        end.arrives_at = float("inf")
                self._world.trace.count("cut_silently")

    def do_partition(self, host: Host, chance: random.Random) -> None:
        self._partition(host, chance, both=True)
        self._world.trace.count("partition")

    def do_partition_one_way(self, host: Host, chance: random.Random) -> None:
        self._partition(host, chance, both=False)
        self._world.trace.count("partition_one_way")

    def _partition(self, host: Host, chance: random.Random, *, both: bool) -> None:
        world = self._world
        seconds = chance.uniform(*PARTITION_SECONDS)
        here = {host.index} | {other.index for other in world.hosts if chance.random() < 0.3}
        for first in world.hosts:
            for second in world.hosts:
                if first.index in here and second.index not in here:
                    world.cut_off[first.index, second.index] = world.now + seconds
                    if both:
                        world.cut_off[second.index, first.index] = world.now + seconds
        world.later(seconds + 0.001, None, self._deliver_waiting)

    def _deliver_waiting(self) -> None:
        for host in self._world.hosts:
            for side in host.sides:
                if side.inbox:
                    self._world.later(0.0, host, side.deliver)

    # Power and disks.

    def do_power_cut(self, host: Host, chance: random.Random) -> None:
        """The power goes at one of the next writes, or soon if nothing is written."""
        if not host.up:
            return
        host.aftermath = chance.choice(list(Aftermath))
        host.disk.cut_power_at(host.disk.operations + chance.randint(1, 30))
        self._world.later(chance.uniform(1, 15), host, lambda: self.power_lost(host, idle=True))
        self._write_at_once(host, chance)

    def power_lost(self, host: Host, *, idle: bool = False) -> None:
        """The host is dark; its disk keeps what the aftermath says."""
        world = self._world
        world.trace.count("power_cut" if idle else "power_cut_in_write")
        world.trace.count(f"aftermath_{host.aftermath.name.lower()}")
        world.trace.note(world.now, "dark", f"{host} {host.aftermath.name}")
        world.shut(host, seen=False)
        host.disk.crash(host.aftermath)
        self._boot_later(host)

    def _boot_later(self, host: Host) -> None:
        world = self._world
        seconds = 1.0 if world.quiet else world.chance.uniform(1, 40)
        world.later(seconds, None, lambda: world.boot(host))

    def do_kill(self, host: Host, chance: random.Random) -> None:
        if host.up:
            self._world.trace.count("kill")
            self._restart(host)

    def _restart(self, host: Host) -> None:
        """The process ends at once; the machine goes on, and so do its page cache and its TCP."""
        self._world.shut(host, seen=True)
        host.disk.restart_process()
        self._boot_later(host)

    def do_io_error(self, host: Host, chance: random.Random) -> None:
        """A write fails; somebody restarts the agent later."""
        self._fail(host, chance, "pwrite", "io_error")

    def do_sync_error(self, host: Host, chance: random.Random) -> None:
        """A sync fails, after which nobody knows what is on the disk."""
        self._fail(host, chance, "fsync", "sync_error")

    def _fail(self, host: Host, chance: random.Random, operation: str, name: str) -> None:
        if not host.up:
            return
        before = host.disk.operations
        host.disk.fail_next(operation)
        self._write_at_once(host, chance)
        self._world.later(
            chance.uniform(10, 60), host, lambda: self._after_error(host, before, operation, name)
        )

    def _after_error(self, host: Host, before: int, operation: str, name: str) -> None:
        if any(kind == operation for kind, _ in host.disk.log[before:]):
            self._world.trace.count(name)
        self._restart(host)

    def _write_at_once(self, host: Host, chance: random.Random) -> None:
        """Often something is being written when the disk or the power fails."""
        if chance.random() < 0.7:
            self.do_burst(host, chance)

    def do_disk_full(self, host: Host, chance: random.Random) -> None:
        host.disk.full = True
        self._world.trace.count("disk_full")
        self._write_at_once(host, chance)
        self._world.later(chance.uniform(*HEAL_DISK_SECONDS), None, lambda: self._free(host))

    @staticmethod
    def _free(host: Host) -> None:
        host.disk.full = False

    # Rot.

    def do_rot_active(self, host: Host, chance: random.Random) -> None:
        self._rot_segment(host, chance, sealed=False)

    def do_rot_sealed(self, host: Host, chance: random.Random) -> None:
        self._rot_segment(host, chance, sealed=True)

    def do_rot_manifest(self, host: Host, chance: random.Random) -> None:
        self._rot_named(host, chance, "manifest")

    def do_rot_head(self, host: Host, chance: random.Random) -> None:
        self._rot_named(host, chance, "head")

    def _rot_segment(self, host: Host, chance: random.Random, *, sealed: bool) -> None:
        files = [
            path
            for path, data in host.disk.stable_files()
            if segment_number(path.name) is not None and "segments" in path.parts and _sealed(data) is sealed
        ]
        self._rot(host, chance, files, "rot_sealed" if sealed else "rot_active")

    def _rot_named(self, host: Host, chance: random.Random, name: str) -> None:
        files = [path for path, data in host.disk.stable_files() if path.name == name and data]
        self._rot(host, chance, files, f"rot_{name}")

    def _rot(self, host: Host, chance: random.Random, files: list[Path], kind: str) -> None:
        if not files:
            return
        path = chance.choice(files)
        size = host.disk.size(path)
        if not size:
            return
        before = self.intact_on(host)
        host.disk.flip_bit(path, chance.randrange(8 * size))
        self._world.trace.note(self._world.now, "rots", f"{host} {path}")
        self._world.trace.count(kind)
        self._destroyed(host, before)

    def _destroyed(self, host: Host, before: set[bytes]) -> None:
        """Excuse what a disk lost by this and nobody else holds."""
        gone = before - self.intact_on(host)
        host.spoiled |= gone
        for other in self._world.hosts:
            if gone and other is not host:
                gone -= self.intact_on(other)
        self._world.promises.excused |= gone

    @staticmethod
    def intact_on(host: Host) -> set[bytes]:
        """Read a host's disk without the store's code."""
        return intact(host.disk, host.source)

    # Time, copies, versions, trust.

    def do_clock_jump(self, host: Host, chance: random.Random) -> None:
        host.clock_offset_ns += int(chance.uniform(1, 2 * DAY_SECONDS)) * SECOND_NS
        self._world.trace.count("clock_jump")

    def do_clock_back(self, host: Host, chance: random.Random) -> None:
        host.clock_offset_ns -= int(chance.uniform(1, 2 * DAY_SECONDS)) * SECOND_NS
        self._world.trace.count("clock_back")

    def do_clone(self, host: Host, chance: random.Random) -> None:
        """Somebody copies a host while it runs, and starts the copy."""
        world = self._world
        if len(world.hosts) >= HOSTS_MAX + 2 or not host.up:
            return
        twin = world.add_host(host.source, host.disk.copy(), host.version)
        twin.zones = host.zones
        twin.spoiled = set(host.spoiled)
        for peer in sorted(host.peers):
            world.introduce(twin, world.hosts[peer])
            twin.calls.add(peer)
        world.trace.count("clone")
        world.boot(twin)
        self._append_soon(twin, chance)
        self._append_soon(host, chance)

    def _append_soon(self, host: Host, chance: random.Random) -> None:
        """Both histories of a writer go on, mostly before anybody finds out."""
        if chance.random() < 0.8:
            seconds = chance.choice((0.001, 0.2, 5.0))
            self._world.later(seconds, host, lambda: self.do_append(host, chance))

    def _snapshot(self, action: Action) -> None:
        host = self._world.hosts[action.host % len(self._world.hosts)]
        if host.up:
            host.snapshot = host.disk.copy()

    def do_rollback(self, host: Host, chance: random.Random) -> None:
        """A host is put back to how it was some time ago, disk and all."""
        if host.snapshot is None or not host.up:
            return
        before = self.intact_on(host)
        self._world.shut(host, seen=True)
        host.disk, host.snapshot = host.snapshot, None
        host.life += 1
        self._world.trace.count("rollback")
        self._destroyed(host, before)
        host.forget_missing(self.intact_on(host))
        self._boot_later(host)
        host.returns = True

    def returned(self, host: Host) -> None:
        """Go on with what a host that was put back did before."""
        host.returns = False
        self._append_soon(host, random.Random(host.index))

    def do_upgrade(self, host: Host, chance: random.Random) -> None:
        """The other version of the program is installed, and the agent restarted."""
        if host.up:
            host.version = 3 - host.version
            self._world.trace.count("upgrade")
            self._restart(host)

    def do_peer_removed(self, host: Host, chance: random.Random) -> None:
        """A peer is removed, and added again later."""
        world = self._world
        if not host.peers:
            return
        peer = world.hosts[chance.choice(sorted(host.peers))]
        zones = host.peers.pop(peer.index)
        self._hang_up(host, peer)
        world.trace.count("peer_removed")

        def add_again() -> None:
            host.peers.setdefault(peer.index, zones)
            world.trace.count("peer_added")

        world.later(chance.uniform(5, 60), None, add_again)

    def do_grant_changed(self, host: Host, chance: random.Random) -> None:
        """The private zone is taken from a peer, or given to it."""
        if not host.peers or PRIVATE not in host.zones:
            return
        peer = self._world.hosts[chance.choice(sorted(host.peers))]
        granted = PRIVATE in host.peers[peer.index]
        host.peers[peer.index] = (MAIN,) if granted else (MAIN, PRIVATE)
        self._hang_up(host, peer)
        self._world.trace.count("grant_changed")

    @staticmethod
    def _hang_up(host: Host, peer: Host) -> None:
        for side in list(host.sides):
            if side.peer is peer:
                side.hang_up()

    # Projections, on a real file system.

    def do_rot_projection(self, host: Host, chance: random.Random) -> None:
        """Bring a projection up to date, and let a bit of its file rot."""
        if not (host.up and self._world.plan.projections):
            return
        path = self._projection_root(host) / FILE_NAME
        self._apply(host)
        data = bytearray(path.read_bytes())
        bit = chance.randrange(8 * len(data))
        data[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(data)
        host.projection_rotten = True
        self._world.trace.count("rot_projection")

    def _projection_root(self, host: Host) -> Path:
        if self._projections is None:
            self._projections = Path(tempfile.mkdtemp(prefix="jilog-sim-"))
        root = self._projections / str(host.index)
        root.mkdir(exist_ok=True)
        return root

    def _ledger(self, host: Host) -> ZoneLedger:
        ledger = host.ledgers[MAIN]
        return ZoneLedger(self._projection_root(host), MAIN, ledger.shared, ledger.local)

    def _apply(self, host: Host) -> bytes:
        """Bring the projection up to date; when it cannot be used, rebuild it."""
        try:
            with Projection.open(self._ledger(host)) as projection:
                projection.apply()
                return projection.fingerprint()
        except JilogError:
            with Projection.open(self._ledger(host)) as projection:
                projection.rebuild()
                return projection.fingerprint()

    def check_projections(self) -> None:
        """Compare the projections of all who agree, applied bit by bit and made anew."""
        if not self._world.plan.projections:
            return
        for group in self._world.groups(MAIN):
            found = {self._fingerprint(host) for host in group}
            if len(found) != 1:
                raise Broken(3, f"{', '.join(map(str, group))} have equal roots and other projections")
            self._world.trace.count("projections", len(group))

    def close(self) -> None:
        """Remove the projections' files, however the run ended."""
        if self._projections is not None:
            shutil.rmtree(self._projections)

    def _fingerprint(self, host: Host) -> bytes:
        applied = None if host.projection_rotten else self._apply(host)
        with Projection.open(self._ledger(host)) as projection:
            projection.rebuild()
            rebuilt = projection.fingerprint()
        if applied not in (None, rebuilt):
            raise Broken(2, f"{host} has a projection that changes when it is rebuilt")
        return rebuilt

    # Healing.

    def heal(self) -> None:
        """End every fault: from here on nothing more befalls anybody."""
        world = self._world
        world.quiet = True
        world.cut_off.clear()
        self._deliver_waiting()
        for host in world.hosts:
            host.disk.full = False
            # What was about to fail does not.
            if host.up:
                host.disk.spare()
            for peer in sorted(host.calls):
                other = world.hosts[peer]
                for one, two in ((host, other), (other, host)):
                    if two.index not in one.peers:
                        one.peers[two.index] = tuple(z for z in one.zones if z in two.zones)
            if self._forked() and host.version == 1:
                host.version = 2
                if host.up:
                    self._restart(host)
            if not host.up:
                world.later(1.0, None, lambda host=host: world.boot(host))  # type: ignore[misc]
        world.run_until(world.now + 2)

    def _forked(self) -> bool:
        counts = self._world.trace.counts
        return bool(counts["clone"] or counts["rollback"])


def _sealed(data: bytes) -> bool | None:
    try:
        return read_segment(data).seal is not None
    except IntegrityError:
        return None
