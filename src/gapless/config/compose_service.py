"""``services.X.compose`` — a service of a compose project on the host."""

from __future__ import annotations

from posixpath import join, normpath
from typing import Annotated, Any

from pydantic import Field, model_validator

from gapless.config.container_service import ContainerConfig
from gapless.config.quantities import Names, Replicas


class ComposeConfig(ContainerConfig):
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
    replicas: Replicas = 1
    """How many instances of it each host has: as many as ``deploy.replicas`` (or ``scale``) of the
    project says. They are replaced one after another, ``rollout.batch`` at a time."""
    environment: dict[str, str] = Field(default_factory=dict)
    """What compose finds in its environment. ``{slot:ONE|OTHER}`` differs between the two copies:
    so each gets a port of the host of its own. ``{number}`` differs between the instances of a
    host."""

    def files_in(self, folder: str) -> tuple[str, ...]:
        """Paths of its compose files, or all that there may be."""
        return tuple(normpath(join(folder, name)) for name in self.files or _FOUND)

    @model_validator(mode="before")
    @classmethod
    def _folder(cls, data: Any) -> Any:
        return {"directory": data} if isinstance(data, str) else data


_BASES = ("compose", "docker-compose")
_FOUND = tuple(
    f"{base}{more}.{suffix}"
    for base in _BASES
    for more in ("", ".override")
    for suffix in ("yaml", "yml")
)
"""The names that compose looks for."""
