"""A client of Redis Cluster: it asks any node, and goes where that sends it.

MOVED and ASK are no errors: every client of a cluster follows them. Its keys are spread over all
shards.
"""

from __future__ import annotations

import asyncio

from gapless.config.api_url import ApiTlsConfig
from gapless.drivers.clusters.redis_resp import Command, Refusal, Reply
from gapless.drivers.workloads.addresses import Turns
from gapless.drivers.workloads.login import Login
from gapless.drivers.workloads.redis_door import consent, said, setting
from gapless.prove.workload import NotDone

_HOPS = 5
_AT_ONCE = 20
_ASKING: Command = ("ASKING",)


class RedisClusterWorkload:
    """See ``Workload``. ``prefix``: of its keys."""

    kind = "redis_cluster"
    removes = True

    def __init__(
        self,
        nodes: tuple[str, ...],
        login: Login,
        prefix: str,
        tls: ApiTlsConfig | None = None,
    ) -> None:
        self._nodes = Turns(nodes)
        self._login, self._tls = login, tls
        self._prefix = prefix
        self._written: set[int] = set()

    @property
    def place(self) -> str:
        """Its keys."""
        return f"keys {self._prefix}/*"

    @property
    def addresses(self) -> str:
        """Where it goes."""
        return str(self._nodes)

    async def prepare(self) -> None:
        """Keys need nothing."""

    async def write(self, number: int, value: str) -> None:
        """Acknowledged by the master of its shard."""
        self._written.add(number)
        await self._told(setting(self._key(number), value))

    async def read(self, number: int) -> str | None:
        """As the master of its shard has it: a replica sends there."""
        reply = await self._told(("GET", self._key(number)))
        return None if reply is None else str(reply)

    async def clear(self) -> None:
        """All keys that it tried to write."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def remove(number: int) -> None:
            async with gate:
                await self._told(("DEL", self._key(number)))
                self._written.discard(number)

        await asyncio.gather(*map(remove, tuple(self._written)))

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _told(self, command: Command) -> Reply:
        first = node = self._nodes.now
        before: tuple[Command, ...] = ()
        try:
            for _ in range(_HOPS):
                *_, reply = await said(node, self._login, *before, command, tls=self._tls)
                if (sent := _sent_on(reply, node)) is None:
                    return consent(reply, node)
                node, before = sent
        except BaseException:  # cancelled, too: it was silent for too long
            self._nodes.leave(first)
            raise
        self._nodes.leave(first)
        raise NotDone(f"sent on {_HOPS} times, at last to {node}")

    def _key(self, number: int) -> str:
        return f"{self._prefix}/{number}"


def _sent_on(reply: Reply, node: str) -> tuple[str, tuple[Command, ...]] | None:
    """Where to, and what has to be said there first."""
    words = reply.text.split() if isinstance(reply, Refusal) else []
    if len(words) != 3 or words[0] not in ("MOVED", "ASK"):
        return None
    host, _, port = words[2].rpartition(":")
    if host in ("", "?"):  # the one that was asked
        host = node.rpartition(":")[0]
    there = f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
    return there, (_ASKING,) if words[0] == "ASK" else ()
