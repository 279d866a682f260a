"""``jilog turn``: the table of its commands."""

from __future__ import annotations

from jilog_agent.cli.lazy import Entry, LazyGroup
from jilog_agent.cli.turn_site import folder_parameter

_WRITE = "jilog_agent.cli.turn_write"
_READ = "jilog_agent.cli.turn_read"

group = LazyGroup(
    name="turn",
    table={
        "init": Entry(f"{_WRITE}:init", "Make .turnlog here."),
        "start": Entry(f"{_WRITE}:start", "Begin a session, for a goal and a ticket."),
        "record": Entry(f"{_WRITE}:record", "Record a turn, with what verifies it."),
        "use": Entry(f"{_WRITE}:use", "Record into this session from now on."),
        "end": Entry(f"{_WRITE}:end", "End a session."),
        "current": Entry(f"{_READ}:current", "Tell which session is recorded into."),
        "status": Entry(f"{_READ}:status", "Show session, last turn and repository."),
        "log": Entry(f"{_READ}:log", "List sessions and turns, the oldest first."),
        "show": Entry(f"{_READ}:show", "Show a session or a turn."),
        "grep": Entry(f"{_READ}:grep", "Find sessions and turns by what they say."),
        "report": Entry(f"{_READ}:report", "Write a session's report."),
        "repair": Entry(f"{_READ}:repair", "Make .turnlog again from the ledger."),
    },
    help="Record what agents do: ticket, session, turn, commit.",
    examples=(
        "jilog turn start --ticket AUTH-123 --goal 'Fix token validation'",
        "jilog turn record --summary 'Validate expiry' --verify 'pytest -q'",
        "jilog turn log --ticket AUTH-123",
    ),
)
group.params.append(folder_parameter())
