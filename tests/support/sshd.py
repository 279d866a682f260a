"""A real OpenSSH server on loopback, with one line in its authorized_keys."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings
from jilog_spool.ssh_server import openssh_public_key
from support.spool_fleet import key_of

SSHD = Path("/usr/sbin/sshd")
OPENSSH = SSHD.exists() and os.geteuid() == 0
"""Whether this machine can run one; it has to be root's to log in."""

PORTS_TRIED = 5


class Sshd:
    """A running sshd: how to reach it, and the line that lets host ``a`` in."""

    def __init__(self, directory: Path, *more: str) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.more = more
        self.authorized_keys = directory / "authorized_keys"
        key_of("a").save(directory / "a.key")
        key_of("sshd").save(directory / "host.key")
        self.settings = SshSettings(
            key=directory / "a.key",
            known_hosts=(directory / "known_hosts",),
            config=(),
            use_user_keys=False,
        )
        self.choose_port()

    def choose_port(self) -> None:
        """Take a port that is free now; somebody else may take it before sshd does."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.peer = Peer("b", host="127.0.0.1", port=self.port, user=getpass.getuser())
        known = f"[127.0.0.1]:{self.port} {openssh_public_key(key_of('sshd').public_key)}\n"
        (self.directory / "known_hosts").write_text(known)

    def allow(self, command: str, source: str = "a") -> None:
        """Let one host run ``command`` and nothing else."""
        key = openssh_public_key(key_of(source).public_key)
        self.authorized_keys.write_text(f'command="{command}",restrict {key}\n')
        self.authorized_keys.chmod(0o600)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        Path("/run/sshd").mkdir(exist_ok=True)
        for _ in range(PORTS_TRIED):
            process = self._start()
            if process is not None:
                break
            self.choose_port()
        else:
            pytest.fail("sshd did not start")
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=30)

    def _start(self) -> subprocess.Popen[str] | None:
        """Start it; None when it ends before it listens."""
        config = self.directory / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.directory / 'host.key'}\n"
            f"AuthorizedKeysFile {self.authorized_keys}\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\n" + "".join(f"{line}\n" for line in self.more)
        )
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if "Server listening" in line:
                return process
        process.communicate(timeout=30)
        return None
