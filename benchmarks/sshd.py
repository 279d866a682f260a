"""A private OpenSSH server on the loopback, for benchmarks that need the same transport for everybody."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jilog_ledger.keys import SigningKey
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings
from jilog_spool.ssh_server import openssh_public_key

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach it: for jilog, and as the ``ssh`` command line that rsync and git take.

    ``process`` is the server's id, 0 when it is another process's.
    """

    settings: SshSettings
    port: int
    ssh: str
    process: int = 0

    def processor_seconds(self) -> float:
        """Read the processor time of all connections that have ended, and of what they ran and waited for."""
        own = Path(f"/proc/{self.process}")
        while (own / f"task/{self.process}/children").read_text():
            time.sleep(0.02)
        fields = (own / "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")

    def peer(self, command: str) -> Peer:
        """Give the peer at which jilog runs ``command``."""
        return Peer("far", host="127.0.0.1", port=self.port, user=getpass.getuser(), command=command)

    @property
    def address(self) -> str:
        """The far end for rsync and git."""
        return f"{getpass.getuser()}@127.0.0.1"


def missing() -> str | None:
    """Say what is missing to run one; None when nothing is."""
    if not SSHD.exists() or shutil.which("ssh") is None:
        return "OpenSSH's sshd and ssh are not installed"
    return None


def reach(directory: Path, port: int) -> Server:
    """Say how to reach the server whose files are in ``directory``."""
    known = directory / "known_hosts"
    ssh = f"ssh -p {port} -i {directory / 'user.key'} -F none -o UserKnownHostsFile={known}"
    settings = SshSettings(key=directory / "user.key", known_hosts=(known,), config=(), use_user_keys=False)
    return Server(settings, port, ssh)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Server]:
    """Run a server that lets one new key in; everything it needs is below ``directory``."""
    directory.mkdir(parents=True)
    host, user = SigningKey.generate(), SigningKey.generate()
    host.save(directory / "host.key")
    user.save(directory / "user.key")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    known = directory / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {openssh_public_key(host.public_key)}\n")
    keys = directory / "authorized_keys"
    keys.write_text(openssh_public_key(user.public_key) + "\n")
    keys.chmod(0o600)
    config = directory / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {directory / 'host.key'}\nAuthorizedKeysFile {keys}\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        while "Server listening" not in (line := process.stderr.readline()):
            if not line:
                raise RuntimeError("sshd did not start")
        yield replace(reach(directory, port), process=process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=30)
