"""Ports that nobody takes by chance: below those that the kernel gives to whoever connects."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, USUAL = 1024, 32768


def free(count: int) -> list[int]:
    """Different ones: each is held until all are known."""
    found: list[int] = []
    with ExitStack() as held:
        for port in _candidates():
            with suppress(OSError):
                held.enter_context(_bound(port))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"there are no {count} free ports on 127.0.0.1")


def taken(port: int) -> bool:
    """Whether somebody listens on it."""
    try:
        _bound(port).close()
    except OSError:
        return True
    return False


def _candidates() -> list[int]:
    """In no order: two demos at the same time do not ask for the same."""
    below = range(LOWEST, max(_lowest_given(), LOWEST + 1))
    few = len(below) < LOWEST
    return random.sample(range(LOWEST, 65536) if few else below, LOWEST)


def _lowest_given() -> int:
    try:
        return int(RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL


def _bound(port: int) -> socket.socket:
    """As gapless binds it: what only lingers in TIME_WAIT is free."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind(("127.0.0.1", port))
        one.listen(1)
    except OSError:
        one.close()
        raise
    return one
