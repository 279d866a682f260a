"""The line format of Codex CLI's rollouts, as far as it matters here.

The format is nobody's contract: a field whose type differs between versions is kept as JSON text.
"""

from __future__ import annotations

import msgspec

_NULL = msgspec.Raw(b"null")

KNOWN_LINES = frozenset({"inter_agent_communication", "session_state", "world_state"})
"""Line types that are understood and hold nothing a rule looks at."""

KNOWN_ITEMS = frozenset(
    {
        "additional_tools",
        "agent_message",
        "compaction",
        "context_compaction",
        "ghost_snapshot",
        "image_generation_call",
        "message",
        "reasoning",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    }
)
KNOWN_EVENTS = frozenset(
    {
        "agent_message",
        "agent_reasoning",
        "agent_reasoning_raw_content",
        "context_compacted",
        "entered_review_mode",
        "error",
        "exited_review_mode",
        "image_generation_end",
        "item_completed",
        "sub_agent_activity",
        "task_complete",
        "thread_goal_updated",
        "thread_rolled_back",
        "thread_settings_applied",
        "token_count",
        "turn_complete",
        "undo_completed",
        "view_image_tool_call",
        "warning",
        "web_search_end",
    }
)


class Payload(msgspec.Struct, gc=False):
    """The payload of a line, whatever its type."""

    type: str | None = None
    role: str | None = None
    content: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL
    name: str | None = None
    arguments: msgspec.Raw = _NULL
    input: msgspec.Raw = _NULL
    action: msgspec.Raw = _NULL
    output: msgspec.Raw = _NULL
    result: msgspec.Raw = _NULL
    info: msgspec.Raw = _NULL
    source: msgspec.Raw = _NULL
    call_id: str | None = None
    turn_id: str | None = None
    reason: str | None = None
    success: bool | None = None
    model: str | None = None
    cwd: str | None = None


class Line(msgspec.Struct, gc=False):
    """One line."""

    type: str | None = None
    timestamp: str | None = None
    payload: Payload | None = None


class Tokens(msgspec.Struct, gc=False, frozen=True):
    """Tokens consumed; ``input_tokens`` includes those that came from a cache."""

    input_tokens: int = 0
    output_tokens: int = 0


class TokenInfo(msgspec.Struct, gc=False):
    """What a ``token_count`` event says: the session's sum, and the last response's part of it."""

    total_token_usage: Tokens | None = None
    last_token_usage: Tokens | None = None


class Arguments(msgspec.Struct, gc=False):
    """The fields of tools' arguments that name a command or a file."""

    cmd: str | list[str] | None = None
    command: str | list[str] | None = None
    path: str | None = None
    file_path: str | None = None
    input: str | None = None


class ThreadSpawn(msgspec.Struct, gc=False):
    """Who started a sub-agent's thread."""

    parent_thread_id: str | None = None


class SubAgent(msgspec.Struct, gc=False):
    """How a sub-agent came to be."""

    thread_spawn: ThreadSpawn | None = None


class SessionSource(msgspec.Struct, gc=False):
    """The ``source`` of a session that a person did not start; plain text otherwise."""

    subagent: SubAgent | str


LINE_DECODER = msgspec.json.Decoder(Line)
ARGUMENTS_DECODER = msgspec.json.Decoder(Arguments)
TOKEN_INFO_DECODER = msgspec.json.Decoder(TokenInfo | None)
SOURCE_DECODER = msgspec.json.Decoder(SessionSource | str | None)
TEXT_DECODER = msgspec.json.Decoder(str)
