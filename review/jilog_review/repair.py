"""Repair of bytes that should be UTF-8 JSON and are not: one bad byte must not cost a session."""

from __future__ import annotations

import codecs
import json
import re

# A surrogate pair stands for one character; half of one stands for none and no UTF-8 text can hold it.
_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


_DECODER = json.JSONDecoder()
GLUED_VALUES_MAX = 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def repair_text(text: bytes) -> bytes:
    """Replace what is not UTF-8, and escapes of half a surrogate pair, by U+FFFD; a byte order mark goes."""
    text = text.removeprefix(codecs.BOM_UTF8)
    if not is_utf8(text):
        text = text.decode("utf-8", "replace").encode()
    return _SURROGATE.sub(lambda m: m[0] if len(m[2]) > 6 else m[1] + b"\\ufffd", text)


def split_values(text: bytes) -> list[bytes]:
    """Take apart JSON values that stand on one line: two writers at once, or a lost newline, leave that.

    Empty unless the line is made of 2 to GLUED_VALUES_MAX whole values and nothing else.
    """
    rest = text.decode("utf-8", "replace").strip()
    values: list[bytes] = []
    while rest and len(values) < GLUED_VALUES_MAX:
        try:
            _, end = _DECODER.raw_decode(rest)
        except (ValueError, RecursionError):
            return []
        values.append(rest[:end].encode("utf-8", "replace"))
        rest = rest[end:].lstrip()
    return values if not rest and len(values) > 1 else []


def printable(name: str) -> str:
    """Give a file's name as text that any output can carry.

    Names are bytes to the operating system: what is not UTF-8 in one is written as an escape, and control
    characters as question marks.
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return _CONTROL.sub("?", text)


def is_utf8(text: bytes) -> bool:
    """Tell whether the bytes are UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
