"""A detector's version moves with its rules: the ledger holds signals of both, and they must be told apart.

Each list below holds one hash for each version that rule data ever had. Whoever changes a rule file adds a
hash here and one to the detector's ``version``; replacing the last hash would give two rules one version.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from importlib import resources

import pytest

from jilog_review.detectors.precise.profile import precise_detectors

KINDS = {
    "precise.correction": ("correction",),
    "precise.error": ("errors", "shapes", "masked"),
    "precise.workaround": ("workaround", "bypass"),
    "precise.deferral": ("deferral",),
}
HISTORY = {
    "precise.correction": ["6ce3c99425dd6be9", "7ddfdc7f75794c45", "8b3ce749364e0699"],
    "precise.error": ["873374e4868555e6", "1599b0845e9536d3"],
    "precise.workaround": ["8081bd2b2d048419"],
    "precise.deferral": ["3c9f69fe85283a04", "45bd3b2529f2542e"],
}
# What says how a rule is looked for, or why it is there, changes no answer.
SILENT_KEYS = ("why", "needles", "by_line", "harmless_needles", "relayed_needles")


def rules_hash(kinds: tuple[str, ...]) -> str:
    """Hash what the rule files of some kinds say, whatever their layout and comments."""
    folder = resources.files("jilog_review.rules")
    files = sorted(file.name for file in folder.iterdir() if file.name.split(".", 1)[0] in kinds)
    parsed = [tomllib.loads((folder / name).read_text()) for name in files]
    for document in parsed:
        for table in (document, *document.get("rule", [])):
            for key in SILENT_KEYS:
                table.pop(key, None)
    return hashlib.sha256(json.dumps([files, parsed], sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_rules_that_changed_have_another_version(name: str) -> None:
    detector = next(each for each in precise_detectors() if each.name == name)

    assert rules_hash(KINDS[name]) == HISTORY[name][-1], "add the hash to HISTORY and one to the version"
    assert detector.version == len(HISTORY[name])
    assert len(set(HISTORY[name])) == len(HISTORY[name])


def test_every_detector_with_rule_files_is_watched() -> None:
    watched = {kind for kinds in KINDS.values() for kind in kinds}
    folder = resources.files("jilog_review.rules")

    assert {file.name.split(".", 1)[0] for file in folder.iterdir() if file.name.endswith(".toml")} == watched


def test_a_changed_pattern_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules_hash(("deferral",))
    loads = tomllib.loads

    def changed(text: str) -> dict[str, object]:
        return loads(text.replace("deferred", "put off"))

    monkeypatch.setattr(tomllib, "loads", changed)
    assert rules_hash(("deferral",)) != before
