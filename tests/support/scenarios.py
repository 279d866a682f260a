"""What a crash test interrupts: an append with seals, and a sync. Runs in a process of its own.

``python scenarios.py serve`` forks one child per line of standard input, so that a sweep over hundreds of
crash points imports everything once. Each child stops itself before its first disk operation; whoever traces
it lets it go on. ``python scenarios.py run`` does one scenario at once. Acknowledgements go to a file, one
JSON line each, with a plain write: what is in the file was told to the outside world.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import JilogError
from jilog_ledger.event import StoredEvent
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import MemoryDisk
from support.stores import Epochs, draft, held, open_store

Acknowledge = Callable[[Writer, list[StoredEvent]], None]


class HastyDisk(RealDisk):
    """The planted bug: an append that is acknowledged before it is synced."""

    def create(self, path: Path, data: bytes) -> None:
        self.extend(path, 0, data)

    def append(self, path: Path, offset: int, data: bytes) -> None:
        self.extend(path, offset, data)


DISKS: dict[str, type[RealDisk]] = {"real": RealDisk, "hasty": HastyDisk}


def appending(root: Path, disk: Disk, acknowledge: Acknowledge) -> Iterator[None]:
    """Append, seal, append; a step that is refused leaves the next one to try."""
    store: ZoneStore | None = None
    epochs = Epochs(f"alpha {os.getpid()}")
    yield
    for step in (1, "seal", 2, 3, "seal", 4):
        try:
            store = store or open_store(root, disk=disk, epochs=epochs)
            if step == "seal":
                store.seal()
            else:
                events = store.append([draft(int(step) * 10 + i) for i in range(2)])
                acknowledge(events[0].writer, [event.stored for event in events])
        except JilogError as exc:
            print(f"refused: {exc}", file=sys.stderr)


@dataclass(frozen=True)
class Transfer:
    """One segment on its way, and the events that its receiver acknowledges."""

    info: SegmentInfo
    data: bytes
    head: SignedHead
    events: list[StoredEvent]


def transfers() -> list[Transfer]:
    """Two sealed segments and a tail, as a peer has them; the tail again when its writer went on."""
    peer = open_store(Path("/peer"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"))
    for number in (1, 2):
        peer.append([draft(number)])
        peer.seal()
    peer.append([draft(3)])
    found = list(_offered(peer))
    peer.append([draft(4)])
    peer.seal()
    return [*found, *_offered(peer)]


def _offered(peer: ZoneStore) -> Iterator[Transfer]:
    writer = peer.own_writer
    events = held(peer)[writer]
    for info in peer.segments(writer):
        inside = events[info.first_sequence - 1 : info.last_sequence]
        data = peer.read(writer, info.number, 0, info.length)
        yield Transfer(info, data, peer.signed_head(writer, info.number), inside)


def syncing(root: Path, disk: Disk, acknowledge: Acknowledge) -> Iterator[None]:
    """Take a peer's segments in chunks; a refused one is left out, and may come again later."""
    store: ZoneStore | None = None
    coming = transfers()
    yield
    for transfer in coming:
        writer, number = transfer.info.writer, transfer.info.number
        try:
            store = store or open_store(root, disk=disk, epochs=Epochs("alpha"))
            offset = store.resume_offset(writer, number)
            store.stage(writer, number, offset, transfer.data[offset : offset + 200])
            store.complete(writer, number, offset + 200, transfer.data[offset + 200 :], transfer.head)
            acknowledge(writer, transfer.events)
        except JilogError as exc:
            print(f"refused: {exc}", file=sys.stderr)


SCENARIOS = {"appending": appending, "syncing": syncing}


def run(name: str, root: Path, disk: Disk, ready: Callable[[], None] = lambda: None) -> None:
    """Run a scenario; call ``ready`` before it touches the disk.

    Acknowledgements go to ``<root>.acknowledged``.
    """
    descriptor = os.open(root.with_suffix(".acknowledged"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def acknowledge(writer: Writer, events: list[StoredEvent]) -> None:
        for event in events:
            os.write(descriptor, json.dumps([*writer, event.sequence, event.event_id.hex()]).encode() + b"\n")

    steps = SCENARIOS[name](root, disk, acknowledge)
    next(steps)
    ready()
    for _ in steps:
        pass


def read_acknowledged(root: Path) -> set[tuple[Writer, int, str]]:
    """Read what a scenario was told to be safe."""
    path = root.with_suffix(".acknowledged")
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        (Writer(source, epoch), sequence, event_id)
        for source, epoch, sequence, event_id in map(json.loads, lines)
    }


def losses(root: Path) -> list[str]:
    """Reopen a store after a crash: name what is lost, quarantined, or does not work."""
    acknowledged = read_acknowledged(root)
    store = open_store(root)
    problems = [f"lost {item}" for item in sorted(acknowledged - _held(store))]
    [event] = store.append([draft(99)])
    problems += [str(f) for f in store.verify().findings if f.action == "moved to quarantine"]
    again = open_store(root)
    acknowledged.add((event.writer, event.sequence, event.stored.event_id.hex()))
    problems += [f"lost later {item}" for item in sorted(acknowledged - _held(again))]
    return problems


def _held(store: ZoneStore) -> set[tuple[Writer, int, str]]:
    return {
        (writer, event.sequence, event.event_id.hex())
        for writer, events in held(store).items()
        for event in events
    }


def _serve() -> None:
    for line in sys.stdin:
        name, root = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                run(name, Path(root), RealDisk(), lambda: os.kill(os.getpid(), signal.SIGSTOP))
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        os.waitpid(child, os.WUNTRACED)
        print(child, flush=True)
        _, wait_status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(wait_status), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve()
    else:
        run(sys.argv[2], Path(sys.argv[3]), DISKS[sys.argv[4]]())
        print("done", flush=True)
        signal.pause()
