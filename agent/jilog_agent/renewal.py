"""Changing a host's key without a moment in which its peers trust neither the old nor the new one.

Two steps, for the peers have to hear of the new key in between::

    prepare   make the next key beside the current one; peers take its public half as ``next_host_key``
    renew     seal what the current key wrote, then put the next key in its place

The key signs segments, so a new key means a new epoch. What the old key wrote is sealed with it for the last
time; nothing has to be signed with it afterwards, and it is gone when ``renew`` is done.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from jilog_agent.daemon.instance import Instance
from jilog_agent.home import Home
from jilog_agent.identity import Identity, public_key_line
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import Disk
from jilog_ledger.errors import JilogError
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a change of keys did: the new identity, and how many segments the old key sealed."""

    identity: Identity
    segments_sealed: int


def next_key(home: Home, disk: Disk) -> SigningKey | None:
    """Load the key that is prepared, None when none is."""
    return SigningKey.load(home.next_key_path) if disk.size(home.next_key_path) is not None else None


def prepare(workspace: Workspace) -> SigningKey:
    """Make the next key, or give the one that is prepared already. The current one stays in force.

    Raises:
        StorageError: the home cannot be written.
    """
    home, disk = workspace.home, workspace.disk
    with disk.lock(home.lock_path):
        prepared = next_key(home, disk)
        if prepared is None:
            prepared = SigningKey.generate()
            prepared.save(home.next_key_path, disk)
        return prepared


def renew(workspace: Workspace) -> Renewal:
    """Put the prepared key in the current one's place. No agent and no review may run.

    Raises:
        JilogError: no key is prepared.
        AlreadyRunning: an agent runs; it would go on signing with the old key.
        BusyError: a review runs, or another process holds a zone for too long.
        StorageError: the home cannot be written; the old key is still in force.
    """
    home, disk = workspace.home, workspace.disk
    instance = Instance.claim(home, disk)
    try:
        disk.make_directory(home.review_dir)
        with disk.lock(home.lock_path), disk.lock(home.review_lock_path):
            return _renew(workspace, _prepared(home, disk))
    finally:
        os.close(instance.descriptor)


def _prepared(home: Home, disk: Disk) -> SigningKey:
    prepared = next_key(home, disk)
    if prepared is None:
        raise JilogError("no next key is prepared", hint="run: jilog identity prepare")
    return prepared


def _renew(workspace: Workspace, key: SigningKey) -> Renewal:
    home, disk = workspace.home, workspace.disk
    old = workspace.identity()
    new = Identity(old.source, key)
    # A crash before the key is moved leaves the old one in force: the next opening with it begins one more
    # epoch, and `renew`, run again, seals that as well.
    sealed = sum(_hand_over(workspace.open_zone(zone, old), new) for zone in workspace.config.zones)
    disk.move(home.next_key_path, home.key_path)
    # The public half is for people and scripts; a crash before this line leaves the old one there, and
    # `jilog identity show` reads the private key itself.
    disk.replace(home.public_key_path, (public_key_line(key, new.source) + "\n").encode())
    return Renewal(new, sealed)


def _hand_over(ledger: ZoneLedger, new: Identity) -> int:
    """Let a zone go on under the new key's epoch, and close what the old key wrote.

    In this order: from the first step on nobody appends under the old key, so nothing comes after its seal.
    """
    with ledger:
        ZoneLedger.open(ledger.root, ledger.zone, source=new.source, key=new.key).close()
        return ledger.shared.seal_all() + ledger.local.seal_all()
