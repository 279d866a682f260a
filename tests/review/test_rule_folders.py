"""A user's own rule files: another language, and what is said when one of them is broken."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_review import limits
from jilog_review.explain import explain
from jilog_review.profiles import load_profile
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.redact import RedactionPolicy, make_redactor
from jilog_review.scan import Scan, scan_transcripts
from jilog_review.scan_pool import Workshop
from jilog_review.signal import Stamp
from support.review_night import NIGHT, say, write_lines

DOCUMENT = Path(__file__).parents[2] / "docs" / "detectors-precise.md"
SAID = "ma hai dimenticato il test di anna@example.org"


@pytest.fixture
def italian() -> str:
    """The example of the documentation."""
    (example,) = re.findall(
        r'```toml\n(kind = "correction"\nlanguage = "it".*?)```', DOCUMENT.read_text(), re.DOTALL
    )
    return str(example)


@pytest.fixture
def folder(tmp_path: Path, italian: str) -> Path:
    found = tmp_path / "rules"
    found.mkdir()
    (found / "correction.it.toml").write_text(italian)
    (found / "notes.txt").write_text("not a rule file")
    return found


def scan(root: Path, folders: tuple[Path, ...], policy: RedactionPolicy, *, shared: bool = False) -> Scan:
    for number in range(2):
        lines = (say("assistant", "Fatto."), say("user", f"{SAID} {number}"))
        write_lines(root / f"t/s{number}.jsonl", *lines)
    config = ReaderConfig("generic", {"path": f"{root}/t/*.jsonl", "session_id_from": "file_stem"}, {})
    stamp = Stamp("alpha", "precise", NIGHT, make_redactor(policy))
    return scan_transcripts(
        (make_reader(config),),
        load_profile("precise", folders),
        stamp,
        since_ns=0,
        cursors={},
        workshop=Workshop(stamp, policy, (config,), folders) if shared else None,
    )


def test_documented_language_is_understood_and_explained(tmp_path: Path, folder: Path) -> None:
    found = scan(tmp_path, (folder,), RedactionPolicy()).signals.values()

    assert [(signal.rule, signal.tier.value) for signal in found] == [("hai-sbagliato", "A")] * 2
    signal = next(iter(found))
    assert explain(signal, (folder,)).why == "the agent is told what it did amiss"
    assert "does not know the rule" in explain(signal).why
    assert not scan(tmp_path, (), RedactionPolicy()).signals


@pytest.mark.parametrize("emails", [True, False])
def test_worker_processes_go_by_the_same_rules_and_the_same_redaction(
    tmp_path: Path, folder: Path, emails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WORKERS_BYTES_MIN", 1)
    monkeypatch.setattr("jilog_review.scan.workers_max", lambda: 2)
    policy = RedactionPolicy(emails=emails, patterns=("dimenticato",))

    alone = scan(tmp_path, (folder,), policy)
    shared = scan(tmp_path, (folder,), policy, shared=True)

    assert len(alone.signals) == 2
    assert shared.signals == alone.signals
    for signal in alone.signals.values():
        assert ("[email]" in signal.excerpt) is emails
        assert "[redacted]" in signal.excerpt


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("pattern = ", "patern = ", "patern"),
        ("\\bhai (?:", "\\bhai ((?:", "rule 'hai-sbagliato': pattern is no regular expression"),
        ("contrasts = '''", "contrasts = '''(", "contrasts is no regular expression"),
        ('tier = "B"', 'tier = "C"', "$.rule[1].tier"),
        ('language = "it"', "language = it", "line 2"),
    ],
)
def test_broken_rule_file_is_refused_by_file_and_key(folder: Path, old: str, new: str, said: str) -> None:
    path = folder / "correction.it.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))

    with pytest.raises(InputError) as caught:
        load_profile("precise", (folder,))

    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of review rules"):
        load_profile("precise", (tmp_path / "nowhere",))


def test_mark_of_a_workaround_of_ones_own_has_a_place(tmp_path: Path) -> None:
    rule = 'name = "xxx"\nwhy = "a mark of ours"\npattern = "XXX"\nneedles = ["XXX"]\n'
    (tmp_path / "workaround.own.toml").write_text(f'kind = "workaround"\nlanguage = "own"\n[[rule]]\n{rule}')

    profile = load_profile("precise", (tmp_path,))
    plain = load_profile("precise")

    assert profile.detectors != plain.detectors
    assert replace(profile, detectors=()) == replace(plain, detectors=())
