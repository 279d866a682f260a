"""One agent per home, whatever happens around it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic

import pytest

from jilog_agent.daemon.instance import is_running
from jilog_agent.home import Home
from jilog_agent.socket_place import PATH_BYTES_MAX
from support.agent_process import (
    DEADLINE_SECONDS,
    LineClient,
    ask,
    ask_raw,
    connected,
    finished,
    path_of,
    refusal,
    running,
    start_agent,
    stop_agent,
    wait_for,
)
from support.jilog_cli import Host


def pid_file(host: Host) -> Path:
    return host.state / "agent" / "pid"


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_af1_start_returns_when_the_socket_accepts(host: Host) -> None:
    pid = start_agent(host)

    assert alive(pid)
    assert ask(host, "ping")["pid"] == pid


def test_af1_of_ten_parallel_starts_exactly_one_becomes_the_agent(host: Host) -> None:
    starts = [host.start("agent", "start") for _ in range(10)]
    told = [(process.communicate(timeout=60), process.returncode) for process in starts]

    assert sorted(status for _, status in told) == [0] + [1] * 9
    pid = ask(host, "ping")["pid"]
    assert all(str(pid) in out + err or "already running" in err for (out, err), _ in told)
    wait_for(lambda: processes_of(host) == [pid], "a single process")


def processes_of(host: Host) -> list[int]:
    """Find the live processes whose command line names the host's home."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in numbers if str(host.state).encode() in _command_line(pid) and alive(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_af2_a_second_start_is_refused_with_the_pid_of_the_first(host: Host) -> None:
    pid = start_agent(host)

    again = host.run("agent", "start")

    assert again.returncode == 1
    assert f"already running (pid {pid})" in again.stderr
    assert ask(host, "ping")["pid"] == pid


def test_af2_after_kill_9_a_start_works(host: Host) -> None:
    pid = start_agent(host)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(Home(host.state)), "the end of the agent")

    second = start_agent(host)

    assert second != pid
    assert ask(host, "ping")["pid"] == second


@pytest.mark.parametrize(
    "content",
    [b"garbage", b"", b"\xff\xfe", b"12\n34\n", b"-1", b"0", b"99999999999999999999", "٣".encode()],
)
def test_af2_whatever_a_pid_file_says_the_agent_starts_and_stops(host: Host, content: bytes) -> None:
    pid_file(host).parent.mkdir(exist_ok=True)
    pid_file(host).write_bytes(content)

    pid = start_agent(host)
    pid_file(host).write_bytes(content)
    again = host.run("agent", "start")
    stopped = host.run("agent", "stop")

    assert f"already running (pid {pid})" in again.stderr
    assert stopped.returncode == 0
    assert not alive(pid)


def test_af2_a_pid_that_another_process_has_by_now_is_neither_believed_nor_killed(host: Host) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        pid_file(host).parent.mkdir(exist_ok=True)
        pid_file(host).write_text(f"{bystander.pid}\n")

        pid = start_agent(host)
        pid_file(host).write_text(f"{bystander.pid}\n")
        stopped = host.run("agent", "stop")

        assert stopped.returncode == 0
        assert not alive(pid)
        assert bystander.poll() is None
        bystander.communicate(b"\n")


def test_af2_a_zombie_in_the_pid_file_is_no_agent(host: Host) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    wait_for(lambda: not alive(zombie.pid), "the zombie")
    pid_file(host).parent.mkdir(exist_ok=True)
    pid_file(host).write_text(str(zombie.pid))

    stopped = host.run("agent", "stop")
    pid = start_agent(host)

    assert stopped.returncode == 1
    assert "not running" in stopped.stderr
    assert ask(host, "ping")["pid"] == pid
    zombie.wait()


def test_stop_without_an_agent_says_so(host: Host) -> None:
    done = host.run("agent", "stop")

    assert done.returncode == 1
    assert "the agent is not running" in done.stderr
    assert host.run("agent", "status").returncode == 1


def test_af3_an_idle_client_does_not_hold_up_the_end(host: Host) -> None:
    start_agent(host)

    with connected(host) as silent, connected(host) as half:
        half.sendall(b'{"method":"pi')
        started = monotonic()
        done = host.run("agent", "stop")
        seconds = monotonic() - started
        ends = (silent.recv(1), half.recv(1))

    assert done.returncode == 0
    assert seconds < 5
    assert ends == (b"", b"")
    assert not path_of(host).exists()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_af3_af32_every_write_that_was_acknowledged_before_the_end_is_there_once(
    host: Host, end: signal.Signals
) -> None:
    pid = start_agent(host)
    acknowledged: list[str] = []
    begun = threading.Semaphore(0)

    def write(worker: int) -> None:
        for turn in range(10_000):
            request = (
                '{"method":"write","params":{"entry":{"session_id":"s","type":"decision",'
                f'"title":"{worker} {turn}"}}}}}}\n'
            )
            try:
                reply = ask_raw(host, request.encode())
            except (OSError, AssertionError):
                return
            acknowledged.append(reply["result"]["id"])
            begun.release()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(24)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        assert begun.acquire(timeout=30)
    os.kill(pid, end)
    for thread in threads:
        thread.join(timeout=60)
    wait_for(lambda: not is_running(Home(host.state)), "the end of the agent")

    stored = [event["event_id"] for event in host.events()]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    assert host.run("verify").returncode == 0


def test_af4_two_homes_have_two_agents_that_see_only_their_own(tmp_path: Path, host: Host) -> None:
    other = Host(tmp_path / "other")
    other.root.mkdir()
    other.run("init", "--source", "beta")
    entry = {"session_id": "s", "type": "decision", "title": "here"}

    with running(host) as first, running(other) as second:
        ask(host, "write", {"entry": entry})

        assert first != second
        assert len(ask(host, "query", {})) == 1
        assert ask(other, "query", {}) is None


def test_af5_a_start_from_another_folder_and_through_a_link_is_of_the_same_home(host: Host) -> None:
    link = host.root.parent / "link"
    link.symlink_to(host.state)
    elsewhere = host.root.parent / "elsewhere"
    elsewhere.mkdir()
    environment = host.environment(JILOG_HOME="../link")

    pid = start_agent(host, environment=environment, cwd=elsewhere)

    assert ask(host, "ping")["pid"] == pid
    assert host.run("agent", "start").returncode == 1
    assert host.run("agent", "stop", environment=environment, cwd=elsewhere).returncode == 0


def test_af5_the_agent_outlives_the_shell_that_started_it(host: Host) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", '"$@"; exit 0', "sh", *host.command("agent", "start")],
        env=host.environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        shell.communicate(timeout=60)
        # What closing a terminal sends to the shell's group; nobody of it may be left.
        with pytest.raises(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGHUP)

    assert ask(host, "ping")["pid"]


def test_a_home_with_a_long_path_gets_a_socket_in_a_short_folder_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 25)
    root.mkdir()
    host = Host(root)
    host.run("init")
    path = path_of(host)

    with running(host) as pid:
        told = ask(host, "ping")["pid"]
        folder_mode = stat.S_IMODE(path.parent.stat().st_mode)

    path.parent.rmdir()
    assert len(os.fsencode(path)) <= PATH_BYTES_MAX
    assert told == pid
    assert folder_mode == 0o700


def test_a_short_folder_that_others_may_enter_is_not_trusted(tmp_path: Path) -> None:
    root = tmp_path / ("long-" * 25)
    root.mkdir()
    host = Host(root)
    host.run("init")
    folder = path_of(host).parent
    folder.mkdir(mode=0o755)

    done = host.run("agent", "start")

    folder.rmdir()
    assert done.returncode == 5
    assert "is not a folder of mode 0700" in done.stderr


def test_af46_nobody_else_may_look_in(agent: Host) -> None:
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in agent.state.rglob("*")}

    assert stat.S_IMODE(agent.state.stat().st_mode) == 0o700
    assert modes[path_of(agent)] == 0o600
    assert stat.S_ISSOCK(path_of(agent).stat().st_mode)
    wrong = {
        path
        for path, mode in modes.items()
        if mode != (0o700 if path.is_dir() else 0o600) and path.suffix != ".pub"
    }
    assert wrong == set()


def test_af30_a_foreground_agent_ends_with_status_0_on_sigterm_and_logs_json(host: Host) -> None:
    with host.start("agent", "run") as process:
        wait_for(lambda: path_of(host).exists(), "the socket")
        refusal(host, "nonsense")
        process.send_signal(signal.SIGTERM)
        status = finished(process)
        assert process.stderr is not None
        log = process.stderr.read()

    messages = [json.loads(line)["message"] for line in log.splitlines()]
    assert status == 0
    assert messages[0] == "started"
    assert messages[-2:] == ["stopping", "stopped"]


def test_systemd_is_told_ready_the_state_that_it_lives_and_that_it_stops(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = host.root / "notify"
    host.config.write_text("[agent]\nmdns = false\ndisk_low_mib = 1048576\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(DEADLINE_SECONDS)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        with host.start("agent", "run") as process:
            told = [systemd.recv(1000).decode().splitlines()]
            answered = path_of(host).exists()
            while sum(lines == ["WATCHDOG=1"] for lines in told) < 2 or len(told) < 4:
                told.append(systemd.recv(1000).decode().splitlines())
            process.send_signal(signal.SIGTERM)
            while told[-1][0] != "STOPPING=1":
                told.append(systemd.recv(1000).decode().splitlines())
            status = finished(process)

    assert answered
    assert told[0] == ["READY=1", f"STATUS=answering on {path_of(host)}", f"MAINPID={process.pid}"]
    states = [lines[0] for lines in told[1:-1] if lines != ["WATCHDOG=1"]]
    assert len(states) == 1
    assert states[0].startswith("STATUS=taking nothing from peers: ")
    assert told[-1] == ["STOPPING=1", "STATUS=draining"]
    assert status == 0


def test_work_that_hangs_is_cut_off_at_the_deadline_and_nothing_acknowledged_is_lost(host: Host) -> None:
    entry = {"session_id": "s", "type": "decision", "title": "acknowledged"}
    with host.start("agent", "run") as process, (host.zone / "lock").open() as lock:
        wait_for(lambda: path_of(host).exists(), "the socket")
        ask(host, "write", {"entry": entry})
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a process does that hangs in the middle of a write
        with LineClient(host) as client:
            client.send(id=1, method="write", params={"entry": {**entry, "title": "cut off"}})
            answer = client.ask(id=2, method="ping")  # read in order, so the write is under way
            process.send_signal(signal.SIGTERM)
            status = finished(process)
        fcntl.flock(lock, fcntl.LOCK_UN)

    assert answer["id"] == 2
    assert status == 1
    assert [event["title"] for event in host.payloads("--class", "decision")] == ["acknowledged"]
    start_agent(host)


def test_a_crash_leaves_nothing_that_is_in_the_way(host: Host) -> None:
    pid = start_agent(host)
    entry = {"session_id": "s", "type": "decision", "title": "before"}
    ask(host, "write", {"entry": entry})
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_running(Home(host.state)), "the end of the agent")

    assert path_of(host).exists()
    assert host.run("agent", "status").returncode == 1
    assert len(host.events()) == 1
    start_agent(host)
    assert len(ask(host, "query", {})) == 1
    stop_agent(host)


def test_what_keeps_an_agent_from_starting_is_told_by_start(host: Host) -> None:
    host.config.write_text("[agent]\nlisten = '192.0.2.1:1'\n")

    done = host.run("agent", "start")

    assert done.returncode == 7
    assert "cannot serve on 192.0.2.1 port 1" in done.stderr
    wait_for(lambda: not is_running(Home(host.state)), "the end of the agent")
