"""Old and new versions in one fleet, against conversations recorded byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jilog_ledger.event import EventDraft
from jilog_spool import wire
from jilog_spool.errors import VersionMismatch
from jilog_spool.memory import exchange
from jilog_spool.session import State
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import drafts, held_bytes, memory_replica, root_of, session, sync

VECTORS = Path(__file__).parents[1] / "vectors" / "protocol" / "version-1.json"
CONVERSATIONS = json.loads(VECTORS.read_text())["conversations"]


def _draft(number: int) -> EventDraft:
    return EventDraft(
        "health", {"text": "x" * 20, "n": number}, timestamp_ns=number, event_id=number.to_bytes(16, "big")
    )


def _before(index: int) -> tuple[MemoryReplica, MemoryReplica]:
    """Give the two hosts as they were before one of the recorded conversations."""
    first, second = memory_replica("a"), memory_replica("b")
    first.append([_draft(number) for number in (1, 2, 3)])
    first.seal()
    first.append([_draft(number) for number in (4, 5)])
    second.append([_draft(number) for number in range(100, 104)])
    if index > 0:
        sync(first, second)
    if index > 1:
        first.append([_draft(6)])
    return first, second


def _messages(data: bytes) -> list[bytes]:
    """Cut a recorded stream into magic and frames."""
    pieces, offset = [data[:4]], 4
    while offset < len(data):
        size, _ = wire.FRAME.unpack_from(data, offset)
        pieces.append(data[offset : offset + 8 + size])
        offset += 8 + size
    return pieces


@pytest.mark.parametrize("index", range(len(CONVERSATIONS)))
@pytest.mark.parametrize("side", ["a", "b"])
def test_version_1_peer_as_recorded_is_understood(index: int, side: str) -> None:
    """The recorded peer says what it said then; this version must come to the same end with it."""
    mine, other = _before(index) if side == "a" else _before(index)[::-1]
    recorded = _messages(bytes.fromhex(CONVERSATIONS[index]["b" if side == "a" else "a"]))
    ours = session(mine, zstd=False)

    said = bytearray()
    for piece in recorded:
        said += ours.data_to_send()
        ours.receive_data(piece)
    while data := ours.data_to_send():
        said += data

    assert ours.state is State.FINISHED
    assert ours.report.version == 1
    assert ours.report.clean
    held = held_bytes(mine)
    assert all(held[key][: len(data)] == data for key, data in held_bytes(other).items())
    kinds = {type(wire.decode_body(piece[8:])) for piece in _messages(bytes(said))[1:]}
    assert not kinds & wire.VERSION_2


@pytest.mark.parametrize("index", range(len(CONVERSATIONS)))
def test_session_held_to_version_1_says_what_version_1_said(index: int) -> None:
    first, second = _before(index)

    pipe = exchange(session(first, zstd=False, version=1), session(second, zstd=False, version=1))

    recorded = CONVERSATIONS[index]
    assert pipe.first.sent_bytes == len(recorded["a"]) // 2
    assert pipe.second.sent_bytes == len(recorded["b"]) // 2


@pytest.mark.parametrize("versions", [(1, 1), (1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("live", [False, True])
def test_each_pair_of_versions_exchanges_everything(versions: tuple[int, int], live: bool) -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for _ in range(3):
        first.append(drafts(2))
        first.seal()
    first.append(drafts(1))
    second.append(drafts(3))
    options: list[dict[str, Any]] = [{"version": version, "live": live} for version in versions]

    pipe = exchange(session(first, **options[0]), session(second, **options[1]))

    assert root_of(first) == root_of(second)
    assert {pipe.first.session.report.version, pipe.second.session.report.version} == {min(versions)}


def test_fleet_of_mixed_versions_converges_through_a_relay_of_either_version() -> None:
    fleet = [memory_replica(name) for name in "abcd"]
    versions = (1, 2, 1, 2)
    for replica in fleet:
        replica.append(drafts(2))

    for _ in range(3):
        for left, right in ((0, 1), (1, 2), (2, 3), (3, 0)):
            exchange(
                session(fleet[left], version=versions[left]), session(fleet[right], version=versions[right])
            )

    assert len({root_of(replica) for replica in fleet}) == 1


def test_version_that_is_three_behind_is_told_to_upgrade() -> None:
    mine = session(memory_replica("a"), version=1)

    with pytest.raises(VersionMismatch, match="this host 1 to 1"):
        mine.receive_data(wire.MAGIC + wire.encode(wire.Hello((2, 4), "b", {})))
