"""The authorities of a fleet: what ``jilog peer trust``, ``list`` and ``remove`` do about them."""

from __future__ import annotations

from jilog_agent.cli.failure import note
from jilog_agent.cli.output import print_line, print_table
from jilog_agent.client import tell_agent
from jilog_agent.vouching import (
    authority_key,
    recorded_authorities,
    save_authorities,
    trusted_authorities,
    with_authority,
    without_name,
)
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_spool.ssh_certificates import Authority
from jilog_spool.ssh_trust import describe_host_key


def trust_authority(workspace: Workspace, told: str, principals: tuple[str, ...]) -> None:
    """Trust an authority, told as a key or the path of its file, for the names that match a pattern."""
    names = tuple(name for text in principals for name in text.split(",") if name)
    if not names:
        raise InputError(
            "say which names the authority may vouch for",
            hint="jilog peer trust --ca FILE --principals 'box-*'; use '*' for any name",
        )
    authority = Authority(authority_key(told), names).check()
    home, disk = workspace.home, workspace.disk
    disk.make_directory(home.root)
    with disk.lock(home.lock_path):
        save_authorities(home, disk, with_authority(recorded_authorities(home, disk), authority))
    tell_agent(home, "reload")
    fingerprint = describe_host_key(authority.key).fingerprint
    note(f"the authority {fingerprint} may vouch for {', '.join(names)} from now on")


def distrust_authority(workspace: Workspace, told: str) -> None:
    """Trust an authority no more; whoever logged in with its certificates is cut off."""
    key = authority_key(told)
    home, disk = workspace.home, workspace.disk
    with disk.lock(home.lock_path):
        known = recorded_authorities(home, disk)
        if all(item.key != key for item in known):
            raise InputError(
                f"that authority is not in {home.authorities_path}",
                hint="see: jilog peer list; those of [trust] are removed from the config file",
            )
        save_authorities(home, disk, [item for item in known if item.key != key])
    tell_agent(home, "reload")
    note("the authority may vouch for nobody from now on")


def exclude_name(workspace: Workspace, name: str) -> bool:
    """Let no authority vouch for a host any more; tell whether one could."""
    home, disk = workspace.home, workspace.disk
    with disk.lock(home.lock_path):
        known = recorded_authorities(home, disk)
        if not any(item.covers(name) for item in known):
            return False
        save_authorities(home, disk, without_name(known, name))
    tell_agent(home, "reload")
    note(f"no authority may vouch for {name} from now on")
    return True


def authority_documents(workspace: Workspace) -> list[JsonValue]:
    """Give the documented JSON of the authorities."""
    trusted = trusted_authorities(workspace.config, workspace.home, workspace.disk)
    return [
        {
            "key": item.key,
            "fingerprint": describe_host_key(item.key).fingerprint,
            "principals": [*item.patterns],
        }
        for item in trusted.items
    ]


def print_authorities(workspace: Workspace) -> None:
    """Show the authorities below the peers, if there are any."""
    trusted = trusted_authorities(workspace.config, workspace.home, workspace.disk)
    if not trusted.items:
        return
    print_line()
    rows = [(describe_host_key(item.key).fingerprint, ", ".join(item.patterns)) for item in trusted.items]
    print_table(("AUTHORITY", "MAY VOUCH FOR"), rows)
