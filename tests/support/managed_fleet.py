"""Hosts with systemd and sshd that Ansible manages, from this machine, as it would manage real ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
from testcontainers.core.network import Network

from support.containers import Container, started, wait_until
from support.images import ROOT

ANSIBLE = ROOT / "ansible"
PLAY_SECONDS = 1200
BUILD_SECONDS = 300

CONTROL_GROUPS = Path("/sys/fs/cgroup")
UNIFIED = (CONTROL_GROUPS / "cgroup.controllers").exists()

SYSTEMD_OPTIONS: dict[str, object] = {
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": "exec"},
    # With it systemd enforces what the units restrict; without it passes over that in silence.
    "cap_add": ["SYS_ADMIN"],
    "security_opt": ["seccomp=unconfined"],
    **({"cgroupns": "private"} if UNIFIED else {}),
}

CPU_SHARES = 2048
"""What a host weighs against the processes of this machine, each of which weighs 1024."""

BUSY_SECONDS = 600.0
"""For what hosts do by themselves on a busy machine."""

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Played:
    """How a playbook ended: exit status, all it said, and by host what the recap counts."""

    status: int
    said: str
    changed: Mapping[str, int]
    unreachable: Mapping[str, int]
    failed: Mapping[str, int]

    def done(self) -> Played:
        """Give itself, if the play succeeded on every host."""
        assert self.status == 0, self.said[-6000:]
        return self


@dataclass(slots=True)
class ManagedFleet:
    """Hosts by inventory name, and the folder on this machine from which they are managed."""

    hosts: Mapping[str, Container]
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        return self.folder / "hosts.ini"

    def play(self, playbook: str, *arguments: str, **variables: str) -> Played:
        """Run one of the shipped playbooks over all hosts, whatever its exit status."""
        given = {**self.variables, **variables}
        extra = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        done = subprocess.run(
            [_tool("ansible-playbook"), "-i", str(self.inventory), *extra, *arguments, playbook],
            cwd=ANSIBLE,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=PLAY_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        rows = {row[0]: [int(number) for number in row[1:]] for row in _RECAP.findall(said)}
        return Played(
            done.returncode,
            said,
            {host: row[1] for host, row in rows.items()},
            {host: row[2] for host, row in rows.items()},
            {host: row[3] for host, row in rows.items()},
        )

    def write_inventory(self, group_variables: str) -> None:
        """Write hosts and host keys as an administrator has them; ``group_variables`` are lines of YAML."""
        lines = ["[jilog]"]
        known = []
        for name, host in self.hosts.items():
            address = host.address
            lines.append(f"{name} ansible_host={address}")
            key = wait_until(
                lambda host=host: host.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout, "a host key"
            )
            known.append(f"{address} {' '.join(key.split()[:2])}\n")
        self.inventory.write_text("\n".join(lines) + "\n")
        (self.folder / "known_hosts").write_text("".join(known))
        (self.folder / "group_vars").mkdir(exist_ok=True)
        (self.folder / "group_vars" / "jilog.yml").write_text(group_variables)

    def of_one_person(self, host: str, account: str) -> ManagedFleet:
        """Give a fleet of one host, as it is managed by somebody who is not root on it."""
        folder = self.folder / account
        folder.mkdir()
        for shared in ("id", "known_hosts", "c"):
            (folder / shared).symlink_to(self.folder / shared)
        made = ManagedFleet({host: self.hosts[host]}, folder, self.variables)
        settings = f"ansible_user={account} jilog_scope=user jilog_linger=true"
        made.inventory.write_text(f"[jilog]\n{host} ansible_host={self.hosts[host].address} {settings}\n")
        return made

    def _environment(self) -> dict[str, str]:
        options = (
            "-o ControlMaster=auto -o ControlPersist=120s -o BatchMode=yes -o StrictHostKeyChecking=yes"
            f" -o UserKnownHostsFile={self.folder}/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=5"
        )
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "JILOG_"))
        }
        return {
            **kept,
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_SSH_ARGS": options,
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "c"),
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.folder / "id"),
            "ANSIBLE_REMOTE_USER": "root",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }


@contextmanager
def managed_fleet(image: str, network: Network, names: Sequence[str]) -> Iterator[ManagedFleet]:
    """Start bare hosts that let this machine's new key in as root."""
    # A short name: a Unix socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="jilog-a."))
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id")], check=True)
        public = (folder / "id.pub").read_bytes()
        options = {**SYSTEMD_OPTIONS, **_weight()}
        hosts = {name: Container(image, name, network, **options) for name in names}
        for host in hosts.values():
            host.with_volume_mapping(str(CONTROL_GROUPS), str(CONTROL_GROUPS), "rw" if UNIFIED else "ro")
            host.with_copy_into_container(public, "/root/.ssh/authorized_keys", 0o600)
        with started(list(hosts.values())):
            yield ManagedFleet(hosts, folder)
    finally:
        _close_connections(folder)
        shutil.rmtree(folder)


def _weight() -> dict[str, object]:
    """Give the options by which hosts have their own share of the processors, where the daemon has such.

    All containers of a daemon that keeps control groups by itself stand in one group, which weighs no more
    than one process; a busy machine starves them.
    """
    client = docker.from_env()
    try:
        by_itself = client.info()["CgroupDriver"] == "cgroupfs" and not UNIFIED
    finally:
        client.close()
    return {"cgroup_parent": "/", "cpu_shares": CPU_SHARES} if by_itself else {}


def _close_connections(folder: Path) -> None:
    for socket in (folder / "c").glob("*"):
        subprocess.run(
            ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "-"], capture_output=True, check=False
        )


@dataclass(frozen=True, slots=True)
class Wheels:
    """What hosts that reach no index install from: a tar of all that jilog needs, and jilog's own wheel."""

    packed: Path
    own: Path


def make_wheels(folder: Path) -> Wheels:
    """Make the wheels of this working tree and of all it needs, for the Python of the hosts."""
    wheelhouse = folder / "wheelhouse"
    subprocess.run(
        [str(ROOT / "deploy" / "image" / "make-wheelhouse.sh"), "--python", "3.11", str(wheelhouse)],
        env={**os.environ, "PYTHON": sys.executable},
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    (built,) = wheelhouse.glob("jilog-*.whl")
    own = built.rename(folder / built.name)
    packed = folder / "wheelhouse.tar"
    with tarfile.open(packed, "w") as tar:
        tar.add(wheelhouse, ".")
    return Wheels(packed, own)


def another_version(wheel: Path, version: str, folder: Path, patches: Mapping[str, tuple[str, str]]) -> Path:
    """Write the wheel of another version: the same program with ``patches``, by file a text and its stead."""
    old = wheel.name.split("-")[1]
    target = folder / wheel.name.replace(f"-{old}-", f"-{version}-")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in source.namelist():
            data = source.read(name)
            if name in patches:
                before, after = patches[name]
                assert before.encode() in data, (name, before)
                data = data.replace(before.encode(), after.encode())
            if name.endswith("/METADATA"):
                data = data.replace(f"\nVersion: {old}\n".encode(), f"\nVersion: {version}\n".encode())
            if name.endswith("/RECORD"):
                # Hashes are optional in a record, and pip asks for those of a wheel's own list only.
                rows = [row.split(",")[0] for row in data.decode().splitlines()]
                data = "".join(f"{row},,\n" for row in rows).encode()
                data = data.replace(f"jilog-{old}.dist-info".encode(), f"jilog-{version}.dist-info".encode())
            made.writestr(name.replace(f"jilog-{old}.dist-info", f"jilog-{version}.dist-info"), data)
    return target


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)
