"""Gather the facts that ``reasons`` judges: from the ledgers, the sync history, and a running agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jilog_agent.client import AgentClient
from jilog_agent.pauses import held
from jilog_agent.reasons import (
    Held,
    HostFacts,
    PeerFacts,
    Reason,
    Resting,
    Trouble,
    Verdict,
    WriterFacts,
    judge,
)
from jilog_agent.replication import SyncHistory, SyncRecord, TroubleRecord, granted_zones, peer_table
from jilog_agent.stuck import Stuck, stuck
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import JilogError, PeerError
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import parse_rfc3339
from jilog_spool.causes import Cause, cause_of
from jilog_spool.peers import Peer, PeerTable

ANSWER_SECONDS = 30.0
"""An agent that says nothing for so long hangs, also where the machine is busy."""

STUCK_ANSWER_SECONDS = 2.0
"""One that cannot answer, as the kernel tells, is waited for no longer than it may take to get over it."""


def verdicts_by_peer(
    workspace: Workspace, ledgers: Sequence[ZoneLedger], now_ns: int
) -> dict[str, list[Verdict]]:
    """Say of every peer why it stands as it does, from what this host knows now. Nobody is called."""
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    history = SyncHistory(workspace.home, workspace.disk).load()
    agent = _agent_status(workspace)
    peers = [
        peer_facts(
            peer,
            granted_zones(workspace.config, peer),
            history.get(peer.name),
            connected=peer.name in agent.connected,
            resting=_resting(workspace, peer.name),
        )
        for peer in (*table.peers(), *_vouched(workspace, history, table))
    ]
    zones = {ledger.zone: zone_facts(ledger) for ledger in ledgers}
    home = str(workspace.home.root)
    host = HostFacts(
        home,
        zones,
        agent.read_only,
        agent.disk_low,
        agent_hung=agent.hung,
        agent_starved=agent.starved,
        without_holder=without_holder(zones, peers),
        source=workspace.identity().source,
    )
    return {peer.name: judge(peer, host, now_ns) for peer in peers}


def _vouched(workspace: Workspace, history: Iterable[str], table: PeerTable) -> list[Peer]:
    """Give those hosts that called here and for which an authority alone vouches."""
    callers = sorted(name for name in history if table.get(name) is None)
    if not callers:
        return []
    # Only now: reading certificates takes a library that is slow to import.
    from jilog_agent.vouching import known_peer, trusted_authorities

    authorities = trusted_authorities(workspace.config, workspace.home, workspace.disk)
    return [known_peer(workspace, name) for name in callers if authorities.cover(name)]


def without_holder(
    zones: Mapping[str, Sequence[WriterFacts]], peers: Sequence[PeerFacts]
) -> frozenset[tuple[str, Writer]]:
    """Name the streams whose missing segments no peer has: all were asked since they were missing."""
    found = set()
    for zone, streams in zones.items():
        asked = [peer for peer in peers if zone in peer.zones]
        for facts in streams:
            key = (zone, facts.writer)
            if facts.missing and asked and all(peer.was_level(zone, facts) for peer in asked):
                found.add(key)
    return frozenset(found)


def _resting(workspace: Workspace, name: str) -> Resting | None:
    hold = held(workspace, name)
    if hold is None:
        return None
    return Resting(Reason.QUIET_HOURS if hold.quiet else Reason.PAUSED, str(hold), hold.next_step)


class _AgentStatus:
    """What a running agent says; without one nobody is connected."""

    def __init__(self, document: object = None, *, hung: bool = False, starved: bool = False) -> None:
        fields: Mapping[str, object] = document if isinstance(document, dict) else {}
        read_only, low, peers = (fields.get(key) for key in ("read_only", "disk_low", "peers"))
        self.hung = hung
        self.starved = starved
        self.read_only = read_only if isinstance(read_only, str) else None
        self.disk_low = low if isinstance(low, str) else None
        self.connected = {
            str(peer.get("peer"))
            for peer in (peers if isinstance(peers, list) else ())
            if isinstance(peer, dict) and peer.get("connected") is True
        }


def _agent_status(workspace: Workspace) -> _AgentStatus:
    kept: Stuck | None = None
    try:
        client = AgentClient.connect(workspace.home, ANSWER_SECONDS)
        if client is None:
            return _AgentStatus()
        with client:
            kept = stuck(client.pid) if client.pid else None
            if kept:
                client.wait_at_most(STUCK_ANSWER_SECONDS)
            return _AgentStatus(client.call("status"))
    except JilogError as error:
        # It hangs, is gone, or cannot even answer this: what it wrote down tells the rest.
        hung = isinstance(error.__cause__, TimeoutError)
        return _AgentStatus(hung=hung, starved=hung and kept is Stuck.NO_FILE_DESCRIPTORS)


def zone_facts(ledger: ZoneLedger) -> list[WriterFacts]:
    """Look at the streams of a zone that may travel."""
    store = ledger.shared
    entries = {entry.writer: entry for entry in store.frontier().entries}
    lost: dict[Writer, set[int]] = {}
    for writer, number in store.quarantined():
        lost.setdefault(writer, set()).add(number)
    facts = []
    for writer in sorted({*store.writers(), *lost}):
        segments = store.segments(writer)
        damaged = lost.get(writer, set()) - {info.number for info in segments}
        if not segments and not damaged:
            continue
        entry = entries.get(writer)
        facts.append(
            WriterFacts(
                writer,
                Held(sum(info.events for info in segments), sum(info.length for info in segments)),
                max((info.last_time_ns for info in segments), default=0),
                sequence=entry.sequence if entry else 0,
                missing=bool(damaged) or entry is None or bool(entry.above),
                quarantined=bool(damaged),
            )
        )
    return facts


def peer_facts(
    peer: Peer,
    zones: tuple[str, ...],
    record: SyncRecord | None,
    *,
    connected: bool,
    resting: Resting | None = None,
) -> PeerFacts:
    """Turn what is remembered of a peer into facts."""
    if record is None:
        return PeerFacts(
            peer.name,
            peer.address,
            zones,
            peer.inbound,
            synced=connected,
            connected=connected,
            resting=resting,
        )
    return PeerFacts(
        name=peer.name,
        address=peer.address,
        zones=zones,
        inbound=peer.inbound,
        synced=record.ok or record.level_at is not None or bool(record.zones),
        connected=connected,
        cause=_cause(record),
        detail=record.error or "",
        level_at_ns=parse_rfc3339(record.level_at) if record.level_at else 0,
        level={
            (zone, _writer(name)): Held(level.events, level.bytes)
            for zone, writers in record.level.items()
            for name, level in writers.items()
        },
        zones_not_shared=frozenset(record.zones_not_shared),
        troubles=tuple(
            Trouble(item.zone, Writer(item.source, item.epoch), _trouble_reason(item), item.detail)
            for item in record.troubles
        ),
        missing_bytes=record.missing_bytes,
        clock_ahead_seconds=record.clock_ahead_seconds,
        peer_has={
            (zone, _writer(name)): sequence
            for zone, writers in record.peer_has.items()
            for name, sequence in writers.items()
        },
        resting=resting,
    )


def _cause(record: SyncRecord) -> Cause | None:
    if record.error is None:
        return None
    try:
        return Cause(record.cause)
    except ValueError:
        return Cause.UNKNOWN  # a record of another version


def _writer(name: str) -> Writer:
    source, _, epoch = name.partition("/")
    return Writer(source, epoch)


def _trouble_reason(trouble: TroubleRecord) -> Reason:
    """Tell a fork from a refusal, and from a peer that has no room."""
    if trouble.kind == "refused" and cause_of(PeerError(trouble.detail)) is Cause.PEER_DISK_FULL:
        return Reason.PEER_DISK_FULL
    return Reason(trouble.kind)
