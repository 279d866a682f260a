"""``jilog label``: what people say of signals."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import InputError
from jilog_ledger.times import format_time, now_ns

if TYPE_CHECKING:
    from pathlib import Path

    from jilog_agent.learning_log import LedgerLog
    from jilog_agent.workspace import Workspace
    from jilog_review.labels import Given, Label
    from jilog_review.listing import SignalFilter
    from jilog_review.signal import Signal

_THIS = "jilog_agent.cli.label"
_VERDICTS = ("tp", "fp", "wontfix", "unsure")
_SET = "set"

zone_option = click.option(
    "--zone", metavar="ID", type=ZONE, help="Zone of the signals (default: the first)."
)
note_option = click.option(
    "--note", metavar="TEXT", help="Why, in a sentence; it is redacted and replicated."
)


class LabelGroup(LazyGroup):
    """Takes ``jilog label ID VERDICT`` beside its commands."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take what is followed by a verdict for a signal's id."""
        if args[0] not in self.table and not args[0].startswith("-") and len(args) > 1:
            return _SET, self.get_command(ctx, _SET), args
        return super().resolve_command(ctx, args)


group = LabelGroup(
    name="label",
    help="Say of signals whether they are right: every host learns it.\n\n"
    "tp: right. fp: wrong, its fingerprint is muted on all hosts. wontfix: right, but muted. unsure: open.",
    examples=(
        "jilog label 5a1f0c fp --note 'a test, not a failure'",
        "jilog label review",
        "jilog label list --muted",
        "jilog label clear 5a1f0c",
    ),
    table={
        _SET: Entry(f"{_THIS}:set_label", "Label one signal; the same as: jilog label ID VERDICT."),
        "review": Entry(f"{_THIS}:review", "Go through signals in the terminal, one key for each."),
        "list": Entry(f"{_THIS}:list_labels", "List the labels that stand."),
        "clear": Entry(f"{_THIS}:clear", "Take a signal's label back."),
    },
)


@click.command(
    _SET, cls=JilogCommand, examples=("jilog label set 5a1f0c tp", "jilog label 5a1f0c fp --note 'a test'")
)
@click.argument("signal_id", metavar="ID")
@click.argument("verdict", metavar="tp|fp|wontfix|unsure")
@note_option
@zone_option
@json_option
def set_label(*, signal_id: str, verdict: str, note: str | None, zone: str | None, as_json: bool) -> None:
    """Label a signal by its id, or the beginning of it. The later of two labels counts, on every host."""
    chosen = _verdict_name(verdict)
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import all_signals, open_log
    from jilog_agent.redaction import zone_redactor
    from jilog_review.labels import Verdict, label_of, read_labels
    from jilog_review.listing import signal_by_prefix

    redact = zone_redactor(workspace.config.zone(zone))
    with open_log(workspace, zone, identity) as log:
        signal = signal_by_prefix(all_signals(log), signal_id)
        label = label_of(signal, Verdict(chosen), redact(note).text if note else None)
        _append(log, label)
        mutes = signal.fingerprint in read_labels(log.labels()).mutes
    _tell(label, muted=mutes, as_json=as_json)


def _verdict_name(text: str) -> str:
    import difflib

    if text.lower() in _VERDICTS:
        return text.lower()
    nearest = difflib.get_close_matches(text.lower(), _VERDICTS, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(_VERDICTS)}"
    raise InputError(f"no such label: {text[:40]!r}", hint=hint)


def _append(log: LedgerLog, label: Label) -> None:
    from jilog_review.labels import read_labels

    moment = read_labels(log.labels()).next_timestamp_ns(label.signal_id, now_ns())
    log.append([label.to_draft(moment)])


def _tell(label: Label, *, muted: bool, as_json: bool) -> None:
    import msgspec

    if as_json:
        print_json({"label": msgspec.to_builtins(label), "muted": muted})
        return
    print_line(plain(f"{label.verdict.value}: {label.kind.value} {label.signal_id} {label.subject}"))
    if muted:
        print_line(f"fingerprint {label.fingerprint} is muted on every host that receives this label")


@click.command("clear", cls=JilogCommand, examples=("jilog label clear 5a1f0c",))
@click.argument("signal_id", metavar="ID")
@zone_option
@json_option
def clear(*, signal_id: str, zone: str | None, as_json: bool) -> None:
    """Take the label of a signal back; a mute that rests on it ends."""
    workspace = open_workspace()
    identity = workspace.identity()
    from msgspec.structs import replace

    from jilog_agent.learned import open_log
    from jilog_review.labels import Verdict, read_labels

    with open_log(workspace, zone, identity) as log:
        given = _standing(read_labels(log.labels()).standing, signal_id)
        label = replace(given.label, verdict=Verdict.CLEARED, note=None)
        _append(log, label)
        mutes = label.fingerprint in read_labels(log.labels()).mutes
    _tell(label, muted=mutes, as_json=as_json)


def _standing(standing: Mapping[str, Given], text: str) -> Given:
    found = sorted(signal_id for signal_id in standing if signal_id.startswith(text.strip().lower()))
    if len(found) == 1:
        return standing[found[0]]
    hint = f"give more of it: {', '.join(found[:3])}" if found else "list them with: jilog label list"
    raise InputError(f"{len(found) or 'no'} labelled signals begin with {text[:40]!r}", hint=hint)


@click.command("list", cls=JilogCommand, examples=("jilog label list", "jilog label list --muted --json"))
@click.option("--muted", is_flag=True, help="Only the labels that mute a fingerprint.")
@zone_option
@json_option
def list_labels(*, muted: bool, zone: str | None, as_json: bool) -> None:
    """List the labels that stand, oldest first, and how precise each detector is by them."""
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import open_log
    from jilog_review.labels import read_labels
    from jilog_review.precision import precision_of
    from jilog_review.summary_json import precision_json

    with open_log(workspace, zone, identity) as log:
        book = read_labels(log.labels())
    muting = {given.label.signal_id for given in book.mutes.values()}
    found = [given for given in book.in_order() if not muted or given.label.signal_id in muting]
    if as_json:
        print_json(
            {
                "labels": [{**given.to_json(), "mutes": given.label.signal_id in muting} for given in found],
                "precision": precision_json(book, None),
            }
        )
        return
    print_line(f"{len(found)} label(s), {len(book.mutes)} fingerprint(s) muted")
    if found:
        headers = ("ID", "LABEL", "MUTES", "DATE", "HOST", "FINGERPRINT", "WHAT")
        print_table(headers, [_row(given, muting) for given in found])
    for precision in precision_of(book.standing.values()):
        print_line(precision.line())


def _row(given: Given, muting: set[str]) -> tuple[str, ...]:
    label = given.label
    return (
        label.signal_id[:12],
        label.verdict.value,
        "yes" if label.signal_id in muting else "",
        format_time(given.timestamp_ns)[:10],
        given.host,
        label.fingerprint,
        f"{label.subject} ({label.note})" if label.note else label.subject,
    )


@click.command("review", cls=JilogCommand, examples=("jilog label review --since 30d --tier A",))
@click.option("--since", default="30d", metavar="TIME", show_default=True, help="24h, 30d or a date.")
@click.option("--tier", "tiers", multiple=True, type=click.Choice(["A", "B"]), help="A is fit to file.")
@click.option("--detector", "detectors", multiple=True, metavar="NAME", help="Such as precise.error.")
@click.option("--profile", metavar="NAME", help="Set of detectors whose signals to ask about.")
@zone_option
def review(
    *, since: str, tiers: tuple[str, ...], detectors: tuple[str, ...], profile: str | None, zone: str | None
) -> None:
    """Ask about one signal of each problem that nobody has judged, in random order.

    Each key is recorded at once: stop with q or Ctrl-C whenever you like, and go on another day. Whoever
    stops early has labelled a fair sample.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("label review needs a terminal", hint="label one signal with: jilog label ID tp")
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.label_screen import LabelScreen, terminal_keys
    from jilog_agent.learned import open_log
    from jilog_review.detector import Tier
    from jilog_review.labels import Verdict, label_of
    from jilog_review.listing import SignalFilter

    chosen = SignalFilter(tiers=tuple(Tier(tier) for tier in tiers), detectors=detectors)
    with open_log(workspace, zone, identity) as log:

        def record(signal: Signal, verdict: Verdict) -> None:
            _append(log, label_of(signal, verdict))

        asked = _to_ask(log, workspace, since, profile, chosen)
        if not asked:
            print_line("nothing to label: every problem in this time was judged")
            return
        with terminal_keys() as read_key:
            show = partial(_show, workspace.config.review.rule_folders)
            screen = LabelScreen(read_key, _write, show, record)
            try:
                screen.run(asked)
            finally:
                note(f"{len(screen.labelled)} labelled, {len(asked) - len(screen.labelled)} left")


def _to_ask(
    log: LedgerLog, workspace: Workspace, since: str, profile: str | None, chosen: SignalFilter
) -> Sequence[Signal]:
    from jilog_agent.learned import window_summary
    from jilog_agent.night import review_date, window_seconds
    from jilog_review.aggregate import window_of
    from jilog_review.listing import to_review
    from jilog_review.profiles import load_profile

    now = now_ns()
    window = window_of(review_date(workspace.config.timezone, now), window_seconds(since, 1, now))
    name = load_profile(profile or workspace.config.review.profile).name
    summary = window_summary(log, window, name)
    labels = summary.background.labels if summary.background else None
    assert labels is not None
    return to_review([signal for signal in summary.signals if chosen.takes(signal)], labels)


def _write(line: str) -> None:
    print_line(plain(line))
    sys.stdout.flush()


def _show(rule_folders: Sequence[Path], signal: Signal) -> list[str]:
    from jilog_agent.cli.review_signals import explain_lines
    from jilog_review.explain import explain

    return explain_lines(signal, explain(signal, rule_folders))
