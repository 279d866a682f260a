"""jilog for programs: write entries, and find them again. ``docs/sdk.md`` has examples.

::

    import jilog_agent.sdk as jilog

    jilog.write("decision", "Use SQLite for the index", files=["src/index.py"])
"""

from jilog_agent.sdk.aio import AsyncClient
from jilog_agent.sdk.asking import FilterOptions, WriteOptions
from jilog_agent.sdk.checks import CheckOptions, Evidence
from jilog_agent.sdk.client import Client
from jilog_agent.sdk.default import blame, context, default_client, export, log, query, show, write
from jilog_agent.sdk.entry import Entry, FileRef, FoundEntry, FoundSession, Place
from jilog_agent.sdk.errors import (
    AgentNotRunning,
    Busy,
    ConnectionFailed,
    Damaged,
    InvalidArgument,
    JilogSdkError,
    Refused,
    RequestTimeout,
    StorageRefused,
)
from jilog_agent.sdk.turns import AsyncTurnCalls, SessionEnd, Turn, TurnCalls, TurnSession

__all__ = [
    "AgentNotRunning",
    "AsyncClient",
    "AsyncTurnCalls",
    "Busy",
    "CheckOptions",
    "Client",
    "ConnectionFailed",
    "Damaged",
    "Entry",
    "Evidence",
    "FileRef",
    "FilterOptions",
    "FoundEntry",
    "FoundSession",
    "InvalidArgument",
    "JilogSdkError",
    "Place",
    "Refused",
    "RequestTimeout",
    "SessionEnd",
    "StorageRefused",
    "Turn",
    "TurnCalls",
    "TurnSession",
    "WriteOptions",
    "blame",
    "context",
    "default_client",
    "export",
    "log",
    "query",
    "show",
    "write",
]
