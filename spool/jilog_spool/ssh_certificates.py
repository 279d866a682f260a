"""OpenSSH certificates: which authorities may vouch for which hosts, and the own certificates.

An authority is a key that signs other keys (``PROTOCOL.certkeys`` of OpenSSH). It is trusted for names that
match its patterns, and for no others. The first principal of a certificate is the name of the host that it
was made for; further ones, for logging in to an sshd as some user, do not matter here.

Authorities stand in a file of OpenSSH's known_hosts format with nothing but lines such as::

    @cert-authority *.example.org,box-?,!box-7 ssh-ed25519 AAAA… comment
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import NAME_PATTERN
from jilog_spool.asyncssh_loader import SSHOpenSSHCertificate, asyncssh
from jilog_spool.errors import one_line

AUTHORITIES_BYTES_MAX = 64 * 1024
"""Hundreds of authorities fit; a fleet has one or two."""

MARKER = "@cert-authority"
USER, HOST = "user", "host"
_KINDS = {USER: 1, HOST: 2}
"""OpenSSH's numbers for what a certificate is for."""

_PATTERN = re.compile(r"!?[A-Za-z0-9._*?-]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class Authority:
    """A key, as ``ssh-ed25519 AAAA…``, and patterns of the names it may vouch for; ``!`` excludes."""

    key: str
    patterns: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Tell whether this authority may vouch for a name."""
        if not NAME_PATTERN.match(name):
            return False
        denied = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        allowed = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        return _any(name, allowed) and not _any(name, denied)

    def check(self) -> Authority:
        """Return the authority if key and patterns can be meant, else raise InputError."""
        for pattern in self.patterns:
            if not _PATTERN.match(pattern):
                raise InputError(
                    f"invalid name pattern {pattern[:80]!r} of an authority",
                    hint="use names with * and ?, such as 'box-*'; a leading ! excludes",
                )
        if not self.patterns:
            raise InputError("an authority needs the names that it may vouch for", hint="use * for any name")
        try:
            asyncssh.import_public_key(self.key)
        except asyncssh.KeyImportError as exc:
            raise InputError(
                f"not an SSH public key: {self.key[:80]!r}", hint="give the authority's .pub file"
            ) from exc
        return self

    def line(self) -> str:
        """Write it as a line of the file."""
        return f"{MARKER} {','.join(self.patterns)} {self.key}"


def _any(name: str, patterns: Iterable[str]) -> bool:
    # Host names do not differ by case, so nobody is kept out, or let in, by a capital letter.
    return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Authorities:
    """All authorities of this host; none by default."""

    items: tuple[Authority, ...] = ()

    def keys_for(self, name: str) -> list[asyncssh.SSHKey]:
        """Give the keys that may vouch for a name."""
        return [asyncssh.import_public_key(item.key) for item in self.items if item.covers(name)]

    def cover(self, name: str) -> bool:
        """Tell whether any may vouch for a name."""
        return any(item.covers(name) for item in self.items)

    def trusts(self, key: str, name: str) -> bool:
        """Tell whether the authority with this key may vouch for a name."""
        return any(item.key == key and item.covers(name) for item in self.items)

    def knows(self, key: str) -> bool:
        """Tell whether this key is an authority's at all."""
        return any(item.key == key for item in self.items)


def parse_authorities(text: str, where: str) -> list[Authority]:
    """Read the lines of an authorities file; ``where`` names it in errors.

    Raises:
        InputError: a line is something else.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] != MARKER or len(words) < 4:
            raise InputError(
                f"{where}: line {number} is not '{MARKER} PATTERNS KEY'",
                hint="add authorities with: jilog peer trust --ca FILE --principals PATTERN",
            )
        try:
            found.append(Authority(" ".join(words[2:4]), tuple(words[1].split(","))).check())
        except InputError as exc:
            raise InputError(f"{where}: line {number}: {exc.message}", hint=exc.hint) from exc
    return found


def plain_line(key: asyncssh.SSHKey) -> str:
    """Write a public key without its comment."""
    return " ".join(key.export_public_key().decode().split()[:2])


@dataclass(frozen=True, slots=True)
class OwnKey:
    """This host's key with its certificate, if it has one that can be used; ``problem`` says why not."""

    key: asyncssh.SSHKey
    certificate: asyncssh.SSHCertificate | None = None
    problem: str = ""

    @property
    def pairs(self) -> list[object]:
        """Give what asyncssh takes as a list of keys: the key, and before it the key with its certificate."""
        # A key object, not its file: asyncssh would look for a certificate beside the file by itself.
        return [self.key] if self.certificate is None else [(self.key, self.certificate)]


def certificate_path(key: Path, kind: str) -> Path:
    """Name the file of a certificate beside its key; OpenSSH has that name for a user's."""
    return key.with_name(f"{key.name}-cert.pub" if kind == USER else f"{key.name}-host-cert.pub")


def load_own_key(path: Path, kind: str) -> OwnKey:
    """Read this host's key and its certificate of a kind; one that is no use is a problem, no error.

    Raises:
        OSError, asyncssh.KeyImportError: the key itself cannot be read.
    """
    key = asyncssh.read_private_key(str(path))
    beside = certificate_path(path, kind)
    if not beside.exists():
        return OwnKey(key)
    try:
        certificate = asyncssh.read_certificate(str(beside))
        if not isinstance(certificate, SSHOpenSSHCertificate):
            return OwnKey(key, problem=f"{beside}: it is no OpenSSH certificate")
        certificate.validate(_KINDS[kind], None)
    except (OSError, ValueError) as exc:
        return OwnKey(key, problem=f"{beside}: {one_line(str(exc)).lower()}")
    if certificate.key.public_data != key.public_data:
        return OwnKey(key, problem=f"{beside}: it is for another key than this host's")
    return OwnKey(key, certificate)


def first_principal(principals: Sequence[str] | None) -> str:
    """Give the name of the host that a certificate was made for; empty when it names nobody."""
    return principals[0] if principals else ""
