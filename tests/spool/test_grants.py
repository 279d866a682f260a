"""What a peer may not see, it cannot tell from anything that is said: not by name, count, size or moment."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError, PeerError
from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_spool import wire
from jilog_spool.memory import exchange
from jilog_spool.session import Session, SessionOptions
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import drafts, key_of, memory_replica, session

CASES = 100_000
ZONES = 6
SECRET = "SECRET"


def _zone(index: int, *, events: int) -> MemoryReplica:
    """Make a zone whose name, writers and events all carry a mark that can be searched for."""
    replica = memory_replica(f"host{SECRET}{index}", zone=f"zone{SECRET}{index}")
    for number in range(events):
        replica.append([EventDraft("health", {"mark": f"event{SECRET}{index}"}, object_ref=f"{number}")])
        if number % 2:
            replica.seal()
    return replica


POOL = [[_zone(index, events=events) for events in range(4)] for index in range(ZONES)]
MARKS = [f"{SECRET}{index}".encode() for index in range(ZONES)]


def _ask(replica: MemoryReplica, chance: random.Random) -> list[wire.Message]:
    """Make what a nosy peer would send to find out about a zone."""
    writer = Writer(replica.source, replica.epoch)
    named = (replica.zone, writer.source, bytes.fromhex(writer.epoch))
    segment = wire.WireSegment(1, 1, 1, 100, sealed=False)
    questions: list[wire.Message] = [
        wire.Get(*named, 1),
        wire.Fork(*named, 1, None, send=True),
        wire.Offer(*named, 0, [segment]),
        wire.Runs(*named, 0, [0, 1], [1]),
        wire.Summary(replica.zone, bytes(8), eager=True),
        wire.Entries(replica.zone, []),
        wire.FrontierPart(replica.zone, []),
        wire.Roots(bytes(16)),
        wire.Want([(0, 0)]),
    ]
    return [chance.choice(questions)]


def _conversation(
    zones: dict[str, MemoryReplica], granted: set[str] | None, said: list[bytes], live: bool
) -> bytes:
    """Give all that a session says to a peer that says ``said``, its errors included."""
    options = SessionOptions(live=live, chance=lambda: 0.5)
    mine = Session(zones, source="host", granted=granted, options=options)
    answers = mine.data_to_send()
    try:
        mine.tick(0.0)
        for data in said:
            mine.receive_data(data)
            for zone in zones:
                mine.notice(zone)
            answers += mine.data_to_send()
        mine.tick(70.0)
    except PeerError as exc:
        answers += f"{exc.message} {exc.hint}".encode()
    return answers + mine.data_to_send()


def test_session_says_the_same_whether_or_not_there_are_zones_that_were_not_granted() -> None:
    chance = random.Random(1)
    distinct = set()
    for _ in range(CASES // 20):
        present = {item.zone: item for item in (chance.choice(zone) for zone in POOL)}
        granted = {zone for zone in present if chance.random() < 0.4}
        hidden = [present[zone] for zone in present if zone not in granted]
        live = chance.random() < 0.5
        named = {
            zone: chance.choice([bytes(32), replica.frontier().root()])
            for zone, replica in present.items()
            if chance.random() < 0.7
        }
        hello = wire.MAGIC + wire.encode(wire.Hello((1, 2), "peer", named, ["live"] if live else []))
        # Twenty questions for each choice of zones and grants.
        for _ in range(20):
            about = chance.choice([*present.values()])
            said = [hello, *map(wire.encode, _ask(about, chance))]

            with_them = _conversation(present, granted, said, live)

            asked = b"".join(said)
            for replica in hidden:
                mark = MARKS[int(replica.zone[-1])]
                assert mark not in with_them or mark in asked
                assert replica.frontier().root() not in with_them
            distinct.add(len(with_them))
        without_them = {zone: present[zone] for zone in granted}
        assert _conversation(without_them, None, said, live) == with_them
    assert len(distinct) > 20


def test_harness_sees_a_session_that_ignores_grants() -> None:
    present = {zone[1].zone: zone[1] for zone in POOL}

    said = _conversation(present, None, [], live=False)

    assert all(mark in said for mark in MARKS)


def test_granted_zone_is_exchanged_and_the_other_is_not() -> None:
    theirs = {zone: memory_replica("peer", zone=zone) for zone in ("main", "private")}
    mine = {zone: memory_replica("host", zone=zone) for zone in ("main", "private")}
    for replica in (*theirs.values(), *mine.values()):
        replica.append(drafts(2))

    exchange(Session(mine, source="host", granted={"main"}), Session(theirs, source="peer"))

    assert len(theirs["main"].contents()) == 2
    assert len(theirs["private"].contents()) == 1
    assert len(mine["private"].contents()) == 1


def test_confidential_events_stay_in_a_stream_that_no_session_takes(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path, "main", source="host", key=key_of("host"))
    ledger.append([EventDraft("health", {"text": SECRET}, tier="confidential"), *drafts(1)])
    peer = memory_replica("peer")

    with pytest.raises(InputError, match="local to this host"):
        Session({"main": ledger.local}, source="host")
    with pytest.raises(InputError, match="must not go into a stream that travels"):
        ledger.shared.append([EventDraft("health", {"text": SECRET}, tier="confidential")])
    exchange(Session({"main": ledger.shared}, source="host"), session(peer))

    assert len(peer.contents()) == 1
    assert SECRET.encode() not in b"".join(peer.contents().values())


def test_tiers_in_any_mixture_leave_no_trace_of_confidential_events(tmp_path: Path) -> None:
    """Two hosts with the same shared events, one with confidential ones among them, say the same bytes."""
    outputs = []
    for keeps_secrets in (False, True):
        chance = random.Random(5)
        root = tmp_path / str(keeps_secrets)
        ledger = ZoneLedger.open(root, "main", source="a", key=key_of("a"))
        for number in range(30):
            tier = chance.choice(["structured", "confidential", "metadata_only"])
            if tier == "confidential" and not keeps_secrets:
                continue
            draft = EventDraft(
                "health", {"n": number}, tier=tier, timestamp_ns=number, event_id=number.to_bytes(16, "big")
            )
            ledger.append([draft])
        peer = memory_replica("peer")
        pipe = exchange(Session({"main": ledger.shared}, source="a"), session(peer))
        outputs.append((pipe.first.sent_bytes, ledger.frontier().entries[0].sequence, len(peer.contents())))

    assert outputs[0] == outputs[1]
