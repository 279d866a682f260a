"""Folders that readers look into, and the files they find there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from jilog_review.files import expand_home, stat_files, walk_files
from jilog_review.reader import Discovery, Problem, ReaderConfig, Source, list_option, text_option


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of transcripts; ``seat`` is the account or profile it belongs to."""

    path: Path
    seat: str | None = None


def configured_paths(config: ReaderConfig, default: str) -> tuple[str, ...]:
    """Give the folders of ``paths``, else of ``path``, else the default; ``~`` is replaced.

    Raises:
        InputError: an option is not text, or not a list of texts.
    """
    paths = list_option(config, "paths")
    if paths is None:
        paths = (text_option(config, "path") or default,)
    return tuple(expand_home(path, config.environment) for path in paths)


def discover_files(
    roots: Iterable[Root],
    suffixes: tuple[str, ...],
    since_ns: int,
    make_source: Callable[[Path, int, Root], Source | None],
) -> Discovery:
    """Find the files below ``roots`` that end with one of ``suffixes``; a file seen twice counts once.

    The first root that holds a file gives it its seat. Sources come in the order of their keys.
    """
    problems: list[Problem] = []
    # A link and what it points to have the same inode, and so do two names of one root.
    unique: dict[tuple[int, int], Source] = {}
    for root in roots:
        paths = walk_files(root.path, suffixes, problems)
        for path, status in stat_files(paths, since_ns, problems):
            identity = (status.st_dev, status.st_ino)
            source = None if identity in unique else make_source(path, status.st_mtime_ns, root)
            if source is not None:
                unique[identity] = replace(source, size_bytes=status.st_size)
    sources = sorted(unique.values(), key=lambda source: source.key)
    return Discovery(tuple(sources), tuple(dict.fromkeys(problems)))


def list_folders(parent: Path, problems: list[Problem]) -> list[Path]:
    """Give the folders in ``parent`` by name; a missing one has none, a forbidden one becomes a problem."""
    try:
        with os.scandir(parent) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        problems.append(Problem(str(parent), f"cannot be listed: {exc.strerror or exc}"))
        return []
