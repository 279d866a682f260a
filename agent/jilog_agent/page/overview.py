"""The views of the fleet: overview, peers, health."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jilog_agent.cli.output import counted
from jilog_agent.page import limits
from jilog_agent.page.ask import Asker
from jilog_agent.page.frame import View, button_form, command, facts, failure, section
from jilog_agent.page.values import Document, inner, moment, names, number, rows, size, text
from jilog_ledger.errors import JilogError
from jilog_review.html.markup import Content, Markup, element, joined
from jilog_review.html.table import folded, table

_CALM = frozenset({"in_sync", "behind"})
_WAITING = frozenset({"never_synced", "paused"})


async def overview(ask: Asker, key: str) -> View:
    """Show this host, its peers, its zones and every writer on one page."""
    status, agent = await asyncio.gather(ask.document("status"), ask.document("agent", "status"))
    content = joined(
        _summary(status, inner(agent, "agent")),
        section("peers", "Peers", _peer_cards(rows(status, "peers"), key)),
        section("zones", "Zones", *(_zone(zone, key) for zone in rows(status, "zones"))),
    )
    return View("Overview", content, refreshed=True)


def _summary(status: Document, agent: Document) -> Markup:
    troubled = [peer for peer in rows(status, "peers") if text(peer, "reason") not in _CALM | _WAITING]
    damaged = sum(number(zone, "quarantined") for zone in rows(status, "zones"))
    read_only = text(agent, "read_only")
    troubles = [
        f"{len(troubled)} of {counted(len(rows(status, 'peers')), 'peer')} not in order" if troubled else "",
        f"{damaged} damaged segments wait to be fetched again" if damaged else "",
        f"this host takes no events: {read_only}" if read_only else "",
        "" if agent else "the agent does not answer",
    ]
    said = "; ".join(item for item in troubles if item) or "All is well."
    return element(
        "div",
        element("p", said, class_="verdict bad" if said != "All is well." else "verdict good"),
        facts(
            (
                "Agent",
                f"{text(agent, 'version')}, since {moment(agent, 'started')}" if agent else "not running",
            ),
            ("Endpoint", text(agent, "endpoint") or "none"),
            (
                "Seen on this network",
                ", ".join(text(item, "source") for item in rows(agent, "neighbours")) or "nobody",
            ),
            ("Home", text(status, "home")),
        ),
    )


def _peer_cards(peers: Sequence[Document], key: str) -> Markup:
    if not peers:
        return element("p", "No peers yet. Add one: ", command("jilog peer add NAME HOST"))
    return element("ul", *(_peer_card(peer, key) for peer in peers[: limits.ROWS_MAX]), class_="cards")


def _peer_card(peer: Document, key: str) -> Markup:
    name, reason = text(peer, "peer"), text(peer, "reason")
    step = text(peer, "next")
    action = (
        button_form("/do/resume", key, "Resume", peer=name)
        if reason == "paused"
        else joined(
            button_form("/do/sync", key, f"Sync {name} now", peer=name),
            button_form("/do/pause", key, f"Pause {name}", peer=name),
        )
    )
    return element(
        "li",
        element("h3", name),
        element("p", _badge(reason), " ", text(peer, "detail")),
        element("p", "Next: ", command(step)) if step else None,
        element("div", action, class_="actions"),
    )


def _badge(reason: str) -> Markup:
    mood = "good" if reason in _CALM else "waiting" if reason in _WAITING else "bad"
    return element("span", reason.replace("_", " "), class_=f"badge {mood}")


def _zone(zone: Document, key: str) -> Markup:
    damaged = number(zone, "quarantined")
    writers = rows(zone, "writers")
    lag = number(zone, "projection_lag")
    return element(
        "article",
        element("h3", text(zone, "zone")),
        facts(
            ("Events", number(zone, "events")),
            ("Segments", f"{number(zone, 'segments')}, {size(zone, 'bytes')}"),
            ("Confidential events", f"{number(zone, 'local_events')}, which stay on this host"),
            ("Root", element("code", text(zone, "root"))),
            ("Projection", f"{counted(lag, 'event')} behind" if lag else "up to date"),
            ("Last review", moment(zone, "last_review")),
            ("Quarantine", counted(damaged, "damaged segment") if damaged else "empty"),
        ),
        button_form("/do/repair", key, "Fetch the damaged segments again") if damaged else None,
        folded(
            counted(len(writers), "writer"),
            _writer_table(text(zone, "zone"), writers),
        ),
    )


def _writer_table(zone: str, writers: Sequence[Document]) -> Markup:
    latest = sorted(writers, key=lambda writer: text(writer, "last_event"), reverse=True)[: limits.ROWS_MAX]
    cells: list[list[Content]] = [
        [
            text(writer, "source"),
            element("code", text(writer, "epoch")),
            number(writer, "sequence"),
            size(writer, "bytes"),
            moment(writer, "last_event"),
        ]
        for writer in latest
    ]
    return table(f"Writers of zone {zone}", ("Host", "Epoch", "Sequence", "Size", "Last event"), cells)


async def peers(ask: Asker, _key: str) -> View:
    """Show, for every peer, zone and writer, how far it is and why."""
    document = await ask.document("spool", "status")
    found = rows(document, "peers")
    content = joined(*(_peer(peer) for peer in found)) if found else element("p", "No peers yet.")
    return View("Peers", content, refreshed=True)


def _peer(peer: Document) -> Markup:
    last = inner(peer, "last_sync")
    cells: list[list[Content]] = [
        [
            f"{text(writer, 'zone')} / {text(writer, 'source') or 'all'}",
            _badge(text(writer, "reason")),
            text(writer, "detail"),
            _lag(writer),
            command(text(writer, "next")) if text(writer, "next") else "",
        ]
        for writer in rows(peer, "writers")[: limits.ROWS_MAX]
    ]
    name = text(peer, "peer")
    return section(
        f"peer-{name}",
        name,
        facts(
            ("Address", text(peer, "address")),
            ("Zones", ", ".join(names(peer, "zones"))),
            ("Runs", text(last, "software") or "not told"),
            ("Last sync", moment(last, "at") if last else "never"),
            ("Last level", moment(last, "level_at") if last else "never"),
        ),
        table(f"Zones and writers at {name}", ("Zone / writer", "State", "Why", "Lag", "Next"), cells),
    )


def _lag(writer: Document) -> str:
    if writer.get("lag_events") is None:
        return "not known"
    if not number(writer, "lag_events"):
        return "none"
    seconds = f", {number(writer, 'lag_seconds')} s" if writer.get("lag_seconds") is not None else ""
    return f"{counted(number(writer, 'lag_events'), 'event')}, {size(writer, 'lag_bytes')}{seconds}"


async def health(ask: Asker, _key: str) -> View:
    """Show what doctor finds on this host, and the forks that are kept."""
    found, forks = await asyncio.gather(
        ask.document("doctor"), ask.document("spool", "forks"), return_exceptions=True
    )
    return View(
        "Health",
        joined(section("findings", "Findings", _findings(found)), section("forks", "Forks", _forks(forks))),
    )


def _findings(document: Document | BaseException) -> Markup:
    if isinstance(document, JilogError):
        return failure(document.message, document.hint)
    if isinstance(document, BaseException):
        raise document
    found = rows(document, "findings")
    if not found:
        return element("p", f"{len(names(document, 'checks'))} checks: all is well.", class_="verdict good")
    return element("ul", *(_finding(item) for item in found), class_="cards")


def _finding(item: Document) -> Markup:
    mood = {"error": "bad", "warning": "waiting"}.get(text(item, "level"), "good")
    return element(
        "li",
        element("h3", text(item, "check")),
        element("p", element("span", text(item, "level"), class_=f"badge {mood}"), " ", text(item, "what")),
        element("p", text(item, "why"), class_="quiet"),
        element("p", "Next: ", command(text(item, "next"))),
    )


def _forks(document: Document | BaseException) -> Markup:
    if isinstance(document, JilogError):
        return failure(document.message, document.hint)
    if isinstance(document, BaseException):
        raise document
    found = rows(document, "forks")
    if not found:
        return element("p", "No writer has two histories.")
    cells: list[list[Content]] = [
        [
            f"{text(fork, 'zone')} / {text(fork, 'source')}",
            element("code", text(fork, "epoch")),
            text(fork, "segment") or text(fork, "number"),
            "both histories are kept; the host goes on under a new epoch",
        ]
        for fork in found[: limits.ROWS_MAX]
    ]
    return table("Writers with two histories", ("Zone / host", "Epoch", "From segment", "State"), cells)
