"""One zone as its users see it: confidential events never reach what may travel (invariant 6)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import IntegrityError
from jilog_ledger.ledger import ZoneLedger
from support.stores import draft, held, key_of, numbers, open_store, pull


def opened(root: Path) -> ZoneLedger:
    return ZoneLedger.open(root, "main", source="alpha", key=key_of("alpha"))


def test_confidential_events_go_to_a_stream_of_their_own(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        drafts = [
            replace(draft(number), tier="confidential" if number % 2 else "structured") for number in range(4)
        ]

        events = ledger.append(drafts)

    again = opened(tmp_path)
    assert [event.payload() for event in events] == [draft.payload for draft in drafts]
    assert numbers(again.shared) == [0, 2]
    assert numbers(again.local) == [1, 3]
    assert [event.sequence for event in events] == [1, 1, 2, 2]
    assert again.shared.own_writer != again.local.own_writer


def test_number_of_confidential_events_cannot_be_told_from_what_travels(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.append([draft(1)])
    before = ledger.frontier(), ledger.root_hash()

    ledger.append([replace(draft(2), tier="confidential")])

    assert (ledger.frontier(), ledger.root_hash()) == before
    assert b"confidential" not in b"".join(
        path.read_bytes() for path in (tmp_path / "segments").rglob("*.seg")
    )


def test_confidential_segment_when_offered_by_mistake_is_refused_by_the_peer(tmp_path: Path) -> None:
    ledger = opened(tmp_path / "a")
    ledger.append([replace(draft(1), tier="confidential")])
    peer = open_store(tmp_path / "b", "beta")
    refused: list[str] = []

    pull(peer, ledger.local, refused=refused)

    assert held(peer) == {}
    assert len(refused) == 1
    assert "must not travel" in refused[0]


def test_damage_in_either_stream_is_among_the_findings(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.append([draft(1), replace(draft(2), tier="confidential")])
    for store in (ledger.shared, ledger.local):
        store.layout.segment(store.own_writer, 1).unlink()

    again = opened(tmp_path)

    assert len(again.findings) == 2
    with pytest.raises(IntegrityError):
        again.shared.read(ledger.shared.own_writer, 1, 0, 1)
