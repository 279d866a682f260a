"""The views of what was learned and written down: digest, trend, signals, search, blame, one event."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from jilog_agent.page import limits
from jilog_agent.page.ask import Asker, CommandFailed
from jilog_agent.page.frame import View, button_form, command, facts, question
from jilog_agent.page.values import Document, inner, moment, names, rows, text
from jilog_review.html.markup import Markup, element, joined

_DIGEST_NAME = re.compile(r"learning-digest-(\d{4}-\d{2}-\d{2})\.md")
_EVER = "1970-01-01"
_VERDICTS = (("tp", "Right"), ("fp", "Wrong: mute it"), ("wontfix", "Right, but mute it"))


async def digest(folder: Path, day: str | None) -> View:
    """Show the digest of a day, the newest without one, and the days there are.

    Raises:
        CommandFailed: there is none of that day.
    """
    days = await asyncio.to_thread(_digest_days, folder)
    if not days and day is None:
        return View("Digest", element("p", "No digest yet. Write one: ", command("jilog review nightly")))
    shown = day or days[0]
    if shown not in days:
        raise CommandFailed(
            f"there is no digest of {shown[:20]}", hint="jilog review nightly --date YYYY-MM-DD"
        )
    said = await asyncio.to_thread(_digest_text, folder, shown)
    others = [
        element(
            "li", element("a", item, href=f"/digest/{item}", aria_current="true" if item == shown else None)
        )
        for item in days[: limits.ROWS_MAX]
    ]
    content = joined(
        element("pre", said, class_="document", tabindex="0"),
        element("nav", element("h2", "Other days"), element("ul", *others, class_="days"), aria_label="Days"),
    )
    return View(f"Digest of {shown}", content)


def _digest_days(folder: Path) -> list[str]:
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((match[1] for path in found if (match := _DIGEST_NAME.fullmatch(path.name))), reverse=True)


def _digest_text(folder: Path, day: str) -> str:
    with (folder / f"learning-digest-{day}.md").open("rb") as file:
        data = file.read(limits.DIGEST_BYTES_MAX + 1)
    cut = "\n[the file goes on]" if len(data) > limits.DIGEST_BYTES_MAX else ""
    return data[: limits.DIGEST_BYTES_MAX].decode("utf-8", "replace") + cut


async def trend(ask: Asker) -> View:
    """Show whether it gets better, with the report's plots."""
    fragment = await ask.text("review", "report", "--html", "--fragment", "-")
    # The report escapes all that it shows, and its author is this program.
    return View("Trend", Markup(fragment))


async def signals(ask: Asker, key: str) -> View:
    """List the signals of the last week, each with the buttons that label it."""
    document = await ask.document("review", "signals", "--since", "7d")
    found = rows(document, "signals")
    if not found:
        return View("Signals", element("p", "No signals in the last seven days."))
    more = len(found) - limits.ROWS_MAX
    content = joined(
        element("ul", *(_signal(item, key) for item in found[: limits.ROWS_MAX]), class_="cards"),
        element("p", f"{more} more: ", command("jilog review signals")) if more > 0 else None,
    )
    return View("Signals", content)


def _signal(item: Document, key: str) -> Markup:
    name = text(item, "id")
    said = text(item, "verdict")
    buttons = [
        button_form("/do/label", key, label, signal=name, verdict=verdict) for verdict, label in _VERDICTS
    ]
    tool = f", {text(item, 'tool')}" if text(item, "tool") else ""
    return element(
        "li",
        element("h2", f"{text(item, 'kind')}{tool}, tier {text(item, 'tier')}"),
        element("p", text(item, "excerpt"), class_="excerpt", dir="auto"),
        element(
            "p",
            f"{moment(item, 'timestamp')} on {text(item, 'host')}, {text(item, 'reader')}",
            class_="quiet",
        ),
        element("p", f"Labelled {said}") if said else None,
        element("div", *buttons, class_="actions", role="group", aria_label=f"Label signal {name[:12]}"),
    )


async def search(ask: Asker, words: str) -> View:
    """Find events of every kind by the words in them."""
    form = question("/search", "q", "Words to look for, in everything that was recorded", words, "Search")
    if not words.strip():
        return View("Search", form)
    document = await ask.document(
        "query", "--since", _EVER, "--limit", str(limits.ROWS_MAX), f"--text={words}"
    )
    found = rows(document, "events")
    said = element("p", f"{len(found)} events", role="status")
    return View(
        "Search", joined(form, said, element("ul", *(_event_card(item) for item in found), class_="cards"))
    )


def _event_card(item: Document) -> Markup:
    event = inner(item, "event")
    payload = inner(event, "payload")
    title = next(
        (text(payload, name) for name in ("title", "summary", "excerpt", "goal") if text(payload, name)), ""
    )
    name = text(event, "event_id")
    return element(
        "li",
        element(
            "h2", element("a", title[:200] or text(event, "event_class"), href=f"/show/{name}", dir="auto")
        ),
        element(
            "p",
            f"{text(event, 'event_class').replace('_', ' ')}, {moment(event, 'timestamp')},"
            f" {text(event, 'source')}, zone {text(item, 'zone')}",
            class_="quiet",
        ),
    )


async def show(ask: Asker, name: str) -> View:
    """Show one event as it was recorded."""
    document = await ask.document("show", "--", name)
    event = inner(document, "event") or document
    payload = inner(event, "payload")
    body = json.dumps(payload or event, indent=2, ensure_ascii=False)
    content = joined(
        facts(
            ("Id", element("code", text(event, "event_id") or name)),
            ("Class", text(event, "event_class")),
            ("When", moment(event, "timestamp")),
            ("Host", text(event, "source")),
            ("Zone", text(event, "zone")),
        ),
        element("pre", body[: limits.DIGEST_BYTES_MAX], class_="document", tabindex="0"),
    )
    return View("Event", content)


async def blame(ask: Asker, path: str) -> View:
    """Tell why a file is as it is."""
    form = question("/blame", "path", "File or folder on this host, as an absolute path", path, "Tell")
    if not path.strip():
        return View("Blame", form)
    if not path.startswith("/"):
        raise CommandFailed("the path is relative, and the page is in no folder", hint="give it from / on")
    document = await ask.document("blame", "--", path)
    found = rows(document, "entries")
    cards = [_entry_card(item) for item in found[: limits.ROWS_MAX]]
    said = element("p", f"{len(found)} entries name {text(document, 'path')}", role="status")
    return View("Blame", joined(form, said, element("ul", *cards, class_="cards")))


def _entry_card(item: Document) -> Markup:
    return element(
        "li",
        element("h2", element("a", text(item, "title"), href=f"/show/{text(item, 'id')}", dir="auto")),
        element("p", text(item, "body")[:2000], class_="excerpt", dir="auto") if text(item, "body") else None,
        element(
            "p",
            f"{text(item, 'type').replace('_', ' ')}, {moment(item, 'timestamp')}, {text(item, 'source')}",
            f"; {', '.join(names(item, 'tags'))}" if names(item, "tags") else None,
            class_="quiet",
        ),
    )
