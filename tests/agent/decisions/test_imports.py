"""Imports: each record once, the damaged ones told, the rest brought in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_agent.decisions.select import EntryFilter, select_entries
from jilog_agent.imports.agentlog import import_agentlog
from jilog_agent.imports.json_segments import (
    SEGMENT_EVENTS,
    draft_of,
    export_json_segments,
    import_json_segments,
    json_event,
)
from jilog_agent.imports.report import ImportReport
from jilog_ledger.decision import FileRef
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.identifiers import Writer, derived_event_id, format_uuid
from jilog_ledger.json_segment import JsonEvent, file_name, write_json_segment
from jilog_ledger.projection import EventQuery
from support.decision_zone import open_zone, titles

CREATED = "2026-01-02T03:04:05Z"


def event(number: int, **changes: object) -> JsonEvent:
    fields: dict[str, object] = {
        "event_id": format_uuid(derived_event_id("imported", str(number))),
        "zone": "ops",
        "source": "old-host",
        "source_seq": number,
        "timestamp": f"2026-01-02T03:04:{number:02}.500Z",
        "event_class": "state_change",
        "payload_tier": "structured",
        "payload": {"summary": f"event {number}", "subsystem": "backup"},
        **changes,
    }
    return JsonEvent(**fields)  # type: ignore[arg-type] # names and values come from the test


def segment(folder: Path, number: int, *events: JsonEvent, source: str = "old-host") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(source, number)
    path.write_bytes(write_json_segment(source, number, CREATED, events))
    return path


def run(root: Path, path: Path, **options: bool) -> ImportReport:
    report = ImportReport(**options)
    with open_zone(root) as zone:
        import_json_segments(zone, path, report)
    return report


def reasons(report: ImportReport) -> dict[str, str]:
    return {item.where: item.reason for item in report.skipped}


def test_segments_are_imported_once_and_keep_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "ops" / "segments"
    segment(
        folder, 1, event(1), event(2, correlation_id=format_uuid(b"c" * 16), actor_ref="me", object_ref="it")
    )
    segment(folder, 2, event(3, payload=None), event(4, payload=[1, {"x": 2.5}]))

    first = run(tmp_path / "zone", tmp_path / "ops")
    again = run(tmp_path / "zone", tmp_path / "ops")

    assert (first.files, first.added, first.present, first.skipped) == (2, 4, 0, [])
    assert (again.added, again.present, again.skipped) == (0, 4, [])
    with open_zone(tmp_path / "zone") as zone:
        events = zone.projection.query(EventQuery(oldest_first=True))
        by_subsystem = zone.projection.query(EventQuery(subsystems=("backup",)))
    assert [json_event(item) for item in events] == [
        event(1),
        event(2, correlation_id=format_uuid(b"c" * 16), actor_ref="me", object_ref="it"),
        event(3, payload=None),
        event(4, payload=[1, {"x": 2.5}]),
    ]
    assert len(by_subsystem) == 2


def test_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    path = segment(tmp_path / "ops", 1, event(1), event(2))

    report = run(tmp_path / "zone", path, dry_run=True)

    assert report.added == 2
    assert run(tmp_path / "zone", path).added == 2


def test_damaged_and_strange_files_are_told_and_the_rest_is_imported(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    segment(folder, 1, event(1))
    damaged = segment(folder, 2, event(2))
    damaged.write_bytes(damaged.read_bytes().replace(b"event 2", b"event 9"))
    torn = segment(folder, 3, event(3))
    torn.write_bytes(torn.read_bytes()[:-20])
    segment(folder, 4, event(4)).rename(folder / "other-000004.json")
    (folder / "old-host-000001.sync-conflict-20260101-1.json").write_text("{}")
    (folder / "notes.json").write_text("{}")
    segment(
        folder,
        6,
        event(6, event_id="not-a-uuid"),
        event(7, timestamp="soon"),
        event(8),
        event(9, payload_tier="odd"),
    )

    report = run(tmp_path / "zone", tmp_path)

    assert report.added == 2
    told = reasons(report)
    assert told["old-host-000002.json"].startswith("checksum mismatch")
    assert told["old-host-000003.json"].startswith("not a JSON segment")
    assert told["other-000004.json"] == "its content says it is old-host-000004.json"
    assert "conflict" in told["old-host-000001.sync-conflict-20260101-1.json"]
    assert told["notes.json"] == "its name is not SOURCE-NUMBER.json"
    assert told["old-host-000006.json event 1"].startswith("invalid event id")
    assert told["old-host-000006.json event 2"].startswith("not an RFC 3339 time")
    assert told["old-host-000006.json event 4"] == "unknown payload tier 'odd'"
    assert len(told) == 8


def test_one_id_with_two_contents_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    segment(folder, 1, event(1), event(1), event(1, payload={"other": True}))

    report = run(tmp_path / "zone", folder)

    assert (report.added, report.present) == (1, 1)
    assert reasons(report) == {
        "old-host-000001.json event 3": "its id is taken by an event with other content"
    }


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_path_without_segments_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(InputError, match=name):
        run(tmp_path / "zone", tmp_path / name)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "imported", "imported_value"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(payload=json_values)
def test_any_payload_is_exported_as_it_was_imported(payload: object) -> None:
    imported = event(5, payload=payload)

    stored = draft_of(imported).stored(1)

    assert json_event(Event("main", Writer("alpha", "0" * 16), stored)) == imported


def test_exported_segments_can_be_imported_again_and_are_the_same_each_time(tmp_path: Path) -> None:
    from support.decision_zone import write

    with open_zone(tmp_path / "zone") as zone:
        for number in range(3):
            write(zone, f"entry {number}", at=number, tags=("t",))
        events = zone.projection.query(EventQuery(oldest_first=True, limit=None))
    exported = list(export_json_segments(events))
    assert exported == list(export_json_segments(events))
    for name, content in exported:
        (tmp_path / name).write_bytes(content)

    report = run(tmp_path / "other", tmp_path / exported[0][0])

    assert report.added == 3
    with open_zone(tmp_path / "other") as zone:
        assert titles(select_entries([zone], EntryFilter(tags=("t",)), limit=None)) == [
            "entry 2",
            "entry 1",
            "entry 0",
        ]


def test_segments_that_a_zone_exported_are_no_news_to_it(tmp_path: Path) -> None:
    from support.decision_zone import write

    with open_zone(tmp_path / "zone") as zone:
        zone.ledger.append([EventDraft("state_change", {"z": 1, "a": {"y": [True], "b": 1.5}})])
        write(zone, "an entry")
        exported = list(
            export_json_segments(zone.projection.query(EventQuery(oldest_first=True, limit=None)))
        )
    for name, content in exported:
        (tmp_path / name).write_bytes(content)

    report = run(tmp_path / "zone", tmp_path / exported[0][0])

    assert (report.added, report.present, reasons(report)) == (0, 2, {})


def test_export_numbers_the_segments_of_each_source(tmp_path: Path) -> None:
    stored = [
        draft_of(event(5, event_id=format_uuid(derived_event_id(str(n))))).stored(n)
        for n in range(1, SEGMENT_EVENTS + 2)
    ]
    plain = [Event("main", Writer("alpha", "0" * 16), item) for item in stored]

    names = [name for name, _ in export_json_segments(plain)]

    assert names == ["old-host-000001.json", "old-host-000002.json"]


def line(number: int, **changes: object) -> str:
    fields: dict[str, object] = {
        "id": format_uuid(derived_event_id("line", str(number))),
        "timestamp": f"2026-01-02T03:04:{number:02}.123456789Z",
        "session_id": "s1",
        "type": "decision",
        "title": f"entry {number}",
        **changes,
    }
    return json.dumps(fields)


def agentlog(tmp_path: Path, zone_root: Path, **options: object) -> ImportReport:
    report = ImportReport()
    with open_zone(zone_root) as zone:
        import_agentlog(zone, tmp_path / ".agentlog", report, host="alpha", **options)  # type: ignore[arg-type] # root
    return report


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / ".agentlog" / "log"
    folder.mkdir(parents=True)
    return folder


def test_agentlog_entries_keep_id_time_session_and_order_of_tags(tmp_path: Path, log: Path) -> None:
    (log / "s1.jsonl").write_text(
        line(1, body="why", tags=["z", "a", "z"], file_refs=["src/a.py", "/etc/hosts"])
        + "\n\n"
        + line(2, type="question")
        + "\n"
    )

    first = agentlog(tmp_path, tmp_path / "zone")
    again = agentlog(tmp_path, tmp_path / "zone")

    assert (first.files, first.added, first.skipped) == (1, 2, [])
    assert (again.added, again.present, again.skipped) == (0, 2, [])
    with open_zone(tmp_path / "zone") as zone:
        newest, oldest = select_entries([zone], EntryFilter(session="s1"), limit=None)
    assert newest.kind == "question"
    document = oldest.to_json()
    assert document["id"] == format_uuid(derived_event_id("line", "1"))
    assert document["timestamp"] == "2026-01-02T03:04:01.123456789Z"
    assert (document["body"], document["tags"]) == ("why", ["z", "a"])
    assert oldest.decision is not None
    assert oldest.decision.files == (FileRef("", "src/a.py"), FileRef("alpha:/", "etc/hosts"))


def test_agentlog_relative_files_belong_to_the_repository_that_is_named(tmp_path: Path, log: Path) -> None:
    (tmp_path / "app" / ".git").mkdir(parents=True)
    (log / "s1.jsonl").write_text(line(1, file_refs=["src/a.py"]) + "\n")

    agentlog(tmp_path, tmp_path / "zone", root=tmp_path / "app")
    again = agentlog(tmp_path, tmp_path / "zone")

    assert (again.present, again.skipped) == (1, [])
    with open_zone(tmp_path / "zone") as zone:
        (entry,) = select_entries([zone], EntryFilter(), limit=None)
    assert entry.decision is not None
    assert entry.decision.files == (FileRef(f"alpha:{tmp_path / 'app'}", "src/a.py"),)


def test_af15_af32_torn_and_bad_lines_are_told_and_what_is_behind_them_is_saved(
    tmp_path: Path, log: Path
) -> None:
    torn = line(2)[:30]
    content = [
        line(1),
        torn + line(3),
        "not json",
        line(4, type="opinion"),
        line(5, session_id="../../x"),
        line(6, timestamp="yesterday"),
        json.dumps({"id": "x"}),
        "[" * 50_000,
        line(7),
    ]
    (log / "s1.jsonl").write_text("\n".join([*content, line(8)[:40]]))
    (log / "s2.jsonl").write_bytes(b"\xff\xfe\n" + line(9).encode() + b"\n")

    report = agentlog(tmp_path, tmp_path / "zone")

    with open_zone(tmp_path / "zone") as zone:
        found = titles(select_entries([zone], EntryFilter(), limit=None, oldest_first=True))
    assert found == ["entry 1", "entry 3", "entry 7", "entry 9"]
    told = reasons(report)
    assert set(told) == {*(f"s1.jsonl:{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10)), "s2.jsonl:1"}
    assert "the remains of a torn line; the entry behind was saved" in told["s1.jsonl:2"]
    assert told["s1.jsonl:4"].startswith('invalid type "opinion"')
    assert told["s1.jsonl:5"].startswith("invalid session id")
    assert told["s1.jsonl:10"].endswith("the file ends inside this line")


def test_agentlog_id_with_two_contents_is_told_and_the_first_stays(tmp_path: Path, log: Path) -> None:
    (log / "s1.jsonl").write_text(line(1) + "\n" + line(1) + "\n" + line(1, title="changed") + "\n")

    report = agentlog(tmp_path, tmp_path / "zone")

    assert (report.added, report.present) == (1, 1)
    assert reasons(report) == {"s1.jsonl:3": "its id is taken by an event with other content"}


def test_agentlog_entries_of_many_batches_all_arrive(tmp_path: Path, log: Path) -> None:
    lines = [line(n % 60, id=f"e{n}", body="x" * 3_000) for n in range(1_200)]
    (log / "s1.jsonl").write_text("\n".join(lines) + "\n")

    report = agentlog(tmp_path, tmp_path / "zone")

    assert (report.added, report.skipped) == (1_200, [])
    with open_zone(tmp_path / "zone") as zone:
        assert len(select_entries([zone], EntryFilter(), limit=None)) == 1_200
