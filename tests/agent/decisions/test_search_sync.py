"""AF14: what search finds is what the ledger holds, however the projection came to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_agent.decisions.record import IdTaken, write_entry
from jilog_agent.decisions.select import EntryFilter, select_entries
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.projection.database import FILE_NAME
from support.decision_zone import open_zone, proposal, titles, write
from support.stores import Clock

WORDS = ("titleword", "bodyword", "tagword", "fileword", "otherword", "outcomeword")


def found(zone: OpenZone, text: str) -> list[str]:
    return titles(select_entries([zone], EntryFilter(text=text), limit=None))


def entry(zone: OpenZone) -> None:
    write(
        zone,
        "titleword",
        id="adr-1",
        body="bodyword",
        tags=("tagword",),
        files=("src/fileword.py",),
        alternatives=("otherword",),
        outcome="outcomeword",
    )


def test_af14_an_entry_is_found_by_every_field_at_once_and_after_a_rebuild(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        assert found(zone, "titleword") == []
        entry(zone)
        at_once = {word: found(zone, word) for word in WORDS}
    projection = list(tmp_path.rglob(f"{FILE_NAME}*"))
    assert projection
    for path in projection:
        path.unlink()

    with open_zone(tmp_path) as zone:
        rebuilt = {word: found(zone, word) for word in WORDS}

    assert at_once == rebuilt == {word: ["titleword"] for word in WORDS}


def test_af14_an_entry_that_was_refused_or_repeated_leaves_no_term_behind(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        entry(zone)
        with pytest.raises(IdTaken):
            write_entry(zone, proposal("changedword", id="adr-1"), Clock())
        entry(zone)
        zone.apply()

        assert found(zone, "changedword") == []
        assert found(zone, "titleword") == ["titleword"]
