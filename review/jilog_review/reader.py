"""The reader seam: one reader per harness turns its files into transcripts.

A third party adds a reader by an entry point of the group ``jilog.readers``: its name is the ``type`` in the
config, its object a callable that takes a :class:`ReaderConfig` and returns a :class:`Reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from jilog_ledger.errors import InputError
from jilog_review import plug_in
from jilog_review.cursor import Cursor
from jilog_review.transcript import Transcript

ENTRY_POINT_GROUP = "jilog.readers"


@dataclass(frozen=True, slots=True)
class Source:
    """One session that a reader found: most often a file.

    ``key`` names it among this reader's sources and orders them (the path, for a file). ``modified_ns`` is
    Unix time in nanoseconds. ``size_bytes`` is the file's size: a source of the size and age that it had
    when it was read to its end is not opened. Without a size, it always is.
    """

    key: str
    session_id: str
    root_session: str
    modified_ns: int
    is_subagent: bool = False
    seat: str | None = None
    persona: str | None = None
    channel: str | None = None
    project: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something a reader could not read; ``where`` is a path, ``message`` one line."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a reader found: sources in the order of their keys, and what it could not look into."""

    sources: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One piece of a source. ``more`` tells that reading again with ``cursor`` gives the next piece."""

    transcript: Transcript
    cursor: Cursor
    more: bool


class Reader(Protocol):
    """Reads one harness's sessions. Implementations keep no state between calls and write nothing."""

    @property
    def name(self) -> str:
        """The name that signals carry, such as ``claude-code``."""
        ...

    def discover(self, since_ns: int) -> Discovery:
        """Find the sources modified at or after ``since_ns`` (Unix nanoseconds), ordered by key.

        A missing folder is an empty discovery; one that may not be read is a problem. Never raises for what
        is on the disk.
        """
        ...

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read what was appended after ``cursor``, or from the start without one or when it does not fit.

        Memory is bounded by a piece, whatever the source's size. Reading twice with one cursor gives the
        same. Whatever a line holds is counted in the coverage and never fatal.

        Raises:
            OSError: the source cannot be opened or read now.
        """
        ...


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """One ``[[reader]]`` table: its type, and its other keys as written.

    ``environment`` is the process's, passed in: some harnesses move their folder by a variable.
    """

    type: str
    options: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


ReaderFactory: TypeAlias = Callable[[ReaderConfig], Reader]


def make_reader(config: ReaderConfig) -> Reader:
    """Make the reader of a config table, from the built-in ones or an entry point.

    Raises:
        InputError: no reader of that type is installed, or an option is not one of its own.
    """
    from jilog_review.readers import BUILT_IN

    return plug_in.make(
        "reader",
        config.type,
        config,
        built_in=BUILT_IN,
        group=ENTRY_POINT_GROUP,
        remedy="remove the reader from the config",
    )


def check_options(config: ReaderConfig, known: tuple[str, ...]) -> None:
    """Refuse an option that the reader does not have.

    Raises:
        InputError: the message names the option, the hint the nearest known one.
    """
    for key in config.options:
        if key not in known:
            raise InputError(
                f"unknown key {key[:80]!r} in a reader of type {config.type!r}",
                hint=plug_in.nearest_hint(key, known),
            )


def text_option(config: ReaderConfig, key: str) -> str | None:
    """Give an option that must be text, None when absent.

    Raises:
        InputError: it is something else, or empty.
    """
    value = config.options.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{key} of a reader of type {config.type!r} must be text, not {value!r}"[:200])
    return value


def list_option(config: ReaderConfig, key: str) -> tuple[str, ...] | None:
    """Give an option that must be a list of texts, None when absent.

    Raises:
        InputError: it is something else.
    """
    value = config.options.get(key)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) and item for item in value):
        raise InputError(
            f"{key} of a reader of type {config.type!r} must be a list of texts, not {value!r}"[:200]
        )
    return tuple(value)
