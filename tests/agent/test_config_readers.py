"""Readers in the config: every built-in type, options of one's own, and other packages' readers."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.config.model import READER_PATHS, ReaderConfig
from jilog_ledger.errors import InputError
from jilog_review.readers import BUILT_IN


def readers(tmp_path: Path, text: str) -> tuple[ReaderConfig, ...]:
    (tmp_path / ".jilog.toml").write_text(text)
    return load_config(ConfigSources(user_home=tmp_path, environment={})).readers


def test_every_built_in_reader_may_be_configured() -> None:
    assert set(READER_PATHS) == set(BUILT_IN)


def test_nanoclaw_keeps_its_options_and_paths_of_another_host_stay_as_written(tmp_path: Path) -> None:
    near, far = readers(
        tmp_path,
        '[[reader]]\ntype = "nanoclaw"\ndb = "~/v2.db"\ninclude = ["ada"]\n'
        '[[reader]]\ntype = "nanoclaw"\nhost = "desk"\npath = "~/claw"\ndb = "~/v2.db"\nexclude = ["bob"]\n',
    )

    assert (near.host, near.further) == (None, {"db": f"{tmp_path}/v2.db", "include": ("ada",)})
    assert (far.host, far.paths) == ("desk", ("~/claw",))
    assert far.further == {"db": "~/v2.db", "exclude": ("bob",)}


def test_reader_of_an_entry_point_gets_its_keys_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [EntryPoint("echo", "echo_plug_in:make_echo", "jilog.readers")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_group: points)

    (reader,) = readers(tmp_path, '[[reader]]\ntype = "echo"\nvolume = 11\npath = "~/x"\n')
    with pytest.raises(InputError) as caught:
        readers(tmp_path, '[[reader]]\ntype = "ecko"\n')

    assert (reader.type, reader.further) == ("echo", {"volume": 11, "path": "~/x"})
    assert caught.value.hint == "did you mean 'echo'?"
