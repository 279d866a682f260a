"""The section of issues: did closing one make its problem go away?"""

from __future__ import annotations

from jilog_review.digest_lines import one_line
from jilog_review.html.markup import Content, Markup, element
from jilog_review.html.plots import Caption, spark_days
from jilog_review.html.table import folded, table
from jilog_review.trend import Recurrence, Trend

ISSUES_DRAWN_MAX = 8
"""Issues with a plot of their own; the table has all."""

_TITLE = "Recurrence per issue, before and after it was closed"


def issues_section(trend: Trend) -> Markup:
    """Draw each issue's signals by day with the day of its closing; the table gives the exposure."""
    heading = element("h2", _TITLE, id="issues-heading")
    if not trend.issues:
        text = element("p", "No issue was filed for what was seen in this time.")
        return element("section", heading, text, aria_labelledby="issues-heading")
    said = f"{len(trend.issues)} issue(s), with the sessions in which their problems could show."
    if len(trend.issues) > ISSUES_DRAWN_MAX:
        said += f" The {ISSUES_DRAWN_MAX} busiest are drawn."
    drawn = [_drawn(trend, item, place) for place, item in enumerate(trend.issues[:ISSUES_DRAWN_MAX])]
    headers = (
        "Issue",
        "Title",
        "State",
        "Closed",
        "Before",
        "in sessions",
        "After",
        "in sessions",
        "Outcome",
    )
    listed = table(_TITLE, headers, [_row(item) for item in trend.issues])
    return element(
        "section",
        heading,
        element("p", said),
        *drawn,
        folded("Numbers", listed),
        aria_labelledby="issues-heading",
    )


def _name(item: Recurrence) -> str:
    return f"{item.issue.backend} {item.issue.ref}"


def _row(item: Recurrence) -> list[Content]:
    return [
        _name(item),
        one_line(item.issue.title, 160),
        item.issue.state.value,
        item.issue.closed_on or "",
        item.before,
        item.exposure_before,
        item.after,
        item.exposure_after,
        item.outcome,
    ]


def _drawn(trend: Trend, item: Recurrence, place: int) -> Markup:
    days = [day.day for day in trend.days]
    title = f"{_name(item)}: {one_line(item.issue.title, 120)}"
    return element(
        "div",
        element("h3", title),
        element("p", _said(item), class_="quiet"),
        spark_days(
            Caption(f"issue-{place}", title, _said(item)),
            days,
            [item.days.get(day, 0) for day in days],
            _closed_place(item, days),
        ),
    )


def _said(item: Recurrence) -> str:
    before = f"{item.before} in {item.exposure_before} sessions"
    if item.issue.closed_on is None:
        return f"Open; {before}."
    after = f"{item.after} in {item.exposure_after} sessions since"
    return f"Closed on {item.issue.closed_on}: {before} before, {after} ({item.outcome})."


def _closed_place(item: Recurrence, days: list[str]) -> int | None:
    """Give the last column that counts as before; None where no closing lies in the window."""
    closed = item.issue.closed_on
    if closed is None or not days or not days[0] <= closed <= days[-1]:
        return None
    return days.index(closed)
