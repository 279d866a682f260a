"""What a call of the SDK can end in. Each error is one of jilog's, and one of Python's own where that fits.

::

    JilogSdkError (JilogError)
    ├── ConnectionFailed (ConnectionError)     the agent's socket is there, and the agent is not
    │   └── AgentNotRunning                    no socket: nobody started an agent
    ├── RequestTimeout (TimeoutError)          no whole answer in time
    └── Refused                                the answer is no; ``code`` says which kind (docs/socket.md)
        ├── InvalidArgument (InputError, ValueError)
        ├── Busy (BusyError)
        ├── Damaged (IntegrityError)
        └── StorageRefused (StorageError)
"""

from __future__ import annotations

from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError


class JilogSdkError(JilogError):
    """Anything that a call can end in but its result."""


class ConnectionFailed(JilogSdkError, ConnectionError):
    """The agent cannot be reached, or went away before it answered."""


class AgentNotRunning(ConnectionFailed):
    """There is no socket, so no agent runs."""


class RequestTimeout(JilogSdkError, TimeoutError):
    """There was no whole answer in time. A write may have happened: the same ``id`` again is safe."""


class Refused(JilogSdkError):
    """The request was understood and turned down. ``code`` is for programs."""

    def __init__(self, message: str, *, hint: str | None = None, code: str = "error") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class InvalidArgument(Refused, InputError, ValueError):
    """An argument cannot be meant: a type that is none, an id that nothing has or that is taken."""

    def __init__(self, message: str, *, hint: str | None = None, code: str = "invalid_params") -> None:
        super().__init__(message, hint=hint, code=code)


class Busy(Refused, BusyError):
    """Somebody else holds what this needs; try again."""


class Damaged(Refused, IntegrityError):
    """Bytes in the ledger are not what their checksums say."""


class StorageRefused(Refused, StorageError):
    """The disk refused, or is too full for the agent to take events."""


_BY_CODE: dict[str, type[Refused]] = {
    "invalid_params": InvalidArgument,
    "conflict": InvalidArgument,
    "not_found": InvalidArgument,
    "busy": Busy,
    "integrity": Damaged,
    "storage": StorageRefused,
}


def refusal(code: str, message: str, hint: str | None) -> Refused:
    """Give the error that a code stands for."""
    return _BY_CODE.get(code, Refused)(message, hint=hint, code=code)
