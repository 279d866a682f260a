"""Whose key a writer's segments may carry (``docs/adr/0003-keys-of-writers.md``)."""

from __future__ import annotations

from pathlib import Path

from jilog_ledger.store import ZoneStore
from support.spool_fleet import drafts, held_bytes, key_of, sync, zone_store


def same_name_other_key(root: Path, epoch: str | None = None) -> ZoneStore:
    """Make a store of host ``a`` as another one would that took its name."""
    more = {} if epoch is None else {"epochs": lambda: epoch}
    return ZoneStore.open(root / "other" / "main", "main", source="a", key=key_of("other"), **more)


def test_new_epoch_of_a_known_source_may_come_with_another_key_which_is_then_pinned(tmp_path: Path) -> None:
    a, b, other = zone_store(tmp_path, "a"), zone_store(tmp_path, "b"), same_name_other_key(tmp_path)
    for store in (a, other):
        store.append(drafts(2))
        sync(store, b)

    keys = {writer: b.segments(writer)[0].public_key for writer in b.writers()}

    assert keys == {a.own_writer: key_of("a").public_key, other.own_writer: key_of("other").public_key}


def test_epoch_that_is_known_goes_on_with_its_first_key_only_whoever_relays_it(tmp_path: Path) -> None:
    a, b, relay = (zone_store(tmp_path, name) for name in ("a", "b", "relay"))
    a.append(drafts(2))
    sync(a, b)
    before = held_bytes(b)
    other = same_name_other_key(tmp_path, a.own_writer.epoch)
    other.append(drafts(5))
    sync(other, relay)
    assert relay.writers() == [a.own_writer]

    pipe = sync(relay, b)

    assert held_bytes(b) == before
    assert pipe.second.session.report.refused or pipe.second.session.report.forks
