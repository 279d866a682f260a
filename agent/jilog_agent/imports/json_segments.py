"""Import and export of JSON segments (see :mod:`jilog_ledger.json_segment`).

An event keeps its id, time, class, tier, references and payload. It is appended by this host, so where it
came from is kept in the payload under ``imported``; an export puts both back as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from jilog_agent.decisions.zones import OpenZone
from jilog_agent.imports.append import Candidate, append_missing, candidate
from jilog_agent.imports.report import ImportReport
from jilog_ledger.errors import InputError, JilogError
from jilog_ledger.event import Event, EventDraft, JsonValue, tier_name
from jilog_ledger.identifiers import format_uuid, parse_uuid
from jilog_ledger.json_segment import (
    SEGMENT_BYTES_MAX,
    JsonEvent,
    JsonSegment,
    file_name,
    parse_file_name,
    read_json_segment,
    write_json_segment,
)
from jilog_ledger.times import format_time, parse_rfc3339

SEGMENT_EVENTS = 1_000
"""Events of one exported file."""

CONFLICT_MARK = ".sync-conflict-"
"""What Syncthing puts into the name of a copy that it could not merge."""


def import_json_segments(zone: OpenZone, path: Path, report: ImportReport) -> None:
    """Import a file, a folder of segments, or a ledger's folder; segments that are damaged are reported."""
    append_missing(zone, _candidates(_segment_files(path, report), report), _same, report)


def _segment_files(path: Path, report: ImportReport) -> list[Path]:
    if path.is_file():
        return [path]
    folder = path / "segments" if (path / "segments").is_dir() else path
    if not folder.is_dir():
        raise InputError(f"there is no {path}", hint="name a ledger's folder, or one segment file")
    named = []
    for file in folder.iterdir():
        name = parse_file_name(file.name)
        if CONFLICT_MARK in file.name:
            report.skip(file.name, "a copy that a sync program made of a conflict")
        elif name is not None:
            named.append((name, file))
        elif file.suffix == ".json":
            report.skip(file.name, "its name is not SOURCE-NUMBER.json")
    if not named and not report.skipped:
        raise InputError(
            f"{path} holds no JSON segments", hint="they are called SOURCE-000001.json and lie in segments/"
        )
    return [file for _, file in sorted(named)]


def _candidates(files: Iterable[Path], report: ImportReport) -> Iterator[Candidate]:
    for file in files:
        segment = _read(file, report)
        if segment is None:
            continue
        report.files += 1
        for index, event in enumerate(segment.events):
            where = f"{file.name} event {index + 1}"
            try:
                draft = draft_of(event)
            except (InputError, ValueError) as exc:
                report.skip(where, str(exc))
                continue
            found = candidate(where, draft, report)
            if found is not None:
                yield found


def _read(file: Path, report: ImportReport) -> JsonSegment | None:
    try:
        with file.open("rb") as stream:
            segment = read_json_segment(stream.read(SEGMENT_BYTES_MAX + 1))
    except JilogError as exc:
        report.skip(file.name, exc.message)
        return None
    except OSError as exc:
        report.skip(file.name, f"cannot be read: {exc.strerror}")
        return None
    named = parse_file_name(file.name)
    if named is not None and named != (segment.source, segment.source_seq):
        report.skip(file.name, f"its content says it is {file_name(segment.source, segment.source_seq)}")
        return None
    return segment


def draft_of(event: JsonEvent) -> EventDraft:
    """Make the draft of an event to import.

    Raises:
        InputError: an id is no UUID.
        ValueError: the time is no RFC 3339 time.
    """
    origin: JsonValue = {"zone": event.zone, "source": event.source, "source_seq": event.source_seq}
    payload: JsonValue
    if isinstance(event.payload, dict) and not {"imported", "imported_value"} & event.payload.keys():
        payload = {**event.payload, "imported": origin}
    else:
        payload = {"imported_value": event.payload, "imported": origin}
    return EventDraft(
        event.event_class,
        payload,
        tier=event.payload_tier,
        object_ref=event.object_ref,
        actor_ref=event.actor_ref,
        correlation_id=parse_uuid(event.correlation_id) if event.correlation_id else None,
        causation_id=parse_uuid(event.causation_id) if event.causation_id else None,
        timestamp_ns=parse_rfc3339(event.timestamp),
        event_id=parse_uuid(event.event_id),
    )


def json_event(event: Event) -> JsonEvent:
    """Give an event as a JSON segment has it; an imported one as it was."""
    stored = event.stored
    payload = event.payload()
    zone, source, sequence = event.zone, event.writer.source, event.sequence
    origin = payload.get("imported") if isinstance(payload, dict) else None
    if isinstance(payload, dict) and isinstance(origin, dict):
        zone, source = str(origin.get("zone")), str(origin.get("source"))
        number = origin.get("source_seq")
        sequence = number if isinstance(number, int) else sequence
        payload = _original(payload)
    return JsonEvent(
        event_id=format_uuid(stored.event_id),
        zone=zone,
        source=source,
        source_seq=sequence,
        timestamp=format_time(stored.timestamp_ns),
        correlation_id=format_uuid(stored.correlation_id) if stored.correlation_id else None,
        causation_id=format_uuid(stored.causation_id) if stored.causation_id else None,
        actor_ref=stored.actor_ref,
        object_ref=stored.object_ref,
        event_class=stored.event_class,
        payload_tier=tier_name(stored.tier),
        payload=payload,
    )


def _original(payload: dict[str, JsonValue]) -> JsonValue:
    if "imported_value" in payload:
        return payload["imported_value"]
    return {key: value for key, value in payload.items() if key != "imported"}


def export_json_segments(events: Iterable[Event]) -> Iterator[tuple[str, bytes]]:
    """Give (file name, content) of segments that hold these events, which come the oldest first.

    Segments of a source are numbered from 1. The same events give the same bytes.
    """
    by_source: dict[str, list[JsonEvent]] = {}
    for event in events:
        exported = json_event(event)
        by_source.setdefault(exported.source, []).append(exported)
    for source, exported_events in sorted(by_source.items()):
        for start in range(0, len(exported_events), SEGMENT_EVENTS):
            part = exported_events[start : start + SEGMENT_EVENTS]
            number = start // SEGMENT_EVENTS + 1
            yield file_name(source, number), write_json_segment(source, number, part[-1].timestamp, part)


def _same(held: Event, draft: EventDraft) -> bool:
    """Tell whether a held event is what a draft says, or is the very one that the draft was exported from."""
    stored = draft.stored(1)
    if (held.stored.event_class, held.stored.timestamp_ns, held.stored.tier) != (
        stored.event_class,
        stored.timestamp_ns,
        stored.tier,
    ):
        return False
    payloads = (held.payload(), draft_of(json_event(held)).payload)
    return _sorted_json(draft.payload) in [_sorted_json(payload) for payload in payloads]


def _sorted_json(payload: JsonValue) -> str:
    """Write a payload without regard to the order of its keys, which a JSON segment does not keep."""
    return json.dumps(payload, sort_keys=True)
