"""Every limit of the hooks, with its reason. Nothing is imported here: the entry reads it."""

from __future__ import annotations

INPUT_BYTES_MAX = 1_048_576
"""What an agent writes to a hook: ids and a prompt. The rest is left unread."""

DEADLINE_SECONDS = 8
"""A hook that takes longer ends, silently, unless the user set another: nobody should wait for a memory."""

ANSWER_SHARE = 0.6
"""Which part of that a running agent may take for its answer."""

VCS_SHARE = 0.375
"""Which part of it git or jj may take for one answer."""

ANSWER_BYTES_MAX = 8 * 1_048_576
"""An answer is some kilobytes."""

LOG_BYTES_MAX = 262_144
"""The log of failures; it is then renamed to ``.1``, so that two of them bound what logs may take."""

FILES_AT_HAND_MAX = 100
"""Files that a session's start asks about; who has more changed files has a topic."""

FILES_MAX = 2_000
"""Changed files that are looked at, and named by one entry."""

DIGEST_BYTES_MAX = 1_048_576
"""A larger file is known by its size and time instead of its content."""

DIGEST_BYTES_TOTAL_MAX = 64 * 1_048_576
"""Content that is read for one hook: a tenth of a second."""

COMMITS_MAX = 50
"""Commits that one entry names."""

STATES_MAX = 1_000
"""Sessions that are remembered; the oldest are forgotten first."""

STATE_BYTES_MAX = 4 * 1_048_576
"""What is remembered of one session: a digest of each file that it changed."""

BUDGET_TOKENS_DEFAULT = 800
"""Tokens that a session's start may cost."""

LIMIT_DEFAULT = 10
"""Entries that a session's start is told."""
