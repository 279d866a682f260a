"""An authority of a fleet, and certificates that the real ``ssh-keygen`` signs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path


class Authority:
    """A key that signs keys. ``public`` is its line."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(exist_ok=True)
        self.key = folder / name
        _keygen("-q", "-t", "ed25519", "-N", "", "-C", "fleet", "-f", str(self.key))
        self.public_path = self.key.with_name(f"{name}.pub")
        self.public = self.public_path.read_text().strip()

    def sign(self, private: Path, principals: str, *, host: bool = False, validity: str = "-5m:+1h") -> Path:
        """Sign a host's key; the certificate lies beside it under the name that is looked for."""
        public = private.with_name(f"{private.name}.pub")
        if not public.exists():
            public.write_text(_keygen("-y", "-f", str(private)))
        kind = ["-h"] if host else []
        names = ["-n", principals] if principals else []
        target = private.with_name(f"{private.name}-{'host-' if host else ''}cert.pub")
        with tempfile.TemporaryDirectory() as folder:
            # ssh-keygen knows one name only for what it makes.
            copy = shutil.copy(public, Path(folder) / "key.pub")
            _keygen("-q", "-s", str(self.key), "-I", "id", *kind, *names, "-V", validity, str(copy))
            shutil.copy(Path(folder) / "key-cert.pub", target)
        return target


def _keygen(*arguments: str) -> str:
    return subprocess.run(
        ["ssh-keygen", *arguments], check=True, capture_output=True, text=True, timeout=60
    ).stdout
