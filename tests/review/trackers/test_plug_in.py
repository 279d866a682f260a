"""The tracker of the documentation, found by its entry point."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_review.testing import MemoryLog
from jilog_review.tracker import TrackerConfig, make_tracker
from support.filing_night import file_night, learn, signal, verbs

DOCS = Path(__file__).parents[3] / "docs" / "trackers.md"


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "folder_plug_in.py").write_text(code[0])
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("folder", "folder_plug_in:make_folder", "jilog.trackers"),
        EntryPoint("broken", "folder_plug_in:nothing", "jilog.trackers"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_group: points)


@pytest.mark.usefixtures("plug_in")
def test_documented_tracker_when_installed_files_tells_and_reopens(tmp_path: Path) -> None:
    folder = tmp_path / "issues"
    folder.mkdir()
    tracker = make_tracker(TrackerConfig("folder", {"path": str(folder)}))
    log = MemoryLog()
    learn(log, signal())

    assert verbs(file_night(log, tracker)) == ["create"]
    assert verbs(file_night(log, tracker)) == []
    learn(log, signal(night="2026-05-10"))
    assert verbs(file_night(log, tracker, "2026-05-10")) == ["bump"]
    (path,) = folder.iterdir()
    path.write_text("DONE " + path.read_text())
    learn(log, signal(night="2026-05-12"))
    assert verbs(file_night(log, tracker, "2026-05-12")) == ["reopen"]


@pytest.mark.usefixtures("plug_in")
def test_tracker_that_cannot_be_loaded_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match="folder_plug_in:nothing cannot be loaded"):
        make_tracker(TrackerConfig("broken"))


@pytest.mark.usefixtures("plug_in")
def test_unknown_type_when_a_plug_in_is_near_is_hinted() -> None:
    with pytest.raises(InputError) as caught:
        make_tracker(TrackerConfig("foldr"))

    assert caught.value.hint == "did you mean 'folder'?"
