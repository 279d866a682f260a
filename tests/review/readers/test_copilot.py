"""Copilot CLI sessions: tools joined with their results, exit trailers, refusals, both layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

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

Record = dict[str, object]


def event(number: int, kind: str, **data: object) -> Record:
    moment = f"2026-11-01T09:00:{number:02}.000Z"
    return {"type": kind, "data": data, "id": f"e{number}", "timestamp": moment, "parentId": None}


def start(number: int, call_id: str, tool: str = "bash", **arguments: object) -> Record:
    return event(number, "tool.execution_start", toolCallId=call_id, toolName=tool, arguments=arguments)


def done(number: int, call_id: str, text: str) -> Record:
    result = {"content": text, "detailedContent": text}
    return event(number, "tool.execution_complete", toolCallId=call_id, success=True, result=result)


def failed(number: int, call_id: str, message: str, code: str) -> Record:
    error = {"message": message, "code": code}
    return event(number, "tool.execution_complete", toolCallId=call_id, success=False, error=error)


HEAD = event(0, "session.start", sessionId=SESSION, version=1, context={"cwd": "/w/app"})
METRICS: Record = {"model-x": {"usage": {"inputTokens": 90, "outputTokens": 8}}}
STORY: list[Record] = [
    HEAD,
    event(1, "user.message", content="list files", transformedContent="<now>…</now>\nlist files"),
    event(2, "assistant.turn_start", turnId="0"),
    event(
        3,
        "assistant.message",
        content="Looking.",
        model="model-x",
        toolRequests=[{"toolCallId": "t1", "name": "bash", "arguments": {"command": "ls nope"}}],
    ),
    start(4, "t1", command="ls nope"),
    done(5, "t1", "ls: nope: No such file or directory\n<shellId: 0 completed with exit code 2>"),
    start(6, "t2", "view", path="/w/x"),
    failed(7, "t2", "Path does not exist", "failure"),
    event(8, "user.message", content="look in src", delivery="queued"),
    event(9, "user.message", content="skill text", source="skill-pdf"),
    event(10, "abort", reason="user initiated"),
    event(11, "session.compaction_complete", success=True),
    event(12, "session.resume"),
    event(13, "session.error", errorType="query", message="rate limited"),
    event(
        14, "session.shutdown", modelMetrics={"model-x": {"usage": {"inputTokens": 90, "outputTokens": 8}}}
    ),
    event(15, "session.new_thing"),
]


def make(tmp_path: Path) -> Reader:
    return make_reader(ReaderConfig("copilot", {"path": str(tmp_path / "state")}))


def read_records(tmp_path: Path, records: list[Record]) -> Gathered:
    write_lines(tmp_path / "state" / SESSION / "events.jsonl", records)
    reader = make(tmp_path)
    return read_all(reader, only_source(reader))


def test_story_when_read_gives_people_tools_and_markers(tmp_path: Path) -> None:
    gathered = read_records(tmp_path, STORY)

    assert gathered.human() == ["list files"]
    assert gathered.said(Provenance.QUEUED) == ["look in src"]
    assert gathered.said(Provenance.INJECTED) == ["skill text"]
    assert gathered.said(Provenance.ASSISTANT) == ["Looking."]
    calls = [(call.tool, call.command, call.paths) for call in of_kind(gathered.entries, ToolCall)]
    assert calls == [("bash", "ls nope", ()), ("view", None, ("/w/x",))]
    shell, view = of_kind(gathered.entries, ToolResult)
    assert (shell.tool, shell.command, shell.failed, shell.exit_status) == ("bash", "ls nope", False, 2)
    assert (view.tool, view.failed, view.exit_status, view.denial) == ("view", True, None, None)
    assert view.text == "Path does not exist"
    assert [marker.kind for marker in of_kind(gathered.entries, Marker)] == [
        MarkerKind.INTERRUPT,
        MarkerKind.COMPACTION,
        MarkerKind.RESUME,
        MarkerKind.API_ERROR,
    ]
    assert gathered.coverage.unknown == {"session.new_thing": 1}
    assert (gathered.usage.input_tokens, gathered.usage.output_tokens) == (90, 8)
    assert gathered.transcript.session_id == SESSION
    assert (gathered.transcript.project, gathered.transcript.model) == ("/w/app", "model-x")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("no\n<shellId: 12 completed with exit code 1>", 1),
        ("no\n<exited with exit code 127>", 127),
        ("ok\n<shellId: 0 completed with exit code 0>\n", 0),
        ("<shellId: 3 completed with exit code 5> was printed before", None),
        ("nothing said", None),
        ("", None),
    ],
)
def test_exit_trailer_when_at_the_end_of_a_result_is_the_status(
    tmp_path: Path, text: str, status: int | None
) -> None:
    gathered = read_records(tmp_path, [HEAD, start(1, "t", command="x"), done(2, "t", text)])

    (result,) = of_kind(gathered.entries, ToolResult)
    assert result.exit_status == status
    assert result.failed is False


@pytest.mark.parametrize(
    ("code", "message", "denial"),
    [
        ("rejected", "The user rejected this tool call.", Denial.USER),
        ("denied", "Permission denied by the user", Denial.USER),
        ("denied", "Permission denied and could not request permission from user", Denial.POLICY),
        ("denied", "Denied by preToolUse hook", Denial.HOOK),
        ("failure", "no such file", None),
    ],
)
def test_call_that_was_not_carried_out_when_read_says_why(
    tmp_path: Path, code: str, message: str, denial: Denial | None
) -> None:
    gathered = read_records(tmp_path, [HEAD, start(1, "t", command="x"), failed(2, "t", message, code)])

    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.failed, result.denial, result.text) == (True, denial, message)
    kinds = [marker.kind for marker in of_kind(gathered.entries, Marker)]
    assert kinds == ([MarkerKind.REJECTION] if denial is Denial.USER else [])


def test_refused_call_when_never_begun_still_has_its_tool(tmp_path: Path) -> None:
    request = {"toolCallId": "t", "name": "bash", "arguments": {"command": "rm -rf x"}}
    records = [
        HEAD,
        event(1, "assistant.message", content="", toolRequests=[request]),
        failed(2, "t", "The user rejected this tool call. User feedback: keep x, remove y", "rejected"),
    ]

    gathered = read_records(tmp_path, records)

    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.tool, result.command) == ("bash", "rm -rf x")
    assert gathered.said(Provenance.REJECTION) == ["keep x, remove y"]


def test_words_typed_at_a_permission_prompt_when_refused_are_a_rejection(tmp_path: Path) -> None:
    result = {"kind": "denied-interactively-by-user", "feedback": "not there"}
    approved = {"kind": "approved"}

    gathered = read_records(
        tmp_path,
        [
            HEAD,
            event(1, "permission.completed", requestId="r", result=result),
            event(2, "permission.completed", requestId="s", result=approved),
        ],
    )

    assert gathered.said(Provenance.REJECTION) == ["not there"]


def test_shell_of_an_editor_when_its_argument_is_called_command_is_no_shell(tmp_path: Path) -> None:
    records = [HEAD, start(1, "t", "str_replace_editor", command="view", path="/w/a.py")]

    (call,) = of_kind(read_records(tmp_path, records).entries, ToolCall)

    assert (call.command, call.paths) == (None, ("/w/a.py",))


def test_sub_agent_events_when_they_name_their_parent_call_are_sidechain(tmp_path: Path) -> None:
    said = event(1, "user.message", content="do this", parentToolCallId="t9")

    gathered = read_records(tmp_path, [HEAD, said])

    assert gathered.human() == []
    assert [entry.sidechain for entry in gathered.entries] == [True]


def test_repeated_events_when_a_session_was_resumed_count_once(tmp_path: Path) -> None:
    assert read_records(tmp_path, [*STORY, *STORY[1:10]]).human() == ["list files"]


def test_flat_file_when_of_an_older_version_is_a_session(tmp_path: Path) -> None:
    write_lines(tmp_path / "state" / f"{SESSION}.jsonl", STORY)
    write_lines(tmp_path / "state/other/events.jsonl", STORY)
    write_lines(tmp_path / "state/other/files/notes.jsonl", STORY)

    sources = make(tmp_path).discover(0).sources

    assert [source.session_id for source in sources] == [SESSION, "other"]


def test_default_folder_when_nothing_is_configured_is_the_homes(tmp_path: Path) -> None:
    write_lines(tmp_path / ".copilot/session-state/s/events.jsonl", STORY)

    reader = make_reader(ReaderConfig("copilot", {}, {"HOME": str(tmp_path)}))

    assert only_source(reader).session_id == "s"


def test_growing_session_when_read_bit_by_bit_gives_the_same(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "state" / SESSION / "events.jsonl", STORY)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(STORY))


def test_damaged_session_when_read_never_raises(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "state" / SESSION / "events.jsonl", STORY)
    reader = make(tmp_path)

    check_damage(reader, only_source(reader), path, b"".join(encode_lines(STORY)))
