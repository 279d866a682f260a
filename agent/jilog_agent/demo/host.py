"""One host of the demo: its own home, key, config and SSH endpoint, driven through the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from jilog_ledger.errors import JilogError

COMMAND_SECONDS_MAX = 120


class DemoFailed(JilogError):
    """A step of the demo did not do what it should."""


@dataclass(slots=True)
class Host:
    """A host named ``name`` whose files are all below ``folder``."""

    name: str
    folder: Path
    endpoint: subprocess.Popen[str] | None = None
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Where its ledger and key are."""
        return self.folder / "jilog"

    @property
    def zone(self) -> Path:
        """Its copy of the zone that the demo shares."""
        return self.home / "zones" / "main"

    @property
    def transcripts(self) -> Path:
        """Where its agents leave their sessions."""
        return self.folder / "projects"

    @property
    def digests(self) -> Path:
        """Where its digests go."""
        return self.folder / "digests"

    def set_up(self) -> None:
        """Write its config and make its identity."""
        self.folder.mkdir(parents=True)
        config = self.folder / "jilog.toml"
        config.write_text(
            f'timezone = "UTC"\ndigest_dir = "{self.digests}"\n\n[[zones]]\nid = "main"\n\n'
            f'[[reader]]\ntype = "claude-code"\npath = "{self.transcripts}"\n',
            encoding="utf-8",
        )
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("JILOG_")},
            "HOME": str(self.folder),
            "JILOG_HOME": str(self.home),
            "JILOG_CONFIG": str(config),
        }
        self.jilog("init", "--source", self.name)

    def command(self, *arguments: str) -> list[str]:
        """Give the command line of this interpreter's own jilog."""
        return [sys.executable, "-m", "jilog_agent", *arguments]

    def jilog(self, *arguments: str, status: int = 0) -> str:
        """Run a command to its end and give what it printed.

        Raises:
            DemoFailed: it ended with another status than ``status``.
        """
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if done.returncode != status:
            raise DemoFailed(
                f"{self.name}: jilog {' '.join(arguments)} ended with {done.returncode} instead of {status}: "
                f"{done.stderr.strip()[-800:]}",
                hint=f"look into {self.folder}",
            )
        return done.stdout

    def json(self, *arguments: str) -> dict[str, object]:
        """Run a command with ``--json`` and give its document."""
        document = json.loads(self.jilog(*arguments, "--json"))
        if not isinstance(document, dict):
            raise DemoFailed(f"{self.name}: jilog {arguments[0]} printed no JSON object")
        return document

    def public_key(self) -> str:
        """Give its key as OpenSSH writes it, without the comment."""
        return " ".join((self.home / "identity" / "id_ed25519.pub").read_text().split()[:2])

    def listen(self) -> None:
        """Start its SSH endpoint on a free port of the loopback interface."""
        self.endpoint = subprocess.Popen(
            self.command("spool", "serve", "--listen", f"127.0.0.1:{self.port}"),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "endpoint.log").open("ab"),
            text=True,
        )
        assert self.endpoint.stdout is not None
        line = self.endpoint.stdout.readline()
        found = re.match(r"listening on 127\.0\.0\.1:(\d+) ", line)
        if found is None:
            raise DemoFailed(f"{self.name}: the endpoint did not start; it said {line!r}")
        self.port = int(found[1])

    def stop(self) -> None:
        """Stop its endpoint."""
        if self.endpoint is not None:
            self.endpoint.terminate()
            self.endpoint.wait(timeout=COMMAND_SECONDS_MAX)
            if self.endpoint.stdout is not None:
                self.endpoint.stdout.close()
            self.endpoint = None

    def knows(self, other: Host) -> None:
        """Add another host as a peer, with the one key it may have."""
        address = ("127.0.0.1", "--port", str(other.port), "--host-key", other.public_key())
        self.jilog("peer", "add", other.name, *address)
