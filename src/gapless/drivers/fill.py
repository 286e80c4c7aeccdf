"""Names and commands of a balancer or a service with an instance filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gapless.config.filling import fill
from gapless.model import Instance

__all__ = ["fill", "filled", "own_name"]


def filled(
    argv: Iterable[str], instance: Instance, address: Callable[[str], str]
) -> tuple[str, ...]:
    """Every word of a command, filled in."""
    return tuple(fill(word, instance, address) for word in argv)


def own_name(host: str) -> str:
    """The address of a host nobody gave another address."""
    return host
