"""A host that learns from transcripts of a made-up agent and files what it learns, run from outside."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.event import JsonValue
from support.agent_hosts import serving_anywhere
from support.jilog_cli import Host

FIRST = "2026-05-09"
TIMEOUT = "Command timed out after 30 seconds"

_CONFIG = """\
source = "{source}"
timezone = "UTC"

[[reader]]
type = "generic"
name = "bot"
path = "~/sessions/*.jsonl"
session_id_from = "file_stem"

[review]
profile = "seed"
{review}
[tracker]
{tracker}
"""
GITHUB = 'type = "github"\nrepo = "o/r"\nlabels = ["jilog-learning"]'


@dataclass(frozen=True, slots=True)
class FilingHost(Host):
    """``variables`` are what the tracker's program finds in its environment."""

    variables: tuple[tuple[str, str], ...] = ()

    def environment(self, **more: str) -> dict[str, str]:
        return Host.environment(self, **{**dict(self.variables), **more})

    def configure(self, source: str, tracker: str = GITHUB, review: str = "") -> None:
        """Write the config file anew."""
        self.config.write_text(_CONFIG.format(source=source, tracker=tracker, review=review))

    def fails(self, *sessions: str, message: str = TIMEOUT, tool: str = "bash") -> None:
        """Let a tool fail in sessions, once more in those that have begun already."""
        self._results(sessions, tool, {"success": False, "error": message})

    def works(self, *sessions: str, tool: str) -> None:
        """Let a tool do its work in sessions."""
        self._results(sessions, tool, {"success": True, "output": "done"})

    def _results(self, sessions: tuple[str, ...], tool: str, envelope: dict[str, object]) -> None:
        folder = self.root / "sessions"
        folder.mkdir(exist_ok=True)
        content = json.dumps(envelope)
        for session in sessions:
            with (folder / f"{session}.jsonl").open("a") as file:
                file.write(json.dumps({"role": "tool", "name": tool, "content": content}) + "\n")

    def night(self, day: str = FIRST, *options: str) -> subprocess.CompletedProcess[str]:
        """Review one night."""
        return self.run("review", "nightly", "--date", day, *options)

    def night_json(self, day: str = FIRST, *options: str) -> dict[str, JsonValue]:
        """Review one night that must succeed, and give its JSON."""
        return self.json("review", "nightly", "--date", day, *options)

    def digest(self, day: str = FIRST) -> str:
        """Read a digest."""
        return (self.state / "digests" / f"learning-digest-{day}.md").read_text()

    def filings(self) -> list[str]:
        """Name what the ledger's filings say was done, the oldest first."""
        found = self.payloads("--subsystem", "review-filing", "--since", "3650d")
        return [str(payload["action"]) for payload in found]


def filing_host(root: Path, source: str, variables: dict[str, str], tracker: str = GITHUB) -> FilingHost:
    """Make a host with a config file."""
    root.mkdir()
    tools = {key: value for key, value in variables.items() if key != "HOME"}
    if "PATH" in tools:
        tools["PATH"] = f"{tools['PATH']}:{os.environ['PATH']}"
    host = FilingHost(root, tuple(tools.items()))
    host.configure(source, tracker)
    assert host.run("init").returncode == 0
    return host


def sync(client: Host, server: Host) -> None:
    """Bring two hosts to the same ledger over SSH on loopback."""
    with serving_anywhere(server) as port:
        key = _public_key(server)
        added = (
            client.run("peer", "add", "there", "127.0.0.1", "--port", str(port), "--host-key", key),
            server.run("peer", "add", "here", "--host-key", _public_key(client)),
        )
        assert [done.returncode for done in added] == [0, 0]
        done = client.run("spool", "sync", "there")
        assert done.returncode == 0, done.stderr


def _public_key(host: Host) -> str:
    return (host.state / "identity" / "id_ed25519.pub").read_text().strip()
