"""Every limit of the review, with its reason. Transcripts are other programs' files and are not trusted."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

PIECE_BYTES = 8 * MIB
"""Bytes of one transcript that are decoded at a time: large enough for the decoder's full speed, small enough
that a review of any size stays far below 300 MB."""

LINE_BYTES_MAX = 16 * MIB
"""One line of a transcript. The largest real ones hold a pasted image of some MB; a longer line is skipped
and counted."""

NEEDLE_STEP_BYTES = 256 * KIB
"""Bytes in which many texts are looked for at a time: the places found in them are held in memory."""

CONTEXT_ENTRIES = 12
"""Entries before the cursor that are read again, so that a rule about neighbours sees across it."""

CONTEXT_BYTES_MAX = 256 * KIB
"""How far before the cursor that context may begin; beyond it an unanswered tool call is given up."""

HEAD_BYTES = 512
"""Bytes at a file's start, and before the cursor, whose hash tells an appended file from a replaced one."""

MESSAGE_CHARS_MAX = 64 * KIB
"""Text of one message that rules look at: a person or a model writes less, a paste may be larger."""

RESULT_CHARS_MAX = 16 * KIB
"""Text of one tool result that rules look at: its first and its last half of this."""

COMMAND_CHARS_MAX = 4 * KIB
"""A shell command kept with its call."""

SIGNAL_COMMAND_CHARS_MAX = 300
"""A shell command kept with a signal, which is replicated and stays."""

EXCERPT_CHARS_MAX = 600
"""Text kept with a signal: more than the 500 characters of a failure that a digest prints, so that it can
tell
that there was more."""

SECRET_CHARS_MAX = 2 * KIB
"""Text beyond an excerpt that is redacted with it, so that a secret cut in two is still seen whole."""

ATTEMPTS_MAX = 3
"""Reviews that try a piece again on which a rule or a reader raised. Most such faults come from a new version
and go with the next; what is written after the piece must not wait for ever."""

RETRIES_MAX = 14
"""Reviews that look for a file again that could not be opened, however old it has become."""

SCAN_SIGNALS_MAX = 40_000
"""Distinct signals of one review, some 100 MB; the sources that are left wait for the next one."""

SOURCE_SIGNALS_MAX = 5_000
"""Signals of one source in one review, some 10 MB on the way between two processes; the rest of the source
waits for the next one. The noisiest real sessions have some hundred."""

BILLS_MAX = 1_000_000
"""Responses of one reader whose cost a scan remembers, some 150 MB; a copy of one
beyond them is counted again."""

BILLED_GENERATION_MAX = 250_000
"""Responses of earlier reviews that are remembered, twice: some weeks of a busy host, 4 MB at most."""

BILL_KEY_CHARS_MAX = 80
"""An id by which a response is remembered: the harnesses' have some 30 characters."""

CURSOR_DAYS_MAX = 400
"""A cursor of a source that did not change for so long is forgotten: no usual window reaches back to it."""

WORKERS_MAX = 3
"""Processes that scan at once, where there are so many processors: with some 35 MB each beside the
review's own 140 a gigabyte is read in less than 300."""

WORKERS_BYTES_MIN = 48 * MIB
"""Unread bytes from which on worker processes are worth their start, some 0.2 seconds."""

RUN_PROBLEMS_MAX = 20
"""Problems that a scan reports to the fleet one by one."""

TOOL_SESSIONS_MAX = 20_000
"""Pairs of tool and session that a scan tells the fleet; at 15 bytes each they fit an event of 2 MiB."""

TOOLS_MAX = 500
"""Tools that a scan tells the fleet by name."""

APPEND_EVENTS_MAX = 400
"""Events handed to the ledger at once: signals of the largest size still fit one durable batch of 4 MiB."""

NAME_CHARS_MAX = 200
"""Names that a transcript gives (tools, personas, channels) and ids that it makes up."""

HEADER_LINE_BYTES_MAX = 64 * KIB
"""The ``_jilog`` line of a generic transcript."""

UNKNOWN_TYPES_MAX = 100
"""Distinct unknown line types counted by name; the rest is counted together."""

DECOMPRESSED_BYTES_MAX = 4 * 1024 * MIB
"""What one compressed transcript may unfold to; beyond it the file is called unreadable. The largest real
ones are some hundred MB, and a review must not be kept busy by a file of zeros."""

ZSTD_WINDOW_BYTES_MAX = 64 * MIB
"""Memory one zstd frame may ask for: level 19 needs 8 MiB."""

DOCUMENT_BYTES_MAX = 64 * MIB
"""A transcript that is one JSON document and must be decoded whole; a longer one is called unreadable."""

HEAD_LINE_BYTES_MAX = MIB
"""A transcript's first line, read again for what it says of the whole session: it may hold instructions."""

SQLITE_BUSY_MS = 3000
"""How long a read waits for a harness that is writing its database."""

SQLITE_ROWS_MAX = 2_000
"""Rows of a session taken from a database at a time: a row holds up to some 50 KiB of a tool's output."""

RULE_FILE_BYTES_MAX = 256 * KIB
"""One file of wording rules: the largest of the package has some KiB."""

CORRECTION_CHARS_MAX = 1200
"""A longer message is a task or a paste, not a correction (measured, together with the lines)."""

CORRECTION_LINES_MAX = 25
"""As above, in lines."""

CORRECTION_HEAD_CHARS = 300
"""A correction says so early: wording is looked for in this much of a message."""

LATER_ENTRIES_MAX = 800
"""How many entries after a failure are looked at for the command that worked in the end."""

LABEL_CHARS_MAX = 120
"""The words a rule fired on, kept with a signal."""

RULE_LINE_CHARS_MAX = 400
"""One line of code that rules about marks look at: a longer one is generated or minified."""

STAMP_NAMES_MAX = 2000
"""Names that a scan remembers the redacted form of; it forgets all when there are more."""
