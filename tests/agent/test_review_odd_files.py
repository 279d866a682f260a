"""What lies among transcripts and is none, or is damaged: one line each, and the rest is reviewed as ever."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
"""
MOMENT = "2026-05-08T09:00:00.000Z"
FOREIGN_CLOCKS = {
    "beginning": "1970-01-01T00:00:00.000Z",
    "before": "1969-12-31T23:59:59.000Z",
    "end": "9999-12-31T23:59:59.999Z",
    "beyond": "10000-01-01T00:00:00.000Z",
    "backwards": "0001-01-01T00:00:00.000Z",
    "nonsense": "yesterday",
}
# Runs jilog with a clock that shows another time.
OTHER_CLOCK = """
import sys, time
seconds = int(sys.argv.pop(1))
time.time_ns = lambda: seconds * 10**9
from jilog_agent.main import main
sys.exit(main())
"""


def said(role: str, text: str, number: int, moment: str = MOMENT, name: str = "") -> dict[str, object]:
    content: object = text if role == "user" else [{"type": "text", "text": text}]
    place = {"uuid": f"{name}-{number}", "timestamp": moment, "sessionId": name, "cwd": "/srv/app"}
    return {"type": role, "message": {"role": role, "content": content}, **place}


def session(name: str, moment: str = MOMENT, text: str = "no, that is wrong, use the other file") -> bytes:
    """Write a session in which a person corrects the agent once."""
    first = said("assistant", "I changed it.", 1, MOMENT, name)
    return as_line(first) + as_line(said("user", text, 2, moment, name))


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Host, Path, dict[str, object]]:
    """Review a folder that holds one sound session and every odd thing, once."""
    host = Host(tmp_path_factory.mktemp("odd"))
    folder = host.root / "t/project"
    folder.mkdir(parents=True)
    host.config.write_text(CONFIG)
    (folder / "sound.jsonl").write_bytes(session("sound"))
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "dangling.jsonl").symlink_to(folder / "nothing")
    (folder / "circle.jsonl").symlink_to(folder / "circle.jsonl")
    (folder / "folder.jsonl").mkdir()
    (folder / "folder.jsonl" / "inside.jsonl").write_bytes(session("inside"))
    # Bound by its name alone: the path of a socket may have some hundred bytes only.
    with contextlib.chdir(folder), socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jsonl")
    for name, moment in FOREIGN_CLOCKS.items():
        (folder / f"{name}.jsonl").write_bytes(session(name, moment))
    (folder / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + session("marked"))
    latin = session("latin", text="no, that caf\xe9 is wrong").decode().encode("latin-1")
    (folder / "latin.jsonl").write_bytes(latin)
    (folder / "wide.jsonl").write_bytes(session("wide").decode().encode("utf-16"))
    (folder / "zeros.jsonl").write_bytes(session("zeros") + b"\0" * 4096 + b"\n" + as_line("{"))
    (folder / "zero-inside.jsonl").write_bytes(session("zero-inside", text="no, that \0 is wrong"))
    (folder / "empty.jsonl").write_bytes(b"")
    result = host.run("review", "nightly", "--date", "2026-05-09", "--since", "3650d", "--json")
    assert result.returncode == 3, result.stderr
    return host, folder, {**json.loads(result.stdout), "stderr": result.stderr}


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("pipe", "is a pipe and no transcript"),
        ("dangling", "is a link to nothing"),
        ("circle", "cannot be read: "),
        ("folder", "is a folder and no transcript"),
        ("socket", "is a socket and no transcript"),
    ],
)
def test_what_is_no_file_is_one_line_of_the_problems(
    reviewed: tuple[Host, Path, dict[str, object]], name: str, what: str
) -> None:
    _, folder, night = reviewed

    lines = [line for line in night["problems"] if f"/{name}.jsonl:" in line]

    assert len(lines) == 1
    assert what in lines[0]
    assert str(night["stderr"]).count(f"{folder.name}/{name}.jsonl: ") == 1
    assert night["coverage"]["unreadable"] == 5


@pytest.mark.parametrize(
    "name", ["sound", "inside", *FOREIGN_CLOCKS, "marked", "latin", "zeros", "zero-inside"]
)
def test_session_beside_odd_things_is_reviewed(
    reviewed: tuple[Host, Path, dict[str, object]], name: str
) -> None:
    _, _, night = reviewed

    signals = [signal for signal in night["signals"] if signal["session_id"] == name]

    assert [signal["kind"] for signal in signals] == ["correction"]


def test_lines_that_cannot_be_read_are_counted(reviewed: tuple[Host, Path, dict[str, object]]) -> None:
    _, _, night = reviewed

    coverage = night["coverage"]

    # Of UTF-16 every second line is torn by its newline; of the zeros one line is none, and one is cut short.
    assert coverage["bad_lines"] >= 3
    assert coverage["bad_utf8"] >= 2
    assert coverage["files"] >= 14


def test_time_that_no_event_can_have_is_left_out(reviewed: tuple[Host, Path, dict[str, object]]) -> None:
    _, _, night = reviewed

    times = {signal["session_id"]: signal["timestamp"] for signal in night["signals"]}

    assert times["beginning"] == "1970-01-01T00:00:00Z"
    assert [times[name] for name in ("before", "end", "beyond", "backwards", "nonsense")] == [None] * 5


def test_second_night_over_odd_things_says_the_same_and_records_nothing_new(
    reviewed: tuple[Host, Path, dict[str, object]],
) -> None:
    host, _, night = reviewed

    result = host.run("review", "nightly", "--date", "2026-05-09", "--since", "3650d", "--json")
    again = json.loads(result.stdout)

    assert result.returncode == 3
    assert again["signals_new"] == 0
    assert again["problems"] == night["problems"]
    assert again["signals"] == night["signals"]


def test_file_that_became_another_shorter_session_is_read_from_its_start(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.config.write_text(CONFIG)
    file = tmp_path / "t/project/one.jsonl"
    file.parent.mkdir(parents=True)
    file.write_bytes(session("one") + as_line(said("assistant", "and so on " * 50, 3, name="one")))
    host.run("review", "nightly", "--date", "2026-05-09", "--since", "3650d")

    file.write_bytes(session("two", text="no, not that one, the first one"))
    result = host.run("review", "nightly", "--date", "2026-05-10", "--since", "3650d", "--json")

    assert result.returncode == 0, result.stderr
    excerpts = {signal["excerpt"] for signal in json.loads(result.stdout)["signals"]}
    assert "no, not that one, the first one" in excerpts


@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-05", "9999-12-31"])
def test_first_and_last_date_there_are_have_a_digest(tmp_path: Path, day: str) -> None:
    host = Host(tmp_path)
    host.config.write_text(CONFIG)

    result = host.run("review", "nightly", "--date", day, "--days", "3650")

    assert result.returncode == 0, result.stderr
    assert (host.state / "digests" / f"learning-digest-{day}.md").is_file()


@pytest.mark.parametrize("seconds", [253_402_300_800, -5])
def test_clock_that_no_event_can_have_is_refused_in_one_line(tmp_path: Path, seconds: int) -> None:
    host = Host(tmp_path)
    host.config.write_text(CONFIG)
    command = [sys.executable, "-c", OTHER_CLOCK, str(seconds), "review", "nightly"]

    result = subprocess.run(
        command, env=host.environment(), capture_output=True, text=True, check=False, timeout=60
    )

    assert result.returncode not in {0, 1}
    assert "clock" in result.stderr
    assert "internal error" not in result.stderr
    assert "set the clock" in result.stderr
