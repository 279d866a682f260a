"""Alerts and dashboard ask for metrics that exist, with labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.agent_hosts import new_host
from support.agent_process import ask, running

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "jilog.rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "jilog-fleet.json"

FOREIGN = {"node_textfile_mtime_seconds", "node_systemd_unit_state"}
"""Metrics of Prometheus' node exporter, whose textfile collector carries ours."""

SCRAPED = {"instance", "job", "file", "name", "state"}
"""Labels that Prometheus and the node exporter add."""


def documented() -> dict[str, set[str]]:
    """Read docs/metrics.md: metric to labels."""
    rows = re.findall(
        r"^\| `(jilog_\w+)` \| \w+ \| ([^|]*)\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE
    )
    return {name: {label.strip() for label in labels.split(",") if label.strip()} for name, labels in rows}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*shown, *(alert["expr"] for alert in alerts())]


def asked(expression: str) -> list[tuple[str, set[str]]]:
    """Give each metric of an expression with the labels that it is selected by."""
    found = re.findall(r"\b((?:jilog|node)_\w+)(?:\{([^}]*)\})?", expression)
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))) for name, labels in found]


@pytest.mark.parametrize("expression", expressions())
def test_expression_asks_for_metrics_and_labels_that_are_documented(expression: str) -> None:
    known = documented()

    used = asked(expression)

    assert used
    for name, labels in used:
        if name not in FOREIGN:
            assert name in known
            assert labels <= known[name] | SCRAPED


def test_what_the_handbook_says_to_watch_is_watched() -> None:
    handbook = (ROOT / "docs/metrics.md").read_text()
    watched = {name for alert in alerts() for name, _ in asked(alert["expr"])}

    wanted = set(re.findall(r"`(jilog_\w+)", handbook.partition("What to watch:")[2]))

    assert len(wanted) >= 5
    assert wanted <= watched


def test_gauges_that_the_alerts_stand_on_are_exported_by_a_running_agent(tmp_path: Path) -> None:
    host = new_host(tmp_path, "alpha")
    with running(host):
        text = ask(host, "metrics")

    exported = set(re.findall(r"^(jilog_\w+)", text, re.MULTILINE))
    assert {"jilog_up", "jilog_read_only", "jilog_zone_quarantined", "jilog_disk_free_bytes"} <= exported
    assert exported <= set(documented())


def test_an_alert_on_a_metric_that_is_not_there_would_be_seen() -> None:
    (name, labels), *_ = asked('rate(jilog_sync_total{outcom="ok"}[5m])')

    assert name not in documented()
    assert labels == {"outcom"}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]


def test_dashboard_is_one_that_grafana_can_place() -> None:
    document = json.loads(DASHBOARD.read_text())
    cells: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        taken = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= taken
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(RULES)], capture_output=True, text=True, timeout=60, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
