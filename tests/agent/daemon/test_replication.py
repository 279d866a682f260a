"""Agents that find each other over real SSH on loopback and converge without anybody typing sync."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agent_hosts import free_port, introduce, new_host, public_key
from support.agent_process import LineClient, ask, running, start_agent, stop_agent, wait_for
from support.jilog_cli import Host


def titles(host: Host) -> set[str]:
    found = ask(host, "query", {}) or []
    return {entry["title"] for entry in found}


def write(host: Host, title: str) -> Any:
    return ask(host, "write", {"entry": {"session_id": "s", "type": "decision", "title": title}})


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    port = free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta", listen=port)
    introduce(alpha, beta, port)
    yield alpha, beta
    stop_agent(alpha)
    stop_agent(beta)


def test_two_agents_converge_by_themselves_in_both_directions(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with running(beta), running(alpha):
        write(alpha, "from alpha")
        write(beta, "from beta")

        wait_for(lambda: titles(alpha) == titles(beta) == {"from alpha", "from beta"}, "equal hosts")


def test_an_agent_that_comes_back_is_found_again(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with running(alpha):
        write(alpha, "while beta was away")
        wait_for(lambda: ask(alpha, "status")["peers"][0]["failures"] > 0, "a failed sync")
        with running(beta):
            with LineClient(alpha) as client:
                client.ask(id=1, method="sync", params={"peers": ["beta"]})
            wait_for(lambda: titles(beta) == {"while beta was away"}, "the events at beta")


def test_a_peer_that_is_removed_gets_nothing_more_at_once(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with running(beta), running(alpha):
        write(alpha, "first")
        wait_for(lambda: titles(beta) == {"first"}, "the first event")
        assert beta.run("peer", "remove", "alpha").returncode == 0
        write(alpha, "second")

        wait_for(lambda: ask(alpha, "status")["peers"][0]["failures"] > 0, "a refused sync")

        assert titles(beta) == {"first"}


def test_a_peer_that_is_added_while_the_agent_runs_is_synced_with(tmp_path: Path) -> None:
    port = free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta", listen=port)
    with running(beta), running(alpha):
        write(alpha, "news")
        introduce(alpha, beta, port)

        wait_for(lambda: titles(beta) == {"news"}, "the events at beta")


def test_tail_shows_what_a_peer_sends(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with running(beta), running(alpha), LineClient(beta) as client:
        client.ask(id=1, method="tail")
        write(alpha, "followed")

        event = client.read()["event"]

    assert (event["source"], event["payload"]["title"]) == ("alpha", "followed")


def connected(host: Host) -> bool:
    return bool(ask(host, "status")["peers"][0]["connected"])


def test_what_comes_later_goes_through_the_session_that_is_open(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    alpha.config.write_text('[agent]\nmdns = false\nsync_every = "1h"\n')
    with running(beta), running(alpha):
        wait_for(lambda: connected(alpha), "an open session")

        write(alpha, "pushed to the one who was called")
        write(beta, "pushed to the one who called")
        beta.run("supervise", "--task", "under-the-lock", "--", "true")

        both = {"pushed to the one who was called", "pushed to the one who called"}
        wait_for(lambda: titles(alpha) == titles(beta) == both, "equal hosts")
        wait_for(lambda: len(alpha.payloads("--subsystem", "under-*")) == 2, "what a command wrote")
        assert 'jilog_syncs_total{outcome="ok",peer="beta"} 1' in ask(alpha, "metrics")


def test_a_called_peer_that_is_killed_is_named_at_once_with_what_it_lacks(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    alpha.config.write_text('[agent]\nmdns = false\nsync_every = "1h"\n')
    with running(alpha):
        beta_pid = start_agent(beta)
        with LineClient(alpha) as client:
            client.ask(id=1, method="sync", params={"peers": ["beta"]})
        write(alpha, "pushed while the session was open")
        acknowledged = 'jilog_sync_sent_events_total{peer="beta"} 1'
        wait_for(lambda: acknowledged in ask(alpha, "metrics"), "the event at beta")

        os.kill(beta_pid, signal.SIGKILL)
        wait_for(lambda: verdict(alpha)["reason"] == "connection_refused", "a link that is told to be down")
        level = verdict(alpha)
        write(alpha, "while beta is down")
        behind = verdict(alpha)

    assert (level["lag_events"], behind["lag_events"]) == (0, 1)
    assert behind["next"] == "on beta: jilog agent start"


def verdict(host: Host) -> Any:
    """Give what is said of the own stream at the only peer."""
    document: Any = host.json("spool", "status")
    (peer,) = document["peers"]
    return next(item for item in peer["writers"] if item["source"] == "alpha")


def test_a_relay_passes_on_what_it_hears(tmp_path: Path) -> None:
    port = free_port()
    middle = new_host(tmp_path, "middle", listen=port)
    ends = [new_host(tmp_path, name) for name in ("left", "right")]
    for end in ends:
        arguments = (
            "peer",
            "add",
            "middle",
            "127.0.0.1",
            "--port",
            str(port),
            "--host-key",
            public_key(middle),
        )
        assert end.run(*arguments).returncode == 0
        name = end.root.name
        assert middle.run("peer", "add", name, "192.0.2.9", "--host-key", public_key(end)).returncode == 0
    left, right = ends
    with running(middle), running(left), running(right):
        wait_for(lambda: connected(left) and connected(right), "open sessions")

        write(left, "across")

        wait_for(lambda: titles(right) == {"across"}, "the event at the other end")
