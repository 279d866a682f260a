"""A fleet of real hosts with agents: some find each other by mDNS, some by address, one is behind sshd."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from testcontainers.core.network import Network

from support.containers import ROOT, Container, User, started, wait_until

JILOG = User(1000, "/home/jilog")
PORT = 7722
INTERVAL_SECONDS = 3
"""How often agents of the tests sync: short, so that faults show soon."""

CONFIG = f"""\
[[zones]]
id = "main"
[[zones]]
id = "side"
[agent]
listen = "0.0.0.0:{PORT}"
sync_every = "{INTERVAL_SECONDS}s"
disk_low_mib = 0
[spool]
timeout_seconds = 8
"""
HOME_TMPFS = "size=192m,uid=1000,gid=1000,mode=0700"
CONFIG_PATH = "/etc/jilog.toml"
FAKETIME_FILE = "/run/shifted-clock"


class Member(Container):
    """One host of a fleet.

    ``small_disk`` puts its home on a file system of 192 MiB, in memory; the agent's clock is a
    ``shifting_clock``; and a host that ``outlives_agent`` has another first process.
    """

    def __init__(
        self,
        image: str,
        name: str,
        network: Network,
        *,
        config: str = CONFIG,
        small_disk: bool = False,
        shifting_clock: bool = False,
        outlives_agent: bool = False,
        **options: Any,
    ) -> None:
        tmpfs = {JILOG.home: HOME_TMPFS} if small_disk else {}
        if outlives_agent:
            # A shell that waits, and so takes leave of whatever process of the host has ended.
            start = "jilog-entry jilog agent start; while :; do sleep 1000; done"
            options["entrypoint"] = ["sh", "-c", start]
        super().__init__(image, name, network, user=JILOG, tmpfs=tmpfs, **options)
        self.variables = {"JILOG_CONFIG": CONFIG_PATH, "NO_COLOR": "1", "TZ": "UTC"}
        self.with_copy_into_container(config.encode(), CONFIG_PATH, 0o644)
        preload = {}
        if shifting_clock:
            # Only the agent: its clock is that of the file, which may change while it runs.
            preload = {
                "LD_PRELOAD": "libfaketime.so.1",
                "LD_LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime",
                "FAKETIME_TIMESTAMP_FILE": FAKETIME_FILE,
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            self.with_copy_into_container(b"+0\n", FAKETIME_FILE, 0o644)
        self.with_envs(**self.variables, **preload)

    def jilog(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a jilog command, whatever its exit status."""
        return self.run("jilog", *arguments, stdin=stdin, env=self.variables)

    def ask(self, *arguments: str) -> Any:
        """Run a command with ``--json`` that must succeed."""
        done = self.jilog(*arguments, "--json")
        assert done.returncode == 0, (self.host_name, arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def done(self, *arguments: str) -> None:
        """Run a command that must succeed."""
        ran = self.jilog(*arguments)
        assert ran.returncode == 0, (self.host_name, arguments, ran.stderr)

    def agent(self) -> Any:
        """Give what the agent says of itself, None while it does not answer."""
        done = self.jilog("agent", "status", "--json")
        return json.loads(done.stdout)["agent"] if done.returncode == 0 else None

    def write(self, text: str) -> None:
        """Record a decision."""
        done = self.jilog("write", "--type", "decision", "--title", text)
        assert done.returncode == 0, (self.host_name, done.stderr)

    def shift_clock(self, shift: str) -> None:
        """Set the clock off, by a time such as ``+3600s``."""
        self.sh(f"echo {shift} >{FAKETIME_FILE}", user=ROOT)

    def sshd_key(self) -> str:
        """Give the host key of the host's sshd."""
        return " ".join(self.sh("cat /etc/ssh/ssh_host_ed25519_key.pub", user=ROOT).split()[:2])

    def public_key(self) -> str:
        """Give the key that the host signs and logs in with."""
        return " ".join(self.sh("cat ~/.jilog/identity/id_ed25519.pub").split()[:2])

    def state(self) -> dict[str, Any]:
        """Give ``jilog status --json``."""
        document = self.ask("status")
        assert isinstance(document, dict)
        return document

    def zone(self, name: str) -> dict[str, Any]:
        """Give what ``jilog status`` says of a zone."""
        return next(zone for zone in self.state()["zones"] if zone["zone"] == name)

    def root(self) -> str:
        """Give the fleet root of the first zone."""
        return str(self.zone("main")["root"])

    def about(self, peer: str) -> dict[str, Any]:
        """Give what ``jilog status`` says of a peer."""
        return next((item for item in self.state()["peers"] if item["peer"] == peer), {})

    def add_peer(self, name: str, *arguments: str) -> None:
        """Run ``jilog peer add``."""
        done = self.jilog("peer", "add", name, *arguments)
        assert done.returncode == 0, (self.host_name, done.stderr)


class Fleet(Mapping[str, Member]):
    """Hosts by name."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = {member.host_name: member for member in members}

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def write_everywhere(self, text: str) -> None:
        """Record something on each host."""
        self.each(lambda member: member.write(f"{text} on {member.host_name}"))

    def each(self, action: Any) -> list[Any]:
        """Do something on every host at once and give the results."""
        with ThreadPoolExecutor(len(self.members)) as pool:
            return list(pool.map(action, self.members.values()))

    def roots(self) -> list[str]:
        """Give every host's fleet root."""
        return self.each(Member.root)

    def converged(self) -> None:
        """Wait until all hosts hold the same."""
        wait_until(lambda: len(set(self.roots())) == 1, f"one root on {', '.join(self.members)}")


@contextmanager
def fleet_of(members: Sequence[Member]) -> Iterator[Fleet]:
    """Start hosts and wait until their agents answer."""
    with started(members):
        fleet = Fleet(members)
        fleet.each(lambda member: wait_until(member.agent, f"an agent on {member.host_name}"))
        yield fleet


def introduce(one: Member, other: Member, *, by_address: bool) -> None:
    """Make two hosts peers of each other: at an address, or wherever mDNS finds their key."""
    for member, peer in ((one, other), (other, one)):
        place = [peer.address, "--port", str(PORT)] if by_address else []
        member.add_peer(peer.host_name, *place, "--host-key", peer.public_key())


def serve_behind_sshd(member: Member, clients: Sequence[Member]) -> None:
    """Let clients in through OpenSSH, for nothing but the spool command."""
    lines = "\n".join(client.jilog("peer", "add", "--print", "x").stdout.strip() for client in clients)
    member.sh(
        "mkdir -p -m 700 .ssh && cat >.ssh/authorized_keys && chmod 600 .ssh/authorized_keys", stdin=lines
    )
    member.sh(f"echo 'JILOG_CONFIG={CONFIG_PATH}' >>/etc/environment", user=ROOT)
    start_sshd(member)
    start_sshd(member)
    for client in clients:
        place = [member.address, "--port", "22", "--user", "jilog"]
        client.add_peer(member.host_name, *place, "--host-key", member.sshd_key())


def start_sshd(member: Member, *options: str) -> None:
    """Start OpenSSH's server, with keys of its own if it has none."""
    member.sh("mkdir -p /run/sshd && ssh-keygen -A >/dev/null", user=ROOT)
    done = member.run("/usr/sbin/sshd", "-o", "UseDNS=no", *options, user=ROOT)
    assert done.returncode == 0, done.stderr


def far_end_of_version(oldest: int, newest: int) -> str:
    """Give the command of the far end that :func:`put_jilog_of_version` puts there."""
    return f"/usr/local/bin/jilog-{oldest}-to-{newest} spool serve --stdio"


def put_jilog_of_version(member: Member, oldest: int, newest: int) -> None:
    """Put a jilog there that speaks other versions of the protocol: this one, with other constants."""
    path = far_end_of_version(oldest, newest).split()[0]
    lines = [
        "#!/opt/jilog/bin/python",
        "from jilog_spool import wire",
        f"wire.VERSION_OLDEST, wire.VERSION = {oldest}, {newest}",
        "from jilog_agent.main import main",
        "raise SystemExit(main())",
    ]
    member.put({path: ("\n".join(lines).encode(), 0o755)}, user=ROOT)


def run_agent_of_version(member: Member, oldest: int, newest: int) -> None:
    """Start the agent of a jilog that was put there."""
    path = far_end_of_version(oldest, newest).split()[0]
    member.sh(f"JILOG_CONFIG={CONFIG_PATH} nohup {path} agent run >/dev/null 2>&1 &")
    wait_until(member.agent, f"an agent on {member.host_name}")


def start_agent(member: Member) -> None:
    """Start the agent of a host that outlives it."""
    member.done("agent", "start")


def stop_agent(member: Member) -> None:
    """Stop the agent of a host that outlives it."""
    member.done("agent", "stop")


def stop_sshd(member: Member) -> None:
    """End OpenSSH's server and every connection of it."""
    member.sh("pkill -x sshd || true", user=ROOT)
