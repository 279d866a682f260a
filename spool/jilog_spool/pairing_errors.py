"""Why two hosts did not become peers: a word for programs, a line and a next step for people."""

from __future__ import annotations

from jilog_ledger.errors import PeerError
from jilog_spool.pairing_wire import Sorry


class PairingFailed(PeerError):
    """The two hosts did not become peers. ``reason`` is one of a few words, for programs."""

    def __init__(self, reason: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


_NEW_CODE = "show a new code on the other host: jilog peer pair"

_WORDS: dict[str, tuple[str, str]] = {
    "wrong_code": (
        "the code is wrong, or somebody is in between: the two hosts do not have the same key",
        "type the code exactly as the other host shows it; three wrong tries end it",
    ),
    "expired": ("the code has expired", _NEW_CODE),
    "used": ("the code was used already", _NEW_CODE),
    "wrong_tries": ("the code is dead: it was tried wrongly three times", _NEW_CODE),
    "too_many": ("the code is dead: too many connections were made to it", _NEW_CODE),
    "busy": ("the other host is pairing with somebody else at this moment", "try again in a few seconds"),
    "other_code": ("that host shows another code", "name the right host: jilog peer pair CODE HOST:PORT"),
    "own_key": ("that is this host itself", "type the code on the other host"),
    "version": (
        "the other host speaks another version of pairing",
        "on the older host: pip install --upgrade jilog",
    ),
    "key_changed": (
        "the other host knows a peer of this name with another key and refuses this one",
        "on the other host: jilog peer list",
    ),
    "name_taken": (
        "the other host has another peer of this host's name",
        "on the other host: jilog peer pair --name NAME",
    ),
    "same_source": (
        "both hosts write under one name; one of them needs another",
        'write source = "NAME" into the config file of one of them',
    ),
    "not_stored": ("the other host could not store this one as a peer", "look at what it says"),
}
"""Each word for a failure, with what it means to the side that hears it."""


def failed(reason: str, tries_left: int | None = None) -> PairingFailed:
    """Make the error for a word; with ``tries_left``, as the side that was guessed at says it."""
    message, hint = _WORDS.get(reason, ("the other host ended the pairing", "look at what it says"))
    if tries_left is not None:
        message = f"somebody tried a wrong code; {_tries(tries_left)}"
    return PairingFailed(reason if reason in _WORDS else "unknown", message, hint=hint)


def _tries(left: int) -> str:
    return (
        "the code is dead" if not left else f"{left} more wrong tr{'y ends' if left == 1 else 'ies end'} it"
    )


def turned_away(sorry: Sorry) -> PairingFailed:
    """Make the error for what the other side said before anything was proved."""
    failure = failed(sorry.reason)
    if sorry.reason == "wrong_code":
        failure.message += f"; {_tries(sorry.tries_left)}"
    return failure
