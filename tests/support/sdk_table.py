"""The table of calls that the command line and both SDKs must agree on, and each of them going through it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jilog_agent.sdk import AsyncClient, Client, FoundSession, JilogSdkError
from jilog_agent.sdk.entry import entry_of
from support.jilog_cli import Host
from support.jilog_local import LocalHost

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "agent" / "sdk" / "cases.json"
JS = ROOT / "agent" / "js"
NODE = shutil.which("node")

Outcome = dict[str, Any]


def table() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Give the entries to write, and the cases."""
    document = json.loads(TABLE.read_text(encoding="utf-8"), object_hook=_spelled_out)
    return document["entries"], document["cases"]


def _spelled_out(value: dict[str, Any]) -> Any:
    """Write out a text of many equal characters."""
    return value["repeat"] * value["times"] if set(value) == {"repeat", "times"} else value


def working_folder(root: Path) -> Path:
    """Make the repository that all calls are made in; its remote is what its files are named by."""
    folder = root / "work"
    (folder / ".git").mkdir(parents=True)
    (folder / "src").mkdir()
    (folder / ".git" / "config").write_text('[remote "origin"]\n\turl = https://example.org/acme/app.git\n')
    return folder


def by_python(client: Client) -> list[Outcome]:
    """Let the Python client do all."""
    entries, cases = table()
    for entry in entries:
        client.write(**entry)
    return [_outcome(lambda case=case: getattr(client, case["call"])(**case["args"])) for case in cases]


def by_async_python(client: AsyncClient) -> list[Outcome]:
    """Let the asyncio client do all; the entries are written at the same time."""
    entries, cases = table()

    async def work() -> list[Outcome]:
        await asyncio.gather(*(client.write(**entry) for entry in entries))
        return [await _async_outcome(client, case) for case in cases]

    return asyncio.run(work())


async def _async_outcome(client: AsyncClient, case: dict[str, Any]) -> Outcome:
    try:
        result = await getattr(client, case["call"])(**case["args"])
    except JilogSdkError as error:
        return {"error": type(error).__name__, "message": error.message}
    return {"result": _plain(result)}


def _outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return {"result": _plain(call())}
    except JilogSdkError as error:
        return {"error": type(error).__name__, "message": error.message}


def _plain(value: Any) -> Any:
    """Turn a result into what JSON holds."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        if "entry" in fields or isinstance(value, FoundSession):
            fields["kind"] = "session" if isinstance(value, FoundSession) else "entry"
        return fields
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def by_node(host: Host, folder: Path) -> list[Outcome]:
    """Let the JavaScript client do all, in one process of its own."""
    entries, cases = table()
    options = {
        "home": str(host.state),
        "cwd": str(folder),
        "command": [sys.executable, "-m", "jilog_agent"],
    }
    done = subprocess.run(
        [NODE or "node", str(JS / "tests" / "table.js")],
        input=json.dumps({"options": options, "entries": entries, "cases": cases}),
        env=host.environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert isinstance(outcomes, list)
    return outcomes


def by_command_line(host: LocalHost, folder: Path) -> list[Outcome]:
    """Let the command line do all."""
    entries, cases = table()
    for entry in entries:
        done = host.run(*_words("write", entry), stdin=f"{entry.get('body', '')}\n", cwd=folder)
        assert done.returncode == 0, done.stderr
    return [_command_outcome(host, folder, case) for case in cases]


def _command_outcome(host: LocalHost, folder: Path, case: dict[str, Any]) -> Outcome:
    done = host.run(
        *_words(case["call"], case["args"]), stdin=f"{case['args'].get('body', '')}\n", cwd=folder
    )
    if done.returncode:
        error = {2: "InvalidArgument"}.get(done.returncode, f"status {done.returncode}")
        return {"error": error, "message": done.stderr}
    return {"result": _READ[case["call"]](done.stdout)}


_OPTIONS = {"tags": "tag", "files": "file", "alternatives": "alternative"}
_POSITIONAL = {"query": "text", "blame": "path", "show": "id"}
_COMMANDS = {
    "write": ["write", "--json", "--body=-"],
    "query": ["search", "--json"],
    "log": ["log", "--json"],
    "context": ["context"],
    "context_entries": ["context", "--json"],
    "export": ["export"],
    "blame": ["blame", "--json"],
    "show": ["show", "--json"],
}


def _words(call: str, args: dict[str, Any]) -> list[str]:
    words = list(_COMMANDS[call])
    positional = _POSITIONAL.get(call)
    for name, value in args.items():
        if name in (positional, "body"):
            continue
        option = f"--{_OPTIONS.get(name, name)}"
        values = value if isinstance(value, list) else [value]
        words += [option if item is True else f"{option}={item}" for item in values]
    return [*words, "--", args[positional]] if positional else words


def _entry(document: Any) -> Any:
    return _plain(entry_of(document))


def _listed(text: str) -> Any:
    return [_entry(item) for item in json.loads(text)["entries"]]


def _shown(text: str) -> Any:
    found = json.loads(text)
    del found["schema_version"]
    if "session_id" in found:
        entries = [_entry(item) for item in found["entries"]]
        return {"session_id": found["session_id"], "entries": entries, "kind": "session"}
    return {**found, "entry": _entry(found["entry"]), "kind": "entry"}


_READ: dict[str, Callable[[str], Any]] = {
    "write": lambda text: json.loads(text)["entry"]["id"],
    "query": _listed,
    "log": _listed,
    "context": str,
    "context_entries": lambda text: [_entry(item) for item in json.loads(text)],
    "export": str,
    "blame": _listed,
    "show": _shown,
}
