"""Ctrl-C in one thread that appends, while others wait for the batch it was to lead."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jilog_ledger.append import Appender
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore


def test_leader_interrupted_before_its_batch_hands_the_lead_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ZoneStore.open(tmp_path, "main", source="alpha", key=SigningKey.generate())
    enqueued = threading.Event()
    lead, enqueue = Appender._lead, Appender._enqueue
    follower = threading.Thread(target=store.append, args=([EventDraft("health", {"n": 2})],), daemon=True)

    def enqueue_and_tell(self: Appender, request: object) -> bool:
        follows = enqueue(self, request)  # type: ignore[arg-type]  # the request's type is the module's own
        if follows:
            enqueued.set()
        return follows

    def interrupted_once(self: Appender) -> None:
        if threading.current_thread() is follower:
            lead(self)
            return
        follower.start()
        assert enqueued.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(Appender, "_enqueue", enqueue_and_tell)
    monkeypatch.setattr(Appender, "_lead", interrupted_once)

    with pytest.raises(KeyboardInterrupt):
        store.append([EventDraft("health", {"n": 1})])
    follower.join(30)

    assert not follower.is_alive()
    assert store.frontier().entries[0].sequence == 1
