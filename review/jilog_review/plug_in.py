"""Finding the reader or tracker that a config table's ``type`` names: a built-in one, or an entry point's."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from jilog_ledger.errors import InputError

Config = TypeVar("Config")
Made = TypeVar("Made")


def make(
    kind: str,
    name: str,
    config: Config,
    *,
    built_in: Mapping[str, Callable[[Config], Made]],
    group: str,
    remedy: str,
) -> Made:
    """Make what ``name`` names among a ``kind`` of things, from the built-in ones or an entry point.

    ``remedy`` says what to do, beside reinstalling, about a plug-in that cannot be loaded.

    Raises:
        InputError: nothing of that name is installed, or it refuses an option of ``config``.
    """
    factory = built_in.get(name)
    if factory is not None:
        return factory(config)
    # Imported here: it is slow to import, and whoever installed no plug-in never needs it.
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=group)}
    point = found.get(name)
    if point is None:
        raise unknown(f"{kind} type", name, sorted({*built_in, *found}))
    try:
        plug_in: Callable[[Config], Made] = point.load()
        return plug_in(config)
    except (ImportError, AttributeError) as exc:
        raise InputError(
            f"{kind} {name!r} from {point.value} cannot be loaded: {exc}",
            hint=f"reinstall the package that provides it, or {remedy}",
        ) from exc


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """Make the error for a name that is none of ``known``."""
    return InputError(f"unknown {what} {name[:80]!r}", hint=nearest_hint(name, known))


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """Name the nearest of ``known``, or all of them when none is near."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(known) or 'none'}"
