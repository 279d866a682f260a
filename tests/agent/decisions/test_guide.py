"""The guide is true: every command line in it is run, in order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from jilog_ledger import decision
from jilog_ledger.json_segment import JsonEvent, file_name, write_json_segment
from support.jilog_local import LocalHost

GUIDE = Path(__file__).parents[3] / "docs" / "decisions.md"
EVENT_ID = "0193b2c4-5d6e-7f80-9102-a3b4c5d6e7f8"
TIME = "2026-01-02T03:04:05Z"


def command_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("jilog ")]


def lay_out(folder: Path) -> None:
    """Make what the guide's commands speak of."""
    (folder / ".git").mkdir(parents=True)
    sessions = folder / "agentlog-copy" / "log"
    sessions.mkdir(parents=True)
    entry = {"id": "e1", "timestamp": TIME, "session_id": "s", "type": "decision", "title": "old"}
    (sessions / "s.jsonl").write_text(json.dumps(entry) + "\n")
    segments = folder / "old-ledger" / "segments"
    segments.mkdir(parents=True)
    event = JsonEvent(
        event_id=EVENT_ID,
        zone="main",
        source="old",
        source_seq=1,
        timestamp=TIME,
        event_class="health",
        payload_tier="structured",
    )
    (segments / file_name("old", 1)).write_bytes(write_json_segment("old", 1, TIME, [event]))


def test_af44_each_command_line_of_the_guide_works_and_prints_something(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    folder = host.root / "app"
    lay_out(folder)
    host.run("init")
    lines = command_lines()

    for line in lines:
        done = host.run(*shlex.split(line)[1:], cwd=folder)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout, line

    assert len(lines) >= 15


def test_guide_names_every_type_and_limit() -> None:
    text = GUIDE.read_text()

    for entry_type in decision.TYPES:
        assert f"`{entry_type}`" in text
    for number in (decision.TITLE_CHARS_MAX, decision.TAGS_MAX, decision.FILES_MAX, decision.PATH_CHARS_MAX):
        assert f"{number:,}" in text


def test_every_key_of_an_entry_is_documented(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    host.run("init")
    asked = host.run("write", "--type", "question", "--title", "t", "--session", "s").stdout.strip()
    more = ("--body", "b", "--tags", "t", "--files", "a.py", "--alternative", "x", "--outcome", "y")
    links = ("--resolves", asked, "--supersedes", asked)
    written = host.json("write", "--type", "decision", "--title", "t", "--session", "s", *more, *links)
    shown = host.json("show", asked)
    del shown["schema_version"]

    for name, text in (
        ("decisions", GUIDE.read_text()),
        ("cli-json", GUIDE.with_name("cli-json.md").read_text()),
    ):
        entry = written["entry"]
        assert isinstance(entry, dict)
        assert len(entry) == 16
        for key in (*entry, *shown):
            assert re.search(rf"[`{{\"]{key}\b", text), f"{key} in {name}"
