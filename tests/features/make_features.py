"""Make docs/features.md of the rows in features.toml and of the tests whose names have a row's id in them."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
PAGE = TESTS.parent / "docs" / "features.md"
_ROW = re.compile(r"(?:^|_)(af|tf|pf)0*(\d+)(?=_|$)")

HEAD = """# Features

What jilog does of what its forerunners did, row by row, and the tests that prove it. Made by `python
tests/features/make_features.py`; a test compares, and fails for a row without a test.

| row | feature | proved by |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """A test function and where it is; ``path`` is below ``tests/``."""

    path: str
    name: str


def features() -> dict[str, str]:
    """Read the rows: id and sentence."""
    table = tomllib.loads((HERE / "features.toml").read_text(encoding="utf-8"))["features"]
    return {str(row): str(sentence) for row, sentence in table.items()}


def proofs(root: Path = TESTS) -> dict[str, list[Proof]]:
    """Find the tests of each row."""
    found: dict[str, list[Proof]] = defaultdict(list)
    for path in sorted(root.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for row in rows_of(node.name):
                    found[row].append(Proof(path.relative_to(root).as_posix(), node.name))
    return dict(found)


def rows_of(name: str) -> list[str]:
    """Give the rows that a test's name says it proves."""
    return [f"{kind.upper()}{number}" for kind, number in _ROW.findall(name)]


def problems(rows: dict[str, str], tests: dict[str, list[Proof]]) -> list[str]:
    """Say what is wrong: rows without a test, and tests of rows that there are not."""
    untested = [f"{row} has no test" for row in rows if not tests.get(row)]
    unknown = [
        f"{proof.name} proves {row}, which is no row"
        for row in tests
        for proof in tests[row]
        if row not in rows
    ]
    return untested + unknown


def page(rows: dict[str, str], tests: dict[str, list[Proof]]) -> str:
    """Write the page."""
    lines = []
    for row, sentence in rows.items():
        names = defaultdict(list)
        for proof in tests.get(row, []):
            names[proof.path].append(proof.name)
        cells = [f"`{path}`: {', '.join(f'`{name}`' for name in names[path])}" for path in names]
        lines.append(f"| {row} | {sentence} | {'; '.join(cells)} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    wrong = problems(features(), proofs())
    if wrong:
        sys.exit("\n".join(wrong))
    PAGE.write_text(page(features(), proofs()), encoding="utf-8")
