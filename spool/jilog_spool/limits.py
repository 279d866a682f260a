"""Every limit of the spool, with its reason. A peer that goes past one is cut off, never obeyed."""

from __future__ import annotations

from jilog_ledger.limits import KIB, MIB

CHUNK_BYTES_MAX = 256 * KIB
"""File bytes in one DATA message: large enough that framing costs nothing, small enough to resume finely."""

FRAME_BYTES_MAX = MIB
"""The body of one frame. A chunk that does not compress fits, and so does a batch of entries or offers."""

HELLO_BYTES_MAX = 128 * KIB
"""The first frame, before anything is known of the peer: ZONES_MAX zones with the longest names."""

ZONES_MAX = 1000
"""Zones in one session; each costs a root in the hello."""

FRONTIER_FRAME_BYTES = 256 * KIB
"""About where one FRONTIER message ends and the next begins, well below FRAME_BYTES_MAX."""

ENTRIES_PER_FRAME_MAX = 10_000
"""Entries in one FRONTIER message, checked by the parser; FRONTIER_FRAME_BYTES binds first."""

SPANS_PER_ENTRY_MAX = 2048
"""Gaps told of one writer. With more, the peer offers some segments in vain and is told so."""

BUCKET_LEVEL_MAX = 12
"""A frontier is summed up in at most 2 to this power buckets, 32 KiB: 24 writers each at WRITERS_MAX."""

WRITERS_UNSUMMED_MAX = 4
"""A frontier of so few writers is told at once; asking first which of them differ would cost more."""

PUSH_BYTES_MAX = 128 * KIB
"""New bytes that are sent unasked. More is offered, so that a peer that has them from another says no."""

GOSSIP_SECONDS = 55.0
"""How often two hosts in a warm session compare their fleet roots, give or take GOSSIP_JITTER. With 31 bytes
from each side, padded by SSH and with its headers, an idle peer costs some 270 bytes a minute."""

GOSSIP_JITTER = 0.2
"""Share of GOSSIP_SECONDS that chance adds or takes, so that sessions of one host do not speak in step."""

CLOCK_TOLD_SECONDS = 60
"""In a warm session clocks are told when one was set by so much; only five minutes would harm."""

RESYNC_SECONDS = 1.0
"""After a push that could not be used: how soon the roots are compared."""

ROUNDS_MAX = 4
"""Exchanges in a row because of forks that were taken in; what is left then waits for the next session."""

OFFERS_PER_FRAME_MAX = 256
"""Segments in one OFFER message, all of one writer."""

OFFERS_OPEN_MAX = 1024
"""Offers without an answer, per direction: what both ends keep in memory about them."""

WANTS_OPEN_MAX = 256
"""Transfers a receiver has asked for and not yet got: hides the round trip when segments are small."""

WANTS_OPEN_BYTES_MAX = 32 * MIB
"""The same in bytes, so that other sessions of this host find segments left to fetch from their peers."""

CREDIT_BYTES = 4 * MIB
"""DATA payload a sender may have under way: fills a 100 Mbit/s line at 300 ms round trip, and is all a
receiver that writes slowly has to hold."""

CREDIT_STEP_BYTES = MIB
"""The receiver gives credit back in such steps; small steps only add frames."""

HELD_SECONDS_MAX = 1.0
"""How long bytes of a transfer stay in memory before they are staged: a whole segment comes in less on a fast
line, and is then written once."""

HELD_BYTES_MAX = 12 * MIB
"""Bytes of transfers in memory, of one session: the largest segment fits, and peers send one at a time."""

OUTBOX_BYTES_MAX = 4 * MIB
"""Answers waiting for a peer that sends but does not read. Past this it is cut off."""

SILENCE_SECONDS_MAX = 60.0
"""Not one byte from the peer for this long: it is gone. Peers send a ping well before."""

PING_SECONDS = 15.0
"""A side that has had nothing to say for this long says so, in 11 bytes."""

TEXT_CHARS_MAX = 500
"""Of a message from a peer that is shown to a person."""

REFUSALS_KEPT_MAX = 1000
"""Refused segments that a report describes one by one; beyond it only counts them."""

CONNECT_SECONDS = 15.0
"""From the first packet to an authenticated connection."""

KEEPALIVE_SECONDS = 15.0
"""Between the SSH keepalives of a connection on which no session runs yet; three unanswered ones end it."""

PEERS_PARALLEL = 8
"""Peers synced at one time: each costs a connection, a few MiB, and a share of the disk's syncs."""

SERVER_LOGIN_SECONDS = 10.0
"""How long a connection to the own SSH endpoint may stay without having authenticated."""

SERVER_CONNECTIONS_MAX = 64
"""Connections to the own SSH endpoint at one time; more are closed before any cryptography."""

SERVER_SESSIONS_PER_CONNECTION_MAX = 4
"""Spool sessions inside one connection."""

PEERS_FILE_BYTES_MAX = MIB
"""The peers table; thousands of peers fit."""

DIRECTORY_HOSTS_MAX = 1000
"""Folders of hosts in one directory; each costs a listing."""

DIRECTORY_FILES_MAX = 200_000
"""Files looked at in one folder: a host that emits 4 MiB segments has written 800 GB by then."""

DIRECTORY_STATE_BYTES_MAX = 32 * MIB
"""What one host says of itself: WRITERS_MAX writers at 200 bytes, with room."""

DIRECTORY_STATES_TRIED_MAX = 8
"""Statements of one host that are read before it counts as silent: the newest ones come first."""

DIRECTORY_ASKS_MAX = 1000
"""Segments that a host asks for in one statement; the rest waits for the next one."""

DIRECTORY_HISTORIES_MAX = 16
"""Histories of one active segment in one folder: clones that share it, and their clones."""

DIRECTORY_KEYS_MAX = 200_000
"""Keys that one statement vouches for: WRITERS_MAX sources in each of two zones."""

DIRECTORY_PASSES_MAX = 64
"""Times the files are gone through because the last time brought news that others may follow from."""

DIRECTORY_FORGET_SECONDS = 90 * 86_400
"""A host that has said nothing new for so long no longer keeps others from pruning. It loses nothing by it:
when it comes back, what it lacks is emitted again."""

DIRECTORY_HEARTBEAT_SECONDS = 86_400
"""How often a statement is written although nothing has changed, so that its host is not forgotten."""

PAIRING_CODE_SECONDS = 300.0
"""How long a pairing code lives: long enough to walk to the other host, and to type it."""

PAIRING_WRONG_TRIES_MAX = 3
"""Wrong tries that a code lives through: at 30 bits, one chance in 358 million for who guesses."""

PAIRING_ATTEMPTS_MAX = 100
"""Connections to one code, whatever they do: each costs this host 20 ms of its processor."""

PAIRING_CONNECTIONS_MAX = 8
"""The same at one time; more are closed unread."""

PAIRING_TALK_SECONDS = 20.0
"""One conversation, from connection to the end; no person is waited for in it."""

PAIRING_PACE_SECONDS = 0.25
"""The least time between two connections that are listened to, so that guesses and floods are slow."""

PAIRING_FIND_SECONDS = 3.0
"""How long a host is looked for on the local network by the public part of its code."""
