"""What every transport does the same: one list of scenarios over memory, SSH and a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.store import ZoneStore
from support.spool_fleet import drafts, held_bytes, root_of
from support.sshd import OPENSSH
from support.stores import held
from support.transports import LINKS, ConformanceHost, Link, settle

_OPENSSH = pytest.param(
    "openssh", marks=pytest.mark.skipif(not OPENSSH, reason="needs root and OpenSSH's /usr/sbin/sshd")
)


def events_in(host: ConformanceHost) -> set[bytes]:
    return {event.event_id for events in held(host.store).values() for event in events}


def same(*hosts: ConformanceHost) -> bool:
    """Tell whether hosts hold the same bytes and nothing damaged."""
    clean = not any(host.store.verify().findings for host in hosts)
    return clean and len({root_of(host.store) for host in hosts}) == 1


class Fleet:
    """Makes the hosts of one scenario."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def host(self, source: str, **options: object) -> ConformanceHost:
        home = self.directory / f"home-{source}"
        home.mkdir()
        return ConformanceHost(home, source, **options)  # type: ignore[arg-type]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.mark.parametrize("transport", ["memory", "ssh", _OPENSSH, "directory"])
class TestTransport:
    """Invariants 1, 4, 5, 6 and 7 between hosts, whatever lies between them."""

    @pytest.fixture
    def link(self, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        return LINKS[transport](tmp_path)

    def test_hosts_with_nothing_exchange_nothing(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")

        taken = link.exchange(a, b)

        assert taken == 0
        assert same(a, b)

    def test_both_directions_reach_the_other_host(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(5)
        a.seal()
        a.append(3)
        b.append(7)

        link.exchange(a, b)

        assert same(a, b)
        assert held_bytes(a.store) == held_bytes(b.store)
        assert len(events_in(b)) == 15

    def test_third_host_gets_everything_from_a_relay(self, link: Link, fleet: Fleet) -> None:
        a, relay, c = fleet.host("a"), fleet.host("relay"), fleet.host("c")
        a.append(4)
        a.seal()
        a.append(2)
        c.append(1)

        link.exchange(a, relay)
        link.exchange(relay, c)
        link.exchange(relay, a)

        assert same(a, relay, c)
        assert len(events_in(c)) == 7

    def test_what_arrives_twice_costs_nothing(self, link: Link, fleet: Fleet) -> None:
        a, b, c = fleet.host("a"), fleet.host("b"), fleet.host("c")
        a.append(4)
        a.seal()
        a.append(2)
        link.exchange(b, a)
        link.exchange(c, b)

        again = (link.exchange(c, a), link.exchange(b, a), link.exchange(b, c))

        assert again == (0, 0, 0)
        assert same(a, b, c)

    def test_tail_grows_and_is_sealed_at_the_far_host_as_here(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        for count in (1, 5, 1):
            a.append(count)
            link.exchange(b, a)
            assert same(a, b)

        a.seal()
        taken = link.exchange(b, a)

        assert taken == 1
        assert same(a, b)
        assert [info.sealed for info in b.store.segments(a.store.own_writer)] == [True]

    def test_exchange_that_is_cut_at_any_step_goes_on_later(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        for _ in range(2):
            a.append(2, size=200)
            a.seal()
        a.append(1)
        b.append(1)
        before = events_in(a) | events_in(b)
        cuts, step = 0, 0

        while step < 40 and (cut := link.interrupted(a, b, step)):
            cuts += cut
            assert events_in(b) <= before
            assert not b.store.verify().findings
            step += 1
        link.exchange(a, b)

        assert cuts >= 3
        assert same(a, b)
        assert events_in(a) == events_in(b) == before

    def test_big_segment_arrives_whole(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        for _ in range(5):
            a.append(5, size=180_000)
        a.seal()

        link.exchange(b, a)

        assert same(a, b)
        assert sum(len(data) for data in held_bytes(b.store).values()) > 4_000_000

    def test_zone_that_was_not_granted_is_not_exchanged_nor_named(
        self, link: Link, fleet: Fleet, tmp_path: Path
    ) -> None:
        a, b = (fleet.host(name, zones=("main", "private")) for name in ("a", "b"))
        for host in (a, b):
            host.append(2)
            host.append(2, zone="private")

        link.exchange(a, b)

        assert same(a, b)
        private = [host.ledgers["private"].shared.frontier() for host in (a, b)]
        assert [len(frontier.entries) for frontier in private] == [1, 1]
        shared = [path for path in tmp_path.glob("stick-*/**/*") if path.is_file()]
        assert not any(b"private" in path.read_bytes() + path.name.encode() for path in shared)

    def test_zone_granted_by_one_side_only_stays_at_home(self, link: Link, fleet: Fleet) -> None:
        a = fleet.host("a", zones=("main", "private"), granted=("main", "private"))
        b = fleet.host("b", zones=("main", "private"))
        a.append(2, zone="private")
        a.append(1)

        link.exchange(a, b)

        assert same(a, b)
        assert b.ledgers["private"].shared.frontier().entries == ()

    def test_confidential_events_leave_no_trace(self, link: Link, fleet: Fleet, tmp_path: Path) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(1)
        a.write(EventDraft("health", {"text": "SECRET"}, tier="confidential"), *drafts(1))
        a.write(EventDraft("health", {"text": "SECRET"}, tier="confidential"))

        link.exchange(a, b)

        assert same(a, b)
        assert a.ledgers["main"].local.frontier().entries
        assert b"SECRET" not in b.everything()
        shared = [path for path in tmp_path.glob("stick-*/**/*") if path.is_file()]
        assert not any(b"SECRET" in path.read_bytes() for path in shared)

    def test_quarantined_segment_comes_back(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        for _ in range(3):
            a.append(2)
            a.seal()
        link.exchange(a, b)
        path = b.store.layout.segment(a.store.own_writer, 2)
        rotten = bytearray(path.read_bytes())
        rotten[len(rotten) // 2] ^= 1
        path.write_bytes(rotten)
        assert b.store.verify().findings
        assert root_of(a.store) != root_of(b.store)

        link.exchange(b, a)

        assert same(a, b)
        assert held_bytes(a.store) == held_bytes(b.store)

    def test_clone_that_went_on_is_a_fork_of_which_both_branches_are_kept(
        self, link: Link, fleet: Fleet
    ) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(3)
        link.exchange(a, b)
        clone = a.copy("home-clone")
        a.append(2)
        clone.append(4)
        everything = events_in(a) | events_in(clone)

        settle(link, [(a, b), (clone, b)])

        assert same(a, b, clone)
        assert events_in(b) == everything
        assert len(everything) == 9
        assert a.store.own_writer != clone.store.own_writer

    def test_histories_that_parted_segments_ago_are_both_kept(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(1)
        clone = a.copy("home-clone")
        for host in (a, clone):
            for _ in range(3):
                host.append(2)
                host.seal()
        everything = events_in(a) | events_in(clone)

        settle(link, [(a, b), (clone, b)])

        assert same(a, b, clone)
        assert events_in(b) == everything
        assert len(everything) == 13

    def test_host_that_was_set_back_loses_nothing_and_goes_on_under_a_new_epoch(
        self, link: Link, fleet: Fleet
    ) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(2)
        old = a.copy("home-old")
        a.append(3)
        link.exchange(a, b)
        before = old.store.own_writer
        everything = events_in(a)

        link.exchange(old, b)
        old.append(1)
        link.exchange(old, b)

        assert same(old, b)
        assert old.store.own_writer != before
        assert events_in(b) == everything | events_in(old)
        assert len(events_in(b)) == 6

    def test_writer_that_is_known_is_never_taken_with_another_key(self, link: Link, fleet: Fleet) -> None:
        a, b = fleet.host("a"), fleet.host("b")
        a.append(3)
        link.exchange(a, b)
        known = held_bytes(b.store)
        forger = fleet.host("forger")
        place = forger.home / "forger" / "main"
        forged = _forged(place, a.store.own_writer, forger)
        forged.append(drafts(9))
        forger.append(1)
        assert a.store.own_writer in forger.store.writers()

        link.exchange(forger, b)

        held_now = held_bytes(b.store)
        writer = a.store.own_writer
        assert {key: data for key, data in held_now.items() if key[0] == writer} == known
        assert forger.store.own_writer in b.store.writers()
        assert not b.store.verify().findings


def _forged(place: Path, writer: Writer, forger: ConformanceHost) -> ZoneStore:
    """Give a store that writes as another host, with the forger's own key, into the forger's zone."""
    for ledger in forger.ledgers.values():
        ledger.close()
    assert forger.key is not None
    (place / "writer.json").unlink(missing_ok=True)
    store = ZoneStore.open(place, "main", source=writer.source, key=forger.key, epochs=lambda: writer.epoch)
    (place / "writer.json").unlink(missing_ok=True)
    forger.ledgers["main"] = ZoneLedger.open(place, "main", source=forger.source, key=forger.key)
    return store


@pytest.mark.parametrize("transport", ["ssh", _OPENSSH, "directory"])
def test_host_that_nobody_knows_gives_and_gets_nothing(
    transport: str, tmp_path: Path, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    link = LINKS[transport](tmp_path)
    a, b = fleet.host("a"), fleet.host("b")
    a.append(1)
    b.append(1)

    refused = link.stranger_is_refused(a, b)

    assert link.authenticates
    assert refused
    assert len(events_in(a)) == len(events_in(b)) == 1
