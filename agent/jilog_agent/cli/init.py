"""``jilog init``."""

from __future__ import annotations

import click

from jilog_agent.cli.failure import warn
from jilog_agent.cli.init_found import asked, found_document, neighbours, print_found, working_folder
from jilog_agent.cli.lazy import JilogCommand, global_options
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.config import ConfigSources, load_config
from jilog_agent.home import Home
from jilog_agent.identity import Identity, public_key_line
from jilog_agent.setup import target_config_path, write_config
from jilog_agent.surroundings import Surroundings, look
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import Writer, check_name


@click.command(
    "init",
    cls=JilogCommand,
    examples=(
        "jilog init",
        "jilog init --source laptop --zone ops",
        "jilog init --scan --yes",
        "jilog init --from nas --source laptop",
        "jilog init --from nas --host 192.0.2.7 --port 7722 --host-key 'ssh-ed25519 AAAA...'",
    ),
)
@click.option("--source", metavar="NAME", help="Name this host's events carry (default: its host name).")
@click.option("--zone", metavar="ID", help="The first zone (default: main).")
@click.option("--from", "peer", metavar="PEER", help="Restore a lost host from what this peer holds.")
@click.option("--host", metavar="ADDRESS", help="With --from: where the peer is, unless ssh knows its name.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="With --from: its SSH port.")
@click.option("--user", metavar="NAME", help="With --from: its SSH user.")
@click.option("--host-key", metavar="KEY", help="With --from: the key it must have: 'ssh-ed25519 AAAA...'.")
@click.option("--yes", is_flag=True, help="Use the hosts of ~/.ssh/config and the tracker found here.")
@click.option("--scan", is_flag=True, help="Look for hosts on the local network, too.")
@json_option
def command(
    *,
    source: str | None,
    zone: str | None,
    peer: str | None,
    host: str | None,
    port: int | None,
    user: str | None,
    host_key: str | None,
    yes: bool,
    scan: bool,
    as_json: bool,
) -> None:
    """Set this host up: a key, a first zone, a config file with what is found here.

    Transcripts of coding agents are read from then on. Hosts of ~/.ssh/config and a tracker (beads or the
    repository on GitHub of this folder) are asked about on a terminal, used with --yes, and else written
    down as comments.

    What is there already stays as it is, so the command may be run again at any time. With --from everything
    that the peer holds of the zones comes here first: give --source the name of the lost host, and its events
    are back, and it goes on in a new epoch. What was interrupted goes on; a home with a ledger in it is never
    touched.
    """
    if peer is None and any(value is not None for value in (host, port, user, host_key)):
        raise InputError(
            "--host, --port, --user and --host-key belong to --from", hint="see: jilog init --help"
        )
    for kind, name in (("source", source), ("zone", zone)):
        if name is not None:
            check_name(kind, name)
    options = global_options()
    sources = ConfigSources.of_process(options.config, options.home)
    first = not target_config_path(sources).exists()
    found = look(sources.user_home, sources.environment, working_folder()) if first else Surroundings()
    wanted = asked(found, yes=yes, may_ask=peer is None and not as_json)
    config_written = write_config(sources, RealDisk(), zone, found, wanted)
    config = load_config(sources)
    chosen = config.zone(zone)
    workspace = Workspace(config, Home(config.home), warn)
    if peer is not None:
        from jilog_agent.cli.init_from import restore
        from jilog_agent.replication import plain_key
        from jilog_spool.peers import Peer

        place = Peer(peer, host or "", port or 0, user or "", plain_key(host_key or ""))
        restore(workspace, place.check(), source, chosen.id, as_json=as_json)
        return
    identity = workspace.ensure_identity(source)
    if source is not None and identity.source != source:
        warn(
            f"this host already writes as {identity.source}",
            f'to change that, set source = "{source}" in {config.path}',
        )
    with workspace.open_zone(chosen, identity) as ledger:
        writer = ledger.shared.own_writer
    nearby = neighbours(identity.key.public_key) if scan else []
    if as_json:
        print_json(
            {
                "home": str(workspace.home.root),
                "config": str(target_config_path(sources)),
                "config_written": config_written,
                "source": identity.source,
                "epoch": writer.epoch,
                "key_created": identity.created,
                "public_key": public_key_line(identity.key, identity.source),
                "zone": chosen.id,
                "ledger_path": str(chosen.ledger_path),
                "readers": [reader.name for reader in config.readers],
                **found_document(found, wanted, nearby),
            }
        )
        return
    _print_report(workspace, identity, writer, chosen.id, config_written=config_written)
    print_found(found, wanted, nearby)
    print_line()
    print_line("next: jilog supervise --task hello -- echo hello")
    print_line("then: jilog query --since 1h")


def _print_report(
    workspace: Workspace, identity: Identity, writer: Writer, zone_id: str, *, config_written: bool
) -> None:
    config, home = workspace.config, workspace.home
    zone = config.zone(zone_id)
    readers = ", ".join(reader.name for reader in config.readers) or "none found"
    made = {True: "made", False: "kept"}
    print_line(f"{made[config_written]}  config   {config.path}")
    print_line(f"{made[identity.created]}  key      {home.key_path}")
    print_line(f"ready zone     {zone.id} at {zone.ledger_path}")
    print_line(f"      source   {identity.source} (epoch {writer.epoch})")
    print_line(f"      readers  {readers}")
