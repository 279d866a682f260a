"""Look at a host's SSH key without trusting it, so that a person can compare and pin it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from jilog_ledger.errors import InputError, PeerError
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings, base_options
from jilog_spool.ssh_errors import Attempt, explain


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key: the line to pin in the peers table, and the fingerprint that people compare."""

    line: str
    fingerprint: str


async def fetch_host_key(peer: Peer, settings: SshSettings) -> HostKey:
    """Ask a host for its key. Nothing is sent that could identify us, and nothing is trusted.

    Raises:
        PeerError: the host cannot be reached, or shows no plain key.
    """
    attempt = Attempt(peer)
    try:
        options = await asyncio.to_thread(base_options, peer, settings)
        async with asyncio.timeout(settings.connect_seconds):
            key = await asyncssh.get_server_host_key(peer.address, options=options)
    except (OSError, asyncssh.Error, ValueError) as exc:
        raise explain(exc, attempt) from exc
    if key is None:
        raise PeerError(
            f"peer {attempt.place} shows no plain host key", hint="does it use certificates only?"
        )
    return _described(key)


def describe_host_key(line: str) -> HostKey:
    """Read a key as it stands in the peers table or in a ``.pub`` file.

    Raises:
        InputError: it is not a public key.
    """
    try:
        return _described(asyncssh.import_public_key(line))
    except asyncssh.KeyImportError as exc:
        raise InputError(f"not an SSH public key: {line[:80]!r}") from exc


def _described(key: asyncssh.SSHKey) -> HostKey:
    words = key.export_public_key().decode().split()
    return HostKey(" ".join(words[:2]), key.get_fingerprint())
