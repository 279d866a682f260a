"""Sync with several peers at once. One bad peer never stops the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jilog_ledger.errors import InputError, JilogError
from jilog_spool import limits
from jilog_spool.claims import Claims
from jilog_spool.peers import Peer
from jilog_spool.replica import Replica
from jilog_spool.report import SessionReport
from jilog_spool.session import Event, Session, SessionOptions


class Transport(Protocol):
    """Bring a session to a peer."""

    async def run(self, peer: Peer, session: Session, on_event: Callable[[Event], None]) -> None:
        """Run ``session`` to its end; raises PeerError or StorageError, and leaves nothing open."""


@dataclass(frozen=True, slots=True)
class PeerResult:
    """How the sync with one peer went. The report counts what was done before an error, too."""

    peer: Peer
    report: SessionReport
    error: JilogError | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether everything the two hosts have is on both now."""
        return self.error is None and self.report.clean


OnEvent = Callable[[Peer, Session, Event], None]
"""Told what happens, from the event loop's thread, while the session rests."""


async def sync_peers(
    peers: Sequence[Peer],
    replicas: Mapping[str, Replica],
    transport: Transport,
    *,
    source: str,
    on_event: OnEvent | None = None,
    options: SessionOptions | None = None,
    parallel: int = limits.PEERS_PARALLEL,
    clock: Callable[[], float] = time.monotonic,
) -> list[PeerResult]:
    """Sync ``replicas`` (by zone) with each peer, ``parallel`` at a time; results in the order of ``peers``.

    ``source`` is this host's name. Segments that several peers have are fetched from one of them.
    """
    claims = Claims()
    tell = on_event or (lambda *_: None)
    slots = asyncio.Semaphore(parallel)

    async def sync_one(peer: Peer) -> PeerResult:
        async with slots:
            started = clock()
            report, error = await sync_with(peer)
            return PeerResult(peer, report, error, clock() - started)

    async def sync_with(peer: Peer) -> tuple[SessionReport, JilogError | None]:
        report = SessionReport()
        try:
            shared = _shared(peer, replicas)
            session = await asyncio.to_thread(Session, shared, source=source, claims=claims, options=options)
            report = session.report
            await transport.run(peer, session, lambda event: tell(peer, session, event))
        except JilogError as exc:
            return report, exc
        return report, None

    return list(await asyncio.gather(*(sync_one(peer) for peer in peers)))


def _shared(peer: Peer, replicas: Mapping[str, Replica]) -> dict[str, Replica]:
    """Pick the zones to sync with a peer, else raise InputError for one that this host does not have."""
    for zone in peer.zones:
        if zone not in replicas:
            known = ", ".join(sorted(replicas)) or "none"
            raise InputError(f"peer {peer.name}: unknown zone {zone!r}", hint=f"zones of this host: {known}")
    return {zone: replica for zone, replica in replicas.items() if not peer.zones or zone in peer.zones}
