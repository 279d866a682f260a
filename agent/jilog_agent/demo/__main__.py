"""Run the demo: record, sync, crash, resume, rebuild and review on three hosts; ``make demo``.

Everything goes through the real command line, real SSH on the loopback interface and real files; only the
agent sessions are made up. The demo fails, with the step that did, when the hosts do not end up the same.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jilog_agent.demo.host import DemoFailed, Host
from jilog_agent.demo.transcripts import write_sessions
from jilog_ledger.errors import JilogError
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger

HISTORY_EVENTS = 40_000
"""A busy host's past: enough that a transfer can be killed in the middle."""
HISTORY_BATCH = 1_000
WAIT_SECONDS_MAX = 60.0


def say(text: str) -> None:
    """Print a step, at once."""
    print(text, flush=True)


def main() -> int:
    """Run the demo in a folder of its own, which is removed at the end."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jilog-demo-") as folder:
        hosts = [Host(name, Path(folder) / name) for name in ("alpha", "bravo", "charlie")]
        try:
            last_line = run(hosts)
        except JilogError as exc:
            say(f"demo failed: {exc.message}")
            return 1
        finally:
            for host in hosts:
                host.stop()
    say(f"\n({time.monotonic() - started:.1f} s)")
    say(last_line)
    return 0


def run(hosts: list[Host]) -> str:
    """Do the steps; give the last line."""
    set_up(hosts)
    supervise_tasks(hosts)
    review_alone(hosts)
    write_history(hosts[0])
    kill_and_resume(hosts[0], hosts[2])
    sync_all(hosts)
    rebuild_from_nothing(hosts[1])
    digest = review_together(hosts)
    events, root = compare(hosts)
    sha256 = hashlib.sha256(digest.encode()).hexdigest()
    return f"demo ok: hosts={len(hosts)} events={events} root={root} digest_sha256={sha256}"


def set_up(hosts: list[Host]) -> None:
    """Give each host a home, a key and an SSH endpoint, and let each know the others' keys."""
    for host in hosts:
        host.set_up()
        host.listen()
    for host in hosts:
        for other in hosts:
            if other is not host:
                host.knows(other)
    say("1. three hosts, each with its own key and SSH endpoint; nothing is shared but public keys")


def supervise_tasks(hosts: list[Host]) -> None:
    """Run tasks under supervision: one that works, one that needs a second try, one that fails."""
    marker = hosts[0].folder / "second-try"
    flaky = f"test -e '{marker}' || {{ touch '{marker}'; exit 4; }}"
    alpha, bravo, charlie = hosts
    alpha.jilog(
        "supervise", "--task", "backup", "--retries", "2", "--backoff", "0.1", "--", "sh", "-c", flaky
    )
    bravo.jilog("supervise", "--task", "heartbeat", "--", "true")
    charlie.jilog("supervise", "--task", "import", "--", "sh", "-c", "exit 3", status=3)
    say("2. supervised tasks: one worked, one at its second try, one failed with its own status 3")


def review_alone(hosts: list[Host]) -> None:
    """Scan each host's own agent sessions; what is found becomes events of that host."""
    started = datetime.now(UTC) - timedelta(hours=2)
    sessions = [write_sessions(host.name, host.transcripts, started) for host in hosts]
    for host in hosts:
        host.jilog("review", "nightly", "--since", "24h")
    found = ", ".join(f"{host.name} {count}" for host, count in zip(hosts, sessions, strict=True))
    say(f"3. agent sessions scanned where they are: {found}")


def write_history(host: Host) -> None:
    """Append a past of some size, as months of supervised tasks would leave it."""
    key = SigningKey.load(host.home / "identity" / "id_ed25519")
    with ZoneLedger.open(host.zone, "main", source=host.name, key=key) as ledger:
        for batch in range(HISTORY_EVENTS // HISTORY_BATCH):
            ledger.append([_past_event(batch * HISTORY_BATCH + number) for number in range(HISTORY_BATCH)])
    say(f"4. {host.name} has a past of {HISTORY_EVENTS:,} events")


def _past_event(number: int) -> EventDraft:
    noise = hashlib.sha256(str(number).encode()).hexdigest()
    payload: dict[str, object] = {
        "subsystem": "heartbeat",
        "summary": f"heartbeat {number} took {number % 97} ms",
        "trace": [noise, noise[::-1], noise[::2]],
    }
    return EventDraft("health", payload, object_ref="task:heartbeat")  # type: ignore[arg-type] # plain JSON


def kill_and_resume(sender: Host, receiver: Host) -> None:
    """Kill the receiving side with SIGKILL while bytes arrive, and let the next sync go on from there."""
    process = subprocess.Popen(
        receiver.command("spool", "sync", sender.name),
        env=receiver.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not _received(receiver, sender):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoFailed("the sync to be killed ended before it could be")
        time.sleep(0.001)
    process.kill()
    process.wait()
    kept = _received(receiver, sender)
    document = receiver.json("spool", "sync", sender.name)
    peers = document["peers"]
    assert isinstance(peers, list)
    rest = int(peers[0]["bytes_received"])
    say(
        f"5. {receiver.name} was killed in the middle of a transfer with {kept / 1e6:.1f} MB received; "
        f"the next sync fetched the other {rest / 1e6:.1f} MB and nothing twice"
    )
    size = sum(path.stat().st_size for path in (sender.zone / "segments" / sender.name).rglob("*.seg"))
    if rest >= size:
        raise DemoFailed(f"the resumed sync fetched {rest} of {size} bytes: everything again")


def _received(receiver: Host, sender: Host) -> int:
    """Count the bytes of the sender's stream that the receiver has, staged ones included."""
    folders = (receiver.zone / "segments" / sender.name, receiver.zone / "incoming")
    sizes = []
    for path in (
        path for folder in folders for path in folder.rglob("*") if path.suffix in (".seg", ".part")
    ):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # it was complete and moved on meanwhile
    return sum(sizes)


def sync_all(hosts: list[Host]) -> None:
    """Let two hosts exchange everything with the third, twice, so that it relays what each wrote."""
    alpha, bravo, charlie = hosts
    bravo.jilog("spool", "sync", charlie.name)
    alpha.jilog("spool", "sync", charlie.name)
    bravo.jilog("spool", "sync", charlie.name)
    again = alpha.json("spool", "sync", charlie.name)["peers"]
    assert isinstance(again, list)
    wire = int(again[0]["wire_bytes_in"]) + int(again[0]["wire_bytes_out"])
    say(f"6. alpha and bravo synced with charlie only; a sync with nothing new costs {wire} bytes")


def rebuild_from_nothing(host: Host) -> None:
    """Delete a projection and make it again from the segments."""
    host.jilog("query", "--limit", "1")
    (host.zone / "projection.sqlite").unlink()
    started = time.monotonic()
    host.jilog("rebuild")
    seconds = time.monotonic() - started
    say(f"7. {host.name}'s projection was deleted and rebuilt from segments in {seconds:.1f} s")


def review_together(hosts: list[Host]) -> str:
    """Write the digest on every host; give it, once all are the same."""
    digests = []
    for host in hosts:
        host.jilog("review", "nightly", "--since", "24h")
        pages = sorted(host.digests.glob("learning-digest-*.md"))
        digests.append(pages[-1].read_text(encoding="utf-8"))
    if len(set(digests)) != 1:
        raise DemoFailed("the digests of the three hosts differ")
    if "p0_count: 1\n" not in digests[0]:
        raise DemoFailed("the digest does not show the problem that three sessions on two hosts share")
    say("8. the nightly review wrote the same digest on all three, charlie without a session of its own\n")
    say("\n".join(f"   | {line}" for line in digests[0].rstrip().splitlines()) + "\n")
    return digests[0]


def compare(hosts: list[Host]) -> tuple[int, str]:
    """Check that all hosts hold the same; print the table; give events and fleet root."""
    rows = []
    for host in hosts:
        zones = host.json("status")["zones"]
        assert isinstance(zones, list)
        zone = zones[0]
        rows.append((host.name, int(zone["events"]), int(zone["segments"]), str(zone["root"])))
        host.jilog("verify")
    say(f"   {'host':10}{'events':>9}{'segments':>10}  fleet root")
    for name, events, segments, root in rows:
        say(f"   {name:10}{events:>9,}{segments:>10}  {root}")
    if len({row[1:] for row in rows}) != 1:
        raise DemoFailed("the hosts do not hold the same")
    return rows[0][1], rows[0][3]


if __name__ == "__main__":
    sys.exit(main())
