"""``jilog turn init|start|record|use|end``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.cli.turn_site import (
    agent_option,
    chosen_folder,
    find_tree,
    folder_option,
    found_store,
    open_site,
    wanted_session,
    zone_option,
)
from jilog_agent.turns.store import TurnStore, needed, store_around
from jilog_ledger.errors import FindingsError, InputError
from jilog_ledger.times import now_ns, parse_duration_seconds
from jilog_ledger.turn import Session, SessionEnd, Turn, Verification, check_record_id

if TYPE_CHECKING:
    from jilog_agent.turns.record import Recorded

STANDARD_INPUT_BYTES = 1_048_576

_confidential = click.option("--confidential", is_flag=True, help="Never let it leave this host.")


@folder_option
@click.command("init", cls=JilogCommand, examples=("jilog turn init",))
def init() -> None:
    """Make .turnlog at the root of the repository, or here when there is none; twice is as good as once.

    It is added to .gitignore: what people should see is committed as a report.
    """
    _, tree = find_tree()
    store = TurnStore(tree.root)
    workspace = open_workspace()
    recording_identity(workspace)
    store.make(workspace.disk)
    print_line(f"initialized {plain(str(store.folder))}")


@folder_option
@click.command(
    "start",
    cls=JilogCommand,
    examples=(
        "jilog turn start --ticket AUTH-123 --goal 'Fix token validation'",
        "jilog turn start --goal 'Review the fix' --agent reviewer --parent sess_01…",
    ),
)
@click.option("--goal", required=True, metavar="TEXT", help="What the session is for, in one line.")
@click.option("--ticket", default="", metavar="ID", help="The ticket that asks for it.")
@click.option("--parent", default="", metavar="ID", help="The session that began this one.")
@click.option(
    "--transcript", default="", metavar="ID", help="The session's id in the agent's own transcripts."
)
@agent_option
@_confidential
@zone_option
@json_option
def start(
    *,
    goal: str,
    ticket: str,
    parent: str,
    transcript: str,
    agent: str,
    confidential: bool,
    zone: str | None,
    as_json: bool,
) -> None:
    """Begin a session and make it the current one; .turnlog is made when it is missing.

    Prints the session's id. With JILOG_SESSION set to it, everything an agent writes belongs to it.
    """
    folder = chosen_folder()
    _, tree = find_tree()
    store = store_around(folder, tree.root) or TurnStore(tree.root)
    with open_site(tree, store, zone, record=True) as site:
        from jilog_agent.turns.begin import UNNAMED, begin
        from jilog_agent.turns.documents import document
        from jilog_agent.turns.read import complete_id

        session = Session(
            id=UNNAMED,
            goal=goal,
            ticket=ticket,
            parent=complete_id([site.zone], parent) if parent else "",
            agent=agent,
            transcript=transcript,
        )
        done = begin(site, session, confidential=confidential)
        made = done.dated.record
        assert isinstance(made, Session)
    for text in done.notes:
        note(text)
    if as_json:
        print_json({"session": document(done.dated)})
    else:
        print_line(f"started {made.id}")


@folder_option
@click.command(
    "record",
    cls=JilogCommand,
    examples=(
        "jilog turn record --summary 'Validate expiry' --verify 'pytest -q tests/auth'",
        "jilog turn record --model MODEL --verification 'read the diff twice' --attach-diff",
        "jilog turn record --if-dirty --message-id msg_17 --summary - < last-answer.txt",
    ),
)
@click.option("--session", metavar="ID", help="Session (default: $JILOG_SESSION, else the current one).")
@click.option("--model", default="", metavar="NAME", help="The model that did it.")
@click.option(
    "--summary",
    default="",
    metavar="TEXT",
    help="What was done; '-' reads it from standard input and squeezes it into one line.",
)
@click.option(
    "--verification",
    "claims",
    multiple=True,
    metavar="TEXT",
    help="How it was checked, as a claim; repeatable.",
)
@click.option(
    "--verify",
    "commands",
    multiple=True,
    metavar="CMD",
    help="Run this command, without a shell, and keep what it measured as evidence; repeatable.",
)
@click.option("--verify-shell", "scripts", multiple=True, metavar="CMD", help="The same, through /bin/sh.")
@click.option(
    "--verify-timeout", default="60m", show_default=True, metavar="TIME", help="Kill it after that."
)
@click.option(
    "--evidence",
    multiple=True,
    metavar="JSON",
    help="What another program ran and measured, as one of `checks` of `turn show --json`; repeatable.",
)
@click.option("--allow-failure", is_flag=True, help="Exit with 0 even if a --verify command failed.")
@click.option("--attach-diff", is_flag=True, help="Keep a patch of all changes beside the record.")
@click.option("--if-dirty", is_flag=True, help="Record nothing when the working tree is clean.")
@click.option("--message-id", default="", metavar="ID", help="The same message is recorded once.")
@click.option("--auto-start", metavar="GOAL", help="Begin a session for this goal when there is none.")
@agent_option
@_confidential
@zone_option
@json_option
def record(
    *,
    session: str | None,
    model: str,
    summary: str,
    claims: tuple[str, ...],
    commands: tuple[str, ...],
    scripts: tuple[str, ...],
    verify_timeout: str,
    evidence: tuple[str, ...],
    allow_failure: bool,
    attach_diff: bool,
    if_dirty: bool,
    message_id: str,
    auto_start: str | None,
    agent: str,
    confidential: bool,
    zone: str | None,
    as_json: bool,
) -> None:
    """Record a turn: what was done, at which state of the repository, and how it was checked.

    A --verification is a claim; a --verify command is run in this folder, its output goes to stderr, and its
    exit status, duration and output's hash are kept. The turn is recorded even if it fails; then the exit
    status is 3. Prints the turn's id.
    """
    from jilog_agent.turns.evidence import Check, run_check

    folder = chosen_folder()
    tree, found = found_store()
    store = found if found or auto_start is None else TurnStore(tree.root)
    checks = (*(Check.of(text) for text in commands), *(Check.script(text) for text in scripts))
    timeout_seconds = parse_duration_seconds(verify_timeout)
    with open_site(tree, needed(store), zone, record=True) as site:
        from jilog_agent.turns.record import TurnRequest, record_turn
        from jilog_agent.turns.site import chosen_session

        wanted = wanted_session(session, agent)
        if auto_start is not None and not (wanted.flag or wanted.environment):
            from jilog_agent.turns.begin import begin_if_none

            begun = begin_if_none(site, agent, auto_start, confidential=confidential)
            if begun is not None:
                assert isinstance(begun.dated.record, Session)
                note(f"started {begun.dated.record.id}")
        request = TurnRequest(
            session=chosen_session(site, wanted),
            model=model,
            summary=_summary(summary),
            agent=agent,
            message_id=message_id,
            claims=claims,
            evidence=tuple(_measured(text) for text in evidence),
            checks=checks,
            attach_diff=attach_diff,
            if_dirty=if_dirty,
            confidential=confidential,
        )

        def run(check: Check) -> Verification:
            return run_check(check, folder, sink=_show, clock=now_ns, timeout_seconds=timeout_seconds)

        done = record_turn(site, request, run)
    _tell(done, as_json=as_json)
    if done is not None and done.created and not allow_failure:
        _fail_with(done.dated.record)


def _measured(text: str) -> Verification:
    """Read evidence that another program hands over."""
    import msgspec

    from jilog_agent.daemon.turn_params import Measured

    try:
        return msgspec.json.decode(text.encode("utf-8", "backslashreplace"), type=Measured).verification()
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InputError(
            f"--evidence is no measurement: {exc}",
            hint="see the checks of: jilog turn show --json",
        ) from exc


def _tell(done: Recorded | None, *, as_json: bool) -> None:
    from jilog_agent.turns.documents import document

    for text in done.notes if done else ():
        note(text)
    if as_json:
        print_json({"created": bool(done and done.created), "turn": document(done.dated) if done else None})
    elif done is None:
        print_line("not recorded: nothing has changed")
    else:
        assert isinstance(done.dated.record, Turn)
        print_line(f"recorded {done.dated.record.id}")


def _fail_with(turn: object) -> None:
    from jilog_agent.turns.words import verification_text

    assert isinstance(turn, Turn)
    failed = [item for item in turn.verification if item.kind == "evidence" and item.exit_status != 0]
    if failed:
        raise FindingsError(
            f"verification failed: {plain(verification_text(failed[0]))}",
            hint=f"the turn is recorded all the same; see: jilog turn show {turn.id}",
        )


def _show(data: bytes) -> None:
    """Pass a check's output on to stderr, for stdout has the id."""
    if sys.stderr is not None:
        sys.stderr.flush()
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()


def _summary(text: str) -> str:
    if text != "-":
        return text
    from jilog_agent.turns.words import suggested_summary

    data = sys.stdin.buffer.read(STANDARD_INPUT_BYTES)
    return suggested_summary(data.decode("utf-8", "replace"))


@folder_option
@click.command("use", cls=JilogCommand, examples=("jilog turn use sess_01K",))
@click.argument("session_id", metavar="ID")
@agent_option
@zone_option
def use(*, session_id: str, agent: str, zone: str | None) -> None:
    """Make a session the current one; a beginning of its id that only it has will do."""
    tree, store = found_store()
    with open_site(tree, needed(store), zone) as site:
        from jilog_agent.turns.read import complete_id, find_record
        from jilog_agent.turns.site import set_current

        session = find_record([site.zone], complete_id([site.zone], session_id)).record
        if not isinstance(session, Session):
            raise InputError(
                f"{session_id[:80]} is a turn and not a session", hint="list them: jilog turn log"
            )
        set_current(site, agent, session.id)
    print_line(f"current session: {session.id} {plain(session.goal)}")


@folder_option
@click.command("end", cls=JilogCommand, examples=("jilog turn end --summary 'Merged'",))
@click.option("--session", metavar="ID", help="Session (default: $JILOG_SESSION, else the current one).")
@click.option("--summary", default="", metavar="TEXT", help="What came of it.")
@agent_option
@zone_option
@json_option
def end(*, session: str | None, summary: str, agent: str, zone: str | None, as_json: bool) -> None:
    """End a session; it is the current one no longer. Ending it again changes nothing."""
    tree, store = found_store()
    with open_site(tree, needed(store), zone, record=True) as site:
        from jilog_agent.turns.documents import document
        from jilog_agent.turns.record import end_session
        from jilog_agent.turns.site import chosen_session, current_session

        chosen = check_record_id("sess", chosen_session(site, wanted_session(session, agent)))
        done = end_session(site, SessionEnd(session=chosen, summary=summary, agent=agent))
        if current_session(site, agent) == chosen:
            site.zone.disk.remove(site.store.current(agent))
    for text in done.notes:
        note(text)
    if as_json:
        print_json({"created": done.created, "session_end": document(done.dated)})
    else:
        print_line(f"ended {chosen}" if done.created else f"{chosen} had ended already")
