"""What the socket gives beyond agentlog's protocol: one thing by its id, exclusive ends, context as text."""

from __future__ import annotations

from typing import Any

from support.agent_process import ask, refusal
from support.jilog_cli import Host

ENTRY = {"session_id": "s1", "type": "decision", "title": "Use SQLite"}


def write(host: Host, **more: object) -> Any:
    confidential = more.pop("confidential", False)
    return ask(host, "write", {"entry": {**ENTRY, **more}, "confidential": confidential})


def ids(entries: Any) -> list[str]:
    return [entry["id"] for entry in entries or []]


def test_af27_show_gives_an_entry_with_what_followed_or_a_session(agent: Host) -> None:
    write(agent, id="first", type="question")
    write(agent, id="second", resolves=["first"], supersedes=["first"])

    found = ask(agent, "show", {"id": "fir"})
    session = ask(agent, "show", {"id": "s1"})

    assert found["entry"]["id"] == "first"
    assert found["event"]["payload"]["title"] == "Use SQLite"
    assert (found["resolved_by"], found["superseded_by"]) == (["second"], ["second"])
    assert (session["session_id"], ids(session["entries"])) == ("s1", ["first", "second"])
    assert refusal(agent, "show", {"id": "zebra"}) == 'nothing found matching "zebra"'
    assert refusal(agent, "show", {}) == "id must not be empty"


def test_af27_before_leaves_its_moment_out_and_end_does_not(agent: Host) -> None:
    write(agent, id="early", timestamp="2026-01-01T00:00:00Z")
    write(agent, id="late", timestamp="2026-01-02T00:00:00Z")
    moment = "2026-01-02T00:00:00Z"

    assert ids(ask(agent, "query", {"before": moment})) == ["early"]
    assert ids(ask(agent, "query", {"end": moment})) == ["late", "early"]
    assert ids(ask(agent, "query", {"end": moment, "before": moment})) == ["early"]
    assert ids(ask(agent, "query", {"end": "2026-01-01", "before": moment})) == ["early"]
    assert ask(agent, "export", {"format": "text", "before": moment}).count("[decision]") == 1
    assert ask(agent, "export", {"format": "text", "until": moment}).count("[decision]") == 2
    assert refusal(agent, "query", {"before": "noon"}).startswith("invalid time: ")


def test_af27_an_export_leaves_confidential_entries_out_unless_asked(agent: Host) -> None:
    write(agent, title="for all")
    write(agent, title="for this host", confidential=True)

    assert "for this host" not in ask(agent, "export", {"format": "text"})
    assert "for this host" in ask(agent, "export", {"format": "text", "confidential": True})


def test_af27_an_export_takes_several_tags_and_what_is_open(agent: Host) -> None:
    write(agent, id="q", type="question", tags=["a", "b"], title="answered")
    write(agent, type="question", tags=["a", "b"], title="unanswered")
    write(agent, tags=["a"], title="the answer", resolves=["q"])

    text = ask(agent, "export", {"format": "text", "tag": "a", "tags": ["b"], "open": True})

    assert "unanswered" in text
    assert "[question] answered" not in text
    assert "the answer" not in text


def test_af27_context_as_text_is_what_the_command_prints(agent: Host) -> None:
    write(agent, body="One file.", file_refs=["src/a.py"])

    text = ask(agent, "context", {"files": ["src/a.py"], "text": True})

    assert text == agent.run("context", "--files", "src/a.py").stdout
    assert text.startswith("# Relevant decisions\n\n## [decision] Use SQLite (")
    assert ask(agent, "context", {"files": ["x"], "text": True}) == "No relevant decisions found."


def test_af9_a_second_try_of_a_fresh_write_finds_the_first(agent: Host) -> None:
    entry = {**ENTRY, "id": "0193b2c4-5d6e-7f80-9102-a3b4c5d6e7f8"}

    first = ask(agent, "write", {"entry": entry, "fresh": True})
    second = ask(agent, "write", {"entry": entry})

    assert first == second
    assert len(agent.events()) == 1
