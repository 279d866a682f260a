"""Bugs to plant, each of which the simulation must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jilog_ledger.append import Appender
from jilog_ledger.branches import Branches
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.segment import SegmentReader
from jilog_ledger.store import ZoneStore
from jilog_ledger.stream import Stream
from jilog_ledger.testing import MemoryDisk

Patch = Callable[[Any, str, Any], None]
"""``monkeypatch.setattr``."""


def acknowledge_before_sync(patch: Patch) -> None:
    """Appends return before their bytes are on stable storage."""

    def append(self: MemoryDisk, path: Path, offset: int, data: bytes) -> None:
        self.overwrite(path, offset, data, durable=False)

    patch(MemoryDisk, "append", append)


def acknowledge_with_a_head_that_is_not_synced(patch: Patch) -> None:
    """What a peer sent is acknowledged although the head that vouches for it may be lost."""
    record = Stream.record_head

    def record_head(self: Stream, head: Any, signature: bytes, *, durable: bool) -> None:
        record(self, head, signature, durable=False)

    patch(Stream, "record_head", record_head)


def serve_without_verifying(patch: Patch) -> None:
    """Segments are sent as they are on the disk."""

    def sealed_bytes(self: ZoneStore, info: SegmentInfo) -> bytes:
        return self._catalog.disk.read(self.layout.segment(info.writer, info.number))

    def active_bytes(
        self: ZoneStore, stream: Stream, active: SegmentReader, offset: int, length: int
    ) -> bytes:
        return self._catalog.disk.read(stream.path(), offset, length)

    patch(ZoneStore, "_sealed_bytes", sealed_bytes)
    patch(ZoneStore, "_active_bytes", active_bytes)


def ignore_a_grant(patch: Patch) -> None:
    """A session shows its peer every zone."""
    from jilog_spool import session

    def visible(replicas: Mapping[str, Any], granted: Any) -> dict[str, Any]:
        return dict(replicas)

    patch(session, "visible", visible)


def grant_everything(patch: Patch) -> None:
    """The agent grants each peer every zone."""
    from simulation import host

    patch(host, "granted_zones", lambda config, _peer: tuple(zone.id for zone in config.zones))


def send_what_is_confidential(patch: Patch) -> None:
    """A confidential event goes into the stream that travels."""
    from jilog_ledger.event import EventDraft

    patch(EventDraft, "confidential", property(lambda _draft: False))


def accept_gap_as_contiguous(patch: Patch) -> None:
    """The frontier passes over missing segments."""

    def contiguous(self: Stream) -> tuple[int, SegmentInfo | None]:
        number = max(self.sealed, default=0)
        return number, self.sealed.get(number)

    patch(Stream, "contiguous", contiguous)


def drop_one_branch_of_a_fork(patch: Patch) -> None:
    """The branch that has to give its name away is cut off and not kept under another one."""

    def give_way(self: Branches, stream: Stream, parting: Any, theirs: Any, depth: int = 0) -> None:
        self._catalog.cut(stream, theirs.number)
        self._receiver.complete(stream.writer, theirs.number, 0, theirs.data, theirs.signed)

    patch(Branches, "_give_way", give_way)


def forget_the_rollback_check(patch: Patch) -> None:
    """A host goes on in its epoch, whatever its peers hold of it."""
    begin = Appender.begin_epoch

    def begin_epoch(self: Appender) -> None:
        if not self.writer.epoch:
            begin(self)

    patch(Appender, "begin_epoch", begin_epoch)


PLANTED: dict[str, tuple[Callable[[Patch], None], frozenset[int]]] = {
    "acknowledge before sync": (acknowledge_before_sync, frozenset({1})),
    "acknowledge with a head that is not synced": (
        acknowledge_with_a_head_that_is_not_synced,
        frozenset({1}),
    ),
    "serve without verifying": (serve_without_verifying, frozenset({5})),
    "ignore a grant": (ignore_a_grant, frozenset({6})),
    "grant everything": (grant_everything, frozenset({6})),
    "send what is confidential": (send_what_is_confidential, frozenset({6})),
    "accept a gap as contiguous": (accept_gap_as_contiguous, frozenset({1, 3, 5})),
    "drop one branch of a fork": (drop_one_branch_of_a_fork, frozenset({1})),
    "forget the rollback check": (forget_the_rollback_check, frozenset({1, 3, 4})),
}
"""By what the bug does: how to plant it, and the invariants of which it breaks one first."""
