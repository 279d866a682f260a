"""A zone with a projection, a clock, and entries that say what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.record import Proposal, Written, write_entry
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.decision import Decision, FileRef
from jilog_ledger.disk import RealDisk
from jilog_ledger.ledger import ZoneLedger
from support.stores import NOON_NS, Clock, key_of


@contextmanager
def open_zone(root: Path, source: str = "alpha") -> Iterator[OpenZone]:
    """Open a zone under ``root``."""
    zone = OpenZone(ZoneLedger.open(root, "main", source=source, key=key_of(source)), RealDisk())
    try:
        yield zone
    finally:
        zone.close()


def proposal(
    title: str = "an entry",
    *,
    at: int | None = None,
    files: tuple[str, ...] = (),
    repository: str = "repo",
    **fields: object,
) -> Proposal:
    """Make a proposal; ``at`` is seconds after noon."""
    values: dict[str, object] = {"type": "decision", "session_id": "s", "title": title, **fields}
    decision = Decision(
        files=tuple(FileRef(repository, path) for path in files),
        **values,  # type: ignore[arg-type] # names and values come from the test
    )
    return Proposal(decision, None if at is None else NOON_NS + at * 1_000_000_000)


def write(zone: OpenZone, title: str = "an entry", **fields: object) -> Written:
    """Write one entry, and bring the projection up to it."""
    written = write_entry(zone, proposal(title, **fields), Clock())  # type: ignore[arg-type] # see proposal
    zone.apply()
    return written


def titles(entries: list[Entry]) -> list[str]:
    """Give the titles in order."""
    return [entry.title for entry in entries]
