"""The picture of the architecture is what the source says, and would show an arrow that must not be."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "architecture_picture.py"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(script: Path) -> str:
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout


def arrows(picture: str) -> set[str]:
    paths = ET.fromstring(picture).iter(f"{SVG}path")
    return {title.text or "" for path in paths for title in path.iter(f"{SVG}title")}


def test_the_picture_is_what_the_source_says() -> None:
    kept = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")

    assert drawn(SCRIPT) == kept, "draw it anew: make docs"


def test_every_arrow_goes_down() -> None:
    assert arrows(drawn(SCRIPT)) == {
        "agent imports spool",
        "agent imports review",
        "agent imports ledger",
        "spool imports ledger",
        "review imports ledger",
    }


def test_an_import_or_a_package_that_is_new_changes_the_picture(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / SCRIPT.name
    script.write_bytes(SCRIPT.read_bytes())
    for name in ("agent", "spool", "review", "ledger"):
        package = tmp_path / name / f"jilog_{name}" / "inner"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
    before = drawn(script)

    (tmp_path / "spool" / "jilog_spool" / "a.py").write_text("def f():\n    from jilog_ledger import event\n")
    linked = drawn(script)
    (tmp_path / "ledger" / "jilog_ledger" / "b.py").write_text("import jilog_agent.cli\nimport requests\n")
    upward = drawn(script)

    assert arrows(before) == set()
    assert arrows(linked) == {"spool imports ledger"}
    assert "uses requests" in upward
    assert upward.count('class="arrow"') == 2
