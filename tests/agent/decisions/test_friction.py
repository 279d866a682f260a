"""Friction: signals of any host are found by the files that they touch, unless people muted them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_agent.decisions.context import ContextQuery, context_text, relevant
from jilog_agent.decisions.friction import friction_about, problems
from jilog_agent.decisions.select import about_files
from jilog_agent.decisions.touching import Touched
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.decision import FileRef, FileScope
from jilog_review.detector import Kind, Tier
from jilog_review.labels import Verdict
from jilog_review.signal import Signal
from support.decision_zone import open_zone, titles, write
from support.learned import a_label, a_signal
from support.stores import NOON_NS

APP = "github.com/acme/app"
FILE = FileScope((FileRef(APP, "src/auth.py"), FileRef("alpha:/", "home/ann/app/src/auth.py")))
README = FileScope((FileRef(APP, "README.md"), FileRef("alpha:/", "home/ann/app/README.md")))
ROOT = FileScope((FileRef(APP, ""), FileRef("alpha:/", "home/ann/app")))
OUTSIDE = FileScope((FileRef("alpha:/", "etc/hosts"),))


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[OpenZone]:
    with open_zone(tmp_path) as opened:
        yield opened


def learn(zone: OpenZone, *signals: Signal) -> None:
    for number, signal in enumerate(signals):
        zone.ledger.append([signal.to_draft(NOON_NS + number)])
    zone.apply()


@pytest.mark.parametrize(
    ("scope", "fields", "touched"),
    [
        (FILE, {"paths": ("~/app/src/auth.py",)}, True),
        (FILE, {"paths": ("/home/ann/app/src/auth.py",)}, True),
        (FILE, {"paths": ("/srv/checkouts/app/src/auth.py",)}, True),
        (FILE, {"paths": ("/srv/other/src/auth.py",)}, False),
        (FILE, {"paths": ("/srv/app/src/auth.pyc",)}, False),
        (FILE, {"command": "pytest src/auth.py", "project": "~/work/app"}, True),
        (FILE, {"command": "pytest ./src/auth.py::test_x", "project": "~/work/app"}, True),
        (FILE, {"command": "pytest src/auth.py", "project": "~/work/blog"}, False),
        (FILE, {"excerpt": "src/auth.py:12: error", "project": None}, True),
        (FILE, {"excerpt": "see src/auth.py.", "project": None}, True),
        (FILE, {"excerpt": "src/auth_py elsewhere", "project": "~/app"}, False),
        (README, {"excerpt": "README.md is missing", "project": None}, False),
        (README, {"excerpt": "README.md is missing", "project": "~/app"}, True),
        (ROOT, {"excerpt": "tests/x.py fails", "project": "~/app"}, True),
        (ROOT, {"paths": ("~/apple/x.py",), "project": "~/apple"}, False),
        (OUTSIDE, {"command": "cat /etc/hosts"}, True),
        (OUTSIDE, {"command": "cat etc/hosts", "project": "/srv"}, False),
    ],
)
def test_file_is_touched_by_what_names_it_in_this_repository_and_by_nothing_else(
    scope: FileScope, fields: dict[str, object], touched: bool
) -> None:
    signal = a_signal(**{"excerpt": "failed", **fields})

    assert Touched.of(scope).touched_by(signal) is touched


def test_blame_tells_friction_between_decisions_in_the_order_of_time(zone: OpenZone) -> None:
    write(zone, "before", at=-10, files=("src/auth.py",), repository=APP)
    write(zone, "after", at=10, files=("src/auth.py",), repository=APP)
    learn(zone, a_signal(1, paths=("~/app/src/auth.py",), excerpt="no such test", tool="Bash"))

    story = about_files([zone], FILE)

    assert titles(story) == ["after", "Bash: no such test", "before"]
    assert [entry.kind for entry in story] == ["decision", "error", "decision"]
    assert titles(about_files([zone], FILE, limit=2)) == ["after", "Bash: no such test"]


@pytest.mark.parametrize(
    ("verdict", "shown"), [(Verdict.WRONG, False), (Verdict.WONTFIX, False), (Verdict.RIGHT, True)]
)
def test_what_people_muted_is_not_told(zone: OpenZone, verdict: Verdict, shown: bool) -> None:
    signal = a_signal(1, kind=Kind.CORRECTION, paths=("~/app/src/auth.py",))
    learn(zone, signal)
    zone.ledger.append([a_label(signal, verdict).to_draft(NOON_NS + 5)])
    zone.apply()

    assert bool(friction_about([zone], FILE)) is shown
    assert bool(problems([zone], [FILE], "")) is shown


def test_errors_count_when_they_recur_and_low_confidence_only_when_confirmed(zone: OpenZone) -> None:
    paths = ("~/app/src/auth.py",)
    unsure = a_signal(4, kind=Kind.CORRECTION, tier=Tier.B, paths=paths, fingerprint="b")
    learn(
        zone,
        a_signal(1, paths=paths, fingerprint="twice", excerpt="same error"),
        a_signal(2, paths=paths, fingerprint="twice", excerpt="same error", host="beta"),
        a_signal(3, paths=paths, fingerprint="once"),
        unsure,
        a_signal(5, kind=Kind.DEFERRAL, paths=paths, fingerprint="later"),
    )

    (found,) = problems([zone], [FILE], "")

    assert found.entry().title == "Bash: same error"
    assert found.entry().body.startswith("Seen in 2 session(s) on 2 host(s), last 2026-05-09.")

    zone.ledger.append([a_label(unsure, Verdict.RIGHT).to_draft(NOON_NS + 50)])
    zone.apply()

    assert len(problems([zone], [FILE], "")) == 2


def test_context_keeps_a_third_for_friction_and_keeps_its_budget(zone: OpenZone) -> None:
    for number in range(9):
        write(
            zone, f"decision {number}", at=number, files=("src/auth.py",), repository=APP, body="why. " * 40
        )
    for number in range(9):
        learn(
            zone,
            a_signal(number, kind=Kind.CORRECTION, paths=("~/app/src/auth.py",), excerpt=f"not so {number}"),
        )

    found = relevant([zone], ContextQuery(files=(FILE,), limit=9))

    assert [entry.kind for entry in found] == ["decision"] * 6 + ["correction"] * 3
    assert "\n\n# Corrections and recurring errors\n\n## [correction]" in context_text(found)
    for budget in (20, 60, 150, 400):
        told = relevant([zone], ContextQuery(files=(FILE,), limit=9, budget_tokens=budget))
        assert len(context_text(told)) <= budget * 4 or not told


def test_context_without_decisions_is_friction_alone(zone: OpenZone) -> None:
    learn(zone, a_signal(1, kind=Kind.CORRECTION, paths=("~/app/src/auth.py",), excerpt="use tabs"))

    text = context_text(relevant([zone], ContextQuery(files=(FILE,))))

    assert text.startswith("# Corrections and recurring errors\n\n## [correction] use tabs")
