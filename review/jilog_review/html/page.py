"""The page: a trend as one HTML file. A pure function, so equal ledgers give equal bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jilog_review.detector import Kind
from jilog_review.digest_lines import counted, one_line
from jilog_review.fleet import host_coverage, silent_hosts
from jilog_review.html.issues import issues_section
from jilog_review.html.markup import Content, Markup, element, joined
from jilog_review.html.plots import Caption, Dot, named_bars, stacked_days, timeline
from jilog_review.html.style import STYLE
from jilog_review.html.table import folded, table
from jilog_review.precision import precision_of
from jilog_review.trend import NameCount, P0Mark, Trend

ALERT_ROWS_MAX = 12
"""Rows of the P0 timeline; the table has the others."""

ALERT_TABLE_ROWS_MAX = 500
"""Rows of the table of alerts, the newest: thousands would make the file slow to open on a phone."""

NAME_ROWS_MAX = 20
"""Hosts or readers that are drawn; the table has all."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_KINDS = tuple(f"{kind.value.capitalize()}s" for kind in Kind)


def render_report(trend: Trend) -> str:
    """Write the report: no script, no address to fetch from, every text escaped."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", f"jilog review, {_period(trend)}"),
        element("style", Markup(STYLE)),
    )
    body = element(
        "body",
        element("a", "Skip to the plots", href="#plots", class_="skip"),
        _header(trend),
        element("main", Markup(render_fragment(trend).rstrip("\n"))),
        element("footer", element("p", _footnote(trend))),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en").text + "\n"


def render_fragment(trend: Trend) -> str:
    """Write the report's middle alone, for a page that brings its own head and :data:`STYLE`."""
    return joined(_tiles(trend), element("div", *_sections(trend), class_="plots", id="plots")).text + "\n"


def _period(trend: Trend) -> str:
    return f"{trend.window.first.isoformat()} to {trend.window.last.isoformat()}"


def _header(trend: Trend) -> Markup:
    said = f"{_period(trend)}, profile {trend.summary.profile}, {len(trend.hosts)} host(s)"
    return element("header", element("h1", "What keeps going wrong"), element("p", said, class_="quiet"))


def _footnote(trend: Trend) -> str:
    muted = len(trend.summary.muted)
    return (
        "Signals of tier A, the ones fit to file, from the merged ledger of all hosts."
        f" {len(trend.summary.low_confidence)} signals of low confidence and {muted} muted ones are left out."
    )


def _tiles(trend: Trend) -> Markup:
    counts = [(len(trend.summary.of_kind(kind)), f"{kind.value}s") for kind in Kind]
    counts.append((len({mark.key for mark in trend.alerts}), "P0 causes"))
    counts.append((sum(day.sessions for day in trend.days), "sessions read"))
    items = [element("li", element("b", count), name) for count, name in counts]
    return element("ul", *items, class_="tiles", aria_label="Totals")


def _sections(trend: Trend) -> list[Markup | None]:
    return [
        _days_section(trend),
        _alerts_section(trend),
        _names_section("hosts", "Signals per host", "Host", trend.hosts),
        _names_section("readers", "Signals per reader", "Reader", trend.readers),
        issues_section(trend),
        _coverage_section(trend),
        _precision_section(trend),
    ]


def panel(name: str, title: str, *content: Content) -> Markup:
    """Make a section with a heading that names it."""
    return element(
        "section", element("h2", title, id=f"{name}-heading"), *content, aria_labelledby=f"{name}-heading"
    )


def _legend() -> Markup:
    items = []
    for kind, name in zip(Kind, _KINDS, strict=True):
        swatch = element(
            "svg",
            element("rect", width=10, height=10, class_=f"kind-{kind.value}"),
            viewBox="0 0 10 10",
            aria_hidden="true",
        )
        items.append(element("li", swatch, name))
    return element("ul", *items, class_="legend")


def _days_section(trend: Trend) -> Markup:
    busiest = max(trend.days, key=lambda day: day.total)
    total = sum(day.total for day in trend.days)
    said = f"{total} signals over {len(trend.days)} days; most on {busiest.day}: {busiest.total}."
    rows: list[list[Content]] = [
        [day.day, *(day.kinds.get(kind, 0) for kind in Kind), day.low_confidence, day.sessions]
        for day in trend.days
    ]
    headers = ("Date", *_KINDS, "Low confidence", "Sessions read")
    title = "Signals per day and kind"
    days = [day.day for day in trend.days]
    drawn = stacked_days(Caption("days", title, said), days, [day.kinds for day in trend.days])
    return panel(
        "days", title, element("p", said), _legend(), drawn, folded("Numbers", table(title, headers, rows))
    )


def _alerts_section(trend: Trend) -> Markup:
    title = "P0 timeline"
    if not trend.alerts:
        return panel("alerts", title, element("p", "No P0 alert in this time."))
    keys = list(dict.fromkeys(mark.key for mark in sorted(trend.alerts, key=_alert_weight(trend.alerts))))
    said = (
        f"{len(keys)} cause(s) fired on {len({mark.day for mark in trend.alerts})} day(s)."
        " A disc is one failure seen in three or more sessions, a square a tool that failed in as many."
    )
    if len(keys) > ALERT_ROWS_MAX:
        said += f" The {ALERT_ROWS_MAX} most frequent are drawn."
    rows: list[list[Content]] = [
        [mark.day, mark.by, one_line(mark.subject, 160), mark.sessions]
        for mark in trend.alerts[-ALERT_TABLE_ROWS_MAX:]
    ]
    caption = title if len(rows) == len(trend.alerts) else f"{title}: the newest {len(rows)} alerts"
    listed = table(caption, ("Date", "By", "Cause", "Sessions"), rows)
    return panel(
        "alerts",
        title,
        element("p", said),
        _alert_plot(trend, keys[:ALERT_ROWS_MAX], title, said),
        folded("Numbers", listed),
    )


def _alert_weight(alerts: Sequence[P0Mark]) -> Callable[[P0Mark], tuple[int, str]]:
    counts: dict[str, int] = {}
    for mark in alerts:
        counts[mark.key] = counts.get(mark.key, 0) + 1
    return lambda mark: (-counts[mark.key], mark.key)


def _alert_plot(trend: Trend, keys: Sequence[str], title: str, said: str) -> Markup:
    places = {day.day: place for place, day in enumerate(trend.days)}
    subjects = {mark.key: mark.subject for mark in trend.alerts}
    dots = [
        Dot(
            places[mark.day],
            keys.index(mark.key),
            mark.sessions,
            f"{mark.day}: {one_line(mark.subject, 120)} in {mark.sessions} sessions",
            mark.by,
        )
        for mark in trend.alerts
        if mark.key in keys
    ]
    return timeline(Caption("alerts", title, said), list(places), [subjects[key] for key in keys], dots)


def _names_section(name: str, title: str, noun: str, counts: Sequence[NameCount]) -> Markup | None:
    if not counts:
        return None
    ordered = sorted(counts, key=lambda count: (-count.total, count.name))
    said = f"{counted(len(counts), noun.lower())}; most signals from {ordered[0].name}: {ordered[0].total}."
    rows: list[list[Content]] = [
        [count.name, *(count.kinds.get(kind, 0) for kind in Kind), count.sessions] for count in ordered
    ]
    drawn = [(count.name, count.kinds) for count in ordered[:NAME_ROWS_MAX]]
    return panel(
        name,
        title,
        element("p", said),
        _legend(),
        named_bars(Caption(name, title, said), drawn),
        folded("Numbers", table(title, (noun, *_KINDS, "Sessions read"), rows)),
    )


def _coverage_section(trend: Trend) -> Markup:
    rows: list[list[Content]] = []
    for host in host_coverage(trend.summary):
        coverage = host.coverage
        unknown = sum(coverage.unknown.values())
        rows.append([host.host, host.last_date, coverage.files, coverage.lines, unknown, coverage.unreadable])
    rows.extend(
        [silent.host, silent.last_date or "no review", 0, 0, 0, 0] for silent in silent_hosts(trend.summary)
    )
    headers = ("Host", "Reviewed up to", "Files", "Lines", "Unknown lines", "Unreadable")
    said = element("p", "Where nothing was read, nothing can be found.")
    return panel("coverage", "Fleet coverage", said, table("What was read", headers, rows))


def _precision_section(trend: Trend) -> Markup | None:
    labels = trend.summary.background.labels if trend.summary.background else None
    found = precision_of(labels.standing.values(), trend.summary.profile) if labels else ()
    if not found:
        return None
    items = [element("li", precision.line()) for precision in found]
    said = element("p", "From your own labels; the range holds the true share with 95 % confidence.")
    return panel("precision", "Precision", joined(said, element("ul", *items)))
