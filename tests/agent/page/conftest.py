"""A host with a page: an agent, a peer that is away, entries of all sorts, a review with its digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from support.agent_hosts import free_port, new_host, public_key
from support.agent_process import running
from support.jilog_cli import Host

NASTY = "</main><script>document.title='owned'</script>\u202e&amp; \"quoted\" 'too'"

VIEWS = (
    "/",
    "/peers",
    "/health",
    "/digest",
    "/trend",
    "/signals",
    "/search?q=SQLite",
    "/blame?path=/etc/hosts",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    text: str

    @classmethod
    def of(cls, response: HTTPResponse) -> Answer:
        return cls(response.status, dict(response.getheaders()), response.read().decode())


@dataclass(frozen=True, slots=True)
class Page:
    """A host's page, and the cookie of a browser that was let in."""

    host: Host
    url: str
    cookie: str

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields), {**form, **headers})

    def ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Cookie": self.cookie, **headers})
            return Answer.of(connection.getresponse())
        finally:
            connection.close()

    def form_key(self) -> str:
        """Give what the forms of the page carry."""
        return self.get("/").text.split('name="key" value="', 1)[1].split('"', 1)[0]


def transcript(folder: Path) -> None:
    """Write a session in which a command failed and its user said so."""
    lines = [
        {"role": "user", "content": "run the tests"},
        {"role": "assistant", "content": "", "tool_calls": [{"name": "Bash", "arguments": "pytst -q"}]},
        {"role": "tool", "name": "Bash", "content": "Exit code 127\nbash: pytst: command not found"},
        {"role": "user", "content": "no, that is wrong: use pytest"},
    ]
    folder.mkdir(parents=True)
    (folder / "session.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    root = tmp_path_factory.mktemp("page")
    host, other = new_host(root, "alpha"), new_host(root, "beta")
    transcript(root / "sessions" / "one")
    host.config.write_text(
        '[agent]\nmdns = false\nsync_every = "1h"\n[page]\nlisten = "127.0.0.1:0"\n'
        f'[[reader]]\ntype = "generic"\nname = "mine"\npath = "{root}/sessions/*/*.jsonl"\n'
    )
    wrote = ("write", "--type", "decision", "--files", "/etc/hosts", "--title", f"SQLite {NASTY}")
    assert host.run(*wrote, "--body", NASTY * 20, "--tags", "storage").returncode == 0
    assert host.run("review", "nightly", "--since", "1d").returncode in (0, 3)
    added = ("peer", "add", "beta", "127.0.0.1", "--port", str(free_port()), "--host-key", public_key(other))
    assert host.run(*added).returncode == 0
    host.run("spool", "sync")
    with running(host):
        url = str(host.json("agent", "page")["url"])
        parts = urlsplit(url)
        connection = HTTPConnection("127.0.0.1", parts.port or 0, timeout=60)
        connection.request("GET", f"{parts.path}?{parts.query}")
        answer = Answer.of(connection.getresponse())
        connection.close()
        assert answer.status == 303, answer.text
        yield Page(host, url, answer.headers["Set-Cookie"].split(";", 1)[0])
