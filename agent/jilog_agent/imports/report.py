"""What an import did, and what it passed over."""

from __future__ import annotations

from dataclasses import dataclass, field

from jilog_ledger.event import JsonValue


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not imported: where it stands, and why."""

    where: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """Counts of an import. ``present`` were in the ledger already, with the same content.

    ``dry_run``: nothing was written, ``added`` is what would have been.
    """

    files: int = 0
    added: int = 0
    present: int = 0
    dry_run: bool = False
    skipped: list[Skipped] = field(default_factory=list)

    def skip(self, where: str, reason: str) -> None:
        """Note that something was passed over."""
        self.skipped.append(Skipped(where, reason))

    def to_json(self) -> dict[str, JsonValue]:
        """Give the report's documented JSON."""
        return {
            "files": self.files,
            "added": self.added,
            "present": self.present,
            "dry_run": self.dry_run,
            "skipped": [{"where": item.where, "reason": item.reason} for item in self.skipped],
        }
