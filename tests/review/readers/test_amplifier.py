"""Amplifier sessions: messages and events, both layouts, sub-agents, prices; and logs of the same events."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from jilog_ledger.times import parse_rfc3339
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.transcript import Denial, Marker, MarkerKind, Provenance, ToolCall, ToolResult
from support.transcripts import (
    Gathered,
    check_damage,
    check_growth,
    encode_lines,
    of_kind,
    only_source,
    read_all,
    write_lines,
)

SESSION = "11111111-2222-4333-8444-555555555555"
CHILD = "0000000000000000-abc123_explorer"

Record = dict[str, object]


def said(number: int, role: str, content: object, **fields: object) -> Record:
    return {"role": role, "content": content, "timestamp": f"2026-11-01T09:00:{number:02}.000Z", **fields}


def event(number: int, name: str, **data: object) -> Record:
    moment = f"2026-11-01T09:00:{number:02}.000Z"
    schema = {"name": "amplifier.log", "ver": "1.0.0"}
    return {"ts": moment, "lvl": "INFO", "schema": schema, "event": name, "session_id": SESSION, "data": data}


FAILURE: Record = {"success": False, "output": None, "error": {"message": "command not found: pytst"}}
MESSAGES: list[Record] = [
    said(1, "user", "run the tests"),
    said(
        2,
        "assistant",
        [{"type": "text", "text": "Running."}],
        tool_calls=[{"id": "c1", "tool": "bash", "arguments": {"command": "pytst"}}],
    ),
    said(3, "tool", json.dumps(FAILURE), name="bash", tool_call_id="c1"),
    said(4, "user", "<system-reminder>be brief</system-reminder>"),
    said(5, "assistant", "pytst is not installed."),
    said(6, "system", "rules"),
    said(7, "oracle", "?"),
]
EVENTS: list[Record] = [
    event(0, "session:start", parent_id=None),
    event(1, "prompt:submit", prompt="run the tests"),
    event(2, "provider:request", provider="p"),
    event(
        3,
        "llm:response",
        model="model-x",
        raw={"content": [{"type": "text", "text": "Running."}]},
        usage={"input_tokens": 100, "output_tokens": 5, "cost_usd": 0.1},
    ),
    event(4, "tool:pre", tool_name="bash", tool_call_id="c1", tool_input={"command": "pytst"}),
    event(5, "tool:post", tool_name="bash", tool_call_id="c1", result=FAILURE),
    event(6, "llm:response", usage={"input_tokens": 1, "output_tokens": 1, "cost_usd": "0.20"}),
    event(7, "context:compaction"),
    event(8, "session:resume"),
    {"timestamp": "2026-11-01T09:00:09.000Z", "workspace": "w", "event": "cancel:requested", "data": {}},
    event(10, "provider:error", error={"message": "overloaded"}),
    event(11, "session:end"),
    event(12, "weather:report"),
]


def make(tmp_path: Path, kind: str = "amplifier") -> Reader:
    return make_reader(ReaderConfig(kind, {"path": str(tmp_path / "projects")}))


def folder(tmp_path: Path, session: str = SESSION) -> Path:
    return tmp_path / "projects/-w-app/sessions" / session


def read_messages(tmp_path: Path, records: list[Record], session: str = SESSION) -> Gathered:
    write_lines(folder(tmp_path, session) / "transcript.jsonl", records)
    reader = make(tmp_path)
    return read_all(reader, only_source(reader))


def check_tools(gathered: Gathered) -> None:
    (call,) = of_kind(gathered.entries, ToolCall)
    assert (call.tool, call.command) == ("bash", "pytst")
    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.tool, result.command, result.failed) == ("bash", "pytst", True)
    assert json.loads(result.text) == FAILURE


def test_messages_when_read_give_people_and_tools(tmp_path: Path) -> None:
    gathered = read_messages(tmp_path, MESSAGES)

    assert gathered.human() == ["run the tests"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running.", "pytst is not installed."]
    check_tools(gathered)
    assert gathered.coverage.unknown == {"role:oracle": 1}
    assert (gathered.transcript.session_id, gathered.transcript.project) == (SESSION, "-w-app")


def test_events_when_alone_give_people_tools_markers_and_prices(tmp_path: Path) -> None:
    write_lines(folder(tmp_path) / "events.jsonl", EVENTS)
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    assert gathered.human() == ["run the tests"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running."]
    check_tools(gathered)
    markers = [marker.kind for marker in of_kind(gathered.entries, Marker)]
    assert markers == [
        MarkerKind.COMPACTION,
        MarkerKind.RESUME,
        MarkerKind.INTERRUPT,
        MarkerKind.API_ERROR,
    ]
    assert (gathered.usage.input_tokens, gathered.usage.output_tokens) == (101, 6)
    assert gathered.usage.cost == Decimal("0.30")
    assert gathered.transcript.model == "model-x"
    assert gathered.coverage.unknown == {"weather:report": 1}


def test_events_when_messages_lie_beside_them_only_add_what_those_lack(tmp_path: Path) -> None:
    write_lines(folder(tmp_path) / "transcript.jsonl", MESSAGES)
    write_lines(folder(tmp_path) / "events.jsonl", EVENTS)
    reader = make(tmp_path)

    events, messages = (read_all(reader, source) for source in reader.discover(0).sources)

    assert {type(entry) for entry in events.entries} == {Marker}
    assert events.usage.cost == Decimal("0.30")
    assert messages.human() == ["run the tests"]
    assert events.transcript.session_id == messages.transcript.session_id


def test_session_in_the_projects_own_folder_when_of_an_older_version_is_found(tmp_path: Path) -> None:
    write_lines(tmp_path / "projects/old-session/transcript.jsonl", MESSAGES)

    assert only_source(make(tmp_path)).session_id == "old-session"


def test_sub_agent_when_its_id_begins_with_zeros_belongs_to_its_parent(tmp_path: Path) -> None:
    write_lines(folder(tmp_path, CHILD) / "metadata.json", [{"parent_session_id": SESSION}])

    gathered = read_messages(tmp_path, MESSAGES, CHILD)

    assert gathered.transcript.is_subagent
    assert (gathered.transcript.session_id, gathered.transcript.root_session) == (CHILD, SESSION)
    assert gathered.human() == []


def test_sub_agent_when_only_its_first_event_names_the_parent_belongs_to_it(tmp_path: Path) -> None:
    write_lines(
        folder(tmp_path, CHILD) / "events.jsonl", [event(0, "session:start", parent_id=SESSION), *EVENTS[1:]]
    )
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    assert gathered.transcript.root_session == SESSION


@pytest.mark.parametrize(
    ("envelope", "failed", "status", "denial"),
    [
        ({"success": True, "output": "ok"}, False, None, None),
        ({"success": False, "output": {"returncode": 2, "stdout": "", "stderr": "x"}}, True, 2, None),
        ({"success": False, "error": None, "output": {"status": "denied"}}, True, None, Denial.POLICY),
        ({"output": "no flag"}, None, None, None),
        ('plain text with "success"', None, None, None),
    ],
)
def test_result_when_its_envelope_says_how_it_ended_is_believed(
    tmp_path: Path, envelope: object, failed: bool | None, status: int | None, denial: Denial | None
) -> None:
    for content in (envelope, json.dumps(envelope) if isinstance(envelope, dict) else envelope):
        gathered = read_messages(tmp_path, [said(1, "tool", content, name="bash", tool_call_id="c")])

        (result,) = of_kind(gathered.entries, ToolResult)
        assert (result.failed, result.exit_status, result.denial) == (failed, status, denial)


def test_growing_messages_when_read_bit_by_bit_give_the_same(tmp_path: Path) -> None:
    path = write_lines(folder(tmp_path) / "transcript.jsonl", MESSAGES)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(MESSAGES))


def test_growing_events_when_read_bit_by_bit_give_the_same(tmp_path: Path) -> None:
    path = write_lines(folder(tmp_path) / "events.jsonl", EVENTS)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(EVENTS))


@pytest.mark.parametrize(("name", "records"), [("transcript.jsonl", MESSAGES), ("events.jsonl", EVENTS)])
def test_damaged_session_when_read_never_raises(tmp_path: Path, name: str, records: list[Record]) -> None:
    path = write_lines(folder(tmp_path) / name, records)
    reader = make(tmp_path)

    check_damage(reader, only_source(reader), path, b"".join(encode_lines(records)))


def write_log(tmp_path: Path, **metadata: object) -> None:
    log = folder(tmp_path) / "context-intelligence"
    write_lines(log / "events.jsonl", EVENTS)
    if metadata:
        write_lines(log / "metadata.json", [metadata])


def test_log_when_its_metadata_name_the_format_is_read_like_events(tmp_path: Path) -> None:
    write_log(tmp_path, format="context-intelligence", version="1.2", last_event_at="2026-11-01T09:00:00Z")
    reader = make(tmp_path, "context-intelligence")

    source = only_source(reader)
    gathered = read_all(reader, source)

    assert source.session_id == SESSION
    assert source.modified_ns == parse_rfc3339("2026-11-01T09:00:00Z")
    assert gathered.transcript.reader == "context-intelligence"
    check_tools(gathered)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "no readable metadata.json"),
        ({"format": "other", "version": "1"}, "'other'"),
        ({"format": "context-intelligence", "version": "2.0"}, "'2.0'"),
        ({"format": "context-intelligence"}, "'None'"),
    ],
)
def test_log_when_its_format_is_not_known_is_a_problem(
    tmp_path: Path, metadata: Record, message: str
) -> None:
    write_log(tmp_path, **metadata)

    discovery = make(tmp_path, "context-intelligence").discover(0)

    assert discovery.sources == ()
    assert message in discovery.problems[0].message


def test_default_folder_when_nothing_is_configured_is_the_homes(tmp_path: Path) -> None:
    write_lines(tmp_path / ".amplifier/projects/p/sessions/s/transcript.jsonl", MESSAGES)

    assert only_source(make_reader(ReaderConfig("amplifier", {}, {"HOME": str(tmp_path)}))).session_id == "s"
