"""The connections of one command to its hosts, shared by everything the command does there."""

from __future__ import annotations

import asyncio

from gapless.config.hosts import HostConfig
from gapless.config.services import DefaultsConfig
from gapless.drivers import registry
from gapless.drivers.transports.base import Transport
from gapless.drivers.transports.held import Held


class Connections:
    """One transport per host as it is described, made and held within the limits of ``defaults``.

    ``lasting``: a rollout follows on the first question, so what is costly to start on a host and
    cheap to use again is started for that question."""

    def __init__(self, defaults: DefaultsConfig, *, lasting: bool = False) -> None:
        self._held = Held(defaults.connections, defaults.connected)
        self._lasting = lasting
        self._made: dict[tuple[str, HostConfig], Transport] = {}

    def to(self, host: str, config: HostConfig) -> Transport:
        """The transport of a host, made at first use. A plan that describes the host in another
        way gets another one."""
        if (host, config) not in self._made:
            made = registry.transport(host, config, self._held, lasting=self._lasting)
            self._made[host, config] = made
        return self._made[host, config]

    async def close(self) -> None:
        """Close all of them."""
        made, self._made = list(self._made.values()), {}
        await asyncio.gather(*(transport.close() for transport in made), return_exceptions=True)
