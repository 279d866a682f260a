"""Layouts: lists, search results, exports and templates, to the byte; and that foreign text is harmless."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.export import export_entries
from jilog_agent.decisions.lookup import look_up
from jilog_agent.decisions.render import entry_list, entry_page, search_results, session_page
from jilog_agent.decisions.select import EntryFilter, select_entries
from jilog_agent.decisions.text import EXCERPT_CHARS, excerpt, first_sentence, marked, visible
from jilog_ledger.errors import InputError
from support.decision_zone import open_zone, write

SESSION = "0dfe43a2-5a53-4b7e-9d0f-2f1f8d5b7c11"


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    with open_zone(tmp_path) as zone:
        write(
            zone,
            "Use SQLite",
            body="It is v1.2 of the plan. Small, too.\nSecond line.",
            tags=("db", "x"),
            files=("a.py", "b.py"),
            session_id=SESSION,
            at=0,
        )
        write(zone, "Threads", type="attempt_failed", body="The lock is the limit", session_id=SESSION, at=1)
        write(zone, "Scrub", type="deferred", session_id=SESSION, at=2)
        write(zone, "Disks lie", type="assumption", session_id=SESSION, at=3)
        write(zone, "How long?", type="question", session_id=SESSION, at=4)
        return select_entries([zone], EntryFilter(), limit=None, oldest_first=True)


def test_af16_list_lines_have_their_layout(entries: list[Entry]) -> None:
    lines = list(entry_list(entries[1::-1], verbose=True))

    assert lines == [
        "2026-05-09 12:00:01 [attempt_failed] (0dfe43a2) Threads",
        "    The lock is the limit",
        "2026-05-09 12:00:00 [decision] (0dfe43a2) Use SQLite",
        "    It is v1.2 of the plan. Small, too.\n    Second line.",
    ]
    assert list(entry_list(entries[2:3], verbose=False)) == [
        "2026-05-09 12:00:02 [deferred] (0dfe43a2) Scrub"
    ]


def test_af20_search_results_have_their_layout_with_bold_words_only_when_wanted(entries: list[Entry]) -> None:
    bold = list(search_results(entries[:1], "sql use", color=True))
    plain = list(search_results(entries[:1], "sql use", color=False))

    assert bold[0] == (
        "2026-05-09 12:00:00  decision          0dfe43a2  \x1b[1mUse\x1b[0m \x1b[1mSQL\x1b[0mite"
    )
    assert plain == [
        "2026-05-09 12:00:00  decision          0dfe43a2  Use SQLite",
        "    It is v1.2 of the plan. Small, too. Second line.",
        "",
        "1 result(s)",
    ]
    assert list(search_results([], "x", color=True)) == ["No results found."]


def test_af20_word_1_does_not_spoil_the_marks() -> None:
    assert marked("1m of [1m", ["1", "m", "1m"], "\x1b[1m", "\x1b[0m") == (
        "\x1b[1m1m\x1b[0m of [\x1b[1m1m\x1b[0m"
    )


@given(text=st.text(max_size=400), words=st.lists(st.text(max_size=5), max_size=3))
def test_af20_excerpt_is_short_valid_and_shows_a_word(text: str, words: list[str]) -> None:
    cut = excerpt(text, words)

    assert len(cut) <= EXCERPT_CHARS
    assert "\n" not in cut
    cut.encode()


def test_af20_excerpt_is_around_the_first_word() -> None:
    text = "ä" * 300 + " needle " + "ö" * 300

    cut = excerpt(text, ["needle"])

    assert "needle" in cut
    assert cut.startswith("...ä")
    assert cut.endswith("ö...")
    assert excerpt("ü" * 121, ["absent"]) == "ü" * 114 + "..."


@given(text=st.text(max_size=60), words=st.lists(st.text(max_size=4), max_size=4))
def test_marks_add_nothing_but_marks(text: str, words: list[str]) -> None:
    without = text.replace("<", "").replace(">", "")

    assert marked(without, words, "<", ">").replace("<", "").replace(">", "") == without


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Use v1.2 of lib. Then go on.", "Use v1.2 of lib."),
        ("Use e.g. a lock. Then", "Use e.g. a lock."),
        ("One line\nand another. one", "One line"),
        ("Really? Yes.", "Really?"),
        ("no end", "no end"),
        ("", ""),
        ("ä" * 121, "ä" * 117 + "..."),
    ],
)
def test_af25_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def test_af21_session_and_entry_pages_have_their_layout(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        asked = write(
            zone, "How?", type="question", body="a\nb", tags=("t",), files=("x,y",), session_id=SESSION
        )
        write(
            zone,
            "So",
            resolves=(asked.entry.id,),
            alternatives=("not",),
            outcome="well",
            session_id=SESSION,
            at=5,
        )
        session = "\n".join(session_page(look_up([zone], SESSION)))  # type: ignore[arg-type] # it is a session
        entry = "\n".join(entry_page(look_up([zone], asked.entry.id)))  # type: ignore[arg-type] # an entry

    assert session == (
        f"Session: {SESSION}\nStarted: 2026-05-09 12:00:00\nEntries: 2\n\n"
        "2026-05-09 12:00:00 [question] How?\n  a\n  b\n  Tags: t\n  Files: x,y\n\n"
        "2026-05-09 12:00:05 [decision] So\n  Alternatives: not\n  Outcome: well\n"
        f"  Resolves: {asked.entry.id}"
    )
    assert entry.startswith(f"Entry: {asked.entry.id}\nSession: {SESSION}\nHost: alpha\n")
    assert "Resolved by: " in entry


def test_af24_markdown_text_and_json_to_the_byte(entries: list[Entry]) -> None:
    assert export_entries(entries[:2]) == (
        "# Decision Log Export\n\n"
        "## Use SQLite\n\n"
        "- **Type:** decision\n- **Time:** 2026-05-09 12:00:00\n- **Session:** 0dfe43a2\n"
        "- **Tags:** db, x\n- **Files:** a.py, b.py\n\n"
        "It is v1.2 of the plan. Small, too.\nSecond line.\n\n"
        "## Threads\n\n"
        "- **Type:** attempt_failed\n- **Time:** 2026-05-09 12:00:01\n- **Session:** 0dfe43a2\n\n"
        "The lock is the limit\n"
    )
    assert export_entries(entries[:2], format_name="text") == (
        "2026-05-09 12:00:00 [decision] Use SQLite\nIt is v1.2 of the plan. Small, too.\nSecond line.\n"
        "Tags: db, x\nFiles: a.py, b.py\n\n"
        "2026-05-09 12:00:01 [attempt_failed] Threads\nThe lock is the limit"
    )
    document = json.loads(export_entries(entries, format_name="json"))
    assert [item["title"] for item in document] == [
        "Use SQLite",
        "Threads",
        "Scrub",
        "Disks lie",
        "How long?",
    ]
    assert document[0]["file_refs"] == ["a.py", "b.py"]
    assert set(document[2]) == {"id", "timestamp", "session_id", "type", "title", "zone", "source"}


def test_af25_templates_to_the_byte(entries: list[Entry]) -> None:
    assert export_entries(entries, template="pr") == (
        "## What changed\n\n- **Use SQLite** - It is v1.2 of the plan.\n\n"
        "## Notes\n\n- [attempt_failed] Threads\n- [deferred] Scrub\n- [assumption] Disks lie\n"
        "- [question] How long?"
    )
    assert export_entries(entries, template="retro") == (
        "# Retrospective\n\n"
        "## Decisions made\n\n- **Use SQLite**: It is v1.2 of the plan. (2026-05-09)\n\n"
        "## Deferred items\n\n- **Scrub** (2026-05-09)\n\n"
        "## Assumptions\n\n- **Disks lie** (2026-05-09)\n\n"
        "## Failed attempts\n\n- **Threads**: The lock is the limit (2026-05-09)\n\n"
        "## Open questions\n\n- **How long?** (2026-05-09)"
    )
    assert export_entries(entries[:1], template="handoff") == (
        "# Handoff Document\n\n"
        "### Use SQLite [decision] (2026-05-09 12:00:00)\n\n"
        "It is v1.2 of the plan. Small, too.\nSecond line.\n\n"
        "**Files:** a.py, b.py"
    )


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({}, "No entries found."),
        ({"format_name": "text"}, "No entries found."),
        ({"format_name": "json"}, "[]"),
        ({"template": "pr"}, "No decisions to summarize."),
        ({"template": "retro"}, "No entries for retrospective."),
        ({"template": "handoff"}, "No decisions found for these files."),
    ],
)
def test_af24_af25_empty_forms(choice: dict[str, str], text: str) -> None:
    assert export_entries([], **choice) == text


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"format_name": "jsn"}, 'invalid format "jsn": must be one of markdown, json, text'),
        ({"template": "prr"}, 'invalid template "prr": must be one of pr, retro, handoff'),
        ({"format_name": "json", "template": "pr"}, "template pr is markdown and cannot be written as json"),
    ],
)
def test_af25_wrong_choices_are_errors(choice: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        export_entries([], **choice)

    assert caught.value.message == message
    assert caught.value.hint


def test_escape_sequences_from_other_hosts_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x9b2J"
    with open_zone(tmp_path) as zone:
        write(zone, evil, body=evil, tags=(evil,), files=(evil,), outcome=evil)
        found = select_entries([zone], EntryFilter(), limit=None)
        pages = [
            *entry_list(found, verbose=True),
            *search_results(found, "owned", color=False),
            *session_page(look_up([zone], "s")),  # type: ignore[arg-type] # it is a session
            *entry_page(look_up([zone], found[0].id)),  # type: ignore[arg-type] # an entry
            *(export_entries(found, format_name=name) for name in ("markdown", "text", "json")),
            *(export_entries(found, template=name) for name in ("pr", "retro", "handoff")),
        ]

    text = "".join(pages)
    assert "owned" in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text)
    assert visible("a\tb\nc\x1b") == "a\tb\nc\\x1b"
