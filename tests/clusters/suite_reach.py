"""How the rigs of the contract suite reach a host."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.drivers.transports.base import Tls
from gapless.drivers.transports.local import LocalTransport
from gapless.errors import Unreachable
from gapless.model import Command, Completed, CriticalAction, Fence, Settled


class Reached:
    """The transport of one host: a real helper of its own, and addresses that the host has to
    itself, so to say."""

    def __init__(self, local: LocalTransport, turns: Mapping[str, str]) -> None:
        self.local = local
        self.cut_off = False
        self._turns = turns

    async def connect(self) -> None:
        pass

    async def run(self, command: Command) -> Completed:
        self._there()
        return await self.local.run(command)

    async def act(self, action: CriticalAction) -> Settled:
        self._there()
        return await self.local.act(action)

    async def exchange(
        self,
        address: str,
        data: bytes,
        timeout: float = 10.0,
        fence: Fence | None = None,
        tls: Tls | None = None,
    ) -> bytes:
        self._there()
        real = self._turns.get(address, address)
        return await self.local.exchange(real, data, timeout, fence, tls)

    def _there(self) -> None:
        if self.cut_off:
            raise Unreachable("no route to the host")
