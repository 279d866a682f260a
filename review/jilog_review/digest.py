"""The digest: a Markdown page of what a window holds, in the seed's exact bytes.

Other tools search these files, so the layout of the seed's sections never changes; what is new comes after
them, only under other profiles than ``seed``, and only when it has content.
"""

from __future__ import annotations

from datetime import date

from jilog_review.aggregate import Alert, Summary
from jilog_review.detector import Kind
from jilog_review.digest_lines import filed_as, full_line, plain_line, section
from jilog_review.digest_sections import later_sections
from jilog_review.signal import Signal

_SECTIONS = (Kind.CORRECTION, Kind.ERROR, Kind.WORKAROUND, Kind.DEFERRAL)


def digest_name(day: date) -> str:
    """Give the file name of a date's digest."""
    return f"learning-digest-{day.isoformat()}.md"


def render_digest(summary: Summary, *, plain: bool = True) -> str:
    """Write the page. ``plain`` is the seed's layout with nothing after it."""
    day = summary.window.last.isoformat()
    parts = [
        _frontmatter(summary, day, plain=plain),
        f"# Learning Digest — {day}\n\n",
        section("P0 Alerts", "_No P0 alerts._", [_alert_line(alert) for alert in summary.alerts]),
    ]
    for kind in _SECTIONS:
        lines = [_signal_line(signal, summary, plain=plain) for signal in summary.of_kind(kind)]
        title = f"{kind.value.capitalize()}s"
        parts.append(section(title, f"_No {kind.value}s detected._", lines))
    if not plain:
        parts.extend(later_sections(summary))
    return "".join(parts)


def _signal_line(signal: Signal, summary: Summary, *, plain: bool) -> str:
    """Write a signal and its issue. The seed never names the issue of a deferral."""
    line = plain_line(signal) if plain else full_line(signal)
    if plain and signal.kind is Kind.DEFERRAL:
        return line
    return line + filed_as(signal.fingerprint, summary.issue_names)


def _frontmatter(summary: Summary, day: str, *, plain: bool) -> str:
    counts = {kind: len(summary.of_kind(kind)) for kind in Kind}
    shown = [kind for kind in Kind if kind is not Kind.PATTERN or not plain]
    lines = [
        "---",
        f"date: {day}",
        f"signals_captured: {sum(counts[kind] for kind in shown)}",
        f"p0_count: {len(summary.alerts)}",
        *(f"{kind.value}s: {counts[kind]}" for kind in shown),
        *([] if plain else _later_keys(summary)),
        "---",
    ]
    return "\n".join(lines) + "\n\n"


def _later_keys(summary: Summary) -> list[str]:
    """Count what the sections after the seed's list, where there is any."""
    counts = {
        "p0_signatures": len(summary.signature_alerts),
        "low_confidence": len(summary.low_confidence),
        "muted": len(summary.muted),
    }
    return [f"{key}: {count}" for key, count in counts.items() if count]


def _alert_line(alert: Alert) -> str:
    sessions = ", ".join(alert.sessions)
    return f"- **P0 ALERT**: `{alert.tool}` failed in {len(alert.sessions)} distinct sessions: {sessions}"
