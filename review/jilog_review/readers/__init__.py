"""The built-in readers, by their ``type`` in the config."""

from collections.abc import Mapping

from jilog_review.reader import ReaderFactory
from jilog_review.readers.amplifier import (
    make_amplifier_reader,
    make_context_intelligence_reader,
)
from jilog_review.readers.claude_code import make_claude_code_reader
from jilog_review.readers.codex import make_codex_reader
from jilog_review.readers.copilot import make_copilot_reader
from jilog_review.readers.gemini import make_gemini_reader
from jilog_review.readers.generic import make_generic_reader
from jilog_review.readers.nanoclaw import make_nanoclaw_reader
from jilog_review.readers.opencode import make_opencode_reader
from jilog_review.readers.pi import make_pi_reader

BUILT_IN: Mapping[str, ReaderFactory] = {
    "amplifier": make_amplifier_reader,
    "claude-code": make_claude_code_reader,
    "codex": make_codex_reader,
    "context-intelligence": make_context_intelligence_reader,
    "copilot": make_copilot_reader,
    "gemini": make_gemini_reader,
    "generic": make_generic_reader,
    "nanoclaw": make_nanoclaw_reader,
    "opencode": make_opencode_reader,
    "pi": make_pi_reader,
}
