"""A driver of a cluster, all of whose answers and errors are read: no secret may be in any."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.drivers.clusters.base import Cluster, Moved, Rejoined
from gapless.errors import GaplessError
from gapless.model import Fence

T = TypeVar("T")


class Overheard:
    """See ``Cluster``; everything goes to the real one."""

    def __init__(self, cluster: Cluster, secrets: Sequence[str]) -> None:
        self._cluster = cluster
        self._secrets = secrets

    @property
    def name(self) -> str:
        """That of the real one."""
        return self._cluster.name

    @property
    def kind(self) -> str:
        """That of the real one."""
        return self._cluster.kind

    async def topology(self) -> Topology:
        """Read."""
        return await self._read(self._cluster.topology())

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """Read."""
        return await self._read(self._cluster.unsafe(topology, members))

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Read."""
        return await self._read(self._cluster.evacuate(member, targets, within, fence))

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Read."""
        return await self._read(self._cluster.seal(member, fence))

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Read."""
        return await self._read(self._cluster.rejoined(member, before))

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Read."""
        await self._read(self._cluster.restore(member, fence))

    async def _read(self, asked: Awaitable[T]) -> T:
        try:
            answer = await asked
        except GaplessError as error:
            self._has_none("\n".join((str(error), error.evidence, error.next, repr(error))))
            raise
        self._has_none(repr(answer))
        return answer

    def _has_none(self, told: str) -> None:
        # the text is not shown: it has a secret in it
        assert not any(secret in told for secret in self._secrets), "a secret was told"
