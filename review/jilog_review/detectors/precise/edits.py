"""What an edit took out of files and what it put in, whichever harness and tool made it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from jilog_review.fingerprint import canonical_tool
from jilog_review.transcript import ToolCall

_PATCH_FILE = re.compile(r"^\*\*\* (?:Update|Add|Delete) File: (.+)$|^\+\+\+ (?:b/)?(\S+)", re.MULTILINE)
_HUNK_NOISE = ("+++", "---", "***", "@@")
_PATCH_TOOLS = frozenset({"apply_patch", "ApplyPatch", "patch"})


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file. ``old`` is None where the whole file was written over what is not known."""

    path: str
    old: str | None
    new: str


class _Piece(msgspec.Struct, gc=False):
    old_string: str = ""
    new_string: str = ""
    old_text: str = msgspec.field(default="", name="oldText")
    new_text: str = msgspec.field(default="", name="newText")


class _Arguments(msgspec.Struct, gc=False):
    """The fields by which harnesses' editing tools name a file and its texts."""

    file_path: str | None = None
    notebook_path: str | None = None
    path: str | None = None
    file_path_camel: str | None = msgspec.field(default=None, name="filePath")
    old_string: str | None = None
    new_string: str | None = None
    old_str: str | None = None
    new_str: str | None = None
    old_text: str | None = msgspec.field(default=None, name="oldText")
    new_text: str | None = msgspec.field(default=None, name="newText")
    old_camel: str | None = msgspec.field(default=None, name="oldString")
    new_camel: str | None = msgspec.field(default=None, name="newString")
    new_source: str | None = None
    content: str | None = None
    file_text: str | None = None
    edits: list[_Piece] | None = None
    input: str | None = None
    patch: str | None = None

    @property
    def file(self) -> str:
        return self.file_path or self.notebook_path or self.path or self.file_path_camel or ""


_DECODER = msgspec.json.Decoder(_Arguments | str | None)


def is_edit(call: ToolCall) -> bool:
    """Tell whether a call may change a file through an editing tool; a shell's redirections do not count."""
    tool = call.tool
    return canonical_tool(tool) in {"edit", "write"} or tool in _PATCH_TOOLS or tool == "NotebookEdit"


def edits_of(call: ToolCall) -> Iterator[Edit]:
    """Give the changes that a call asks for; none when its arguments are not understood."""
    try:
        arguments = _DECODER.decode(call.arguments)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if arguments is None:
        return
    if isinstance(arguments, str):
        yield from patch_edits(arguments)
        return
    patch = arguments.patch or arguments.input
    if patch is not None and call.tool in _PATCH_TOOLS:
        yield from patch_edits(patch)
    elif arguments.edits is not None:
        for piece in arguments.edits:
            yield Edit(arguments.file, piece.old_string or piece.old_text, piece.new_string or piece.new_text)
    else:
        yield from _single(arguments)


def _single(arguments: _Arguments) -> Iterator[Edit]:
    pairs = (
        (arguments.old_string, arguments.new_string),
        (arguments.old_str, arguments.new_str),
        (arguments.old_text, arguments.new_text),
        (arguments.old_camel, arguments.new_camel),
    )
    for old, new in pairs:
        if new is not None:
            yield Edit(arguments.file, old or "", new)
            return
    whole = arguments.content or arguments.file_text
    if whole is not None:
        yield Edit(arguments.file, None, whole)
    elif arguments.new_source is not None:
        yield Edit(arguments.file, None, arguments.new_source)


def patch_edits(patch: str) -> Iterator[Edit]:
    """Give the changes of a patch, one for each file that it names."""
    path = ""
    old: list[str] = []
    new: list[str] = []
    for line in patch.split("\n"):
        match = _PATCH_FILE.match(line)
        if match is not None:
            if old or new:
                yield Edit(path, "\n".join(old), "\n".join(new))
            path, old, new = (match[1] or match[2] or "").strip(), [], []
        elif line.startswith(_HUNK_NOISE):
            continue
        elif line.startswith("+"):
            new.append(line[1:])
        elif line.startswith("-"):
            old.append(line[1:])
    if old or new:
        yield Edit(path, "\n".join(old), "\n".join(new))
