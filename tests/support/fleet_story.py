"""What the tests of the playbooks know of their three hosts, and how they ask them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any, Self

from support.containers import Container, wait_until
from support.managed_fleet import BUSY_SECONDS, ManagedFleet

NAMES = ("alpha", "beta", "gamma")
SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
VARIABLES = f"""\
ansible_python_interpreter: /usr/bin/python3
jilog_health_seconds: 120
jilog_coordinator: alpha
jilog_nightly_at: "03:10"
jilog_coordinator_nightly_at: "04:20"
jilog_environment: {{GH_TOKEN: {SECRET}}}
jilog_readers:
  - {{type: claude-code, path: /srv/agents/projects}}
jilog_zones:
  - id: main
  - id: pair
    hosts: [alpha, beta]
jilog_settings:
  timezone: UTC
  agent: {{sync_every: 2s}}
"""


def ask(host: Container, *arguments: str) -> Any:
    return json.loads(host.sh(f"jilog-host {' '.join(arguments)} --json"))


def zone(host: Container, name: str = "main") -> Any:
    return next(item for item in ask(host, "status")["zones"] if item["zone"] == name)


def level(fleet: ManagedFleet) -> bool:
    return len({zone(host)["root"] for host in fleet.hosts.values()}) == 1


@dataclass(slots=True)
class Writing:
    """Somebody who records on a host all the while, and knows what was acknowledged."""

    host: Container
    acknowledged: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        wait_until(lambda: self.acknowledged, "the first event", BUSY_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        assert self._thread is not None
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._end.wait(1.5):
            title = f"kept {(number := number + 1)}"
            done = self.host.run(
                *("jilog-host", "write", "--session", "roll-out", "--type", "decision", "--title", title)
            )
            if done.returncode == 0:
                self.acknowledged.append(title)

    def missing(self, host: Container) -> set[str]:
        """Give what was acknowledged and a host does not hold."""
        entries = json.loads(host.sh("jilog-host log --session roll-out --limit 0 --json"))["entries"]
        return set(self.acknowledged) - {entry["title"] for entry in entries}
