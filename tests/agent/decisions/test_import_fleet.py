"""Imports on several hosts of one fleet: stored by each that imported, told once everywhere."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_agent.learning_log import LedgerLog
from jilog_ledger.identifiers import derived_event_id
from support.decision_zone import open_zone
from support.jilog_local import LocalHost
from support.learned import DAY, NOON_NS, a_signal
from support.stores import pull


def new_host(tmp_path: Path, name: str) -> LocalHost:
    (tmp_path / name).mkdir()
    host = LocalHost(tmp_path / name)
    assert host.run("init", "--source", name).returncode == 0
    return host


def exchange(shared: Path, *hosts: LocalHost) -> None:
    """Let hosts that trust each other come to the same ledger."""
    keys = {host: (host.state / "identity" / "id_ed25519.pub").read_text().split()[:2] for host in hosts}
    for one in hosts:
        for other in hosts:
            if one is not other:
                added = one.run("peer", "add", other.root.name, "--host-key", " ".join(keys[other]))
                assert added.returncode == 0, added.stderr
    shared.mkdir()
    for command in ("emit", "ingest", "emit", "ingest"):
        for host in hosts:
            assert host.run("spool", command, str(shared)).returncode == 0
    assert len({str(host.json("status")["zones"][0]["root"]) for host in hosts}) == 1  # type: ignore[index,call-overload]


def ids(host: LocalHost, *filters: str) -> list[object]:
    document = host.json("query", "--since", "520w", "--limit", "0", *filters)
    return [item["event"]["event_id"] for item in document["events"]]  # type: ignore[union-attr,call-overload,index]


@pytest.mark.parametrize("kind", ["jilog", "agentlog"])
def test_what_two_hosts_imported_and_a_third_wrote_is_told_once_on_each(tmp_path: Path, kind: str) -> None:
    alpha, beta, gamma = (new_host(tmp_path, name) for name in ("alpha", "beta", "gamma"))
    source = tmp_path / "old"
    if kind == "jilog":
        # The events of a host of the fleet, carried by hand before the three have met.
        assert gamma.run("supervise", "--task", "backup", "--", "true").returncode == 0
        assert gamma.run("write", "--type", "decision", "--title", "Use SQLite").returncode == 0
        assert gamma.run("export", "--format", "jilog", "--output", str(source)).returncode == 0
    else:
        (source / "log").mkdir(parents=True)
        entry = {"id": "e1", "timestamp": "2026-01-01T00:00:00Z", "session_id": "s"}
        line = json.dumps({**entry, "type": "decision", "title": "Use SQLite"})
        (source / "log" / "s.jsonl").write_text(f"{line}\n")
    for host in (alpha, beta):
        imported = host.run("import", kind, str(source))
        assert imported.returncode == 0, imported.stderr

    exchange(tmp_path / "shared", alpha, beta, gamma)

    expected = ids(alpha)
    assert len(expected) == len(set(expected)) == (3 if kind == "jilog" else 1)
    for host in (alpha, beta, gamma):
        assert ids(host) == expected
        assert len(host.json("log")["entries"]) == 1  # type: ignore[arg-type]
        assert host.run("search", "sqlite").stdout.count("Use SQLite") == 1
        # What each of the two appended is its own, and is there when that host is asked for.
        assert set(ids(host, "--source", "beta")) == set(expected)


def test_a_signal_that_two_hosts_hold_counts_once_in_a_review(tmp_path: Path) -> None:
    night = dt.date.fromisoformat(DAY)
    draft = replace(a_signal().to_draft(NOON_NS), event_id=derived_event_id("imported"))
    with open_zone(tmp_path / "alpha", "alpha") as alpha, open_zone(tmp_path / "beta", "beta") as beta:
        for zone in (alpha, beta):
            zone.ledger.append([draft])
        pull(alpha.ledger.shared, beta.ledger.shared)
        alpha.apply()

        found = list(LedgerLog(alpha.ledger, alpha.projection).events(night, night))

        both = alpha.projection.count()

    assert (len(found), both) == (1, 2)
