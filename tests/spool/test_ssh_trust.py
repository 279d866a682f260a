"""Looking at a host's key before pinning it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError, PeerError
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings
from jilog_spool.ssh_server import SpoolServer, openssh_public_key
from jilog_spool.ssh_trust import HostKey, describe_host_key, fetch_host_key
from support.spool_fleet import key_of, memory_replica, session

SETTINGS = SshSettings(config=(), use_user_keys=False)


def test_key_that_a_host_shows_is_the_one_to_pin(tmp_path: Path) -> None:
    key_of("b").save(tmp_path / "b.key")

    async def fetch() -> HostKey:
        server = await SpoolServer.start(
            tmp_path / "b.key",
            authorise=lambda _: None,
            new_session=lambda _: session(memory_replica("b")),
        )
        async with server:
            return await fetch_host_key(Peer("b", host="127.0.0.1", port=server.port), SETTINGS)

    found = asyncio.run(fetch())

    assert found.line == openssh_public_key(key_of("b").public_key)
    assert found == describe_host_key(found.line + " comment")
    assert Peer("b", host_key=found.line).check().host_key == found.line


def test_host_that_is_away_has_no_key_to_show() -> None:
    with pytest.raises(PeerError, match="refused the connection"):
        asyncio.run(fetch_host_key(Peer("b", host="127.0.0.1", port=1), SETTINGS))


def test_line_that_is_no_key_is_refused() -> None:
    with pytest.raises(InputError, match="not an SSH public key"):
        describe_host_key("ssh-ed25519 nonsense")
