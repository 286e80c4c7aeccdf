"""Keys of every service whose instances are containers, however those are made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gapless.config.base import Section
from gapless.config.quantities import Argv, Duration, Limit, Names


class ContainerConfig(Section):
    """How a container is reached, ended, and its engine found."""

    pre_stop: Argv | None = None
    """Run in the old container before it is stopped, when it has no more traffic; default: what its
    label docker-rollout.pre-stop-hook says, by ``sh -c``. One that fails is told as a warning, and
    the container is stopped all the same."""
    pre_stop_timeout: Limit = 60.0
    """Limit of that: then it is not waited for any more."""
    stop_timeout: Duration | None = None
    """How long it may take to end by itself; default: what the container itself says, else 10s."""
    reach: Literal["container", "host"] = "container"
    """What ``{address}`` is: that of the container, for whoever is on its host, or that of the
    host, where the ports are published."""
    cord: Annotated[Duration, Field(gt=0)] | None = None
    """How often a health check that gapless adds to new containers looks whether they are to get
    traffic; a HEALTHCHECK that is there is asked by it as well. For ``traefik_labels``."""
    shared: Names = ()
    """Writable volumes and folders that two copies may have at the same time."""
    engine: str = "docker"
    """The program on the host: a name on PATH, or a path."""
    socket: Annotated[str, Field(pattern=r"^/")] = "/run/docker.sock"
    """The engine's socket on the host."""
    timeout: Limit = 300.0
    """Limit of making a container, with pulling its image."""
