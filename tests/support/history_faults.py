"""What can happen to what hosts hold."""

from __future__ import annotations

from support.containers import wait_until
from support.faults import Fault, Seen
from support.fleet import Member
from support.link_faults import cut

ZONE = "side"


def lost_everywhere(one: Member, other: Member) -> Fault:
    """Destroy both copies of a segment that two hosts alone share; a backup brings it back."""
    pair = ((one, other), (other, one))

    def inject() -> None:
        for host, peer in pair:
            host.add_peer(peer.host_name, "--zone", "main", "--zone", ZONE)
        one.done("write", "--zone", ZONE, "--type", "decision", "--title", "for us two")
        wait_until(lambda: _events(one) == _events(other) == 1, "the event at the other")
        other.sh("mkdir backup")
        other.done("spool", "emit", "backup", "--peer", one.host_name)
        # Neither is to hear of the other's copy while that is still whole in some memory.
        apart = cut(one, other)
        apart.inject()
        try:
            for host, _ in pair:
                _overwrite(host, f".jilog/zones/{ZONE}/segments/{one.host_name}/*/00000001.seg")
                host.jilog("verify", "--zone", ZONE)
        finally:
            apart.heal()

    def heal() -> None:
        one.sh("base64 -d | tar x", stdin=other.sh("tar c backup | base64"))
        one.done("spool", "ingest", "backup", "--peer", other.host_name)
        wait_until(lambda: _events(one) == _events(other) == 1, "the event on both")
        for host, peer in pair:
            host.sh("rm -r backup")
            host.add_peer(peer.host_name, "--zone", "main")

    seen = [Seen(host.host_name, peer.host_name, "gap_no_holder") for host, peer in pair]
    return Fault("a segment that nobody has any more", inject, heal, seen)


def _events(host: Member) -> int:
    found = host.zone(ZONE)["events"]
    assert isinstance(found, int)
    return found


def _overwrite(host: Member, files: str) -> None:
    """Write over one byte of each file."""
    host.sh(f"for file in {files}; do printf '\\377' | dd of=$file bs=1 seek=200 conv=notrunc 2>&1; done")
