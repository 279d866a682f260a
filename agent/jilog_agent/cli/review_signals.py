"""``jilog review signals``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.workspace import Workspace
from jilog_ledger.times import format_time, now_ns

if TYPE_CHECKING:
    from pathlib import Path

    from jilog_agent.learning_log import LedgerLog
    from jilog_review.aggregate import Summary
    from jilog_review.explain import Explanation
    from jilog_review.labels import LabelBook
    from jilog_review.listing import SignalFilter
    from jilog_review.signal import Signal

_KINDS = ("correction", "error", "workaround", "deferral", "pattern")


@click.command(
    "signals",
    cls=JilogCommand,
    examples=(
        "jilog review signals --since 30d --tier A",
        "jilog review signals --kind error --detector precise.error --json",
        "jilog review signals --explain 5a1f0c",
    ),
)
@click.option("--since", default="7d", metavar="TIME", show_default=True, help="30m, 24h, 7d or a date.")
@click.option("--tier", "tiers", multiple=True, type=click.Choice(["A", "B"]), help="A is fit to file.")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Repeatable.")
@click.option("--detector", "detectors", multiple=True, metavar="NAME", help="Such as precise.error.")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only from this host; repeatable.")
@click.option("--fingerprint", metavar="HEX", help="Only this problem; its first digits are enough.")
@click.option("--muted", is_flag=True, help="List the muted ones, too.")
@click.option(
    "--explain", "explain_id", metavar="ID", help="Say which rule made this signal, on which words."
)
@click.option("--profile", metavar="NAME", help="Set of detectors whose signals to list.")
@click.option("--zone", metavar="ID", type=ZONE, help="Zone to read from (default: the first).")
@json_option
def signals(
    *,
    since: str,
    tiers: tuple[str, ...],
    kinds: tuple[str, ...],
    detectors: tuple[str, ...],
    hosts: tuple[str, ...],
    fingerprint: str | None,
    muted: bool,
    explain_id: str | None,
    profile: str | None,
    zone: str | None,
    as_json: bool,
) -> None:
    """List what was learned on all hosts, by the dates of the reviews, or explain one signal.

    Precision is of people's labels (jilog label), with the range that holds the true share with 95 %
    confidence.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import open_log
    from jilog_review.detector import Kind, Tier
    from jilog_review.listing import SignalFilter

    chosen = SignalFilter(
        tiers=tuple(Tier(tier) for tier in tiers),
        kinds=tuple(Kind(kind) for kind in kinds),
        detectors=detectors,
        hosts=hosts,
        fingerprint=fingerprint.lower() if fingerprint else None,
    )
    with open_log(workspace, zone, identity) as log:
        if explain_id is not None:
            _explain(log, explain_id, workspace.config.review.rule_folders, as_json=as_json)
            return
        _list(log, workspace, _Asked(since, profile, muted, chosen), as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the listing was asked for."""

    since: str
    profile: str | None
    muted: bool
    chosen: SignalFilter


def _list(log: LedgerLog, workspace: Workspace, asked: _Asked, *, as_json: bool) -> None:
    from jilog_agent.learned import window_summary
    from jilog_agent.night import review_date, window_seconds
    from jilog_review.aggregate import window_of
    from jilog_review.profiles import load_profile

    detectors = load_profile(asked.profile or workspace.config.review.profile)
    profile = detectors.name
    now = now_ns()
    window = window_of(review_date(workspace.config.timezone, now), window_seconds(asked.since, 1, now))
    summary = window_summary(log, window, profile)
    made_by = {signal.detector for signal in (*summary.signals, *summary.muted)}
    known = {*made_by, *(each.name for each in detectors.detectors)}
    _note_unknown("detector", asked.chosen.detectors, known | {name.rpartition(".")[2] for name in known})
    _note_unknown("host", asked.chosen.hosts, log.hosts())
    held = (*summary.signals, *summary.muted) if asked.muted else summary.signals
    found = [signal for signal in sorted(held, key=lambda s: s.order) if asked.chosen.takes(signal)]
    if as_json:
        _print_json(summary, found)
    else:
        _print_list(summary, found, asked)


def _note_unknown(what: str, asked: Collection[str], known: Collection[str]) -> None:
    """Tell of a name that nothing here has: an empty list alone would look as if all were well."""
    from jilog_review.plug_in import nearest_hint

    for name in asked:
        if name not in known:
            note(f"no {what} here is called {name[:80]!r}: {nearest_hint(name, sorted(known))}")


def _print_json(summary: Summary, found: Sequence[Signal]) -> None:
    from jilog_review.labels import NO_LABELS
    from jilog_review.summary_json import precision_json, signal_json

    labels = summary.background.labels if summary.background else NO_LABELS
    print_json(
        {
            "window": {"first": summary.window.first.isoformat(), "last": summary.window.last.isoformat()},
            "profile": summary.profile,
            "signals": [signal_json(signal, labels) for signal in found],
            "precision": precision_json(labels, summary.profile),
        }
    )


def _print_list(summary: Summary, found: Sequence[Signal], asked: _Asked) -> None:
    from jilog_review.labels import NO_LABELS
    from jilog_review.precision import precision_of

    labels = summary.background.labels if summary.background else NO_LABELS
    print_line(
        f"{len(found)} signal(s) of profile {summary.profile},"
        f" {summary.window.first.isoformat()} to {summary.window.last.isoformat()}"
    )
    if found:
        headers = ("ID", "DATE", "KIND", "TIER", "HOST", "LABEL", "WHAT")
        print_table(headers, [_row(signal, labels) for signal in found])
    precision = precision_of(labels.standing.values(), summary.profile)
    if precision:
        print_line()
        print_line("Precision by your labels:")
        for line in precision:
            print_line(f"  {line.line()}")
    if summary.muted and not asked.muted:
        note(f"{len(summary.muted)} muted signal(s) are left out; see --muted")


def _row(signal: Signal, labels: LabelBook) -> tuple[str, ...]:
    verdict = labels.verdict(signal.id)
    return (
        signal.id[:12],
        signal.review_date,
        signal.kind.value,
        signal.tier.value,
        signal.host,
        verdict.value if verdict else "muted" if signal.fingerprint in labels.mutes else "",
        signal.summary,
    )


def _explain(log: LedgerLog, text: str, rule_folders: Sequence[Path], *, as_json: bool) -> None:
    from jilog_agent.learned import all_signals
    from jilog_review.explain import explain
    from jilog_review.labels import read_labels
    from jilog_review.listing import signal_by_prefix
    from jilog_review.summary_json import signal_json

    held = all_signals(log)
    signal = signal_by_prefix(held, text)
    alike = [other for other in held.values() if other.fingerprint == signal.fingerprint]
    labels = read_labels(log.labels())
    explanation = explain(signal, rule_folders)
    if as_json:
        print_json(
            {
                "signal": signal_json(signal, labels),
                "explanation": explanation.to_json(),
                "alike": {
                    "signals": len(alike),
                    "sessions": len({other.root_session for other in alike}),
                    "hosts": [*sorted({other.host for other in alike})],
                    "first_date": min(other.review_date for other in alike),
                    "last_date": max(other.review_date for other in alike),
                },
            }
        )
        return
    for line in (*explain_lines(signal, explanation), *_more_lines(signal, alike, labels)):
        print_line(plain(line))


def explain_lines(signal: Signal, explanation: Explanation) -> list[str]:
    """Say what a signal is and why, in lines that hold one text each."""
    lines = [
        f"{signal.kind.value} {signal.id}, recorded on {signal.host} for {signal.review_date}",
        *explanation.lines(),
    ]
    if signal.command:
        lines.append(f"command: {' '.join(signal.command.split())}")
    lines.append("text:")
    lines += [f"  {line.rstrip()}" for line in signal.excerpt.splitlines() if line.strip()]
    return lines


def _more_lines(signal: Signal, alike: Sequence[Signal], labels: LabelBook) -> list[str]:
    sessions = len({other.root_session for other in alike})
    first, last = min(other.review_date for other in alike), max(other.review_date for other in alike)
    seen = f"{len(alike)} signal(s) in {sessions} session(s)"
    lines = [
        f"where: {signal.reader}, session {signal.session_id}, {signal.source_file} line {signal.line}",
        f"fingerprint: {signal.fingerprint}, {seen}, {first} to {last}",
    ]
    given = labels.standing.get(signal.id)
    if given is not None:
        reason = f": {given.label.note}" if given.label.note else ""
        when = f"given on {given.host} at {format_time(given.timestamp_ns)}"
        lines.append(f"label: {given.label.verdict.value}, {when}{reason}")
    mute = labels.mutes.get(signal.fingerprint)
    if mute is not None:
        lines.append(f"muted: by the label {mute.label.verdict.value} of {mute.label.signal_id}")
    return lines
