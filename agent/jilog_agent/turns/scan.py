"""What lies in a ``.turnlog/``: records that can be read, and files and lines that cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jilog_agent.turns.documents import (
    DOCUMENT_BYTES_MAX,
    Dated,
    NewerVersion,
    parse_document,
    parse_index_line,
)
from jilog_ledger.turn import Session, SessionEnd, Turn

EXCERPT_CHARS = 80


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and the file (or file and line) that it stands in. ``path`` is None for an index line."""

    where: str
    dated: Dated
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file or line that is no record. ``newer`` when a newer version wrote it: then it is left alone."""

    where: str
    reason: str
    path: Path | None = None
    newer: bool = False


@dataclass(slots=True)
class Contents:
    """What was found. A record that stands in a file and in the index is in both lists."""

    files: list[Found] = field(default_factory=list)
    lines: list[Found] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)


def scan(folder: Path) -> Contents:
    """Read a ``.turnlog`` folder; nothing in it can make this fail."""
    contents = Contents()
    for name, kind in (("sessions", Session), ("turns", Turn)):
        for path in sorted((folder / name).glob("*.json")):
            _file(path, f"{name}/{path.name}", kind, contents)
    for number, line in _lines(folder / "index.jsonl", contents):
        where = f"index.jsonl:{number}"
        try:
            contents.lines.append(Found(where, parse_index_line(line)))
        except NewerVersion as exc:
            contents.damaged.append(Damaged(where, exc.message, newer=True))
        except ValueError as exc:
            excerpt = line[:EXCERPT_CHARS].decode("utf-8", "replace")
            contents.damaged.append(Damaged(where, f"{exc}: {excerpt}"))
    return contents


def _file(path: Path, where: str, kind: type[Session | Turn], contents: Contents) -> None:
    try:
        data = _read(path)
        dated = parse_document(data, kind)
    except NewerVersion as exc:
        contents.damaged.append(Damaged(where, exc.message, path, newer=True))
        return
    except OSError as exc:
        contents.damaged.append(Damaged(where, f"cannot be read: {exc.strerror}", path))
        return
    except ValueError as exc:
        contents.damaged.append(Damaged(where, str(exc), path))
        return
    record = dated.record
    assert not isinstance(record, SessionEnd)
    if record.id != path.stem:
        contents.damaged.append(Damaged(where, f"its id is {record.id[:80]}", path))
        return
    contents.files.append(Found(where, dated, path))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(DOCUMENT_BYTES_MAX + 1)


def _lines(path: Path, contents: Contents) -> Iterator[tuple[int, bytes]]:
    """Give the lines of the index with their numbers; empty ones are passed over."""
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(DOCUMENT_BYTES_MAX):
                number += 1
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        return
    except OSError as exc:
        contents.damaged.append(Damaged(path.name, f"cannot be read: {exc.strerror}"))
