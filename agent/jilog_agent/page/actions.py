"""What the page's buttons do: one command each, the same that a person would type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from jilog_agent.page.ask import Asker, CommandFailed

Fields = Mapping[str, str]

_PEER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIGNAL = re.compile(r"[0-9a-f-]{6,64}")
_VERDICTS = frozenset({"tp", "fp", "wontfix", "unsure"})


def _peer(fields: Fields) -> str:
    return _checked(fields, "peer", _PEER)


def _checked(fields: Fields, name: str, form: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if not form.fullmatch(value):
        raise CommandFailed(f"the form has no valid {name}", hint="load the page again")
    return value


def _label(fields: Fields) -> tuple[str, ...]:
    verdict = fields.get("verdict", "")
    if verdict not in _VERDICTS:
        raise CommandFailed("the form has no valid verdict", hint="load the page again")
    return ("label", "set", _checked(fields, "signal", _SIGNAL), verdict)


ACTIONS: Mapping[str, tuple[Callable[[Fields], tuple[str, ...]], str]] = {
    "sync": (lambda fields: ("spool", "sync", _peer(fields)), "/"),
    "pause": (lambda fields: ("spool", "pause", _peer(fields), "--for", "8h"), "/"),
    "resume": (lambda fields: ("spool", "resume", _peer(fields)), "/"),
    "repair": (lambda _fields: ("spool", "repair"), "/"),
    "label": (_label, "/signals"),
}
"""Each action by the last part of its address: the command, and the view to go back to."""


async def act(ask: Asker, name: str, fields: Fields) -> str:
    """Run an action's command; give the view to go back to.

    Raises:
        CommandFailed: the command failed, with its own words.
    """
    make, back = ACTIONS[name]
    await ask.document(*make(fields))
    return back
