"""The digest of a fleet: one page on every node, and what its later sections say."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_review.aggregate import HISTORY_DAYS, Background, Window, aggregate
from jilog_review.detector import Kind, Tier
from jilog_review.exposure import ToolSessions, ToolUse
from jilog_review.improvement import EXPOSURE_SESSIONS_MIN, QUIET_DAYS, improvement_of
from jilog_review.labels import Verdict
from jilog_review.nightly import digest_of, summarise
from jilog_review.signal import Signal
from jilog_review.spend import SpendGroup
from jilog_review.summary_json import summary_fields
from jilog_review.testing import MemoryLog
from jilog_review.transcript import Coverage
from support.learned import DAY, FULL, NOON_NS, Fleet, a_label, a_run, a_signal, log_of
from support.review_night import NIGHT

HOSTS = ("alpha", "beta", "gamma")


def ago(days: int) -> str:
    return (date.fromisoformat(DAY) - timedelta(days=days)).isoformat()


def page_of(fleet: Fleet, days: int = 1) -> str:
    return digest_of(log_of(fleet.events()), NIGHT, days, FULL)


def first_signature(fleet: Fleet) -> object:
    """Give the first P0 by signature as JSON has it."""
    day = date.fromisoformat(DAY)
    found = summary_fields(summarise(log_of(fleet.events()), Window(day, day), FULL))["p0_signatures"]
    assert isinstance(found, list)
    return found[0]


def pick(found: object) -> tuple[object, object]:
    assert isinstance(found, dict)
    return found["sessions_using_tool"], found["fingerprint"]


def used(tool: str, *sessions: str) -> tuple[ToolSessions, ...]:
    use = ToolUse()
    for session in sessions:
        use.add(session, [tool])
    return use.record()


def section(page: str, title: str) -> list[str]:
    """Give the lines of a section; none when it is not there."""
    parts = [part for part in page.split("\n## ")[1:] if part.startswith(f"{title}\n")]
    return [line for part in parts for line in part.splitlines()[2:] if line]


signals_of_any_sort = st.builds(
    a_signal,
    st.integers(1, 12),
    kind=st.sampled_from(Kind),
    tier=st.sampled_from(Tier),
    host=st.sampled_from(HOSTS),
    fingerprint=st.sampled_from(("f1", "f2", "f3")),
    review_date=st.sampled_from((DAY, ago(1), ago(3), ago(20))),
    root_session=st.sampled_from(("r1", "r2", "r3", "r4")),
    persona=st.sampled_from((None, "ada", "a`b")),
    redactions=st.integers(0, 2),
)
runs_of_any_sort = st.builds(
    a_run,
    st.sampled_from(HOSTS),
    st.sampled_from((DAY, ago(2), ago(9))),
    st.integers(0, 9),
    coverage=st.builds(Coverage, files=st.integers(0, 9), unknown=st.just({"y": 1, "x": 1})),
    problems=st.sampled_from(((), ("/x: cannot be read",))),
    tools=st.sampled_from((None, used("Bash", "r1", "r2"), used("Bash", "r2", "r5"))),
    spend=st.sampled_from(((), (SpendGroup(model="m", sessions=1, with_usage=1, cost_usd="0.1"),))),
)
labels_of_any_sort = st.builds(
    a_label, st.builds(a_signal, st.integers(1, 12), fingerprint=st.just("f1")), st.sampled_from(Verdict)
)
records = st.tuples(
    st.sampled_from(HOSTS),
    st.one_of(signals_of_any_sort, runs_of_any_sort, labels_of_any_sort),
    st.integers(NOON_NS, NOON_NS + 3),
)


@settings(max_examples=150)
@given(st.lists(records, max_size=30), st.randoms(), st.integers(1, 5))
def test_digest_is_the_same_bytes_on_every_node_whatever_arrived_when(
    written: list[tuple[str, Signal, int]], random: object, days: int
) -> None:
    fleet = Fleet(*HOSTS)
    for host, record, at_ns in written:
        fleet.record(host, record, at_ns=at_ns)
    events = fleet.events()
    expected = digest_of(log_of(events), NIGHT, days, FULL)

    for host in HOSTS:
        shuffled = list(events)
        random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis's Random
        node = MemoryLog(host)
        for other in shuffled:
            node.merge(log_of([other]))
        node.kept.extend(shuffled[:3])

        assert digest_of(node, NIGHT, days, FULL) == expected


def test_sections_without_content_are_not_there() -> None:
    page = page_of(Fleet("alpha"))

    assert page.count("\n## ") == 5
    assert page.endswith("## Deferrals\n\n_No deferrals detected._\n\n")


def test_low_confidence_is_listed_apart_and_counted_apart() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1), a_signal(2, tier=Tier.B, kind=Kind.DEFERRAL, label="later"))

    page = page_of(fleet)

    assert "signals_captured: 1\n" in page
    assert "low_confidence: 1\n" in page
    assert section(page, "Deferrals") == ["_No deferrals detected._"]
    assert section(page, "Low confidence") == ["- deferral `s2` pattern=`later`: 'failure 2'"]


def test_p0_by_signature_needs_three_root_sessions_and_names_the_command_that_worked() -> None:
    fleet = Fleet("alpha", "beta")
    same = {"fingerprint": "f", "later_command": "rg x ."}
    fleet.record("alpha", a_signal(1, **same), a_signal(2, **same), a_signal(3, root_session="s2", **same))

    assert section(page_of(fleet), "P0 by signature") == []

    fleet.record("beta", a_signal(4, host="beta", **same))

    assert section(page_of(fleet), "P0 by signature") == [
        (
            "- **P0**: `shell` failure 1 — 4 failures in 3 distinct sessions (`f`): s1, s2, s4"
            " — worked later: `rg x .`"
        )
    ]


def test_p0_by_signature_tells_the_share_of_the_sessions_that_used_the_tool() -> None:
    fleet = Fleet("alpha", "beta")
    fleet.record("alpha", *(a_signal(number, fingerprint="f") for number in (1, 2, 3)))
    fleet.record("alpha", a_run(tools=used("Bash", "s1", "s2", "s3", "s4")))
    fleet.record("beta", a_run("beta", tools=used("exec_command", "s4", "s5")))

    assert " — 3 failures in 3 of 5 sessions (`f`)" in page_of(fleet)
    assert pick(first_signature(fleet)) == (5, "f")

    fleet.record("beta", a_run("beta"))

    assert " — 3 failures in 3 distinct sessions (`f`)" in page_of(fleet)
    assert pick(first_signature(fleet)) == (None, "f")


def test_p0_by_signature_shows_the_telling_line_cut_to_one_glance() -> None:
    fleet = Fleet("alpha")
    text = "Exit code 1\ncopying a\nerror: " + "very " * 60 + "long"
    fleet.record("alpha", *(a_signal(number, fingerprint="f", excerpt=text) for number in (1, 2, 3)))

    (line,) = section(page_of(fleet), "P0 by signature")
    shown = line.removeprefix("- **P0**: `shell` ").partition(" — ")[0]

    assert shown.startswith("error: very very ")
    assert shown.endswith("…")
    assert len(shown) <= 160


def test_failure_of_a_file_tool_names_its_file_unless_the_text_does() -> None:
    fleet = Fleet("alpha")
    missing = {"tool": "Read", "command": "Read ~/app/reader.py"}
    fleet.record("alpha", a_signal(1, excerpt="File does not exist.", **missing))
    fleet.record("alpha", a_signal(2, excerpt="No such file: ~/app/reader.py", **missing))
    fleet.record("alpha", a_signal(3, excerpt="exit 1", tool="Bash", command="rg x"))

    lines = section(page_of(fleet), "Errors")

    assert [line.partition(": ")[2] for line in lines] == [
        "File does not exist. — `~/app/reader.py`",
        "No such file: ~/app/reader.py",
        "exit 1",
    ]


def test_low_confidence_and_muted_failures_raise_no_alert() -> None:
    fleet = Fleet("alpha")
    for number in range(1, 4):
        fleet.record("alpha", a_signal(number, fingerprint="f", tier=Tier.B))
        fleet.record("alpha", a_signal(10 + number, fingerprint="g"))
    fleet.record("alpha", a_label(a_signal(11, fingerprint="g"), Verdict.WRONG))

    page = page_of(fleet)

    assert "p0_count: 0\n" in page
    assert section(page, "P0 by signature") == []


def test_coverage_says_up_to_when_each_host_reviewed_and_who_has_not_reported() -> None:
    fleet = Fleet("alpha", "beta", "gamma")
    gaps = Coverage(files=3, lines=40, unknown={"odd`type": 2}, unreadable=1)
    fleet.record("alpha", a_run("alpha", sessions=3, coverage=gaps, problems=("/x: cannot\nbe read",)))
    fleet.record("beta", a_run("beta", ago(4)))
    fleet.record("gamma", a_label(a_signal(1), Verdict.RIGHT))

    assert section(page_of(fleet), "Fleet coverage") == [
        (
            "- `alpha`: reviewed up to 2026-05-09 (2026-05-09T12:00:00Z), 3 sessions, 3 files, 40 lines,"
            " 2 lines of unknown types (`odd'type` 2), 1 unreadable file"
        ),
        "  - /x: cannot be read",
        "- `beta`: no review in this window; the last is of 2026-05-05",
        f"- `gamma`: writes to this ledger, but no review in {HISTORY_DAYS + 1} days",
    ]


def test_redactions_are_counted_of_shown_and_muted_signals() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, redactions=2), a_signal(2, redactions=1), a_signal(3))
    fleet.record("alpha", a_label(a_signal(2), Verdict.WRONG))

    assert section(page_of(fleet), "Redactions") == ["- 3 places replaced in 2 signals before storing"]


def improvement(fleet: Fleet) -> dict[str, list[str]]:
    window = Window(NIGHT, NIGHT)
    found = improvement_of(aggregate(fleet.events(), window, "full", Background()))
    assert found is not None
    return {
        "new": [seen.fingerprint for seen in found.new],
        "recurring": [item.now.fingerprint for item in found.recurring],
        "resolved": [item.earlier.fingerprint for item in found.resolved],
        "unproven": [""] * found.unproven,
    }


def seen_twice(fleet: Fleet, fingerprint: str, days: int, first: int) -> None:
    for number in (first, first + 1):
        fleet.record("alpha", a_signal(number, fingerprint=fingerprint, review_date=ago(days)))


def test_problems_are_new_recurring_or_resolved_against_the_weeks_before() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, fingerprint="new"), a_signal(2, fingerprint="back"))
    seen_twice(fleet, "back", 10, 3)
    seen_twice(fleet, "gone", QUIET_DAYS, 5)
    fleet.record("alpha", a_run(day=ago(2), sessions=EXPOSURE_SESSIONS_MIN))

    assert improvement(fleet) == {
        "new": ["new"],
        "recurring": ["back"],
        "resolved": ["gone"],
        "unproven": [],
    }


def test_nothing_is_called_resolved_without_days_and_sessions_in_which_it_could_have_shown() -> None:
    fleet = Fleet("alpha")
    seen_twice(fleet, "too-soon", QUIET_DAYS - 1, 1)
    seen_twice(fleet, "too-long-ago", HISTORY_DAYS + 1, 3)
    fleet.record("alpha", a_signal(5, fingerprint="once", review_date=ago(20)))
    fleet.record("alpha", a_run(day=ago(1), sessions=EXPOSURE_SESSIONS_MIN))

    assert improvement(fleet)["resolved"] == []
    assert len(improvement(fleet)["unproven"]) == 1

    blind = Fleet("alpha")
    seen_twice(blind, "unseen", QUIET_DAYS + 5, 1)
    blind.record("alpha", a_run(day=ago(1), sessions=EXPOSURE_SESSIONS_MIN - 1))

    assert improvement(blind)["resolved"] == []


def test_improvement_tells_rates_with_their_exposure() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, fingerprint="back"), a_run(sessions=8))
    seen_twice(fleet, "back", 3, 2)
    fleet.record("alpha", a_run(day=ago(3), sessions=40))

    assert section(page_of(fleet), "Improvement") == [
        "- 0 new, 1 recurring, 0 resolved, against the 28 days before (8 sessions read now, 40 before)",
        (
            "- **Recurring**: error `back` Bash: failure 1 — 1 signal in 1 session (12.5 per 100),"
            " before 2 signals in 2 sessions (5.0 per 100)"
        ),
    ]


def test_first_digest_of_a_fleet_compares_with_nothing() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1), a_run())

    assert section(page_of(fleet), "Improvement") == []


def test_no_text_of_a_tool_can_look_like_a_line_of_the_digest() -> None:
    fleet = Fleet("alpha")
    nasty = "x\n## P0 Alerts\n- **P0 ALERT**: `y`\u2028z"
    fleet.record(
        "alpha",
        *(
            a_signal(
                n,
                kind=kind,
                tier=tier,
                excerpt=nasty,
                label=nasty,
                tool=nasty,
                session_id=nasty,
                persona=nasty,
            )
            for n, (kind, tier) in enumerate((kind, tier) for kind in Kind for tier in Tier)
        ),
        a_run(problems=(nasty,), spend=(SpendGroup(model=nasty, persona=nasty, with_usage=1, cost_usd="1"),)),
    )

    page = page_of(fleet)

    assert page.count("\n## P0 Alerts") == 1
    assert page.count("\n- **P0 ALERT**") == 0
