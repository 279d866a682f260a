"""What every tracker promises, asked of each: the fake, GitHub through the real ``gh``, beads, kata."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jilog_ledger.errors import TrackerError
from jilog_ledger.times import parse_rfc3339
from jilog_review.tracker import IssueRef, IssueState
from jilog_review.trackers import NoTracker
from support.tracker_harness import CLOSED_AT, HARNESSES, Harness, new_issue

MISSING = {"memory": "#99", "github": "#99", "beads-file": "demo-nil", "beads-bd": "demo-nil", "kata": "#nil"}


@pytest.fixture(params=list(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    with ExitStack() as stack:
        yield HARNESSES[request.param](tmp_path, stack)


@pytest.fixture
def missing(request: pytest.FixtureRequest) -> str:
    return MISSING[request.node.callspec.params["harness"]]


def test_place_without_issues_when_listed_gives_nothing(harness: Harness) -> None:
    tracker = harness.tracker()

    assert list(tracker.list_issues()) == []
    assert tracker.find("00112233445566aa") is None


def test_new_issue_when_created_is_found_by_its_fingerprint_by_another_process(harness: Harness) -> None:
    created = harness.tracker().create(new_issue())

    found = harness.tracker().find("00112233445566aa")

    assert created is not None
    assert found is not None
    assert found.ref.id == created.ref.id
    assert found.ref.backend == harness.tracker().name
    assert found.state is IssueState.OPEN
    assert found.detected_on == "2026-05-09"
    assert "jilog" in found.labels


@pytest.mark.parametrize("state", [None, IssueState.DONE, IssueState.DECLINED, IssueState.DUPLICATE])
def test_fingerprint_with_an_issue_in_any_state_when_created_again_files_nothing(
    harness: Harness, state: IssueState | None
) -> None:
    first = harness.tracker().create(new_issue())
    assert first is not None
    if state is not None:
        harness.close(first.ref.id, state)

    again = harness.tracker().create(new_issue(title="another title"))

    assert again is not None
    assert again.ref.id == first.ref.id
    assert again.state is (state or IssueState.OPEN)
    assert len(harness.tracker().list_issues()) == 1


def test_one_tracker_that_creates_twice_in_a_run_files_once(harness: Harness) -> None:
    tracker = harness.tracker()
    tracker.list_issues()

    first, second = tracker.create(new_issue()), tracker.create(new_issue())

    assert first is not None
    assert second is not None
    assert first.ref.id == second.ref.id
    assert len(harness.tracker().list_issues()) == 1


def test_equal_titles_with_different_fingerprints_are_different_issues(harness: Harness) -> None:
    tracker = harness.tracker()

    tracker.create(new_issue("aaaaaaaaaaaaaaaa"))
    tracker.create(new_issue("bbbbbbbbbbbbbbbb"))

    listed = harness.tracker().list_issues()
    assert [issue.fingerprint for issue in listed] == ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"]


def test_issues_of_others_when_listed_are_left_out(harness: Harness) -> None:
    harness.add_foreign()
    harness.tracker().create(new_issue())

    listed = harness.tracker().list_issues()

    assert [issue.fingerprint for issue in listed] == ["00112233445566aa"]


def test_more_issues_than_any_page_holds_when_listed_are_all_there(harness: Harness) -> None:
    tracker = harness.tracker()
    for number in range(1, 57):
        tracker.create(new_issue(f"{number:016x}"))

    listed = harness.tracker().list_issues()

    assert len(listed) == len({issue.fingerprint for issue in listed}) == 56


@pytest.mark.parametrize("state", [IssueState.DONE, IssueState.DECLINED, IssueState.DUPLICATE])
def test_closed_issue_when_looked_up_tells_why_and_when(harness: Harness, state: IssueState) -> None:
    created = harness.tracker().create(new_issue())
    assert created is not None
    harness.close(created.ref.id, state)

    found = harness.tracker().get(created.ref.id)

    assert found is not None
    assert found.state is state
    assert found.closed_ns == parse_rfc3339(CLOSED_AT)
    assert harness.tracker().is_resolved(created.ref) is (state is IssueState.DONE)


def test_issue_that_does_not_exist_when_looked_up_is_none(harness: Harness, missing: str) -> None:
    harness.tracker().create(new_issue())

    assert harness.tracker().get(missing) is None
    assert not harness.tracker().is_resolved(IssueRef(missing, "x", "x"))


def test_comment_when_made_twice_with_one_key_is_there_once(harness: Harness) -> None:
    created = harness.tracker().create(new_issue())
    assert created is not None

    for key in ("bump:00aa:2026-05-10", "bump:00aa:2026-05-10", "bump:00aa:2026-05-11"):
        harness.tracker().comment(created.ref.id, "Seen again: -- 'twice' <b> $HOME\n- on alpha", key)

    comments = harness.comments(created.ref.id)
    assert len(comments) == 2
    assert comments[0].startswith("Seen again: -- 'twice' <b> $HOME\n- on alpha\n")


def test_closed_issue_when_reopened_is_open_and_labelled_as_recurred(harness: Harness) -> None:
    created = harness.tracker().create(new_issue())
    assert created is not None
    harness.close(created.ref.id, IssueState.DONE)

    harness.tracker().reopen(created.ref.id)

    found = harness.tracker().get(created.ref.id)
    assert found is not None
    assert found.state is IssueState.OPEN
    assert found.closed_ns is None
    assert any("recurred" in label for label in found.labels)


def test_open_issue_when_reopened_stays_as_it_is(harness: Harness) -> None:
    created = harness.tracker().create(new_issue())
    assert created is not None

    harness.tracker().reopen(created.ref.id)

    found = harness.tracker().get(created.ref.id)
    assert found is not None
    assert found.state is IssueState.OPEN


def test_open_and_closed_issues_of_one_fingerprint_when_looked_up_give_the_open_one(harness: Harness) -> None:
    first = harness.tracker().create(new_issue("aaaaaaaaaaaaaaaa"))
    second = harness.tracker().create(new_issue("bbbbbbbbbbbbbbbb"))
    assert first is not None
    assert second is not None
    harness.close(first.ref.id, IssueState.DONE)

    listed = {issue.fingerprint: issue.state for issue in harness.tracker().list_issues()}

    assert listed == {"aaaaaaaaaaaaaaaa": IssueState.DONE, "bbbbbbbbbbbbbbbb": IssueState.OPEN}


def test_comment_on_an_issue_that_does_not_exist_is_refused(harness: Harness, missing: str) -> None:
    with pytest.raises(TrackerError):
        harness.tracker().comment(missing, "text", "bump:00aa:2026-05-10")


def test_tracker_none_when_asked_for_anything_files_nothing() -> None:
    tracker = NoTracker()

    assert tracker.create(new_issue()) is None
    assert list(tracker.list_issues()) == []
    assert tracker.find("00112233445566aa") is None
    assert tracker.get("1") is None
    tracker.comment("1", "text", "key")
    tracker.reopen("1")
    assert not tracker.is_resolved(IssueRef("1", "none", "x"))
