"""Serving the page: aiohttp on loopback, behind a doorkeeper that closes what is slow or too much."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from jilog_agent.page import learning, limits, overview
from jilog_agent.page.access import Access
from jilog_agent.page.actions import ACTIONS, act
from jilog_agent.page.ask import Asker, CommandFailed
from jilog_agent.page.frame import View, failure, render
from jilog_ledger.errors import JilogError
from jilog_review.html.style import STYLE as REPORT_STYLE

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SCRIPT = Path(__file__).with_name("script.js")
_STYLE = Path(__file__).with_name("style.css")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Viewer = Callable[[web.Request], Awaitable[View]]


class _Refused(asyncio.Protocol):
    """What a connection too many gets: its end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


@dataclass(slots=True)
class _Doorkeeper:
    """Counts connections, and closes those that do not come to the point. Each carries one request."""

    server: web.Server
    waiting: dict[int, web.RequestHandler] = field(default_factory=dict)

    def admit(self) -> asyncio.BaseProtocol:
        """Make the protocol of a new connection."""
        if len(self.server.connections) >= limits.CONNECTIONS_MAX:
            return _Refused()
        handler = self.server()
        self.waiting[id(handler)] = handler
        asyncio.get_running_loop().call_later(limits.REQUEST_SECONDS, self._late, handler)
        return handler

    def arrived(self, handler: object) -> None:
        """Take note that a request's head came in whole."""
        self.waiting.pop(id(handler), None)

    def _late(self, handler: web.RequestHandler) -> None:
        if self.waiting.pop(id(handler), None) is not None and handler.transport is not None:
            assert isinstance(handler.transport, asyncio.Transport)
            handler.transport.abort()


class PageServer:
    """The page of one agent, at one address of loopback."""

    def __init__(self, source: str, digest_dir: Path, ask: Asker, token: str) -> None:
        self._source = source
        self._digest_dir = digest_dir
        self._ask = ask
        self._token = token
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._access = Access(token, 0)
        self._door: _Doorkeeper | None = None

    @property
    def port(self) -> int:
        """The port in use; 0 while the page is not served."""
        return self._access.port

    async def start(self, host: str, port: int) -> None:
        """Serve at an address; port 0 takes a free one.

        Raises:
            OSError: the address cannot be had.
        """
        app = web.Application(middlewares=[self._guarded], client_max_size=limits.BODY_BYTES_MAX)
        app.add_routes(self._routes())
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            max_line_size=limits.LINE_BYTES_MAX,
            max_field_size=limits.LINE_BYTES_MAX,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._door = _Doorkeeper(self._runner.server)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._door.admit, host, port)
        self._access = Access(self._token, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _routes(self) -> list[web.RouteDef]:
        ask, key = self._ask, self._form_key
        views: Mapping[str, Viewer] = {
            "/": lambda _request: overview.overview(ask, key()),
            "/peers": lambda _request: overview.peers(ask, key()),
            "/health": lambda _request: overview.health(ask, key()),
            "/digest": lambda _request: learning.digest(self._digest_dir, None),
            "/digest/{day}": lambda request: learning.digest(self._digest_dir, request.match_info["day"]),
            "/trend": lambda _request: learning.trend(ask),
            "/signals": lambda _request: learning.signals(ask, key()),
            "/search": lambda request: learning.search(ask, _asked(request, "q")),
            "/show/{id}": lambda request: learning.show(ask, request.match_info["id"]),
            "/blame": lambda request: learning.blame(ask, _asked(request, "path")),
        }
        found = [web.get(path, self._viewing(viewer)) for path, viewer in views.items()]
        return [
            *found,
            web.get("/enter", self._enter),
            web.get("/style.css", self._style),
            web.get("/script.js", self._script),
            web.post("/do/{action}", self._act),
        ]

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check who asks before anything is looked at, and put the headers on every answer."""
        assert self._door is not None
        self._door.arrived(request.protocol)
        response = self._refusal(request)
        if response is None:
            try:
                response = await handler(request)
            except web.HTTPException as exc:
                response = self._failed("No such page", exc.reason, None, exc.status)
        response.headers.update(_HEADERS)
        response.force_close()
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if not self._access.host_allowed(request.headers.get("Host", "")):
            return web.Response(status=421, text="this is not the address of the page\n")
        if request.path in ("/enter", "/style.css"):
            return None
        if self._access.cookie_right(request.cookies.get(self._access.cookie_name, "")):
            return None
        return self._failed("Not let in", "this browser has not brought the token", "jilog agent page", 401)

    def _form_key(self) -> str:
        return self._access.form_key

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """Let a browser in that brings the token, and take the token out of its address line."""
        if not self._access.token_right(request.query.get("token", "")):
            return self._failed("Not let in", "the token is not this page's", "jilog agent page", 403)
        response = web.Response(status=303, headers={"Location": "/"})
        response.set_cookie(
            self._access.cookie_name,
            self._access.cookie,
            max_age=limits.SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            path="/",
        )
        return response

    async def _style(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=REPORT_STYLE + _STYLE.read_text(), content_type="text/css")

    async def _script(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=_SCRIPT.read_text(), content_type="text/javascript")

    def _viewing(self, viewer: Viewer) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                view = await viewer(request)
            except JilogError as error:
                return self._failed("That did not work", error.message, error.hint, 503)
            return self._page(view, request.path)

        return handler

    async def _act(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["action"]
        if name not in ACTIONS:
            raise web.HTTPNotFound
        async with asyncio.timeout(limits.REQUEST_SECONDS):
            sent = await request.post()
        fields = {
            key: value[: limits.FIELD_CHARS_MAX] for key, value in sent.items() if isinstance(value, str)
        }
        if not self._access.form_key_right(fields.get("key", "")):
            return self._failed("Refused", "the form is not of this page", "load the page again", 403)
        try:
            back = await act(self._ask, name, fields)
        except CommandFailed as error:
            return self._failed("That did not work", error.message, error.hint, 503)
        return web.Response(status=303, headers={"Location": back})

    def _failed(self, title: str, message: str, hint: str | None, status: int) -> web.StreamResponse:
        return self._page(View(title, failure(message, hint)), "", status)

    def _page(self, view: View, path: str, status: int = 200) -> web.StreamResponse:
        return web.Response(
            status=status, text=render(view, path, self._source), content_type="text/html", charset="utf-8"
        )


def _asked(request: web.Request, name: str) -> str:
    return request.query.get(name, "")[: limits.FIELD_CHARS_MAX]
