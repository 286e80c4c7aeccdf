"""A service of a compose project: each instance has one container, and two while it is replaced.

1. A container of the service is in slot a or b by a label of ours; one that compose made alone is
   in the first that is free.
2. The new copy is made by compose: ``up --no-start`` with one more of the service, while nothing
   that is there is made again. That one is made anew through the engine with our labels and nothing
   else changed, and started by it, or by compose where it has hooks on that. So ``compose ps``,
   ``logs`` and ``up`` of a person go on to know it: an ``up`` makes nothing new as long as the
   project is what it was.
3. The old copy is stopped and removed by its id. compose is never asked for less of a service: it
   would take the newest away.
4. To go back the engine is asked for a container with all the settings of the one before, of the
   same image.
5. What is asked of the service as a whole is asked of the copy that serves.
"""

from __future__ import annotations

from gapless.config.compose_service import ComposeConfig
from gapless.drivers.runtimes.compose_orders import Orders
from gapless.drivers.runtimes.compose_project import ComposeProject
from gapless.drivers.runtimes.container_pair import ContainerPair


class ComposePair(ContainerPair):
    """Both containers of an instance, the same on every host. ``folder`` is where its project is;
    ``alone``: the old one is stopped before the new one is made; ``place``: which of several on a
    host; ``inside`` and ``changing`` as with ``Orders``."""

    def __init__(
        self,
        config: ComposeConfig,
        service: str,
        *,
        folder: str,
        alone: bool = False,
        place: int = 1,
        inside: str | None = None,
        changing: bool = False,
    ) -> None:
        orders = Orders(config, service, folder, place, inside, changing)
        super().__init__(ComposeProject(orders), alone=alone)
