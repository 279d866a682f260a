"""What disks and people do to files."""

from __future__ import annotations

import random
from pathlib import Path


def destroy(path: Path, chance: random.Random) -> None:
    """Flip a bit, cut, empty or remove a file."""
    data = bytearray(path.read_bytes())
    match chance.randrange(4):
        case 0:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            path.write_bytes(data)
        case 1:
            path.write_bytes(data[: chance.randrange(1, len(data) - 1)])
        case 2:
            path.write_bytes(b"")
        case _:
            path.unlink()
