"""Places to listen at that nobody else takes meanwhile."""

from __future__ import annotations

import random
import socket

_USED: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """A port nobody listens on there; never the same one again in this process."""
    while True:
        with socket.socket() as probe:
            probe.bind((address, 0))
            port: int = probe.getsockname()[1]
        if port not in _USED:
            _USED.add(port)
            return port


def own_address() -> str:
    """An address of loopback that is used for nothing else: connections begin at 127.0.0.1, and
    must not be given a port that a server is about to listen on."""
    return f"127.0.{random.randint(2, 254)}.{random.randint(2, 254)}"
