"""Decisions as documents: markdown, JSON and text, and the templates for a pull request, a retrospective and
a handoff. Pure functions from entries, the oldest first, to one string."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.text import clock, day, first_sentence, json_text, one_line, visible
from jilog_ledger.errors import InputError

FORMATS = ("markdown", "json", "text")
TEMPLATES = ("pr", "retro", "handoff")

_RETRO_SECTIONS = (
    ("decision", "Decisions made"),
    ("deferred", "Deferred items"),
    ("assumption", "Assumptions"),
    ("attempt_failed", "Failed attempts"),
    ("question", "Open questions"),
)


def export_entries(
    entries: Sequence[Entry], *, format_name: str | None = None, template: str | None = None
) -> str:
    """Write entries in a format, markdown unless said otherwise, or fill a template.

    Raises:
        InputError: the format or template is unknown, or both were asked for.
    """
    if template is None:
        return _chosen("format", format_name or "markdown", _FORMATS)(entries)
    if format_name not in (None, "markdown"):
        raise InputError(
            f"template {template} is markdown and cannot be written as {format_name}",
            hint="leave --format out, or --template",
        )
    return _chosen("template", template, _TEMPLATES)(entries)


Writer = Callable[[Sequence[Entry]], str]


def _chosen(kind: str, name: str, known: dict[str, Writer]) -> Writer:
    if name not in known:
        from jilog_agent.config.nearest import did_you_mean

        raise InputError(
            f'invalid {kind} "{name[:80]}": must be one of {", ".join(known)}', hint=did_you_mean(name, known)
        )
    return known[name]


def _json(entries: Sequence[Entry]) -> str:
    return json_text([entry.to_json() for entry in entries])


def _markdown(entries: Sequence[Entry]) -> str:
    if not entries:
        return "No entries found."
    lines = ["# Decision Log Export", ""]
    for entry in entries:
        lines += [f"## {one_line(entry.title)}", "", *_markdown_facts(entry), ""]
        if entry.body:
            lines += [visible(entry.body), ""]
    return "\n".join(lines)


def _markdown_facts(entry: Entry) -> Iterator[str]:
    yield f"- **Type:** {entry.kind}"
    yield f"- **Time:** {clock(entry.timestamp_ns)}"
    yield f"- **Session:** {one_line(entry.session)[:8]}"
    for label, values in _lists(entry):
        yield f"- **{label}:** {one_line(', '.join(values))}"


def _lists(entry: Entry) -> Iterator[tuple[str, Sequence[str]]]:
    if entry.tags:
        yield "Tags", entry.tags
    if entry.paths:
        yield "Files", entry.paths
    if entry.decision is not None and entry.decision.alternatives:
        yield "Alternatives", entry.decision.alternatives
    if entry.decision is not None and entry.decision.outcome:
        yield "Outcome", (entry.decision.outcome,)


def _text(entries: Sequence[Entry]) -> str:
    return "\n\n".join(_text_block(entry) for entry in entries) or "No entries found."


def _text_block(entry: Entry) -> str:
    lines = [f"{clock(entry.timestamp_ns)} [{entry.kind}] {one_line(entry.title)}"]
    if entry.body:
        lines.append(visible(entry.body))
    lines += [f"{label}: {one_line(', '.join(values))}" for label, values in _lists(entry)]
    return "\n".join(lines)


def _pull_request(entries: Sequence[Entry]) -> str:
    decisions = [entry for entry in entries if entry.kind == "decision"]
    others = [entry for entry in entries if entry.kind != "decision"]
    parts = []
    if decisions:
        parts.append(
            "\n".join(["## What changed", "", *(f"- {_summary(entry, ' - ')}" for entry in decisions)])
        )
    if others:
        notes = (f"- [{entry.kind}] {one_line(entry.title)}" for entry in others)
        parts.append("\n".join(["## Notes", "", *notes]))
    return "\n\n".join(parts) or "No decisions to summarize."


def _retrospective(entries: Sequence[Entry]) -> str:
    parts = ["# Retrospective"]
    for kind, heading in _RETRO_SECTIONS:
        items = [
            f"- {_summary(entry, ': ')} ({day(entry.timestamp_ns)})"
            for entry in entries
            if entry.kind == kind
        ]
        if items:
            parts.append("\n".join([f"## {heading}", "", *items]))
    return "\n\n".join(parts) if len(parts) > 1 else "No entries for retrospective."


def _handoff(entries: Sequence[Entry]) -> str:
    if not entries:
        return "No decisions found for these files."
    parts = ["# Handoff Document"]
    for entry in entries:
        lines = [f"### {one_line(entry.title)} [{entry.kind}] ({clock(entry.timestamp_ns)})"]
        if entry.body:
            lines += ["", visible(entry.body)]
        if entry.paths:
            lines += ["", f"**Files:** {one_line(', '.join(entry.paths))}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _summary(entry: Entry, between: str) -> str:
    sentence = first_sentence(entry.body)
    title = f"**{one_line(entry.title)}**"
    return f"{title}{between}{sentence}" if sentence else title


_FORMATS: dict[str, Writer] = {"markdown": _markdown, "json": _json, "text": _text}
_TEMPLATES: dict[str, Writer] = {"pr": _pull_request, "retro": _retrospective, "handoff": _handoff}
