"""What every view stands in: head, navigation, main part, foot."""

from __future__ import annotations

from dataclasses import dataclass

from jilog_review.html.markup import Content, Markup, element, joined

NAVIGATION = (
    ("/", "Overview"),
    ("/peers", "Peers"),
    ("/health", "Health"),
    ("/digest", "Digest"),
    ("/trend", "Trend"),
    ("/signals", "Signals"),
    ("/search", "Search"),
    ("/blame", "Blame"),
)


@dataclass(frozen=True, slots=True)
class View:
    """One page: its title, its main part, and whether it is fetched again while somebody looks at it."""

    title: str
    content: Markup
    refreshed: bool = False


def render(view: View, path: str, source: str) -> str:
    """Write the whole page."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{view.title} · jilog on {source}"),
        element("link", rel="stylesheet", href="/style.css"),
        element("link", rel="icon", href="data:,"),
        element("script", src="/script.js", defer=""),
    )
    main = element(
        "main",
        element("h1", view.title),
        view.content,
        id="main",
        tabindex=-1,
        data_refresh="yes" if view.refreshed else None,
    )
    body = element(
        "body",
        element("a", "Skip to the content", href="#main", class_="skip"),
        element("header", element("p", "jilog ", element("b", source), class_="brand"), _navigation(path)),
        main,
        element("footer", element("p", "Everything here is also said by a command: jilog --help")),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="en").text + "\n"


def _navigation(path: str) -> Markup:
    items = [
        element("li", element("a", name, href=target, aria_current="page" if _at(path, target) else None))
        for target, name in NAVIGATION
    ]
    return element("nav", element("ul", *items), aria_label="Views")


def _at(path: str, target: str) -> bool:
    return path == target or (target != "/" and path.startswith(target + "/"))


def section(name: str, title: str, *content: Content) -> Markup:
    """Make a section that its heading names."""
    return element("section", element("h2", title, id=name), *content, aria_labelledby=name)


def failure(message: str, hint: str | None) -> Markup:
    """Say what went wrong, and what to type."""
    return element(
        "div",
        element("p", element("b", message)),
        element("p", "Next: ", element("code", hint)) if hint else None,
        class_="failure",
        role="alert",
    )


def command(text: str) -> Markup:
    """Show a command to type."""
    return element("code", text)


def facts(*pairs: tuple[str, Content]) -> Markup:
    """Make a list of names and values."""
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in pairs]
    return element("dl", *rows, class_="facts")


def button_form(action: str, key: str, label: str, **fields: str) -> Markup:
    """Make a form that is one button."""
    hidden = [element("input", type="hidden", name=name, value=value) for name, value in fields.items()]
    return element(
        "form",
        element("input", type="hidden", name="key", value=key),
        *hidden,
        element("button", label, type="submit"),
        method="post",
        action=action,
        class_="inline",
    )


def question(action: str, name: str, label: str, value: str, verb: str) -> Markup:
    """Make a form that asks for one text."""
    return element(
        "form",
        element("label", label, for_=name),
        joined(
            element(
                "input", type="search", id=name, name=name, value=value, maxlength=1000, autocomplete="off"
            ),
            element("button", verb, type="submit"),
        ),
        method="get",
        action=action,
        role="search",
        class_="question",
    )
