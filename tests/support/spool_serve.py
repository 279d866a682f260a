"""Serve zone stores over standard input and output: what ``jilog spool serve --stdio`` does, bare.

Usage: python spool_serve.py ROOT SOURCE [ZONE...]
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from jilog_ledger.errors import JilogError
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_spool.session import Session
from jilog_spool.stdio import serve_stdio


def main(root: str, source: str, *zones: str) -> int:
    key = SigningKey.from_seed(source.encode().ljust(32, b"\0")[:32])
    try:
        with contextlib.ExitStack() as stack:
            stores = {
                zone: stack.enter_context(
                    ZoneStore.open(Path(root) / source / zone, zone, source=source, key=key)
                )
                for zone in zones or ("main",)
            }
            serve_stdio(Session(stores, source=source))
    except JilogError as exc:
        print(f"jilog: error: {exc.message}", file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
