"""Show a fleet of three containers finding each other, being cut apart, and becoming one again.

``make demo-fleet`` runs it over ``deploy/compose.yaml``. Only the agent sessions are made up; it fails, with
the step that did, when something does not come to be, and takes down what it started whatever happens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMPOSE_FILE = Path(__file__).with_name("compose.yaml")
PROJECT = os.environ.get("JILOG_DEMO_PROJECT", "jilog-demo")
HOSTS = ("alpha", "bravo", "charlie")
PORT = "7722"
WAIT_SECONDS_MAX = 240.0
COMMAND_SECONDS_MAX = 300.0
SESSIONS = """
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from jilog_agent.demo.transcripts import write_sessions
folder = Path("~/.claude/projects").expanduser()
folder.mkdir(parents=True, exist_ok=True)
print(write_sessions(socket.gethostname(), folder, datetime.now(UTC) - timedelta(hours=2)))
"""


class DemoFailed(Exception):
    """A step did not do what it shows."""


def main() -> int:
    """Run the demo; give the exit status."""
    compose = compose_command()
    if compose is None:
        print("demo failed: neither `docker compose` nor docker-compose is installed", file=sys.stderr)
        return 1
    started = time.monotonic()
    demo = Demo(compose)
    try:
        last_line = demo.run()
    except (DemoFailed, subprocess.TimeoutExpired) as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    finally:
        demo.down()
    say(f"\n({time.monotonic() - started:.0f} s)")
    say(last_line)
    return 0


def compose_command() -> list[str] | None:
    """Give the command of the compose that is installed, the plug-in first."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return command
    return None


def say(text: str) -> None:
    """Print a step, at once."""
    print(text, flush=True)


class Demo:
    """The steps, in their order."""

    def __init__(self, compose: list[str]) -> None:
        self._compose = [*compose, "-f", str(COMPOSE_FILE), "-p", PROJECT]
        self._containers: dict[str, str] = {}

    def run(self) -> str:
        """Do the steps; give the last line."""
        self._start()
        self._discover()
        self._converge("3. each recorded something, and all hold it")
        self._cut_off("charlie")
        self._heal("charlie")
        digest = self._review()
        return f"demo-fleet ok: hosts={len(HOSTS)} root={self._root('alpha')} digest_sha256={digest}"

    def down(self) -> None:
        """Take down what was started, volumes included."""
        subprocess.run([*self._compose, "down", "-v", "-t", "5"], capture_output=True, check=False)

    def _start(self) -> None:
        self.down()
        self._command([*self._compose, "up", "-d"])
        for host in HOSTS:
            self._containers[host] = self._command([*self._compose, "ps", "-q", host]).strip()
            wait_for(lambda: self._answers(host), f"an agent on {host}")  # noqa: B023 - called at once
        say(f"1. {len(HOSTS)} hosts are up, each with a key of its own: {', '.join(HOSTS)}")

    def _discover(self) -> None:
        """Find everybody by mDNS; believe a key because it is the one that the host itself tells of."""
        for host in HOSTS:
            others = set(HOSTS) - {host}
            found = wait_for(lambda: self._scan(host, others), f"the others on {host}")  # noqa: B023
            for name in sorted(others):
                if found[name]["public_key"] != self._public_key(name):
                    raise DemoFailed(f"{host} hears another key of {name} than {name} has")
                self._jilog(host, "peer", "add", name, "--host-key", found[name]["public_key"])
        say("2. they found each other by mDNS; the keys were compared, and each is a peer of each")
        say(indented(self._jilog("alpha", "peer", "scan")))
        for host in HOSTS:
            self._record(host, f"{host} is part of the fleet")

    def _cut_off(self, host: str) -> None:
        self._command(["docker", "network", "disconnect", self._network(), self._containers[host]])
        for name in HOSTS:
            self._record(name, f"written on {name} while {host} was away")
        wait_for(lambda: self._reason("alpha", host) not in ("in_sync", ""), f"alpha missing {host}")
        roots = {name: self._root(name) for name in HOSTS}
        wait_for(lambda: self._root("alpha") == self._root("bravo"), "one root on alpha and bravo")
        if roots[host] == self._root("alpha"):
            raise DemoFailed(f"{host} was cut off and holds the same as the others")
        say(f"4. {host} was cut off; all three went on recording, and alpha says of {host}:")
        say(indented(self._jilog("alpha", "status").partition("PEER")[2].partition("\n")[2]))

    def _heal(self, host: str) -> None:
        self._command(["docker", "network", "connect", self._network(), self._containers[host]])
        self._converge(f"5. {host} is back; without a restart or a command all hold the same again")

    def _review(self) -> str:
        for host in HOSTS:
            self._inside(host, "/opt/jilog/bin/python", "-c", SESSIONS)
            self._jilog(host, "review", "nightly", "--since", "24h")
        self._converge("6. each host reviewed its own agent sessions; what was learned is everywhere")
        digests = {}
        for host in HOSTS:
            self._jilog(host, "review", "nightly", "--since", "24h")
            listing = self._inside(host, "sh", "-c", "cd ~/.jilog/digests && sha256sum learning-digest-*.md")
            digests[host] = listing.split()[0]
        if len(set(digests.values())) != 1:
            raise DemoFailed(f"the digests differ: {digests}")
        say("7. the digest is the same file on all three:\n")
        say(indented(self._inside("alpha", "sh", "-c", "cat ~/.jilog/digests/learning-digest-*.md")))
        return digests["alpha"]

    def _converge(self, text: str) -> None:
        roots: dict[str, str] = {}

        def level() -> bool:
            roots.update({host: self._root(host) for host in HOSTS})
            return len(set(roots.values())) == 1

        wait_for(level, "one root on all hosts")
        say(text)
        for host, root in roots.items():
            say(f"   {host:10}{root}")

    def _record(self, host: str, title: str) -> None:
        self._jilog(host, "write", "--type", "decision", "--title", title)

    def _answers(self, host: str) -> bool:
        done = self._run(["docker", "exec", self._containers[host], "jilog", "agent", "status"])
        return done.returncode == 0

    def _scan(self, host: str, wanted: set[str]) -> dict[str, dict[str, Any]] | None:
        hosts = json.loads(self._jilog(host, "peer", "scan", "--json"))["hosts"]
        found = {item["name"]: item for item in hosts if item["public_key"]}
        return found if wanted <= found.keys() else None

    def _public_key(self, host: str) -> str:
        return " ".join(self._inside(host, "cat", "/home/jilog/.jilog/identity/id_ed25519.pub").split()[:2])

    def _root(self, host: str) -> str:
        return str(json.loads(self._jilog(host, "status", "--json"))["zones"][0]["root"])

    def _reason(self, host: str, peer: str) -> str:
        peers = json.loads(self._jilog(host, "status", "--json"))["peers"]
        return next((str(item["reason"]) for item in peers if item["peer"] == peer), "")

    def _network(self) -> str:
        return f"{PROJECT}_fleet"

    def _jilog(self, host: str, *arguments: str) -> str:
        return self._inside(host, "jilog", *arguments)

    def _inside(self, host: str, *command: str) -> str:
        return self._command(["docker", "exec", self._containers[host], *command])

    def _command(self, command: list[str]) -> str:
        done = self._run(command)
        if done.returncode != 0:
            raise DemoFailed(f"{' '.join(command[-4:])}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @staticmethod
    def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS_MAX,
        )


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Wait until something is so, and give it."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise DemoFailed(f"{what}: not within {WAIT_SECONDS_MAX:.0f} seconds")
        time.sleep(0.5)
    return found


def indented(text: str) -> str:
    """Set a text off from the steps."""
    return "\n".join(f"   | {line}" for line in text.rstrip().splitlines())


if __name__ == "__main__":
    sys.exit(main())
