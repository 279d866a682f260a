"""Signals: what the review learned, as it stands in the ledger.

A signal is one fact about one place in one session. Its id is derived from that place, so that the same
fact has the same id on every host and at every rescan, and a message that several files repeat counts once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date

import msgspec

from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_ledger.identifiers import derived_event_id
from jilog_ledger.times import format_time
from jilog_review import limits
from jilog_review.detector import Detector, Finding, Kind, Tier
from jilog_review.fingerprint import fingerprint
from jilog_review.paths_at_hand import paths_at_hand
from jilog_review.redact import Redactor
from jilog_review.transcript import Transcript

SIGNAL_SCHEMA = 1
_KIND_ORDER = {kind: place for place, kind in enumerate(Kind)}
# Readers of one harness's sessions: what both of them find is one fact.
_ONE_HARNESS = frozenset({"amplifier", "context-intelligence"})


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One fact. ``timestamp`` is RFC 3339; ``line`` counts from 1; texts are redacted.

    ``review_date`` is the date (YYYY-MM-DD) of the review that recorded it: digests are made by that date.
    ``redactions`` counts the places replaced in its texts. ``label`` is the words the rule fired on,
    ``occurrences`` how often it did in this session; ``later_command`` worked after a failure. ``project`` is
    the folder that the session worked in, ``paths`` the files that the call named or that a person's words
    were about: those of the calls before them.
    """

    id: str
    kind: Kind
    detector: str
    version: int
    rule: str
    tier: Tier
    profile: str
    reader: str
    host: str
    session_id: str
    root_session: str
    source_file: str
    line: int
    part: int
    fingerprint: str
    excerpt: str
    review_date: str
    message_id: str | None = None
    timestamp: str | None = None
    tool: str | None = None
    command: str | None = None
    label: str | None = None
    persona: str | None = None
    channel: str | None = None
    seat: str | None = None
    redactions: int = 0
    occurrences: int = 1
    later_command: str | None = None
    project: str | None = None
    paths: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[str, str, str, int, int, int, str]:
        """The order of signals in every listing: reader, host, file, place in the file."""
        return (
            self.reader,
            self.host,
            self.source_file,
            self.line,
            self.part,
            _KIND_ORDER[self.kind],
            self.id,
        )

    @property
    def summary(self) -> str:
        """One line for listings of events."""
        subject = self.tool if self.kind is Kind.ERROR else self.label
        text = " ".join(self.excerpt.split())
        return f"{subject}: {text}"[:200] if subject else text[:200]

    def to_json(self) -> dict[str, JsonValue]:
        """Give the signal as a JSON object."""
        value: dict[str, JsonValue] = msgspec.to_builtins(self)
        return value

    def to_draft(self, timestamp_ns: int) -> EventDraft:
        """Make the ``learning`` event of this signal, recorded at ``timestamp_ns``.

        The event's id is derived from the signal's, so two hosts that find one fact make events that can be
        told to be the same. The review's date is the correlation, so one night's signals are found
        together.
        """
        payload: dict[str, JsonValue] = {
            "subsystem": f"review-{self.kind}",
            "summary": self.summary,
            "schema": SIGNAL_SCHEMA,
            **self.to_json(),
        }
        return EventDraft(
            event_class="learning",
            payload=payload,
            object_ref=signal_ref(self.id),
            correlation_id=night_id(self.review_date),
            timestamp_ns=timestamp_ns,
            event_id=derived_event_id("signal", self.id),
        )


def signal_ref(signal_id: str) -> str:
    """Give the ``object_ref`` of a signal's event."""
    return f"signal:{signal_id}"


def night_id(review_date: str) -> bytes:
    """Give the correlation id that all events of one review date share, on every host."""
    return derived_event_id("review-night", review_date)


def signal_from_event(event: Event) -> Signal | None:
    """Read the signal of a ``learning`` event from its bytes; None when it is no signal.

    The same as :func:`signal_from_payload` in a fraction of the time: a digest reads weeks of them.
    """
    try:
        if _SCHEMA_DECODER.decode(event.stored.payload).schema != SIGNAL_SCHEMA:
            return None
        return _SIGNAL_DECODER.decode(event.stored.payload)
    except msgspec.DecodeError:
        return None


def signal_from_payload(payload: JsonValue) -> Signal | None:
    """Read a ``learning`` event's payload; None when it is no signal (other makers' events are not ours)."""
    if not isinstance(payload, dict) or payload.get("schema") != SIGNAL_SCHEMA:
        return None
    try:
        return msgspec.convert(payload, Signal)
    except msgspec.ValidationError:
        return None


class _Schema(msgspec.Struct):
    schema: object = None


_SCHEMA_DECODER = msgspec.msgpack.Decoder(_Schema)
_SIGNAL_DECODER = msgspec.msgpack.Decoder(Signal)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a review gives to every signal it makes: where, under which profile, and for which date."""

    host: str
    profile: str
    review_date: date
    redactor: Redactor
    _places: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    _names: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def place(self, source_file: str) -> str:
        """Give a file's name redacted; all signals of one file share it."""
        known = self._places.get(source_file)
        if known is None:
            self._places.clear()
            known = self._places[source_file] = self.redactor(source_file).text
        return known

    def name(self, text: str) -> str:
        """Give a name that a transcript chose (an id, a tool, a model): redacted, at most NAME_CHARS_MAX."""
        known = self._names.get(text)
        if known is None:
            if len(self._names) >= limits.STAMP_NAMES_MAX:
                self._names.clear()
            shown = self.redactor(text[: limits.NAME_CHARS_MAX + limits.SECRET_CHARS_MAX]).text
            known = self._names[text] = shown[: limits.NAME_CHARS_MAX]
        return known

    def cleaned(self, transcript: Transcript) -> Transcript:
        """Give a transcript whose own names, and those of its unknown types, are redacted."""
        unknown: dict[str, int] = {}
        for kind, count in transcript.coverage.unknown.items():
            unknown[self.name(kind)] = unknown.get(self.name(kind), 0) + count
        return replace(
            transcript,
            session_id=self.name(transcript.session_id),
            root_session=self.name(transcript.root_session),
            persona=self._optional(transcript.persona),
            channel=self._optional(transcript.channel),
            seat=self._optional(transcript.seat),
            project=self._optional(transcript.project),
            model=self._optional(transcript.model),
            coverage=replace(transcript.coverage, unknown=unknown),
        )

    def _optional(self, name: str | None) -> str | None:
        return None if name is None else self.name(name)


def make_signal(finding: Finding, transcript: Transcript, detector: Detector, stamp: Stamp) -> Signal:
    """Redact a finding and give it its identity, fingerprint and stamp."""
    entry, timestamp_ns = finding.entry, finding.entry.timestamp_ns
    excerpt = stamp.redactor(finding.excerpt[: finding.excerpt_chars + limits.SECRET_CHARS_MAX])
    shown = excerpt.text[: finding.excerpt_chars]
    command = stamp.redactor(finding.command) if finding.command else None
    label = stamp.redactor(finding.label) if finding.label else None
    later = stamp.redactor(finding.later_command) if finding.later_command else None
    signature = stamp.redactor(finding.signature).text if finding.signature else shown
    return Signal(
        id=_signal_id(finding, transcript, detector, shown),
        kind=finding.kind,
        detector=detector.name,
        version=detector.version,
        rule=finding.rule,
        tier=finding.tier,
        profile=stamp.profile,
        reader=transcript.reader,
        host=stamp.host,
        session_id=transcript.session_id,
        root_session=transcript.root_session,
        source_file=stamp.place(transcript.source_file),
        line=entry.line,
        part=entry.part,
        fingerprint=fingerprint(finding.kind, finding.tool, signature),
        excerpt=shown,
        review_date=stamp.review_date.isoformat(),
        message_id=stamp.name(entry.message_id) if entry.message_id else None,
        timestamp=None if timestamp_ns is None else format_time(timestamp_ns),
        tool=stamp.name(finding.tool) if finding.tool else None,
        command=command.text[: limits.SIGNAL_COMMAND_CHARS_MAX] if command else None,
        label=label.text[: limits.LABEL_CHARS_MAX] if label else None,
        persona=transcript.persona,
        channel=transcript.channel,
        seat=transcript.seat,
        redactions=sum(redacted.places for redacted in (excerpt, command, later) if redacted),
        occurrences=finding.occurrences,
        later_command=later.text[: limits.SIGNAL_COMMAND_CHARS_MAX] if later else None,
        project=transcript.project,
        paths=tuple(stamp.name(path) for path in paths_at_hand(entry, transcript.entries)),
    )


def _signal_id(finding: Finding, transcript: Transcript, detector: Detector, excerpt: str) -> str:
    """Hash the fact: the rule and the place. Neither host, date, file nor the rule's version is part of it.

    The harness's own message id names the place wherever the message was copied to; one that counts within a
    session only is told apart from another harness's. Without an id the place is the session's line, together
    with its text, since a replaced file may have another message there.
    """
    entry = finding.entry
    if entry.message_id is not None:
        is_scoped = entry.message_id.startswith(f"{transcript.session_id}:")
        harness = (transcript.reader,) if is_scoped and transcript.reader not in _ONE_HARNESS else ()
        place: tuple[str, ...] = (*harness, entry.message_id, str(entry.part))
    else:
        place = (transcript.session_id, str(entry.line), str(entry.part), excerpt)
    digest = hashlib.sha256()
    for text in (detector.name, finding.rule, *place):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    return digest.hexdigest()[:20]
