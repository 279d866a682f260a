"""The documentation of readers: its example runs, and its table is complete."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.readers import BUILT_IN
from jilog_review.transcript import Provenance
from support.transcripts import check_damage, check_growth, encode_lines, only_source, read_all, write_lines

PAGE = (Path(__file__).parents[3] / "docs/readers.md").read_text(encoding="utf-8")
LINES = [
    {"who": "me", "said": "run the tests"},
    {"who": "agent", "said": "They pass."},
    {"who": "printer", "said": "ready"},
]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the page's example the way a package does: a module, and metadata with an entry point."""
    packages = tmp_path / "packages"
    metadata = packages / "tiny_agent_reader-1.0.dist-info"
    metadata.mkdir(parents=True)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (packages / "tiny_agent_reader.py").write_text(code, encoding="utf-8")
    (group,) = re.findall(r"```toml\n\[project\.entry-points\.\"(.+?)\"\]\n(.*?)```", PAGE, re.DOTALL)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-agent-reader\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group[0]}]\n{group[1].replace(chr(34), '')}")
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.delitem(sys.modules, "tiny_agent_reader", raising=False)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("installed")
def test_example_when_installed_is_found_by_its_entry_point_and_reads(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "tiny/one.jsonl", LINES)
    reader = make_reader(ReaderConfig("tiny-agent", {"path": str(tmp_path / "tiny")}))

    gathered = read_all(reader, only_source(reader))

    assert gathered.human() == ["run the tests"]
    assert gathered.said(Provenance.ASSISTANT) == ["They pass."]
    assert gathered.coverage.unknown == {"printer": 1}
    assert gathered.transcript.reader == "tiny-agent"
    check_growth(reader, only_source(reader), path, encode_lines(LINES))
    check_damage(reader, only_source(reader), path, b"".join(encode_lines(LINES)))


@pytest.mark.usefixtures("installed")
def test_example_when_given_an_unknown_option_refuses_it() -> None:
    with pytest.raises(InputError):
        make_reader(ReaderConfig("tiny-agent", {"pth": "x"}))


def test_example_when_not_installed_is_an_unknown_type() -> None:
    with pytest.raises(InputError, match="tiny-agent"):
        make_reader(ReaderConfig("tiny-agent"))


def test_table_of_readers_when_compared_names_every_built_in_one() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)

    assert sorted(named) == sorted(BUILT_IN)
