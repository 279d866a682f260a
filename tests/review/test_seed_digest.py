"""The seed's published example, rebuilt from transcripts and compared byte for byte.

The printed example is abridged: its alert names four sessions while it lists two errors. Here all are listed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_review.filing import FilingRun
from jilog_review.night_filing import plan_night
from jilog_review.report import dry_run_lines
from jilog_review.trackers.beads_file import BeadsFileTracker
from support.review_night import NIGHT, Host, failure, generic, say, write_lines

A = "0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2"
B = "2f1c8d77-91ab-4c5d-8e6f-1a2b3c4d5e6f"
C = "8a4b1e09-3344-4abc-9def-0123456789ab"
D = "c5d76f02-aabb-4ccd-9eef-fedcba987654"
TODO = "TODO: replace this fallback path once the upstream module exposes the new API."
TIMEOUT = "Command timed out after 30 seconds"

DIGEST = f"""\
---
date: 2026-05-09
signals_captured: 10
p0_count: 1
corrections: 3
errors: 5
workarounds: 2
deferrals: 0
---

# Learning Digest — 2026-05-09

## P0 Alerts

- **P0 ALERT**: `bash` failed in 4 distinct sessions: {A}, {B}, {C}, {D}

## Corrections

- `{A}` — 'no, use the gog cli for calendar, not osascript'
- `{B}` — 'wrong path — that file is in jibrain/atlas, not switchboard/people'
- `{C}` — 'stop. read the AGENTS.md before guessing again.'

## Errors

- `{A}` / `bash`: Command timed out after 30 seconds
- `{B}` / `bash`: Command timed out after 30 seconds
- `{C}` / `bash`: Command timed out after 30 seconds
- `{D}` / `read_file`: ~ was not expanded; use $HOME or an absolute path
- `{D}` / `bash`: Command timed out after 30 seconds

## Workarounds

- `{B}` pattern=`for now`: 'Hardcoding the retry count to 3 for now until we wire it through config.'
- `{C}` pattern=`TODO`: 'TODO: replace this fallback path once the upstream module exposes the new API.'

## Deferrals

_No deferrals detected._

"""

EMPTY = """\
---
date: 2026-05-09
signals_captured: 0
p0_count: 0
corrections: 0
errors: 0
workarounds: 0
deferrals: 0
---

# Learning Digest — 2026-05-09

## P0 Alerts

_No P0 alerts._

## Corrections

_No corrections detected._

## Errors

_No errors detected._

## Workarounds

_No workarounds detected._

## Deferrals

_No deferrals detected._

"""

LISTING = f"""\
scanned 4 sessions across 1 readers (generic=4)
[correction] 0e91a2b4-... 'no, use the gog cli for calendar, not osascript'
[correction] 2f1c8d77-... 'wrong path — that file is in jibrain/atlas, not switchboard/people'
[correction] 8a4b1e09-... 'stop. read the AGENTS.md before guessing again.'
[error] 0e91a2b4-... bash: {TIMEOUT}
[error] 2f1c8d77-... bash: {TIMEOUT}
[error] 8a4b1e09-... bash: {TIMEOUT}
[error] c5d76f02-... read_file: ~ was not expanded; use $HOME or an absolute path
[error] c5d76f02-... bash: {TIMEOUT}
[workaround] 2f1c8d77-... [for now] 'Hardcoding the retry count to 3 for now until we wire it through config.'
[workaround] 8a4b1e09-... [TODO] '{TODO}'
[p0] bash failed in 4 distinct sessions (threshold=3)
would write: ~/ops/digests/learning-digest-2026-05-09.md
would create: 7 issues in tracker=beads (dry-run, skipped)"""


def push_back(text: str) -> list[dict[str, object]]:
    return [say("assistant", "I looked at it."), say("user", text), say("assistant", "I see.")]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example's four sessions."""
    root = tmp_path / "sessions"
    write_lines(
        root / f"{A}.jsonl",
        *push_back("no, use the gog cli for calendar, not osascript"),
        failure("bash", TIMEOUT),
    )
    write_lines(
        root / f"{B}.jsonl",
        *push_back("wrong path — that file is in jibrain/atlas, not switchboard/people"),
        failure("bash", TIMEOUT),
        say("assistant", "Hardcoding the retry count to 3 for now until we wire it through config."),
    )
    write_lines(
        root / f"{C}.jsonl",
        *push_back("stop. read the AGENTS.md before guessing again."),
        failure("bash", TIMEOUT),
        say("assistant", "TODO: replace this fallback path once the upstream module exposes the new API."),
    )
    write_lines(
        root / f"{D}.jsonl",
        failure("read_file", "~ was not expanded; use $HOME or an absolute path"),
        failure("bash", TIMEOUT),
    )
    return root


def test_example_sessions_when_reviewed_give_the_seeds_digest_to_the_byte(
    example: Path, tmp_path: Path
) -> None:
    host = Host("alpha", generic(example), folder=tmp_path)

    host.review()

    assert host.written == {"learning-digest-2026-05-09.md": DIGEST.encode()}


def test_night_without_signals_gives_the_seeds_empty_sections(tmp_path: Path) -> None:
    host = Host("alpha", generic(tmp_path / "none"), folder=tmp_path)

    host.review()

    assert host.written["learning-digest-2026-05-09.md"] == EMPTY.encode()


def test_dry_run_lists_as_the_seed_does_and_leaves_nothing_behind(example: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(example), folder=tmp_path)

    result = host.review(dry_run=True)
    folder = tmp_path / "project"
    folder.mkdir()
    run = FilingRun("alpha", NIGHT, lambda: 0, "seed")
    filing = plan_night(run, host.log, "beads", lambda: BeadsFileTracker(folder), result)
    lines = dry_run_lines(result, filing, "~/ops/digests/learning-digest-2026-05-09.md")

    assert "\n".join(lines) == LISTING
    assert host.log.kept == []
    assert host.cursors == {}
    assert host.written == {}


def test_dry_run_after_a_review_still_lists_the_whole_night(example: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(example), folder=tmp_path)
    host.review()

    result = host.review(dry_run=True)

    assert result.digest == DIGEST
    assert result.new_signals == ()
