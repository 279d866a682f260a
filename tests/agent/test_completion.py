"""Completion as people meet it: a real shell, a real terminal, the Tab key."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from support.jilog_cli import Host

DEADLINE_SECONDS = 60.0

LOAD = {
    "bash": 'eval "$(jilog completion bash)"',
    "zsh": 'autoload -Uz compinit; compinit -D -u; eval "$(jilog completion zsh)"',
    "fish": "jilog completion fish | source",
}
START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SHELLS = [
    pytest.param(
        shell,
        marks=pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed: not tried"),
    )
    for shell in LOAD
]


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """A folder with the program that the shells find on their PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "jilog"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m jilog_agent "$@"\n')
    program.chmod(0o755)
    return folder


class Terminal:
    """A shell at the other end of a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._seen = ""

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until a text has come after what was waited for before."""
        deadline = monotonic() + DEADLINE_SECONDS
        while text not in self._seen:
            assert monotonic() < deadline, f"{text!r} did not come; there is {self._seen[-800:]!r}"
            if select.select([self._descriptor], [], [], 0.1)[0]:
                self._answer(os.read(self._descriptor, 4096).decode(errors="replace"))
        self._seen = self._seen.split(text, 1)[1]

    def _answer(self, read: str) -> None:
        """Say what a terminal says when it is asked who it is: fish waits for that."""
        self._seen += read
        if "\x1b[c" in read or "\x1b[0c" in read:
            self.type("\x1b[?62c")


@contextmanager
def shell_of(shell: str, host: Host, bin_dir: Path) -> Iterator[Terminal]:
    path = f"{bin_dir}:{os.environ['PATH']}"
    environment = host.environment(
        PATH=path, TERM="dumb" if shell != "fish" else "xterm", PS1="$ ", HISTFILE=""
    )
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            os.chdir(host.root)
            os.execvpe(START[shell][0], START[shell], environment)
        finally:
            os._exit(99)
    try:
        terminal = Terminal(descriptor)
        terminal.type(f"{LOAD[shell]}\r")
        terminal.type("echo loa''ded\r")
        terminal.wait_for("loaded")
        yield terminal
    finally:
        os.close(descriptor)
        os.waitpid(pid, 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_completes_commands_options_and_peers(shell: str, host: Host, bin_dir: Path) -> None:
    host.run("init")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert host.run("peer", "add", "workbench", "192.0.2.7", "--host-key", key).returncode == 0

    with shell_of(shell, host, bin_dir) as terminal:
        terminal.type("jilog rebu\t")
        terminal.wait_for("ild")
        terminal.type("\x15")
        terminal.type("jilog peer remove work\t")
        terminal.wait_for("bench")
        terminal.type("\x15")
        terminal.type("jilog query --subs\t")
        terminal.wait_for("ystem")


def asked(host: Host, words: str, position: int) -> list[str]:
    """Ask as the script of bash does: words of the line, and which of them is being typed."""
    done = subprocess.run(
        host.command(),
        env=host.environment(_JILOG_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(position)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [line.partition(",")[2] for line in done.stdout.split()]


def test_every_command_is_offered_where_nothing_was_typed_yet(host: Host) -> None:
    from jilog_agent.cli.root import TABLE

    assert asked(host, "jilog ", 1) == list(TABLE)


def test_zones_are_offered_and_a_config_that_cannot_be_read_offers_none(host: Host) -> None:
    host.config.write_text('[[zones]]\nid = "ops"\n[[zones]]\nid = "open"\n[[zones]]\nid = "main"\n')
    assert asked(host, "jilog query --zone o", 3) == ["ops", "open"]

    host.config.write_text("[[zones]\n")

    assert asked(host, "jilog query --zone o", 3) == []


def test_while_somebody_types_no_heavy_library_is_imported(host: Host) -> None:
    code = (
        "import sys; from jilog_agent.main import run; run([]);"
        "sys.exit(bool({'asyncssh', 'sqlalchemy', 'zeroconf', 'aiohttp'} & set(sys.modules)))"
    )
    asks = host.environment(_JILOG_COMPLETE="bash_complete", COMP_WORDS="jilog ", COMP_CWORD="1")

    done = subprocess.run([sys.executable, "-c", code], env=asks, capture_output=True, check=False)

    assert done.returncode == 0


def test_a_shell_nobody_knows_is_named_with_those_that_are(host: Host) -> None:
    done = host.run("completion", "powershell")

    assert done.returncode == 2
    assert "bash" in done.stderr
