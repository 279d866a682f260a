"""What the commands about decisions have in common: filters, time forms, files, and the zones to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jilog_agent.cli.session import open_workspace
from jilog_ledger.decision import check_type
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns, parse_moment

if TYPE_CHECKING:
    from jilog_agent.decisions.place import Standpoint
    from jilog_agent.decisions.select import EntryFilter
    from jilog_agent.decisions.zones import OpenZone
    from jilog_agent.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])

_FILTERS = (
    click.option("--type", "entry_type", metavar="TYPE", help="Only entries of this type."),
    click.option("--session", metavar="ID", help="Only entries of this session."),
    click.option(
        "--tag", "tags", multiple=True, metavar="TAG", help="Only with this tag; repeatable, all must hold."
    ),
    click.option("--since", metavar="TIME", help="30m, 24h, 7d, 2w, a date or a time; from then on."),
    click.option("--until", metavar="TIME", help="The same forms; leave out what came then or later."),
    click.option(
        "--file",
        "files",
        multiple=True,
        metavar="PATH",
        help="Only about this file or folder; repeatable, any.",
    ),
    click.option("--open", "unanswered", is_flag=True, help="Leave out what another entry resolves."),
)


def filter_options(command: Command) -> Command:
    """Add the filters; they reach the command as one dictionary ``filters``."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters as they were typed."""

    entry_type: str | None
    session: str | None
    tags: tuple[str, ...]
    since: str | None
    until: str | None
    files: tuple[str, ...]
    unanswered: bool

    def check(self) -> Filters:
        """Refuse what cannot be meant before anything heavy is imported; return itself."""
        if self.entry_type is not None:
            check_type(self.entry_type)
        for text in (self.since, self.until):
            if text is not None:
                parse_moment(text, now=now_ns())
        return self

    def resolve(
        self,
        standpoint: Standpoint,
        *,
        text: str | None = None,
        all_records: bool = False,
        shared_only: bool = False,
    ) -> EntryFilter:
        """Understand the filters from where the user stands, now."""
        from jilog_agent.decisions.select import EntryFilter

        now = now_ns()
        return EntryFilter(
            type=self.entry_type,
            session=self.session,
            tags=self.tags,
            since_ns=parse_moment(self.since, now=now) if self.since is not None else None,
            until_ns=parse_moment(self.until, now=now) if self.until is not None else None,
            files=tuple(standpoint.scope(path) for path in self.files),
            text=text,
            unanswered=self.unanswered,
            all_records=all_records,
            shared_only=shared_only,
        )


def check_page(limit: int, offset: int = 0) -> int | None:
    """Read --limit, where 0 asks for everything; neither number may be negative."""
    for name, value in (("limit", limit), ("offset", offset)):
        if value < 0:
            raise InputError(
                f"--{name} is {value}", hint="use 0 for all entries" if name == "limit" else "use 0 or more"
            )
    return limit or None


def working_folder() -> Path:
    """Give the folder the user stands in."""
    try:
        return Path.cwd()
    except OSError as exc:
        raise InputError(
            f"the working folder is gone: {exc.strerror}", hint="change to one that exists"
        ) from exc


@dataclass(frozen=True, slots=True)
class Reading:
    """Zones to read from, and where the user stands."""

    zones: Sequence[OpenZone]
    standpoint: Standpoint
    workspace: Workspace


@contextmanager
def open_reading(zone: str | None) -> Iterator[Reading]:
    """Open one zone, or all, for a command that only reads."""
    folder = working_folder()
    workspace = open_workspace()
    identity = workspace.identity()
    # SQLAlchemy takes a third of a second to import; a wrong flag should not wait for it.
    from jilog_agent.decisions.place import Standpoint
    from jilog_agent.decisions.zones import open_zones

    standpoint = Standpoint.of(identity.source, folder)
    with open_zones(workspace, workspace.config.chosen_zones(zone), identity) as zones:
        yield Reading(zones, standpoint, workspace)


def comma_separated(text: str) -> list[str]:
    """Split at commas; what is empty is left out."""
    return [word for part in text.split(",") if (word := part.strip())]
