"""Files that change under a review: at most one line each, and the sessions beside them are reviewed as ever.

A reader that meddles with the file right before it is read stands for the program whose file it is.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import pytest

from jilog_review import limits, piece
from jilog_review.cursor import Cursor
from jilog_review.reader import Discovery, Reader, ReaderConfig, Reading, Source, make_reader
from jilog_review.regular_file import open_regular
from support.review_night import Host, failure, generic, say, write_lines

PADDING = [say("user", "x" * 200)] * 40


@dataclass
class Meddled:
    """A reader whose file ``name`` is changed before its ``at``-th reading, counted from 1."""

    inner: Reader
    name_of_file: str
    change: Callable[[Path], object]
    at: int = 1
    readings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    def discover(self, since_ns: int) -> Discovery:
        return self.inner.discover(since_ns)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        path = Path(source.key)
        if path.name == self.name_of_file:
            self.readings.append(path.name)
            if len(self.readings) == self.at:
                self.change(path)
        return self.inner.read(source, cursor)


def replaced_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replaced_by_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def cut_in_the_middle(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def replaced_by_another(path: Path) -> None:
    write_lines(path.with_suffix(".next"), failure("bash", "another"), *PADDING * 2).replace(path)


@pytest.fixture(autouse=True)
def nothing_waits_for_ever() -> Iterator[None]:
    """End a test that opened a pipe and waits for its writer."""

    def give_up(*_: object) -> None:
        raise TimeoutError("the review waits for something that is no file")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of two sound sessions and, in the middle of the order, one of several pieces."""
    monkeypatch.setattr(limits, "PIECE_BYTES", 2000)
    write_lines(tmp_path / "t/a.jsonl", failure("bash", "first"))
    write_lines(tmp_path / "t/m.jsonl", failure("bash", "early"), *PADDING, failure("bash", "late"))
    write_lines(tmp_path / "t/z.jsonl", failure("bash", "last"))
    return tmp_path


def reviewed(folder: Path, change: Callable[[Path], object], at: int) -> tuple[Host, list[str], list[str]]:
    """Review while the file changes; give the host, its problems, and what failed, in words."""
    reader = Meddled(generic(folder / "t"), "m.jsonl", change, at)
    host = Host("alpha", reader, folder=folder)
    result = host.review()
    assert len(reader.readings) >= at
    problems = [f"{Path(problem.where).name}: {problem.message}" for problem in result.scan.problems]
    return host, problems, sorted(found.excerpt for found in result.summary.signals)


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Path.unlink, "No such file or directory"),
        (replaced_by_pipe, "is a pipe and no transcript"),
        (replaced_by_folder, "is a folder and no transcript"),
        (replaced_by_circle, "Too many levels of symbolic links"),
    ],
)
def test_file_that_cannot_be_opened_any_more_is_one_line(
    folder: Path, change: Callable[[Path], object], said: str, at: int
) -> None:
    host, problems, failed = reviewed(folder, change, at)

    assert problems == [f"m.jsonl: cannot be read: {said}"]
    assert failed == (["first", "last"] if at == 1 else ["early", "first", "last"])
    (told,) = (event.payload() for event in host.log.kept if event.stored.event_class == "review")
    assert isinstance(told, dict)
    assert told["problems"] == [f"{folder}/t/m.jsonl: cannot be read: {said}"]


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("change", [cut_in_the_middle, cut_to_nothing])
def test_file_that_was_cut_is_read_as_far_as_it_goes_and_as_it_grows_again(
    folder: Path, change: Callable[[Path], object], at: int
) -> None:
    host, problems, failed = reviewed(folder, change, at)
    write_lines(folder / "t/m.jsonl", failure("bash", "early"), *PADDING, failure("bash", "grown"))

    again = host.review()

    assert problems == []
    assert {"first", "last"} <= set(failed) <= {"early", "first", "last"}
    assert sorted(found.excerpt for found in again.summary.signals) == ["early", "first", "grown", "last"]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_file_that_was_replaced_is_read_from_its_start(folder: Path, at: int) -> None:
    _, problems, failed = reviewed(folder, replaced_by_another, at)

    assert problems == []
    assert failed == (["another", "first", "last"] if at == 1 else ["another", "early", "first", "last"])


def test_file_that_is_cut_between_looking_at_its_size_and_reading_it_is_read_as_far_as_it_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "t/m.jsonl"

    def opened(opened_path: Path) -> BinaryIO:
        file = open_regular(opened_path)
        return Cut(file, path) if opened_path == path else file  # type: ignore[return-value] # as far as it is used

    monkeypatch.setattr(piece, "open_regular", opened)
    host = Host("alpha", generic(folder / "t"), folder=folder)

    result = host.review()

    assert result.scan.problems == []
    assert sorted(found.excerpt for found in result.summary.signals) == ["early", "first", "last"]
    assert result.scan.coverage.torn_lines == 1


class Cut:
    """An open file that is cut in its first line but one when it is read for the first time."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int) -> bytes:
        os.truncate(self._path, 150)
        return self._file.read(size)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that another user may enter: pytest's own are closed to it."""
    made = Path(tempfile.mkdtemp(prefix="jilog-open-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def test_file_that_may_not_be_read_any_more_is_one_line(open_folder: Path) -> None:
    user = os.geteuid()
    for name in "amz":
        write_lines(open_folder / f"t/{name}.jsonl", failure("bash", name))

    def forbid(path: Path) -> None:
        path.chmod(0)
        if user == 0:  # who may read everything must be somebody else for a while
            os.seteuid(65534)

    try:
        _, problems, failed = reviewed(open_folder, forbid, at=1)
    finally:
        os.seteuid(user)

    assert problems == ["m.jsonl: cannot be read: Permission denied"]
    assert failed == ["a", "z"]


@pytest.mark.parametrize(
    ("reader_type", "name"),
    [
        ("claude-code", "p/s.jsonl"),
        ("codex", "sessions/2026/05/09/rollout-s.jsonl"),
        ("codex", "sessions/2026/05/09/rollout-s.jsonl.gz"),
        ("copilot", "s/events.jsonl"),
        ("gemini", "h/chats/session-s.json"),
        ("gemini", "h/chats/session-s.jsonl"),
        ("pi", "w/s.jsonl"),
        ("amplifier", "p/sessions/s/transcript.jsonl"),
    ],
)
def test_pipe_that_takes_a_files_place_holds_no_reader(tmp_path: Path, reader_type: str, name: str) -> None:
    path = tmp_path / "t" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"{}\n") if name.endswith(".gz") else b"{}\n")
    inner = make_reader(ReaderConfig(reader_type, {"path": str(tmp_path / "t")}, {"HOME": str(tmp_path)}))
    reader = Meddled(inner, path.name, replaced_by_pipe)

    result = Host("alpha", reader, folder=tmp_path).review()

    assert [problem.message for problem in result.scan.problems] == [
        "cannot be read: is a pipe and no transcript"
    ]


def test_pipe_beside_a_session_where_its_description_should_be_holds_nobody(tmp_path: Path) -> None:
    session = tmp_path / "t/p/sessions/s"
    write_lines(session / "transcript.jsonl", say("user", "no, that is wrong"))
    os.mkfifo(session / "metadata.json")
    inner = make_reader(ReaderConfig("amplifier", {"path": str(tmp_path / "t")}, {"HOME": str(tmp_path)}))

    result = Host("alpha", inner, folder=tmp_path).review()

    assert (result.scan.problems, result.scan.coverage.lines) == ([], 1)
