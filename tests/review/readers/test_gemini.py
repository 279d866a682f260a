"""Gemini chats: documents and logs of changes, refused calls, statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jilog_review import limits
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
    read_on,
    write_lines,
)

SESSION = "11111111-2222-4333-8444-555555555555"
CHATS = "f00d/chats"

Record = dict[str, object]


def call(call_id: str, status: str, response: Record, tool: str = "run_shell_command") -> Record:
    part = {"functionResponse": {"id": call_id, "name": tool, "response": response}}
    args = {"command": "pytst"} if tool == "run_shell_command" else {"file_path": "a.py"}
    return {"id": call_id, "name": tool, "args": args, "status": status, "result": [part]}


def message(number: int, kind: str, content: object, **fields: object) -> Record:
    moment = f"2026-11-01T09:00:{number:02}.000Z"
    return {"id": f"m{number}", "timestamp": moment, "type": kind, "content": content, **fields}


HEADER: Record = {"sessionId": SESSION, "projectHash": "f00d", "kind": "main"}
FAILING = call("c1", "success", {"output": "sh: pytst: not found\nExit Code: 127\nProcess Group PGID: 9"})
TOKENS: Record = {"input": 100, "output": 7, "thoughts": 3, "total": 110}
MESSAGES: list[Record] = [
    message(1, "user", [{"text": "run tests"}]),
    message(2, "gemini", "Running.", toolCalls=[FAILING], model="model-x", tokens=TOKENS),
    message(3, "info", "Request cancelled."),
    message(4, "user", "use uv"),
    message(5, "error", "[API Error: quota]"),
    message(6, "gemini", "", toolCalls=[call("c2", "error", {"error": "no such file"}, "read_file")]),
    message(7, "warning", "careful"),
    message(8, "surprise", "?"),
]
LINES: list[Record] = [
    HEADER,
    MESSAGES[0],
    {**MESSAGES[1], "toolCalls": [], "tokens": None},
    {**MESSAGES[1], "toolCalls": [{**FAILING, "status": "executing", "result": None}]},
    MESSAGES[1],
    MESSAGES[1],
    {"$set": {"lastUpdated": "2026-11-01T09:00:03.000Z"}},
    *MESSAGES[2:],
    {"$set": {"messages": [message(90, "user", "made by compression")]}},
    {"$rewindTo": "m4"},
]


def make(tmp_path: Path) -> Reader:
    return make_reader(ReaderConfig("gemini", {"path": str(tmp_path / "tmp")}))


def read_lines(tmp_path: Path, records: list[Record]) -> Gathered:
    write_lines(tmp_path / "tmp" / CHATS / "session-2026-11-01T09-00-11111111.jsonl", records)
    reader = make(tmp_path)
    return read_all(reader, only_source(reader))


def write_document(tmp_path: Path, messages: list[Record], **fields: object) -> Path:
    path = tmp_path / "tmp" / CHATS / "session-2026-11-01T09-00-11111111.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**HEADER, **fields, "messages": messages}, indent=2), encoding="utf-8")
    return path


def check_story(gathered: Gathered) -> None:
    assert gathered.human() == ["run tests", "use uv"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running."]
    shell, file = of_kind(gathered.entries, ToolCall)
    assert (shell.tool, shell.command) == ("run_shell_command", "pytst")
    assert (file.tool, file.paths) == ("read_file", ("a.py",))
    first, second = of_kind(gathered.entries, ToolResult)
    assert (first.failed, first.exit_status, first.denial) == (False, 127, None)
    assert (second.failed, second.exit_status, second.text) == (True, None, "no such file")
    assert gathered.coverage.unknown == {"surprise": 1}
    assert (gathered.usage.input_tokens, gathered.usage.output_tokens) == (100, 10)
    assert gathered.transcript.session_id == SESSION
    assert gathered.transcript.project == "f00d"
    assert gathered.transcript.model == "model-x"


def test_lines_when_read_fold_the_versions_of_a_message(tmp_path: Path) -> None:
    gathered = read_lines(tmp_path, LINES)

    check_story(gathered)
    kinds = [marker.kind for marker in of_kind(gathered.entries, Marker)]
    assert kinds == [MarkerKind.INTERRUPT, MarkerKind.API_ERROR, MarkerKind.BRANCH]


def test_document_when_read_gives_the_same_as_lines(tmp_path: Path) -> None:
    write_document(tmp_path / "document", MESSAGES)
    reader = make(tmp_path / "document")

    gathered = read_all(reader, only_source(reader))

    check_story(gathered)
    ids = [entry.message_id for entry in gathered.entries]
    assert ids == [entry.message_id for entry in read_lines(tmp_path / "lines", LINES).entries][: len(ids)]


def test_document_when_rewritten_with_more_gives_only_what_is_new(tmp_path: Path) -> None:
    expected = MESSAGES[:1]
    write_document(tmp_path, expected)
    reader = make(tmp_path)
    source = only_source(reader)
    gathered = read_all(reader, source)
    for count in range(2, len(MESSAGES) + 1):
        write_document(tmp_path, MESSAGES[:count], lastUpdated=str(count))
        read_on(reader, source, gathered)
    check_story(gathered)

    write_document(tmp_path, MESSAGES, lastUpdated="later")
    read_on(reader, source, gathered)

    assert gathered.coverage.lines == len(MESSAGES)


def test_document_when_its_last_message_was_filled_in_gives_that_again(tmp_path: Path) -> None:
    write_document(tmp_path, [MESSAGES[0], {**MESSAGES[1], "toolCalls": []}])
    reader = make(tmp_path)
    source = only_source(reader)
    gathered = read_all(reader, source)
    assert of_kind(gathered.entries, ToolResult) == []

    write_document(tmp_path, MESSAGES[:2])
    read_on(reader, source, gathered)

    assert [result.call_id for result in of_kind(gathered.entries, ToolResult)] == ["c1"]
    assert gathered.human() == ["run tests"]


def test_document_when_it_is_another_chat_now_is_read_from_the_start(tmp_path: Path) -> None:
    write_document(tmp_path, MESSAGES)
    reader = make(tmp_path)
    source = only_source(reader)
    gathered = read_all(reader, source)

    write_document(tmp_path, [message(50, "user", "something else")])
    read_on(reader, source, gathered)

    assert gathered.human()[-1] == "something else"


def test_document_when_half_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = write_document(tmp_path, MESSAGES)
    whole = path.read_bytes()
    reader = make(tmp_path)
    source = only_source(reader)
    path.write_bytes(whole[: len(whole) // 2])
    gathered = read_all(reader, source)
    assert (gathered.entries, gathered.coverage.torn_lines) == ([], 1)

    path.write_bytes(whole)
    read_on(reader, source, gathered)

    check_story(gathered)


def test_document_when_too_large_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_document(tmp_path, MESSAGES)
    monkeypatch.setattr(limits, "DOCUMENT_BYTES_MAX", 100)
    reader = make(tmp_path)

    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_all(reader, only_source(reader))


@pytest.mark.parametrize(
    ("status", "words", "denial"),
    [
        ("cancelled", "[Operation Cancelled] Reason: User did not allow tool call", Denial.USER),
        ("cancelled", "[Operation Cancelled] Reason: User cancelled the operation.", Denial.ABORTED),
        ("error", "Tool execution denied by policy.", Denial.POLICY),
        ("error", "Tool execution blocked by hook", Denial.HOOK),
        ("error", "exit", None),
    ],
)
def test_call_that_was_not_carried_out_when_read_says_why(
    tmp_path: Path, status: str, words: str, denial: Denial | None
) -> None:
    record = message(1, "gemini", "", toolCalls=[call("c", status, {"error": words})])

    gathered = read_lines(tmp_path, [HEADER, record])

    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.failed, result.denial) == (True, denial)
    kinds = [marker.kind for marker in of_kind(gathered.entries, Marker)]
    assert kinds == ([MarkerKind.REJECTION] if denial is Denial.USER else [])


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("Command: x\nStdout: (empty)\nError: (none)\nExit Code: 1\nSignal: (none)", 1),
        ("Exit Code: 3", 3),
        ("my Exit Code: 3", None),
        ("ok", None),
    ],
)
def test_exit_code_when_at_a_lines_start_is_the_status(
    tmp_path: Path, output: str, status: int | None
) -> None:
    record = message(1, "gemini", "", toolCalls=[call("c", "success", {"output": output})])

    (result,) = of_kind(read_lines(tmp_path, [HEADER, record]).entries, ToolResult)

    assert result.exit_status == status


def test_files_put_in_for_a_name_when_beside_the_words_are_not_typed(tmp_path: Path) -> None:
    parts = [{"text": "look at @a.py"}, {"text": "\n--- Content from referenced files ---"}, {"text": "x"}]
    shown = message(2, "user", [{"text": "long"}], displayContent=[{"text": "short"}])
    injected = message(3, "user", "<session_context>\nThis is the setup")

    gathered = read_lines(tmp_path, [HEADER, message(1, "user", parts), shown, injected])

    assert [words.strip() for words in gathered.human()] == ["look at @a.py", "short"]


def test_sub_agent_when_in_its_parents_folder_belongs_to_it(tmp_path: Path) -> None:
    head = {**HEADER, "sessionId": "child", "kind": "subagent"}
    write_lines(tmp_path / "tmp" / CHATS / SESSION / "child.jsonl", [head, *MESSAGES])
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    assert gathered.human() == []
    assert gathered.transcript.is_subagent
    assert (gathered.transcript.session_id, gathered.transcript.root_session) == ("child", SESSION)


def test_other_files_when_beside_the_chats_are_left_alone(tmp_path: Path) -> None:
    write_lines(tmp_path / "tmp/f00d/logs.json", [{}])
    write_lines(tmp_path / "tmp/f00d/checkpoint-x.json", [{}])
    write_lines(tmp_path / "tmp/f00d/chats/notes.json", [{}])

    assert make(tmp_path).discover(0).sources == ()


def test_growing_chat_when_read_bit_by_bit_gives_the_same(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tmp" / CHATS / "session-x.jsonl", LINES)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(LINES))


@pytest.mark.parametrize("name", ["session-x.jsonl", "session-x.json"])
def test_damaged_chat_when_read_never_raises(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / "tmp" / CHATS / name, LINES)
    document = json.dumps({**HEADER, "messages": MESSAGES}).encode()
    content = document if name.endswith(".json") else b"".join(encode_lines(LINES))
    reader = make(tmp_path)

    check_damage(reader, only_source(reader), path, content)


def test_default_folder_when_nothing_is_configured_is_the_homes(tmp_path: Path) -> None:
    write_lines(tmp_path / ".gemini/tmp" / CHATS / "session-x.jsonl", LINES)

    reader = make_reader(ReaderConfig("gemini", {}, {"HOME": str(tmp_path)}))

    check_story(read_all(reader, only_source(reader)))
