"""``jilog turn current|status|log|show|grep|report|repair``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_agent.cli.turn_site import (
    SESSION_VARIABLE,
    agent_option,
    folder_option,
    found_store,
    open_site,
    wanted_session,
    zone_option,
)
from jilog_agent.decisions.text import visible
from jilog_agent.turns.store import needed
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.turn import Session

if TYPE_CHECKING:
    from jilog_agent.turns.documents import Dated
    from jilog_agent.turns.read import SessionStory, TurnFilter
    from jilog_agent.turns.site import Site


@folder_option
@click.command(
    "current", cls=JilogCommand, examples=("jilog turn current", "jilog turn current --agent reviewer")
)
@agent_option
@zone_option
@json_option
def current(*, agent: str, zone: str | None, as_json: bool) -> None:
    """Tell which session a turn would be recorded into."""
    tree, store = found_store()
    with open_site(tree, needed(store), zone) as site:
        from jilog_agent.turns.documents import document
        from jilog_agent.turns.read import find_record
        from jilog_agent.turns.site import chosen_session
        from jilog_agent.turns.status import session_words

        found = find_record([site.zone], chosen_session(site, wanted_session(None, agent)))
    if as_json:
        print_json({"session": document(found)})
    else:
        print_line(f"current session: {plain(session_words(found))}")


@folder_option
@click.command("status", cls=JilogCommand, examples=("jilog turn status", "jilog turn status --json"))
@agent_option
@zone_option
@json_option
def status(*, agent: str, zone: str | None, as_json: bool) -> None:
    """Show the current session, the last turn and the repository; say when .turnlog needs repair."""
    tree, store = found_store()
    if store is None or not open_workspace().home.initialised():
        _tell_uninitialised(as_json=as_json)
        return
    with open_site(tree, store, zone) as site:
        from jilog_agent.turns.status import drift_line, site_status, status_lines

        found = site_status(site, agent, os.environ.get(SESSION_VARIABLE) or None)
    problem = drift_line(found.drift)
    if problem is not None:
        warn(problem, hint="run: jilog turn repair")
    if found.vcs.problem:
        note(found.vcs.problem)
    if as_json:
        print_json(found.to_json())
        return
    for line in status_lines(found):
        print_line(plain(line))


def _tell_uninitialised(*, as_json: bool) -> None:
    if as_json:
        print_json({"initialized": False})
    else:
        print_line("turnlog: not initialized")


@folder_option
@click.command(
    "log",
    cls=JilogCommand,
    examples=("jilog turn log --ticket AUTH-123", "jilog turn log --changed src/auth --all"),
)
@click.option("--session", metavar="ID", help="Only this session and its turns.")
@click.option("--ticket", metavar="ID", help="Only sessions for this ticket, and their turns.")
@click.option("--grep", metavar="TEXT", help="Only what contains this text, whatever the case.")
@click.option("--changed", metavar="TEXT", help="Only turns that changed a file with this in its path.")
@click.option("--all", "everywhere", is_flag=True, help="Of all repositories and hosts.")
@zone_option
@json_option
def log(
    *,
    session: str | None,
    ticket: str | None,
    grep: str | None,
    changed: str | None,
    everywhere: bool,
    zone: str | None,
    as_json: bool,
) -> None:
    """List sessions and turns of this repository, the oldest first. All filters must hold."""
    from jilog_agent.turns.read import TurnFilter

    _list(TurnFilter(None, session, ticket, grep, changed), zone, everywhere=everywhere, as_json=as_json)


@folder_option
@click.command("grep", cls=JilogCommand, examples=("jilog turn grep 'token'",))
@click.argument("text")
@click.option("--all", "everywhere", is_flag=True, help="Of all repositories and hosts.")
@zone_option
@json_option
def grep(*, text: str, everywhere: bool, zone: str | None, as_json: bool) -> None:
    """Find sessions and turns that contain a text, whatever the case: in values, not in names of keys."""
    from jilog_agent.turns.read import TurnFilter

    _list(TurnFilter(grep=text), zone, everywhere=everywhere, as_json=as_json)


def _list(wanted: TurnFilter, zone: str | None, *, everywhere: bool, as_json: bool) -> None:
    from dataclasses import replace

    tree, store = found_store()
    with open_site(tree, needed(store), zone) as site:
        from jilog_agent.turns.read import complete_id, select_records
        from jilog_agent.turns.site import repository_names
        from jilog_agent.turns.words import event_line

        if wanted.session is not None:
            wanted = replace(wanted, session=complete_id([site.zone], wanted.session))
        elif not everywhere:
            wanted = replace(wanted, repositories=repository_names(site.host, site.store.root))
        found = select_records([site.zone], wanted)
    if as_json:
        print_json({"records": [_record_json(item) for item in found]})
        return
    for item in found:
        print_line(plain(event_line(item.record)))


def _record_json(item: Dated) -> dict[str, JsonValue]:
    from jilog_agent.turns.documents import document, event_name

    return {"type": event_name(item.record), **document(item)}


@folder_option
@click.command(
    "show", cls=JilogCommand, examples=("jilog turn show sess_01K", "jilog turn show turn_01K --json")
)
@click.argument("record_id", metavar="ID")
@zone_option
@json_option
def show(*, record_id: str, zone: str | None, as_json: bool) -> None:
    """Show a session with its turns, or a turn, by its id or a beginning that only it has."""
    tree, store = found_store()
    with open_site(tree, needed(store), zone) as site:
        from jilog_agent.turns.documents import document
        from jilog_agent.turns.markdown import turn_page
        from jilog_agent.turns.read import complete_id, find_record, session_story

        found = find_record([site.zone], complete_id([site.zone], record_id))
        story = session_story([site.zone], found.record.id) if isinstance(found.record, Session) else None
    if story is not None:
        _show_session(story, as_json=as_json)
    elif as_json:
        print_json({"turn": document(found)})
    else:
        sys.stdout.write(turn_page(found))


def _show_session(story: SessionStory, *, as_json: bool) -> None:
    from jilog_agent.turns.documents import document
    from jilog_agent.turns.markdown import rollup

    if not as_json:
        sys.stdout.write(rollup(story.session, story.turns, story.ended))
        return
    print_json(
        {
            "session": document(story.session),
            "turns": [document(item) for item in story.turns],
            "ended": document(story.ended) if story.ended else None,
        }
    )


@folder_option
@click.command(
    "report", cls=JilogCommand, examples=("jilog turn report sess_01K", "jilog turn report --stdout")
)
@click.argument("record_id", metavar="[ID]", required=False)
@click.option("--stdout", "to_stdout", is_flag=True, help="Print it instead of writing it.")
@agent_option
@zone_option
def report(*, record_id: str | None, to_stdout: bool, agent: str, zone: str | None) -> None:
    """Write a session, the current one by default, with all its turns as Markdown into .turnlog/reports."""
    tree, store = found_store()
    with open_site(tree, needed(store), zone) as site:
        from jilog_agent.turns.markdown import rollup
        from jilog_agent.turns.read import session_story

        story = session_story([site.zone], _reported(site, record_id, agent))
        text = rollup(story.session, story.turns, story.ended)
        assert isinstance(story.session.record, Session)
        path = site.store.report(story.session.record.id)
        if not to_stdout:
            site.zone.disk.make_directory(path.parent)
            site.zone.disk.replace(path, text.encode("utf-8", "backslashreplace"))
    if to_stdout:
        sys.stdout.write(text)
    else:
        print_line(f"wrote {plain(str(path))}")


def _reported(site: Site, record_id: str | None, agent: str) -> str:
    from jilog_agent.turns.read import complete_id
    from jilog_agent.turns.site import chosen_session

    if record_id is None:
        return chosen_session(site, wanted_session(None, agent))
    whole = complete_id([site.zone], record_id)
    if not whole.startswith("sess_"):
        raise InputError(f"{whole} is a turn", hint="a report is of a session; see: jilog turn log")
    return whole


@folder_option
@click.command("repair", cls=JilogCommand, examples=("jilog turn repair", "jilog turn repair --everywhere"))
@click.option("--everywhere", is_flag=True, help="Write this repository's records of other hosts, too.")
@zone_option
@json_option
def repair(*, everywhere: bool, zone: str | None, as_json: bool) -> None:
    """Make .turnlog again from the ledger, and bring into the ledger what only .turnlog holds.

    What cannot be read, or says something else than the ledger, is moved to .turnlog/quarantine with the
    reason; the old index stays as index.jsonl.bak. Attached patches are only checked.
    """
    tree, store = found_store()
    with open_site(tree, needed(store), zone, record=True) as site:
        from jilog_agent.turns.repair import repair as run_repair

        done = run_repair(site, everywhere=everywhere)
    for where, reason in done.set_aside:
        warn(f"set aside {visible(where)}: {plain(reason)}")
    for where, reason in done.left_alone:
        note(f"left alone {visible(where)}: {plain(reason)}")
    for where, reason in done.attachments:
        warn(f"{visible(where)}: {reason}")
    if not as_json:
        print_line(
            f"repaired index: {done.records} records, {done.imported} imported, {done.written} written anew,"
            f" {len(done.set_aside)} set aside"
        )
        return
    print_json(
        {
            "records": done.records,
            "imported": done.imported,
            "written": done.written,
            "set_aside": [{"where": where, "reason": reason} for where, reason in done.set_aside],
            "left_alone": [{"where": where, "reason": reason} for where, reason in done.left_alone],
            "attachments": [{"where": where, "reason": reason} for where, reason in done.attachments],
        }
    )
