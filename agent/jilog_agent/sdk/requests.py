"""What each call asks for: pure functions from arguments to a method of the socket and its parameters.

Arguments that cannot be meant are refused here, before anything is sent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jilog_agent.sdk.errors import InvalidArgument
from jilog_ledger.decision import check_type, valid_text
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue

ALL = 1_000_000_000
"""A limit that nothing reaches: 0 asks the socket for its default, and callers mean everything by it."""

Paths = Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Request:
    """A method of the socket, and its parameters; ``key`` makes a second try of a write a no-op."""

    method: str
    params: dict[str, JsonValue]
    key: str | None = None

    def again(self) -> Request:
        """Give the request of a second try, which looks whether the first one did it."""
        params = {name: value for name, value in self.params.items() if name != "fresh"}
        return Request(self.method, params, self.key)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to write; see :meth:`jilog_agent.sdk.Client.write` for what the fields mean.

    ``fresh`` says that the id was made for this entry and never sent before.
    """

    type: str
    title: str
    session: str
    id: str
    body: str = ""
    tags: Sequence[str] = ()
    files: Paths = ()
    alternatives: Sequence[str] = ()
    outcome: str = ""
    resolves: Sequence[str] = ()
    supersedes: Sequence[str] = ()
    timestamp: str | None = None
    actor: str | None = None
    confidential: bool = False
    keep_secrets: bool = False
    zone: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; all that is set must hold. ``since`` is inclusive, ``until`` exclusive."""

    type: str | None = None
    session: str | None = None
    tag: str | Sequence[str] | None = None
    file: str | os.PathLike[str] | None = None
    since: str | None = None
    until: str | None = None
    open: bool = False
    zone: str | None = None

    def params(self, since_key: str) -> dict[str, JsonValue]:
        """Say it as the socket's ``query`` and ``export`` do; they name the beginning differently.

        Raises:
            InvalidArgument: the type is none.
        """
        if self.type is not None:
            _understood(check_type, self.type)
        tags = [self.tag] if isinstance(self.tag, str) else list(self.tag or ())
        return {
            "type": self.type,
            "session_id": self.session,
            "tags": [*tags],
            "file_path": None if self.file is None else os.fspath(self.file),
            since_key: self.since,
            "before": self.until,
            "open": self.open,
            "zone": self.zone,
        }


def write(entry: NewEntry, cwd: str) -> Request:
    """Ask to write an entry.

    Raises:
        InvalidArgument: the type is none, or there is no title.
    """
    _understood(check_type, entry.type)
    if not entry.title.strip():
        raise InvalidArgument("title must not be empty", hint="say in one line what was decided or tried")
    fields: dict[str, JsonValue] = {
        "type": entry.type,
        "title": entry.title,
        "session_id": entry.session,
        "id": entry.id,
        "timestamp": entry.timestamp,
        "body": entry.body,
        "tags": _texts("tags", entry.tags),
        "file_refs": _paths("files", entry.files),
        "alternatives": _texts("alternatives", entry.alternatives),
        "outcome": entry.outcome,
        "resolves": _texts("resolves", entry.resolves),
        "supersedes": _texts("supersedes", entry.supersedes),
    }
    params: dict[str, JsonValue] = {
        "entry": fields,
        "actor": entry.actor,
        "confidential": entry.confidential,
        "keep_secrets": entry.keep_secrets,
        "fresh": entry.fresh,
        "zone": entry.zone,
    }
    return _request("write", params, cwd)


def query(text: str, wanted: Filter, limit: int, offset: int, cwd: str) -> Request:
    """Ask for entries by what they say.

    Raises:
        InvalidArgument: the text is blank, or a number is out of range.
    """
    if not text.strip():
        raise InvalidArgument("text must not be empty", hint="say what to look for, or use log")
    check_number("limit", limit, 1)
    check_number("offset", offset, 0)
    return _request("query", {**wanted.params("start"), "text": text, "limit": limit, "offset": offset}, cwd)


def log(wanted: Filter, limit: int, offset: int, cwd: str) -> Request:
    """Ask for the newest entries; a limit of 0 asks for all.

    Raises:
        InvalidArgument: a number is negative.
    """
    check_number("limit", limit, 0)
    check_number("offset", offset, 0)
    return _request("query", {**wanted.params("start"), "limit": limit or ALL, "offset": offset}, cwd)


def context(
    files: Paths,
    topic: str,
    limit: int,
    budget: int | None,
    *,
    zone: str | None,
    cwd: str,
    text: bool,
) -> Request:
    """Ask for what concerns files and topic.

    Raises:
        InvalidArgument: neither was given, or a number is below 1.
    """
    paths = _paths("files", files)
    if not paths and not topic.strip():
        raise InvalidArgument("at least one of files or topic is required")
    check_number("limit", limit, 1)
    if budget is not None:
        check_number("budget", budget, 1)
    params: dict[str, JsonValue] = {"files": paths, "topic": topic, "limit": limit, "budget_tokens": budget}
    return _request("context", {**params, "text": text, "zone": zone}, cwd)


def export(
    wanted: Filter, format_name: str | None, template: str | None, cwd: str, *, confidential: bool
) -> Request:
    """Ask for entries as one document."""
    params: dict[str, JsonValue] = {"format": format_name, "template": template, "confidential": confidential}
    return _request("export", {**wanted.params("since"), **params}, cwd)


def blame(path: str | os.PathLike[str], zone: str | None, cwd: str) -> Request:
    """Ask for everything that names a file or folder.

    Raises:
        InvalidArgument: the path is empty.
    """
    text = os.fspath(path)
    if not text:
        raise InvalidArgument("path must not be empty", hint="name a file or a folder")
    return _request("blame", {"file_path": text, "zone": zone}, cwd)


def show(text: str, zone: str | None) -> Request:
    """Ask for one thing by its id.

    Raises:
        InvalidArgument: the id is empty.
    """
    if not text:
        raise InvalidArgument("id must not be empty", hint="see: jilog log")
    return Request("show", {"id": text, "zone": zone})


def _request(method: str, params: dict[str, JsonValue], cwd: str, key: str | None = None) -> Request:
    said = {name: _valid(value) for name, value in {**params, "cwd": cwd}.items() if value is not None}
    return Request(method, said, key)


def turn(name: str, params: dict[str, JsonValue], cwd: str, key: str | None = None) -> Request:
    """Ask for something about turns."""
    return _request(name, params, cwd, key)


def _valid(value: JsonValue) -> JsonValue:
    """Make all text valid: file names may hold bytes that are not UTF-8."""
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, list):
        return [_valid(item) for item in value]
    if isinstance(value, dict):
        return {key: _valid(item) for key, item in value.items()}
    return value


def _texts(name: str, values: Sequence[str]) -> list[JsonValue]:
    if isinstance(values, str):
        raise InvalidArgument(f"{name} is a text and has to be a list of texts", hint=f"use {name}=[...]")
    return [*values]


def _paths(name: str, values: Paths) -> list[JsonValue]:
    if isinstance(values, str | os.PathLike):
        raise InvalidArgument(f"{name} is one path and has to be a list of paths", hint=f"use {name}=[...]")
    return [os.fspath(value) for value in values]


def check_number(name: str, value: int, least: int) -> None:
    """Refuse a number below ``least``."""
    if value < least:
        raise InvalidArgument(f"{name} is {value}", hint=f"use {least} or more")


def _understood(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except InputError as error:
        raise InvalidArgument(error.message, hint=error.hint) from error
