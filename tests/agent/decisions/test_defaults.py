"""What is given when nothing is said, and forms of time wherever a time may be said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from jilog_agent.sdk import Client
from support.agent_process import ask, refusal, running
from support.jilog_local import LocalHost

ENTRIES = 60
TYPES = ("decision", "question")
DAY = "2026-01-02"


def at(number: int) -> str:
    return f"{DAY}T03:04:{number:02}Z"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHost]:
    """A host with an agent and sixty entries."""
    made = LocalHost(tmp_path_factory.mktemp("defaults"))
    assert made.run("init", "--source", "alpha").returncode == 0
    with running(made):
        for number in range(ENTRIES):
            entry = {
                "session_id": f"s{number % 3}",
                "type": TYPES[number % 2],
                "title": f"entry {number:02} of all",
                "timestamp": at(number),
                "tags": ["even" if number % 4 < 2 else "odd"],
                "file_refs": ["/app/src/a.py" if number % 5 else "/app/b.py"],
            }
            ask(made, "write", {"entry": entry})
        yield made


def titles(host: LocalHost, *arguments: str) -> list[str]:
    return [str(entry["title"])[6:8] for entry in host.json(*arguments)["entries"]]  # type: ignore[index,call-overload,union-attr] # a list of documents


def test_af16_a_log_without_a_limit_gives_fifty_and_the_next_page_the_rest(host: LocalHost) -> None:
    newest_first = [f"{number:02}" for number in range(ENTRIES)][::-1]

    assert titles(host, "log") == newest_first[:50]
    assert titles(host, "log", "--offset", "50") == newest_first[50:]
    assert titles(host, "log", "--limit", "25", "--offset", "25") == newest_first[25:50]


def test_af19_a_search_without_a_limit_gives_twenty(host: LocalHost) -> None:
    assert len(titles(host, "search", "entry")) == 20
    assert len(titles(host, "search", "entry", "--limit", "33")) == 33


def test_af26_an_export_from_outside_takes_all_filters_together(host: LocalHost) -> None:
    """One word for each filter, so that one that is dropped on the way is missed by half of the lines."""

    def chosen(number: int, given: tuple[bool, ...]) -> bool:
        passes = (
            TYPES[number % 2] == "question",
            number % 3 == 1,
            number % 4 < 2,
            10 <= number < 50,
            bool(number % 5),
        )
        return all(holds for holds, wanted in zip(passes, given, strict=True) if wanted)

    words = (
        ("--type", "question"),
        ("--session", "s1"),
        ("--tag", "even"),
        ("--since", at(10), "--until", at(50)),
        ("--file", "/app/src"),
    )
    for given in product((False, True), repeat=len(words)):
        typed = [word for group, wanted in zip(words, given, strict=True) if wanted for word in group]
        done = host.run("export", "--format", "text", *typed)

        found = [line.split("] entry ")[1][:2] for line in done.stdout.splitlines() if "] entry " in line]
        assert found == [f"{n:02}" for n in range(ENTRIES) if chosen(n, given)], typed


GOOD = ("30m", "1h", "7d", "2w", "1H", DAY, f"{DAY}T03:04:05", f"{DAY}T03:04:05.5+02:00")
BAD = ("0h", "1x2h", "yesterday", "2026-13-01")


def test_af18_the_socket_takes_the_forms_of_the_command_line_and_refuses_the_same(host: LocalHost) -> None:
    for name, method in (("start", "query"), ("end", "query"), ("since", "export"), ("until", "export")):
        for text in GOOD:
            ask(host, method, {name: text})
        for text in BAD:
            assert "invalid " in refusal(host, method, {name: text}), (method, text)
    assert len(ask(host, "query", {"start": DAY})) == ENTRIES
    assert len(ask(host, "query", {"start": f"{DAY}T03:04:30"})) == 30


def test_af18_the_sdk_takes_the_forms_of_the_command_line_and_refuses_the_same(host: LocalHost) -> None:
    client = Client(host.state, fallback=False)
    calls: tuple[Callable[..., Any], ...] = (client.log, client.export)
    for call, name in product(calls, ("since", "until")):
        for text in GOOD:
            call(**{name: text})
        for text in BAD:
            with pytest.raises(ValueError, match="invalid "):
                call(**{name: text})
    assert len(client.log(since=f"{DAY}T03:04:30", limit=0)) == 30


def test_af15_a_row_that_the_ledger_does_not_hold_is_gone_after_a_rebuild(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.run("init", "--source", "alpha")
    for title in ("kept", "changed"):
        assert host.run("write", "--type", "decision", "--title", title, "--session", "s").returncode == 0
    whole = host.run("log", "--json").stdout
    with closing(sqlite3.connect(host.zone / "projection.sqlite")) as connection, connection:
        connection.execute("DELETE FROM events WHERE id = (SELECT min(id) FROM events)")
        connection.execute("INSERT INTO facets SELECT 'session', 'stale', max(id) FROM events")
    spoiled = host.run("log", "--json").stdout
    stale = host.run("log", "--session", "stale", "--json").stdout

    rebuilt = host.run("rebuild")

    assert rebuilt.returncode == 0
    assert spoiled != whole
    assert "changed" in stale
    assert host.run("log", "--json").stdout == whole
    assert "changed" not in host.run("log", "--session", "stale", "--json").stdout
