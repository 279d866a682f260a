"""The ``claude-code`` reader.

Options: ``path`` or ``paths`` (``~/.claude/projects``, or ``$CLAUDE_CONFIG_DIR/projects``, by default),
``discover_profiles`` (also read the profiles under ``~/.claude-pool/profiles`` and ``~/.claude-profiles``;
the profile's name becomes the seat) and ``default_seat`` for the folders named outright.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.errors import InputError
from jilog_review.cursor import Cursor
from jilog_review.files import expand_home
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import (
    Discovery,
    Problem,
    ReaderConfig,
    Reading,
    Source,
    check_options,
    list_option,
    text_option,
)
from jilog_review.readers.claude_format import LINE_DECODER
from jilog_review.readers.claude_lines import LineSorter
from jilog_review.readers.claude_reading import claude_reading
from jilog_review.readers.roots import Root, discover_files
from jilog_review.repair import printable

_OPTIONS = ("path", "paths", "discover_profiles", "default_seat")
_PROFILE_PARENTS = ("~/.claude-pool/profiles", "~/.claude-profiles")
_SUBAGENT_FOLDER = "subagents"
_SUBAGENT_PREFIX = "agent-"


@dataclass(frozen=True, slots=True)
class ClaudeCodeReader:
    """Reads Claude Code's transcripts below some folders; the first folder that holds a file wins."""

    roots: tuple[Root, ...]
    profile_parents: tuple[Path, ...] = ()
    name: str = "claude-code"

    def discover(self, since_ns: int) -> Discovery:
        """Find the transcripts modified at or after ``since_ns``."""
        problems: list[Problem] = []
        roots = (*self.roots, *_profile_roots(self.profile_parents, problems))
        found = discover_files(roots, (".jsonl",), since_ns, _source_of)
        return Discovery(found.sources, (*found.problems, *problems))

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one transcript."""
        piece = read_piece(Path(source.key), cursor)
        lines = decode_piece(piece, LINE_DECODER)
        sorter = LineSorter(piece.new_offset)
        sorter.add_all(lines, sidechain=source.is_subagent)
        return claude_reading(self.name, source, piece, lines, sorter)


def make_claude_code_reader(config: ReaderConfig) -> ClaudeCodeReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    seat = text_option(config, "default_seat")
    expanded = (expand_home(path, config.environment) for path in _root_paths(config))
    roots = tuple(Root(Path(path), seat) for path in expanded)
    profiles = config.options.get("discover_profiles", False)
    if not isinstance(profiles, bool):
        raise InputError(f"discover_profiles must be true or false, not {profiles!r}"[:200])
    parents = (Path(expand_home(parent, config.environment)) for parent in _PROFILE_PARENTS)
    return ClaudeCodeReader(roots, tuple(parents) if profiles else ())


def _root_paths(config: ReaderConfig) -> tuple[str, ...]:
    paths = list_option(config, "paths")
    if paths is not None:
        return paths
    path = text_option(config, "path")
    if path is not None:
        return (path,)
    moved = config.environment.get("CLAUDE_CONFIG_DIR")
    return (f"{moved}/projects",) if moved else ("~/.claude/projects",)


def _profile_roots(parents: tuple[Path, ...], problems: list[Problem]) -> list[Root]:
    roots: list[Root] = []
    for parent in parents:
        try:
            names = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            problems.append(Problem(printable(str(parent)), f"cannot be listed: {exc.strerror or exc}"))
            continue
        roots.extend(Root(parent / name / "projects", name) for name in names)
    return roots


def _source_of(path: Path, modified_ns: int, root: Root) -> Source:
    """Name a file's session: its stem; a sub-agent's root is the session whose folder it lies in."""
    key = str(path)
    # Taking a path apart costs more than all else here.
    parts = path.parts if _SUBAGENT_FOLDER in key else ()
    if _SUBAGENT_FOLDER in parts[:-1]:
        at = len(parts) - 1 - parts[::-1].index(_SUBAGENT_FOLDER)
        first = parts.index(_SUBAGENT_FOLDER, 1) if at > 1 else at
        parent = printable(parts[first - 1])
        return Source(key, printable(path.stem), parent, modified_ns, is_subagent=True, seat=root.seat)
    session_id = printable(path.stem)
    is_subagent = session_id.startswith(_SUBAGENT_PREFIX)
    return Source(key, session_id, session_id, modified_ns, is_subagent=is_subagent, seat=root.seat)
