"""A real OpenSSH server with a forced command in authorized_keys: the whole server set-up of a host."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_ledger.errors import PeerError
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings, run_over_ssh
from jilog_spool.ssh_server import openssh_public_key
from support import spool_serve
from support.spool_fleet import drafts, held_bytes, key_of, session, zone_store

SSHD = Path("/usr/sbin/sshd")

pytestmark = pytest.mark.skipif(
    not SSHD.exists() or os.geteuid() != 0, reason="needs root and OpenSSH's /usr/sbin/sshd"
)


class Sshd:
    """A running sshd: how to reach it, and the line that lets host ``a`` in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authorized_keys = directory / "authorized_keys"
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.peer = Peer("b", host="127.0.0.1", port=self.port, user=getpass.getuser())
        key_of("a").save(directory / "a.key")
        key_of("sshd").save(directory / "host.key")
        known = f"[127.0.0.1]:{self.port} {openssh_public_key(key_of('sshd').public_key)}\n"
        (directory / "known_hosts").write_text(known)
        self.settings = SshSettings(
            key=directory / "a.key",
            known_hosts=(directory / "known_hosts",),
            config=(),
            use_user_keys=False,
        )

    def allow(self, command: str) -> None:
        """Let host ``a`` run ``command`` and nothing else."""
        key = openssh_public_key(key_of("a").public_key)
        self.authorized_keys.write_text(f'command="{command}",restrict {key}\n')
        self.authorized_keys.chmod(0o600)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        config = self.directory / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {self.directory / 'host.key'}\n"
            f"AuthorizedKeysFile {self.authorized_keys}\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if "Server listening" in line:
                    break
            else:
                pytest.fail("sshd did not start")
            yield
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    with server.running():
        yield server


def test_forced_command_syncs_both_ways_whatever_command_is_asked_for(sshd: Sshd, tmp_path: Path) -> None:
    python = shutil.which(sys.executable) or sys.executable
    sshd.allow(f"{python} {spool_serve.__file__} {tmp_path} b")
    mine, theirs = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    mine.append(drafts(50))
    mine.seal()
    theirs.append(drafts(40))
    exchange = session(mine)

    asyncio.run(run_over_ssh(sshd.peer, exchange, sshd.settings))

    assert exchange.report.clean
    assert held_bytes(mine) == held_bytes(theirs)


def test_missing_remote_command_is_named(sshd: Sshd, tmp_path: Path) -> None:
    sshd.allow("no-such-jilog spool serve --stdio")

    with pytest.raises(PeerError, match="peer b has no such command") as caught:
        asyncio.run(run_over_ssh(sshd.peer, session(zone_store(tmp_path, "a")), sshd.settings))

    assert "install jilog on 127.0.0.1" in (caught.value.hint or "")


def test_remote_standard_error_is_relayed_as_one_line(sshd: Sshd, tmp_path: Path) -> None:
    sshd.allow("echo first >&2; echo jilog: error: zone main is full >&2; exit 5")

    with pytest.raises(PeerError, match="peer b: first jilog: error: zone main is full"):
        asyncio.run(run_over_ssh(sshd.peer, session(zone_store(tmp_path, "a")), sshd.settings))


def test_shell_that_prints_a_greeting_is_recognised(sshd: Sshd, tmp_path: Path) -> None:
    sshd.allow("echo Welcome to Debian; sleep 60")

    with pytest.raises(PeerError, match="it began with 'Welcome to Debian'"):
        asyncio.run(run_over_ssh(sshd.peer, session(zone_store(tmp_path, "a")), sshd.settings))
