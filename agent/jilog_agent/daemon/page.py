"""The agent's status page: begun with the agent, and never a reason for the agent not to run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jilog_agent.daemon.logbook import Logbook
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue

if TYPE_CHECKING:
    from jilog_agent.page.server import PageServer


class PageKeeper:
    """Serves the page if the config asks for one; tells why if it cannot."""

    def __init__(self, workspace: Workspace, source: str, log: Logbook) -> None:
        self._workspace = workspace
        self._source = source
        self._log = log
        self._server: PageServer | None = None
        self._trouble: str | None = None

    async def start(self) -> None:
        """Begin to serve, where that is wanted."""
        listen = self._workspace.config.page.listen
        if listen is None:
            return
        try:
            await self._serve(*listen)
        except ImportError:
            self._tell("aiohttp is not installed", "pip install 'jilog[page]'")
        except OSError as exc:
            self._tell(f"cannot listen on {listen[0]}:{listen[1]}: {exc.strerror or exc}", "ss -ltnp")
        except JilogError as error:
            self._tell(error.message, error.hint)

    async def _serve(self, host: str, port: int) -> None:
        # Half a second, and a library, that agents without a page are spared.
        from jilog_agent.page.access import load_token
        from jilog_agent.page.ask import Asker
        from jilog_agent.page.server import PageServer

        workspace = self._workspace
        options = ["--home", str(workspace.home.root.absolute())]
        if workspace.config.path is not None:
            options += ["--config", str(workspace.config.path.absolute())]
        token = load_token(workspace.home, workspace.disk)
        server = PageServer(
            self._source, workspace.config.digest_dir, Asker(tuple(options), dict(os.environ)), token
        )
        await server.start(host, port)
        self._server = server
        self._log.info("page", listen=f"{host}:{server.port}")

    def _tell(self, reason: str, hint: str | None) -> None:
        self._trouble = reason
        self._log.warning("no page", reason=reason, hint=hint)

    async def stop(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            await self._server.stop()

    def status(self) -> JsonValue:
        """Tell where the page is, or why there is none; null when nobody asked for one."""
        listen = self._workspace.config.page.listen
        if listen is None:
            return None
        port = self._server.port if self._server is not None else None
        return {"host": listen[0], "port": port, "trouble": self._trouble}
