"""Reading the documents that commands print. What is missing or of another shape reads as nothing."""

from __future__ import annotations

from collections.abc import Mapping

from jilog_agent.cli.output import format_bytes
from jilog_ledger.event import JsonValue

Document = Mapping[str, JsonValue]


def text(document: Document, key: str) -> str:
    """Give a value as text; nothing for null."""
    value = document.get(key)
    return "" if value is None else str(value)


def number(document: Document, key: str) -> int:
    """Give a whole number; 0 for anything else."""
    value = document.get(key)
    return value if isinstance(value, int) else 0


def rows(document: Document, key: str) -> list[Document]:
    """Give a list of objects."""
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def inner(document: Document, key: str) -> Document:
    """Give an object; an empty one for anything else."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def names(document: Document, key: str) -> list[str]:
    """Give a list of texts."""
    value = document.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def size(document: Document, key: str) -> str:
    """Give a number of bytes for people."""
    return format_bytes(number(document, key))


def moment(document: Document, key: str) -> str:
    """Give a time to the second; ``never`` when there is none."""
    said = text(document, key)
    return f"{said[:10]} {said[11:19]} UTC" if len(said) >= 19 else said or "never"
