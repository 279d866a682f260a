"""Markup: elements whose text and attributes are always escaped."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

# HTML has no way to write these, and direction marks could make a text look like another one.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

_VOID = frozenset({"meta", "rect", "circle", "line", "br", "input", "link"})


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is markup already. Only :func:`element` and its kin make it."""

    text: str


Content = str | int | Markup | None


def escaped(text: str) -> str:
    """Escape a text for content and for attributes in double quotes."""
    text = text.encode("utf-8", "replace").decode()
    return html.escape(_UNPRINTABLE.sub("�", text), quote=True)


def element(name: str, /, *content: Content, **attributes: str | float | None) -> Markup:
    """Make an element. ``class_`` and ``aria_label`` mean ``class`` and ``aria-label``; None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(*content).text}</{name}>")


def joined(*content: Content) -> Markup:
    """Put contents one after the other."""
    return Markup("".join(_written(part) for part in content))


def _written(part: Content) -> str:
    if part is None:
        return ""
    return part.text if isinstance(part, Markup) else escaped(str(part))


def _attribute(value: str | float) -> str:
    return escaped(value) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Write a coordinate with one decimal at most: the same text on every machine."""
    return f"{value:.1f}".removesuffix(".0")
