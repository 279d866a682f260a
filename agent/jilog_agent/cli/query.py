"""``jilog query``."""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import plain, print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import InputError
from jilog_ledger.event import EVENT_CLASSES, Event, JsonValue, valid_class
from jilog_ledger.times import SECOND_NS, format_time, now_ns, parse_moment


@dataclass(frozen=True, slots=True)
class ZoneEvents:
    """What one zone gave: the events shown, and how many match in all."""

    zone: str
    events: list[Event]
    matching: int


@click.command(
    "query",
    cls=JilogCommand,
    examples=(
        "jilog query --since 7d",
        "jilog query --since 24h --subsystem 'review-*' --json",
        "jilog query --text 'disk full' --class state_change",
    ),
)
@click.option("--since", default="7d", metavar="TIME", help="30m, 24h, 7d or a date.", show_default=True)
@click.option("--until", metavar="TIME", help="Leave out what came at this time or later.")
@click.option("--subsystem", "subsystems", multiple=True, metavar="GLOB", help="As 'review-*'; repeatable.")
@click.option("--class", "classes", multiple=True, metavar="CLASS", help="Such as learning; repeatable.")
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only from this host; repeatable.")
@click.option("--text", metavar="WORDS", help="Full-text search; all words must be there.")
@click.option("--limit", default=100, metavar="N", help="Newest N of a zone; 0 for all.", show_default=True)
@zone_option
@json_option
def command(
    *,
    since: str,
    until: str | None,
    subsystems: tuple[str, ...],
    classes: tuple[str, ...],
    sources: tuple[str, ...],
    text: str | None,
    limit: int,
    zone: str | None,
    as_json: bool,
) -> None:
    """Find events in all zones, the newest first. All filters must match."""
    if limit < 0:
        raise InputError(f"--limit is {limit}", hint="use 0 for all events")
    now = now_ns()
    since_ns = parse_moment(since, now=now)
    until_ns = parse_moment(until, now=now) if until else None
    named = tuple(_class_name(name) for name in classes)
    workspace = open_workspace()
    identity = workspace.identity()
    # SQLAlchemy takes a third of a second to import; a wrong flag should not wait for it.
    from jilog_ledger.projection import EventQuery, Projection

    query = EventQuery(
        since_ns=since_ns,
        until_ns=until_ns,
        classes=named,
        subsystems=subsystems,
        sources=sources,
        text=text,
        limit=limit or None,
        # What several hosts imported stands in the ledger of each; of one host alone it is asked for by name.
        distinct=not sources,
    )
    found: list[ZoneEvents] = []
    with workspace.zones(zone, identity) as ledgers:
        for ledger in ledgers:
            with Projection.open(ledger) as projection:
                projection.apply()
                events = projection.query(query)
                matching = projection.count(query) if limit and len(events) == limit else len(events)
                found.append(ZoneEvents(ledger.zone, events, matching))
    if as_json:
        print_json(_document(since_ns, until_ns, found))
    else:
        _print_text(since, subsystems, found)
    _tell_about_limit(found)


def _class_name(name: str) -> str:
    """Read a class as people write it: ``state-change``, ``StateChange`` and ``state_change`` are one."""
    folded = name.lower().replace("-", "").replace("_", "")
    for known in EVENT_CLASSES:
        if known.replace("_", "") == folded:
            return known
    from jilog_agent.config.nearest import did_you_mean

    hint = did_you_mean(name, EVENT_CLASSES)
    if hint is None and valid_class(name):
        # A newer peer's class: carried by the ledger, so it can be asked for, too.
        return name
    raise InputError(
        f"unknown event class {name[:80]!r}", hint=hint or f"use one of: {', '.join(EVENT_CLASSES)}"
    )


def _document(since_ns: int, until_ns: int | None, found: list[ZoneEvents]) -> dict[str, JsonValue]:
    zones: list[JsonValue] = []
    events: list[JsonValue] = []
    for part in found:
        zones.append({"zone": part.zone, "shown": len(part.events), "matching": part.matching})
        events.extend({"zone": part.zone, "event": event.to_json()} for event in part.events)
    until = format_time(until_ns) if until_ns is not None else None
    return {"since": format_time(since_ns), "until": until, "zones": zones, "events": events}


def _print_text(since: str, subsystems: tuple[str, ...], found: list[ZoneEvents]) -> None:
    total = sum(len(part.events) for part in found)
    # The double quotes of JSON are those of the form this line has always had.
    patterns = json.dumps(list(subsystems), ensure_ascii=False)
    if not total:
        matching = f" matching {patterns}" if subsystems else ""
        print_line(f"No events found since {since}{matching}.")
        return
    print_line(f"Found {total} event(s) since {since}")
    if subsystems:
        print_line(f"Subsystem filter: {patterns}")
    print_line()
    for part in found:
        if part.events:
            print_line(f"Zone: {part.zone} ({len(part.events)} events)")
            for event in part.events:
                print_line(event_line(event))
            print_line()


def event_line(event: Event) -> str:
    """Write one event as ``  [time] class subsystem summary``, in UTC."""
    payload = event.payload()
    fields = payload if isinstance(payload, dict) else {}
    subsystem = fields.get("subsystem")
    if not isinstance(subsystem, str):
        subsystem = (event.stored.object_ref or "").partition("subsystem:")[2]
    summary = fields.get("summary")
    moment = format_time(event.stored.timestamp_ns // SECOND_NS * SECOND_NS)[:19].replace("T", " ")
    event_class = event.stored.event_class.replace("_", "")
    line = f"  [{moment}] {event_class:14} {plain(subsystem or '?'):30} "
    return line + (plain(summary) if isinstance(summary, str) else "")


def _tell_about_limit(found: list[ZoneEvents]) -> None:
    for part in found:
        shown = len(part.events)
        if part.matching > shown:
            note(f"zone {part.zone}: {part.matching} events match, the newest {shown} are shown; see --limit")
