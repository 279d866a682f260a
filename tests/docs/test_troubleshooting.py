"""Whatever jilog answers with, a status, a reason or a word, has its cure in the troubleshooting document."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from jilog_agent import directories
from jilog_agent.doctor.examination import CHECKS
from jilog_agent.manual.reference import EXIT_STATUSES
from jilog_agent.reasons import Reason
from jilog_spool import pairing_errors
from jilog_spool.causes import Cause
from jilog_spool.directory_files import Problem

DOCS = Path(__file__).parents[2] / "docs"


def rows(heading: str, *, document: str = "troubleshooting.md") -> dict[str, list[str]]:
    """Give the rows of all tables in a section, by their first cell."""
    text = (DOCS / document).read_text(encoding="utf-8")
    sections = [part for part in text.split("\n## ")[1:] if part.startswith(heading)]
    assert len(sections) == 1, heading
    found: dict[str, list[str]] = {}
    for line in sections[0].splitlines():
        if row := re.fullmatch(r"\| `([^`]+)` \| (.+) \|", line):
            assert row[1] not in found, f"{row[1]} stands twice"
            found[row[1]] = row[2].split(" | ")
    return found


def reasons_of_directories() -> set[str]:
    """The codes that the judge of directories spells out, beside those of causes."""
    tree = ast.parse(inspect.getsource(directories.judge))
    tuples = (node.value for node in ast.walk(tree) if isinstance(node, ast.Return))
    firsts = (node.elts[0] for node in tuples if isinstance(node, ast.Tuple))
    return {node.value for node in firsts if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_exit_status_has_its_cure() -> None:
    supervise = {"124", "126", "127", "128+N"}

    assert set(rows("By exit status")) == {str(status) for status in EXIT_STATUSES} | supervise


def test_every_reason_of_a_peer_has_its_cure() -> None:
    assert set(rows("A peer is behind")) == {reason.value for reason in Reason}


def test_every_cause_of_a_failed_sync_is_a_reason() -> None:
    assert {cause.value for cause in Cause} <= {reason.value for reason in Reason}


def test_every_reason_of_a_directory_has_its_cure() -> None:
    known = {problem.value for problem in Problem} | {directories.IN_ORDER, directories.PAUSED, "never_used"}
    spelled = reasons_of_directories()
    assert {"host_not_trusted", "unreadable_files"} <= spelled

    cured = set(rows("A spool directory")) | set(rows("A peer is behind"))

    assert known | spelled <= cured
    assert set(rows("A spool directory")) <= known | spelled


def test_every_word_of_a_pairing_has_its_cure() -> None:
    text = (DOCS / "pairing.md").read_text(encoding="utf-8")
    words = set(re.findall(r"`(\w+)`", text.rpartition("The words: ")[2]))

    assert set(rows("Pairing does not work")) == words
    assert words == set(pairing_errors._WORDS)


def test_every_check_of_the_doctor_is_told() -> None:
    assert set(rows("By check of `jilog doctor`")) == set(CHECKS)


def test_no_cell_is_empty() -> None:
    headings = ("By exit status", "A peer is behind", "A spool directory", "Pairing does not work")
    for heading in headings:
        for name, cells in rows(heading).items():
            assert len(cells) == 2, name
            assert all(cell.strip() for cell in cells), name
