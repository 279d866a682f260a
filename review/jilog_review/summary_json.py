"""What a window holds, as JSON: the same facts as the digest's sections, and the signals themselves."""

from __future__ import annotations

from jilog_ledger.event import JsonValue
from jilog_review.aggregate import SignatureAlert, Summary, muted_groups
from jilog_review.fleet import host_coverage, silent_hosts
from jilog_review.improvement import improvement_of
from jilog_review.issue_view import judgement_json
from jilog_review.labels import NO_LABELS, LabelBook
from jilog_review.personas import personas_of
from jilog_review.precision import precision_of
from jilog_review.signal import Signal
from jilog_review.spend import spend_of


def summary_fields(summary: Summary) -> dict[str, JsonValue]:
    """Give the window's part of a result; ``docs/detectors.md`` describes its keys."""
    labels = summary.background.labels if summary.background else NO_LABELS
    groups = [group for run in summary.runs for group in run.spend]
    improvement = improvement_of(summary)
    return {
        "signals": [signal_json(signal, labels) for signal in summary.signals],
        "p0_alerts": {alert.tool: list(alert.sessions) for alert in summary.alerts},
        "p0_signatures": [_signature_json(alert) for alert in summary.signature_alerts],
        "low_confidence": len(summary.low_confidence),
        "muted": [
            {**given.to_json(), "signals_hidden": len(signals)} for given, signals in muted_groups(summary)
        ],
        "fleet": {
            "hosts": [host.to_json() for host in host_coverage(summary)],
            "silent": [host.to_json() for host in silent_hosts(summary)],
        },
        "spend": spend_of(groups).to_json(),
        "personas": {persona.key: persona.to_json() for persona in personas_of(summary.signals, groups)},
        "improvement": None if improvement is None else improvement.to_json(),
        "issues": [judgement_json(judgement) for judgement in summary.judgements],
        "precision": precision_json(labels, summary.profile),
    }


def signal_json(signal: Signal, labels: LabelBook) -> dict[str, JsonValue]:
    """Give a signal with what people say of it; ``verdict`` is null where nobody said anything."""
    verdict = labels.verdict(signal.id)
    return {
        **signal.to_json(),
        "verdict": None if verdict is None else verdict.value,
        "muted": signal.fingerprint in labels.mutes,
    }


def precision_json(labels: LabelBook, profile: str | None) -> list[JsonValue]:
    """Give the precision of each detector and tier."""
    return [precision.to_json() for precision in precision_of(labels.standing.values(), profile)]


def _signature_json(alert: SignatureAlert) -> JsonValue:
    share = alert.share
    return {
        "fingerprint": alert.fingerprint,
        "tool": alert.example.tool,
        "summary": alert.example.summary,
        "failures": alert.count,
        "sessions": list(alert.sessions),
        "sessions_using_tool": None if share is None else share.using,
        "later_command": alert.example.later_command,
    }
