"""A client of RabbitMQ: messages published into a quorum queue of its own, each until that confirms
it, and taken out again.

1. A queue has no place to look at: what is read is taken out, and remembered. So a message is there
   when it was delivered once, as clients of a queue mean it.
2. A read takes messages until the one that it wants has come, or the queue is empty. What came
   and could not be confirmed to the server comes again, and is the same one.
3. To say a message twice may have it there twice; it is the same number, and counts once.
"""

from __future__ import annotations

import asyncio

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.speaking_tls import tls_to
from gapless.drivers.workloads.kept import Kept
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.rabbitmq_client import GoneError, RabbitClient, RefusedLoginError
from gapless.prove.workload import NotDone

_KEPT = 7 * 24 * 3600 * 1000
"""Milliseconds without use after which the queue is gone by itself: nobody may be left to remove
it."""


class RabbitWorkload:
    """See ``Workload``. ``queue``: the name of its own, in the virtual host ``/``."""

    kind = "rabbitmq"
    removes = True

    def __init__(
        self,
        addresses: tuple[str, ...],
        login: Login,
        queue: str,
        tls: ApiTlsConfig | None = None,
    ) -> None:
        self._kept: Kept[RabbitClient] = Kept(addresses, self._opened)
        self._login, self._tls = login, tls
        self._queue = queue
        self._taken: dict[int, str] = {}
        self._taking = asyncio.Lock()

    @property
    def place(self) -> str:
        """Its queue."""
        return f"rabbitmqctl delete_queue {self._queue}"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._kept)

    async def prepare(self) -> None:
        """The queue; harmless where it is there."""
        await self._kept.asked(lambda client: client.declare(self._queue, _KEPT))

    async def write(self, number: int, value: str) -> None:
        """Confirmed by a majority of the queue's members."""
        said = f"{number} {value}"
        await self._kept.asked(lambda client: client.publish(self._queue, said))

    async def read(self, number: int) -> str | None:
        """As it was taken out, now or before."""
        async with self._taking:
            try:
                while number not in self._taken:
                    if not await self._kept.asked(lambda client: client.get(self._queue)):
                        break
            except GoneError:
                return None
        return self._taken.get(number)

    async def clear(self) -> None:
        """The queue."""
        await self._kept.asked(lambda client: client.delete(self._queue))
        self._taken.clear()

    async def close(self) -> None:
        """The connections are closed."""
        await self._kept.close()

    async def _opened(self, address: str) -> RabbitClient:
        tls = tls_to(address, self._tls)
        try:
            return await RabbitClient.of(address, await self._login.words(), self._take, tls)
        except RefusedLoginError:
            self._login.forget()
            raise

    def _take(self, text: str) -> None:
        number, _, value = text.partition(" ")
        if not number.isdecimal():
            raise NotDone(f"a message of somebody else is in the queue: {text[:80]!r}")
        self._taken[int(number)] = value
