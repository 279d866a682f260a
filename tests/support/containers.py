"""Real hosts for tests: containers with their own address, file system and processes, on their own network.

Everything made here carries a label that names the test process; what a killed run left behind is swept by
the next one. Commands inside go through ``nsenter`` where this process may, ten times as fast as
``docker exec``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The reaper is an image that has to be pulled; the sweep below does its work.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

OWNER_LABEL = "jilog.tests.owner"
WAIT_SECONDS = 240.0
"""For a condition that a busy machine may delay; nothing is asserted about how long it took."""

COMMAND_SECONDS = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class User:
    """Whom a command runs as, and where."""

    uid: int
    home: str


ROOT = User(0, "/root")


def wait_until(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """Wait until something is so and give what it was; a deadline makes a wrong program fail, not hang."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come to be in {seconds:.0f} s"
        time.sleep(0.1)
    return found


class Container(DockerContainer):
    """One host, as root unless ``user`` says otherwise.

    ``tmpfs`` maps a place inside to mount options, ``binds`` one to a path of this machine, for reading.
    ``options`` are docker-py's for creating a container (``cap_add``, ``healthcheck``, …).
    """

    def __init__(
        self,
        image: str,
        name: str,
        network: Network,
        *,
        user: User = ROOT,
        tmpfs: Mapping[str, str] | None = None,
        binds: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(image)
        for place, mount_options in (tmpfs or {}).items():
            self.with_tmpfs_mount(place, mount_options)
        for place, path in (binds or {}).items():
            self.with_volume_mapping(path, place, "ro")
        self.host_name = name
        self.user = user
        self._pid: int | None = None
        self._moved_to = ""
        self.with_network(network)
        self.with_kwargs(hostname=name, labels=_label(), **options)

    def run(
        self, *command: str, user: User | None = None, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever its exit status."""
        who = user or self.user
        variables = {"HOME": who.home, "PATH": PATH, "LANG": "C.UTF-8", **(env or {})}
        return subprocess.run(
            [*self._enter(who, variables), *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def sh(self, script: str, *, user: User | None = None, stdin: str = "") -> str:
        """Run a shell script inside that must succeed, and give what it printed."""
        done = self.run("sh", "-euc", script, user=user, stdin=stdin)
        assert done.returncode == 0, (self.host_name, script, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def put(self, files: Mapping[str, tuple[bytes, int]], user: User | None = None) -> None:
        """Write files: absolute path to content and mode. What lies on a tmpfs cannot be reached."""
        buffer = io.BytesIO()
        uid = (user or self.user).uid
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, (data, mode) in files.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = (
                    len(data),
                    mode,
                    int(time.time()),
                    uid,
                    uid,
                )
                archive.addfile(entry, io.BytesIO(data))
        assert self.get_wrapped_container().put_archive("/", buffer.getvalue())

    @property
    def pid(self) -> int:
        """The first process, as this machine counts it; 0 when the host is down."""
        if self._pid is None:
            wrapped = self.get_wrapped_container()
            wrapped.reload()
            self._pid = int(wrapped.attrs["State"]["Pid"])
        return self._pid

    @property
    def address(self) -> str:
        """The IPv4 address on the tests' network."""
        if self._moved_to:
            return self._moved_to
        wrapped = self.get_wrapped_container()
        wrapped.reload()
        networks = wrapped.attrs["NetworkSettings"]["Networks"]
        return str(next(iter(networks.values()))["IPAddress"])

    def kill(self) -> None:
        """Cut the power, as far as processes are concerned."""
        self.get_wrapped_container().kill("SIGKILL")
        self.get_wrapped_container().wait(timeout=COMMAND_SECONDS)
        self._pid = None

    def power_on(self) -> None:
        """Start the host again after :meth:`kill`."""
        self._pid = None
        self.get_wrapped_container().start()

    def pause(self) -> None:
        """Freeze every process; the kernel still takes connections."""
        self.get_wrapped_container().pause()

    def unpause(self) -> None:
        """Let them run on."""
        self.get_wrapped_container().unpause()

    def unplug(self) -> None:
        """Take the host off its network: the interface goes away."""
        assert self._network is not None
        self._network._unwrap_network.disconnect(self.get_wrapped_container())

    def plug_in(self) -> None:
        """Put it back, where it was; the interface has another name then."""
        assert self._network is not None
        self._network._unwrap_network.connect(self.get_wrapped_container(), ipv4_address=None)

    def move(self) -> None:
        """Take another address, far from those that Docker gives out one after the other."""
        words = self.sh(
            "ip -o -4 address show dev $(ip -o -4 route show default | awk '{ print $5 }')"
        ).split()
        interface, (old, _, size) = words[1], words[3].partition("/")
        gateway = self.sh("ip -o -4 route show default | awk '{ print $3 }'").strip()
        network, _, host = old.rpartition(".")
        self._moved_to = f"{network}.{int(host) + 100}"
        self.in_network("ip", "address", "flush", "dev", interface)
        self.in_network("ip", "address", "add", f"{self._moved_to}/{size}", "dev", interface)
        self.in_network("ip", "route", "add", "default", "via", gateway)

    @property
    def interface(self) -> str:
        """The name that the host has for its interface."""
        return self.sh("ip -o -4 route show default | awk '{ print $5 }'").strip()

    def in_network(self, *command: str) -> None:
        """Run one of this machine's network tools on the host's own network."""
        arguments = ["nsenter", "-t", str(self.pid), "-n", *command] if may_enter() else []
        done = (
            subprocess.run(arguments, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
            if arguments
            else self.run(*command, user=ROOT)
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    def _enter(self, user: User, variables: Mapping[str, str]) -> list[str]:
        pairs = [f"{name}={value}" for name, value in variables.items()]
        if not may_enter():
            flags = [part for pair in pairs for part in ("-e", pair)]
            wrapped = self.get_wrapped_container().id
            return ["docker", "exec", "-i", "-u", str(user.uid), "-w", user.home, *flags, str(wrapped)]
        identity = ["setpriv", f"--reuid={user.uid}", f"--regid={user.uid}", "--clear-groups"]
        return [
            *("nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "--"),
            *("env", f"--chdir={user.home}", f"PATH={PATH}", *(identity if user.uid else [])),
            # What is preloaded is the user's business, not root's.
            *("env", "-i", *pairs),
        ]


def may_enter() -> bool:
    """Tell whether this process may enter the namespaces of containers on this machine."""
    return os.geteuid() == 0 and Path("/proc/self/ns/net").exists()


@contextmanager
def network() -> Iterator[Network]:
    """Make a network that the containers of one test session share."""
    sweep()
    made = Network(docker_network_kw={"labels": _label()}).create()
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def started(containers: Sequence[Container]) -> Iterator[Sequence[Container]]:
    """Start containers, and remove them with their volumes whatever happens."""
    with ExitStack() as stack:
        for container in containers:
            stack.callback(container.stop)
            container.start()
        yield containers


def sweep() -> None:
    """Remove what test processes left that are no more; those of running ones stay."""
    client = docker.from_env(timeout=COMMAND_SECONDS)
    try:
        listing = {"label": OWNER_LABEL}
        for container in client.containers.list(all=True, filters=listing, ignore_removed=True):
            if not _alive(container.labels[OWNER_LABEL]):
                _gone(lambda: container.remove(force=True, v=True))  # noqa: B023 - called at once
        for left in client.networks.list(filters=listing):
            if not _alive(left.attrs["Labels"][OWNER_LABEL]):
                _gone(left.remove)
    finally:
        client.close()


def _gone(remove: Callable[[], None]) -> None:
    """Remove something that another sweep may be removing at this moment."""
    try:
        remove()
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise


def _label() -> dict[str, str]:
    return {OWNER_LABEL: json.dumps([os.getpid(), _started(os.getpid())])}


def _alive(owner: str) -> bool:
    pid, start = json.loads(owner)
    return _started(pid) == start


def _started(pid: int) -> str:
    """Tell when a process began, so that another one with its number is not taken for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
