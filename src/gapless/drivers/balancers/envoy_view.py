"""What Envoy says of a cluster on its admin interface, read into facts. No side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TAKES_TRAFFIC = frozenset({"HEALTHY", "DEGRADED", "UNKNOWN"})
_PANIC = 50.0
"""Per cent of healthy hosts below which Envoy sends to all of them, if nothing else is set."""

_MERGE = 1.0
"""Seconds for which Envoy collects changes of health for its workers, if nothing else is set."""


class NonsenseError(ValueError):
    """The answer is not what Envoy answers."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a cluster. ``failed`` names what keeps it from being healthy."""

    name: str
    told: str
    failed: tuple[str, ...]
    priority: int
    weight: int
    figures: Mapping[str, int] = field(default_factory=dict)

    @property
    def out(self) -> bool:
        """Whether Envoy knows that it was told to send nothing new there."""
        return self.told not in _TAKES_TRAFFIC

    @property
    def up(self) -> bool:
        """Whether it gets new traffic."""
        return not self.out and not self.failed

    @property
    def open(self) -> int:
        """Requests (of a TCP proxy: connections) in flight and waiting there."""
        return self.figures.get("rq_active", 0) + self.figures.get("rq_pending_active", 0)

    def __str__(self) -> str:
        idle = f"{self.figures.get('cx_active', 0)} connections kept"
        return ", ".join([f"{self.name} {self.told}", *self.failed, f"{self.open} open", idle])


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration of a cluster says about its health. ``window`` is the time in seconds
    in which a check finds a sick host; None: it has no checks. ``merge`` is the time in seconds for
    which its workers may not be told of a change, because another one was just before it."""

    panic: float = _PANIC
    window: float | None = None
    merge: float = _MERGE


def life(answer: Any) -> str:
    """When the process began, in the answer to ``/config_dump?mask=last_updated``."""
    try:
        return str(answer["configs"][0]["last_updated"])
    except (TypeError, KeyError, IndexError):
        raise NonsenseError from None


def hosts(answer: Any, cluster: str) -> dict[str, Host]:
    """The hosts of a cluster by each of their names, in the answer to ``/clusters?format=json``;
    none where it has no such cluster."""
    try:
        found = [one for one in answer["cluster_statuses"] if one["name"] == cluster]
        statuses = [status for one in found for status in one.get("host_statuses", ())]
        return {name: _host(status) for status in statuses for name in _names(status)}
    except (TypeError, KeyError, ValueError, AttributeError):
        raise NonsenseError from None


def settings(answer: Any, cluster: str) -> Settings | None:
    """What is set for a cluster, in the answer to ``/config_dump?resource=…``; None where it is
    not among those."""
    try:
        for one in answer.get("configs", ()):
            if one["cluster"]["name"] == cluster:
                return _settings(one["cluster"])
        return None
    except (TypeError, KeyError, ValueError, AttributeError):
        raise NonsenseError from None


def panics(
    hosts: Mapping[str, Host], priority: int, threshold: float, *, without: str = ""
) -> bool:
    """Whether so few hosts of a priority are healthy that Envoy sends to all of them, also to those
    it was told to send nothing to; ``without`` is one that is not counted as healthy."""
    alike = {host.name: host.up for host in hosts.values() if host.priority == priority}
    healthy = sum(up for name, up in alike.items() if name != without)
    return 100.0 * healthy < threshold * len(alike)


def _names(status: Any) -> tuple[str, ...]:
    return tuple(filter(None, (_address(status), str(status.get("hostname", "")))))


def _address(status: Any) -> str:
    address = status["address"]
    if "pipe" in address:
        return str(address["pipe"]["path"])
    socket = address["socket_address"]
    return f"{socket['address']}:{socket['port_value']}"


def _host(status: Any) -> Host:
    health = status["health_status"]
    return Host(
        name=_address(status),
        told=str(health.get("eds_health_status", "UNKNOWN")),
        failed=tuple(flag for flag, value in health.items() if value is True),
        priority=int(status.get("priority", 0)),
        weight=int(status.get("weight", 1)),
        figures={stat["name"]: int(stat.get("value", 0)) for stat in status["stats"]},
    )


def _settings(cluster: Any) -> Settings:
    common = cluster.get("common_lb_config", {})
    threshold, merge = (common.get(key) for key in ("healthy_panic_threshold", _MERGING))
    panic = _PANIC if threshold is None else float(threshold.get("value", 0.0))
    checks = cluster.get("health_checks", ())
    windows = [_window(check) for check in checks]
    collects = _MERGE if merge is None else float(str(merge).removesuffix("s"))
    return Settings(panic, max(windows, default=None), collects)


_MERGING = "update_merge_window"


def _window(check: Any) -> float:
    names = ("interval", "interval_jitter", "timeout")
    each = sum(float(str(check.get(name, "0s")).removesuffix("s")) for name in names)
    return float(check.get("unhealthy_threshold", 1)) * each
