"""Traefik's own check of a server, asked from Traefik's host before Traefik knows the server.

Traefik counts a new server as UP until a check of it fails. So the check it is configured with is
asked here first.
"""

from __future__ import annotations

from typing import Any

from gapless.drivers.balancers.traefik_view import Service, seconds
from gapless.drivers.transports.base import Probe

_HEALTHY = ["200-399"]
_ANSWER = "5s"
"""Where none is written."""


def probe(service: Service, url: str) -> Probe | None:
    """The check of a server; None where there is none, or none that could be asked from here: over
    gRPC or TLS, or by another name."""
    check = service.check
    scheme = str(check.get("scheme") or url.partition("://")[0])
    if not check.get("path") or scheme != "http" or check.get("mode", "http") != "http":
        return None
    if check.get("hostname"):
        return None
    host, _, port = url.partition("://")[2].partition("/")[0].rpartition(":")
    if not host:
        host, port = port, "80"
    spec: dict[str, Any] = {
        "url": f"http://{host}:{check.get('port') or port}/{str(check['path']).lstrip('/')}",
        "method": check.get("method") or "GET",
        "headers": dict(check.get("headers") or {}),
        "expect": {"status": [str(check["status"])] if check.get("status") else _HEALTHY},
    }
    return Probe(
        f"Traefik's check of {url}", "http", spec, answer=seconds(check.get("timeout", _ANSWER))
    )
