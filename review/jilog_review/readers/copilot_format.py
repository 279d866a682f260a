"""The event format of GitHub Copilot CLI, as far as it matters here."""

from __future__ import annotations

import msgspec

_NULL = msgspec.Raw(b"null")

KNOWN_TYPES = frozenset(
    {
        "assistant.intent",
        "assistant.reasoning",
        "assistant.turn_end",
        "assistant.turn_start",
        "assistant.usage",
        "hook.end",
        "hook.start",
        "permission.requested",
        "session.background_tasks_changed",
        "session.compaction_start",
        "session.context_changed",
        "session.handoff",
        "session.idle",
        "session.import_legacy",
        "session.info",
        "session.mode_changed",
        "session.permissions_changed",
        "session.plan_changed",
        "session.snapshot_rewind",
        "session.task_complete",
        "session.title_changed",
        "session.truncation",
        "session.usage_checkpoint",
        "session.usage_info",
        "session.warning",
        "session.workspace_file_changed",
        "skill.invoked",
        "subagent.completed",
        "subagent.deselected",
        "subagent.failed",
        "subagent.selected",
        "subagent.started",
        "system.message",
        "system.notification",
        "tool.execution_partial_result",
        "tool.execution_progress",
        "tool.user_requested",
    }
)
"""Types that are understood and hold nothing a rule looks at."""


class ToolRequest(msgspec.Struct, gc=False, rename="camel"):
    """A call that the model asked for; older versions write no start for one that was refused."""

    tool_call_id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = _NULL


class Context(msgspec.Struct, gc=False):
    """Where the session runs."""

    cwd: str | None = None


class Outcome(msgspec.Struct, gc=False):
    """A tool's result, or a permission's: which of the two decides the fields."""

    content: msgspec.Raw = _NULL
    kind: str | None = None
    feedback: str | None = None


class Failure(msgspec.Struct, gc=False):
    """Why a tool gave no result."""

    message: msgspec.Raw = _NULL
    code: str | None = None


class ModelTokens(msgspec.Struct, gc=False, rename="camel"):
    """Tokens of one model in a session."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class ModelMetrics(msgspec.Struct, gc=False):
    """What one model did in a session."""

    usage: ModelTokens | None = None


class Data(msgspec.Struct, gc=False, rename="camel"):
    """The data of an event, whatever its type."""

    content: msgspec.Raw = _NULL
    message: msgspec.Raw = _NULL
    tool_requests: list[ToolRequest] | None = None
    tool_call_id: str | None = None
    parent_tool_call_id: str | None = None
    tool_name: str | None = None
    arguments: msgspec.Raw = _NULL
    success: bool | None = None
    result: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL
    source: str | None = None
    delivery: str | None = None
    reason: str | None = None
    model: str | None = None
    new_model: str | None = None
    selected_model: str | None = None
    context: msgspec.Raw = _NULL
    model_metrics: msgspec.Raw = _NULL


class Event(msgspec.Struct, gc=False):
    """One line."""

    type: str | None = None
    data: Data | None = None
    id: str | None = None
    timestamp: str | None = None


class Arguments(msgspec.Struct, gc=False, rename="camel"):
    """The fields of tools' arguments that name a command or a file."""

    command: str | None = None
    path: str | None = None
    file_path: str | None = None


EVENT_DECODER = msgspec.json.Decoder(Event)
ARGUMENTS_DECODER = msgspec.json.Decoder(Arguments)
OUTCOME_DECODER = msgspec.json.Decoder(Outcome)
FAILURE_DECODER = msgspec.json.Decoder(Failure)
METRICS_DECODER = msgspec.json.Decoder(dict[str, ModelMetrics])
CONTEXT_DECODER = msgspec.json.Decoder(Context)
