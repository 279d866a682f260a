"""Turns for programs: ``client.turn.start(…)``, ``client.turn.record(…)`` and so on (``docs/sdk.md``)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypedDict, Unpack

from jilog_agent.sdk import checks
from jilog_agent.sdk.checks import CheckOptions, Command, Evidence
from jilog_agent.sdk.entry import converted
from jilog_agent.sdk.errors import InvalidArgument
from jilog_agent.sdk.requests import Request, turn
from jilog_ledger.event import JsonValue


@dataclass(frozen=True, slots=True)
class TurnSession:
    """A session of turns. ``created_at`` is RFC 3339 in UTC; ``vcs_start`` is as in ``docs/turns.md``."""

    id: str
    goal: str
    created_at: str
    ticket: str | None = None
    parent: str | None = None
    transcript: str | None = None
    agent: str | None = None
    host: str | None = None
    repository: str | None = None
    repo_root: str | None = None
    vcs_start: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn; ``checks`` and ``vcs`` are as in ``docs/turns.md``."""

    id: str
    session: str
    created_at: str
    model: str | None = None
    summary: str | None = None
    verification: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    attachments: tuple[Mapping[str, Any], ...] = ()
    commits: tuple[str, ...] = ()
    message_id: str | None = None
    agent: str | None = None
    host: str | None = None
    repository: str | None = None
    repo_root: str | None = None
    vcs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """The end of a session."""

    session: str
    created_at: str
    summary: str | None = None


class StartOptions(TypedDict, total=False):
    """What else a session may say. ``parent`` is a session's id, ``transcript`` the agent's own id of it."""

    ticket: str
    parent: str
    transcript: str
    agent: str
    confidential: bool
    zone: str | None


class RecordOptions(TypedDict, total=False):
    """What else a turn may say. ``session`` is the current one unless named.

    With ``if_dirty`` nothing is recorded in a clean tree; ``auto_start`` is the goal of a session to begin
    when there is none; the same ``message_id`` is recorded once. ``verification`` are claims, ``evidence`` is
    what ``check`` measured.
    """

    session: str | None
    model: str
    verification: Sequence[str]
    evidence: Sequence[Evidence]
    attach_diff: bool
    if_dirty: bool
    message_id: str
    auto_start: str | None
    agent: str
    confidential: bool
    zone: str | None


class LogOptions(TypedDict, total=False):
    """Filters, all of which must hold; ``everywhere`` asks for all repositories and hosts."""

    everywhere: bool
    session: str | None
    ticket: str | None
    grep: str | None
    changed: str | None
    zone: str | None


_KINDS: dict[str, type[TurnSession | Turn | SessionEnd]] = {
    "session_started": TurnSession,
    "turn_recorded": Turn,
    "session_ended": SessionEnd,
}


def _started(goal: str, cwd: str, **more: Unpack[StartOptions]) -> Request:
    if not goal.strip():
        raise InvalidArgument("goal must not be empty", hint="say in one line what the session is for")
    return turn("turn.start", {"goal": goal, **_json(more)}, cwd, key=str(uuid.uuid4()))


def _recorded(summary: str, cwd: str, **more: Unpack[RecordOptions]) -> Request:
    # The key counts as the message's id, so that a second try of this call finds the first.
    key = more.get("message_id") or str(uuid.uuid4())
    return turn("turn.record", {"summary": summary, **_json(more)}, cwd, key=key)


def _json(options: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {
        name: value if value is None or isinstance(value, str | bool) else [_element(item) for item in value]
        for name, value in options.items()
    }


def _element(item: str | Evidence) -> JsonValue:
    return {**asdict(item), "command": [*item.command]} if isinstance(item, Evidence) else item


def _part(result: JsonValue, name: str) -> JsonValue:
    return converted(result, dict[str, Any]).get(name)


def _session(result: JsonValue) -> TurnSession:
    return converted(_part(result, "session"), TurnSession)


def _current(result: JsonValue) -> TurnSession | None:
    return None if _part(result, "session") is None else _session(result)


def _turn(result: JsonValue) -> Turn | None:
    found = _part(result, "turn")
    return None if found is None else converted(found, Turn)


def _end(result: JsonValue) -> SessionEnd:
    return converted(_part(result, "session_end"), SessionEnd)


def _records(result: JsonValue) -> list[TurnSession | Turn | SessionEnd]:
    documents = converted(result, list[dict[str, Any]])
    return [converted(item, _KINDS[item["type"]]) for item in documents if item.get("type") in _KINDS]


class TurnCalls:
    """The calls about turns of a :class:`jilog_agent.sdk.Client`, made in its folder."""

    def __init__(self, call: Callable[[Request], JsonValue], folder: Callable[[], str]) -> None:
        self._call, self._folder = call, folder

    def start(self, goal: str, **more: Unpack[StartOptions]) -> TurnSession:
        """Begin a session and make it the current one."""
        return _session(self._call(_started(goal, self._folder(), **more)))

    def record(self, summary: str = "", **more: Unpack[RecordOptions]) -> Turn | None:
        """Record a turn; None when only a changed working tree was to be recorded and it is clean."""
        return _turn(self._call(_recorded(summary, self._folder(), **more)))

    def check(self, command: Command, **how: Unpack[CheckOptions]) -> Evidence:
        """Run a command in the client's folder and measure it, for ``record(evidence=[…])``.

        A text is split into words as a shell does, and run without one.
        """
        return checks.run(command, self._folder(), **how)

    def end(self, summary: str = "", *, session: str | None = None, agent: str = "") -> SessionEnd:
        """End a session, the current one unless it is named; doing it again changes nothing."""
        params: dict[str, JsonValue] = {"summary": summary, "session": session, "agent": agent}
        return _end(self._call(turn("turn.end", params, self._folder())))

    def use(self, session: str, *, agent: str = "") -> TurnSession:
        """Record into this session from now on; a beginning of its id that only it has will do."""
        params: dict[str, JsonValue] = {"session": session, "agent": agent}
        return _session(self._call(turn("turn.use", params, self._folder())))

    def current(self, *, agent: str = "") -> TurnSession | None:
        """Give the session that is recorded into; None when there is none."""
        return _current(self._call(turn("turn.current", {"agent": agent}, self._folder())))

    def log(self, **filters: Unpack[LogOptions]) -> list[TurnSession | Turn | SessionEnd]:
        """Give sessions, turns and ends, the oldest first."""
        return _records(self._call(turn("turn.log", _json(filters), self._folder())))

    def show(self, id: str) -> Mapping[str, Any]:  # noqa: A002 - as the command calls it
        """Give a session's story or a turn, as ``jilog turn show --json`` does."""
        return converted(self._call(turn("turn.show", {"id": id}, self._folder())), dict[str, Any])

    def trace(self, name: str) -> Mapping[str, Any]:
        """Follow a ticket, a commit or an id, as ``jilog trace --json`` does."""
        return converted(self._call(turn("trace", {"id": name}, self._folder())), dict[str, Any])


class AsyncTurnCalls:
    """The same calls of an :class:`jilog_agent.sdk.AsyncClient`, as coroutines."""

    def __init__(self, call: Callable[[Request], Awaitable[JsonValue]], folder: Callable[[], str]) -> None:
        self._call, self._folder = call, folder

    async def start(self, goal: str, **more: Unpack[StartOptions]) -> TurnSession:
        """Begin a session and make it the current one."""
        return _session(await self._call(_started(goal, self._folder(), **more)))

    async def record(self, summary: str = "", **more: Unpack[RecordOptions]) -> Turn | None:
        """Record a turn; None when only a changed working tree was to be recorded and it is clean."""
        return _turn(await self._call(_recorded(summary, self._folder(), **more)))

    async def check(self, command: Command, **how: Unpack[CheckOptions]) -> Evidence:
        """Run a command in the client's folder and measure it; cancelled, it is killed."""
        return await checks.run_beside(command, self._folder(), **how)

    async def end(self, summary: str = "", *, session: str | None = None, agent: str = "") -> SessionEnd:
        """End a session, the current one unless it is named; doing it again changes nothing."""
        params: dict[str, JsonValue] = {"summary": summary, "session": session, "agent": agent}
        return _end(await self._call(turn("turn.end", params, self._folder())))

    async def use(self, session: str, *, agent: str = "") -> TurnSession:
        """Record into this session from now on; a beginning of its id that only it has will do."""
        params: dict[str, JsonValue] = {"session": session, "agent": agent}
        return _session(await self._call(turn("turn.use", params, self._folder())))

    async def current(self, *, agent: str = "") -> TurnSession | None:
        """Give the session that is recorded into; None when there is none."""
        return _current(await self._call(turn("turn.current", {"agent": agent}, self._folder())))

    async def log(self, **filters: Unpack[LogOptions]) -> list[TurnSession | Turn | SessionEnd]:
        """Give sessions, turns and ends, the oldest first."""
        return _records(await self._call(turn("turn.log", _json(filters), self._folder())))

    async def show(self, id: str) -> Mapping[str, Any]:  # noqa: A002 - as the command calls it
        """Give a session's story or a turn, as ``jilog turn show --json`` does."""
        return converted(await self._call(turn("turn.show", {"id": id}, self._folder())), dict[str, Any])

    async def trace(self, name: str) -> Mapping[str, Any]:
        """Follow a ticket, a commit or an id, as ``jilog trace --json`` does."""
        return converted(await self._call(turn("trace", {"id": name}, self._folder())), dict[str, Any])
