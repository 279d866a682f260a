"""A real OpenSSH server and client: forced commands, jump hosts, and certificates of an authority."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import PeerError
from jilog_spool import wire
from jilog_spool.peers import DEFAULT_COMMAND, Peer, read_ssh_config_hosts
from jilog_spool.session import Session
from jilog_spool.ssh import SshSettings, run_over_ssh
from jilog_spool.ssh_certificates import Authorities
from jilog_spool.ssh_certificates import Authority as TrustedAuthority
from jilog_spool.ssh_server import Logins, SpoolServer, openssh_public_key
from support import spool_serve
from support.certificates import Authority
from support.spool_fleet import drafts, held_bytes, key_of, memory_replica, session, zone_store
from support.sshd import OPENSSH, Sshd

pytestmark = pytest.mark.skipif(not OPENSSH, reason="needs root and OpenSSH's /usr/sbin/sshd")


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


def test_host_behind_a_jump_host_is_reached_as_the_ssh_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An included file, a Match block and ProxyJump; without the jump host nothing is reached."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    jump, target = Sshd(tmp_path / "jump"), Sshd(tmp_path / "target")
    ssh, user = tmp_path / ".ssh", getpass.getuser()
    (ssh / "conf.d").mkdir(parents=True, mode=0o700)
    key_of("user").save(ssh / "id_ed25519")
    python = shutil.which(sys.executable) or sys.executable
    target.allow(f"{python} {spool_serve.__file__} {tmp_path} b")
    mine, theirs = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    theirs.append(drafts(7))
    settings = SshSettings(key=target.directory / "a.key")

    def sync() -> None:
        asyncio.run(run_over_ssh(Peer("attic"), session(mine), settings))

    with target.running():
        with jump.running():
            user_key = openssh_public_key(key_of("user").public_key)
            place = f"127.0.0.1:{target.port}"
            jump.authorized_keys.write_text(f'restrict,port-forwarding,permitopen="{place}" {user_key}\n')
            known = [(sshd.directory / "known_hosts").read_text() for sshd in (jump, target)]
            (ssh / "known_hosts").write_text("".join(known))
            (ssh / "config").write_text(
                f"Include conf.d/*\nMatch originalhost attic\n  User {user}\n  Port {target.port}\n"
            )
            (ssh / "conf.d" / "hosts").write_text(
                "Host attic\n  HostName 127.0.0.1\n  ProxyJump hop\n"
                f"Host hop\n  HostName 127.0.0.1\n  Port {jump.port}\n  User {user}\n"
            )
            assert read_ssh_config_hosts(ssh / "config") == ["attic", "hop"]
            sync()
        with pytest.raises(PeerError):
            sync()

    assert held_bytes(mine) == held_bytes(theirs)


def test_sshd_with_certificates_of_the_authority_needs_no_key_of_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority = Authority(tmp_path / "ca")
    folder, python = tmp_path / "b-host", shutil.which(sys.executable) or sys.executable
    server = Sshd(
        folder,
        f"TrustedUserCAKeys {authority.public_path}",
        f"HostCertificate {folder / 'host.key-host-cert.pub'}",
        f"ForceCommand {python} {spool_serve.__file__} {tmp_path} b",
    )
    authority.sign(folder / "host.key", "b", host=True)
    authority.sign(folder / "a.key", f"alpha,{getpass.getuser()}")
    trusted = Authorities((TrustedAuthority(" ".join(authority.public.split()[:2]), ("b", "c")),))
    settings = SshSettings(key=folder / "a.key", config=(), use_user_keys=False, authorities=lambda: trusted)
    mine, theirs = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    theirs.append(drafts(5))

    with server.running():
        asyncio.run(run_over_ssh(server.peer, session(mine), settings))
        with pytest.raises(PeerError, match="principal mismatch"):
            asyncio.run(run_over_ssh(replace(server.peer, name="c"), session(mine), settings))

    assert held_bytes(mine) == held_bytes(theirs)


def test_openssh_client_with_a_certificate_gets_the_spool_of_the_own_endpoint_and_nothing_else(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "ca")
    key_of("a").save(tmp_path / "a.key")
    key_of("b").save(tmp_path / "b.key")
    certificate = authority.sign(tmp_path / "a.key", "alpha")
    authority.sign(tmp_path / "b.key", "beta", host=True)
    (tmp_path / "known_hosts").write_text(f"@cert-authority beta {authority.public}\n")
    line = " ".join(authority.public.split()[:2])
    met: list[str] = []

    def by_certificate(key: str, principals: Sequence[str]) -> str:
        if key != line or list(principals) != ["alpha"]:
            raise PeerError("not trusted")
        return principals[0]

    def begin(name: str) -> Session:
        met.append(name)
        return session(memory_replica("b"))

    async def call(port: int, command: str) -> tuple[int | None, bytes]:
        options = [f"UserKnownHostsFile={tmp_path / 'known_hosts'}", "HostKeyAlias=beta"]
        options += ["IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        options += [f"CertificateFile={certificate}"]
        process = await asyncio.create_subprocess_exec(
            *("ssh", "-F", "none", "-T", "-p", str(port), "-i", str(tmp_path / "a.key")),
            *(word for option in options for word in ("-o", option)),
            *("somebody@127.0.0.1", command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out

    async def play() -> None:
        logins = Logins(lambda _: None, by_certificate)
        server = await SpoolServer.start(tmp_path / "b.key", authorise=logins, new_session=begin)
        async with server:
            _, said = await call(server.port, DEFAULT_COMMAND)
            status, shell = await call(server.port, "id")
        assert said.startswith(wire.MAGIC)
        assert status != 0
        assert shell == b""

    asyncio.run(asyncio.wait_for(play(), 60))

    assert met == ["alpha"]
