"""Why a peer has not what this host has: each fault is told by its true cause, with the next command."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jilog_agent.reasons import (
    _WORDS,
    Held,
    HostFacts,
    PeerFacts,
    Reason,
    Resting,
    Trouble,
    WriterFacts,
    judge,
    worst,
)
from jilog_agent.standing import without_holder
from jilog_ledger.errors import IntegrityError, JilogError, PeerError, StorageError
from jilog_ledger.identifiers import Writer
from jilog_ledger.times import SECOND_NS
from jilog_spool.causes import Cause, cause_of
from jilog_spool.errors import ConnectionLost, ProtocolError, VersionMismatch
from support.agent_hosts import free_port, introduce, new_host, public_key, serving
from support.agent_process import running
from support.jilog_cli import Host

NOW = 1_800_000_000 * SECOND_NS
ALPHA = Writer("alpha", "00000000000000aa")
STREAM = WriterFacts(ALPHA, Held(10, 1000), NOW - SECOND_NS, sequence=10)
HOST = HostFacts("/home/me/.jilog", {"main": [STREAM]})
LEVEL = {("main", ALPHA): Held(10, 1000)}
PEER = PeerFacts(
    "beta", "beta.example", ("main",), synced=True, level=LEVEL, level_at_ns=NOW - 60 * SECOND_NS
)


def with_stream(**changes: Any) -> HostFacts:
    return replace(HOST, zones={"main": [replace(STREAM, **changes)]})


CASES: list[tuple[Reason, PeerFacts, HostFacts]] = [
    (Reason.IN_SYNC, PEER, HOST),
    (Reason.IN_SYNC, replace(PEER, connected=True, level={}), HOST),
    (Reason.BEHIND, replace(PEER, level={("main", ALPHA): Held(7, 700)}), HOST),
    (Reason.INCOMING, replace(PEER, peer_has={("main", ALPHA): 11}), HOST),
    (Reason.NEVER_SYNCED, PeerFacts("beta", "b", ("main",)), HOST),
    (Reason.PAUSED, replace(PEER, resting=Resting(Reason.PAUSED, "for now", "resume")), HOST),
    (Reason.QUIET_HOURS, replace(PEER, resting=Resting(Reason.QUIET_HOURS, "till 7", "sync")), HOST),
    (Reason.AGENT_HUNG, PEER, replace(HOST, agent_hung=True)),
    (Reason.NO_FILE_DESCRIPTORS, PEER, replace(HOST, agent_hung=True, agent_starved=True)),
    (Reason.DISK_LOW, PEER, replace(HOST, disk_low="99 MiB are free on the disk")),
    (Reason.DISK_FULL, PEER, replace(HOST, read_only="99 MiB are free on the disk")),
    (Reason.ZONE_NOT_GRANTED, replace(PEER, zones_not_shared=frozenset({"main"})), HOST),
    (Reason.FORK, replace(PEER, troubles=(Trouble("main", ALPHA, Reason.FORK, "two histories"),)), HOST),
    (Reason.REFUSED, replace(PEER, troubles=(Trouble("main", ALPHA, Reason.REFUSED, "segment 3"),)), HOST),
    (Reason.QUARANTINED, replace(PEER, level={}), with_stream(quarantined=True, missing=True)),
    (Reason.GAP, PEER, with_stream(quarantined=True, missing=True)),
    (Reason.GAP, replace(PEER, level={}), with_stream(missing=True)),
    (
        Reason.GAP_NO_HOLDER,
        PEER,
        replace(with_stream(missing=True), without_holder=frozenset({("main", ALPHA)})),
    ),
    (Reason.CLOCK_SKEW, replace(PEER, clock_ahead_seconds=-301), HOST),
    (Reason.CLOCK_SKEW, PEER, with_stream(last_time_ns=NOW + 301 * SECOND_NS)),
    *((Reason(cause.value), replace(PEER, cause=cause, detail="said so"), HOST) for cause in Cause),
]


@pytest.mark.parametrize(("reason", "peer", "host"), CASES, ids=lambda value: getattr(value, "value", ""))
def test_each_fault_is_judged_by_its_true_cause(reason: Reason, peer: PeerFacts, host: HostFacts) -> None:
    (verdict,) = judge(peer, host, NOW)

    assert verdict.reason is reason
    assert verdict.detail
    assert (verdict.next_step == "") == (reason is Reason.IN_SYNC)


def test_every_reason_has_words_and_a_case() -> None:
    assert set(_WORDS) == set(Reason)
    assert {reason for reason, _, _ in CASES} == set(Reason)


def test_every_reason_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()

    assert [reason.value for reason in Reason if f"| `{reason.value}` |" not in text] == []


def test_lags_count_what_the_peer_lacks_since_both_were_level() -> None:
    peer = replace(PEER, level={("main", ALPHA): Held(7, 700)}, cause=Cause.PEER_OFF)

    (verdict,) = judge(peer, HOST, NOW)

    assert (verdict.lag_events, verdict.lag_bytes, verdict.lag_seconds) == (3, 300, 60)


def test_what_is_to_come_is_measured_by_the_receiver_and_ends_when_it_has_come() -> None:
    stranger = Writer("gamma", ALPHA.epoch)
    peer = replace(PEER, peer_has={("main", ALPHA): 10, ("main", stranger): 4})

    here, unheard = judge(peer, HOST, NOW)

    assert (here.reason, here.incoming_events) == (Reason.IN_SYNC, 0)
    assert (unheard.writer, unheard.reason, unheard.incoming_events) == (stranger, Reason.INCOMING, 4)


def test_lags_are_not_known_before_the_first_sync_and_none_while_connected() -> None:
    (never,) = judge(PeerFacts("beta", "b", ("main",)), HOST, NOW)
    (connected,) = judge(replace(PEER, connected=True), HOST, NOW)

    assert (never.lag_events, never.lag_seconds) == (None, None)
    assert (connected.lag_events, connected.lag_seconds) == (0, 0)


def test_a_peer_of_a_zone_without_events_is_told_of_too() -> None:
    empty = HostFacts("/home/me/.jilog", {"main": []})
    (level,) = judge(replace(PEER, level={}, level_at_ns=0), empty, NOW)
    (skewed,) = judge(replace(PEER, level={}, clock_ahead_seconds=3_600), empty, NOW)
    (never,) = judge(PeerFacts("beta", "b", ("main",)), empty, NOW)

    assert (level.writer, level.reason) == (None, Reason.IN_SYNC)
    assert (skewed.reason, never.reason) == (Reason.CLOCK_SKEW, Reason.NEVER_SYNCED)


def test_a_peer_that_calls_this_host_is_told_of_with_what_to_type_over_there() -> None:
    (never,) = judge(PeerFacts("beta", "beta", ("main",), inbound=True), HOST, NOW)

    assert (never.reason, never.next_step) == (Reason.NEVER_SYNCED, "on beta: jilog spool sync")


@pytest.mark.parametrize(
    ("peer", "lost"),
    [
        (PEER, False),  # both were level before it went
        (replace(PEER, level={}), True),
        (PeerFacts("beta", "b", ("main",), synced=True), False),  # never level
    ],
)
def test_a_stream_of_which_nothing_is_left_has_no_holder_once_both_were_level_without_it(
    peer: PeerFacts, lost: bool
) -> None:
    stream = replace(STREAM, held=Held(0, 0), sequence=0, missing=True, quarantined=True)

    assert without_holder({"main": [stream]}, [peer]) == ({("main", ALPHA)} if lost else set())


def test_a_clock_five_minutes_ahead_is_not_yet_named() -> None:
    (verdict,) = judge(PEER, with_stream(last_time_ns=NOW + 299 * SECOND_NS), NOW)

    assert verdict.reason is Reason.IN_SYNC


def test_the_summary_shows_what_is_wrong_before_what_is_not() -> None:
    other = replace(STREAM, writer=Writer("gamma", ALPHA.epoch), missing=True)
    verdicts = judge(PEER, HostFacts("/", {"main": [STREAM, other]}), NOW)

    shown = worst(verdicts)

    assert shown is not None
    assert (shown.reason, shown.writer) == (Reason.GAP, other.writer)
    assert worst([]) is None


def raised(error: JilogError, origin: BaseException | None = None) -> JilogError:
    error.__cause__ = origin
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (raised(PeerError("x"), TimeoutError()), Cause.PEER_OFF),
        (raised(PeerError("x"), OSError(errno.EHOSTUNREACH, "x")), Cause.PEER_OFF),
        (raised(PeerError("x"), ConnectionRefusedError()), Cause.CONNECTION_REFUSED),
        (raised(PeerError("x"), socket.gaierror()), Cause.NAME_UNKNOWN),
        (raised(PeerError("peer x has no address: none"), socket.gaierror()), Cause.NO_ADDRESS),
        (raised(StorageError("x"), OSError(errno.ENOSPC, "x")), Cause.DISK_FULL),
        (raised(StorageError("x"), OSError(errno.EROFS, "x")), Cause.READ_ONLY),
        (raised(StorageError("x"), OSError(errno.EIO, "x")), Cause.DISK_ERROR),
        (raised(StorageError("x"), OSError(errno.EMFILE, "x")), Cause.NO_FILE_DESCRIPTORS),
        (raised(PeerError("x"), OSError(errno.ENFILE, "x")), Cause.NO_FILE_DESCRIPTORS),
        (PeerError("peer b stopped: cannot append to f: No space left on device"), Cause.PEER_DISK_FULL),
        (PeerError("peer b stopped: cannot append to f: Read-only file system"), Cause.PEER_READ_ONLY),
        (PeerError("peer b has no such command: jilog (exit status 127)"), Cause.COMMAND_MISSING),
        (PeerError("peer b stopped: something else"), Cause.PEER_FAILED),
        (raised(PeerError("peer b: out of order"), ConnectionLost("x")), Cause.PEER_FAILED),
        (VersionMismatch("x"), Cause.VERSION_TOO_OLD),
        (PeerError("peer b stopped: peer a speaks protocol versions 1 to 2"), Cause.VERSION_TOO_OLD),
        (ProtocolError("x"), Cause.GARBAGE),
        (ConnectionLost("x"), Cause.CONNECTION_LOST),
        (IntegrityError("x"), Cause.DAMAGED),
        (raised(PeerError("x"), ValueError()), Cause.UNKNOWN),
    ],
)
def test_the_cause_of_an_error_follows_from_where_it_came(error: JilogError, cause: Cause) -> None:
    assert cause_of(error) is cause


def verdict_of(host: Host, *, source: str | None = None) -> dict[str, Any]:
    """Give what ``spool status`` says of beta, of one writer or of the first."""
    peers = host.json("spool", "status")["peers"]
    assert isinstance(peers, list)
    (beta,) = [peer for peer in peers if isinstance(peer, dict) and peer["peer"] == "beta"]
    writers = beta["writers"]
    assert isinstance(writers, list)
    chosen = [item for item in writers if isinstance(item, dict) and source in (None, item["source"])]
    return chosen[0]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Host, Host, int]:
    port = free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    introduce(alpha, beta, port)
    alpha.run("supervise", "--task", "a", "--", "true")
    return alpha, beta, port


def nothing(_alpha: Host, _beta: Host, _port: int) -> None:
    """Let both hosts alone."""


def forget_host_key(alpha: Host, _beta: Host, port: int) -> None:
    alpha.run("peer", "remove", "beta")
    alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(port))


def change_host_key(alpha: Host, _beta: Host, port: int) -> None:
    alpha.run("peer", "trust", "beta", public_key(alpha))


def be_removed(_alpha: Host, beta: Host, _port: int) -> None:
    beta.run("peer", "remove", "alpha")


def ask_for_another_command(alpha: Host, beta: Host, port: int) -> None:
    key = public_key(beta)
    alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(port), "--host-key", key, "--command", "sh")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (nothing, "in_sync"),
        (forget_host_key, "host_key_unknown"),
        (change_host_key, "key_changed"),
        (be_removed, "auth_failed"),
        (ask_for_another_command, "auth_failed"),
    ],
)
def test_a_real_fault_of_a_peer_that_answers_is_named(
    pair: tuple[Host, Host, int], fault: Callable[[Host, Host, int], None], reason: str
) -> None:
    alpha, beta, port = pair
    with serving(beta, port):
        fault(alpha, beta, port)
        alpha.run("spool", "sync", "beta")

    verdict = verdict_of(alpha)

    assert verdict["reason"] == reason
    assert reason in alpha.run("spool", "status").stdout


def test_a_zone_that_the_peer_keeps_to_itself_is_named(pair: tuple[Host, Host, int]) -> None:
    alpha, beta, port = pair
    beta.config.write_text('[[zones]]\nid = "other"\n[[zones]]\nid = "main"\n')
    with serving(beta, port):
        alpha.run("spool", "sync", "beta")

    verdict = verdict_of(alpha)
    assert verdict["reason"] == "zone_not_granted"
    assert verdict["next"] == "on beta: jilog peer add alpha --zone main"


@contextmanager
def silent_server(port: int) -> Iterator[None]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        yield


def test_a_peer_that_is_not_there_is_told_from_one_that_does_not_answer(pair: tuple[Host, Host, int]) -> None:
    alpha, beta, port = pair
    alpha.config.write_text("[spool]\ntimeout_seconds = 1\n")

    before = verdict_of(alpha)["reason"]
    alpha.run("spool", "sync")
    refused = verdict_of(alpha)["reason"]
    with silent_server(port):
        alpha.run("spool", "sync")
    silent = verdict_of(alpha)["reason"]
    key = public_key(beta)
    alpha.run("peer", "add", "beta", "no-such-host.invalid", "--port", str(port), "--host-key", key)
    alpha.run("spool", "sync")
    nameless = verdict_of(alpha)["reason"]

    alpha.run("peer", "add", "no-such-host.invalid", "--host-key", key)
    said = alpha.run("spool", "sync", "no-such-host.invalid").stderr

    assert (before, refused, silent) == ("never_synced", "connection_refused", "peer_off")
    assert nameless in ("name_unknown", "peer_off")
    if nameless == "name_unknown":  # else something here answers for every name
        assert "has no address" in said
        assert "jilog peer add no-such-host.invalid ADDRESS" in said


def test_what_comes_after_a_sync_counts_as_lag(pair: tuple[Host, Host, int]) -> None:
    alpha, beta, port = pair
    with serving(beta, port):
        alpha.run("spool", "sync")
    alpha.run("supervise", "--task", "later", "--", "true")

    verdict = verdict_of(alpha)

    assert (verdict["reason"], verdict["lag_events"]) == ("behind", 2)
    assert verdict["lag_bytes"] > 0
    assert verdict["next"] == "jilog spool sync beta"


def test_rot_is_named_until_it_is_mended(pair: tuple[Host, Host, int]) -> None:
    alpha, beta, port = pair
    beta.run("supervise", "--task", "b", "--", "true")
    with serving(beta, port):
        alpha.run("spool", "sync")
        (copy,) = alpha.zone.glob("segments/beta/*/*.seg")
        data = bytearray(copy.read_bytes())
        data[250] ^= 1
        copy.write_bytes(bytes(data))
        alpha.run("verify")
        damaged = verdict_of(alpha, source="beta")["reason"]
        alpha.run("spool", "sync")

    assert damaged == "quarantined"
    assert verdict_of(alpha, source="beta")["reason"] == "in_sync"


def test_a_clock_that_is_ahead_is_named(pair: tuple[Host, Host, int]) -> None:
    alpha, beta, port = pair
    beta.run("write", "--type", "decision", "--title", "x", "--timestamp", "2099-01-01T00:00:00Z")
    with serving(beta, port):
        alpha.run("spool", "sync")

    assert verdict_of(alpha, source="beta")["reason"] == "clock_skew"
    assert verdict_of(alpha, source="alpha")["reason"] == "in_sync"


def test_an_agent_without_room_on_its_disk_is_named(pair: tuple[Host, Host, int]) -> None:
    alpha, _, _ = pair
    alpha.config.write_text("[agent]\nmdns = false\ndisk_low_mib = 1048576\n")
    with running(alpha):
        verdict = verdict_of(alpha)

    assert verdict["reason"] == "disk_low"
    assert "MiB are free" in verdict["detail"]
