"""One story in both directions: ticket, sessions, turns, commits, decisions, friction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jilog_agent.decisions.record import write_entry
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.turns.trace import trace, trace_lines
from jilog_ledger.decision import Place
from jilog_ledger.errors import InputError
from jilog_ledger.times import format_time
from jilog_ledger.turn import (
    Session,
    SessionEnd,
    Turn,
    Vcs,
    checked_end,
    checked_session,
    checked_turn,
    record_draft,
)
from support.decision_zone import open_zone, proposal, titles
from support.learned import a_signal
from support.stores import NOON_NS, Clock
from support.turn_repo import TurnHost, git, git_repository

PLACE = Place("alpha", "/app", "example.org/app")
FIRST, SECOND, CHILD = "sess_0001", "sess_0002", "sess_0003"
COMMIT = "1f3c9ab0" * 5


def at(seconds: int) -> int:
    return NOON_NS + seconds * 1_000_000_000


def session(zone: OpenZone, name: str, seconds: int, **fields: str) -> None:
    record = checked_session(Session(id=name, goal=f"goal of {name}", place=PLACE, **fields))
    zone.ledger.append([record_draft(record, timestamp_ns=at(seconds))])


def turn(zone: OpenZone, name: str, owner: str, seconds: int, *commits: str, **vcs: object) -> None:
    state = Vcs(kind="git", **vcs)  # type: ignore[arg-type] # names and values come from the test
    record = checked_turn(Turn(id=name, session=owner, commits=commits, vcs=state, place=PLACE))
    zone.ledger.append([record_draft(record, timestamp_ns=at(seconds))])


def signal(zone: OpenZone, excerpt: str, seconds: int, session_id: str = "other") -> None:
    """Record a signal as a night does: long after the moment that it is about."""
    found = a_signal(
        len(excerpt),
        excerpt=excerpt,
        tool=None,
        session_id=session_id,
        root_session=session_id,
        timestamp=format_time(at(seconds)),
        project="/home/ann/app",
    )
    zone.ledger.append([found.to_draft(at(60_000))])


def laid_out(zone: OpenZone) -> None:
    """Lay out two sessions for one ticket, the first with a child, and things that belong to nobody."""
    session(zone, FIRST, 0, ticket="AUTH-123", transcript="11111111-2222-3333-4444-555555555555")
    session(zone, SECOND, 100, ticket="AUTH-123")
    session(zone, CHILD, 20, parent=FIRST)
    turn(zone, "turn_0001", FIRST, 10, changed_files=("src/auth.py",), git_head="a" * 40)
    turn(zone, "turn_0002", FIRST, 20, COMMIT, git_head=COMMIT)
    turn(zone, "turn_0003", SECOND, 110, git_head="b" * 40, jj_change="kmqzvrlp")
    end = checked_end(SessionEnd(session=FIRST, place=PLACE))
    zone.ledger.append([record_draft(end, timestamp_ns=at(30))])
    write_entry(zone, proposal("keep the cache", at=15, session_id=FIRST), Clock())
    signal(zone, "said no", 5, session_id="11111111-2222-3333-4444-555555555555")
    signal(zone, "src/auth.py: test failed", 12)
    signal(zone, "src/auth.py: long before", -9_000)
    signal(zone, "src/auth_py elsewhere", 12)
    zone.apply()


def found_in(zone: OpenZone, text: str) -> list[tuple[str, list[str]]]:
    result = []
    for item in trace([zone], text).sessions:
        record = item.story.session.record
        assert isinstance(record, Session)
        result.append(
            (record.id, [step.record.id for step in item.story.turns if isinstance(step.record, Turn)])
        )
    return result


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AUTH-123", [(FIRST, ["turn_0001", "turn_0002"]), (SECOND, ["turn_0003"])]),
        (FIRST, [(FIRST, ["turn_0001", "turn_0002"]), (CHILD, [])]),
        ("turn_0001", [(FIRST, ["turn_0001"])]),
        (COMMIT, [(FIRST, ["turn_0002"])]),
        (COMMIT[:7].upper(), [(FIRST, ["turn_0002"])]),
        ("kmqz", [(SECOND, ["turn_0003"])]),
    ],
)
def test_each_name_leads_to_its_sessions_and_turns(
    tmp_path: Path, text: str, found: list[tuple[str, list[str]]]
) -> None:
    with open_zone(tmp_path) as zone:
        laid_out(zone)

        assert found_in(zone, text) == found


def test_session_has_its_decisions_and_the_friction_of_its_transcript_and_files(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        laid_out(zone)

        first, second = trace([zone], "AUTH-123").sessions

    assert titles(list(first.decisions)) == ["keep the cache"]
    assert titles(list(first.signals)) == ["said no", "src/auth.py: test failed"]
    assert (second.decisions, second.signals) == ((), ())


def test_commit_leads_back_to_the_ticket(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        laid_out(zone)

        lines = list(trace_lines(trace([zone], COMMIT[:8])))

    assert lines[0] == f"commit {COMMIT}"
    assert lines[1] == "ticket AUTH-123"
    assert lines[2].startswith(f"  session {FIRST} ")
    assert any("and 1 other turn(s)" in line for line in lines)
    assert f"      commits: {COMMIT}" in lines


@pytest.mark.parametrize("text", ["", "nothing", "1f3", "turn_9", "sess_9", "../x"])
def test_name_of_nothing_is_refused(tmp_path: Path, text: str) -> None:
    with open_zone(tmp_path) as zone:
        laid_out(zone)

        with pytest.raises(InputError, match="no ticket, commit, session or turn"):
            trace([zone], text)


def test_beginning_of_several_commits_is_ambiguous(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        turn(zone, "turn_0001", FIRST, 10, "abcd1" + "0" * 35, "abcd2" + "0" * 35)
        zone.apply()

        with pytest.raises(InputError, match="ambiguous commit"):
            trace([zone], "abcd")


def test_turns_whose_session_has_not_arrived_are_told(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        turn(zone, "turn_0001", "sess_9999", 10, COMMIT)
        zone.apply()

        assert found_in(zone, COMMIT) == [("sess_9999", ["turn_0001"])]


def test_commits_made_between_turns_are_traced_through_the_command(tmp_path: Path) -> None:
    app = TurnHost.at(tmp_path, git_repository(tmp_path / "app"))
    session_id = app.start("--ticket", "T-1")
    (app.folder / "a.txt").write_text("two\n")
    app.record("--summary", "before the commit")
    git(app.folder, "commit", "-q", "-a", "-m", "second")
    head = git(app.folder, "rev-parse", "HEAD").strip()

    after = app.record("--summary", "after the commit")
    done = app.run("trace", head[:10], "--json")
    found = json.loads(done.stdout)

    assert (found["kind"], found["id"]) == ("commit", head)
    (traced,) = found["sessions"]
    assert traced["session"]["id"] == session_id
    assert traced["session"]["ticket"] == "T-1"
    assert [item["id"] for item in traced["turns"]] == [after]
    assert traced["turns"][0]["commits"] == [head]
    assert app.run("trace", "T-1").stdout.startswith("ticket T-1\n")
