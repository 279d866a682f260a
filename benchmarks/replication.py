"""What replication costs: bytes of a warm session, and the latency of one event over SSH on the loopback.

Bytes are those inside the transport, in both directions; the bulk path is measured in ``catch_up``.
``JILOG_BENCH_EVENTS`` sets the size of the largest ledgers (100,000; the targets are stated up to 1,000,000).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_spool import wire
from jilog_spool.memory import Pipe
from jilog_spool.peers import Peer
from jilog_spool.pump import Pump
from jilog_spool.session import Session, SessionOptions
from jilog_spool.ssh import SshSettings, run_over_ssh
from jilog_spool.ssh_server import SpoolServer, openssh_public_key

EVENTS = int(os.environ.get("JILOG_BENCH_EVENTS", "100000"))
SEGMENTS = 400
PUSHES = 300
GAPS = 100
LIVE = SessionOptions(live=True, zstd=False)
"""Without compression, so that the overhead is seen and not what the payload happens to gain."""


def run() -> str:
    """Measure and give the table."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        rows = ["replication, bytes in both directions (target in brackets)"]
        for events, writers in ((1_000, 1), (10_000, 64), (EVENTS, 1)):
            rows += _warm_bytes(root / f"{events}.{writers}", events, writers)
        rows.append(_gaps(root / "gaps"))
        rows.append(asyncio.run(_latency(root / "latency")))
    return "\n".join(rows)


def _draft(seed: int, size: int = 505) -> EventDraft:
    """Make an event of which ``size`` bytes do not compress; 1 KiB in hex by default."""
    return EventDraft("health", {"text": random.Random(seed).randbytes(size).hex()})


def _store(root: Path, name: str) -> ZoneStore:
    key = SigningKey.from_seed(name.encode().ljust(32, b"\0"))
    return ZoneStore.open(root / name, "main", source=name, key=key)


def _warm_bytes(root: Path, events: int, writers: int) -> list[str]:
    """Count what nothing new and one event cost between hosts that hold so much already."""
    first, second = _store(root, "first"), _store(root, "second")
    for index in range(writers):
        writer = first if index == 0 else _store(root, f"writer{index}")
        for start in range(0, events // writers, 500):
            writer.append([_draft(number, 8) for number in range(start, min(start + 500, events // writers))])
        if writer is not first:
            _settle(Pipe(_session(writer), _session(first)))
    pipe = Pipe(_session(first, LIVE), _session(second, LIVE))
    for side in (pipe.first, pipe.second):
        side.session.tick(0.0)
    _settle(pipe)
    before = _wire(pipe)
    pipe.first.session.tick(100.0)
    _settle(pipe)
    quiet, before = _wire(pipe) - before, _wire(pipe)
    first.append([_draft(events)])
    pipe.first.session.notice("main")
    _settle(pipe)
    held = f"{events:,} events of {writers} writers"
    return [
        _row(f"nothing new, {held}", quiet, 200),
        _row(f"one 1 KiB event, {held}", _wire(pipe) - before, 1024 + 350),
    ]


def _gaps(root: Path) -> str:
    """Count what it takes to find random gaps: all messages but those that carry the segments.

    These are DATA, and the CREDIT for it, some 15 bytes a MiB.
    """
    first, second = _store(root, "first"), _store(root, "second")
    each = EVENTS // SEGMENTS
    for number in range(SEGMENTS):
        first.append([_draft(number * each + index, 8) for index in range(each)])
        first.seal()
    _settle(Pipe(_session(first), _session(second)))
    for number in random.Random(0).sample(range(1, SEGMENTS), GAPS):
        second.layout.segment(first.own_writer, number).unlink()
    second.verify()
    pipe = Pipe(_session(first), _session(second))
    carried = 0

    def counted(side: Session, kind: type[wire.Message]) -> None:
        take = side._handlers[kind]

        def count(message: wire.Message) -> None:
            nonlocal carried
            carried += len(wire.encode(message))
            take(message)

        side._handlers[kind] = count

    counted(pipe.second.session, wire.Data)
    counted(pipe.first.session, wire.Credit)
    _settle(pipe)
    return _row(
        f"{GAPS} random gaps among {EVENTS:,} events in {SEGMENTS} segments", _wire(pipe) - carried, 1500
    )


async def _latency(root: Path) -> str:
    """Time from an event's acknowledgement here to its acknowledgement by the peer, both fsynced."""
    os.environ.pop("SSH_AUTH_SOCK", None)
    near, far = _store(root, "near"), _store(root, "far")
    keys = {name: SigningKey.generate() for name in ("near", "far")}
    for name, key in keys.items():
        key.save(root / f"{name}.key")
    server = await SpoolServer.start(
        root / "far.key",
        authorise={keys["near"].public_key: "near"}.get,
        new_session=lambda _peer: _session(far, LIVE),
    )
    async with server:
        known = root / "known_hosts"
        known.write_text(f"[127.0.0.1]:{server.port} {openssh_public_key(keys['far'].public_key)}\n")
        peer = Peer("far", host="127.0.0.1", port=server.port, user="jilog")
        settings = SshSettings(key=root / "near.key", known_hosts=(known,), config=(), use_user_keys=False)
        session = _session(near, LIVE)
        pumps: list[Pump] = []
        running = asyncio.create_task(
            run_over_ssh(peer, session, settings, on_pump=lambda _, pump: pumps.append(pump))
        )
        while not session.report.complete:  # noqa: ASYNC110 - once, before anything is measured
            await asyncio.sleep(0.01)
        times = [await _push(near, session, pumps[0], number) for number in range(PUSHES)]
        await pumps[0].leave()
        await running
    times.sort()
    return (
        f"  one event to the peer's disk and back, asyncssh on the loopback: median "
        f"{statistics.median(times) * 1e3:.1f} ms, p99 {times[int(0.99 * len(times))] * 1e3:.1f} ms (100 ms)"
    )


async def _push(near: ZoneStore, session: Session, pump: Pump, number: int) -> float:
    await asyncio.to_thread(near.append, [_draft(number)])
    due = session.report.events_sent + 1
    started = time.perf_counter()
    await pump.notice(["main"])
    # Nothing tells of an acknowledgement, and a timer would become part of the latency.
    while session.report.events_sent < due:  # noqa: ASYNC110
        await asyncio.sleep(0)
    return time.perf_counter() - started


def _session(store: ZoneStore, options: SessionOptions | None = None) -> Session:
    return Session({"main": store}, source=store.own_writer.source, options=options)


def _settle(pipe: Pipe) -> None:
    while pipe.step():
        pass


def _wire(pipe: Pipe) -> int:
    return pipe.first.sent_bytes + pipe.second.sent_bytes


def _row(name: str, measured: int, target: int) -> str:
    return f"  {name:60} {measured:>6,} ({target:,})"
