"""What was taken out of Caddy, so that it can be put back as it was, by whoever comes next.

An upstream that is out is not in Caddy's configuration at all. Without this memory it could not be
told from one that never was there. It is kept on Caddy's host, next to the claim of the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gapless.drivers.balancers.node_host import NodeHost
from gapless.model import Fence, Instance

Taken = Sequence[tuple[int, Mapping[str, Any]]]
"""Upstreams of one instance with their places in the list."""


class CaddyMemory:
    """Of one balancer on one host."""

    def __init__(self, host: NodeHost) -> None:
        self._host = host
        self._own: dict[Instance, Taken | None] = {}

    async def recall(self, instance: Instance) -> Taken | None:
        """What was taken out, None when nothing is known of it."""
        facts = await self._host.talk(
            lambda transport: transport.recall(instance.service),
            what=f"what was taken out of Caddy on {self._host.label} cannot be read there",
            hint="gapless doctor",
        )
        kept = facts.get(self._key(instance))
        if kept is None:
            return self._own.get(instance)
        return [(int(place), dict(upstream)) for place, upstream in kept]

    async def keep(self, instance: Instance, taken: Taken | None, fence: Fence | None) -> None:
        """Remember what is about to be taken out; None: it is in again."""
        self._own[instance] = taken
        if fence is None:  # then nobody owns the service there, and nobody else may come
            return
        kept = None if taken is None else [[place, dict(upstream)] for place, upstream in taken]
        await self._host.talk(
            lambda transport: transport.remember(fence, {self._key(instance): kept}),
            what=f"what is taken out of Caddy on {self._host.label} cannot be noted there",
            hint="gapless doctor",
        )

    def _key(self, instance: Instance) -> str:
        return f"caddy {self._host.balancer} {instance.host}"
