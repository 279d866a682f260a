"""The config file: what it may say, and what each refusal names."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jilog_agent.config import Config, ConfigSources, ReviewConfig, load_config
from jilog_agent.config.model import PROFILES, READER_PATHS
from jilog_ledger.errors import InputError
from jilog_review.profiles import DEFAULT_PROFILE, load_profile
from jilog_review.readers import BUILT_IN

SEED_EXAMPLE = """
[[reader]]
type = "claude-code"
path = "~/.claude/projects"
[[reader]]
type = "amplifier"
path = "~/.amplifier/projects"
[[reader]]
type = "codex"
path = "~/.codex/sessions"
[[reader]]
type = "copilot"
path = "~/.copilot/session-state"
[tracker]
type = "github"
repo = "your-org/your-repo"
labels = ["jilog-learning"]
[[zones]]
id = "ops"
ledger_path = "~/.jilog/ledgers/ops"
"""


def load(tmp_path: Path, text: str | None = None, **environment: str) -> Config:
    if text is not None:
        (tmp_path / ".jilog.toml").write_text(text)
    return load_config(ConfigSources(environment, tmp_path))


def refusal(tmp_path: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    return caught.value


def origin_of(config: Config, name: str) -> str:
    (setting,) = [setting for setting in config.settings if setting.name == name]
    return setting.origin


def test_without_a_file_there_is_one_shared_zone_under_the_home(tmp_path: Path) -> None:
    config = load(tmp_path)

    (zone,) = config.zones
    assert (zone.id, zone.ledger_path, zone.shared) == ("main", tmp_path / ".jilog" / "zones" / "main", True)
    assert config.readers == ()
    assert config.path is None


def test_the_original_example_loads_with_paths_expanded(tmp_path: Path) -> None:
    config = load(tmp_path, SEED_EXAMPLE)

    assert [reader.type for reader in config.readers] == ["claude-code", "amplifier", "codex", "copilot"]
    assert config.readers[0].paths == (str(tmp_path / ".claude" / "projects"),)
    assert config.zones[0].ledger_path == tmp_path / ".jilog" / "ledgers" / "ops"
    assert (config.tracker.repo, config.tracker.labels) == ("your-org/your-repo", ("jilog-learning",))


def test_zone_and_zones_may_both_be_written_and_only_the_first_is_shared(tmp_path: Path) -> None:
    config = load(tmp_path, '[[zones]]\nid = "a"\n[[zone]]\nid = "b"\n[[zone]]\nid = "c"\nshared = true\n')

    assert [(zone.id, zone.shared) for zone in config.zones] == [("a", True), ("b", False), ("c", True)]


@pytest.mark.parametrize(
    ("text", "names", "hint"),
    [
        ('timezon = "UTC"', ["top level", "unknown key 'timezon'"], "'timezone'"),
        ('[[reader]]\ntype = "claude-code"\npth = "x"', ["[[reader]] number 1", "'pth'"], "'path'"),
        ('[[reader]]\ntyp = "claude-code"', ["[[reader]] number 1", "type is missing"], "'typ'"),
        ('[[reader]]\ntype = "claude"', ["unknown type 'claude'"], "'claude-code'"),
        ('[[reader]]\ntype = "generic"\npath = "x"', ["name is missing"], "name ="),
        ('[[reader]]\ntype = "generic"\nname = "x"', ["path is missing"], "path ="),
        ('[[reader]]\ntype = "codex"\npath = "x"\npaths = ["y"]', ["path and paths"], "keep one"),
        (
            '[[reader]]\ntype = "generic"\nname = "x"\npath = "y"\nsession_id_from = "file_stm"',
            ["session_id_from 'file_stm'"],
            "'file_stem'",
        ),
        (
            '[[reader]]\ntype = "generic"\nname = "x"\npath = "y"\n' * 2,
            ["two generic readers", "'x'"],
            "own name",
        ),
        ('[reader]\ntype = "codex"', ["[reader] stands"], "[[reader]]"),
        ('[[tracker]]\ntype = "none"', ["[[tracker]] stands"], "[tracker]"),
        ('[tracker]\ntype = "gihub"', ["[tracker]", "'gihub'"], "'github'"),
        ('[tracker]\ntype = "github"', ["repo is missing"], "repo ="),
        ('[tracker]\ntype = "kata"', ["project is missing"], "project ="),
        ('[tracker]\ntype = "github"\nrepo = "o/r"\npath = "~/x"', ["unknown key 'path'"], "repo"),
        ('[tracker]\ntype = "beads"\npth = "~/x"', ["unknown key 'pth'"], "'path'"),
        ("[tracker]\nmax_new_per_run = 0", ["max_new_per_run is 0"], "from 1 to 1000"),
        ('[review]\ncoordinatr = "a"', ["[review]", "'coordinatr'"], "'coordinator'"),
        ('[review]\ncoordinator = "a b"', ["[review]", "invalid source name"], "letters"),
        ('[tracker]\nlabels = "one"', ["labels must be a list of texts", "not text"], "labels"),
        ("[[zones]]\nid = 7", ["id must be text in quotes, not a number"], "look at id"),
        ('[[zones]]\nid = "../etc"', ["[[zones]] number 1", "invalid zone name"], "letters"),
        ('[[zones]]\nid = "a"\n[[zone]]\nid = "a"', ["[[zone]] number 1", "already taken"], "own id"),
        (
            '[[zones]]\nid = "a"\nledger_path = "/x"\n[[zones]]\nid = "b"\nledger_path = "/x"',
            ["already belongs to zone 'a'"],
            "own directory",
        ),
        ('[[zones]]\nid = "a"\nshared = "yes"', ["shared must be true or false"], "shared"),
        ("[review]\ndays = 0", ["[review]", "days is 0"], "from 1 to 3650"),
        ("[review]\ndays = true", ["days must be a whole number, not true or false"], "days"),
        ('[review]\nprofile = "sed"', ["profile 'sed'"], "'seed'"),
        ("[spool]\ntimeout_second = 3", ["[spool]", "'timeout_second'"], "'timeout_seconds'"),
        ('[[peer]]\nhost = "x"', ["[[peer]] number 1", "name is missing"], "name ="),
        ('[[peer]]\nname = "x"\nport = 70000', ["port is 70000"], "65535"),
        ('[[peer]]\nname = "x"\n[[peer]]\nname = "x"', ["already taken"], "own name"),
        ('timezone = "Europe/Berln"', ["unknown timezone 'Europe/Berln'"], "Europe/Berlin"),
        ('source = "my host"', ["invalid source name"], "letters"),
        ('digest_dir = ""', ["digest_dir is empty"], "remove the line"),
        ("id = x", ["not valid TOML", "line 1"], "quotes"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_way_out(
    tmp_path: Path, text: str, names: list[str], hint: str
) -> None:
    error = refusal(tmp_path, text)

    for name in names:
        assert name in error.message
    assert error.hint is not None
    assert hint in error.hint
    assert "\n" not in error.message


def test_a_mistake_in_the_file_names_the_file(tmp_path: Path) -> None:
    error = refusal(tmp_path, "colour = 1")

    assert str(tmp_path / ".jilog.toml") in error.message


def test_bytes_that_are_not_utf8_are_refused_with_their_place(tmp_path: Path) -> None:
    (tmp_path / ".jilog.toml").write_bytes(b'source = "\xff"')

    with pytest.raises(InputError, match="not UTF-8 text at byte 10"):
        load(tmp_path)


def test_a_file_that_was_named_and_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist \(from env JILOG_CONFIG\)"):
        load(tmp_path, JILOG_CONFIG=str(tmp_path / "none.toml"))


def test_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    (tmp_path / ".jilog.toml").write_text('timezone = "Asia/Tokyo"\nsource = "from-file"\n')
    environment = {"JILOG_TZ": "UTC", "JILOG_HOME": "/from/env"}

    config = load_config(ConfigSources(environment, tmp_path, home_flag="/from/flag"))

    assert (config.timezone, origin_of(config, "timezone")) == ("UTC", "env JILOG_TZ")
    assert (config.home, origin_of(config, "home")) == (Path("/from/flag"), "flag --home")
    assert (config.source, origin_of(config, "source")) == ("from-file", f"file {tmp_path / '.jilog.toml'}")
    assert origin_of(config, "digest_dir") == "default"


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    config = load(tmp_path, JILOG_HOME="", JILOG_TZ="", JILOG_CONFIG="")

    assert config.home == tmp_path / ".jilog"
    assert config.timezone is None


def test_relative_paths_start_at_the_config_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "j.toml").write_text('[[zones]]\nid = "a"\nledger_path = "ledgers/a"\n')

    config = load_config(ConfigSources({}, tmp_path, config_flag=str(folder / "j.toml")))

    assert config.zones[0].ledger_path == folder / "ledgers" / "a"


def test_a_home_with_glob_characters_is_taken_literally_in_a_pattern(tmp_path: Path) -> None:
    home = tmp_path / "a[1]"
    home.mkdir()

    config = load(home, '[[reader]]\ntype = "generic"\nname = "x"\npath = "~/s/*.jsonl"\n')

    assert config.readers[0].paths == (f"{tmp_path}/a[[]1]/s/*.jsonl",)


def test_beads_folder_is_the_users_or_lies_beside_the_config_file(tmp_path: Path) -> None:
    home = load(tmp_path, '[tracker]\ntype = "beads"\npath = "~/proj"\nlabels = ["x"]\n').tracker
    beside = load(tmp_path, '[tracker]\ntype = "beads"\n').tracker

    assert home.options == {"path": str(tmp_path / "proj"), "labels": ["x"]}
    assert beside.options == {"path": str(tmp_path)}


def test_tracker_that_is_switched_off_may_keep_its_keys(tmp_path: Path) -> None:
    tracker = load(tmp_path, '[tracker]\ntype = "none"\nrepo = "o/r"\nmax_new_per_run = 3\n').tracker

    assert (tracker.type, tracker.options, tracker.max_new_per_run) == ("none", {}, 3)


def test_tracker_of_an_entry_point_gets_its_keys_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [EntryPoint("folder", "folder_plug_in:make_folder", "jilog.trackers")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_group: points)

    tracker = load(tmp_path, '[tracker]\ntype = "folder"\npath = "~/x"\ndepth = 2\n').tracker
    error = refusal(tmp_path, '[tracker]\ntype = "foldr"\n')

    assert (tracker.type, tracker.options) == ("folder", {"path": "~/x", "depth": 2})
    assert error.hint == "did you mean 'folder'?"


def test_coordinator_is_nobody_until_somebody_is_named(tmp_path: Path) -> None:
    silent = load(tmp_path)
    named = load(tmp_path, '[review]\ncoordinator = "alpha"\n')

    assert (silent.review.coordinator, origin_of(silent, "review.coordinator")) == (None, "default")
    assert named.review.coordinator == "alpha"


def test_the_profiles_a_config_may_name_are_those_of_the_review() -> None:
    assert ReviewConfig().profile == DEFAULT_PROFILE
    assert [load_profile(name).name for name in PROFILES] == list(PROFILES)


def test_every_reader_of_the_review_may_be_configured() -> None:
    assert set(BUILT_IN) <= set(READER_PATHS)


def test_folder_that_is_gone_matters_only_to_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert load_config(ConfigSources({}, tmp_path)).home == tmp_path / ".jilog"
    assert load(tmp_path, 'digest_dir = "d"\n', JILOG_HOME="~/state").digest_dir == tmp_path / "d"
    for sources in (
        ConfigSources({"JILOG_HOME": "state"}, tmp_path),
        ConfigSources({"JILOG_DIGEST_DIR": "d"}, tmp_path),
        ConfigSources({}, tmp_path, config_flag="j.toml"),
    ):
        with pytest.raises(InputError, match="working folder is gone"):
            load_config(sources)


def test_relative_digest_folder_of_the_environment_starts_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    assert load(tmp_path, "", JILOG_DIGEST_DIR="d").digest_dir == here / "d"


def test_zone_says_what_it_replaces_beside_secrets(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        '[[zones]]\nid = "a"\n[zones.redaction]\nemails = false\npatterns = ["ACME-[0-9]+"]\n'
        '[[zones]]\nid = "b"\n',
    )

    assert [dict(zone.redaction) for zone in config.zones] == [
        {"emails": False, "patterns": ("ACME-[0-9]+",)},
        {},
    ]


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("email = false", "[redaction]: unknown key 'email'", "did you mean 'emails'?"),
        ("secrets = false", "[redaction]: unknown key 'secrets'", "the known keys are: emails"),
        ("emails = 0", "emails must be true or false", "look at emails"),
        ('patterns = ["(x"]', "redaction pattern '(x' is no regular expression", ""),
    ],
)
def test_redaction_that_cannot_be_meant_is_refused(tmp_path: Path, line: str, said: str, hint: str) -> None:
    error = refusal(tmp_path, f'[[zones]]\nid = "a"\n[zones.redaction]\n{line}\n')

    assert said in error.message
    assert hint in (error.hint or "")


def test_rule_folders_start_at_the_config_file(tmp_path: Path) -> None:
    named = load(tmp_path, '[review]\nrule_folders = ["~/a", "b", "/c"]\n')

    assert named.review.rule_folders == (tmp_path / "a", tmp_path / "b", Path("/c"))
    assert origin_of(named, "review.rule_folders").startswith("file ")
    assert load(tmp_path, "").review.rule_folders == ()


def test_config_that_is_a_pipe_or_a_folder_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("pipe.toml", "."):
        with pytest.raises(InputError, match=r"is no file|cannot read config") as caught:
            load_config(ConfigSources({}, tmp_path, config_flag=str(tmp_path / name)))
        assert "ls -l" in (caught.value.hint or "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / ".jilog.toml").write_text('source = "a"\n', encoding=encoding)

    with pytest.raises(InputError, match="begins with a byte order mark") as caught:
        load_config(ConfigSources({}, tmp_path))

    assert "UTF-8" in (caught.value.hint or "")


@pytest.mark.parametrize("home", ["", "relative/home"])
def test_home_that_is_no_absolute_path_is_refused(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Python takes the root folder for an empty HOME, and the state would be written there."""
    monkeypatch.setenv("HOME", home)

    with pytest.raises(InputError, match="HOME is") as caught:
        ConfigSources.of_process()

    assert "HOME=/home/me" in (caught.value.hint or "")


def test_trust_takes_keys_as_they_are_and_paths_from_the_config_file(tmp_path: Path) -> None:
    trust = load(tmp_path, '[trust]\nca = ["ca.pub", "~/b.pub", "ssh-ed25519 AAAA"]\n').trust

    assert trust.ca == (f"{tmp_path}/ca.pub", f"{tmp_path}/b.pub", "ssh-ed25519 AAAA")
    assert trust.principals == ("*",)
