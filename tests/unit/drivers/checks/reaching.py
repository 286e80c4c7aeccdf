"""What a source needs around it, with nothing behind it that a test does not want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gapless.clock import LoopClock
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.reach import Reach
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.transports.base import Transport


def _none(host: str) -> Transport:
    raise AssertionError(f"nobody asks {host}")


def reach(
    transport: Callable[[str], Transport] = _none,
    address: Callable[[str], str] = lambda host: host,
    balancers: tuple[Any, ...] = (),
    unit: str = "shop.service",
    references: tuple[str, ...] = (),
) -> Reach:
    found: tuple[Balancer, ...] = balancers
    return Reach(
        "shop",
        unit,
        transport,
        address,
        lambda: found,
        LoopClock(),
        KeptSecrets(),
        lambda _: references,
    )


def in_letters(number: int) -> str:
    """A number in letters, so that messages with it are not alike."""
    letters = ""
    for _ in range(4):
        number, letter = divmod(number, 26)
        letters = chr(97 + letter) + letters
    return letters
