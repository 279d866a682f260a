"""The module's own functions: the methods of one client, made when the first of them is called."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Unpack

from jilog_agent.sdk.asking import FilterOptions, WriteOptions
from jilog_agent.sdk.client import Client
from jilog_agent.sdk.entry import Entry, FoundEntry, FoundSession
from jilog_agent.sdk.requests import Paths


@functools.cache
def default_client() -> Client:
    """Give the client behind the module's functions; the environment of its first use counts."""
    return Client()


def write(
    type: str,  # noqa: A002 - an entry's field
    title: str,
    body: str = "",
    tags: Sequence[str] = (),
    files: Paths = (),
    *,
    session: str | None = None,
    id: str | None = None,  # noqa: A002 - an entry's field
    **more: Unpack[WriteOptions],
) -> str:
    """Write an entry durably and give its id; see :meth:`Client.write`."""
    return default_client().write(type, title, body, tags, files, session=session, id=id, **more)


def query(text: str, *, limit: int = 20, offset: int = 0, **filters: Unpack[FilterOptions]) -> list[Entry]:
    """Give entries by what they say; see :meth:`Client.query`."""
    return default_client().query(text, limit=limit, offset=offset, **filters)


def log(*, limit: int = 50, offset: int = 0, **filters: Unpack[FilterOptions]) -> list[Entry]:
    """Give the newest entries; see :meth:`Client.log`."""
    return default_client().log(limit=limit, offset=offset, **filters)


def context(
    files: Paths = (), topic: str = "", limit: int = 10, budget: int | None = None, zone: str | None = None
) -> str:
    """Give what concerns files and topic as text; see :meth:`Client.context`."""
    return default_client().context(files, topic, limit, budget, zone)


def export(
    format: str | None = None,  # noqa: A002 - as the command calls it
    template: str | None = None,
    *,
    confidential: bool = False,
    **filters: Unpack[FilterOptions],
) -> str:
    """Give entries as a document; see :meth:`Client.export`."""
    return default_client().export(format, template, confidential=confidential, **filters)


def blame(path: str | os.PathLike[str], *, limit: int = 0, zone: str | None = None) -> list[Entry]:
    """Give everything that names a file; see :meth:`Client.blame`."""
    return default_client().blame(path, limit=limit, zone=zone)


def show(id: str, *, zone: str | None = None) -> FoundSession | FoundEntry:  # noqa: A002
    """Give a session or an entry by its id; see :meth:`Client.show`."""
    return default_client().show(id, zone=zone)
