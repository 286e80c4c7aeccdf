"""What a source of evidence may use to count the errors of one service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from gapless.clock import Clock
from gapless.drivers.balancers.base import Balancer
from gapless.drivers.checks.secret_headers import KeptSecrets
from gapless.drivers.fill import fill
from gapless.drivers.transports.base import Transport
from gapless.model import Instance


async def _itself(instance: Instance) -> tuple[Instance, ...]:
    return (instance,)


@dataclass(frozen=True, slots=True)
class Reach:
    """``service`` by name, the ``unit`` of its instance on a host ("" without one, a space between
    those of two copies); the ways to its hosts and balancers. ``references``: the secrets that its
    instance on a host is given, or asked with."""

    service: str
    unit: Callable[[str], str]
    transport: Callable[[str], Transport]
    address: Callable[[str], str]
    balancers: Callable[[], tuple[Balancer, ...]]
    clock: Clock
    secrets: KeptSecrets
    references: Callable[[str], Iterable[str]]
    copies: Callable[[Instance], Awaitable[tuple[Instance, ...]]] = _itself
    """The copies that an instance may have beside each other, each at the address of its own that
    it has now."""

    async def instances(self, host: str) -> tuple[Instance, ...]:
        """What of the service there may be on a host. Raises GaplessError where the host does not
        tell."""
        return await self.copies(Instance(self.service, host))

    def filled(self, text: str, host: str) -> str:
        """``text`` with {host}, {name}, {service}, {address} and {number} of a host; other braces
        stay."""
        return fill(text, Instance(self.service, host), self.address)
