"""Names that a shell can complete: zones and peers of this host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from jilog_agent.cli.lazy import GlobalOptions

if TYPE_CHECKING:
    from jilog_agent.config import Config

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # older versions of click cannot say of what


class KnownName(_Text):
    """Any text, as far as the command line is concerned; a shell is told the names there are."""

    def __init__(self, name: str, list_names: Callable[[click.Context], list[str]]) -> None:
        self.name = name
        self._list_names = list_names

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Give the names that begin so; none when they cannot be found, for nobody could read why."""
        try:
            found = self._list_names(ctx)
        except Exception:  # the config may be broken in any way while somebody types
            return []
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _zones(ctx: click.Context) -> list[str]:
    return [zone.id for zone in _config(ctx).zones]


def _peers(ctx: click.Context) -> list[str]:
    from jilog_agent.home import Home
    from jilog_agent.replication import peer_table
    from jilog_ledger.disk import RealDisk

    config = _config(ctx)
    return [peer.name for peer in peer_table(config, Home(config.home), RealDisk()).peers()]


def _config(ctx: click.Context) -> Config:
    from jilog_agent.config import ConfigSources, load_config

    options = ctx.find_root().ensure_object(GlobalOptions)
    return load_config(ConfigSources.of_process(options.config, options.home))


ZONE = KnownName("zone", _zones)
PEER = KnownName("peer", _peers)
