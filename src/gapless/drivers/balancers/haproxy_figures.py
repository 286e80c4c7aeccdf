"""What HAProxy counted of one server, over all nodes."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.balancers.base import Counters
from gapless.drivers.balancers.haproxy_view import Server

_NAMES = ("stot", "econ", "eresp", "wretr", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx")
_TO_IT = "stot"
"""Requests in HTTP mode, connections in TCP mode."""
_ERRORS = ("econ", "eresp", "hrsp_5xx")
"""Refused connections, responses that broke off, and answers: none of them is in another."""


def counted(found: Mapping[str, tuple[Server | None, str]]) -> Counters:
    """The sum over nodes: each node's server (None: it has none) and the process that counted."""
    detail = {node: _figures(server) for node, (server, _) in found.items() if server is not None}
    return Counters(
        requests=sum(figures[_TO_IT] for figures in detail.values()),
        errors=sum(_errors(figures) for figures in detail.values()),
        detail=detail,
        lives={node: life for node, (_, life) in found.items()},
    )


def _errors(figures: Mapping[str, int]) -> int:
    """Never more than there were requests: HAProxy 2.8 counts a response that broke off twice."""
    attempts = figures[_TO_IT] + figures["econ"]
    return min(attempts, sum(figures[name] for name in _ERRORS))


def _figures(server: Server) -> dict[str, int]:
    return {name: int(server.figures.get(name) or 0) for name in _NAMES}
