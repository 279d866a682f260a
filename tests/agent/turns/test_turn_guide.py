"""The guide is true: every command line in it is run, in order, and every key is named."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from jilog_ledger import turn
from jilog_ledger.decision import FILES_MAX
from support.turn_repo import TurnHost, git_repository

GUIDE = Path(__file__).parents[3] / "docs" / "turns.md"


def command_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("jilog ")]


def lay_out(root: Path) -> None:
    """Make what the guide's commands speak of."""
    (root / "src").mkdir()
    (root / "src" / "token.py").write_text("expiry = None\n")
    sessions = root / "turnlog-copy" / "sessions"
    sessions.mkdir(parents=True)
    old = {"id": "sess_01HXAAAAAAAAAAAAAAAAAAAAAA", "goal": "old", "created_at": "2026-01-02T03:04:05Z"}
    (sessions / f"{old['id']}.json").write_text(json.dumps(old))


def keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    if isinstance(value, list):
        return {key for item in value for key in keys(item)}
    return set()


def test_each_command_line_of_the_guide_works_and_prints_something(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    lay_out(root)
    app = TurnHost.at(tmp_path, root)
    lines = command_lines()

    for line in lines:
        done = app.run(*shlex.split(line)[1:])
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout, line

    assert len(lines) >= 15


def test_every_command_option_and_limit_is_in_the_guide() -> None:
    from jilog_agent.cli.turn import group

    text = GUIDE.read_text()

    for name in group.table:
        assert name in text, name
    for number in (FILES_MAX,):
        assert f"{number:,}" in text
    for name in (turn.SESSION_STARTED, turn.TURN_RECORDED, turn.SESSION_ENDED):
        assert f"`{name}`" in text


def test_every_key_of_the_json_is_in_the_guide(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    app = TurnHost.at(tmp_path, root)
    parent = app.start()
    session = app.start("--ticket", "T", "--parent", parent, "--transcript", "x", "--agent", "ann")
    (root / "a.txt").write_text("changed")
    agent = ("--agent", "ann")
    recorded = app.json(
        "record", "--verify", "true", "--verification", "x", "--attach-diff", "--message-id", "m", *agent
    )
    documents: list[object] = [
        recorded,
        app.json("status", *agent),
        app.json("current", *agent),
        app.json("log"),
        app.json("show", session),
        app.json("repair"),
        json.loads(app.run("trace", "T", "--json").stdout),
        app.json("end", *agent),
    ]
    text = GUIDE.read_text()

    named = {key for item in documents for key in keys(item)}
    assert {key for key in named if f"`{key}`" not in text} == set()
    assert len(named) >= 50
