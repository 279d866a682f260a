"""``jilog peer``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.names import PEER, ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.identity import public_key_line
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jilog_agent.sightings import Sighting
    from jilog_spool.peers import Peer
    from jilog_spool.ssh_trust import HostKey

_THIS = "jilog_agent.cli.peer"

group = LazyGroup(
    name="peer",
    help="Say which hosts to replicate with.",
    examples=(
        "jilog peer add desktop desktop.example.org",
        "jilog peer list",
        "jilog peer add --print desktop",
    ),
    table={
        "add": Entry(f"{_THIS}:add", "Add a peer, or change one."),
        "pair": Entry("jilog_agent.cli.peer_pair:pair", "Make two hosts peers by a short code."),
        "list": Entry(f"{_THIS}:list_", "List the known peers."),
        "scan": Entry(f"{_THIS}:scan", "Look for hosts on the local network and in ~/.ssh/config."),
        "trust": Entry(f"{_THIS}:trust", "Set the one host key that a peer may have."),
        "remove": Entry(f"{_THIS}:remove", "Forget a peer; its events stay."),
    },
)


@click.command(
    "add",
    cls=JilogCommand,
    examples=(
        "jilog peer add desktop desktop.example.org --user me",
        "jilog peer add nas 192.0.2.7 --port 7722 --host-key 'ssh-ed25519 AAAA...'",
        "jilog peer add --print desktop",
    ),
)
@click.argument("name")
@click.argument("host", required=False)
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="SSH port.")
@click.option("--user", metavar="NAME", help="SSH user.")
@click.option("--host-key", metavar="KEY", help="The one key it may have: 'ssh-ed25519 AAAA...'.")
@click.option(
    "--zone", "zones", multiple=True, metavar="ID", type=ZONE, help="Grant this zone (default: shared ones)."
)
@click.option("--command", metavar="CMD", help="What to run there (default: jilog spool serve --stdio).")
@click.option("--inbound", is_flag=True, help="It has no endpoint: it calls this host.")
@click.option("--print", "print_only", is_flag=True, help="Only print the line for its authorized_keys.")
@json_option
def add(
    *,
    name: str,
    host: str | None,
    port: int | None,
    user: str | None,
    host_key: str | None,
    zones: tuple[str, ...],
    command: str | None,
    inbound: bool,
    print_only: bool,
    as_json: bool,
) -> None:
    """Add a peer by its name in ~/.ssh/config, or by its host and port. Its host key must be known.

    With --host-key, the host may also log in at this host's own endpoint with that key. Of a peer that is
    known already only what is given changes; --zone names all zones that it is granted.
    """
    workspace = open_workspace()
    from dataclasses import replace

    from jilog_agent.replication import edited_peers, plain_key
    from jilog_spool.peers import Peer

    if print_only:
        _print_login(workspace, name, as_json=as_json)
        return
    for zone in zones:
        workspace.config.zone(zone)
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "user": user,
        "host_key": None if host_key is None else plain_key(host_key),
        "next_host_key": None if host_key is None else "",
        "command": command,
        "zones": zones or None,
        # Who is given an address has an endpoint.
        "inbound": True if inbound else False if host is not None else None,
    }
    with edited_peers(workspace.home, workspace.disk) as table:
        before = table.get(name)
        changes = {key: value for key, value in given.items() if value is not None}
        peer = replace(before or Peer(name), **changes)
        table.put(peer)
    _tell_agent(workspace)
    if as_json:
        print_json({"peer": name, "address": peer.address, "changed": before is not None})
        return
    done = "added" if before is None else "kept" if peer == before else "changed"
    if peer.inbound:
        print_line(f"{done} peer {name}, which calls this host")
        return
    print_line(f"{done} peer {name} at {peer.address}")
    print_line(f"next: jilog spool sync {name}")


def _tell_agent(workspace: Workspace) -> None:
    """Let a running agent act on the change before this command ends: who was removed gets nothing more."""
    from jilog_agent.client import tell_agent

    tell_agent(workspace.home, "reload")


def _print_login(workspace: Workspace, name: str, *, as_json: bool) -> None:
    """Print what lets this host in there: a line for OpenSSH, a command for an endpoint."""
    identity = workspace.identity()
    key = public_key_line(identity.key, identity.source)
    line = f'command="jilog spool serve --stdio",restrict {key}'
    plain = " ".join(key.split()[:2])
    step = f"jilog peer add {identity.source} --inbound --host-key '{plain}'"
    if as_json:
        print_json({"authorized_keys": line, "at_an_endpoint": step})
        return
    print_line(line)
    note(f"for an agent's own endpoint instead, on {name}: {step}")


@click.command("list", cls=JilogCommand, examples=("jilog peer list", "jilog peer list --json"))
@json_option
def list_(*, as_json: bool) -> None:
    """List the peers of `jilog peer add` and of the config file."""
    workspace = open_workspace()
    from jilog_agent.cli.peer_authorities import authority_documents, print_authorities
    from jilog_agent.replication import granted_zones, peer_table

    peers = peer_table(workspace.config, workspace.home, workspace.disk).peers()
    if as_json:
        print_json(
            {
                "authorities": authority_documents(workspace),
                "peers": [
                    {
                        "name": peer.name,
                        "address": peer.address,
                        "port": peer.port or None,
                        "user": peer.user or None,
                        "host_key": peer.host_key or None,
                        "inbound": peer.inbound,
                        "zones": list(granted_zones(workspace.config, peer)),
                    }
                    for peer in peers
                ],
            }
        )
        return
    if not peers:
        print_line("no peers yet; add one: jilog peer add NAME HOST")
        print_authorities(workspace)
        return
    rows = [
        (
            peer.name,
            _place(peer),
            "pinned" if peer.host_key else "known_hosts",
            ", ".join(granted_zones(workspace.config, peer)),
        )
        for peer in peers
    ]
    print_table(("PEER", "ADDRESS", "HOST KEY", "ZONES"), rows)
    print_authorities(workspace)


def _place(peer: Peer) -> str:
    if peer.inbound:
        return "(it calls this host)"
    user, port = f"{peer.user}@" if peer.user else "", f":{peer.port}" if peer.port else ""
    return f"{user}{peer.address}{port}"


@click.command(
    "trust",
    cls=JilogCommand,
    examples=(
        "jilog peer trust desktop",
        "jilog peer trust desktop 'ssh-ed25519 AAAA...'",
        "jilog peer trust --ca fleet_ca.pub --principals 'box-*'",
    ),
)
@click.argument("name", required=False, type=PEER)
@click.argument("key", required=False)
@click.option("--ca", metavar="FILE|KEY", help="Trust the certificates of this authority.")
@click.option(
    "--principals",
    multiple=True,
    metavar="PATTERN",
    help="With --ca: the hosts it may vouch for; ! excludes.",
)
@click.option("--yes", is_flag=True, help="Pin the key that the host shows now, without asking.")
def trust(
    *, name: str | None, key: str | None, ca: str | None, principals: tuple[str, ...], yes: bool
) -> None:
    """Pin the host key of a peer, given or as the host shows it, as after a change made on purpose.

    Compare the fingerprint on the peer first: ssh-keygen -lf ~/.jilog/identity/id_ed25519.pub

    With --ca: trust an OpenSSH authority. Hosts whose certificates it signed are peers, without a pinned key;
    the first principal is the host's name, and has to match a pattern.
    """
    workspace = open_workspace()
    if ca is not None and name is None:
        from jilog_agent.cli.peer_authorities import trust_authority

        trust_authority(workspace, ca, principals)
        return
    if name is None or ca is not None or principals:
        raise InputError("give a peer, or --ca with --principals", hint="see: jilog peer trust --help")
    from dataclasses import replace

    from jilog_agent.replication import edited_peers, plain_key
    from jilog_spool.peers import PeerTable
    from jilog_spool.ssh_trust import describe_host_key

    peer = PeerTable.load(workspace.home.root, disk=workspace.disk).resolve(name)
    found = describe_host_key(plain_key(key)) if key is not None else _shown_key(workspace, peer)
    if key is None and not yes:
        _ask(name, found)
    with edited_peers(workspace.home, workspace.disk) as table:
        table.put(replace(table.resolve(name), host_key=found.line, next_host_key=""))
    _tell_agent(workspace)
    note(f"peer {name} must have the key {found.fingerprint} from now on")


def _shown_key(workspace: Workspace, peer: Peer) -> HostKey:
    import asyncio

    from jilog_spool.ssh import SshSettings
    from jilog_spool.ssh_trust import fetch_host_key

    timeout_seconds = float(workspace.config.spool.timeout_seconds)
    return asyncio.run(fetch_host_key(peer, SshSettings(connect_seconds=timeout_seconds)))


def _ask(name: str, found: HostKey) -> None:
    """Ask a person on a terminal; nobody else can have compared anything."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise InputError(
            f"{name} shows the key {found.fingerprint}; nobody is here to compare it",
            hint=f"compare it on that host, then: jilog peer trust {name} --yes",
        )
    click.confirm(f"{name} shows the key {found.fingerprint}. Is that its key?", abort=True, err=True)


@click.command(
    "remove",
    cls=JilogCommand,
    examples=("jilog peer remove desktop", "jilog peer remove --ca fleet_ca.pub"),
)
@click.argument("name", required=False, type=PEER)
@click.option("--ca", metavar="FILE|KEY", help="Trust this authority no more.")
def remove(*, name: str | None, ca: str | None) -> None:
    """Forget a peer, at once, also while it is connected. What it sent stays in the ledger.

    A host that is known by its certificate is excluded by name.
    """
    workspace = open_workspace()
    from jilog_agent.cli.peer_authorities import distrust_authority, exclude_name

    if (name is None) == (ca is None):
        raise InputError("give a peer, or --ca", hint="see: jilog peer remove --help")
    if name is None:
        distrust_authority(workspace, ca or "")
        return
    from jilog_agent.replication import edited_peers

    if any(peer.name == name for peer in workspace.config.peers):
        raise InputError(
            f"peer {name} stands in {workspace.config.path}", hint="remove its [[peer]] table there"
        )
    excluded = exclude_name(workspace, name)
    with edited_peers(workspace.home, workspace.disk) as table:
        if excluded and table.get(name) is None:
            return
        table.remove(name)
    _tell_agent(workspace)
    note(f"removed peer {name}")


@click.command("scan", cls=JilogCommand, examples=("jilog peer scan", "jilog peer scan --seconds 5 --json"))
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 60),
    default=1.5,
    metavar="N",
    help="Look for so long.",
    show_default=True,
)
@json_option
def scan(*, seconds: float, as_json: bool) -> None:
    """Look for hosts: announced on the local network, in ~/.ssh/config, and known already.

    One host found three ways is shown once, by its key. Nothing is trusted: compare the fingerprint on that
    host before adding it.
    """
    workspace = open_workspace()
    import asyncio

    from jilog_agent.replication import SSH_CONFIG, peer_table
    from jilog_agent.sightings import Announced, merge
    from jilog_spool.discovery import scan as look_around
    from jilog_spool.peers import read_ssh_config_hosts

    own_key = workspace.identity().key.public_key
    announced = [
        Announced(item.source, item.public_key, item.addresses, item.port)
        for item in asyncio.run(look_around(seconds))
        if item.public_key != own_key
    ]
    peers = peer_table(workspace.config, workspace.home, workspace.disk).peers()
    hosts = merge(peers, announced, read_ssh_config_hosts(SSH_CONFIG.expanduser()))
    if as_json:
        print_json({"hosts": [host.to_json() for host in hosts]})
    else:
        _print_hosts(hosts)


def _print_hosts(hosts: Sequence[Sighting]) -> None:
    from jilog_agent.sightings import fingerprint, public_key_text

    if not hosts:
        print_line("nobody found; an agent is announced when [agent] has listen and mdns")
        return
    rows = [
        (
            host.name,
            f"{host.address}:{host.port}" if host.port else host.address,
            fingerprint(host.public_key) if host.public_key else "-",
            ", ".join(host.ways),
            f"peer {host.peer}" if host.peer else "not known",
        )
        for host in hosts
    ]
    print_table(("HOST", "ADDRESS", "KEY", "FOUND BY", "STATE"), rows)
    for host in hosts:
        if host.peer is None and host.public_key:
            key = public_key_text(host.public_key)
            note(
                f"to add it: jilog peer add {host.name} {host.address} --port {host.port} --host-key '{key}'"
            )
