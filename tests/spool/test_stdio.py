"""Serving a session over standard input and output, in this process and in another one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jilog_ledger.errors import JilogError
from jilog_spool.errors import ConnectionLost, ProtocolError
from jilog_spool.stdio import serve_stdio
from support import spool_serve
from support.spool_fleet import drafts, held_bytes, memory_replica, session, zone_store


class Wire:
    """Two pipes between two sessions in two threads."""

    def __init__(self) -> None:
        self.near_in, self.far_out = os.pipe()
        self.far_in, self.near_out = os.pipe()

    def close(self) -> None:
        for descriptor in (self.near_in, self.far_out, self.far_in, self.near_out):
            os.close(descriptor)


def test_two_ends_of_a_pipe_sync_both_ways_with_more_data_than_pipes_hold() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for replica in (first, second):
        for _ in range(8):
            replica.append([type(drafts(1)[0])("health", {"text": os.urandom(500_000).hex()})])
            replica.seal()
    wire = Wire()
    failures: list[JilogError] = []

    def far() -> None:
        try:
            serve_stdio(session(second), input_descriptor=wire.far_in, output_descriptor=wire.far_out)
        except JilogError as exc:
            failures.append(exc)

    thread = threading.Thread(target=far)
    thread.start()
    serve_stdio(session(first), input_descriptor=wire.near_in, output_descriptor=wire.near_out)
    thread.join(60)

    assert not thread.is_alive()
    assert failures == []
    assert held_bytes(first) == held_bytes(second)


def test_limited_end_waits_for_what_it_reads_and_what_it_writes() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for replica in (first, second):
        replica.append([type(drafts(1)[0])("health", {"text": os.urandom(100_000).hex()})])
    wire, rate = Wire(), 50_000
    slept: dict[str, float] = {}

    def sleep(seconds: float) -> None:
        name = threading.current_thread().name
        slept[name] = slept.get(name, 0.0) + seconds

    def clock() -> float:
        return 1.0 + slept.get(threading.current_thread().name, 0.0)

    far = threading.Thread(
        target=lambda: serve_stdio(
            session(second), input_descriptor=wire.far_in, output_descriptor=wire.far_out
        )
    )
    far.start()
    near = session(first)
    serve_stdio(
        near,
        input_descriptor=wire.near_in,
        output_descriptor=wire.near_out,
        clock=clock,
        bytes_per_second=rate,
        sleep=sleep,
    )
    far.join(60)

    assert held_bytes(first) == held_bytes(second)
    assert min(near.report.wire_bytes_in, near.report.wire_bytes_out) > 100_000
    # What goes out at once after a pause is not waited for, nor is what came last.
    assert len(slept) == 2
    assert all(seconds > 0.5 * 100_000 / rate for seconds in slept.values())


def test_closed_input_is_a_lost_connection() -> None:
    wire = Wire()
    os.close(wire.far_out)

    with pytest.raises(ConnectionLost, match="before it said hello"):
        serve_stdio(
            session(memory_replica("a")), input_descriptor=wire.near_in, output_descriptor=wire.near_out
        )

    wire.far_out = os.dup(0)
    wire.close()


def _serve(root: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, spool_serve.__file__, str(root), "b"]
    return subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)


def test_garbage_on_standard_input_is_one_line_on_standard_error(tmp_path: Path) -> None:
    result = _serve(tmp_path, b"GET / HTTP/1.1\r\n\r\n")

    assert result.returncode == 7
    assert result.stderr.decode().splitlines() == [
        "jilog: error: peer does not speak the spool protocol; it began with 'GET / HTTP/1.1'"
    ]
    assert result.stdout.startswith(b"JLSP")


def test_flood_of_garbage_ends_the_session_at_once(tmp_path: Path) -> None:
    result = _serve(tmp_path, b"JLSP" + b"\xff" * 8_000_000)

    assert result.returncode == 7
    assert b"announced a frame of 4294967295 bytes" in result.stderr
    assert b"announced a frame" in result.stdout


def test_process_syncs_and_ends_when_the_exchange_is_over(tmp_path: Path) -> None:
    mine = zone_store(tmp_path, "a")
    mine.append(drafts(100))
    command = [sys.executable, spool_serve.__file__, str(tmp_path), "b"]
    far = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdin is not None
    assert far.stdout is not None

    serve_stdio(session(mine), input_descriptor=far.stdout.fileno(), output_descriptor=far.stdin.fileno())
    far.communicate(timeout=60)

    assert far.returncode == 0
    assert held_bytes(zone_store(tmp_path, "b")) == held_bytes(mine)


def test_process_killed_in_the_middle_is_a_lost_connection_and_the_next_sync_resumes(tmp_path: Path) -> None:
    mine, target = zone_store(tmp_path, "a"), tmp_path
    for _ in range(4):
        mine.append([type(drafts(1)[0])("health", {"text": os.urandom(500_000).hex()})])
        mine.seal()
    command = [sys.executable, spool_serve.__file__, str(target), "b"]
    far = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdin is not None
    assert far.stdout is not None
    doomed = session(mine)
    taken = 0

    def kill_after_some(data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        if taken > 1_200_000:
            far.kill()

    original = doomed.data_to_send

    def counted() -> bytes:
        data = original()
        kill_after_some(data)
        return data

    doomed.data_to_send = counted  # type: ignore[method-assign]
    with pytest.raises(ConnectionLost):
        serve_stdio(doomed, input_descriptor=far.stdout.fileno(), output_descriptor=far.stdin.fileno())
    far.stdin.close()
    far.stdout.close()
    far.wait(60)
    other = zone_store(tmp_path, "b")
    resumed = session(mine)

    from jilog_spool.memory import exchange

    exchange(resumed, session(other))

    assert held_bytes(other) == held_bytes(mine)


def test_protocol_error_reaches_the_peer_in_words() -> None:
    mine, peer = session(memory_replica("a")), session(memory_replica("b"))
    mine.receive_data(peer.data_to_send())
    bad = bytearray(peer._outbox.popleft() if peer._outbox else b"\0\0\0\1\0\0\0\0x")

    with pytest.raises(ProtocolError):
        mine.receive_data(bytes(bad))
    said = mine.data_to_send()

    assert b"wrong checksum" in said
