"""``services.X.compose`` — a service of a compose project on the host."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gapless.config.base import Section
from gapless.config.quantities import Argv, Duration, Limit, Names


class ComposeConfig(Section):
    """A service of a compose project. A new container is started beside the old one, which is
    stopped when it has no more traffic; the project's files stay as they are."""

    directory: Annotated[str, Field(pattern=r"^/")] | None = None
    """Folder of the project on the host; default: the live release."""
    files: Names = ()
    """Its compose files; default: those that compose finds in the folder."""
    project: str | None = None
    """Its name; default: what compose calls it. With a release it has to be said, because each
    release is another folder."""
    service: str | None = None
    """The service in the project; default: the name of this one."""
    environment: dict[str, str] = Field(default_factory=dict)
    """What compose finds in its environment. ``{slot:ONE|OTHER}`` differs between the two copies:
    so each gets a port of the host of its own."""
    pre_stop: Argv | None = None
    """Run in the old container before it is stopped, when it has no more traffic."""
    stop_timeout: Duration | None = None
    """How long it may take to end by itself; default: its stop_grace_period, else 10s."""
    reach: Literal["container", "host"] = "container"
    """What ``{address}`` is: that of the container, for whoever is on its host, or that of the
    host, where the ports are published."""
    shared: Names = ()
    """Writable volumes and folders that two copies may have at the same time."""
    engine: str = "docker"
    """The program on the host: a name on PATH, or a path."""
    socket: Annotated[str, Field(pattern=r"^/")] = "/run/docker.sock"
    """The engine's socket on the host."""
    timeout: Limit = 300.0
    """Limit of making a container, with pulling its image."""

    @model_validator(mode="before")
    @classmethod
    def _folder(cls, data: Any) -> Any:
        return {"directory": data} if isinstance(data, str) else data
