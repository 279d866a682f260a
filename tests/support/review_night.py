"""Building transcripts and nights for the tests of the review."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from jilog_review.billed import Billed, decode_billed, encode_billed
from jilog_review.cursor import CursorBook
from jilog_review.nightly import Night, NightResult, run_night
from jilog_review.profiles import load_profile
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.redact import redact
from jilog_review.signal import Stamp
from jilog_review.testing import MemoryLog

NIGHT = date(2026, 5, 9)
DAY_SECONDS = 86_400
FAR_FUTURE_NS = 4_000_000_000 * 10**9


def write_lines(path: Path, *records: object) -> Path:
    """Write records as JSON lines; bytes and text are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(as_line(record) for record in records))
    return path


def append_lines(path: Path, *records: object) -> None:
    """Append records as JSON lines."""
    with path.open("ab") as file:
        file.write(b"".join(as_line(record) for record in records))


def as_line(record: object) -> bytes:
    if isinstance(record, bytes):
        return record + b"\n"
    text = record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)
    return text.encode() + b"\n"


def say(role: str, content: object, name: str | None = None) -> dict[str, object]:
    return {"role": role, "content": content, **({"name": name} if name else {})}


def failure(tool: str, message: str) -> dict[str, object]:
    return say("tool", json.dumps({"success": False, "error": message}), tool)


def generic(root: Path, name: str = "generic", session_id_from: str = "file_stem") -> Reader:
    options = {"path": f"{root}/*.jsonl", "name": name, "session_id_from": session_id_from}
    return make_reader(ReaderConfig("generic", options))


def claude(root: Path) -> Reader:
    return make_reader(ReaderConfig("claude-code", {"path": str(root)}))


def night(
    *readers: Reader,
    digests: Path,
    host: str = "alpha",
    day: date = NIGHT,
    days: int = 1,
    dry_run: bool = False,
) -> Night:
    """A night that reads every file, however old."""
    return Night(
        stamp=Stamp(host=host, profile="seed", review_date=day, redactor=redact),
        profile=load_profile("seed"),
        readers=readers,
        since_seconds=days * DAY_SECONDS,
        now_ns=days * DAY_SECONDS * 10**9,
        digest_folder=digests,
        dry_run=dry_run,
    )


class Host:
    """A host that reviews: its log, its cursors, and what it wrote."""

    def __init__(self, name: str, *readers: Reader, folder: Path) -> None:
        self.name = name
        self.readers = readers
        self.folder = folder
        self.log = MemoryLog(name)
        self.cursors: CursorBook = {}
        self.billed = Billed()
        self.written: dict[str, bytes] = {}

    def review(self, *, day: date = NIGHT, days: int = 1, dry_run: bool = False) -> NightResult:
        return run_night(
            night(*self.readers, digests=self.folder, host=self.name, day=day, days=days, dry_run=dry_run),
            self.log,
            cursors=self.cursors,
            save_cursors=self._save,
            write_file=self._write,
            billed=self.billed,
            save_billed=self._keep_billed,
        )

    def _save(self, cursors: CursorBook) -> None:
        self.cursors = cursors

    def _keep_billed(self, billed: Billed) -> None:
        # Through the file's form, as on a real host.
        self.billed = decode_billed(encode_billed(billed, self.name), self.name)

    def _write(self, path: Path, data: bytes) -> None:
        self.written[path.name] = data
