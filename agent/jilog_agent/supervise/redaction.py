"""Keep secrets of a command line out of the ledger: what is written is replicated and stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_SECRET_FLAG = re.compile(
    r"(--?[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key))(=.*)?\Z", re.IGNORECASE | re.DOTALL
)
SECRET = "[secret]"  # noqa: S105 -- the placeholder, not a secret


def redact_command(arguments: Sequence[str], redact: Callable[[str], str]) -> Iterator[str]:
    """Give the arguments without secrets.

    The value of a flag whose name says that it is one goes, joined by ``=`` or as the next argument;
    ``redact`` looks for what has the form of a secret in all the others.
    """
    value_follows = False
    for argument in arguments:
        flag = _SECRET_FLAG.match(argument)
        if flag is not None:
            value_follows = flag[2] is None
            yield flag[1] if value_follows else f"{flag[1]}={SECRET}"
        elif value_follows and not argument.startswith("-"):
            value_follows = False
            yield SECRET
        else:
            value_follows = False
            yield redact(argument)
