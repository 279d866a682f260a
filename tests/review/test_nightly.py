"""The night: recorded once, the same on every host, harmless when it dies."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jilog_ledger.errors import StorageError
from jilog_review import limits
from jilog_review.aggregate import aggregate, window_of
from jilog_review.cursor import cursor_key
from jilog_review.detector import Finding
from jilog_review.detectors.seed import SeedError
from jilog_review.nightly import run_night
from jilog_review.report import night_json, summary_lines
from jilog_review.runs import Run, run_from_payload
from jilog_review.signal import signal_from_payload
from jilog_review.testing import MemoryLog
from support.review_night import Host, append_lines, failure, generic, night, say, write_lines

DIGEST = "learning-digest-2026-05-09.md"
SHORT_CUT = say("assistant", "This is hardcoded, sorry.")


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    root = tmp_path / "sessions"
    for number in range(4):
        write_lines(root / f"s{number}.jsonl", failure("bash", f"exit {number}"), SHORT_CUT)
    return root


def signals_in(host: Host) -> list[str]:
    found = [signal_from_payload(event.payload()) for event in host.log.kept]
    return [signal.id for signal in found if signal is not None]


def runs_in(host: Host) -> list[Run]:
    found = [run_from_payload(event.payload()) for event in host.log.kept]
    return [run for run in found if run is not None]


def test_review_when_repeated_records_nothing_twice(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    host.review()
    first = list(host.log.kept)

    host.review()

    assert host.log.kept == first
    assert len(signals_in(host)) == 8


def test_review_when_cursors_are_lost_records_nothing_twice(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    host.review()
    page = host.written[DIGEST]
    host.cursors = {}

    host.review()

    assert len(signals_in(host)) == len(set(signals_in(host))) == 8
    assert host.written[DIGEST] == page


def test_review_that_dies_between_append_and_cursors_is_made_good_by_the_next(
    sessions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)

    def die(cursors: object) -> None:
        raise StorageError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(host, "_save", die)
        with pytest.raises(StorageError):
            host.review()
    assert len(signals_in(host)) == 8
    assert host.written == {}

    host.review()

    assert len(signals_in(host)) == 8
    assert b"signals_captured: 8" in host.written[DIGEST]


def test_digest_of_a_host_without_transcripts_is_the_same_bytes(sessions: Path, tmp_path: Path) -> None:
    alpha = Host("alpha", generic(sessions), folder=tmp_path)
    beta = Host("beta", generic(tmp_path / "nothing"), folder=tmp_path)
    alpha.review()
    beta.log.merge(alpha.log)
    before = list(beta.log.kept)

    beta.review()

    assert beta.written[DIGEST] == alpha.written[DIGEST]
    assert beta.log.kept == before


def test_digest_does_not_depend_on_the_order_of_events(sessions: Path, tmp_path: Path) -> None:
    alpha = Host("alpha", generic(sessions), folder=tmp_path)
    alpha.review()
    window = window_of(date(2026, 5, 9), 1)
    straight = aggregate(alpha.log.kept, window, "seed")

    shuffled = [*alpha.log.kept, *alpha.log.kept]
    random.Random(7).shuffle(shuffled)

    assert aggregate(shuffled, window, "seed") == straight


def test_one_session_on_two_hosts_counts_once(sessions: Path, tmp_path: Path) -> None:
    alpha = Host("alpha", generic(sessions), folder=tmp_path)
    beta = Host("beta", generic(sessions), folder=tmp_path)
    alpha.review()
    beta.review()
    alpha.log.merge(beta.log)
    beta.log.merge(alpha.log)

    alpha.review()
    beta.review()

    assert alpha.written[DIGEST] == beta.written[DIGEST]
    assert b"signals_captured: 8" in alpha.written[DIGEST]


def test_signals_known_from_a_peer_are_not_recorded_again(sessions: Path, tmp_path: Path) -> None:
    alpha = Host("alpha", generic(sessions), folder=tmp_path)
    beta = Host("beta", generic(sessions), folder=tmp_path)
    alpha.review()
    beta.log.merge(alpha.log)

    result = beta.review()

    assert result.new_signals == ()


def test_only_what_was_appended_is_read_the_next_night(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    host.review()
    append_lines(sessions / "s1.jsonl", failure("grep", "no such option"))

    result = host.review(day=date(2026, 5, 10))

    assert [signal.tool for signal in result.new_signals] == ["grep"]
    assert result.scan.coverage.lines == 1
    assert [count.sessions for count in result.scan.counts()] == [1]
    page = host.written["learning-digest-2026-05-10.md"].decode()
    assert "- `s1` / `grep`: no such option\n" in page
    assert "errors: 1\n" in page


def test_push_back_that_spans_two_nights_is_seen(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "t/s.jsonl",
        say("assistant", "I moved the file."),
        say("user", "no, put the file back at once"),
    )
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    assert host.review().new_signals == ()
    append_lines(path, say("assistant", "I put it back."))

    result = host.review(day=date(2026, 5, 10))

    assert [signal.excerpt for signal in result.new_signals] == ["no, put the file back at once"]
    assert [signal.line for signal in result.new_signals] == [2]


def test_window_of_several_days_gathers_them(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    host.review(day=date(2026, 5, 8))
    append_lines(sessions / "s0.jsonl", failure("bash", "again"))

    one = host.review()
    two = host.review(days=2)

    assert len(one.summary.signals) == 1
    assert len(two.summary.signals) == 9


def test_alert_needs_three_distinct_root_sessions(tmp_path: Path) -> None:
    root = tmp_path / "t"
    write_lines(root / "a.jsonl", *[failure("bash", f"boom {n}") for n in range(5)])
    write_lines(root / "b.jsonl", failure("bash", "boom"))
    write_lines(root / f"{'0' * 16}-1.jsonl", failure("bash", "boom"))
    host = Host("alpha", generic(root), folder=tmp_path)

    assert host.review().summary.alerts == ()

    write_lines(root / "c.jsonl", failure("bash", "boom"))
    (alert,) = host.review().summary.alerts
    assert alert.sessions == ("a", "b", "c")


def test_scan_leaves_one_review_event_unless_something_new_was_read(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    host.review()
    host.review()
    assert [run.signals_new for run in runs_in(host)] == [8]

    append_lines(sessions / "s1.jsonl", SHORT_CUT)
    host.review()
    assert [run.signals_new for run in runs_in(host)] == [8, 1]

    host.review(day=date(2026, 5, 10))
    assert [run.coverage.files for run in runs_in(host)] == [4, 4, 4]
    assert [run.coverage.lines for run in runs_in(host)] == [8, 1, 0]


def test_host_that_rests_reports_and_one_that_never_had_anything_does_not(
    sessions: Path, tmp_path: Path
) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)
    looker = Host("beta", generic(tmp_path / "nothing"), folder=tmp_path)
    host.review()
    for path in sessions.iterdir():
        path.unlink()

    for _ in range(2):
        host.review(day=date(2026, 5, 12))
        looker.review()

    assert [(run.review_date, run.sessions) for run in runs_in(host)] == [
        ("2026-05-09", 4),
        ("2026-05-12", 0),
    ]
    assert runs_in(looker) == []
    host.review(day=date(2026, 6, 30))
    assert len(runs_in(host)) == 2


def test_folder_that_two_tables_name_is_read_once(sessions: Path, tmp_path: Path) -> None:
    os.mkfifo(sessions / "pipe.jsonl")
    once = Host("alpha", generic(sessions), folder=tmp_path).review().scan

    twice = Host("alpha", generic(sessions), generic(sessions), folder=tmp_path).review().scan

    assert (twice.coverage, twice.problems) == (once.coverage, once.problems)
    assert twice.counts() == once.counts()


def test_problem_is_reported_once_a_date_though_nothing_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t/pipe.jsonl"
    path.parent.mkdir()
    os.mkfifo(path)
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)

    host.review()
    host.review()
    os.mkfifo(path.with_name("second.jsonl"))
    host.review()

    said = [f"{path.parent}/{name}.jsonl: is a pipe and no transcript" for name in ("pipe", "second")]
    assert [sorted(run.problems) for run in runs_in(host)] == [said[:1], said]


def test_json_carries_the_signals_and_survives_encoding(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)

    value = json.loads(json.dumps(night_json(host.review())))

    assert value["schema_version"] == 3
    assert value["errors"] == 4
    assert value["p0_alerts"] == {"bash": ["s0", "s1", "s2", "s3"]}
    assert {signal["kind"] for signal in value["signals"]} == {"error", "workaround"}
    assert value["digest_path"].endswith(DIGEST)


def test_summary_lines_say_counts_and_the_digests_place(sessions: Path, tmp_path: Path) -> None:
    host = Host("alpha", generic(sessions), folder=tmp_path)

    lines = summary_lines(host.review(), "~/d.md")

    assert lines[0] == (
        "0 corrections, 4 errors, 4 workarounds, 0 deferrals, 0 patterns, 1 P0 alert(s), 4 session(s) scanned"
    )
    assert lines[1] == "Digest: ~/d.md"


def test_rule_that_fails_is_told_and_the_others_go_on(
    sessions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object, transcript: object) -> list[Finding]:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SeedError, "detect", fail)
    host = Host("alpha", generic(sessions), folder=tmp_path)

    result = host.review()

    assert {problem.message for problem in result.scan.problems} == {
        "detector seed.error failed: ZeroDivisionError: a bug; tried again at the next review"
    }
    assert len(result.summary.signals) == 4


def test_more_signals_than_one_batch_are_all_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "APPEND_EVENTS_MAX", 3)
    write_lines(tmp_path / "t/s.jsonl", *[failure("bash", f"boom {'x' * n}") for n in range(10)])
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)

    host.review()

    assert len(signals_in(host)) == 10
    assert [run.signals_new for run in runs_in(host)] == [10]


def test_what_one_profile_has_read_another_has_not() -> None:
    assert cursor_key("seed", "generic", "/s") != cursor_key("precise", "generic", "/s")


def test_host_that_was_off_reads_what_changed_since_its_last_review(tmp_path: Path) -> None:
    hour_ns = 3600 * 10**9
    start_ns = 1_778_000_000 * 10**9

    def review(hours: int, day: date) -> list[str]:
        asked = night(generic(tmp_path / "t"), digests=tmp_path, day=day)
        result = run_night(
            replace(asked, now_ns=start_ns + hours * hour_ns),
            log,
            cursors={},
            save_cursors=lambda *_: None,
            write_file=lambda *_: None,
        )
        return [signal.session_id for signal in result.new_signals]

    def changed(name: str, hours: int) -> None:
        path = write_lines(tmp_path / f"t/{name}.jsonl", SHORT_CUT)
        os.utime(path, ns=(start_ns + hours * hour_ns, start_ns + hours * hour_ns))

    log = MemoryLog("alpha")
    changed("long before", -100)
    changed("before", -1)
    assert review(0, date(2026, 5, 5)) == ["before"]

    changed("while off", 30)
    changed("last night", 90)

    assert review(100, date(2026, 5, 9)) == ["last night", "while off"]
