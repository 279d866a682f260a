"""What a session did, for a person and for a program."""

from __future__ import annotations

from dataclasses import dataclass, field

from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_spool.limits import REFUSALS_KEPT_MAX


@dataclass(slots=True)
class WriterReport:
    """What moved of one writer. Bytes are those of segment files, before compression."""

    events_received: int = 0
    events_sent: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    segments_received: int = 0
    segments_sent: int = 0


@dataclass(slots=True)
class Forecast:
    """What would move of one writer. Bytes are those of segment files; sealed ones count in whole KiB."""

    segments: int = 0
    bytes: int = 0
    events: int = 0

    def add(self, segments: int, size_bytes: int, events: int) -> None:
        """Count some more."""
        self.segments += segments
        self.bytes += max(0, size_bytes)
        self.events += max(0, events)


@dataclass(frozen=True, slots=True)
class Refused:
    """A segment that was offered and not taken. ``by_peer`` tells who refused it."""

    zone: str
    writer: Writer
    number: int
    reason: str
    by_peer: bool


@dataclass(frozen=True, slots=True)
class ForkFound:
    """One writer with two histories. Each head is None when its holder has none to show.

    Two signed heads that disagree about one position prove the fork to anybody with the writer's key.
    """

    zone: str
    writer: Writer
    number: int
    mine: SignedHead | None
    theirs: SignedHead | None


@dataclass(slots=True)
class SessionReport:
    """Counters of one session; they only grow while it runs.

    ``bytes_expected`` is what the peer has offered and we have asked for so far, for a progress bar against
    ``bytes_received``. ``wire_bytes_*`` count everything inside the transport. ``round_trips`` counts how
    often we said something and then heard from the peer. ``clock_ahead_seconds`` is how far the peer's clock
    is ahead of ours, None when it has not told. ``software`` is the program's version there, "" when it has
    not told. ``peer_sequences`` are the last sequences that the peer has of writers of which this host had
    less when frontiers were compared last. ``rounds`` counts comparisons of frontiers, and ``forecast_*`` say
    what a session that only asked would have moved. ``pending`` are the streams of which the peer may lack
    something at the end of a session that had both level and stayed open; None while it runs, and for any
    other.
    """

    peer: str = ""
    version: int = 0
    software: str = ""
    complete: bool = False
    zones_equal: list[str] = field(default_factory=list)
    zones_differing: list[str] = field(default_factory=list)
    zones_not_shared: list[str] = field(default_factory=list)
    writers: dict[tuple[str, Writer], WriterReport] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    refused_count: int = 0
    duplicates: int = 0
    forks: list[ForkFound] = field(default_factory=list)
    clock_ahead_seconds: int | None = None
    peer_sequences: dict[tuple[str, Writer], int] = field(default_factory=dict)
    forecast_in: dict[tuple[str, Writer], Forecast] = field(default_factory=dict)
    forecast_out: dict[tuple[str, Writer], Forecast] = field(default_factory=dict)
    pending: frozenset[tuple[str, Writer]] | None = None
    rounds: int = 0
    branches_taken: int = 0
    bytes_expected: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    wire_bytes_in: int = 0
    wire_bytes_out: int = 0
    round_trips: int = 0

    def writer(self, zone: str, writer: Writer) -> WriterReport:
        """Give the counters of one writer."""
        return self.writers.setdefault((zone, writer), WriterReport())

    def refuse(self, refused: Refused) -> None:
        """Count a refusal and keep it, up to REFUSALS_KEPT_MAX."""
        self.refused_count += 1
        if len(self.refused) < REFUSALS_KEPT_MAX:
            self.refused.append(refused)

    def forget_refusals(self) -> None:
        """Start over: a new comparison shows whether what was refused still is."""
        self.refused_count = 0
        self.refused.clear()

    @property
    def events_received(self) -> int:
        """Events that are on stable storage here now and were not before."""
        return sum(writer.events_received for writer in self.writers.values())

    @property
    def events_sent(self) -> int:
        """Events that the peer has acknowledged as being on its stable storage."""
        return sum(writer.events_sent for writer in self.writers.values())

    @property
    def segments_received(self) -> int:
        """Transfers taken: whole segments and tails."""
        return sum(writer.segments_received for writer in self.writers.values())

    @property
    def segments_sent(self) -> int:
        """Transfers that the peer has taken."""
        return sum(writer.segments_sent for writer in self.writers.values())

    @property
    def clean(self) -> bool:
        """Whether the exchange came to its end with nothing refused and no fork."""
        return self.complete and not self.refused_count and not self.forks
