"""``.turnlog/`` under parallel writers, crashes, damage and growth."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from jilog_agent.turns.record import TurnRequest, record_turn
from jilog_agent.turns.site import Site
from jilog_agent.turns.store import TurnStore
from jilog_agent.vcs.capture import WorkingTree
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import StorageError
from support.decision_zone import open_zone
from support.stores import Clock
from support.turn_repo import TurnHost, git_repository

PROCESSES = 24


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    return TurnHost.at(tmp_path, git_repository(tmp_path / "app"))


def lines(app: TurnHost) -> list[bytes]:
    return (app.store / "index.jsonl").read_bytes().splitlines(keepends=True)


def ids(app: TurnHost) -> list[object]:
    return [json.loads(line)["id"] for line in lines(app)]


def test_tf19_24_processes_record_25_distinct_lines(app: TurnHost) -> None:
    session = app.start()
    command = [sys.executable, "-m", "jilog_agent", "turn", "record", "--summary"]
    environment = app.host.environment(TURNLOG_VCS="none")

    started = [
        subprocess.Popen(
            [*command, f"turn {number}"],
            cwd=app.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    done = [process.communicate(timeout=120) for process in started]

    assert [process.returncode for process in started] == [0] * PROCESSES, done
    assert len(set(ids(app))) == len(lines(app)) == PROCESSES + 1
    records = app.records()
    assert {item["id"] for item in records} == set(ids(app))
    assert {item["session"] for item in records if item["type"] == "turn_recorded"} == {session}
    assert {item["summary"] for item in records[1:]} == {f"turn {number}" for number in range(PROCESSES)}
    assert "missing" not in app.run("turn", "status").stderr


def test_tf19_lock_that_is_held_is_waited_for_and_then_said(
    app: TurnHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jilog_ledger.disk.LOCK_WAIT_SECONDS", 0.05)
    app.start()
    descriptor = os.open(app.store / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    held = app.run("turn", "record", "--summary", "while it was held")
    os.close(descriptor)
    free = app.run("turn", "record", "--summary", "afterwards")

    assert "another process has held" in held.stderr
    assert "run jilog turn repair" in held.stderr
    assert (free.returncode, free.stderr) == (0, "")
    assert "1 written anew" in app.turn("repair")
    assert "while it was held" in app.turn("log")


class _FullDisk(RealDisk):
    """A disk that refuses one kind of file."""

    def __init__(self, refused: str) -> None:
        self._refused = refused

    def replace(self, path: Path, data: bytes) -> None:
        if path.name.endswith(self._refused):
            raise StorageError(f"cannot replace {path}: no space left")
        super().replace(path, data)


@contextmanager
def site_at(root: Path, disk: RealDisk | None = None) -> Iterator[Site]:
    root.mkdir(parents=True, exist_ok=True)
    with open_zone(root / "zone") as zone:
        zone.disk = disk or zone.disk
        store = TurnStore(root / "work")
        store.root.mkdir(exist_ok=True)
        store.make(RealDisk())
        yield Site(zone, store, WorkingTree(store.root, "none"), "alpha", Clock())


@pytest.mark.parametrize("refused", [".json", ".md"])
def test_tf20_fault_before_a_rename_leaves_no_part_and_the_record_stands(
    tmp_path: Path, refused: str
) -> None:
    with site_at(tmp_path, _FullDisk(refused)) as site:
        done = record_turn(site, TurnRequest(session="sess_0001"), mock.Mock())

        assert done is not None
        assert "no space left" in done.notes[0]
        left = [path.name for path in (site.store.folder / "turns").iterdir()]
        assert all(not name.endswith((refused, ".tmp")) for name in left)


def test_tf20_directories_are_synced_after_a_rename(tmp_path: Path) -> None:
    with site_at(tmp_path) as site, mock.patch("jilog_ledger.disk._sync_directory") as sync:
        record_turn(site, TurnRequest(session="sess_0001"), mock.Mock())

        synced = {call.args[0] for call in sync.call_args_list}

    assert site.store.folder / "turns" in synced


def test_tf21_cut_index_is_said_by_status_and_made_whole_by_repair(app: TurnHost) -> None:
    app.start()
    for number in range(3):
        app.record("--summary", str(number))
    whole = lines(app)
    cut = b"".join(whole[:2]) + whole[2][:20]
    (app.store / "index.jsonl").write_bytes(cut)

    warned = app.run("turn", "status")
    app.turn("repair")

    assert "2 record(s) are missing" in warned.stderr
    assert "jilog turn repair" in warned.stderr
    assert warned.returncode == 0
    assert lines(app) == whole
    assert (app.store / "index.jsonl.bak").read_bytes() == cut
    assert app.run("turn", "status").stderr == ""


def test_tf21_failing_repair_keeps_the_old_index(app: TurnHost) -> None:
    app.start()
    app.record()
    cut = lines(app)[0]
    (app.store / "index.jsonl").write_bytes(cut)
    (app.store / "index.jsonl.bak").mkdir()

    done = app.run("turn", "repair")

    assert done.returncode == 5
    assert lines(app) == [cut]


def test_tf21_whole_folder_is_made_again_from_the_ledger(app: TurnHost) -> None:
    session = app.start("--ticket", "T-1")
    (app.folder / "new.txt").write_text("x")
    app.record("--summary", "did it", "--verify", "echo x", "--attach-diff")
    app.turn("end", "--summary", "done")
    before = {
        path.name: path.read_bytes() for path in app.store.glob("*/*.*") if path.suffix in (".json", ".md")
    }
    index = lines(app)
    shutil.rmtree(app.store)
    app.turn("init")

    done = app.run("turn", "repair")

    after = {
        path.name: path.read_bytes() for path in app.store.glob("*/*.*") if path.suffix in (".json", ".md")
    }
    assert before == after
    assert lines(app) == index
    assert f"{session}.md" in after
    assert "it is not there" in done.stderr


def test_tf22_tf18_writes_go_on_whatever_is_damaged_and_newer_records_are_left_alone(app: TurnHost) -> None:
    session, turn = app.start(), app.record("--summary", "whole")
    (app.store / "turns" / f"{turn}.json").write_text("{ not JSON")
    (app.store / "sessions" / "sess_01KYYYYYYYYYYYYYYYYYYYYYYY.json").write_bytes(b"\xff\x00")
    newer = {"schema_version": 9, "id": "turn_01KXXXXXXXXXXXXXXXXXXXXXXX", "strange": True}
    newer_path = app.store / "turns" / "turn_01KXXXXXXXXXXXXXXXXXXXXXXX.json"
    newer_path.write_text(json.dumps(newer))
    with (app.store / "index.jsonl").open("ab") as index:
        index.write(b'{"type": "turn_recorded", "turn": {"id"\n{"type": "unheard of"}\nno json at all')

    second = app.record("--summary", "after the damage")
    status = app.run("turn", "status")
    repaired = app.run("turn", "repair")

    assert "cannot be read" in status.stderr
    assert second in ids(app)
    aside = {path.name for path in (app.store / "quarantine").iterdir()}
    assert len(aside) == 4
    assert any(name.startswith(f"turns-{turn}-") and name.endswith(".json") for name in aside)
    assert json.loads((app.store / "turns" / f"{turn}.json").read_text())["summary"] == "whole"
    assert json.loads(newer_path.read_text()) == newer
    assert "left alone" in repaired.stderr
    assert "index.jsonl:3" in repaired.stderr
    assert ids(app) == [session, turn, second]
    assert app.run("turn", "status").stderr == ""


def test_tf22_edited_document_is_kept_aside_and_the_ledger_wins(app: TurnHost) -> None:
    app.start()
    turn = app.record("--summary", "true")
    path = app.store / "turns" / f"{turn}.json"
    path.write_text(path.read_text().replace('"true"', '"false"'))

    shown = app.json("show", turn)
    warned = app.run("turn", "status").stderr
    app.turn("repair")

    assert shown["turn"]["summary"] == "true"  # type: ignore[index] # a document
    assert "1 record(s) say something else than the ledger" in warned
    assert json.loads(path.read_text())["summary"] == "true"
    (kept,) = (app.store / "quarantine").glob("*.json")
    assert '"false"' in kept.read_text()


def test_tf22_records_that_only_the_folder_holds_reach_the_ledger(app: TurnHost) -> None:
    app.start()
    foreign = {
        "schema_version": 1,
        "id": "turn_01HXAAAAAAAAAAAAAAAAAAAAAA",
        "session": "sess_01HXBBBBBBBBBBBBBBBBBBBBBB",
        "created_at": "2026-05-22T12:05:00.25Z",
        "model": None,
        "summary": "by another program",
        "verification": ["cargo test"],
        "vcs": {
            "kind": "git",
            "git_head": "abc",
            "git_branch": None,
            "dirty": True,
            "changed_files": ["x.rs"],
        },
    }
    (app.store / "turns" / f"{foreign['id']}.json").write_text(json.dumps(foreign))

    warned = app.run("turn", "status").stderr
    app.turn("repair")

    assert "1 record(s) are not in the ledger" in warned
    assert "by another program" in app.turn("log")
    assert foreign["id"] in ids(app)
    assert app.run("turn", "status").stderr == ""


def test_what_a_killed_write_left_is_swept(app: TurnHost) -> None:
    app.start()
    (app.store / "turns" / ".turn_x.json.123.abc.tmp").write_text("half")

    app.turn("repair")

    assert list((app.store / "turns").iterdir()) == []


class _Watch:
    """Counts what is opened and listed, and the bytes that are read, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.events: list[str] = []
        self.bytes = 0
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in ("open", "os.listdir", "os.scandir"):
            self.events.append(event)

    @contextmanager
    def watching(self) -> Iterator[None]:
        self.events.clear()
        self.bytes = 0
        real = os.pread

        def counted(descriptor: int, length: int, offset: int) -> bytes:
            data = real(descriptor, length, offset)
            self.bytes += len(data)
            return data

        with mock.patch("os.pread", counted):
            self.on = True
            try:
                yield
            finally:
                self.on = False


_WATCH = _Watch()


def cost_of_a_turn(root: Path, turns: int) -> tuple[list[str], int]:
    """Give what recording one more turn opens and lists, and how many bytes it reads."""
    with site_at(root) as site:
        site.zone.disk = RealDisk()
        line = b'{"type": "turn_recorded", "turn": {}}\n'
        site.store.index.write_bytes(line * turns)
        for number in range(turns):
            (site.store.folder / "turns" / f"turn_{number:026d}.json").write_bytes(line)
        request = TurnRequest(session="sess_0001", summary="one more")
        record_turn(site, request, mock.Mock())
        with _WATCH.watching():
            done = record_turn(site, request, mock.Mock())
        assert done is not None
        assert done.notes == ()
        return list(_WATCH.events), _WATCH.bytes


def test_tf24_recording_opens_and_reads_as_much_at_10000_turns_as_at_10(tmp_path: Path) -> None:
    few, few_bytes = cost_of_a_turn(tmp_path / "few", 10)
    many, many_bytes = cost_of_a_turn(tmp_path / "many", 10_000)

    assert 0 < len(many) <= len(few)
    assert "os.listdir" not in many
    assert "os.scandir" not in many
    assert many_bytes <= few_bytes + 4_096


def test_tf19_lock_of_a_killed_process_is_free(app: TurnHost) -> None:
    app.start()
    code = f"import fcntl, time; f = open({str(app.store / '.lock')!r}); fcntl.flock(f, fcntl.LOCK_EX)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{code}; print('held', flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()

    done = app.run("turn", "record")

    assert (done.returncode, done.stderr) == (0, "")
    assert (app.store / ".lock").exists()
