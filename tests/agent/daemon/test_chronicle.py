"""What is remembered of sessions when a peer can call this host and cannot be called by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.daemon.chronicle import Chronicle
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.zones import Zones
from jilog_agent.home import Home
from jilog_agent.replication import SyncHistory
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import PeerError
from jilog_spool.errors import ConnectionLost
from jilog_spool.peers import Peer
from jilog_spool.report import SessionReport
from jilog_spool.sync import PeerResult

BETA = Peer("beta")
SERVED = PeerResult(BETA, SessionReport(peer="beta", complete=True), None, 1.0)
ENDED = PeerResult(BETA, SessionReport(peer="beta", complete=True, pending=frozenset()), None, 1.0)
LOST = PeerResult(BETA, SessionReport(peer="beta"), ConnectionLost("beta: the connection was lost"), 1.0)
NO_ANSWER = PeerResult(BETA, SessionReport(), PeerError("beta does not answer"), 1.0)
OTHER = PeerResult(Peer("gamma"), SessionReport(), PeerError("gamma does not answer"), 1.0)


class Book:
    """A chronicle, and what it says of peers."""

    def __init__(self, root: Path) -> None:
        loaded = load_config(ConfigSources({}, root))
        workspace = Workspace(loaded, Home(loaded.home), lambda _: None)
        zones = Zones.open(workspace, workspace.ensure_identity("alpha"), lambda _: None)
        workspace.disk.make_directory(workspace.home.agent_dir)
        self.chronicle = Chronicle(zones, Logbook(lambda _: None))
        self._history = SyncHistory(workspace.home, workspace.disk)

    def served(self, result: PeerResult) -> None:
        asyncio.run(self.chronicle.note_served(result))

    def called(self, result: PeerResult) -> None:
        asyncio.run(self.chronicle.note_called(result))

    def error(self, name: str = "beta") -> str | None:
        return self._history.load()[name].error


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The chronicle of a host that was just set up."""
    return Book(tmp_path)


def test_a_failed_call_tells_nothing_while_the_peer_itself_calls(book: Book) -> None:
    book.served(SERVED)
    book.called(NO_ANSWER)
    book.called(OTHER)

    assert book.error() is None
    assert book.error("gamma") == "gamma does not answer"


def test_after_the_peers_own_session_was_lost_a_failed_call_says_that_it_is_off(book: Book) -> None:
    book.served(SERVED)
    book.served(LOST)
    hidden = book.error()
    book.called(NO_ANSWER)
    named = book.error()
    book.served(SERVED)
    book.called(NO_ANSWER)

    assert hidden == "beta: the connection was lost"
    assert named == "beta does not answer"
    assert book.error() is None


def test_after_the_peer_ended_a_session_that_was_to_stay_open_a_failed_call_counts(book: Book) -> None:
    book.served(SERVED)
    book.served(ENDED)
    book.called(NO_ANSWER)

    assert book.error() == "beta does not answer"


def test_after_a_session_was_lost_that_this_host_began_a_failed_call_says_that_the_peer_is_off(
    book: Book,
) -> None:
    book.served(SERVED)
    book.called(LOST)
    book.called(NO_ANSWER)

    assert book.error() == "beta does not answer"


def test_what_a_peer_that_answered_says_counts_though_it_calls_as_well(book: Book) -> None:
    book.served(SERVED)
    refusal = PeerResult(BETA, SessionReport(peer="beta"), PeerError("beta: its disk is full"), 1.0)
    book.called(refusal)

    assert book.error() == "beta: its disk is full"
