"""Every key that a config file may have is documented, and every documented key is one."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.config.table import Table

DOCUMENT = Path(__file__).parents[2] / "docs" / "config.md"

EVERY_TABLE = """
[[zones]]
id = "a"
redaction = {}
[[reader]]
type = "claude-code"
[[reader]]
type = "nanoclaw"
[[reader]]
type = "generic"
name = "mine"
path = "x/*.jsonl"
[tracker]
[review]
[spool]
[trust]
[agent]
[page]
[[peer]]
name = "b"
[[directory]]
path = "~/Sync"
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, set[str]]:
    """The keys that the program asks a config file for, by table."""
    found: dict[str, set[str]] = defaultdict(set)
    look = Table.has

    def noting(self: Table, key: str) -> bool:
        found[re.sub(r" number \d+", "", self.name).strip("[]")].add(key)
        return look(self, key)

    monkeypatch.setattr(Table, "has", noting)
    path = tmp_path / "config.toml"
    path.write_text(EVERY_TABLE)
    load_config(ConfigSources({"JILOG_CONFIG": str(path)}, tmp_path))
    return found


def documented() -> dict[str, set[str]]:
    """The keys of the document, by table."""
    found: dict[str, set[str]] = {}
    for section in DOCUMENT.read_text(encoding="utf-8").split("\n## ")[1:]:
        name = section.splitlines()[0].strip("[]").removeprefix("zones.")
        found[name] = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    return found


def test_the_document_has_every_key_and_no_other(asked: dict[str, set[str]]) -> None:
    top = asked.pop("top level")
    tables = {*asked, "zone"}

    assert documented().pop("Top level") == top - tables
    for table, keys in asked.items():
        assert documented()[table] == keys, table
    assert set(documented()) == {*asked, "Top level"}
