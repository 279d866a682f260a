"""What status says of peers while the agent of this host itself is what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_agent import standing
from jilog_agent.agent_socket import socket_path
from jilog_agent.config import ConfigSources, load_config
from jilog_agent.home import Home
from jilog_agent.workspace import Workspace
from jilog_ledger.times import now_ns
from jilog_spool.peers import FILE_NAME, Peer, PeerTable
from support.fake_agent import HANG, HANG_UP, fake_agent


@pytest.mark.parametrize(("answer", "reason"), [(HANG, "agent_hung"), (HANG_UP, "never_synced")])
def test_an_agent_that_does_not_answer_is_named_and_one_that_ends_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, reason: str
) -> None:
    monkeypatch.setattr(standing, "ANSWER_SECONDS", 2.0)
    loaded = load_config(ConfigSources({}, tmp_path))
    workspace = Workspace(loaded, Home(loaded.home), lambda _: None)
    workspace.ensure_identity("alpha")
    PeerTable(workspace.home.root / FILE_NAME, [Peer("beta")]).save()
    path = socket_path(workspace.home)
    path.parent.mkdir(mode=0o700, exist_ok=True)

    with fake_agent(path, answer):
        (verdict,) = standing.verdicts_by_peer(workspace, [], now_ns())["beta"]

    assert verdict.reason.value == reason
    assert verdict.next_step
