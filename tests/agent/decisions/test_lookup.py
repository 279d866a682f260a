"""Ids: exact, beginnings, none, several."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_agent.decisions.lookup import FoundEntry, FoundSession, full_id, list_sessions, look_up
from jilog_ledger.errors import InputError
from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import format_uuid
from support.decision_zone import open_zone, titles, write

FIRST = "0193b2c4-5d6e-7f80-9102-a3b4c5d6e7f8"
SECOND = "0193b2c4-5d6e-7f80-9102-ffffffffffff"


def test_af21_exact_session_wins_over_longer_ones(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "short", session_id="S", at=2)
        write(zone, "first", session_id="S", at=1)
        write(zone, "long", session_id="S2")

        found = look_up([zone], "S")

    assert isinstance(found, FoundSession)
    assert titles(found.entries) == ["first", "short"]


def test_af21_unique_beginning_finds_session_entry_and_event(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "one", id=FIRST, session_id="alpha-session")
        write(zone, "two", id="adr-7", session_id="beta-session")
        draft = EventDraft("health", {"summary": "up"}, event_id=bytes.fromhex("ab" * 16))
        zone.ledger.append([draft])
        zone.apply()

        session = look_up([zone], "alpha")
        by_uuid = look_up([zone], "0193B2C4-5d6e")
        without_hyphens = look_up([zone], "0193b2c45d6e7f80")
        by_name = look_up([zone], "adr")
        event = look_up([zone], "abab")

    assert isinstance(session, FoundSession)
    for found, title in ((by_uuid, "one"), (without_hyphens, "one"), (by_name, "two"), (event, "up")):
        assert isinstance(found, FoundEntry)
        assert found.entry.title == title


def test_af21_several_matches_are_listed_and_none_names_the_nearest(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "one", id=FIRST, session_id="deploy-2026")
        write(zone, "two", id=SECOND, session_id="deploy-2027")

        with pytest.raises(InputError, match=f'ambiguous id "0193", matches: {FIRST}, {SECOND}'):
            look_up([zone], "0193")
        with pytest.raises(InputError, match='ambiguous id "deploy", matches: deploy-2026, deploy-2027'):
            look_up([zone], "deploy")
        with pytest.raises(InputError, match='nothing found matching "deplyo-2026"') as caught:
            look_up([zone], "deplyo-2026")
        assert caught.value.hint == "did you mean 'deploy-2026'?"


@pytest.mark.parametrize("text", ["", "../x", "%", "*", "' OR 1=1 --", "\U0010ffff", "zz"])
def test_af13_odd_ids_find_nothing_and_are_said_back(tmp_path: Path, text: str) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "one")

        with pytest.raises(InputError, match="nothing found matching"):
            look_up([zone], text)


def test_entry_tells_who_resolved_and_superseded_it(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        asked = write(zone, "how?", type="question").entry
        write(zone, "so", resolves=(asked.id,), at=1)
        write(zone, "rather so", supersedes=(asked.id,), at=2)

        found = look_up([zone], asked.id)

    assert isinstance(found, FoundEntry)
    assert titles(found.resolved_by) == ["so"]
    assert titles(found.superseded_by) == ["rather so"]


def test_link_target_is_completed_and_a_whole_unknown_id_is_taken_as_it_is(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        written = write(zone, "one", id="adr-7", session_id="the-session")

        assert full_id([zone], "adr") == "adr-7"
        assert full_id([zone], format_uuid(written.entry.event.stored.event_id)) == "adr-7"
        assert full_id([zone], SECOND) == SECOND
        with pytest.raises(InputError, match="nothing found"):
            full_id([zone], "unknown")
        with pytest.raises(InputError, match="is a session and not an entry"):
            full_id([zone], "the-session")


def test_af13_sessions_are_listed_and_each_gives_its_entries_in_order(tmp_path: Path) -> None:
    with open_zone(tmp_path / "one") as one, open_zone(tmp_path / "two") as two:
        for number, session in enumerate(("c", "a", "b", "a")):
            write(one, f"entry {number}", session_id=session, at=number)
        write(two, "elsewhere", session_id="a", at=9)

        assert list_sessions([one, two]) == ["a", "b", "c"]
        found = look_up([one, two], "a")

    assert isinstance(found, FoundSession)
    assert titles(found.entries) == ["entry 1", "entry 3", "elsewhere"]
