"""Codex rollouts: who typed what, how calls ended, and files that are copied, archived or compressed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from jilog_review import limits
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.transcript import (
    Denial,
    Marker,
    MarkerKind,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
)
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

SESSION = "019a0000-0000-7000-8000-00000000000a"
TURN = "019a0000-0000-7000-8000-0000000000f1"
CALL = "call_0123456789abcdefghij"
PATCH = "call_9876543210abcdefghij"
CORPUS = Path(__file__).parents[4] / "shared/corpus/codex"

Record = dict[str, object]


def line(kind: str, second: int = 0, **payload: object) -> Record:
    return {"timestamp": f"2026-11-01T09:00:{second:02}.000Z", "type": kind, "payload": payload}


def item(kind: str, **payload: object) -> Record:
    return line("response_item", type=kind, **payload)


def event(kind: str, **payload: object) -> Record:
    return line("event_msg", type=kind, **payload)


def call(call_id: str, command: str) -> Record:
    arguments = json.dumps({"cmd": command, "workdir": "/w/app"})
    return item("function_call", name="exec_command", arguments=arguments, call_id=call_id)


def output(call_id: str, text: object) -> Record:
    return item("function_call_output", call_id=call_id, output=text)


def new_shape(status: int, text: str) -> str:
    return (
        f"Chunk ID: a1b2c3\nWall time: 0.1000 seconds\nProcess exited with code {status}\n"
        f"Original token count: 9\nOutput:\n{text}"
    )


META = line("session_meta", id=SESSION, cwd="/w/app", originator="codex-tui", source="cli")
STORY: list[Record] = [
    META,
    event("task_started", turn_id=TURN),
    item("message", role="developer", content=[{"type": "input_text", "text": "rules"}]),
    item("message", role="user", content=[{"type": "input_text", "text": "<environment_context>"}]),
    line("turn_context", turn_id=TURN, cwd="/w/app", model="model-x"),
    item("message", role="user", content=[{"type": "input_text", "text": "run the tests"}]),
    event("user_message", message="run the tests", images=[]),
    event("agent_message", message="Running."),
    item("message", role="assistant", content=[{"type": "output_text", "text": "Running."}]),
    item("reasoning", summary=[], encrypted_content="x"),
    call(CALL, "pytst -q"),
    output(CALL, new_shape(127, "bash: pytst: command not found\n")),
    event(
        "token_count",
        info={
            "total_token_usage": {"input_tokens": 100, "output_tokens": 20},
            "last_token_usage": {"input_tokens": 100, "output_tokens": 20},
        },
    ),
    event(
        "token_count",
        info={
            "total_token_usage": {"input_tokens": 100, "output_tokens": 20},
            "last_token_usage": {"input_tokens": 100, "output_tokens": 20},
        },
    ),
    event("user_message", message="use uv run pytest", images=[]),
    item(
        "custom_tool_call",
        name="apply_patch",
        call_id=PATCH,
        input="*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n*** End Patch",
    ),
    item(
        "custom_tool_call_output",
        call_id=PATCH,
        output="apply_patch verification failed: Failed to find expected lines in /w/app/a.py:\nx",
    ),
    event("turn_aborted", reason="interrupted", turn_id=TURN),
    line("compacted", message="summary", replacement_history=[]),
    event("context_compacted"),
    event("something_new"),
]


def make(tmp_path: Path, **options: object) -> Reader:
    environment = {"HOME": str(tmp_path / "home")}
    return make_reader(ReaderConfig("codex", options, environment))


def rollout(folder: Path, session: str = SESSION, suffix: str = "") -> Path:
    return folder / f"2026/11/01/rollout-2026-11-01T09-00-00-{session}.jsonl{suffix}"


def read_records(tmp_path: Path, records: list[Record]) -> Gathered:
    write_lines(rollout(tmp_path / "sessions"), records)
    reader = make(tmp_path, path=str(tmp_path / "sessions"))
    return read_all(reader, only_source(reader))


def result_of(tmp_path: Path, text: object) -> ToolResult:
    gathered = read_records(tmp_path, [META, call("call_1", "make"), output("call_1", text)])
    (result,) = of_kind(gathered.entries, ToolResult)
    return result


def test_story_when_read_gives_people_tools_and_markers(tmp_path: Path) -> None:
    gathered = read_records(tmp_path, STORY)

    assert gathered.human() == ["run the tests"]
    assert gathered.said(Provenance.QUEUED) == ["use uv run pytest"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running."]
    assert gathered.said(Provenance.INJECTED) == []
    first, patch = of_kind(gathered.entries, ToolCall)
    assert (first.tool, first.command) == ("exec_command", "pytst -q")
    assert json.loads(bytes(first.arguments))["workdir"] == "/w/app"
    assert (patch.tool, patch.paths) == ("apply_patch", ("a.py",))
    assert json.loads(bytes(patch.arguments)).startswith("*** Begin Patch")
    markers = [(marker.kind, marker.detail) for marker in of_kind(gathered.entries, Marker)]
    assert markers == [(MarkerKind.INTERRUPT, "interrupted"), (MarkerKind.COMPACTION, "")]
    assert gathered.coverage.unknown == {"event_msg:something_new": 1}
    assert (gathered.usage.input_tokens, gathered.usage.output_tokens) == (100, 20)
    assert (gathered.transcript.project, gathered.transcript.model) == ("/w/app", "model-x")
    assert gathered.transcript.session_id == SESSION


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (new_shape(127, "no such command"), 127),
        (new_shape(0, "Process exited with code 3\n"), 0),
        ("Wall time: 1.5 seconds\nProcess exited with code 2\nOutput:\n", 2),
        ("Exit code: 1\nWall time: 0 seconds\nOutput:\nno\n", 1),
        ("Exit code: -1\nWall time: 0 seconds\nOutput:\n", -1),
        (json.dumps({"output": "boom\n", "metadata": {"exit_code": 101, "duration_seconds": 0.3}}), 101),
        (json.dumps({"output": "", "metadata": {"duration_seconds": 0.3, "exit_code": 4}}), 4),
        ([{"type": "input_text", "text": new_shape(7, "x")}], 7),
        ("Chunk ID: a1\nWall time: 1.0 seconds\nProcess running with session ID 5\nOutput:\n", None),
        ('{"exit_code": 3} was printed', None),
        ("Output:\nProcess exited with code 1\n", None),
        ("x" * 50_000 + "\nProcess exited with code 1\n", None),
    ],
)
def test_exit_status_when_in_the_facts_of_an_output_is_found_in_every_shape(
    tmp_path: Path, text: object, status: int | None
) -> None:
    result = result_of(tmp_path, text)

    assert result.exit_status == status
    assert result.failed is None
    assert (result.tool, result.command) == ("exec_command", "make")


@pytest.mark.parametrize(
    ("text", "denial"),
    [
        ("apply_patch verification failed: Failed to find context", None),
        ("write_stdin failed: stdin is closed for this session", None),
        ("failed to parse function arguments: missing field `cmd`", None),
        ("unsupported call: frobnicate", None),
        ("aborted by user after 3.1s", Denial.ABORTED),
        ("aborted", Denial.ABORTED),
        ("exec command rejected by user", Denial.USER),
        ("patch rejected by user", Denial.USER),
        (
            "patch rejected: writing is blocked by read-only sandbox; rejected by user approval settings",
            Denial.POLICY,
        ),
        ('exec_command failed for `rm -rf x`: Rejected("rejected: blocked by policy")', Denial.POLICY),
        ("Command blocked by PreToolUse hook: no", Denial.HOOK),
    ],
)
def test_failure_without_a_status_when_codex_says_so_is_flagged(
    tmp_path: Path, text: str, denial: Denial | None
) -> None:
    result = result_of(tmp_path, text)

    assert result.failed is True
    assert result.denial is denial
    assert result.text == text


def test_refusal_by_a_person_when_without_a_word_leaves_a_marker(tmp_path: Path) -> None:
    records = [META, call("call_1", "rm x"), output("call_1", "exec command rejected by user")]

    gathered = read_records(tmp_path, records)

    assert [marker.kind for marker in of_kind(gathered.entries, Marker)] == [MarkerKind.REJECTION]


def test_output_that_quotes_a_refusal_is_no_refusal(tmp_path: Path) -> None:
    result = result_of(tmp_path, "the log says: command rejected by user")

    assert (result.failed, result.denial) == (None, None)


@pytest.mark.parametrize("success", [True, False])
def test_patch_when_its_event_has_a_flag_takes_it(tmp_path: Path, success: bool) -> None:
    records = [
        META,
        item("custom_tool_call", name="apply_patch", call_id="c", input="*** Add File: new.py\n+x"),
        event("patch_apply_end", call_id="c", success=success, stdout="", stderr="", changes={}),
        item("custom_tool_call_output", call_id="c", output="Wall time: 0 seconds\nOutput:\n"),
    ]

    (result,) = of_kind(read_records(tmp_path, records).entries, ToolResult)

    assert result.failed is not success
    assert result.paths == ("new.py",)


def test_mcp_call_when_its_event_is_an_error_failed(tmp_path: Path) -> None:
    records = [
        META,
        item("function_call", name="fetch", namespace="mcp", arguments="{}", call_id="c"),
        event("mcp_tool_call_end", call_id="c", result={"Err": "no such server"}),
        output("c", "no such server"),
    ]

    (result,) = of_kind(read_records(tmp_path, records).entries, ToolResult)

    assert result.failed is True


@pytest.mark.parametrize(
    ("name", "arguments", "command", "paths"),
    [
        ("shell", {"command": ["bash", "-lc", "ls | wc -l"]}, "ls | wc -l", ()),
        ("shell", {"command": ["git", "commit", "-m", "a b"]}, "git commit -m 'a b'", ()),
        ("shell_command", {"command": "ls"}, "ls", ()),
        (
            "shell",
            {"command": ["apply_patch", "*** Begin Patch\n*** Delete File: b.py\n"]},
            "apply_patch '*** Begin Patch\n*** Delete File: b.py\n'",
            ("b.py",),
        ),
        ("view_image", {"path": "/w/a.png"}, None, ("/w/a.png",)),
        ("write_stdin", {"session_id": 3, "chars": ""}, None, ()),
        ("shell", {"command": 7, "workdir": "/w"}, None, ()),
    ],
)
def test_call_when_it_names_a_command_or_files_gives_them(
    tmp_path: Path, name: str, arguments: object, command: str | None, paths: tuple[str, ...]
) -> None:
    record = item("function_call", name=name, arguments=json.dumps(arguments), call_id="c")

    (made,) = of_kind(read_records(tmp_path, [META, record]).entries, ToolCall)

    assert (made.command, made.paths) == (command, paths)
    assert json.loads(bytes(made.arguments)) == arguments


def test_arguments_that_are_an_object_outright_are_taken_as_they_are(tmp_path: Path) -> None:
    record = item("function_call", name="shell", arguments={"command": "ls"}, call_id="c")

    (made,) = of_kind(read_records(tmp_path, [META, record]).entries, ToolCall)

    assert made.command == "ls"


def test_arguments_that_are_no_json_are_kept_as_text(tmp_path: Path) -> None:
    record = item("function_call", name="shell", arguments='{"command": [', call_id="c")

    (made,) = of_kind(read_records(tmp_path, [META, record]).entries, ToolCall)

    assert json.loads(bytes(made.arguments)) == '{"command": ['


def test_sub_agent_when_its_head_says_so_belongs_to_its_parent(tmp_path: Path) -> None:
    parent = "019a0000-0000-7000-8000-00000000000b"
    source = {"subagent": {"thread_spawn": {"parent_thread_id": parent, "depth": 1}}}
    records = [line("session_meta", id=SESSION, cwd="/w", source=source), *STORY[1:]]

    gathered = read_records(tmp_path, records)

    assert gathered.transcript.is_subagent
    assert gathered.transcript.root_session == parent
    assert gathered.human() == []


def test_later_reading_when_the_head_is_far_back_still_knows_the_session(tmp_path: Path) -> None:
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "parent"}}}
    path = write_lines(
        rollout(tmp_path / "sessions"), [line("session_meta", id=SESSION, source=source), *STORY[1:]]
    )
    reader = make(tmp_path, path=str(tmp_path / "sessions"))
    gathered = read_all(reader, only_source(reader))
    filler = item("message", role="assistant", content=[{"type": "output_text", "text": "y" * 9000}])
    with path.open("ab") as file:
        file.writelines(encode_lines([filler] * 60))

    read_on(reader, only_source(reader), gathered)
    with path.open("ab") as file:
        file.writelines(encode_lines([call("call_9", "ls")]))
    read_on(reader, only_source(reader), gathered)

    assert gathered.transcript.is_subagent
    assert gathered.transcript.root_session == "parent"


def test_resumed_and_forked_files_when_they_repeat_a_turn_repeat_its_ids(tmp_path: Path) -> None:
    fork = "019a0000-0000-7000-8000-00000000000c"
    write_lines(rollout(tmp_path / "sessions"), STORY)
    head = line("session_meta", id=fork, forked_from_id=SESSION)
    write_lines(rollout(tmp_path / "sessions", fork), [head, *STORY])
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    first, second = (read_all(reader, source) for source in reader.discover(0).sources)

    ids = [[(entry.message_id, entry.part) for entry in part.entries] for part in (first, second)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    assert all(message_id is not None for message_id, _ in ids[0])


def test_same_words_in_two_turns_when_typed_twice_count_twice(tmp_path: Path) -> None:
    records = [
        META,
        event("task_started", turn_id="t1"),
        event("user_message", message="go on"),
        event("task_started", turn_id="t2"),
        event("user_message", message="go on"),
    ]

    assert read_records(tmp_path, records).human() == ["go on", "go on"]


def test_home_when_nothing_is_configured_is_read_with_its_archive_and_the_pool(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_lines(rollout(home / ".codex/sessions"), STORY)
    archived = "019a0000-0000-7000-8000-00000000000d"
    write_lines(home / f".codex/archived_sessions/rollout-2026-10-01T09-00-00-{archived}.jsonl", STORY)
    write_lines(rollout(home / ".codex-pool/profiles/work/sessions"), STORY)
    write_lines(home / ".codex/history.jsonl", STORY)

    sources = make(tmp_path).discover(0).sources

    assert [(source.session_id, source.seat) for source in sources] == [
        (SESSION, "work"),
        (archived, "main"),
        (SESSION, "main"),
    ]


def test_codex_home_when_set_moves_the_folder(tmp_path: Path) -> None:
    write_lines(rollout(tmp_path / "elsewhere/sessions"), STORY)
    environment = {"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "elsewhere")}

    sources = make_reader(ReaderConfig("codex", {}, environment)).discover(0).sources

    assert [source.seat for source in sources] == ["main"]


def test_explicit_paths_when_given_leave_out_the_pool_and_name_the_seat(tmp_path: Path) -> None:
    write_lines(rollout(tmp_path / "home/.codex-pool/profiles/work/sessions"), STORY)
    write_lines(rollout(tmp_path / "alex/sessions"), STORY)

    assert make(tmp_path, paths=[]).discover(0).sources == ()
    (source,) = make(tmp_path, paths=[str(tmp_path / "alex/sessions")]).discover(0).sources
    assert source.seat == "alex"


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_compressed_rollout_when_read_in_pieces_equals_the_plain_one(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_records(tmp_path / "plain", STORY)
    text = b"".join(encode_lines(STORY))
    path = rollout(tmp_path / "sessions", suffix=suffix)
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(text) if suffix == ".gz" else zstandard.compress(text))
    reader = make(tmp_path, path=str(tmp_path / "sessions"))
    source = only_source(reader)
    monkeypatch.setattr(limits, "PIECE_BYTES", 300)

    gathered = read_all(reader, source)
    again = reader.read(source, gathered.cursor)

    assert gathered.entries == expected.entries
    assert gathered.coverage.lines == len(STORY)
    assert source.session_id == SESSION
    assert list(again.transcript.new_entries()) == []
    assert not again.more


def test_compressed_rollout_when_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    noise = [event("user_message", message=f"{number:064x}" * 20) for number in range(4000)]
    text = zstandard.compress(b"".join(encode_lines([*STORY, *noise])))
    path = rollout(tmp_path / "sessions", suffix=".zst")
    path.parent.mkdir(parents=True)
    path.write_bytes(text[: len(text) // 2])
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    gathered = read_all(reader, only_source(reader))

    assert gathered.human()[:1] == ["run the tests"]


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_compressed_rollout_when_it_is_garbage_is_unreadable(tmp_path: Path, suffix: str) -> None:
    path = rollout(tmp_path / "sessions", suffix=suffix)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no such format")
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    with pytest.raises(OSError, match="unfolded"):
        read_all(reader, only_source(reader))


def test_compressed_rollout_when_it_unfolds_without_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rollout(tmp_path / "sessions", suffix=".zst")
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.compress(b"0" * 4_000_000))
    monkeypatch.setattr(limits, "DECOMPRESSED_BYTES_MAX", 1_000_000)
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    with pytest.raises(OSError, match="more than 1000000 bytes"):
        read_all(reader, only_source(reader))


def test_compressed_line_when_too_long_is_passed_over_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PIECE_BYTES", 1000)
    monkeypatch.setattr(limits, "LINE_BYTES_MAX", 4000)
    long = event("user_message", message="z" * 20_000)
    path = rollout(tmp_path / "sessions", suffix=".gz")
    path.parent.mkdir(parents=True)
    lines = [META, long, event("user_message", message="after")]
    path.write_bytes(gzip.compress(b"".join(encode_lines(lines))))
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    gathered = read_all(reader, only_source(reader))

    assert gathered.human() == ["after"]
    assert gathered.coverage.long_lines == 1
    assert [entry.line for entry in gathered.entries] == [3]


def test_plain_file_when_its_compressed_copy_lies_beside_it_is_read_alone(tmp_path: Path) -> None:
    write_lines(rollout(tmp_path / "sessions"), STORY)
    rollout(tmp_path / "sessions", suffix=".zst").write_bytes(zstandard.compress(b""))
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    assert only_source(reader).key.endswith(".jsonl")


def test_growing_rollout_when_read_bit_by_bit_gives_the_same(tmp_path: Path) -> None:
    path = write_lines(rollout(tmp_path / "sessions"), STORY)
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    check_growth(reader, only_source(reader), path, encode_lines(STORY))


def test_damaged_rollout_when_read_never_raises(tmp_path: Path) -> None:
    path = write_lines(rollout(tmp_path / "sessions"), STORY)
    reader = make(tmp_path, path=str(tmp_path / "sessions"))

    check_damage(reader, only_source(reader), path, b"".join(encode_lines(STORY)))


def test_real_rollouts_when_read_have_people_and_statuses_and_nothing_unknown() -> None:
    if not CORPUS.is_dir():
        pytest.skip("no folder of real transcripts beside the project")
    reader = make_reader(ReaderConfig("codex", {"path": str(CORPUS)}))
    for source in reader.discover(0).sources:
        gathered = read_all(reader, source)
        results = of_kind(gathered.entries, ToolResult)
        assert gathered.coverage.unknown == {}
        assert gathered.coverage.bad_lines == 0
        assert any(message.is_human for message in of_kind(gathered.entries, Message))
        assert sum(result.exit_status is not None for result in results) > len(results) // 2
        assert all(result.tool != "unknown" for result in results)
