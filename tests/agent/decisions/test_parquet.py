"""Events as a Parquet table: read back by the real library, they are the events that went in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import pyarrow.parquet
import pytest

from jilog_ledger.times import parse_rfc3339
from support.jilog_local import LocalHost


@pytest.fixture
def ready(tmp_path: Path) -> LocalHost:
    host = LocalHost(tmp_path)
    assert host.run("init", "--source", "alpha").returncode == 0
    for number in range(3):
        title = f"naïve \u2028 entry {number}"
        assert (
            host.run(
                "write", "--type", "decision", "--title", title, "--body", "\x7f", "--tag", "t"
            ).returncode
            == 0
        )
    assert host.run("supervise", "--task", "job", "--", "true").returncode == 0
    assert host.run("write", "--type", "question", "--title", "secret", "--confidential").returncode == 0
    return host


def test_every_event_comes_back_as_it_was(ready: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    done = ready.run("export", "--format", "parquet", "--output", str(path))
    assert done.returncode == 0, done.stderr

    table = pyarrow.parquet.read_table(path)

    expected = [
        json.loads(line) for line in ready.run("export", "--format", "jsonl").stdout.split("\n") if line
    ]
    assert len(expected) == table.num_rows == 5
    moments = table.column("timestamp").cast("int64").to_pylist()
    for row, event, moment in zip(table.drop(["timestamp"]).to_pylist(), expected, moments, strict=True):
        payload = json.loads(row.pop("payload"))
        assert {**row, "payload": payload} == {
            key: value for key, value in event.items() if key != "timestamp"
        }
        assert moment == parse_rfc3339(event["timestamp"])
    assert table.schema.metadata[b"jilog_export"] == b"1"
    assert path.stat().st_mode & 0o777 == 0o600


def test_filters_count_and_nothing_is_a_table_too(ready: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"

    rows = {}
    for name, filters in (
        ("tag", ("--tag", "t")),
        ("none", ("--tag", "nothing")),
        ("all", ("--confidential",)),
    ):
        assert ready.run("export", "--format", "parquet", "--output", str(path), *filters).returncode == 0
        rows[name] = pyarrow.parquet.read_table(path).num_rows

    assert rows == {"tag": 3, "none": 0, "all": 6}


def test_without_the_library_the_command_to_install_it_is_told(ready: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    with mock.patch("importlib.util.find_spec", return_value=None):
        done = ready.run("export", "--format", "parquet", "--output", str(path))

    assert done.returncode == 2
    assert "pip install 'jilog[parquet]'" in done.stderr
    assert not path.exists()
    assert "pyarrow" in sys.modules


def test_a_place_that_is_no_file_is_refused(ready: LocalHost, tmp_path: Path) -> None:
    assert "--output FILE" in ready.run("export", "--format", "parquet").stderr
    folder = ready.run("export", "--format", "parquet", "--output", str(tmp_path))
    assert (folder.returncode, "is a folder" in folder.stderr) == (2, True)
