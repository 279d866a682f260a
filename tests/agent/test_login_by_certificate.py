"""Hosts behind a real sshd that lets certificates in, by the lines that ``docs/certificates.md`` gives."""

from __future__ import annotations

import getpass
import shlex
from pathlib import Path

import pytest

from jilog_spool.ssh_server import openssh_public_key
from support.agent_hosts import new_host
from support.certificates import Authority
from support.spool_fleet import key_of
from support.sshd import OPENSSH, Sshd

pytestmark = pytest.mark.skipif(not OPENSSH, reason="needs root and OpenSSH's /usr/sbin/sshd")


@pytest.mark.parametrize("way", ["AuthorizedPrincipalsFile", "cert-authority"])
def test_forced_command_names_the_host_of_the_certificate(tmp_path: Path, way: str) -> None:
    authority = Authority(tmp_path / "ca")
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    authority.sign(alpha.state / "identity" / "id_ed25519", "alpha")
    beta.run("peer", "trust", "--ca", str(authority.public_path), "--principals", "alpha")
    serve = shlex.join(["env", f"HOME={beta.root}", *beta.command("spool", "serve", "--stdio")])
    options = f'command="{serve} --peer alpha",restrict'
    principals = tmp_path / "principals"
    principals.write_text(f"{options} alpha\n")
    by_file = (f"TrustedUserCAKeys {authority.public_path}", f"AuthorizedPrincipalsFile {principals}")
    sshd = Sshd(tmp_path / "sshd", *(by_file if way == "AuthorizedPrincipalsFile" else ()))
    if way == "cert-authority":
        sshd.authorized_keys.write_text(f'cert-authority,principals="alpha",{options} {authority.public}\n')
        sshd.authorized_keys.chmod(0o600)
    alpha.run("supervise", "--task", "by-certificate", "--", "true")

    with sshd.running():
        key = openssh_public_key(key_of("sshd").public_key)
        login = ("--port", str(sshd.port), "--user", getpass.getuser(), "--host-key", key)
        assert alpha.run("peer", "add", "beta", "127.0.0.1", *login).returncode == 0
        done = alpha.run("spool", "sync")

    assert done.returncode == 0, done.stderr
    (peer,) = beta.json("spool", "status")["peers"]  # type: ignore[misc] # a list, as documented
    assert (peer["peer"], peer["last_sync"]["ok"]) == ("alpha", True)
    assert peer["last_sync"]["events_received"] > 0
