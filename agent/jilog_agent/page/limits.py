"""The page's limits. Whoever connects is a stranger until the token is seen."""

from __future__ import annotations

CONNECTIONS_MAX = 32
"""Connections at a time; one more is closed unanswered."""

REQUEST_SECONDS = 10.0
"""A connection that has not sent a whole request by then is closed."""

BODY_BYTES_MAX = 16 * 1024
LINE_BYTES_MAX = 8 * 1024
FIELD_CHARS_MAX = 1000
"""Text typed into a form."""

COMMANDS_AT_ONCE = 2
COMMANDS_WAITING_MAX = 8
COMMAND_SECONDS = 60.0
OUTPUT_BYTES_MAX = 16 * 1024 * 1024

ROWS_MAX = 200
"""Rows of a table; the command line has the others."""

DIGEST_BYTES_MAX = 4 * 1024 * 1024
REFRESH_SECONDS = 30
SESSION_SECONDS = 30 * 24 * 3600
"""How long a browser stays let in."""
