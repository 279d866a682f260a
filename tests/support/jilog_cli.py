"""A host of its own for tests that run ``jilog`` from outside, as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.event import JsonValue

TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Host:
    """A user's home under ``root``: ``.jilog.toml`` and ``.jilog`` lie in it."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".jilog"

    @property
    def config(self) -> Path:
        return self.root / ".jilog.toml"

    @property
    def zone(self) -> Path:
        return self.state / "zones" / "main"

    def environment(self, **more: str) -> dict[str, str]:
        """Give an environment in which no variable of the developer's own jilog counts."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JILOG_")}
        return {**kept, "HOME": str(self.root), "TZ": "UTC", "NO_COLOR": "1", **more}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "jilog_agent", *arguments]

    def run(
        self,
        *arguments: str,
        stdin: str = "",
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run jilog to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=environment or self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            cwd=cwd or self.root,
        )

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start jilog with pipes for its output."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # options of the caller's choice
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def json(self, *arguments: str) -> dict[str, JsonValue]:
        """Run a command with ``--json`` that must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        return document

    def events(self, *arguments: str) -> list[dict[str, JsonValue]]:
        """Give the events of a query, the oldest first."""
        listed = self.json("query", "--limit", "0", *arguments)["events"]
        assert isinstance(listed, list)
        events = []
        for item in listed:
            assert isinstance(item, dict)
            event = item["event"]
            assert isinstance(event, dict)
            events.append(event)
        return events[::-1]

    def payloads(self, *arguments: str) -> list[dict[str, JsonValue]]:
        """Give the payloads of the events of a query, the oldest first."""
        payloads = [event["payload"] for event in self.events(*arguments)]
        assert all(isinstance(payload, dict) for payload in payloads)
        return payloads  # type: ignore[return-value] # checked above

    def segment(self) -> Path:
        """Give the one segment of a host that has written a little."""
        (path,) = self.zone.glob("segments/*/*/*.seg")
        return path
