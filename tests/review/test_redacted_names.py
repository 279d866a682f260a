"""Names that a transcript chooses (ids, tools, models, types of lines) are as foreign as its texts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import msgspec
import pytest
from msgspec.structs import replace as replace_entry

from jilog_review.cursor import BEGINNING, Cursor
from jilog_review.profiles import load_profile
from jilog_review.reader import Discovery, Reading, Source
from jilog_review.redact import redact
from jilog_review.runs import Run
from jilog_review.scan import Scan, scan_transcripts
from jilog_review.signal import Stamp
from jilog_review.transcript import Coverage, Message, ToolCall, ToolResult, Usage
from support.precise_session import Session

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9" * 2
EMAIL = "bob@corp-example.com"
HOME = "/home/zebedee/x"
HOSTILE = f"{TOKEN} {EMAIL} {HOME}"


class _Hostile:
    """Gives one session in which every text and every name holds a secret, an address and a home folder."""

    name = "hostile"

    def discover(self, since_ns: int) -> Discovery:
        return Discovery(
            sources=(Source(key=HOME, session_id="s", root_session="s", modified_ns=1, size_bytes=10),)
        )

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        session = Session(session_id=HOSTILE).human("start").agent("ok")
        session.call(f"mcp__{HOSTILE}", "t1", command=f"curl {HOSTILE}")
        session.result(f"mcp__{HOSTILE}", f"failed: {HOSTILE}", failed=True)
        session.shell(f"curl {HOSTILE}", f"fatal: cannot do {HOSTILE}", 3)
        session.edit(HOME, "x", f"x  # TODO: {HOSTILE}").human(f"no, wrong {HOSTILE}")
        session.agent(f"Done.\n\n## Out of scope\n- {HOSTILE} is left").human("ok")
        entries = tuple(
            replace_entry(entry, message_id=f"{number}{HOSTILE}")
            if isinstance(entry, Message | ToolCall | ToolResult)
            else entry
            for number, entry in enumerate(session.entries)
        )
        transcript = replace(
            session.transcript(),
            root_session=HOSTILE,
            source_file=HOME,
            entries=entries,
            persona=HOSTILE,
            channel=HOSTILE,
            seat=HOSTILE,
            project=HOSTILE,
            model=HOSTILE,
            usage=Usage(1, 1),
            coverage=Coverage(files=1, lines=9, unknown={HOSTILE: 2, f"{HOSTILE} ": 1}),
        )
        return Reading(transcript=transcript, cursor=BEGINNING, more=False)


def scanned() -> tuple[Scan, str]:
    profile = load_profile("precise")
    stamp = Stamp("laptop", profile.name, date(2026, 1, 2), redact)
    scan = scan_transcripts([_Hostile()], profile, stamp, since_ns=0, cursors={})
    run = Run(
        host="laptop",
        profile=profile.name,
        review_date="2026-01-02",
        coverage=scan.coverage,
        spend=scan.spend.sorted(),
        tools=scan.tool_use.record(),
    )
    drafts = [*(signal.to_draft(1) for signal in scan.signals.values()), run.to_draft(1)]
    return scan, json.dumps([msgspec.to_builtins(draft.payload) for draft in drafts])


def test_no_field_of_a_signal_or_a_run_holds_what_was_to_be_redacted() -> None:
    scan, written = scanned()

    assert {str(signal.kind) for signal in scan.signals.values()} >= {
        "error",
        "correction",
        "workaround",
        "deferral",
    }
    for secret in (TOKEN, TOKEN[:20], "corp-example", "zebedee"):
        assert secret not in written


def test_unknown_types_that_are_redacted_alike_are_counted_together() -> None:
    scan, _ = scanned()

    assert sum(scan.coverage.unknown.values()) == 3


@pytest.mark.parametrize(
    "name",
    ["0b5ff6f9-8f0e-4d3b-9a37-5a0d6a4f2f11", "toolu_01A9x", "mcp__github__create_issue", "claude-opus-4-5"],
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert Stamp("h", "precise", date(2026, 1, 2), redact).name(name) == name


def test_long_name_is_cut_after_its_secret_is_replaced() -> None:
    name = Stamp("h", "precise", date(2026, 1, 2), redact).name("x" * 190 + " " + TOKEN)

    assert TOKEN[:9] not in name
    assert len(name) <= 200
