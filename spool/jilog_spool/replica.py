"""What a session asks of a store: the seam between the spool and the ledger's zone store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jilog_ledger.branch import BranchTaken
from jilog_ledger.frontier import Frontier
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import Ingested


class Replica(Protocol):
    """One zone on this host, as a source and as a target of segments.

    Every method may be called while the host appends and while other sessions run.
    """

    @property
    def zone(self) -> str:
        """The zone's name."""

    @property
    def local(self) -> bool:
        """Whether its events must not leave this host; no session takes such a replica."""

    def frontier(self) -> Frontier:
        """Say what is held of every writer."""

    def origin(self, writer: Writer) -> Writer:
        """Give the writer that a branch's bytes name; any other writer is its own origin."""

    def segments(self, writer: Writer, first_number: int = 1) -> Sequence[SegmentInfo]:
        """Describe the held segments of a writer from ``first_number`` on, by number; the active one last."""

    def read(self, writer: Writer, number: int, offset: int, length: int) -> bytes:
        """Read bytes of a held segment file. They never change, so a transfer may take many calls.

        Raises:
            IntegrityError: the segment turned out to be damaged; it is not to be served.
        """

    def signed_head(self, writer: Writer, number: int) -> SignedHead:
        """Give the latest head of a segment, signed by its writer: own ones now, others' as they came."""

    def resume_offset(self, writer: Writer, number: int) -> int:
        """Count the leading bytes of a segment that need not be sent again: held, or staged earlier."""

    def stage(self, writer: Writer, number: int, offset: int, data: bytes) -> None:
        """Keep bytes of a transfer in progress. They are not trusted, and not durable."""

    def complete(self, writer: Writer, number: int, offset: int, data: bytes, head: SignedHead) -> Ingested:
        """Take the last bytes of a transfer, check all of it, and put it on stable storage.

        Returns once it is durable. The same transfer twice is a DUPLICATE.

        Raises:
            ForkDetected: other bytes of the same writer are held at the same place.
            IntegrityError: the bytes are not what the head and the writer's key promise; nothing was kept.
            StorageError: the disk refused.

        ``head`` names the writer's origin.
        """

    def take_branch(self, writer: Writer, number: int, data: bytes, head: SignedHead) -> BranchTaken:
        """Take in another history of a writer, given the whole segment in which it was seen to differ.

        Durable when it returns TAKEN or KNOWN; DEEPER asks for the segment before, where the histories
        parted.

        Raises:
            IntegrityError: the bytes are not what the head and the writer's key promise.
            StorageError: the disk refused.
        """
