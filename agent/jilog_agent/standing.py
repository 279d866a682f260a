"""Gather the facts that ``reasons`` judges: from the ledgers, the sync history, and a running agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jilog_agent.client import AgentAway, AgentClient
from jilog_agent.reasons import Held, HostFacts, PeerFacts, Reason, Trouble, Verdict, WriterFacts, judge
from jilog_agent.replication import SyncHistory, SyncRecord, granted_zones, peer_table
from jilog_agent.workspace import Workspace
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import parse_rfc3339
from jilog_spool.causes import Cause
from jilog_spool.peers import Peer


def verdicts_by_peer(
    workspace: Workspace, ledgers: Sequence[ZoneLedger], now_ns: int
) -> dict[str, list[Verdict]]:
    """Say of every peer why it stands as it does, from what this host knows now. Nobody is called."""
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    history = SyncHistory(workspace.home, workspace.disk).load()
    agent = _agent_status(workspace)
    host = HostFacts(
        str(workspace.home.root),
        {ledger.zone: zone_facts(ledger) for ledger in ledgers},
        agent.read_only,
    )
    return {
        peer.name: judge(
            peer_facts(
                peer,
                granted_zones(workspace.config, peer),
                history.get(peer.name),
                connected=peer.name in agent.connected,
            ),
            host,
            now_ns,
        )
        for peer in table.peers()
    }


class _AgentStatus:
    """What a running agent says; without one nobody is connected."""

    def __init__(self, document: object = None) -> None:
        fields: Mapping[str, object] = document if isinstance(document, dict) else {}
        read_only, peers = fields.get("read_only"), fields.get("peers")
        self.read_only = read_only if isinstance(read_only, str) else None
        self.connected = {
            str(peer.get("peer"))
            for peer in (peers if isinstance(peers, list) else ())
            if isinstance(peer, dict) and peer.get("connected") is True
        }


def _agent_status(workspace: Workspace) -> _AgentStatus:
    try:
        client = AgentClient.connect(workspace.home)
        if client is None:
            return _AgentStatus()
        with client:
            return _AgentStatus(client.call("status"))
    except AgentAway:
        return _AgentStatus()


def zone_facts(ledger: ZoneLedger) -> list[WriterFacts]:
    """Look at the streams of a zone that may travel."""
    store = ledger.shared
    entries = {entry.writer: entry for entry in store.frontier().entries}
    quarantined = {writer for writer, _ in store.quarantined()}
    facts = []
    for writer in sorted({*store.writers(), *quarantined}):
        segments = store.segments(writer)
        if not segments and writer not in quarantined:
            continue
        entry = entries.get(writer)
        facts.append(
            WriterFacts(
                writer,
                Held(sum(info.events for info in segments), sum(info.length for info in segments)),
                max((info.last_time_ns for info in segments), default=0),
                gap=entry is None or bool(entry.above),
                quarantined=writer in quarantined and (entry is None or bool(entry.above) or not segments),
            )
        )
    return facts


def peer_facts(
    peer: Peer, zones: tuple[str, ...], record: SyncRecord | None, *, connected: bool
) -> PeerFacts:
    """Turn what is remembered of a peer into facts."""
    if record is None:
        return PeerFacts(peer.name, peer.address, zones, synced=connected, connected=connected)
    return PeerFacts(
        name=peer.name,
        address=peer.address,
        zones=zones,
        synced=record.ok or record.level_at is not None or bool(record.zones),
        connected=connected,
        cause=_cause(record),
        detail=record.error or "",
        level_at_ns=parse_rfc3339(record.level_at) if record.level_at else 0,
        level={
            (zone, _writer(name)): Held(held.events, held.bytes)
            for zone, writers in record.level.items()
            for name, held in writers.items()
        },
        zones_not_shared=frozenset(record.zones_not_shared),
        troubles=tuple(
            Trouble(item.zone, Writer(item.source, item.epoch), Reason(item.kind), item.detail)
            for item in record.troubles
        ),
        missing_bytes=record.missing_bytes,
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
