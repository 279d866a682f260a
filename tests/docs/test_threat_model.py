"""The threat model names tests; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+)`")


def named_tests() -> set[str]:
    return set(NAMED.findall((ROOT / "docs" / "threat-model.md").read_text()))


def existing_tests() -> set[str]:
    names: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        names.update(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    return names


def test_each_test_that_the_threat_model_names_exists() -> None:
    assert named_tests() - existing_tests() == set()


def test_each_row_of_what_cannot_be_done_names_a_test() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    actors = text.partition("## Somebody on the local network")[2]
    rows = [line for line in actors.splitlines() if line.startswith("| ") and "| cannot |" not in line]

    assert rows
    assert [row for row in rows if not NAMED.search(row)] == []


def test_positive_control_a_name_that_no_test_has_is_found() -> None:
    assert {"test_that_nobody_wrote"} - existing_tests() == {"test_that_nobody_wrote"}
