"""Writing records into ``.turnlog/``: after the ledger has them, each file whole or not at all."""

from __future__ import annotations

import msgspec

from jilog_agent.turns.documents import Dated, index_line, json_document
from jilog_agent.turns.markdown import session_page, turn_page
from jilog_agent.turns.store import TurnStore, read_line
from jilog_ledger.disk import Disk
from jilog_ledger.errors import StorageError
from jilog_ledger.turn import Session, Turn


def write_snapshot(store: TurnStore, disk: Disk, dated: Dated, patch: bytes | None = None) -> None:
    """Write a record's files, and its line into the index; what was written before is not read.

    The ledger has the record already: a crash at any line leaves something that ``repair`` completes from
    there. Only a patch is nowhere else, so it comes first.

    Raises:
        StorageError: the disk refused.
        BusyError: somebody else has been writing for too long.
    """
    record = dated.record
    with disk.lock(store.lock):
        if isinstance(record, Turn):
            if patch is not None:
                disk.replace(store.attachment(record.id), patch)
            write_documents(store, disk, dated)
            head = record.vcs.git_head
            if head is not None:
                disk.replace(store.head(record.session), f"{head}\n".encode())
        elif isinstance(record, Session):
            write_documents(store, disk, dated)
        append_line(store, disk, index_line(dated))


def write_documents(store: TurnStore, disk: Disk, dated: Dated, ended: Dated | None = None) -> bool:
    """Write the JSON and the page of a session or a turn; False when both were there, the same."""
    record = dated.record
    assert isinstance(record, Session | Turn)
    page = turn_page(dated) if isinstance(record, Turn) else session_page(dated, ended)
    changed = False
    for ending, data in (
        ("json", json_document(dated)),
        ("md", page.encode("utf-8", "backslashreplace")),
    ):
        path = store.document(record.id, ending)
        if disk.size(path) != len(data) or disk.read(path) != data:
            disk.replace(path, data)
            changed = True
    return changed


def append_line(store: TurnStore, disk: Disk, line: bytes) -> None:
    """Append to the index; the remains of a torn line before it stay a line of their own."""
    size = disk.size(store.index)
    if size is None:
        disk.create(store.index, line)
        return
    whole = size == 0 or disk.read(store.index, size - 1, 1) == b"\n"
    disk.append(store.index, size, line if whole else b"\n" + line)


class _Start(msgspec.Struct, frozen=True):
    git_head: str | None = None


class _SessionFile(msgspec.Struct, frozen=True):
    vcs_start: _Start = _Start()


def last_head(store: TurnStore, disk: Disk, session: str) -> str | None:
    """Give the commit at a session's last turn, else at its start; None when nobody knows."""
    head = read_line(disk, store.head(session))
    if head:
        return head if head.isalnum() else None
    try:
        data = disk.read(store.document(session, "json"))
        head = msgspec.json.decode(data, type=_SessionFile).vcs_start.git_head or ""
    except (StorageError, msgspec.DecodeError, UnicodeError):
        return None
    return head if head.isalnum() else None
