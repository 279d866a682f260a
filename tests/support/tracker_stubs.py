"""Recording stubs of ``kata`` and ``bd``, whose real programs cannot be installed from a package registry.

Each is a script that keeps its state in one JSON file and prints what its program's source says it prints.
What they cannot show is that a real version still takes these options: that is known from the programs'
published sources only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_HEAD = """#!{python}
import json, pathlib, sys
STATE = pathlib.Path({state!r})
state = {{"issues": [], "keys": {{}}, "calls": [], "now": "2026-05-09T08:02:11Z"}}
if STATE.exists():
    state = json.loads(STATE.read_text())
arguments = sys.argv[1:]
state["calls"].append(arguments)

def option(name, default=None):
    for place, word in enumerate(arguments):
        if word == name:
            return arguments[place + 1]
        if word.startswith(name + "="):
            return word[len(name) + 1:]
    return default

def options(name):
    return [arguments[place + 1] for place, word in enumerate(arguments) if word == name]

def finish(value=None, status=0, error=None):
    STATE.write_text(json.dumps(state))
    if value is not None:
        print(json.dumps(value))
    if error is not None:
        print(error, file=sys.stderr)
    sys.exit(status)

def found(ref):
    for issue in state["issues"]:
        if issue["{key}"] == ref:
            return issue
    finish(status=1, error={missing})
"""

_KATA = """
assert arguments[0] == "--project" and arguments[2] == "--json", arguments
verb, rest = arguments[3], arguments[4:]
if verb == "list":
    rows = [issue for issue in state["issues"] if issue["status"] == option("--status", "open")]
    limit = int(option("--limit", "50"))
    finish({"kata_api_version": 1, "issues": rows[:limit] if limit else rows})
if verb == "create":
    key = option("--idempotency-key")
    if key in state["keys"]:
        finish({"kata_api_version": 1, "issue": found(state["keys"][key]), "reused": True})
    labels = options("--label")
    assert all(set(label) <= set("abcdefghijklmnopqrstuvwxyz0123456789._:-") for label in labels), labels
    number = len(state["issues"]) + 1
    issue = {"id": number, "uid": f"01J{number:023}", "short_id": f"k{number:03}", "title": rest[-1],
             "body": sys.stdin.read(), "status": "open", "labels": labels,
             "priority": int(option("--priority")), "created_at": state["now"]}
    state["issues"].append(issue)
    state["keys"][key] = issue["short_id"]
    finish({"kata_api_version": 1, "issue": issue})
issue = found(rest[1] if verb == "label" else rest[0])
if verb == "show":
    labels = [{"label": label} for label in issue["labels"]]
    shown = {k: v for k, v in issue.items() if k not in ("labels", "comments")}
    finish({"kata_api_version": 1, "issue": shown, "comments": issue.get("comments", []), "labels": labels})
if verb == "comment":
    issue.setdefault("comments", []).append({"author": "jilog", "body": sys.stdin.read()})
elif verb == "reopen":
    issue["status"] = "open"
    issue.pop("closed_reason", None), issue.pop("closed_at", None)
elif verb == "label":
    assert rest[0] == "add"
    issue["labels"].append(rest[2])
finish({"kata_api_version": 1, "issue": issue})
"""

_BD = """
verb, rest = arguments[0], arguments[1:]
if verb == "list":
    assert "--all" in rest and "--json" in rest
    limit = int(option("--limit", "50"))
    rows = [issue for issue in state["issues"] if option("--label") in issue["labels"]]
    rows = rows[:limit] if limit else rows
    finish([{k: v for k, v in issue.items() if k != "comments"} for issue in rows])
if verb == "create":
    assert option("--body-file") == "-" and "--json" in rest
    issue = {"id": f"demo-{len(state['issues']) + 1:03}", "title": option("--title"), "status": "open",
             "description": sys.stdin.read(), "issue_type": option("--type"), "comments": [],
             "priority": int(option("--priority")), "labels": option("--labels").split(","),
             "created_at": state["now"], "updated_at": state["now"]}
    state["issues"].append(issue)
    finish({"schema_version": 1, **issue})
if verb == "show":
    finish([found(rest[0])])
if verb == "comments" and rest[0] == "add":
    comment = {"id": "c", "author": "jilog", "text": rest[3], "created_at": state["now"]}
    found(rest[1])["comments"].append(comment)
elif verb == "comments":
    finish(found(rest[0])["comments"])
elif verb == "reopen":
    issue = found(rest[0])
    issue["status"] = "open"
    issue.pop("closed_at", None), issue.pop("close_reason", None)
elif verb == "label":
    found(rest[1])["labels"].append(rest[2])
finish()
"""


class Stub:
    """One program's stub in a folder of its own; put ``folder`` on PATH."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder = folder
        self.state_path = folder / f"{program}.json"
        key = "short_id" if program == "kata" else "id"
        missing = (
            '\'{"error":{"kind":"not_found","message":"issue not found","exit_code":4}}\''
            if program == "kata"
            else "f'Error: issue {ref} not found'"
        )
        head = _HEAD.format(python=sys.executable, state=str(self.state_path), key=key, missing=missing)
        script = folder / program
        script.write_text(head + (_KATA if program == "kata" else _BD))
        script.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which only the stub is found."""
        return {"PATH": str(self.folder)}

    def state(self) -> dict[str, Any]:
        """Read what the stub keeps."""
        empty: dict[str, Any] = {"issues": [], "calls": []}
        return json.loads(self.state_path.read_text()) if self.state_path.exists() else empty

    def change(self, issue_id: str, **fields: object) -> None:
        """Change an issue's fields, as a person would."""
        state = self.state()
        for issue in state["issues"]:
            if issue_id.removeprefix("#") in (issue.get("short_id"), issue["id"]):
                issue.update(fields)
        self.state_path.write_text(json.dumps(state))
