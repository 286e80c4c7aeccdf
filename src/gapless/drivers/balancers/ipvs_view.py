"""What ipvsadm prints, read into facts. No side effects."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

_HEADER = "IP Virtual Server version"
_FORWARDS = frozenset(("Route", "Masq", "Tunnel", "Local"))
_WEIGHT = frozenset(("-w", "--weight"))


class NonsenseError(ValueError):
    """The output is not that of ipvsadm; its text is the evidence."""


@dataclass(frozen=True, slots=True)
class RealServer:
    """One real server of a virtual service."""

    name: str
    weight: int
    active: int
    """Connections that are established."""
    inactive: int
    """Connections in any other state; for UDP all of them."""

    def __str__(self) -> str:
        return f"{self.name} weight {self.weight}, {self.active} active, {self.inactive} inactive"


@dataclass(frozen=True, slots=True)
class View:
    """One virtual service. ``persistent``: clients are kept on the server they had before."""

    persistent: bool
    servers: Mapping[str, RealServer]


def parse(text: str) -> View:
    """The view in the output of ``ipvsadm -L -n`` of one service. Raises NonsenseError."""
    lines = text.splitlines()
    if len(lines) < 4 or not lines[0].startswith(_HEADER) or "Weight ActiveConn" not in lines[2]:
        raise NonsenseError(text)
    service, *rows = lines[3:]
    if service.lstrip().startswith("->"):
        raise NonsenseError(text)
    try:
        servers = [_server(row) for row in rows if row.strip()]
    except ValueError:
        raise NonsenseError(text) from None
    return View("persistent" in service.split(), {server.name: server for server in servers})


def _server(row: str) -> RealServer:
    arrow, name, forward, weight, active, inactive = row.split()
    if arrow != "->" or forward not in _FORWARDS:
        raise ValueError(row)
    return RealServer(name, int(weight), int(active), int(inactive))


def rule(text: str, service: tuple[str, str], server: str) -> tuple[str, ...] | None:
    """The options of a real server in the output of ``ipvsadm -S -n``, without its weight. An edit
    that leaves any of them out sets it to its default: forwarding, thresholds, tunnels."""
    for line in text.splitlines():
        words = shlex.split(line)
        if words[:3] == ["-a", *service] and words[3:5] == ["-r", server]:
            return tuple(_unweighed(words[1:]))
    return None


def _unweighed(words: list[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in _WEIGHT:
            next(rest, None)
        else:
            kept.append(word)
    return kept
