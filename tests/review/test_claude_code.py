"""The claude-code reader: who wrote what, sub-agents, replays, places, and what it cannot understand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jilog_ledger.errors import InputError
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.transcript import (
    Denial,
    Marker,
    MarkerKind,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
    Transcript,
)
from support.review_night import Host, append_lines, claude, write_lines

SESSION = "11111111-2222-4333-8444-555555555555"
_serial = iter(range(1_000_000))


def line(kind: str, **fields: Any) -> dict[str, Any]:
    record = {"type": kind, "uuid": f"u{next(_serial)}", "sessionId": SESSION, "isSidechain": False}
    return {**record, "timestamp": "2026-05-09T08:00:00.250Z", "cwd": "/srv/app", **fields}


def user(content: object, **fields: Any) -> dict[str, Any]:
    return line("user", message={"role": "user", "content": content}, **fields)


def assistant(*blocks: dict[str, Any], message_id: str = "m1", **fields: Any) -> dict[str, Any]:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 2}
    message = {
        "role": "assistant",
        "id": message_id,
        "model": "big-1",
        "content": list(blocks),
        "usage": usage,
    }
    return line("assistant", message=message, **fields)


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str, name: str, **arguments: object) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: object, is_error: bool | None = True, **fields: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": is_error}
    return user([block], **fields)


def read(root: Path, *records: object, name: str = f"{SESSION}.jsonl") -> Transcript:
    write_lines(root / name, *records)
    reader = claude(root)
    (source,) = reader.discover(0).sources
    return reader.read(source, None).transcript


def messages(transcript: Transcript) -> list[tuple[str, Provenance]]:
    return [(e.text, e.provenance) for e in transcript.entries if isinstance(e, Message)]


def test_calls_and_results_are_joined_with_command_and_places(tmp_path: Path) -> None:
    transcript = read(
        tmp_path,
        assistant(text("I run it."), call("t1", "Bash", command="pytst -q")),
        result("t1", "Exit code 127\nbash: pytst: command not found"),
        assistant(call("t2", "Edit", file_path="/srv/app/a.py", old_string="x", new_string="y")),
        result("t2", [text("done")], is_error=None),
    )

    said, bash, failed, edit, done = transcript.entries
    assert isinstance(said, Message)
    assert isinstance(bash, ToolCall)
    assert bash.command == "pytst -q"
    assert bash.timestamp_ns == 1_778_313_600_250_000_000
    assert isinstance(failed, ToolResult)
    assert (failed.tool, failed.command, failed.failed) == ("Bash", "pytst -q", True)
    assert (failed.exit_status, failed.denial) == (127, None)
    assert isinstance(edit, ToolCall)
    assert edit.paths == ("/srv/app/a.py",)
    assert b"new_string" in bytes(edit.arguments)
    assert isinstance(done, ToolResult)
    assert (done.failed, done.text, done.paths) == (None, "done", ("/srv/app/a.py",))
    assert transcript.model == "big-1"
    assert transcript.project == "/srv/app"


@pytest.mark.parametrize(
    "record",
    [
        user("looks like a person", isMeta=True),
        user("summary of before", isCompactSummary=True),
        user("only shown", isVisibleInTranscriptOnly=True),
        user("from a task", origin={"kind": "task-notification"}),
        user("from the system", promptSource="system"),
        user("<command-name>/clear</command-name>"),
        user("<local-command-stdout>ok</local-command-stdout>"),
        user("<system-reminder>be brief</system-reminder>"),
        user("<ide_opened_file>a.py</ide_opened_file>"),
        user("Caveat: the messages below"),
        user("This session is being continued from a previous one"),
        user([text("Base directory for this skill: /x")]),
        user("a prompt for a sub-agent", isSidechain=True),
    ],
)
def test_text_that_nobody_typed_is_injected(tmp_path: Path, record: dict[str, Any]) -> None:
    transcript = read(tmp_path, record)

    assert [provenance for _, provenance in messages(transcript)] == [Provenance.INJECTED]


def test_words_after_what_the_editor_added_are_a_persons(tmp_path: Path) -> None:
    transcript = read(
        tmp_path,
        user([text("<ide_selection>x = 1</ide_selection>"), text("why one?")]),
        user("<ide_opened_file>a.py</ide_opened_file>rename it"),
        user("please compare a < b and b > c"),
    )

    assert messages(transcript) == [
        ("why one?", Provenance.HUMAN),
        ("rename it", Provenance.HUMAN),
        ("please compare a < b and b > c", Provenance.HUMAN),
    ]


def test_prompts_typed_while_the_agent_works_are_queued(tmp_path: Path) -> None:
    queued = {"type": "queued_command", "prompt": "also the tests", "commandMode": "prompt"}
    note = {"type": "queued_command", "prompt": "<task-notification>x", "commandMode": "prompt"}
    task = {"type": "queued_command", "prompt": "y", "commandMode": "task-notification"}
    transcript = read(
        tmp_path,
        line("attachment", attachment=queued),
        line("attachment", attachment=note),
        line("attachment", attachment=task),
        line("attachment", attachment={"type": "task_reminder", "content": []}),
        user("later", promptSource="queued"),
    )

    assert messages(transcript) == [
        ("also the tests", Provenance.QUEUED),
        ("<task-notification>x", Provenance.INJECTED),
        ("later", Provenance.QUEUED),
    ]
    assert transcript.coverage.unknown == {}


def test_refusal_with_words_is_a_message_and_without_words_a_marker(tmp_path: Path) -> None:
    refused = "The user doesn't want to proceed with this tool use. The tool use was rejected."
    transcript = read(
        tmp_path,
        assistant(call("t1", "Bash", command="rm -r x"), call("t2", "Bash", command="ls")),
        result("t1", f"{refused} To tell you how to proceed, the user said:\nuse git rm instead"),
        result("t2", refused, toolDenialKind="user-rejected"),
    )

    assert messages(transcript) == [("use git rm instead", Provenance.REJECTION)]
    assert [e.denial for e in transcript.entries if isinstance(e, ToolResult)] == [Denial.USER] * 2
    assert [e.kind for e in transcript.entries if isinstance(e, Marker)] == [MarkerKind.REJECTION]


@pytest.mark.parametrize(
    ("content", "fields", "denial"),
    [
        ("Permission to use Bash with command x has been denied.", {}, Denial.POLICY),
        ("blocked", {"toolDenialKind": "permission-rule"}, Denial.POLICY),
        ("<tool_use_error>Sibling tool call errored</tool_use_error>", {}, Denial.SIBLING),
        ("[Request interrupted by user for tool use]", {}, Denial.ABORTED),
        ("Exit code 1\nPermission to use x", {}, None),
    ],
)
def test_reason_of_a_call_that_was_not_carried_out_is_known(
    tmp_path: Path, content: str, fields: dict[str, Any], denial: Denial | None
) -> None:
    transcript = read(tmp_path, assistant(call("t1", "Bash", command="x")), result("t1", content, **fields))

    assert [e.denial for e in transcript.entries if isinstance(e, ToolResult)] == [denial]


def test_events_of_a_session_become_markers(tmp_path: Path) -> None:
    transcript = read(
        tmp_path,
        user([text("[Request interrupted by user]")]),
        line("system", subtype="compact_boundary", compactMetadata={"trigger": "auto"}),
        line("system", subtype="api_error", error={"status": 529}),
        assistant(text("API Error: overloaded"), isApiErrorMessage=True),
        line("system", subtype="turn_duration"),
    )

    assert [e.kind for e in transcript.entries if isinstance(e, Marker)] == [
        MarkerKind.INTERRUPT,
        MarkerKind.COMPACTION,
        MarkerKind.API_ERROR,
        MarkerKind.API_ERROR,
    ]
    assert messages(transcript) == []


def test_sub_agents_of_every_age_belong_to_the_session_that_started_them(tmp_path: Path) -> None:
    folder = tmp_path / "-srv-app"
    inner = {
        "type": "assistant",
        "uuid": "in1",
        "message": {"role": "assistant", "content": [text("inside")]},
    }
    write_lines(
        folder / f"{SESSION}.jsonl",
        line("progress", data={"type": "agent_progress", "message": inner}),
        line("progress", data={"type": "bash_progress", "output": "x"}),
    )
    write_lines(folder / SESSION / "subagents/agent-a.jsonl", user("do it", isSidechain=True))
    write_lines(folder / SESSION / "subagents/workflows/w/agent-b.jsonl", user("do it"))
    write_lines(folder / "agent-old.jsonl", user("do it", isSidechain=True))
    reader = claude(tmp_path)

    found = [reader.read(source, None).transcript for source in reader.discover(0).sources]

    by_id = {transcript.session_id: transcript for transcript in found}
    assert set(by_id) == {SESSION, "agent-a", "agent-b", "agent-old"}
    assert {transcript.root_session for transcript in found} == {SESSION}
    assert [t.session_id for t in found if not t.is_subagent] == [SESSION]
    assert [(e.sidechain, e.message_id) for e in by_id[SESSION].entries] == [(True, "in1")]
    assert [p for t in found if t.is_subagent for _, p in messages(t)] == [Provenance.INJECTED] * 3


def test_message_that_a_resume_copied_counts_once(tmp_path: Path) -> None:
    said = [
        assistant(text("I rewrote it.")),
        user("no, I asked for a small change"),
        assistant(text("Understood.")),
    ]
    write_lines(tmp_path / "t/a.jsonl", *said, *said)
    write_lines(tmp_path / "t/b.jsonl", *said, user("thanks"))
    host = Host("alpha", claude(tmp_path / "t"), folder=tmp_path)

    result = host.review()

    assert [(s.session_id, s.excerpt) for s in result.summary.signals] == [
        ("a", "no, I asked for a small change")
    ]


def test_tokens_of_a_response_are_counted_once(tmp_path: Path) -> None:
    transcript = read(
        tmp_path,
        assistant(text("one"), message_id="m1"),
        assistant(text("two"), message_id="m1"),
        assistant(text("three"), message_id="m2"),
    )

    assert (transcript.usage.input_tokens, transcript.usage.output_tokens) == (30, 4)
    assert transcript.usage.cost is None


def test_types_that_are_not_known_are_counted_by_name(tmp_path: Path) -> None:
    transcript = read(tmp_path, line("hologram"), line("hologram"), {"x": 1}, line("summary"), user("hi"))

    assert transcript.coverage.unknown == {"hologram": 2, "(no type)": 1}
    assert transcript.coverage.lines == 5


def test_file_that_may_not_be_read_is_a_problem_and_nothing_more(tmp_path: Path) -> None:
    class Broken:
        """A reader whose one file cannot be opened."""

        name = "claude-code"

        def __init__(self, reader: Reader) -> None:
            self.discover = reader.discover

        def read(self, source: object, cursor: object) -> object:
            raise PermissionError(13, "Permission denied")

    write_lines(tmp_path / "t/a.jsonl", user("hi"))
    write_lines(tmp_path / "u/b.jsonl", user("hi"))
    broken: Any = Broken(claude(tmp_path / "t"))
    host = Host("alpha", broken, claude(tmp_path / "u"), folder=tmp_path)

    result = host.review()

    assert [problem.message for problem in result.scan.problems] == ["cannot be read: Permission denied"]
    assert result.scan.coverage.unreadable == 1
    assert result.scan.coverage.lines == 1


def test_missing_folder_is_no_problem(tmp_path: Path) -> None:
    discovery = claude(tmp_path / "none").discover(0)

    assert (discovery.sources, discovery.problems) == ((), ())


def test_files_older_than_since_are_left_alone(tmp_path: Path) -> None:
    old = write_lines(tmp_path / "old.jsonl", user("hi"))
    write_lines(tmp_path / "new.jsonl", user("hi"))
    os.utime(old, ns=(10**18, 10**18))

    found = claude(tmp_path).discover(10**18 + 1)

    assert [source.session_id for source in found.sources] == ["new"]


def test_profiles_give_their_seat_and_a_file_found_twice_counts_once(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path / "conf")}
    write_lines(tmp_path / "conf/projects/p/a.jsonl", user("hi"))
    write_lines(tmp_path / ".claude-profiles/work/projects/p/b.jsonl", user("hi"))
    (tmp_path / ".claude-profiles/twin").symlink_to(tmp_path / ".claude-profiles/work")
    config = ReaderConfig("claude-code", {"discover_profiles": True, "default_seat": "home"}, environment)

    found = make_reader(config).discover(0).sources

    assert {(source.session_id, source.seat) for source in found} == {("a", "home"), ("b", "twin")}


@pytest.mark.parametrize(
    ("options", "words", "hint"),
    [
        ({"pth": "/x"}, "unknown key 'pth'", "did you mean 'path'?"),
        ({"path": 7}, "must be text", None),
        ({"paths": "x"}, "must be a list", None),
        ({"discover_profiles": "yes"}, "true or false", None),
    ],
)
def test_wrong_option_is_refused_by_name(options: dict[str, object], words: str, hint: str | None) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_reader(ReaderConfig("claude-code", options))

    assert caught.value.hint == hint


def test_unknown_reader_type_names_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown reader type 'claude-cod'") as caught:
        make_reader(ReaderConfig("claude-cod"))

    assert caught.value.hint == "did you mean 'claude-code'?"


def test_result_that_comes_a_night_later_knows_its_call(tmp_path: Path) -> None:
    filler = [user(f"note {n}") for n in range(30)]
    path = write_lines(tmp_path / "t/a.jsonl", assistant(call("t1", "Bash", command="make")), *filler)
    host = Host("alpha", claude(tmp_path / "t"), folder=tmp_path)
    host.review()
    append_lines(path, result("t1", "Exit code 2\nno rule"))

    (found,) = host.review().new_signals

    assert (found.tool, found.command, found.line) == ("Bash", "make", 32)
