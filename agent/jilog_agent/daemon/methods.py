"""The methods that a thread can answer: what each takes, and what it calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from jilog_agent.config.nearest import did_you_mean
from jilog_agent.daemon import entries, entry_params, events, turn_params, turns
from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.protocol import Refused, Request
from jilog_agent.daemon.zones import Zones
from jilog_agent.hooks import work as hook_work
from jilog_ledger.event import JsonValue


@dataclass(frozen=True, slots=True)
class Method:
    """``call`` gets what ``params`` made of the request; ``writes`` says in which threads it runs."""

    params: type[msgspec.Struct]
    # The parameters are of the type ``params`` names; the table below is where the two are brought together.
    call: Callable[[Zones, Any, Caller], JsonValue]
    writes: bool = False


METHODS = {
    "create_session": Method(entry_params.Nothing, entries.create_session),
    "write": Method(entry_params.Write, entries.write, writes=True),
    "query": Method(entry_params.Query, entries.query),
    "search": Method(entry_params.Search, entries.search),
    "get_session": Method(entry_params.Session, entries.get_session),
    "show": Method(entry_params.Show, entries.show),
    "list_sessions": Method(entry_params.Nothing, entries.list_sessions),
    "blame": Method(entry_params.Blame, entries.blame),
    "context": Method(entry_params.Context, entries.context),
    "export": Method(entry_params.Export, entries.export),
    "append": Method(events.Append, events.append, writes=True),
    "turn.start": Method(turn_params.Start, turns.start, writes=True),
    "turn.record": Method(turn_params.RecordTurn, turns.record, writes=True),
    "turn.end": Method(turn_params.End, turns.end, writes=True),
    "turn.use": Method(turn_params.Use, turns.use, writes=True),
    "turn.current": Method(turn_params.Current, turns.current),
    "turn.status": Method(turn_params.Current, turns.status),
    "turn.log": Method(turn_params.Log, turns.log),
    "turn.show": Method(turn_params.Named, turns.show),
    "trace": Method(turn_params.Named, turns.trace_name),
    "hook.context": Method(hook_work.HookCall, hook_work.tell_context),
    "hook.changes": Method(hook_work.HookCall, hook_work.record_changes, writes=True),
}

LIVE = ("ping", "status", "metrics", "sync", "reload", "tail", "cancel")
"""Methods that the server answers itself: they speak of the process or of a connection."""

PARAMS_OPTIONAL = ("create_session", "list_sessions", "sync", "tail")
"""Methods that may be called without any parameters; agentlog refuses that for its others."""


def find_method(name: str) -> Method:
    """Find a method.

    Raises:
        Refused: there is no such method.
    """
    method = METHODS.get(name)
    if method is None:
        raise Refused(
            "unknown_method", f"unknown method: {name[:80]}", hint=did_you_mean(name, [*METHODS, *LIVE])
        )
    return method


P = TypeVar("P", bound=msgspec.Struct)


def read_params(request: Request, params: type[P]) -> P:
    """Decode a request's parameters; see :func:`parse_params`."""
    return parse_params(request.method, request.params, params)


def parse_params(method: str, raw_params: msgspec.Raw, params: type[P]) -> P:
    """Decode parameters; a method that needs none does not need to be given any.

    Raises:
        Refused: they are missing or of another shape.
    """
    raw = bytes(raw_params)
    optional = not any(field.required for field in msgspec.structs.fields(params))
    if not raw and method in PARAMS_OPTIONAL and optional:
        return params()
    try:
        if not raw:
            raise msgspec.DecodeError("unexpected end of JSON input")
        return msgspec.json.decode(raw, type=params)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        text = str(exc)
        raise Refused(
            "invalid_params",
            f"invalid {method} params: {text[:1].lower()}{text[1:]}",
            hint="see docs/socket.md",
        ) from exc
