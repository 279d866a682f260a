"""Labels: which one stands, what it mutes, and what precision comes of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.detector import Tier
from jilog_review.labels import LabelBook, Verdict, label_from_payload, label_of, read_labels
from jilog_review.nightly import digest_of
from jilog_review.precision import Precision, precision_of, wilson
from support.learned import FULL, NOON_NS, Fleet, a_label, a_signal, log_of
from support.review_night import NIGHT

ONE, SAME, OTHER = a_signal(1), a_signal(2, fingerprint=f"{1:016x}"), a_signal(3)


def book_of(fleet: Fleet) -> LabelBook:
    return read_labels(fleet.events())


def test_label_survives_its_event() -> None:
    label = label_of(ONE, Verdict.WRONG, "a test, not a failure")
    fleet = Fleet("alpha")
    fleet.record("alpha", label)
    (event,) = fleet.events()

    assert label_from_payload(event.payload()) == label
    assert event.stored.event_class == "review"
    assert event.stored.object_ref == f"label:{ONE.id}"


def test_label_that_arrives_before_its_signal_is_not_taken_for_it() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_label(ONE, Verdict.WRONG))

    assert fleet.logs["alpha"].known_signals([ONE.id]) == set()


def test_later_label_of_one_signal_wins_whichever_host_gave_it() -> None:
    fleet = Fleet("alpha", "beta")
    fleet.record("beta", a_label(ONE, Verdict.WRONG), at_ns=NOON_NS)
    fleet.record("alpha", a_label(ONE, Verdict.RIGHT), at_ns=NOON_NS + 1)

    assert book_of(fleet).verdict(ONE.id) is Verdict.RIGHT


def test_labels_of_one_moment_are_ordered_by_source() -> None:
    fleet = Fleet("alpha", "beta")
    fleet.record("beta", a_label(ONE, Verdict.WRONG))
    fleet.record("alpha", a_label(ONE, Verdict.RIGHT))

    assert book_of(fleet).verdict(ONE.id) is Verdict.WRONG


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_labels_stand_whatever_the_order_and_repetition_of_their_events(
    order: list[int], again: list[int]
) -> None:
    fleet = Fleet("alpha", "beta")
    for number, verdict in enumerate((Verdict.RIGHT, Verdict.WRONG, Verdict.CLEARED)):
        fleet.record("alpha", a_label(ONE, verdict), at_ns=NOON_NS + number)
        fleet.record("beta", a_label(SAME, verdict), at_ns=NOON_NS - number)
    events = fleet.events()

    shuffled = read_labels([events[place] for place in (*order, *again)])

    assert shuffled == read_labels(events)
    assert shuffled.verdict(ONE.id) is None
    assert shuffled.verdict(SAME.id) is Verdict.RIGHT


@pytest.mark.parametrize(
    ("verdict", "mutes"),
    [(Verdict.WRONG, True), (Verdict.WONTFIX, True), (Verdict.RIGHT, False), (Verdict.UNSURE, False)],
)
def test_false_and_wontfix_mute_the_fingerprint(verdict: Verdict, mutes: bool) -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_label(ONE, verdict))

    assert (ONE.fingerprint in book_of(fleet).mutes) is mutes


def test_saying_of_a_like_signal_that_it_is_right_ends_the_mute() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_label(ONE, Verdict.WRONG), at_ns=NOON_NS)
    fleet.record("alpha", a_label(SAME, Verdict.RIGHT), at_ns=NOON_NS + 1)

    assert book_of(fleet).mutes == {}


def test_clearing_the_label_ends_its_mute_and_leaves_an_older_one() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_label(SAME, Verdict.WRONG), at_ns=NOON_NS - 5)
    fleet.record("alpha", a_label(ONE, Verdict.WONTFIX), at_ns=NOON_NS)
    fleet.record("alpha", a_label(ONE, Verdict.CLEARED), at_ns=NOON_NS + 1)

    (mute,) = book_of(fleet).mutes.values()

    assert mute.label.signal_id == SAME.id


def test_new_label_comes_after_every_known_one_even_of_a_host_whose_clock_is_ahead() -> None:
    fleet = Fleet("ahead", "here")
    fleet.record("ahead", a_label(ONE, Verdict.WRONG), at_ns=NOON_NS + 10**15)
    fleet.record("here", a_label(ONE, Verdict.RIGHT), at_ns=book_of(fleet).next_timestamp_ns(ONE.id, NOON_NS))

    assert book_of(fleet).verdict(ONE.id) is Verdict.RIGHT


def test_muted_signals_are_hidden_counted_and_told_and_nothing_else_changes() -> None:
    fleet = Fleet("alpha", "beta")
    fleet.record("alpha", ONE, SAME, OTHER)
    fleet.record("beta", a_label(ONE, Verdict.WRONG))

    page = digest_of(log_of(fleet.events()), NIGHT, 1, FULL)

    assert "errors: 1\n" in page
    assert "muted: 2\n" in page
    assert f"- `{OTHER.session_id}` / `Bash`: failure 3\n" in page
    assert f"`{SAME.session_id}` /" not in page
    assert (
        f"## Muted\n\n- `{ONE.fingerprint}` error: 2 signals hidden by fp of 2026-05-09 on `beta`:"
        " Bash: failure 1\n" in page
    )


def test_precision_counts_right_of_labelled_by_detector_and_tier() -> None:
    fleet = Fleet("alpha")
    verdicts = (Verdict.RIGHT, Verdict.WONTFIX, Verdict.WRONG, Verdict.UNSURE)
    for number, verdict in enumerate(verdicts):
        fleet.record("alpha", a_label(a_signal(number), verdict))
    fleet.record("alpha", a_label(a_signal(9, tier=Tier.B, detector="full.pattern"), Verdict.WRONG))

    found = precision_of(book_of(fleet).standing.values())

    assert found == (Precision("full.error", "A", 2, 3), Precision("full.pattern", "B", 0, 1))
    assert precision_of(book_of(fleet).standing.values(), "seed") == ()
    assert found[0].line() == "full.error tier A: 67 % right (n=3, 21–94 %)"


# Values of the literature: Newcombe 1998, table I, method 3.
@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    found = wilson(right, count)

    assert math.isclose(found[0], low, abs_tol=5e-5)
    assert math.isclose(found[1], high, abs_tol=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_the_share_and_stays_between_0_and_1(counts: tuple[int, int]) -> None:
    right, count = counts
    low, high = wilson(right, count)

    assert 0 <= low <= right / count + 1e-12
    assert right / count - 1e-12 <= high <= 1
