"""Why a peer has, or has not, what this host has: one reason for each peer, zone and writer. Pure.

What is known comes in as facts: the last sync with the peer, what each writer's stream looks like here, and
what both hosts held when they were last level. A reason names its next command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from jilog_ledger.event import JsonValue
from jilog_ledger.identifiers import Writer
from jilog_ledger.times import SECOND_NS
from jilog_spool.causes import Cause

CLOCK_SKEW_SECONDS = 300
"""Events from so far in the future prove that the writer's clock, or ours, is wrong."""


class Reason(Enum):
    """Why things are as they are. The values are printed with ``--json``, so they stay."""

    IN_SYNC = "in_sync"
    BEHIND = "behind"
    INCOMING = "incoming"
    NEVER_SYNCED = "never_synced"
    PAUSED = "paused"
    QUIET_HOURS = "quiet_hours"
    PEER_PAUSED = "peer_paused"
    PEER_OFF = "peer_off"
    CONNECTION_REFUSED = "connection_refused"
    NAME_UNKNOWN = "name_unknown"
    NO_ADDRESS = "no_address"
    HOST_KEY_UNKNOWN = "host_key_unknown"
    KEY_CHANGED = "key_changed"
    CERTIFICATE_INVALID = "certificate_invalid"
    AUTH_FAILED = "auth_failed"
    NO_COMMON_ALGORITHM = "no_common_algorithm"
    COMMAND_MISSING = "command_missing"
    VERSION_TOO_OLD = "version_too_old"
    GARBAGE = "garbage"
    CONNECTION_LOST = "connection_lost"
    DISK_LOW = "disk_low"
    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    DISK_ERROR = "disk_error"
    NO_FILE_DESCRIPTORS = "no_file_descriptors"
    PEER_DISK_FULL = "peer_disk_full"
    PEER_READ_ONLY = "peer_read_only"
    PEER_FAILED = "peer_failed"
    DAMAGED = "damaged"
    AGENT_HUNG = "agent_hung"
    BUSY = "busy"
    CONFIGURATION = "configuration"
    ZONE_NOT_GRANTED = "zone_not_granted"
    QUARANTINED = "quarantined"
    FORK = "fork"
    GAP = "gap"
    GAP_NO_HOLDER = "gap_no_holder"
    REFUSED = "refused"
    CLOCK_SKEW = "clock_skew"
    UNKNOWN = "unknown"


_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.IN_SYNC: ("both hosts hold the same", ""),
    Reason.BEHIND: ("this host has more; it goes out with the next sync", "jilog spool sync {peer}"),
    Reason.INCOMING: ("the peer has more; it comes with the next sync", "jilog spool sync {peer}"),
    Reason.NEVER_SYNCED: ("never synced", "jilog spool sync {peer}"),
    Reason.PAUSED: ("replication is paused", "jilog spool resume {peer}"),
    Reason.QUIET_HOURS: ("quiet hours; it goes on by itself", "jilog spool sync {peer}"),
    Reason.PEER_PAUSED: ("the peer rests: it is paused, or has quiet hours", "on {peer}: jilog spool resume"),
    Reason.PEER_OFF: ("the peer does not answer", "ping {address}"),
    Reason.CONNECTION_REFUSED: ("nothing listens there", "on {peer}: jilog agent start"),
    Reason.NAME_UNKNOWN: ("its host name cannot be resolved", "jilog peer add {peer} ADDRESS"),
    Reason.NO_ADDRESS: (
        "it has no address: none was given, and neither its key nor its name is found",
        "jilog peer add {peer} ADDRESS",
    ),
    Reason.HOST_KEY_UNKNOWN: ("its host key is not known here", "jilog peer trust {peer}"),
    Reason.KEY_CHANGED: ("it shows another host key than the known one", "jilog peer trust {peer}"),
    Reason.CERTIFICATE_INVALID: (
        "its host certificate is not in force, or not for its name",
        "on {peer}: ssh-keygen -Lf ~/.jilog/identity/id_ed25519-host-cert.pub",
    ),
    Reason.AUTH_FAILED: ("it does not accept this host's key", "jilog peer add --print {peer}"),
    Reason.NO_COMMON_ALGORITHM: ("no algorithm or host key in common", "jilog peer trust {peer}"),
    Reason.COMMAND_MISSING: (
        "jilog is not installed there, or not on its PATH",
        "ssh {address} jilog --version",
    ),
    Reason.VERSION_TOO_OLD: (
        "no protocol version in common",
        "on the older host: pip install --upgrade jilog",
    ),
    Reason.GARBAGE: (
        "what it sends is no spool session",
        "ssh {address} jilog spool serve --stdio </dev/null",
    ),
    Reason.CONNECTION_LOST: ("the connection was lost; the transfer goes on", "jilog spool sync {peer}"),
    Reason.DISK_LOW: ("this host's disk is too full to take segments of peers", "df -h {home}"),
    Reason.DISK_FULL: ("the disk of this host is full", "df -h {home}"),
    Reason.READ_ONLY: ("the file system of this host is read-only", "findmnt -T {home}"),
    Reason.DISK_ERROR: ("the disk of this host reports errors", "jilog verify"),
    Reason.NO_FILE_DESCRIPTORS: (
        "this host's agent, or the host, has no file descriptors left",
        "jilog agent stop && ulimit -n 4096 && jilog agent start",
    ),
    Reason.PEER_DISK_FULL: ("the disk of the peer is full", "on {peer}: df -h ~/.jilog"),
    Reason.PEER_READ_ONLY: ("the file system of the peer is read-only", "on {peer}: findmnt -T ~/.jilog"),
    Reason.PEER_FAILED: ("the peer ended the session", "on {peer}: jilog status"),
    Reason.DAMAGED: ("a segment of this host is damaged", "jilog verify"),
    Reason.AGENT_HUNG: (
        "the agent of this host does not answer; nothing is replicated",
        "jilog agent stop && jilog agent start",
    ),
    Reason.BUSY: ("another process holds the zone", "jilog agent status"),
    Reason.CONFIGURATION: ("the configuration cannot be used", "jilog config show"),
    Reason.ZONE_NOT_GRANTED: (
        "the peer does not share this zone",
        "on {peer}: jilog peer add {source} {zone_options}",
    ),
    Reason.QUARANTINED: ("a damaged segment waits to be fetched again", "jilog spool repair"),
    Reason.FORK: ("the writer has two histories; both are kept", "jilog spool forks"),
    Reason.GAP: ("segments are missing and this peer does not have them", "jilog spool sync"),
    Reason.GAP_NO_HOLDER: (
        "gap with no holder: segments are missing and no peer has them",
        "jilog spool repair",
    ),
    Reason.REFUSED: ("a segment was refused", "jilog verify"),
    Reason.CLOCK_SKEW: ("its clock, or this host's, is wrong by more than five minutes", "date -u"),
    Reason.UNKNOWN: ("the sync failed", "jilog spool sync {peer}"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What is held of one writer: events and bytes of segments."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class WriterFacts:
    """One writer's stream on this host.

    ``sequence`` is the last one before the first gap. ``missing``: segments are known to exist and not held;
    ``quarantined``: such that were found damaged.
    """

    writer: Writer
    held: Held
    last_time_ns: int = 0
    sequence: int = 0
    missing: bool = False
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the last session said of one writer: a fork, or a refusal with its reason."""

    zone: str
    writer: Writer
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Resting:
    """Why nothing is exchanged with a peer for now: a pause or quiet hours, with the command that ends it."""

    reason: Reason
    detail: str
    next_step: str


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """One peer, as far as this host knows.

    ``level`` is what both held when they were last level, at ``level_at_ns`` (0: never). ``peer_has`` are the
    last sequences of writers of which it had more than this host when it told. ``cause`` and
    ``detail`` tell why the last session failed; None when it did not. ``missing_bytes`` were offered and have
    not arrived. ``inbound``: it has no endpoint and calls this host, which cannot call it.
    """

    name: str
    address: str
    zones: tuple[str, ...]
    inbound: bool = False
    synced: bool = False
    connected: bool = False
    resting: Resting | None = None
    cause: Cause | None = None
    detail: str = ""
    level_at_ns: int = 0
    level: Mapping[tuple[str, Writer], Held] = field(default_factory=dict)
    zones_not_shared: frozenset[str] = frozenset()
    clock_ahead_seconds: int | None = None
    peer_has: Mapping[tuple[str, Writer], int] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()
    missing_bytes: int = 0

    def was_level(self, zone: str, stream: WriterFacts) -> bool:
        """Tell whether this host held of a stream what it holds now when both were last level."""
        # Of a stream without a segment, as of one that is wholly in quarantine, nothing is taken down.
        nothing = Held(0, 0) if self.level_at_ns else None
        return stream.held == self.level.get((zone, stream.writer), nothing)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """This host: its streams by zone, and why it takes no events, or none of peers, if so.

    ``without_holder`` are streams with missing segments that every peer was asked for in vain. ``source`` is
    the name that peers know this host by.
    ``agent_hung``: an agent holds the socket and does not answer; ``agent_starved``: for it may open no file.
    """

    home: str
    zones: Mapping[str, Sequence[WriterFacts]]
    read_only: str | None = None
    disk_low: str | None = None
    agent_hung: bool = False
    agent_starved: bool = False
    without_holder: frozenset[tuple[str, Writer]] = frozenset()
    source: str = "NAME"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one peer stands as it does with one writer of one zone; without a writer, with all of them.

    ``lag_events`` and ``lag_bytes`` are what this host has and the peer, as far as is known, has not;
    ``lag_seconds`` is how long ago both were level. ``incoming_events`` are what the peer had, when it told
    last, and this host has not. None stands for not known.
    """

    peer: str
    zone: str
    writer: Writer | None
    reason: Reason
    detail: str
    next_step: str
    lag_events: int | None = None
    lag_bytes: int | None = None
    lag_seconds: int | None = None
    incoming_events: int | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Give the documented JSON."""
        return {
            "zone": self.zone,
            "source": self.writer.source if self.writer else None,
            "epoch": self.writer.epoch if self.writer else None,
            "reason": self.reason.value,
            "detail": self.detail,
            "next": self.next_step or None,
            "lag_events": self.lag_events,
            "lag_bytes": self.lag_bytes,
            "lag_seconds": self.lag_seconds,
            "incoming_events": self.incoming_events,
        }


def judge(peer: PeerFacts, host: HostFacts, now_ns: int) -> list[Verdict]:
    """Give one verdict for each zone and writer; one for a zone that is as a whole in question."""
    return [verdict for zone in peer.zones for verdict in _judge_zone(peer, host, zone, now_ns)]


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Give the verdict that a one-line summary shows: one that is not in order, with the largest lag."""
    if not verdicts:
        return None
    return max(verdicts, key=lambda item: (_SEVERITY[item.reason], item.lag_events or 0))


_SEVERITY = dict.fromkeys(Reason, 2) | {Reason.BEHIND: 1, Reason.INCOMING: 1, Reason.IN_SYNC: 0}


_NO_WRITER = WriterFacts(Writer("", ""), Held(0, 0))


def _judge_zone(peer: PeerFacts, host: HostFacts, zone: str, now_ns: int) -> Iterator[Verdict]:
    writers = [*host.zones.get(zone, ())]
    known = {facts.writer for facts in writers}
    strangers = sorted(writer for name, writer in peer.peer_has if name == zone and writer not in known)
    writers += [WriterFacts(writer, Held(0, 0)) for writer in strangers]
    whole = _whole_zone(peer, host, zone)
    if not writers:
        # A zone without an event is level with every peer; untold, its peers would vanish from lists.
        why = whole or _clock_reason(peer, _NO_WRITER, now_ns) or (Reason.IN_SYNC, "")
        yield _verdict(peer, host, zone, None, why=why)
    for facts in writers:
        why = whole or _writer_reason(peer, host, zone, facts)
        if why[0] in (Reason.IN_SYNC, Reason.BEHIND, Reason.INCOMING):
            why = _clock_reason(peer, facts, now_ns) or why
        yield _with_lag(_verdict(peer, host, zone, facts.writer, why=why), peer, facts, now_ns)


def _whole_zone(peer: PeerFacts, host: HostFacts, zone: str) -> tuple[Reason, str] | None:
    """Give the reason that concerns the whole zone, if there is one; the nearest to this host comes first."""
    if peer.resting is not None:
        return peer.resting.reason, peer.resting.detail
    if host.agent_hung:
        return Reason.NO_FILE_DESCRIPTORS if host.agent_starved else Reason.AGENT_HUNG, ""
    if host.read_only is not None:
        return Reason.DISK_FULL, host.read_only
    if host.disk_low is not None:
        return Reason.DISK_LOW, host.disk_low
    if not peer.synced and peer.cause is None:
        return Reason.NEVER_SYNCED, ""
    if peer.cause is not None and not peer.connected:
        return Reason(peer.cause.value), peer.detail
    if zone in peer.zones_not_shared:
        return Reason.ZONE_NOT_GRANTED, ""
    return None


def _writer_reason(peer: PeerFacts, host: HostFacts, zone: str, facts: WriterFacts) -> tuple[Reason, str]:
    for trouble in peer.troubles:
        if (trouble.zone, trouble.writer) == (zone, facts.writer):
            return trouble.reason, trouble.detail
    level = peer.was_level(zone, facts)
    if facts.missing:
        return _missing_reason(host, zone, facts, level=level), ""
    if _incoming(peer, zone, facts):
        return Reason.INCOMING, ""
    return (Reason.IN_SYNC if peer.connected or level else Reason.BEHIND), ""


def _incoming(peer: PeerFacts, zone: str, facts: WriterFacts) -> int:
    """Count the events that the peer had when it told last, and this host has not."""
    return max(0, peer.peer_has.get((zone, facts.writer), 0) - facts.sequence)


def _missing_reason(host: HostFacts, zone: str, facts: WriterFacts, *, level: bool) -> Reason:
    """Say whether missing segments may still come: from this peer, from another one, or from nobody."""
    if (zone, facts.writer) in host.without_holder:
        return Reason.GAP_NO_HOLDER
    # What was missing already when all that the peer has had come is not among it.
    if level:
        return Reason.GAP
    return Reason.QUARANTINED if facts.quarantined else Reason.GAP


def _clock_reason(peer: PeerFacts, facts: WriterFacts, now_ns: int) -> tuple[Reason, str] | None:
    """Name a clock that is wrong: the peer's, as it told, or the one that a writer took its times from."""
    ahead = peer.clock_ahead_seconds or 0
    if abs(ahead) > CLOCK_SKEW_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        return Reason.CLOCK_SKEW, f"the clock of {peer.name} is {abs(ahead)} s {where} this host's"
    ahead = (facts.last_time_ns - now_ns) // SECOND_NS
    if ahead > CLOCK_SKEW_SECONDS:
        return Reason.CLOCK_SKEW, f"the newest event of {facts.writer.source} is {ahead} s in the future"
    return None


def _verdict(
    peer: PeerFacts, host: HostFacts, zone: str, writer: Writer | None, *, why: tuple[Reason, str]
) -> Verdict:
    reason, detail = why
    words, step = _WORDS[reason]
    if peer.inbound and step.startswith("jilog spool sync"):
        step = "on {peer}: jilog spool sync"
    # The zones of a peer are set as a whole: those that it shares already have to be named, too.
    shared = [known for known in peer.zones if known == zone or known not in peer.zones_not_shared]
    next_step = step.format(
        peer=peer.name,
        address=peer.address,
        home=host.home,
        source=host.source,
        zone_options=" ".join(f"--zone {known}" for known in shared),
    )
    if peer.resting is not None:
        next_step = peer.resting.next_step
    return Verdict(peer.name, zone, writer, reason, detail or words, next_step)


def _with_lag(verdict: Verdict, peer: PeerFacts, facts: WriterFacts, now_ns: int) -> Verdict:
    if peer.synced:
        verdict = replace(verdict, incoming_events=_incoming(peer, verdict.zone, facts))
    if peer.connected and verdict.reason is Reason.IN_SYNC:
        return replace(verdict, lag_events=0, lag_bytes=0, lag_seconds=0)
    seconds = (now_ns - peer.level_at_ns) // SECOND_NS if peer.level_at_ns else None
    level = peer.level.get((verdict.zone, facts.writer))
    if not peer.level_at_ns:
        return verdict
    events = facts.held.events - (level.events if level else 0)
    size = facts.held.bytes - (level.bytes if level else 0)
    return replace(verdict, lag_events=max(0, events), lag_bytes=max(0, size), lag_seconds=seconds)
