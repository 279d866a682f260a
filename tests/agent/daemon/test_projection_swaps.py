"""A running agent answers from the projection that is there now, whatever it used before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.agent_process import ask
from support.jilog_cli import Host


def rebuild(host: Host) -> None:
    done = host.run("rebuild")
    assert done.returncode == 0, done.stderr


def delete(host: Host) -> None:
    for path in host.zone.glob("projection.sqlite*"):
        path.unlink()


def spoil(host: Host) -> None:
    delete(host)
    (host.zone / "projection.sqlite").write_bytes(b"this is no database " * 500)


def titles(host: Host, method: str, **params: object) -> list[str]:
    return [entry["title"] for entry in ask(host, method, params)]


@pytest.mark.parametrize("change", [rebuild, delete, spoil])
def test_af15_running_agent_answers_from_the_projection_that_is_there_now(
    agent: Host, change: Callable[[Host], None]
) -> None:
    """Asked before, so that whatever the agent keeps of the old file is kept when it goes."""
    file = agent.zone / "projection.sqlite"
    ask(agent, "write", {"entry": {"session_id": "s1", "type": "decision", "title": "first reason"}})
    assert titles(agent, "search", query="reason") == ["first reason"]
    before = file.stat().st_ino

    # The old file is kept open, or its number could be given to the new one.
    with file.open("rb"):
        change(agent)
        ask(agent, "write", {"entry": {"session_id": "s1", "type": "decision", "title": "second reason"}})
        found = titles(agent, "query", session_id="s1")
        after = file.stat().st_ino

    assert found == ["second reason", "first reason"]
    assert sorted(titles(agent, "search", query="reason")) == ["first reason", "second reason"]
    assert after != before
    outside = agent.run("log", "--json")
    assert outside.stdout.count('"title"') == 2, outside.stderr
