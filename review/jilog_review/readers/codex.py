"""The ``codex`` reader: rollouts of Codex CLI, plain or compressed, live or archived.

Options: ``path`` or ``paths``. Without them ``$CODEX_HOME`` (``~/.codex``) and every profile of
``~/.codex-pool/profiles`` are read, each with its ``sessions`` and ``archived_sessions``; a profile's name
becomes the seat, and the home's own is ``main``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jilog_review.cursor import Cursor
from jilog_review.files import expand_home
from jilog_review.piece import decode_piece
from jilog_review.reader import Discovery, Problem, ReaderConfig, Reading, Source, check_options
from jilog_review.readers.codex_format import LINE_DECODER
from jilog_review.readers.codex_lines import CodexSorter, parent_thread
from jilog_review.readers.compressed import read_any_piece
from jilog_review.readers.entry_builder import EntryBuilder, make_reading
from jilog_review.readers.head import first_record
from jilog_review.readers.roots import Root, configured_paths, discover_files, list_folders

_OPTIONS = ("path", "paths")
_HOME = "~/.codex"
_POOL = "~/.codex-pool/profiles"
_FOLDERS = ("sessions", "archived_sessions")
_SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz")
_OTHER_FILES = frozenset({"history.jsonl", "session_index.jsonl"})
"""What lies in Codex's own folder beside ``sessions`` and is no rollout."""
_MAIN_SEAT = "main"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class CodexReader:
    """Reads the rollouts below some folders; each folder in ``pool`` is a profile with its own."""

    roots: tuple[Root, ...]
    pool: Path | None = None
    name: str = "codex"

    def discover(self, since_ns: int) -> Discovery:
        """Find the rollouts modified since then; one that is also there compressed counts once."""
        problems: list[Problem] = []
        profiles = list_folders(self.pool, problems) if self.pool else []
        roots = (
            *self.roots,
            *(Root(profile / folder, profile.name) for profile in profiles for folder in _FOLDERS),
        )
        found = discover_files(roots, _SUFFIXES, since_ns, _source_of)
        keys = {source.key for source in found.sources}
        sources = tuple(
            source
            for source in found.sources
            if source.key.endswith(".jsonl") or _plain(source.key) not in keys
        )
        return Discovery(sources, (*problems, *found.problems))

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one rollout."""
        path = Path(source.key)
        piece = read_any_piece(path, cursor)
        lines = decode_piece(piece, LINE_DECODER)
        builder = EntryBuilder(piece.new_offset)
        first = first_record(lines, piece, path, LINE_DECODER)
        if first is not None and first.type == "session_meta" and first.payload is not None:
            builder.is_subagent, builder.root_session = parent_thread(first.payload.source)
            builder.project = first.payload.cwd
        sorter = CodexSorter(source.session_id, builder)
        for number, offset, line in lines:
            sorter.add(number, offset, line)
        return make_reading(self.name, source, piece, lines, builder)


def make_codex_reader(config: ReaderConfig) -> CodexReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    if config.options.get("path") is not None or config.options.get("paths") is not None:
        paths = configured_paths(config, _HOME)
        return CodexReader(tuple(Root(Path(path), _seat_of(Path(path))) for path in paths))
    home = Path(config.environment.get("CODEX_HOME") or expand_home(_HOME, config.environment))
    roots = tuple(Root(home / folder, _MAIN_SEAT) for folder in _FOLDERS)
    return CodexReader(roots, Path(expand_home(_POOL, config.environment)))


def _seat_of(path: Path) -> str | None:
    """Name the account of a folder named outright: the folder that its ``sessions`` lie in."""
    for folder in (path, *path.parents):
        if folder.name in _FOLDERS:
            name = folder.parent.name
            return _MAIN_SEAT if name == ".codex" else name or None
    return None


def _source_of(path: Path, modified_ns: int, root: Root) -> Source | None:
    """Name a rollout's session by the id at the end of its name; several files may have one id."""
    if path.name in _OTHER_FILES:
        return None
    stem = _plain(path.name).removesuffix(".jsonl")
    match = _UUID.search(stem)
    session_id = match[0] if match else stem
    seat = root.seat or _seat_of(path.parent)
    return Source(str(path), session_id, session_id, modified_ns, seat=seat)


def _plain(key: str) -> str:
    return key.removesuffix(".zst").removesuffix(".gz")
