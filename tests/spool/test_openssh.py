"""A real OpenSSH server with a forced command in authorized_keys: the whole server set-up of a host."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_ledger.errors import PeerError
from jilog_spool.ssh import run_over_ssh
from support import spool_serve
from support.spool_fleet import drafts, held_bytes, session, zone_store
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
