"""The generic reader: which files its glob finds."""

from __future__ import annotations

from pathlib import Path

from jilog_review.readers.generic import GenericReader


def test_link_to_a_folder_above_shows_no_file_and_no_problem_twice(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.jsonl").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.jsonl").symlink_to(tmp_path / "a" / "self.jsonl")

    found = GenericReader("g", str(tmp_path / "**" / "*.jsonl"), "file_stem").discover(0)

    assert [source.key for source in found.sources] == [str(tmp_path / "a" / "one.jsonl")]
    assert len(found.problems) == 1
    assert str(tmp_path / "a" / "self.jsonl") in str(found.problems[0])
