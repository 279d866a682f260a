"""A stand-in of GitHub's REST interface on a Unix socket, for the real ``gh``.

``gh`` speaks plain HTTP to the socket that ``http_unix_socket`` in its config names, so no certificate and no
network is needed. Only what jilog's tracker asks for is here, with GitHub's own habits: pages of at most 100
with a ``Link`` header, silent loss of labels for logins without the right, pull requests among the issues.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]


def real_gh() -> Path | None:
    """Find ``gh``: the one JILOG_TEST_GH names, the one beside this Python, as the development extra
    installs it, or the one on PATH."""
    named = os.environ.get("JILOG_TEST_GH")
    if named:
        return Path(named)
    beside = Path(sys.executable).parent / "gh"
    if beside.is_file():
        return beside
    found = shutil.which("gh")
    return Path(found) if found else None


@dataclass
class GitHub:
    """The state of one repository, ``o/r``.

    ``fault`` may answer in place of the server (before anything happens), or give None. ``lost`` tells, after
    a request took effect, that its answer gets lost. ``requests`` lists what was asked: ``POST /path``.
    """

    now: str = "2026-05-09T08:02:11Z"
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[str]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=lambda: ["bug"])
    may_label: bool = True
    fault: Callable[[str, str], Answer | None] = lambda _method, _path: None
    lost: Callable[[str, str], bool] = lambda _method, _path: False
    requests: list[str] = field(default_factory=list)

    def close(self, number: int, reason: str = "completed", at: str | None = None) -> None:
        """Close an issue, as a person would: completed, not_planned or duplicate."""
        self.issues[number].update(state="closed", state_reason=reason, closed_at=at or self.now)

    def add(self, title: str, body: str = "", labels: tuple[str, ...] = (), **more: Any) -> int:
        """Put an issue in place without a request."""
        number = len(self.issues) + 1
        self.issues[number] = {
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "state_reason": None,
            "html_url": f"https://github.com/o/r/issues/{number}",
            "created_at": self.now,
            "closed_at": None,
            "labels": [{"name": label} for label in labels],
            **more,
        }
        return number

    def handle(self, method: str, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Answer:
        """Answer one request."""
        parts = path.strip("/").split("/")
        if parts[:3] != ["repos", "o", "r"]:
            return 404, {"message": "Not Found"}
        match [method, *parts[3:]]:
            case ["GET"]:
                rights = {"pull": True, "push": self.may_label, "triage": self.may_label}
                return 200, {"has_issues": True, "archived": False, "permissions": rights}
            case ["GET", "issues"]:
                return 200, self._selected(query)
            case ["POST", "issues"]:
                labels = tuple(body.get("labels", ())) if self.may_label else ()
                return 201, self.issues[self.add(body["title"], body.get("body", ""), labels)]
            case [_, "issues", number, *rest] if int(number) in self.issues:
                return self._issue(method, int(number), rest, body)
            case ["GET", "labels"]:
                return 200, [{"name": name} for name in self.labels]
            case ["POST", "labels"]:
                if body["name"] in self.labels:
                    return 422, {"message": "Validation Failed", "errors": [{"code": "already_exists"}]}
                self.labels.append(body["name"])
                return 201, {"name": body["name"]}
        return 404, {"message": "Not Found"}

    def _selected(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        wanted = {label for label in query.get("labels", "").split(",") if label}
        return [
            issue
            for issue in self.issues.values()
            if query.get("state", "open") in ("all", issue["state"])
            and wanted <= {label["name"] for label in issue["labels"]}
        ]

    def _issue(self, method: str, number: int, rest: list[str], body: dict[str, Any]) -> Answer:
        issue = self.issues[number]
        match [method, *rest]:
            case ["PATCH"]:
                if body.get("state") == "open" and issue["state"] == "closed":
                    issue.update(state_reason="reopened", closed_at=None)
                issue.update(body)
                return 200, issue
            case ["GET", "comments"]:
                return 200, [{"id": n, "body": text} for n, text in enumerate(self.comments.get(number, ()))]
            case ["POST", "comments"]:
                self.comments.setdefault(number, []).append(body["body"])
                return 201, {"id": len(self.comments[number])}
            case ["POST", "labels"]:
                issue["labels"] += [{"name": label} for label in body["labels"]]
                return 200, issue["labels"]
        return 200, issue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    github: ClassVar[GitHub]

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        return

    def _body(self) -> bytes:
        """Read a body: ``gh --input -`` does not know its length and sends it in chunks."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        data = self._body()
        self.github.requests.append(f"{self.command} {url.path}")
        answer = self.github.fault(self.command, url.path)
        if answer is None and not self.headers.get("authorization"):
            answer = 401, {"message": "Requires authentication"}
        if answer is None:
            answer = self.github.handle(self.command, url.path, query, json.loads(data or b"{}"))
        if self.github.lost(self.command, url.path):
            self.close_connection = True
            return
        status, value = answer
        link = ""
        if isinstance(value, list):
            size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
            assert size <= 100, "GitHub gives 100 at most"
            if len(value) > page * size:
                rest = "&".join(f"{key}={text}" for key, text in query.items() if key != "page")
                link = f'<https://api.github.com{url.path}?{rest}&page={page + 1}>; rel="next"'
            value = value[(page - 1) * size : page * size]
        self._send(status, value if isinstance(value, bytes) else json.dumps(value).encode(), link)

    def _send(self, status: int, data: bytes, link: str) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(data)))
        if link:
            self.send_header("link", link)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64


@contextmanager
def serving(github: GitHub) -> Iterator[dict[str, str]]:
    """Serve, and give the environment in which ``gh`` talks to the stand-in and to nothing else."""
    gh = real_gh()
    assert gh is not None
    # Not the test's own folder: the path of a Unix socket has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    handler = type("Handler", (_Handler,), {"github": github})
    with _Server(str(folder / "s"), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        (folder / "config.yml").write_text(f"http_unix_socket: {folder / 's'}\n")
        try:
            yield {
                "PATH": str(gh.parent),
                "HOME": str(folder),
                "GH_CONFIG_DIR": str(folder),
                "GH_TOKEN": "a token of nobody",
            }
        finally:
            server.shutdown()
            thread.join()
            shutil.rmtree(folder)
