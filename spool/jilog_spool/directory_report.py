"""What an emit or an ingest did, for a person and for a program."""

from __future__ import annotations

from dataclasses import dataclass, field

from jilog_ledger.identifiers import Writer
from jilog_spool.directory_files import DirectoryUnusable
from jilog_spool.limits import REFUSALS_KEPT_MAX
from jilog_spool.report import ForkFound, Refused


@dataclass(frozen=True, slots=True)
class Stranger:
    """A host whose folder is there and whose key nobody here trusts."""

    folder: str
    source: str
    public_key: bytes


@dataclass(slots=True)
class DirectoryReport:
    """Counters of one pass over a directory. Bytes are those of files.

    After a dry run ``files_*`` and ``bytes_*`` say what would have been read and written.
    ``error`` is what stood in the way of writing; what could be read was taken all the same.
    """

    files_read: int = 0
    bytes_read: int = 0
    files_written: int = 0
    bytes_written: int = 0
    files_pruned: int = 0
    bytes_pruned: int = 0
    segments_received: int = 0
    events_received: int = 0
    duplicates: int = 0
    hosts: dict[str, int] = field(default_factory=dict)
    """Trusted hosts with a folder here, by folder, and the counter of what each said last."""
    strangers: list[Stranger] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_count: int = 0
    forks: list[ForkFound] = field(default_factory=list)
    zones_not_shared: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files that are not whole, or not what their names say, with the reason; most arrive whole later."""
    unvouched: int = 0
    """Files of writers for whom nobody vouches that this host trusts."""
    foreign: int = 0
    partial: int = 0
    conflicts: int = 0
    vanished: int = 0
    grown: set[str] = field(default_factory=set)
    """Zones of this host that gained something."""
    error: DirectoryUnusable | None = None

    def refuse(self, zone: str, writer: Writer, number: int, reason: str) -> None:
        """Count a segment that was not taken and keep why, up to REFUSALS_KEPT_MAX."""
        refused = Refused(zone, writer, number, reason, by_peer=False)
        if refused in self.refused:
            return
        self.refused_count += 1
        if len(self.refused) < REFUSALS_KEPT_MAX:
            self.refused.append(refused)

    def cannot_read(self, name: str, reason: str) -> None:
        """Note a file that gave nothing, up to REFUSALS_KEPT_MAX."""
        if len(self.unreadable) < REFUSALS_KEPT_MAX:
            self.unreadable[name] = reason

    def forget_refusals(self) -> None:
        """Start over with what was not taken, for it is tried again."""
        self.refused, self.refused_count, self.unvouched = [], 0, 0
        self.unreadable = {name: why for name, why in self.unreadable.items() if name.endswith(".state")}

    @property
    def clean(self) -> bool:
        """Whether everything in the directory that this host may take is taken, and all could be written."""
        troubles = self.refused_count or self.unreadable or self.strangers or self.unvouched or self.error
        return not troubles
