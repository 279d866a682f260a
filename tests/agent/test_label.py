"""``jilog label`` and ``jilog review signals``, ``trend`` and ``report``, as a user runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import stat
import sys
import termios
from pathlib import Path

import pytest

from jilog_agent.label_screen import LabelScreen
from jilog_review.labels import Verdict
from jilog_review.signal import Signal
from support.jilog_cli import TIMEOUT_SECONDS, Host
from support.learned import a_signal

CONFIG = """
[review]
profile = "precise"

[[reader]]
name = "chat"
type = "generic"
path = "~/chats/*/log.jsonl"
session_id_from = "parent_dir"
"""


def talk(host: Host, session: str, *lines: dict[str, object]) -> None:
    folder = host.root / "chats" / session
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def failing(command: str) -> dict[str, object]:
    error = {"success": False, "error": f"{command}: command not found"}
    return {"role": "tool", "name": "bash", "content": json.dumps(error)}


@pytest.fixture
def reviewed(host: Host) -> Host:
    """A host whose review found one correction and two problems, one of them in three sessions."""
    host.run("init", "--source", "alpha")
    host.config.write_text(host.config.read_text() + CONFIG)
    said = {"role": "assistant", "content": "I changed it."}
    for number in range(3):
        talk(host, f"s{number}", said, failing("rgg"))
    talk(host, "s3", said, {"role": "user", "content": "no, that's wrong, undo it"}, said, failing("fdd"))
    done = host.run("review", "nightly")
    assert done.returncode == 0, done.stderr
    return host


def signals(host: Host, *arguments: str) -> list[dict[str, object]]:
    listed = host.json("review", "signals", *arguments)["signals"]
    assert isinstance(listed, list)
    return listed  # type: ignore[return-value] # objects, as documented


def id_of(host: Host, text: str) -> str:
    return next(str(signal["id"]) for signal in signals(host) if text in str(signal["excerpt"]))


def digest(host: Host) -> str:
    assert host.run("review", "nightly").returncode == 0
    (path,) = (host.state / "digests").glob("*.md")
    return path.read_text()


def test_signals_are_listed_and_filtered(reviewed: Host) -> None:
    text = reviewed.run("review", "signals").stdout

    assert text.startswith("5 signal(s) of profile precise, ")
    assert len(signals(reviewed, "--kind", "error")) == 4
    assert len(signals(reviewed, "--detector", "correction")) == 1
    assert len(signals(reviewed, "--host", "beta")) == 0
    mistyped = reviewed.run("review", "signals", "--detector", "precise.corection")
    assert (
        "no detector here is called 'precise.corection': did you mean 'precise.correction'?"
        in mistyped.stderr
    )
    (one,) = signals(reviewed, "--kind", "correction")
    assert len(signals(reviewed, "--fingerprint", str(one["fingerprint"])[:6])) == 1
    wanted = {
        *(
            "id",
            "detector",
            "version",
            "rule",
            "tier",
            "kind",
            "reader",
            "host",
            "session_id",
            "root_session",
        ),
        *("source_file", "line", "message_id", "timestamp", "tool", "command", "fingerprint", "excerpt"),
    }
    assert wanted <= set(one)


def test_a_signal_is_explained_by_its_rule_and_words(reviewed: Host) -> None:
    signal_id = id_of(reviewed, "no, that's wrong")

    text = reviewed.run("review", "signals", "--explain", signal_id[:8]).stdout
    document = reviewed.json("review", "signals", "--explain", signal_id)

    assert text.startswith(f"correction {signal_id}, recorded on alpha for ")
    assert re.search(r"^rule: precise\.correction v\d", text, re.MULTILINE)
    assert "\nwhy: " in text
    assert "\n  no, that's wrong, undo it\n" in text
    assert document["explanation"]["words"]  # type: ignore[call-overload,index] # an object, as documented


def test_false_label_mutes_the_problem_in_the_digest_and_clearing_it_brings_it_back(reviewed: Host) -> None:
    signal_id = id_of(reviewed, "rgg")
    assert "P0 by signature" in digest(reviewed)

    done = reviewed.run("label", signal_id[:8], "fp", "--note", "ask me@example.org")

    assert done.returncode == 0, done.stderr
    muted = digest(reviewed)
    assert "P0 by signature" not in muted
    assert "\nmuted: 3\n" in muted
    assert "rgg: command not found" not in muted.split("## Muted")[0]
    assert "precise.error tier A: 0 % right (n=1, " in muted
    assert len(signals(reviewed)) == 2
    assert len(signals(reviewed, "--muted")) == 5
    assert "example.org" not in reviewed.run("label", "list").stdout

    assert reviewed.run("label", "clear", signal_id).returncode == 0

    assert "P0 by signature" in digest(reviewed)
    assert reviewed.json("label", "list")["labels"] == []


def test_later_label_wins(reviewed: Host) -> None:
    signal_id = id_of(reviewed, "fdd")
    for verdict in ("fp", "wontfix", "tp"):
        assert reviewed.run("label", signal_id, verdict).returncode == 0

    (label,) = reviewed.json("label", "list")["labels"]  # type: ignore[misc,union-attr] # a list of one

    assert isinstance(label, dict)
    assert (label["verdict"], label["mutes"], label["labelled_on"]) == ("tp", False, "alpha")


def test_what_cannot_be_labelled_is_told_with_the_nearest(reviewed: Host) -> None:
    signal_id = id_of(reviewed, "fdd")
    slip = signal_id[:-1] + ("0" if signal_id[-1] != "0" else "1")

    wrong_id = reviewed.run("label", slip, "tp")
    wrong_verdict = reviewed.run("label", signal_id, "wontfx")
    wrong_command = reviewed.run("label", "lsit")
    too_short = reviewed.run("label", signal_id[:1], "tp")

    assert (wrong_id.returncode, wrong_verdict.returncode, wrong_command.returncode) == (2, 2, 2)
    assert f"did you mean {signal_id}" in wrong_id.stderr
    assert "did you mean wontfix?" in wrong_verdict.stderr
    assert "did you mean 'list'?" in wrong_command.stderr
    assert "give more of it" in too_short.stderr
    assert reviewed.json("label", "list")["labels"] == []


def test_label_review_without_a_terminal_says_what_to_do(reviewed: Host) -> None:
    done = reviewed.run("label", "review")

    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
    assert "jilog label ID tp" in done.stderr


class Terminal:
    """The user's side of a terminal on which jilog runs."""

    def __init__(self, host: Host, *arguments: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            try:
                os.execve(sys.executable, host.command(*arguments), host.environment())
            finally:
                os._exit(99)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        while text not in self.seen:
            ready, _, _ = select.select([self.descriptor], [], [], TIMEOUT_SECONDS)
            assert ready, f"{text!r} did not come; the screen shows {self.seen!r}"
            self.seen += os.read(self.descriptor, 4096).decode("utf-8", "replace")
        self.seen = self.seen.split(text, 1)[1]

    def press(self, key: str) -> None:
        os.write(self.descriptor, key.encode())

    def mode(self) -> int:
        """Give the terminal's local modes: line editing, echo, signals."""
        return int(termios.tcgetattr(self.descriptor)[3])

    def finish(self) -> int:
        try:
            while data := os.read(self.descriptor, 4096):
                self.seen += data.decode("utf-8", "replace")
        except OSError:
            pass  # EIO: the last process has closed the terminal
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_label_review_records_each_key_at_once_and_goes_on_another_day(reviewed: Host) -> None:
    screen = Terminal(reviewed, "label", "review")
    screen.wait_for("1 of 3")
    screen.wait_for("[q]uit")
    screen.press("t")
    screen.wait_for("2 of 3")
    screen.wait_for("[q]uit")
    screen.press("x")
    screen.wait_for("[q]uit")
    screen.press("q")

    assert screen.finish() == 0
    assert "1 labelled, 2 left" in screen.seen
    os.close(screen.descriptor)
    assert len(reviewed.json("label", "list")["labels"]) == 1  # type: ignore[arg-type] # a list

    again = Terminal(reviewed, "label", "review")
    again.wait_for("1 of 2")
    again.press("f")
    again.wait_for("2 of 2")
    again.press("u")
    assert again.finish() == 0
    os.close(again.descriptor)

    done = Terminal(reviewed, "label", "review")
    done.wait_for("nothing to label")
    assert done.finish() == 0
    os.close(done.descriptor)


def test_label_review_gives_the_terminal_back_on_ctrl_c(reviewed: Host) -> None:
    screen = Terminal(reviewed, "label", "review")
    before = screen.mode()
    screen.wait_for("[q]uit")
    during = screen.mode()

    screen.press("\x03")

    # The mode is read before the last descriptor on the other side closes.
    screen.wait_for("interrupted")
    after = screen.mode()
    assert screen.finish() == 130
    os.close(screen.descriptor)
    assert not during & termios.ICANON
    assert before & termios.ICANON
    assert after & (termios.ICANON | termios.ECHO) == before & (termios.ICANON | termios.ECHO)


def pressed(keys: str, count: int) -> list[tuple[str, Verdict]]:
    """Play keys to a screen with so many signals; gives what it recorded."""
    left, recorded = list(keys), []
    screen = LabelScreen(
        read_key=lambda: left.pop(0) if left else "",
        write_line=lambda _: None,
        show=lambda _: (),
        record=lambda signal, verdict: recorded.append((signal.session_id, verdict)),
    )
    found: list[Signal] = [a_signal(number) for number in range(count)]
    screen.run(found)
    return recorded


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "tfwu",
            [("s0", Verdict.RIGHT), ("s1", Verdict.WRONG), ("s2", Verdict.WONTFIX), ("s3", Verdict.UNSURE)],
        ),
        ("s t", [("s2", Verdict.RIGHT)]),
        ("tbf", [("s0", Verdict.RIGHT), ("s0", Verdict.WRONG)]),
        ("bT", [("s0", Verdict.RIGHT)]),
        ("zt\x1b[A", [("s0", Verdict.RIGHT)]),
        ("tq", [("s0", Verdict.RIGHT)]),
        ("", []),
    ],
)
def test_keys_mean_what_the_screen_says(keys: str, expected: list[tuple[str, Verdict]]) -> None:
    assert pressed(keys, 4) == expected


def test_trend_counts_weeks_and_alerts(reviewed: Host) -> None:
    text = reviewed.run("review", "trend", "--weeks", "2").stdout
    document = reviewed.json("review", "trend", "--weeks", "2")

    assert "rgg: command not found" in text
    assert len(document["days"]) == 14  # type: ignore[arg-type] # a list
    assert {mark["by"] for mark in document["p0"]} == {"tool", "signature"}  # type: ignore[call-overload,index,union-attr] # objects


def test_report_is_one_private_file(reviewed: Host, tmp_path: Path) -> None:
    target = tmp_path / "report.html"

    done = reviewed.run("review", "report", "--html", str(target))
    piped = reviewed.run("review", "report", "--html", "-")

    assert done.stdout == f"{target}\n"
    assert target.read_text() == piped.stdout
    assert piped.stdout.startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert reviewed.run("review", "report").returncode == 2


def test_nightly_json_carries_the_signals_and_nothing_else_is_on_stdout(reviewed: Host) -> None:
    broken = reviewed.root / "chats" / "s9"
    broken.mkdir()
    (broken / "log.jsonl").write_bytes(b"no json at all\n\xff\xfe\n")

    done = reviewed.run("review", "nightly", "--json")
    document = json.loads(done.stdout)

    assert document["schema_version"] == 3
    assert len(document["signals"]) == 5
    assert document["p0_signatures"][0]["failures"] == 3
    assert document["fleet"]["hosts"][0]["coverage"]["bad_lines"] > 0
    assert document["spend"]["total_usd"] is None
    text = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text()
    assert {key for key in document if f"`{key}`" not in text} == set()
