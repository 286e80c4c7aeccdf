"""A service of a compose project: each instance has one container, and two while it is replaced.

1. A container of the service is in slot a or b by a label of ours; one that compose made alone is
   in the first that is free.
2. The new copy is made by compose: ``up --no-start`` with one more of the service, while nothing
   that is there is made again. That one is made anew through the engine with our labels and nothing
   else changed, and compose starts it. So ``compose ps``, ``logs`` and ``up`` of a person go on to
   know it: an ``up`` makes nothing new as long as the project is what it was.
3. The old copy is stopped and removed by its id. compose is never asked for less of a service: it
   would take the newest away.
4. To go back the engine is asked for a container with all the settings of the one before, of the
   same image.
5. What is asked of the service as a whole is asked of the copy that serves.
"""

from __future__ import annotations

from dataclasses import replace

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes import container_view as view
from gapless.drivers.runtimes.compose_copy import ComposeCopy
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.compose_project import ComposeProject, serving
from gapless.drivers.runtimes.pair import Pair
from gapless.drivers.transports.base import Transport
from gapless.errors import HostFault
from gapless.model import InstanceState, Observation, Verdict
from gapless.supervisor.spec import SLOTS


class ComposePair(Pair[ComposeCopy]):
    """Both containers of a service, the same on every host. ``folder`` is where its project is;
    ``alone``: the old one is stopped before the new one is made."""

    def __init__(
        self, config: ComposeConfig, service: str, *, folder: str, alone: bool = False
    ) -> None:
        self._project = ComposeProject(Orders(config, service, folder))
        super().__init__({slot: ComposeCopy(self._project, slot, alone=alone) for slot in SLOTS})

    async def live(self, transport: Transport) -> str:
        """See ``Paired``."""
        return serving(await self._project.sight(transport))

    @property
    def unit(self) -> str:
        """There is none."""
        return ""

    async def observe(self, transport: Transport) -> Observation:
        """The copy that serves; ``changed`` tells whether a deploy would bring anything."""
        try:
            whole = await self._project.whole(transport)
        except HostFault as error:
            return Observation(InstanceState.UNKNOWN, detail={"status": error.what})
        now = view.observation(whole.container, self._project.orders.config.reach)
        return replace(now, detail={**now.detail, "changed": whole.changed})

    async def preflight(self, transport: Transport) -> tuple[Verdict, ...]:
        """Of the copy that serves."""
        try:
            whole = await self._project.whole(transport)
            return await self._copies[whole.slot].examine(transport, whole)
        except HostFault as error:
            return (self._either.silence(error),)

    async def fingerprint(self, transport: Transport) -> str:
        """Of the project, and of the copy that serves."""
        return (await self._project.whole(transport)).fingerprint
