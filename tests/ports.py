"""Places to listen at that nobody else takes meanwhile.

A port is free when it is asked for, and a server listens there a moment later. The kernel gives
ports of its own range to whoever asks for any, and to every connection that begins; so ours are
below that range, and each worker of a run hands out its own, one after the other.
"""

from __future__ import annotations

import itertools
import os
import random
import socket

BELOW = 20_000
"""All ports are below; one ten thousand above each is left alone, too (Redis Cluster's bus)."""

_ABOVE = 10_000


def free_port(address: str = "127.0.0.1", *, beside: int = 0) -> int:
    """A port nobody listens on there; with ``beside`` nobody does so many above it, either."""
    return next(
        port
        for port in _PORTS
        if _is_free(address, port) and (not beside or _is_free(address, port + beside))
    )


def own_address() -> str:
    """An address of loopback that is used for nothing else: connections begin at 127.0.0.1."""
    return f"127.0.{random.randint(2, 254)}.{random.randint(2, 254)}"


def _own_ports(worker: str, workers: int) -> range:
    """Those of this worker, of which ``gw0`` is the first."""
    share = (BELOW - _ABOVE) // workers
    first = _ABOVE + share * int(worker.removeprefix("gw"))
    return range(first, first + share)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


_OWN = _own_ports(
    os.environ.get("PYTEST_XDIST_WORKER", "gw0"),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)
_PORTS = itertools.islice(itertools.cycle(_OWN), random.randrange(len(_OWN)), None)
