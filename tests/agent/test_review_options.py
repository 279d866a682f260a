"""``[zones.redaction]`` and ``[review] rule_folders``, as a user meets them."""

from __future__ import annotations

import json

import pytest

from support.jilog_cli import Host

SECRET = "ghp_" + "a1B2" * 9
SAID = f"no, that is wrong, ask anna@example.org about ACME-17 with {SECRET}"
CONFIG = """
[[zones]]
id = "main"

[[zones]]
id = "open"

[zones.redaction]
emails = false
patterns = ["ACME-[0-9]+"]

[[reader]]
name = "chat"
type = "generic"
path = "~/chats/*/log.jsonl"
session_id_from = "parent_dir"
"""


@pytest.fixture
def talked(host: Host) -> Host:
    host.run("init", "--source", "alpha")
    host.config.write_text('source = "alpha"\n' + CONFIG)
    folder = host.root / "chats" / "s1"
    folder.mkdir(parents=True)
    lines = ({"role": "assistant", "content": "Done."}, {"role": "user", "content": SAID})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return host


def recorded(host: Host, zone: str) -> str:
    done = host.run("review", "nightly", "--zone", zone)
    assert done.returncode == 0, done.stderr
    (signal,) = host.json("review", "signals", "--zone", zone)["signals"]  # type: ignore[union-attr,misc] # a list
    return str(signal["excerpt"])  # type: ignore[index,call-overload] # an object


def test_redaction_of_a_zone_holds_for_that_zone_alone_and_secrets_always_go(talked: Host) -> None:
    usual, own = recorded(talked, "main"), recorded(talked, "open")

    assert "[email]" in usual
    assert "ACME-17" in usual
    assert "anna@example.org" in own
    assert "[redacted]" in own
    assert SECRET not in usual + own


def test_config_show_tells_what_each_zone_replaces(talked: Host) -> None:
    text = talked.run("config", "show").stdout
    document = talked.json("config", "show")

    assert "secrets, home folders, 1 pattern of its own" in " ".join(text.split())
    assert [zone["redaction"]["emails"] for zone in document["zones"]] == [True, False]  # type: ignore[union-attr,index,call-overload] # objects
    assert document["review"]["rule_folders"] == []  # type: ignore[index,call-overload] # an object


def test_explanation_tells_how_often_it_failed_and_what_worked_later(host: Host) -> None:
    host.run("init", "--source", "alpha")
    host.config.write_text('source = "alpha"\n[[reader]]\ntype = "claude-code"\npath = "~/chats"\n')
    folder = host.root / "chats" / "-w-app"
    folder.mkdir(parents=True)
    lines = [line for number, name in enumerate(("pytst", "pytst", "pytest")) for line in ran(number, name)]
    (folder / "11111111-2222-4333-8444-555555555555.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert host.run("review", "nightly").returncode == 0
    (found,) = host.json("review", "signals", "--kind", "error")["signals"]  # type: ignore[union-attr,misc] # a list

    text = host.run("review", "signals", "--explain", str(found["id"])).stdout  # type: ignore[index,call-overload] # an object

    assert "times in this session: 2" in text
    assert "worked later: pytest -q tests" in text


def ran(number: int, program: str) -> list[dict[str, object]]:
    """Give the lines of a command that is there only under its right name."""
    use = {
        "type": "tool_use",
        "id": f"t{number}",
        "name": "Bash",
        "input": {"command": f"{program} -q tests"},
    }
    missing = program == "pytst"
    text = f"Exit code 127\nbash: {program}: command not found" if missing else "2 passed"
    result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": text, "is_error": missing}
    return [
        {
            "type": role,
            "uuid": f"{role}{number}",
            "sessionId": "11111111-2222-4333-8444-555555555555",
            "timestamp": f"2026-11-01T09:00:{number:02}.000Z",
            "message": {"role": role, "content": [content]},
        }
        for role, content in (("assistant", use), ("user", result))
    ]


def test_broken_rule_file_ends_a_review_with_one_line_and_status_2(talked: Host) -> None:
    (talked.root / "rules").mkdir()
    (talked.root / "rules" / "correction.it.toml").write_text('kind = "correction"\nlanguage = "it"\n')
    talked.config.write_text(talked.config.read_text() + '\n[review]\nrule_folders = ["rules"]\n')

    done = talked.run("review", "nightly")

    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("jilog: error")]
    assert len(errors) == 1, done.stderr
    assert "rules/correction.it.toml" in errors[0]
    assert "`approvals`" in errors[0]
