"""A container of an image without compose: each instance has one, and two while it is replaced.

1. Containers are called NAME-a and NAME-b after their slots, and have labels of ours. One that a
   person made is in the first slot that is free, where gapless.yaml says that it is to be adopted;
   any other one with such a name is somebody else's, and nothing is done.
2. The new copy is made by ``docker create`` with the options as they are written, and started.
3. A deploy has nothing to do when image, options, command and the files that options name are what
   the container was made of, and the name of the image means the same image.
4. All else is as with compose: the old copy ends by its id, the way back makes a container with
   all the settings of the one before, and what is asked of the service is asked of the copy that
   serves.
"""

from __future__ import annotations

from gapless.config.docker_service import DockerConfig
from gapless.drivers.runtimes.container_pair import ContainerPair
from gapless.drivers.runtimes.docker_orders import DockerOrders
from gapless.drivers.runtimes.docker_settings import DockerSettings


class DockerPair(ContainerPair):
    """Both containers of an instance, the same on every host. ``project`` is the name of ours;
    ``alone``: the old one is stopped before the new one is made."""

    def __init__(
        self, config: DockerConfig, service: str, *, project: str, alone: bool = False
    ) -> None:
        super().__init__(DockerSettings(DockerOrders(config, service, project)), alone=alone)
