"""Beads' file: the seed's fields, other people's lines untouched, several writers at once."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.errors import InputError, TrackerError
from jilog_ledger.times import parse_rfc3339
from jilog_review.testing import MemoryLog
from jilog_review.tracker import TrackerConfig, make_tracker
from jilog_review.trackers.beads_cli import BeadsCommandTracker
from jilog_review.trackers.beads_file import BeadsFileTracker
from jilog_review.trackers.beads_format import new_issue_id
from support.filing_night import file_night, learn, signal
from support.tracker_harness import new_issue
from support.tracker_stubs import Stub


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "myproj"
    folder.mkdir()
    return folder


def beads(folder: Path) -> BeadsFileTracker:
    return BeadsFileTracker(folder, now_ns=lambda: parse_rfc3339("2026-05-09T08:02:11.5Z"))


def lines(folder: Path) -> list[str]:
    return (folder / ".beads" / "issues.jsonl").read_text().splitlines()


def test_alert_when_filed_is_the_seeds_line_followed_by_beads_own_names(project: Path) -> None:
    log = MemoryLog()
    learn(log, *(signal(session=session) for session in "abcd"))

    file_night(log, beads(project))

    (line,) = lines(project)
    row = json.loads(line)
    assert list(row)[:9] == [
        "id",
        "title",
        "type",
        "priority",
        "status",
        "labels",
        "body",
        "source",
        "created",
    ]
    assert row["id"].startswith("myproj-")
    assert (row["type"], row["priority"], row["status"]) == ("bug", 1, "open")
    assert row["labels"] == ["jilog", "p0", "tool:bash"]
    assert row["source"] == "jilog/review"
    assert row["created"] == row["created_at"] == "2026-05-09T08:02:11Z"
    assert (row["issue_type"], row["description"]) == (row["type"], row["body"])


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"id":"myproj-1",  "title":"odd   spacing","status":"open","n":1.50,"x":"\\u00e9"}',
        b"not json at all",
        b'{"id":5}',
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_lines_of_others_when_jilog_writes_stay_as_they_are(project: Path, foreign: bytes) -> None:
    path = project / ".beads" / "issues.jsonl"
    path.parent.mkdir()
    path.write_bytes(foreign + b"\n" + foreign)
    path.chmod(0o664)

    created = beads(project).create(new_issue())
    assert created is not None
    beads(project).comment(created.ref.id, "text", "bump:1:2")

    assert path.read_bytes().startswith(foreign + b"\n" + foreign + (b"\n" if foreign else b""))
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_unknown_fields_of_our_own_line_when_it_changes_are_kept(project: Path) -> None:
    created = beads(project).create(new_issue())
    assert created is not None
    row = json.loads(lines(project)[0]) | {"status": "closed", "assignee": "kim", "dependencies": [{"a": 1}]}
    (project / ".beads" / "issues.jsonl").write_text(json.dumps(row) + "\n")

    beads(project).reopen(created.ref.id)

    after = json.loads(lines(project)[0])
    assert (after["status"], after["assignee"], after["dependencies"]) == ("open", "kim", [{"a": 1}])


def test_tombstone_when_the_problem_is_seen_again_is_respected(project: Path) -> None:
    log = MemoryLog()
    learn(log, signal())
    file_night(log, beads(project))
    row = json.loads(lines(project)[0]) | {"status": "tombstone"}
    (project / ".beads" / "issues.jsonl").write_text(json.dumps(row) + "\n")
    learn(log, signal(night="2026-05-10"))

    assert file_night(log, beads(project), "2026-05-10").done == ()
    assert len(lines(project)) == 1


def test_merge_conflict_in_the_file_is_told_with_its_line(project: Path) -> None:
    path = project / ".beads" / "issues.jsonl"
    path.parent.mkdir()
    path.write_text('{"id":"a-1"}\n<<<<<<< HEAD\n{"id":"a-2"}\n=======\n>>>>>>> theirs\n')

    with pytest.raises(TrackerError, match="merge conflict at line 2"):
        beads(project).create(new_issue())


def test_writers_at_once_file_one_problem_once(project: Path) -> None:
    fingerprints = [f"{number:016x}" for number in range(5)]
    ready = threading.Barrier(4)

    def write() -> None:
        ready.wait()
        for fingerprint in fingerprints:
            beads(project).create(new_issue(fingerprint))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(issue.fingerprint or "" for issue in beads(project).list_issues()) == fingerprints


def test_prefix_of_ids_is_what_beads_is_configured_to_use(project: Path) -> None:
    (project / ".beads").mkdir()
    (project / ".beads" / "config.yaml").write_text('# comment\nissue-prefix: "acme"\n')

    created = beads(project).create(new_issue())

    assert created is not None
    assert created.ref.id.startswith("acme-")


@given(st.sets(st.integers(3, 30)))
def test_id_when_shorter_ones_are_taken_grows_and_is_the_same_in_every_clone(lengths: set[int]) -> None:
    longest = new_issue_id("ab" * 8, "p", {new_issue_id("ab" * 8, "p", ())[:5]})
    taken = {longest[: 2 + length] for length in lengths}

    issue_id = new_issue_id("ab" * 8, "p", taken)

    assert issue_id not in taken
    assert issue_id == new_issue_id("ab" * 8, "p", taken)


def test_bd_when_on_the_path_is_used_and_the_file_is_left_to_it(project: Path, tmp_path: Path) -> None:
    stub = Stub("bd", tmp_path)
    config = {"path": str(project)}

    with_bd = make_tracker(TrackerConfig("beads", config, stub.environment))
    without = make_tracker(TrackerConfig("beads", config, {"PATH": str(project)}))

    assert isinstance(with_bd, BeadsCommandTracker)
    assert isinstance(without, BeadsFileTracker)


def test_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        make_tracker(TrackerConfig("beads", {"path": str(tmp_path / "nil")}))
