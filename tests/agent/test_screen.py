"""What commands show on a terminal: lines that fit, one screen, progress that goes; nothing in a pipe."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from jilog_agent.cli.progress import duration_text, progress_text, seconds_left
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from support.agent_hosts import public_key
from support.jilog_cli import Host
from support.stores import draft
from support.terminal import at_terminal

PEERS = ("attic", "desktop", "server-in-the-cellar")
ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """A host of a fleet: events of nine writers, and three peers that were never met."""
    host = Host(tmp_path_factory.mktemp("busy"))
    assert host.run("init", "--source", "laptop").returncode == 0
    key = SigningKey.load(host.state / "identity" / "id_ed25519")
    for number in range(9):
        source = f"host-number-{number}" if number else "laptop"
        with ZoneLedger.open(host.zone, "main", source=source, key=key) as ledger:
            ledger.append([draft(number, text="a text that is longer than a narrow terminal is wide")])
    for number, name in enumerate(PEERS):
        address = (f"192.0.2.{number + 1}", "--host-key", other_key(host, number))
        assert host.run("peer", "add", name, *address).returncode == 0
    return host


def other_key(host: Host, number: int) -> str:
    """Give an Ed25519 key that is not the host's own."""
    kind, own = public_key(host).split()[:2]
    last = "ABCDEFGH"[number]
    return f"{kind} {own[:-8]}{last}{own[-7:]}"


def table_lines(lines: list[str]) -> list[str]:
    """Give the lines of tables: those after a heading in capitals, up to an empty one."""
    found, inside = [], False
    for line in lines:
        inside = bool(line.strip()) and (inside or re.fullmatch(r"\s*[A-Z …]{4,}", line) is not None)
        # A command to type is never cut; it has a line of its own.
        if inside and not line.startswith("      next: "):
            found.append(line)
    return found


def test_status_of_a_fleet_is_one_screen(busy: Host) -> None:
    seen = at_terminal(busy, "status", columns=80, rows=24)

    assert seen.status == 0, seen.text
    assert len(seen.lines) <= 23, seen.text
    assert all(name in seen.text for name in PEERS)
    assert "and 5 more" in seen.text


@pytest.mark.parametrize("columns", [80, 132])
@pytest.mark.parametrize("command", [("status",), ("spool", "status"), ("peer", "list")], ids=" ".join)
def test_tables_fit_the_terminal(busy: Host, command: tuple[str, ...], columns: int) -> None:
    seen = at_terminal(busy, *command, columns=columns)

    table = table_lines(seen.lines)
    assert len(table) >= len(PEERS), seen.text
    assert max(len(line) for line in table) <= columns, seen.text


@pytest.mark.parametrize("command", [("status",), ("spool", "status"), ("peer", "list")], ids=" ".join)
def test_rows_are_paragraphs_where_columns_would_tell_nothing(busy: Host, command: tuple[str, ...]) -> None:
    seen = at_terminal(busy, *command, columns=30)

    assert all(name in [line.strip() for line in seen.lines] for name in PEERS), seen.text
    assert "…" not in seen.text
    rows = [line for line in seen.lines if line.startswith("      ")]
    assert len(rows) > len(PEERS)
    assert max(len(line) for line in rows if not line.startswith("      next: ")) <= 30, seen.text


def test_columns_are_level_below_wide_characters(busy: Host) -> None:
    code = (
        "from jilog_agent.cli.output import print_table as p; p(('A', 'B'), [('日本語', 'x'), ('abc', 'y')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.splitlines() == ["A       B", "日本語  x", "abc     y"]


def test_a_table_in_a_pipe_is_whole(busy: Host) -> None:
    done = busy.run("status", environment=busy.environment(COLUMNS="40"))

    assert "server-in-the-cellar" in done.stdout
    assert "…" not in done.stdout


def test_long_work_shows_progress_that_is_gone_at_the_end(busy: Host) -> None:
    seen = at_terminal(busy, "rebuild")

    assert seen.status == 0, seen.text
    assert re.search(r"zone main \[#+-*\] \d/9", seen.text), seen.text
    assert "\r\x1b[Kzone main: 9 events" in seen.text


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}], ids=["dumb"])
def test_a_terminal_that_cannot_draw_gets_plain_lines(busy: Host, variables: dict[str, str]) -> None:
    seen = at_terminal(busy, "rebuild", **variables)

    assert ESCAPE not in seen.text
    assert "zone main: 9 events" in seen.text


def test_nothing_is_drawn_where_nobody_looks(busy: Host) -> None:
    done = busy.run("rebuild")

    assert done.stderr == ""
    assert done.stdout.startswith("zone main: 9 events")
    assert ESCAPE not in done.stdout


@pytest.mark.parametrize("command", [("status",), ("query",), ("doctor",), ("help",)], ids=" ".join)
def test_with_no_color_nothing_is_coloured(busy: Host, command: tuple[str, ...]) -> None:
    seen = at_terminal(busy, *command, NO_COLOR="1")

    assert ESCAPE not in seen.text


def test_a_forecast_is_made_from_the_pace_so_far() -> None:
    assert seconds_left(25, 100, 10.0) == 30.0
    assert seconds_left(25, 100, 0.5) is None
    assert seconds_left(0, 100, 10.0) is None
    assert seconds_left(100, 100, 10.0) is None
    assert [duration_text(value) for value in (0.2, 59, 90, 5399, 7200)] == [
        "1 s",
        "59 s",
        "2 min",
        "90 min",
        "2 h",
    ]


@pytest.mark.parametrize("columns", range(10, 130, 7))
def test_a_progress_line_is_never_as_wide_as_the_terminal(columns: int) -> None:
    text = progress_text("receiving", 5, 10, "512 B of 1.0 KiB, 3 min left", columns)

    assert len(text) < columns
    assert columns < 60 or "[#" in text
