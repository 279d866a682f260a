"""Filters: each combination gives what a naive filter gives, in the right order and on the right page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_agent.decisions.export import export_entries
from jilog_agent.decisions.record import Proposal
from jilog_agent.decisions.select import EntryFilter, about_files, select_entries
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.decision import TYPES, FileRef, FileScope, checked, decision_draft
from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import format_uuid, new_event_id
from support.decision_zone import open_zone, proposal, titles, write
from support.stores import NOON_NS, pull

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Sample:
    """What the naive filter knows of an entry."""

    title: str
    type: str
    session: str
    tags: tuple[str, ...]
    paths: tuple[str, ...]
    ns: int
    answers: int | None
    """The number of the entry that this one resolves."""

    @property
    def words(self) -> set[str]:
        """What it may be searched by."""
        parts = [self.title, *self.tags, *self.paths]
        return {word for part in parts for word in re.split(r"\W+", part)}


def samples() -> list[Sample]:
    """Spread types, sessions, tags, files and times so that every combination has hits and misses."""
    found = []
    for number in range(60):
        tags = tuple(tag for bit, tag in enumerate(("red", "green", "blue")) if number >> bit & 1)
        paths = tuple(
            path for path, step in (("src/a.py", 2), ("src/deep/b.py", 3), ("c.md", 5)) if not number % step
        )
        # Times within one second and the same moment twice: what compared as text goes wrong.
        ns = NOON_NS + (number // 2) * SECOND // 4
        answers = number - 7 if number % 9 == 8 else None
        found.append(
            Sample(f"entry {number:02}", TYPES[number % 5], f"s{number % 4}", tags, paths, ns, answers)
        )
    return found


SAMPLES = samples()
ANSWERED = {SAMPLES[sample.answers].title for sample in SAMPLES if sample.answers is not None}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenZone]:
    with open_zone(tmp_path_factory.mktemp("zone")) as opened:
        ids = [new_event_id(sample.ns) for sample in SAMPLES]
        for number, sample in enumerate(SAMPLES):
            resolved = () if sample.answers is None else (format_uuid(ids[sample.answers]),)
            wanted = proposal(
                sample.title,
                type=sample.type,
                session_id=sample.session,
                tags=sample.tags,
                files=sample.paths,
                resolves=resolved,
            )
            draft = _draft(wanted, sample.ns, ids[number])
            opened.ledger.append([draft, EventDraft("health", {"summary": "noise"}, timestamp_ns=sample.ns)])
        opened.apply()
        yield opened


def _draft(wanted: Proposal, ns: int, event_id: bytes) -> EventDraft:
    return decision_draft(checked(wanted.decision), timestamp_ns=ns, event_id=event_id)


@dataclass(frozen=True)
class Wanted:
    type: str | None
    session: str | None
    tags: tuple[str, ...]
    since: int | None
    until: int | None
    path: str | None
    open: bool = False
    text: str | None = None

    def filter(self) -> EntryFilter:
        scopes = () if self.path is None else (FileScope((FileRef("repo", self.path),)),)
        return EntryFilter(
            type=self.type,
            session=self.session,
            tags=self.tags,
            since_ns=self.since,
            until_ns=self.until,
            files=scopes,
            unanswered=self.open,
            text=self.text,
        )

    def naive(self) -> list[str]:
        """Filter by hand; entries of one moment come in the order in which they were written."""
        return [sample.title for sample in SAMPLES if self._passes(sample)]

    def _passes(self, sample: Sample) -> bool:
        return (
            self.type in (None, sample.type)
            and self.session in (None, sample.session)
            and set(self.tags) <= set(sample.tags)
            and (self.since is None or sample.ns >= self.since)
            and (self.until is None or sample.ns < self.until)
            and not (self.open and sample.title in ANSWERED)
            and set((self.text or "").split()) <= sample.words
            and (
                self.path is None
                or any(path == self.path or path.startswith(self.path + "/") for path in sample.paths)
            )
        )


CHOICES = (
    (None, "decision"),
    (None, "s2"),
    ((), ("red",)),
    (None, NOON_NS + SECOND),
    (None, NOON_NS + 5 * SECOND + 1),
    (None, "src"),
)


@pytest.mark.parametrize(
    "values", list(itertools.product(*CHOICES)), ids=lambda v: "".join("x" if i else "-" for i in v)
)
def test_af17_each_of_the_64_combinations_of_filters_gives_what_a_naive_filter_gives(
    zone: OpenZone, values: tuple[object, ...]
) -> None:
    wanted = Wanted(*values)  # type: ignore[arg-type] # one value of each field

    newest_first = titles(select_entries([zone], wanted.filter(), limit=None))

    assert newest_first == wanted.naive()[::-1]


moments = st.none() | st.integers(-1, 16 * 4).map(lambda quarter: NOON_NS + quarter * SECOND // 4)
filters = st.builds(
    Wanted,
    type=st.sampled_from([None, *TYPES, "unheard"]),
    session=st.sampled_from([None, "s0", "s1", "s2", "s3", "s"]),
    tags=st.lists(st.sampled_from(["red", "green", "blue", "re"]), max_size=3).map(tuple),
    since=moments,
    until=moments,
    path=st.sampled_from([None, "src", "src/a.py", "src/deep", "c.md", "sr", "src/a"]),
    open=st.booleans(),
)
searches = st.sampled_from(["entry", "07", "red", "red green", "entry blue", "deep", "nowhere", "entry 08"])


@settings(max_examples=120, deadline=None)
@given(wanted=filters, limit=st.integers(0, 12), offset=st.integers(0, 70))
def test_af17_af16_any_filter_and_page_gives_what_a_naive_filter_gives(
    zone: OpenZone, wanted: Wanted, limit: int, offset: int
) -> None:
    shown = limit or None

    page = titles(select_entries([zone], wanted.filter(), limit=shown, offset=offset))

    assert page == wanted.naive()[::-1][offset:][:shown]


@settings(max_examples=80, deadline=None)
@given(wanted=filters, text=searches)
def test_af17_af19_any_filter_and_words_give_what_a_naive_filter_gives(
    zone: OpenZone, wanted: Wanted, text: str
) -> None:
    searched = replace(wanted, text=text)

    found = titles(select_entries([zone], searched.filter(), limit=None))

    # The best match comes first, so that only what is found is compared.
    assert sorted(found) == searched.naive()


@settings(max_examples=40, deadline=None)
@given(wanted=filters)
def test_af26_export_takes_every_combination_of_filters(zone: OpenZone, wanted: Wanted) -> None:
    entries = select_entries([zone], wanted.filter(), limit=None, oldest_first=True)

    text = export_entries(entries, format_name="text")

    found = [line.split("] ")[1] for line in text.splitlines() if "] entry" in line]
    assert found == wanted.naive()


def test_af16_pages_are_disjoint_and_complete(zone: OpenZone) -> None:
    pages = [titles(select_entries([zone], EntryFilter(), limit=25, offset=offset)) for offset in (0, 25, 50)]

    assert [len(page) for page in pages] == [25, 25, 10]
    assert [title for page in pages for title in page] == [sample.title for sample in SAMPLES][::-1]


def test_af35_without_a_filter_the_newest_of_all_times_are_given(zone: OpenZone) -> None:
    found = select_entries([zone], EntryFilter(), limit=50)

    assert titles(found) == [sample.title for sample in SAMPLES][::-1][:50]


def test_log_all_gives_events_of_every_vocabulary(zone: OpenZone) -> None:
    found = select_entries([zone], EntryFilter(all_records=True), limit=None)

    assert len(found) == 2 * len(SAMPLES)
    assert {entry.kind for entry in found} == {*TYPES, "health"}


def test_several_zones_are_one_list_with_one_limit(tmp_path: Path) -> None:
    with open_zone(tmp_path / "one") as one, open_zone(tmp_path / "two") as two:
        for number in range(6):
            write(one if number % 2 else two, f"entry {number}", at=number)

        page = select_entries([one, two], EntryFilter(), limit=3, offset=1)
        oldest = select_entries([one, two], EntryFilter(), limit=2, oldest_first=True)

    assert titles(page) == ["entry 4", "entry 3", "entry 2"]
    assert titles(oldest) == ["entry 0", "entry 1"]


def test_question_is_open_until_another_entry_resolves_it(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        asked = write(zone, "how?", type="question").entry
        write(zone, "why?", type="question")
        write(zone, "so", resolves=(asked.id,))

        unanswered = select_entries([zone], EntryFilter(type="question", unanswered=True), limit=None)

    assert titles(unanswered) == ["why?"]


@pytest.mark.parametrize(
    "text", ["my-project", "C++", "don't", '"quoted"', "--since", "a AND (b", "naïve", "NEAR", "*", "'"]
)
def test_af19_any_text_can_be_searched(tmp_path: Path, text: str) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, f"about {text} here")
        write(zone, "something else")

        found = select_entries([zone], EntryFilter(text=text), limit=20)

    has_words = any(character.isalnum() or character in "+#" for character in text)
    assert titles(found) == ([f"about {text} here"] if has_words else [])


def test_af19_all_words_must_be_there_wherever_they_stand_and_filters_hold(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "pool of connections", body="it leaks", tags=("net",), session_id="s1")
        write(zone, "leaks", body="nothing else", session_id="s1")
        write(zone, "connections", body="leaks", files=("src/pool.py",), session_id="s2")

        both = select_entries([zone], EntryFilter(text="LEAKS connections"), limit=20)
        one = select_entries([zone], EntryFilter(text="leaks connections", session="s2"), limit=20)
        by_tag = select_entries([zone], EntryFilter(text="net"), limit=20)
        by_file = select_entries([zone], EntryFilter(text="pool.py"), limit=20)

    assert set(titles(both)) == {"pool of connections", "connections"}
    assert titles(one) == ["connections"]
    assert titles(by_tag) == ["pool of connections"]
    assert titles(by_file) == ["connections"]


def test_af19_title_hits_rank_before_a_mention_in_a_long_body(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        write(zone, "the cache", body="short", at=1)
        write(zone, "something else", body="words " * 200 + "cache " + "words " * 200, at=2)
        for number in range(10):
            write(zone, f"filler {number}", body="words", at=3 + number)

        found = select_entries([zone], EntryFilter(text="cache"), limit=20)

    assert titles(found) == ["the cache", "something else"]


def test_af15_projection_that_is_deleted_gives_the_same_answers_without_a_manual_step(tmp_path: Path) -> None:
    with open_zone(tmp_path) as zone:
        for number in range(5):
            write(zone, f"entry {number}", at=number, tags=("t",))
        before = titles(select_entries([zone], EntryFilter(tags=("t",)), limit=None))
    (tmp_path / "projection.sqlite").unlink()

    with open_zone(tmp_path) as zone:
        after = titles(select_entries([zone], EntryFilter(tags=("t",)), limit=None))

    assert after == before
    assert len(after) == 5


def test_af25_more_than_ten_thousand_entries_are_exported_completely(tmp_path: Path) -> None:
    count = 10_200
    with open_zone(tmp_path) as zone:
        drafts = [
            _draft(proposal(f"entry {number}"), NOON_NS + number, new_event_id(NOON_NS + number))
            for number in range(count)
        ]
        for start in range(0, count, 3_400):
            zone.ledger.append(drafts[start : start + 3_400])
        found = select_entries([zone], EntryFilter(), limit=None, oldest_first=True)

    text = export_entries(found, template="retro")

    assert text.count("- **entry ") == count


def test_entry_that_a_peer_wrote_is_found_where_it_arrived(tmp_path: Path) -> None:
    with open_zone(tmp_path / "alpha", "alpha") as alpha, open_zone(tmp_path / "beta", "beta") as beta:
        write(beta, "from beta", files=("src/a.py",), at=1)
        write(alpha, "from alpha", files=("src/a.py",), at=2)
        pull(alpha.ledger.shared, beta.ledger.shared)
        alpha.apply()

        found = about_files([alpha], FileScope((FileRef("repo", "src/a.py"),)))

    assert [(entry.title, entry.event.writer.source) for entry in found] == [
        ("from alpha", "alpha"),
        ("from beta", "beta"),
    ]
