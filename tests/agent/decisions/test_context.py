"""Context: files at hand first, then the topic, then time; once each, within a budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_agent.decisions.context import CHARS_PER_TOKEN, ContextQuery, context_text, relevant
from jilog_ledger.decision import FileRef, FileScope
from jilog_ledger.errors import InputError
from support.decision_zone import open_zone, titles, write


def about(*paths: str) -> tuple[FileScope, ...]:
    return tuple(FileScope((FileRef("repo", path),)) for path in paths)


def test_af23_files_come_first_then_topic_then_recency_each_once(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "old file", files=("a.py",), at=1)
        write(zone, "both files", files=("a.py", "src/b.py"), at=2)
        write(zone, "cache topic", at=3)
        write(zone, "file and cache", files=("a.py",), at=0)
        write(zone, "new file", files=("src/b.py",), at=4)
        write(zone, "unrelated", files=("z.py",), at=9)

        found = relevant([zone], ContextQuery(about("a.py", "src"), "cache"))

    assert titles(found) == ["both files", "file and cache", "new file", "old file", "cache topic"]


def test_what_was_superseded_comes_last(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        old = write(zone, "threads", files=("a.py", "b.py"), at=1).entry
        write(zone, "processes", files=("a.py",), supersedes=(old.id,), at=0)

        found = relevant([zone], ContextQuery(about("a.py", "b.py")))

    assert titles(found) == ["processes", "threads"]


def test_what_still_holds_is_found_behind_any_number_that_was_superseded(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        for number in range(30):
            old = write(zone, f"old {number:02}", files=("a.py", "b.py"), at=100 + number).entry
            write(zone, f"its heir {number:02}", supersedes=(old.id,), at=200 + number)
        write(zone, "standing one", files=("a.py",), at=1)
        write(zone, "standing two", files=("a.py",), at=2)

        few = relevant([zone], ContextQuery(about("a.py", "b.py"), limit=3))
        one = relevant([zone], ContextQuery(about("a.py", "b.py"), limit=1))

    assert titles(few) == ["standing two", "standing one", "old 29"]
    assert titles(one) == ["standing two"]


def test_folder_at_hand_counts_once_and_a_file_beside_it_not_at_all(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "two files of one folder", files=("src/a.py", "src/b.py"), at=1)
        write(zone, "file and folder", files=("src/a.py", "docs/x.md"), at=0)
        write(zone, "name that only begins so", files=("srcs/a.py",), at=9)

        found = relevant([zone], ContextQuery(about("src", "docs")))
        root = relevant([zone], ContextQuery(about("")))

    assert titles(found) == ["file and folder", "two files of one folder"]
    assert len(root) == 3


@pytest.mark.parametrize("topic", ["my-project", "C++ don't", "my-project and words that nobody wrote"])
def test_af23_topic_of_any_text_works(tmp_path: Path, topic: str) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "the my-project in C++ don't fail")

        assert len(relevant([zone], ContextQuery(topic=topic))) == 1


def test_af23_limit_and_missing_question(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        for number in range(12):
            write(zone, f"entry {number:02}", files=("a.py",), at=number)

        assert titles(relevant([zone], ContextQuery(about("a.py"), limit=2))) == ["entry 11", "entry 10"]
        assert len(relevant([zone], ContextQuery(about("a.py")))) == 10
        with pytest.raises(InputError, match="at least one of files or topic is required"):
            relevant([zone], ContextQuery(topic="  "))
        with pytest.raises(InputError, match="at least 1"):
            relevant([zone], ContextQuery(topic="x", limit=0))


def test_budget_shortens_long_entries_and_is_never_exceeded(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "short", body="Brief.", files=("a.py",), at=3)
        write(zone, "long", body="It has a point. " + "And much more to say. " * 200, files=("a.py",), at=2)
        write(zone, "third", body="Also brief.", files=("a.py",), at=1)

        for budget in (1, 10, 30, 60, 120, 5_000):
            entries = relevant([zone], ContextQuery(about("a.py"), budget_tokens=budget))
            if entries:
                assert len(context_text(entries)) <= budget * CHARS_PER_TOKEN, budget
        shortened = relevant([zone], ContextQuery(about("a.py"), budget_tokens=120))
        everything = relevant([zone], ContextQuery(about("a.py"), budget_tokens=5_000))

    assert titles(shortened) == ["short", "long", "third"]
    assert shortened[1].body == "It has a point."
    assert len(everything[1].body) > 4_000


def test_context_text_has_its_layout(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "Use SQLite", body="It is small.", tags=("db", "x"), files=("a.py", "b.py"), at=1)
        write(zone, "Why?", type="question", files=("a.py",))
        text = context_text(relevant([zone], ContextQuery(about("a.py"))))

    assert text == (
        "# Relevant decisions\n\n"
        "## [decision] Use SQLite (2026-05-09T12:00:01Z)\n"
        "It is small.\n"
        "Files: a.py, b.py\n"
        "Tags: db, x\n\n"
        "## [question] Why? (2026-05-09T12:00:00Z)\n"
        "Files: a.py\n"
    )
    assert context_text([]) == "No relevant decisions found."
