"""``jilog init --from PEER``: a host made again from what a peer holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jilog_agent.cli.failure import note
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.spool_sync import shown
from jilog_agent.identity import Identity, public_key_line
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import PeerError
from jilog_ledger.event import JsonValue
from jilog_ledger.identifiers import Writer

if TYPE_CHECKING:
    from jilog_agent.restore import Restored
    from jilog_spool.peers import Peer


def restore(workspace: Workspace, peer: Peer, source: str | None, zone: str, *, as_json: bool) -> None:
    """Fetch everything from a peer into a home that has no ledger yet, and say what has to be done next.

    Raises:
        InputError: the home holds a ledger.
        PeerError: the peer could not be reached, or does not let this host in.
    """
    from jilog_agent.restore import begin, fetch, source_peer

    if begin(workspace, peer.name):
        note(f"goes on with the restore from {peer.name}")
    identity = workspace.ensure_identity(source)
    chosen = source_peer(workspace, peer)
    with workspace.zones(None, identity) as ledgers, ProgressLine() as progress:
        writer = next(ledger.shared.own_writer for ledger in ledgers if ledger.zone == zone)
        try:
            restored = fetch(workspace, identity, ledgers, chosen, shown(progress))
        except PeerError as error:
            raise _with_next_step(error, identity, chosen) from error
    if as_json:
        print_json(_document(workspace, identity, writer, chosen, restored))
    else:
        _print(identity, writer, chosen, restored)


def _key(identity: Identity) -> str:
    return " ".join(public_key_line(identity.key, identity.source).split()[:2])


def _trust_step(identity: Identity) -> str:
    """Give what each peer has to type: it knows this host's name with the key that was lost."""
    return f"jilog peer add {identity.source} ADDRESS --host-key '{_key(identity)}'"


def _with_next_step(error: PeerError, identity: Identity, peer: Peer) -> PeerError:
    """Say of a peer that refuses the new key how it learns it; the restore stays where it is."""
    from jilog_spool.causes import Cause, cause_of

    hint = error.hint or "see: jilog spool status"
    if cause_of(error) is Cause.AUTH_FAILED:
        hint = f"on {peer.name}: {_trust_step(identity)}"
    return type(error)(error.message, hint=f"{hint}; then run the same command again")


def _document(
    workspace: Workspace, identity: Identity, writer: Writer, peer: Peer, restored: Sequence[Restored]
) -> dict[str, JsonValue]:
    return {
        "home": str(workspace.home.root),
        "source": identity.source,
        "epoch": writer.epoch,
        "key_created": identity.created,
        "public_key": public_key_line(identity.key, identity.source),
        "peer": peer.name,
        "zones": [
            {"zone": item.zone, "writers": item.writers, "events": item.events, "own_epochs": [*item.own]}
            for item in restored
        ],
        "next": _trust_step(identity),
    }


def _print(identity: Identity, writer: Writer, peer: Peer, restored: Sequence[Restored]) -> None:
    for item in restored:
        print_line(
            f"restored  zone {item.zone} from {peer.name}: {item.events} events of {item.writers} writers"
        )
        before = f"; it wrote before in epoch {', '.join(item.own)}" if item.own else ""
        print_line(f"          this host is {identity.source}{before}")
    print_line(f"          it goes on in epoch {writer.epoch}")
    print_line("          confidential events were on the lost host only; restore them from your own backup")
    print_line()
    print_line("next: let each peer know this host's key, on that peer:")
    print_line(f"  {_trust_step(identity)}")
