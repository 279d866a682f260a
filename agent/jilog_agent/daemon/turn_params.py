"""What the methods about turns take. ``cwd`` is the absolute folder whose repository is meant."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict

from jilog_ledger.turn import Verification


class Start(Struct, frozen=True):
    """A session to begin; ``goal`` has to be there."""

    cwd: str
    goal: str = ""
    ticket: str = ""
    parent: str = ""
    transcript: str = ""
    agent: str = ""
    confidential: bool = False
    zone: str | None = None


class Measured(Struct, frozen=True):
    """A command that the client ran, and what it measured; ``ran_at`` is RFC 3339."""

    command: tuple[str, ...]
    exit_status: int
    duration_seconds: float
    output_sha256: str
    output_bytes: int
    ran_at: str
    shell: bool = False
    timed_out: bool = False

    def verification(self) -> Verification:
        """Give it as a turn keeps it."""
        return Verification(kind="evidence", **asdict(self))


class RecordTurn(Struct, frozen=True):
    """A turn. ``verification`` are claims, ``evidence`` is what the client measured; nothing is run here."""

    cwd: str
    session: str | None = None
    model: str = ""
    summary: str = ""
    verification: tuple[str, ...] = ()
    evidence: tuple[Measured, ...] = ()
    attach_diff: bool = False
    if_dirty: bool = False
    message_id: str = ""
    auto_start: str | None = None
    agent: str = ""
    confidential: bool = False
    zone: str | None = None


class End(Struct, frozen=True):
    """The end of a session, the current one unless it is named."""

    cwd: str
    session: str | None = None
    summary: str = ""
    agent: str = ""
    zone: str | None = None


class Use(Struct, frozen=True):
    """A session, or a beginning of its id, to be the current one."""

    cwd: str
    session: str
    agent: str = ""
    zone: str | None = None


class Current(Struct, frozen=True):
    """Which agent's session is asked for; an empty name is everybody without one."""

    cwd: str
    agent: str = ""
    zone: str | None = None


class Log(Struct, frozen=True):
    """All filters combine. ``everywhere`` asks for all repositories and hosts; then no ``cwd`` is needed."""

    cwd: str | None = None
    everywhere: bool = False
    session: str | None = None
    ticket: str | None = None
    grep: str | None = None
    changed: str | None = None
    zone: str | None = None


class Named(Struct, frozen=True):
    """An id, or a beginning that only one has; for ``trace`` also a ticket or a commit."""

    id: str = ""
    cwd: str | None = None
    zone: str | None = None
