"""What a zone's ``[zones.redaction]`` names is in no event of that zone, whichever command wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.agent_process import ask, running
from support.jilog_cli import Host
from support.review_night import as_line

CONFIG = """\
source = "alpha"
timezone = "UTC"

[[reader]]
type = "claude-code"
path = "~/t"

[[zones]]
id = "main"

[zones.redaction]
patterns = ["Acme\\\\w*", "PROJECT-[0-9]+"]

[[zones]]
id = "open"
"""
NAMES = ("Acme", "PROJECT-7")
TEXT = "AcmeCorp wants PROJECT-7"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    made.config.write_text(CONFIG)
    return made


def write(host: Host) -> None:
    done = host.run("write", "--type", "decision", "--title", TEXT, "--body", TEXT, "--outcome", TEXT)
    assert done.returncode == 0, done.stderr


def supervise(host: Host) -> None:
    task = ("sh", "-c", f"echo '{TEXT}' >&2; exit 3", TEXT)
    done = host.run("supervise", "--task", "t", "--capture-tail", "500", "--", *task)
    assert done.returncode == 3, done.stderr


def import_agentlog(host: Host) -> None:
    entry = {"id": "0193b2c4-0000-7000-8000-000000000001", "timestamp": "2026-05-08T09:00:00Z"}
    file = host.root / "log.jsonl"
    file.write_bytes(as_line({**entry, "session_id": "s", "type": "decision", "title": TEXT, "body": TEXT}))
    done = host.run("import", "agentlog", str(file))
    assert done.returncode == 0, done.stderr


def review_and_label(host: Host) -> None:
    file = host.root / "t/project/one.jsonl"
    file.parent.mkdir(parents=True)
    place = {"timestamp": "2026-05-08T09:00:00.000Z", "sessionId": "one"}
    did = {"role": "assistant", "content": [{"type": "text", "text": "done"}]}
    said = {"role": "user", "content": f"no, that is wrong, {TEXT}"}
    file.write_bytes(
        as_line({"type": "assistant", "uuid": "u1", "message": did, **place})
        + as_line({"type": "user", "uuid": "u2", "message": said, **place})
    )
    night = host.json("review", "nightly", "--date", "2026-05-09", "--since", "3650d")
    (signal,) = night["signals"]  # type: ignore[misc] # a list of one
    done = host.run("label", str(signal["id"]), "tp", "--note", TEXT)  # type: ignore[index]
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("writer", [write, supervise, import_agentlog, review_and_label])
def test_name_that_a_zone_must_not_hold_is_in_no_event_of_it(
    host: Host, writer: Callable[[Host], None]
) -> None:
    writer(host)

    events = json.dumps(host.events("--since", "3650d"))
    assert "[redacted]" in events
    assert not any(name in events for name in NAMES)


def test_agent_keeps_to_the_redaction_of_the_zone_it_writes_to(host: Host) -> None:
    with running(host):
        entry = {"type": "decision", "session_id": "s", "title": TEXT, "body": TEXT}
        ask(host, "write", {"entry": entry})
        supervise(host)
        events = json.dumps(host.events("--since", "3650d"))

    assert "[redacted]" in events
    assert not any(name in events for name in NAMES)


def test_zone_without_names_of_its_own_holds_what_was_written(host: Host) -> None:
    host.run("write", "--type", "decision", "--title", TEXT, "--zone", "open")

    assert TEXT in json.dumps(host.events("--zone", "open", "--since", "3650d"))
