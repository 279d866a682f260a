"""The JSON envelope in which several harnesses return a tool's result: success, error and output."""

from __future__ import annotations

import re

import msgspec

from jilog_ledger.event import JsonValue


class _Envelope(msgspec.Struct, gc=False):
    success: bool | None = None


_ENVELOPE_DECODER = msgspec.json.Decoder(_Envelope)
_SIGNS = ('"success"', '"returncode"', '"exit_code"')
_MESSAGE_KEYS = ("message", "msg", "error", "detail", "stderr", "stdout", "output", "content", "text")
_DEPTH_MAX = 3
# What an envelope that is cut in its middle still shows.
_CUT_FAILURE = re.compile(r'"success"\s*:\s*false\b')
_CUT_MESSAGE = re.compile(r'"(?:error|message|stderr)"\s*:\s*"((?:[^"\\]|\\.){1,4000})')


def failed_flag(text: str) -> bool | None:
    """Tell by the envelope's ``success`` whether the tool failed; None where there is no such flag."""
    if '"success"' not in text or not text.lstrip().startswith("{"):
        return None
    try:
        success = _ENVELOPE_DECODER.decode(text).success
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return None if success is None else not success


def error_text(text: str) -> str:
    """Give what a failed envelope says went wrong; a text that is no envelope is given back as it is.

    The rule of the reference (its section on errors): the first element of an ``error`` list, else
    ``error`` itself, else the whole envelope; strings as they are and anything else as compact JSON with
    sorted keys.
    """
    try:
        envelope: JsonValue = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
    if not isinstance(envelope, dict):
        return text
    error = envelope.get("error")
    if isinstance(error, list):
        error = error[0] if error else None
    return _as_text(envelope if error is None else error)


def failure_message(text: str) -> str:
    """Give a failed envelope's message as a person would read it; any other text is given back as it is.

    Where ``error_text`` keeps to the reference, this looks into objects (``{"message": …}``) and, when no
    error is told, into what the command printed. An envelope failed when its ``success`` is false or its
    output has an exit status.
    """
    if not text.lstrip().startswith("{") or not any(sign in text for sign in _SIGNS):
        return text
    try:
        envelope: JsonValue = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _message_of_cut(text)
    if not isinstance(envelope, dict) or not _has_failed(envelope):
        return text
    return (
        _message_in(envelope.get("error"))
        or _message_in(envelope.get("output"))
        or _message_in(envelope)
        or text
    )


def _has_failed(envelope: dict[str, JsonValue]) -> bool:
    if envelope.get("success") is False:
        return True
    output = envelope.get("output")
    places = (envelope, output) if isinstance(output, dict) else (envelope,)
    return any(place.get(key) not in (None, 0) for place in places for key in ("returncode", "exit_code"))


def _message_in(value: JsonValue, depth: int = 0) -> str:
    """Find the first text that tells something; empty where there is none."""
    if isinstance(value, str):
        return value.strip()
    if depth >= _DEPTH_MAX:
        return ""
    if isinstance(value, list):
        return next((found for item in value[:1] if (found := _message_in(item, depth + 1))), "")
    if isinstance(value, dict):
        texts = (_message_in(value.get(key), depth + 1) for key in _MESSAGE_KEYS)
        return next((text for text in texts if text), "")
    return ""


def _message_of_cut(text: str) -> str:
    """Read the message of an envelope whose middle was left out, as long outputs' are."""
    match = _CUT_MESSAGE.search(text) if _CUT_FAILURE.search(text) else None
    if match is None:
        return text
    try:
        return msgspec.json.decode(f'"{match[1]}"', type=str)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return match[1]


def _as_text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, order="sorted").decode()
