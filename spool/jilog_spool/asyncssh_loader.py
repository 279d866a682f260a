"""The one place where asyncssh is imported.

Importing asyncssh asks ``ctypes.util.find_library`` for a post-quantum library, and on Linux that runs
ldconfig, gcc and ld as child processes: a fifth of the import's time, and a compiler started on every cold
sync. The question is answered with "not found" here while the import runs. Key exchange then uses what
``cryptography`` offers, which is the same as on a host without that library.
"""

from __future__ import annotations

import contextlib
import ctypes.util
from collections.abc import Iterator


def _find_nothing(name: str) -> str | None:  # noqa: ARG001 - the signature is ctypes' own
    return None


@contextlib.contextmanager
def _without_library_search() -> Iterator[None]:
    original = ctypes.util.find_library
    ctypes.util.find_library = _find_nothing
    try:
        yield
    finally:
        ctypes.util.find_library = original


with _without_library_search():
    import asyncssh
    from asyncssh.public_key import SSHOpenSSHCertificate
    from asyncssh.stream import SSHServerStreamSession

__all__ = ["SSHOpenSSHCertificate", "SSHServerStreamSession", "asyncssh"]
