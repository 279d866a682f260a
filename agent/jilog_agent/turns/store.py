"""The folder ``.turnlog/`` of a working tree: its layout, how it is made, found and locked.

::

    index.jsonl               one line per record, in the order in which they came
    sessions/ID.json, ID.md   a session
    turns/ID.json, ID.md      a turn
    attachments/TURN.diff     patches; they are nowhere else
    reports/SESSION.md        written by ``jilog turn report``
    current-session[.AGENT]   the session that is recorded into, of everybody or of one agent
    state/SESSION.head        the commit at the session's last turn
    quarantine/               what could not be read, with its reason
    .lock                     held while something is written

All but the attachments can be made again from the ledger: ``jilog turn repair``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, StorageError
from jilog_ledger.identifiers import check_name

FOLDER = ".turnlog"
IGNORE_LINES = (b".turnlog", b".turnlog/", b"/.turnlog", b"/.turnlog/")


@dataclass(frozen=True, slots=True)
class TurnStore:
    """Names every path below ``root/.turnlog``."""

    root: Path

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.root / FOLDER

    @property
    def index(self) -> Path:
        """One line of JSON per record."""
        return self.folder / "index.jsonl"

    @property
    def lock(self) -> Path:
        """Held while something is written; harmless when it is left behind."""
        return self.folder / ".lock"

    @property
    def quarantine(self) -> Path:
        """What could not be read."""
        return self.folder / "quarantine"

    def document(self, record_id: str, ending: str) -> Path:
        """Name a record's file; ``ending`` is ``json`` or ``md``."""
        kind = "sessions" if record_id.startswith("sess_") else "turns"
        return self.folder / kind / f"{record_id}.{ending}"

    def attachment(self, turn_id: str) -> Path:
        """Name a turn's patch."""
        return self.folder / "attachments" / f"{turn_id}.diff"

    def report(self, session_id: str) -> Path:
        """Name a session's report."""
        return self.folder / "reports" / f"{session_id}.md"

    def head(self, session_id: str) -> Path:
        """Name the file that holds the commit at a session's last turn."""
        return self.folder / "state" / f"{session_id}.head"

    def current(self, agent: str) -> Path:
        """Name the file that holds an agent's session; an empty name is everybody without one.

        Raises:
            InputError: the name cannot be part of a file's name.
        """
        name = "current-session"
        return self.folder / (f"{name}.{check_name('agent', agent)}" if agent else name)

    def exists(self) -> bool:
        """Tell whether the folder was made."""
        return self.folder.is_dir()

    def make(self, disk: Disk) -> None:
        """Make the folder, and keep it out of the repository; doing it again changes nothing.

        Raises:
            StorageError: the disk refused.
        """
        for name in ("sessions", "turns", "attachments", "reports", "state"):
            disk.make_directory(self.folder / name)
        with disk.lock(self.lock):
            if disk.size(self.index) is None:
                disk.create(self.index, b"")
            self._ignore(disk)

    def _ignore(self, disk: Disk) -> None:
        """Add our line to .gitignore unless one of its forms is there."""
        path = Path(os.path.realpath(self.root / ".gitignore"))
        text = disk.read(path) if path.is_file() else b""
        if any(line.strip() in IGNORE_LINES for line in text.splitlines()):
            return
        newline = b"\n" if text and not text.endswith(b"\n") else b""
        mode = path.stat().st_mode & 0o777 if path.is_file() else 0o644
        disk.replace(path, text + newline + b".turnlog/\n")
        # People read and commit this file; ours are private.
        path.chmod(mode)


def store_around(folder: Path, root: Path) -> TurnStore | None:
    """Find the store for ``folder``: at ``root``, or, in no repository, in a folder above.

    It is not sought above a repository's root: a parent's records are about something else.
    """
    if (root / FOLDER).is_dir():
        return TurnStore(root)
    for place in (folder, *folder.parents):
        if any(os.path.lexists(place / name) for name in (".git", ".jj")):
            return None
        if (place / FOLDER).is_dir():
            return TurnStore(place)
    return None


def read_line(disk: Disk, path: Path) -> str:
    """Give the one line of a small file; empty when it is not there or holds no text."""
    try:
        data = disk.read(path, 0, 4_096) if disk.size(path) is not None else b""
    except StorageError:
        return ""
    return data.decode("utf-8", "replace").strip()


def needed(store: TurnStore | None) -> TurnStore:
    """Give the store, else raise InputError."""
    if store is None:
        raise InputError("there is no .turnlog here", hint="run: jilog turn init")
    return store
