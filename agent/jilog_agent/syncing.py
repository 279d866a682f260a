"""One exchange with several peers from a command: shared by ``sync``, ``repair`` and ``init --from``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from jilog_agent.workspace import Workspace
from jilog_spool.peers import Peer
from jilog_spool.replica import Replica
from jilog_spool.session import SessionOptions
from jilog_spool.ssh import SshSettings, SshTransport
from jilog_spool.sync import OnEvent, PeerResult, sync_peers


def ssh_settings(workspace: Workspace) -> SshSettings:
    """Say how this host connects: its own key first, and the host keys that jilog itself learnt, too."""
    home = workspace.home
    return SshSettings(
        key=home.key_path,
        known_hosts=(home.known_hosts_path,),
        connect_seconds=float(workspace.config.spool.timeout_seconds),
    )


def run_sync(
    workspace: Workspace,
    peers: Sequence[Peer],
    replicas: Mapping[str, Replica],
    source: str,
    *,
    on_event: OnEvent | None = None,
    options: SessionOptions | None = None,
) -> list[PeerResult]:
    """Sync ``replicas`` with each peer over SSH, and wait for all; see :func:`sync_peers`."""
    transport = SshTransport(ssh_settings(workspace))
    return asyncio.run(
        sync_peers(peers, replicas, transport, source=source, on_event=on_event, options=options)
    )
