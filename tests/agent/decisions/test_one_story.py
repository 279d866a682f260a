"""One story over two hosts: what one decided, did and met with is told by the other, from any end of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jilog_agent.demo.transcripts import Runs, Says, lines
from support.agent_hosts import introduce, new_host, serving_anywhere
from support.jilog_cli import Host
from support.turn_repo import GIT_SETTINGS, git, git_repository

TRANSCRIPT = "7b1f0c52-6d0e-4f6a-9a3b-0c5f4e1d2a01"
EARLIER = "7b1f0c52-6d0e-4f6a-9a3b-0c5f4e1d2a02"
REMOTE = "https://example.org/acme/app.git"
FAILURE = "Exit code 2\nerror: unrecognized token in src/token.py"
WRONG_TOKEN = Runs("Bash", {"command": "python -m lint src/token.py"}, FAILURE, failed=True)


def in_app(host: Host, *arguments: str) -> str:
    """Run a command in the host's clone; it must succeed."""
    done = host.run(*arguments, cwd=host.root / "app", environment=host.environment(**GIT_SETTINGS))
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(host: Host, *arguments: str) -> dict[str, object]:
    document = json.loads(in_app(host, *arguments, "--json"))
    assert isinstance(document, dict)
    return document


def clone(host: Host) -> Path:
    app = git_repository(host.root / "app")
    git(app, "remote", "add", "origin", REMOTE)
    return app


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Host]:
    """Alpha works, is corrected, reviews its night and syncs; beta has only the clone and the ledger."""
    root = tmp_path_factory.mktemp("fleet")
    alpha, beta = new_host(root, "alpha"), new_host(root, "beta")
    work(alpha)
    clone(beta)
    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port)
        assert alpha.run("spool", "sync").returncode == 0
    return alpha, beta


def work(alpha: Host) -> None:
    app = clone(alpha)
    (app / "src").mkdir()
    started = in_app(
        alpha, "turn", "start", "--ticket", "AUTH-1", "--goal", "tokens", "--transcript", TRANSCRIPT
    )
    session = started.split()[-1]
    (app / "src" / "token.py").write_text("expiry = 3600\n")
    in_app(alpha, "turn", "record", "--summary", "token expiry", "--session", session)
    in_app(
        alpha, "write", "--type", "decision", "--title", "Expiry in seconds", "--file", "src/token.py",
        "--session", session,
    )  # fmt: skip
    spoken = [
        Says("user", "Make tokens expire."),
        Runs("Edit", {"file_path": f"{app}/src/token.py", "old_string": "a", "new_string": "b"}, "updated"),
        WRONG_TOKEN,
        Says("assistant", "I will now change the tests."),
        Says("user", "no, don't touch the tests, fix the token module itself"),
    ]
    projects = alpha.root / ".claude" / "projects" / "-app"
    projects.mkdir(parents=True)
    now = datetime.now(UTC)
    for name, turns, moment in (
        (TRANSCRIPT, spoken, now),
        (EARLIER, [WRONG_TOKEN], now - timedelta(hours=3)),
    ):
        written = [
            line.replace('"/home/alpha/app"', json.dumps(str(app)))
            for line in lines("alpha", name, turns, moment)
        ]
        (projects / f"{name}.jsonl").write_text("".join(written))
    alpha.config.write_text(alpha.config.read_text() + '\n[[reader]]\ntype = "claude-code"\n')
    done = alpha.run("review", "nightly", "--since", "24h")
    assert done.returncode in (0, 3), done.stderr


def kinds(document: dict[str, object]) -> set[str]:
    entries = document["entries"]
    assert isinstance(entries, list)
    return {entry["type"] for entry in entries}


def test_blame_tells_decisions_turns_and_friction_of_a_path_on_the_other_host(
    hosts: tuple[Host, Host],
) -> None:
    _, beta = hosts

    for path in ("src/token.py", "src"):
        assert kinds(told(beta, "blame", path)) == {"decision", "turn", "error", "correction"}
    assert kinds(told(beta, "blame", "a.txt")) == set()


def test_context_gives_decisions_corrections_and_recurring_errors_on_the_other_host(
    hosts: tuple[Host, Host],
) -> None:
    _, beta = hosts

    text = in_app(beta, "context", "--files", "src/token.py")

    decisions, friction = text.split("# Corrections and recurring errors")
    assert "Expiry in seconds" in decisions
    assert "don't touch the tests" in friction
    assert "unrecognized token" in friction
    assert "Seen in 2 session(s)" in friction


def test_log_all_has_every_vocabulary_and_log_only_decisions(hosts: tuple[Host, Host]) -> None:
    _, beta = hosts

    assert kinds(told(beta, "log")) == {"decision"}
    assert kinds(told(beta, "log", "--all", "--limit", "0")) >= {
        "decision",
        "session",
        "turn",
        "error",
        "correction",
    }


def test_every_id_or_its_unique_beginning_is_shown_on_the_other_host(hosts: tuple[Host, Host]) -> None:
    alpha, beta = hosts
    entries = told(beta, "log", "--all", "--limit", "0")["entries"]
    assert isinstance(entries, list)
    ids = [entry["id"] for entry in entries]
    assert len(ids) == len(set(ids))

    for identity in ids:
        length = next(
            size
            for size in range(4, len(identity) + 1)
            if sum(other.startswith(identity[:size]) for other in ids) == 1
        )
        for text in (identity, identity[:length]):
            shown = told(beta, "show", text)
            assert identity == (shown["session_id"] if "session_id" in shown else shown["entry"]["id"])  # type: ignore[index]
    assert told(alpha, "show", ids[0]) == told(beta, "show", ids[0])


def test_trace_leads_from_the_ticket_to_friction_and_from_anything_back_to_the_ticket(
    hosts: tuple[Host, Host],
) -> None:
    _, beta = hosts

    (forth,) = told(beta, "trace", "AUTH-1")["sessions"]  # type: ignore[misc]
    decision = forth["decisions"][0]["id"]
    signals = [signal["id"] for signal in forth["signals"]]
    commit = forth["turns"][0]["vcs"]["git_head"]

    assert {signal["type"] for signal in forth["signals"]} == {"error", "correction"}
    for start in (
        decision,
        *signals,
        forth["turns"][0]["id"],
        forth["session"]["id"],
        TRANSCRIPT,
        commit[:8],
    ):
        (back,) = told(beta, "trace", start)["sessions"]  # type: ignore[misc]
        assert back["session"]["ticket"] == "AUTH-1", start


def test_signal_of_no_session_of_turns_says_so(hosts: tuple[Host, Host]) -> None:
    _, beta = hosts
    entries = told(beta, "log", "--all", "--limit", "0")["entries"]
    assert isinstance(entries, list)
    alone = next(
        entry["id"] for entry in entries if entry["type"] == "error" and entry["session_id"] == EARLIER
    )

    done = beta.run("trace", alone)

    assert done.returncode == 2
    assert f"error {alone} belongs to no session of turns" in done.stderr
    assert f"jilog show {alone}" in done.stderr
