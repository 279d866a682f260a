"""What the agent counts, and how it is told: Prometheus' text format (``docs/metrics.md``)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric's name, type and meaning."""

    name: str
    kind: str
    help: str


METRICS = (
    Metric("jilog_up", "gauge", "1 while the agent answers; labels: version, source."),
    Metric("jilog_start_time_seconds", "gauge", "Unix time at which the agent started."),
    Metric("jilog_requests_total", "counter", "Requests on the socket, by method and outcome."),
    Metric("jilog_request_seconds_total", "counter", "Time spent on requests, by method."),
    Metric("jilog_clients", "gauge", "Connections to the socket."),
    Metric("jilog_events_appended_total", "counter", "Events appended through the agent."),
    Metric("jilog_zone_events", "gauge", "Events held that may travel, by zone."),
    Metric("jilog_zone_writers", "gauge", "Writers held, by zone."),
    Metric("jilog_zone_bytes", "gauge", "Bytes of segments held, by zone."),
    Metric("jilog_zone_quarantined", "gauge", "Damaged segments in quarantine, by zone."),
    Metric("jilog_syncs_total", "counter", "Syncs with peers, by peer and outcome."),
    Metric("jilog_sync_received_events_total", "counter", "Events received, by peer."),
    Metric("jilog_sync_sent_events_total", "counter", "Events sent and acknowledged, by peer."),
    Metric("jilog_sync_wire_bytes_total", "counter", "Bytes on the wire, by peer and direction."),
    Metric("jilog_peer_in_sync", "gauge", "1 when the last sync left both hosts equal, by peer."),
    Metric("jilog_peer_lag_seconds", "gauge", "Seconds since a host was last in sync, by peer."),
    Metric("jilog_directory_passes_total", "counter", "Passes over spool directories, by path and reason."),
    Metric("jilog_directory_ok", "gauge", "1 when nothing was in the way of the last pass, by path."),
    Metric("jilog_directory_received_events_total", "counter", "Events taken from a directory, by path."),
    Metric("jilog_directory_bytes_total", "counter", "Bytes of files, by path and direction (in, out)."),
    Metric("jilog_directory_unreadable_files", "gauge", "Files there that are not whole, by path."),
    Metric("jilog_peer_resting", "gauge", "1 while a pause or quiet hours keep a peer waiting, by peer."),
    Metric("jilog_peer_clock_seconds", "gauge", "How far a peer's clock is ahead of this host's, by peer."),
    Metric("jilog_scrub_read_bytes_total", "counter", "Segment bytes read again by the scrub."),
    Metric("jilog_scrub_damaged_total", "counter", "Damaged segments that the scrub found."),
    Metric("jilog_review_runs_total", "counter", "Nightly reviews, by outcome."),
    Metric("jilog_disk_free_bytes", "gauge", "Free bytes of the file system that holds the home."),
    Metric("jilog_disk_low", "gauge", "1 while the disk is too full to take segments of peers."),
    Metric("jilog_read_only", "gauge", "1 while the disk is too full to take events."),
)
"""All metrics; a name that is not here cannot be counted."""

_KNOWN = {metric.name for metric in METRICS}


@dataclass(slots=True)
class Metrics:
    """Counters and gauges. May be used from any thread."""

    _values: dict[tuple[str, Labels], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count."""
        key = _key(name, labels)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + amount

    def put(self, name: str, value: float, **labels: str) -> None:
        """Say how much it is now."""
        with self._lock:
            self._values[_key(name, labels)] = value

    def value(self, name: str, **labels: str) -> float:
        """Give one value, 0 when it was never counted."""
        with self._lock:
            return self._values.get(_key(name, labels), 0)

    def text(self) -> str:
        """Write everything in Prometheus' text format."""
        with self._lock:
            return render(self._values)


def _key(name: str, labels: Mapping[str, str]) -> tuple[str, Labels]:
    assert name in _KNOWN, name
    return name, tuple(sorted(labels.items()))


def render(values: Mapping[tuple[str, Labels], float]) -> str:
    """Write values metric by metric, each with its help and type; one that has no value yet is left out."""
    lines: list[str] = []
    for metric in METRICS:
        found = sorted((labels, value) for (name, labels), value in values.items() if name == metric.name)
        if found:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += [f"{metric.name}{_braces(labels)} {_number(value)}" for labels, value in found]
    return "\n".join(lines) + "\n"


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
