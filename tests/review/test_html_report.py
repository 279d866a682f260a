"""The HTML report: its structure always, and in a real browser where there is one."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.aggregate import Background, Window
from jilog_review.detector import Kind
from jilog_review.filings import Filing, FilingAction
from jilog_review.html.markup import element, escaped
from jilog_review.html.page import render_report
from jilog_review.html.scale import round_up, spread, ticks
from jilog_review.labels import Verdict, read_labels
from jilog_review.tracker import IssueState
from jilog_review.trend import trend_of
from support.learned import Fleet, a_label, a_run, a_signal

LAST = date(2026, 5, 9)
NASTY = (
    "</title></svg><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">\x00\u202e&"
)
CLOSED_NS = 1_777_900_000 * 10**9

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
in_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: the report is not opened in it"
)


def busy_fleet(text: str = "command not found: rg") -> Fleet:
    fleet = Fleet("alpha", "beta")
    number = 0
    for back in range(28):
        day = (LAST - timedelta(days=back)).isoformat()
        for host in ("alpha", "beta"):
            fleet.record(host, a_run(host, day, sessions=1 + back % 3))
            for kind in (Kind.ERROR, Kind.ERROR, *Kind)[: 2 + back % 5]:
                number += 1
                fields = {"kind": kind, "review_date": day, "host": host, "fingerprint": f"f{number % 3}"}
                fleet.record(host, a_signal(number, excerpt=text, tool=text[:30], reader=text[:20], **fields))
    filing = Filing(
        fingerprint="f1",
        backend="github",
        place="o/r",
        action=FilingAction.OBSERVED,
        host="alpha",
        review_date=LAST.isoformat(),
        title=text,
        kind=Kind.ERROR,
        ref="#1",
        url="javascript:alert(1)",
        state=IssueState.DONE,
        closed_ns=CLOSED_NS,
    )
    fleet.logs["alpha"].append([filing.to_draft(1)])
    fleet.record("alpha", a_label(a_signal(1, fingerprint="f9"), Verdict.RIGHT))
    return fleet


def report(fleet: Fleet, weeks: int = 4) -> str:
    events = fleet.events()
    window = Window(LAST - timedelta(days=7 * weeks - 1), LAST)
    background = Background(read_labels(events), frozenset({"alpha", "beta", "gamma"}))
    return render_report(trend_of(events, events, window, "full", background))


class Outline(HTMLParser):
    """What a page is made of; elements that do not close in order are faults."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize(
    "fleet", [busy_fleet(), busy_fleet(NASTY), Fleet("alpha")], ids=["busy", "nasty", "empty"]
)
def test_every_element_closes_in_order_and_every_id_is_unique(fleet: Fleet) -> None:
    outline = Outline(report(fleet))

    assert (outline.faults, outline.open) == ([], [])
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in outline.tags:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)


def test_nothing_is_fetched_and_nothing_runs() -> None:
    page = report(busy_fleet(NASTY))
    outline = Outline(page)

    assert not {tag for tag, _ in outline.tags} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "base",
    }
    for _, attributes in outline.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert "default-src 'none'" in outline.of("meta")[2]["content"]
    assert not re.search(r"url\(|@import|https?://", page)


def test_texts_of_others_are_shown_as_text() -> None:
    outline = Outline(report(busy_fleet(NASTY)))

    assert "<script>document.title='owned'</script>" in outline.text
    assert not {"\x00", "\u202e"} & set(outline.text)


def test_every_plot_has_a_title_a_description_and_a_table() -> None:
    outline = Outline(report(busy_fleet()))
    plots = [attributes for attributes in outline.of("svg") if "aria-hidden" not in attributes]

    assert len(plots) == 5
    assert all(plot["role"] == "img" and len(plot["aria-labelledby"].split()) == 2 for plot in plots)
    assert len(outline.of("desc")) == 5
    for title in ("Signals per day and kind", "P0 timeline", "Signals per host", "Signals per reader"):
        assert f"{title}" in outline.text
    assert len(outline.of("caption")) == 6
    assert outline.of("html") == [{"lang": "en"}]


def test_scrolled_tables_can_be_reached_by_keyboard() -> None:
    regions = [a for a in Outline(report(busy_fleet())).of("div") if a.get("class") == "scroll"]

    assert regions
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in regions)


def test_report_is_the_same_bytes_from_equal_ledgers() -> None:
    fleet = busy_fleet()
    turned = Fleet("beta", "alpha")
    for host, log in fleet.logs.items():
        turned.logs[host].kept = list(reversed(log.kept))

    assert report(turned) == report(fleet)


def test_report_of_thousands_of_alerts_stays_small_and_says_what_it_leaves_out() -> None:
    fleet = Fleet("alpha")
    days = [(LAST - timedelta(days=back)).isoformat() for back in range(20)]
    for place, day in enumerate(days):
        found = (a_signal(3000 * place + n, review_date=day, fingerprint=f"f{n // 3}") for n in range(150))
        fleet.record("alpha", *found)

    page = report(fleet)

    assert "P0 timeline: the newest 500 alerts" in page
    assert len(page) < 500_000


def test_no_coordinate_lies_outside_its_drawing() -> None:
    page = report(busy_fleet(), weeks=52)

    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        width, height = map(float, re.findall(r'viewBox="0 0 (\S+) (\S+)"', drawing)[0])
        for shape in re.findall(r"<rect[^>]*>", drawing):
            at = {
                name: float(value) for name, value in re.findall(r'\b(x|y|width|height)="(-?[\d.]+)"', shape)
            }
            assert 0 <= at.get("x", 0) <= at.get("x", 0) + at["width"] <= width + 0.1
            assert 0 <= at.get("y", 0) <= at.get("y", 0) + at["height"] <= height + 0.1


@given(st.text())
def test_escaped_text_has_no_markup(text: str) -> None:
    assert not set(escaped(text)) & set("<>\"'\x00")
    assert Outline(element("p", text).text).of("p") == [{}]


@given(st.integers(0, 10**9))
def test_axis_ends_at_a_round_number_not_far_above(count: int) -> None:
    top = round_up(count)

    assert count <= top <= max(1, 2.5 * count)
    assert all(isinstance(tick, int) for tick in ticks(top))


@given(st.integers(1, 1000), st.integers(2, 9))
def test_spread_has_the_first_and_the_last_and_no_more_than_asked_for(count: int, shown_max: int) -> None:
    places = list(spread(count, shown_max))

    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0, count - 1)
    assert len(places) <= shown_max


def browse(page: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    profile = page.parent / "profile"
    return subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--enable-logging=stderr", "--no-first-run", f"--user-data-dir={profile}"),
            *arguments,
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def written(folder: Path, fleet: Fleet) -> Path:
    path = folder / "report.html"
    path.write_text(report(fleet), encoding="utf-8")
    return path


@in_browser
def test_browser_shows_the_report_without_a_word_on_its_console(tmp_path: Path) -> None:
    done = browse(written(tmp_path, busy_fleet(NASTY)), "--dump-dom")

    assert done.returncode == 0
    assert "CONSOLE" not in done.stderr
    assert "<title>jilog review, 2026-04-12 to 2026-05-09</title>" in done.stdout
    assert "What keeps going wrong" in done.stdout
    assert done.stdout.count("<svg") == report(busy_fleet(NASTY)).count("<svg")


@in_browser
def test_positive_control_the_console_of_a_page_that_breaks_its_policy_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    path.write_text(report(busy_fleet()).replace("<main>", "<main><script>1</script>"), encoding="utf-8")

    done = browse(path, "--dump-dom")

    assert "CONSOLE" in done.stderr


def pixels(path: Path) -> tuple[int, int, list[bytes]]:
    """Read width, height and rows of a PNG that a browser wrote (8 bits, RGB or RGBA)."""
    data, at, body = path.read_bytes(), 8, b""
    width, height, _, form = struct.unpack(">IIBB", data[16:26])
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            body += data[at + 8 : at + 8 + size]
        at += 12 + size
    depth = {2: 3, 6: 4}[form]
    raw = zlib.decompress(body)
    step = width * depth + 1
    return width, height, [raw[start + 1 : start + step] for start in range(0, len(raw), step)]


@in_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_browser_paints_the_report_at_a_desk_and_on_a_phone(tmp_path: Path, width: int, scheme: str) -> None:
    shot = tmp_path / "shot.png"
    # Chromium's number for a preference: 0 is dark, 1 is light.
    preferred = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"

    browse(written(tmp_path, busy_fleet()), preferred, f"--window-size={width},2200", f"--screenshot={shot}")

    painted, height, rows = pixels(shot)
    assert (painted, height) == (width, 2200)
    # Rows that are all of one colour are filtered to zeros: a blank page has hardly another row.
    assert sum(any(row) for row in rows) > 500
    # The first pixel is the page's background, unfiltered.
    assert (rows[0][0] > 128) is (scheme == "light")


@in_browser
def test_nothing_is_wider_than_a_phone(tmp_path: Path) -> None:
    # The page's own policy allows no script: it is taken out for the one that measures.
    page = report(busy_fleet("an-unbroken-word-" * 20)).replace("default-src &#x27;none&#x27;; ", "")
    assert "default-src" not in page
    probe = (
        "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"
    )
    path = tmp_path / "probe.html"
    path.write_text(page.replace("</body>", probe), encoding="utf-8")

    done = browse(path, "--dump-dom", "--window-size=360,800")

    (title,) = re.findall(r"<title>(\d+ of \d+)</title>", done.stdout)
    needed, given_width = map(int, title.split(" of "))
    assert needed <= given_width
