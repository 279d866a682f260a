"""The [agent] table of the config file."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from jilog_agent.config import AgentConfig, ConfigSources, load_config
from jilog_ledger.errors import InputError


def load(tmp_path: Path, text: str) -> AgentConfig:
    (tmp_path / ".jilog.toml").write_text(text)
    return load_config(ConfigSources({}, tmp_path)).agent


def test_without_the_table_the_agent_listens_nowhere_and_reviews_never(tmp_path: Path) -> None:
    agent = load(tmp_path, "")

    assert (agent.listen, agent.review_at, agent.sync_seconds) == (None, None, 60)


def test_every_key_is_read(tmp_path: Path) -> None:
    agent = load(
        tmp_path,
        '[agent]\nlisten = "[::1]:7722"\nsync_every = "5m"\nreview_at = "03:30"\nscrub_mib_per_minute = 0\n'
        'metrics_file = "~/jilog.prom"\nlog_level = "debug"\ndisk_low_mib = 0\nmdns = false\n',
    )

    assert agent == AgentConfig(
        ("::1", 7722), 300, time(3, 30), 0, tmp_path / "jilog.prom", "debug", 0, mdns=False
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('listen = "everywhere"', "invalid listen address"),
        ('listen = "0.0.0.0:70000"', "invalid listen address"),
        ('sync_every = "often"', "sync_every: invalid duration"),
        ('review_at = "24:00"', "invalid review_at"),
        ('log_level = "loud"', "unknown log_level"),
        ('lisen = "x"', "unknown key 'lisen'"),
    ],
)
def test_a_mistake_in_the_table_is_refused_with_a_hint(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, f"[agent]\n{line}\n")

    assert message in caught.value.message
    assert caught.value.hint
