"""What Caddy's admin API says, read into facts. No side effects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gapless.drivers.balancers.caddy_parking import parked

_SAMPLE = re.compile(r'(\w+)(?:\{(?:.*,)?upstream="([^"]*)"[^}]*\})? (\S+)')
_HEALTHY = "caddy_reverse_proxy_upstreams_healthy"
_STARTED = "process_start_time_seconds"


class NonsenseError(ValueError):
    """The answer is not what Caddy answers."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse_proxy handler as it is written (``handler``), what matters of it, and the mark of
    this state of it (``etag``). ``dials``: addresses in traffic; ``parked``: those out of it."""

    etag: str
    handler: Mapping[str, Any] = field(default_factory=dict)
    dials: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()
    active: Mapping[str, Any] = field(default_factory=dict)
    passive: Mapping[str, Any] = field(default_factory=dict)
    secure: bool = False
    dynamic: bool = False

    @property
    def most_fails(self) -> int | None:
        """Failed requests that make an upstream unavailable; None: they are not counted."""
        if not self.passive.get("fail_duration"):
            return None
        return int(self.passive.get("max_fails") or 1)


@dataclass(frozen=True, slots=True)
class Load:
    """What is open to an address, and how often requests to it failed lately."""

    requests: int
    fails: int


@dataclass(frozen=True, slots=True)
class Health:
    """``life`` names the process; ``healthy``: address to what its own checks found."""

    life: str
    healthy: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class View:
    """One moment of a Caddy process."""

    proxy: Proxy
    loads: Mapping[str, Load]
    health: Health

    def load(self, dial: str) -> Load:
        """What is open to an address; nothing to one that is not listed."""
        return self.loads.get(dial, Load(0, 0))

    def standing(self, dial: str) -> tuple[bool, str]:
        """Whether Caddy sends traffic to an address, as far as it tells, and in which words. What
        its checks found is up to ten seconds old."""
        most, fails = self.proxy.most_fails, self.load(dial).fails
        if most is not None and fails >= most:
            return False, f"unavailable: {fails} failed requests"
        if not self.proxy.active:
            return True, "no check"
        healthy = self.health.healthy.get(dial, False)
        return healthy, "healthy" if healthy else "unhealthy"

    def others(self, dial: str) -> int:
        """How many other addresses Caddy has up."""
        return sum(self.standing(other)[0] for other in set(self.proxy.dials) - {dial})


def proxy(etag: str | None, data: Any) -> Proxy:
    """The handler in an answer. Raises NonsenseError."""
    if not isinstance(data, dict) or data.get("handler") != "reverse_proxy" or not etag:
        raise NonsenseError
    upstreams, checks = data.get("upstreams") or [], data.get("health_checks") or {}
    if not _objects(upstreams) or not isinstance(checks, dict):
        raise NonsenseError
    transport = data.get("transport") or {}
    try:
        out = parked(data)
    except ValueError:
        raise NonsenseError from None
    return Proxy(
        etag,
        data,
        tuple(str(upstream.get("dial", "")) for upstream in upstreams),
        out,
        checks.get("active") or {},
        checks.get("passive") or {},
        secure=isinstance(transport, dict) and "tls" in transport,
        dynamic=bool(data.get("dynamic_upstreams")),
    )


def loads(data: Any) -> dict[str, Load]:
    """The load by address; one that several handlers have is told once or several times."""
    found: dict[str, Load] = {}
    if not _objects(data or []):
        raise NonsenseError
    for one in data or []:
        try:
            address, more = str(one["address"]), Load(int(one["num_requests"]), int(one["fails"]))
        except (KeyError, TypeError, ValueError):
            raise NonsenseError from None
        known = found.get(address, Load(0, 0))
        found[address] = Load(known.requests + more.requests, max(known.fails, more.fails))
    return found


def health(text: str) -> Health:
    """What the metrics tell. Raises NonsenseError when they do not name the process."""
    life = ""
    healthy: dict[str, bool] = {}
    for line in text.splitlines():
        sample = _SAMPLE.fullmatch(line.strip()) if not line.startswith("#") else None
        if sample is None:
            continue
        name, upstream, value = sample.groups()
        if name == _STARTED:
            life = value
        elif name == _HEALTHY and upstream:
            healthy[upstream] = value == "1" and healthy.get(upstream, True)
    if not life:
        raise NonsenseError
    return Health(life, healthy)


def _objects(data: Any) -> bool:
    return isinstance(data, Sequence) and all(isinstance(one, dict) for one in data)
