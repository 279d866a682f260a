"""Tables: the numbers behind every plot, for those who cannot or will not look at it."""

from __future__ import annotations

from collections.abc import Sequence

from jilog_review.html.markup import Content, Markup, element, joined


def table(caption: str, headers: Sequence[str], rows: Sequence[Sequence[Content]]) -> Markup:
    """Make a table; the first cell of a row is its heading. Numbers stand to the right."""
    head = element("tr", *(element("th", header, scope="col") for header in headers))
    body = [
        element("tr", element("th", row[0], scope="row"), *(_cell(cell) for cell in row[1:])) for row in rows
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *body),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=f"Table: {caption}",  # its section has the caption's words, too
    )


def _cell(cell: Content) -> Markup:
    return element("td", cell, class_="number" if isinstance(cell, int) else None)


def folded(summary: str, *content: Content) -> Markup:
    """Hide content behind a line that opens it."""
    return element("details", element("summary", summary), joined(*content))
