"""Readers by name: the built-in ones' options, and those of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_review.cursor import Cursor
from jilog_review.profiles import load_profile
from jilog_review.reader import Discovery, ReaderConfig, Reading, Source, make_reader
from jilog_review.readers import BUILT_IN
from support.review_night import Host, say, write_lines


class EchoReader:
    """A third party's reader that finds one source and cannot read it."""

    name = "echo"

    def __init__(self, config: ReaderConfig) -> None:
        self.options = config.options

    def discover(self, since_ns: int) -> Discovery:
        return Discovery((Source("one", "one", "one", since_ns),))

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        raise ValueError("not\nmine")


class DeafReader(EchoReader):
    """A third party's reader that fails before it finds anything."""

    name = "deaf"

    def discover(self, since_ns: int) -> Discovery:
        raise RuntimeError("no ears")


def offer(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    point = EntryPoint("echo", value, "jilog.readers")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [point])


def test_reader_of_another_package_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "review.test_reader_registry:EchoReader")

    found = make_reader(ReaderConfig("echo", {"volume": 11}))

    assert (found.name, found.discover(5).sources[0].key) == ("echo", "one")


def test_reader_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "no_such_package_here:Reader")

    with pytest.raises(InputError, match="reader 'echo' from no_such_package_here:Reader cannot be loaded"):
        make_reader(ReaderConfig("echo"))


def test_readers_that_raise_are_problems_and_the_others_are_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "t/s.jsonl", say("assistant", "hardcoded"))
    good = make_reader(ReaderConfig("generic", {"path": f"{tmp_path}/t/*.jsonl"}))
    config = ReaderConfig("echo")
    host = Host("alpha", EchoReader(config), DeafReader(config), good, folder=tmp_path)

    result = host.review()

    assert [(problem.where, problem.message) for problem in result.scan.problems] == [
        ("deaf", "reader failed: RuntimeError: no ears"),
        ("one", "reader echo failed: ValueError: not mine; tried again at the next review"),
    ]
    assert len(result.summary.signals) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs a path"),
        ({"path": "/x/*", "session_id_from": "moon"}, "unknown session_id_from 'moon'"),
        ({"path": "  "}, "must be text"),
        ({"path": "/x", "nmae": "y"}, "unknown key 'nmae'"),
    ],
)
def test_generic_reader_with_a_wrong_option_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_reader(ReaderConfig("generic", options))


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"generic"}))
def test_unknown_option_when_given_to_a_reader_names_the_nearest(name: str) -> None:
    with pytest.raises(InputError, match="unknown key 'pahts'") as caught:
        make_reader(ReaderConfig(name, {"pahts": ["x"]}, {"HOME": "/nowhere"}))

    assert "'path" in str(caught.value.hint)


def test_session_id_comes_from_the_folder_or_the_file(tmp_path: Path) -> None:
    write_lines(tmp_path / "home[1]/agents/ada/log.jsonl", say("user", "hi"))
    environment = {"HOME": str(tmp_path / "home[1]")}

    def ids(**options: object) -> list[str]:
        config = ReaderConfig("generic", {"path": "~/agents/*/*.jsonl", **options}, environment)
        return [source.session_id for source in make_reader(config).discover(0).sources]

    assert ids() == ["ada"]
    assert ids(session_id_from="file_stem") == ["log"]


def test_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown review profile 'sed'") as caught:
        load_profile("sed")

    assert caught.value.hint == "did you mean 'seed'?"
