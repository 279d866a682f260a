"""Every limit of the agent process, with its reason."""

from __future__ import annotations

from jilog_ledger.limits import KIB, MIB

CLIENTS_MAX = 128
"""Connections to the socket at one time, all of this user's; more are told so and closed unread."""

BACKLOG = 2 * CLIENTS_MAX
"""Connections that wait to be taken: all that are allowed may come at one moment, and be told if too many."""

REQUEST_BYTES_MAX = 8 * MIB
"""One request line. A body of 1 MiB fits even when each of its characters needs an escape of six."""

LINE_BYTES_MAX = 64 * KIB - 1
"""One reply line: the usual line readers (Go's scanner, asyncio's streams) stop at 64 KiB."""

PART_CHARS = 15_000
"""Characters in one part of a longer reply. A character takes four bytes at most, as UTF-8 or escaped."""

REQUESTS_IN_FLIGHT_MAX = 16
"""Requests of one connection that are worked on at one time; the next line is read when one is answered."""

IDLE_SECONDS = 900.0
"""A connection without a request for so long gives its slot back; a ``tail`` keeps it."""

WRITE_THREADS = 32
"""Threads that append: those that wait together share one durable batch."""

READ_THREADS = 4
"""Threads that query, so that long queries never stand in the way of writes."""

GROWTH_POLL_SECONDS = 1.0
"""How soon what another process appended is seen; what the agent appends or receives is seen at once."""

GROWTH_STATS_PER_LOOK = 10
"""Every so many looks at file times the frontiers are read: a command may have synced with a peer."""

TAIL_BATCH_EVENTS = 500
"""Events that ``tail`` holds in memory for a client that reads slowly."""

TAILS_MAX = 16
"""Tails at one time: each reads what is new on its own."""

FAREWELL_SECONDS = 2.0
"""For so long what a refused client still sends is thrown away: a close before would take the reason too."""

DRAIN_SECONDS = 4.0
"""From SIGTERM to the end: what was asked is answered, then whatever still runs is cut off."""

START_SECONDS = 30.0
"""How long ``agent start`` waits for the socket: recovery after a crash may read some segments."""

LOG_BYTES_MAX = 4 * MIB
"""The log file; it is then renamed to ``.1``, so that two of them bound what logs may take."""

REVIEW_SECONDS_MAX = 3 * 3600
"""A nightly review that takes longer hangs; it is stopped, and told."""

SYNC_RETRY_SECONDS = 2.0
"""The first wait after a failure. Each further one doubles it, up to ``sync_every``: a peer that was away for
a week is level within two intervals of its return, and a call that nobody takes costs next to nothing."""

SLICE_SECONDS = 15.0
"""Scrub, disk, schedule and the table of peers are looked at so often; an idle agent should cost nothing."""

PEERS_POLL_SECONDS = 5.0
"""How soon a removed peer is cut off when the command could not tell the agent: a look at file times."""

SERVED_COUNTS_SECONDS = 600.0
"""For so long after a peer's own call a failed call to it is not what tells how the two stand."""

MEASURE_SECONDS = 60.0
"""How often the metrics file is written; on the socket they are taken when they are asked for."""

SCRUB_REST_SECONDS = 24 * 3600
"""Between two rounds of the scrub: a small ledger needs no reading all day."""

COUNT_SECONDS = 30.0
"""How often the counters of a session that stays open are taken over into the metrics."""

DISCOVERY_RETRY_SECONDS = 15.0
"""After the local network could not be listened on, as while there is none."""

DIRECTORY_SKIPS_MAX = 9
"""Turns in a row at which a directory that shows no change is not gone through: a change may not show."""

DIRECTORY_GATHER_SECONDS = 2.0
"""After news of this host: how long more is waited for before a spool directory gets them all at once."""
