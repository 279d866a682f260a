"""Serve one zone store over standard input and output: what ``jilog spool serve --stdio`` does, bare.

Usage: python spool_serve.py ROOT SOURCE
"""

from __future__ import annotations

import sys
from pathlib import Path

from jilog_ledger.errors import JilogError
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_spool.session import Session
from jilog_spool.stdio import serve_stdio


def main(root: str, source: str) -> int:
    key = SigningKey.from_seed(source.encode().ljust(32, b"\0")[:32])
    try:
        with ZoneStore.open(Path(root) / source / "main", "main", source=source, key=key) as store:
            serve_stdio(Session({"main": store}, source=source))
    except JilogError as exc:
        print(f"jilog: error: {exc.message}", file=sys.stderr)
        return exc.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
