"""Spend and personas: decimal money, sessions counted once, and names that stay apart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.detector import Kind
from jilog_review.money import dollars, money_text, parse_money
from jilog_review.nightly import digest_of
from jilog_review.personas import personas_of
from jilog_review.spend import (
    GROUPS_MAX,
    SpendGroup,
    SpendTally,
    spend_of,
)
from jilog_review.transcript import Transcript, Usage
from support.learned import FULL, Fleet, a_run, a_signal, log_of
from support.review_night import NIGHT, Host, claude, write_lines


def piece(session: str, cost: str | None = None, tokens: int = 0, **fields: object) -> Transcript:
    usage = Usage(tokens, tokens, None if cost is None else Decimal(cost))
    values: dict[str, object] = {"model": "m", "usage": usage, **fields}
    return Transcript("generic", session, session, f"/{session}", **values)  # type: ignore[arg-type] # mixed fields


def test_a_session_counts_once_and_its_pieces_add_up() -> None:
    tally = SpendTally()
    for cost in ("0.10", "0.20", "0.00000001"):
        tally.add(piece("s1", cost, 5))
    tally.add(piece("s2", None, 7))
    tally.add(piece("s3"))

    (group,) = tally.sorted()

    assert (group.sessions, group.with_usage, group.priced) == (3, 2, 1)
    assert (group.input_tokens, group.output_tokens) == (22, 22)
    assert group.cost_usd == "0.30000001"


def test_groups_beyond_the_limit_are_counted_without_a_name() -> None:
    tally = SpendTally()
    for number in range(GROUPS_MAX + 5):
        tally.add(piece(f"s{number}", "1", 1, model=f"m{number:03}"))

    groups = tally.sorted()

    assert len(groups) == GROUPS_MAX + 1
    assert spend_of(groups).total.cost_usd == str(GROUPS_MAX + 5)


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        ("4.2", "$4.20"),
        ("0.0003", "$0.0003"),
        ("332.138392", "$332.138392"),
        ("7", "$7.00"),
        ("1E+2", "$100.00"),
    ],
)
def test_money_has_two_decimals_at_least_and_is_never_rounded(cost: str, text: str) -> None:
    assert dollars(Decimal(cost)) == text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999999999", "ten", "", "1e10", None])
def test_an_amount_that_cannot_be_meant_is_unknown(text: str | None) -> None:
    assert parse_money(text) is None


def test_a_cost_that_is_no_amount_does_not_end_a_scan() -> None:
    tally = SpendTally()
    for cost in ("1e999999999", "NaN", "0.5", "-1e999999999"):
        tally.add(piece("s1", cost, 1))

    (group,) = tally.sorted()

    assert group.cost_usd == "0.5"
    assert (Usage(cost=Decimal("1e999999999")) + Usage(cost=Decimal(1))).cost == 1


def test_an_amount_with_millions_of_decimals_is_not_written_out() -> None:
    assert money_text(Decimal("1e-99999999")) == "0.000000000000000000"


@given(
    st.lists(st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=17), max_size=20),
    st.randoms(),
)
def test_sum_does_not_depend_on_the_order_of_hosts(costs: list[Decimal], random: object) -> None:
    groups = [SpendGroup(with_usage=1, cost_usd=money_text(cost)) for cost in costs]
    shuffled = list(groups)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis's Random

    assert spend_of(shuffled).total == spend_of(groups).total
    assert sum((group.usage.cost or Decimal(0) for group in groups), Decimal(0)) == sum(costs, Decimal(0))


def test_digest_lists_spend_by_role_and_model_in_the_references_layout() -> None:
    fleet = Fleet("alpha", "beta")
    root = SpendGroup(model="opus", sessions=2, with_usage=2, priced=1, input_tokens=10, cost_usd="0.42")
    sub = SpendGroup(role="(sub-agent)", sessions=1, with_usage=1, output_tokens=3)
    fleet.record("alpha", a_run("alpha", spend=(root,)))
    fleet.record("beta", a_run("beta", spend=(sub,)))

    page = digest_of(log_of(fleet.events()), NIGHT, 1, FULL)

    assert (
        "## Spend\n\n"
        "- **Total**: $0.42 across 1 of 3 session(s) with usage data\n"
        "- **Tokens**: 10 in / 3 out\n\n"
        "### Spend by role\n\n- `(root)`: $0.42\n\n"
        "### Spend by model\n\n- `opus`: $0.42\n\n"
        "### Tokens by model\n\n- `(unknown)`: 0 in / 3 out\n- `opus`: 10 in / 0 out\n\n"
    ) in page


def test_spend_without_a_price_says_so() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_run(spend=(SpendGroup(sessions=2, with_usage=2, input_tokens=1),)))

    page = digest_of(log_of(fleet.events()), NIGHT, 1, FULL)

    assert "- **Total**: no cost data (2 session(s) with usage; unpriced models)\n" in page
    assert "Spend by role" not in page


def test_personas_are_listed_with_their_signals_and_usage() -> None:
    fleet = Fleet("alpha")
    quiet = SpendGroup(persona="bob", sessions=2)
    busy = SpendGroup(
        persona="ada", channel="team", sessions=1, input_tokens=5, output_tokens=6, cost_usd="1.5"
    )
    fleet.record("alpha", a_signal(1, persona="ada", channel="team"), a_run(spend=(quiet, busy)))

    page = digest_of(log_of(fleet.events()), NIGHT, 1, FULL)

    assert (
        "## Personas\n\n"
        "- `ada@team`: 0 corrections, 1 errors, 0 workarounds, 0 deferrals, 0 patterns (1 session(s))"
        " — 5 in / 6 out tokens, $1.50\n"
        "- `bob`: no signals (2 session(s))\n\n"
    ) in page


def test_personas_that_would_be_shown_alike_are_numbered() -> None:
    signals = [
        a_signal(1, persona="a@b"),
        a_signal(2, persona="a", channel="b", kind=Kind.CORRECTION),
    ]

    found = personas_of(signals, [])

    assert [(p.key, p.persona, p.channel) for p in found] == [("a@b", "a", "b"), ("a@b (2)", "a@b", None)]


def test_response_that_a_resumed_session_repeats_is_counted_once(tmp_path: Path) -> None:
    lines = [a_response("msg_1", "u1", 10), a_response("msg_2", "u2", 20)]
    write_lines(tmp_path / "p/first.jsonl", *lines)
    # The copy has the responses of the first session, each line with an id of its own, and one more.
    copied = [a_response("msg_1", "v1", 10), a_response("msg_2", "v2", 20), a_response("msg_3", "v3", 40)]
    write_lines(tmp_path / "p/second.jsonl", *copied)

    scan = Host("alpha", claude(tmp_path), folder=tmp_path).review().scan

    assert scan.usage == Usage(70, 3, None)
    assert spend_of(scan.spend.sorted()).total.input_tokens == 70


def test_response_that_was_counted_in_a_session_is_not_taken_from_another_ones_spend(tmp_path: Path) -> None:
    write_lines(tmp_path / "p/first.jsonl", a_response("msg_1", "u1", 10))
    write_lines(tmp_path / "p/other.jsonl", a_response("msg_9", "w1", 10))

    scan = Host("alpha", claude(tmp_path), folder=tmp_path).review().scan

    assert scan.usage == Usage(20, 2, None)


def a_response(message_id: str, uuid: str, tokens: int) -> dict[str, object]:
    usage = {"input_tokens": tokens, "output_tokens": 1}
    message = {"role": "assistant", "id": message_id, "content": [{"type": "text", "text": "hm"}]}
    return {
        "type": "assistant",
        "uuid": uuid,
        "timestamp": "2026-05-08T09:00:00.000Z",
        "message": {**message, "usage": usage},
    }
