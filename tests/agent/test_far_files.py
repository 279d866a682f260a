"""Transcripts of another host: a mirror that grows with the original, over a fake host and a real sshd."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jilog_agent import far_files
from jilog_agent.far_files import Mirror
from jilog_ledger.errors import PeerError
from jilog_ledger.keys import SigningKey
from jilog_review.reader import Problem, ReaderConfig
from jilog_review.readers.nanoclaw import nanoclaw_reader
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings
from jilog_spool.ssh_files import FarFile, SshFiles
from jilog_spool.ssh_server import openssh_public_key
from support.jilog_cli import Host

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(not Path(SSHD).exists(), reason="no OpenSSH server is installed here")


class FakeHost:
    """Another host's files, in memory; ``away`` makes it unreachable."""

    def __init__(self, **files: bytes) -> None:
        self.files = dict(files)
        self.away = False
        self.read_bytes = 0

    def walk(self, folder: str, suffix: str, refused: Callable[[str, str], None]) -> Iterator[FarFile]:
        self._answer()
        refused("secret", "Permission denied")
        for path, data in self.files.items():
            if path.startswith(folder) and path.endswith(suffix):
                yield FarFile(path, len(data), 7)

    def size(self, path: str) -> int:
        self._answer()
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return len(self.files[path])

    def read(self, path: str, offset: int, length: int) -> bytes:
        self._answer()
        data = self.files[path][offset : offset + length]
        self.read_bytes += len(data)
        return data

    def _answer(self) -> None:
        if self.away:
            raise PeerError("peer desk did not answer in time")


def mirror(tmp_path: Path, host: FakeHost) -> Mirror:
    return Mirror("desk", host, tmp_path / "mirror")


def test_file_that_grew_is_the_same_copy_and_only_the_new_part_is_fetched(tmp_path: Path) -> None:
    host = FakeHost(log=b"a" * 5000)
    files = mirror(tmp_path, host)
    first = files.fetch("desk:log")
    inode, host.read_bytes = first.stat().st_ino, 0
    host.files["log"] += b"b" * 100

    second = files.fetch("desk:log")

    assert (second.read_bytes(), second.stat().st_ino) == (b"a" * 5000 + b"b" * 100, inode)
    assert host.read_bytes == 100 + 2 * far_files.MARK_BYTES


@pytest.mark.parametrize("data", [b"short", b"b" * 5000, b"a" * 4900 + b"b" * 200])
def test_file_that_shrank_or_was_replaced_is_copied_anew(tmp_path: Path, data: bytes) -> None:
    host = FakeHost(log=b"a" * 5000)
    files = mirror(tmp_path, host)
    copy = files.fetch("desk:log")
    kept = copy.open("rb")
    host.files["log"] = data

    with kept:
        again = files.fetch("desk:log")

        assert again.read_bytes() == data
        assert again.stat().st_ino != os.fstat(kept.fileno()).st_ino


def test_copies_are_for_their_owner_only(tmp_path: Path) -> None:
    copy = mirror(tmp_path, FakeHost(log=b"x")).fetch("desk:log")

    folder = copy.parent
    assert [path.stat().st_mode & 0o777 for path in (copy, folder, folder.parent)] == [0o600, 0o700, 0o700]


def test_file_or_host_beyond_its_limit_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = mirror(tmp_path, FakeHost(log=b"x" * 60, other=b"x" * 60))
    monkeypatch.setattr(far_files, "MIRROR_BYTES_MAX", 100)
    files.fetch("desk:log")

    with pytest.raises(OSError, match="the copies of desk have reached 100 bytes"):
        files.fetch("desk:other")

    monkeypatch.setattr(far_files, "MIRROR_FILE_BYTES_MAX", 50)
    with pytest.raises(OSError, match="has 60 bytes, more than the 50 that are fetched"):
        files.fetch("desk:log")


def test_host_that_is_away_is_one_problem_and_its_files_cannot_be_read(tmp_path: Path) -> None:
    host = FakeHost(log=b"x")
    host.away = True
    problems: list[Problem] = []

    assert list(mirror(tmp_path, host).find("desk:data", "", problems)) == []
    assert problems == [Problem("desk:data", "peer desk did not answer in time")]
    with pytest.raises(OSError, match="peer desk did not answer in time"):
        mirror(tmp_path, host).fetch("desk:log")


def test_paths_carry_the_hosts_name_and_the_far_home_is_meant(tmp_path: Path) -> None:
    files = mirror(tmp_path, FakeHost(**{"claw/data/s.jsonl": b""}))
    problems: list[Problem] = []

    found = list(files.find(files.expand("~/claw/data"), ".jsonl", problems))

    assert [file.path for file in found] == ["desk:claw/data/s.jsonl"]
    assert problems == [Problem("desk:secret", "cannot be listed: Permission denied")]
    assert (files.expand("/abs"), files.expand("~")) == ("desk:/abs", "desk:.")


class Sshd:
    """A running sshd with its SFTP subsystem, and the settings of a host that it lets in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        host_key, key = SigningKey.generate(), SigningKey.generate()
        host_key.save(folder / "host.key")
        key.save(folder / "a.key")
        (folder / "authorized_keys").write_text(f"restrict {openssh_public_key(key.public_key)}\n")
        self.peer = Peer("desk", host="127.0.0.1", port=self.port, user=getpass.getuser())
        self.host_key = openssh_public_key(host_key.public_key)

    def settings(self, host_key: str) -> SshSettings:
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {host_key}\n")
        return SshSettings(
            key=self.folder / "a.key",
            known_hosts=(known,),
            config=(),
            use_user_keys=False,
            connect_seconds=30,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder / 'host.key'}\n"
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}\nSubsystem sftp internal-sftp\n"
            "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "PermitRootLogin prohibit-password\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            if not any("Server listening" in line for line in process.stderr):
                pytest.fail("sshd did not start")
            yield
        finally:
            process.terminate()
            process.communicate(timeout=30)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    with server.running():
        yield server


def write_installation(data: Path) -> Path:
    """Write a NanoClaw data folder with one session of one agent."""
    projects = data / "v2-sessions" / "agent-1" / ".claude-shared" / "projects" / "-workspace"
    projects.mkdir(parents=True)
    session = projects / "s.jsonl"
    session.write_text(
        '{"type":"assistant","uuid":"u1","message":{"content":[{"type":"text","text":"hi"}]}}\n'
    )
    with contextlib.closing(sqlite3.connect(data / "v2.db")) as database:
        database.execute("CREATE TABLE agent_groups (id TEXT, name TEXT, folder TEXT)")
        database.execute("INSERT INTO agent_groups VALUES ('agent-1', 'Ada', 'ada')")
        database.execute(
            "CREATE TABLE messaging_group_agents "
            "(agent_group_id TEXT, messaging_group_id TEXT, priority INTEGER, created_at TEXT)"
        )
        database.execute("CREATE TABLE messaging_groups (id TEXT, name TEXT)")
        database.commit()
    return session


@needs_sshd
def test_sessions_of_a_far_installation_are_read_as_they_grow(sshd: Sshd, tmp_path: Path) -> None:
    session = write_installation(tmp_path / "claw")
    far = SshFiles(sshd.peer, sshd.settings(sshd.host_key))
    files = Mirror("desk", far, tmp_path / "mirror")
    reader = nanoclaw_reader(ReaderConfig("nanoclaw", {"path": f"{tmp_path}/claw"}), files, files.expand)
    try:
        (source,) = reader.discover(0).sources
        first = reader.read(source, None)
        with session.open("a") as file:
            file.write('{"type":"assistant","uuid":"u2","message":{"content":"and on"}}\n')
        second = reader.read(source, first.cursor)
    finally:
        far.close()

    assert (source.key, source.persona) == (f"desk:{session}", "Ada")
    assert [len(list(reading.transcript.new_entries())) for reading in (first, second)] == [1, 1]


@needs_sshd
def test_far_host_with_another_key_is_not_read(sshd: Sshd, tmp_path: Path) -> None:
    other = openssh_public_key(SigningKey.generate().public_key)
    far = SshFiles(sshd.peer, sshd.settings(other))
    problems: list[Problem] = []
    try:
        assert list(Mirror("desk", far, tmp_path / "mirror").find("desk:/", "", problems)) == []
    finally:
        far.close()

    assert len(problems) == 1
    assert "key" in problems[0].message


@needs_sshd
def test_far_file_that_is_missing_or_forbidden_is_said(sshd: Sshd, tmp_path: Path) -> None:
    far = SshFiles(sshd.peer, sshd.settings(sshd.host_key))
    files = Mirror("desk", far, tmp_path / "mirror")
    try:
        with pytest.raises(FileNotFoundError):
            files.fetch(f"desk:{tmp_path}/missing")
        assert list(files.find(f"desk:{tmp_path}/missing", "", [])) == []
    finally:
        far.close()


@needs_sshd
def test_review_reads_an_installation_on_a_host_of_the_ssh_config(sshd: Sshd, tmp_path: Path) -> None:
    session = write_installation(tmp_path / "claw")
    with session.open("a") as file:
        said = '{"type":"user","uuid":"u2","message":{"role":"user","content":"%s"}}\n'
        file.write(said % '<message from=\\"joi\\" id=\\"7\\">no, don&apos;t post it there</message>')
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
    (home / ".ssh/config").write_text(
        f"Host desk\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {tmp_path}/a.key\n"
    )
    host = Host(home)
    reader = f'[[reader]]\ntype = "nanoclaw"\nhost = "desk"\npath = "{tmp_path}/claw"\ninclude = ["Ada"]\n'
    host.config.write_text(f'source = "alpha"\n\n{reader}\n[[zones]]\nid = "main"\n')

    night = host.json("review", "nightly")

    (signal,) = night["signals"]  # type: ignore[misc] # a list, as documented
    assert (signal["kind"], signal["persona"], signal["reader"]) == ("correction", "Ada", "nanoclaw")
    assert signal["excerpt"] == "no, don't post it there"
    assert signal["source_file"] == f"desk:{session}"
