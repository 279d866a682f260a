"""What the methods about entries take. Unknown keys are passed over, as agentlog does."""

from __future__ import annotations

from msgspec import Struct


class NewEntry(Struct, frozen=True):
    """An entry to write. Only ``session_id``, ``type`` and ``title`` have to be there."""

    type: str = ""
    title: str = ""
    session_id: str = ""
    id: str | None = None
    timestamp: str | None = None
    body: str | None = None
    tags: tuple[str, ...] | None = None
    file_refs: tuple[str, ...] | None = None
    alternatives: tuple[str, ...] = ()
    outcome: str = ""
    resolves: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()


class Write(Struct, frozen=True):
    """``cwd`` is the folder that relative paths are meant from; without it they stay as they are.

    ``fresh`` says that the entry's id was made at random for this first try, so that nobody looks for it.
    """

    entry: NewEntry
    cwd: str | None = None
    zone: str | None = None
    actor: str | None = None
    confidential: bool = False
    keep_secrets: bool = False
    fresh: bool = False


class Query(Struct, frozen=True):
    """All filters combine. ``start`` and ``end`` are inclusive, ``before`` is not.

    A ``limit`` of 0 is the default.
    """

    type: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] | None = None
    file_path: str | None = None
    start: str | None = None
    end: str | None = None
    before: str | None = None
    limit: int | None = None
    offset: int | None = None
    text: str | None = None
    open: bool = False
    all_records: bool = False
    cwd: str | None = None
    zone: str | None = None


class Search(Struct, frozen=True):
    """``query`` is any text; the best matches come first."""

    query: str = ""
    limit: int | None = None
    zone: str | None = None


class Session(Struct, frozen=True):
    """A session by its id."""

    session_id: str = ""
    zone: str | None = None


class Show(Struct, frozen=True):
    """The id of a session, entry or event, or a beginning that only it has."""

    id: str = ""
    zone: str | None = None


class Nothing(Struct, frozen=True):
    """No parameters."""


class Blame(Struct, frozen=True):
    """A file or folder; relative paths are meant from ``cwd``."""

    file_path: str = ""
    cwd: str | None = None
    zone: str | None = None


class Context(Struct, frozen=True):
    """What is at hand. A ``limit`` of 0 or less is the default, 10; ``text`` asks for one text to read."""

    files: tuple[str, ...] | None = None
    topic: str | None = None
    limit: int | None = None
    budget_tokens: int | None = None
    text: bool = False
    cwd: str | None = None
    zone: str | None = None


class Export(Struct, frozen=True):
    """Entries as a document; times in every form, inclusive but for ``before``.

    What is kept on this host alone is left out unless ``confidential`` asks for it.
    """

    session_id: str | None = None
    since: str | None = None
    until: str | None = None
    before: str | None = None
    file_path: str | None = None
    tag: str | None = None
    tags: tuple[str, ...] | None = None
    type: str | None = None
    format: str | None = None
    template: str | None = None
    open: bool = False
    confidential: bool = False
    cwd: str | None = None
    zone: str | None = None
