"""pi sessions: lists and trees, the person's own commands, prices."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.transcript import Denial, Marker, MarkerKind, Message, Provenance, ToolCall, ToolResult
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
NAME = f"--w-app--/2026-11-01T09-00-00-000Z_{SESSION}.jsonl"

Record = dict[str, object]


def entry(number: int, kind: str, *, parent: int | None = None, **fields: object) -> Record:
    before = number - 1 if parent is None else parent
    return {
        "type": kind,
        "id": f"{number:08x}",
        "parentId": f"{before:08x}" if before else None,
        "timestamp": f"2026-11-01T09:00:{number:02}.000Z",
        **fields,
    }


def message(number: int, role: str, *, parent: int | None = None, **fields: object) -> Record:
    return entry(number, "message", parent=parent, message={"role": role, **fields})


def text(words: str) -> list[Record]:
    return [{"type": "text", "text": words}]


HEADER: Record = {
    "type": "session",
    "version": 3,
    "id": SESSION,
    "timestamp": "2026-11-01T09:00:00.000Z",
    "cwd": "/w/app",
}
CALL: Record = {"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": "pytst"}}
USAGE: Record = {"input": 5, "output": 2, "cacheRead": 90, "cacheWrite": 5, "cost": {"total": 0.0010}}
STORY: list[Record] = [
    HEADER,
    entry(1, "model_change", provider="p", modelId="model-x"),
    message(2, "user", content=text("run the tests")),
    message(3, "assistant", content=[*text("Running."), CALL], stopReason="toolUse", usage=USAGE),
    message(
        4,
        "toolResult",
        toolCallId="c1",
        toolName="bash",
        isError=True,
        content=text("sh: pytst: not found\n\nCommand exited with code 127"),
    ),
    message(5, "bashExecution", command="false", output="", exitCode=1, cancelled=False),
    message(6, "assistant", content=[], stopReason="error", errorMessage="overloaded"),
    message(7, "assistant", content=text("Half a"), stopReason="aborted", usage=USAGE),
    entry(8, "compaction", summary="…", firstKeptEntryId="00000003", tokensBefore=90000),
    message(9, "user", parent=2, content="use uv"),
    entry(10, "branch_summary", fromId="00000008", summary="what was tried"),
    entry(11, "thinking_level_change", thinkingLevel="high"),
    message(12, "custom", content="from an extension"),
    entry(13, "brand_new"),
]
VERSION_1: list[Record] = [
    {
        "type": "session",
        "id": SESSION,
        "timestamp": "2026-01-01T09:00:00.000Z",
        "cwd": "/w/app",
        "provider": "p",
        "modelId": "model-x",
    },
    {
        "type": "message",
        "timestamp": "2026-01-01T09:00:01.000Z",
        "message": {"role": "user", "content": text("run the tests")},
    },
    {
        "type": "message",
        "timestamp": "2026-01-01T09:00:02.000Z",
        "message": {"role": "assistant", "content": [CALL], "usage": USAGE},
    },
    {
        "type": "message",
        "timestamp": "2026-01-01T09:00:03.000Z",
        "message": {
            "role": "toolResult",
            "toolCallId": "c1",
            "toolName": "bash",
            "isError": False,
            "content": text("ok"),
        },
    },
]


def make(tmp_path: Path) -> Reader:
    return make_reader(ReaderConfig("pi", {"path": str(tmp_path / "sessions")}))


def read_records(tmp_path: Path, records: list[Record]) -> Gathered:
    write_lines(tmp_path / "sessions" / NAME, records)
    reader = make(tmp_path)
    return read_all(reader, only_source(reader))


def test_tree_when_read_gives_people_tools_and_markers(tmp_path: Path) -> None:
    gathered = read_records(tmp_path, STORY)

    assert gathered.human() == ["run the tests", "use uv"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running.", "Half a"]
    assert gathered.said(Provenance.INJECTED) == ["!false\n", "what was tried", "from an extension"]
    (call,) = of_kind(gathered.entries, ToolCall)
    assert (call.tool, call.command) == ("bash", "pytst")
    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.tool, result.command, result.failed, result.exit_status) == ("bash", "pytst", True, 127)
    markers = [(marker.kind, marker.detail) for marker in of_kind(gathered.entries, Marker)]
    assert markers == [
        (MarkerKind.API_ERROR, "overloaded"),
        (MarkerKind.INTERRUPT, ""),
        (MarkerKind.COMPACTION, ""),
        (MarkerKind.BRANCH, ""),
    ]
    assert gathered.coverage.unknown == {"brand_new": 1}
    assert gathered.usage.input_tokens == 200
    assert gathered.usage.cost == Decimal("0.002")
    assert gathered.transcript.session_id == SESSION
    assert (gathered.transcript.project, gathered.transcript.model) == ("/w/app", "model-x")


def test_list_when_of_version_1_is_read_without_branches(tmp_path: Path) -> None:
    gathered = read_records(tmp_path, VERSION_1)

    assert gathered.human() == ["run the tests"]
    assert of_kind(gathered.entries, Marker) == []
    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.command, result.failed, result.exit_status) == ("pytst", False, None)
    assert len({(e.message_id, e.part) for e in gathered.entries}) == len(gathered.entries)


@pytest.mark.parametrize("story", [STORY, VERSION_1], ids=["tree", "list"])
def test_branch_into_a_new_file_when_it_copies_entries_repeats_their_ids(
    tmp_path: Path, story: list[Record]
) -> None:
    write_lines(tmp_path / "sessions/--w--/1_first.jsonl", story)
    write_lines(tmp_path / "sessions/--w--/2_second.jsonl", [{**story[0], "id": "other"}, *story[1:3]])
    reader = make(tmp_path)

    first, second = (read_all(reader, source) for source in reader.discover(0).sources)

    copied = [entry.message_id for entry in second.entries]
    assert copied
    assert set(copied) <= {entry.message_id for entry in first.entries}


@pytest.mark.parametrize(
    ("words", "denial"),
    [("Command aborted", Denial.ABORTED), ("Tool execution was blocked: no", Denial.HOOK), ("boom", None)],
)
def test_failed_call_when_it_was_stopped_says_why(tmp_path: Path, words: str, denial: Denial | None) -> None:
    result = message(2, "toolResult", toolCallId="c", toolName="bash", isError=True, content=text(words))

    (read,) = of_kind(read_records(tmp_path, [HEADER, result]).entries, ToolResult)

    assert (read.failed, read.denial, read.exit_status) == (True, denial, None)


def test_persons_own_command_when_it_failed_is_not_the_agents_failure(tmp_path: Path) -> None:
    record = message(1, "bashExecution", command="make", output="no rule", exitCode=2)

    (read,) = read_records(tmp_path, [HEADER, record]).entries

    assert isinstance(read, Message)
    assert (read.provenance, read.name) == (Provenance.INJECTED, "bashExecution")


def test_nulls_when_in_every_field_are_nothing(tmp_path: Path) -> None:
    nulls = message(1, "assistant", content=None, usage=None, stopReason=None)

    gathered = read_records(tmp_path, [HEADER, nulls, {"type": "message", "message": None}])

    assert gathered.entries == []
    assert gathered.coverage.bad_lines == 0


def test_growing_session_when_read_bit_by_bit_gives_the_same(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "sessions" / NAME, STORY)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(STORY))


def test_damaged_session_when_read_never_raises(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "sessions" / NAME, STORY)
    reader = make(tmp_path)

    check_damage(reader, only_source(reader), path, b"".join(encode_lines(STORY)))


def test_default_folder_when_nothing_is_configured_is_the_homes(tmp_path: Path) -> None:
    write_lines(tmp_path / ".pi/agent/sessions" / NAME, STORY)

    assert only_source(make_reader(ReaderConfig("pi", {}, {"HOME": str(tmp_path)}))).session_id == SESSION
