"""Caddy's own active check, asked from Caddy's host before Caddy gets to know an upstream.

Caddy counts a new upstream as healthy until its first check fails, and tells what its checks found
only every ten seconds. So the check it is configured with is asked here as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gapless.drivers.balancers.caddy_view import Proxy
from gapless.drivers.transports.base import Probe

_HEALTHY = ["200-399"]
_ANSWER = 5.0
_INTERVAL = 30.0
"""Caddy's own, where none is written."""
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")


def probe(proxy: Proxy, dial: str) -> Probe | None:
    """The active check of an upstream; None when there is none, or none that could be asked from
    here: to a socket file, over TLS with keys that only Caddy has, or with placeholders."""
    active = proxy.active
    target = active.get("uri") or active.get("path")
    if not target or proxy.secure or dial.startswith("unix/") or "{" in f"{target}{dial}":
        return None
    host, _, port = str(active.get("upstream") or dial).rpartition(":")
    spec: dict[str, Any] = {
        "url": f"http://{host}:{active.get('port') or port}/{str(target).lstrip('/')}",
        "method": active.get("method") or "GET",
        "headers": _headers(active.get("headers") or {}),
        "expect": {"status": _status(active.get("expect_status"))},
    }
    if active.get("expect_body"):
        spec["expect"]["body"] = active["expect_body"]
    return Probe(f"Caddy's check of {dial}", "http", spec, answer=_ANSWER)


def interval(proxy: Proxy) -> float:
    """Seconds between Caddy's checks: a number is one of nanoseconds."""
    written = proxy.active.get("interval")
    if isinstance(written, (int, float)):
        return written * _UNITS["ns"] or _INTERVAL
    parts = _PART.findall(str(written or ""))
    return sum(float(number) * _UNITS[unit] for number, unit in parts) or _INTERVAL


def _status(expected: Any) -> list[str]:
    """A status, or its first digit for all of a class."""
    if not expected:
        return _HEALTHY
    return [f"{expected}xx" if int(expected) < 10 else str(expected)]


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: ", ".join(map(str, values)) if isinstance(values, list) else str(values)
        for name, values in given.items()
    }
