"""The error tree of jilog, and the exit status of each branch.

::

    JilogError            1   anything that went wrong, with a hint
    ├── InputError        2   what was typed or configured cannot be meant
    ├── FindingsError     3   the command worked and found problems (verify, partial sync)
    ├── IntegrityError    4   bytes are not what their checksum, hash or signature says
    │   └── SegmentDamaged    one segment, with the byte where it goes wrong
    ├── StorageError      5   the disk refused: full, read-only, I/O error
    │   └── SyncFailed        a sync failed: nobody knows what is on stable storage
    ├── BusyError         6   another process holds what this one needs
    ├── PeerError         7   a peer cannot be reached, is not trusted, or talks nonsense
    └── TrackerError      8   an issue tracker cannot be asked, or refused; its work stays pending

Ctrl-C exits 130, a closed pipe 141. Every message says what was tried, on what, and what was found; the
hint is the next command to type.
"""

from __future__ import annotations


class JilogError(Exception):
    """Say what went wrong, and what to do next.

    ``message`` is one line in lower case without a full stop; ``hint`` is the next command or edit.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(JilogError):
    """A command line, a config file or an event says something that cannot be meant."""

    exit_code = 2


class FindingsError(JilogError):
    """The command did its work and what it found is not in order."""

    exit_code = 3


class IntegrityError(JilogError):
    """Bytes differ from what their checksum, hash, signature or identity promises."""

    exit_code = 4


class SegmentDamaged(IntegrityError):
    """A segment cannot be trusted from ``offset`` (in bytes) on.

    ``torn`` is true when the segment only ends early: everything before ``offset`` is whole and nothing
    readable follows, which is what a write cut off in the middle leaves behind.
    """

    def __init__(self, message: str, *, offset: int, torn: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.torn = torn


class StorageError(JilogError):
    """The operating system refused to read or write."""

    exit_code = 5


class SyncFailed(StorageError):
    """The kernel could not bring bytes to stable storage, and may not say so a second time."""


class BusyError(JilogError):
    """Another process holds a lock for longer than we are willing to wait."""

    exit_code = 6


class PeerError(JilogError):
    """A peer is away, not trusted, or does not speak the protocol."""

    exit_code = 7


class TrackerError(JilogError):
    """An issue tracker cannot be asked, refused, or answered nonsense. What was to be filed stays pending.

    ``uncertain`` is true when nobody knows whether the request took effect: an answer that was cut off, a
    time limit, a network that went away. A request that was refused is certain.
    """

    exit_code = 8

    def __init__(self, message: str, *, hint: str | None = None, uncertain: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.uncertain = uncertain
