"""What calls give: entries as values, read from the JSON that ``docs/decisions.md`` describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from jilog_agent.sdk.errors import ConnectionFailed
from jilog_ledger.event import JsonValue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file: a repository, and the path below its root."""

    repository: str
    path: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry was written."""

    host: str
    folder: str
    repository: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, or an event of another vocabulary told as one. ``timestamp`` is RFC 3339 in UTC.

    ``file_refs`` are paths as people write them, ``files`` what they stand for. ``source`` is the host that
    appended it.
    """

    id: str
    timestamp: str
    session_id: str
    type: str
    title: str
    body: str = ""
    tags: tuple[str, ...] = ()
    file_refs: tuple[str, ...] = ()
    files: tuple[FileRef, ...] = ()
    alternatives: tuple[str, ...] = ()
    outcome: str = ""
    resolves: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    place: Place | None = None
    zone: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session and its entries, the oldest first."""

    session_id: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry with its event, as ``jilog query --json`` gives it, and the ids of what followed it."""

    entry: Entry
    event: Mapping[str, JsonValue]
    resolved_by: tuple[str, ...] = ()
    superseded_by: tuple[str, ...] = ()


def entry_of(result: JsonValue) -> Entry:
    """Read one entry."""
    return converted(result, Entry)


def entries_of(result: JsonValue) -> list[Entry]:
    """Read a list of entries."""
    return converted(result, list[Entry])


def found_of(result: JsonValue) -> FoundSession | FoundEntry:
    """Read what ``show`` found."""
    if isinstance(result, dict) and "session_id" in result:
        return converted(result, FoundSession)
    document = _object(result)
    return FoundEntry(
        entry_of(document.get("entry")),
        _object(document.get("event")),
        converted(document.get("resolved_by", []), tuple[str, ...]),
        converted(document.get("superseded_by", []), tuple[str, ...]),
    )


def text_of(result: JsonValue) -> str:
    """Read a text."""
    return converted(result, str)


def _object(result: JsonValue) -> dict[str, JsonValue]:
    if not isinstance(result, dict):
        raise ConnectionFailed(f"the agent's answer is not understood: {type(result).__name__} for an object")
    return result


def converted(result: JsonValue, kind: type[T]) -> T:
    """Read a result as a value.

    Raises:
        ConnectionFailed: it is none.
    """
    try:
        return msgspec.convert(result, kind)
    except msgspec.ValidationError as exc:
        raise ConnectionFailed(f"the agent's answer is not understood: {exc}") from exc
