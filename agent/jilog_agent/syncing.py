"""One exchange with several peers from a command: shared by ``sync``, ``repair`` and ``init --from``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from jilog_agent.replication import rate_of
from jilog_agent.vouching import trusted_authorities
from jilog_agent.workspace import Workspace
from jilog_ledger.times import SECOND_NS, now_ns
from jilog_spool import limits
from jilog_spool.peers import Peer
from jilog_spool.replica import Replica
from jilog_spool.session import Event, Session, SessionOptions
from jilog_spool.ssh import SshSettings, SshTransport
from jilog_spool.sync import OnEvent, PeerResult, sync_peers


def ssh_settings(workspace: Workspace) -> SshSettings:
    """Say how this host connects: its own key first, and the host keys that jilog itself learnt, too."""
    home = workspace.home
    return SshSettings(
        key=home.key_path,
        known_hosts=(home.known_hosts_path,),
        authorities=lambda: trusted_authorities(workspace.config, home, workspace.disk),
        connect_seconds=float(workspace.config.spool.timeout_seconds),
    )


ANSWER_SECONDS_MIN = 10.0
"""How long a warm peer may take to answer, however short the interval: a busy host needs some seconds."""


def session_options(
    *,
    live: bool = False,
    forecast: bool = False,
    full: Callable[[], str | None] = lambda: None,
    every_seconds: float = limits.GOSSIP_SECONDS,
) -> SessionOptions:
    """Give the options of this host's sessions: each tells the peer its version and what its clock shows.

    One that stays open notices within two times ``every_seconds`` that its peer has gone silent.
    """
    return SessionOptions(
        live=live,
        forecast=forecast,
        software=version("jilog"),
        clock=lambda: now_ns() // SECOND_NS,
        full=full,
        gossip_seconds=min(limits.GOSSIP_SECONDS, every_seconds),
        answer_seconds=min(limits.SILENCE_SECONDS_MAX, max(ANSWER_SECONDS_MIN, every_seconds)),
    )


def run_sync(
    workspace: Workspace,
    peers: Sequence[Peer],
    replicas: Mapping[str, Replica],
    source: str,
    *,
    on_event: OnEvent | None = None,
    forecast: bool = False,
    bytes_per_second: int | None = None,
) -> list[PeerResult]:
    """Sync ``replicas`` with each peer over SSH, and wait for all; see :func:`sync_peers`.

    ``forecast`` only finds out what would move. ``bytes_per_second`` goes before what the config says.
    """
    transport = _Limited(workspace, bytes_per_second)
    options = session_options(forecast=forecast)
    return asyncio.run(
        sync_peers(peers, replicas, transport, source=source, on_event=on_event, options=options)
    )


@dataclass(frozen=True, slots=True)
class _Limited:
    """SSH, each session within its peer's share of the line."""

    workspace: Workspace
    bytes_per_second: int | None

    async def run(self, peer: Peer, session: Session, on_event: Callable[[Event], None]) -> None:
        """Run a session with a peer; see :class:`SshTransport`."""
        rate = self.bytes_per_second
        rate = rate_of(self.workspace.config, peer.name) if rate is None else rate
        transport = SshTransport(ssh_settings(self.workspace), lambda _session, pump: pump.limit(rate))
        await transport.run(peer, session, on_event)
