"""What coding agents start: ``jilog hooks run AGENT EVENT``.

It reads the agent's JSON, asks the running jilog agent and prints the answer: with Python's own start some
forty milliseconds, because only parts of the standard library are imported. Without a running agent it does
the work itself, for which it imports the rest.

Whatever happens, the exit status is 0 and nothing but an answer is printed: a hook must never be in the way.
What went wrong is in ``hooks/hooks.log`` of the home, and on stderr with ``--verbose``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

from jilog_agent.hooks import limits
from jilog_agent.socket_place import is_private, socket_file

EVENTS = ("start", "prompt", "stop")
AGENTS = ("claude-code", "codex", "copilot")
_KEYS = {
    "session_id": "session_id",
    "sessionId": "session_id",
    "cwd": "cwd",
    "source": "source",
    "stop_hook_active": "stop_hook_active",
}
"""What is taken of the agent's JSON; prompts and paths of transcripts are left where they are."""


class Late(Exception):
    """The hook's time is over."""


class Call:
    """One call of a hook: arguments, environment and input, as far as they can be understood."""

    def __init__(self, arguments: list[str]) -> None:
        self.agent, self.event, self.home, self.config = "", "", "", ""
        self.verbose = _flag("VERBOSE")
        self.dry_run = _flag("DRY_RUN")
        words = list(arguments)
        while words:
            word = words.pop(0)
            name, found, value = word.partition("=")
            if word in ("--verbose", "-v"):
                self.verbose = True
            elif word == "--dry-run":
                self.dry_run = True
            elif name in ("--home", "--config"):
                setattr(self, name[2:], value if found else (words.pop(0) if words else ""))
            elif word in AGENTS:
                self.agent = word
            elif word in EVENTS:
                self.event = word
        seconds = _setting("TIMEOUT")
        self.seconds = int(seconds) if seconds.isdigit() and int(seconds) > 0 else limits.DEADLINE_SECONDS
        self.home = os.path.expanduser(self.home or os.environ.get("JILOG_HOME") or "~/.jilog")

    def params(self, given: dict[str, object]) -> dict[str, object]:
        """Say what the agent is asked."""
        cwd = given.get("cwd")
        params: dict[str, object] = {
            "agent": self.agent,
            "event": self.event,
            "session_id": given.get("session_id") or os.environ.get("CLAUDE_SESSION_ID") or "",
            "cwd": cwd if isinstance(cwd, str) and cwd.startswith("/") else os.getcwd(),
            "source": str(given.get("source") or ""),
            "own_session": os.environ.get("JILOG_SESSION") or "",
            "topic": _setting("TOPIC"),
            "tags": [word for part in _setting("TAGS").split(",") if (word := part.strip())],
            "dry_run": self.dry_run,
            "vcs_seconds": self.seconds * limits.VCS_SHARE,
        }
        for name, key in (("LIMIT", "limit"), ("BUDGET", "budget_tokens")):
            text = _setting(name)
            if text.isdigit() and int(text) > 0:
                params[key] = int(text)
        return params


def _setting(name: str) -> str:
    """Read a setting; agentlog's name for it is understood, too."""
    return os.environ.get(f"JILOG_HOOK_{name}") or os.environ.get(f"AGENTLOG_{name}") or ""


def _flag(name: str) -> bool:
    return _setting(name) not in ("", "0")


def run(arguments: list[str]) -> int:
    """Serve one call of a hook; always 0."""
    call = Call(arguments)
    before = signal.signal(signal.SIGALRM, _late)
    left, _ = signal.setitimer(signal.ITIMER_REAL, call.seconds)
    try:
        _serve(call)
    except BaseException as error:
        # An agent's session goes on, whatever is wrong here.
        signal.setitimer(signal.ITIMER_REAL, 0)
        _tell_failure(call, error)
    finally:
        # Whoever called us in its own process gets its alarm back.
        signal.setitimer(signal.ITIMER_REAL, left)
        signal.signal(signal.SIGALRM, before)
        _leave()
    return 0


def _late(_number: int, _frame: object) -> None:
    raise Late("not done in time")


def _serve(call: Call) -> None:
    given = _input()
    if not call.agent or not call.event:
        raise ValueError(f"usage: jilog hooks run {'|'.join(AGENTS)} {'|'.join(EVENTS)}")
    if not os.path.exists(f"{call.home}/identity/identity.json"):
        _note(call, f"nothing to do: {call.home} is not set up; run: jilog init")
        return
    method = "hook.changes" if call.event == "stop" else "hook.context"
    params = call.params(given)
    answer = _ask_agent(call.home, method, params, call.seconds * limits.ANSWER_SHARE)
    if answer is None:
        from jilog_agent.hooks.alone import answer_alone

        answer = answer_alone(call.home, call.config, method, params)
    for text in answer.get("notes") or []:  # type: ignore[attr-defined] # checked by the log of a failure
        _note(call, str(text))
    output = str(answer.get("output") or "")
    if output:
        sys.stdout.write(output)
        sys.stdout.flush()


def _input() -> dict[str, object]:
    """Read what the agent says; anything else than an object of JSON counts as nothing."""
    if sys.stdin is None or sys.stdin.isatty():
        return {}
    data = sys.stdin.buffer.read(limits.INPUT_BYTES_MAX)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    known = {_KEYS[key]: value for key, value in document.items() if key in _KEYS}
    return {key: value for key, value in known.items() if isinstance(value, str | bool)}


def _ask_agent(home: str, method: str, params: dict[str, object], seconds: float) -> dict[str, object] | None:
    """Ask the running agent; None when there is none. One that does not answer in time is an error."""
    path = socket_file(home)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(seconds)
    try:
        try:
            if not is_private(os.path.dirname(path)):
                return None
            channel.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        # Without an id the answer is one line, and then the connection ends.
        channel.sendall(json.dumps({"method": method, "params": params}).encode() + b"\n")
        reply = json.loads(_read_all(channel))
    finally:
        channel.close()
    if reply.get("code") == "unknown_method":
        # An agent of an older version still runs.
        return None
    if reply.get("ok") is not True:
        raise RuntimeError(str(reply.get("error")))
    result = reply["result"]
    return result if isinstance(result, dict) else {}


def _read_all(channel: socket.socket) -> bytes:
    data = bytearray()
    while part := channel.recv(65_536):
        data += part
        if len(data) > limits.ANSWER_BYTES_MAX:
            raise ValueError(f"an answer of more than {limits.ANSWER_BYTES_MAX} bytes")
    return bytes(data)


def _note(call: Call, text: str) -> None:
    if call.verbose and sys.stderr is not None:
        sys.stderr.write(f"[jilog] {text}\n")


def _tell_failure(call: Call, error: BaseException) -> None:
    try:
        text = f"{call.agent or '?'} {call.event or '?'}: {type(error).__name__}: {error}"
        _note(call, text)
        _log(call.home, text)
    except Exception:  # noqa: S110 -- there is nobody left to tell
        pass


def _log(home: str, text: str) -> None:
    """Add a line to the log of a home that is there; it is private, like all of it."""
    if not os.path.isdir(home):
        return
    folder = f"{home}/hooks"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = f"{folder}/hooks.log"
    if os.path.exists(path) and os.path.getsize(path) > limits.LOG_BYTES_MAX:
        os.replace(path, f"{path}.1")
    import time

    line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "error": text[:2_000]})
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def _leave() -> None:
    """Point closed streams at nothing: the interpreter's last flush has nobody to complain to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1 if stream is sys.stdout else 2)
            os.close(null)
