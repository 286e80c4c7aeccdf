"""What both containers of an instance answer together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.container_copy import ContainerCopy
from gapless.drivers.runtimes.container_source import Source, serving
from gapless.drivers.runtimes.pair import Pair
from gapless.drivers.transports.base import Probe, Transport
from gapless.errors import HostFault
from gapless.model import InstanceState, Observation, Verdict
from gapless.supervisor.spec import SLOTS


class ContainerPair(Pair[ContainerCopy]):
    """Of one source; the same on every host. ``alone``: the old one is stopped before the new one
    is made."""

    def __init__(self, source: Source, *, alone: bool) -> None:
        self._source = source
        super().__init__({slot: ContainerCopy(source, slot, alone=alone) for slot in SLOTS})

    async def live(self, transport: Transport) -> str:
        """See ``Paired``."""
        return serving(await self._source.sight(transport))

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """The copy that serves; ``changed`` tells whether a deploy would bring anything, ``next``
        of which image, and ``besides`` what there is of no instance."""
        try:
            whole = await self._source.whole(transport)
        except HostFault as error:
            return Observation(InstanceState.UNKNOWN, detail={"status": error.what})
        reach = self._source.orders.config.reach
        now = view.observation(whole.container, reach, whole.seen.images)
        besides = {"besides": view.names(whole.seen.strangers)} if whole.seen.strangers else {}
        told = {"changed": whole.changed, "next": whole.next_image, **besides}
        return replace(now, detail={**now.detail, **told})

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Of the copy that serves."""
        try:
            whole = await self._source.whole(transport)
            return await self._copies[whole.slot].examine(transport, whole)
        except HostFault as error:
            return (self._either.silence(error),)

    async def makeable(self, transport: Transport, release: str) -> Sequence[Verdict]:
        """The same for both."""
        return await self._either.makeable(transport, release)

    async def fingerprint(self, transport: Transport) -> str:
        """Of what is written, and of the copy that serves."""
        return (await self._source.whole(transport)).fingerprint

    async def own_check(self, transport: Transport) -> tuple[Probe, ...]:
        """Of the copy that serves."""
        return await (await self._speaker(transport)).own_check(transport)
