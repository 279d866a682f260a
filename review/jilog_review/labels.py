"""Labels: what people say of signals, as events that replicate.

A label belongs to one signal, and the later of two labels of one signal wins in the fleet's total order. It
carries what is needed of its signal (fingerprint, detector, tier), so that precision and mutes are known
on a host that has not received the signal itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_ledger.identifiers import derived_event_id
from jilog_ledger.times import format_time
from jilog_review.detector import Kind, Tier
from jilog_review.signal import Signal

LABEL_SCHEMA = 1
SUBSYSTEM = "review-label"

NOTE_CHARS_MAX = 500
"""A person's reason: a sentence or two."""


class Verdict(StrEnum):
    """What a person says of a signal."""

    RIGHT = "tp"
    """It is what its detector says."""
    WRONG = "fp"
    """It is not; its fingerprint is muted on every host."""
    WONTFIX = "wontfix"
    """It is, and nobody is going to do anything about it; its fingerprint is muted."""
    UNSURE = "unsure"
    """Looked at, and left open: counts neither way."""
    CLEARED = "cleared"
    """No label any more."""


GIVEN = (Verdict.RIGHT, Verdict.WRONG, Verdict.WONTFIX, Verdict.UNSURE)
"""What a person can say; a label is taken back by clearing it."""

MUTING = frozenset({Verdict.WRONG, Verdict.WONTFIX})


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of one signal, and what the signal is. ``subject`` is one redacted line of it."""

    signal_id: str
    verdict: Verdict
    fingerprint: str
    kind: Kind
    detector: str
    version: int
    rule: str
    tier: Tier
    profile: str
    subject: str
    tool: str | None = None
    note: str | None = None

    def to_draft(self, timestamp_ns: int) -> EventDraft:
        """Make the ``review`` event of this label.

        Its object is the label and not the signal: a label may reach a host before its signal does, and must
        not be taken for it.
        """
        fields: dict[str, JsonValue] = msgspec.to_builtins(self)
        payload: dict[str, JsonValue] = {
            "subsystem": SUBSYSTEM,
            "summary": f"{self.verdict}: {self.kind} {self.signal_id}: {self.subject}"[:200],
            "schema": LABEL_SCHEMA,
            **fields,
        }
        return EventDraft(
            event_class="review",
            payload=payload,
            object_ref=f"label:{self.signal_id}",
            causation_id=derived_event_id("signal", self.signal_id),
            timestamp_ns=timestamp_ns,
        )


def label_of(signal: Signal, verdict: Verdict, note: str | None = None) -> Label:
    """Label a signal; ``note`` must be redacted already."""
    return Label(
        signal_id=signal.id,
        verdict=verdict,
        fingerprint=signal.fingerprint,
        kind=signal.kind,
        detector=signal.detector,
        version=signal.version,
        rule=signal.rule,
        tier=signal.tier,
        profile=signal.profile,
        subject=signal.summary,
        tool=signal.tool,
        note=note[:NOTE_CHARS_MAX] if note else None,
    )


def label_from_payload(payload: JsonValue) -> Label | None:
    """Read a ``review`` event's payload; None when it is no label, or one of a newer kind."""
    if not isinstance(payload, dict) or payload.get("subsystem") != SUBSYSTEM:
        return None
    if payload.get("schema") != LABEL_SCHEMA:
        return None
    try:
        return msgspec.convert(payload, Label)
    except msgspec.ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class Given:
    """A label with its place in the total order. ``order`` is (timestamp in ns, source, epoch, sequence)."""

    label: Label
    order: tuple[int, str, str, int]

    @property
    def timestamp_ns(self) -> int:
        """When it was given, in Unix nanoseconds."""
        return self.order[0]

    @property
    def host(self) -> str:
        """On which host it was given."""
        return self.order[1]

    def to_json(self) -> dict[str, JsonValue]:
        """Give the label as a JSON object, with when and where it was given."""
        fields: dict[str, JsonValue] = msgspec.to_builtins(self.label)
        return {**fields, "labelled_at": format_time(self.timestamp_ns), "labelled_on": self.host}


@dataclass(frozen=True, slots=True)
class LabelBook:
    """The labels that stand, by signal id: ``standing`` without the cleared ones, ``latest`` with them.

    ``mutes`` is by fingerprint: the last label of any of its signals, where that is one that mutes. Saying of
    another of its signals that it is right therefore ends the mute.
    """

    standing: Mapping[str, Given]
    latest: Mapping[str, Given]
    mutes: Mapping[str, Given]

    def verdict(self, signal_id: str) -> Verdict | None:
        """Give what stands of a signal."""
        given = self.standing.get(signal_id)
        return None if given is None else given.label.verdict

    def next_timestamp_ns(self, signal_id: str, now_ns: int) -> int:
        """Give the time for a new label: after every known one of its signal, whatever other clocks say."""
        latest = self.latest.get(signal_id)
        return now_ns if latest is None else max(now_ns, latest.timestamp_ns + 1)

    def in_order(self) -> list[Given]:
        """Give the standing labels, oldest first."""
        return sorted(self.standing.values(), key=lambda given: given.order)


NO_LABELS = LabelBook({}, {}, {})


def read_labels(events: Iterable[Event]) -> LabelBook:
    """Find the labels that stand, whatever the order or repetition of ``events``."""
    latest: dict[str, Given] = {}
    for event in events:
        label = label_from_payload(event.payload()) if event.stored.event_class == "review" else None
        if label is None:
            continue
        kept = latest.get(label.signal_id)
        if kept is None or event.order > kept.order:
            latest[label.signal_id] = Given(label, event.order)
    standing = {
        signal_id: given for signal_id, given in latest.items() if given.label.verdict is not Verdict.CLEARED
    }
    return LabelBook(standing, latest, _mutes(standing.values()))


def _mutes(standing: Iterable[Given]) -> dict[str, Given]:
    last: dict[str, Given] = {}
    for given in standing:
        if given.label.verdict is Verdict.UNSURE:
            continue
        kept = last.get(given.label.fingerprint)
        if kept is None or given.order > kept.order:
            last[given.label.fingerprint] = given
    return {fingerprint: given for fingerprint, given in last.items() if given.label.verdict in MUTING}
