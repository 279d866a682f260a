"""Lines and sections of the digest, and the rules by which a text stands on one line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jilog_review.detector import Kind
from jilog_review.personas import shown_name
from jilog_review.signal import Signal

ERROR_CHARS_MAX = 500
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TRUNCATED = " … [truncated]"
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """Write a text in single quotes on one line, as the seed does: never in double quotes."""
    return "'" + "".join(_escaped(character) for character in text) + "'"


def _escaped(character: str) -> str:
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    return f"\\x{ord(character):02x}" if character < " " else character


def section(title: str, empty: str, lines: Sequence[str]) -> str:
    """Write a section that ends with one blank line."""
    body = "\n".join(lines) if lines else empty
    return f"## {title}\n\n{body}\n\n"


def coded(text: str) -> str:
    """Put a name between backticks, on one line whatever it holds."""
    return f"`{visible(shown_name(text, None))}`"


def visible(text: str) -> str:
    """Replace what a reader cannot see: control characters but for blanks, and marks of direction.

    A mark of direction can make a line read as another one, in a terminal as in a browser.
    """
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str, chars_max: int = ERROR_CHARS_MAX) -> str:
    """Bring a text onto one line, so that no text of a tool can look like a line of the digest."""
    text = visible(" ".join(text.split()))
    return text[:chars_max] + _TRUNCATED if len(text) > chars_max else text


def failure_text(signal: Signal, *, plain: bool) -> str:
    """Give a failure's text as the digest shows it.

    The seed prints it as it is, line breaks included, up to ERROR_CHARS_MAX characters; other profiles keep
    it on one line.
    """
    if not plain:
        return one_line(signal.excerpt)
    text = signal.excerpt
    return text[:ERROR_CHARS_MAX] + _TRUNCATED if len(text) > ERROR_CHARS_MAX else text


def plain_line(signal: Signal) -> str:
    """Write a signal in the seed's layout, to the byte."""
    start = f"- {dimensions(signal)}`{signal.session_id}`"
    match signal.kind:
        case Kind.CORRECTION:
            return f"{start} — {quoted(signal.excerpt)}"
        case Kind.ERROR:
            return f"{start} / `{signal.tool}`: {failure_text(signal, plain=True)}"
        case Kind.WORKAROUND:
            return f"{start} pattern=`{signal.label or signal.rule}`: {quoted(signal.excerpt)}"
        case Kind.DEFERRAL:
            return f"{start} pattern=`{signal.label or signal.rule}`"
        case Kind.PATTERN:
            return f"{start} kind=`{signal.label or signal.rule}`: {signal.excerpt}"


def full_line(signal: Signal) -> str:
    """Write a signal as the other profiles do: the seed's form, on one line, with what more is known."""
    start = f"- {dimensions(signal)}{coded(signal.session_id)}"
    label = coded(signal.label or signal.rule)
    match signal.kind:
        case Kind.CORRECTION:
            return f"{start} — {quoted(visible(signal.excerpt))}"
        case Kind.ERROR:
            tool = coded(signal.tool or "unknown")
            return f"{start} / {tool}: {failure_text(signal, plain=False)}{_more_of(signal)}"
        case Kind.WORKAROUND | Kind.DEFERRAL:
            return f"{start} pattern={label}: {quoted(visible(signal.excerpt))}"
        case Kind.PATTERN:
            return f"{start} kind={label}: {one_line(signal.excerpt)}"


def filed_as(fingerprint: str, names: Mapping[str, str]) -> str:
    """Name the issue of a fingerprint, as what ends a line; nothing when none was filed."""
    name = names.get(fingerprint)
    return f" (→ {one_line(name, 80)})" if name else ""


def _more_of(signal: Signal) -> str:
    times = f" (×{signal.occurrences})" if signal.occurrences > 1 else ""
    return times + _file_at_hand(signal) + worked_later(signal)


def _file_at_hand(signal: Signal) -> str:
    """Name the file that a file tool failed on, unless the failure's text or what worked later names it."""
    tool, _, path = (signal.command or "").partition(" ")
    if not path or tool != signal.tool or path in signal.excerpt or signal.later_command == signal.command:
        return ""
    return f" — {coded(one_line(path, 200))}"


def worked_later(signal: Signal) -> str:
    """Say which command worked after a failure, where one did."""
    return f" — worked later: {coded(one_line(signal.later_command, 200))}" if signal.later_command else ""


def dimensions(signal: Signal) -> str:
    """Write who was speaking, and from which account, before a line that has such a thing."""
    names: list[str] = []
    if signal.persona:
        names.append(shown_name(signal.persona, signal.channel))
    if signal.seat:
        names.append(shown_name(f"seat:{signal.seat}", None))
    return "".join(f"`{name}` " for name in names)


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def at_most(lines: Sequence[str], lines_max: int, where: str) -> list[str]:
    """Cut a list of lines, and say how many are left out and where they are."""
    if len(lines) <= lines_max:
        return list(lines)
    return [*lines[:lines_max], f"- … and {len(lines) - lines_max} more: {where}"]
