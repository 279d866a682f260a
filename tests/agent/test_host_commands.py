"""init, query, status, verify, rebuild, segment and config show, as a user runs them."""

from __future__ import annotations

import json
import stat
import tomllib

import pytest

from jilog_agent.identity import source_from_hostname
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from support.jilog_cli import Host


def record(host: Host, *tasks: str) -> None:
    for task in tasks:
        done = host.run("supervise", "--task", task, "--", "true")
        assert done.returncode == 0, done.stderr


def flip(host: Host, offset: int) -> None:
    path = host.segment()
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def test_init_makes_key_zone_and_config_and_names_the_next_command(host: Host) -> None:
    (host.root / ".claude" / "projects").mkdir(parents=True)

    done = host.run("init", "--source", "laptop", "--zone", "ops")

    assert done.returncode == 0, done.stderr
    assert "next: jilog supervise" in done.stdout
    config = tomllib.loads(host.config.read_text())
    assert config["zones"] == [{"id": "ops"}]
    assert config["reader"] == [{"type": "claude-code", "path": "~/.claude/projects"}]
    assert json.loads((host.state / "identity" / "identity.json").read_text()) == {"source": "laptop"}
    assert stat.S_IMODE(host.config.stat().st_mode) == 0o600
    assert (host.state / "zones" / "ops" / "manifest").exists()


def test_init_twice_changes_nothing(host: Host) -> None:
    first = host.json("init")
    config = host.config.read_bytes()

    second = host.json("init")

    assert (first["config_written"], first["key_created"]) == (True, True)
    assert (second["config_written"], second["key_created"]) == (False, False)
    for key in ("source", "epoch", "public_key", "zone", "ledger_path"):
        assert first[key] == second[key]
    assert host.config.read_bytes() == config


def test_init_does_not_rename_a_host_that_writes_already(host: Host) -> None:
    host.run("init", "--source", "one")

    done = host.run("init", "--source", "two")

    assert "already writes as one" in done.stderr
    assert json.loads((host.state / "identity" / "identity.json").read_text()) == {"source": "one"}


def test_init_goes_on_where_a_crash_left_a_key_without_a_name(host: Host) -> None:
    first = host.json("init")
    (host.state / "identity" / "identity.json").unlink()

    second = host.json("init")

    assert second["public_key"] == first["public_key"]


def test_the_config_that_init_writes_is_accepted_with_every_comment_removed(host: Host) -> None:
    host.run("init")
    lines = [line.removeprefix("# ") for line in host.config.read_text().splitlines()]
    settings = [line for line in lines if line.startswith("[") or " = " in line]
    top_keys = ("source", "timezone", "digest_dir")
    top = [line for line in settings if line.startswith(top_keys)]
    host.config.write_text("\n".join(top + [line for line in settings if line not in top]))

    done = host.run("config", "show")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("hostname", "source"),
    [
        ("laptop", "laptop"),
        ("laptop.example.org", "laptop"),
        ("Joi's MacBook", "Joi-s-MacBook"),
        ("-x-", "x-"),
        ("...", "host"),
        ("", "host"),
        ("été", "t-"),
        ("a" * 80, "a" * 64),
    ],
)
def test_a_source_name_is_made_of_any_host_name(hostname: str, source: str) -> None:
    assert source_from_hostname(hostname) == source


def test_query_prints_the_text_layout_newest_first(host: Host) -> None:
    record(host, "one", "two")

    lines = host.run("query", "--since", "1h").stdout.split("\n")

    assert lines[0] == "Found 4 event(s) since 1h"
    assert lines[1] == ""
    assert lines[2] == "Zone: main (4 events)"
    assert lines[3][24:].startswith("] statechange    two") or "statechange    two" in lines[3]
    assert lines[3].index("two succeeded") == 3 + 20 + 1 + 14 + 1 + 30 + 1
    assert lines[7:] == ["", ""]


def test_query_filters_and_says_what_it_filtered_by(host: Host) -> None:
    record(host, "review-a", "review-b", "other")

    found = host.run("query", "--subsystem", "review-*", "--subsystem", "x")
    nothing = host.run("query", "--since", "2h", "--subsystem", "none-*")

    assert found.stdout.splitlines()[1] == 'Subsystem filter: ["review-*", "x"]'
    assert found.stdout.startswith("Found 4 event(s) since 7d\n")
    assert nothing.stdout == 'No events found since 2h matching ["none-*"].\n'


def test_query_json_has_the_twelve_keys_and_the_zone(host: Host) -> None:
    record(host, "one")

    document = host.json("query")

    assert document["schema_version"] == 1
    events = document["events"]
    assert isinstance(events, list)
    assert len(events) == 2
    (first, _) = events
    assert isinstance(first, dict)
    assert first["zone"] == "main"
    assert set(first["event"]) == {  # type: ignore[arg-type] # a dict, as documented
        *("event_id", "zone", "source", "epoch", "source_seq", "timestamp", "correlation_id"),
        *("causation_id", "actor_ref", "object_ref", "event_class", "payload_tier", "payload"),
    }


def test_a_match_that_the_limit_hides_is_told(host: Host) -> None:
    record(host, "old", "new", "newer")

    limited = host.run("query", "--limit", "1")
    filtered = host.run("query", "--limit", "1", "--subsystem", "old")

    assert "6 events match, the newest 1 are shown" in limited.stderr
    assert "old succeeded" in filtered.stdout


@pytest.mark.parametrize("text", ["one-two", "C++", "don't", '"', "NEAR(", "*", "a AND"])
def test_query_takes_any_text_a_person_types(host: Host, text: str) -> None:
    record(host, "one-two")

    done = host.run("query", "--text", text)

    assert done.returncode == 0, done.stderr
    assert ("Found 2" in done.stdout) == (text == "one-two")


def test_an_unknown_zone_names_the_nearest(host: Host) -> None:
    host.run("init")

    done = host.run("query", "--zone", "mian")

    assert done.returncode == 2
    assert "unknown zone 'mian'" in done.stderr
    assert "did you mean 'main'?" in done.stderr


def test_status_tells_what_a_zone_holds_and_how_far_its_projection_is(host: Host) -> None:
    record(host, "one")
    before = host.json("status")["zones"]
    host.run("query")

    after = host.json("status")["zones"]

    assert isinstance(before, list)
    assert isinstance(after, list)
    (old,), (new,) = before, after
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert (old["projection_events"], old["projection_lag"]) == (None, 2)
    assert (new["projection_events"], new["projection_lag"]) == (2, 0)
    assert (new["events"], new["quarantined"], new["last_review"]) == (2, 0, None)
    assert new["root"] == old["root"]
    assert len(str(new["root"])) == 64
    assert "projection  up to date" in host.run("status").stdout


def test_rebuild_gives_the_same_answers_after_the_projection_was_lost(host: Host) -> None:
    record(host, "one", "two")
    before = host.events()
    for path in host.zone.glob("projection.sqlite*"):
        path.unlink()

    rebuilt = host.json("rebuild")["zones"]

    assert isinstance(rebuilt, list)
    assert rebuilt[0]["events"] == 4  # type: ignore[call-overload,index] # a dict, as documented
    assert host.events() == before


def test_a_projection_full_of_garbage_is_made_anew(host: Host) -> None:
    record(host, "one")
    before = host.events()
    (host.zone / "projection.sqlite").write_bytes(b"garbage" * 1000)

    assert host.events() == before


def test_damaged_manifest_is_told_without_naming_a_segment(host: Host) -> None:
    record(host, "one")
    (host.zone / "manifest").write_bytes(b"garbage")

    done = host.run("verify")

    assert done.returncode == 3
    assert "segment 0" not in done.stdout + done.stderr
    assert "the manifest was rebuilt" in done.stderr
    assert "  manifest " in done.stdout


def test_json_shows_no_control_character_as_it_is(host: Host) -> None:
    written = "supervise", "--task", "one", "--", "true", "\x7f\x9b31m"
    assert host.run(*written[:3], "--json", *written[3:]).returncode == 0

    for done in (
        host.run("query", "--json"),
        host.run("segment", "cat", str(host.segment())),
        host.run("config", "show", "--json", environment=host.environment(JILOG_DIGEST_DIR="/a\x9bb")),
    ):
        assert done.returncode == 0, done.stderr
        assert "\\u009b" in done.stdout
        assert not {"\x7f", "\x9b"} & set(done.stdout)


def test_a_limit_beyond_all_numbers_of_the_database_is_no_limit(host: Host) -> None:
    record(host, "one")

    done = host.run("query", "--limit", "9" * 30)

    assert done.returncode == 0, done.stderr
    assert "Found 2 event(s)" in done.stdout


def test_verify_finds_a_flipped_bit_and_the_rest_works_on(host: Host) -> None:
    record(host, "one", "two")
    assert host.run("verify").returncode == 0
    flip(host, 300)

    found = host.run("verify")

    assert found.returncode == 3
    assert "quarantine" in found.stdout
    assert "jilog: hint:" in found.stderr
    assert len(list((host.zone / "quarantine").glob("*.seg"))) == 1
    record(host, "after")
    assert [payload["task"] for payload in host.payloads()] == ["after", "after"]


@pytest.mark.parametrize("command", [("query",), ("log",)])
def test_a_sealed_segment_found_damaged_while_events_are_read_is_told(
    host: Host, command: tuple[str, ...]
) -> None:
    record(host, "one", "two")
    key = SigningKey.load(host.state / "identity" / "id_ed25519")
    source = json.loads((host.state / "identity" / "identity.json").read_text())["source"]
    with ZoneLedger.open(host.zone, "main", source=source, key=key) as ledger:
        ledger.shared.seal()
    record(host, "three")
    damaged = min(host.zone.glob("segments/*/*/*.seg"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")

    done = host.run(*command)

    assert done.returncode == 0, done.stderr
    assert "moved to quarantine" in done.stderr
    assert "moved to quarantine" not in host.run(*command).stderr


def test_a_segment_cut_short_is_found(host: Host) -> None:
    record(host, "one", "two")
    path = host.segment()
    path.write_bytes(path.read_bytes()[:-7])

    assert host.run("verify", "--json").returncode == 3


def test_segment_cat_and_the_independent_reader_agree(host: Host) -> None:
    record(host, "one", "two")
    path = str(host.segment())

    events = [json.loads(line) for line in host.run("segment", "cat", path).stdout.splitlines()]
    parts = [json.loads(line) for line in host.run("segment", "cat", "--raw", path).stdout.splitlines()]

    raw = [event for part in parts if part["part"] == "block" for event in part["body"]]
    assert [event["source_seq"] for event in events] == [event[0] for event in raw] == [1, 2, 3, 4]
    assert [event["event_id"].replace("-", "") for event in events] == [event[1] for event in raw]
    assert [event["payload"] for event in events] == [event[5] for event in raw]
    assert parts[0]["part"] == "header"
    assert parts[0]["body"][:2] == ["main", events[0]["source"]]


def test_segment_info_says_what_the_segment_says_of_itself(host: Host) -> None:
    record(host, "one")

    document = host.json("segment", "info", str(host.segment()))

    assert (document["zone"], document["events"], document["sealed"]) == ("main", 2, False)


@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_a_damaged_segment_is_refused_with_its_name_and_the_place(host: Host, raw: list[str]) -> None:
    record(host, "one")
    flip(host, 300)

    done = host.run("segment", "cat", *raw, str(host.segment()))

    assert done.returncode == 4
    assert str(host.segment()) in done.stderr
    assert "at byte" in done.stderr


def test_config_show_tells_which_word_counted(host: Host) -> None:
    host.config.write_text('timezone = "Asia/Tokyo"\ndigest_dir = "~/digests"\n')
    environment = host.environment(JILOG_TZ="UTC")

    done = host.run("config", "show", "--json", environment=environment)

    settings = {item["name"]: item for item in json.loads(done.stdout)["settings"]}
    assert settings["timezone"] == {"name": "timezone", "value": "UTC", "origin": "env JILOG_TZ"}
    assert settings["digest_dir"]["value"] == str(host.root / "digests")
    assert settings["digest_dir"]["origin"] == f"file {host.config}"
    assert settings["source"]["origin"] == "default"


def test_config_show_tells_the_source_that_counts(host: Host) -> None:
    def source() -> tuple[str, str]:
        settings = json.loads(host.run("config", "show", "--json").stdout)["settings"]
        (found,) = (item for item in settings if item["name"] == "source")
        return found["value"], found["origin"]

    assert source() == (None, "default")
    assert host.run("init", "--source", "alpha").returncode == 0
    assert source() == ("alpha", "jilog init")
    host.config.write_text('source = "other"\n')
    assert source() == ("other", f"file {host.config}")
