"""Finding transcript files: home folders, folders that may be missing or forbidden, and files by age."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from jilog_review.reader import Discovery, Problem, Source
from jilog_review.regular_file import kind_of
from jilog_review.repair import printable


def home_of(environment: Mapping[str, str]) -> str:
    """Give the home folder that ``~`` means."""
    return environment.get("HOME") or str(Path.home())


def expand_home(path: str, environment: Mapping[str, str], *, escape: bool = False) -> str:
    """Replace a leading ``~``; with ``escape``, so that the home's name is taken literally in a glob."""
    if path != "~" and not path.startswith("~/"):
        return path
    home = home_of(environment)
    return (glob.escape(home) if escape else home) + path[1:]


def stat_files(
    paths: Iterable[Path], since_ns: int, problems: list[Problem]
) -> Iterator[tuple[Path, os.stat_result]]:
    """Give every regular file modified at or after ``since_ns``; whatever else is there is a problem.

    Nothing is opened to find that out: opening a pipe would wait for its writer.
    """
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 (half the time of Path.stat, once for every file there is)
        except FileNotFoundError:
            if path.is_symlink():
                problems.append(Problem(printable(str(path)), "is a link to nothing"))
            continue  # otherwise removed between the listing and now
        except OSError as exc:
            problems.append(Problem(printable(str(path)), f"cannot be read: {exc.strerror or exc}"))
            continue
        if not stat.S_ISREG(status.st_mode):
            problems.append(Problem(printable(str(path)), f"is {kind_of(status.st_mode)} and no transcript"))
        elif status.st_mtime_ns >= since_ns:
            yield path, status


def stat_sources(
    paths: Iterable[Path], since_ns: int, make_source: Callable[[Path, int], Source | None]
) -> Discovery:
    """Make a source of every regular file modified at or after ``since_ns``, ordered by path."""
    sources: list[Source] = []
    problems: list[Problem] = []
    for path, status in stat_files(paths, since_ns, problems):
        source = make_source(path, status.st_mtime_ns)
        if source is not None:
            sources.append(replace(source, size_bytes=status.st_size))
    return Discovery(tuple(sorted(sources, key=lambda source: source.key)), tuple(problems))


def walk_files(root: Path, suffix: str | tuple[str, ...], problems: list[Problem]) -> Iterator[Path]:
    """Give everything below ``root`` (or a file ``root`` itself) whose name ends with a suffix, folders too.

    A missing root gives nothing; a folder that may not be listed becomes a problem. Links to folders are not
    followed: two of them can make a circle.
    """

    def forbidden(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            problems.append(
                Problem(
                    printable(str(error.filename or root)), f"cannot be listed: {error.strerror or error}"
                )
            )

    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root, onerror=forbidden):
        here = Path(folder)
        for name in chain(folders, names):
            if name.endswith(suffix):
                yield here / name
