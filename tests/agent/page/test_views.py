"""What the page says is what the commands say, whatever others wrote into the ledger."""

from __future__ import annotations

import html
import json
import os
import re
import signal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.page.conftest import NASTY, Page
from support.agent_process import ask

TAG = re.compile(r"<[^>]*>")


class _Text(HTMLParser):
    """The text of a page's main part."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.split("<main", 1)[1].split("</main>", 1)[0])

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def said(page: str) -> str:
    return " ".join(_Text("<main" + page.split("<main", 1)[1]).found)


def test_the_overview_says_what_status_says(page: Page) -> None:
    status = page.host.json("status")

    shown = said(page.get("/").text)

    (peer,), (zone,) = status["peers"], status["zones"]
    assert isinstance(peer, dict)
    assert isinstance(zone, dict)
    assert peer["reason"] == "connection_refused"
    for value in (
        peer["peer"],
        "connection refused",
        peer["detail"],
        peer["next"],
        zone["root"],
        zone["events"],
    ):
        assert str(value) in shown
    assert "1 of 1 peer not in order" in shown


def test_the_peers_view_says_what_spool_status_says(page: Page) -> None:
    (peer,) = page.host.json("spool", "status")["peers"]
    assert isinstance(peer, dict)

    shown = said(page.get("/peers").text)

    writers = peer["writers"]
    assert isinstance(writers, list)
    assert writers
    for writer in writers:
        assert isinstance(writer, dict)
        assert f"{writer['zone']} / {writer['source']}" in shown
        assert str(writer["next"]) in shown


def test_the_digest_is_shown_to_the_letter(page: Page) -> None:
    (path,) = (page.host.state / "digests").glob("learning-digest-*.md")

    answer = page.get("/digest")

    document = answer.text.split('class="document"', 1)[1].split(">", 1)[1].split("</pre>", 1)[0]
    assert html.unescape(document) == path.read_text()
    assert said(page.get(f"/digest/{path.stem[-10:]}").text) == said(answer.text)


def test_signals_are_listed_and_a_button_labels_one(page: Page) -> None:
    listed = page.host.json("review", "signals")["signals"]
    assert isinstance(listed, list)
    assert listed
    first = listed[0]
    assert isinstance(first, dict)

    shown = said(page.get("/signals").text)
    answer = page.post("/do/label", {"key": page.form_key(), "signal": str(first["id"]), "verdict": "tp"})

    assert all(str(item["kind"]) in shown for item in listed if isinstance(item, dict))
    assert (answer.status, answer.headers["Location"]) == (303, "/signals")
    labels = page.host.json("label", "list")["labels"]
    assert isinstance(labels, list)
    assert [(item["signal_id"], item["verdict"]) for item in labels if isinstance(item, dict)] == [
        (first["id"], "tp")
    ]


def test_trend_has_the_plots_of_the_report(page: Page) -> None:
    report = page.host.run("review", "report", "--html", "-").stdout

    shown = page.get("/trend").text

    plots = re.findall(r"<svg.*?</svg>", report, re.DOTALL)
    assert len(plots) > 2
    assert all(plot in shown for plot in plots)


def test_search_and_blame_find_an_entry_and_show_it(page: Page) -> None:
    (entry,) = page.host.json("search", "SQLite")["entries"]
    assert isinstance(entry, dict)

    for path in ("/search?q=SQLite", "/blame?path=/etc/hosts"):
        shown = page.get(path).text
        assert f'href="/show/{entry["id"]}"' in shown

    assert "storage" in page.get(f"/show/{entry['id']}").text


@pytest.mark.parametrize("path", ["/search?q=SQLite", "/blame?path=/etc/hosts"])
def test_what_others_wrote_stays_text(page: Page, path: str) -> None:
    shown = page.get(path).text

    assert "<script>document" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown
    assert shown.count("</main>") == 1


def test_words_that_look_like_options_or_queries_are_only_words(page: Page) -> None:
    for words in ("--help", "-x", "a AND (", '"', "%25_", "%F0%9F%90%9B", "'; DROP TABLE events"):
        answer = page.get("/search?q=" + words.replace(" ", "%20"))

        assert answer.status == 200, answer.text
        assert "0 events" in said(answer.text)


def test_a_command_that_fails_is_told_with_its_own_words(page: Page) -> None:
    answer = page.get("/show/00000000")

    assert answer.status == 503
    assert "Next:" in answer.text


@pytest.mark.parametrize("day", ["2020-01-01", "..%2F..%2Fidentity", "x"])
def test_a_digest_that_is_not_there_is_told(page: Page, day: str) -> None:
    answer = page.get(f"/digest/{day}")

    assert answer.status in (404, 503)
    assert "PRIVATE" not in answer.text


def test_a_sync_button_runs_the_sync_and_tells_why_it_failed(page: Page) -> None:
    answer = page.post("/do/sync", {"key": page.form_key(), "peer": "beta"})

    assert answer.status in (303, 503)
    (peer,) = page.host.json("spool", "status")["peers"]
    assert isinstance(peer, dict)
    assert isinstance(peer["last_sync"], dict)
    assert peer["last_sync"]["cause"] == "connection_refused"


def test_the_agent_answers_while_the_page_is_asked(page: Page) -> None:
    answers = [page.get("/trend").status, ask(page.host, "ping", {})["pid"]]

    assert answers[0] == 200
    assert isinstance(answers[1], int)


def test_the_agent_ends_with_its_page(tmp_path: Path) -> None:
    from support.agent_hosts import new_host
    from support.agent_process import start_agent, wait_for

    host = new_host(tmp_path, "delta")
    host.config.write_text('[agent]\nmdns = false\n[page]\nlisten = "127.0.0.1:0"\n')
    pid = start_agent(host)

    os.kill(pid, signal.SIGTERM)

    wait_for(lambda: host.run("agent", "status").returncode == 1, "the end of the agent")
    last = (host.state / "agent" / "agent.log").read_text().splitlines()[-1]
    assert json.loads(last)["message"] == "stopped"


def test_the_nasty_text_is_nasty() -> None:
    assert TAG.search(NASTY)
