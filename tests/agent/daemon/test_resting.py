"""Pauses, quiet hours, forecasts and limits, honoured by commands and by agents that run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.agent_hosts import listen_port, mesh, serving
from support.agent_process import ask, running, stop_agent, wait_for
from support.jilog_cli import Host


def write(host: Host, title: str) -> None:
    done = host.run("write", "--type", "decision", "--title", title)
    assert done.returncode == 0, done.stderr


def titles(host: Host) -> set[str]:
    return {entry["title"] for entry in ask(host, "query", {}) or []}


def verdict(host: Host) -> dict[str, Any]:
    """Give what status says of the one peer."""
    (peer,) = host.json("status")["peers"]  # type: ignore[misc,union-attr]
    assert isinstance(peer, dict)
    return peer


def peer_of(host: Host) -> dict[str, Any]:
    """Give what the agent says of the one peer."""
    (peer,) = ask(host, "status")["peers"]
    assert isinstance(peer, dict)
    return peer


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts that know each other."""
    here, there = mesh(tmp_path, ("here", "there"))
    yield here, there
    stop_agent(here)
    stop_agent(there)


def test_a_pause_cuts_off_both_directions_at_once_outlives_a_restart_and_ends(
    pair: tuple[Host, Host],
) -> None:
    here, there = pair
    with running(here), running(there):
        write(here, "before")
        wait_for(lambda: titles(there) == {"before"}, "the first event", seconds=180)

        paused = here.json("spool", "pause", "there", "--for", "2h")
        wait_for(lambda: not peer_of(here)["connected"], "the end of the session", seconds=180)
        write(here, "during")
        write(there, "during, there")
        stop_agent(here)
    with running(here), running(there):
        wait_for(lambda: peer_of(there)["failures"] > 0, "a refused call", seconds=180)
        wait_for(lambda: verdict(there)["reason"] == "peer_paused", "the true cause at the peer", seconds=180)
        state = verdict(here)
        kept_apart = titles(here), titles(there)
        here.run("spool", "resume", "there")
        everything = {"before", "during", "during, there"}
        wait_for(lambda: titles(here) == titles(there) == everything, "equal hosts", seconds=180)

    assert str(paused["until"]) > "2026"
    assert (state["reason"], state["next"]) == ("paused", "jilog spool resume there")
    assert "replication is paused until 2" in state["detail"]
    assert kept_apart == ({"before", "during"}, {"before", "during, there"})


def test_in_quiet_hours_the_agent_exchanges_nothing_and_a_named_sync_goes_ahead(
    pair: tuple[Host, Host],
) -> None:
    here, there = pair
    now = datetime.now(UTC)  # the hosts' local time, too
    begin, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
    here.config.write_text(here.config.read_text() + f'[spool]\nquiet_hours = "{begin}-{end}"\n')
    write(here, "in the night")
    with serving(there, listen_port(there)):
        left_out = here.run("spool", "sync", "--json")
        before = there.run("log", "--json").stdout
        named = here.run("spool", "sync", "there")

    assert "left out there: quiet hours until " in left_out.stderr
    assert "in the night" not in before
    assert named.returncode == 0, named.stderr
    assert "in the night" in there.run("log").stdout
    assert verdict(here)["reason"] == "quiet_hours"


def test_a_dry_run_tells_what_would_move_by_peer_and_zone_and_moves_nothing(pair: tuple[Host, Host]) -> None:
    here, there = pair
    write(here, "one")
    write(there, "two")
    write(there, "three")
    with serving(there, listen_port(there)):
        (told,) = here.json("spool", "sync", "--dry-run")["peers"]  # type: ignore[misc,union-attr]
        shown = here.run("spool", "sync", "there", "--dry-run").stdout
        (moved,) = here.json("spool", "sync", "--bwlimit", "64k")["peers"]  # type: ignore[misc,union-attr]

    assert isinstance(told, dict)
    assert isinstance(moved, dict)
    assert [(item["source"], item["events"]) for item in told["receive"]] == [("there", 2)]
    assert [(item["source"], item["events"]) for item in told["send"]] == [("here", 1)]
    assert told["receive"][0]["bytes"] == moved["bytes_received"]
    assert told["send"][0]["bytes"] == moved["bytes_sent"]
    assert (moved["events_received"], moved["events_sent"]) == (2, 1)
    assert "2 events, " in shown


def test_a_history_that_cannot_be_written_does_not_hide_what_was_done(pair: tuple[Host, Host]) -> None:
    here, there = pair
    write(here, "one")
    (here.state / "spool" / "history.json").mkdir(parents=True)
    with serving(there, listen_port(there)):
        done = here.run("spool", "sync")

    assert done.returncode == 0, done.stderr
    assert "in sync" in done.stdout
    assert "how this sync went is not remembered" in done.stderr
    assert here.run("spool", "status").returncode == 0


def test_a_rate_that_is_none_is_refused_in_one_line(pair: tuple[Host, Host]) -> None:
    here, _ = pair

    done = here.run("spool", "sync", "--bwlimit", "fast")

    assert done.returncode == 2
    assert "invalid rate 'fast'" in done.stderr
