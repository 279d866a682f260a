"""Why a sync failed, as one of a few causes that a program can tell apart and act on."""

from __future__ import annotations

import errno
import socket
from enum import Enum

from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError
from jilog_spool.errors import ConnectionLost, ProtocolError, VersionMismatch


class Cause(Enum):
    """What stood in the way of a session. The values are stored, so they stay."""

    PEER_OFF = "peer_off"
    CONNECTION_REFUSED = "connection_refused"
    NAME_UNKNOWN = "name_unknown"
    NO_ADDRESS = "no_address"
    HOST_KEY_UNKNOWN = "host_key_unknown"
    KEY_CHANGED = "key_changed"
    CERTIFICATE_INVALID = "certificate_invalid"
    AUTH_FAILED = "auth_failed"
    NO_COMMON_ALGORITHM = "no_common_algorithm"
    COMMAND_MISSING = "command_missing"
    VERSION_TOO_OLD = "version_too_old"
    GARBAGE = "garbage"
    CONNECTION_LOST = "connection_lost"
    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    DISK_ERROR = "disk_error"
    NO_FILE_DESCRIPTORS = "no_file_descriptors"
    PEER_DISK_FULL = "peer_disk_full"
    PEER_READ_ONLY = "peer_read_only"
    PEER_PAUSED = "peer_paused"
    PEER_FAILED = "peer_failed"
    DAMAGED = "damaged"
    BUSY = "busy"
    CONFIGURATION = "configuration"
    UNKNOWN = "unknown"


_BY_TYPE: tuple[tuple[type[JilogError], Cause], ...] = (
    (VersionMismatch, Cause.VERSION_TOO_OLD),
    (ProtocolError, Cause.GARBAGE),
    (IntegrityError, Cause.DAMAGED),
    (BusyError, Cause.BUSY),
    (InputError, Cause.CONFIGURATION),
)

_BY_SSH_ERROR = {
    "PermissionDenied": Cause.AUTH_FAILED,
    "KeyExchangeFailed": Cause.NO_COMMON_ALGORITHM,
    "ChannelOpenError": Cause.AUTH_FAILED,
    "IllegalUserName": Cause.AUTH_FAILED,
    "ProtocolError": Cause.GARBAGE,
    "ProtocolNotSupported": Cause.GARBAGE,
    "ServiceNotAvailable": Cause.PEER_FAILED,
}
"""By the name of the exception of asyncssh, which only the SSH transport may import."""

_BY_PEERS_WORDS = (
    ("no space left", Cause.PEER_DISK_FULL),
    ("disk quota exceeded", Cause.PEER_DISK_FULL),
    ("mib are free on the disk", Cause.PEER_DISK_FULL),
    ("this host rests", Cause.PEER_PAUSED),
    ("read-only file system", Cause.PEER_READ_ONLY),
    ("has no such command", Cause.COMMAND_MISSING),
    ("speaks protocol versions", Cause.VERSION_TOO_OLD),
)
"""What a peer says of itself reaches us as text; these are the operating system's words and our own."""

_NO_FILE_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_OFF = (TimeoutError, socket.herror)
_OFF_NUMBERS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN)


def cause_of(error: JilogError) -> Cause:
    """Tell why a session failed, from the error's type, from what it was raised from, and from its words."""
    if isinstance(error, StorageError):
        return _storage_cause(error)
    for kind, cause in _BY_TYPE:
        if isinstance(error, kind):
            return cause
    told = _by_words(error.message)
    origin = error.__cause__
    if told is None and origin is not None:
        told = _by_origin(error, origin)
    if told is not None:
        return told
    if isinstance(error, ConnectionLost):
        return Cause.CONNECTION_LOST
    # Every other error that has no origin outside of us is one that the peer's own words made.
    return Cause.PEER_FAILED if origin is None or isinstance(origin, JilogError) else Cause.UNKNOWN


def _storage_cause(error: StorageError) -> Cause:
    number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT):
        return Cause.DISK_FULL
    if number in _NO_FILE_DESCRIPTORS:
        return Cause.NO_FILE_DESCRIPTORS
    return Cause.READ_ONLY if number == errno.EROFS else Cause.DISK_ERROR


def _by_words(message: str) -> Cause | None:
    lowered = message.lower()
    return next((cause for words, cause in _BY_PEERS_WORDS if words in lowered), None)


def _by_origin(error: JilogError, origin: BaseException) -> Cause | None:
    name = type(origin).__name__
    if name == "HostKeyNotVerifiable" and error.message.startswith("host certificate"):
        return Cause.CERTIFICATE_INVALID
    if name == "KeyExchangeFailed" and "host certificate" in error.message:
        return Cause.CERTIFICATE_INVALID
    if name == "HostKeyNotVerifiable":
        return Cause.HOST_KEY_UNKNOWN if "is not known" in error.message else Cause.KEY_CHANGED
    if "does not speak SSH" in error.message:
        return Cause.GARBAGE
    if name in _BY_SSH_ERROR:
        return _BY_SSH_ERROR[name]
    if isinstance(origin, ConnectionRefusedError):
        return Cause.CONNECTION_REFUSED
    if isinstance(origin, socket.gaierror):
        return Cause.NO_ADDRESS if "has no address" in error.message else Cause.NAME_UNKNOWN
    if isinstance(origin, OSError) and origin.errno in _NO_FILE_DESCRIPTORS:
        return Cause.NO_FILE_DESCRIPTORS
    if isinstance(origin, _OFF) or (isinstance(origin, OSError) and origin.errno in _OFF_NUMBERS):
        return Cause.PEER_OFF
    return None
