"""What vocabularies let events be found by: the same after every way in which a projection comes to be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jilog_ledger.decision import Decision, FileRef, FileScope, checked, decision_draft
from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import derived_event_id, format_uuid
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import EventQuery, Projection
from jilog_ledger.projection.database import FILE_NAME
from support.stores import NOON_NS, flip_bit, key_of, open_store, pull


def entry(number: int, **changes: object) -> EventDraft:
    """Make an entry that tells its number, the same each time."""
    fields: dict[str, object] = {
        "type": ("decision", "question")[number % 2],
        "title": f"entry {number}",
        "session_id": f"session-{number % 3}",
        "tags": (f"tag-{number % 2}", "all"),
        "files": (FileRef("repo", f"src/file-{number % 4}.py"), FileRef("repo", "README.md")),
        **changes,
    }
    decision = checked(Decision(**fields))  # type: ignore[arg-type] # names and values come from the test
    return decision_draft(decision, timestamp_ns=NOON_NS + number, event_id=entry_event(number))


def entry_event(number: int) -> bytes:
    return derived_event_id("entry", str(number))


@pytest.fixture
def ledger(tmp_path: Path) -> ZoneLedger:
    return ZoneLedger.open(tmp_path / "zone", "main", source="alpha", key=key_of("alpha"))


def titles(projection: Projection, **query: object) -> list[object]:
    found = projection.query(EventQuery(limit=None, oldest_first=True, **query))  # type: ignore[arg-type]
    payloads = [event.payload() for event in found]
    return [payload["title"] for payload in payloads if isinstance(payload, dict)]


def rows(ledger: ZoneLedger) -> dict[str, list[object]]:
    """Give the facets and files with event ids for row numbers, which differ between builds."""
    with closing(sqlite3.connect(ledger.root / FILE_NAME)) as connection:
        return {
            table: connection.execute(
                f"SELECT {columns}, e.event_id, w.source FROM {table} t JOIN events e ON e.id = t.event"
                " JOIN writers w ON w.id = e.writer_id ORDER BY 1, 2, 3, 4"
            ).fetchall()
            for table, columns in (("facets", "t.name, t.value"), ("file_refs", "t.repository, t.path"))
        }


def orphans(ledger: ZoneLedger) -> int:
    with closing(sqlite3.connect(ledger.root / FILE_NAME)) as connection:
        return sum(
            connection.execute(
                f"SELECT count(*) FROM {table} WHERE event NOT IN (SELECT id FROM events)"
            ).fetchone()[0]
            for table in ("facets", "file_refs")
        )


def test_facets_and_files_of_one_entry_find_it_and_no_other(ledger: ZoneLedger) -> None:
    ledger.append([entry(number) for number in range(4)])
    with Projection.open(ledger) as projection:
        assert titles(projection, facets=(("session", "session-1"),)) == ["entry 1"]
        assert titles(projection, facets=(("type", "question"), ("tag", "all"))) == ["entry 1", "entry 3"]
        scope = FileScope((FileRef("repo", "src/file-2.py"),))
        assert titles(projection, files=(scope,)) == ["entry 2"]
        assert projection.facet_values("session", prefix="session-") == [
            "session-0",
            "session-1",
            "session-2",
        ]


def test_folder_finds_what_is_below_it_and_not_its_neighbours(ledger: ZoneLedger) -> None:
    names = ["src", "src/a.py", "src/deep/b.py", "src.py", "src0/c.py", "src-old/d.py", "other/src/e.py"]
    ledger.append(
        [
            entry(number, title=name, files=(FileRef("repo", name), FileRef("twin", f"x/{name}")))
            for number, name in enumerate(names)
        ]
    )
    with Projection.open(ledger) as projection:
        found = titles(projection, files=(FileScope((FileRef("repo", "src"),)),))
        everything = titles(projection, files=(FileScope((FileRef("repo", ""),)),))
        nothing = titles(projection, files=(FileScope((FileRef("absent", "src"),)),))

    assert found == ["src", "src/a.py", "src/deep/b.py"]
    assert everything == names
    assert nothing == []


def test_question_that_another_entry_resolves_is_no_longer_open(ledger: ZoneLedger) -> None:
    ledger.append([entry(1), entry(3), entry(4, type="decision", resolves=(format_uuid(entry_event(1)),))])
    with Projection.open(ledger) as projection:
        open_questions = titles(projection, facets=(("type", "question"),), not_linked=("resolves",))

    assert open_questions == ["entry 3"]


def test_entry_that_two_hosts_imported_is_given_once_and_the_same_one_everywhere(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path / "zone", "main", source="zeta", key=key_of("zeta"))
    with open_store(tmp_path / "beta", "beta") as beta:
        beta.append([entry(1), entry(2)])
        ledger.append([entry(1)])
        pull(ledger.shared, beta)
    with Projection.open(ledger) as projection:
        every = titles(projection)
        once = projection.query(EventQuery(distinct=True, oldest_first=True))

    assert every == ["entry 1", "entry 1", "entry 2"]
    assert [(event.stored.event_id, event.writer.source) for event in once] == [
        (entry_event(1), "beta"),
        (entry_event(2), "beta"),
    ]


def test_payload_that_only_claims_to_be_an_entry_is_carried_and_has_no_facets(ledger: ZoneLedger) -> None:
    ledger.append(
        [
            EventDraft("decision", {"record": "decision", "tags": 7}),
            EventDraft("decision", {"record": ["decision"]}),
            EventDraft(
                "decision",
                {
                    "record": "decision",
                    "type": "decision",
                    "title": "t",
                    "session_id": "s",
                    "tags": ["x", "x"],
                },
            ),
        ]
    )
    with Projection.open(ledger) as projection:
        assert projection.count() == 3
        assert projection.facet_values("tag") == ["x"]


def test_invariant_2_facets_when_segment_is_quarantined_are_taken_out_and_come_back_by_rebuild(
    tmp_path: Path,
) -> None:
    ledger = ZoneLedger.open(tmp_path / "zone", "main", source="alpha", key=key_of("alpha"))
    with open_store(tmp_path / "beta", "beta") as beta:
        beta.append([entry(1), entry(2)])
        beta.seal()
        beta.append([entry(3)])
        pull(ledger.shared, beta)
        writer = beta.own_writer
    ledger.append([entry(4)])
    with Projection.open(ledger) as projection:
        before = rows(ledger)
        path = ledger.shared.layout.segment(writer, 1)
        path.chmod(0o600)
        path.write_bytes(flip_bit(path.read_bytes(), 2_000))
        ledger.shared.verify()
        projection.apply()
        damaged = rows(ledger)
        assert titles(projection) == ["entry 3", "entry 4"]
        assert orphans(ledger) == 0
        projection.rebuild()
        rebuilt = rows(ledger)

    assert len(damaged["facets"]) < len(before["facets"])
    assert damaged == rebuilt


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=5), min_size=1, max_size=5
    )
)
def test_invariant_2_facets_applied_step_by_step_equal_those_of_a_rebuild(
    batches: list[list[tuple[int, bool]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("zone")
    with (
        ZoneLedger.open(root, "main", source="alpha", key=key_of("alpha")) as ledger,
        Projection.open(ledger) as projection,
    ):
        for batch in batches:
            ledger.append([entry(n) if is_entry else EventDraft("health", {"n": n}) for n, is_entry in batch])
            projection.apply()
        incremental = rows(ledger)
        projection.rebuild()
        rebuilt = rows(ledger)

    assert incremental == rebuilt


def test_af14_words_of_a_quarantined_entry_are_no_longer_found(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path / "zone", "main", source="alpha", key=key_of("alpha"))
    with open_store(tmp_path / "beta", "beta") as beta:
        beta.append([entry(1, title="peculiar words", body="x" * 3_000)])
        beta.seal()
        pull(ledger.shared, beta)
        writer = beta.own_writer
    with Projection.open(ledger) as projection:
        projection.apply()
        assert titles(projection, text="peculiar") == ["peculiar words"]
        path = ledger.shared.layout.segment(writer, 1)
        path.chmod(0o600)
        path.write_bytes(flip_bit(path.read_bytes(), 9_000))
        ledger.shared.verify()
        projection.apply()

        assert titles(projection, text="peculiar") == []


def test_page_of_best_matches_keeps_their_order(ledger: ZoneLedger) -> None:
    ledger.append(
        [
            entry(number, title=f"cache {number}", body="cache " * (number % 5) + "filler " * 40)
            for number in range(20)
        ]
    )
    with Projection.open(ledger) as projection:
        every = projection.query(EventQuery(text="cache", best_first=True, limit=None))
        pages = [
            event
            for offset in range(0, 20, 6)
            for event in projection.query(EventQuery(text="cache", best_first=True, limit=6, offset=offset))
        ]

    assert len(every) == 20
    assert pages == every


def test_any_number_of_files_can_be_asked_for_at_once(ledger: ZoneLedger) -> None:
    """More than an expression of SQLite's may be deep (1,000), and names that only look like others."""
    wanted = ["src/a.py", "src/ü b'\".py", "docs", "docs/x/y.md"]
    others = ["src/a.pyc", "docs0", "doc", "docs.md"]
    names = [*wanted, *others]
    ledger.append([entry(n, title=name, files=(FileRef("repo", name),)) for n, name in enumerate(names)])
    asked = [*wanted[:3], *(f"no/{number}" for number in range(3_000))]
    with Projection.open(ledger) as projection:
        found = titles(projection, files=(FileScope(tuple(FileRef("repo", name) for name in asked)),))

    assert found == wanted
