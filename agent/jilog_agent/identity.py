"""Who this host is: the name it writes under and the key it signs with."""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass

import msgspec

from jilog_agent.home import Home
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, JilogError
from jilog_ledger.identifiers import check_name
from jilog_ledger.keys import SigningKey

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
SOURCE_CHARS_MAX = 64


class _IdentityFile(msgspec.Struct):
    source: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A source name and its key. ``created`` tells that this call made the key."""

    source: str
    key: SigningKey
    created: bool = False


def source_from_hostname(hostname: str) -> str:
    """Make a source name of a host's name: its first label, with other characters as ``-``."""
    name = _UNSAFE.sub("-", hostname.partition(".")[0]).lstrip("._-")[:SOURCE_CHARS_MAX]
    return name or "host"


def read_source(home: Home) -> str:
    """Read the source name, without the key.

    Raises:
        JilogError: this home has no identity yet.
        InputError: the identity file is not what we wrote.
    """
    try:
        data = home.identity_path.read_bytes()
    except FileNotFoundError:
        raise JilogError(f"{home.root} is not set up yet", hint="run: jilog init") from None
    except OSError as exc:
        raise JilogError(
            f"cannot read {home.identity_path}: {exc.strerror}",
            hint=f"look at it: ls -ld {home.identity_dir}",
        ) from exc
    try:
        return check_name("source", msgspec.json.decode(data, type=_IdentityFile).source)
    except (msgspec.DecodeError, InputError) as exc:
        raise InputError(
            f"{home.identity_path} is damaged: {exc}",
            hint='write {"source": "NAME"} into it, with the name this host had',
        ) from exc


def load_identity(home: Home, source: str | None = None) -> Identity:
    """Load the identity; ``source``, from the configuration, overrides the recorded name.

    Raises:
        JilogError: this home has no identity yet, or the key cannot be read.
    """
    recorded = read_source(home)
    return Identity(source or recorded, SigningKey.load(home.key_path))


def ensure_identity(
    home: Home, disk: Disk, *, configured: str | None, wanted: str | None, hostname: str
) -> Identity:
    """Load the identity or make one. Several processes may call this at once; all get the same one.

    ``configured`` is the source that the configuration names, which always counts; ``wanted`` is a name for
    an identity that has to be made, and renames nobody.

    Raises:
        StorageError: the home cannot be written.
    """
    if home.initialised():
        return load_identity(home, configured)
    disk.make_directory(home.identity_dir)
    with disk.lock(home.lock_path):
        if home.initialised():
            return load_identity(home, configured)
        # The key comes first and the name last: a crash in between leaves a key that the next call uses.
        if disk.size(home.key_path) is None:
            SigningKey.generate().save(home.key_path, disk)
        key = SigningKey.load(home.key_path)
        name = check_name("source", configured or wanted or source_from_hostname(hostname))
        disk.replace(home.public_key_path, (public_key_line(key, name) + "\n").encode())
        disk.replace(home.identity_path, json.dumps({"source": name}).encode() + b"\n")
        return Identity(name, key, created=True)


def public_key_line(key: SigningKey, comment: str) -> str:
    """Write the public key as OpenSSH does (RFC 8709, section 4): type, base64 blob, comment."""
    kind = b"ssh-ed25519"
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (kind, key.public_key))
    return f"{kind.decode()} {base64.b64encode(blob).decode()} jilog@{comment}"
