"""Who may see the page, and what a stranger gets: nothing, in bounded time."""

from __future__ import annotations

import socket
import stat
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlsplit

import pytest

from agent.page.conftest import VIEWS, Page
from support.jilog_cli import Host


@pytest.mark.parametrize("path", [*VIEWS, "/script.js", "/nothing-there"])
def test_without_the_cookie_nothing_is_shown(page: Page, path: str) -> None:
    answer = page.get(path, Cookie="")

    assert answer.status == 401
    assert "alpha" not in answer.text.split("<main", 1)[1]


def test_a_wrong_token_lets_nobody_in(page: Page) -> None:
    for token in ("", "wrong", parse_qs(urlsplit(page.url).query)["token"][0][:-1]):
        answer = page.get(f"/enter?token={token}", Cookie="")

        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


def test_the_cookie_is_hidden_from_scripts_and_other_sites_and_does_not_tell_the_token(page: Page) -> None:
    token = parse_qs(urlsplit(page.url).query)["token"][0]

    answer = page.get(f"/enter?token={token}", Cookie="")

    (cookie,) = (value for name, value in answer.headers.items() if name == "Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert token not in cookie
    assert answer.headers["Location"] == "/"


def test_the_token_is_its_owners_alone_to_read(page: Page) -> None:
    path = page.host.state / "agent" / "page-token"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_name_that_was_rebound_to_loopback_is_refused(page: Page, name: str) -> None:
    answer = page.get("/", Host=name.format(port=page.port))

    assert answer.status == 421


def test_a_form_of_another_site_does_nothing(page: Page) -> None:
    for key in ("", "wrong"):
        answer = page.post("/do/pause", {"key": key, "peer": "beta"})

        assert answer.status == 403


def test_an_action_without_the_cookie_does_nothing(page: Page) -> None:
    assert page.post("/do/sync", {"key": page.form_key(), "peer": "beta"}, Cookie="").status == 401


def test_a_value_that_would_be_an_option_is_refused(page: Page) -> None:
    key = page.form_key()

    for peer in ("--help", "-x", "../x", "a b", ""):
        answer = page.post("/do/sync", {"key": key, "peer": peer})

        assert answer.status == 503
        assert "no valid peer" in answer.text


def test_a_large_body_is_refused(page: Page) -> None:
    answer = page.post("/do/sync", {"key": page.form_key(), "peer": "x" * 100_000})

    assert answer.status == 413


def test_every_answer_forbids_foreign_scripts_frames_and_caches(page: Page) -> None:
    for path in ("/", "/nothing-there", "/style.css"):
        headers = page.get(path).headers

        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_connection_that_sends_nothing_is_closed_and_too_many_do_not_stop_the_page(page: Page) -> None:
    idle = [socket.create_connection(("127.0.0.1", page.port), timeout=60) for _ in range(40)]
    try:
        for channel in idle:
            channel.sendall(b"GET / HTTP/1.1\r\nHost: ")
        ends = [_read_to_the_end(channel) for channel in idle]
    finally:
        for channel in idle:
            channel.close()

    assert ends == [b""] * 40
    assert page.get("/style.css").status == 200


def _read_to_the_end(channel: socket.socket) -> bytes:
    try:
        return channel.recv(1)
    except ConnectionResetError:
        return b""


def test_what_is_no_http_gets_a_refusal_and_the_page_goes_on(page: Page) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=60) as channel:
        channel.sendall(b"\x00\xff\x16\x03\x01 no request\r\n\r\n")
        answer = channel.recv(4096)

    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer
    assert page.get("/style.css").status == 200


@pytest.mark.parametrize("address", ["0.0.0.0:7780", "192.0.2.1:7780", "[::]:7780"])
def test_the_page_is_not_served_to_the_network(host: Host, address: str) -> None:
    host.config.write_text(f'[page]\nlisten = "{address}"\n')

    done = host.run("config", "show")

    assert done.returncode == 2
    assert "loopback only" in done.stderr
    assert "ssh -L" in done.stderr


def test_without_a_page_the_command_says_how_to_get_one(host: Host) -> None:
    host.run("init")

    done = host.run("agent", "page")

    assert done.returncode == 2
    assert "[page]" in done.stderr


def test_a_port_that_is_taken_is_told_and_the_agent_runs_all_the_same(page: Page, host: Host) -> None:
    from support.agent_process import running

    host.run("init", "--source", "gamma")
    host.config.write_text(f'[agent]\nmdns = false\n[page]\nlisten = "127.0.0.1:{page.port}"\n')

    with running(host):
        done = host.run("agent", "page")

    assert done.returncode == 1
    assert "cannot listen" in done.stderr


def test_head_and_foreign_methods_are_refused(page: Page) -> None:
    connection = HTTPConnection("127.0.0.1", page.port, timeout=60)
    connection.request("DELETE", "/", headers={"Cookie": page.cookie})

    assert connection.getresponse().status == 405
    connection.close()
