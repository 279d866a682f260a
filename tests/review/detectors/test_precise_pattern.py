"""Patterns of a session: crowds of markers, loops, runaways and churn, each at its threshold and below."""

from __future__ import annotations

import pytest

from jilog_review.detectors.precise.pattern import PatternDetector
from jilog_review.transcript import MarkerKind
from support.precise_session import Session, rules

DETECTOR = PatternDetector()


@pytest.mark.parametrize(
    ("kind", "count", "seconds_apart", "fires"),
    [
        (MarkerKind.COMPACTION, 3, 300, ["A:compaction-storm"]),
        (MarkerKind.COMPACTION, 2, 60, []),
        (MarkerKind.COMPACTION, 3, 301, []),
        (MarkerKind.RESUME, 3, 900, ["A:resume-storm"]),
        (MarkerKind.RESUME, 3, 901, []),
        (MarkerKind.INTERRUPT, 9, 1, []),
    ],
)
def test_markers_that_crowd_together_fire(
    kind: MarkerKind, count: int, seconds_apart: int, fires: list[str]
) -> None:
    session = Session(seconds_apart=seconds_apart)
    for _ in range(count):
        session.mark(kind)

    assert rules(session.findings(DETECTOR)) == fires


def test_crowd_is_described_by_its_number_and_its_minutes() -> None:
    session = Session(seconds_apart=240).mark(MarkerKind.COMPACTION).mark(MarkerKind.COMPACTION)

    (found,) = session.mark(MarkerKind.COMPACTION).findings(DETECTOR)

    assert found.excerpt == "3 compactions 00:04-00:12"


def repeated(tool: str, times: int, **arguments: object) -> Session:
    session = Session()
    for number in range(times):
        session.call(tool, f"c{number}", **arguments)
    return session


@pytest.mark.parametrize(
    ("session", "fires"),
    [
        (repeated("Bash", 4, command="make"), ["A:stuck-loop"]),
        (repeated("Bash", 3, command="make"), []),
        (repeated("write_stdin", 9, chars=""), []),
        (repeated("BashOutput", 9, id="1"), []),
        (repeated("TaskOutput", 9, id="1"), []),
        (repeated("read_bash", 9, id="1"), []),
        (repeated("Bash", 9, command="sleep 30 && gh run view 1"), []),
        (repeated("Bash", 9, command="gh run watch 1"), []),
    ],
)
def test_call_repeated_with_the_same_arguments_fires_unless_it_waits(
    session: Session, fires: list[str]
) -> None:
    assert rules(session.findings(DETECTOR)) == fires


def test_other_call_in_between_ends_a_loop() -> None:
    session = repeated("Bash", 2, command="make").call("Read", "r", file_path="a")
    session.entries.extend(repeated("Bash", 2, command="make").entries)

    assert session.findings(DETECTOR) == []


def test_many_calls_without_a_persons_word_are_listed() -> None:
    session = Session().human("go")
    for number in range(150):
        session.call("Read", f"c{number}", file_path=f"f{number}")

    assert rules(session.findings(DETECTOR)) == ["B:iteration-runaway"]
    assert list(DETECTOR.detect(session.transcript(is_subagent=True))) == []


def test_word_in_between_ends_a_runaway() -> None:
    session = Session()
    for number in range(200):
        session.call("Read", f"c{number}", file_path=f"f{number}")
        if number == 100:
            session.human("go on")

    assert session.findings(DETECTOR) == []


def churn(edits: int, *, failing: bool) -> Session:
    session = Session()
    for number in range(edits):
        session.edit("/w/app/a.go", f"{number}", f"{number + 1}", f"e{number}")
        session.result(
            "Edit", "ok", failed=failing and number == 1, call_id=f"e{number}", paths=("/w/app/a.go",)
        )
    return session


@pytest.mark.parametrize(
    ("edits", "failing", "fires"),
    [(5, True, ["B:edit-churn"]), (4, True, []), (9, False, [])],
)
def test_file_edited_again_and_again_fires_when_something_failed(
    edits: int, failing: bool, fires: list[str]
) -> None:
    assert rules(churn(edits, failing=failing).findings(DETECTOR)) == fires


def test_pattern_that_ended_before_what_is_new_is_not_reported_again() -> None:
    session = repeated("Bash", 4, command="make").human("stop")

    assert session.findings(DETECTOR, new_from=4) == []


def test_piece_with_nothing_new_gives_nothing() -> None:
    assert repeated("Bash", 4, command="make").findings(DETECTOR, new_from=4) == []
    assert Session().findings(DETECTOR) == []
