"""One table of calls: the command line, both Python clients and the JavaScript one agree on every line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jilog_agent.sdk import AsyncClient, Client
from support.agent_process import running
from support.jilog_local import LocalHost
from support.sdk_table import (
    NODE,
    Outcome,
    by_async_python,
    by_command_line,
    by_node,
    by_python,
    table,
    working_folder,
)

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: the JavaScript SDK is not run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all calls are made in."""
    return working_folder(tmp_path_factory.mktemp("sdk"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> list[Outcome]:
    """What the command line gives."""
    host = made(tmp_path_factory.mktemp("cli"))
    return by_command_line(host, folder)


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    """A host without an agent."""
    return made(tmp_path)


@pytest.fixture
def agent(host: LocalHost) -> Iterator[LocalHost]:
    """A host with an agent."""
    with running(host):
        yield host


def made(root: Path) -> LocalHost:
    host = LocalHost(root)
    assert host.run("init", "--source", "alpha").returncode == 0
    return host


def assert_agreement(outcomes: list[Outcome], expected: list[Outcome]) -> None:
    _, cases = table()
    assert len(outcomes) == len(expected) == len(cases)
    for case, outcome, wanted in zip(cases, outcomes, expected, strict=True):
        if "error" in case:
            assert outcome.get("error") == case["error"], (case["name"], outcome)
        else:
            assert comparable(outcome) == comparable(wanted), case["name"]


def comparable(outcome: Outcome) -> Any:
    """Give a result without what differs from one ledger to the next."""
    result = outcome.get("result", outcome)
    if isinstance(result, dict) and isinstance(result.get("event"), dict):
        event = {key: value for key, value in result["event"].items() if key not in ("epoch", "source_seq")}
        return {**result, "event": event}
    return result


def test_af35_the_command_line_gives_what_the_table_says(expected: list[Outcome]) -> None:
    _, cases = table()
    for case, outcome in zip(cases, expected, strict=True):
        if case.get("not_on_the_command_line"):
            continue
        assert outcome.get("error") == case.get("error"), (case["name"], outcome)
        if "error" not in case:
            check(case, outcome["result"])


def check(case: dict[str, Any], result: Any) -> None:
    if "ids" in case:
        assert [entry["id"] for entry in result] == case["ids"], case["name"]
    elif "ids_in_any_order" in case:
        assert sorted(entry["id"] for entry in result) == sorted(case["ids_in_any_order"]), case["name"]
    elif "gives" in case:
        assert result == case["gives"]
    elif "shows" in case:
        assert (result["session_id"] if "session_id" in result else result["entry"]["id"]) == case["shows"]
    else:
        assert all(piece in result for piece in case["contains"]), (case["name"], result)
        assert not any(piece in result for piece in case.get("lacks", ())), (case["name"], result)


def test_af35_python_with_an_agent_agrees_with_the_command_line(
    agent: LocalHost, folder: Path, expected: list[Outcome]
) -> None:
    client = Client(agent.state, cwd=folder, fallback=False)

    assert_agreement(by_python(client), expected)


def test_af35_python_without_an_agent_agrees_with_the_command_line(
    host: LocalHost, folder: Path, expected: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(host.root))

    assert_agreement(by_python(Client(host.state, cwd=folder)), expected)


def test_af35_async_python_with_an_agent_agrees_with_the_command_line(
    agent: LocalHost, folder: Path, expected: list[Outcome]
) -> None:
    client = AsyncClient(agent.state, cwd=folder, fallback=False)

    assert_agreement(by_async_python(client), expected)


@needs_node
def test_af36_javascript_with_an_agent_agrees_with_the_command_line(
    agent: LocalHost, folder: Path, expected: list[Outcome]
) -> None:
    assert_agreement(by_node(agent, folder), expected)


@needs_node
def test_af36_javascript_without_an_agent_agrees_with_the_command_line(
    host: LocalHost, folder: Path, expected: list[Outcome]
) -> None:
    assert_agreement(by_node(host, folder), expected)
