"""Writing entries: once each, masked, and never over another."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from jilog_agent.decisions.record import IdTaken, write_entry
from jilog_agent.decisions.select import EntryFilter, select_entries
from jilog_ledger.decision import Place
from jilog_ledger.errors import InputError
from support.decision_zone import open_zone, proposal, titles, write
from support.stores import NOON_NS, Clock

UUID = "0193b2c4-5d6e-7f80-9102-a3b4c5d6e7f8"


@pytest.mark.parametrize("client_id", [UUID, UUID.upper(), "adr-7"])
def test_af9_client_id_and_timestamp_come_back(tmp_path: Path, client_id: str) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "one", id=client_id, at=7)

        (entry,) = select_entries([zone], EntryFilter(), limit=None)

    assert entry.id == client_id
    assert entry.timestamp_ns == NOON_NS + 7_000_000_000


def test_af9_same_id_with_same_content_is_written_once(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        first = write(zone, "one", id="adr-7", body="why")
        elsewhere = write(zone, "one", id="adr-7", body="why", place=Place("alpha", "/elsewhere", ""))

        entries = select_entries([zone], EntryFilter(), limit=None)

    assert (first.created, elsewhere.created) == (True, False)
    assert elsewhere.entry == first.entry
    assert len(entries) == 1


@pytest.mark.parametrize(
    "change",
    [{"title": "two"}, {"body": "b"}, {"tags": ("t",)}, {"at": 3}, {"session_id": "t"}, {"type": "question"}],
)
def test_af9_same_id_with_other_content_is_a_conflict_and_changes_nothing(
    tmp_path: Path, change: dict[str, object]
) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "one", id=UUID)

        with pytest.raises(IdTaken, match="is taken by an entry with other content"):
            write(zone, **{"title": "one", "id": UUID, **change})  # type: ignore[arg-type] # one field changed

        assert titles(select_entries([zone], EntryFilter(), limit=None)) == ["one"]


def test_af9_threads_that_write_one_id_at_once_write_it_once(tmp_path: Path) -> None:
    outcomes: list[bool] = []

    def attempt() -> None:
        with open_zone(tmp_path) as own:
            outcomes.append(write_entry(own, proposal("one", id="adr-7"), Clock()).created)

    with open_zone(tmp_path) as zone:
        _ = zone.projection
        threads = [threading.Thread(target=attempt) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        zone.apply()
        entries = select_entries([zone], EntryFilter(), limit=None)

    assert sorted(outcomes) == [False] * 7 + [True]
    assert len(entries) == 1


def test_af10_earlier_bytes_never_change(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        sizes = []
        contents = []
        for number in range(5):
            write(zone, f"entry {number}")
            (path,) = tmp_path.glob("segments/*/*/*.seg")
            contents.append(path.read_bytes())
            sizes.append(len(contents[-1]))

    assert sizes == sorted(set(sizes))
    for earlier, later in itertools.pairwise(contents):
        assert later.startswith(earlier)


def test_secrets_are_masked_before_anything_is_written(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    with open_zone(tmp_path) as zone:
        written = write(zone, f"key {secret}", body=f"it is {secret}", alternatives=(secret,), outcome=secret)

        (path,) = tmp_path.glob("segments/*/*/*.seg")

    assert written.redacted == 4
    assert secret.encode() not in path.read_bytes()
    assert written.entry.title == "key [github token]"


def test_retry_of_an_entry_that_was_masked_is_a_no_op(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    with open_zone(tmp_path) as zone:
        write(zone, f"key {secret}", id="adr-7")

        again = write(zone, f"key {secret}", id="adr-7")

    assert not again.created


def test_confidential_entry_is_found_here_and_is_not_in_what_peers_get(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        from dataclasses import replace

        write_entry(zone, replace(proposal("quiet"), confidential=True), Clock())
        zone.apply()

        assert titles(select_entries([zone], EntryFilter(), limit=None)) == ["quiet"]
        assert zone.ledger.frontier().entries == ()


def test_af13_traversal_in_a_session_or_id_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with open_zone(tmp_path / "zone") as zone:
        for fields in ({"session_id": "../../x"}, {"id": "../x"}):
            with pytest.raises(InputError, match="invalid"):
                write(zone, **fields)  # type: ignore[arg-type] # one field

        assert select_entries([zone], EntryFilter(), limit=None) == []
    assert [path.name for path in tmp_path.iterdir()] == ["zone"]
