"""``jilog peer pair``: two hosts become peers by a short code."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json_line, print_line
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.identity import Identity
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import InputError, PeerError

if TYPE_CHECKING:
    from jilog_agent.introductions import Wish
    from jilog_spool.discovery import PairingFound
    from jilog_spool.pairing import Introduced, Me
    from jilog_spool.pairing_code import PairingCode
    from jilog_spool.pairing_net import Storing
    from jilog_spool.peers import Peer

EVERYWHERE = "0.0.0.0:0"


@click.command(
    "pair",
    cls=JilogCommand,
    examples=(
        "jilog peer pair                               # here: shows a code such as k7-4f9-q2m",
        "jilog peer pair k7-4f9-q2m                    # on the other host",
        "jilog peer pair k7-4f9-q2m 192.0.2.7:40123    # where the local network is not seen",
    ),
)
@click.argument("code", required=False)
@click.argument("host", required=False, metavar="[HOST[:PORT]]")
@click.option("--name", metavar="NAME", help="Call the peer so here (default: the name it writes under).")
@click.option(
    "--zone", "zones", multiple=True, metavar="ID", type=ZONE, help="Grant this zone (default: shared ones)."
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Without a code: wait here.",
    default=EVERYWHERE,
    show_default=True,
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 300),
    default=300,
    metavar="N",
    help="Without a code: wait so long.",
    show_default=True,
)
@json_option
def pair(
    *,
    code: str | None,
    host: str | None,
    name: str | None,
    zones: tuple[str, ...],
    listen: str,
    seconds: float,
    as_json: bool,
) -> None:
    """Make this host and another one peers of each other.

    Without a code it shows one and waits; with the code of the other host it finishes the pairing. The code
    binds the keys of both: nobody in between can take part. It dies when it was used, after five minutes, and
    after three wrong tries. An agent may be running or not.
    """
    from jilog_agent.introductions import Wish
    from jilog_ledger.identifiers import check_name
    from jilog_spool.pairing_code import PairingCode

    workspace = open_workspace()
    for zone in zones:
        workspace.config.zone(zone)
    wish = Wish(check_name("peer", name) if name else None, zones)
    typed = PairingCode.parse(code) if code else None
    session = _Session(workspace, recording_identity(workspace), wish, as_json=as_json)
    if typed is None:
        asyncio.run(session.invite(_address(listen), seconds))
    else:
        asyncio.run(session.join(typed, host))


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"invalid address {text[:80]!r}", hint="use HOST:PORT, such as 0.0.0.0:0")
    return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class _Session:
    """One pairing from the command line, from either side."""

    workspace: Workspace
    identity: Identity
    wish: Wish
    as_json: bool

    async def invite(self, address: tuple[str, int], seconds: float) -> None:
        """Show a code and wait for the host on which it is typed."""
        from jilog_spool.pairing_code import Invitation, PairingCode
        from jilog_spool.pairing_net import PairingServer

        invitation = Invitation(PairingCode.draw(), time.monotonic(), seconds)
        stored: list[tuple[Peer, str]] = []
        async with (
            await PairingServer.start(
                self._me(),
                invitation,
                self._storing(stored),
                host=address[0],
                port=address[1],
                told=_tell_attempt,
                port_for=self._endpoint_port,
            ) as server,
            _announced(invitation.code, self.identity.source, address[0], server.port),
        ):
            self._show(invitation.code, address[0], server.port, seconds)
            found = await server.paired()
        self._tell(found, *stored[0])

    async def join(self, code: PairingCode, host: str | None) -> None:
        """Pair with the host that shows the code."""
        from jilog_spool.pairing_net import Unreachable, join

        places = await _places(code, host)
        stored: list[tuple[Peer, str]] = []
        for index, (address, port) in enumerate(places, start=1):
            me = self._me(self._endpoint_port(address))
            try:
                found = await join(me, code, address, port, self._storing(stored))
            except Unreachable:
                if index == len(places):
                    raise
            else:
                self._tell(found, *stored[0])
                return

    def _me(self, port: int = 0) -> Me:
        from jilog_spool.pairing import Me

        key = self.identity.key
        return Me(self.identity.source, key.public_key, key.sign, port)

    def _storing(self, stored: list[tuple[Peer, str]]) -> Storing:
        from jilog_spool.pairing_net import Storing

        def check(found: Introduced, address: str) -> None:
            self._newcomer(found, address)

        def store(found: Introduced, address: str) -> None:
            stored.append((self._store(found, address), address))

        return Storing(check, store)

    def _newcomer(self, found: Introduced, address: str) -> Peer:
        from jilog_agent.introductions import Known, newcomer
        from jilog_agent.replication import peer_table

        workspace = self.workspace
        table = peer_table(workspace.config, workspace.home, workspace.disk)
        configured = frozenset(peer.name for peer in workspace.config.peers)
        peers = {peer.name: peer for peer in table.peers()}
        return newcomer(found, address, Known(self.identity.source, peers, configured), self.wish)

    def _store(self, found: Introduced, address: str) -> Peer:
        """Make the peer, durably. A crash before the table is replaced leaves it as it was."""
        from jilog_agent.client import tell_agent
        from jilog_agent.replication import edited_peers

        workspace = self.workspace
        with edited_peers(workspace.home, workspace.disk) as table:
            peer = self._newcomer(found, address)
            if all(peer.name != other.name for other in workspace.config.peers):
                table.put(peer)
        tell_agent(workspace.home, "reload")
        return peer

    def _endpoint_port(self, address: str) -> int:
        """Give the port at which this host's agent answers somebody at ``address``; 0: it does not."""
        listen = self.workspace.config.agent.listen
        if listen is None or (_is_loopback(listen[0]) and not _is_loopback(address)):
            return 0
        return listen[1]

    def _show(self, code: PairingCode, host: str, port: int, seconds: float) -> None:
        from jilog_spool.discovery import own_addresses

        addresses = [host] if host not in ("0.0.0.0", "::") else [*own_addresses()]  # noqa: S104
        if self.as_json:
            print_json_line(
                {
                    "code": str(code),
                    "addresses": [*addresses],
                    "port": port,
                    "seconds": round(seconds),
                    "source": self.identity.source,
                }
            )
        else:
            print_line(f"code: {code}")
            print_line(f"on the other host, within {round(seconds)} seconds: jilog peer pair {code}")
            for address in addresses:
                shown = f"[{address}]" if ":" in address else address
                print_line(f"  or, if it does not find this one: jilog peer pair {code} {shown}:{port}")
        sys.stdout.flush()

    def _tell(self, found: Introduced, peer: Peer, address: str) -> None:
        from jilog_agent.sightings import fingerprint

        if self.as_json:
            print_json_line(
                {
                    "peer": peer.name,
                    "source": found.source,
                    "address": peer.address,
                    "port": peer.port or None,
                    "host_key": peer.host_key,
                    "fingerprint": fingerprint(found.public_key),
                    "inbound": peer.inbound,
                }
            )
            return
        print_line(f"paired with {peer.name}: {fingerprint(found.public_key)}")
        if peer.port:
            print_line(f"next: jilog spool sync {peer.name}")
        elif self._endpoint_port(address):
            print_line(f"next, on {peer.name}: jilog spool sync")
        elif self.workspace.config.agent.listen is not None:
            note(
                f"neither host can call the other: this one answers on the loopback only, and {address} is"
                ' elsewhere: write listen = "0.0.0.0:7722" below [agent] in the config of one of them,'
                " start its agent again, and pair again"
            )
        else:
            note(
                'neither host listens: write listen = "0.0.0.0:7722" below [agent] in the config of one'
                " of them, start its agent, and pair again"
            )


def _tell_attempt(address: str, error: PeerError) -> None:
    warn(f"{address}: {error.message}", error.hint)


@contextlib.asynccontextmanager
async def _announced(code: PairingCode, source: str, host: str, port: int) -> AsyncIterator[None]:
    """Say on the local network that the code may be tried here; without one, people type the address."""
    from jilog_spool.discovery import announced_pairing

    async with contextlib.AsyncExitStack() as stack:
        if not _is_loopback(host):
            try:
                await stack.enter_async_context(announced_pairing(code.public, source, port))
            except PeerError as error:
                warn(error.message, "name this host's address on the other one")
        yield


async def _places(code: PairingCode, host: str | None) -> list[tuple[str, int]]:
    """Give where the code may be tried, each an address of one and the same host.

    Raises:
        PeerError: nobody shows such a code, or more than one host says that it does.
    """
    from jilog_spool import limits
    from jilog_spool.discovery import find_pairings

    if host is not None and host.rpartition(":")[2].isdigit() and not _is_address(host):
        return [_address(host)]
    found = await find_pairings(code.public, limits.PAIRING_FIND_SECONDS)
    fitting = [item for item in found if host is None or host in (item.source, *item.addresses)]
    if not fitting:
        where = f"{host} does not show" if host else "nobody on the local network shows"
        raise PeerError(
            f"{where} the code {code.public}-…",
            hint="is it still shown? name its address and port: jilog peer pair CODE HOST:PORT",
        )
    if len(fitting) > 1:
        shown = ", ".join(_place_text(item) for item in fitting)
        raise PeerError(
            f"more than one host says that it shows this code: {shown}",
            hint="name the one that you see it on: jilog peer pair CODE HOST:PORT",
        )
    return [(address, fitting[0].port) for address in fitting[0].addresses]


def _place_text(found: PairingFound) -> str:
    return f"{found.source} ({found.addresses[0]}:{found.port})"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
