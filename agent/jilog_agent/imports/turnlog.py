"""Import of ``.turnlog`` folders: sessions and turns that turnlog, or jilog elsewhere, wrote.

Files are preferred to lines of the index; ids and times are kept, so an import can be repeated from any host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from jilog_agent.decisions.zones import OpenZone
from jilog_agent.imports.append import Candidate, append_missing, candidate
from jilog_agent.imports.report import ImportReport
from jilog_agent.turns.documents import Dated
from jilog_agent.turns.scan import Contents, Found, scan
from jilog_agent.turns.site import place_of
from jilog_agent.turns.store import FOLDER
from jilog_ledger.decision import Place
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.turn import Record, Verification, read_record, record_draft, record_event_id
from jilog_review.redact import Redactor


def import_turnlog(
    zone: OpenZone, path: Path, report: ImportReport, *, host: str, redactor: Redactor
) -> None:
    """Import a ``.turnlog`` folder, or that of a repository; what cannot be read is reported.

    Raises:
        InputError: there is no such folder.
        StorageError: the disk refused; what was appended before stays.
    """
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    if not folder.is_dir() or not any(
        (folder / name).exists() for name in ("index.jsonl", "sessions", "turns")
    ):
        raise InputError(f"{path} holds no turnlog records", hint="name a repository, or its .turnlog folder")
    contents = scan(folder)
    report.files += len(contents.files) + (folder / "index.jsonl").is_file()
    for item in contents.damaged:
        report.skip(item.where, item.reason)
    import_records(zone, preferred(contents), report, place=place_of(host, folder.parent), redactor=redactor)


def preferred(contents: Contents) -> Iterator[Found]:
    """Give each record once: as its file says, else as the index does."""
    seen: set[bytes] = set()
    for found in (*contents.files, *contents.lines):
        event_id = record_event_id(found.dated.record)
        if event_id not in seen:
            seen.add(event_id)
            yield found


def import_records(
    zone: OpenZone, found: Iterable[Found], report: ImportReport, *, place: Place, redactor: Redactor
) -> None:
    """Append the records that the zone does not hold. ``place`` is that of records that name none."""
    append_missing(zone, _candidates(found, report, place, redactor), same_record, report)


def _candidates(
    found: Iterable[Found], report: ImportReport, place: Place, redactor: Redactor
) -> Iterator[Candidate]:
    for item in found:
        record = cleaned(placed(item.dated.record, place), redactor)
        draft = record_draft(record, timestamp_ns=item.dated.timestamp_ns)
        made = candidate(item.where, draft, report)
        if made is not None:
            yield made


def placed(record: Record, place: Place) -> Record:
    """Complete where a record was made; turnlog itself only names the folder."""
    own = record.place or Place("", "", "")
    if own.repository:
        return record
    whole = Place(own.host or place.host, own.folder or place.folder, place.repository)
    return msgspec.structs.replace(record, place=whole)


def cleaned(record: Record, redactor: Redactor) -> Record:
    """Mask what must not be replicated in all that somebody typed."""
    changes: dict[str, object] = {
        name: redactor(text).text
        for name in ("goal", "ticket", "summary")
        if isinstance(text := getattr(record, name, None), str)
    }
    checks: tuple[Verification, ...] = getattr(record, "verification", ())
    if checks:
        changes["verification"] = tuple(
            msgspec.structs.replace(
                item,
                text=redactor(item.text).text,
                command=tuple(redactor(word).text for word in item.command),
            )
            for item in checks
        )
    return msgspec.structs.replace(record, **changes)


def same_record(held: Event, draft: EventDraft) -> bool:
    """Tell whether a held event is what a draft says; where it was made depends on who imports it."""
    return held.stored.timestamp_ns == draft.timestamp_ns and same_content(
        read_record(held.payload()), read_record(draft.payload)
    )


def same_content(one: Record | None, other: Record | None) -> bool:
    """Compare two records without their places."""
    if one is None or other is None:
        return False
    return msgspec.structs.replace(one, place=None) == msgspec.structs.replace(other, place=None)


def differs(held: Dated, found: Dated, redactor: Redactor) -> bool:
    """Tell whether a document says something else than the ledger."""
    return held.timestamp_ns != found.timestamp_ns or not same_content(
        held.record, cleaned(found.record, redactor)
    )
