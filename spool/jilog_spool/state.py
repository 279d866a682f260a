"""Where a session stands, and what may be said to it there."""

from __future__ import annotations

from enum import Enum, auto

from jilog_spool import wire


class State(Enum):
    """Where a session stands."""

    AWAIT_HELLO = auto()
    EXCHANGE = auto()
    LIVE = auto()
    FINISHED = auto()
    FAILED = auto()


ACCEPTED: dict[State, frozenset[type[wire.Message]]] = {
    State.AWAIT_HELLO: frozenset({wire.Hello, wire.Stop}),
    State.EXCHANGE: frozenset(wire.MESSAGE_TYPES.values()) - {wire.Hello, wire.Roots},
    State.LIVE: frozenset(wire.MESSAGE_TYPES.values())
    - {wire.Hello, wire.FrontierPart, wire.Summary, wire.Entries, wire.Offered},
    # What was under way when the last answer left.
    State.FINISHED: frozenset({wire.Ping, wire.Credit, wire.Stop, wire.Fork}),
    State.FAILED: frozenset(),
}
"""Which messages may arrive in which state; anything else ends the session."""
