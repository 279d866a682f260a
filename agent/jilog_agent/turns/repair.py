"""Making ``.turnlog/`` again from the ledger, and saving what only it holds."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jilog_agent.decisions.context import IDS_MAX
from jilog_agent.decisions.record import held_events
from jilog_agent.imports.report import ImportReport
from jilog_agent.imports.turnlog import differs, import_records, preferred
from jilog_agent.turns.documents import Dated, index_line
from jilog_agent.turns.read import TurnFilter, dated_records, select_records, session_of
from jilog_agent.turns.scan import Contents, scan
from jilog_agent.turns.site import Site, repository_names
from jilog_agent.turns.snapshot import write_documents
from jilog_ledger.errors import StorageError
from jilog_ledger.turn import Session, SessionEnd, Turn, record_event_id


@dataclass(slots=True)
class RepairReport:
    """What a repair did. Pairs are (where, why)."""

    records: int = 0
    imported: int = 0
    written: int = 0
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    left_alone: list[tuple[str, str]] = field(default_factory=list)
    attachments: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Drift:
    """How ``.turnlog/`` differs from the ledger: counts of records, files and lines."""

    missing: int
    unknown: int
    different: int
    damaged: int

    def any(self) -> bool:
        """Tell whether a repair has something to do."""
        return bool(self.missing or self.unknown or self.different or self.damaged)


def repair(site: Site, *, everywhere: bool = False) -> RepairReport:
    """Bring ``.turnlog/`` in line with the ledger; only patches cannot be made again.

    Records that only ``.turnlog/`` holds go into the ledger first. Files that cannot be read, or say
    something else than the ledger, are moved to ``quarantine/`` with the reason; records of newer versions
    are left alone. The old index is kept as ``index.jsonl.bak``. With ``everywhere`` records of the same
    repository from other hosts and folders are written, too.

    Raises:
        StorageError: the disk refused; doing it again goes on from there.
    """
    report = RepairReport()
    disk = site.zone.disk
    site.store.make(disk)
    with disk.lock(site.store.lock):
        contents = scan(site.store.folder)
        _import(site, contents, report)
        held = wanted_records(site, contents, everywhere=everywhere)
        _set_aside(site, contents, held, report)
        _write(site, held, report)
        _write_index(site, contents, held)
        _check_attachments(site, held, report)
        _sweep(site.store.folder)
    report.records = len(held)
    return report


def drift(site: Site) -> Drift:
    """Compare ``.turnlog/`` with the ledger."""
    contents = scan(site.store.folder)
    held = {record_event_id(item.record): item for item in wanted_records(site, contents)}
    documents = {record_event_id(item.dated.record): item.dated for item in contents.files}
    lines = {record_event_id(item.dated.record): item.dated for item in contents.lines}
    missing = [
        key
        for key, item in held.items()
        if key not in lines or (key not in documents and not isinstance(item.record, SessionEnd))
    ]
    unknown = [key for key in {*documents, *lines} if key not in held]
    different = {
        key
        for found in (documents, lines)
        for key, item in found.items()
        if key in held and differs(held[key], item, site.redactor)
    }
    damaged = [item for item in contents.damaged if not item.newer]
    return Drift(len(missing), len(unknown), len(different), len(damaged))


def wanted_records(site: Site, contents: Contents, *, everywhere: bool = False) -> list[Dated]:
    """Give what belongs into this ``.turnlog/``, the oldest first.

    That is what was recorded in this folder on this host, and what lies there already.
    """
    names = repository_names(site.host, site.store.root)
    records = {
        record_event_id(item.record): item
        for item in select_records([site.zone], TurnFilter(repositories=names))
    }
    present = {record_event_id(item.dated.record) for item in (*contents.files, *contents.lines)}
    elsewhere = _held(site, sorted(present - set(records)))
    folder = str(site.store.root)
    chosen = {
        key: item
        for key, item in {**records, **elsewhere}.items()
        if everywhere or _made_in(item, site.host, folder) or key in present
    }
    sessions = {session_of(item.record) for item in chosen.values()}
    # A turn is nothing without its session, nor a session without its end.
    chosen |= {
        key: item
        for key, item in records.items()
        if not isinstance(item.record, Turn) and session_of(item.record) in sessions
    }
    return sorted(chosen.values(), key=lambda item: (item.timestamp_ns, record_event_id(item.record)))


def _held(site: Site, event_ids: Sequence[bytes]) -> dict[bytes, Dated]:
    """Give records by their event ids, wherever they were made."""
    found: dict[bytes, Dated] = {}
    for start in range(0, len(event_ids), IDS_MAX):
        events = held_events(site.zone, event_ids[start : start + IDS_MAX])
        found.update((record_event_id(item.record), item) for item in dated_records(events.values()))
    return found


def _made_in(item: Dated, host: str, folder: str) -> bool:
    place = item.record.place
    return place is not None and place.host == host and place.folder == folder


def _import(site: Site, contents: Contents, report: RepairReport) -> None:
    done = ImportReport()
    import_records(site.zone, preferred(contents), done, place=site.place(), redactor=site.redactor)
    site.zone.apply()
    report.imported = done.added


def _set_aside(site: Site, contents: Contents, held: Sequence[Dated], report: RepairReport) -> None:
    known = {record_event_id(item.record): item for item in held}
    for found in contents.files:
        item = known.get(record_event_id(found.dated.record))
        if item is not None and differs(item, found.dated, site.redactor) and found.path is not None:
            _quarantine(site, found.path, "it says something else than the ledger", report)
    for damaged in contents.damaged:
        if damaged.newer:
            report.left_alone.append((damaged.where, damaged.reason))
        elif damaged.path is not None:
            _quarantine(site, damaged.path, damaged.reason, report)
        else:
            # The old index is kept whole; its damaged lines are in there.
            report.set_aside.append((damaged.where, damaged.reason))


def _quarantine(site: Site, path: Path, reason: str, report: RepairReport) -> None:
    disk = site.zone.disk
    disk.make_directory(site.store.quarantine)
    name = f"{path.parent.name}-{path.name}"
    with contextlib.suppress(StorageError):
        name = f"{path.parent.name}-{path.stem}-{hashlib.sha256(disk.read(path)).hexdigest()[:8]}.json"
    # The reason first: a crash between leaves a reason without a file, and the next repair moves it.
    disk.replace(site.store.quarantine / f"{name}.reason", f"{reason}\n".encode("utf-8", "backslashreplace"))
    disk.move(path, site.store.quarantine / name)
    report.set_aside.append((f"{path.parent.name}/{path.name}", reason))


def _write(site: Site, held: Sequence[Dated], report: RepairReport) -> None:
    ends = {item.record.session: item for item in held if isinstance(item.record, SessionEnd)}
    for item in held:
        if isinstance(item.record, SessionEnd):
            continue
        ended = ends.get(item.record.id) if isinstance(item.record, Session) else None
        report.written += write_documents(site.store, site.zone.disk, item, ended)


def _write_index(site: Site, contents: Contents, held: Sequence[Dated]) -> None:
    disk, index = site.zone.disk, site.store.index
    old = disk.read(index) if disk.size(index) is not None else b""
    newer = {
        int(item.where.rpartition(":")[2]) for item in contents.damaged if item.newer and item.path is None
    }
    kept = [line for number, line in enumerate(old.splitlines(keepends=True), 1) if number in newer]
    data = b"".join([*(index_line(item) for item in held), *kept])
    if data != old:
        # A crash before the second line leaves the old index, with a copy of it beside.
        disk.replace(index.with_name("index.jsonl.bak"), old)
        disk.replace(index, data)


def _check_attachments(site: Site, held: Sequence[Dated], report: RepairReport) -> None:
    """Say which patches are gone or are not what was recorded; nobody can make them again."""
    turns = [item.record for item in held if isinstance(item.record, Turn)]
    for attachment in (attachment for turn in turns for attachment in turn.attachments):
        path = site.store.root / attachment.path
        if not path.resolve().is_relative_to(site.store.folder):
            report.attachments.append((attachment.path, "it lies outside of .turnlog"))
            continue
        if site.zone.disk.size(path) is None:
            report.attachments.append((attachment.path, "it is not there"))
        elif attachment.sha256 and _sha256(path) != attachment.sha256:
            report.attachments.append((attachment.path, "it is not what was recorded"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sweep(folder: Path) -> None:
    """Remove what a killed write left; the lock is held, so nobody is writing now."""
    for path in folder.glob("*/.*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()
