"""Run the benchmarks: ``make bench``, or ``python -m benchmarks append rebuild`` for some of them."""

from __future__ import annotations

import sys

from benchmarks import (
    append,
    catch_up,
    detectors,
    hooks,
    idle,
    rebuild,
    replication,
    scaling,
    scan,
    sync,
    turns,
)

SUITES = {
    "append": append.run,
    "catch-up": catch_up.run,
    "detectors": detectors.run,
    "hooks": hooks.run,
    "idle": idle.run,
    "rebuild": rebuild.run,
    "replication": replication.run,
    "scaling": scaling.run,
    "scan": scan.run,
    "sync": sync.run,
    "turns": turns.run,
}


def main(names: list[str]) -> int:
    """Run the named suites, all by default."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        print(f"unknown benchmark {unknown[0]!r}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    for name in names or SUITES:
        print(SUITES[name](), flush=True)
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
