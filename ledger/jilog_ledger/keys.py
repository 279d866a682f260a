"""The host's Ed25519 key: it signs heads and seals, and it is the host's SSH identity as well.

One key makes one identity: a peer that is known by its SSH key is known as the writer of its segments too.
Signatures never cross between the two uses, because what a head signs starts with a text of its own
(``head.py``) and what SSH signs starts with a session id.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import InputError, IntegrityError, StorageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class SigningKey:
    """An Ed25519 private key (RFC 8032)."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        from cryptography.hazmat.primitives import serialization

        self._private = private
        self.public_key: bytes = private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the operating system's randomness."""
        return cls.from_seed(os.urandom(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Make the key that belongs to 32 secret bytes (tests and golden vectors)."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read an unencrypted OpenSSH private key file.

        Raises:
            StorageError: the file cannot be read.
            InputError: it is not an unencrypted Ed25519 key.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key

        try:
            data = path.read_bytes()
        except OSError as exc:
            raise StorageError(f"cannot read key {path}: {exc.strerror}", hint="run: jilog init") from exc
        try:
            private = load_ssh_private_key(data, password=None)
        except (ValueError, TypeError) as exc:
            raise InputError(f"{path} is not an unencrypted OpenSSH private key: {exc}") from exc
        if not isinstance(private, Ed25519PrivateKey):
            raise InputError(f"{path} holds another kind of key than Ed25519")
        return cls(private)

    def save(self, path: Path, disk: Disk | None = None) -> None:
        """Write the key as an OpenSSH file of mode 0600, durably, never over an existing file.

        Raises:
            StorageError: the file exists or cannot be written.
        """
        (disk or RealDisk()).publish(path, self.to_openssh())

    def to_openssh(self) -> bytes:
        """Give the private key in OpenSSH's own format."""
        from cryptography.hazmat.primitives import serialization

        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )

    def sign(self, message: bytes) -> bytes:
        """Sign ``message``: 64 bytes, the same for the same message."""
        return self._private.sign(message)


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature.

    Raises:
        IntegrityError: key, signature and message do not belong together.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as exc:
        raise IntegrityError("signature does not match its key and content") from exc
