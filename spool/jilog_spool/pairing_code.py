"""The short code that two people carry from one host to the other, and the life it has.

A code has eight characters of Crockford's base 32 (no I, L, O, U), as in ``k7-4f9-q2m``. The first two are
public: they tell on the network which invitation is meant. The other six, 30 bits, are the secret. Nobody can
test guesses without this host's answer to each (see ``pairing.py``), so three guesses at 2 to the power of 30
codes are what an attacker has.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import Enum

from jilog_ledger.errors import InputError
from jilog_spool import limits

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PUBLIC_CHARS = 2
SECRET_CHARS = 6
_READ_AS = str.maketrans({"o": "0", "i": "1", "l": "1"})


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A code: ``public`` names the invitation, ``secret`` proves who was told."""

    public: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.public}-{self.secret[:3]}-{self.secret[3:]}"

    @classmethod
    def draw(cls) -> PairingCode:
        """Draw a code from the operating system's randomness."""
        drawn = "".join(secrets.choice(ALPHABET) for _ in range(PUBLIC_CHARS + SECRET_CHARS))
        return cls(drawn[:PUBLIC_CHARS], drawn[PUBLIC_CHARS:])

    @classmethod
    def parse(cls, text: str) -> PairingCode:
        """Read a code as people type it: in any case, with or without dashes, O for 0 and I or L for 1.

        Raises:
            InputError: it cannot be a code.
        """
        typed = text[:64].lower().replace("-", "").replace(" ", "").translate(_READ_AS)
        if len(typed) != PUBLIC_CHARS + SECRET_CHARS or any(char not in ALPHABET for char in typed):
            raise InputError(
                "that is no pairing code: it has 8 letters and digits, such as k7-4f9-q2m",
                hint="on the other host: jilog peer pair",
            )
        return cls(typed[:PUBLIC_CHARS], typed[PUBLIC_CHARS:])


class CodeState(Enum):
    """How a code stands."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    WRONG_TRIES = "wrong_tries"
    TOO_MANY = "too_many"


class Invitation:
    """A code that was given out: it dies when it was used, of age, or of wrong tries.

    Times are those of any clock that never goes back, in seconds.
    """

    def __init__(self, code: PairingCode, now: float, seconds: float = limits.PAIRING_CODE_SECONDS) -> None:
        self.code = code
        self.expires_at = now + min(seconds, limits.PAIRING_CODE_SECONDS)
        self.wrong = 0
        self.attempts = 0
        self._used = False

    def state(self, now: float) -> CodeState:
        """Tell whether the code may still be tried."""
        if self._used:
            return CodeState.USED
        if self.wrong >= limits.PAIRING_WRONG_TRIES_MAX:
            return CodeState.WRONG_TRIES
        if now >= self.expires_at:
            return CodeState.EXPIRED
        return CodeState.TOO_MANY if self.attempts >= limits.PAIRING_ATTEMPTS_MAX else CodeState.OPEN

    @property
    def tries_left(self) -> int:
        """How many more wrong tries the code lives through, and one."""
        return max(0, limits.PAIRING_WRONG_TRIES_MAX - self.wrong)

    def count_attempt(self) -> None:
        """Count a connection, whatever comes of it."""
        self.attempts += 1

    def count_wrong(self) -> None:
        """Count a proof that was not made with the code."""
        self.wrong += 1

    def use(self) -> None:
        """Let nobody else in."""
        self._used = True
