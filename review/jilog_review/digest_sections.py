"""The digest's sections after the seed's, each only when it has content.

They say nothing that differs between nodes which hold the same events: no paths of the host that renders
them, no moment of rendering, no order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from jilog_ledger.times import SECOND_NS, format_time
from jilog_review.aggregate import HISTORY_DAYS, SignatureAlert, Summary, muted_groups
from jilog_review.detector import Kind
from jilog_review.digest_lines import (
    at_most,
    coded,
    counted,
    filed_as,
    full_line,
    one_line,
    section,
    worked_later,
)
from jilog_review.fingerprint import canonical_tool
from jilog_review.fleet import PROBLEMS_SHOWN_MAX, HostCoverage, SilentHost, host_coverage, silent_hosts
from jilog_review.headline import headline
from jilog_review.improvement import Improvement, Quiet, Recurring, Sightings, improvement_of
from jilog_review.issue_view import issue_name
from jilog_review.labels import Given
from jilog_review.money import dollars
from jilog_review.outcomes import Judgement, Outcome, closed_date
from jilog_review.personas import Persona, personas_of
from jilog_review.precision import precision_of
from jilog_review.signal import Signal
from jilog_review.spend import Spend, SpendGroup, spend_of
from jilog_review.transcript import Coverage

LINES_MAX = 20
"""Lines of one list in these sections: a digest is read in a morning, and commands show the rest."""

_SUBJECT_CHARS_MAX = 160
_SESSIONS_SHOWN_MAX = 5
_UNKNOWN_TYPES_SHOWN_MAX = 3
_ISSUES = "jilog issues list --all"


def later_sections(summary: Summary) -> list[str]:
    """Write all sections that have content, in their order."""
    groups = [group for run in summary.runs for group in run.spend]
    parts: tuple[tuple[str, Sequence[str]], ...] = (
        ("Patterns", [_pattern_line(signal, summary) for signal in summary.of_kind(Kind.PATTERN)]),
        ("P0 by signature", _signature_lines(summary)),
        ("Improvement", [*_improvement_lines(improvement_of(summary)), *_judgement_lines(summary)]),
        ("Fleet coverage", _coverage_lines(summary)),
        ("Spend", _spend_lines(spend_of(groups))),
        ("Personas", [_persona_line(persona) for persona in personas_of(summary.signals, groups)]),
        ("Redactions", _redaction_lines(summary)),
        ("Muted", _muted_lines(summary)),
        ("Low confidence", _low_lines(summary)),
        ("Precision", _precision_lines(summary)),
    )
    return [section(title, "", lines) for title, lines in parts if lines]


def _pattern_line(signal: Signal, summary: Summary) -> str:
    return full_line(signal) + filed_as(signal.fingerprint, summary.issue_names)


def _signature_lines(summary: Summary) -> list[str]:
    lines = [_signature_line(alert, summary) for alert in summary.signature_alerts]
    return at_most(lines, LINES_MAX, "jilog review nightly --json")


def _signature_line(alert: SignatureAlert, summary: Summary) -> str:
    signal = alert.example
    share = f"{len(alert.sessions)} distinct sessions" if alert.share is None else str(alert.share)
    shown = ", ".join(alert.sessions[:_SESSIONS_SHOWN_MAX])
    more = len(alert.sessions) - _SESSIONS_SHOWN_MAX
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"- **P0**: {coded(canonical_tool(signal.tool or 'unknown'))} {_telling(signal)}"
        f" — {counted(alert.count, 'failure')} in {share}"
        f" (`{alert.fingerprint}`): {one_line(shown)}{rest}{worked_later(signal)}"
        f"{filed_as(alert.fingerprint, summary.issue_names)}"
    )


def _telling(signal: Signal) -> str:
    """Give the line of a failure that tells what it was, cut to what a person takes in at a glance."""
    text = " ".join((headline(signal.excerpt) or signal.excerpt).split())
    return text if len(text) <= _SUBJECT_CHARS_MAX else text[: _SUBJECT_CHARS_MAX - 1].rstrip() + "…"


def _improvement_lines(improvement: Improvement | None) -> list[str]:
    if improvement is None:
        return []
    found = improvement
    several = [seen for seen in found.new if len(seen.sessions) > 1]
    exposure = f"{counted(found.sessions, 'session')} read now, {found.earlier_sessions} before"
    counts = f"{len(found.new)} new, {len(found.recurring)} recurring, {len(found.resolved)} resolved"
    lines = [f"- {counts}, against the {HISTORY_DAYS} days before ({exposure})"]
    where = "jilog review trend"
    lines += at_most([_recurring_line(item, found) for item in found.recurring], LINES_MAX, where)
    lines += at_most([_new_line(seen) for seen in several], LINES_MAX, where)
    lines += at_most([_resolved_line(item) for item in found.resolved], LINES_MAX, where)
    if found.unproven:
        problems = counted(found.unproven, "problem")
        lines.append(f"- {problems} not seen, in too few days or sessions to call resolved")
    return lines


def _recurring_line(item: Recurring, found: Improvement) -> str:
    now, before = item.now, item.earlier
    return (
        f"- **Recurring**: {_subject(now)} — {_seen(now)}{_rate(now, found.sessions)},"
        f" before {_seen(before)}{_rate(before, found.earlier_sessions)}"
    )


def _new_line(seen: Sightings) -> str:
    return f"- **New**: {_subject(seen)} — {_seen(seen)}"


def _resolved_line(item: Quiet) -> str:
    return (
        f"- **Resolved**: {_subject(item.earlier)} — last seen {item.earlier.last_date},"
        f" quiet for {item.quiet_days} days and {counted(item.exposure, 'session')}"
    )


def _judgement_lines(summary: Summary) -> list[str]:
    """Say which fixes held and which did not, and how many closings prove nothing yet."""
    by_outcome: dict[Outcome, list[Judgement]] = {}
    for judgement in summary.judgements:
        by_outcome.setdefault(judgement.outcome, []).append(judgement)
    recurred, resolved = by_outcome.get(Outcome.RECURRED, []), by_outcome.get(Outcome.RESOLVED, [])
    waiting = len(by_outcome.get(Outcome.QUIET, [])) + len(by_outcome.get(Outcome.UNPROVEN, []))
    lines = at_most([_recurred_line(item) for item in recurred], LINES_MAX, _ISSUES)
    lines += at_most([_held_line(item) for item in resolved], LINES_MAX, _ISSUES)
    if waiting:
        closed = counted(waiting, "closed issue")
        lines.append(f"- {closed} not seen since, in too few days or sessions to call resolved")
    return lines


def _recurred_line(judgement: Judgement) -> str:
    again = judgement.issue.reopened_on
    when = f"opened again on {again}" if again else f"seen {counted(judgement.recurrences, 'time')} since"
    return f"- **Fix did not hold**: {_issue(judgement)} — {when}"


def _held_line(judgement: Judgement) -> str:
    return (
        f"- **Fix holds**: {_issue(judgement)} — closed {closed_date(judgement.issue)}, quiet for"
        f" {judgement.quiet_days} days and {counted(judgement.exposure, 'session')}"
    )


def _issue(judgement: Judgement) -> str:
    issue = judgement.issue
    return f"{one_line(issue_name(issue), 80)} {one_line(issue.ref.title, _SUBJECT_CHARS_MAX)}"


def _subject(seen: Sightings) -> str:
    return (
        f"{seen.example.kind.value} `{seen.fingerprint}` {one_line(seen.example.summary, _SUBJECT_CHARS_MAX)}"
    )


def _seen(seen: Sightings) -> str:
    return f"{counted(seen.count, 'signal')} in {counted(len(seen.sessions), 'session')}"


def _rate(seen: Sightings, sessions: int) -> str:
    """Write how many of 100 sessions met the problem, in tenths, by integers alone."""
    if sessions == 0:
        return ""
    tenths = (1000 * len(seen.sessions) + sessions // 2) // sessions
    return f" ({tenths // 10}.{tenths % 10} per 100)"


def _coverage_lines(summary: Summary) -> list[str]:
    lines: list[str] = []
    for host in host_coverage(summary):
        lines.append(_host_line(host))
        lines += [f"  - {one_line(problem)}" for problem in host.problems[:PROBLEMS_SHOWN_MAX]]
        more = len(host.problems) - PROBLEMS_SHOWN_MAX
        if more > 0:
            lines.append(f"  - … and {counted(more, 'further problem')}")
    return lines + [_silent_line(host, summary) for host in silent_hosts(summary)]


def _host_line(host: HostCoverage) -> str:
    coverage = host.coverage
    recorded = format_time(host.recorded_ns // SECOND_NS * SECOND_NS)
    line = (
        f"- {coded(host.host)}: reviewed up to {host.last_date} ({recorded}),"
        f" {counted(host.sessions, 'session')}, {counted(coverage.files, 'file')},"
        f" {counted(coverage.lines, 'line')}"
    )
    gaps = (
        (coverage.bad_lines, "bad line", None),
        (coverage.bad_utf8, "line not UTF-8", "lines not UTF-8"),
        (coverage.long_lines, "line too long", "lines too long"),
        (coverage.unreadable, "unreadable file", None),
    )
    return line + _unknown(coverage) + "".join(f", {counted(n, one, many)}" for n, one, many in gaps if n)


def _unknown(coverage: Coverage) -> str:
    if not coverage.unknown:
        return ""
    most = sorted(coverage.unknown.items(), key=lambda item: (-item[1], item[0]))[:_UNKNOWN_TYPES_SHOWN_MAX]
    names = ", ".join(f"{coded(one_line(name, 60))} {count}" for name, count in most)
    return f", {counted(sum(coverage.unknown.values()), 'line')} of unknown types ({names})"


def _silent_line(host: SilentHost, summary: Summary) -> str:
    if host.last_date is not None:
        return f"- {coded(host.host)}: no review in this window; the last is of {host.last_date}"
    days = (summary.window.last - summary.window.first + timedelta(days=1)).days + HISTORY_DAYS
    return f"- {coded(host.host)}: writes to this ledger, but no review in {days} days"


def _spend_lines(spend: Spend) -> list[str]:
    total = spend.total
    if not total.with_usage:
        return []
    cost = total.usage.cost
    sessions = f"{total.with_usage} session(s) with usage"
    lines = [
        f"- **Total**: no cost data ({sessions}; unpriced models)"
        if cost is None
        else f"- **Total**: {dollars(cost)} across {total.priced} of {sessions} data",
        f"- **Tokens**: {total.input_tokens} in / {total.output_tokens} out",
    ]
    lines += _listed("Spend by role", _priced(spend.by_role))
    lines += _listed("Spend by model", _priced(spend.by_model))
    lines += _listed(
        "Tokens by model", [f"- {coded(name)}: {_tokens(group)}" for name, group in spend.by_model]
    )
    return lines


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return (
        ["", f"### {title}", "", *at_most(lines, LINES_MAX, "jilog review nightly --json")] if lines else []
    )


def _priced(groups: Iterable[tuple[str, SpendGroup]]) -> list[str]:
    return [
        f"- {coded(name)}: {dollars(group.usage.cost)}"
        for name, group in groups
        if group.usage.cost is not None
    ]


def _tokens(group: SpendGroup) -> str:
    return f"{group.input_tokens} in / {group.output_tokens} out"


def _persona_line(persona: Persona) -> str:
    spend = persona.spend
    sessions = f"({spend.sessions} session(s))"
    usage = ""
    if spend.input_tokens or spend.output_tokens or spend.usage.cost is not None:
        cost = "" if spend.usage.cost is None else f", {dollars(spend.usage.cost)}"
        usage = f" — {_tokens(spend)} tokens{cost}"
    if not any(persona.counts.values()):
        return f"- `{persona.key}`: no signals {sessions}{usage}"
    counts = ", ".join(f"{persona.counts[kind]} {kind.value}s" for kind in Kind)
    return f"- `{persona.key}`: {counts} {sessions}{usage}"


def _redaction_lines(summary: Summary) -> list[str]:
    touched = [signal for signal in (*summary.signals, *summary.muted) if signal.redactions]
    if not touched:
        return []
    places = sum(signal.redactions for signal in touched)
    return [f"- {counted(places, 'place')} replaced in {counted(len(touched), 'signal')} before storing"]


def _muted_lines(summary: Summary) -> list[str]:
    lines = [_muted_line(given, signals) for given, signals in muted_groups(summary)]
    return at_most(lines, LINES_MAX, "jilog label list --muted")


def _muted_line(given: Given, signals: Sequence[Signal]) -> str:
    label = given.label
    subject = one_line(label.subject, _SUBJECT_CHARS_MAX)
    return (
        f"- `{label.fingerprint}` {label.kind.value}: {counted(len(signals), 'signal')} hidden by"
        f" {label.verdict.value} of {format_time(given.timestamp_ns)[:10]} on {coded(given.host)}: {subject}"
    )


def _low_lines(summary: Summary) -> list[str]:
    lines = [f"- {signal.kind.value} {full_line(signal)[2:]}" for signal in summary.low_confidence]
    return at_most(lines, LINES_MAX, "jilog review signals --tier B")


def _precision_lines(summary: Summary) -> list[str]:
    labels = summary.background.labels if summary.background else None
    if labels is None:
        return []
    found = precision_of(labels.standing.values(), summary.profile)
    return [f"- {precision.line()}" for precision in found]
