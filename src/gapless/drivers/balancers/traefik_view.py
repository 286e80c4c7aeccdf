"""What Traefik says of a service on its API, read into facts. No side effects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?)(ms|us|µs|ns|h|m|s)")
_HEEDLESS = frozenset({"p2c"})
"""Strategies that send to a server whatever its weight is."""


class NonsenseError(ValueError):
    """The answer is not what Traefik answers."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a service. ``status`` is UP or DOWN as its checks have it, "" without any."""

    url: str
    weight: int
    status: str

    @property
    def out(self) -> bool:
        """Whether Traefik has read that it is to get nothing."""
        return self.weight <= 0

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"{self.url} weight {self.weight}", self.status)))


@dataclass(frozen=True, slots=True)
class Service:
    """``window`` is the time in seconds in which a check finds a sick server; None: there are no
    checks. ``wrong`` is what Traefik finds wrong with it, ``check`` how it asks its servers."""

    servers: Mapping[str, Server]
    strategy: str
    window: float | None
    wrong: str = ""
    check: Mapping[str, Any] = field(default_factory=dict)

    @property
    def heeds_weights(self) -> bool:
        """Whether a weight can take a server out at all."""
        return self.strategy not in _HEEDLESS


@dataclass(frozen=True, slots=True)
class Process:
    """``life`` names the process; it is at least ``age`` seconds old (a Date has whole ones)."""

    life: str
    age: float


def service(answer: Any) -> Service:
    """In the answer to ``/api/http/services/NAME@file``."""
    try:
        balancer = answer["loadBalancer"]
        checks = balancer.get("healthCheck")
        statuses = answer.get("serverStatus", {}) if checks else {}
        servers = {
            str(one["url"]): Server(
                str(one["url"]), int(one.get("weight", 1)), str(statuses.get(one["url"], ""))
            )
            for one in balancer.get("servers", ())
        }
        wrong = "" if answer.get("status") == "enabled" else _wrong(answer)
        strategy = str(balancer.get("strategy", "wrr"))
        return Service(servers, strategy, _window(checks), wrong, checks or {})
    except (TypeError, KeyError, ValueError, AttributeError):
        raise NonsenseError from None


def process(answer: Any, date: str | None) -> Process:
    """In the answer to ``/api/version`` and its Date."""
    try:
        begun = str(answer["startDate"])
        # more digits than a datetime holds, and a Z that older Pythons do not know
        since = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", begun).replace("Z", "+00:00"))
        return Process(begun, (parsedate_to_datetime(date or "") - since).total_seconds())
    except (TypeError, KeyError, ValueError):
        raise NonsenseError from None


def seconds(duration: str) -> float:
    """A duration as Go writes it, such as ``1m30s`` or ``500ms``. Raises ValueError."""
    parts = _DURATION.findall(duration)
    if "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _window(checks: Any) -> float | None:
    if not checks:
        return None
    return seconds(checks.get("interval", "30s")) + seconds(checks.get("timeout", "5s"))


def _wrong(answer: Any) -> str:
    return ", ".join([str(answer.get("status", "no status")), *map(str, answer.get("error", ()))])
