"""Branches that several sessions of one host could fetch: nobody waits for anybody, and none is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jilog_spool.claims import Claims
from jilog_spool.memory import Pipe
from support.spool_fleet import drafts, held_bytes, root_of, session, sync, zone_store


@pytest.mark.parametrize("both", [False, True])
def test_branch_that_another_session_fetches_is_put_off_and_comes_with_the_next_exchange(
    tmp_path: Path, both: bool
) -> None:
    original = zone_store(tmp_path, "a")
    original.append(drafts(2))
    shutil.copytree(tmp_path / "a", tmp_path / "copy" / "a")
    clone = zone_store(tmp_path / "copy", "a")
    original.append(drafts(1))
    clone.append(drafts(3))
    key = ("main", original.own_writer, 1)
    theirs, ours, another = Claims(), Claims(), object()
    ours.take(key, another)
    if both:
        theirs.take(key, another)

    pipe = Pipe(session(original, claims=ours), session(clone, claims=theirs))
    pipe.run()

    # A session that waited for the claim would never have ended, and its peer's neither.
    assert pipe.failures == []
    assert pipe.first.session.finished
    assert pipe.second.session.finished
    if both:  # else one side may take the other branch, and give both back in the same session
        assert root_of(original) != root_of(clone)

    ours.release(key, another)
    theirs.release(key, another)
    for _ in range(2):
        again = Pipe(session(original, claims=ours), session(clone, claims=theirs))
        again.run()
        assert again.failures == []

    assert held_bytes(original) == held_bytes(clone)
    assert sync(original, clone).second.session.report.zones_differing == []
